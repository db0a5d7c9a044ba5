//! Exchange markets: a book of records that is sound, and what the fold finds where one of them is altered.

use super::*;
use betring_core::script;

type Record = (Timestamp, Vec<u8>, Vec<u8>);

/// A race and a match: matched directly, between selections and at starting prices; cancelled, replaced, lapsed, in-play
/// with a delay; a runner withdrawn; settled with a dead heat, taken back, settled again.
const BOOK: &str = "
    fund A1 1000.00
    fund A2 1000.00
    fund A3 1000.00
    fund A4 1000.00
    discount A1 40%

    market M1 exchange race Red Green Blue
    exchange M1 GBP commission 5% min 1.00 cross starting-prices passive
    open M1
    order R1 A1 M1 back Red 10.00 3.00
    order R2 A2 M1 lay Red 10.00 3.00
    order R3 A1 M1 back Green 20.00 3.00 persist
    order R4 A4 M1 back Blue 20.00 3.00
    order R5 A3 M1 back Red 22.00 2.80 persist
    order R6 A2 M1 lay Red 1.00 3.10
    order R7 A4 M1 lay Green 3.00 2.40 at-start
    order R8 A3 M1 back Green 40.00
    order R9 A2 M1 lay Green 30.00
    order R10 A4 M1 lay Green 50.00 3.50 on-close
    @10s in-play M1 5s
    order R11 A3 M1 lay Blue 3.00 1.50
    order R12 A4 M1 back Blue 3.00 1.40
    @11s order R13 A2 M1 lay Green 5.00 4.00
    order R14 A2 M1 lay Blue 9.00 1.20 persist
    @20s lapse M1 not-persistent
    order R15 A1 M1 lay Blue 2.00 1.15
    lapse M1 all
    result M1 Red:win Green:lose Blue:lose
    rollback M1
    result M1 Red:1/2 Green:1/2 Blue:lose

    market M2 exchange match Home Away
    exchange M2 GBP commission 2% cross
    open M2
    order R20 A4 M2 lay Home 7.00 2.50 + lay Away 4.00 1.50
    cancel-orders R21 A4 M2 O16:2.00
    replace-orders R22 A4 M2 O16:2.46
    update-orders R23 A4 M2 O18:persist
    order R24 A2 M2 lay Home 6.00 2.40
    order R25 A1 M2 back Home 7.00 2.44 kill
    order R26 A2 M2 back Home 1.00 9.00 kill
    order R27 A1 M2 back Home 1.00 2.20 not-better
    order R28 A1 M2 lay Away 9.00 1.80
    cancel-orders R29 A1 M2 all
    result M2 Home:lose Away:win

    market M3 exchange places 1 2 3 4
    exchange M3 GBP commission 2%
    open M3
    order R30 A1 M3 back 1 10.00 3.00
    order R31 A2 M3 lay 1 10.00 3.00
    order R32 A3 M3 back 2 0.07 4.10
    order R33 A4 M3 lay 2 0.07 4.10
    order R34 A3 M3 lay 3 5.00 6.00
    order R35 A3 M3 back 3 5.00 8.00
    order R36 A4 M3 lay 4 2.00 9.00
    order R37 A1 M3 back 4 2.00 9.00
    non-runner factor 20% M3 4
    result M3 1:lose 2:win 3:lose 4:lose
    result M3 1:win 2:lose 3:lose 4:lose
    archive M3
";

/// The records of a script that holds.
fn played(text: &str) -> Vec<Record> {
    let report = script::run(text).unwrap_or_else(|failure| panic!("{failure}"));
    report.records.into_iter().map(|record| (record.at, record.command, record.events)).collect()
}

