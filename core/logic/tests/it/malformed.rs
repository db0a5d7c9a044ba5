//! Commands that are not well formed: each kind of wrong is told apart, and none changes anything.

use crate::restart::{admitted, begun, first_two};
use crate::samples;
use betring_core::HouseRules;
use betring_core::command::{self, Kind, Lane};
use betring_core::id::{AccountId, BetId};
use betring_core::reject::{Malformed, Reject};
use betring_core::script::{Desk, START};
use betring_core::time::{Nanos, Timestamp};
use betring_core::wire::{Header, SLOT, Slot};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// What to write where, and what is said of it.
fn cases() -> Vec<(Kind, usize, Vec<u8>, Malformed)> {
    use Kind::*;
    let i64le = |n: i64| n.to_le_bytes().to_vec();
    let u32le = |n: u32| n.to_le_bytes().to_vec();
    let u16le = |n: u16| n.to_le_bytes().to_vec();
    let too_far = Nanos::from_secs(86_400).0 + 1;
    vec![
        (Place, 0, vec![0], Malformed::Kind),
        (Place, 0, vec![255], Malformed::Kind),
        (Place, 1, vec![0], Malformed::Version),
        (Place, 1, vec![2], Malformed::Version),
        (Place, 2, u16le(4), Malformed::Flags),
        (Place, 3, vec![0x80], Malformed::Flags),
        (Place, 4, u16le(0), Malformed::Slots),
        (Place, 4, u16le(2), Malformed::Slots),
        (Place, 4, u16le(129), Malformed::Slots),
        (DefineMarket, 4, u16le(2), Malformed::Slots),
        (Place, 117, vec![1], Malformed::NotZero),
        (Place, 88, i64le(0), Malformed::Stake),
        (Place, 88, i64le(-1), Malformed::Stake),
        (Place, 88, i64le(1_000_000_000_001), Malformed::Stake),
        (Place, 88, i64le(i64::MAX), Malformed::Stake),
        (Deposit, 80, i64le(0), Malformed::Amount),
        (Withdraw, 80, i64le(-5), Malformed::Amount),
        (Withdraw, 80, i64le(i64::MIN), Malformed::Amount),
        (Deposit, 80, i64le(100_000_000_000_000_001), Malformed::Amount),
        (Place, 104, u32le(10_000), Malformed::Price),
        (Place, 104, u32le(1_000_000_001), Malformed::Price),
        (Place, 104, u32le(35_001), Malformed::Price),
        (Place, 104, vec![0; 8], Malformed::PriceMissing),
        // A fraction without its half, or with none that is a price.
        (Place, 108, vec![0, 0, 2, 0], Malformed::Price),
        (Place, 108, vec![5, 0, 0, 0], Malformed::Price),
        (SetPrices, 128, u32le(19_091), Malformed::Price),
        (Place, 116, vec![0], Malformed::PricePolicy),
        (Place, 116, vec![5], Malformed::PricePolicy),
        (Place, 114, u16le(0), Malformed::Slippage),
        (Place, 114, u16le(10_001), Malformed::Slippage),
        (Place, 116, vec![4], Malformed::Slippage),
        (RegisterActor, 128, vec![0; 64], Malformed::Name),
        (RegisterActor, 128, vec![b'\n'], Malformed::Name),
        (RegisterActor, 128, vec![0xff], Malformed::Name),
        (RegisterActor, 129, vec![0], Malformed::Name),
        (DefineMarket, 192, vec![0; 64], Malformed::Name),
        (DefineMarket, 104, u16le(1), Malformed::Entries),
        (DefineMarket, 104, u16le(251), Malformed::Entries),
        (SetPrices, 86, u16le(0), Malformed::Entries),
        (SetPrices, 86, u16le(251), Malformed::Entries),
        (SetPrices, 148, u16le(0), Malformed::Entries),
        (MarketResult, 84, u16le(1), Malformed::Entries),
        (MarketResult, 144, u16le(0), Malformed::Entries),
        (SetPrices, 148, u16le(250), Malformed::Range),
        (SetPrices, 104, i64le(-1), Malformed::Range),
        (SetPrices, 112, i64le(-1), Malformed::Range),
        (SetPrices, 84, u16le(0), Malformed::Range),
        (Reprice, 84, u16le(0), Malformed::Range),
        (Reprice, 86, u16le(0), Malformed::Entries),
        (Reprice, 86, u16le(301), Malformed::Entries),
        (Reprice, 104, i64le(-1), Malformed::Range),
        (Reprice, 112, i64le(-1), Malformed::Range),
        // A model has a name, and nothing behind it.
        (Reprice, 128, vec![0], Malformed::Name),
        (Reprice, 130, vec![b' '], Malformed::Name),
        (Reprice, 130, vec![0], Malformed::NotZero),
        // In order, none twice.
        (Reprice, 192 + 24 + 16, u16le(0), Malformed::Entries),
        (Reprice, 192 + 24 + 16, u16le(250), Malformed::Range),
        (Reprice, 192 + 24, vec![4], Malformed::Entries),
        (Reprice, 192 + 8, u32le(1), Malformed::Price),
        (FeedHeartbeat, 84, u16le(0), Malformed::Range),
        (FeedGap, 96, i64le(-1), Malformed::Range),
        (DefineFeed, 88, i64le(0), Malformed::Range),
        (DefineFeed, 88, i64le(too_far), Malformed::Range),
        (DefineFeed, 96, i64le(-1), Malformed::Range),
        (DefineMarket, 86, u16le(0), Malformed::Range),
        (DefineMarket, 86, u16le(3), Malformed::Range),
        (DefineMarket, 96, i64le(-1), Malformed::Range),
        (SetLimits, 86, u16le(0), Malformed::Range),
        (SetLimits, 96, i64le(0), Malformed::Range),
        (SetLimits, 104, i64le(9), Malformed::Range),
        (SetLimits, 112, i64le(0), Malformed::Range),
        (SetLimits, 120, i64le(-1), Malformed::Range),
        (SetLimits, 84, vec![1], Malformed::Range),
        (OpenAccount, 80, i64le(0), Malformed::Range),
        (OpenAccount, 88, u16le(1), Malformed::Range),
        (Step, 80, u16le(0), Malformed::Range),
        (Step, 80, u16le(65), Malformed::Range),
        (Genesis, 80, i64le(0), Malformed::Range),
        (Genesis, 80, i64le(Nanos::from_secs(3_600).0 + 1), Malformed::Range),
        (Genesis, 104, i64le(0), Malformed::Range),
        (Genesis, 112, i64le(too_far), Malformed::Range),
        (Genesis, 122, u16le(65), Malformed::Range),
        (EpochOpened, 80, u32le(0), Malformed::Range),
        (EpochOpened, 100, u32le(0), Malformed::Range),
        (EpochOpened, 100, u32le((1 << 30) + 1), Malformed::Range),
        (EpochOpened, 132, u32le(17), Malformed::Range),
        (Genesis, 120, vec![3], Malformed::Choice),
        (Genesis, 121, vec![5], Malformed::Choice),
        (Suspend, 84, vec![0, 1, 0, 0], Malformed::Choice),
        (Suspend, 85, vec![6], Malformed::Choice),
        (Suspend, 84, vec![7, 1, 0, 0], Malformed::Choice),
        // Only a selection has a number of its own in its market, and the engine has none at all.
        (Suspend, 84, vec![4], Malformed::Range),
        (Suspend, 84, vec![1, 2, 0, 0], Malformed::Range),
        (FreezeCashOut, 84, vec![6], Malformed::Choice),
        (DefineGroup, 84, u16le(0), Malformed::Range),
        (DefineGroup, 86, u16le(0), Malformed::Range),
        (DefineGroup, 84, u16le(4), Malformed::Range),
        (SwitchFeed, 86, vec![3], Malformed::Choice),
        (SetTier, 85, vec![3], Malformed::Choice),
        (SetTier, 85, vec![0], Malformed::Range),
        (SetTier, 85, vec![2], Malformed::Range),
        (SetTier, 86, vec![0], Malformed::Range),
        (SetTier, 86, vec![101], Malformed::Range),
        (SetTier, 87, vec![0], Malformed::Range),
        (SetTier, 88, vec![0], Malformed::Range),
        (SetTier, 92, u32le(0), Malformed::Range),
        (SetTier, 96, i64le(-1), Malformed::Range),
        (SetTier, 104, i64le(too_far), Malformed::Range),
        (SetTier, 112, i64le(too_far), Malformed::Range),
        (SetFeedSchema, 84, u16le(0), Malformed::Range),
        (TraderPrice, 86, vec![0], Malformed::Choice),
        (TraderPrice, 86, vec![2], Malformed::Price),
        (TraderPrice, 86, vec![3], Malformed::Price),
        (TraderPrice, 96, vec![0; 8], Malformed::Price),
        (FeedHeartbeat, 86, vec![1], Malformed::Choice),
        (FeedGap, 86, vec![2], Malformed::Choice),
        (FeedHeartbeat, 104, vec![1], Malformed::Range),
        (FeedGap, 104, vec![1], Malformed::Range),
        (FeedRecovering, 84, u16le(0), Malformed::Range),
        (DefineMarket, 114, vec![2], Malformed::Choice),
        (OpenAccount, 90, vec![2], Malformed::Choice),
        (OpenAccount, 91, vec![2], Malformed::Choice),
        (SetStakeFactor, 84, vec![0], Malformed::Choice),
        (SetStakeFactor, 84, vec![1], Malformed::Range),
        (SetStakeFactor, 84, vec![5], Malformed::Range),
        (SetStakeFactor, 96, u32le(10_001), Malformed::Range),
        (SetShedding, 84, vec![4], Malformed::Choice),
        (SetAccountLimit, 84, vec![4], Malformed::Choice),
        (SetAccountLimit, 85, vec![0], Malformed::Choice),
        (SetAccountLimit, 96, i64le(-1), Malformed::Amount),
        (SetOwnLimit, 80, vec![0], Malformed::Choice),
        (SetOwnLimit, 81, vec![4], Malformed::Choice),
        (SetOwnLimit, 88, i64le(i64::MAX), Malformed::Amount),
        (ExcludeAccount, 96, i64le(0), Malformed::Range),
        (ExcludeSelf, 80, i64le(-1), Malformed::Range),
        (ConfirmHold, 96, i64le(0), Malformed::Stake),
        (PublishRules, 128 + 81, vec![0], Malformed::Choice),
        (PublishRules, 128 + 408, i64le(0), Malformed::Range),
        (SetLimits, 128, i64le(0), Malformed::Range),
        (SetLimits, 136, i64le(0), Malformed::Range),
        (SetLimits, 144, i64le(-1), Malformed::Range),
        (EpochOpened, 144, u32le(65_535), Malformed::Range),
        (EpochOpened, 148, u32le(0), Malformed::Range),
        (WithdrawSelection, 86, vec![2], Malformed::Choice),
        (BlockAccount, 84, vec![2], Malformed::Choice),
        (MarketResult, 130, vec![6], Malformed::Choice),
        (MarketResult, 86, vec![3], Malformed::Range),
        (MarketResult, 147, vec![91], Malformed::Range),
        (MarketResult, 150, u16le(0), Malformed::Range),
        (MarketResult, 164, u16le(0), Malformed::Range),
        (DefineMarket, 107, vec![4], Malformed::Choice),
        (DefineMarket, 110, vec![0], Malformed::Range),
        (DefineMarket, 107, vec![1], Malformed::Range),
        (WithdrawSelection, 87, vec![2], Malformed::Choice),
        (PlaceTicket, 96, u32le(0), Malformed::Folds),
        (PlaceTicket, 96, u32le(0b1000), Malformed::Folds),
        (PlaceTicket, 100, u32le(0b1000), Malformed::Folds),
        (PlaceTicket, 104, vec![0], Malformed::Entries),
        (PlaceTicket, 104, vec![26], Malformed::Entries),
        (PlaceTicket, 105, vec![0], Malformed::Choice),
        (PlaceTicket, 106, vec![3], Malformed::Folds),
        (PlaceTicket, 80, i64le(0), Malformed::Stake),
        (PlaceTicket, 80, i64le(1_000_000_000_000), Malformed::Stake),
        (PlaceTicket, 110, vec![2], Malformed::Choice),
        (PlaceTicket, 144, u32le(10_000), Malformed::Price),
        (PlaceTicket, 144, vec![0; 8], Malformed::PriceMissing),
        (CashOut, 88, i64le(-1), Malformed::Stake),
        (CashOut, 96, i64le(0), Malformed::Amount),
        (CashOut, 104, vec![5], Malformed::PricePolicy),
        (SetAutoCashOut, 88, i64le(-1), Malformed::Amount),
        (PublishRules, 128, vec![0; 64], Malformed::Name),
        (PublishRules, 128 + 65, vec![3], Malformed::Choice),
        (PublishRules, 128 + 68, vec![3], Malformed::Range),
        (PublishRules, 128 + 69, vec![91], Malformed::Range),
        (PublishRules, 128 + 70, vec![9], Malformed::Range),
        (PublishRules, 128 + 80, vec![26], Malformed::Range),
        (PublishRules, 128 + 112, u32le(1_000_000), Malformed::Range),
        (SetInPlay, 96, i64le(-1), Malformed::Range),
        (AnswerReferral, 84, vec![4], Malformed::Choice),
        (AnswerReferral, 84, vec![1], Malformed::Stake),
        (AnswerReferral, 85, vec![26], Malformed::Entries),
        (FreezeCashOut, 86, vec![2], Malformed::Choice),
        (CancelBets, 104, i64le(1), Malformed::Range),
        (RollbackResult, 96, i64le(-1), Malformed::Range),
        (CancelBet, 84, vec![2], Malformed::Choice),
        (CorrectPrice, 96, u32le(10_000), Malformed::Price),
        (Adjust, 96, i64le(0), Malformed::Amount),
        (GrantBonus, 96, i64le(0), Malformed::Amount),
        (DefineMarket, 106, vec![3], Malformed::Choice),
        (SetLimits, 84, vec![3], Malformed::Choice),
        (Quarantine, 96, vec![0; 16], Malformed::Key),
        (LiftQuarantine, 96, vec![0; 16], Malformed::Key),
    ]
}

