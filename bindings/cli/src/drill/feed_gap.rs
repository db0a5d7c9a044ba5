//! A message of a feed is missing: its markets are closed until it has sent everything again, as the answer
//! to its own adapter's request.

use crate::drill::scene::{NEAR_MARKETS, PRIMARY, Scene, Setup};
use crate::drill::timeline::{On, Phase, Story};
use crate::error::CliError;
use betring::logic::command::{self, build};
use betring::logic::event::FeedWhy;
use betring::logic::wire::Header;
use betring::{Event, Nanos, Reject};
use std::time::Duration;

/// The adapter's number of its request, and that of somebody else's.
const OURS: u64 = 41;
const THEIRS: u64 = 40;

/// Plays it.
pub(crate) fn play(on: On) -> Result<Story, CliError> {
    let mut scene = Scene::open(on, &Setup::default())?;
    let primary = scene.voices[PRIMARY].feed.id();
    let mut wire = scene.engine.control("feed:eng-primary")?;
    let mut story = scene.story("feed-gap", "a message of a feed is lost on the way");
    let number = scene.play_until(Nanos::from_secs(1), |tick| {
        let heard = tick.events.iter().rev().find_map(|it| match it.event {
            Event::FeedHeard(heard) if heard.feed == primary => Some(heard.feed_seq),
            _ => None,
        });
        heard.filter(|number| 20 < *number)
    })?;
    let number = number.unwrap_or(0);
    story.tell(scene.now(), "feed", format!("{primary} has sent message {number}"));

    // The one after it never comes; the next does.
    scene.voices[PRIMARY].sends = false;
    let missing = number + 1;
    let beat = command::FeedHeartbeat {
        feed: primary,
        feed_seq: missing + 1,
        source: scene.now(),
        ..Default::default()
    };
    let header = Header { account: wire.actor().0, ..Header::default() };
    let ticket = wire.try_submit(&[build::plain(header, &beat)]).map_err(betring::Error::from)?;
    story.phase(scene.now(), Phase::Fault, "feed", format!("message {missing} is lost"));
    let found = scene.play_until(Nanos::from_secs(1), |tick| {
        let down = tick.events.iter().find_map(|it| match it.event {
            Event::FeedChanged(it) if it.feed == primary => Some(it.why),
            _ => None,
        })?;
        Some((tick.at, down))
    })?;
    wire.wait(ticket, Duration::from_secs(10))?;
    let why = found.map(|(at, why)| {
        let what = format!("{primary} is down: a number is missing");
        story.phase(at, Phase::Detect, "engine", what);
        why
    });
    scene.forget_told()?;
    scene.play(Nanos::from_millis(100))?;
    let told = scene.take_told(NEAR_MARKETS);
    story.check(
        "a missing number closes the feed's markets at once",
        why == Some(FeedWhy::Gap as u8) && closed(&told.refused) && told.accepted == 0,
        format!("{:?} refused, {} accepted", told.refused, told.accepted),
    );

    let now = scene.now();
    let voice = &mut scene.voices[PRIMARY];
    voice.gap(now)?;
    voice.recovering(OURS, now)?;
    voice.sends = true;
    let what = format!("asks {primary} for everything again, as request {OURS}");
    story.phase(now, Phase::Act, "adapter", what);
    scene.play(Nanos::from_millis(200))?;
    let now = scene.now();
    scene.voices[PRIMARY].say_everything(THEIRS, now)?;
    story.tell(now, "feed", format!("request {THEIRS} is complete: it was given up long ago"));
    scene.forget_told()?;
    scene.play(Nanos::from_millis(200))?;
    let told = scene.take_told(NEAR_MARKETS);
    story.check(
        "neither prices, nor heartbeats, nor the end of another request opens it",
        closed(&told.refused) && told.accepted == 0,
        format!("{:?} refused, {} accepted", told.refused, told.accepted),
    );

    let now = scene.now();
    scene.voices[PRIMARY].say_everything(OURS, now)?;
    story.tell(now, "feed", format!("request {OURS} is complete"));
    let bound = scene.play_until(Nanos::from_secs(1), |tick| {
        tick.accepted(&NEAR_MARKETS).map(|said| (said.at, said.reply.answer.price))
    })?;
    if let Some((at, price)) = bound {
        story.phase(at, Phase::Recover, "customer", format!("bets again, at {price}"));
    }
    scene.play(Nanos::from_millis(200))?;
    drop(wire);
    scene.close(&mut story)?;
    Ok(story)
}

fn closed(refused: &std::collections::BTreeMap<Reject, u64>) -> bool {
    refused.keys().eq([&Reject::FeedDown])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::scene::TICK;

    #[test]
    fn a_lost_message_closes_its_markets_until_its_own_request_is_answered() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
        assert_eq!(story.after_fault(Phase::Detect), Some(TICK));
        assert_eq!(story.after_fault(Phase::Act), Some(Nanos(11 * TICK.0)));
        assert_eq!(story.after_fault(Phase::Recover), Some(Nanos(52 * TICK.0)));
    }
}
