//! A feed begins to send another version of its messages: it is put in quarantine before a field that moved
//! becomes a price.

use crate::drill::scene::{BACKUP, NEAR_MARKETS, PRIMARY, SILENCE, Scene, Setup};
use crate::drill::timeline::{On, Phase, Story};
use crate::error::CliError;
use betring::logic::event::FeedWhy;
use betring::{Drives, Event, Nanos, Price, Reject, price};

/// The versions of its messages: the one that is known, and the one that comes.
const KNOWN: u32 = 7;
const NEXT: u32 = 8;
/// What the old parser reads in the new messages: a decimal point has moved.
const NONSENSE: [Price; 3] = [price!(21.00), price!(34.00), price!(37.50)];
/// No price of this night is as high.
const HIGH: u32 = 100_000;

/// Plays it.
pub(crate) fn play(on: On) -> Result<Story, CliError> {
    let mut scene = Scene::open(on, &Setup::default())?;
    let primary = scene.voices[PRIMARY].feed.id();
    let backup = scene.voices[BACKUP].feed.id();
    scene.voices[PRIMARY].feed = scene.engine.feed("eng-primary", SILENCE)?.schema(KNOWN);
    scene.turn()?;
    scene.trader.set_feed_schema(primary, KNOWN)?;
    let about = "a feed changes its schema and tells nobody";
    let mut story = scene.story("version-skew", about);
    scene.play(Nanos::from_millis(500))?;
    story.tell(scene.now(), "feed", format!("{primary} sends version {KNOWN}, which is expected"));

    scene.voices[PRIMARY].feed = scene.engine.feed("eng-primary", SILENCE)?.schema(NEXT);
    let right = scene.voices[PRIMARY].prices.clone();
    for (_, prices) in &mut scene.voices[PRIMARY].prices {
        *prices = NONSENSE;
    }
    let what = format!("{primary} sends version {NEXT}: home would be {}", NONSENSE[0]);
    story.phase(scene.now(), Phase::Fault, "feed", what);
    // Refusals and events come to their readers one by one.
    let (mut refused, mut quarantined) = (None, None);
    let found = scene.play_until(Nanos::from_secs(1), |tick| {
        quarantined = quarantined.or(tick.events.iter().find_map(|it| match it.event {
            Event::FeedChanged(feed) if feed.feed == primary => Some((feed.why, it.at)),
            _ => None,
        }));
        refused = refused.or(tick.refused(&NEAR_MARKETS).map(|(reject, said)| (reject, said.at)));
        quarantined.zip(refused)
    })?;
    if let Some(((why, detected), (reject, at))) = found {
        let what = format!("{primary} is in quarantine: another version than {KNOWN}");
        story.phase(detected, Phase::Detect, "engine", what);
        story.tell(at, "customer", format!("first refusal: {reject}"));
        story.check(
            "another version is seen at its first message, and the refusal says so",
            why == FeedWhy::Schema as u8 && reject == Reject::FeedQuarantined,
            format!("{reject}"),
        );
    }

    scene.trader.switch_feed(scene.group, Drives::Backup)?;
    let what = format!("switches the group to {backup}");
    story.phase(scene.now(), Phase::Act, "trader", what);
    let bound = scene.play_until(Nanos::from_secs(1), |tick| {
        tick.accepted(&NEAR_MARKETS).map(|said| (said.at, said.reply.answer.price))
    })?;
    if let Some((at, price)) = bound {
        story.phase(at, Phase::Recover, "customer", format!("bets again, at {price}"));
    }

    // It says that it has recovered, and speaks on: in quarantine that means nothing.
    let now = scene.now();
    scene.voices[PRIMARY].say_everything(0, now)?;
    scene.play(Nanos::from_millis(300))?;
    scene.trader.switch_feed(scene.group, Drives::Primary)?;
    scene.forget_told()?;
    scene.play(Nanos::from_millis(100))?;
    let told = scene.take_told(NEAR_MARKETS);
    story.check(
        "no message of the wrong version opens its feed again",
        told.accepted == 0 && told.refused.keys().eq([&Reject::FeedQuarantined]),
        format!("{:?} on it, {} accepted", told.refused, told.accepted),
    );

    // The parser is mended; now the new version is the one that is expected.
    scene.voices[PRIMARY].prices = right;
    scene.trader.set_feed_schema(primary, NEXT)?;
    story.tell(
        scene.now(),
        "trader",
        format!("says that version {NEXT} is right: {primary} recovers"),
    );
    let now = scene.now();
    let voice = &mut scene.voices[PRIMARY];
    voice.recovering(1, now)?;
    voice.say_everything(1, now)?;
    let bound = scene.play_until(Nanos::from_secs(1), |tick| {
        tick.accepted(&NEAR_MARKETS).map(|said| (said.at, said.reply.answer.price))
    })?;
    let price = bound.map(|(at, price)| {
        story.tell(at, "customer", format!("bets on {primary}'s prices again, at {price}"));
        price
    });
    story.check(
        "with the version that is right it is bet on again",
        bound.is_some(),
        price.map_or_else(|| "never".to_owned(), |price| format!("at {price}")),
    );
    story.check(
        "no price read by the wrong parser was ever bet on",
        scene.highest < HIGH,
        format!("the highest price accepted was {:.2}", f64::from(scene.highest) / 1e4),
    );
    scene.close(&mut story)?;
    Ok(story)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::scene::TICK;

    #[test]
    fn another_version_is_in_quarantine_with_its_first_message_and_the_backup_takes_over() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
        let detected = story.after_fault(Phase::Detect).expect("detected");
        assert!(detected <= Nanos::from_millis(100), "{detected}: a feed speaks every 100 ms");
        assert_eq!(story.after_fault(Phase::Recover), Some(Nanos(detected.0 + TICK.0)));
    }
}
