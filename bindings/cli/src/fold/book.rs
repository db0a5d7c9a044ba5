//! A book with everything in it, decided by the engine: the fold finds nothing in it, and finds every
//! rule once that is broken in a copy.

use super::{Entry, Fold, Rule};
use crate::audit::{By, audit};
use crate::source::Source;
use betring::*;
use betring_core::event::*;
use std::path::Path;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);

struct Desk {
    engine: Engine,
    trader: Control,
    client: Client,
    account: AccountId,
    keys: u128,
}

impl Desk {
    fn open(dir: &Path) -> Desk {
        let config = Config::at(dir).layout(Layout::Inline).segment_bytes(8 << 20);
        let config = config.price_failure(PriceFailure::Offer).secret([7; 16]);
        let engine = Engine::open(config).expect("opened");
        let mut trader = engine.control("trader:anna").expect("registered");
        let mut rules = Ruleset::standard(Name::new("the book's").expect("a name"));
        rules.price_failure = PriceFailure::Offer as u8;
        rules.refer_percent = 200;
        rules.cash_out_margin = 50_000;
        rules.lucky = [[3, 10], [4, 20], [5, 25]];
        trader.publish_rules(&rules).expect("published");
        let mut client = engine.client(64).expect("a seat");
        let account = client.open_account(Reference(7), Currency::GBP).expect("opened");
        client.deposit(account, money!(1000.00), key(1)).expect("paid in");
        Desk { engine, trader, client, account, keys: 1 }
    }

    fn market(&mut self, name: &str) -> Market {
        let runners = ["Red", "Green", "Blue", "Black", "White", "Grey"];
        let terms = MarketTerms::new(name, runners).each_way();
        let market = self.trader.define(terms).expect("defined");
        let prices = [2.50, 3.00, 4.50, 6.00, 9.00, 21.00];
        let prices = prices.map(|p| Price::from_e4((p * 10_000.0) as u32).expect("a price"));
        self.trader.set_prices(&market, prices).expect("priced");
        self.trader.open_market(&market).expect("open");
        market
    }

    fn key(&mut self) -> RequestKey {
        self.keys += 1;
        key(self.keys)
    }

    fn ask(&mut self, ask: impl Ask) -> Outcome {
        let ticket = self.client.try_submit(ask).expect("taken");
        let outcome = self.client.wait(ticket, WITHIN);
        assert!(!matches!(outcome, Outcome::Refused(_)), "{outcome}");
        self.idle();
        outcome
    }

    fn idle(&self) {
        self.engine.run_until_idle().expect("turned");
    }

    fn ticket(&mut self, slip: Slip, stake: Money) -> PlaceTicket {
        Place::ticket(self.account, slip, stake).any_price().key(self.key())
    }

    fn bet(&mut self, market: &Market, stake: Money) -> BetId {
        let red = market.selection("Red");
        let place = Place::single(self.account, red, stake).any_price().key(self.key());
        match self.ask(place) {
            Outcome::Accepted(bet) => bet.id,
            other => panic!("{other}"),
        }
    }

    /// The result with the winner named, positions in the order of the runners from there.
    fn result(&mut self, market: &Market, winner: usize) {
        let runners = market.selections().len();
        let position = |at: usize| SelectionResult::Position {
            position: 1 + ((at + runners - winner) % runners) as u16,
            tied: 1,
        };
        self.trader.result(market, (0..runners).map(position)).expect("settling");
        self.idle();
    }
}