#[test]
fn every_field_out_of_its_range_is_named() {
    let state = begun(&first_two());
    for (kind, at, bytes, expected) in cases() {
        let mut changed = samples::of(kind);
        changed[at..at + bytes.len()].copy_from_slice(&bytes);
        let what = command::decode(&changed).map(|_| ()).unwrap_err();
        assert_eq!(what, expected, "{kind}: {bytes:?} at {at}");

        // The reply finds its way back, whatever else is wrong.
        let slot = Slot(*changed.first_chunk::<SLOT>().unwrap());
        let reply = state.malformed(Timestamp(9), Some(&slot), what);
        assert_eq!(reply.answer.reject(), Some(Reject::Malformed));
        assert_eq!(reply.to_string(), format!("Malformed: {expected}"));
        assert_eq!((reply.token, reply.client), (slot.token(), slot.header().client));
    }
}

/// A customer's command with its key, time limit and the rest as they should be.
fn good(kind: Kind) -> Vec<u8> {
    let mut bytes = samples::of(kind);
    bytes[64..72].copy_from_slice(&100i64.to_le_bytes());
    bytes
}

#[test]
fn keys_and_time_limits_are_where_they_belong_and_nowhere_else() {
    let state = begun(&first_two());
    let window = state.window().0;
    let said = |bytes: &[u8]| admitted(&state, 50, bytes);
    let malformed = |what| Err((Reject::Malformed, what));
    for kind in Kind::ALL {
        let mut bytes = good(*kind);
        let with_key = |bytes: &mut Vec<u8>, key: u8| {
            bytes[16..32].fill(0);
            bytes[16] = key;
        };
        let valid = |bytes: &mut Vec<u8>, at: i64| {
            bytes[64..72].copy_from_slice(&at.to_le_bytes());
        };
        match kind.lane() {
            Lane::Engine => {
                // The engine's own carry neither, so nobody else's bytes pass as theirs.
                valid(&mut bytes, 1);
                assert_eq!(said(&bytes), malformed(Malformed::EngineOnly), "{kind}");
                valid(&mut bytes, 0);
                with_key(&mut bytes, 1);
                assert_eq!(said(&bytes), malformed(Malformed::EngineOnly), "{kind}");
            }
            Lane::Feed => {
                valid(&mut bytes, 100);
                assert_eq!(said(&bytes), malformed(Malformed::ValidUntil), "{kind}");
                valid(&mut bytes, 0);
                assert_eq!(said(&bytes), Ok(()), "{kind}");
                with_key(&mut bytes, 1);
                assert_eq!(said(&bytes), malformed(Malformed::Key), "{kind}");
            }
            Lane::Control | Lane::Customer => {
                assert_eq!(said(&bytes), Ok(()), "{kind}");
                for (limit, expected) in [
                    (i64::MIN, malformed(Malformed::ValidUntil)),
                    (-1, malformed(Malformed::ValidUntil)),
                    (0, malformed(Malformed::ValidUntil)),
                    (50, Ok(())),
                    (50 + window, Ok(())),
                    (50 + window + 1, malformed(Malformed::ValidUntil)),
                    (i64::MAX, malformed(Malformed::ValidUntil)),
                ] {
                    valid(&mut bytes, limit);
                    assert_eq!(said(&bytes), expected, "{kind} valid until {limit}");
                }
                valid(&mut bytes, 49);
                let late = if *kind == Kind::Resolve {
                    Ok(())
                } else {
                    Err((Reject::Expired, Malformed::Kind))
                };
                assert_eq!(said(&bytes), late, "{kind}");
                valid(&mut bytes, 100);
                with_key(&mut bytes, 0);
                assert_eq!(said(&bytes), malformed(Malformed::Key), "{kind}");
            }
        }
    }
}

