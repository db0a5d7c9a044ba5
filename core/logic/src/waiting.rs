//! What is not yet a bet: delayed, referred, offered. Its stake is in escrow, its price is not bound.
//!
//! A suspension of any level of any of its markets after it was asked for ends it; so does its time.

use crate::answer::{Answer, Basis};
use crate::bet::{Bet, BetState, BetStep};
use crate::command::{AnswerReferral, PriceEntry, PricePolicy, ReferralAnswer};
use crate::event::*;
use crate::id::*;
use crate::ledger::Side;
use crate::place::{Moment, Passed, Scratch, Slip, Wanted};
use crate::reject::Reject;
use crate::rules::Rules;
use crate::state::State;
use crate::wire::{Header, Minor, WirePrice};
use betring_pricing::Stake;

type Decided = Result<Answer, Answer>;

impl<R: Rules> State<R> {
    /// A bet's time to wait is over: a delayed one is decided again, an offer or a referral ends.
    /// How many units of work that was.
    pub(crate) fn end_wait(&mut self, id: BetId, events: &mut Events) -> u32 {
        let Some(bet) = self.find_bet(id).copied() else { return 1 };
        if self.now < crate::place::due(&bet) {
            return 1;
        }
        match bet.state {
            BetState::Held => {
                let answer = self.no(Reject::HoldTimedOut);
                self.refuse_held(id, &answer, HoldEnd::TimedOut, events);
            }
            BetState::Offered => {
                let withdrawn = self.suspended_since(&bet);
                let why = if withdrawn { OfferEnd::Withdrawn } else { OfferEnd::Expired };
                self.end_offer(id, why, events);
            }
            BetState::Referred => {
                let suspended = self.suspended_since(&bet);
                let why =
                    if suspended { Reject::MarketSuspended } else { Reject::ReferralTimedOut };
                let answer = self.no(why);
                self.reject_waiting(id, &answer, events);
            }
            BetState::Delayed => self.decide_again(id, events),
            BetState::CashingOut => self.end_cash_out(id, events),
            // Opened, ended or settled meanwhile: nothing is left to end.
            BetState::Open
            | BetState::Rejected
            | BetState::OfferEnded
            | BetState::Won
            | BetState::Lost
            | BetState::Void
            | BetState::Partial
            | BetState::CashedOut
            | BetState::Archived => return 1,
        }
        u32::from(bet.legs)
    }

    /// The delay has passed: all gates again, at the prices of this moment.
    fn decide_again(&mut self, id: BetId, events: &mut Events) {
        let bet = self.bets[id.index() as usize];
        if self.suspended_since(&bet) {
            let answer = self.no(Reject::MarketSuspended);
            return self.reject_waiting(id, &answer, events);
        }
        let mut scratch = self.wanted_of(&bet, &[]);
        let slip = slip_of(&bet);
        let passed = self.gates(bet.account, &slip, bet.ruleset, Moment::Again, &mut scratch);
        let passed = passed.and_then(|passed| self.fits(&bet, &passed).map(|()| passed));
        match passed {
            Err(answer) => self.reject_waiting(id, &answer, events),
            Ok(passed) => {
                self.rebind(id, &passed, &scratch, events);
                if passed.agreed {
                    self.open_bet(bet.key, id, Basis::InForce, events);
                } else {
                    self.offer_again(id, events);
                }
            }
        }
        self.scratch = scratch;
    }

    fn offer_again(&mut self, id: BetId, events: &mut Events) -> Answer {
        let bet = &mut self.bets[id.index() as usize];
        bet.state = bet.state.after(BetStep::Offer).expect("what waits can be offered");
        let ttl = self.rulesets[usize::from(bet.ruleset)].offer_ttl;
        self.offer(id, self.now.plus(ttl), events)
    }

    /// Whether what the bet may win now still fits the account.
    pub(crate) fn fits(&self, bet: &Bet, passed: &Passed) -> Result<(), Answer> {
        let account = &self.ledger.accounts[bet.account as usize];
        let more = passed.returns.saturating_sub(bet.returns).max(0);
        if account.has_room_for(more) { Ok(()) } else { Err(self.no(Reject::BalanceLimit)) }
    }

    /// The legs of a bet as they were asked for, with a trader's prices if there are any.
    pub(crate) fn wanted_of(&mut self, bet: &Bet, given: &[WirePrice]) -> Scratch {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.wanted.clear();
        for (number, at) in self.legs_of(bet).enumerate() {
            let leg = &self.legs[at as usize];
            scratch.wanted.push(Wanted {
                market: leg.market_id(),
                selection: leg.selection,
                price: leg.requested,
                version: leg.requested_version,
                given: given.get(number).copied().unwrap_or(WirePrice::NONE),
            });
        }
        scratch
    }

