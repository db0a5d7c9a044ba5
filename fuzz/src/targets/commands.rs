//! Bytes read as a command, an answer, a reply and events.

use std::cell::OnceCell;

use betring_core::answer::{Answer, AnswerKind, Reply};
use betring_core::command::*;
use betring_core::event::EventReader;
use betring_core::id::*;
use betring_core::reject::Malformed;
use betring_core::ruleset::Ruleset;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Header, Minor, NAME, Name, SLOT, SLOTS_MAX, Slot, WirePrice};
use betring_core::{Admission, HouseRules, Stamp, State};
use betring_pricing::{Fraction, Price};
use zerocopy::{FromBytes, IntoBytes};

use crate::targets::desk::{self, Desk, plain};

/// Bytes read in every way in which bytes from outside are read.
///
/// What reads as a command writes the same bytes again, and a state that is offered it answers it or
/// decides it, whatever its numbers are, with every invariant holding afterwards.
///
/// # Panics
/// If a rule is broken.
pub fn commands(data: &[u8]) {
    as_command(data);
    as_command(&made_whole(data));
    as_answer(data);
    as_events(data);
    as_name(data);
}

/// The same with what a reader asks for first put right: whole slots, their number, the version. So
/// that more inputs get behind those checks.
fn made_whole(data: &[u8]) -> Vec<u8> {
    let slots = data.len().div_ceil(SLOT).clamp(1, SLOTS_MAX);
    let mut bytes = data.to_vec();
    bytes.resize(slots * SLOT, 0);
    bytes[1] = 1;
    bytes[2] &= (Header::SYNTHETIC | Header::RETRY) as u8;
    bytes[3] = 0;
    bytes[4..6].copy_from_slice(&(slots as u16).to_le_bytes());
    bytes
}

fn as_command(data: &[u8]) {
    let (header, command) = match decode(data) {
        Ok(read) => read,
        Err(what) => {
            assert!(!what.to_string().is_empty());
            return;
        }
    };
    let written = encoded(header, &command);
    assert_eq!(written.as_slice().as_bytes(), data, "what reads as a command writes the same");
    assert!(!format!("{command:?} {:?}", written[0]).is_empty());
    let first = written[0];
    assert_eq!((first.header(), first.slots()), (header, written.len()));
    offer(&header, &command, data);
}

/// A command as slots again.
fn encoded(header: Header, command: &Command<'_>) -> Vec<Slot> {
    macro_rules! write {
        ($($plain:ident)* ; $($names:ident)* ; $($entries:ident)*) => {
            match command {
                $(Command::$plain(body) => wire::slots(header, body, &[]),)*
                $(Command::$names(body, names) => {
                    assert!(!names.first().is_empty());
                    let mut tail = Vec::new();
                    for text in names.iter() {
                        let name = Name::new(text).expect("it was read as a name");
                        tail.extend_from_slice(name.as_bytes());
                    }
                    wire::slots(header, body, &tail)
                })*
                $(Command::$entries(body, entries) => {
                    let mut tail = Vec::new();
                    entries.iter().for_each(|entry| tail.extend_from_slice(entry.as_bytes()));
                    wire::slots(header, body, &tail)
                })*
            }
        };
    }
    write! {
        Genesis EpochOpened Step Tick Quarantine OpenMarket CloseMarket Suspend Release
        WithdrawSelection ArchiveMarket SetLimits BlockAccount LiftQuarantine FeedHeartbeat FeedGap
        FeedRecovered OpenAccount Deposit Withdraw Place AcceptOffer DeclineOffer Resolve
        SetInPlay FreezeCashOut CancelBets RollbackResult CancelBet CorrectPrice Adjust GrantBonus
        CashOut SetAutoCashOut SwitchFeed SetTier AssignTier SetFeedSchema TraderPrice
        SetStakeFactor SetShedding SetAccountLimit ExcludeAccount ConfirmHold ReleaseHold
        FeedRecovering SetOwnLimit ExcludeSelf SetDiscount LapseOrders;
        RegisterActor DefineFeed DefineFixture DefineMarket DefineGroup;
        SetPrices Reprice MarketResult PublishRules AnswerReferral PlaceTicket SetExchange PlaceOrders
        CancelOrders ReplaceOrders UpdateOrders
    }
}

