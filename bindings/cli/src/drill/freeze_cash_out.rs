//! A feed is in doubt, in every way it can be: cash-outs are closed before anybody can sell at its prices.

use crate::drill::scene::{
    DELAY_BOUND, FAR_MARKETS, NEAR_MARKETS, PRIMARY, SILENCE, Said, Scene, Setup, Wish,
};
use crate::drill::timeline::{On, Phase, Story, seconds};
use crate::error::CliError;
use betring::governor::{Act, Rules, What};
use betring::{Event, Nanos, Owner, ParseError, TierTerms, Timestamp, price};

/// How soon after its detection a doubt has closed the cash-outs.
const CLOSED_WITHIN: Nanos = Nanos::from_millis(50);
/// How long all has to be well before the governor opens them again.
const OPENED_AFTER: Nanos = Nanos::from_secs(2);
const TIER: u8 = 1;

/// What is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    Gap,
    Schema,
    Slow,
    Drift,
    Unreadable,
}

const ALL: [Doubt; 5] = [Doubt::Gap, Doubt::Schema, Doubt::Slow, Doubt::Drift, Doubt::Unreadable];

impl Doubt {
    fn sentence(self) -> &'static str {
        match self {
            Doubt::Gap => "a message is missing",
            Doubt::Schema => "its messages are of another version",
            Doubt::Slow => "its messages are three seconds on the way",
            Doubt::Drift => "it is a quarter above its backup",
            Doubt::Unreadable => "one message in fifty cannot be read",
        }
    }

    fn begin(self, scene: &mut Scene) -> Result<(), CliError> {
        let now = scene.now();
        match self {
            Doubt::Gap => scene.voices[PRIMARY].gap(now)?,
            Doubt::Schema => {
                scene.voices[PRIMARY].feed = scene.engine.feed("eng-primary", SILENCE)?.schema(8);
            }
            Doubt::Slow => scene.voices[PRIMARY].delay = Nanos(3 * DELAY_BOUND.0),
            Doubt::Drift => scene.voices[PRIMARY].prices[0].1[0] = price!(2.60),
            Doubt::Unreadable => {
                let feed = &mut scene.voices[PRIMARY].feed;
                let recent = feed.counts().recent;
                for _ in 0..(recent / 50).max(4) {
                    feed.parse_error(ParseError::Syntax);
                }
            }
        }
        Ok(())
    }

    fn end(self, scene: &mut Scene) -> Result<(), CliError> {
        let now = scene.now();
        match self {
            Doubt::Gap => scene.voices[PRIMARY].say_everything(0, now),
            Doubt::Schema => {
                scene.voices[PRIMARY].feed = scene.engine.feed("eng-primary", SILENCE)?.schema(7);
                let primary = scene.group.primary;
                // It may come back as the version that was expected all the time.
                scene.trader.set_feed_schema(primary, 7)?;
                let now = scene.now();
                scene.voices[PRIMARY].say_everything(0, now)
            }
            Doubt::Slow => {
                scene.voices[PRIMARY].delay = Nanos::ZERO;
                Ok(())
            }
            Doubt::Drift => {
                scene.voices[PRIMARY].prices[0].1[0] = price!(2.10);
                Ok(())
            }
            // They leave the count of the last minute, which the drill does not wait for.
            Doubt::Unreadable => Ok(()),
        }
    }
}

