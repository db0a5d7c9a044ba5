//! A provider's news come late, twice, wrong, and in any order: every order leaves the same balances.

use crate::drill::scene::{self, Became, prove};
use crate::drill::timeline::{On, Phase, Story};
use crate::error::CliError;
use betring::{
    AccountId, BetId, BetWindow, Capacities, Client, Clock, Config, Control, Cores, Currency,
    Deposit, Engine, Error, HouseRules, Layout, Level, Market, Nanos, Outcome, Place, Reference,
    Reject, RequestKey, ResultTerms, SelectionOutcome, Timestamp, View, key, money, price,
};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

const START: Timestamp = Timestamp(1_760_000_000 * 1_000_000_000);
/// How long the news are apart.
const APART: Nanos = Nanos::from_millis(100);

/// What comes late, with the moment at which the provider says that it knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// The result as it was seen first: home.
    First,
    /// The result after the video was looked at: away.
    Second,
    /// Bets placed after the goal are void.
    Window,
    /// One bet is void, whatever the result.
    Void,
    /// Both home and away have won: a slip of the hand.
    TwoWinners,
}

const ALL: [News; 5] = [News::First, News::Second, News::Window, News::Void, News::TwoWinners];
/// All their orders: 5 · 4 · 3 · 2.
const ORDERS: usize = 120;

/// The order of this number, from 0: in all of them each piece of news comes once.
fn order(number: usize) -> Vec<News> {
    let mut left = ALL.to_vec();
    let mut rest = number;
    let next = |count| {
        let at = rest % count;
        rest /= count;
        left.remove(at)
    };
    (1..=ALL.len()).rev().map(next).collect()
}

/// Plays it. The order of news is what it is about, not how long they take: journal time always.
pub(crate) fn play(_: On) -> Result<Story, CliError> {
    let mut story = Story::new(
        "late-event",
        "results, voids and payments come late, twice, and in every order",
        On::Journal,
        START,
    );
    let scratch = scene::scratch(true)?;
    let mut first: Option<Vec<i64>> = None;
    let (mut different, mut twice, mut two_winners) = (Vec::new(), 0, 0);
    for number in 0..ORDERS {
        let book = scratch.0.join(format!("order-{number}"));
        let told = (number == 0).then_some(&mut story);
        let night = Night::play(&book, &order(number), number, told)?;
        twice += u64::from(night.paid_twice);
        two_winners += night.two_winners;
        match &first {
            None => {
                prove(&book, &night.asked, &mut story)?;
                first = Some(night.balances);
            }
            Some(balances) if *balances != night.balances => {
                different.push(format!("{:?}: {:?}", order(number), night.balances));
            }
            Some(_) => (),
        }
        std::fs::remove_dir_all(&book)
            .map_err(|e| CliError::io("cannot remove the journal", &book, &e))?;
    }
    story.check(
        "every order of the news leaves the same balances",
        different.is_empty(),
        match different.first() {
            None => format!("{ORDERS} orders, balances {:?} in pence", first.unwrap_or_default()),
            Some(order) => format!("{} of {ORDERS} differ: {order}", different.len()),
        },
    );
    story.check(
        "a payment that is told twice is paid in once",
        twice == 0,
        format!("{ORDERS} told twice, {twice} paid in twice"),
    );
    story.check(
        "a result with two winners settles nothing",
        two_winners == ORDERS as u64,
        format!("{two_winners} of {ORDERS} refused: {}", Reject::TooManyWinners),
    );
    Ok(story)
}

/// One order of the news.
struct Night {
    /// What every customer has at the end, in pence.
    balances: Vec<i64>,
    asked: HashMap<RequestKey, Became>,
    paid_twice: bool,
    two_winners: u64,
}

impl Night {
    fn play(
        book: &Path,
        news: &[News],
        number: usize,
        mut story: Option<&mut Story>,
    ) -> Result<Night, CliError> {
        let clock = Clock::manual(START);
        let engine = Engine::open(config(book, &clock))?;
        let mut trader = engine.control("trader:anna")?;
        let mut client = engine.client_at(64, Level::ProcessCrashOnly)?;
        let mut accounts = Vec::new();
        for reference in 1..=4 {
            let account = client.open_account(Reference(reference), Currency::GBP)?;
            client.deposit(account, money!(100.00), key(1))?;
            accounts.push(account);
        }
        let market = trader.define_market("Arsenal-Chelsea 1X2", ["home", "draw", "away"])?;
        trader.set_prices(&market, [price!(2.10), price!(3.40), price!(3.75)])?;
        trader.open_market(&market)?;
        let mut asked = HashMap::new();
        let mut bet = |client: &mut Client, who: usize, name: &str| -> Result<BetId, CliError> {
            placed(client, (&market, name), accounts[who], &mut asked)
        };
        bet(&mut client, 0, "home")?;
        bet(&mut client, 1, "away")?;
        let void = bet(&mut client, 2, "away")?;
        bet(&mut client, 2, "draw")?;
        clock.advance(APART);
        let goal = engine.now();
        // Whoever saw it first bets on away, at the price of before.
        bet(&mut client, 3, "away")?;
        bet(&mut client, 0, "draw")?;
        trader.close_market(&market)?;

        let payment = Deposit::new(accounts[1], money!(25.00)).key(key(99));
        let payment = payment.valid_until(engine.now().plus(Nanos::from_secs(60)));
        let mut two_winners = 0;
        if let Some(story) = story.as_deref_mut() {
            let what = "says nothing for a while, then everything at once, some of it twice";
            story.phase(engine.now(), Phase::Fault, "provider", what);
        }
        for (at, piece) in news.iter().enumerate() {
            clock.advance(APART);
            // The payment is told at one place, and again at another.
            if at == number % news.len() || at == (number / news.len()) % news.len() {
                pay(&mut client, payment)?;
            }
            let heard = engine.now();
            let said = tell(&mut trader, *piece, &market, goal, void)?;
            engine.run_until_idle()?;
            two_winners += u64::from(said == Said::Refused(Reject::TooManyWinners));
            if let Some(story) = story.as_deref_mut() {
                let now = engine.now();
                match said {
                    Said::Refused(reject) => {
                        let what = format!("{piece:?}: refused, {reject}");
                        story.phase(now, Phase::Detect, "engine", what);
                    }
                    Said::Settles => {
                        // What is news to the house is seen with it.
                        let what = format!("{piece:?}: known from now on");
                        story.phase(heard, Phase::Detect, "engine", what);
                        let what = format!("{piece:?}: settles what it changes");
                        story.phase(now, Phase::Act, "engine", what);
                    }
                    Said::Noted => {
                        let what = format!("{piece:?}: older than what is known, noted");
                        story.phase(now, Phase::Detect, "engine", what);
                    }
                }
            }
        }
        // Told once more at the end, in every order.
        pay(&mut client, payment.retry())?;
        if let Some(story) = story {
            let what = "every bet is settled as the last word of the provider says";
            story.phase(engine.now(), Phase::Recover, "engine", what);
        }
        drop((trader, client));
        engine.shutdown()?;
        let view = View::open(book, HouseRules)?;
        let state = view.now();
        let balance = |account: &AccountId| state.account(*account).map_or(0, |a| a.balance.0);
        let balances: Vec<i64> = accounts.iter().map(balance).collect();
        // The second customer won 37.50 with a stake of 10.00, and paid 25.00 in, once.
        let paid_twice = balances[1] == 10_000 + 2_750 + 2 * 2_500;
        Ok(Night { balances, asked, paid_twice, two_winners })
    }
}