#[test]
fn every_kind_of_malformed_is_produced() {
    let mut produced: BTreeSet<Malformed> = cases().into_iter().map(|(.., what)| what).collect();
    // By the test above.
    produced.extend([Malformed::ValidUntil, Malformed::EngineOnly, Malformed::Key]);
    // By the facade: State does not know the rings.
    produced.insert(Malformed::WrongRing);
    let missing: Vec<_> = Malformed::ALL.iter().filter(|m| !produced.contains(m)).collect();
    assert!(missing.is_empty(), "nothing here is {missing:?}");
}

#[test]
fn less_than_a_slot_is_answered_too() {
    let state = begun(&first_two());
    let what = command::decode(&[67, 1, 0]).map(|_| ()).unwrap_err();
    let reply = state.malformed(Timestamp(9), None, what);
    assert_eq!(reply.to_string(), "Malformed: the number of slots does not fit the content");
    assert_eq!(reply.account, Header::default().account);
}

/// A desk with an actor, two feeds in a group, a tier, a fixture, an account, a market that both feeds
/// price, and bets open and offered.
fn busy_desk() -> Desk<HouseRules> {
    let [genesis, run] = first_two();
    let (_, command::Command::Genesis(genesis)) = command::decode(&genesis).unwrap() else {
        panic!("the first is Genesis")
    };
    let (_, command::Command::EpochOpened(run)) = command::decode(&run).unwrap() else {
        panic!("the second begins a run")
    };
    let capacities =
        command::Capacities { keys: 64, bets: 8, feeds: 8, groups: 4, ..run.capacities };
    let mut desk = Desk::open(HouseRules, START, genesis, capacities).unwrap();
    for (at, line) in [
        (Kind::RegisterActor, 0),
        (Kind::DefineFeed, 1),
        (Kind::DefineFeed, 1),
        (Kind::DefineGroup, 1),
        (Kind::SetTier, 1),
        (Kind::FeedRecovering, 1),
        (Kind::FeedRecovering, 1),
        (Kind::FeedRecovered, 1),
        (Kind::FeedRecovered, 1),
        (Kind::DefineFixture, 1),
        (Kind::OpenAccount, 0),
        (Kind::Deposit, 1 << 32),
        (Kind::DefineMarket, 1),
        (Kind::OpenMarket, 1),
        (Kind::SetPrices, 1),
        (Kind::SetPrices, 1),
        (Kind::Place, 1 << 32),
        (Kind::Place, 1 << 32),
    ]
    .into_iter()
    .enumerate()
    {
        let (kind, account) = line;
        let mut bytes = ready(kind, account, 1 + at as u8);
        match kind {
            // Any price, then one that has to be offered.
            Kind::Place => {
                bytes[112] = 0;
                bytes[114..117].copy_from_slice(if at % 2 == 0 { &[0, 0, 4] } else { &[0, 0, 1] });
            }
            // The second feed has another name, and says the same.
            Kind::DefineFeed => bytes[128] += at as u8,
            Kind::FeedRecovering | Kind::FeedRecovered | Kind::SetPrices => {
                bytes[84] = 1 + (at % 2) as u8;
            }
            _ => (),
        }
        let reply = desk.ask(START, &bytes).unwrap();
        assert_eq!(reply.answer.reject(), None, "{kind}: {reply}");
    }
    desk
}

