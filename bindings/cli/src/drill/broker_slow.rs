//! Who carries the events away is behind, then the disk is: what was missed is read from the journal, and
//! while the disk is behind the hottest market waits, and nobody is told a bet that is not safe.

use crate::drill::disk::Drag;
use crate::drill::scene::{Became, Scene, Setup, became};
use crate::drill::timeline::{On, Phase, Story, seconds};
use crate::error::CliError;
use crate::source::Source;
use betring::logic::event::EventReader;
use betring::{
    AccountId, BusyWhy, Client, Config, EventStream, Intake, Lapped, Nanos, NotTaken, Place,
    Reject, Reply, RequestKey, SelectionIndex, Seq, Timestamp, key, money,
};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

/// Places of the event ring: a second's events are several times as many.
const PLACES: usize = 256;
/// How long the reader does not read.
const ASLEEP: Nanos = Nanos::from_secs(1);
/// How long a sync takes on the disk that is behind; a journal counts as behind after a quarter of a second.
const DRAG: Duration = Duration::from_millis(600);
/// How long it is behind: on the wall for three syncs, in journal time until the ring is nearly full.
fn stall(on: On) -> Nanos {
    match on {
        On::Wall => Nanos::from_secs(2),
        On::Journal => Nanos::from_millis(700),
    }
}
/// Bets of the hot market in a tick.
const HOT_EACH: usize = 20;
const HOT: usize = 0;
/// Slots of the bet ring, which fill while the loop stands.
const RING: usize = 2_048;

fn config(config: Config) -> Config {
    // The other markets get a hundred bets a second each: they are never so hot as to be turned away.
    let intake = Intake::new().floor(400).market_in_flight(RING as u32);
    config.intake(intake).bet_ring(RING)
}

/// Plays it.
pub(crate) fn play(on: On) -> Result<Story, CliError> {
    let drag = Drag::default();
    let setup = Setup {
        events: PLACES,
        bets: 1 << 15,
        credit: 4_096,
        drag: (on == On::Wall).then(|| drag.clone()),
        config,
        ..Setup::default()
    };
    let mut scene = Scene::open(on, &setup)?;
    let about = "the reader of the events is behind, then the disk is";
    let mut story = scene.story("broker-slow", about);
    let mut broker = Broker::new(&scene);
    let began = scene.now();
    while scene.now().since(began) < Nanos::from_millis(300) {
        scene.tick()?;
        broker.read()?;
    }
    story.tell(scene.now(), "broker", format!("has read {} events, none missing", broker.events));

    story.phase(scene.now(), Phase::Fault, "broker", "stops reading, for a second");
    scene.play(ASLEEP)?;
    broker.read()?;
    if let Some(lapped) = broker.lapped {
        let what = format!("was lapped: it goes on at {}", lapped.ring_from);
        story.phase(scene.now(), Phase::Detect, "broker", what);
        let what = format!("reads {} events from the journal instead", broker.caught_up);
        story.phase(scene.now(), Phase::Act, "broker", what);
    }

    let mut hot = Hot::new(&scene)?;
    story.tell(scene.now(), "disk", "is behind: what it is given takes its time");
    drag.set(DRAG);
    let stalled = scene.now();
    let mut shed = None;
    while scene.now().since(stalled) < stall(on) {
        match on {
            On::Wall => drop(scene.tick()?),
            // In journal time the loop itself stands while it waits for the disk.
            On::Journal => scene.stand()?,
        }
        hot.ask(&scene);
        hot.read();
        broker.read()?;
        if shed.is_none()
            && let Some(count) = hot.turned_away.get(&BusyWhy::Shed)
        {
            shed = Some(scene.now());
            let what = format!("turns bets on the hottest market away, {count} of {}", hot.sent);
            story.tell(scene.now(), "door", what);
        }
    }
    drag.set(Duration::ZERO);
    story.tell(scene.now(), "disk", "keeps up again");
    let calm = scene.now();
    let mut again = None;
    while scene.now().since(calm) < Nanos::from_secs(3) && again.is_none() {
        scene.tick()?;
        hot.ask(&scene);
        scene.turn()?;
        let accepted = hot.accepted_since(calm);
        hot.read();
        broker.read()?;
        if accepted < hot.accepted_since(calm) {
            again = Some(scene.now());
        }
    }
    if let Some(at) = again {
        let what = "bets on the hot market are taken again, and every event has been carried away";
        story.phase(at, Phase::Recover, "customer", what);
    }
    scene.play(Nanos::from_millis(200))?;
    hot.read();
    let after = shed.map(|at| at.since(stalled));
    let turned_away: u64 = hot.turned_away.values().sum();
    story.check(
        "while the journal is behind the hottest market is turned away, and told so",
        after.is_some() && hot.others == 0,
        match after {
            Some(after) => format!(
                "after {}: {:?} of {} bets on it, {} refused otherwise",
                seconds(after),
                hot.turned_away,
                hot.sent,
                hot.others
            ),
            None => format!("never; {turned_away} turned away for other reasons"),
        },
    );
    let calm = scene.untouched(HOT + 1..6);
    story.check(
        "no other market was turned away",
        calm,
        if calm { "not one bet of five markets" } else { "some were" },
    );
    broker.finish(&scene)?;
    let seen = broker.sums.clone();
    let missing = broker.out_of_order;
    story.check(
        "the reader has every event of the journal in its order, with no gap",
        missing == 0 && broker.lapped.is_some() && seen.is_whole(),
        format!(
            "{} events of {} records, {} of them from the journal, {missing} out of order",
            broker.events, seen.records, broker.caught_up
        ),
    );
    scene.customers.know(hot.asked.drain());
    drop((hot, broker));
    scene.close(&mut story)?;
    Ok(story)
}

