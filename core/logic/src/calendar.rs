//! Days, weeks and months in UTC, numbered, in integers: the windows of an account's own limits.
//!
//! The journal's clock has no leap seconds, so every day has as many nanoseconds as any other.

use crate::command::Period;
use crate::time::Timestamp;

const DAY_NS: i64 = 86_400_000_000_000;
/// Days of 400 years: the calendar repeats itself after them.
const DAYS_OF_AN_ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;

/// The number of the day, week or month that a moment is in: the next one has the next number.
pub(crate) fn window(at: Timestamp, period: Period) -> i64 {
    let day = at.0.div_euclid(DAY_NS);
    match period {
        Period::Day => day,
        // 1970-01-01 was a Thursday: its week began three days before.
        Period::Week => (day + 3).div_euclid(7),
        Period::Month => month(day),
    }
}

/// The numbers of the day, the week and the month that a moment is in.
pub(crate) fn windows(at: Timestamp) -> [i64; 3] {
    [Period::Day, Period::Week, Period::Month].map(|period| window(at, period))
}

/// The number of a day's month: twelve times its year, and from 0 for January.
///
/// Years are counted from March, so that a leap day is the last of its year; from there on the months
/// are 31 and 30 days by turns, in fives of 153 days.
fn month(day: i64) -> i64 {
    let from_march = day + DAYS_BEFORE_1970;
    let (era, day) = (from_march.div_euclid(DAYS_OF_AN_ERA), from_march.rem_euclid(DAYS_OF_AN_ERA));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let since_march = (5 * day_of_year + 2) / 153;
    (era * 400 + year) * 12 + since_march + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calendar as it is taught: day by day, with the number of days of every month.
    fn days() -> impl Iterator<Item = (i64, i64, i64)> {
        let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let (mut year, mut month, mut day) = (1677, 9, 22);
        // The first whole day that nanoseconds in 64 bits can name.
        (-106_751..106_751).map(move |number| {
            let this = (number, year, month);
            let lengths =
                [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            day += 1;
            if lengths[month as usize - 1] < day {
                (month, day) = (month + 1, 1);
            }
            if month == 13 {
                (year, month) = (year + 1, 1);
            }
            this
        })
    }

    #[test]
    fn every_day_is_in_its_month_from_the_first_nanosecond_to_the_last() {
        for (number, year, month) in days() {
            let first = Timestamp(number * DAY_NS);
            let last = Timestamp(number * DAY_NS + (DAY_NS - 1));
            for at in [first, last] {
                assert_eq!(window(at, Period::Day), number, "{at}");
                assert_eq!(window(at, Period::Month), year * 12 + month - 1, "{at}");
            }
        }
    }

    #[test]
    fn a_week_is_seven_days_from_monday() {
        // 2026-01-05 was a Monday.
        let monday = 20_458;
        for week in -5_000..5_000 {
            let first = (monday + 7 * week) * DAY_NS;
            let number = window(Timestamp(first), Period::Week);
            assert_eq!(number, window(Timestamp(monday * DAY_NS), Period::Week) + week);
            assert_eq!(window(Timestamp(first - 1), Period::Week), number - 1);
            assert_eq!(window(Timestamp(first + 7 * DAY_NS - 1), Period::Week), number);
        }
    }

    #[test]
    fn leap_days_and_ends_of_months_are_where_they_are() {
        // Days since 1970 of: 2024-02-29, 2024-03-01, 2023-02-28, 2023-03-01, 2000-02-29, 1970-01-01.
        let cases = [
            (19_782, 2024 * 12 + 1),
            (19_783, 2024 * 12 + 2),
            (19_416, 2023 * 12 + 1),
            (19_417, 2023 * 12 + 2),
            (11_016, 2000 * 12 + 1),
            (0, 1970 * 12),
            (-1, 1969 * 12 + 11),
        ];
        for (day, month) in cases {
            assert_eq!(window(Timestamp(day * DAY_NS), Period::Month), month, "day {day}");
        }
    }

    #[test]
    fn the_ends_of_time_are_in_some_window() {
        for period in [Period::Day, Period::Week, Period::Month] {
            assert!(window(Timestamp::MIN, period) < window(Timestamp::MAX, period));
        }
    }
}
