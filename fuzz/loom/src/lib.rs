//! The engine's and the journal's atomic protocols, every interleaving of them, under loom.
//!
//! `build.rs` cuts each out of the source that runs. A file of `parts` says around it what a thread may
//! rely on; where the engine's side cannot be cut out (a ring of the `disruptor` crate, a function
//! with files in it) the part repeats it in a few lines, and the build checks that these lines stand
//! in the source. Every ordering that carries a promise has a mutant without it, which loom must catch:
//! a model that cannot fail shows nothing.

#![cfg(test)]

macro_rules! protocol {
    ($name:ident = $part:literal $cut:literal) => {
        #[allow(dead_code, reason = "a mutant is only given the model that must catch it")]
        mod $name {
            use super::First;
            include!(concat!("parts/", $part, ".rs"));
            include!(concat!(env!("OUT_DIR"), "/", $cut, ".rs"));
        }
    };
}

/// Which side of a model runs on the thread that loom begins with. Loom remembers one last access of an
/// atomic, so a thread that reads before it writes hides from it that another had read before; with
/// the sides changed it sees that. Every model runs both ways.
#[derive(Clone, Copy)]
enum First {
    Writer,
    Reader,
}

impl First {
    /// Runs both sides of a model at the same time, to their ends.
    fn run(self, writer: impl FnOnce() + 'static, reader: impl FnOnce() + 'static) {
        match self {
            First::Writer => {
                let reader = loom::thread::spawn(reader);
                writer();
                reader.join().expect("loom reports a panic itself");
            }
            First::Reader => {
                let writer = loom::thread::spawn(writer);
                reader();
                writer.join().expect("loom reports a panic itself");
            }
        }
    }
}

/// Every interleaving with at most so many preemptions; more find nothing more in practice (CHESS).
fn explore(preemptions: usize, model: impl Fn(First) + Copy + Sync + Send + 'static) {
    for first in [First::Writer, First::Reader] {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.max_branches = 50_000;
        builder.check(move || model(first));
    }
}

/// Loom finds an interleaving in which the model's assertion fails, or somebody waits for ever.
fn caught(preemptions: usize, model: impl Fn(First) + Copy + Sync + Send + 'static) {
    let run = std::panic::AssertUnwindSafe(|| explore(preemptions, model));
    assert!(std::panic::catch_unwind(run).is_err(), "loom finds nothing wrong with the mutant");
}

protocol!(cursor = "cursor" "cursor");
protocol!(cursor_store_relaxed = "cursor" "cursor_store_relaxed");
protocol!(cursor_load_relaxed = "cursor" "cursor_load_relaxed");

#[test]
fn whoever_sees_a_durable_sequence_sees_what_was_written_before_it() {
    explore(4, cursor::what_was_written_is_seen);
    explore(4, cursor::it_never_goes_back);
    caught(4, cursor_store_relaxed::what_was_written_is_seen);
    caught(4, cursor_load_relaxed::what_was_written_is_seen);
}

protocol!(status = "status" "status");
protocol!(status_swapped = "status" "status_swapped");
protocol!(poison_relaxed = "status" "poison_relaxed");
protocol!(poison_before_why = "status" "poison_before_why");
protocol!(end_relaxed = "status" "end_relaxed");
protocol!(closed_over_poison = "status" "closed_over_poison");
protocol!(wake_unfenced = "status" "wake_unfenced");
protocol!(park_unfenced = "status" "park_unfenced");

#[test]
fn a_poisoned_engine_says_why_and_stays_poisoned() {
    explore(3, status::poison_has_its_reason);
    explore(3, status_swapped::poison_stays);
    caught(3, poison_relaxed::poison_has_its_reason);
    caught(3, poison_before_why::poison_has_its_reason);
    caught(3, closed_over_poison::poison_stays);
}

#[test]
fn a_reply_that_came_before_the_end_is_found() {
    explore(4, status::replies_before_the_end_are_found);
    caught(4, end_relaxed::replies_before_the_end_are_found);
}

#[test]
fn a_sleeping_loop_is_always_woken() {
    explore(4, status::nobody_sleeps_through_work);
    caught(4, wake_unfenced::nobody_sleeps_through_work);
    caught(4, park_unfenced::nobody_sleeps_through_work);
}

protocol!(stop = "stop" "stop");
protocol!(stop_read_relaxed = "stop" "stop_read_relaxed");
protocol!(stop_stored_relaxed = "stop" "stop_stored_relaxed");
protocol!(stop_read_late = "stop" "stop_read_late");
protocol!(stop_while_stalled = "stop" "stop_while_stalled");

#[test]
fn a_stop_finds_whatever_was_published_before_it() {
    for stalls in [0, 1] {
        explore(3, move |first| stop::everything_before_it_is_decided(first, stalls));
    }
    caught(3, |first| stop_read_relaxed::everything_before_it_is_decided(first, 0));
    caught(3, |first| stop_stored_relaxed::everything_before_it_is_decided(first, 0));
    caught(3, |first| stop_read_late::everything_before_it_is_decided(first, 0));
    caught(3, |first| stop_while_stalled::everything_before_it_is_decided(first, 1));
}

