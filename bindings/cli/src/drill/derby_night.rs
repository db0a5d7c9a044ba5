//! The night that operators tell each other of: a feed changes its schema and tells nobody, nothing fails,
//! and customers of one league wait longer and longer. Who finds out which group it is, and how soon.

use crate::drill::scene::{
    FAR_MARKETS, NEAR_MARKETS, PRIMARY, SILENCE, Scene, Setup, TICK, Tick, Wish,
};
use crate::drill::timeline::{On, Phase, Story, seconds};
use crate::error::CliError;
use betring::governor::{Act, Rule, Rules, Then, What, When};
use betring::logic::event::FeedWhy;
use betring::{Drives, Event, GroupId, Nanos, Owner, RefusedFor, Timestamp};
use betring_benches::recorder::Recorder;
use std::collections::{BTreeMap, VecDeque};

/// Refusals a second for want of a fresh price, from which on a market is looked at: in a calm night there
/// are none.
const REFUSALS: u32 = 5;
/// The reason that the governor gives for that.
const REASON: u32 = 9_010;
/// From the doubt to the closed cash-outs.
const CLOSED_WITHIN: Nanos = Nanos::from_millis(50);

fn rules() -> Result<Rules, CliError> {
    let stale = Rule {
        name: "stale prices".to_owned(),
        when: When::Refused { kind: RefusedFor::Price, above: REFUSALS },
        after: Nanos::ZERO,
        until: Nanos::from_secs(2),
        then: Then::FreezeCashOut,
        reason: REASON,
    };
    let rules = Rules::default().iter().cloned().chain([stale]).collect::<Vec<_>>();
    Rules::new(rules).map_err(|e| CliError::new(e, "the drill's rules", "this program is at fault"))
}

