//! News of a source with its own times end in the same money, in whatever order and however often they come.

use betring_core::answer::Answer;
use betring_core::command::*;
use betring_core::event::Events;
use betring_core::id::*;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Body, Header, Minor, Slot, WirePrice, slots};
use betring_core::{Digest, HouseRules, Stamp, State};
use betring_fuzz::workload::Rng;
use betring_pricing::{LegNumbers, Price, RoundingMode, Share};
use zerocopy::IntoBytes;

const SEEDS: u64 = 1_500;
const MARKETS: u32 = 3;
const SELECTIONS: u16 = 3;
const START: i64 = 1_767_225_600_000_000_000;

struct Book {
    state: State<HouseRules>,
    events: Events,
    at: Timestamp,
    keys: u128,
}

impl Book {
    /// Markets that are open, customers with money, and bets on them: singles and tickets.
    fn with_bets(seed: u64) -> Book {
        let mut rng = Rng::new(seed);
        let mut book = Book {
            state: State::new(HouseRules),
            events: Events::new(),
            at: Timestamp(START),
            keys: 0,
        };
        let most = Minor(1_000_000_000);
        let genesis = Genesis {
            window: Nanos::from_secs(600),
            secret: [7; 16],
            age_bound: Nanos::from_secs(600),
            offer_ttl: Nanos::from_secs(5),
            price_failure: PriceFailure::Refuse as u8,
            rounding: rounding_code(rng.pick(&RoundingMode::ALL)),
            step_budget: rng.pick(&[1, 2, 5]),
            limits: Limits {
                min_stake: Minor(1),
                max_stake: most,
                max_payout: most,
                max_liability: most,
                ..Limits::UNLIMITED
            },
            ..Genesis::default()
        };
        book.own(&genesis);
        let capacities = Capacities {
            accounts: 2,
            markets: MARKETS,
            selections: 16,
            bets: 16,
            keys: 512,
            feeds: 1,
            fixtures: 1,
            actors: 1,
            currencies: 1,
            quarantined: 1,
            legs: 48,
            groups: 1,
            limited: 1,
            orders: 1,
            positions: 1,
            stands: 1,
            levels: 1,
        };
        book.own(&EpochOpened { epoch: Epoch(1), capacities, ..EpochOpened::default() });
        let header = Header { account: 0, ..book.trader() };
        let valid_until = book.until();
        let body = RegisterActor { valid_until, ..RegisterActor::default() };
        book.give(&build::register_actor(header, body, "anna").expect("a name"));
        for number in 0..MARKETS {
            let market = MarketId::new(number, 1);
            let (header, kind) = (book.trader(), MarketKind::Fixed as u8);
            let body = DefineMarket { valid_until, winners: 1, kind, ..DefineMarket::default() };
            let name = format!("market {number}");
            book.give(&build::define_market(header, body, &name, &["a", "b", "c"]).expect("names"));
            book.plain(&OpenMarket { valid_until, market, ..OpenMarket::default() });
            let prices: Vec<PriceEntry> = (0..SELECTIONS)
                .map(|at| {
                    let price = Price::from_e4(11_000 + rng.below(50_000) as u32);
                    let price = price.map_or(WirePrice::NONE, WirePrice::decimal);
                    PriceEntry::new(SelectionIndex(at), price)
                })
                .collect();
            let header = book.trader();
            let body = SetPrices { valid_until, market, ..SetPrices::default() };
            book.give(&build::set_prices(header, body, &prices).expect("prices"));
        }
        for reference in 1..=2 {
            let body =
                OpenAccount { valid_until, reference, currency: 826, ..OpenAccount::default() };
            let header = Header { account: 0, ..book.trader() };
            book.give(&slots(header, &body, &[]));
            let header = book.customer(reference as u32 - 1);
            let body = Deposit { valid_until, amount: Minor(100_000), ..Deposit::default() };
            book.give(&slots(header, &body, &[]));
        }
        for _ in 0..10 {
            book.at = book.at.plus(Nanos::from_millis(500));
            let header = book.customer(rng.below(2) as u32);
            let legs = rng.pick(&[1, 1, 2, 3]);
            let entries: Vec<LegEntry> = (0..legs)
                .map(|number| {
                    let market = MarketId::new(number, 1);
                    let selection = SelectionIndex(rng.below(SELECTIONS.into()) as u16);
                    LegEntry::new(market, selection, WirePrice::NONE, PriceVersion(0))
                })
                .collect();
            let body = PlaceTicket {
                valid_until,
                stake: Minor(7 + rng.below(500) as i64),
                folds: (1 + rng.below((1 << legs) - 1)) as u32,
                stake_kind: StakeKind::Total as u8,
                policy: PricePolicy::Any as u8,
                ..PlaceTicket::default()
            };
            let placed = book.give(&build::place_ticket(header, body, &entries).expect("legs"));
            assert!(placed.reject().is_none(), "seed {seed}: {placed}");
        }
        book
    }

    fn key(&mut self) -> RequestKey {
        self.keys += 1;
        RequestKey(self.keys)
    }

    fn trader(&mut self) -> Header {
        Header::control(ActorId(1), self.key())
    }

    fn customer(&mut self, number: u32) -> Header {
        Header::customer(AccountId::new(number, 1), self.key())
    }