    /// The bet gets the terms that were found: prices, stake, returns. A part of the stake that is no
    /// longer risked goes back.
    pub(crate) fn rebind(
        &mut self,
        id: BetId,
        passed: &Passed,
        scratch: &Scratch,
        events: &mut Events,
    ) {
        let before = self.bets[id.index() as usize];
        let mut at = before.first;
        for found in &scratch.found {
            let leg = &mut self.legs[at as usize];
            leg.price = found.quote.price;
            leg.version = found.quote.version;
            leg.price_age = found.quote.age;
            leg.settles_at = found.quote.price;
            leg.places = found.places;
            leg.fraction = found.fraction;
            leg.reach = found.reach;
            leg.feed = found.quote.feed;
            at = leg.sibling;
        }
        let bet = &mut self.bets[id.index() as usize];
        bet.stake = passed.stake.minor();
        bet.returns = passed.returns;
        bet.cap = passed.cap;
        let back = before.stake - bet.stake;
        let account = &mut self.ledger.accounts[before.account as usize];
        account.pending += passed.returns - before.returns;
        if 0 < back {
            let (from, to) = (Side::House(HouseAccount::Escrow), stake_side(&before));
            self.transfer(before.account, from, to, back, TransferWhy::Return, id, events);
        }
    }

    /// What waited is refused: its stake goes back.
    pub(crate) fn reject_waiting(&mut self, id: BetId, answer: &Answer, events: &mut Events) {
        let bet = &mut self.bets[id.index() as usize];
        let from = bet.state;
        bet.state = bet.state.after(BetStep::Reject).expect("only what waits is refused");
        let bet = *bet;
        self.give_back(id, &bet, events);
        events.push(&BetRejected {
            bet: id,
            account: AccountId::new(bet.account, 1),
            price: answer.price,
            reject: answer.reject().map_or(0, Reject::code),
            from: from as u8,
            zero: 0,
            reason: answer.policy_reason,
        });
    }

    /// The stake of what will never be a bet goes back.
    fn give_back(&mut self, id: BetId, bet: &Bet, events: &mut Events) {
        self.bets[id.index() as usize].paid = bet.stake;
        self.ledger.accounts[bet.account as usize].pending -= bet.returns;
        let (from, to) = (Side::House(HouseAccount::Escrow), stake_side(bet));
        self.transfer(bet.account, from, to, bet.stake, TransferWhy::Return, id, events);
    }

    fn offered_bet(&self, header: &Header, id: BetId) -> Result<Bet, Answer> {
        let unknown = self.no(Reject::OfferUnknown);
        let (_, bet) = self.own_bet(header, id).map_err(|_| unknown)?;
        match bet.state {
            BetState::Offered => Ok(bet),
            BetState::OfferEnded => Err(unknown),
            _ => Err(self.no(Reject::NotAllowed)),
        }
    }

    /// Takes an offer: at the offered price, in time, if no level of its markets was suspended since,
    /// and the markets would still take a bet.
    pub(crate) fn accept_offer(
        &mut self,
        header: &Header,
        id: BetId,
        events: &mut Events,
    ) -> Decided {
        let bet = self.offered_bet(header, id)?;
        self.may_bet(bet.account)?;
        if bet.until < self.now {
            return Err(self.no(Reject::OfferExpired));
        }
        if self.suspended_since(&bet) {
            return Err(self.no(Reject::OfferWithdrawn));
        }
        for at in self.legs_of(&bet) {
            let leg = &self.legs[at as usize];
            self.open_for_bets(leg.market_id(), leg.selection)?;
            let given = leg.version == PriceVersion(0);
            if !given {
                self.quote_in_force(leg.market, leg.selection)?;
            }
        }
        // A trader's terms stand.
        let trader = bet.basis == Basis::Trader as u8;
        if !trader {
            self.offered_liability(&bet)?;
        }
        let basis = if trader { Basis::Trader } else { Basis::Offer };
        Ok(self.open_bet(header.key, id, basis, events))
    }

    /// Declines an offer: the stake goes back at once.
    pub(crate) fn decline_offer(
        &mut self,
        header: &Header,
        id: BetId,
        events: &mut Events,
    ) -> Decided {
        self.offered_bet(header, id)?;
        self.end_offer(id, OfferEnd::Declined, events);
        Ok(Answer::done(self.seq, id.raw()))
    }