/// What a fold finds in these records, and what it counted.
fn folded(records: &[Record]) -> (Vec<Rule>, Counts) {
    let mut fold = Fold::new();
    for (seq, (at, command, events)) in (1..).zip(records) {
        let payload = [&command[..], events].concat();
        let kind = u16::from(command[0]);
        fold.take(Entry { seq: Seq(seq), at: *at, kind, payload: &payload });
    }
    fold.finish();
    for finding in &fold.findings {
        println!("{} {:?}: {}", finding.seq, finding.rule, finding.text);
    }
    let broken = |rule: &&Rule| fold.broken[**rule as usize] != 0;
    (Rule::ALL.iter().filter(broken).copied().collect(), fold.counts)
}

/// Changes the first event of a kind for which that is possible; what the fold finds then.
fn altered<E: EventBody>(records: &[Record], mut change: impl FnMut(&mut E) -> bool) -> Vec<Rule> {
    let mut records = records.to_vec();
    for at in 0..records.len() {
        let events = &mut records[at].2;
        let mut from = 0;
        while from < events.len() {
            let bytes = usize::from(u16::from_le_bytes([events[from + 2], events[from + 3]]));
            let body = from + EVENT_HEADER..from + bytes;
            if events[from] == E::KIND {
                let mut event = E::read_from_bytes(&events[body.clone()]).expect("its layout");
                if change(&mut event) {
                    events[body].copy_from_slice(event.as_bytes());
                    return folded(&records).0;
                }
            }
            from += bytes;
        }
    }
    panic!("there is no such event in the book");
}

fn must(found: &[Rule], rule: Rule, what: &str) {
    assert!(found.contains(&rule), "{what}: {found:?}");
}

#[test]
fn an_exchange_s_book_is_sound() {
    let (broken, counts) = folded(&played(BOOK));
    assert_eq!(broken, []);
    let all = [counts.orders, counts.matches, counts.crossed, counts.cut, counts.positions];
    assert!(all.iter().all(|count| *count != 0), "{counts:?}");
    assert_ne!(counts.reversed, 0);
}

/// A generator of numbers, always the same ones.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }
}