/// Plays the book: every command that changes a bet or money is in it.
fn play(dir: &Path) {
    let mut desk = Desk::open(dir);
    let markets: Vec<Market> = (1..=6).map(|n| desk.market(&format!("race {n}"))).collect();
    let leg = |at: usize, name: &str| Leg::on(markets[at].selection(name));

    // Tickets of several kinds, one of them each way, one with a banker.
    let reds = [leg(0, "Red"), leg(1, "Red"), leg(2, "Red"), leg(3, "Red")];
    let double = desk.ticket(Slip::double([reds[0], reds[1]]), money!(10.00));
    desk.ask(double);
    let lucky = desk.ticket(Slip::lucky15(reds), money!(0.50)).per_line();
    desk.ask(lucky);
    let patent = Slip::patent([leg(0, "Red"), leg(1, "Green"), leg(2, "Blue")]);
    let patent = desk.ticket(patent, money!(7.00)).each_way();
    desk.ask(patent);
    let divided = Slip::treble([leg(0, "Green"), leg(1, "Red"), leg(2, "Green")]);
    let divided = desk.ticket(divided, money!(2.00)).equally_divided();
    desk.ask(divided);
    let system = Slip::system(&[3], reds).banker(0);
    let system = desk.ticket(system, money!(3.00));
    desk.ask(system);
    let single = desk.bet(&markets[0], money!(5.00));

    // A free bet.
    desk.trader.grant_bonus(desk.account, money!(4.00)).expect("given");
    let free = desk.ticket(Slip::single([reds[1]]), money!(4.00)).free_bet();
    desk.ask(free);

    // Referred, countered, taken.
    let limits = Limits {
        min_stake: Minor(10),
        max_stake: Minor(5_000),
        max_payout: Minor(100_000_000),
        max_liability: Minor(1_000_000_000),
        ..Limits::UNLIMITED
    };
    desk.trader.set_limits(Currency::GBP, limits).expect("limits");
    let red = markets[4].selection("Red");
    let large = Place::single(desk.account, red, money!(80.00)).any_price().key(desk.key());
    let Outcome::Pending(wait) = desk.ask(large) else { panic!("referred") };
    let counter = ReferralAnswer::Counter;
    desk.trader
        .answer_referral(wait.id, counter, Some(money!(60.00)), &[Some(price!(2.40))])
        .expect("countered");
    let accept = AcceptOffer::new(desk.account, wait.id).key(desk.key());
    desk.ask(accept);
    let declined = Place::single(desk.account, red, money!(70.00)).any_price().key(desk.key());
    let Outcome::Pending(wait) = desk.ask(declined) else { panic!("referred") };
    desk.trader.answer_referral(wait.id, ReferralAnswer::Decline, None, &[]).expect("declined");

    // An offer of a double whose price is not the one that was asked for, and it is taken.
    let longer = [reds[3].seen_at(price!(2.60)), leg(4, "Red").seen_at(price!(2.50))];
    let moved = desk.ticket(Slip::double(longer), money!(6.00)).policy(PricePolicy::Better);
    let Outcome::Offered(offer) = desk.ask(moved) else { panic!("offered") };
    let accept = AcceptOffer::new(desk.account, offer.id).key(desk.key());
    desk.ask(accept);

    // In-play: one opens after its delay, one is sold after it.
    desk.trader.in_play(&markets[5], Nanos::from_millis(2)).expect("in-play");
    let red = markets[5].selection("Red");
    let delayed = Place::single(desk.account, red, money!(9.00)).any_price().key(desk.key());
    let Outcome::Pending(wait) = desk.ask(delayed) else { panic!("delayed") };
    std::thread::sleep(Duration::from_millis(5));
    desk.idle();
    let sale = CashOut::new(desk.account, wait.id).any_value().key(desk.key());
    let Outcome::Pending(_) = desk.ask(sale) else { panic!("its sale is delayed") };
    std::thread::sleep(Duration::from_millis(5));
    desk.idle();
    desk.trader.pre_match(&markets[5]).expect("not in-play");

    // Sold in part, then by itself.
    let auto = desk.bet(&markets[5], money!(12.00));
    let part = CashOut::new(desk.account, auto).part(money!(4.00)).any_value().key(desk.key());
    desk.ask(part);
    let set = SetAutoCashOut::new(desk.account, auto, money!(9.00)).key(desk.key());
    desk.ask(set);
    let shorter = [(SelectionIndex(0), Some(price!(1.80)))];
    desk.trader.set_some(&markets[5], &shorter).expect("priced");
    desk.idle();

    // Results: taken back, given otherwise, corrected, void for a while, a withdrawn runner.
    desk.trader.withdraw_runner(&markets[3], SelectionIndex(4), None).expect("out");
    desk.result(&markets[0], 0);
    desk.trader.rollback_result(&markets[0], None).expect("taken back");
    desk.idle();
    desk.result(&markets[0], 0);
    desk.result(&markets[1], 1);
    desk.result(&markets[1], 0);
    desk.result(&markets[2], 5);
    desk.result(&markets[3], 0);
    let everything = BetWindow::all();
    desk.trader.cancel_bets(&markets[2], everything).expect("void");
    desk.idle();
    desk.trader.uncancel_bets(&markets[2], everything).expect("not any more");
    desk.idle();
    desk.trader.correct_price(single, 0, Some(price!(1.25))).expect("corrected");
    desk.trader.cancel_bet(single, true).expect("void");
    desk.trader.cancel_bet(single, false).expect("not any more");
    desk.result(&markets[4], 0);

    // Everything that is there goes out; what a rollback takes back is owed.
    let balance = desk.engine.view().expect("a view");
    let seq = desk.engine.watch().decided();
    let book = balance.at_least(seq, WITHIN).expect("in time");
    let all = book.account(desk.account).expect("known").balance.money().expect("money");
    drop(book);
    let out = desk.key();
    desk.client.withdraw(desk.account, all, out).expect("paid out");
    desk.trader.rollback_result(&markets[4], None).expect("taken back");
    desk.idle();
    desk.result(&markets[4], 1);
    desk.trader.adjust(desk.account, money!(5.00), Some(single)).expect("adjusted");
    let Desk { engine, trader, client, .. } = desk;
    drop((trader, client, balance));
    engine.shutdown().expect("in order");
}

