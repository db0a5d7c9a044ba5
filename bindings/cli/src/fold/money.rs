//! Where money goes: what each record has to move and what it moved, and who owes.

use super::{Fold, Rule};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::wire::{Minor, WirePrice};
use std::collections::HashMap;

impl Fold {
    pub(super) fn stake_leaves(&mut self, bet: BetId) {
        if let Some(bet) = self.bets.get(&bet.raw()) {
            *self.stakes.entry(bet.currency).or_default() -= i128::from(bet.stake.0);
        }
    }

    /// The transfer of a bet's whole stake that must stand in the record.
    pub(super) fn transfer(&self, id: BetId, why: TransferWhy) -> Option<Transfer> {
        self.moved(id, why, self.bets.get(&id.raw())?.stake)
    }

    /// The transfer that must stand in the record because of a bet.
    pub(super) fn moved(&self, id: BetId, why: TransferWhy, amount: Minor) -> Option<Transfer> {
        let bet = self.bets.get(&id.raw())?;
        let customer = LedgerAccount::customer(bet.account);
        // The stake of a free bet comes from the bonus, and goes back there; what it wins does not.
        let staker = if bet.bonus { LedgerAccount::bonus(bet.account) } else { customer };
        let of = |which| LedgerAccount::house(which, bet.currency);
        let (escrow, house) = (of(HouseAccount::Escrow), of(HouseAccount::House));
        let (from, to) = match why {
            TransferWhy::Stake => (staker, escrow),
            TransferWhy::Return => (escrow, staker),
            TransferWhy::Take => (escrow, house),
            TransferWhy::Pay | TransferWhy::CashOut => (house, customer),
            TransferWhy::Deposit
            | TransferWhy::Withdraw
            | TransferWhy::Reverse
            | TransferWhy::Adjust
            | TransferWhy::Bonus => return None,
        };
        let why = why as u8;
        Some(Transfer { from, to, amount, bet: id, currency: bet.currency, why, zero: [0; 5] })
    }

    /// The transfers that take a settlement back: what was paid, and the stake into escrow.
    pub(super) fn taken_back(&self, id: BetId, was: BetOutcome, paid: Minor) -> Vec<Transfer> {
        let back = |by: TransferWhy, amount| {
            let Transfer { from, to, .. } = self.moved(id, by, amount)?;
            let (from, to, why) = (to, from, TransferWhy::Reverse as u8);
            let currency = self.bets.get(&id.raw())?.currency;
            Some(Transfer { from, to, amount, bet: id, currency, why, zero: [0; 5] })
        };
        let stake = self.bets.get(&id.raw()).map_or(Minor(0), |bet| bet.stake);
        match was {
            BetOutcome::Void => back(TransferWhy::Return, stake).into_iter().collect(),
            _ => {
                let paid = (paid != Minor(0)).then(|| back(TransferWhy::Pay, paid)).flatten();
                paid.into_iter().chain(back(TransferWhy::Take, stake)).collect()
            }
        }
    }

    /// The transfer that must stand in the record of an adjustment: from the house, or to it.
    pub(super) fn adjusted(
        &self,
        account: AccountId,
        amount: Minor,
        bet: BetId,
    ) -> Option<Transfer> {
        let customer = LedgerAccount::customer(account);
        self.by_hand(customer, HouseAccount::House, amount, bet, TransferWhy::Adjust)
    }

    /// The transfer that must stand in the record of a bonus.
    pub(super) fn granted(&self, account: AccountId, amount: Minor) -> Option<Transfer> {
        let bonus = LedgerAccount::bonus(account);
        self.by_hand(bonus, HouseAccount::Promotions, amount, BetId::NONE, TransferWhy::Bonus)
    }

    fn by_hand(
        &self,
        own: LedgerAccount,
        house: HouseAccount,
        amount: Minor,
        bet: BetId,
        why: TransferWhy,
    ) -> Option<Transfer> {
        let (currency, _) = *self.balances.get(&own.0)?;
        let house = LedgerAccount::house(house, currency);
        let (from, to) = if Minor(0) < amount { (house, own) } else { (own, house) };
        let (amount, why) = (Minor(amount.0.saturating_abs()), why as u8);
        Some(Transfer { from, to, amount, bet, currency, why, zero: [0; 5] })
    }

    /// The transfer that must stand in the record of a deposit or a withdrawal.
    pub(super) fn across(&self, account: u64, amount: Minor, why: TransferWhy) -> Option<Transfer> {
        let customer = LedgerAccount::customer(AccountId::from_raw(account));
        let (currency, _) = *self.balances.get(&customer.0)?;
        let world = LedgerAccount::house(HouseAccount::World, currency);
        let deposit = why == TransferWhy::Deposit;
        let (from, to) = if deposit { (world, customer) } else { (customer, world) };
        let (bet, why) = (BetId::NONE, why as u8);
        Some(Transfer { from, to, amount, bet, currency, why, zero: [0; 5] })
    }

