//! The lives of bets and markets as whole tables, by the rule itself and through State.

use betring_core::event::MarketStatus;
use betring_core::script;
use betring_core::{BetState, BetStep, MarketStep, OrderState, OrderStep};
use std::fmt::Debug;

/// A table of states and steps as a trader reads it; a dot is "not allowed".
fn table<S: Copy + Debug, T: Copy + Debug>(
    states: &[S],
    steps: &[T],
    after: impl Fn(S, T) -> Option<S>,
) -> String {
    let mut text = format!("{:<11}", "");
    for step in steps {
        text += &format!("{:<11}", format!("{step:?}"));
    }
    for state in states {
        text = format!("{}\n{:<11}", text.trim_end(), format!("{state:?}"));
        for step in steps {
            let cell = after(*state, *step).map_or(".".to_owned(), |s| format!("{s:?}"));
            text += &format!("{cell:<11}");
        }
    }
    text.trim_end().to_owned()
}

fn same(table: &str, expected: &str) {
    let lines: Vec<&str> = expected.trim_matches('\n').lines().collect();
    let expected: Vec<&str> =
        lines.iter().map(|l| l.strip_prefix("        ").unwrap_or(l)).collect();
    assert!(table == expected.join("\n").trim_end(), "the table is\n{table}");
}

#[test]
fn life_of_a_bet() {
    let expected = "
                   Accept     Offer      EndOffer   Reject     Delay      Refer      Win        Lose       Void       Partial    Reverse    AskCashOut KeepOpen   CashOut    Archive
        Held       Open       Offered    .          Rejected   Delayed    Referred   .          .          .          .          .          .          .          .          .
        Delayed    Open       Offered    .          Rejected   .          .          .          .          .          .          .          .          .          .          .
        Referred   Open       Offered    .          Rejected   .          .          .          .          .          .          .          .          .          .          .
        Offered    Open       .          OfferEnded .          .          .          .          .          .          .          .          .          .          .          .
        Open       .          .          .          .          .          .          Won        Lost       Void       Partial    .          CashingOut .          .          .
        CashingOut .          .          .          .          .          .          .          .          .          .          .          .          Open       CashedOut  .
        Rejected   .          .          .          .          .          .          .          .          .          .          .          .          .          .          Archived
        OfferEnded .          .          .          .          .          .          .          .          .          .          .          .          .          .          Archived
        Won        .          .          .          .          .          .          .          .          .          .          Open       .          .          .          Archived
        Lost       .          .          .          .          .          .          .          .          .          .          Open       .          .          .          Archived
        Void       .          .          .          .          .          .          .          .          .          .          Open       .          .          .          Archived
        Partial    .          .          .          .          .          .          .          .          .          .          Open       .          .          .          Archived
        CashedOut  .          .          .          .          .          .          .          .          .          .          .          .          .          .          Archived
        Archived   .          .          .          .          .          .          .          .          .          .          .          .          .          .          .
    ";
    same(&table(BetState::ALL, BetStep::ALL, BetState::after), expected);
}

#[test]
fn life_of_an_order() {
    // A name of its own is longer than a column.
    let short = |state: OrderState| match state {
        OrderState::ExecutionComplete => "Complete".to_owned(),
        state => format!("{state:?}"),
    };
    let mut rows = String::new();
    for state in OrderState::ALL {
        let cells = OrderStep::ALL.iter().map(|step| state.after(*step).map_or(".".into(), short));
        let row: String = cells.map(|cell| format!("{cell:<11}")).collect();
        rows += &format!("{:<11}{row}", short(*state));
        rows = rows.trim_end().to_owned() + "\n";
    }
    let expected = "
        Archived   .          .          .          .
        Pending    Executable Complete   Expired    .
        Executable .          Complete   Expired    .
        Complete   .          .          .          Archived
        Expired    .          .          .          Archived
    ";
    let steps = [OrderStep::Begin, OrderStep::Complete, OrderStep::Kill, OrderStep::Archive];
    assert_eq!(OrderStep::ALL, steps);
    same(rows.trim_end(), expected);
}

#[test]
fn life_of_a_market() {
    let expected = "
                   Open       Close      Result     Rollback   SettleEnd  Archive    ArchiveEnd
        Defined    Open       Closed     Settling   .          .          .          .
        Open       Open       Closed     Settling   .          .          .          .
        Closed     Open       Closed     Settling   .          .          .          .
        Settling   .          .          Settling   Closed     Settled    .          .
        Settled    .          .          Settling   Closed     .          Archiving  .
        Archiving  .          .          .          .          .          .          Archived
        Archived   .          .          .          .          .          .          .
    ";
    same(&table(MarketStatus::ALL, MarketStep::ALL, MarketStatus::after), expected);
}