/// What was carried away: a record ends with its last event, and the next begins with its first.
#[derive(Clone, Debug, Default)]
struct Sums {
    records: u64,
    /// Events by sequence, as the reader saw them.
    seen: BTreeMap<u64, u32>,
    /// And as the journal has them.
    journaled: BTreeMap<u64, u32>,
}

impl Sums {
    fn is_whole(&self) -> bool {
        self.seen == self.journaled && !self.seen.is_empty()
    }
}

/// Whoever carries the events away.
struct Broker {
    stream: EventStream,
    book: PathBuf,
    first: Option<u64>,
    last: (u64, u32),
    events: u64,
    caught_up: u64,
    out_of_order: u64,
    lapped: Option<Lapped>,
    sums: Sums,
}

impl Broker {
    fn new(scene: &Scene) -> Broker {
        let mut stream = scene.engine.events();
        stream.skip();
        Broker {
            stream,
            book: scene.book().to_owned(),
            first: None,
            last: (0, 0),
            events: 0,
            caught_up: 0,
            out_of_order: 0,
            lapped: None,
            sums: Sums::default(),
        }
    }

    fn take(&mut self, seq: u64, index: u32) {
        self.first.get_or_insert(seq);
        let (last_seq, last_index) = self.last;
        // Where a record was read in part, it comes again as a whole.
        if (seq, index + 1) <= (last_seq, last_index) {
            return;
        }
        let follows = if seq == last_seq { index == last_index } else { index == 0 };
        self.out_of_order += u64::from(self.events != 0 && !follows);
        self.last = (seq, index + 1);
        self.events += 1;
        *self.sums.seen.entry(seq).or_default() += 1;
    }

    /// Reads what is there; what was overwritten is read from the journal.
    fn read(&mut self) -> Result<(), CliError> {
        loop {
            match self.stream.next() {
                Ok(Some(it)) => self.take(it.seq.0, it.index),
                Ok(None) => return Ok(()),
                Err(lapped) => {
                    self.lapped.get_or_insert(lapped);
                    self.catch_up(lapped)?;
                }
            }
        }
    }

    fn catch_up(&mut self, lapped: Lapped) -> Result<(), CliError> {
        let book = self.book.clone();
        let before = self.events;
        let until = Seq(lapped.ring_from.0.saturating_sub(1));
        each(&book, Seq(lapped.resume_after.0 + 1), until, |seq, index| self.take(seq, index))?;
        self.caught_up += self.events - before;
        Ok(())
    }

