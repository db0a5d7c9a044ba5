//! What the journal says of a run afterwards: odds, settlement, exposure, and that nobody was paid
//! twice.

use crate::error::CliError;
use crate::fold::Entry;
use crate::matchday::beside::BesideScan;
use crate::matchday::ladder::LadderScan;
use crate::matchday::modelled::ModelledScan;
use crate::matchday::tally::SLICES;
use crate::source::Source;
use betring_benches::recorder::Recorder;
use betring_core::command::{Command, Kind, decode};
use betring_core::event::{Event, EventReader, JobKind};
use betring_core::id::{BetId, FeedId, JobId, MarketId, Seq};
use betring_core::time::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

/// What is to be read: the records behind `after`, of a run that began at `base` and whose clock ran
/// `speed` times as fast as ours.
pub(crate) struct Range {
    pub(crate) after: Seq,
    pub(crate) base: Timestamp,
    pub(crate) length_ns: u64,
    pub(crate) speed: f64,
}

/// What a run left in the journal.
pub(crate) struct Scan {
    /// From when a price was to be sent to the first sequence that can bind it.
    pub(crate) odds: Recorder,
    /// From a result to the last bet of its market.
    pub(crate) settlement: Recorder,
    /// Bets that were settled, for the first time; and sold back whole.
    pub(crate) settled: u64,
    pub(crate) sold: u64,
    /// Settlements that were taken back.
    pub(crate) reversed: u64,
    /// Bets for which two settlements stood at once: has to stay 0.
    pub(crate) paid_twice: u64,
    pub(crate) records: u64,
    pub(crate) record_bytes: u64,
    pub(crate) bets: u64,
    /// The oldest price that a feed gave and a bet was bound to, in nanoseconds: what a trader pins does
    /// not age.
    pub(crate) oldest_price_ns: i64,
    /// What happened beside a night's own markets.
    pub(crate) beside: BesideScan,
    /// What its exchange market came to.
    pub(crate) ladder: LadderScan,
    /// What its match that a model prices came to.
    pub(crate) modelled: ModelledScan,
    /// Each-way tickets that were asked for, and those of them that became bets.
    pub(crate) each_way_asked: u64,
    pub(crate) each_way_accepted: u64,
    pub(crate) last: Seq,
    /// Markets by the number of their bets, the busiest first.
    pub(crate) markets: Vec<MarketLife>,
    length_ns: u64,
}

/// What a market would have lost over time.
#[derive(Clone, Debug)]
pub(crate) struct MarketLife {
    pub(crate) name: String,
    pub(crate) bets: u64,
    /// The largest loss of its worst outcome in each slice of the day, in minor units.
    pub(crate) worst: Vec<Option<i64>>,
    /// The largest of all.
    pub(crate) worst_max: i64,
}

impl Scan {
    pub(crate) fn read(dir: &Path, range: &Range) -> Result<Scan, CliError> {
        let mut scan = Scan {
            odds: Recorder::new(),
            settlement: Recorder::new(),
            settled: 0,
            sold: 0,
            reversed: 0,
            paid_twice: 0,
            records: 0,
            record_bytes: 0,
            bets: 0,
            oldest_price_ns: 0,
            beside: BesideScan::default(),
            ladder: LadderScan::default(),
            modelled: ModelledScan::new(),
            each_way_asked: 0,
            each_way_accepted: 0,
            last: range.after,
            markets: Vec::new(),
            length_ns: range.length_ns.max(1),
        };
        let mut seen = Seen::default();
        // From the first record: markets that a resumed run goes on with were named before it.
        let mut source = Source::open(dir, 1, "reading what was journaled")?;
        while let Some((_, entry)) = source.next()? {
            scan.take(&entry, range, &mut seen);
        }
        scan.paid_twice = seen.twice.len() as u64;
        scan.markets = seen.markets.into_values().filter(|market| 0 < market.bets).collect();
        scan.markets.sort_by(|a, b| b.bets.cmp(&a.bets).then(a.name.cmp(&b.name)));
        Ok(scan)
    }

    /// How long each point of [`MarketLife::worst`] stands for.
    pub(crate) fn slice_ns(&self) -> u64 {
        self.length_ns.div_ceil(SLICES as u64)
    }

