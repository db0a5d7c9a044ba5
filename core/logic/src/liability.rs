//! What a bet may cost the house at each level, and the largest stake that passes them all.
//!
//! A bet is judged on what it changes: one that does not make a level worse passes there, however far
//! beyond its limit that is. A plain single counts exactly, a ticket by what it could win with each of its
//! selections. Probes cost nothing.

use crate::answer::{Answer, LiabilityLevel};
use crate::bet::Bet;
use crate::command::Limits;
use crate::id::FixtureId;
use crate::place::{Found, Scratch, Slip, Wanted, greatest_returns, reaches};
use crate::reject::Reject;
use crate::risk::{self, MarketBets};
use crate::rules::Rules;
use crate::ruleset::HouseSet;
use crate::state::State;
use crate::wire::{Minor, WirePrice};
use betring_pricing::{self as pricing, RoundingMode, Stake};

/// A bet as it is judged: whose, how much, and what each leg of it is.
#[derive(Clone, Copy)]
struct Judged<'a> {
    account: u32,
    plain: bool,
    stake: i64,
    returns: i64,
    wanted: &'a [Wanted],
    found: &'a [Found],
}

/// What a level may cost before and after a bet, and at most.
#[derive(Clone, Copy)]
struct Cost {
    before: i128,
    after: i128,
    /// What of it is the bet's own, if it makes the level worse.
    own: i128,
    most: i128,
}

impl Cost {
    /// Whether it passes where a trader stretches the limit to so many percent.
    fn passes(&self, percent: u32) -> bool {
        self.after <= self.before.max(referable(self.most, percent))
    }
}

/// How far a stake is from its limits.
pub(crate) struct Terms<'a> {
    pub(crate) limits: &'a Limits,
    /// A trader may take up to so many percent of a limit.
    pub(crate) percent: u32,
    pub(crate) house: &'a HouseSet,
    /// The money that another stake could be taken from.
    pub(crate) funds: i64,
}

/// How often another stake of a ticket is tried: it is found by its share, and a fraction that was rounded
/// up may take it over the limit by a unit or two.
const TRIES: u32 = 4;

impl<R: Rules> State<R> {
    /// Whether a trader has to look at a bet for what it may cost; an error if not even a trader may take it.
    ///
    /// What it could win with each selection is known: `reaches` stands beside the legs in `scratch`.
    pub(crate) fn liability_within(
        &self,
        account: u32,
        slip: &Slip,
        (stake, returns): (Stake, i64),
        terms: &Terms<'_>,
        scratch: &mut Scratch,
    ) -> Result<bool, Answer> {
        if slip.synthetic {
            return Ok(false);
        }
        let plain = slip.is_plain();
        let stake = stake.minor();
        let Scratch { wanted, found, .. } = &*scratch;
        let judged = Judged { account, plain, stake, returns, wanted, found };
        let (mut refer, mut first) = (false, None);
        self.judge(&judged, |at, cost| {
            if cost.passes(0) {
                return;
            }
            if cost.passes(terms.percent) {
                refer = true;
            } else if first.is_none_or(|first| at < first) {
                first = Some(at);
            }
        });
        let Some(at) = first else { return Ok(refer) };
        let largest = match plain {
            true => self.largest_single(judged, found[0].quote.price, terms.house.rounding.mode),
            false => self.largest_ticket(account, slip, (stake, returns), terms.house, scratch),
        };
        let may_be = terms.limits.min_stake.0 <= largest && largest <= terms.funds;
        let amount = Minor(if may_be { largest } else { 0 });
        Err(Answer { detail: at as u8, amount, ..self.no(Reject::LiabilityLimit) })
    }

    /// Liability is judged when it begins, at the offered terms.
    pub(crate) fn offered_liability(&mut self, bet: &Bet) -> Result<(), Answer> {
        let mut scratch = self.wanted_of(bet, &[]);
        self.find_bound(bet, &mut scratch);
        let slip = crate::waiting::slip_of(bet);
        let book = bet.book;
        let limits = self.tightest_limits(book, bet.account, &scratch.found);
        let house = &self.houses[usize::from(bet.ruleset)];
        // Another stake would be taken from the one that the offer holds.
        let terms = Terms { limits: &limits, percent: 0, house, funds: bet.stake };
        let weight = (bet.exact_stake(), bet.returns);
        let judged = self.liability_within(bet.account, &slip, weight, &terms, &mut scratch);
        self.scratch = scratch;
        judged.map(|_| ())
    }