thread_local! {
    /// A state with one of everything, made once: every input is offered to a copy of it.
    static OPEN: OnceCell<State<HouseRules>> = const { OnceCell::new() };
}

/// Offers a command to a state, at the last moment at which it is in time.
fn offer(header: &Header, command: &Command<'_>, bytes: &[u8]) {
    // They come once, from the engine, with capacities that an operator has chosen.
    if matches!(command, Command::Genesis(_) | Command::EpochOpened(_)) {
        return;
    }
    OPEN.with(|open| {
        let open = open.get_or_init(open_state);
        let valid_until =
            i64::read_from_prefix(&bytes[wire::HEADER..]).map_or(0, |(limit, _)| limit);
        let at = open.now().max(Timestamp(valid_until));
        match open.admit(at, header, command, bytes) {
            Admission::Answer(reply) => assert!(reply.answer.is_valid()),
            Admission::Sequence(admitted) => {
                let mut state = open.clone();
                let mut events = betring_core::event::Events::new();
                let stamp = Stamp { seq: state.seq().next(), at };
                let reply = state.apply(stamp, header, command, admitted, &mut events);
                assert!(reply.answer.is_valid() && !reply.to_string().is_empty());
                assert_eq!(state.check(), Ok(()), "after {command:?} answered {reply}");
                assert!(events.iter().all(|event| event.is_ok()), "what is told can be read");
            }
        }
    });
}

fn open_state() -> State<HouseRules> {
    let mut desk = Desk::new(desk::genesis(), desk::capacities());
    super::state::furnish(&mut desk);
    desk.state.clone()
}

fn as_answer(data: &[u8]) {
    if let Ok((answer, _)) = Answer::read_from_prefix(data) {
        let valid = answer.is_valid();
        // A valid one is never refused without a reason.
        assert!(!valid || answer.reject().is_none() == (answer.kind() != AnswerKind::Refused));
        let (malformation, basis) = (answer.malformation(), answer.basis());
        let (age, until, job) = (answer.age(), answer.until(), answer.job_market());
        let text = format!("{answer} {answer:?} {malformation:?} {basis:?} {age} {until} {job}");
        assert!(!text.is_empty());
    }
    if let Ok((reply, _)) = Reply::read_from_prefix(data) {
        assert!(!format!("{reply} {reply:?} {}", reply.fate()).is_empty());
        assert_eq!(reply.as_bytes(), &data[..size_of::<Reply>()]);
    }
    if let Ok((price, _)) = WirePrice::read_from_prefix(data) {
        assert!(!price.to_string().is_empty());
        assert!(!price.is_price() || price.price().is_some());
        assert!(price.fraction().is_none() || !price.is_none());
    }
    if let Ok((amount, _)) = Minor::read_from_prefix(data) {
        assert!(!amount.to_string().is_empty());
    }
}

fn as_events(data: &[u8]) {
    let mut walked = 0;
    let mut ended = false;
    for event in EventReader::new(data) {
        assert!(!ended, "nothing is read behind what is no event");
        match event {
            Ok(event) => {
                assert!(!format!("{} {event:?}", event.name()).is_empty());
                walked += 1;
            }
            Err(not) => {
                assert!(not.left <= data.len() && !not.to_string().is_empty());
                ended = true;
            }
        }
    }
    assert!(walked * 16 <= data.len(), "an event takes at least two words");
}

fn as_name(data: &[u8]) {
    let Ok((name, _)) = Name::read_from_prefix(data) else { return };
    match name.text() {
        Ok(text) => {
            let written = Name::new(text).expect("what reads as a name is one");
            assert_eq!(written.as_bytes(), &data[..NAME]);
        }
        Err(what) => assert_eq!(what, Malformed::Name),
    }
}

