//! Commands of a night: written as a script, which checks the whole state after each, then decided once more in a fresh
//! state from their bytes, which is what is measured: decoding, the look-up of the key, every gate, ledger and events.
//!
//! Rows are what customers and feeds send, what traders do while a match is played, and the turns of long work.
//! [`LEFT_OUT`] has what is not measured, with the reason.

use crate::decide::decide;
use crate::row;
use betring_core::answer::AnswerKind;
use betring_core::command::Kind;
use betring_core::event::Events;
use betring_core::script::{Record, Runner};
use betring_core::{HouseRules, State};
use betring_pricing::derive::football;
use std::collections::BTreeMap;
use std::hint::black_box;

/// Set once a day, or by hand when something is wrong: nobody waits for them, and they are short.
const LEFT_OUT: &[Kind] = &[
    Kind::Genesis,
    Kind::EpochOpened,
    Kind::Quarantine,
    Kind::RegisterActor,
    Kind::DefineFeed,
    Kind::WithdrawSelection,
    Kind::SetLimits,
    Kind::BlockAccount,
    Kind::LiftQuarantine,
    Kind::PublishRules,
    Kind::FreezeCashOut,
    Kind::CancelBets,
    Kind::CancelBet,
    Kind::CorrectPrice,
    Kind::Adjust,
    Kind::GrantBonus,
    Kind::DefineGroup,
    Kind::SwitchFeed,
    Kind::SetTier,
    Kind::AssignTier,
    Kind::SetFeedSchema,
    Kind::SetStakeFactor,
    Kind::SetAccountLimit,
    Kind::ExcludeAccount,
    Kind::SetShedding,
    Kind::SetExchange,
    Kind::SetDiscount,
    Kind::LapseOrders,
];

/// The row whose requests come a second time.
const SINGLE: &str = "Place, a single";

/// Plays the night; every row so many times.
pub(super) fn play(times: u32) {
    let mut night = Night::new();
    night.write(times);
    let report = night.runner.finish().expect("it replays to the same");
    let row_of = |record: &Record| night.rows.get(&record.seq.0).copied();
    let measured: Vec<Kind> = report
        .records
        .iter()
        .filter(|record| row_of(record).is_some())
        .filter_map(Record::kind)
        .collect();
    for kind in Kind::ALL {
        let (row, out) = (measured.contains(kind), LEFT_OUT.contains(kind));
        assert!(row != out, "{kind} has a row or a reason to have none");
    }

    let mut state = State::new(HouseRules);
    let mut events = Events::new();
    for run in report.records.chunk_by(|one, next| row_of(one) == row_of(next)) {
        let decided = |state: &mut State<HouseRules>, events: &mut Events| {
            let mut duplicates = 0;
            for record in run {
                let reply = decide(state, events, record.at, black_box(&record.command));
                duplicates += u32::from(reply.is_duplicate());
            }
            duplicates
        };
        let Some(Row { name, units }) = row_of(&run[0]) else {
            decided(&mut state, &mut events);
            continue;
        };
        let count = run.len() as u32;
        row(name, count * units, || assert_eq!(decided(&mut state, &mut events), 0));
        if name == SINGLE {
            let again = || assert_eq!(decided(&mut state, &mut events), count);
            row("Place, a retry", count, again);
        }
    }
    assert_eq!(state.check(), Ok(()));
    assert_eq!(state.digest().to_string(), report.digest, "it was decided as in the script");
}

/// What the record of a line is counted as.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Row {
    name: &'static str,
    /// How many things the command does.
    units: u32,
}

/// A script as it is written.
struct Night {
    runner: Runner<HouseRules>,
    /// By sequence: records that are measured.
    rows: BTreeMap<u64, Row>,
    keys: u32,
    /// The bets that have labels.
    bets: Vec<u64>,
    orders: u32,
}

impl Night {
    fn new() -> Night {
        let runner = Runner::new(HouseRules);
        Night { runner, rows: BTreeMap::new(), keys: 0, bets: Vec::new(), orders: 0 }
    }

    /// A line that is not measured.
    fn line(&mut self, line: &str) {
        let reply = self.runner.line(line).unwrap_or_else(|it| panic!("{}: {}", it.text, it.what));
        let Some(answer) = reply.map(|reply| reply.answer) else { return };
        match answer.kind() {
            AnswerKind::Accepted | AnswerKind::Offered | AnswerKind::Pending
                if !self.bets.contains(&answer.id) =>
            {
                self.bets.push(answer.id);
            }
            AnswerKind::Ordered => self.orders += 1,
            _ => (),
        }
    }

    fn lines(&mut self, lines: &str) {
        lines.lines().for_each(|line| self.line(line));
    }

    fn seq(&self) -> u64 {
        self.runner.state().map_or(0, |state| state.seq().0)
    }

