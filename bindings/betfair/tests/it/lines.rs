//! Lines that cannot be read: each is an error with file, line and reason, and the next line is read.

use betring_betfair::{ENTRIES_MAX, FileCheck, LINE_BYTES_MAX, TEXT_BYTES_MAX};

use crate::{mcm, recording};

const GOOD: &str = "{\"op\":\"mcm\",\"pt\":5,\"mc\":[]}\n";

/// Reads `line` between two good ones and gives what is said of it.
#[track_caller]
fn said(line: &str) -> String {
    let text = format!("{GOOD}{line}\n{GOOD}");
    let mut read = recording(text);
    assert!(read.next().is_some_and(|first| first.is_ok()), "the line before is read");
    let error = read.next().expect("a line").expect_err("this line is refused");
    assert!(read.next().is_some_and(|third| third.is_ok()), "the line behind is read");
    assert!(read.next().is_none(), "there are three lines");
    error.to_string()
}

/// The same for a runner's change.
#[track_caller]
fn said_of(runner: &str) -> String {
    said(mcm(6, &format!("{{\"id\":\"1.1\",\"rc\":[{{\"id\":7,{runner}}}]}}")).trim_end())
}

#[test]
fn a_line_that_is_not_json_is_left_out() {
    assert_eq!(
        said("hello"),
        "test.jsonl, line 2: not JSON: expected value at column 1; the line is left out"
    );
    assert_eq!(
        said("{\"op\":\"mcm\",\"pt\":5,}"),
        "test.jsonl, line 2: not JSON: trailing comma at column 20; the line is left out"
    );
    assert_eq!(
        said("{\"op\":\"mcm\",\"pt\":5"),
        "test.jsonl, line 2: not JSON: EOF while parsing an object at column 18; the line is left out"
    );
    assert_eq!(
        said("{\"op\":\"mcm\",\"pt\":5}{}"),
        "test.jsonl, line 2: not JSON: trailing characters at column 20; the line is left out"
    );
}

#[test]
fn json_that_is_no_message_is_left_out() {
    assert_eq!(
        said("{}"),
        "test.jsonl, line 2: not a market change message: missing field `op` at column 2; \
         the line is left out"
    );
    assert_eq!(
        said("[1]"),
        "test.jsonl, line 2: not a market change message: invalid type: integer `1`, expected a \
         text at column 2; the line is left out"
    );
    assert_eq!(
        said("{\"op\":null,\"pt\":5}"),
        "test.jsonl, line 2: not a market change message: op is null; the line is left out"
    );
    assert_eq!(
        said("{\"op\":\"mcm\"}"),
        "test.jsonl, line 2: not a market change message: missing field `pt`; the line is left out"
    );
}

#[test]
fn a_message_of_another_kind_is_left_out() {
    assert_eq!(
        said("{\"op\":\"ocm\",\"pt\":5,\"oc\":[]}"),
        "test.jsonl, line 2: op `ocm` is not a market change (mcm); the line is left out, record a \
         market subscription"
    );
}

#[test]
fn the_streams_own_messages_and_blank_lines_are_passed_over() {
    let text = "{\"op\":\"connection\",\"connectionId\":\"1\"}\n\
                {\"op\":\"status\",\"statusCode\":\"SUCCESS\",\"status\":\"x\",\"id\":1}\n\r\n\n";
    let mut read = recording(format!("{text}{GOOD}"));
    assert!(read.next().is_some_and(|message| message.is_ok()), "the last line is a message");
    assert!(read.next().is_none(), "and the only one");
    assert_eq!(read.lines(), 5);
}

#[test]
fn a_field_of_the_wrong_type_is_an_error() {
    assert_eq!(
        said("{\"op\":\"mcm\",\"pt\":\"5\"}"),
        "test.jsonl, line 2: not a market change message: invalid type: string \"5\", expected i64 \
         at column 20; the line is left out"
    );
    assert_eq!(
        said("{\"op\":\"mcm\",\"pt\":5,\"mc\":{}}"),
        "test.jsonl, line 2: not a market change message: invalid type: map, expected a list at \
         column 26; the line is left out"
    );
    assert_eq!(
        said(mcm(6, "{\"id\":\"\"}").trim_end()),
        "test.jsonl, line 2: not a market change message: a market has no id at column 44; \
         the line is left out"
    );
    assert_eq!(
        said_of("\"ltp\":\"2.5\""),
        "test.jsonl, line 2: not a market change message: `\"2.5\"` is not a number at column 73; \
         the line is left out"
    );
    assert_eq!(
        said_of("\"atb\":[[2.5]]"),
        "test.jsonl, line 2: not a market change message: invalid length 1, expected a tuple of \
         size 2 at column 73; the line is left out"
    );
    assert_eq!(
        said(
            mcm(6, "{\"id\":\"1.1\",\"marketDefinition\":{\"status\":\"ASLEEP\",\"runners\":[]}}")
                .trim_end()
        ),
        "test.jsonl, line 2: not a market change message: unknown variant `ASLEEP`, expected one of \
         `INACTIVE`, `OPEN`, `SUSPENDED`, `CLOSED` at column 84; the line is left out"
    );
}