/// A sample that may be asked now: its handles are those of the busy desk.
fn ready(kind: Kind, account: u64, key: u8) -> Vec<u8> {
    let mut bytes = samples::of(kind);
    bytes[8..16].copy_from_slice(&account.to_le_bytes());
    bytes[16..32].fill(0);
    let valid_until = if kind.lane() == Lane::Feed { 0 } else { START.0 + 1_000_000_000 };
    if kind.lane() != Lane::Feed {
        bytes[16] = key;
    }
    bytes[64..72].copy_from_slice(&valid_until.to_le_bytes());
    bytes[56..64].copy_from_slice(&START.0.to_le_bytes());
    let first = AccountId::new(0, 1).raw().to_le_bytes();
    match kind {
        Kind::DefineMarket => {
            bytes[84] = 1;
            bytes[88..96].copy_from_slice(&first);
            // The group, and no canary.
            bytes[112..115].copy_from_slice(&[1, 0, 0]);
        }
        Kind::DefineGroup => bytes[84..88].copy_from_slice(&[1, 0, 2, 0]),
        Kind::SwitchFeed => bytes[84] = 1,
        Kind::SetFeedSchema => bytes[84] = 1,
        // An own purse, and no probe.
        Kind::OpenAccount => bytes[90..92].fill(0),
        Kind::SetPrices => {
            bytes[84] = 1;
            bytes[88..96].copy_from_slice(&first);
            bytes[96..120].fill(0);
        }
        Kind::Reprice => {
            bytes[84] = 1;
            bytes[88..96].copy_from_slice(&first);
            bytes[96..120].fill(0);
            for entry in 0..3 {
                bytes[192 + 24 * entry..][..8].copy_from_slice(&first);
                bytes[192 + 24 * entry + 16] = entry as u8;
            }
        }
        Kind::FeedHeartbeat | Kind::FeedGap | Kind::FeedRecovered | Kind::FeedRecovering => {
            bytes[84] = 1;
            bytes[88..104].fill(0);
        }
        Kind::OpenMarket | Kind::CloseMarket | Kind::ArchiveMarket | Kind::AssignTier => {
            bytes[88..96].copy_from_slice(&first);
        }
        Kind::TraderPrice | Kind::SetStakeFactor | Kind::SetAccountLimit => {
            bytes[88..96].copy_from_slice(&first);
        }
        Kind::ExcludeAccount => bytes[88..96].copy_from_slice(&first),
        Kind::Suspend | Kind::Release | Kind::WithdrawSelection | Kind::MarketResult => {
            bytes[88..96].copy_from_slice(&first);
        }
        Kind::SetLimits | Kind::BlockAccount => bytes[88..96].copy_from_slice(&first),
        Kind::ConfirmHold | Kind::ReleaseHold => {
            bytes[88..96].copy_from_slice(&BetId::new(0, 1).raw().to_le_bytes());
        }
        Kind::Place | Kind::AcceptOffer | Kind::DeclineOffer => {
            bytes[80..88].copy_from_slice(&BetId::new(0, 1).raw().to_le_bytes());
        }
        _ => (),
    }
    // A probe's bets are another account's.
    bytes[2..4].fill(0);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::cases(192),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever a ring brings, in whatever fields: an answer, every rule holds, and the replay is the same.
    #[test]
    fn no_command_from_outside_breaks_a_rule(
        asked in prop::collection::vec(
            (
                prop::sample::select(Kind::ALL),
                prop::sample::select(vec![0, 1, 2, 1 << 32, 1 << 32 | 1, u64::MAX]),
                0..24u8,
                prop::option::of((7..40usize, prop::sample::select(vec![
                    0, 1, 2, 255, 1 << 32, 1 << 32 | 1, i64::MAX, i64::MIN, -1, START.0,
                ]))),
                prop::sample::select(vec![0, 1, 1_000_000, 5_000_000_000, 400_000_000_000]),
            ),
            1..40,
        ),
    ) {
        let mut desk = busy_desk();
        let mut now = START;
        for (kind, account, key, change, later) in asked {
            if kind.lane() == Lane::Engine {
                continue;
            }
            now = Timestamp(now.0 + later);
            let mut bytes = ready(kind, account, key);
            if kind.lane() != Lane::Feed {
                bytes[64..72].copy_from_slice(&(now.0 + 1_000_000_000).to_le_bytes());
            }
            if let Some((at, value)) = change {
                // Any field from `received` on, four bytes apart.
                let at = (8 * at).min(bytes.len() - 8);
                bytes[at..at + 8].copy_from_slice(&i64::to_le_bytes(value));
            }
            desk.run_until(now).map_err(TestCaseError::fail)?;
            desk.ask(now, &bytes).map_err(TestCaseError::fail)?;
        }
        desk.compare_replay().map_err(TestCaseError::fail)?;
    }
}