    fn take(&mut self, entry: &Entry<'_>, range: &Range, seen: &mut Seen) {
        let is_new = range.after < entry.seq;
        let Some((command, events)) = entry.parts() else { return };
        self.last = self.last.max(entry.seq);
        if is_new {
            self.records += 1;
            self.record_bytes += entry.payload.len() as u64;
            self.odds_of(entry, command, range);
            self.modelled.take_command(entry, command, range.speed);
            self.each_way_asked += u64::from(is_each_way(entry, command));
        }
        // Bytes that are no events are the audit's to report.
        for event in EventReader::new(events).map_while(Result::ok) {
            self.beside.take(&event, is_new);
            if is_new {
                self.ladder.take(&event);
                self.modelled.take(&event);
            }
            match event {
                Event::MarketDefined(defined) => {
                    seen.markets.entry(defined.market).or_insert_with(|| MarketLife {
                        name: market_name(command).unwrap_or_else(|| defined.market.to_string()),
                        bets: 0,
                        worst: vec![None; SLICES],
                        worst_max: 0,
                    });
                }
                Event::BetOpened(bet) if is_new => {
                    self.bets += 1;
                    if bet.feed != FeedId::MANUAL {
                        self.oldest_price_ns = self.oldest_price_ns.max(bet.price_age.0);
                    }
                    let slice = self.slice_of(entry.at, range);
                    if let Some(market) = seen.markets.get_mut(&bet.market) {
                        market.bets += 1;
                        let worst = market.worst[slice].unwrap_or(bet.market_worst.0);
                        market.worst[slice] = Some(worst.max(bet.market_worst.0));
                        market.worst_max = market.worst_max.max(bet.market_worst.0);
                    }
                }
                Event::TicketOpened(ticket) if is_new => {
                    self.bets += 1;
                    self.each_way_accepted += u64::from(ticket.each_way != 0);
                }
                Event::BetSettled(bet) => {
                    self.settled += u64::from(is_new && bet.version == 1);
                    let standing = seen.standing.entry(bet.bet).or_default();
                    *standing += 1;
                    if 1 < *standing {
                        seen.twice.insert(bet.bet);
                    }
                }
                Event::BetReversed(bet) => {
                    self.reversed += u64::from(is_new);
                    *seen.standing.entry(bet.bet).or_default() -= 1;
                }
                Event::BetCashedOut(bet) => {
                    self.sold += u64::from(is_new && bet.left.0 == 0);
                }
                Event::JobStarted(job) if job.kind == JobKind::Settle as u8 => {
                    seen.jobs.insert(job.job, entry.at);
                }
                Event::JobEnded(job) => {
                    let slice = self.slice_of(entry.at, range);
                    if let Some(market) = seen.markets.get_mut(&job.market).filter(|_| is_new) {
                        // Settled, it cannot lose any more.
                        if let Some(next) = market.worst.get_mut(slice + 1) {
                            *next = Some(0);
                        }
                    }
                    if let Some(began) = seen.jobs.remove(&job.job).filter(|_| is_new) {
                        self.settlement.record(real(entry.at.since(began).0, range.speed));
                    }
                }
                _ => (),
            }
        }
    }

    fn odds_of(&mut self, entry: &Entry<'_>, command: &[u8], range: &Range) {
        if entry.kind != Kind::SetPrices as u16 {
            return;
        }
        if let Ok((_, Command::SetPrices(prices, _))) = decode(command)
            && prices.source != Timestamp::default()
        {
            // Our feeds say when they meant to send, on the engine's own clock.
            self.odds.record(real(entry.at.since(prices.source).0, range.speed));
        }
    }

    fn slice_of(&self, at: Timestamp, range: &Range) -> usize {
        let since = u64::try_from(at.since(range.base).0).unwrap_or(0);
        usize::try_from(since / self.slice_ns()).unwrap_or(usize::MAX).min(SLICES - 1)
    }
}

fn is_each_way(entry: &Entry<'_>, command: &[u8]) -> bool {
    entry.kind == Kind::PlaceTicket as u16
        && matches!(decode(command), Ok((_, Command::PlaceTicket(ticket, _))) if ticket.each_way != 0)
}

/// A span of the engine's clock in our own time.
pub(crate) fn real(ns: i64, speed: f64) -> i64 {
    if speed == 1.0 { ns } else { (ns as f64 / speed) as i64 }
}

#[derive(Default)]
struct Seen {
    markets: BTreeMap<MarketId, MarketLife>,
    jobs: HashMap<JobId, Timestamp>,
    /// How many settlements of each bet stand: posted, and not taken back.
    standing: HashMap<BetId, i64>,
    twice: HashSet<BetId>,
}

fn market_name(command: &[u8]) -> Option<String> {
    match decode(command).ok()?.1 {
        Command::DefineMarket(_, names) => Some(names.first().to_owned()),
        _ => None,
    }
}