    pub(crate) fn end_offer(&mut self, id: BetId, why: OfferEnd, events: &mut Events) {
        let bet = &mut self.bets[id.index() as usize];
        bet.state = bet.state.after(BetStep::EndOffer).expect("only an offer ends as one");
        let bet = *bet;
        self.give_back(id, &bet, events);
        events.push(&OfferEnded {
            bet: id,
            account: AccountId::new(bet.account, 1),
            why: why as u8,
            zero: [0; 7],
        });
    }

    /// A trader answers a referred bet. What the trader may not give is refused to the trader; the bet
    /// goes on waiting.
    pub(crate) fn answer_referral(
        &mut self,
        body: &AnswerReferral,
        prices: impl Iterator<Item = PriceEntry>,
        events: &mut Events,
    ) -> Decided {
        let Some(bet) = self.find_bet(body.bet).copied() else {
            return Err(self.no(Reject::BetUnknown));
        };
        if bet.state != BetState::Referred {
            return Err(self.no(Reject::NotAllowed));
        }
        let id = body.bet;
        let answer = ReferralAnswer::from_code(body.answer).expect("checked when it was read");
        if answer == ReferralAnswer::Decline {
            let refusal =
                Answer { policy_reason: body.reason, ..self.no(Reject::ReferralDeclined) };
            self.reject_waiting(id, &refusal, events);
            return Ok(Answer::done(self.seq, id.raw()));
        }
        if bet.until < self.now {
            return Err(self.no(Reject::OfferExpired));
        }
        if self.suspended_since(&bet) {
            return Err(self.no(Reject::OfferWithdrawn));
        }
        if body.count != 0 && body.count != bet.legs {
            return Err(self.no(Reject::SelectionUnknown));
        }
        let mut given = [WirePrice::NONE; betring_pricing::LEGS_MAX];
        for (to, entry) in given.iter_mut().zip(prices) {
            *to = entry.price;
        }
        let given = &given[..usize::from(body.count)];
        let by_trader = given.iter().any(|price| !price.is_none());
        let mut slip = slip_of(&bet);
        if body.stake.0 != 0 {
            let stake = body.stake.stake().expect("checked when it was read");
            if slip.stake < stake {
                let amount = Minor(bet.stake);
                return Err(Answer { amount, ..self.no(Reject::StakeTooLarge) });
            }
            slip.stake = stake;
        }
        let mut scratch = self.wanted_of(&bet, given);
        let counter = answer == ReferralAnswer::Counter || !self.customer_agrees(&slip, &scratch);
        if counter {
            // The customer is asked: what was agreed to before does not bind.
            slip.policy = PricePolicy::Any;
            slip.floor = 0;
        }
        let passed = self.gates(bet.account, &slip, bet.ruleset, Moment::Trader, &mut scratch);
        let passed = passed.and_then(|passed| self.fits(&bet, &passed).map(|()| passed));
        if passed.is_ok() && counter && self.timers_are_full() {
            self.scratch = scratch;
            return Err(self.no(Reject::TooManyPending));
        }
        let decided = passed.map(|passed| {
            self.rebind(id, &passed, &scratch, events);
            let basis = if by_trader { Basis::Trader } else { Basis::InForce };
            if counter {
                self.bets[id.index() as usize].basis = if by_trader { basis as u8 } else { 0 };
                self.offer_again(id, events);
            } else {
                self.open_bet(bet.key, id, basis, events);
            }
            Answer::done(self.seq, id.raw())
        });
        self.scratch = scratch;
        decided
    }

    /// Whether the customer takes the prices that a trader gives without being asked.
    fn customer_agrees(&self, slip: &Slip, scratch: &Scratch) -> bool {
        scratch.wanted.iter().all(|wanted| {
            wanted.given.is_none()
                || crate::place::agrees(slip.policy, wanted.price, wanted.given, slip.slippage)
        })
    }
}

/// Where a bet's stake came from.
pub(crate) fn stake_side(bet: &Bet) -> Side {
    if bet.bonus { Side::Bonus(bet.account) } else { Side::Customer(bet.account) }
}

/// What was asked for.
pub(crate) fn slip_of(bet: &Bet) -> Slip {
    Slip {
        stake: Stake::from_minor(bet.stake).expect("a bet has a stake"),
        unit: bet.unit,
        shape: bet.shape(),
        policy: PricePolicy::from_code(bet.policy).expect("checked when it was read"),
        slippage: bet.slippage,
        floor: bet.floor,
        bonus: bet.bonus,
        synthetic: bet.synthetic,
        single: bet.single,
    }
}
