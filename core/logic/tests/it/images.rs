//! A state as bytes and back: the same state, or an error, and never a panic.

use betring_core::event::Events;
use betring_core::script::Runner;
use betring_core::{HouseRules, ImageError, Stamp, State};

/// A state with something in every list: after the day of digests.rs, before its end.
fn busy() -> State {
    let mut runner = Runner::new(HouseRules);
    for line in crate::digests::DAY.lines().take_while(|line| !line.contains("@2s restart")) {
        runner.line(line).unwrap();
    }
    let state = runner.state().unwrap().clone();
    runner.finish().unwrap();
    state
}

#[test]
fn a_state_comes_back_from_its_image() {
    let state = busy();
    let image = state.image().unwrap();
    let back = State::from_image(HouseRules, &image, state.digest()).unwrap();
    assert_eq!(back.digest(), state.digest());
    assert_eq!(back.money_digest(), state.money_digest());
    back.check().unwrap();
    assert_eq!(back.image().unwrap().as_slice(), image.as_slice(), "and gives the same image");
}

#[test]
fn an_image_of_another_state_is_told() {
    let state = busy();
    let other = State::new(HouseRules);
    let image = state.image().unwrap();
    let error = State::from_image(HouseRules, &image, other.digest()).err().unwrap();
    let (found, expected) = (state.digest(), other.digest());
    assert_eq!(error, ImageError::Digest { found, expected });
    assert_eq!(
        error.to_string(),
        format!("the image holds state {found}, but {expected} was stored")
    );
}

/// What goes on after the image was taken: markets, currencies and limits that were not in use.
const LATER: &str = "
    fund A10 200000.00 USD
    fund A11 200000.00 JPY
    market M3 three a b c
    open M3
    prices M3 2.50 3.00 4.00
    place R20 A10 M3/a 1000.00 any
    place R21 A10 M3/b 100000.01 any -> StakeTooLarge
    place R22 A11 M3/c 0.01 any
    open M2
    place R23 A7 M2 1.00 any
    result M2 1
    archive M2
    result M3 void a b
    restart
    result M1 Home
    @+20m
";

/// Bytes all over it, changed in two ways, and lengths all over it.
#[test]
fn a_damaged_image_is_an_error_or_decides_as_the_true_one_and_is_never_a_panic() {
    let mut runner = Runner::new(HouseRules);
    for line in crate::digests::DAY.lines().take_while(|line| !line.contains("@2s restart")) {
        runner.line(line).unwrap();
    }
    let state = runner.state().unwrap().clone();
    for line in LATER.lines() {
        runner.line(line).unwrap();
    }
    let records = runner.finish().unwrap().records;
    let later = &records[state.seq().0 as usize..];
    assert!(20 < later.len());

    let image = state.image().unwrap();
    let digest = state.digest();
    let step = if std::env::var_os("BETRING_EVERY_BYTE").is_some() { 1 } else { 61 };
    let mut events = Events::new();
    for at in (0..image.len()).step_by(step) {
        for change in [0x01, 0x80] {
            let mut damaged = image.to_vec();
            damaged[at] ^= change;
            let Ok(mut back) = State::from_image(HouseRules, &damaged, digest) else { continue };
            // Padding, or a place that nothing is in: nobody will ever read it.
            for record in later {
                let stamp = Stamp { seq: record.seq, at: record.at };
                let reply = back.replay(stamp, &record.command, &mut events);
                assert!(reply.is_ok(), "a change at {at}: {}", reply.unwrap_err());
                assert!(events.as_bytes() == record.events, "a change at {at}: {}", record.seq);
            }
        }
    }
    for cut in (0..image.len()).step_by(step) {
        assert!(State::from_image(HouseRules, &image[..cut], digest).is_err(), "cut to {cut}");
    }
}

/// A house so small that every byte can be tried.
#[test]
fn no_byte_of_an_image_can_be_changed_into_a_panic() {
    let mut runner = Runner::new(HouseRules);
    let small = "house bets 4 legs 4 markets 2 selections 4 keys 32
        fund A7 10.00
        quote M1 2.00 2.00
        place R1 A7 M1/1 1.00 any
        ticket R2 A7 single 2.00 M1/2 each-way any -> EachWayNotOffered
        auto-cash-out R3 A7 B1 5.00
        cancel M1 from @1h until @2h
        factor M1 50%
        shedding on
        account A8 wallet
        own-limit R4 A8 stake day 2.00
        own-limit R5 A8 stake day 3.00
        rules set hold place
        place R6 A8 M1/1 1.00 any
        exclude A8 until @1h
        non-runner M1 2";
    for line in small.lines() {
        runner.line(line).unwrap();
    }
    let state = runner.state().unwrap().clone();
    let (image, digest) = (state.image().unwrap(), state.digest());
    let mut told = 0;
    for at in 0..image.len() {
        for change in [0x01, 0x7F, 0x80, 0xFF] {
            let mut damaged = image.to_vec();
            damaged[at] ^= change;
            told += u32::from(State::from_image(HouseRules, &damaged, digest).is_err());
        }
    }
    assert!(2 * image.len() < told as usize, "of {} bytes {told} changes were told", image.len());
}
