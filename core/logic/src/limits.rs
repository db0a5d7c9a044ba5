//! What an account may do: its own limits by the calendar, and its exclusion.
//!
//! Counting begins with an account's first limit. What counts are transfers of the customer's own money:
//! deposits; stakes, less those that went back; and losses, which are stakes less whatever came back. A
//! stake that goes back makes room in the windows in which it counted and in no other, and takes that room
//! again if its void is taken back; a payout that is taken back is a loss of the windows in which it was a win. On an exchange
//! what is held is lost until it comes back, with the same rule: it makes room in the windows in which it counted. A limit that is made stricter applies at once, one that is made looser
//! after a day (RTS 12).

use crate::answer::Answer;
use crate::bet::{BetState, NONE};
use crate::calendar::{window, windows};
use crate::command::{
    ExcludeAccount, ExcludeSelf, LimitKind, Period, SetAccountLimit, SetOwnLimit,
};
use crate::event::{AccountExcluded, AccountLimitChanged, Events, TransferWhy};
use crate::id::{AccountId, BetId};
use crate::ledger::Side;
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;
use crate::time::{Nanos, Timestamp};
use crate::wire::{Header, Minor};

type Decided = Result<Answer, Answer>;

/// How long a customer waits for a looser limit.
pub(crate) const COOLING_OFF: Nanos = Nanos::from_secs(24 * 60 * 60);

/// One limit, and what will replace it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnLimit {
    /// The most of it in a period; 0 is no limit.
    pub(crate) amount: i64,
    /// What applies from `from` on, if anything waits.
    pub(crate) next: i64,
    /// From when on; 0: nothing waits.
    pub(crate) from: Timestamp,
}

/// The limits of one account, and what counted for them so far.
#[derive(Clone, Copy)]
pub(crate) struct Limited {
    pub(crate) account: u32,
    /// By kind and period.
    pub(crate) limits: [[OwnLimit; 3]; 3],
    /// The day, the week and the month that `used` is of.
    pub(crate) windows: [i64; 3],
    /// By kind and period.
    pub(crate) used: [[i128; 3]; 3],
}

impl OwnLimit {
    /// What applies at a moment.
    fn at(&self, now: Timestamp) -> i64 {
        if self.waits(now) || self.from == Timestamp(0) { self.amount } else { self.next }
    }

    /// Whether something looser is still to come.
    fn waits(&self, now: Timestamp) -> bool {
        now < self.from
    }
}

impl Limited {
    pub(crate) fn new(account: u32) -> Limited {
        Limited {
            account,
            limits: [[OwnLimit::default(); 3]; 3],
            windows: [i64::MIN; 3],
            used: [[0; 3]; 3],
        }
    }

    /// What counted so far in the window of a moment.
    fn used(&self, now: Timestamp, kind: LimitKind, period: Period) -> i128 {
        let at = place(period);
        let same = self.windows[at] == window(now, period);
        if same { self.used[kind as usize - 1][at] } else { 0 }
    }

    /// Counts what moved. `once` is when the stake counted that goes back, or comes again after it went back,
    /// or when what is taken back was paid: a window in which that did not count is left alone.
    fn count(&mut self, now: Timestamp, moved: Moved, once: Option<Timestamp>) {
        let now = windows(now);
        let once = once.map_or(now, windows);
        for period in Period::ALL {
            if once[place(*period)] == now[place(*period)] {
                self.count_in(now[place(*period)], *period, moved);
            }
        }
    }

    /// Counts what moved in a window.
    fn count_in(&mut self, number: i64, period: Period, moved: Moved) {
        let at = place(period);
        if self.windows[at] != number {
            self.windows[at] = number;
            self.used.iter_mut().for_each(|kind| kind[at] = 0);
        }
        let [deposited, staked, lost] = &mut self.used;
        deposited[at] += moved.deposited;
        staked[at] += moved.staked;
        lost[at] += moved.lost;
        assert!(0 <= staked[at], "no more of a stake goes back than counted");
    }

    fn limit(&self, kind: LimitKind, period: Period) -> &OwnLimit {
        &self.limits[kind as usize - 1][place(period)]
    }
}

