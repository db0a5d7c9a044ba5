//! One command of every kind, with every field set to something that can be told apart.

use betring_core::book::{SelfMatch, Side};
use betring_core::command::*;
use betring_core::id::*;
use betring_core::ruleset::Ruleset;
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{self, Header, Minor, Name, WirePrice};
use betring_pricing::{Fraction, LegNumbers, Pence, Price, RoundingMode};
use zerocopy::IntoBytes;

fn header() -> Header {
    Header {
        flags: Header::SYNTHETIC,
        client: ClientId(0x0607),
        account: AccountId::new(6, 1).raw(),
        key: RequestKey(0x1011_1213_1415_1617_1819_1a1b_1c1d_1e1f),
        trace: *b"trace of caller!",
        span: 0x3031_3233_3435_3637,
        received: Timestamp(1_767_225_600_123_456_789),
        ..Header::default()
    }
}

fn limits() -> Limits {
    Limits {
        min_stake: Minor(10),
        max_stake: Minor(1_000_000),
        max_payout: Minor(100_000_000),
        max_liability: Minor(50_000_000),
        max_customer: Minor(20_000_000),
        max_selection: Minor(30_000_000),
        max_event: Minor(40_000_000),
    }
}

fn capacities() -> Capacities {
    Capacities {
        accounts: 1001,
        markets: 1002,
        selections: 1003,
        bets: 1004,
        keys: 1005,
        feeds: 1006,
        fixtures: 1007,
        actors: 1008,
        currencies: 9,
        quarantined: 1010,
        legs: 1011,
        groups: 1012,
        limited: 1013,
        orders: 1014,
        positions: 1015,
        stands: 1016,
        levels: 1017,
    }
}

const VALID_UNTIL: Timestamp = Timestamp(1_767_225_610_000_000_000);
const TOKEN: Token = Token(0x4041_4243_4445_4647);
const REASON: u32 = 0x5051_5253;
const SCHEMA: u32 = 0x5455_5657;

/// The bytes of one command of every kind.
pub(crate) fn all() -> Vec<(Kind, Vec<u8>)> {
    Kind::ALL.iter().map(|kind| (*kind, of(*kind))).collect()
}