    fn until(&self) -> Timestamp {
        Timestamp(START).plus(Nanos::from_secs(500))
    }

    fn own<B: Body>(&mut self, body: &B) {
        self.give(&slots(Header::default(), body, &[]));
    }

    fn plain<B: Body>(&mut self, body: &B) -> Answer {
        let header = self.trader();
        self.give(&slots(header, body, &[]))
    }

    fn give(&mut self, slots: &[Slot]) -> Answer {
        let stamp = Stamp { seq: self.state.seq().next(), at: self.at };
        let reply = self.state.replay(stamp, slots.as_bytes(), &mut self.events);
        reply.expect("what is given is sequenced").answer
    }

    /// Some of the work that there is, or all of it.
    fn work(&mut self, steps: u64) {
        for _ in 0..steps {
            if !self.state.has_work() {
                break;
            }
            let budget = self.state.step_budget();
            self.own(&Step { budget, ..Step::default() });
        }
    }

    fn tell(&mut self, news: &News) {
        let valid_until = self.until();
        let (market, source) = (news.market, news.source);
        match &news.what {
            What::Result(entries) => {
                let header = self.trader();
                let body = MarketResult { valid_until, market, source, ..MarketResult::default() };
                self.give(&build::result(header, body, entries).expect("entries"));
            }
            What::Rollback => {
                let body =
                    RollbackResult { valid_until, market, source, ..RollbackResult::default() };
                self.plain(&body);
            }
            What::Cancel { cancel, from } => {
                let (cancel, from) = (u8::from(*cancel), *from);
                self.plain(&CancelBets {
                    valid_until,
                    market,
                    source,
                    cancel,
                    from,
                    ..CancelBets::default()
                });
            }
        }
    }

    fn money(mut self) -> Digest {
        self.work(u64::MAX);
        self.state.check().expect("every invariant holds");
        self.state.money_digest()
    }
}

#[derive(Clone, Debug)]
enum What {
    Result(Vec<ResultEntry>),
    Rollback,
    Cancel { cancel: bool, from: Timestamp },
}

#[derive(Clone, Debug)]
struct News {
    market: MarketId,
    source: Timestamp,
    what: What,
}

fn result(rng: &mut Rng) -> Vec<ResultEntry> {
    let winner = rng.below(u64::from(SELECTIONS) + 1) as u16;
    (0..SELECTIONS)
        .map(|at| {
            let selection = SelectionIndex(at);
            let half = Share::new(1, 2).expect("a share");
            match rng.below(8) {
                0 => ResultEntry::new(selection, SelectionOutcome::Void),
                1 if at == winner => {
                    ResultEntry::shares(selection, LegNumbers { win: half, ..LegNumbers::WON })
                }
                2 => ResultEntry::shares(selection, LegNumbers::HALF_LOST),
                _ if at == winner => ResultEntry::new(selection, SelectionOutcome::Win),
                _ => ResultEntry::new(selection, SelectionOutcome::Lose),
            }
        })
        .collect()
}

/// What a source says of every market, in its order.
fn news_of(rng: &mut Rng) -> Vec<News> {
    let mut all = Vec::new();
    for number in 0..MARKETS {
        let market = MarketId::new(number, 1);
        for time in 1..=2 + rng.below(4) as i64 {
            let what = match rng.below(10) {
                0..=4 => What::Result(result(rng)),
                5..=6 => What::Rollback,
                _ => What::Cancel {
                    cancel: rng.permille(600),
                    from: Timestamp(START + rng.pick(&[1, 2_500_000_000])),
                },
            };
            all.push(News { market, source: Timestamp(time), what });
        }
    }
    all
}

#[test]
fn permuted_late_and_doubled_news_end_in_the_same_money() {
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed ^ 0x0de5);
        let news = news_of(&mut rng);
        let told = |order: &[News], rng: &mut Rng| {
            let mut book = Book::with_bets(seed);
            for news in order {
                book.tell(news);
                // Sometimes the next is there before the last has reached every bet.
                let steps = rng.pick(&[0, 1, 100]);
                book.work(steps);
            }
            book.money()
        };
        let expected = told(&news, &mut rng);
        let mut other = news.clone();
        for _ in 0..rng.below(4) {
            let again = other[rng.below(other.len() as u64) as usize].clone();
            other.push(again);
        }
        for at in (1..other.len()).rev() {
            other.swap(at, rng.below(at as u64 + 1) as usize);
        }
        let found = told(&other, &mut rng);
        assert_eq!(found, expected, "seed {seed}: {news:?}\nin another order: {other:?}");
    }
}

#[test]
fn settled_taken_back_and_settled_again_is_settled_once() {
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed ^ 0x5e77);
        let (wrong, right) = (result(&mut rng), result(&mut rng));
        let market = MarketId::new(rng.below(MARKETS.into()) as u32, 1);
        let say = |what| News { market, source: Timestamp(0), what };
        let (mut once, mut detour) = (Book::with_bets(seed), Book::with_bets(seed));
        once.tell(&say(What::Result(right.clone())));
        for what in [What::Result(wrong), What::Rollback, What::Result(right)] {
            detour.tell(&say(what));
            let steps = rng.pick(&[0, 1, 100]);
            detour.work(steps);
        }
        assert_eq!(once.money(), detour.money(), "seed {seed}");
    }
}
