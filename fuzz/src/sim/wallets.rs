//! The books of an external wallet, kept from the records of a night alone: what it was asked to hold, what it
//! held, what it let go, and whether any of it was counted twice. Nothing in here knows how bets are decided.

use crate::auditor::Violation;
use betring_core::answer::Basis;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::wire::WirePrice;
use std::collections::{BTreeMap, BTreeSet};

/// What became of the stakes that wallets were asked to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldCounts {
    /// Stakes that a wallet was asked to hold.
    pub asked: u64,
    /// Those of them whose bets were bound to their price when they were placed.
    pub at_place: u64,
    /// Confirmed in time.
    pub confirmed: u64,
    /// Bets that were open after that, at once or after a wait.
    pub opened: u64,
    /// Confirmed, and refused when the gates were run again.
    pub refused: u64,
    /// Let go by the wallet.
    pub released: u64,
    /// Not answered in time.
    pub timed_out: u64,
    /// Not answered when a job of their market came.
    pub overtaken: u64,
    /// Confirmations that came a second time and were told so, and changed nothing.
    pub doubled: u64,
    /// Confirmations that came after the hold had ended, or said something else than before.
    pub late: u64,
    /// Confirmations of another amount.
    pub of_another_amount: u64,
    /// Answers for bets that wait for no wallet.
    pub of_another_bet: u64,
}

impl HoldCounts {
    /// Adds another count.
    pub fn add(&mut self, other: &HoldCounts) {
        let HoldCounts {
            asked,
            at_place,
            confirmed,
            opened,
            refused,
            released,
            timed_out,
            overtaken,
            doubled,
            late,
            of_another_amount,
            of_another_bet,
        } = other;
        self.asked += asked;
        self.at_place += at_place;
        self.confirmed += confirmed;
        self.opened += opened;
        self.refused += refused;
        self.released += released;
        self.timed_out += timed_out;
        self.overtaken += overtaken;
        self.doubled += doubled;
        self.late += late;
        self.of_another_amount += of_another_amount;
        self.of_another_bet += of_another_bet;
    }
}

impl std::fmt::Display for HoldCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} holds asked of wallets ({} bound at placing, {} at confirmation): {} confirmed, {} of them \
             opened and {} refused by the gates; {} released, {} timed out, {} overtaken by a job; {} \
             confirmations came twice, {} late or otherwise than before, {} for another amount, {} answers for \
             another bet",
            self.asked,
            self.at_place,
            self.asked - self.at_place,
            self.confirmed,
            self.opened,
            self.refused,
            self.released,
            self.timed_out,
            self.overtaken,
            self.doubled,
            self.late,
            self.of_another_amount,
            self.of_another_bet
        )
    }
}

/// One stake, as its wallet knows it.
#[derive(Clone, Copy, Debug)]
struct Stake {
    amount: i64,
    at_place: bool,
    /// What the bet would return at the prices that it was shown.
    returns: i64,
    confirmed: bool,
    came: bool,
    staked: bool,
    ended: bool,
}

#[derive(Default)]
struct Books {
    external: BTreeSet<u64>,
    stakes: BTreeMap<u64, Stake>,
    /// What a bet would return when it was made to wait.
    waiting: BTreeMap<u64, i64>,
    /// What all accounts of the ledger have, by currency.
    balances: BTreeMap<(LedgerAccount, u16), i128>,
    counts: HoldCounts,
}

/// Whether a customer who asked for one price with this policy may be bound to another.
fn allows(policy: u8, asked: WirePrice, bound: WirePrice, slippage: u16) -> bool {
    // Profit and what is staked for it: a fraction is not the decimal that it is rounded to.
    let odds = |price: WirePrice| match price.den {
        0 => (i128::from(price.e4) - 10_000, 10_000),
        den => (i128::from(price.num), i128::from(den)),
    };
    let ((asked_won, asked_per), (won, per)) = (odds(asked), odds(bound));
    let (least, is) = (asked_won * per, won * asked_per);
    match PricePolicy::from_code(policy) {
        Some(PricePolicy::Exact) | None => least == is,
        Some(PricePolicy::Better) => least <= is,
        Some(PricePolicy::Within) => {
            let (asked, bound) = (i128::from(asked.e4), i128::from(bound.e4));
            (asked - bound) * 10_000 <= asked * i128::from(slippage)
        }
        Some(PricePolicy::Any) => true,
    }
}