    /// A line whose command is measured, as so many.
    fn one(&mut self, name: &'static str, units: u32, line: &str) {
        let seq = self.seq() + 1;
        self.line(line);
        assert!(seq <= self.seq(), "{line}: it is sequenced");
        self.rows.insert(seq, Row { name, units });
    }

    /// Lines of which each is measured as one; a line is made of its number, from 1, and a new key.
    fn row(&mut self, name: &'static str, times: u32, line: impl Fn(u32, &str) -> String) {
        for number in 1..=times {
            let key = self.key();
            self.one(name, 1, &line(number, &key));
        }
    }

    /// Steps until nothing is left to do; together they do so many things.
    fn work(&mut self, name: &'static str, units: u32) {
        let mut units = units;
        while self.runner.state().is_some_and(State::has_work) {
            self.one(name, std::mem::take(&mut units), "step 64");
        }
        assert_eq!(units, 0, "{name}: there was something to do");
    }

    fn key(&mut self) -> String {
        self.keys += 1;
        format!("R{}", self.keys)
    }

    fn bets(&self) -> u32 {
        self.bets.len() as u32
    }

    fn write(&mut self, times: u32) {
        self.begin(times);
        self.customers(times);
        self.bets_of_a_night(times);
        self.exchange(times);
        self.model(times);
        self.results(times);
        self.delayed(times);
        self.forget();
    }

    fn begin(&mut self, times: u32) {
        self.lines(
            "house accounts 128 markets 256 selections 1024 bets 1024 keys 4096 legs 4096 limited 64 fixtures 64
            feed F1 silence 1m
            recovered F1
            fixture X100",
        );
        self.row("DefineFixture", times, |n, _| format!("fixture X{n}"));
        self.row("DefineMarket, 3 selections", times, |n, _| {
            format!("market M{n} \"Home - Away {n}\" Home Draw Away feed F1 fixture X{n}")
        });
        for n in 1..=times {
            self.line(&format!("prices M{n} 2.10 3.40 3.75"));
        }
        self.row("OpenMarket", times, |n, _| format!("open M{n}"));
        self.row("SetPrices, 3 prices", times, |n, _| format!("prices M{n} 2.12 3.35 3.80"));
        self.row("FeedHeartbeat", times, |_, _| "heartbeat F1".to_owned());
        for n in 1..=times {
            self.one("FeedGap", 1, "gap F1");
            self.one("FeedRecovering", 1, &format!("recovering F1 request {n}"));
            self.line("prices M1 2.10 3.40 3.75");
            self.one("FeedRecovered", 1, &format!("recovered F1 request {n}"));
        }
        for n in 1..=times {
            self.line(&format!("prices M{n} 2.10 3.40 3.75"));
        }
        for n in 1..=times {
            self.one("Suspend", 1, &format!("suspend M{n} trader"));
            self.one("Release", 1, &format!("release M{n} trader"));
        }
        for n in 1..=times {
            self.one("TraderPrice", 1, &format!("pin M{n}/Draw 3.45"));
            self.one("TraderPrice", 1, &format!("unpin M{n}/Draw"));
        }
    }

    fn customers(&mut self, times: u32) {
        self.row("OpenAccount", times, |n, _| format!("account A{n}"));
        self.row("Deposit", times, |n, key| format!("deposit {key} A{n} 50000.00"));
        self.row("Withdraw", times, |n, key| format!("withdraw {key} A{n} 10.00"));
        self.row("SetOwnLimit", times, |n, key| format!("own-limit {key} A{n} stake day 40000.00"));
        self.row("Resolve", times, |n, key| format!("resolve A{n} {key}"));
        self.line("account A100");
        self.row("ExcludeSelf", times, |n, key| format!("exclude-self {key} A100 until @{n}h"));
    }

    fn bets_of_a_night(&mut self, times: u32) {
        self.row(SINGLE, times, |n, key| format!("place {key} A{n} M1/{} 1.00 any", 1 + n % 3));
        self.row("Place, refused", times, |n, key| {
            format!("place {key} A{n} M1/1 1.00 9.00 -> PriceMoved")
        });
        self.row("PlaceTicket, a Yankee", times, |n, key| {
            format!("ticket {key} A{n} yankee 0.10 M3/1 M4/2 M5/3 M6/1 any")
        });

        self.line("rules offers on-failure offer ttl 5m refer 300% refer-ttl 5m");
        let first = self.bets() + 1;
        self.row("Place, offered", 2 * times, |n, key| {
            format!("place {key} A{} M2/1 1.00 9.00 -> offer", 1 + n % times)
        });
        self.row("AcceptOffer", times, |n, key| {
            format!("accept {key} A{} B{}", 1 + n % times, first + n - 1)
        });
        let accepted = first;
        let first = first + times;
        self.row("DeclineOffer", times, |n, key| {
            format!("decline {key} A{} B{}", 1 + n % times, first + n - 1)
        });
        self.row("SetAutoCashOut", times, |n, key| {
            format!("auto-cash-out {key} A{} B{} 5.00", 1 + n % times, accepted + n - 1)
        });
        self.row("CashOut", times, |n, key| {
            format!("cash-out {key} A{} B{} any", 1 + n % times, accepted + n - 1)
        });

        self.line("limits M7 GBP max 10.00");
        let first = self.bets() + 1;
        self.row("Place, referred", times, |n, key| {
            format!("place {key} A{n} M7/1 20.00 any -> pending")
        });
        self.row("AnswerReferral", times, |n, key| {
            format!("referral B{} accept key {key}", first + n - 1)
        });

        self.line("account A101 wallet");
        let first = self.bets() + 1;
        self.row("Place, of an external wallet", 2 * times, |_, key| {
            format!("place {key} A101 M7/2 1.00 any -> pending")
        });
        self.row("ConfirmHold", times, |n, _| format!("confirm B{} 1.00", first + n - 1));
        let first = first + times;
        self.row("ReleaseHold", times, |n, _| format!("release-hold B{}", first + n - 1));
    }

