//! Market data: images of exchange markets, and deltas that lead from one to the next whatever happened between.

use betring::logic::event::Events;
use betring::logic::script::Runner;
use betring::*;
use proptest::prelude::*;

use crate::race::{Deed, Written, afternoon, deed};

/// Its handle: it is the first market.
const RACE: MarketId = MarketId::new(0, 1);

/// A race of four, crossed, with starting prices; four customers with money.
const BEFORE: &str = "
    market M1 race Desert Golden Red Best exchange
    exchange M1 GBP cross starting-prices commission 5%
    fund A1 5000.00
    fund A2 5000.00
    fund A3 5000.00
    fund A4 5000.00
    open M1
";

/// Decides the records of an afternoon one by one, and shows the state after each.
fn replayed(deeds: &[Deed], mut each: impl FnMut(&State, MarketId)) {
    let (mut state, mut events) = (State::new(HouseRules), Events::new());
    for Written { stamp, command } in afternoon(deeds) {
        events.clear();
        state.replay(stamp, &command, &mut events).expect("it was decided before");
        each(&state, RACE);
    }
}

/// What somebody else knows who is told everything.
#[derive(Default)]
struct Told(Option<MarketImage>);

impl Told {
    fn learn(&mut self, data: MarketData) {
        match (&mut self.0, data) {
            (told, MarketData::Image(image)) => *told = Some(image),
            (Some(image), MarketData::Delta(delta)) => {
                image.apply(&delta).expect("the next one");
            }
            (None, MarketData::Delta(_)) => panic!("a delta of nothing"),
            (told, MarketData::Gone { .. }) => *told = None,
        }
    }

