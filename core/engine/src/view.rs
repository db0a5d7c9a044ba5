//! A second state that follows the journal on its own thread, for reads that never touch the loop.

use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use betring_core::answer::{Answer, Fate};
use betring_core::id::{AccountId, BetId, FeedId, FixtureId, MarketId, RequestKey, Seq};
use betring_core::reject::Reject;
use betring_core::wire::Minor;
use betring_core::{AccountView, BetView, HouseRules, LegView, Rules, State};
use betring_journal::{DirStore, ReadLevel, Reader};
use betring_pricing::Stake;

use crate::config::Level;
use crate::error::Error;
use crate::outcome::Refusal;
use crate::recover::Replayer;
use crate::shared::{Patience, Reads, Shared};
use crate::snapshot::Replica;

/// Records applied while readers wait: a read never waits longer than these take.
const BATCH: usize = 256;
/// How often the journal is looked at when nothing is new.
const NAP: Duration = Duration::from_micros(200);

struct Inner<R: Rules> {
    replayer: Mutex<Replayer<R>>,
    seq: AtomicU64,
    stop: AtomicBool,
    ended: OnceLock<String>,
}

/// Follows a journal and answers from a state of its own: account, bets, markets, liability, at one
/// sequence. What it has read of money is as true as its level; by default only what is durable.
pub struct View<R: Rules = HouseRules> {
    inner: Arc<Inner<R>>,
    shared: Option<Arc<Shared>>,
    level: Level,
    thread: Option<JoinHandle<()>>,
}

impl<R: Rules> std::fmt::Debug for View<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("seq", &self.seq()).finish_non_exhaustive()
    }
}

impl<R: Rules> std::fmt::Display for View<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "view at {}", self.seq())
    }
}

impl<R: Rules> Inner<R> {
    /// At the newest snapshot that can be used, so that a view of a long journal is there soon.
    fn new(store: &DirStore, rules: R) -> Result<Inner<R>, Error> {
        let replayer = Replica::newest(store, rules)?.into_replayer();
        Ok(Inner {
            seq: AtomicU64::new(replayer.state.seq().0),
            replayer: Mutex::new(replayer),
            stop: AtomicBool::new(false),
            ended: OnceLock::new(),
        })
    }

    /// The sequence that it has to read next.
    fn next_seq(&self) -> u64 {
        self.seq.load(Ordering::Relaxed) + 1
    }

    fn lock(&self) -> MutexGuard<'_, Replayer<R>> {
        self.replayer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies what there is up to `limit`, at most a batch; whether that was anything.
    fn follow(&self, reader: &mut Reader<DirStore>, limit: u64) -> Result<bool, Error> {
        let mut replayer = self.lock();
        let mut any = false;
        for _ in 0..BATCH {
            let Some(record) = reader.next_at_most(limit)? else { break };
            let (stamp, ..) = replayer.apply(&record)?;
            self.seq.store(stamp.seq.0, Ordering::Release);
            any = true;
        }
        Ok(any)
    }
}

impl<R: Rules> View<R> {
    /// Reads a whole journal that is not being written, or as far as it is complete now.
    ///
    /// # Errors
    /// Those of reading the journal, [`Error::NotReproduced`], [`Error::OtherRules`].
    pub fn open(path: impl AsRef<Path>, rules: R) -> Result<View<R>, Error> {
        let store = DirStore::existing(path)?;
        let inner = Arc::new(Inner::new(&store, rules)?);
        let mut reader = Reader::open(store, inner.next_seq(), ReadLevel::Complete)?;
        while inner.follow(&mut reader, u64::MAX)? {}
        let level = Level::ProcessCrashOnly;
        Ok(View { inner, shared: None, level, thread: None })
    }

    pub(crate) fn follow(
        path: &Path,
        rules: R,
        level: Level,
        shared: Arc<Shared>,
    ) -> Result<View<R>, Error> {
        let read = match level {
            Level::Durable => ReadLevel::Sealed,
            Level::ProcessCrashOnly | Level::AppliedOnlyMayVanish => ReadLevel::Complete,
        };
        // What is only decided is not in the journal: a view sees what is in the page cache at best.
        let level = level.min(Level::ProcessCrashOnly);
        let store = DirStore::existing(path)?;
        let inner = Arc::new(Inner::new(&store, rules)?);
        let mut reader = Reader::open(store, inner.next_seq(), read)?;
        let follower = {
            let (inner, shared) = (inner.clone(), shared.clone());
            let reached = move |inner: &Inner<R>| inner.seq.load(Ordering::Relaxed);
            let consumer = shared.consumers.join(Reads::Journal, reached(&inner));
            move || {
                while !inner.stop.load(Ordering::Relaxed) {
                    let ended = shared.has_ended();
                    let followed = inner.follow(&mut reader, shared.released(level));
                    consumer.at.store(reached(&inner), Ordering::Relaxed);
                    match followed {
                        Ok(true) => std::thread::yield_now(),
                        Ok(false) if ended => {
                            let _ = inner.ended.set("the engine has ended".into());
                            return;
                        }
                        Ok(false) => std::thread::sleep(NAP),
                        Err(e) => {
                            let _ = inner.ended.set(e.to_string());
                            return;
                        }
                    }
                }
            }
        };
        let name = "betring-view";
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(follower)
            .map_err(|source| Error::Thread { name, source })?;
        Ok(View { inner, shared: Some(shared), level, thread: Some(thread) })
    }

