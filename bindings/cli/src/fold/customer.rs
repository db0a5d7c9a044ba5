//! What an account may: whose money it is, whether it may bet at all, its own limits by a calendar, and
//! the largest stake with everything that scales it.

use super::{Bet, Fold, Rule};
use betring_core::command::{
    Command, FactorScope, LimitKind, Period, Purse, SetAccountLimit, SetOwnLimit,
};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor};

/// How long a customer waits for a limit of its own that is less strict.
const RAISE_AFTER: Nanos = Nanos::from_secs(24 * 3_600);
const DAY_NS: i64 = 24 * 3_600 * 1_000_000_000;

/// What is known of an account beside its money.
#[derive(Clone, Default)]
pub(super) struct Customer {
    /// Its money is kept in an external wallet.
    pub(super) external: bool,
    /// A probe's.
    pub(super) synthetic: bool,
    pub(super) blocked: bool,
    /// Until when it is excluded.
    excluded: Option<Timestamp>,
    /// Stakes that its wallet is asked for, of bets that are bound already.
    held: i128,
    /// By kind and period, from its first limit on.
    limits: Option<Box<[[Own; 3]; 3]>>,
}

impl Customer {
    pub(super) fn opened(account: &AccountOpened) -> Customer {
        Customer {
            external: account.purse == Purse::External as u8,
            synthetic: account.synthetic == 1,
            ..Customer::default()
        }
    }

    /// Neither blocked nor excluded.
    pub(super) fn may_bet(&self, at: Timestamp) -> bool {
        !self.blocked && self.excluded.is_none_or(|until| until <= at)
    }
}

/// A limit of one kind by one period, and what has been used of it.
#[derive(Clone, Copy, Default)]
struct Own {
    /// The most; none without a limit.
    most: Minor,
    /// Another one, from a moment on.
    waiting: Option<(Minor, Timestamp)>,
    window: i64,
    used: i128,
}

impl Own {
    fn in_force(&self, at: Timestamp) -> Minor {
        match self.waiting {
            Some((most, from)) if from <= at => most,
            _ => self.most,
        }
    }

    fn used(&self, window: i64) -> i128 {
        if self.window == window { self.used } else { 0 }
    }
}

/// Which day, week or month a moment is in.
fn window(period: Period, at: Timestamp) -> i64 {
    let day = at.0.div_euclid(DAY_NS);
    match period {
        Period::Day => day,
        // The first day of 1970 was a Thursday.
        Period::Week => (day + 3).div_euclid(7),
        Period::Month => match jiff::Timestamp::from_nanosecond(i128::from(at.0)) {
            Ok(moment) => {
                let date = jiff::tz::TimeZone::UTC.to_datetime(moment);
                i64::from(date.year()) * 12 + i64::from(date.month())
            }
            Err(_) => i64::MIN,
        },
    }
}

/// What a transfer of an account's own money adds to what is counted of a kind. `again`: its stake had gone
/// back, and is risked again. `goes`: it goes from the account, `asked`: and because it asked for something.
fn counted(kind: LimitKind, why: TransferWhy, again: bool, [goes, asked]: [bool; 2]) -> i128 {
    use TransferWhy::*;
    match (kind, why) {
        (LimitKind::Stake, Reverse) if again => 1,
        (LimitKind::Deposit, Deposit) => 1,
        (LimitKind::Stake | LimitKind::Loss, Stake) => 1,
        (LimitKind::Stake | LimitKind::Loss, Return) => -1,
        (LimitKind::Loss, Pay | CashOut) => -1,
        (LimitKind::Loss, Reverse) => 1,
        // On an exchange what was ever held is staked, what is held or taken is lost.
        (LimitKind::Stake, Exposure) if goes && asked => 1,
        (LimitKind::Loss, Exposure | Net | Commission) if goes => 1,
        (LimitKind::Loss, Exposure | Net | Commission) => -1,
        _ => 0,
    }
}

const fn place(of: (LimitKind, Period)) -> (usize, usize) {
    (of.0 as usize - 1, of.1 as usize - 1)
}

impl Fold {
    pub(super) fn customer(&self, account: AccountId) -> Customer {
        self.customers.get(&account.raw()).cloned().unwrap_or_default()
    }

    pub(super) fn is_external(&self, account: AccountId) -> bool {
        self.customers.get(&account.raw()).is_some_and(|customer| customer.external)
    }

    pub(super) fn is_synthetic(&self, account: AccountId) -> bool {
        self.customers.get(&account.raw()).is_some_and(|customer| customer.synthetic)
    }