    /// Stake times the exact price, rounded once: `None` if there is no price or no such rounding.
    pub(super) fn returns(&self, stake: Minor, price: WirePrice, rounding: u8) -> Option<i128> {
        let (num, den) = match (price.e4, price.num, price.den) {
            (0, _, _) => return None,
            (e4, _, 0) => (i128::from(e4), 10_000),
            (_, num, den) => (i128::from(num) + i128::from(den), i128::from(den)),
        };
        let exact = i128::from(stake.0) * num;
        let (floor, rest) = (exact.div_euclid(den), exact.rem_euclid(den));
        // 1 down, 2 up, 3 half up, 4 half to even: as they are written.
        let up = match rounding {
            1 => false,
            2 => rest != 0,
            3 => den <= 2 * rest,
            4 => den < 2 * rest || (den == 2 * rest && floor % 2 != 0),
            _ => return None,
        };
        Some(floor + i128::from(up))
    }

    /// Moves the money that the record moved, and compares it with what had to move.
    pub(super) fn money(&mut self, events: &[Event], mut due: Vec<Transfer>) {
        let mut touched = Vec::new();
        let mut owed = Vec::new();
        for event in events {
            if let Event::DebtChanged(debt) = event {
                let told = owed.iter().position(|due: &DebtChanged| due == debt);
                match told {
                    Some(at) => drop(owed.swap_remove(at)),
                    None => self.broken(Rule::Balance, || {
                        format!("{} says it owes {}, it does not", debt.account, debt.debt)
                    }),
                }
                continue;
            }
            let Event::Transfer(transfer) = event else { continue };
            self.counts.transfers += 1;
            let t = *transfer;
            match due.iter().position(|due| *due == t) {
                Some(at) => drop(due.swap_remove(at)),
                None => self.broken(Rule::Ledger, || {
                    format!("{} from {} to {} has no cause{}", t.amount, t.from, t.to, of_bet(&t))
                }),
            }
            self.must(Rule::Ledger, 0 < t.amount.0, || "a transfer of nothing".into());
            for (account, amount) in [(t.from, -i128::from(t.amount.0)), (t.to, t.amount.0.into())]
            {
                let before = self.balances.get(&account.0).map_or(0, |(_, balance)| *balance);
                let after = before + amount;
                if let Ok(own) = account.owner() {
                    // Only what was paid by mistake, and a correction by hand, make a debt.
                    let may = [TransferWhy::Reverse as u8, TransferWhy::Adjust as u8];
                    let overdrawn = amount < 0 && after < 0 && !may.contains(&t.why);
                    self.must(Rule::Balance, !overdrawn, || format!("{account} is at {after}"));
                    if before.min(0) != after.min(0) && !account.is_bonus() {
                        let debt = Minor(i64::try_from(-after.min(0)).unwrap_or(i64::MAX));
                        let currency = t.currency;
                        owed.push(DebtChanged { account: own, debt, currency, zero: [0; 6] });
                    }
                }
                let balance = match account.owner() {
                    Ok(_) => self.balances.get_mut(&account.0),
                    Err(_) => Some(self.balances.entry(account.0).or_insert((t.currency, 0))),
                };
                match balance {
                    Some((currency, balance)) if *currency == t.currency => *balance += amount,
                    _ => self.broken(Rule::Ledger, || {
                        format!("{account} is not an account in currency {}", t.currency)
                    }),
                }
                touched.push(t.currency);
            }
        }
        for debt in owed {
            self.broken(Rule::Balance, || {
                format!("{} owes {}, and no event tells it", debt.account, debt.debt)
            });
        }
        for t in due {
            self.broken(Rule::Ledger, || {
                format!("{} from {} to {} did not move{}", t.amount, t.from, t.to, of_bet(&t))
            });
        }
        for currency in touched {
            let escrow = LedgerAccount::house(HouseAccount::Escrow, currency);
            let escrow = self.balances.get(&escrow.0).map_or(0, |(_, balance)| *balance);
            let stakes = self.stakes.get(&currency).copied().unwrap_or(0);
            self.must(Rule::Escrow, escrow == stakes, || {
                format!("the escrow in {currency} holds {escrow}, the stakes are {stakes}")
            });
        }
    }

    /// After the last record: each currency sums to zero.
    pub(crate) fn finish(&mut self) {
        let mut sums = HashMap::<u16, i128>::new();
        for (currency, balance) in self.balances.values() {
            *sums.entry(*currency).or_default() += balance;
        }
        for (currency, sum) in sums {
            self.must(Rule::Ledger, sum == 0, || format!("currency {currency} sums to {sum}"));
        }
    }
}

fn of_bet(transfer: &Transfer) -> String {
    if transfer.bet == BetId::NONE { String::new() } else { format!(", {}", transfer.bet) }
}