/// The bytes of one command of a kind.
pub(crate) fn of(kind: Kind) -> Vec<u8> {
    let plain = |bytes: Vec<wire::Slot>| bytes.as_slice().as_bytes().to_vec();
    let keyless = Header { key: RequestKey::NONE, ..header() };
    let market = MarketId::new(4, 2);
    macro_rules! body {
        ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
            $name { valid_until: VALID_UNTIL, token: TOKEN, $($field: $value,)* ..$name::default() }
        };
    }
    macro_rules! one {
        ($header:expr, $name:ident { $($fields:tt)* }) => {
            plain(wire::slots($header, &body!($name { $($fields)* }), &[]))
        };
    }
    match kind {
        Kind::Genesis => one!(
            keyless,
            Genesis {
                window: Nanos::from_secs(300),
                secret: *b"sixteen secrets!",
                age_bound: Nanos::from_millis(1_500),
                offer_ttl: Nanos::from_secs(5),
                price_failure: PriceFailure::Offer as u8,
                rounding: rounding_code(RoundingMode::HalfUp),
                step_budget: 64,
                limits: limits(),
            }
        ),
        Kind::EpochOpened => one!(
            keyless,
            EpochOpened {
                epoch: Epoch(3),
                logic_version: 1,
                rules_id: 7,
                rules_version: 2,
                capacities: capacities(),
                kept_seq: Seq(99),
                cut_segment: Seq(65),
                cut_offset: 8192,
                cut_bytes: 77,
            }
        ),
        Kind::Step => one!(keyless, Step { budget: 63 }),
        Kind::Tick => one!(keyless, Tick {}),
        Kind::Quarantine => {
            one!(keyless, Quarantine { account: 0x6061_6263, key: RequestKey(0x70_71) })
        }
        Kind::RegisterActor => {
            let body = body!(RegisterActor { reason: REASON });
            plain(build::register_actor(header(), body, "trader:anna").unwrap())
        }
        Kind::DefineFeed => {
            let body = body!(DefineFeed {
                reason: REASON,
                schema: SCHEMA,
                silence_bound: Nanos::from_secs(10),
                delay_bound: Nanos::from_millis(50),
            });
            plain(build::define_feed(header(), body, "feed:one").unwrap())
        }
        Kind::DefineFixture => {
            let body = body!(DefineFixture { reason: REASON, starts: VALID_UNTIL });
            plain(build::define_fixture(header(), body, "ENG-SCO").unwrap())
        }
        Kind::DefineMarket => {
            let body = body!(DefineMarket {
                reason: REASON,
                feed: FeedId(3),
                winners: 2,
                fixture: FixtureId::new(5, 1),
                age_bound: Nanos::from_millis(1_500),
                kind: MarketKind::Fixed as u8,
                each_way: EachWayOffer::Own as u8,
                places: 3,
                place_num: 1,
                place_den: 5,
                tier: 9,
                group: GroupId(2),
                canary: 1,
            });
            let names = ["England", "Draw", "Scotland"];
            plain(build::define_market(header(), body, "1.185781277", &names).unwrap())
        }
        Kind::OpenMarket => one!(header(), OpenMarket { reason: REASON, market: market }),
        Kind::CloseMarket => one!(header(), CloseMarket { reason: REASON, market: market }),
        Kind::ArchiveMarket => one!(header(), ArchiveMarket { reason: REASON, market: market }),
        Kind::Suspend => one!(
            header(),
            Suspend {
                reason: REASON,
                level: Level::Selection as u8,
                owner: Owner::Trader as u8,
                selection: SelectionIndex(2),
                id: market.raw(),
            }
        ),
        Kind::Release => one!(
            header(),
            Release {
                reason: REASON,
                level: Level::Fixture as u8,
                owner: Owner::Governor as u8,
                id: market.raw(),
            }
        ),
        Kind::WithdrawSelection => one!(
            header(),
            WithdrawSelection {
                reason: REASON,
                selection: SelectionIndex(2),
                withdrawn: 1,
                deduct: 1,
                market: market,
                price: WirePrice::fractional(Fraction::new(5, 2).unwrap()),
            }
        ),
        Kind::MarketResult => {
            let body = body!(MarketResult {
                reason: REASON,
                certainty: 2,
                market: market,
                source: Timestamp(1_767_225_600_120_000_000),
            });
            let numbers = LegNumbers::dead_heat(1, 2).unwrap();
            let numbers = numbers.with_rule4(Pence::new(15).unwrap());
            let entries = [
                ResultEntry::new(SelectionIndex(0), SelectionOutcome::Void),
                ResultEntry::shares(SelectionIndex(1), numbers),
                ResultEntry::position(SelectionIndex(2), 3, 2),
            ];
            plain(build::result(header(), body, &entries).unwrap())
        }
        Kind::SetLimits => one!(
            header(),
            SetLimits {
                reason: REASON,
                scope: LimitScope::Market as u8,
                currency: 826,
                market: market,
                limits: limits(),
            }
        ),
        Kind::BlockAccount => one!(
            header(),
            BlockAccount { reason: REASON, blocked: 1, account: AccountId::new(6, 1) }
        ),
        Kind::LiftQuarantine => one!(
            header(),
            LiftQuarantine { reason: REASON, account: 0x6061_6263, key: RequestKey(0x70_71) }
        ),
        Kind::Reprice => {
            let body = Reprice {
                feed: FeedId(3),
                fixture: FixtureId::new(4, 1),
                feed_seq: 0x8081_8283,
                source: Timestamp(1_767_225_600_100_000_000),
                as_of: Timestamp(1_767_225_600_110_000_000),
                schema: SCHEMA,
                reason: REASON,
                model_version: 7,
                model: Reprice::named("dixon-coles-grid").unwrap(),
                parameters: [1.45_f64, 1.15, -0.08, 63.5, 2.0, 1.0].map(f64::to_bits),
                ..Reprice::default()
            };
            let market = |index| MarketId::new(index, 1);
            let price = WirePrice::decimal(Price::MAX);
            let entries = [
                RepriceEntry::new(market(5), SelectionIndex(0), price),
                RepriceEntry::new(market(5), SelectionIndex(2), WirePrice::NONE),
                RepriceEntry::new(market(6), SelectionIndex(0), price),
            ];
            plain(build::reprice(keyless, body, &entries).unwrap())
        }
        Kind::SetPrices => {
            let body = body!(SetPrices {
                reason: REASON,
                feed: FeedId(3),
                market: market,
                feed_seq: 0x8081_8283,
                source: Timestamp(1_767_225_600_100_000_000),
                as_of: Timestamp(1_767_225_600_110_000_000),
                schema: SCHEMA,
            });
            let fraction = Fraction::new(10, 11).unwrap();
            let entries = [
                PriceEntry::new(SelectionIndex(0), WirePrice::fractional(fraction)),
                PriceEntry::new(SelectionIndex(1), WirePrice::decimal(Price::MAX)),
                PriceEntry::new(SelectionIndex(2), WirePrice::NONE),
            ];
            plain(build::set_prices(keyless, body, &entries).unwrap())
        }
        Kind::FeedHeartbeat => one!(
            keyless,
            FeedHeartbeat {
                reason: REASON,
                feed: FeedId(3),
                feed_seq: 9,
                source: VALID_UNTIL,
                schema: SCHEMA,
            }
        ),
        Kind::FeedGap => one!(
            keyless,
            FeedGap {
                reason: REASON,
                feed: FeedId(3),
                connection: 1,
                feed_seq: 9,
                source: VALID_UNTIL,
                schema: SCHEMA,
            }
        ),
        Kind::FeedRecovered => one!(
            keyless,
            FeedRecovered {
                reason: REASON,
                feed: FeedId(3),
                feed_seq: 9,
                source: VALID_UNTIL,
                request: 0x9495_9697,
                schema: SCHEMA,
            }
        ),
        Kind::FeedRecovering => one!(
            keyless,
            FeedRecovering {
                reason: REASON,
                feed: FeedId(3),
                feed_seq: 9,
                source: VALID_UNTIL,
                request: 0x9495_9697,
                schema: SCHEMA,
            }
        ),
        Kind::OpenAccount => one!(
            header(),
            OpenAccount {
                reference: 0x9091_9293,
                currency: 826,
                purse: Purse::External as u8,
                synthetic: 1,
            }
        ),
        Kind::Deposit => one!(header(), Deposit { amount: Minor(123_456) }),
        Kind::Withdraw => one!(header(), Withdraw { amount: Minor(123_456) }),
        Kind::Place => one!(
            header(),
            Place {
                market: market,
                stake: Minor(1_000),
                version: PriceVersion(12),
                price: WirePrice::fractional(Fraction::new(5, 2).unwrap()),
                selection: SelectionIndex(2),
                slippage: 200,
                policy: PricePolicy::Within as u8,
            }
        ),
        Kind::AcceptOffer => one!(header(), AcceptOffer { bet: BetId::new(8, 3) }),
        Kind::DeclineOffer => one!(header(), DeclineOffer { bet: BetId::new(8, 3) }),
        Kind::Resolve => one!(header(), Resolve {}),
        Kind::PlaceTicket => {
            let body = body!(PlaceTicket {
                stake: Minor(100),
                floor: 123_456,
                folds: 0b110,
                bankers: 0b001,
                stake_kind: StakeKind::Unit as u8,
                each_way: EachWayKind::WinToWin as u8,
                policy: PricePolicy::Within as u8,
                slippage: 200,
                bonus: 1,
            });
            let price = WirePrice::fractional(Fraction::new(5, 2).unwrap());
            let leg = |at: u16| {
                LegEntry::new(market, SelectionIndex(at), price, PriceVersion(12 + u64::from(at)))
            };
            plain(build::place_ticket(header(), body, &[leg(0), leg(1), leg(2)]).unwrap())
        }
        Kind::CashOut => one!(
            header(),
            CashOut {
                bet: BetId::new(8, 3),
                take: Minor(500),
                accept: Minor(475),
                policy: PricePolicy::Within as u8,
                slippage: 200,
            }
        ),
        Kind::SetAutoCashOut => {
            one!(header(), SetAutoCashOut { bet: BetId::new(8, 3), value: Minor(1_500) })
        }
        Kind::PublishRules => {
            let mut set = Ruleset::standard(Name::new("house 2").unwrap());
            set.lucky = [[3, 10], [4, 20], [5, 25]];
            set.refer_percent = 200;
            set.cash_out_margin = 50_000;
            set.hold_bind = HoldBind::AtConfirm as u8;
            set.hold_ttl = Nanos::from_secs(7);
            plain(build::publish_rules(header(), body!(PublishRules { reason: REASON }), &set))
        }
        Kind::SetInPlay => one!(
            header(),
            SetInPlay { reason: REASON, in_play: 1, market: market, delay: Nanos::from_secs(5) }
        ),
        Kind::AnswerReferral => {
            let body = body!(AnswerReferral {
                reason: REASON,
                answer: ReferralAnswer::Counter as u8,
                bet: BetId::new(8, 3),
                stake: Minor(500),
            });
            let price = WirePrice::fractional(Fraction::new(5, 2).unwrap());
            let prices = [
                PriceEntry::new(SelectionIndex(0), price),
                PriceEntry::new(SelectionIndex(1), WirePrice::NONE),
            ];
            plain(build::answer_referral(header(), body, &prices).unwrap())
        }
        Kind::FreezeCashOut => one!(
            header(),
            FreezeCashOut {
                reason: REASON,
                level: Level::Market as u8,
                owner: Owner::Governor as u8,
                frozen: 1,
                id: market.raw(),
            }
        ),
        Kind::CancelBets => one!(
            header(),
            CancelBets {
                reason: REASON,
                cancel: 1,
                market: market,
                from: Timestamp(1_767_225_600_100_000_000),
                until: Timestamp(1_767_225_600_110_000_000),
                source: Timestamp(1_767_225_600_120_000_000),
            }
        ),
        Kind::RollbackResult => one!(
            header(),
            RollbackResult {
                reason: REASON,
                market: market,
                source: Timestamp(1_767_225_600_120_000_000),
            }
        ),
        Kind::CancelBet => {
            one!(header(), CancelBet { reason: REASON, cancel: 1, bet: BetId::new(8, 3) })
        }
        Kind::CorrectPrice => one!(
            header(),
            CorrectPrice {
                reason: REASON,
                leg: 2,
                bet: BetId::new(8, 3),
                price: WirePrice::fractional(Fraction::new(5, 2).unwrap()),
            }
        ),
        Kind::Adjust => one!(
            header(),
            Adjust {
                reason: REASON,
                account: AccountId::new(6, 1),
                amount: Minor(-123_456),
                bet: BetId::new(8, 3),
            }
        ),
        Kind::GrantBonus => one!(
            header(),
            GrantBonus { reason: REASON, account: AccountId::new(6, 1), amount: Minor(123_456) }
        ),
        Kind::DefineGroup => {
            let body = body!(DefineGroup { reason: REASON, primary: FeedId(3), backup: FeedId(4) });
            plain(build::define_group(header(), body, "football").unwrap())
        }
        Kind::SwitchFeed => one!(
            header(),
            SwitchFeed { reason: REASON, group: GroupId(2), to: Drives::Backup as u8 }
        ),
        Kind::SetTier => one!(
            header(),
            SetTier {
                reason: REASON,
                tier: 9,
                act: LiabilityAct::Step as u8,
                band: 25,
                ticks: 2,
                steps: 3,
                drift_band: 20_000,
                age_bound: Nanos::from_millis(1_500),
                cash_out_age: Nanos::from_millis(300),
                drift_dwell: Nanos::from_secs(60),
                price_band: 500_000,
            }
        ),
        Kind::AssignTier => {
            one!(header(), AssignTier { reason: REASON, tier: 9, market: market })
        }
        Kind::SetFeedSchema => {
            one!(header(), SetFeedSchema { reason: REASON, feed: FeedId(3), schema: SCHEMA })
        }
        Kind::TraderPrice => one!(
            header(),
            TraderPrice {
                reason: REASON,
                selection: SelectionIndex(2),
                act: TraderPriceAct::Pin as u8,
                market: market,
                price: WirePrice::fractional(Fraction::new(5, 2).unwrap()),
            }
        ),
        Kind::SetStakeFactor => one!(
            header(),
            SetStakeFactor {
                reason: REASON,
                scope: FactorScope::Market as u8,
                id: market.raw(),
                percent: 150,
            }
        ),
        Kind::SetShedding => {
            one!(header(), SetShedding { reason: REASON, mode: Shed::On as u8 })
        }
        Kind::SetAccountLimit => one!(
            header(),
            SetAccountLimit {
                reason: REASON,
                kind: LimitKind::Loss as u8,
                period: Period::Week as u8,
                account: AccountId::new(6, 1),
                amount: Minor(123_456),
            }
        ),
        Kind::SetOwnLimit => one!(
            header(),
            SetOwnLimit {
                kind: LimitKind::Stake as u8,
                period: Period::Month as u8,
                amount: Minor(123_456),
            }
        ),
        Kind::ExcludeAccount => one!(
            header(),
            ExcludeAccount {
                reason: REASON,
                account: AccountId::new(6, 1),
                until: Timestamp(1_767_225_600_130_000_000),
            }
        ),
        Kind::SetExchange => {
            let body = body!(SetExchange {
                reason: REASON,
                currency: 826,
                ladder: LadderKind::Own as u8,
                flags: SetExchange::CROSSES | SetExchange::STARTING_PRICES,
                market: market,
                commission: 500,
                min_stake: Minor(200),
                min_payout: Minor(1_000),
                min_liability: Minor(1_001),
            });
            let bands = [
                BandEntry { from_e4: 10_100, to_e4: 20_000, step_e4: 100 },
                BandEntry { from_e4: 20_000, to_e4: 30_000, step_e4: 200 },
            ];
            plain(build::set_exchange(header(), body, &bands).unwrap())
        }
        Kind::SetDiscount => one!(
            header(),
            SetDiscount { reason: REASON, discount: 4_000, account: AccountId::new(6, 1) }
        ),
        Kind::LapseOrders => one!(
            header(),
            LapseOrders { reason: REASON, scope: LapseScope::NotPersistent as u8, market: market }
        ),
        Kind::PlaceOrders => {
            let body = body!(PlaceOrders { market: market, market_version: Seq(77) });
            let kills = OrderEntry {
                limit_e4: 24_000,
                selection: SelectionIndex(2),
                side: Side::Lay as u8,
                self_match: SelfMatch::CancelMaker as u8,
                flags: OrderEntry::FILL_OR_KILL | OrderEntry::REFUSE_IMPROVEMENT,
                target: SizeTarget::Payout as u8,
                size: Minor(1_000),
                min_fill: Minor(500),
                reference: 0xa0_a1_a2_a3,
                ..OrderEntry::default()
            };
            let on_close = OrderEntry {
                kind: OrderKind::MarketOnClose as u8,
                size: Minor(2_000),
                ..OrderEntry::default()
            };
            plain(build::place_orders(header(), body, &[kills, on_close]).unwrap())
        }
        Kind::CancelOrders => {
            let body = body!(CancelOrders { market: market });
            let orders = [
                CancelEntry { order: OrderId::new(9, 2), by: Minor(300) },
                CancelEntry { order: OrderId::new(10, 1), by: Minor(0) },
            ];
            plain(build::cancel_orders(header(), body, &orders).unwrap())
        }
        Kind::ReplaceOrders => {
            let body = body!(ReplaceOrders { market: market, market_version: Seq(77) });
            let orders = [ReplaceEntry { order: OrderId::new(9, 2), limit_e4: 25_000, zero: 0 }];
            plain(build::replace_orders(header(), body, &orders).unwrap())
        }
        Kind::UpdateOrders => {
            let body = body!(UpdateOrders { market: market });
            let persistence = Persistence::Persist as u8;
            let orders = [UpdateEntry { order: OrderId::new(9, 2), persistence, zero: [0; 7] }];
            plain(build::update_orders(header(), body, &orders).unwrap())
        }
        Kind::ExcludeSelf => {
            one!(header(), ExcludeSelf { until: Timestamp(1_767_225_600_130_000_000) })
        }
        Kind::ConfirmHold => one!(
            header(),
            ConfirmHold {
                reason: REASON,
                bet: BetId::new(8, 3),
                amount: Minor(1_000),
                reference: 0x9899_9a9b,
            }
        ),
        Kind::ReleaseHold => one!(header(), ReleaseHold { reason: REASON, bet: BetId::new(8, 3) }),
    }
}