/// Keeps a wallet's books over the records of a night: command and events of each, in order.
///
/// # Errors
/// What does not hold: a stake that came twice or was staked twice, a bet that opened without its stake, a
/// confirmation that counts after its hold had ended, a price that its customer forbade, money left behind.
pub fn check<'a>(
    records: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<HoldCounts, Violation> {
    let mut books = Books::default();
    for ((command, events), seq) in records.zip(1_u64..) {
        let all: Result<Vec<Event>, _> = EventReader::new(events).collect();
        let all = all.map_err(|e| format!("the events of #{seq} cannot be read: {e}"))?;
        books.record(command, &all).map_err(|what| format!("#{seq}: {what}"))?;
    }
    Ok(books.counts)
}

impl Books {
    fn record(&mut self, command: &[u8], events: &[Event]) -> Result<(), Violation> {
        let mut opened: Option<TicketOpened> = None;
        for event in events {
            match event {
                Event::AccountOpened(account) if account.purse == Purse::External as u8 => {
                    self.external.insert(account.account.raw());
                }
                Event::BetPending(pending) if pending.why == PendingWhy::Wallet as u8 => {
                    self.waiting.insert(pending.bet.raw(), pending.returns.0);
                }
                Event::HoldRequested(asked) => self.asked(asked)?,
                Event::HoldConfirmed(confirmed) => {
                    let stake = self.stake(confirmed.bet)?;
                    let good =
                        !stake.confirmed && !stake.ended && stake.amount == confirmed.amount.0;
                    if !good {
                        return Err(format!("{confirmed:?} counts, and the wallet has {stake:?}"));
                    }
                    stake.confirmed = true;
                    self.counts.confirmed += 1;
                }
                Event::HoldEnded(ended) => self.ended(ended, command)?,
                Event::Transfer(moved) => self.moved(moved)?,
                Event::BetOpened(bet) => {
                    let bound = (bet.policy, bet.requested, bet.price, bet.slippage);
                    self.opened(bet.bet, bet.account, bet.basis, bet.returns.0)?;
                    self.is_allowed(bet.bet, bet.basis, bound)?;
                }
                Event::TicketOpened(bet) => {
                    if bet.bonus == 0 {
                        self.opened(bet.bet, bet.account, bet.basis, bet.returns.0)?;
                    }
                    opened = Some(*bet);
                }
                Event::LegBound(leg) => {
                    if let Some(bet) = opened.filter(|bet| bet.bet == leg.bet) {
                        let bound = (bet.policy, leg.requested, leg.price, bet.slippage);
                        self.is_allowed(leg.bet, bet.basis, bound)?;
                    }
                }
                Event::Answered(answered) => self.answered(command, events, answered),
                _ => (),
            }
        }
        let kept = |((account, _), balance): &(&(LedgerAccount, u16), &i128)| {
            let of_wallet = account.owner().is_ok_and(|id| self.external.contains(&id.raw()));
            of_wallet && !account.is_bonus() && 0 < **balance
        };
        match self.balances.iter().find(kept) {
            Some(kept) => Err(format!("{kept:?} is an external wallet's, and was left here")),
            None => Ok(()),
        }
    }

    fn stake(&mut self, bet: BetId) -> Result<&mut Stake, Violation> {
        let unknown = || format!("no wallet was asked for the stake of {bet}");
        self.stakes.get_mut(&bet.raw()).ok_or_else(unknown)
    }

    fn asked(&mut self, asked: &HoldRequested) -> Result<(), Violation> {
        let at_place = asked.bind == HoldBind::AtPlace as u8;
        self.counts.asked += 1;
        self.counts.at_place += u64::from(at_place);
        let returns = self.waiting.remove(&asked.bet.raw());
        let returns = returns.ok_or_else(|| format!("{asked:?} was asked, and nothing waits"))?;
        let stake = Stake {
            amount: asked.amount.0,
            at_place,
            returns,
            confirmed: false,
            came: false,
            staked: false,
            ended: false,
        };
        match self.stakes.insert(asked.bet.raw(), stake) {
            None => Ok(()),
            Some(before) => Err(format!("{asked:?} was asked before: {before:?}")),
        }
    }