    /// Reads the rest, and what the journal says of all of it.
    fn finish(&mut self, scene: &Scene) -> Result<(), CliError> {
        // What was published is durable before anybody compares.
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while scene.engine.health().lag != 0 && std::time::Instant::now() < until {
            match scene.on {
                On::Journal => drop(scene.engine.run_until_idle()?),
                On::Wall => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        std::thread::sleep(Duration::from_millis(if scene.on == On::Wall { 20 } else { 0 }));
        self.read()?;
        let from = Seq(self.first.unwrap_or(1));
        let book = self.book.clone();
        let mut journaled = BTreeMap::new();
        each(&book, from, Seq(self.last.0), |seq, _| *journaled.entry(seq).or_default() += 1)?;
        self.sums.records = journaled.len() as u64;
        self.sums.journaled = journaled;
        // The first record may have been under way when the reader came.
        let first = from.0;
        self.sums.seen.remove(&first);
        self.sums.journaled.remove(&first);
        Ok(())
    }
}

/// Every event of the journal between these sequences, with its place in its record.
fn each(
    book: &std::path::Path,
    from: Seq,
    until: Seq,
    mut take: impl FnMut(u64, u32),
) -> Result<(), CliError> {
    let mut source = Source::open(book, from.0, "catching up")?;
    source.each(&mut |entry| {
        if until < entry.seq {
            return false;
        }
        if let Some((_, events)) = entry.parts().filter(|_| from <= entry.seq) {
            for (index, _) in (0..).zip(EventReader::new(events).map_while(Result::ok)) {
                take(entry.seq.0, index);
            }
        }
        true
    })
}

/// Customers of the hot market.
struct Hot {
    client: Client,
    accounts: Vec<AccountId>,
    sent: u64,
    number: u128,
    asked: HashMap<RequestKey, Became>,
    turned_away: BTreeMap<BusyWhy, u64>,
    others: u64,
    accepted: Vec<Timestamp>,
}

impl Hot {
    fn new(scene: &Scene) -> Result<Hot, CliError> {
        Ok(Hot {
            client: scene.engine.client_at(4_096, scene.customers.client.level())?,
            accounts: scene.customers.accounts.clone(),
            sent: 0,
            number: 0,
            asked: HashMap::new(),
            turned_away: BTreeMap::new(),
            others: 0,
            accepted: Vec::new(),
        })
    }

    fn ask(&mut self, scene: &Scene) {
        for _ in 0..HOT_EACH {
            self.number += 1;
            self.sent += 1;
            let account = self.accounts[self.number as usize % self.accounts.len()];
            let key = key(1 << 104 | self.number);
            let selection = scene.markets[HOT].at(SelectionIndex((self.number % 3) as u16));
            let bet = Place::single(account, selection, money!(1.00)).any_price().key(key);
            let became = match self.client.try_submit(bet) {
                Ok(_) => Became::Sent,
                Err(NotTaken::Overloaded(busy)) => {
                    *self.turned_away.entry(busy.why).or_default() += 1;
                    Became::NotTaken(Reject::Overloaded)
                }
                Err(error) => {
                    self.others += 1;
                    Became::NotTaken(error.reject().unwrap_or(Reject::Overloaded))
                }
            };
            self.asked.insert(key, became);
        }
    }

    fn read(&mut self) {
        let mut replies = [Reply::default(); 256];
        loop {
            let count = self.client.poll(&mut replies);
            for reply in &replies[..count] {
                let became = became(reply);
                self.asked.insert(reply.key, became);
                match became {
                    Became::Accepted(_) => self.accepted.push(reply.stamped),
                    _ => self.others += 1,
                }
            }
            if count < replies.len() {
                return;
            }
        }
    }

    /// How many of those accepted had come after this moment.
    fn accepted_since(&self, at: Timestamp) -> usize {
        self.accepted.iter().filter(|stamped| at < **stamped).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_was_lapped_and_a_journal_that_is_behind_lose_nothing() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
    }
}