/// A bet of 10.00 that is taken.
fn placed(
    client: &mut Client,
    (market, name): (&Market, &str),
    account: AccountId,
    asked: &mut HashMap<RequestKey, Became>,
) -> Result<BetId, CliError> {
    let key = key(100 + asked.len() as u128);
    let place = Place::single(account, market.selection(name), money!(10.00)).any_price().key(key);
    let ticket = client.try_submit(place).map_err(Error::from)?;
    match client.wait(ticket, Duration::from_secs(10)) {
        Outcome::Accepted(bet) => {
            asked.insert(key, Became::Accepted(bet.id));
            Ok(bet.id)
        }
        other => Err(CliError::new(
            format_args!("a bet of the drill was not accepted: {other}"),
            "the drill",
            "run it again; if it happens again, this program is at fault",
        )),
    }
}

fn pay(client: &mut Client, payment: Deposit) -> Result<(), CliError> {
    let ticket = client.try_submit(payment).map_err(Error::from)?;
    match client.wait(ticket, Duration::from_secs(10)) {
        Outcome::Done(_) => Ok(()),
        other => Err(CliError::new(
            format_args!("a payment of the drill was not taken: {other}"),
            "the drill",
            "run it again; if it happens again, this program is at fault",
        )),
    }
}

/// What came of a piece of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// Bets are settled, or settled otherwise.
    Settles,
    /// It is known, and changes nothing.
    Noted,
    /// It cannot be.
    Refused(Reject),
}

fn tell(
    trader: &mut Control,
    news: News,
    market: &Market,
    goal: Timestamp,
    void: BetId,
) -> Result<Said, CliError> {
    let [win, lose] = [SelectionOutcome::Win, SelectionOutcome::Lose];
    let result = |outcomes: [SelectionOutcome; 3], source: i64| {
        ResultTerms::new(market, outcomes).source(Timestamp(START.0 + source))
    };
    let told = match news {
        News::First => trader.give_result(result([win, lose, lose], 100)).map(|job| job.is_some()),
        News::Second => trader.give_result(result([lose, lose, win], 200)).map(|job| job.is_some()),
        News::TwoWinners => {
            trader.give_result(result([win, lose, win], 300)).map(|job| job.is_some())
        }
        News::Window => {
            trader.cancel_bets(market, BetWindow::all().from(goal)).map(|job| job.is_some())
        }
        News::Void => trader.cancel_bet(void, true).map(|_| true),
    };
    match told {
        Ok(true) => Ok(Said::Settles),
        Ok(false) => Ok(Said::Noted),
        Err(Error::Refused(refusal)) => Ok(Said::Refused(refusal.reject)),
        Err(error) => Err(error.into()),
    }
}

fn config(book: &Path, clock: &Clock) -> Config {
    Config::at(book)
        .clock(clock.clone())
        .layout(Layout::Inline)
        .cores(Cores::Unpinned)
        .capacities(Capacities {
            accounts: 8,
            markets: 2,
            selections: 8,
            bets: 32,
            keys: 64,
            feeds: 1,
            fixtures: 1,
            actors: 4,
            currencies: 1,
            quarantined: 1,
            legs: 32,
            groups: 1,
            limited: 1,
            orders: 1,
            positions: 1,
            stands: 1,
            levels: 1,
        })
        .secret([7; 16])
        .control_ring(256)
        .bet_ring(256)
        .clients(4, 64)
        .segment_bytes(1 << 20)
        .segments_ahead(0)
        .snapshot_at_stop(0)
        .outputs_level(Level::ProcessCrashOnly)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_late_news_leaves_the_same_balances() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
    }

    #[test]
    fn the_orders_are_all_there_are() {
        let mut all: Vec<String> = (0..ORDERS).map(|n| format!("{:?}", order(n))).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), ORDERS);
        let of = order(77);
        assert!(ALL.iter().all(|news| of.contains(news)), "{of:?}");
    }
}
