//! How long things took: every sample kept, percentiles to the maximum, tables for people.

use hdrhistogram::Histogram;
use std::fmt;

/// The longest latency that is told apart; longer ones count as this long.
pub const LONGEST_NS: u64 = 600_000_000_000;
/// Samples that one market may give to the capped percentile of a window: a hundred make a p99, so
/// a market with few bets weighs as much as the hottest one.
pub const PER_MARKET_MAX: usize = 100;

/// Latencies in nanoseconds, three digits exact. Nothing is sampled and nothing is dropped.
#[derive(Clone, Debug)]
pub struct Recorder {
    histogram: Histogram<u64>,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder::new()
    }
}

impl Recorder {
    /// Nothing recorded yet.
    pub fn new() -> Recorder {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, 3);
        Recorder { histogram: histogram.expect("1 ns to ten minutes in three digits is in range") }
    }

    /// Records a latency. Below zero, which clocks of two cores can make of a very short one, is 0.
    #[inline]
    pub fn record(&mut self, ns: i64) {
        self.histogram.saturating_record(u64::try_from(ns).unwrap_or(0));
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: &Recorder) {
        self.histogram.add(&other.histogram).expect("all recorders have the same bounds");
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The latency that a share of all samples does not exceed; `share` from 0 to 1.
    pub fn at(&self, share: f64) -> u64 {
        self.histogram.value_at_quantile(share)
    }

    /// The usual percentiles.
    pub fn quantiles(&self) -> Quantiles {
        Quantiles {
            count: self.count(),
            p50: self.at(0.5),
            p90: self.at(0.9),
            p95: self.at(0.95),
            p99: self.at(0.99),
            p999: self.at(0.999),
            p9999: self.at(0.9999),
            max: self.histogram.max(),
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.histogram.reset();
    }

    /// All percentiles as text, in nanoseconds, in the format that plotters of HdrHistogram read (`.hgrm`).
    pub fn to_hgrm(&self) -> String {
        use std::fmt::Write;
        let mut text = format!(
            "{:>12} {:>14} {:>10} {:>14}\n\n",
            "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
        );
        let mut seen = 0;
        for step in self.histogram.iter_quantiles(5) {
            seen += step.count_since_last_iteration();
            let (value, share) = (step.value_iterated_to() as f64, step.quantile_iterated_to());
            // Writing into a String cannot fail.
            let _ = if share < 1.0 {
                writeln!(
                    text,
                    "{value:>12.3} {share:>2.12} {seen:>10} {:>14.2}",
                    1.0 / (1.0 - share)
                )
            } else {
                writeln!(text, "{value:>12.3} {share:>2.12} {seen:>10}")
            };
        }
        let (mean, spread) = (self.histogram.mean(), self.histogram.stdev());
        let _ = writeln!(text, "#[Mean    = {mean:>12.3}, StdDeviation   = {spread:>12.3}]");
        let (max, count) = (self.histogram.max() as f64, self.count());
        let _ = writeln!(text, "#[Max     = {max:>12.3}, Total count    = {count:>12}]");
        let buckets = self.histogram.buckets();
        let _ = writeln!(text, "#[Buckets = {buckets:>12}, SubBuckets     = {:>12}]", 2_048);
        text
    }

    /// Points of the percentile curve: (share of samples that took longer, nanoseconds), for a plot
    /// whose axis says 90 %, 99 %, 99.9 % at equal distances. From the median to the maximum.
    pub fn tail(&self) -> Vec<(f64, u64)> {
        let mut points = Vec::new();
        if self.count() == 0 {
            return points;
        }
        let mut longer = 1.0;
        while 1.0 < longer * self.count() as f64 || points.is_empty() {
            points.push((longer, self.at(1.0 - longer)));
            longer /= 1.25;
        }
        points.push((1.0 / self.count() as f64, self.histogram.max()));
        points
    }
}

/// Percentiles in nanoseconds; all 0 where there are no samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Samples.
    pub count: u64,
    /// The median.
    pub p50: u64,
    /// Nine of ten are not longer.
    pub p90: u64,
    /// 95 of a hundred are not longer.
    pub p95: u64,
    /// 99 of a hundred are not longer.
    pub p99: u64,
    /// 999 of a thousand are not longer.
    pub p999: u64,
    /// 9,999 of ten thousand are not longer.
    pub p9999: u64,
    /// The longest.
    pub max: u64,
}

