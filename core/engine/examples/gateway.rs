//! A gateway for an asynchronous backend: thousands of tasks place bets over one connection.
//!
//! The loop never wakes anybody: waking a task is a system call, and may run somebody else's code. A
//! dispatcher thread owns the connection; it sends what tasks ask, reads the replies, and wakes the task
//! that waits. Everything here works with any executor; the small one below needs none.
//!
//! Run it: `cargo run --release -p betring --example gateway`

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use betring::*;

/// Requests that wait for the dispatcher. Beyond it a task is told to come again.
const QUEUE: usize = 1024;

/// What one task waits for.
#[derive(Default)]
struct Waiting {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

type Shared = Arc<Mutex<Waiting>>;

fn finish(waiting: &Shared, outcome: Outcome) {
    let waker = {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.outcome = Some(outcome);
        waiting.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The answer to one request, for a task to wait for.
struct Answered(Shared);

impl Future for Answered {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The door for tasks. Clones go through the same connection.
#[derive(Clone)]
struct Gateway {
    queue: SyncSender<(Place, Shared)>,
}

impl Gateway {
    /// Starts the dispatcher, which owns the connection until the last door is dropped.
    fn start(client: Client) -> std::io::Result<(Gateway, JoinHandle<()>)> {
        let (queue, asked) = sync_channel(QUEUE);
        let dispatcher = std::thread::Builder::new()
            .name("gateway-dispatcher".into())
            .spawn(move || dispatch(client, asked))?;
        Ok((Gateway { queue }, dispatcher))
    }

    /// Places a bet.
    ///
    /// # Errors
    /// [`NotTaken`]: this attempt will never execute.
    async fn place(&self, place: Place) -> Result<Outcome, NotTaken> {
        let waiting = Shared::default();
        match self.queue.try_send((place, waiting.clone())) {
            Ok(()) => Ok(Answered(waiting).await),
            Err(TrySendError::Full(_)) => Err(NotTaken::Overloaded(Busy::RING_FULL)),
            Err(TrySendError::Disconnected(_)) => Err(NotTaken::Closed),
        }
    }
}

fn dispatch(mut client: Client, asked: Receiver<(Place, Shared)>) {
    let mut waiting: HashMap<Token, (Shared, Request)> = HashMap::with_capacity(client.credit());
    let mut held: Option<(Place, Shared)> = None;
    let mut replies = [Reply::default(); 256];
    let mut open = true;
    while open || !waiting.is_empty() || held.is_some() {
        let mut idle = true;
        // As much as the credit allows; the rest stays in the queue, which is bounded.
        while client.in_flight() < client.credit() {
            let next = match held.take() {
                Some(next) => next,
                None => match asked.try_recv() {
                    Ok(next) => next,
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        open = false;
                        break;
                    }
                },
            };
            idle = false;
            match client.try_submit(next.0) {
                Ok(ticket) => drop(waiting.insert(ticket.token, (next.1, ticket.request))),
                Err(NotTaken::TooManyInFlight { .. } | NotTaken::Overloaded(_)) => {
                    held = Some(next);
                    break;
                }
                // The engine has gone: nobody knows of this one, and it was never sent.
                Err(_) => finish(&next.1, Outcome::Unknown(Request::default())),
            }
        }
        let count = client.poll(&mut replies);
        for reply in &replies[..count] {
            if let Some((task, _)) = waiting.remove(&reply.token) {
                finish(&task, Outcome::of(reply));
            }
        }
        if client.has_ended() && count == 0 {
            for (_, (task, request)) in waiting.drain() {
                finish(&task, Outcome::Unknown(request));
            }
        }
        if idle && count == 0 {
            // A real gateway would spin for a while first: this one shares two cores with the loop.
            std::thread::sleep(Duration::from_micros(20));
        }
    }
}

/// Wakes a thread: the smallest executor there is.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let book = std::env::temp_dir().join(format!("betring-gateway-{}", std::process::id()));
    let engine = Engine::open(Config::at(&book))?;
    let mut trader = engine.control("trader:anna")?;
    let market = trader.define_market("ENG-SCO 1X2", ["England", "Draw", "Scotland"])?;
    trader.set_prices(&market, [price!(2.10), price!(3.40), price!(3.75)])?;
    trader.open_market(&market)?;
    let mut client = engine.client(1024)?;
    let account = client.open_account(Reference(1001), Currency::GBP)?;
    client.deposit(account, money!(10000.00), key(1))?;

    let (gateway, dispatcher) = Gateway::start(client)?;
    let tasks: Vec<_> = (0..4_u128)
        .map(|task| {
            let (gateway, england) = (gateway.clone(), market.selection("England"));
            std::thread::spawn(move || {
                block_on(async {
                    let mut accepted = 0;
                    for n in 0..250 {
                        let place = Place::single(account, england, money!(1.00))
                            .seen_at(price!(2.10))
                            .key(key(2 + task * 1_000 + n));
                        match gateway.place(place).await {
                            Ok(Outcome::Accepted(_)) => accepted += 1,
                            Ok(other) => println!("{other}"),
                            Err(not_taken) => println!("{not_taken}"),
                        }
                    }
                    accepted
                })
            })
        })
        .collect();
    let mut accepted = 0;
    for task in tasks {
        accepted += task.join().map_err(|_| "a task panicked")?;
    }
    drop(gateway);
    dispatcher.join().map_err(|_| "the dispatcher panicked")?;
    println!("{accepted} of 1000 bets accepted over one connection");
    println!("{}", engine.shutdown()?);
    std::fs::remove_dir_all(&book)?;
    if accepted == 1000 { Ok(()) } else { Err("every bet is accepted".into()) }
}