/// A market from its terms to its result, of whatever orders come.
fn any_market(seed: u64) -> String {
    let mut dice = Dice(seed);
    let runners = 2 + dice.below(4);
    let names: Vec<String> = (1..=runners).map(|at| at.to_string()).collect();
    // Every fourth is a market of lines.
    let are_lines = seed % 4 == 3;
    let winners = if dice.below(3) == 0 && !are_lines { 2.min(runners - 1) } else { 1 };
    let mut flags = match (are_lines, winners) {
        (true, _) => vec!["lines"],
        (_, 1) => vec!["starting-prices", "cross"],
        _ => vec!["starting-prices", "places"],
    };
    flags.extend((dice.below(2) == 0).then_some("passive"));
    let mut lines: Vec<String> = (1..=4).map(|at| format!("fund A{at} 500.00")).collect();
    lines.push("discount A2 25%".into());
    lines.push(format!("market winners {winners} M1 exchange race {}", names.join(" ")));
    lines.push(format!("exchange M1 GBP commission 5% {}", flags.join(" ")));
    lines.push("open M1".into());
    let (mut key, mut orders, mut second) = (0, 0, 0);
    let mut in_play = false;
    for _ in 0..60 {
        key += 1;
        let account = 1 + dice.below(4);
        let order = 1 + dice.below(orders + 1);
        let act = match dice.below(24) {
            0 => format!("cancel-orders R{key} A{account} M1 all"),
            1..=2 => format!("cancel-orders R{key} A{account} M1 O{order}:0.50"),
            3 => format!(
                "replace-orders R{key} A{account} M1 O{order}:{}",
                dice.of(&["2.00", "3.00"])
            ),
            4..=5 => {
                let to = dice.of(&["persist", "at-start", "lapse"]);
                format!("update-orders R{key} A{account} M1 O{order}:{to}")
            }
            6 if !in_play && 30 < orders => {
                in_play = true;
                "in-play M1 2s".into()
            }
            7 if dice.below(4) == 0 => format!("lapse M1 {}", dice.of(&["all", "not-persistent"])),
            8 if dice.below(6) == 0 => {
                let factor = dice.of(&["1%", "10%", "30%"]);
                format!("non-runner factor {factor} M1 {}", 1 + dice.below(runners))
            }
            _ => {
                orders += 1;
                let side = dice.of(&["back", "lay"]);
                let size = format!("{}.{:02}", 1 + dice.below(20), dice.below(100));
                let price =
                    dice.of(&["1.30", "1.50", "2.00", "2.20", "3.00", "3.05", "4.00", "6.00", ""]);
                let price = if are_lines && dice.below(20) != 0 { "2.00" } else { price };
                let words = match price {
                    "" => "",
                    _ => dice.of(&[
                        "",
                        "",
                        "",
                        "persist",
                        "at-start",
                        "on-close",
                        "kill",
                        "kill least 1.00",
                        "not-better",
                    ]),
                };
                let own = dice.of(&["", "self cancel-maker", "self cancel-both", "self allow"]);
                let selection = 1 + dice.below(runners);
                format!(
                    "order R{key} A{account} M1 {side} {selection} {size} {price} {words} {own}"
                )
            }
        };
        second += dice.below(3);
        lines.push(format!("@{second}s {act} -> anything"));
    }
    for _ in 0..2 {
        let first = dice.below(runners) as usize;
        let second = (first + 1) % names.len();
        let mut won = |at: usize| match (winners, at) {
            (1, at) if are_lines && at == first => dice.of(&["win", "void"]),
            (1, at) if are_lines && first < at => "win",
            (1, _) if are_lines => "lose",
            (2, at) if at == first || at == second => "win",
            (1, at) if at == first || at == second => "1/2",
            _ => "lose",
        };
        let result: Vec<String> =
            (0..names.len()).map(|at| format!("{}:{}", names[at], won(at))).collect();
        lines.push(format!("result M1 {} -> anything", result.join(" ")));
        lines.extend((dice.below(2) == 0).then(|| "rollback M1 -> anything".to_owned()));
    }
    let (first, others) = (&names[0], names[1..].join(":win "));
    lines.push(match are_lines {
        true => format!("result M1 {first}:lose {others}:win -> anything"),
        false => format!("result M1 {first} -> anything"),
    });
    lines.push("archive M1 -> anything".into());
    lines.join("\n")
}

#[test]
fn whatever_orders_come_to_an_exchange_its_records_are_sound() {
    let mut all = Counts::default();
    for seed in 0..60 {
        let text = any_market(seed);
        let (broken, counts) = folded(&played(&text));
        assert_eq!(broken, [], "seed {seed}\n{text}");
        all.orders += counts.orders;
        all.crossed += counts.crossed;
        all.matches += counts.matches;
        all.positions += counts.positions;
    }
    println!("{all:?}");
    assert!(1_000 < all.orders && 500 < all.matches && 20 < all.crossed, "{all:?}");
}

