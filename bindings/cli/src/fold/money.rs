//! Where money goes: what each record has to move and what it moved, and who owes.

use super::{Bet, Fold, Rule};
use betring_core::event::*;
use betring_core::id::*;
use betring_core::wire::{Minor, WirePrice};
use std::collections::HashMap;

impl Fold {
    pub(super) fn stake_enters(&mut self, id: BetId, (currency, stake): (u16, Minor)) {
        // What probes stake lies with the other money of theirs.
        if self.bets.get(&id.raw()).is_none_or(|bet| !self.is_synthetic(bet.account)) {
            *self.stakes.entry(currency).or_default() += i128::from(stake.0);
        }
    }

    pub(super) fn stake_leaves(&mut self, bet: BetId) {
        if let Some(bet) = self.bets.get(&bet.raw()).cloned() {
            self.stake_changes(&bet, -i128::from(bet.stake.0));
        }
    }

    pub(super) fn stake_changes(&mut self, bet: &Bet, by: i128) {
        if !self.is_synthetic(bet.account) {
            *self.stakes.entry(bet.currency).or_default() += by;
        }
    }

    /// The house's side of what an account does: of a probe it is always the same.
    fn side(&self, account: AccountId, which: HouseAccount, currency: u16) -> LedgerAccount {
        let which = if self.is_synthetic(account) { HouseAccount::Probes } else { which };
        LedgerAccount::house(which, currency)
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
        let of = |which| self.side(bet.account, which, bet.currency);
        let (escrow, house) = (of(HouseAccount::Escrow), of(HouseAccount::House));
        let (from, to) = match why {
            TransferWhy::Stake => (staker, escrow),
            TransferWhy::Return => (escrow, staker),
            TransferWhy::Take => (escrow, house),
            TransferWhy::Pay | TransferWhy::CashOut => (house, customer),
            TransferWhy::WalletIn => (of(HouseAccount::World), customer),
            TransferWhy::Deposit
            | TransferWhy::Withdraw
            | TransferWhy::WalletOut
            | TransferWhy::Reverse
            | TransferWhy::Adjust
            | TransferWhy::Bonus
            | TransferWhy::Exposure
            | TransferWhy::Net
            | TransferWhy::Commission
            | TransferWhy::Residue => return None,
        };
        let why = why as u8;
        let transfer =
            Transfer { from, to, amount, bet: id, currency: bet.currency, why, zero: [0; 5] };
        // From a probe's stake to the house is no way at all.
        (from != to).then_some(transfer)
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
        self.by_hand(account, customer, HouseAccount::House, amount, bet, TransferWhy::Adjust)
    }

    /// The transfer that must stand in the record of a bonus.
    pub(super) fn granted(&self, account: AccountId, amount: Minor) -> Option<Transfer> {
        let bonus = LedgerAccount::bonus(account);
        let (house, why) = (HouseAccount::Promotions, TransferWhy::Bonus);
        self.by_hand(account, bonus, house, amount, BetId::NONE, why)
    }

    fn by_hand(
        &self,
        account: AccountId,
        own: LedgerAccount,
        house: HouseAccount,
        amount: Minor,
        bet: BetId,
        why: TransferWhy,
    ) -> Option<Transfer> {
        let (currency, _) = *self.balances.get(&own.0)?;
        let house = self.side(account, house, currency);
        let (from, to) = if Minor(0) < amount { (house, own) } else { (own, house) };
        let (amount, why) = (Minor(amount.0.saturating_abs()), why as u8);
        Some(Transfer { from, to, amount, bet, currency, why, zero: [0; 5] })
    }

    /// The transfer that must stand in the record of a deposit or a withdrawal.
    pub(super) fn across(&self, account: u64, amount: Minor, why: TransferWhy) -> Option<Transfer> {
        let customer = LedgerAccount::customer(AccountId::from_raw(account));
        let (currency, _) = *self.balances.get(&customer.0)?;
        let world = self.side(AccountId::from_raw(account), HouseAccount::World, currency);
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
        let mut external = Vec::new();
        // A stake that comes from a wallet goes on at once: it neither pays a debt nor makes one.
        let mut passing: Option<(LedgerAccount, i128)> = None;
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
            if t.why == TransferWhy::WalletOut as u8 {
                self.goes_to_the_wallet(&t, passing);
                due.push(t);
            }
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
                    if !account.is_bonus() {
                        self.count_own(own, &t);
                        external.extend(self.is_external(own).then_some(own));
                    }
                    let comes = t.why == TransferWhy::WalletIn as u8;
                    let since = passing.take().filter(|(of, _)| *of == account);
                    let was = since.map_or(before, |(_, was)| was);
                    if comes {
                        passing = Some((account, before));
                    }
                    let may = self.may_be_owed(own, t.why);
                    let overdrawn = amount < 0 && after < was.min(0) && !may;
                    self.must(Rule::Balance, !overdrawn, || format!("{account} is at {after}"));
                    if !comes && was.min(0) != after.min(0) && !account.is_bonus() {
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
        self.exchange.by_news.clear();
        for account in external {
            let own = LedgerAccount::customer(account);
            let kept = self.balances.get(&own.0).map_or(0, |(_, balance)| *balance);
            self.must(Rule::Wallet, kept <= 0, || {
                format!("{account} keeps {kept} minor units here, and has an external wallet")
            });
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

    /// Only what was paid by mistake, a correction by hand, and on an exchange what the outcome of a market asks for,
    /// make a debt.
    fn may_be_owed(&self, account: AccountId, why: u8) -> bool {
        match TransferWhy::from_code(why) {
            Some(TransferWhy::Reverse | TransferWhy::Adjust) => true,
            Some(TransferWhy::Net | TransferWhy::Commission) => true,
            Some(TransferWhy::Exposure) => self.exchange.by_news.contains(&account),
            _ => false,
        }
    }

    /// Money that goes to an external wallet: all that is there, of an account that has one.
    fn goes_to_the_wallet(&mut self, t: &Transfer, passing: Option<(LedgerAccount, i128)>) {
        let (from, to, amount) = (t.from, t.to, i128::from(t.amount.0));
        let own = from.owner().ok().filter(|_| !from.is_bonus());
        let balance = self.balances.get(&from.0).map_or(0, |(_, balance)| *balance);
        // What only passes leaves a debt as it was.
        let debt = passing.filter(|(of, _)| *of == from).map_or(0, |(_, was)| was.min(0));
        let balance = balance - debt;
        let right = own.is_some_and(|own| {
            self.is_external(own) && to == self.side(own, HouseAccount::World, t.currency)
        });
        self.must(Rule::Wallet, right && amount == balance, || {
            format!("{} goes from {from} to its wallet, {balance} minor units were there", t.amount)
        });
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