/// What moves for a position in an exchange market.
#[derive(Clone, Copy)]
pub(crate) enum PositionMoved {
    /// So much more is held; `owed`: by news, not by what the customer asked for.
    Held { more: i64, owed: bool },
    /// So much of what was held comes back.
    Back(i64),
    /// What was held comes back, and the net winnings are paid, less commission.
    Settled { held: i64, net: i64, fee: i64 },
    /// That is taken back; what was won counts as what is reversed.
    Reversed { net: i64, fee: i64 },
}

/// What a transfer adds, or takes back, of each kind.
#[derive(Clone, Copy, Default)]
struct Moved {
    deposited: i128,
    staked: i128,
    lost: i128,
}

/// What a transfer of a customer's own money counts for. `again`: a stake that had gone back is in escrow
/// again.
fn moved(from: Side, to: Side, amount: i64, why: TransferWhy, again: bool) -> Option<Moved> {
    let amount = i128::from(amount);
    let nothing = Moved::default();
    let own = |side| matches!(side, Side::Customer(_) | Side::Debtor(_));
    match why {
        TransferWhy::Deposit if own(to) => Some(Moved { deposited: amount, ..nothing }),
        TransferWhy::Reverse if again && own(from) => {
            Some(Moved { staked: amount, lost: amount, ..nothing })
        }
        TransferWhy::Stake if own(from) => Some(Moved { staked: amount, lost: amount, ..nothing }),
        TransferWhy::Return if own(to) => Some(Moved { staked: -amount, lost: -amount, ..nothing }),
        TransferWhy::Pay | TransferWhy::CashOut if own(to) => {
            Some(Moved { lost: -amount, ..nothing })
        }
        TransferWhy::Reverse if own(from) => Some(Moved { lost: amount, ..nothing }),
        TransferWhy::Deposit
        | TransferWhy::Withdraw
        | TransferWhy::Stake
        | TransferWhy::Return
        | TransferWhy::Take
        | TransferWhy::Pay
        | TransferWhy::Reverse
        | TransferWhy::CashOut
        | TransferWhy::Adjust
        | TransferWhy::Bonus
        | TransferWhy::WalletIn
        | TransferWhy::WalletOut
        // Of an exchange: see below.
        | TransferWhy::Exposure
        | TransferWhy::Net
        | TransferWhy::Commission
        | TransferWhy::Residue => None,
    }
}

fn place(period: Period) -> usize {
    period as usize - 1
}

/// One of an account's own limits, as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnLimitView {
    /// What it counts.
    pub kind: LimitKind,
    /// By which period.
    pub period: Period,
    /// The most of it in a period; 0 is no limit.
    pub amount: Minor,
    /// What counted so far in the present one, held stakes included; of losses below zero if it won.
    pub used: Minor,
    /// What is left, not below zero.
    pub left: Minor,
    /// What applies instead, and from when on, if a looser limit waits.
    pub next: Option<(Minor, Timestamp)>,
}

fn clamped(sum: i128) -> Minor {
    let clamped = sum.clamp(i64::MIN.into(), i64::MAX.into());
    Minor(clamped as i64)
}

impl<R: Rules> State<R> {
    /// Whether an account may bet at all: neither blocked nor excluded.
    pub(crate) fn may_bet(&self, account: u32) -> Result<(), Answer> {
        let account = &self.ledger.accounts[account as usize];
        if account.may_bet(self.now) {
            return Ok(());
        }
        match account.blocked {
            true => Err(self.no(Reject::AccountBlocked)),
            false => Err(self.no(Reject::SelfExcluded).with_until(account.excluded)),
        }
    }

    /// The kinds are judged in turn, the periods of each from the day on: the first that `amount` would
    /// pass is told.
    pub(crate) fn within_own_limits(
        &self,
        account: u32,
        kinds: &[LimitKind],
        amount: i64,
    ) -> Result<(), Answer> {
        if self.ledger.accounts[account as usize].limited == NONE {
            return Ok(());
        }
        for kind in kinds {
            for period in Period::ALL {
                let Some((_, left)) = self.left_of(account, *kind, *period) else { continue };
                if left < i128::from(amount) {
                    let no = self.no(Reject::CustomerLimit).with_own_limit(*kind, *period);
                    return Err(Answer { amount: clamped(left.max(0)), ..no });
                }
            }
        }
        Ok(())
    }