/// The rows of a table as docs/life-cycle.md has them.
fn rows<S: Copy + Debug, T: Copy + Debug>(
    states: &[S],
    steps: &[T],
    after: impl Fn(S, T) -> Option<S>,
) -> String {
    let head: String = steps.iter().map(|step| format!(" {step:?} |")).collect();
    let mut text = format!("| |{head}\n|---{}|\n", "|---".repeat(steps.len()));
    for state in states {
        text += &format!("| `{state:?}` |");
        for step in steps {
            text += &match after(*state, *step) {
                Some(to) => format!(" {to:?} |"),
                None => " . |".to_owned(),
            };
        }
        text += "\n";
    }
    text
}

#[test]
fn the_page_of_life_cycles_has_the_tables_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/life-cycle.md");
    let page = std::fs::read_to_string(path).expect("docs/life-cycle.md is part of the project");
    let bet = rows(BetState::ALL, BetStep::ALL, BetState::after);
    let market = rows(MarketStatus::ALL, MarketStep::ALL, MarketStatus::after);
    for table in [bet, market] {
        assert!(page.contains(&format!("{table}\n")), "docs/life-cycle.md has to have\n{table}");
    }
    // And a row for each state that says what it is.
    let states = BetState::ALL.iter().map(|state| format!("{state:?}"));
    for state in states.chain(MarketStatus::ALL.iter().map(|state| format!("{state:?}"))) {
        let own = format!("| `{state}` | ");
        assert!(1 < page.lines().filter(|line| line.starts_with(&own)).count(), "{state}");
    }
}

/// Every state of a market, reached through State, and every command in it.
#[test]
fn every_command_in_every_state_of_a_market() {
    let reach = [
        ("Defined", ""),
        ("Open", "open M1"),
        ("Closed", "open M1\nclose M1"),
        ("Settling", "open M1\nmanual steps\nresult M1 Home"),
        ("Settled", "open M1\nresult M1 Home"),
        ("Archiving", "open M1\nresult M1 Home\nmanual steps\narchive M1"),
        ("Archived", "open M1\nresult M1 Home\narchive M1"),
    ];
    let commands = [
        "open M1",
        "close M1",
        "result M1 Home",
        "result M1 Away",
        "rollback M1",
        "cancel M1",
        "uncancel M1",
        "archive M1",
        "prices M1 2.60",
        "in-play M1 5s",
        "non-runner M1 Away",
        "suspend M1",
        "freeze M1",
        "limits M1 GBP max 5.00",
        "place R1 A7 M1 1.00 any",
    ];
    // What the command is answered, or where it leads if that is elsewhere. A job that changes bets and
    // not the market is answered `started`.
    let expected = "
        Defined    Open Closed Settling Settling NotAllowed started NotAllowed NotAllowed done done done done done done MarketNotOpen
        Open       done Closed Settling Settling NotAllowed started NotAllowed NotAllowed done done done done done done B1
        Closed     Open done Settling Settling NotAllowed started NotAllowed NotAllowed done done done done done done MarketClosed
        Settling   NotAllowed NotAllowed done started Closed started NotAllowed NotAllowed MarketClosed NotAllowed NotAllowed done done done MarketClosed
        Settled    NotAllowed NotAllowed done Settling Closed started NotAllowed Archiving MarketClosed NotAllowed NotAllowed done done done MarketClosed
        Archiving  NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed MarketClosed NotAllowed NotAllowed done done done MarketClosed
        Archived   MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown
    ";
    let rows: Vec<Vec<&str>> =
        expected.trim().lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), reach.len());
    for ((state, lines), row) in reach.iter().zip(&rows) {
        assert_eq!(row[0], *state);
        assert_eq!(row.len(), commands.len() + 1);
        for (command, cell) in commands.iter().zip(&row[1..]) {
            let leads = MarketStatus::ALL.iter().any(|s| s.to_string() == *cell);
            let (answer, now) = match (leads, command.split(' ').next()) {
                (true, Some("result" | "archive" | "rollback")) => ("started", *cell),
                (true, _) => ("done", *cell),
                (false, _) => (*cell, *state),
            };
            script::check(&format!(
                "fund A7 10.00
                 market M1 cup Home Away
                 prices M1 2.50
                 {lines}
                 market M1 -> {state}
                 manual steps
                 {command} -> {answer}
                 market M1 -> {now}"
            ));
        }
    }
}