/// Plays it.
pub(crate) fn play(on: On) -> Result<Story, CliError> {
    let setup = Setup { rules: Some(rules()?), ..Setup::default() };
    let mut scene = Scene::open(on, &setup)?;
    let about =
        "a feed changes its schema, nothing fails, and a league's bets take longer and longer";
    let mut story = scene.story("derby-night", about);
    let (primary, backup) = (scene.group.primary, scene.group.backup);
    let mut slips = Slips::default();
    slips.play(&mut scene, Nanos::from_secs(2))?;
    let calm = slips.p99(scene.now());
    story.tell(scene.now(), "customer", format!("bets are accepted, {calm}"));

    // The new version has its prices in a field that this adapter does not read. It is well: it says so.
    scene.voices[PRIMARY].quotes = false;
    let fault = scene.voices[PRIMARY].input;
    let what = format!("{primary} sends another schema: no price of its league arrives any more");
    story.phase(fault, Phase::Fault, "feed", what);

    let detected = slips.until(&mut scene, Nanos::from_secs(10), |tick, _| {
        tick.deeds.iter().find_map(|deed| match deed.action.act {
            Act::FreezeCashOut { at, frozen: true } if deed.what == What::Sent => {
                Some((deed.at, at.to_string(), deed.action.reason))
            }
            _ => None,
        })
    })?;
    let slow = slips.p99(scene.now());
    if let Some((at, market, reason)) = &detected {
        let what =
            format!("bets on {market} are refused for want of a fresh price (reason {reason})");
        story.phase(*at, Phase::Detect, "governor", what);
    }
    let feed = scene.engine.health().feeds.into_iter().find(|feed| feed.id == primary);
    let (errors, is_up) = feed.map_or((u64::MAX, false), |feed| {
        (feed.counts.parse_errors.iter().map(|(_, count)| count).sum(), feed.is_up)
    });
    story.tell(scene.now(), "customer", format!("bets are accepted, {slow}"));
    story.tell(
        scene.now(),
        "feed",
        format!("{primary} is {}, {errors} errors", if is_up { "up" } else { "down" }),
    );
    story.check(
        "accept p99 rises in one league, with no error and with its feed up",
        errors == 0 && is_up && 3 * calm.near.max(TICK.0) < slow.near && slow.far <= calm.far_max(),
        format!("calm {calm}; then {slow}"),
    );

    // Which group it is: that of the markets where prices are why bets are refused.
    let found = refused_by_group(&scene);
    let names: Vec<String> =
        found.iter().map(|(group, count)| format!("{group}: {count}")).collect();
    let group = found.iter().max_by_key(|(_, count)| **count).map(|(group, _)| *group);
    story.tell(
        scene.now(),
        "trader",
        format!("refusals for a price by group: {}", names.join(", ")),
    );
    story.check(
        "the group is found, and it is the only one",
        group == Some(scene.group.id) && found.len() == 1,
        names.join(", "),
    );

    scene.trader.freeze_cash_out(scene.group, Owner::Trader)?;
    let what = format!("freezes the cash-outs of {}", scene.group);
    let acted = scene.now();
    story.phase(acted, Phase::Act, "trader", what);
    scene.trader.switch_feed(scene.group, Drives::Backup)?;
    story.tell(scene.now(), "trader", format!("switches it to {backup}"));
    let bound = slips.until(&mut scene, Nanos::from_secs(2), |tick, _| {
        tick.accepted(&NEAR_MARKETS).map(|said| (said.at, said.reply.answer.price))
    })?;
    if let Some((at, price)) = bound {
        let what = format!("bets again, at {price}: {backup}'s");
        story.phase(at, Phase::Recover, "customer", what);
    }
    let closed = detected.as_ref().map(|(at, ..)| acted.since(*at).or_zero());
    story.check(
        "cash-outs are closed within 50 ms of the detection",
        closed.is_some_and(|closed| closed <= CLOSED_WITHIN),
        closed.map_or_else(|| "never".to_owned(), seconds),
    );
    slips.forget();
    slips.play(&mut scene, Nanos::from_secs(2))?;
    let after = slips.p99(scene.now());
    story.tell(scene.now(), "customer", format!("bets are accepted, {after}"));
    story.check(
        "on the backup they are as quick as before",
        after.near <= calm.near_max() && scene.untouched(FAR_MARKETS),
        format!("{after}"),
    );

    // The adapter is mended; back to it, and from now on a version is expected.
    scene.voices[PRIMARY].feed = scene.engine.feed("eng-primary", SILENCE)?.schema(8);
    scene.voices[PRIMARY].quotes = true;
    let now = scene.now();
    scene.voices[PRIMARY].say_everything(0, now)?;
    scene.turn()?;
    scene.trader.set_feed_schema(primary, 8)?;
    scene.play(Nanos::from_millis(300))?;
    scene.trader.switch_feed(scene.group, Drives::Primary)?;
    scene.trader.unfreeze_cash_out(scene.group, Owner::Trader)?;
    let what = format!("the adapter of {primary} is mended: back to it, and version 8 is expected");
    story.tell(scene.now(), "trader", what);
    scene.play(Nanos::from_millis(500))?;

    scene.voices[PRIMARY].feed = scene.engine.feed("eng-primary", SILENCE)?.schema(9);
    scene.voices[PRIMARY].quotes = false;
    let again = scene.now();
    let what = format!("{primary} sends yet another schema, as silently as before");
    story.tell(again, "feed", what);
    let found = scene.play_until(Nanos::from_secs(5), |tick| {
        tick.events.iter().find_map(|it| match it.event {
            Event::FeedChanged(feed) if feed.feed == primary => Some((it.at, feed.why)),
            _ => None,
        })
    })?;
    let sooner = found.map(|(at, why)| {
        story.tell(at, "engine", format!("{primary} is in quarantine"));
        (at.since(again), why)
    });
    let before = detected.map(|(at, ..)| at.since(fault));
    story.check(
        "where a version is expected, the first message of another one tells",
        sooner.is_some_and(|(after, why)| {
            why == FeedWhy::Schema as u8 && before.is_some_and(|before| after < before)
        }),
        format!(
            "{}, where it took {} before",
            sooner.map_or_else(|| "never".to_owned(), |(after, _)| seconds(after)),
            before.map_or_else(|| "for ever".to_owned(), seconds)
        ),
    );
    scene.trader.switch_feed(scene.group, Drives::Backup)?;
    story.tell(scene.now(), "trader", format!("switches to {backup} at once"));
    scene.play(Nanos::from_millis(300))?;
    scene.close(&mut story)?;
    Ok(story)
}