/// One command of most kinds, answers, and a run of events.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let now = desk_now();
    let until = Timestamp(now.0 + 1_000_000_000);
    let market = MarketId::new(0, 1);
    let customer = Header::customer(AccountId::new(0, 1), RequestKey(0x5eed));
    let trader = Header::control(ActorId(1), RequestKey(0x5eed));
    let feed = Header::control(ActorId(1), RequestKey::NONE);
    let bytes = |slots: Vec<Slot>| slots.as_slice().as_bytes().to_vec();
    macro_rules! body {
        ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
            $name { valid_until: until, $($field: $value,)* ..$name::default() }
        };
    }
    let price = |e4| WirePrice { e4, num: 0, den: 0 };
    let prices = [
        PriceEntry::new(SelectionIndex(0), price(19_000)),
        PriceEntry::new(SelectionIndex(2), WirePrice::NONE),
    ];
    let results = [
        ResultEntry::new(SelectionIndex(0), SelectionOutcome::Win),
        ResultEntry::new(SelectionIndex(1), SelectionOutcome::Lose),
        ResultEntry::new(SelectionIndex(2), SelectionOutcome::Void),
    ];
    let place = body!(Place {
        market: market,
        stake: Minor(1_000),
        price: WirePrice::decimal(Price::from_e4(18_000).unwrap_or(Price::MAX)),
        policy: PricePolicy::Better as u8,
    });
    let fraction = Fraction::new(10, 11).map_or(WirePrice::NONE, WirePrice::fractional);
    let within =
        Place { price: fraction, policy: PricePolicy::Within as u8, slippage: 100, ..place };
    let built = |built: Result<Vec<Slot>, Malformed>| built.map(bytes).unwrap_or_default();
    let define = body!(DefineMarket { winners: 1, kind: MarketKind::Fixed as u8 });
    let set = SetPrices { feed: FeedId(1), market: MarketId::new(1, 1), ..SetPrices::default() };
    let mut events = betring_core::event::Events::new();
    let mut state = open_state();
    let told = plain(customer, &place);
    let told_bytes = told.as_slice().as_bytes();
    let stamp = Stamp { seq: state.seq().next(), at: now };
    let replayed = state.replay(stamp, told_bytes, &mut events);
    let reply = replayed.map(|reply| reply.as_bytes().to_vec()).unwrap_or_default();
    vec![
        ("place", bytes(told)),
        ("place-within", bytes(plain(customer, &within))),
        ("withdraw", bytes(plain(customer, &body!(Withdraw { amount: Minor(5) })))),
        ("resolve", bytes(plain(customer, &body!(Resolve {})))),
        ("ticket", {
            let leg = |market, selection| {
                let market = MarketId::new(market, 1);
                let (at, none) = (SelectionIndex(selection), WirePrice::NONE);
                LegEntry::new(market, at, none, PriceVersion(0))
            };
            let (kind, policy) = (StakeKind::Total as u8, PricePolicy::Any as u8);
            let body = body!(PlaceTicket {
                stake: Minor(900),
                folds: 0b11,
                stake_kind: kind,
                policy: policy,
            });
            built(build::place_ticket(customer, body, &[leg(0, 1), leg(1, 0)]))
        }),
        ("cash-out", {
            let (bet, policy) = (BetId::new(0, 1), PricePolicy::Any as u8);
            bytes(plain(customer, &body!(CashOut { bet: bet, policy: policy })))
        }),
        ("auto-cash-out", {
            let (bet, value) = (BetId::new(0, 1), Minor(700));
            bytes(plain(customer, &body!(SetAutoCashOut { bet: bet, value: value })))
        }),
        ("rules", {
            let set = Ruleset::standard(Name::new("spring").expect("a name"));
            bytes(build::publish_rules(trader, body!(PublishRules {}), &set))
        }),
        ("referral", {
            let answer = ReferralAnswer::Counter as u8;
            let body = body!(AnswerReferral { bet: BetId::new(0, 1), answer: answer });
            built(build::answer_referral(trader, body, &prices[..1]))
        }),
        ("rollback", bytes(plain(trader, &body!(RollbackResult { market: market })))),
        ("cancel-bets", {
            let source = Timestamp(5);
            bytes(plain(trader, &body!(CancelBets { market: market, cancel: 1, source: source })))
        }),
        ("cancel-bet", {
            bytes(plain(trader, &body!(CancelBet { bet: BetId::new(0, 1), cancel: 1 })))
        }),
        ("correct-price", {
            let (bet, price) = (BetId::new(0, 1), price(11_000));
            bytes(plain(trader, &body!(CorrectPrice { bet: bet, price: price })))
        }),
        ("adjust", {
            let (account, amount) = (AccountId::new(0, 1), Minor(-7));
            bytes(plain(trader, &body!(Adjust { account: account, amount: amount })))
        }),
        ("grant-bonus", {
            let (account, amount) = (AccountId::new(0, 1), Minor(500));
            bytes(plain(trader, &body!(GrantBonus { account: account, amount: amount })))
        }),
        ("in-play", {
            let delay = Nanos::from_secs(5);
            bytes(plain(trader, &body!(SetInPlay { market: market, in_play: 1, delay: delay })))
        }),
        ("freeze-cash-out", {
            let (level, owner) = (Level::Engine as u8, Owner::Trader as u8);
            let body = body!(FreezeCashOut { level: level, owner: owner, frozen: 1 });
            bytes(plain(trader, &body))
        }),
        ("accept", bytes(plain(customer, &body!(AcceptOffer { bet: BetId::new(0, 1) })))),
        ("open-account", {
            let header = Header { account: 0, ..customer };
            bytes(plain(header, &body!(OpenAccount { reference: 77, currency: 978 })))
        }),
        ("define-market", built(build::define_market(trader, define, "derby", &["a", "b", "c"]))),
        ("define-feed", {
            let silence_bound = Nanos::from_secs(5);
            built(build::define_feed(
                trader,
                body!(DefineFeed { silence_bound: silence_bound }),
                "f",
            ))
        }),
        ("padded-with-something", {
            let body = body!(DefineFixture {});
            let mut padded = built(build::define_fixture(trader, body, "final"));
            padded.last_mut().into_iter().for_each(|byte| *byte = 1);
            padded
        }),
        ("result", {
            built(build::result(trader, body!(MarketResult { market: market }), &results))
        }),
        ("manual-prices", {
            built(build::set_prices(trader, body!(SetPrices { market: market }), &prices))
        }),
        ("feed-prices", built(build::set_prices(feed, set, &prices[..1]))),
        ("heartbeat", {
            bytes(plain(feed, &FeedHeartbeat { feed: FeedId(1), ..FeedHeartbeat::default() }))
        }),
        ("suspend", {
            let (level, owner) = (Level::Market as u8, Owner::Trader as u8);
            bytes(plain(trader, &body!(Suspend { level: level, owner: owner, id: market.raw() })))
        }),
        ("limits", {
            let scope = LimitScope::Currency as u8;
            let limits = desk::genesis().limits;
            bytes(plain(trader, &body!(SetLimits { scope: scope, currency: 826, limits: limits })))
        }),
        ("define-group", {
            let body = body!(DefineGroup { primary: FeedId(1), backup: FeedId(2) });
            built(build::define_group(trader, body, "cup"))
        }),
        ("switch-feed", {
            let (group, to) = (GroupId(1), Drives::Backup as u8);
            bytes(plain(trader, &body!(SwitchFeed { group: group, to: to })))
        }),
        ("tier", {
            let act = LiabilityAct::Step as u8;
            let (age, dwell) = (Nanos::from_secs(2), Nanos::from_secs(1));
            let body = body!(SetTier {
                tier: 2,
                act: act,
                band: 25,
                ticks: 2,
                steps: 3,
                drift_band: 20_000,
                drift_dwell: dwell,
                age_bound: age,
                cash_out_age: age,
                price_band: 500_000,
            });
            bytes(plain(trader, &body))
        }),
        ("assign-tier", bytes(plain(trader, &body!(AssignTier { tier: 2, market: market })))),
        ("schema", { bytes(plain(trader, &body!(SetFeedSchema { feed: FeedId(1), schema: 7 }))) }),
        ("pin", {
            let (act, price) = (TraderPriceAct::Pin as u8, price(21_000));
            bytes(plain(trader, &body!(TraderPrice { market: market, act: act, price: price })))
        }),
        ("take-held", {
            let (act, market) = (TraderPriceAct::TakeHeld as u8, MarketId::new(1, 1));
            bytes(plain(trader, &body!(TraderPrice { market: market, act: act })))
        }),
        ("factor", {
            let (scope, id) = (FactorScope::Market as u8, market.raw());
            bytes(plain(trader, &body!(SetStakeFactor { scope: scope, id: id, percent: 50 })))
        }),
        ("shedding", bytes(plain(trader, &body!(SetShedding { mode: Shed::On as u8 })))),
        ("account-limit", {
            let (kind, period) = (LimitKind::Stake as u8, Period::Day as u8);
            let (account, amount) = (AccountId::new(0, 1), Minor(2_000));
            bytes(plain(
                trader,
                &body!(SetAccountLimit {
                    kind: kind,
                    period: period,
                    account: account,
                    amount: amount,
                }),
            ))
        }),
        ("own-limit", {
            let (kind, period) = (LimitKind::Loss as u8, Period::Week as u8);
            let body = body!(SetOwnLimit { kind: kind, period: period, amount: Minor(500) });
            bytes(plain(customer, &body))
        }),
        ("exclude", {
            let (account, until) = (AccountId::new(1, 1), Timestamp::MAX);
            bytes(plain(trader, &body!(ExcludeAccount { account: account, until: until })))
        }),
        ("exclude-self", bytes(plain(customer, &body!(ExcludeSelf { until: Timestamp::MAX })))),
        ("terms", {
            let own = LadderKind::Own as u8;
            let body = body!(SetExchange {
                currency: 826,
                ladder: own,
                flags: SetExchange::CROSSES | SetExchange::STARTING_PRICES,
                market: MarketId::new(2, 1),
                commission: 500,
                min_stake: Minor(100),
                min_liability: Minor(1_000),
            });
            let band = BandEntry { from_e4: 20_000, to_e4: 30_000, step_e4: 200 };
            built(build::set_exchange(trader, body, &[band]))
        }),
        ("discount", {
            let (account, discount) = (AccountId::new(1, 1), 4_000);
            bytes(plain(trader, &body!(SetDiscount { account: account, discount: discount })))
        }),
        ("lapse", {
            let (scope, market) = (LapseScope::All as u8, MarketId::new(2, 1));
            bytes(plain(trader, &body!(LapseOrders { scope: scope, market: market })))
        }),
        ("orders", {
            let body = body!(PlaceOrders { market: MarketId::new(2, 1), market_version: Seq(3) });
            let back = OrderEntry { limit_e4: 25_000, size: Minor(500), ..OrderEntry::default() };
            let flags = OrderEntry::FILL_OR_KILL;
            let kill = OrderEntry { flags, min_fill: Minor(100), ..back };
            built(build::place_orders(customer, body, &[back, kill]))
        }),
        ("cancels", {
            let entry = CancelEntry { order: OrderId::new(0, 1), by: Minor(100) };
            let body = body!(CancelOrders { market: MarketId::new(2, 1) });
            built(build::cancel_orders(customer, body, &[entry]))
        }),
        ("replacements", {
            let entry = ReplaceEntry { order: OrderId::new(0, 1), limit_e4: 26_000, zero: 0 };
            let body = body!(ReplaceOrders { market: MarketId::new(2, 1) });
            built(build::replace_orders(customer, body, &[entry]))
        }),
        ("updates", {
            let persistence = Persistence::Persist as u8;
            let entry = UpdateEntry { order: OrderId::new(0, 1), persistence, zero: [0; 7] };
            let body = body!(UpdateOrders { market: MarketId::new(2, 1) });
            built(build::update_orders(customer, body, &[entry]))
        }),
        ("confirm-hold", {
            let (bet, amount) = (BetId::new(0, 1), Minor(1_000));
            bytes(plain(trader, &body!(ConfirmHold { bet: bet, amount: amount, reference: 7 })))
        }),
        ("release-hold", bytes(plain(trader, &body!(ReleaseHold { bet: BetId::new(0, 1) })))),
        ("gap", {
            let (feed_seq, connection) = (3, 1);
            let body = FeedGap { feed: FeedId(1), feed_seq, connection, ..FeedGap::default() };
            bytes(plain(feed, &body))
        }),
        ("recovering", {
            let (feed_seq, request) = (4, 7);
            let body =
                FeedRecovering { feed: FeedId(1), feed_seq, request, ..FeedRecovering::default() };
            bytes(plain(feed, &body))
        }),
        ("recovered", {
            let body = FeedRecovered { feed: FeedId(1), request: 7, ..FeedRecovered::default() };
            bytes(plain(feed, &body))
        }),
        ("open-wallet-of-a-probe", {
            let header = Header { account: 0, ..customer };
            let purse = Purse::External as u8;
            bytes(plain(
                header,
                &body!(OpenAccount { reference: 78, currency: 826, purse: purse, synthetic: 1 }),
            ))
        }),
        ("step", bytes(plain(desk::engine(), &Step { budget: 3, ..Step::default() }))),
        ("events", events.as_bytes().to_vec()),
        ("reply", reply),
    ]
}

/// The moment at which the furnished state stands.
fn desk_now() -> Timestamp {
    open_state().now()
}