    /// What a bet would change at each level.
    fn judge(&self, bet: &Judged<'_>, mut look: impl FnMut(LiabilityLevel, Cost)) {
        let account = &self.ledger.accounts[bet.account as usize];
        let book = account.currency;
        let (stake, returns) = (i128::from(bet.stake), i128::from(bet.returns));
        let of = |leg: &Found| self.limits(book, leg.market);
        let most = bet.found.iter().map(|leg| i128::from(of(leg).max_customer.0)).min();
        let (before, own) = (account.may_win, returns - stake);
        look(
            LiabilityLevel::Customer,
            Cost { before, after: before + own, own, most: most.unwrap_or(0) },
        );

        for (wanted, leg) in bet.wanted.iter().zip(bet.found) {
            let view = self.market_bets(book, leg.market);
            let selection = usize::from(wanted.selection.0);
            let limits = of(leg);
            let before = self.selection_cost(view, selection);
            let own = if bet.plain { returns - stake } else { i128::from(leg.reach) };
            let most = i128::from(limits.max_selection.0);
            look(LiabilityLevel::Selection, Cost { before, after: before + own, own, most });

            let (worst, largest) = (self.risk.worst(view), self.risk.largest_reach(view));
            let before = worst + largest;
            let after = if bet.plain {
                self.risk.worst_with(view, selection, bet.stake, bet.returns) + largest
            } else {
                worst + largest.max(self.risk.reach(view, selection) + i128::from(leg.reach))
            };
            let most = i128::from(limits.max_liability.0);
            look(LiabilityLevel::Market, Cost { before, after, own, most });

            if let Some(fixture) = self.fixture_of(leg.market) {
                let before = self.risk.event(book, fixture);
                let after = before - self.risk.part(book, leg.market) + after.max(0);
                let most = i128::from(limits.max_event.0);
                look(LiabilityLevel::Event, Cost { before, after, own, most });
            }
        }
    }

    /// What the house loses in a market if a selection of it wins; a withdrawn one does not.
    pub(crate) fn selection_cost(&self, view: MarketBets, selection: usize) -> i128 {
        if self.selections[view.first as usize + selection].withdrawn {
            return 0;
        }
        let returns = self.risk.returns(view.book, view.first, view.selections)[selection];
        returns + self.risk.reach(view, selection) - self.risk.staked(view.book, view.market)
    }

    /// The place of the fixture that a market is about.
    pub(crate) fn fixture_of(&self, market: u32) -> Option<u32> {
        let fixture = self.markets[market as usize].fixture;
        let known = fixture != FixtureId::NONE && self.find_fixture(fixture).is_some();
        known.then_some(fixture.index())
    }

    fn passes_all(&self, bet: &Judged<'_>) -> bool {
        let mut passes = true;
        self.judge(bet, |_, cost| passes &= cost.passes(0));
        passes
    }

    /// The largest stake of a plain single that passes every level.
    ///
    /// What a customer may win and a selection may cost rises with the stake. A market's loss, and with it
    /// its event's, falls while another outcome is the worst, then rises: so from a limit not below what
    /// is lost today on, whatever fits lies below whatever does not. A search by halves finds the edge: 40
    /// looks.
    fn largest_single(&self, bet: Judged<'_>, price: WirePrice, mode: RoundingMode) -> i64 {
        let fits = |stake: i64| {
            let Some(exact) = Stake::from_minor(stake) else { return false };
            let returns = risk::returns(exact, price, mode);
            self.passes_all(&Judged { stake, returns, ..bet })
        };
        let (mut low, mut high) = (0, bet.stake);
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if fits(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// A stake of a ticket that passes every level: what its lines win grows with it, so a share of what
    /// there is room for is a share of the stake. Not always the largest, by some units; 0 if none is found.
    fn largest_ticket(
        &self,
        account: u32,
        slip: &Slip,
        (mut stake, mut returns): (i64, i64),
        house: &HouseSet,
        scratch: &mut Scratch,
    ) -> i64 {
        for _ in 0..TRIES {
            let Scratch { wanted, found, .. } = &*scratch;
            let judged = Judged { account, plain: false, stake, returns, wanted, found };
            let mut share = stake;
            let mut passes = true;
            self.judge(&judged, |_, cost| {
                if !cost.passes(0) {
                    passes = false;
                    let room = cost.before.max(cost.most) - (cost.after - cost.own);
                    let part = i128::from(stake) * room.max(0);
                    let part = pricing::div_round(part, cost.own.max(1), RoundingMode::Down);
                    share = share.min(i64::try_from(part).unwrap_or(i64::MAX));
                }
            });
            if passes {
                return stake;
            }
            stake = share.min(stake - 1);
            let Some(exact) = Stake::from_minor(stake) else { return 0 };
            let Ok(most) = greatest_returns(slip.shape, exact, house, scratch) else { return 0 };
            returns = most;
            reaches(slip.shape, exact, returns, scratch);
        }
        0
    }
}

/// A limit as far as a trader may stretch it.
pub(crate) fn referable(limit: i128, percent: u32) -> i128 {
    if percent <= 100 {
        return limit;
    }
    pricing::div_round(limit * i128::from(percent), 100, RoundingMode::Down)
}
