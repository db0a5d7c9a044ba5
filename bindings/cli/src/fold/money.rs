//! Where money goes: what each record has to move and what it moved, and what a bet is paid.

use super::{Fold, Life, Rule};
use betring_core::command::SelectionOutcome;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::wire::{Minor, WirePrice};
use std::collections::HashMap;

impl Fold {
    pub(super) fn settled(&mut self, settled: &BetSettled, due: &mut Vec<Transfer>) {
        self.counts.settled += 1;
        let id = settled.bet;
        let Some(bet) = self.bets.get_mut(&id.raw()) else {
            return self.broken(Rule::Settlement, || format!("{id} is settled and was never open"));
        };
        let (before, stake, returns) = (bet.life, bet.stake, bet.returns);
        bet.life = Life::Settled(settled.settlement);
        let same = bet.account == settled.account
            && (bet.market, bet.selection) == (settled.market, settled.selection)
            && stake == settled.stake;
        self.must(Rule::Settlement, same, || format!("{id} is settled as another bet"));
        if let Life::Settled(settlement) = before {
            return self.broken(Rule::Settlement, || {
                format!("{id} is settled again, it was by settlement {settlement}")
            });
        }
        self.must(Rule::Settlement, before == Life::Open, || format!("{id} was not open"));
        let result = self.markets.get_mut(&settled.market.raw()).map(|market| {
            market.unsettled = market.unsettled.saturating_sub(1);
            let quote = market.quotes.get(usize::from(settled.selection.0));
            // Bets on what was withdrawn are off, whatever the result says of it.
            let outcome = |quote: &super::Quote| match quote.withdrawn {
                true => quote.outcome.and(Some(SelectionOutcome::Void)),
                false => quote.outcome,
            };
            (market.settlement, market.job, quote.and_then(outcome))
        });
        let (outcome, paid) = match result {
            Some((settlement, job, Some(outcome)))
                if (settlement, job) == (settled.settlement, settled.job) =>
            {
                match outcome {
                    SelectionOutcome::Win => (BetOutcome::Won, returns),
                    SelectionOutcome::Lose => (BetOutcome::Lost, Minor(0)),
                    SelectionOutcome::Void => (BetOutcome::Void, stake),
                }
            }
            _ => {
                let what = || format!("{id} is settled without a result of its selection");
                return self.broken(Rule::Settlement, what);
            }
        };
        self.counts.paid += u64::from(paid != Minor(0));
        self.must(Rule::Settlement, settled.outcome == outcome as u8, || {
            format!("{id} came out {outcome}, it is settled as {}", outcome_name(settled.outcome))
        });
        self.must(Rule::Settlement, settled.paid == paid, || {
            format!("{id} is paid {}, due is {paid}", settled.paid)
        });
        match outcome {
            BetOutcome::Won => {
                due.extend(self.transfer(id, TransferWhy::Take));
                due.extend(self.transfer(id, TransferWhy::Pay));
            }
            BetOutcome::Lost => due.extend(self.transfer(id, TransferWhy::Take)),
            BetOutcome::Void => due.extend(self.transfer(id, TransferWhy::Return)),
            BetOutcome::None => (),
        }
        self.stake_leaves(id);
    }

    pub(super) fn stake_leaves(&mut self, bet: BetId) {
        if let Some(bet) = self.bets.get(&bet.raw()) {
            *self.stakes.entry(bet.currency).or_default() -= i128::from(bet.stake.0);
        }
    }

    /// The transfer that must stand in the record because of a bet.
    pub(super) fn transfer(&self, id: BetId, why: TransferWhy) -> Option<Transfer> {
        let bet = self.bets.get(&id.raw())?;
        let customer = LedgerAccount::customer(bet.account);
        let of = |which| LedgerAccount::house(which, bet.currency);
        let (from, to, amount) = match why {
            TransferWhy::Stake => (customer, of(HouseAccount::Escrow), bet.stake),
            TransferWhy::Return => (of(HouseAccount::Escrow), customer, bet.stake),
            TransferWhy::Take => (of(HouseAccount::Escrow), of(HouseAccount::House), bet.stake),
            TransferWhy::Pay => (of(HouseAccount::House), customer, bet.returns),
            TransferWhy::Deposit | TransferWhy::Withdraw => return None,
        };
        let why = why as u8;
        Some(Transfer { from, to, amount, bet: id, currency: bet.currency, why, zero: [0; 5] })
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

    /// Stake times the exact price, rounded once: `None` if there is no price or no journal's rule.
    pub(super) fn returns(&self, stake: Minor, price: WirePrice) -> Option<i128> {
        let (num, den) = match (price.e4, price.num, price.den) {
            (0, _, _) => return None,
            (e4, _, 0) => (i128::from(e4), 10_000),
            (_, num, den) => (i128::from(num) + i128::from(den), i128::from(den)),
        };
        let exact = i128::from(stake.0) * num;
        let (floor, rest) = (exact.div_euclid(den), exact.rem_euclid(den));
        // 1 down, 2 up, 3 half up, 4 half to even: as Genesis writes them.
        let up = match self.genesis?.rounding {
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
        for event in events {
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
                touched.push((account, t.currency));
            }
        }
        for t in due {
            self.broken(Rule::Ledger, || {
                format!("{} from {} to {} did not move{}", t.amount, t.from, t.to, of_bet(&t))
            });
        }
        for (account, currency) in touched {
            let balance = self.balances.get(&account.0).map_or(0, |(_, balance)| *balance);
            if account.owner().is_ok() {
                self.must(Rule::Balance, 0 <= balance, || format!("{account} is at {balance}"));
            }
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

fn outcome_name(code: u8) -> String {
    BetOutcome::from_code(code).map_or(format!("outcome {code}"), |outcome| outcome.to_string())
}