/// A span as people read it, in three digits: `17.3 us`, `4.02 ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            0..1_000 => return f.pad(&format!("{} ns", self.0)),
            1_000..1_000_000 => (1_000, "us"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ => (1_000_000_000, "s"),
        };
        let thousandths = self.0 / (unit / 1_000);
        let (whole, rest) = (thousandths / 1_000, thousandths % 1_000);
        f.pad(&match whole {
            0..10 => format!("{whole}.{:02} {name}", rest / 10),
            10..100 => format!("{whole}.{} {name}", rest / 100),
            _ => format!("{whole} {name}"),
        })
    }
}

/// A count as people read it: `1,234,567`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (i, digit) in digits.chars().enumerate() {
            if i != 0 && (digits.len() - i).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// So many bytes as people read them: `512 B`, `60.3 MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shift, unit) = match self.0 {
            0..0x400 => return f.pad(&format!("{} B", self.0)),
            0x400..0x10_0000 => (10, "KiB"),
            0x10_0000..0x4000_0000 => (20, "MiB"),
            _ => (30, "GiB"),
        };
        f.pad(&format!("{:.1} {unit}", self.0 as f64 / (1_u64 << shift) as f64))
    }
}

/// Rows under headings, aligned: the first column, and those without a heading, to the left, all others
/// to the right.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new<S: Into<String>>(headings: impl IntoIterator<Item = S>) -> Table {
        Table { rows: vec![headings.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row; it may be shorter than the headings.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    /// One line a row, two spaces before each, none at their ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let is_text = self.rows[0].get(column).is_some_and(String::is_empty);
                match column {
                    _ if column == 0 || is_text => line += &format!("  {cell:<width$}"),
                    _ => line += &format!("  {cell:>width$}"),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Latencies by market, so that one hot market cannot hide the others.
///
/// Of every market at most [`PER_MARKET_MAX`] samples, chosen with equal chances, stand for it in the
/// capped percentile. The choice is by a fixed rule, so the same samples give the same figure.
#[derive(Clone, Debug)]
pub struct ByMarket {
    markets: Vec<MarketSamples>,
    dice: u64,
}

#[derive(Clone, Debug)]
struct MarketSamples {
    all: Recorder,
    kept: Vec<u64>,
}

impl ByMarket {
    /// For so many markets, numbered from 0.
    pub fn new(markets: usize) -> ByMarket {
        let empty = MarketSamples { all: Recorder::new(), kept: Vec::new() };
        ByMarket { markets: vec![empty; markets], dice: 0 }
    }

    /// Records a latency of a market; one of a market that is not there is ignored.
    pub fn record(&mut self, market: usize, ns: i64) {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let Some(samples) = self.markets.get_mut(market) else { return };
        samples.all.record(ns);
        let ns = u64::try_from(ns).unwrap_or(0);
        if samples.kept.len() < PER_MARKET_MAX {
            samples.kept.push(ns);
            return;
        }
        // A reservoir: the n-th sample replaces a kept one with the chance of being among the kept.
        let place = (u128::from(self.dice) * u128::from(samples.all.count())) >> 64;
        if let Some(kept) = usize::try_from(place).ok().and_then(|p| samples.kept.get_mut(p)) {
            *kept = ns;
        }
    }

    /// The percentile with every market weighing the same; `share` from 0 to 1.
    pub fn capped(&self, share: f64) -> u64 {
        let mut recorder = Recorder::new();
        for ns in self.markets.iter().flat_map(|market| &market.kept) {
            recorder.record(i64::try_from(*ns).unwrap_or(i64::MAX));
        }
        recorder.at(share)
    }

    /// The market whose percentile is the longest, with that; none without samples.
    pub fn worst(&self, share: f64) -> Option<(usize, u64)> {
        let with_samples = self.markets.iter().enumerate().filter(|(_, m)| 0 < m.all.count());
        with_samples.map(|(i, market)| (i, market.all.at(share))).max_by_key(|(_, ns)| *ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_samples_to_the_maximum() {
        let mut fast = Recorder::new();
        let mut slow = Recorder::new();
        (1..=900).for_each(|us| fast.record(us * 1_000));
        (901..=1_000).for_each(|us| slow.record(us * 1_000));
        fast.merge(&slow);
        let q = fast.quantiles();
        let near = |ns: u64, us: u64| ns.abs_diff(us * 1_000) <= us;
        assert_eq!(q.count, 1_000);
        assert!(near(q.p50, 500) && near(q.p90, 900) && near(q.p99, 990), "{q:?}");
        assert!(near(q.p999, 999) && near(q.max, 1_000), "{q:?}");
        let tail = fast.tail();
        assert!(tail.windows(2).all(|pair| pair[0].1 <= pair[1].1), "latency rises along the tail");
        assert_eq!(tail.last().map(|last| last.1), Some(q.max));
    }

    #[test]
    fn the_text_of_all_percentiles_ends_with_the_maximum_and_the_count() {
        let mut recorder = Recorder::new();
        (1..=1_000).for_each(|ns| recorder.record(ns));
        let text = recorder.to_hgrm();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows.last(), Some(&vec!["1000.000", "1.000000000000", "1000"]));
        let half = rows.iter().find(|row| row[1] == "0.500000000000").expect("the median");
        assert_eq!(half[..], ["500.000", "0.500000000000", "500", "2.00"]);
        assert!(text.contains("Max     =     1000.000, Total count    =         1000"), "{text}");
    }

    #[test]
    fn nothing_recorded_is_nothing_long_and_a_clock_that_went_back_is_zero() {
        let mut recorder = Recorder::new();
        assert_eq!(recorder.quantiles(), Quantiles::default());
        assert!(recorder.tail().is_empty());
        recorder.record(-5);
        recorder.record(i64::MAX);
        assert_eq!((recorder.count(), recorder.at(0.5)), (2, 0));
    }

    #[test]
    fn one_hot_fast_market_does_not_hide_nine_slow_ones() {
        let mut by_market = ByMarket::new(10);
        let mut all = Recorder::new();
        for bet in 0..1_000_000 {
            // Nine markets take one bet in a thousand between them, and answer in 300 ms.
            let market = if bet % 1_000 == 0 { 1 + bet / 1_000 % 9 } else { 0 };
            let ns = if market == 0 { 1_000_000 } else { 300_000_000 };
            by_market.record(market, ns);
            all.record(ns);
        }
        assert!(all.at(0.99) < 2_000_000, "weighted by bets, the slow ones are not seen");
        assert!(290_000_000 < by_market.capped(0.99));
        assert!(by_market.worst(0.99).is_some_and(|(market, _)| market != 0));
    }

    #[test]
    fn spans_and_counts_read_as_people_write_them() {
        let bytes = [0, 1_023, 1_024, 63_229_133, 3 << 30].map(|n| Bytes(n).to_string());
        assert_eq!(bytes, ["0 B", "1023 B", "1.0 KiB", "60.3 MiB", "3.0 GiB"]);
        let spans = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_234, "1.23 us"),
            (45_678, "45.6 us"),
            (250_000_000, "250 ms"),
            (1_500_000_000, "1.50 s"),
        ];
        for (ns, text) in spans {
            assert_eq!(Span(ns).to_string(), text);
        }
        let counts = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (n, text) in counts {
            assert_eq!(Count(n).to_string(), text);
        }
    }

    #[test]
    fn a_table_lines_its_columns_up() {
        let mut table = Table::new(["phase", "rate", "p99", ""]);
        table.row(["calm", "2,000/s", "1.23 ms", "ok"]);
        table.row(["kick-off", "30,000/s"]);
        let text = "  phase         rate      p99\n  calm       2,000/s  1.23 ms  ok\n  kick-off  30,000/s\n";
        assert_eq!(table.to_string(), text);
    }
}
