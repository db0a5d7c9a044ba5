//! A bet's price and its basis: what was in force at the record that bound it, and whether it might.

use super::{Bet, Fold, Life, Quote, Rule};
use crate::describe::owners;
use betring_core::answer::Basis;
use betring_core::command::{Command, PriceFailure, PricePolicy};
use betring_core::event::{BetOffered, BetOpened, MarketStatus, Transfer, TransferWhy};
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, Minor, WirePrice};

impl Fold {
    /// What holds of a price that is bound or offered at this record.
    fn in_force(
        &mut self,
        bet: BetId,
        (market, selection): (MarketId, SelectionIndex),
        (price, version, age): (WirePrice, PriceVersion, Nanos),
    ) {
        let Some(quote) = self.quote(market, selection).copied() else {
            return self
                .broken(Rule::Price, || format!("{bet} is on {market} {selection}, unknown"));
        };
        self.must(Rule::Price, price == quote.price, || {
            format!("{bet} has {price}, in force on {market} {selection} was {}", quote.price)
        });
        self.must(Rule::Price, version == quote.version, || {
            format!("{bet} has version {version}, in force was {}", quote.version)
        });
        let now = self.fresh(bet, market, &quote);
        self.must(Rule::Age, now.is_none_or(|now| now == age), || {
            format!("{bet} says that its price was {age} old, it was {}", now.unwrap_or_default())
        });
        self.standing(bet, market, selection);
    }

    /// There is a price, and it is not too old; how old it is.
    fn fresh(&mut self, bet: BetId, id: MarketId, quote: &Quote) -> Option<Nanos> {
        let market = self.markets.get(&id.raw())?;
        let feed = self.feeds.get(&market.feed.0)?;
        let confirmed = match quote.as_of {
            // A heartbeat confirms what its feed has sent since it last recovered.
            Timestamp(0) if quote.generation == feed.generation => {
                quote.received.max(feed.heartbeat)
            }
            Timestamp(0) => quote.received,
            // A derived price is as old as its oldest input, whatever was heard since.
            as_of => as_of,
        };
        let age = self.at.since(confirmed).or_zero();
        let (bound, delay_bound) = (market.age_bound, feed.delay_bound);
        self.must(Rule::Price, !quote.price.is_none(), || format!("{bet}: there was no price"));
        self.must(Rule::Age, bound == Nanos::ZERO || age <= bound, || {
            format!("{bet}: the price was {age} old, the bound of {id} is {bound}")
        });
        let late = delay_bound != Nanos::ZERO && delay_bound < quote.delay;
        self.must(Rule::Age, !late, || {
            format!("{bet}: the price came {} late, the bound is {delay_bound}", quote.delay)
        });
        Some(age)
    }

    /// What holds of market, selection, feed and every level when a bet is made.
    fn standing(&mut self, bet: BetId, market: MarketId, selection: SelectionIndex) {
        let (at, epoch, engine) = (self.at, self.epoch, self.engine.owners);
        let withdrawn = self.quote(market, selection).is_some_and(|quote| quote.withdrawn);
        let Some(now) = self.markets.get(&market.raw()) else { return };
        let (status, opened_in, feed_id) = (now.status, now.opened_in, now.feed);
        let fixture = self.fixtures.get(&now.fixture.raw()).map_or(0, |held| held.owners);
        let held = [
            ("the engine", engine),
            ("its feed", self.feeds.get(&feed_id.0).map_or(0, |feed| feed.held.owners)),
            ("its fixture", fixture),
            ("the market", now.held.owners),
        ];
        if let Some(feed) = self.feeds.get(&feed_id.0) {
            let (up, silent) = (feed.up, at.since(feed.heard).or_zero());
            let bound = feed.silence_bound;
            self.must(Rule::Feed, up, || format!("{bet}: {feed_id} had not recovered"));
            let is_manual = feed_id == FeedId::MANUAL;
            self.must(Rule::Feed, is_manual || silent <= bound, || {
                format!("{bet}: {feed_id} was silent for {silent}, its bound is {bound}")
            });
        }
        for (what, held_by) in held {
            self.must(Rule::Status, held_by == 0, || {
                format!("{bet}: {what} was suspended by {}", owners(held_by))
            });
        }
        self.must(Rule::Status, status == MarketStatus::Open, || {
            format!("{bet}: {market} was {status}")
        });
        let opened = feed_id != FeedId::MANUAL || opened_in == epoch;
        self.must(Rule::Status, opened, || {
            format!("{bet}: {market} has manual prices and was not opened in this run")
        });
        self.must(Rule::Status, !withdrawn, || format!("{bet}: {selection} was withdrawn"));
    }