#[test]
fn an_order_that_is_altered_is_found() {
    let book = played(BOOK);
    let found = altered(&book, |order: &mut OrderPlaced| {
        order.limit_e4 += 100;
        true
    });
    must(&found, Rule::Orders, "an order with another limit than asked for");
    let found = altered(&book, |order: &mut OrderPlaced| {
        order.account = AccountId::new(2, 1);
        true
    });
    must(&found, Rule::Orders, "an order of somebody who did not ask for it");
    let found = altered(&book, |order: &mut OrderPlaced| {
        let waits = order.until.0 != 0;
        order.until = Timestamp(order.until.0 - i64::from(waits));
        waits
    });
    must(&found, Rule::Waiting, "an order that waits for less than its delay");
    let found = altered(&book, |order: &mut OrderPlaced| {
        let again = order.number == 1;
        order.order = if again { OrderId::new(order.order.index() - 1, 1) } else { order.order };
        again
    });
    must(&found, Rule::Orders, "an order that is placed twice");
    let found = altered(&book, |cut: &mut OrderCut| {
        cut.by = Minor(cut.by.0 + 100_000);
        true
    });
    must(&found, Rule::Orders, "more of an order lapses than waits");
    let found = altered(&book, |cut: &mut OrderCut| {
        let swept = cut.why == Cut::Swept as u8;
        cut.why = if swept { Cut::Cancelled as u8 } else { cut.why };
        swept
    });
    must(&found, Rule::Orders, "an order that nobody cancelled");
    let found = altered(&book, |change: &mut OrderChanged| {
        change.left = Minor(change.left.0 + 1);
        true
    });
    must(&found, Rule::Orders, "more waits at the starting price than before");
    let found = altered(&book, |answer: &mut Answered| {
        let ordered = answer.answer.kind() == AnswerKind::Ordered;
        answer.answer.stake = Minor(answer.answer.stake.0 + i64::from(ordered));
        ordered
    });
    must(&found, Rule::Answers, "an answer that tells of more than was matched");
}

#[test]
fn a_match_that_is_altered_is_found() {
    let book = played(BOOK);
    let how = |matched: &OrderMatched, how: Match| matched.how == how as u8;
    let found = altered(&book, |matched: &mut OrderMatched| {
        matched.price_e4 -= 100;
        true
    });
    must(&found, Rule::Orders, "an order that is matched at a price worse than its limit");
    let found = altered(&book, |matched: &mut OrderMatched| {
        matched.left = Minor(matched.left.0 + 1);
        true
    });
    must(&found, Rule::Orders, "more is left than was not matched");
    let found = altered(&book, |matched: &mut OrderMatched| {
        matched.stake = Minor(matched.stake.0 + 1);
        true
    });
    must(&found, Rule::Orders, "more is matched than is told to be left");
    let found = altered(&book, |matched: &mut OrderMatched| {
        matched.taker = matched.order;
        true
    });
    must(&found, Rule::Matches, "an order that meets itself");
    let found = altered(&book, |matched: &mut OrderMatched| {
        let leg = how(matched, Match::Leg);
        matched.taker = if leg { OrderId::new(0, 1) } else { matched.taker };
        leg
    });
    must(&found, Rule::Matches, "a leg for another order than the one that came");
    let found = altered(&book, |matched: &mut OrderMatched| {
        let leg = how(matched, Match::Leg);
        (matched.stake, matched.left) = match leg {
            true => (Minor(matched.stake.0 + 1), Minor(matched.left.0 - 1)),
            false => (matched.stake, matched.left),
        };
        leg
    });
    must(&found, Rule::Matches, "a leg of a penny more, which the house loses");
    let found = altered(&book, |matched: &mut OrderMatched| {
        let starting = how(matched, Match::Starting);
        matched.price_e4 += u32::from(starting);
        starting
    });
    must(&found, Rule::Starting, "another price than the starting price");
    let found = altered(&book, |matched: &mut OrderMatched| {
        let starting = how(matched, Match::Starting);
        (matched.stake, matched.left) = match starting {
            true => (Minor(matched.stake.0 - 1), Minor(matched.left.0 + 1)),
            false => (matched.stake, matched.left),
        };
        starting
    });
    must(&found, Rule::Starting, "one side with less at the starting price");
    let found = altered(&book, |price: &mut StartingPrice| {
        let made = price.price_e4 != 0;
        price.matched = Minor(price.matched.0 + i64::from(made));
        made
    });
    must(&found, Rule::Starting, "more that is told than was matched");
}

