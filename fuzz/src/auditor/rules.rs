//! An operator's own rules, asked a second time: at the same gates, with facts from the auditor's own books.

use super::place::Slip;
use super::{Account, Auditor, and, money};
use betring_core::answer::Answer;
use betring_core::id::{AccountId, SelectionIndex, Seq};
use betring_core::reject::Reject;
use betring_core::time::Timestamp;
use betring_core::{BetFacts, Rules, Ruling};
use betring_pricing::{Currency, Stake};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a rule is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Account,
    Market,
    Price,
    Stake,
    Liability,
}

type Ask = dyn Fn(Gate, &BetFacts) -> Ruling + Send + Sync;

/// Rules of an operator's own, as the auditor asks them.
#[derive(Clone)]
pub struct OwnRules(Arc<Ask>);

impl OwnRules {
    /// These.
    pub fn of<R: Rules>(rules: R) -> OwnRules {
        // Rules may be sent to another thread, and need not be shared with one.
        let rules = Mutex::new(rules);
        OwnRules(Arc::new(move |gate, facts| {
            let rules = rules.lock().unwrap_or_else(PoisonError::into_inner);
            match gate {
                Gate::Account => rules.account(facts),
                Gate::Market => rules.market(facts),
                Gate::Price => rules.price(facts),
                Gate::Stake => rules.stake(facts),
                Gate::Liability => rules.liability(facts),
            }
        }))
    }
}

impl std::fmt::Debug for OwnRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnRules")
    }
}

impl Auditor {
    /// The operator has these rules of its own: they are asked at their gates, and what they say is what has
    /// to have become of the bet.
    pub fn with_rules(self, rules: OwnRules) -> Auditor {
        Auditor { rules: Some(rules), ..self }
    }

    /// What is known of a bet at the first gate.
    pub(super) fn facts_for_rules(&self, id: u64, slip: &Slip, account: &Account) -> BetFacts {
        let currency = Currency::from_numeric(account.currency);
        let currency = currency.expect("an account has a currency that there is");
        let stake = i64::try_from(slip.stake).ok().and_then(Stake::from_minor);
        let stake = stake.expect("checked when it was read");
        let id = AccountId::from_raw(id);
        let mut facts = BetFacts::new(Timestamp(self.now), id, currency, stake);
        facts.reference = account.reference;
        facts.balance = money(account.balance);
        facts.selection = SelectionIndex(slip.wanted[0].selection as u16);
        facts.legs = slip.lines.legs as u8;
        facts.lines = slip.lines.count();
        facts.policy = slip.policy;
        facts.synthetic = slip.synthetic;
        facts
    }

    /// Asks at one gate: a refusal is the answer, a smaller stake is the bet's from here on.
    pub(super) fn ask(&self, gate: Gate, facts: &mut BetFacts) -> Result<(), Answer> {
        let Some(OwnRules(ask)) = &self.rules else { return Ok(()) };
        match ask(gate, facts) {
            Ruling::Refuse(reason) => {
                let no = Answer::refused(Reject::Policy, Seq(self.seq));
                Err(and(no, |no| no.policy_reason = reason))
            }
            Ruling::Reduce(stake) => {
                facts.stake = facts.stake.min(stake);
                Ok(())
            }
            Ruling::Refer => {
                facts.refer = true;
                Ok(())
            }
            Ruling::Pass => Ok(()),
            other => unreachable!("the auditor does not know what {other:?} means"),
        }
    }
}
