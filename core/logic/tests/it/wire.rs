//! The bytes of commands: they are what they were, nothing else is read, and nothing makes us panic.

use crate::samples;
use betring_core::command::{self, *};
use betring_core::reject::Malformed;
use betring_core::wire::{self, HEADER, Header, NAME, Name, SLOT};
use proptest::prelude::*;
use std::ops::Range;
use zerocopy::{FromZeros, IntoBytes};

fn golden_path(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Compares with a golden file; with BETRING_BLESS=1 writes it.
pub(crate) fn golden(name: &str, text: &str) {
    let path = golden_path(name);
    if std::env::var_os("BETRING_BLESS").is_some_and(|v| v == "1") {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; write it with BETRING_BLESS=1 cargo test", path.display())
    });
    assert!(
        kept == text,
        "{} differs: bytes of a released version may never change.\nkept:\n{kept}\nnow:\n{text}",
        path.display()
    );
}

/// Sixteen bytes a line, with the offset before them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let line = |(at, chunk): (usize, &[u8])| {
        let bytes: Vec<String> = chunk.iter().map(|b| format!("{b:02x}")).collect();
        format!("{:04x}  {}\n", at * 16, bytes.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

#[test]
fn every_kind_of_command_has_the_bytes_it_always_had() {
    for (kind, bytes) in samples::all() {
        golden(&format!("command-{:02}-{kind}.hex", kind as u8), &hex(&bytes));
    }
}

/// Encodes a command that was read, from its fields alone.
fn encode(header: Header, command: &Command<'_>) -> Vec<u8> {
    fn whole<B: wire::Body>(header: Header, body: &B, tail: &[u8]) -> Vec<u8> {
        wire::slots(header, body, tail).as_slice().as_bytes().to_vec()
    }
    fn names(names: &Names<'_>) -> Vec<u8> {
        names.iter().flat_map(|n| Name::new(n).unwrap().as_bytes().to_vec()).collect()
    }
    let h = header;
    match command {
        Command::Genesis(b) => whole(h, b, &[]),
        Command::EpochOpened(b) => whole(h, b, &[]),
        Command::Step(b) => whole(h, b, &[]),
        Command::Tick(b) => whole(h, b, &[]),
        Command::Quarantine(b) => whole(h, b, &[]),
        Command::RegisterActor(b, n) => whole(h, b, &names(n)),
        Command::DefineFeed(b, n) => whole(h, b, &names(n)),
        Command::DefineFixture(b, n) => whole(h, b, &names(n)),
        Command::DefineMarket(b, n) => whole(h, b, &names(n)),
        Command::OpenMarket(b) => whole(h, b, &[]),
        Command::CloseMarket(b) => whole(h, b, &[]),
        Command::Suspend(b) => whole(h, b, &[]),
        Command::Release(b) => whole(h, b, &[]),
        Command::WithdrawSelection(b) => whole(h, b, &[]),
        Command::MarketResult(b, e) => whole(h, b, e.iter().collect::<Vec<_>>().as_bytes()),
        Command::ArchiveMarket(b) => whole(h, b, &[]),
        Command::SetLimits(b) => whole(h, b, &[]),
        Command::BlockAccount(b) => whole(h, b, &[]),
        Command::LiftQuarantine(b) => whole(h, b, &[]),
        Command::Reprice(b, e) => whole(h, b, e.iter().collect::<Vec<_>>().as_bytes()),
        Command::SetPrices(b, e) => whole(h, b, e.iter().collect::<Vec<_>>().as_bytes()),
        Command::FeedHeartbeat(b) => whole(h, b, &[]),
        Command::FeedGap(b) => whole(h, b, &[]),
        Command::FeedRecovered(b) => whole(h, b, &[]),
        Command::OpenAccount(b) => whole(h, b, &[]),
        Command::Deposit(b) => whole(h, b, &[]),
        Command::Withdraw(b) => whole(h, b, &[]),
        Command::Place(b) => whole(h, b, &[]),
        Command::AcceptOffer(b) => whole(h, b, &[]),
        Command::DeclineOffer(b) => whole(h, b, &[]),
        Command::Resolve(b) => whole(h, b, &[]),
        Command::PlaceTicket(b, e) => whole(h, b, e.iter().collect::<Vec<_>>().as_bytes()),
        Command::CashOut(b) => whole(h, b, &[]),
        Command::SetAutoCashOut(b) => whole(h, b, &[]),
        Command::PublishRules(b, e) => whole(h, b, e.iter().collect::<Vec<_>>().as_bytes()),
        Command::SetInPlay(b) => whole(h, b, &[]),
        Command::AnswerReferral(b, e) => whole(h, b, e.iter().collect::<Vec<_>>().as_bytes()),
        Command::FreezeCashOut(b) => whole(h, b, &[]),
        Command::CancelBets(b) => whole(h, b, &[]),
        Command::RollbackResult(b) => whole(h, b, &[]),
        Command::CancelBet(b) => whole(h, b, &[]),
        Command::CorrectPrice(b) => whole(h, b, &[]),
        Command::Adjust(b) => whole(h, b, &[]),
        Command::GrantBonus(b) => whole(h, b, &[]),
        Command::DefineGroup(b, n) => whole(h, b, &names(n)),
        Command::SwitchFeed(b) => whole(h, b, &[]),
        Command::SetTier(b) => whole(h, b, &[]),
        Command::AssignTier(b) => whole(h, b, &[]),
        Command::SetFeedSchema(b) => whole(h, b, &[]),
        Command::TraderPrice(b) => whole(h, b, &[]),
        Command::SetStakeFactor(b) => whole(h, b, &[]),
        Command::SetShedding(b) => whole(h, b, &[]),
        Command::SetAccountLimit(b) => whole(h, b, &[]),
        Command::SetOwnLimit(b) => whole(h, b, &[]),
        Command::ExcludeAccount(b) => whole(h, b, &[]),
        Command::ExcludeSelf(b) => whole(h, b, &[]),
        Command::ConfirmHold(b) => whole(h, b, &[]),
        Command::ReleaseHold(b) => whole(h, b, &[]),
        Command::FeedRecovering(b) => whole(h, b, &[]),
        Command::SetExchange(b, e) => whole(h, b, e.iter().collect::<Vec<_>>().as_bytes()),
        Command::SetDiscount(b) => whole(h, b, &[]),
        Command::LapseOrders(b) => whole(h, b, &[]),
        Command::PlaceOrders(b, e) => whole(h, b, e.iter().collect::<Vec<_>>().as_bytes()),
        Command::CancelOrders(b, e) => whole(h, b, e.iter().collect::<Vec<_>>().as_bytes()),
        Command::ReplaceOrders(b, e) => whole(h, b, e.iter().collect::<Vec<_>>().as_bytes()),
        Command::UpdateOrders(b, e) => whole(h, b, e.iter().collect::<Vec<_>>().as_bytes()),
    }
}

#[test]
fn what_is_read_is_what_was_written() {
    for (kind, bytes) in samples::all() {
        let (header, command) = command::decode(&bytes).unwrap_or_else(|m| panic!("{kind}: {m}"));
        assert_eq!(header.kind, kind as u8);
        assert_eq!(hex(&encode(header, &command)), hex(&bytes), "{kind}");
    }
}

/// The unused bytes of each kind, from the pictures in `command.rs`, from and up to, in offsets
/// from the first slot's start.
fn unused(kind: Kind) -> Vec<(usize, usize)> {
    let name_tail = HEADER + 64 + NAME;
    let to_slot_end = |from: usize| (from, from.next_multiple_of(SLOT));
    match kind {
        Kind::Genesis => vec![(124, 128), (184, 256)],
        Kind::EpochOpened => vec![(200, 256)],
        Kind::Step => vec![(82, 128)],
        Kind::Tick | Kind::Resolve => vec![(80, 128)],
        Kind::Quarantine => vec![(88, 96), (112, 128)],
        Kind::RegisterActor => vec![(84, 128), to_slot_end(name_tail)],
        Kind::DefineFeed => vec![(104, 128), to_slot_end(name_tail)],
        Kind::DefineFixture => vec![(84, 88), (96, 128), to_slot_end(name_tail)],
        Kind::DefineMarket => vec![(115, 128), to_slot_end(HEADER + 64 + NAME * 4)],
        Kind::OpenMarket | Kind::CloseMarket | Kind::ArchiveMarket => vec![(84, 88), (96, 128)],
        Kind::Suspend | Kind::Release => vec![(96, 128)],
        Kind::WithdrawSelection => vec![(106, 128)],
        Kind::SetExchange => vec![(100, 104), to_slot_end(128 + 24)],
        Kind::SetDiscount => vec![(86, 88), (96, 128)],
        Kind::LapseOrders => vec![(85, 88), (96, 128)],
        Kind::PlaceOrders => {
            vec![(98, 128), (128 + 12, 128 + 16), (128 + 60, 128 + 64), to_slot_end(128 + 96)]
        }
        Kind::CancelOrders => vec![(90, 128), to_slot_end(128 + 32)],
        Kind::ReplaceOrders => vec![(98, 128), (128 + 12, 128 + 16), to_slot_end(128 + 16)],
        Kind::UpdateOrders => vec![(90, 128), (128 + 9, 128 + 16), to_slot_end(128 + 16)],
        Kind::MarketResult => {
            // A void selection has no shares, a position only its two numbers.
            let entries = [(128 + 4, 128 + 16), (128 + 40, 128 + 48)];
            let rest = [(87, 88), (104, 128), to_slot_end(128 + 48)];
            rest.into_iter().chain(entries).collect()
        }
        Kind::SetLimits => vec![(85, 86), (152, 256)],
        Kind::BlockAccount => vec![(85, 88), (96, 128)],
        Kind::LiftQuarantine => vec![(84, 88), (112, 128)],
        Kind::Reprice => {
            let entries = (0..3).map(|e| (192 + 24 * e + 18, 192 + 24 * e + 24));
            std::iter::once(to_slot_end(192 + 72)).chain(entries).collect()
        }
        Kind::SetPrices => {
            let entries = (0..3).map(|e| (128 + 12 * e + 10, 128 + 12 * e + 12));
            let rest = [(124, 128), to_slot_end(128 + 36)];
            rest.into_iter().chain(entries).collect()
        }
        Kind::FeedHeartbeat | Kind::FeedGap | Kind::FeedRecovered | Kind::FeedRecovering => {
            vec![(87, 88), (116, 128)]
        }
        Kind::OpenAccount => vec![(92, 128)],
        Kind::Deposit | Kind::Withdraw | Kind::AcceptOffer | Kind::DeclineOffer => vec![(88, 128)],
        Kind::Place => vec![(117, 128)],
        Kind::PlaceTicket => {
            let legs = (0..3).map(|e| (128 + 32 * e + 26, 128 + 32 * e + 32));
            let rest = [(111, 128), to_slot_end(128 + 96)];
            rest.into_iter().chain(legs).collect()
        }
        Kind::CashOut => vec![(105, 106), (108, 128)],
        Kind::SetAutoCashOut => vec![(96, 128)],
        Kind::PublishRules => vec![
            (84, 128),
            (128 + 82, 128 + 84),
            (128 + 116, 128 + 120),
            (128 + 416, 128 + 448),
            to_slot_end(128 + 448),
        ]
        .into_iter()
        .chain((0..20).map(|row| (128 + 120 + 8 * row + 5, 128 + 120 + 8 * row + 8)))
        .collect(),
        Kind::SetInPlay => vec![(85, 88), (104, 128)],
        Kind::AnswerReferral => {
            let entries = (0..2).map(|e| (128 + 12 * e + 10, 128 + 12 * e + 12));
            let rest = [(86, 88), (104, 128), to_slot_end(128 + 24)];
            rest.into_iter().chain(entries).collect()
        }
        Kind::FreezeCashOut => vec![(87, 88), (96, 128)],
        Kind::CancelBets => vec![(85, 88), (120, 128)],
        Kind::RollbackResult => vec![(84, 88), (104, 128)],
        Kind::CancelBet => vec![(85, 88), (96, 128)],
        Kind::CorrectPrice => vec![(85, 88), (104, 128)],
        Kind::Adjust => vec![(84, 88), (112, 128)],
        Kind::GrantBonus => vec![(84, 88), (104, 128)],
        Kind::DefineGroup => vec![(88, 128), to_slot_end(name_tail)],
        Kind::SwitchFeed => vec![(87, 128)],
        Kind::SetTier => vec![(89, 92), (124, 128)],
        Kind::AssignTier => vec![(85, 88), (96, 128)],
        Kind::SetFeedSchema => vec![(86, 88), (92, 128)],
        Kind::TraderPrice => vec![(87, 88), (104, 128)],
        Kind::SetStakeFactor => vec![(85, 88), (100, 128)],
        Kind::SetShedding => vec![(85, 128)],
        Kind::SetAccountLimit => vec![(86, 88), (104, 128)],
        Kind::SetOwnLimit => vec![(82, 88), (96, 128)],
        Kind::ExcludeAccount => vec![(84, 88), (104, 128)],
        Kind::ExcludeSelf => vec![(88, 128)],
        Kind::ConfirmHold => vec![(84, 88), (112, 128)],
        Kind::ReleaseHold => vec![(84, 88), (96, 128)],
    }
}

/// A smaller count turns entries into unused bytes, and they are not zero.
fn counts(kind: Kind) -> Range<usize> {
    match kind {
        Kind::SetPrices | Kind::Reprice => 86..88,
        Kind::MarketResult => 84..86,
        Kind::DefineMarket => 104..106,
        Kind::PlaceTicket => 104..105,
        Kind::AnswerReferral => 85..86,
        _ => 0..0,
    }
}

#[test]
fn a_byte_without_meaning_is_zero_and_every_other_byte_has_one() {
    for (kind, bytes) in samples::all() {
        let unused = unused(kind);
        let (header, command) = command::decode(&bytes).unwrap();
        let same = format!("{header:?} {command:?}");
        for at in 0..bytes.len() {
            for flip in [1u8, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                let read = command::decode(&changed);
                if unused.iter().any(|(from, to)| (*from..*to).contains(&at)) {
                    assert_eq!(bytes[at], 0, "{kind}: the sample sets the unused byte {at}");
                    let what = read.map(|_| ()).unwrap_err();
                    assert_eq!(what, Malformed::NotZero, "{kind}, byte {at}");
                    continue;
                }
                match read {
                    Err(Malformed::NotZero) if counts(kind).contains(&at) => (),
                    // Another kind's picture has its own unused bytes.
                    Err(Malformed::NotZero) if at == 0 => (),
                    // A position has no shares, and shares stand where a position has none.
                    Err(Malformed::NotZero) if kind == Kind::MarketResult && at == 146 => (),
                    Err(Malformed::NotZero) => {
                        panic!("{kind}: byte {at} is used, says the picture")
                    }
                    Err(_) => (),
                    Ok((header, command)) => {
                        let now = format!("{header:?} {command:?}");
                        assert_ne!(now, same, "{kind}: byte {at} was read by nobody");
                    }
                }
            }
        }
    }
}

#[test]
fn a_command_has_exactly_the_slots_that_its_content_needs() {
    for (kind, bytes) in samples::all() {
        for cut in (0..bytes.len()).filter(|cut| *cut < 200 || cut % 64 == 0) {
            assert!(command::decode(&bytes[..cut]).is_err(), "{kind} cut to {cut} bytes");
        }
        let mut longer = bytes.clone();
        longer.extend_from_slice(&[0; SLOT]);
        assert_eq!(command::decode(&longer).map(|_| ()), Err(Malformed::Slots), "{kind}");
        let slots = u16::try_from(longer.len() / SLOT).unwrap();
        longer[4..6].copy_from_slice(&slots.to_le_bytes());
        assert_eq!(command::decode(&longer).map(|_| ()), Err(Malformed::Slots), "{kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::cases(256),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever bytes come, they are a command or a sentence; and what is read is what was written.
    #[test]
    fn no_bytes_make_us_panic(
        kind in prop::sample::select(Kind::ALL),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = samples::of(kind);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok((header, command)) = command::decode(&bytes) {
            prop_assert_eq!(encode(header, &command), bytes);
        }
    }

    #[test]
    fn noise_is_never_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..1024), kind: u8) {
        let _ = command::decode(&bytes);
        if SLOT <= bytes.len() {
            // As likely as possible to be read further.
            bytes.truncate(bytes.len() / SLOT * SLOT);
            bytes[0] = kind;
            bytes[1] = 1;
            bytes[2..4].fill(0);
            let slots = (bytes.len() / SLOT) as u16;
            bytes[4..6].copy_from_slice(&slots.to_le_bytes());
            let _ = command::decode(&bytes);
        }
    }
}

#[test]
fn the_longest_commands_fit_their_slots_and_one_more_entry_does_not() {
    use betring_core::id::SelectionIndex;
    use betring_core::wire::WirePrice;
    use betring_pricing::Price;
    let names: Vec<String> = (0..=SELECTIONS_MAX).map(|n| format!("{n:064}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let body =
        DefineMarket { winners: 1, kind: MarketKind::Fixed as u8, ..DefineMarket::new_zeroed() };
    let slots =
        build::define_market(Header::default(), body, "m", &names[..SELECTIONS_MAX]).unwrap();
    assert!(slots.len() <= wire::SLOTS_MAX);
    assert!(command::decode(slots.as_slice().as_bytes()).is_ok());
    let more = build::define_market(Header::default(), body, "m", &names);
    assert_eq!(more.unwrap_err(), Malformed::Entries);

    let entry = |s| PriceEntry::new(SelectionIndex(s), WirePrice::decimal(Price::MIN));
    let entries: Vec<PriceEntry> = (0..=SELECTIONS_MAX as u16).map(entry).collect();
    let set = |entries: &[PriceEntry]| {
        build::set_prices(Header::default(), SetPrices::default(), entries)
    };
    let slots = set(&entries[..SELECTIONS_MAX]).unwrap();
    assert!(command::decode(slots.as_slice().as_bytes()).is_ok());
    assert_eq!(set(&entries).unwrap_err(), Malformed::Entries);
    assert_eq!(set(&[]).unwrap_err(), Malformed::Entries);
}