#[test]
fn a_position_that_is_altered_is_found() {
    let book = played(BOOK);
    let found = altered(&book, |held: &mut ExposureHeld| {
        held.held = Minor(held.held.0 + 1);
        true
    });
    must(&found, Rule::Exposure, "more is held than may be lost");
    must(&found, Rule::Ledger, "and not moved");
    let found = altered(&book, |moved: &mut Transfer| {
        let exposure = moved.why == TransferWhy::Exposure as u8;
        moved.amount = Minor(moved.amount.0 - i64::from(exposure));
        exposure
    });
    must(&found, Rule::Ledger, "less is moved than is held");
    must(&found, Rule::Escrow, "and missing there");
    let found = altered(&book, |settled: &mut PositionSettled| {
        settled.net = Minor(settled.net.0 + 1);
        true
    });
    must(&found, Rule::Positions, "a position that wins a penny more");
    let found = altered(&book, |settled: &mut PositionSettled| {
        let pays = Minor(0) < settled.commission;
        settled.commission = Minor(settled.commission.0 - i64::from(pays));
        pays
    });
    must(&found, Rule::Positions, "a commission that is too small");
    let found = altered(&book, |set: &mut DiscountSet| {
        set.discount += 1_000;
        true
    });
    must(&found, Rule::Positions, "a discount that nobody gave");
    let found = altered(&book, |settled: &mut PositionSettled| {
        settled.version += 1;
        true
    });
    must(&found, Rule::Positions, "a settlement under the number of another");
    let found = altered(&book, |reversed: &mut PositionReversed| {
        reversed.net = Minor(reversed.net.0 - 1);
        true
    });
    must(&found, Rule::Reversal, "more taken back than was won");
    let found = altered(&book, |cleared: &mut ExchangeCleared| {
        cleared.residue = Minor(cleared.residue.0 + 1);
        true
    });
    must(&found, Rule::Positions, "more left over than was lost");
    let found = altered(&book, |cleared: &mut ExchangeCleared| {
        let some = Minor(0) < cleared.residue;
        (cleared.crossing.0, cleared.residue.0) =
            (cleared.crossing.0 + i64::from(some), cleared.residue.0 - i64::from(some));
        some
    });
    must(&found, Rule::Positions, "what rounding left, as if won between selections");
    let found = altered(&book, |reduced: &mut OrderReduced| {
        reduced.after_e4 += i128::from(reduced.after_e4 != 0);
        reduced.after_e4 != 0
    });
    must(&found, Rule::Orders, "odds that are cut by less than the factor");
}

#[test]
fn the_worst_outcome_is_the_worst_of_all_combinations_of_winners() {
    use super::super::exchange::worst_of;
    let mut dice = Dice(7);
    for _ in 0..500 {
        let count = 1 + dice.below(5) as usize;
        let mut amount = || i128::from(dice.below(2_000_000)) - 1_000_000;
        let stands: Vec<[i128; 2]> = (0..count).map(|_| [amount(), amount()]).collect();
        for winners in 1..=count {
            let outcomes = (0_u32..1 << count).filter(|set| set.count_ones() as usize == winners);
            let comes_to = |set: u32| {
                let each = stands.iter().enumerate();
                each.map(|(at, of)| of[usize::from(set & 1 << at == 0)]).sum::<i128>()
            };
            let least = outcomes.map(comes_to).min().expect("some outcome");
            // Rounded up to whole minor units.
            let loss = (1..).find(|loss| -least <= loss * 10_000).expect("some amount");
            let due = if 0 <= least { 0 } else { loss };
            assert_eq!(worst_of(&stands, winners), due, "{stands:?}, {winners}");
        }
    }
}

#[test]
fn the_worst_outcome_of_lines_is_outside_or_between_them() {
    use super::super::exchange::worst_of_lines;
    let (buys, sells) = ([-100_000, 100_000], [120_000, -120_000]);
    assert_eq!(worst_of_lines(&[buys, [0, 0], sells]), 2);
    assert_eq!(worst_of_lines(&[sells, [0, 0], buys]), 22);
    assert_eq!(worst_of_lines(&[]), 0);
}