type Record = (betring::Seq, betring::Timestamp, u16, Vec<u8>);

fn records(dir: &Path) -> Vec<Record> {
    let mut source = Source::open(dir, 1, "reading").expect("a journal");
    let mut all = Vec::new();
    while let Some((_, entry)) = source.next().expect("whole") {
        all.push((entry.seq, entry.at, entry.kind, entry.payload.to_vec()));
    }
    all
}

/// What a fold finds in these records.
fn found(records: &[Record]) -> Vec<Rule> {
    let mut fold = Fold::new();
    for (seq, at, kind, payload) in records {
        fold.take(Entry { seq: *seq, at: *at, kind: *kind, payload });
    }
    fold.finish();
    for finding in &fold.findings {
        println!("{} {:?}: {}", finding.seq, finding.rule, finding.text);
    }
    let broken = |rule: &&Rule| fold.broken[**rule as usize] != 0;
    Rule::ALL.iter().filter(broken).copied().collect()
}

/// Changes the first event of a kind for which that is possible; what the fold finds then.
fn altered<E: EventBody>(records: &[Record], mut change: impl FnMut(&mut E) -> bool) -> Vec<Rule> {
    let mut records = records.to_vec();
    for (seq, at, kind, payload) in &mut records {
        let entry = Entry { seq: *seq, at: *at, kind: *kind, payload };
        let Some((command, _)) = entry.parts() else { continue };
        let mut from = command.len();
        while from < payload.len() {
            let bytes = usize::from(u16::from_le_bytes([payload[from + 2], payload[from + 3]]));
            let body = from + EVENT_HEADER..from + bytes;
            if payload[from] == E::KIND {
                let mut event = E::read_from_bytes(&payload[body.clone()]).expect("its layout");
                if change(&mut event) {
                    payload[body].copy_from_slice(event.as_bytes());
                    return found(&records);
                }
            }
            from += bytes;
        }
    }
    panic!("there is no such event in the book");
}