    /// The same but for the sequence since which it is so.
    fn is(&self, now: Option<MarketImage>) -> bool {
        let as_of = |image: &MarketImage| MarketImage { as_of: Seq(0), ..image.clone() };
        self.0.as_ref().map(as_of) == now.as_ref().map(as_of)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_image_and_every_delta_after_it_are_the_market_as_it_is_for_readers_of_any_pace_and_depth(
        deeds in prop::collection::vec(deed(), 10..80),
        paces in prop::collection::vec((1_u64..12, prop_oneof![Just(usize::MAX), 1_usize..4]), 1..4),
    ) {
        let mut readers: Vec<_> = paces
            .into_iter()
            .map(|(pace, depth)| {
                let mut reader = MarketReader::new().depth(depth);
                reader.watch(RACE);
                (pace, depth, reader, Told::default())
            })
            .collect();
        let mut wrong = Vec::new();
        replayed(&deeds, |state, market| {
            if state.market(market).is_none() {
                return;
            }
            for (pace, depth, reader, told) in &mut readers {
                if !state.seq().0.is_multiple_of(*pace) {
                    continue;
                }
                let data = reader.read(state);
                if 1 < data.len() {
                    wrong.push(format!("{} pieces of news of one market", data.len()));
                }
                data.into_iter().for_each(|data| told.learn(data));
                if !told.is(MarketImage::of(state, market, *depth)) {
                    wrong.push(format!("at {}, every {pace}, depth {depth}", state.seq()));
                }
                if !reader.read(state).is_empty() {
                    wrong.push(format!("told twice at {}", state.seq()));
                }
            }
        });
        prop_assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn what_is_told_of_a_selection_is_what_the_state_says(
        deeds in prop::collection::vec(deed(), 10..60),
    ) {
        let mut wrong = Vec::new();
        replayed(&deeds, |state, market| {
            let Some(image) = MarketImage::of(state, market, usize::MAX) else { return };
            for (index, selection) in (0..).map(SelectionIndex).zip(&image.selections) {
                let one = |level: PriceSize| (level.price, level.size);
                let all = |levels: &[PriceSize]| levels.iter().copied().map(one).collect::<Vec<_>>();
                for (side, made, rests) in [
                    (Side::Back, selection.now.virtual_to_back, &selection.to_back),
                    (Side::Lay, selection.now.virtual_to_lay, &selection.to_lay),
                ] {
                    let is = state.virtual_price(market, index, side);
                    let meets = if side == Side::Back { Side::Lay } else { Side::Back };
                    let there: Vec<_> = state.depth(market, index, meets).collect();
                    if made.map(one) != is || all(rests) != there {
                        wrong.push(format!("{side:?} of {index} at {}", state.seq()));
                    }
                }
                let traded: Vec<_> = state.traded(market, index).collect();
                if all(&selection.traded) != traded {
                    wrong.push(format!("traded of {index} at {}", state.seq()));
                }
            }
        });
        prop_assert!(wrong.is_empty(), "{wrong:?}");
    }
}

/// The race after these lines.
fn race(lines: &str) -> Runner {
    let mut runner = Runner::new(HouseRules);
    for line in BEFORE.lines().chain(lines.lines()) {
        runner.line(line).expect("it holds");
    }
    runner
}

fn asks(runner: &mut Runner, line: &str) {
    runner.line(line).expect("it holds");
}

fn levels(levels: &[PriceSize]) -> String {
    levels.iter().map(PriceSize::to_string).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_slow_reader_is_told_once_what_is_there_now_and_what_is_gone_with_a_size_of_0() {
    let mut runner = race("order R1 A1 M1 back Desert 10.00 3.00 + back Desert 5.00 3.50");
    let mut reader = MarketReader::new();
    reader.watch(RACE);
    let data = reader.read(runner.state().expect("begun"));
    let [MarketData::Image(image)] = &data[..] else { panic!("an image first: {data:?}") };
    assert_eq!(levels(&image.selections[0].to_lay), "10.00 at 3.00, 5.00 at 3.50");
    // All of one price goes, some of another, and one comes and goes before anybody looks.
    asks(&mut runner, "order R2 A2 M1 lay Desert 12.00 3.50");
    asks(&mut runner, "order R3 A3 M1 back Golden 7.00 4.00");
    asks(&mut runner, "cancel-orders R4 A3 M1 all");
    let state = runner.state().expect("begun");
    let data = reader.read(state);
    let [MarketData::Delta(delta)] = &data[..] else { panic!("one delta: {data:?}") };
    assert_eq!((delta.since, delta.as_of), (image.as_of, state.seq()));
    let [desert] = &delta.selections[..] else { panic!("of one selection: {delta:?}") };
    assert_eq!(desert.index, SelectionIndex(0));
    assert_eq!(levels(&desert.to_lay), "0.00 at 3.00, 3.00 at 3.50");
    assert_eq!(levels(&desert.traded), "10.00 at 3.00, 2.00 at 3.50");
    assert_eq!((desert.to_back.len(), delta.now), (0, None));
    assert_eq!(reader.read(state), [], "nothing is told twice");
}

#[test]
fn a_price_that_falls_out_of_the_best_ones_is_told_as_gone_and_comes_back() {
    let mut runner = race("order R1 A1 M1 back Desert 10.00 4.00 + back Desert 5.00 3.50");
    let mut reader = MarketReader::new().depth(1);
    reader.watch(RACE);
    let told = |reader: &mut MarketReader, runner: &Runner| match &reader
        .read(runner.state().expect("begun"))[..]
    {
        [MarketData::Image(image)] => levels(&image.selections[0].to_lay),
        [MarketData::Delta(delta)] => levels(&delta.selections[0].to_lay),
        other => panic!("one piece of news: {other:?}"),
    };
    assert_eq!(told(&mut reader, &runner), "5.00 at 3.50");
    asks(&mut runner, "order R2 A1 M1 back Desert 1.00 3.00");
    assert_eq!(told(&mut reader, &runner), "1.00 at 3.00, 0.00 at 3.50");
    asks(&mut runner, "cancel-orders R3 A1 M1 O3");
    assert_eq!(told(&mut reader, &runner), "0.00 at 3.00, 5.00 at 3.50");
}

#[test]
fn who_missed_a_delta_learns_so_from_the_next_and_gets_an_image() {
    let mut runner = race("order R1 A1 M1 back Desert 10.00 3.00");
    let mut reader = MarketReader::new();
    reader.watch(RACE);
    let mut told = Told::default();
    reader.read(runner.state().expect("begun")).into_iter().for_each(|data| told.learn(data));
    asks(&mut runner, "order R2 A1 M1 back Desert 10.00 3.50");
    let missed = reader.read(runner.state().expect("begun"));
    assert!(matches!(missed[..], [MarketData::Delta(_)]));
    asks(&mut runner, "order R3 A1 M1 back Desert 10.00 4.00");
    let next = reader.read(runner.state().expect("begun"));
    let [MarketData::Delta(delta)] = &next[..] else { panic!("a delta: {next:?}") };
    let mut image = told.0.clone().expect("told");
    let gap = image.apply(delta).expect_err("one is missing");
    assert_eq!((gap.has, gap.since), (image.as_of, delta.since));
    assert_eq!(Some(&image), told.0.as_ref(), "nothing of it was applied");
    reader.resend(RACE);
    let again = reader.read(runner.state().expect("begun"));
    let [MarketData::Image(now)] = &again[..] else { panic!("an image: {again:?}") };
    assert_eq!(levels(&now.selections[0].to_lay), "10.00 at 3.00, 10.00 at 3.50, 10.00 at 4.00");
}

#[test]
fn a_line_market_is_told_line_by_line_and_all_of_it_at_even_money() {
    let mut runner = Runner::new(HouseRules);
    for line in [
        "market M1 Goals U1.5 U2.5 U3.5 exchange",
        "exchange M1 GBP lines",
        "open M1",
        "fund A1 100.00",
        "fund A2 100.00",
        "order R1 A1 M1 back U2.5 10.00 2.00 + back U3.5 5.00 2.00 -> order",
        "order R2 A2 M1 lay U3.5 12.00 2.00 -> order",
        "order R3 A2 M1 lay U1.5 1.00 2.00 -> order",
    ] {
        asks(&mut runner, line);
    }
    let state = runner.state().expect("begun");
    let image = MarketImage::of(state, RACE, usize::MAX).expect("an exchange market");
    let lays: Vec<String> = image.selections.iter().map(|line| levels(&line.to_lay)).collect();
    assert_eq!(lays, ["", "", "3.00 at 2.00"]);
    let backs: Vec<String> = image.selections.iter().map(|line| levels(&line.to_back)).collect();
    assert_eq!(backs, ["1.00 at 2.00", "", ""]);
    // The buyer at 3.5 had the better line first.
    let traded: Vec<Minor> = image.selections.iter().map(SelectionImage::volume).collect();
    assert_eq!(traded, [Minor(0), Minor(1_000), Minor(200)]);
}

#[test]
fn virtual_prices_are_told_beside_the_orders_and_displayed_among_them() {
    // Who backs three of four at these prices is met by one who lays the fourth.
    let runner = race(
        "order R1 A1 M1 back Desert 40.00 4.00 + back Golden 40.00 4.00 + back Red 40.00 4.00
         order R2 A2 M1 lay Best 5.00 3.00 + lay Best 5.00 2.50",
    );
    let state = runner.state().expect("begun");
    let image = MarketImage::of(state, RACE, usize::MAX).expect("an exchange market");
    let best = &image.selections[3];
    let made = best.now.virtual_to_back.expect("the others make a price");
    assert_eq!(
        state.virtual_price(RACE, SelectionIndex(3), Side::Back),
        Some((made.price, made.size))
    );
    assert_eq!(made.to_string(), "40.00 at 4.00");
    assert_eq!(levels(&best.to_back), "5.00 at 3.00, 5.00 at 2.50", "orders alone");
    assert_eq!(levels(&best.best_to_back(2)), "40.00 at 4.00, 5.00 at 3.00");
    assert_eq!(levels(&best.best_to_back(0)), "");
    // A price that is there already has both.
    let both = SelectionImage {
        to_back: vec![PriceSize { price: made.price, size: Minor(100) }],
        ..best.clone()
    };
    assert_eq!(levels(&both.best_to_back(3)), "41.00 at 4.00");
    assert_eq!(levels(&image.selections[0].best_to_back(3)), "", "nobody lays the others");
}

#[test]
fn what_becomes_of_the_market_as_a_whole_is_told_too_up_to_its_end() {
    let mut runner = race("order R1 A1 M1 back Desert 10.00 3.00 + lay Golden 5.00 2.00");
    let mut reader = MarketReader::new();
    reader.watch(RACE);
    let mut told = Told::default();
    let mut now = |runner: &Runner, told: &mut Told| {
        let data = reader.read(runner.state().expect("begun"));
        data.into_iter().for_each(|data| told.learn(data));
        told.0.as_ref().map(|image| image.now)
    };
    let before = now(&runner, &mut told).expect("there");
    assert_eq!(
        (before.status, before.suspended, before.in_play),
        (MarketStatus::Open, false, false)
    );
    asks(&mut runner, "suspend M1 trader");
    let suspended = now(&runner, &mut told).expect("there");
    assert!(suspended.suspended && before.version < suspended.version);
    asks(&mut runner, "release M1 trader");
    asks(&mut runner, "in-play M1 5s");
    let in_play = now(&runner, &mut told).expect("there");
    assert_eq!((in_play.in_play, in_play.delay), (true, Nanos::from_secs(5)));
    asks(&mut runner, "result M1 Desert");
    assert_eq!(now(&runner, &mut told).expect("there").status, MarketStatus::Settled);
    asks(&mut runner, "archive M1");
    assert_eq!(now(&runner, &mut told), None, "it has left memory");
}