    /// A limit that an account has now, and what is left of it. What is held in a wallet at a bound price
    /// will be staked without another look, so it is used already.
    fn left_of(&self, account: u32, kind: LimitKind, period: Period) -> Option<(i64, i128)> {
        let account = &self.ledger.accounts[account as usize];
        let limited = self.limited.get(account.limited as usize)?;
        let limit = limited.limit(kind, period).at(self.now);
        if limit == 0 {
            return None;
        }
        let held = if kind == LimitKind::Deposit { 0 } else { account.held };
        let used = limited.used(self.now, kind, period) + held;
        Some((limit, i128::from(limit) - used))
    }

    /// The limits that an account has or will have, with what is left of each.
    pub fn own_limits(&self, id: AccountId) -> impl Iterator<Item = OwnLimitView> {
        let index = self.ledger.find(id).map(|(index, account)| (index, account.limited));
        let limited = index.and_then(|(index, at)| Some((index, *self.limited.get(at as usize)?)));
        let of_kind = move |kind: &'static LimitKind| {
            Period::ALL.iter().filter_map(move |period| {
                let (account, limited) = limited?;
                let limit = limited.limit(*kind, *period);
                let next = limit.waits(self.now).then_some((Minor(limit.next), limit.from));
                let (amount, left) = self.left_of(account, *kind, *period).unwrap_or((0, 0));
                (amount != 0 || next.is_some()).then_some(OwnLimitView {
                    kind: *kind,
                    period: *period,
                    amount: Minor(amount),
                    used: clamped(i128::from(amount) - left),
                    left: clamped(left.max(0)),
                    next,
                })
            })
        };
        LimitKind::ALL.iter().flat_map(of_kind)
    }

    /// Counts a transfer for the limits of its account, if it has any.
    pub(crate) fn count_flow(
        &mut self,
        account: u32,
        from: Side,
        to: Side,
        amount: i64,
        why: TransferWhy,
        bet: BetId,
    ) {
        let at = self.ledger.accounts[account as usize].limited;
        if at == NONE {
            return;
        }
        let of = self.find_bet(bet).map(|bet| (bet.state, bet.staked_at, bet.paid_at));
        let again =
            why == TransferWhy::Reverse && of.is_some_and(|(was, ..)| was == BetState::Void);
        let Some(moved) = moved(from, to, amount, why, again) else { return };
        let once = match why {
            TransferWhy::Return => of.map(|(_, staked, _)| staked),
            TransferWhy::Reverse if again => of.map(|(_, staked, _)| staked),
            TransferWhy::Reverse => of.map(|(.., paid)| paid),
            _ => None,
        };
        match why {
            TransferWhy::Stake => self.bets[bet.index() as usize].staked_at = self.now,
            TransferWhy::Pay => self.bets[bet.index() as usize].paid_at = self.now,
            _ => (),
        }
        // Counting begins with the first limit: what moved before it goes back uncounted, too.
        if once != Some(Timestamp::MIN) {
            self.limited[at as usize].count(self.now, moved, once);
        }
    }

    /// What moves for a position in an exchange market counts for the limits of its account. What was ever held of the
    /// customer's own will is staked; what is held is lost until it comes back, and in the windows in which it counted.
    pub(crate) fn count_position(&mut self, position: u32, moved: PositionMoved) {
        let kept = &mut self.exchange.positions[position as usize];
        let at = self.ledger.accounts[kept.account as usize].limited;
        let Some(limited) = self.limited.get_mut(at as usize) else { return };
        let nothing = Moved::default();
        let (then, now) = (windows(kept.counted_at), windows(self.now));
        for period in Period::ALL {
            let counted = &mut kept.counted[place(*period)];
            if then[place(*period)] != now[place(*period)] {
                *counted = 0;
            }
            let back = |counted: &mut i64, amount: i64| {
                let back = amount.min(*counted);
                *counted -= back;
                i128::from(back)
            };
            let moved = match moved {
                PositionMoved::Held { more, owed } => {
                    *counted += more;
                    let staked = if owed { 0 } else { more.into() };
                    Moved { staked, lost: more.into(), ..nothing }
                }
                PositionMoved::Back(amount) => Moved { lost: -back(counted, amount), ..nothing },
                PositionMoved::Settled { held, net, fee } => {
                    let now = back(counted, held);
                    // What was held in another window, or before there was a limit, counted there or never will.
                    let loss = i128::from(net.min(0)).abs() - (i128::from(held) - now);
                    let loss = loss.max(0);
                    *counted = loss as i64;
                    let lost = loss - now - i128::from(net.max(0)) + i128::from(fee);
                    Moved { lost, ..nothing }
                }
                PositionMoved::Reversed { net, fee } => {
                    Moved { lost: -back(counted, -net.min(0)) - i128::from(fee), ..nothing }
                }
            };
            limited.count_in(now[place(*period)], *period, moved);
        }
        kept.counted_at = self.now;
    }

    /// An operator sets a limit: at once.
    pub(crate) fn set_account_limit(
        &mut self,
        body: &SetAccountLimit,
        events: &mut Events,
    ) -> Decided {
        let Some((account, _)) = self.ledger.find(body.account) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        let (kind, period) = choices(body.kind, body.period);
        self.set_limit(account, kind, period, body.amount, Nanos::ZERO, events)
    }

    /// A customer sets a limit: what is stricter at once, what is looser after a day.
    pub(crate) fn set_own_limit(
        &mut self,
        header: &Header,
        body: &SetOwnLimit,
        events: &mut Events,
    ) -> Decided {
        let Some((account, kept)) = self.ledger.find(AccountId::from_raw(header.account)) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        let (kind, period) = choices(body.kind, body.period);
        let limited = self.limited.get(kept.limited as usize);
        let before = limited.map_or(0, |limited| limited.limit(kind, period).at(self.now));
        let looser = before != 0 && (body.amount.0 == 0 || before < body.amount.0);
        let wait = if looser { COOLING_OFF } else { Nanos::ZERO };
        self.set_limit(account, kind, period, body.amount, wait, events)
    }

    fn set_limit(
        &mut self,
        account: u32,
        kind: LimitKind,
        period: Period,
        amount: Minor,
        wait: Nanos,
        events: &mut Events,
    ) -> Decided {
        let id = AccountId::new(account, 1);
        let done = Ok(Answer { amount, ..Answer::done(self.seq, id.raw()) });
        let at = self.ledger.accounts[account as usize].limited;
        let before = self.limited.get(at as usize).map(|limited| *limited.limit(kind, period));
        let before = before.unwrap_or_default();
        let waiting = before.waits(self.now);
        let now = before.at(self.now);
        if wait == Nanos::ZERO && !waiting && now == amount.0 {
            return done;
        }
        if at == NONE && self.limited.len() as u32 == self.capacities.limited {
            return Err(self.no(Reject::Full));
        }
        // From here on nothing can fail.
        if at == NONE {
            self.ledger.accounts[account as usize].limited = self.limited.len() as u32;
            self.limited.push(Limited::new(account));
        }
        let at = self.ledger.accounts[account as usize].limited;
        let from = self.now.plus(wait);
        let limit = &mut self.limited[at as usize].limits[kind as usize - 1][place(period)];
        *limit = match wait {
            Nanos::ZERO => OwnLimit { amount: amount.0, ..OwnLimit::default() },
            _ => OwnLimit { amount: now, next: amount.0, from },
        };
        let (account, kind, period) = (id, kind as u8, period as u8);
        events.push(&AccountLimitChanged { account, amount, from, kind, period, zero: [0; 6] });
        done
    }

    /// An operator, or a register, excludes an account.
    pub(crate) fn exclude_account(
        &mut self,
        body: &ExcludeAccount,
        events: &mut Events,
    ) -> Decided {
        self.exclude(body.account, body.until, events)
    }

    /// A customer excludes itself.
    pub(crate) fn exclude_self(
        &mut self,
        header: &Header,
        body: &ExcludeSelf,
        events: &mut Events,
    ) -> Decided {
        self.exclude(AccountId::from_raw(header.account), body.until, events)
    }

    fn exclude(&mut self, id: AccountId, until: Timestamp, events: &mut Events) -> Decided {
        let Some((index, account)) = self.ledger.find(id) else {
            return Err(self.no(Reject::AccountUnknown));
        };
        // Neither shorter, nor over already: nobody is to believe that he is excluded and is not.
        if until <= account.excluded.max(self.now) {
            return Err(self.no(Reject::NotAllowed));
        }
        self.ledger.accounts[index as usize].excluded = until;
        events.push(&AccountExcluded { account: id, until });
        Ok(Answer::done(self.seq, id.raw()))
    }
}

fn choices(kind: u8, period: u8) -> (LimitKind, Period) {
    let kind = LimitKind::from_code(kind).expect("checked when it was read");
    (kind, Period::from_code(period).expect("checked when it was read"))
}