#[test]
fn a_book_with_everything_in_it_is_sound_and_every_alteration_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("book");
    play(&path);
    let proof = audit(&path, None, By::Both).expect("readable");
    assert!(proof.is_sound(), "{}", proof.lines().join("\n"));
    let counts = proof.counts();
    let all = [
        counts.tickets,
        counts.waited,
        counts.rejected,
        counts.by_trader,
        counts.from_offer,
        counts.reversed,
        counts.sold,
    ];
    assert!(all.iter().all(|count| *count != 0), "{counts:?}");

    let book = records(&path);
    assert_eq!(found(&book), []);
    let must = |found: Vec<Rule>, rule: Rule, what: &str| {
        assert!(found.contains(&rule), "{what}: {found:?}");
    };
    let found = altered(&book, |leg: &mut LegBound| {
        leg.price.e4 += 1;
        true
    });
    must(found, Rule::Price, "a leg at another price than in force");
    let found = altered(&book, |leg: &mut LegBound| {
        leg.price_age = Nanos(leg.price_age.0 + 1);
        true
    });
    must(found, Rule::Age, "a leg whose price says another age");
    let found = altered(&book, |leg: &mut LegBound| {
        let each_way = leg.places != 0;
        leg.places += u8::from(each_way);
        each_way
    });
    must(found, Rule::Policy, "other place terms than the market offers");
    let found = altered(&book, |ticket: &mut TicketOpened| {
        ticket.returns = Minor(ticket.returns.0 + 1);
        true
    });
    must(found, Rule::Returns, "a ticket that returns more than its lines");
    let found = altered(&book, |ticket: &mut TicketOpened| {
        ticket.lines += 1;
        true
    });
    must(found, Rule::Returns, "a ticket with a line more");
    let found = altered(&book, |bet: &mut BetPending| {
        bet.until = Timestamp(bet.until.0 + 1);
        true
    });
    must(found, Rule::Waiting, "a bet that waits longer than its market says");
    let found = altered(&book, |bet: &mut BetOpened| {
        let delayed = bet.from == BetState::Delayed as u8;
        bet.from = if delayed { BetState::Referred as u8 } else { bet.from };
        delayed
    });
    must(found, Rule::Waiting, "a bet that waited for something else");
    let found = altered(&book, |leg: &mut LegDecided| {
        let won = leg.win == [1, 1];
        leg.win = if won { [1, 2] } else { leg.win };
        won
    });
    must(found, Rule::Settlement, "a leg that came out otherwise");
    let found = altered(&book, |bet: &mut BetSettled| {
        let again = 1 < bet.version;
        bet.version -= u32::from(again);
        again
    });
    must(found, Rule::Settlement, "a settlement under the number of another");
    let found = altered(&book, |bet: &mut BetSettled| {
        let paid = Minor(0) < bet.paid;
        bet.paid = if paid { Minor(bet.paid.0 + 1) } else { bet.paid };
        paid
    });
    must(found, Rule::Settlement, "a bet that is paid too much");
    let found = altered(&book, |bet: &mut BetReversed| {
        bet.paid = Minor(bet.paid.0 + 1);
        true
    });
    must(found, Rule::Reversal, "more taken back than was paid");
    let found = altered(&book, |transfer: &mut Transfer| {
        let back = transfer.why == TransferWhy::Reverse as u8;
        transfer.amount = if back { Minor(transfer.amount.0 - 1) } else { transfer.amount };
        back
    });
    must(found, Rule::Ledger, "less money moved back than was paid");
    let found = altered(&book, |sale: &mut BetCashedOut| {
        sale.paid = Minor(sale.paid.0 + 1);
        true
    });
    must(found, Rule::CashOut, "a bet sold for more than it is worth");
    let found = altered(&book, |sale: &mut BetCashedOut| {
        let part = Minor(0) < sale.left;
        sale.left = if part { Minor(sale.left.0 + 1) } else { sale.left };
        part
    });
    must(found, Rule::CashOut, "more left open than was not sold");
    let found = altered(&book, |leg: &mut CashOutLeg| {
        leg.price.e4 -= 1;
        true
    });
    must(found, Rule::Price, "bought back at another price than in force");
    let found = altered(&book, |debt: &mut DebtChanged| {
        debt.debt = Minor(debt.debt.0 + 1);
        true
    });
    must(found, Rule::Balance, "a debt that is told wrong");
    let found = altered(&book, |transfer: &mut Transfer| {
        let bonus = transfer.why == TransferWhy::Bonus as u8;
        transfer.amount = if bonus { Minor(transfer.amount.0 + 1) } else { transfer.amount };
        bonus
    });
    must(found, Rule::Ledger, "more bonus money than was given");
    let found = altered(&book, |offer: &mut BetOffered| {
        let several = 1 < offer.legs && offer.leg == 1;
        offer.price.e4 += u32::from(several);
        several
    });
    must(found, Rule::Price, "an offer whose second leg has another price");
}
