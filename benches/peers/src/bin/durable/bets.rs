//! The bets that every system gets, and the answers that every system has to give.
//!
//! Connections have accounts of their own, so that every answer follows from the bets alone: an account is debited until it
//! has too little, and a request that comes again gets its first answer and costs nothing.

use std::{collections::HashMap, error::Error};

/// What can go wrong on the way.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// Accounts in all.
pub(crate) const ACCOUNTS: u32 = 1_024;
/// Minor units of every bet.
pub(crate) const STAKE: i64 = 100;
/// What is agreed to, and what is offered: 2.10 in ten-thousandths.
pub(crate) const PRICE_E4: u32 = 21_000;
/// One request of so many is an earlier one again.
const RETRY_EVERY: usize = 16;
/// How many requests before it that one was.
const RETRY_OF: usize = 8;

/// A request for a bet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bet {
    /// Of the request; the same again is a retry.
    pub(crate) key: u64,
    /// From 0.
    pub(crate) account: u32,
}

impl Bet {
    /// On which of three selections.
    pub(crate) fn selection(&self) -> u16 {
        (self.key % 3) as u16
    }
}

/// So many connections, each with one request on its way, of so many bets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// At once.
    pub(crate) connections: u32,
    /// Bets of a request.
    pub(crate) batch: usize,
    /// Requests of a connection.
    pub(crate) requests: usize,
}

impl Shape {
    /// All bets, retries among them.
    pub(crate) fn bets(&self) -> u64 {
        u64::from(self.connections) * (self.requests * self.batch) as u64
    }

    /// What every account has at first: enough for about one bet less than it gets.
    pub(crate) fn balance(&self) -> i64 {
        let each = self.bets() as i64 / i64::from(ACCOUNTS);
        STAKE * (each - each / RETRY_EVERY as i64).max(1)
    }
}

/// What is there at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Bets that were placed, retries not counted.
    pub(crate) placed: u64,
    /// Minor units of all accounts.
    pub(crate) balances: i64,
}

impl Sums {
    /// Of several connections.
    pub(crate) fn add(self, other: Sums) -> Sums {
        Sums { placed: self.placed + other.placed, balances: self.balances + other.balances }
    }
}

/// What one connection asks, and what it has to hear.
pub(crate) struct Script {
    shape: Shape,
    connection: u32,
    dice: u64,
    made: Vec<Bet>,
    /// By key.
    first_answers: HashMap<u64, bool>,
    /// By account.
    balances: HashMap<u32, i64>,
    placed: u64,
}

impl Script {
    pub(crate) fn new(shape: Shape, connection: u32) -> Script {
        let own = (connection..ACCOUNTS).step_by(shape.connections as usize);
        Script {
            shape,
            connection,
            dice: u64::from(connection),
            made: Vec::with_capacity(shape.requests * shape.batch),
            first_answers: HashMap::with_capacity(shape.requests * shape.batch),
            balances: own.map(|account| (account, shape.balance())).collect(),
            placed: 0,
        }
    }

    /// The next request; none after the last.
    pub(crate) fn next(&mut self) -> Option<&[Bet]> {
        let begin = self.made.len();
        if begin == self.shape.requests * self.shape.batch {
            return None;
        }
        for at in begin..begin + self.shape.batch {
            let bet = if at % RETRY_EVERY == RETRY_EVERY - 1 {
                self.made[at - RETRY_OF]
            } else {
                self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let own = ACCOUNTS / self.shape.connections;
                let account = ((u128::from(self.dice) * u128::from(own)) >> 64) as u32;
                let account = self.connection + account * self.shape.connections;
                Bet { key: u64::from(self.connection + 1) << 32 | at as u64, account }
            };
            self.made.push(bet);
        }
        Some(&self.made[begin..])
    }

    /// Whether each bet of the last request was accepted.
    ///
    /// # Errors
    /// An answer is not what it has to be.
    pub(crate) fn answered(&mut self, answers: &[bool]) -> Result<(), Fault> {
        let asked = &self.made[self.made.len() - self.shape.batch..];
        if asked.len() != answers.len() {
            return Err(format!("{} answers to {} bets", answers.len(), asked.len()).into());
        }
        for (bet, answer) in asked.iter().zip(answers) {
            let expected = *self.first_answers.entry(bet.key).or_insert_with(|| {
                let balance = self.balances.get_mut(&bet.account).expect("an account of its own");
                let enough = STAKE <= *balance;
                if enough {
                    *balance -= STAKE;
                    self.placed += 1;
                }
                enough
            });
            if expected != *answer {
                return Err(format!("{bet:?} was answered {answer}, not {expected}").into());
            }
        }
        Ok(())
    }

    /// What its accounts have to come to.
    pub(crate) fn sums(&self) -> Sums {
        Sums { placed: self.placed, balances: self.balances.values().sum() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { connections: 8, batch: 4, requests: 1_000 };

    #[test]
    fn some_bets_are_refused_and_retries_cost_nothing() {
        let mut sums = Sums::default();
        let mut retries = 0;
        for connection in 0..SHAPE.connections {
            let (mut script, mut other) =
                (Script::new(SHAPE, connection), Script::new(SHAPE, connection));
            let mut balance: HashMap<u32, i64> = HashMap::new();
            let mut seen: HashMap<u64, bool> = HashMap::new();
            while let Some(bets) = script.next() {
                let bets = bets.to_vec();
                assert_eq!(other.next(), Some(&bets[..]), "every system gets the same");
                let answer = |bet: &Bet| {
                    let left = balance.entry(bet.account).or_insert(SHAPE.balance());
                    retries += u32::from(seen.contains_key(&bet.key));
                    *seen.entry(bet.key).or_insert_with(|| {
                        *left -= STAKE;
                        0 <= *left
                    })
                };
                let answers: Vec<bool> = bets.iter().map(answer).collect();
                script.answered(&answers).expect("as it has to be");
                let wrong: Vec<bool> = answers.iter().map(|answer| !answer).collect();
                other.answered(&wrong).expect_err("an answer is wrong");
                other.answered(&answers).expect("as it has to be");
            }
            sums = sums.add(script.sums());
        }
        let asked = SHAPE.bets() - u64::from(retries);
        assert_eq!(retries, 2_000);
        assert!(sums.placed < asked && asked / 2 < sums.placed, "{sums:?} of {asked}");
        let all = i64::from(ACCOUNTS) * SHAPE.balance();
        assert_eq!(sums.balances, all - STAKE * sums.placed as i64);
    }
}