    /// The sequence it has reached.
    pub fn seq(&self) -> Seq {
        Seq(self.inner.seq.load(Ordering::Acquire))
    }

    /// Waits until it has reached a sequence: what was answered at it can then be read.
    ///
    /// # Errors
    /// [`Error::Behind`] if it does not get there in time, [`Error::ViewEnded`] if it never will.
    pub fn wait_for(&self, seq: Seq, timeout: Duration) -> Result<(), Error> {
        let mut patience = Patience::new(timeout);
        if let Some(shared) = &self.shared
            && self.level == Level::Durable
        {
            shared.want(seq);
        }
        loop {
            let ended = self.inner.ended.get();
            if seq <= self.seq() {
                return Ok(());
            }
            if let Some(why) = ended {
                return Err(Error::ViewEnded { why: why.clone() });
            }
            if self.thread.is_none() || !patience.wait() {
                return Err(Error::Behind { wanted: seq, reached: self.seq() });
            }
        }
    }

    /// The state at this sequence or a later one. It stands still while it is held.
    ///
    /// # Errors
    /// [`Error::Behind`] if it does not get there in time, [`Error::ViewEnded`] if it never will.
    pub fn at_least(&self, seq: Seq, timeout: Duration) -> Result<Book<'_, R>, Error> {
        self.wait_for(seq, timeout)?;
        Ok(self.now())
    }

    /// The state as far as it is. It stands still while it is held.
    pub fn now(&self) -> Book<'_, R> {
        Book(self.inner.lock())
    }

    /// An account.
    pub fn account(&self, id: AccountId) -> Option<AccountView> {
        self.now().account(id)
    }

    /// The account with this reference.
    pub fn account_by_reference(&self, reference: u64) -> Option<AccountId> {
        self.now().account_by_reference(reference)
    }

    /// A bet.
    pub fn bet(&self, id: BetId) -> Option<BetView> {
        self.now().bet(id)
    }

    /// The legs of a bet, in their order; none of one that has left memory.
    pub fn legs(&self, id: BetId) -> Vec<LegView> {
        self.now().legs(id).collect()
    }

    /// What all of a bet, or so much of its stake, would be bought back for: what a customer is shown,
    /// and asks for with a cash-out.
    ///
    /// # Errors
    /// The refusal that a cash-out would get; `CashOutFrozen` while the engine sheds load.
    pub fn cash_out_value(&self, id: BetId, take: Option<Stake>) -> Result<Minor, Refusal> {
        if let Some(shared) = &self.shared
            && shared.admission.sheds(shared.clock.now())
        {
            // A cash-out would not be let in now: what cannot be had is not shown.
            let frozen = Answer::refused(Reject::CashOutFrozen, self.seq());
            return Err(Refusal::of(frozen, false));
        }
        self.now().cash_out_value(id, take).map_err(|answer| Refusal::of(answer, false))
    }

    /// The money of an account for free bets.
    pub fn bonus(&self, id: AccountId) -> Option<Minor> {
        self.now().account(id).map(|account| account.bonus)
    }

    /// The one answer to a request that is still remembered, with what has become of it.
    pub fn request(&self, account: u64, key: RequestKey) -> Option<(Answer, Fate, Minor)> {
        self.now().request(account, key)
    }

    /// The market with this name.
    pub fn market_named(&self, name: &str) -> Option<MarketId> {
        self.now().market_named(name)
    }

    /// The feed with this name.
    pub fn feed_named(&self, name: &str) -> Option<FeedId> {
        self.now().feed_named(name)
    }

    /// The fixture with this name.
    pub fn fixture_named(&self, name: &str) -> Option<FixtureId> {
        self.now().fixture_named(name)
    }
}

impl<R: Rules> Drop for View<R> {
    fn drop(&mut self) {
        self.inner.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has told its readers, who saw it stand still.
            let _ = thread.join();
        }
    }
}

/// A state that stands still: everything that can be read of it, at one sequence.
pub struct Book<'a, R: Rules = HouseRules>(MutexGuard<'a, Replayer<R>>);

impl<R: Rules> Deref for Book<'_, R> {
    type Target = State<R>;

    fn deref(&self) -> &State<R> {
        &self.0.state
    }
}

impl<R: Rules> std::fmt::Debug for Book<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book").field("seq", &self.seq()).finish_non_exhaustive()
    }
}