/// Bets refused for their price, by the group of their market.
fn refused_by_group(scene: &Scene) -> BTreeMap<GroupId, u64> {
    let mut found = BTreeMap::new();
    for market in &scene.markets {
        let Some(health) = scene.engine.market_health(market.id()) else { continue };
        let for_price = health.refused.iter().find(|(kind, _)| *kind == RefusedFor::Price);
        let count = for_price.map_or(0, |(_, count)| u64::from(*count));
        if 0 < count {
            *found.entry(health.group).or_default() += count;
        }
    }
    found
}

/// How long customers of both leagues wait from their first attempt at a bet to its acceptance: one that is
/// refused is asked for again until it is taken.
#[derive(Default)]
struct Slips {
    /// Since when somebody waits, by market.
    since: BTreeMap<usize, Timestamp>,
    /// What was accepted: when, in which league, and after how long.
    accepted: VecDeque<(Timestamp, bool, i64)>,
}

/// A p99 is that of the last second, as an operator's screen has it.
const WINDOW: Nanos = Nanos::from_secs(1);

/// Accept p99 of both leagues.
#[derive(Clone, Copy)]
struct P99 {
    near: i64,
    far: i64,
}

impl P99 {
    /// What counts as as quick as then: within twice of it, and two ticks, which is how exactly it is known.
    fn near_max(&self) -> i64 {
        2 * (self.near + TICK.0)
    }

    fn far_max(&self) -> i64 {
        2 * (self.far + TICK.0)
    }
}

impl std::fmt::Display for P99 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [near, far] = [self.near, self.far].map(|ns| seconds(Nanos(ns)));
        write!(f, "p99 {near} in ENG-1, {far} in the other league")
    }
}

impl Slips {
    fn take_tick(&mut self, tick: &Tick) {
        for said in tick.said.iter().filter(|said| said.wish == Wish::Bet) {
            let since = *self.since.entry(said.market).or_insert(tick.at);
            if said.is_accepted() {
                self.since.remove(&said.market);
                let is_near = NEAR_MARKETS.contains(&said.market);
                let took = said.at.since(since).or_zero().0;
                self.accepted.push_back((said.at, is_near, took));
            }
        }
        while self.accepted.front().is_some_and(|(at, ..)| WINDOW < tick.at.since(*at)) {
            self.accepted.pop_front();
        }
    }

    fn play(&mut self, scene: &mut Scene, span: Nanos) -> Result<(), CliError> {
        self.until(scene, span, |_, _| None::<()>).map(drop)
    }

    fn until<T>(
        &mut self,
        scene: &mut Scene,
        within: Nanos,
        mut seen: impl FnMut(&Tick, &Slips) -> Option<T>,
    ) -> Result<Option<T>, CliError> {
        scene.play_until(within, |tick| {
            self.take_tick(tick);
            seen(tick, self)
        })
    }

    /// The p99 of now, counting those who still wait with what they have waited.
    fn p99(&self, now: Timestamp) -> P99 {
        let of = |is_near: bool| {
            let accepted = self.accepted.iter().filter(|(_, near, _)| *near == is_near);
            let waits = self.since.iter().filter(|(at, _)| NEAR_MARKETS.contains(at) == is_near);
            let mut times = Recorder::new();
            accepted.for_each(|(_, _, took)| times.record(*took));
            waits.for_each(|(_, since)| times.record(now.since(*since).or_zero().0));
            i64::try_from(times.at(0.99)).unwrap_or(i64::MAX)
        };
        P99 { near: of(true), far: of(false) }
    }

    /// Those who wait are forgotten, and what was counted of them.
    fn forget(&mut self) {
        *self = Slips::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_change_of_schema_is_found_by_its_group_and_the_backup_takes_over() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
    }
}
