//! Two feeds drift apart: cash-outs stop at once, bets after a minute, unless a trader pins the price.

use crate::drill::scene::{NEAR_MARKETS, PRIMARY, Scene, Setup, Wish};
use crate::drill::timeline::{On, Phase, Story, seconds};
use crate::error::CliError;
use betring::{Event, FeedId, Nanos, Price, Reject, SelectionIndex, TierTerms, price};

/// How far apart they may be, in parts per million, and for how long.
const BAND: u32 = 50_000;
const DWELL: Nanos = Nanos::from_secs(60);
const TIER: u8 = 1;
/// The market and selection that drift, and what the primary says of it.
const MARKET: usize = 0;
const WRONG: Price = price!(2.60);
const PINNED: Price = price!(2.05);

/// Plays it. It takes more than a minute of the engine's clock, and is about nothing else: so it is played
/// in journal time always.
pub(crate) fn play(_: On) -> Result<Story, CliError> {
    let setup = Setup { tick: Nanos::from_millis(100), ..Setup::default() };
    let mut scene = Scene::open(On::Journal, &setup)?;
    scene.trader.set_tier(TIER, TierTerms::new().drift(BAND, DWELL))?;
    for place in NEAR_MARKETS {
        scene.trader.assign_tier(&scene.markets[place], TIER)?;
    }
    let primary = scene.voices[PRIMARY].feed.id();
    let mut story = scene.story("drift", "primary and backup drift apart in one market");
    for place in NEAR_MARKETS {
        scene.customers.sells_in[place] = true;
    }
    scene.play(Nanos::from_secs(2))?;
    story.tell(scene.now(), "customer", "bets, and sells its bets back, in every market");

    let right = scene.voices[PRIMARY].prices[MARKET].1;
    scene.voices[PRIMARY].prices[MARKET].1[0] = WRONG;
    let what = format!("{primary} says {WRONG} where the backup says 2.08");
    story.phase(scene.now(), Phase::Fault, "feed", what);
    let drifted = scene.play_until(Nanos::from_secs(1), |tick| {
        tick.events.iter().find_map(|it| match it.event {
            Event::DriftChanged(drift) if drift.over == 1 => Some((it.at, drift.ppm)),
            _ => None,
        })
    })?;
    let since = drifted.map(|(at, ppm)| {
        let what = format!("the feeds are {:.1} % apart, the band is 5 %", f64::from(ppm) / 1e4);
        story.phase(at, Phase::Detect, "engine", what);
        at
    });
    let frozen = scene.play_until(Nanos::from_secs(1), |tick| {
        let sales = tick.said.iter().filter(|said| matches!(said.wish, Wish::Sale(_)));
        let mut sales = sales.filter(|said| said.market == MARKET);
        sales.find_map(|said| said.refusal().map(|reject| (said.at, reject)))
    })?;
    let frozen_after = frozen.zip(since).map(|((at, reject), since)| {
        let what = format!("buys nothing back there: {reject}");
        story.phase(at, Phase::Act, "engine", what);
        (at.since(since), reject)
    });
    story.check(
        "cash-outs stop without waiting",
        frozen_after
            .is_some_and(|(after, reject)| reject == Reject::CashOutFrozen && after <= setup.tick),
        frozen_after.map_or_else(|| "never".to_owned(), |(after, _)| seconds(after)),
    );

    let refused = scene.play_until(Nanos(DWELL.0 + 1_000_000_000), |tick| {
        tick.refused(&(MARKET..MARKET + 1)).map(|(reject, said)| (said.at, reject))
    })?;
    let dwelt = refused.zip(since).map(|((at, reject), since)| {
        let after = at.since(since);
        let what = format!("refuses bets in that market, {reject}: {} apart", seconds(after));
        story.tell(at, "engine", what);
        (after, reject)
    });
    story.check(
        "bets stop when the feeds have been apart for the whole dwell, not before",
        dwelt == Some((DWELL, Reject::PriceDrifted)),
        dwelt.map_or_else(|| "never".to_owned(), |(after, _)| seconds(after)),
    );

    let home = scene.markets[MARKET].at(SelectionIndex(0));
    scene.trader.pin_price(home, PINNED)?;
    story.tell(
        scene.now(),
        "trader",
        format!("pins home at {PINNED}: the trader's word outranks both"),
    );
    let pinned = scene.play_until(Nanos::from_secs(1), |tick| {
        let opened = tick.events.iter().find_map(|it| match it.event {
            Event::BetOpened(bet) if bet.market == home.market => Some((it.at, bet)),
            _ => None,
        });
        opened.map(|(at, bet)| (at, bet.price, bet.feed, bet.selection))
    })?;
    let by_hand = pinned.map(|(at, price, feed, selection)| {
        story.tell(at, "customer", format!("bets on home at {price}"));
        (price.e4, feed, selection)
    });
    story.check(
        "the pinned price is bet on, and its bet says that no feed gave it",
        by_hand == Some((PINNED.e4(), FeedId::MANUAL, SelectionIndex(0))),
        by_hand.map_or_else(|| "never".to_owned(), |(_, feed, _)| format!("by {feed}")),
    );

    scene.voices[PRIMARY].prices[MARKET].1 = right;
    let together = scene.play_until(Nanos::from_secs(1), |tick| {
        tick.events.iter().find_map(|it| match it.event {
            Event::DriftChanged(drift) if drift.over == 0 => Some(it.at),
            _ => None,
        })
    })?;
    if let Some(at) = together {
        story.tell(at, "feed", format!("{primary} says {} again: together", right[0]));
    }
    scene.trader.unpin_price(home)?;
    scene.forget_told()?;
    let bound = scene.play_until(Nanos::from_secs(1), |tick| {
        let opened = tick.events.iter().find_map(|it| match it.event {
            Event::BetOpened(bet) if bet.market == home.market && bet.feed == primary => Some(bet),
            _ => None,
        });
        opened.map(|bet| (tick.at, bet.price))
    })?;
    if let Some((at, price)) = bound {
        let what = format!("bets there at {price}, which is {primary}'s");
        story.phase(at, Phase::Recover, "customer", what);
    }
    scene.play(Nanos::from_secs(1))?;
    let told = scene.take_told(NEAR_MARKETS);
    story.check(
        "and the other markets of the group never stopped",
        told.refused.is_empty() && scene.untouched(MARKET + 1..NEAR_MARKETS.end),
        format!("{} accepted at the end, {:?} refused", told.accepted, told.refused),
    );
    scene.close(&mut story)?;
    Ok(story)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_that_are_apart_stop_cash_outs_at_once_and_bets_after_sixty_seconds() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
        let detected = story.after_fault(Phase::Detect).expect("detected");
        assert_eq!(detected, Nanos::from_millis(100));
        assert_eq!(story.after_fault(Phase::Act), Some(Nanos::from_millis(200)));
    }
}