    /// A bet is asked for, or becomes one: its account may, and it is of its account's kind.
    pub(super) fn may_bet(&mut self, id: BetId, bet: &Bet) {
        let (customer, at) = (self.customer(bet.account), self.at);
        self.must(Rule::Customer, customer.may_bet(at), || {
            format!("{id}: {} was blocked or excluded", bet.account)
        });
        let canary = bet
            .legs
            .iter()
            .any(|leg| self.markets.get(&leg.market.raw()).is_some_and(|market| market.canary));
        let kind = customer.synthetic == bet.synthetic && (!canary || bet.synthetic);
        self.must(Rule::Probes, kind, || {
            format!("{id} is a probe's and {} is not, or the other way round", bet.account)
        });
    }

    /// A stake is asked for: within the account's own limits, as far as they are used up.
    pub(super) fn within_own_limits(&mut self, id: BetId, bet: &Bet) {
        if !bet.bonus {
            for kind in [LimitKind::Stake, LimitKind::Loss] {
                self.within(kind, bet.account, bet.stake, &|| format!("the stake of {id}"));
            }
        }
    }

    pub(super) fn pays_in(&mut self, account: u64, amount: Minor) {
        let account = AccountId::from_raw(account);
        let (customer, at) = (self.customer(account), self.at);
        let excluded = customer.excluded.is_some_and(|until| at < until);
        self.must(Rule::Customer, !excluded, || format!("{account} pays in while excluded"));
        self.must(Rule::Wallet, !customer.external, || {
            format!("{account} pays in, and its money is in an external wallet")
        });
        self.within(LimitKind::Deposit, account, amount, &|| "what is paid in".into());
    }

    pub(super) fn within(
        &mut self,
        kind: LimitKind,
        account: AccountId,
        amount: Minor,
        what: &dyn Fn() -> String,
    ) {
        let at = self.at;
        let customer = self.customers.get(&account.raw());
        let held = customer.map_or(0, |customer| customer.held);
        let held = if kind == LimitKind::Deposit { 0 } else { held };
        let Some(limits) = customer.and_then(|customer| customer.limits.clone()) else { return };
        for period in Period::ALL {
            let (row, column) = place((kind, *period));
            let own = limits[row][column];
            let (most, used) = (own.in_force(at), own.used(window(*period, at)) + held);
            let fits = most == Minor(0) || used + i128::from(amount.0) <= i128::from(most.0);
            self.must(Rule::Customer, fits, || {
                let used = Minor(i64::try_from(used).unwrap_or(i64::MAX));
                format!(
                    "{}, {amount}, passes {account}'s limit of {most} ({kind} by the {}), {used} used",
                    what(),
                    period.to_string().to_lowercase()
                )
            });
        }
    }

    /// A stake that will be risked as soon as its wallet says so is used up already.
    pub(super) fn holds_back(&mut self, account: AccountId, stake: i64) {
        self.customers.entry(account.raw()).or_default().held += i128::from(stake);
    }

    /// Money of an account moved: what its limits count.
    pub(super) fn count_own(&mut self, account: AccountId, transfer: &Transfer) {
        let Some(customer) = self.customers.get_mut(&account.raw()) else { return };
        let Some(limits) = &mut customer.limits else { return };
        let Some(why) = TransferWhy::from_code(transfer.why) else { return };
        let mut bet = self.bets.get_mut(&transfer.bet.raw());
        // A stake, or a payment, that moves once more changes what it changed when it counted, and nothing else.
        let brought = bet.as_ref().and_then(|bet| bet.brought);
        match (&mut bet, why) {
            (Some(bet), TransferWhy::Stake) => bet.staked = Some(self.at),
            (Some(bet), TransferWhy::Pay) => bet.brought = Some(self.at),
            _ => (),
        }
        let again =
            why == TransferWhy::Reverse && bet.as_ref().is_some_and(|bet| bet.unvoided == self.seq);
        // What is of no bet is a position's, and counts when it moves.
        let once_more = matches!(why, TransferWhy::Return | TransferWhy::Reverse)
            && transfer.bet != BetId::NONE;
        let goes = transfer.from == LedgerAccount::customer(account);
        let asked = !self.exchange.by_news.contains(&account);
        let counted_at = match why {
            TransferWhy::Reverse if !again => brought,
            _ => bet.and_then(|bet| bet.staked),
        };
        for kind in LimitKind::ALL {
            let sign = counted(*kind, why, again, [goes, asked]);
            if sign == 0 {
                continue;
            }
            for period in Period::ALL {
                let (row, column) = place((*kind, *period));
                let (own, now) = (&mut limits[row][column], window(*period, self.at));
                if once_more && counted_at.is_none_or(|at| window(*period, at) != now) {
                    continue;
                }
                let used = own.used(now) + sign * i128::from(transfer.amount.0);
                (own.window, own.used) = (now, used);
            }
        }
    }

