//! A request is decided once, however often it is asked and however late.

use betring_core::script;

scripts! {
    /// Must hold at the edge of the window, just past it, and long after: one bet, never two.
    a_retry_at_any_time_makes_one_bet: "
        house window 5m
        fund A7 100.00
        quote M1 2.50
        @0s place R1 A7 M1 10.00 any valid 5m -> B1 at 2.50
        @1ns retry A7 R1                      -> not sequenced: duplicate B1 at 2.50, now Open
        @5m-1ns retry A7 R1                   -> not sequenced: duplicate B1 at 2.50, now Open
        @5m retry A7 R1                       -> not sequenced: duplicate B1 at 2.50, now Open
        # Its time limit has passed, but the key is looked up first.
        @5m+1ns retry A7 R1                   -> not sequenced: duplicate B1 at 2.50, now Open
        # The key is kept until one window after its time limit.
        @10m-1ns retry A7 R1                  -> not sequenced: duplicate B1 at 2.50, now Open
        @10m retry A7 R1                      -> not sequenced: duplicate B1 at 2.50, now Open
        @10m+1ns retry A7 R1                  -> not sequenced: Expired
        @50m retry A7 R1                      -> not sequenced: Expired
        balance A7                            -> 90.00
        house Escrow GBP                      -> 10.00
    ";

    a_retry_at_any_time_around_restarts_makes_one_bet: "
        house window 5m
        fund A7 100.00
        quote M1 2.50
        @0s place R1 A7 M1 10.00 any valid 5m -> B1 at 2.50
        restart
        @1ns retry A7 R1                      -> duplicate B1 at 2.50, now Open
        open M1
        @5m-1ns retry A7 R1                   -> duplicate B1 at 2.50, now Open
        restart
        @5m+1ns retry A7 R1                   -> duplicate B1 at 2.50, now Open
        open M1
        @10m retry A7 R1                      -> duplicate B1 at 2.50, now Open
        restart
        @10m+1ns retry A7 R1                  -> not sequenced: Expired
        open M1
        @50m retry A7 R1                      -> not sequenced: Expired
        restart
        open M1
        quote M1 2.50
        @50m+1ns retry A7 R1                  -> not sequenced: Expired
        balance A7                            -> 90.00
    ";

    /// Forgetting is decided by the clock; the Steps that remove keys may come late or never.
    no_step_has_to_run_for_a_key_to_be_forgotten: "
        house window 5m
        manual steps
        fund A7 100.00
        quote M1 2.50
        @0s place R1 A7 M1 10.00 any valid 5m -> B1 at 2.50
        @10m retry A7 R1                      -> duplicate B1 at 2.50, now Open
        @10m+1ns retry A7 R1                  -> not sequenced: Expired
        # The same key may name a new request once the old one can never execute.
        @11m place R1 A7 M1 5.00 any valid @12m -> B2 at 2.50
        retry A7 R1                           -> duplicate B2 at 2.50
        @12m+1ns retry A7 R1                  -> duplicate B2 at 2.50
        step
        step
        @17m retry A7 R1                      -> duplicate B2 at 2.50
        tick
        step
        step
        retry A7 R1                           -> duplicate B2 at 2.50
        @17m+1ns retry A7 R1                  -> Expired
        auto steps
        @30m retry A7 R1                      -> Expired
        balance A7                            -> 85.00
    ";

    a_short_time_limit_is_kept_one_whole_window_longer: "
        house window 5m
        fund A7 100.00
        quote M1 2.50
        @0s place R1 A7 M1 10.00 any valid 10s -> B1 at 2.50
        @10s+1ns retry A7 R1                   -> duplicate B1
        @5m+10s retry A7 R1                     -> duplicate B1
        @5m+10s+1ns retry A7 R1                 -> Expired
        balance A7                             -> 90.00
    ";

    the_time_limit_itself_is_still_in_time: "
        fund A7 100.00
        quote M1 2.50
        @10s place R1 A7 M1 10.00 any valid @10s      -> B1 at 2.50
        @20s+1ns place R2 A7 M1 10.00 any valid @20s  -> not sequenced: Expired
        # Expired says nothing of an earlier attempt, and uses nothing up.
        @20s+1ns place R2 A7 M1 10.00 any valid @30s  -> B2 at 2.50
    ";

    another_request_under_the_same_key_is_a_mistake: "
        fund A7 100.00
        fund A8 100.00
        quote M1 2.50 3.00
        place R1 A7 M1 10.00 2.50                -> B1
        place R1 A7 M1 11.00 2.50                -> not sequenced: RequestReused
        place R1 A7 M1/2 10.00 2.50              -> not sequenced: RequestReused
        place R1 A7 M1 10.00 2.51                -> not sequenced: RequestReused
        place R1 A7 M1 10.00 2.50 any            -> not sequenced: RequestReused
        place R1 A7 M1 10.00 2.50 seen 1         -> not sequenced: RequestReused
        place R1 A7 M1 10.00 2.50 synthetic      -> not sequenced: RequestReused
        place R1 A7 M1 10.00 2.50 valid 11s      -> not sequenced: RequestReused
        withdraw R1 A7 10.00                     -> not sequenced: RequestReused
        # When it was received and by which way is not what it asks.
        place R1 A7 M1 10.00 2.50 waited 3ms     -> not sequenced: duplicate B1
        # Another customer's key is another key.
        place R1 A8 M1 11.00 2.50                -> B2
        balance A7                               -> 90.00
    ";

    a_refusal_is_final_for_its_key: "
        fund A7 100.00
        quote M1 2.40
        place R1 A7 M1 10.00 2.50 -> PriceMoved now 2.40
        quote M1 2.50
        retry A7 R1               -> not sequenced: duplicate PriceMoved now 2.40
        place R1 A7 M1 10.00 2.50 -> not sequenced: duplicate PriceMoved now 2.40
        place R2 A7 M1 10.00 2.50 -> B1 at 2.50
    ";

    a_duplicate_says_what_has_become_of_the_bet: "
        fund A7 100.00
        quote M1 2.50 3.00 4.00
        quote M2 2.50
        place R1 A7 M1 10.00 any   -> B1 at 2.50
        place R2 A7 M1/2 10.00 any -> B2 at 3.00
        place R3 A7 M1/3 10.00 any -> B3 at 4.00
        retry A7 R1                -> duplicate B1 at 2.50 returns 25.00, now Open
        result M1 1 void 3
        retry A7 R1                -> duplicate B1 at 2.50 returns 25.00, now Won 25.00
        retry A7 R2                -> duplicate B2 at 3.00, now Lost
        retry A7 R3                -> duplicate B3 at 4.00, now Void 10.00
        archive M1
        retry A7 R1                -> duplicate B1 at 2.50, now Archived
        retry A7 R2                -> duplicate B2 at 3.00, now Archived
        # Its place may be another bet's by now: the key still means the first.
        place R4 A7 M2 1.00 any    -> B4 at 2.50
        retry A7 R1                -> duplicate B1 at 2.50, now Archived
    ";

    money_commands_are_under_the_key_rules_too: "
        fund A7 100.00
        deposit D1 A7 5.00   -> done
        deposit D1 A7 5.00   -> not sequenced: duplicate done
        deposit D1 A7 6.00   -> RequestReused
        withdraw W1 A7 1.00  -> done
        retry A7 W1          -> duplicate done
        balance A7           -> 104.00
    ";

    control_commands_are_under_the_key_rules_too: "
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 10.00 any -> B1
        result M1 1 key K1       -> started J1
        # A repeated result starts no second job.
        retry trader K1          -> not sequenced: duplicate started J1, now JobEnded
        result M1 2 key K1       -> not sequenced: RequestReused
        balance A7               -> 115.00
    ";

    a_started_job_says_whether_it_is_running: "
        house budget 1
        fund A7 100.00
        quote M1 2.50
        place R1 A7 M1 1.00 any -> B1
        place R2 A7 M1 1.00 any -> B2
        manual steps
        result M1 1 key K1      -> started J1
        retry trader K1         -> duplicate started J1, now JobRunning
        auto steps
        retry trader K1         -> duplicate started J1, now JobEnded
    ";

    a_request_in_quarantine_waits_for_an_operator: "
        fund A7 100.00
        quote M1 2.50
        quarantine A7 R1          -> done
        place R1 A7 M1 10.00 any  -> not sequenced: Quarantined
        place R2 A7 M1 10.00 any  -> B1
        restart
        open M1
        retry A7 R1               -> not sequenced: Quarantined
        lift A7 R1                -> done
        retry A7 R1               -> B2 at 2.50
        lift A7 R1                -> NotAllowed
        balance A7                -> 80.00
    ";
}

