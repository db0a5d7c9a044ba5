//! What an account may do by its own wish, as the rules have it: limits by day, week and month, and exclusion.
//! With a calendar of its own.

use super::{Account, Auditor, Decided, and, money};
use betring_core::answer::Answer;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::Timestamp;
use betring_core::wire::Minor;
use std::collections::BTreeMap;
use zerocopy::IntoBytes;

const DAY: i64 = 86_400_000_000_000;

/// A limit, and what it is to become.
#[derive(Clone, Copy, Debug, Default)]
struct Limit {
    amount: i64,
    /// The amount that waits, and from when on it holds.
    raise: Option<(i64, i64)>,
}

/// The limits of an account, and what counts towards them: by kind and period.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnLimits {
    limits: BTreeMap<(u8, u8), Limit>,
    /// Which day, week or month it is, and what was counted in it.
    used: BTreeMap<(u8, u8), (i64, i128)>,
}

/// Which day, week (from Monday) or month a moment is in.
fn window(period: Period, at: i64) -> i64 {
    // Day 0 was the first of January 1970, a Thursday.
    let day = at.div_euclid(DAY);
    match period {
        Period::Day => day,
        Period::Week => (day + 3).div_euclid(7),
        Period::Month => month(day),
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Months since January 1970, by walking through the years and months.
fn month(day: i64) -> i64 {
    let (mut left, mut year) = (day, 1970);
    let days = |year| if is_leap(year) { 366 } else { 365 };
    while left < 0 {
        year -= 1;
        left += days(year);
    }
    while days(year) <= left {
        left -= days(year);
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut number = 0;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if left < length {
            break;
        }
        left -= length;
        number += 1;
    }
    (year - 1970) * 12 + number
}

impl OwnLimits {
    fn in_force(&self, kind: LimitKind, period: Period, now: i64) -> i64 {
        let limit = self.limits.get(&(kind as u8, period as u8)).copied().unwrap_or_default();
        match limit.raise {
            Some((amount, from)) if from <= now => amount,
            _ => limit.amount,
        }
    }

    fn waiting(&self, kind: LimitKind, period: Period, now: i64) -> bool {
        let limit = self.limits.get(&(kind as u8, period as u8));
        limit.and_then(|limit| limit.raise).is_some_and(|(_, from)| now < from)
    }

    fn used(&self, kind: LimitKind, period: Period, now: i64) -> i128 {
        let (at, used) = self.used.get(&(kind as u8, period as u8)).copied().unwrap_or_default();
        if at == window(period, now) { used } else { 0 }
    }

    /// `only`: a moment whose day, week and month are the only ones in which it counts.
    fn add(&mut self, kind: LimitKind, amount: i128, now: i64, only: Option<i64>) {
        let of_now =
            |period: Period| only.is_none_or(|at| window(period, at) == window(period, now));
        for period in Period::ALL.iter().filter(|period| of_now(**period)) {
            self.add_in(kind, *period, amount, now);
        }
    }

    fn add_in(&mut self, kind: LimitKind, period: Period, amount: i128, now: i64) {
        let used = self.used(kind, period, now) + amount;
        self.used.insert((kind as u8, period as u8), (window(period, now), used));
    }

    fn add_stake(&mut self, amount: i128, now: i64, only: Option<i64>) {
        self.add(LimitKind::Stake, amount, now, only);
        self.add(LimitKind::Loss, amount, now, only);
    }

    /// What is left of the first limit that so much more would pass, and which that is.
    fn passed(&self, kinds: &[LimitKind], amount: i128, now: i64) -> Option<(u8, i128)> {
        for kind in kinds {
            for period in Period::ALL {
                let limit = i128::from(self.in_force(*kind, *period, now));
                let used = self.used(*kind, *period, now);
                if limit != 0 && limit < used + amount {
                    let which = *kind as u8 * 16 + *period as u8;
                    return Some((which, limit - used));
                }
            }
        }
        None
    }
}

impl Account {
    pub(super) fn is_excluded(&self, now: i64) -> bool {
        now < self.excluded_until
    }

    /// A transfer of the customer's own money counts towards its limits: what came in, or below zero went out.
    /// A stake that goes back, and one that comes again from there, change only what the stake had changed, and what
    /// was paid and is taken back only what the payment had: `bet` is when it was taken and when paid, if ever.
    pub(super) fn counts(
        &mut self,
        why: TransferWhy,
        came: i128,
        now: i64,
        bet: Option<[Option<i64>; 2]>,
        into_escrow: bool,
    ) {
        let Some(own) = &mut self.own else { return };
        let [taken, paid] = bet.unwrap_or_default();
        match why {
            TransferWhy::Deposit => own.add(LimitKind::Deposit, came, now, None),
            TransferWhy::Stake => own.add_stake(-came, now, None),
            TransferWhy::Return if taken.is_some() => own.add_stake(-came, now, taken),
            TransferWhy::Reverse if into_escrow && taken.is_some() => {
                own.add_stake(-came, now, taken);
            }
            TransferWhy::Reverse if bet.is_none() => {
                own.add(LimitKind::Loss, -came, now, None);
            }
            TransferWhy::Reverse if into_escrow || paid.is_none() => (),
            TransferWhy::Reverse => own.add(LimitKind::Loss, -came, now, paid),
            TransferWhy::Pay | TransferWhy::CashOut => {
                own.add(LimitKind::Loss, -came, now, None);
            }
            // Of an exchange: see there.
            TransferWhy::Exposure
            | TransferWhy::Net
            | TransferWhy::Commission
            | TransferWhy::Residue
            | TransferWhy::Withdraw
            | TransferWhy::Return
            | TransferWhy::Take
            | TransferWhy::Adjust
            | TransferWhy::Bonus
            | TransferWhy::WalletIn
            | TransferWhy::WalletOut => (),
        }
    }
}

/// What counted as lost of a position in an exchange market: when, and how much, the last one last; and of what it was
/// settled with.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    held: Vec<(i64, i128)>,
    lost: Vec<(Period, i64, i128)>,
}

impl Counted {
    /// What was held last comes back first. When it had been held, and how much of it.
    fn back(&mut self, mut amount: i128) -> Vec<(i64, i128)> {
        let mut parts = Vec::new();
        while 0 < amount {
            let Some((when, held)) = self.held.pop() else { break };
            let part = held.min(amount);
            amount -= part;
            parts.push((when, part));
            if part < held {
                self.held.push((when, held - part));
            }
        }
        parts
    }

    /// More is held: of the customer's own will it is staked as well. Or less.
    pub(super) fn holds(&mut self, account: &mut Account, more: i128, owed: bool, now: i64) {
        let Some(own) = &mut account.own else { return };
        if 0 < more {
            self.held.push((now, more));
            own.add(LimitKind::Loss, more, now, None);
            own.add(LimitKind::Stake, if owed { 0 } else { more }, now, None);
        }
        for (when, part) in self.back(-more) {
            own.add(LimitKind::Loss, -part, now, Some(when));
        }
    }

    /// It is settled: of a loss what was held for it before counted then.
    pub(super) fn settles(
        &mut self,
        account: &mut Account,
        held: i128,
        (net, fee): (i128, i128),
        now: i64,
    ) {
        let Some(own) = &mut account.own else { return };
        let parts = self.back(held);
        own.add(LimitKind::Loss, fee - net.max(0), now, None);
        for period in Period::ALL {
            let here = parts.iter().filter(|(at, _)| window(*period, *at) == window(*period, now));
            let here = here.map(|(_, part)| part).sum::<i128>();
            let lost = ((-net).max(0) - (held - here)).max(0);
            own.add_in(LimitKind::Loss, *period, lost - here, now);
            self.lost.push((*period, now, lost));
        }
        self.held.clear();
    }

    /// That is taken back.
    pub(super) fn reverses(&mut self, account: &mut Account, fee: i128, now: i64) {
        let lost = std::mem::take(&mut self.lost);
        let Some(own) = &mut account.own else { return };
        own.add(LimitKind::Loss, -fee, now, None);
        for (period, when, lost) in lost {
            if window(period, when) == window(period, now) {
                own.add_in(LimitKind::Loss, period, -lost, now);
            }
        }
    }
}

impl Auditor {
    /// Whether so much more is within an account's own limits of these kinds.
    pub(super) fn within_own(
        &self,
        account: &Account,
        kinds: &[LimitKind],
        amount: i128,
        held: i128,
    ) -> Result<(), Answer> {
        // What a wallet holds for a bet that opens by itself is used already.
        let passed =
            account.own.as_ref().and_then(|own| own.passed(kinds, amount + held, self.now));
        let Some((which, left)) = passed else { return Ok(()) };
        let left = (left - held).max(0);
        let mut no = and(self.no(Reject::CustomerLimit), |no| no.amount = money(left));
        no.as_mut_bytes()[3] = which;
        Err(no)
    }

    pub(super) fn excluded(&self, account: &Account) -> Result<(), Answer> {
        if !account.is_excluded(self.now) {
            return Ok(());
        }
        let until = Timestamp(account.excluded_until);
        Err(self.no(Reject::SelfExcluded).with_until(until))
    }

    /// Sets a limit: at once, or, if its customer wants more of it than holds now, a day later.
    pub(super) fn set_own_limit(
        &mut self,
        id: u64,
        (kind, period, amount): (u8, u8, Minor),
        by_customer: bool,
    ) -> Decided {
        let now = self.now;
        let Some(account) = self.accounts.get(&id) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        let choices = LimitKind::from_code(kind).zip(Period::from_code(period));
        let Some((which, span)) = choices else { return Err(self.no(Reject::NotAllowed)) };
        let known = account.own.clone().unwrap_or_default();
        let (before, waits) = (known.in_force(which, span, now), known.waiting(which, span, now));
        let done = and(self.done(id), |done| done.amount = amount);
        let stricter = amount.0 != 0 && (before == 0 || amount.0 < before);
        let at_once = !by_customer || stricter || amount.0 == before;
        if at_once && amount.0 == before && !waits {
            return Ok(done);
        }
        let limited = self.accounts.values().filter(|account| account.own.is_some()).count();
        if account.own.is_none() && limited == self.capacities.limited as usize {
            return Err(self.no(Reject::Full));
        }
        let from = if at_once { now } else { now.saturating_add(DAY) };
        let limit = match at_once {
            true => Limit { amount: amount.0, raise: None },
            false => Limit { amount: before, raise: Some((amount.0, from)) },
        };
        self.accounts.entry(id).and_modify(|account| {
            account.own.get_or_insert_default().limits.insert((kind, period), limit);
        });
        self.told.push(Event::AccountLimitChanged(AccountLimitChanged {
            account: AccountId::from_raw(id),
            amount,
            from: Timestamp(from),
            kind,
            period,
            zero: [0; 6],
        }));
        Ok(done)
    }

    /// Excludes an account until a moment, which can only be made later.
    pub(super) fn exclude(&mut self, id: u64, until: Timestamp) -> Decided {
        let (unknown, not) = (self.no(Reject::AccountUnknown), self.no(Reject::NotAllowed));
        let Some(account) = self.accounts.get(&id) else { return Err(unknown) };
        // Nobody is to believe in an exclusion that is over already.
        if until.0 <= account.excluded_until.max(self.now) {
            return Err(not);
        }
        // Orders that a market's turn has passed over were those of somebody who might bet.
        self.jobs_may_have_passed();
        self.accounts.entry(id).and_modify(|account| account.excluded_until = until.0);
        let account = AccountId::from_raw(id);
        self.told.push(Event::AccountExcluded(AccountExcluded { account, until }));
        Ok(self.done(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_weeks_and_months_begin_when_a_calendar_says_so() {
        // 2024-02-29, a Thursday, and the day after.
        let leap = 19_782 * DAY;
        assert_eq!(month(19_782), (2024 - 1970) * 12 + 1);
        assert_eq!(month(19_783), (2024 - 1970) * 12 + 2);
        assert_eq!(window(Period::Day, leap + DAY - 1), window(Period::Day, leap));
        // Monday the 26th begins its week, and Monday the 4th of March the next.
        let week = window(Period::Week, leap);
        assert_eq!(window(Period::Week, leap - 3 * DAY), week);
        assert_eq!(window(Period::Week, leap - 3 * DAY - 1), week - 1);
        assert_eq!(window(Period::Week, leap + 4 * DAY), week + 1);
        // The last moment of 2025 and the first of 2026.
        assert_eq!(window(Period::Month, 20_454 * DAY - 1), (2025 - 1970) * 12 + 11);
        assert_eq!(window(Period::Month, 20_454 * DAY), (2026 - 1970) * 12);
        assert_eq!((month(0), month(-1), month(31)), (0, -1, 1));
    }
}