    /// One of an account's own limits changed: for less at once, for more by its customer's wish only
    /// after a day.
    pub(super) fn own_limit(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        event: &AccountLimitChanged,
    ) {
        let (at, account) = (self.at, event.account);
        let what = LimitKind::from_code(event.kind).zip(Period::from_code(event.period));
        let Some(what) = what else {
            return self.broken(Rule::Layout, || format!("{account} has a limit of no known kind"));
        };
        let (row, column) = place(what);
        let customer = self.customers.entry(account.raw()).or_default();
        let own = &mut customer.limits.get_or_insert_default()[row][column];
        let before = own.in_force(at);
        let told = (account.raw(), event.kind, event.period, event.amount);
        let right = match command {
            Command::SetAccountLimit(body) => {
                let SetAccountLimit { account, kind, period, amount, .. } = *body;
                told == (account.raw(), kind, period, amount) && event.from <= at
            }
            Command::SetOwnLimit(body) => {
                let SetOwnLimit { kind, period, amount, .. } = *body;
                let looser = match (amount, before) {
                    (Minor(0), before) => before != Minor(0),
                    (_, Minor(0)) => false,
                    (amount, before) => before < amount,
                };
                let from = if looser { at.plus(RAISE_AFTER) } else { at };
                told == (header.account, kind, period, amount) && from <= event.from
            }
            _ => false,
        };
        own.most = before;
        own.waiting = None;
        if event.from <= at {
            own.most = event.amount;
        } else {
            own.waiting = Some((event.amount, event.from));
        }
        self.must(Rule::Customer, right, || {
            format!("{account} gets a limit that nobody set, or before its day is over")
        });
    }

    /// The limit that holds, asked for once more, takes back what waits.
    pub(super) fn own_limit_asked(&mut self, account: u64, body: &SetOwnLimit) {
        let at = self.at;
        let what = LimitKind::from_code(body.kind).zip(Period::from_code(body.period));
        let customer = self.customers.get_mut(&account);
        if let Some((customer, what)) = customer.zip(what)
            && let Some(limits) = &mut customer.limits
        {
            let (row, column) = place(what);
            let own = &mut limits[row][column];
            if own.in_force(at) == body.amount {
                (own.most, own.waiting) = (body.amount, None);
            }
        }
    }

    pub(super) fn excluded(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        event: &AccountExcluded,
    ) {
        let asked = match command {
            Command::ExcludeAccount(body) => Some((body.account.raw(), body.until)),
            Command::ExcludeSelf(body) => Some((header.account, body.until)),
            _ => None,
        };
        let customer = self.customers.entry(event.account.raw()).or_default();
        let longer = customer.excluded.is_none_or(|until| until < event.until);
        customer.excluded = Some(event.until);
        let right = asked == Some((event.account.raw(), event.until)) && longer;
        self.must(Rule::Customer, right, || {
            format!("{} is excluded otherwise than asked, or for less time", event.account)
        });
    }

    /// A stake that no trader looked at is at most the largest one, with all factors.
    pub(super) fn stake_within(&mut self, id: BetId, bet: &Bet) {
        let Some(usual) = self.genesis.map(|genesis| genesis.limits) else { return };
        let largest = bet.legs.iter().filter_map(|leg| {
            let market = self.markets.get(&leg.market.raw())?;
            let own = self.limits.get(&(leg.market.raw(), bet.currency));
            let own = own.or_else(|| self.limits.get(&(0, bet.currency))).unwrap_or(&usual);
            let factor = |scope: FactorScope, id: u64| {
                i128::from(self.factors.get(&(scope as u8, id)).copied().unwrap_or(100))
            };
            let factors = [
                factor(FactorScope::Engine, 0),
                factor(FactorScope::Feed, self.driving(market).0.into()),
                factor(FactorScope::Fixture, market.fixture.raw()),
                factor(FactorScope::Market, leg.market.raw()),
                factor(FactorScope::Tier, market.tier.into()),
                factor(FactorScope::Account, bet.account.raw()),
            ];
            let all = factors.iter().try_fold(i128::from(own.max_stake.0), |product, factor| {
                product.checked_mul(*factor)
            });
            // What does not fit is more than there is money.
            all.map(|product| product / 100_i128.pow(6))
        });
        let Some(largest) = largest.min() else { return };
        self.must(Rule::Stake, i128::from(bet.stake.0) <= largest, || {
            let largest = Minor(i64::try_from(largest).unwrap_or(i64::MAX));
            format!("{id} stakes {}, the largest stake is {largest}", bet.stake)
        });
    }
}