#[test]
fn a_number_beyond_its_bounds_is_an_error() {
    assert_eq!(
        said_of("\"atb\":[[2.5,-3]]"),
        "test.jsonl, line 2: not a market change message: size -3 is negative at column 77; \
         the line is left out"
    );
    assert_eq!(
        said_of("\"atl\":[[-2.5,3]]"),
        "test.jsonl, line 2: not a market change message: price -2.5 is negative at column 77; \
         the line is left out"
    );
    assert_eq!(
        said_of("\"tv\":-1"),
        "test.jsonl, line 2: not a market change message: `-1` is negative at column 69; \
         the line is left out"
    );
    assert_eq!(
        said_of("\"tv\":1e99"),
        "test.jsonl, line 2: not a market change message: `1e99` is beyond the bounds of a number \
         here (36 digits, 30 behind the point) at column 71; the line is left out"
    );
    assert_eq!(
        said_of("\"batb\":[[256,2,2]]"),
        "test.jsonl, line 2: not a market change message: invalid value: integer `256`, expected u8 \
         at column 73; the line is left out"
    );
    assert_eq!(
        said("{\"op\":\"mcm\",\"pt\":-1}"),
        "test.jsonl, line 2: not a market change message: publish time -1 is not within the years \
         1970 to 9999; the line is left out"
    );
}

#[test]
fn a_leap_of_more_than_a_year_is_a_damaged_time() {
    let text = format!("{}{}{}", mcm(0, ""), mcm(31_622_400_001, ""), mcm(31_622_400_000, ""));
    let mut read = recording(text);
    assert!(read.next().is_some_and(|message| message.is_ok()), "the first gives the time");
    assert_eq!(
        read.next().expect("a line").expect_err("a leap").to_string(),
        "test.jsonl, line 2: the publish time leaps from 0 to 31622400001, more than a year; \
         the line is left out"
    );
    assert!(read.next().is_some_and(|message| message.is_ok()), "366 days are no leap");
}

#[test]
fn lists_and_texts_have_bounds() {
    let levels = vec!["[2,2]"; ENTRIES_MAX + 1].join(",");
    let column = 66 + 6 * ENTRIES_MAX + 8;
    assert_eq!(
        said_of(&format!("\"atb\":[{levels}]")),
        format!(
            "test.jsonl, line 2: not a market change message: a list has more than 4096 entries at \
             column {column}; the line is left out"
        )
    );
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    assert_eq!(
        said(mcm(6, &format!("{{\"id\":\"{long}\"}}")).trim_end()),
        "test.jsonl, line 2: not a market change message: a text is longer than 256 bytes at \
         column 300; the line is left out"
    );
}

#[test]
fn an_error_does_not_repeat_a_whole_line() {
    let long = "é".repeat(10_000);
    let said = said(&format!("{{\"op\":\"mcm\",\"pt\":\"{long}\"}}"));
    assert!(said.ends_with("éé... at column 20019; the line is left out"), "{said}");
    assert!(said.len() < 300, "{} bytes", said.len());
}

#[test]
fn a_line_may_be_as_long_as_the_bound_and_no_longer() {
    let filled = |bytes: usize| GOOD.trim_end().to_owned() + &" ".repeat(bytes + 1 - GOOD.len());
    let text = format!("{}\n{}\n{GOOD}", filled(LINE_BYTES_MAX), filled(LINE_BYTES_MAX + 1));
    let mut read = recording(text);
    assert!(read.next().is_some_and(|message| message.is_ok()), "as long as may be");
    assert_eq!(
        read.next().expect("a line").expect_err("too long").to_string(),
        "test.jsonl, line 2: longer than 4194304 bytes; the line is left out"
    );
    assert!(read.next().is_some_and(|message| message.is_ok()), "the line behind is read");
}

#[test]
fn a_recording_cut_inside_a_line_says_so_wherever_it_is_cut() {
    let line = mcm(
        6,
        "{\"id\":\"1.1\",\"con\":true,\"rc\":[{\"id\":7,\"ltp\":2.5,\"atb\":[[2.46,-0],[1e+2,0.5]]}]}",
    );
    let line = line.trim_end();
    for cut in 1..line.len() {
        let mut read = recording(format!("{GOOD}{}", &line[..cut]));
        assert!(read.next().is_some_and(|message| message.is_ok()), "the line before is read");
        assert_eq!(
            read.next().expect("a line").expect_err("cut").to_string(),
            format!(
                "test.jsonl, line 2: the recording was cut inside this line, after {cut} bytes; all \
                 lines before it are read"
            )
        );
        assert!(read.next().is_none(), "nothing is behind it");
    }
    let whole = recording(format!("{GOOD}{line}")).filter(Result::is_ok).count();
    assert_eq!(whole, 2, "a last line that only lacks its end is read");
}

#[test]
fn the_check_counts_what_it_leaves_out_and_shows_the_first() {
    let bad = "x\n".repeat(30);
    let check = FileCheck::read(recording(format!("{GOOD}{bad}{{\"op\":\"ocm\"}}\n{{\"op\"")));
    assert_eq!((check.lines, check.messages, check.unread_lines), (33, 1, 32));
    let reasons: Vec<(&str, u64)> =
        check.unread_by_reason.iter().map(|(reason, lines)| (*reason, *lines)).collect();
    assert_eq!(reasons, [("cut inside a line", 1), ("not JSON", 30), ("unknown op", 1)]);
    assert_eq!(check.errors.len(), 20);
    assert!(!check.is_clean(), "lines were left out");
    let text = check.to_string();
    assert!(text.starts_with("test.jsonl: 33 lines, 1 messages, 32 lines left out\n"), "{text}");
    assert!(
        text.ends_with(
            "  and 12 lines more\n  left out, cut inside a line: 1\n  left out, not JSON: 30\n  \
             left out, unknown op: 1\n"
        ),
        "{text}"
    );
}

#[test]
fn a_file_without_any_message_is_not_a_recording() {
    let check = FileCheck::read(recording("id,price\n1,2.5\n"));
    assert_eq!(
        check.errors,
        [
            "test.jsonl, line 1: not JSON: expected value at column 1; the line is left out",
            "test.jsonl, line 2: not a market change message: invalid type: integer `1`, expected a \
             message at column 1; the line is left out",
            "test.jsonl: not a stream recording: no line of it is a market change message",
        ]
    );
}