    fn ended(&mut self, ended: &HoldEnded, command: &[u8]) -> Result<(), Violation> {
        let stake = self.stake(ended.bet)?;
        let why = HoldEnd::from_code(ended.why);
        // What was staked may not be let go, and what was not confirmed was never here.
        let confirmed = why == Some(HoldEnd::Refused) && command[0] == Kind::ConfirmHold as u8;
        let good = !stake.ended && !stake.staked && stake.confirmed == confirmed;
        if !good || stake.came {
            return Err(format!("{ended:?}, and the wallet has {stake:?}"));
        }
        stake.ended = true;
        match why {
            Some(HoldEnd::TimedOut) => self.counts.timed_out += 1,
            Some(HoldEnd::Released) => self.counts.released += 1,
            Some(HoldEnd::Refused) if confirmed => self.counts.refused += 1,
            Some(HoldEnd::Refused) | None => self.counts.overtaken += 1,
        }
        Ok(())
    }

    fn moved(&mut self, moved: &Transfer) -> Result<(), Violation> {
        for (account, amount) in [(moved.from, -moved.amount.0), (moved.to, moved.amount.0)] {
            *self.balances.entry((account, moved.currency)).or_default() += i128::from(amount);
        }
        let of_wallet = |account: LedgerAccount| {
            !account.is_bonus() && account.owner().is_ok_and(|id| self.external.contains(&id.raw()))
        };
        let why = TransferWhy::from_code(moved.why);
        let (out, into) = (of_wallet(moved.from), of_wallet(moved.to));
        match why {
            Some(TransferWhy::WalletIn) => {
                let stake = self.stake(moved.bet)?;
                if !stake.confirmed || stake.came || stake.amount != moved.amount.0 || !into {
                    return Err(format!("{moved:?} comes in, and the wallet has {stake:?}"));
                }
                stake.came = true;
            }
            Some(TransferWhy::Stake) if out => {
                let stake = self.stake(moved.bet)?;
                if !stake.came || stake.staked || stake.amount < moved.amount.0 {
                    return Err(format!("{moved:?} is staked, and the wallet has {stake:?}"));
                }
                stake.staked = true;
            }
            Some(TransferWhy::WalletOut) => {
                if !out {
                    return Err(format!("{moved:?} goes to a wallet that the customer has not"));
                }
                // Confirmed and refused: it is as if it never came.
                if let Some(stake) = self.stakes.get_mut(&moved.bet.raw())
                    && stake.came
                    && !stake.staked
                {
                    if stake.amount != moved.amount.0 {
                        return Err(format!("{moved:?} goes back of {stake:?}"));
                    }
                    stake.came = false;
                }
            }
            Some(TransferWhy::Deposit | TransferWhy::Withdraw) if out || into => {
                return Err(format!("{moved:?} is no business of an external wallet's"));
            }
            _ => (),
        }
        Ok(())
    }

    /// No bet of an external wallet opens without its stake, and one that was bound when it was placed returns
    /// what it did then.
    fn opened(
        &mut self,
        bet: BetId,
        account: AccountId,
        basis: u8,
        returns: i64,
    ) -> Result<(), Violation> {
        if !self.external.contains(&account.raw()) {
            return Ok(());
        }
        let stake = self.stake(bet)?;
        let same = !stake.at_place || stake.returns == returns;
        if !stake.staked || stake.ended || !same {
            return Err(format!("{bet} opens and returns {returns}, and the wallet has {stake:?}"));
        }
        if stake.at_place && basis != Basis::Held as u8 {
            return Err(format!("{bet} was bound when it was placed, and opens otherwise"));
        }
        self.counts.opened += 1;
        Ok(())
    }

    /// A bet that opened because its stake is held is at a price that its customer agreed to: an offer would have
    /// been taken, and a trader's word is another basis.
    fn is_allowed(
        &self,
        bet: BetId,
        basis: u8,
        (policy, asked, bound, slippage): (u8, WirePrice, WirePrice, u16),
    ) -> Result<(), Violation> {
        let held = basis == Basis::Held as u8;
        if held && !allows(policy, asked, bound, slippage) {
            return Err(format!("{bet} asked for {asked} and is bound to {bound}"));
        }
        Ok(())
    }