protocol!(wanted = "wanted" "wanted");
protocol!(wanted_without_replies = "wanted" "wanted_without_replies");
protocol!(wanted_without_readers = "wanted" "wanted_without_readers");
protocol!(wanted_by_the_last = "wanted" "wanted_by_the_last");
protocol!(wanted_asked_once = "wanted" "wanted_asked_once");

#[test]
fn whoever_waits_for_a_sync_gets_it() {
    explore(3, wanted::a_reply_is_not_left_waiting);
    explore(2, wanted::nobody_who_asked_is_forgotten_for_another);
    explore(3, wanted::a_reader_of_what_is_durable_sees_it);
    caught(3, wanted_without_replies::a_reply_is_not_left_waiting);
    // What came after the last record is looked at again when there is nothing to do.
    caught(3, wanted_asked_once::a_reply_is_not_left_waiting);
    caught(2, wanted_by_the_last::nobody_who_asked_is_forgotten_for_another);
    caught(3, wanted_without_readers::a_reader_of_what_is_durable_sees_it);
}

protocol!(cell = "cell" "cell");
protocol!(cell_writer_unfenced = "cell" "cell_writer_unfenced");
protocol!(cell_reader_unfenced = "cell" "cell_reader_unfenced");
protocol!(cell_store_relaxed = "cell" "cell_store_relaxed");
protocol!(cell_load_relaxed = "cell" "cell_load_relaxed");

#[test]
fn a_conflating_slot_gives_one_value_never_a_mixture() {
    explore(3, cell::one_value);
    caught(3, cell_writer_unfenced::one_value);
    caught(3, cell_reader_unfenced::one_value);
    caught(3, cell_store_relaxed::one_value);
    caught(3, cell_load_relaxed::one_value);
}

protocol!(ring = "ring" "ring");
protocol!(ring_without_laps = "ring" "ring_without_laps");

#[test]
fn a_lapped_reader_learns_it_and_misses_nothing_else() {
    explore(2, |first| ring::read_all(first, 0, true));
    explore(2, |first| ring::read_all(first, 2, true));
    caught(2, |first| ring_without_laps::read_all(first, 2, true));
    // The head moves before the event is there.
    caught(2, |first| ring::read_all(first, 0, false));
}

protocol!(prices = "prices" "prices");
protocol!(prices_unchecked = "prices" "prices_unchecked");

#[test]
fn a_price_is_never_that_of_another_market() {
    for of_new in [false, true] {
        explore(2, move |first| prices::own_price(first, of_new, true));
    }
    caught(2, |first| prices_unchecked::own_price(first, false, true));
    // The new market's price is written before the directory forgets the old one.
    caught(2, |first| prices::own_price(first, false, false));
}

protocol!(clock = "clock" "clock");
protocol!(clock_unfenced = "clock" "clock_unfenced");

#[test]
fn the_clock_s_line_is_read_whole() {
    explore(3, clock::one_line);
    caught(3, clock_unfenced::one_line);
}

protocol!(record_ring = "record_ring" "record_ring");
protocol!(record_ring_relaxed = "record_ring" "record_ring_relaxed");

#[test]
fn a_record_that_has_room_is_never_refused() {
    explore(3, |first| record_ring::room_is_there(first, true));
    caught(3, |first| record_ring_relaxed::room_is_there(first, true));
    // Counted as taken before the ring has its place back.
    caught(3, |first| record_ring::room_is_there(first, false));
}

mod credits {
    use super::First;
    include!("parts/credits.rs");
}

#[test]
fn a_client_within_its_credit_never_finds_its_ring_full() {
    use loom::sync::atomic::Ordering;
    explore(3, |first| credits::within_credit(first, true, Ordering::Release));
    // Asks again before the reply's place is free.
    caught(3, |first| credits::within_credit(first, false, Ordering::Release));
    // The request does not carry what its client did before.
    caught(3, |first| credits::within_credit(first, true, Ordering::Relaxed));
}

protocol!(question = "question" "question");
protocol!(question_cleared_late = "question" "question_cleared_late");

#[test]
fn a_question_between_two_turns_is_answered() {
    explore(3, question::answered);
    caught(3, question_cleared_late::answered);
}

protocol!(doors = "doors" "doors");
protocol!(door_looked_at_first = "doors" "door_looked_at_first");
protocol!(bucket_without_exchange = "doors" "bucket_without_exchange");

#[test]
fn no_market_has_more_bets_in_flight_than_it_may() {
    explore(4, |first| doors::never_more_in_than_may_be(first, true));
    caught(4, |first| door_looked_at_first::never_more_in_than_may_be(first, true));
    // Counted as gone before it is decided.
    caught(4, |first| doors::never_more_in_than_may_be(first, false));
}

#[test]
fn a_token_of_a_market_is_taken_once() {
    explore(4, doors::one_token_is_taken_once);
    caught(4, bucket_without_exchange::one_token_is_taken_once);
}
