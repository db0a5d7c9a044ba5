//! The day as it is played: the house on one thread, the customers on another, or both in turns with
//! the engine's loop.

use crate::error::CliError;
use crate::matchday::acts::{Act, Acts, Move, What};
use crate::matchday::floor::Floor;
use crate::matchday::gateway::{Day, Due, Gateway, Live};
use crate::matchday::time::DayTime;
use betring::Engine;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// How far ahead of their moments requests go to the customers' thread, in real time: a late thread
/// must not make customers late.
const AHEAD: Duration = Duration::from_millis(50);
/// Requests that go there at once, and how many such chunks may wait.
const CHUNK: usize = 512;
const CHUNKS: usize = 64;

/// What is shown while the day goes on: a bar on a terminal, else a line now and then.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    began: Instant,
    /// None before the first line: it comes at once.
    told: Option<Instant>,
    length_ns: Option<u64>,
    is_quiet: bool,
}

impl Progress {
    /// For a day of this length, where it is known.
    pub(crate) fn new(length_ns: Option<u64>, is_quiet: bool) -> Progress {
        let bar = (!is_quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(length_ns.unwrap_or(0));
            let style = match length_ns {
                Some(_) => "[{bar:10}] {msg}",
                None => "{spinner} {msg}",
            };
            // The template is ours; without it the bar would only be plainer.
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Progress { bar, began: Instant::now(), told: None, length_ns, is_quiet }
    }

    /// Tells how it stands, if it is time to.
    pub(crate) fn tell(&mut self, now_ns: i64, phase: &str, live: &Live) {
        let every = Duration::from_millis(if self.bar.is_some() { 100 } else { 2_000 });
        let now = Instant::now();
        if self.is_quiet || self.told.is_some_and(|told| now.duration_since(told) < every) {
            return;
        }
        self.told = Some(now);
        let [asked, answered, accepted, refused] =
            [&live.asked, &live.answered, &live.accepted, &live.refused]
                .map(|n| betring_benches::recorder::Count(n.load(Ordering::Relaxed)));
        let seconds = now_ns.max(0) as f64 / 1e9;
        let text = format!(
            "{seconds:6.1} s  {phase:<10}  {asked} asked, {answered} answered, {accepted} accepted, \
             {refused} refused"
        );
        match &self.bar {
            Some(bar) => {
                if self.length_ns.is_some() {
                    bar.set_position(u64::try_from(now_ns).unwrap_or(0));
                }
                bar.set_message(text);
                bar.tick();
            }
            None => eprintln!("  {text}"),
        }
    }

    /// Takes the bar away; how long it was there.
    pub(crate) fn done(self) -> Duration {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.began.elapsed()
    }
}

/// Everything that a day is played with, but the customers.
pub(crate) struct Stage<'a> {
    acts: &'a mut Acts,
    floor: &'a mut Floor,
    time: DayTime,
    live: Arc<Live>,
    /// No act behind this moment is played.
    until_ns: u64,
    progress: &'a mut Progress,
    parts: Vec<String>,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(
        acts: &'a mut Acts,
        floor: &'a mut Floor,
        day: &Day,
        until_ns: u64,
        progress: &'a mut Progress,
    ) -> Stage<'a> {
        let parts = acts.phases().into_iter().map(|part| part.name).collect();
        let (time, live) = (day.time.clone(), Arc::clone(&day.live));
        Stage { acts, floor, time, live, until_ns, progress, parts }
    }

    fn tell(&mut self, now_ns: i64, phase: usize) {
        let name = self.parts.get(phase).map_or("", String::as_str);
        self.progress.tell(now_ns, name, &self.live);
    }

    /// Plays on the engine's own threads: customers on one more, the house on this one.
    pub(crate) fn threaded(mut self, gateway: Gateway) -> Result<Gateway, CliError> {
        std::thread::scope(|scope| {
            let (to_customers, due) = sync_channel::<Vec<Due>>(CHUNKS);
            let customers = scope.spawn(move || gateway.run(&due));
            let played = self.house(&to_customers, &|| !customers.is_finished());
            drop(to_customers);
            let gateway = match customers.join() {
                Ok(gateway) => gateway,
                // What a thread of ours panicked with is ours to show.
                Err(panic) => std::panic::resume_unwind(panic),
            };
            // The customers' trouble comes first: it is the cause where both have some.
            let gateway = gateway?;
            played?;
            Ok(gateway)
        })
    }

    /// Makes the moves when they are due, and sends the asks ahead, for as long as customers are there.
    fn house(
        &mut self,
        to_customers: &SyncSender<Vec<Due>>,
        are_there: &dyn Fn() -> bool,
    ) -> Result<(), CliError> {
        let until_ns = self.until_ns;
        let ahead_ns = (AHEAD.as_nanos() as f64 * self.time.speed()) as i64;
        let mut moves = VecDeque::new();
        let mut chunk: Vec<Due> = Vec::with_capacity(CHUNK);
        let mut next: Option<Act> = self.acts.next().filter(|act| act.at_ns <= until_ns);
        let (mut phase_now, mut is_opening) = (0, false);
        loop {
            let now = self.time.now_ns();
            // Reads ahead in chunks; while the customers' thread has no room, nothing more is read.
            // Nor is anything behind a market that is still to be defined or opened: nobody bets on it
            // before, however fast the day is played.
            loop {
                let soon = |act: &mut Act| act.at_ns as i64 <= now.saturating_add(ahead_ns);
                while chunk.len() < CHUNK
                    && !is_opening
                    && let Some(Act { at_ns, phase, what }) = next.take_if(soon)
                {
                    is_opening =
                        matches!(what, What::Move(Move::Define { .. } | Move::Open { .. }));
                    match what {
                        What::Move(it) => moves.push_back((at_ns, phase, it)),
                        What::Ask(ask) => chunk.push(Due { at_ns, phase, ask }),
                    }
                    next = self.acts.next().filter(|act| act.at_ns <= until_ns);
                }
                let is_full = chunk.len() == CHUNK;
                if !send(&mut chunk, to_customers) || !is_full {
                    break;
                }
            }
            self.floor.listen()?;
            while let Some((at_ns, phase, it)) = moves.front()
                && *at_ns as i64 <= now
            {
                phase_now = *phase;
                self.floor.make(*at_ns, it)?;
                moves.pop_front();
            }
            is_opening &= !moves.is_empty();
            if next.is_none() && moves.is_empty() && chunk.is_empty() {
                return Ok(());
            }
            self.tell(now, phase_now);
            if !are_there() {
                // The customers' thread has ended: it says why.
                return Ok(());
            }
            const NAP: Duration = Duration::from_millis(1);
            if moves.front().is_none_or(|(at_ns, ..)| self.time.now_ns() < *at_ns as i64) {
                std::thread::sleep(NAP);
            }
        }
    }

    /// Plays without threads: every act at its moment, a turn of the loop behind each.
    pub(crate) fn stepped(
        mut self,
        engine: &Engine,
        mut gateway: Gateway,
    ) -> Result<Gateway, CliError> {
        while let Some(Act { at_ns, phase, what }) = self.acts.next() {
            if self.until_ns < at_ns {
                break;
            }
            self.time.step_to(at_ns);
            let at = i64::try_from(at_ns).unwrap_or(i64::MAX);
            match what {
                What::Move(it) => {
                    self.floor.listen()?;
                    self.floor.make(at_ns, &it)?;
                }
                What::Ask(ask) => gateway.add(at, phase, ask),
            }
            gateway.catch_up(at)?;
            engine.turn()?;
            gateway.read()?;
            self.tell(at, phase);
        }
        // Whoever still thinks decides, and everything is answered.
        while let Some(next) = gateway.thinks_until() {
            self.time.step_to(u64::try_from(next).unwrap_or(0));
            gateway.catch_up(next)?;
            engine.run_until_idle()?;
            gateway.read()?;
        }
        engine.run_until_idle()?;
        gateway.read()?;
        Ok(gateway)
    }
}

/// Whether nothing is left to be sent.
fn send(chunk: &mut Vec<Due>, to: &SyncSender<Vec<Due>>) -> bool {
    if chunk.is_empty() {
        return true;
    }
    match to.try_send(std::mem::take(chunk)) {
        Ok(()) => true,
        Err(TrySendError::Full(back)) => {
            *chunk = back;
            false
        }
        // The other side has ended, and its end is noticed elsewhere.
        Err(TrySendError::Disconnected(_)) => true,
    }
}