    pub(super) fn offered(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        bet: &BetOffered,
        due: &mut Vec<Transfer>,
    ) {
        self.counts.offered += 1;
        let id = bet.bet;
        let bound = (bet.price, bet.version, bet.price_age);
        self.in_force(id, (bet.market, bet.selection), bound);
        let asked = (bet.requested, bet.requested_version, bet.policy, bet.slippage);
        let place = (bet.account, bet.market, bet.selection, bet.stake);
        self.asked(header, command, id, place, asked);
        let terms = self.genesis.map(|g| (g.price_failure, g.offer_ttl));
        let offers = terms.is_some_and(|(failure, _)| failure == PriceFailure::Offer as u8);
        self.must(Rule::Offer, offers, || format!("{id}: this journal offers nothing"));
        let until = terms.map_or(self.at, |(_, ttl)| self.at.plus(ttl));
        self.must(Rule::Offer, bet.until == until, || {
            format!("{id} stands until {}, it should until {until}", bet.until)
        });
        self.must(Rule::Policy, !agreed(asked, bet.price), || {
            format!("{id} was offered {}, which its customer had agreed to", bet.price)
        });
        let new = Bet {
            account: bet.account,
            market: bet.market,
            selection: bet.selection,
            currency: bet.currency,
            stake: bet.stake,
            returns: Minor(0),
            price: bet.price,
            version: bet.version,
            price_age: bet.price_age,
            asked,
            at: self.at,
            seq: self.seq,
            until: bet.until,
            life: Life::Offered,
        };
        self.bet_begins(id, new, due);
    }

    pub(super) fn opened(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        bet: &BetOpened,
        due: &mut Vec<Transfer>,
    ) {
        self.counts.accepted += 1;
        let id = bet.bet;
        let asked = (bet.requested, bet.requested_version, bet.policy, bet.slippage);
        let due_returns = self.returns(bet.stake, bet.price);
        self.must(Rule::Returns, due_returns == Some(i128::from(bet.returns.0)), || {
            format!(
                "{id} returns {}, {} at {} is another amount",
                bet.returns, bet.stake, bet.price
            )
        });
        let feed = self.markets.get(&bet.market.raw()).map(|market| market.feed);
        self.must(Rule::Feed, feed == Some(bet.feed), || {
            format!("{id} says it was priced by {}, its market has another feed", bet.feed)
        });
        self.must(Rule::Answers, bet.key == header.key, || format!("{id} has another key"));
        match Basis::from_code(bet.basis) {
            Some(Basis::InForce) => {
                self.counts.in_force += 1;
                self.in_force(
                    id,
                    (bet.market, bet.selection),
                    (bet.price, bet.version, bet.price_age),
                );
                let place = (bet.account, bet.market, bet.selection, bet.stake);
                self.asked(header, command, id, place, asked);
                self.must(Rule::Policy, agreed(asked, bet.price), || {
                    let (wish, slippage) = (bet.requested, bet.slippage);
                    let policy = policy_name(bet.policy);
                    format!("{id} has {}, asked for was {wish} {policy} {slippage}", bet.price)
                });
                let now = (bet.placed_at, bet.placed_seq) == (self.at, self.seq);
                self.must(Rule::Price, now, || {
                    format!("{id} says it was asked for at another time")
                });
                let new = Bet {
                    account: bet.account,
                    market: bet.market,
                    selection: bet.selection,
                    currency: bet.currency,
                    stake: bet.stake,
                    returns: bet.returns,
                    price: bet.price,
                    version: bet.version,
                    price_age: bet.price_age,
                    asked,
                    at: self.at,
                    seq: self.seq,
                    until: Timestamp::MAX,
                    life: Life::Open,
                };
                self.bet_begins(id, new, due);
            }
            Some(Basis::Offer) => {
                self.counts.from_offer += 1;
                self.taken(header, command, bet, asked);
            }
            // A bet on a basis that this fold cannot prove is not proved.
            other => self.broken(Rule::Price, || {
                format!("{id} has the basis {other:?}, which this audit cannot prove")
            }),
        }
    }