/// Whether the engine's Steps and Ticks run in time may delay, and changes no answer.
#[test]
fn late_steps_change_no_answer_of_a_key() {
    for (name, text) in ALL {
        if text.contains("steps") || text.contains("result") {
            continue;
        }
        script::run(&format!("manual steps\n{text}"))
            .unwrap_or_else(|failure| panic!("{name} with late steps\n{failure}"));
    }
}

/// Keys by the thousand, all forgotten in their time and none before it.
#[test]
fn thousands_of_keys_are_kept_for_their_time_and_then_forgotten() {
    let mut text = String::from("house window 1m keys 1300 accounts 4\nfund A7 1000.00\n");
    for n in 0..2_000 {
        // Ten a second, with time limits between nothing and a window ahead.
        let (at, valid) = (100 * n, (n * 37) % 60);
        text += &format!("@{at}ms withdraw R{n} A7 0.01 valid {valid}s+1ms\n");
        for ago in [300, 900].into_iter().filter(|ago| ago < &n) {
            let old = n - ago;
            let kept_until = 100 * old + ((old * 37) % 60) * 1_000 + 1 + 60_000;
            let answer = if at <= kept_until { "duplicate done" } else { "Expired" };
            text += &format!("retry A7 R{old} -> not sequenced: {answer}\n");
        }
    }
    let report = script::check(&text);
    assert!(report.transcript.contains("Expired") && report.transcript.contains("duplicate"));
}
