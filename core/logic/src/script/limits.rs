//! The verbs of external wallets, own limits, exclusions, factors and shedding; what may be lost where.

use super::verbs::currency;
use super::words::{self, Unreadable, Words};
use super::{Envelope, Runner, START, Said, Stop, money, since_start};
use crate::command::*;
use crate::id::*;
use crate::rules::Rules;
use crate::shed::Shedding;
use crate::time::Timestamp;
use crate::wire::Minor;

impl<R: Rules> Runner<R> {
    /// `confirm B1 10.00 [reference 7]`: the wallet holds the stake.
    pub(super) fn confirm(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let reference = words.option("reference")?.map_or(Ok(0), |r| words::number(&r))?;
        let bet = self.bet_of(&words.next("a bet like B1")?)?;
        let amount = words::amount(&words.next("an amount like 10.00")?)?;
        words.done()?;
        let reason = envelope.reason;
        let body =
            ConfirmHold { valid_until, reason, bet, amount, reference, ..ConfirmHold::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `release-hold B1`: the wallet does not hold it.
    pub(super) fn release_hold(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let bet = self.bet_of(&words.next("a bet like B1")?)?;
        words.done()?;
        let reason = envelope.reason;
        let body = ReleaseHold { valid_until, reason, bet, ..ReleaseHold::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `limit A7 stake day 100.00` sets a limit, `limit A7 stake day -> 40.00 left` asks for it.
    pub(super) fn limit(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let account = self.account_of(&words.next("an account like A7")?)?;
        let (kind, period) = kind_and_period(words)?;
        if words.is_empty() {
            return self.ask_limit(account, kind, period);
        }
        let amount = limit_amount(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let body = SetAccountLimit {
            valid_until,
            reason: envelope.reason,
            kind: kind as u8,
            period: period as u8,
            account,
            amount,
            ..SetAccountLimit::default()
        };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    fn ask_limit(
        &mut self,
        account: AccountId,
        kind: LimitKind,
        period: Period,
    ) -> Result<Said, Stop> {
        let state = self.desk()?.state();
        let mut limits = state.own_limits(account);
        let limit = limits.find(|limit| (limit.kind, limit.period) == (kind, period));
        Ok(Said::Text(limit.map_or("none".to_owned(), |limit| {
            let now = match limit.amount {
                Minor(0) => "none".to_owned(),
                _ => format!("{} left", limit.left),
            };
            match limit.next {
                None => now,
                Some((Minor(0), from)) => format!("{now}, none from {}", since_start(from)),
                Some((amount, from)) => format!("{now}, {amount} from {}", since_start(from)),
            }
        })))
    }

    /// `own-limit R1 A7 loss week 50.00`, `own-limit R2 A7 loss week none`.
    pub(super) fn own_limit(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (key, who, account) = self.customer(words)?;
        let (kind, period) = kind_and_period(words)?;
        let amount = limit_amount(words)?;
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        let (kind, period) = (kind as u8, period as u8);
        let body = SetOwnLimit { valid_until, kind, period, amount, ..SetOwnLimit::default() };
        self.plain(&who, Some(&key), header, &body)
    }

    /// `exclude A7 until @5s`, `exclude A7 forever`.
    pub(super) fn exclude(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let account = self.account_of(&words.next("an account like A7")?)?;
        let until = until(words)?;
        let reason = envelope.reason;
        let body =
            ExcludeAccount { valid_until, reason, account, until, ..ExcludeAccount::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `exclude-self R1 A7 until @5s`, `exclude-self R1 A7 forever`.
    pub(super) fn exclude_self(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (key, who, account) = self.customer(words)?;
        let until = until(words)?;
        let (header, valid_until) = self.keyed(account.raw(), Some(&key), &envelope)?;
        let body = ExcludeSelf { valid_until, until, ..ExcludeSelf::default() };
        self.plain(&who, Some(&key), header, &body)
    }

    /// `factor all|F1|X1|M1|tier 2|A7 50%`.
    pub(super) fn factor(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope: Envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let label = words.next("what: all, F1, X1, M1, tier 2 or A7")?;
        let (scope, id) = match label.as_bytes().first() {
            _ if label == "all" => (FactorScope::Engine, 0),
            _ if label == "tier" => {
                (FactorScope::Tier, words::number(&words.next("a tier like 2")?)?)
            }
            Some(b'M') => (FactorScope::Market, self.market_of(&label)?.raw()),
            Some(b'X') => (FactorScope::Fixture, self.fixture_of(&label)?.raw()),
            Some(b'A') => (FactorScope::Account, self.account_of(&label)?.raw()),
            _ => (FactorScope::Feed, u64::from(self.feed_of(&label)?.0)),
        };
        let percent = words.next("a factor like 50%")?;
        words.done()?;
        let wrong = || Unreadable::new(&percent, "a factor like 50%");
        let percent = words::number(percent.strip_suffix('%').ok_or_else(wrong)?)?;
        let (reason, scope) = (envelope.reason, scope as u8);
        let body =
            SetStakeFactor { valid_until, reason, scope, id, percent, ..SetStakeFactor::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `shedding on` says when load is shed, `shedding -> On by trader` asks.
    pub(super) fn shedding(&mut self, words: &mut Words) -> Result<Said, Stop> {
        if words.is_empty() {
            return self.ask_shedding();
        }
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let mode = match words.next("on, auto, off or none")?.as_str() {
            "on" => Shed::On as u8,
            "auto" => Shed::Auto as u8,
            "off" => Shed::Off as u8,
            "none" => 0,
            other => return Err(Unreadable::new(other, "on, auto, off or none").into()),
        };
        words.done()?;
        let reason = envelope.reason;
        let body = SetShedding { valid_until, reason, mode, ..SetShedding::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    fn ask_shedding(&mut self) -> Result<Said, Stop> {
        let state = self.desk()?.state();
        let Shedding { mode, by } = state.shedding();
        let mode = mode.map_or("none".to_owned(), |mode| mode.to_string());
        Ok(Said::Text(match state.actor_name(by) {
            Some(name) => format!("{mode} by {name}"),
            None => mode,
        }))
    }

    /// `liability X1 GBP -> 60.00`, `liability M1/Home GBP -> 25.00`.
    pub(super) fn ask_liability(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let label = words.next("a fixture like X1, or a selection like M1/Home")?;
        let currency = currency(&words.next("a currency like GBP")?)?;
        words.done()?;
        let said = match label.split_once('/') {
            None => {
                let fixture = self.fixture_of(&label)?;
                self.desk()?.state().event_liability(fixture, currency)
            }
            Some((market, selection)) => {
                let (id, selection) =
                    (self.market_of(market)?, self.selection_of(market, selection)?);
                self.desk()?.state().selection_liability(id, selection, currency)
            }
        };
        Ok(Said::Text(said.map_or_else(|| "none".to_owned(), money)))
    }

    /// `customer A7 -> 15.00`: what its bets would win beyond their stakes.
    pub(super) fn ask_customer(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let label = words.next("an account like A7")?;
        words.done()?;
        let id = self.account_of(&label)?;
        let view = self.desk()?.state().account(id);
        let view = view.ok_or_else(|| format!("there is no account {label}"))?;
        Ok(Said::Text(view.may_win.to_string()))
    }
}

/// `stake day`.
fn kind_and_period(words: &mut Words) -> Result<(LimitKind, Period), Unreadable> {
    let kind = match words.next("deposit, stake or loss")?.as_str() {
        "deposit" => LimitKind::Deposit,
        "stake" => LimitKind::Stake,
        "loss" => LimitKind::Loss,
        other => return Err(Unreadable::new(other, "deposit, stake or loss")),
    };
    let period = match words.next("day, week or month")?.as_str() {
        "day" => Period::Day,
        "week" => Period::Week,
        "month" => Period::Month,
        other => return Err(Unreadable::new(other, "day, week or month")),
    };
    Ok((kind, period))
}

/// An amount, or `none`.
fn limit_amount(words: &mut Words) -> Result<Minor, Unreadable> {
    let amount = match words.next("an amount like 100.00, or none")?.as_str() {
        "none" => Minor(0),
        amount => words::amount(amount)?,
    };
    words.done()?;
    Ok(amount)
}

/// `until @5s`, or `forever`.
fn until(words: &mut Words) -> Result<Timestamp, Unreadable> {
    let until = match words.option("until")? {
        Some(at) => START.plus(words::span(at.strip_prefix('@').unwrap_or(&at))?),
        None if words.take("forever") => Timestamp::MAX,
        None => return Err(Unreadable::new("", "until @5s, or forever")),
    };
    words.done()?;
    Ok(until)
}