    /// An offer was taken.
    fn taken(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        bet: &BetOpened,
        asked: (WirePrice, PriceVersion, u8, u16),
    ) {
        let (id, now) = (bet.bet, self.at);
        let taken = matches!(command, Command::AcceptOffer(body) if body.bet == id)
            && header.account == bet.account.raw();
        self.must(Rule::Offer, taken, || format!("{id}: its customer did not take the offer"));
        let Some(offer) = self.bets.get_mut(&id.raw()).filter(|bet| bet.life == Life::Offered)
        else {
            return self.broken(Rule::Offer, || format!("{id} was not on offer"));
        };
        offer.life = Life::Open;
        offer.returns = bet.returns;
        let same = offer.account == bet.account
            && (offer.market, offer.selection) == (bet.market, bet.selection)
            && (offer.stake, offer.currency) == (bet.stake, bet.currency)
            && (offer.price, offer.version, offer.price_age)
                == (bet.price, bet.version, bet.price_age)
            && (offer.at, offer.seq) == (bet.placed_at, bet.placed_seq)
            && offer.asked == asked;
        let (until, made) = (offer.until, offer.seq);
        self.must(Rule::Offer, same, || format!("{id} was opened on other terms than offered"));
        self.must(Rule::Offer, now <= until, || format!("{id} was taken after {until}"));
        if let Some(market) = self.markets.get_mut(&bet.market.raw()) {
            market.unsettled += 1;
            let levels = [
                ("the engine", self.engine.last),
                ("its feed", self.feeds.get(&market.feed.0).map_or(Seq(0), |f| f.held.last)),
                (
                    "its fixture",
                    self.fixtures.get(&market.fixture.raw()).map_or(Seq(0), |held| held.last),
                ),
                ("its market", market.held.last),
            ];
            for (what, last) in levels {
                self.must(Rule::Offer, last <= made, || {
                    format!("{id}, offered at {made}: {what} was suspended at {last}")
                });
            }
        }
        if let Some(quote) = self.quote(bet.market, bet.selection).copied() {
            self.fresh(id, bet.market, &quote);
        }
        self.standing(id, bet.market, bet.selection);
    }

    /// The bet is what its command asked for.
    fn asked(
        &mut self,
        header: &Header,
        command: &Command<'_>,
        bet: BetId,
        (account, market, selection, stake): (AccountId, MarketId, SelectionIndex, Minor),
        asked: (WirePrice, PriceVersion, u8, u16),
    ) {
        let house_rules = self.rules_id == 1;
        let same = match command {
            Command::Place(place) => {
                // The operator's own rules may reduce a stake, the house's never do.
                let stake_fits =
                    if house_rules { stake == place.stake } else { stake <= place.stake };
                header.account == account.raw()
                    && (place.market, place.selection) == (market, selection)
                    && (place.price, place.version, place.policy, place.slippage) == asked
                    && stake_fits
            }
            _ => false,
        };
        self.must(Rule::Policy, same, || format!("{bet} is not what its command asked for"));
    }

    fn bet_begins(&mut self, id: BetId, bet: Bet, due: &mut Vec<Transfer>) {
        *self.stakes.entry(bet.currency).or_default() += i128::from(bet.stake.0);
        if let Some(market) = self.markets.get_mut(&bet.market.raw())
            && bet.life == Life::Open
        {
            market.unsettled += 1;
        }
        let before = self.bets.insert(id.raw(), bet);
        self.must(Rule::Answers, before.is_none(), || format!("{id} was another bet before"));
        due.extend(self.transfer(id, TransferWhy::Stake));
    }
}

/// Whether a customer agreed to a price: UKGC RTS 2C, the choice is the customer's.
fn agreed(asked: (WirePrice, PriceVersion, u8, u16), price: WirePrice) -> bool {
    let (wish, _, policy, slippage) = asked;
    // Exactly: 10/11 is more than the 1.909 that it is rounded to.
    let profit = |p: WirePrice| match p.den {
        0 => (u64::from(p.e4).saturating_sub(10_000), 10_000),
        den => (u64::from(p.num), u64::from(den)),
    };
    let ((won, staked), (wished, at)) = (profit(price), profit(wish));
    let (offers, asks) = (won * at, wished * staked);
    let (wish, price) = (u64::from(wish.e4), u64::from(price.e4));
    match PricePolicy::from_code(policy) {
        Some(PricePolicy::Exact) => offers == asks,
        Some(PricePolicy::Better) => asks <= offers,
        Some(PricePolicy::Within) => {
            wish * 10_000_u64.saturating_sub(slippage.into()) <= price * 10_000
        }
        Some(PricePolicy::Any) => true,
        None => false,
    }
}

fn policy_name(code: u8) -> String {
    PricePolicy::from_code(code).map_or(format!("policy {code}"), |policy| policy.to_string())
}
