//! Whose money moves: probes' is kept apart, an external wallet's goes out as soon as it is there, and
//! what counts for an account's own limits is counted.

use crate::bet::Bet;
use crate::event::{Events, HouseAccount, TransferWhy};
use crate::id::BetId;
use crate::ledger::Side;
use crate::rules::Rules;
use crate::state::State;

impl<R: Rules> State<R> {
    /// Money of an account moves: every transfer is one account's, also that of its stake from one of the
    /// house's accounts to another.
    #[expect(clippy::too_many_arguments, reason = "one line of a ledger has as many columns")]
    pub(crate) fn transfer(
        &mut self,
        account: u32,
        from: Side,
        to: Side,
        amount: i64,
        why: TransferWhy,
        bet: BetId,
        events: &mut Events,
    ) {
        let Some((from, to)) = self.sides(account, from, to) else { return };
        self.ledger.transfer(account, from, to, amount, why, bet, events);
        self.count_flow(account, from, to, amount, why, bet);
        let kept = &self.ledger.accounts[account as usize];
        if kept.external && matches!(to, Side::Customer(_)) && 0 < kept.balance {
            let (all, world) = (kept.balance, Side::House(HouseAccount::World));
            self.transfer(account, to, world, all, TransferWhy::WalletOut, bet, events);
        }
    }

    /// A stake that an external wallet holds comes in and goes on at once: to escrow, or out again. A debt
    /// of the account is neither paid by it nor grows.
    pub(crate) fn pass_stake(
        &mut self,
        id: BetId,
        bet: &Bet,
        to: HouseAccount,
        why: TransferWhy,
        events: &mut Events,
    ) {
        let (account, stake) = (bet.account, bet.stake);
        let world = Side::House(HouseAccount::World);
        let legs = [
            (world, Side::Customer(account), TransferWhy::WalletIn),
            (Side::Debtor(account), Side::House(to), why),
        ];
        for (from, to, why) in legs {
            if let Some((from, to)) = self.sides(account, from, to) {
                self.ledger.post_both(account, from, to, stake, why, id, events);
                self.count_flow(account, from, to, stake, why, id);
            }
        }
    }

    /// Where it moves: all that the house has to do with a probe is one account. Nothing moves within it.
    fn sides(&self, account: u32, from: Side, to: Side) -> Option<(Side, Side)> {
        if !self.ledger.accounts[account as usize].synthetic {
            return Some((from, to));
        }
        let probes = Side::House(HouseAccount::Probes);
        let apart = |side| if matches!(side, Side::House(_)) { probes } else { side };
        match (from, to) {
            (Side::House(_), Side::House(_)) => None,
            _ => Some((apart(from), apart(to))),
        }
    }
}