/// Every status of a feed, reached through State, and every message of it. A `+` says that its prices of
/// before do not count any more: its generation rose.
#[test]
fn every_message_in_every_status_of_a_feed() {
    let reach = [
        ("Recovering", ""),
        ("Asked", "recovering F1 request 7 seq 1 schema 2"),
        ("Up", "recovered F1 seq 1 schema 2"),
        ("Silent", "recovered F1 seq 1 schema 2\n@+11s tick"),
        ("Down", "recovered F1 seq 1 schema 2\ngap F1 seq 1"),
        ("Quarantined", "heartbeat F1 seq 1 schema 9"),
    ];
    let messages = [
        "heartbeat F1 seq 2 schema 2",
        "prices M1 2.50 seq 2 schema 2",
        "recovering F1 request 8 seq 2 schema 2",
        "recovered F1 seq 2 schema 2",
        "recovered F1 request 7 seq 2 schema 2",
        "recovered F1 request 6 seq 2 schema 2",
        "heartbeat F1 seq 1 schema 2",
        "heartbeat F1 seq 5 schema 2",
        "gap F1 seq 0",
        "gap F1 connection seq 0",
        "heartbeat F1 seq 2 schema 3",
        "prices M1 2.50 seq 2",
        "schema F1 3",
        "restart",
    ];
    // What the status is then. A feed that never said a number has none missing, and hears no old one.
    let expected = "
        Recovering  Recovering Recovering Recovering Up Recovering Recovering Recovering Recovering Down+ Down+ Quarantined+ Quarantined+ Recovering Recovering+
        Asked       Recovering Recovering Recovering Recovering Up Recovering Recovering Down+ Down+ Down+ Quarantined+ Quarantined+ Recovering Recovering+
        Up          Up Up Recovering+ Up Up Up Up Down+ Down+ Down+ Quarantined+ Quarantined+ Up Recovering+
        Silent      Down+ Down+ Recovering+ Up+ Down+ Down+ Silent Down+ Down+ Down+ Quarantined++ Quarantined++ Silent Recovering+
        Down        Down Down Recovering Up Down Down Down Down+ Down+ Down+ Quarantined+ Quarantined+ Down Recovering+
        Quarantined Quarantined Quarantined Quarantined Quarantined Quarantined Quarantined Quarantined Quarantined Quarantined Quarantined Quarantined Quarantined Down Quarantined+
    ";
    let rows: Vec<Vec<&str>> =
        expected.trim().lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), reach.len());
    for ((status, lines), row) in reach.iter().zip(&rows) {
        assert_eq!((row[0], row.len()), (*status, messages.len() + 1));
        for (message, cell) in messages.iter().zip(&row[1..]) {
            let mut runner = script::Runner::new(betring_core::HouseRules);
            let mut say = |line: &str| {
                runner.line(line).unwrap_or_else(|f| panic!("{status}, {message}: {f}"));
                let state = runner.state().expect("a line has made it");
                state.feed_named("F1").and_then(|id| state.feed(id)).map_or(0, |f| f.generation)
            };
            say("feed F1 silence 10s schema 2");
            say("market M1 cup Home Away feed F1");
            let before = lines.lines().map(&mut say).last().unwrap_or(1);
            let message = if *message == "restart" {
                (*message).to_owned()
            } else {
                format!("{message} -> anything")
            };
            let risen = say(&message) - before;
            say(&format!("feed F1 -> {}", cell.trim_end_matches('+')));
            assert_eq!(risen as usize, cell.matches('+').count(), "{status}, {message}");
        }
    }
}