/// Limits of a market that is not there are never those of all markets.
#[test]
fn limits_of_no_market_are_refused() {
    let mut desk = busy_desk();
    let mut bytes = ready(Kind::SetLimits, 1, 77);
    assert_eq!(desk.ask(START, &bytes).unwrap().answer.reject(), None);
    bytes[16] = 78;
    bytes[88..96].fill(0);
    let reply = desk.ask(START, &bytes).unwrap();
    assert_eq!(reply.answer.reject(), Some(Reject::MarketUnknown));
}

/// Opening an account is the operator's: nobody does it in the name of another account.
#[test]
fn an_account_is_opened_by_no_account() {
    let mut desk = busy_desk();
    let mut bytes = ready(Kind::OpenAccount, 1 << 32, 77);
    bytes[80..88].copy_from_slice(&5u64.to_le_bytes());
    let reply = desk.ask(START, &bytes).unwrap();
    assert_eq!(reply.answer.reject(), Some(Reject::AccountUnknown));
    let mut bytes = ready(Kind::OpenAccount, 0, 78);
    bytes[80..88].copy_from_slice(&5u64.to_le_bytes());
    assert_eq!(desk.ask(START, &bytes).unwrap().answer.reject(), None);
}

#[test]
fn a_desk_is_busy_enough_for_the_test_above() {
    let desk = busy_desk();
    let state = desk.state();
    assert_eq!(state.bets().count(), 2);
    assert_eq!((state.markets().count(), state.accounts().count()), (1, 1));
    assert_eq!(state.market_named("1.185781277").map(|m| m.raw()), Some(1 << 32));
}