/// Plays it.
pub(crate) fn play(on: On) -> Result<Story, CliError> {
    let setup = Setup { rules: Some(Rules::default()), ..Setup::default() };
    let mut scene = Scene::open(on, &setup)?;
    scene.trader.set_tier(TIER, TierTerms::new().drift(50_000, Nanos::from_secs(60)))?;
    for place in NEAR_MARKETS {
        scene.trader.assign_tier(&scene.markets[place], TIER)?;
    }
    scene.voices[PRIMARY].feed = scene.engine.feed("eng-primary", SILENCE)?.schema(7);
    scene.turn()?;
    scene.trader.set_feed_schema(scene.group.primary, 7)?;
    scene.customers.sells_in = [true; 6];
    let about = "a feed is in doubt, and customers would sell at its prices";
    let mut story = scene.story("freeze-cashout", about);
    scene.play(Nanos::from_millis(500))?;
    story.tell(scene.now(), "customer", "sells a bet of every market, each tick");

    let mut slowest = Nanos::ZERO;
    let (mut closed, mut late, mut opened) = (0, 0, 0);
    // Every doubt has its phases; the times of the first count.
    for doubt in ALL {
        scene.forget_told()?;
        let began = scene.now();
        let what = format!("{}: {}", scene.group.primary, doubt.sentence());
        story.phase(began, Phase::Fault, "feed", what);
        doubt.begin(&mut scene)?;
        let frozen = watch(&mut scene)?;
        if let Some(Frozen { detected, frozen, sold }) = frozen {
            let took = frozen.since(detected).or_zero();
            slowest = slowest.max(took);
            closed += 1;
            late += sold;
            story.phase(detected, Phase::Detect, "governor", "it is in doubt");
            let what = format!("cash-outs of {} are closed, {} later", scene.group, seconds(took));
            story.phase(frozen, Phase::Act, "governor", what);
        }
        doubt.end(&mut scene)?;
        if doubt == Doubt::Unreadable {
            break;
        }
        let within = Nanos(OPENED_AFTER.0 + 3_000_000_000);
        let sold = scene.play_until(within, |tick| {
            let sold = |said: &&Said| {
                matches!(said.wish, Wish::Sale(_))
                    && NEAR_MARKETS.contains(&said.market)
                    && said.refusal().is_none()
            };
            tick.said.iter().find(sold).map(|said| said.at)
        })?;
        if let Some(at) = sold {
            opened += 1;
            let what = "sells again: all was well for two seconds".to_owned();
            story.phase(at, Phase::Recover, "customer", what);
        }
    }
    story.check(
        "every doubt closes the group's cash-outs within 50 ms of its detection",
        closed == ALL.len() && slowest <= CLOSED_WITHIN,
        format!("{closed} of {} doubts, the slowest {}", ALL.len(), seconds(slowest)),
    );
    story.check(
        "nothing is sold at a doubted price from then on",
        late == 0,
        format!("{late} sold after the closing"),
    );
    story.check(
        "when all is well again they are opened, by the governor that closed them",
        opened == ALL.len() - 1,
        format!("{opened} of {}: the last one's minute is not waited for", ALL.len() - 1),
    );
    let (sold, refused) = scene.sales(FAR_MARKETS);
    story.check(
        "the other league sells on",
        refused == 0 && 0 < sold,
        format!("{sold} sold, {refused} refused"),
    );
    scene.close(&mut story)?;
    Ok(story)
}

/// A group whose cash-outs were closed.
struct Frozen {
    detected: Timestamp,
    frozen: Timestamp,
    /// Sales of its markets decided after that.
    sold: u64,
}

/// Waits until the governor has closed the group, and a little longer.
fn watch(scene: &mut Scene) -> Result<Option<Frozen>, CliError> {
    let group = u64::from(scene.group.id.0);
    let (mut detected, mut frozen, mut sold) = (None::<Timestamp>, None::<Timestamp>, 0);
    let mut over = None;
    let began = scene.now();
    while scene.now().since(began) < Nanos::from_secs(3) {
        let tick = scene.tick()?;
        for deed in &tick.deeds {
            if matches!(deed.action.act, Act::FreezeCashOut { frozen: true, .. })
                && deed.what == What::Sent
            {
                detected = detected.or(Some(deed.at));
            }
        }
        for it in &tick.events {
            match it.event {
                // What the engine knows by itself counts from there.
                Event::FeedChanged(feed) if feed.feed == scene.group.primary => {
                    detected = Some(detected.map_or(it.at, |at| at.min(it.at)));
                }
                Event::DriftChanged(drift) if drift.over == 1 => {
                    detected = Some(detected.map_or(it.at, |at| at.min(it.at)));
                }
                Event::CashOutFrozen(cash_out)
                    if cash_out.id == group
                        && cash_out.owner == Owner::Governor as u8
                        && cash_out.frozen == 1 =>
                {
                    frozen = frozen.or(Some(it.at));
                }
                Event::BetCashedOut(bet) if frozen.is_some_and(|frozen| frozen < it.at) => {
                    let place = scene.customers.place_of(bet.bet);
                    sold += u64::from(place.is_some_and(|place| NEAR_MARKETS.contains(&place)));
                }
                _ => (),
            }
        }
        if frozen.is_some() && over.is_none() {
            over = Some(scene.now().plus(Nanos::from_millis(200)));
        }
        if over.is_some_and(|over| over <= scene.now()) {
            break;
        }
    }
    Ok(detected.zip(frozen).map(|(detected, frozen)| Frozen { detected, frozen, sold }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_puts_a_feed_in_doubt_its_cash_outs_are_closed_in_the_same_tick() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
        let detected = story.after_fault(Phase::Detect).expect("detected");
        assert_eq!(story.after_fault(Phase::Act), Some(detected), "in journal time at once");
    }
}