/// Every state of a bet, reached through State, and every step that somebody may try.
#[test]
fn every_step_in_every_state_of_a_bet() {
    let open = "place R1 A7 M1 1.00 any -> B1";
    let reach = [
        ("Held", "account A8 wallet\nplace R1 A8 M1 1.00 any -> pending B1".to_owned()),
        ("Delayed", "in-play M1 5s\nplace R1 A7 M1 1.00 any -> pending B1".to_owned()),
        ("Referred", "limits M1 GBP max 0.50\nplace R1 A7 M1 1.00 any -> pending B1".to_owned()),
        ("Offered", "place R1 A7 M1 1.00 2.60 -> offer B1".to_owned()),
        ("Open", open.to_owned()),
        ("CashingOut", format!("{open}\nin-play M1 5s\ncash-out R2 A7 B1 any -> pending B1")),
        (
            "Rejected",
            "limits M1 GBP max 0.50\nplace R1 A7 M1 1.00 any -> pending B1\nreferral B1 decline"
                .to_owned(),
        ),
        ("OfferEnded", "place R1 A7 M1 1.00 2.60 -> offer B1\ndecline R2 A7 B1".to_owned()),
        ("Won", format!("{open}\nresult M1 1")),
        ("Lost", format!("{open}\nresult M1 2")),
        ("Void", format!("{open}\nresult M1 void all")),
        ("Partial", format!("{open}\nresult M1 1:half-lost 2:lose")),
        ("CashedOut", format!("{open}\ncash-out R2 A7 B1 any -> done")),
        ("Archived", format!("{open}\nresult M1 2\narchive M1")),
    ];
    let commands = [
        "accept R9 A7 B1",
        "decline R9 A7 B1",
        "referral B1 accept",
        "referral B1 counter",
        "referral B1 decline",
        "cash-out R9 A7 B1 any",
        "auto-cash-out R9 A7 B1 99.00",
        "void B1",
        "unvoid B1",
        "correct B1 2.00",
        "result M1 1",
        "result M1 2",
        "result M1 void all",
        "result M1 1:half-lost 2:lose",
        "rollback M1",
        "cancel M1",
        "suspend M1",
        "archive M1",
    ];
    // Where a step leads, or what it is answered; `=` is answered and leaves the bet where it is.
    let expected = "
        Held       NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed Rejected Rejected Rejected Rejected NotAllowed Rejected = NotAllowed
        Delayed    NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed Rejected Rejected Rejected Rejected NotAllowed Rejected = NotAllowed
        Referred   NotAllowed NotAllowed Open Offered Rejected NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed Rejected Rejected Rejected Rejected NotAllowed Rejected = NotAllowed
        Offered    Open OfferEnded NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed OfferEnded OfferEnded OfferEnded OfferEnded NotAllowed OfferEnded = NotAllowed
        Open       NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed CashedOut = Void = = Won Lost Void Partial NotAllowed Void = NotAllowed
        CashingOut NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed Won Lost Void Partial NotAllowed Void = NotAllowed
        Rejected   NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed = = = = NotAllowed = = NotAllowed
        OfferEnded OfferUnknown OfferUnknown NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed = = = = NotAllowed = = NotAllowed
        Won        NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed Void = Won:2.00 = Lost Void Partial Open Void = Archived
        Lost       NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed Void = = Won = Void Partial Open Void = Archived
        Void       NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed = = = Won Lost = Partial Open = = Archived
        Partial    NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed Void = = Won Lost Void = Open Void = Archived
        CashedOut  NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed = = = = NotAllowed = = NotAllowed
        Archived   OfferUnknown OfferUnknown BetUnknown BetUnknown BetUnknown BetUnknown BetUnknown BetUnknown BetUnknown BetUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown MarketUnknown
    ";
    let rows: Vec<Vec<&str>> =
        expected.trim().lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!((rows.len(), reach.len()), (BetState::ALL.len(), BetState::ALL.len()));
    for ((state, lines), row) in reach.iter().zip(&rows) {
        assert_eq!((row[0], row.len()), (*state, commands.len() + 1));
        for (command, cell) in commands.iter().zip(&row[1..]) {
            let paid = |state: &str| match state {
                "Won" => "Won 2.50".to_owned(),
                "Void" => "Void 1.00".to_owned(),
                "Partial" => "Partial 0.50".to_owned(),
                "CashedOut" => "CashedOut 1.00".to_owned(),
                other => other.replace(':', " "),
            };
            let leads =
                BetState::ALL.iter().any(|s| cell.split(':').next() == Some(&s.to_string()));
            // Only an external wallet's bets are ever held there.
            let command = match *state {
                "Held" => command.replace(" A7 ", " A8 "),
                _ => (*command).to_owned(),
            };
            // A line without an answer may not be refused.
            let (answer, now) = match (leads, *cell) {
                (true, cell) => (String::new(), paid(cell)),
                (false, "=") => (String::new(), paid(state)),
                (false, refusal) => (format!("-> {refusal}"), paid(state)),
            };
            script::check(&format!(
                "house on-failure offer
                 rules usual refer 1000% on-failure offer
                 fund A7 10.00
                 quote M1 2.50
                 {lines}
                 bet B1 -> {}
                 {command} {answer}
                 bet B1 -> {now}",
                paid(state)
            ));
        }
    }
}
