//! A source falls silent while its pricer goes on: its prices grow old, and nobody bets on them.

use crate::drill::scene::{AGE_BOUND, BACKUP, NEAR_MARKETS, PRIMARY, Scene, Setup};
use crate::drill::timeline::{On, Phase, Story, seconds};
use crate::error::CliError;
use betring::{Drives, Nanos, Owner, Reject};

/// Plays it.
pub(crate) fn play(on: On) -> Result<Story, CliError> {
    let mut scene = Scene::open(on, &Setup::default())?;
    let about = "the source of a league's prices falls silent, and its pricer goes on";
    let mut story = scene.story("stale-feed", about);
    scene.play(Nanos::from_secs(1))?;
    story.tell(scene.now(), "customer", "bets in six markets of two leagues, all accepted");

    // A goal, just before: this suspension is a person's, and no feed may undo it.
    let goal = scene.markets[1].id();
    scene.trader.suspend(goal, Owner::Trader)?;
    story.tell(scene.now(), "trader", "suspends Arsenal-Chelsea first goal: a goal");

    let primary = scene.voices[PRIMARY].feed.id();
    scene.voices[PRIMARY].source = false;
    let sent = scene.voices[PRIMARY].sent;
    let last_input = scene.voices[PRIMARY].input;
    story.phase(last_input, Phase::Fault, "feed", format!("{primary}'s source says its last word"));

    let open = |market: usize| NEAR_MARKETS.contains(&market) && market != 1;
    // When the last bet at the old price was decided: the next one is a tick later.
    let mut last = last_input;
    let stale = scene.play_until(Nanos::from_secs(3), |tick| {
        let mut said = tick.said.iter().filter(|said| open(said.market));
        said.find_map(|said| match said.refusal() {
            Some(reject) => Some((said.reply.stamped, reject, said.reply.answer.age())),
            None => {
                last = last.max(said.reply.stamped);
                None
            }
        })
    })?;
    let sent = scene.voices[PRIMARY].sent - sent;
    if let Some((at, reject, age)) = stale {
        let what = format!("first refusal, {reject}: the price is {} old", seconds(age));
        story.phase(at, Phase::Detect, "customer", what);
        let after = at.since(last_input);
        let tick = seconds(at.since(last));
        story.check(
            "the first refusal of a stale price comes within its bound and a tick",
            reject == Reject::StalePrice && after.0 <= AGE_BOUND.0 + at.since(last).0,
            format!("{} after the last word, {} after the bet before", seconds(after), tick),
        );
        story.check(
            "a pricer that ticks while its feed is silent refreshes nothing",
            0 < sent && AGE_BOUND < age,
            format!("{sent} messages sent meanwhile, and the price was {} old", seconds(age)),
        );
    }

    scene.trader.freeze_cash_out(scene.group, Owner::Trader)?;
    scene.trader.switch_feed(scene.group, Drives::Backup)?;
    let backup = scene.voices[BACKUP].feed.id();
    story.phase(
        scene.now(),
        Phase::Act,
        "trader",
        format!("freezes the group's cash-outs and switches it to {backup}"),
    );
    let bound = scene.play_until(Nanos::from_secs(1), |tick| {
        tick.accepted(&NEAR_MARKETS).map(|said| (tick.at, said.reply.answer.price))
    })?;
    if let Some((at, price)) = bound {
        let what = format!("bets again, at {price}: a price of {backup}");
        story.phase(at, Phase::Recover, "customer", what);
    }

    // The source comes back; the group goes back to it. What a person suspended stays.
    scene.voices[PRIMARY].source = true;
    scene.play(Nanos::from_millis(200))?;
    let now = scene.now();
    scene.trader.switch_feed(scene.group, Drives::Primary)?;
    scene.trader.unfreeze_cash_out(scene.group, Owner::Trader)?;
    story.tell(now, "trader", format!("{primary} speaks again: the group goes back to it"));
    scene.forget_told()?;
    scene.play(Nanos::from_millis(500))?;
    let goal_told = scene.take_told(1..2);
    let others = scene.take_told(NEAR_MARKETS);
    let held = goal_told.refused.get(&Reject::MarketSuspended).copied().unwrap_or(0);
    story.check(
        "a feed that is back does not undo a trader's suspension",
        goal_told.accepted == 0 && 0 < held && others.refused.is_empty() && 0 < others.accepted,
        format!(
            "{held} bets refused in the suspended market, {} accepted in the others",
            others.accepted
        ),
    );
    scene.trader.release(goal, Owner::Trader)?;
    let now = scene.now();
    story.tell(now, "trader", "releases the market of the goal");
    scene.play(Nanos::from_millis(100))?;
    let released = scene.take_told(1..2);
    story.check(
        "and the trader's own release does",
        0 < released.accepted,
        format!("{} accepted", released.accepted),
    );
    scene.close(&mut story)?;
    Ok(story)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::scene::TICK;

    #[test]
    fn a_price_whose_source_is_silent_is_refused_a_tick_after_its_bound() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
        let detected = story.after_fault(Phase::Detect).expect("detected");
        assert_eq!(detected, Nanos(AGE_BOUND.0 + TICK.0));
        assert_eq!(story.after_fault(Phase::Recover), Some(Nanos(detected.0 + TICK.0)));
    }
}