    fn answered(&mut self, command: &[u8], events: &[Event], answered: &Answered) {
        let kind = Kind::from_code(command[0]);
        let confirms = kind == Some(Kind::ConfirmHold);
        if !confirms && kind != Some(Kind::ReleaseHold) {
            return;
        }
        let counts = &mut self.counts;
        match answered.answer.reject() {
            // Nothing but the answer: it was known before.
            None if events.len() == 1 => counts.doubled += u64::from(confirms),
            Some(Reject::HoldEnded) => counts.late += u64::from(confirms),
            Some(Reject::HoldAmount) => counts.of_another_amount += 1,
            Some(Reject::HoldUnknown) => counts.of_another_bet += 1,
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use betring_core::wire::Minor;

    fn transfer(why: TransferWhy, from: LedgerAccount, to: LedgerAccount) -> Event {
        Event::Transfer(Transfer {
            from,
            to,
            amount: Minor(500),
            bet: BetId::new(0, 1),
            currency: 826,
            why: why as u8,
            zero: [0; 5],
        })
    }

    /// A wallet that was asked for a stake of 5.00.
    fn asked() -> (Books, LedgerAccount, [LedgerAccount; 2]) {
        let account = AccountId::new(0, 1);
        let mut books = Books::default();
        books.external.insert(account.raw());
        books.waiting.insert(BetId::new(0, 1).raw(), 1_000);
        let requested = HoldRequested {
            bet: BetId::new(0, 1),
            account,
            amount: Minor(500),
            until: betring_core::time::Timestamp(9),
            currency: 826,
            bind: HoldBind::AtPlace as u8,
            synthetic: 0,
            zero: 0,
        };
        books.record(&[Kind::Place as u8], &[Event::HoldRequested(requested)]).expect("asked");
        let house = [HouseAccount::World, HouseAccount::Escrow];
        let house = house.map(|account| LedgerAccount::house(account, 826));
        (books, LedgerAccount::customer(account), house)
    }

    fn confirmed() -> Event {
        Event::HoldConfirmed(HoldConfirmed {
            bet: BetId::new(0, 1),
            account: AccountId::new(0, 1),
            amount: Minor(500),
            reference: 7,
        })
    }

    #[test]
    fn a_stake_that_comes_twice_or_is_staked_twice_is_noticed() {
        let confirm = [Kind::ConfirmHold as u8];
        let (mut books, customer, [world, escrow]) = asked();
        let comes = transfer(TransferWhy::WalletIn, world, customer);
        let stakes = transfer(TransferWhy::Stake, customer, escrow);
        assert_eq!(books.record(&confirm, &[confirmed(), comes, stakes]), Ok(()));
        assert!(books.record(&confirm, &[confirmed()]).is_err());
        assert!(books.record(&confirm, &[comes]).is_err());
        let (mut books, ..) = asked();
        assert!(books.record(&confirm, &[comes, stakes]).is_err(), "nobody confirmed it");
        let (mut books, ..) = asked();
        assert!(books.record(&confirm, &[confirmed(), comes, stakes, stakes]).is_err());
    }

    #[test]
    fn money_that_stays_behind_is_noticed() {
        let confirm = [Kind::ConfirmHold as u8];
        let (mut books, customer, [world, _]) = asked();
        let comes = transfer(TransferWhy::WalletIn, world, customer);
        let left = books.record(&confirm, &[confirmed(), comes]);
        assert!(left.expect_err("it was left").contains("was left here"));
    }

    #[test]
    fn a_price_below_what_was_asked_for_is_bound_only_within_what_was_agreed() {
        let of = |e4| WirePrice { e4, num: 0, den: 0 };
        let (exact, better) = (PricePolicy::Exact as u8, PricePolicy::Better as u8);
        let within = PricePolicy::Within as u8;
        assert!(!allows(better, of(20_000), of(19_900), 0));
        assert!(allows(better, of(20_000), of(20_100), 0));
        assert!(!allows(exact, of(20_000), of(20_100), 0));
        assert!(allows(within, of(20_000), of(19_800), 100));
        assert!(!allows(within, of(20_000), of(19_700), 100));
    }
}