    fn exchange(&mut self, times: u32) {
        self.lines(
            "market M100 Race A B exchange
            exchange M100 GBP commission 5%
            open M100",
        );
        let first = self.orders + 1;
        let rests = |n: u32, key: &str| format!("order {key} A{n} M100 back A 2.00 3.00 -> order");
        self.row("PlaceOrders, one that rests", times, rests);
        let next = |n: u32| 1 + n % times;
        self.row("UpdateOrders", times, |n, key| {
            format!("update-orders {key} A{n} M100 O{}:persist", first + n - 1)
        });
        self.row("PlaceOrders, one that is matched", times, |n, key| {
            format!("order {key} A{} M100 lay A 2.00 3.00 -> order", next(n))
        });
        let first = self.orders + 1;
        for n in 1..=times {
            let key = self.key();
            self.line(&rests(n, &key));
        }
        self.row("ReplaceOrders", times, |n, key| {
            format!("replace-orders {key} A{n} M100 O{}:3.50", first + n - 1)
        });
        let first = first + times;
        self.row("CancelOrders", times, |n, key| {
            format!("cancel-orders {key} A{n} M100 O{}", first + n - 1)
        });
    }

    /// A match with all that a model prices.
    fn model(&mut self, times: u32) {
        let markets: Vec<(usize, usize)> =
            football::Market::all().map(|(_, places)| places.len()).enumerate().collect();
        for (at, selections) in &markets {
            let names: Vec<String> = (1..=*selections).map(|n| format!("S{n}")).collect();
            let names = names.join(" ");
            self.line(&format!("market M{} {at} {names} feed F1 fixture X100", 110 + at));
            self.line(&format!("open M{}", 110 + at));
        }
        self.row("Reprice, 236 prices", times, |n, _| {
            let of = |(at, selections): &(usize, usize)| {
                let price = |place| format!(" 2.{:02}", (10 * place + n as usize) % 100);
                let prices: String = (0..*selections).map(price).collect();
                format!("M{}{prices}", 110 + at)
            };
            let all: Vec<String> = markets.iter().map(of).collect();
            format!("reprice X100 feed F1 {}", all.join(" + "))
        });
    }

    fn results(&mut self, times: u32) {
        self.line("manual steps");
        for _ in 0..times / 4 {
            self.one("MarketResult", 1, "result M1 Home");
            self.work("Step, a bet settled", times);
            self.line("market M1 -> Settled");
            self.one("RollbackResult", 1, "rollback M1");
            self.work("Step, a bet opened again", times);
        }
        self.line("result M1 Home");
        self.line("auto steps");
        self.line("result M3 Home");
        self.line("manual steps");
        self.one("ArchiveMarket", 1, "archive M1");
        self.work("Step, a bet archived", times);
        self.line("result M100 A");
        self.work("Step, an order settled", 4 * times);
        self.line("market M100 -> Settled");
        self.line("auto steps");
    }

    fn delayed(&mut self, times: u32) {
        self.row("SetInPlay", times / 2, |_, _| "in-play M8 5s".to_owned());
        self.line("manual steps");
        self.row("Place, delayed", times, |n, key| {
            format!("place {key} A{n} M8/1 1.00 any -> pending")
        });
        self.line("@+5s heartbeat F1");
        self.one("Tick", 1, "tick");
        self.work("Step, a delayed bet decided", times);
        self.line(&format!("bet B{} -> Open", self.bets()));
        self.line("auto steps");
        self.row("CloseMarket", times - 3, |n, _| format!("close M{}", 3 + n));
    }

    fn forget(&mut self) {
        let kept = |night: &Night| night.runner.state().map_or(0, State::keys_kept);
        self.line("manual steps");
        self.line("@+20m tick");
        let before = kept(self);
        self.work("Step, a key forgotten", before);
        assert!(100 < before && kept(self) == 0, "all keys are over");
        self.line("auto steps");
    }
}
