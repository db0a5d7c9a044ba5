//! The gates of a bet, in the order in which they answer.

use betring_core::script;

/// What makes one gate fail, and nothing before it.
struct Gate {
    /// Its refusal.
    name: &'static str,
    /// Lines that make it fail, after the market is priced.
    lines: &'static str,
    /// What it changes of the bet or the set-up.
    change: Change,
    /// Gates that cannot fail together with it.
    excludes: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum Change {
    Nothing,
    Account,
    Market,
    Selection,
    NotOpened,
    Asked,
    Limit(&'static str),
    Funds,
}

/// By precedence: the first that fails is the answer.
const GATES: &[Gate] = &[
    Gate {
        name: "AccountUnknown",
        lines: "",
        change: Change::Account,
        excludes: &["AccountBlocked", "FundsInsufficient"],
    },
    Gate { name: "AccountBlocked", lines: "block A7", change: Change::Nothing, excludes: &[] },
    Gate {
        name: "MarketUnknown",
        lines: "",
        change: Change::Market,
        excludes: &["SelectionUnknown", "MarketNotOpen", "MarketClosed", "MarketSuspended"],
    },
    Gate {
        name: "SelectionUnknown",
        lines: "",
        change: Change::Selection,
        excludes: &["SelectionWithdrawn", "NoPrice"],
    },
    Gate {
        name: "MarketNotOpen",
        lines: "",
        change: Change::NotOpened,
        excludes: &["MarketClosed"],
    },
    Gate { name: "MarketClosed", lines: "close M1", change: Change::Nothing, excludes: &[] },
    Gate { name: "MarketSuspended", lines: "suspend M1", change: Change::Nothing, excludes: &[] },
    Gate {
        name: "SelectionWithdrawn",
        lines: "non-runner M1 a",
        change: Change::Nothing,
        excludes: &[],
    },
    Gate { name: "FeedDown", lines: "gap F1", change: Change::Nothing, excludes: &[] },
    Gate {
        name: "NoPrice",
        lines: "prices M1 a -",
        change: Change::Nothing,
        excludes: &["StalePrice", "PriceMoved", "PayoutLimit", "LiabilityLimit"],
    },
    Gate { name: "StalePrice", lines: "@+1s", change: Change::Nothing, excludes: &[] },
    Gate { name: "PriceMoved", lines: "", change: Change::Asked, excludes: &[] },
    Gate {
        name: "StakeTooSmall",
        lines: "",
        change: Change::Limit("min 20.00"),
        excludes: &["StakeTooLarge"],
    },
    Gate { name: "StakeTooLarge", lines: "", change: Change::Limit("max 5.00"), excludes: &[] },
    Gate { name: "PayoutLimit", lines: "", change: Change::Limit("payout 24.99"), excludes: &[] },
    Gate {
        name: "LiabilityLimit",
        lines: "",
        change: Change::Limit("liability 14.99"),
        excludes: &[],
    },
    Gate { name: "FundsInsufficient", lines: "", change: Change::Funds, excludes: &[] },
];

/// The script in which exactly these gates fail.
fn failing(gates: &[&Gate]) -> String {
    let (mut account, mut market, mut selection, mut asked) = ("A7", "M1", "a", "2.50");
    let (mut open, mut funds, mut limits) = ("open M1", "100.00", String::new());
    for gate in gates {
        match gate.change {
            Change::Nothing => (),
            Change::Account => account = "A99",
            Change::Market => market = "M99",
            Change::Selection => selection = "9",
            Change::NotOpened => open = "",
            Change::Asked => asked = "2.60",
            Change::Limit(limit) => limits = format!("{limits} {limit}"),
            Change::Funds => funds = "9.99",
        }
    }
    if market == "M99" && selection == "a" {
        selection = "1";
    }
    let lines: Vec<&str> = gates.iter().map(|gate| gate.lines).collect();
    // Prices are set a nanosecond before everything else, so that `@+1s` is just past their bound.
    format!(
        "house{limits}
         feed F1
         recovered F1
         market M1 cup a b c feed F1 bound 1s
         {open}
         fund A7 {funds}
         prices M1 2.50 3.00 4.00
         @1ns
         {lines}
         place R1 {account} {market}/{selection} 10.00 {asked}",
        lines = lines.join("\n")
    )
}

fn apart(one: &Gate, other: &Gate) -> bool {
    one.excludes.contains(&other.name) || other.excludes.contains(&one.name)
}

/// Scripts of every gate alone and of every pair, with the answer that each has to get.
pub(crate) fn all() -> Vec<(String, &'static str)> {
    let mut scripts = vec![(failing(&[]), "B1 at 2.50")];
    for (at, first) in GATES.iter().enumerate() {
        scripts.push((failing(&[first]), first.name));
        for second in GATES[at + 1..].iter().filter(|second| !apart(first, second)) {
            scripts.push((failing(&[first, second]), first.name));
        }
    }
    scripts
}

#[test]
fn of_two_gates_that_fail_the_earlier_answers() {
    let scripts = all();
    assert!(100 < scripts.len(), "most pairs can fail together: {}", scripts.len());
    for (text, answer) in scripts {
        script::check(&format!("{text} -> {answer}"));
    }
}

/// The refusals that need no sequence come before all that are decided, also in their own order.
#[test]
fn what_needs_no_sequence_answers_first() {
    // Each line makes one more gate fail; the answer is that of the first.
    let text = "
        house keys 12 bets 1 window 1m
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 1.00 any -> B1
        place R2 A7 M1 1.00 any -> Overloaded
        resolve A7 S1 -> NeverPlaced
        quarantine A7 S1
        quarantine A7 R1
        block A7
        # A request in quarantine is not even looked up.
        place S1 A7 M1 1.00 any          -> Quarantined
        place R1 A7 M1 9.00 any          -> Quarantined
        place R1 A7 M1 0.00 any          -> Malformed
        place R1 A7 M1 1.00 any valid none -> Malformed
        lift A7 S1
        lift A7 R1
        # Sealed before reused, reused before too late, too late before full.
        @+20s
        place S1 A7 M1 1.00 any          -> Sealed
        place R1 A7 M1 9.00 any          -> RequestReused
        place R1 A7 M1 1.00 any          -> duplicate B1
        place R3 A7 M1 1.00 any valid @1s -> Expired
        place R4 A7 M1 1.00 any          -> Overloaded
        withdraw W1 A7 1.00              -> AccountBlocked
        ";
    script::check(text);
}
