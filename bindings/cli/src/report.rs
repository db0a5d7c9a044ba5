//! Reports of a matchday, of prices, of benches: one HTML file that needs nothing else, with its plots inside.

use crate::error::CliError;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::fmt::Write;
use std::path::Path;

/// Size of a plot, in its own pixels; the page scales it.
const SIZE: (u32, u32) = (960, 360);
/// Colours that can be told apart by most people, also in print (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

/// How every report begins.
pub(crate) const BEGINNING: &str =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n";

/// The file of a report, open before there is one, so that it can be written afterwards.
pub(crate) struct Page<'a> {
    path: &'a Path,
    file: std::fs::File,
}

impl Page<'_> {
    const WRONG: &'static str = "cannot write the report";

    /// What stands in the file stays there until there is a report.
    pub(crate) fn open(path: &Path) -> Result<Page<'_>, CliError> {
        let file = std::fs::File::options().create(true).append(true).open(path);
        let file = file.map_err(|e| CliError::write(Self::WRONG, path, &e))?;
        Ok(Page { path, file })
    }

    pub(crate) fn path(&self) -> &Path {
        self.path
    }

    pub(crate) fn write(mut self, html: &str) -> Result<(), CliError> {
        let wrong = |e| CliError::write(Self::WRONG, self.path, &e);
        self.file.set_len(0).map_err(wrong)?;
        std::io::Write::write_all(&mut self.file, html.as_bytes()).map_err(wrong)
    }
}

/// What a report shows.
pub(crate) struct Report {
    pub(crate) title: String,
    /// The machine and the layout, a line each.
    pub(crate) facts: Vec<String>,
    /// What was checked: name, whether it passed (none: not measured), the figure.
    pub(crate) checks: Vec<(String, Option<bool>, String)>,
    /// Tables and texts with their headings, as the terminal shows them.
    pub(crate) sections: Vec<(String, String)>,
    /// Percentile curves: (share of samples that took longer, nanoseconds).
    pub(crate) percentiles: Vec<(String, Vec<(f64, u64)>)>,
    /// Over time, a second each: names, and for each moment its values.
    pub(crate) rates: Vec<(String, Vec<(f64, f64)>)>,
    /// Exposure over time of the busiest markets, in major units.
    pub(crate) exposures: Vec<(String, Vec<(f64, f64)>)>,
}

impl Report {
    /// The page.
    pub(crate) fn to_html(&self) -> String {
        let mut html = String::new();
        // Writing into a String cannot fail.
        let _ = self.write(&mut html);
        html
    }

    fn write(&self, html: &mut String) -> std::fmt::Result {
        let title = escaped(&self.title);
        html.push_str(BEGINNING);
        writeln!(html, "<meta name=\"viewport\" content=\"width=device-width\">")?;
        writeln!(html, "<title>{title}</title>\n<style>{STYLE}</style></head><body>")?;
        writeln!(html, "<h1>{title}</h1>")?;
        for fact in &self.facts {
            writeln!(html, "<p class=\"fact\">{}</p>", escaped(fact))?;
        }
        writeln!(html, "<h2>Checks</h2>\n<table class=\"checks\">")?;
        for (name, passed, figure) in &self.checks {
            let (class, word) = match passed {
                Some(true) => ("pass", "PASS"),
                Some(false) => ("fail", "FAIL"),
                None => ("none", "not measured"),
            };
            let (name, figure) = (escaped(name), escaped(figure));
            writeln!(
                html,
                "<tr><td class=\"{class}\">{word}</td><td>{name}</td><td>{figure}</td></tr>"
            )?;
        }
        writeln!(html, "</table>")?;
        let plots = [
            (
                "From the intended send time to the visible reply",
                "Each curve is a part of the day. To the right are the slowest bets: at 99 %, one in \
                 a hundred took longer.",
                percentile_plot(&self.percentiles),
            ),
            (
                "Rate and refusals",
                "Requests in a second, over the time of the day.",
                time_plot(&self.rates, "a second"),
            ),
            (
                "Exposure of the busiest markets",
                "What the house would lose in the worst outcome of each.",
                time_plot(&self.exposures, "loss, GBP"),
            ),
        ];
        for (heading, text, plot) in plots {
            writeln!(html, "<h2>{heading}</h2>\n<p>{text}</p>")?;
            match plot {
                Some(svg) => writeln!(html, "<figure>{svg}</figure>")?,
                None => writeln!(html, "<p class=\"fact\">Not measured in this run.</p>")?,
            }
        }
        for (heading, text) in &self.sections {
            let (heading, text) = (escaped(heading), escaped(text.trim_end()));
            writeln!(html, "<h2>{heading}</h2>\n<pre>{text}</pre>")?;
        }
        writeln!(html, "</body></html>")
    }
}

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222;\
background:#fff}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}.fact{color:#555;margin:.2rem 0}\
pre{background:#f6f6f4;padding:1rem;overflow-x:auto;font-size:13px;line-height:1.4}\
table.checks td{padding:.15rem .8rem .15rem 0}td.pass{color:#00734d;font-weight:600}\
td.fail{color:#b00020;font-weight:600}td.none{color:#777}table.checks td:nth-child(-n+2){white-space:nowrap;vertical-align:top}figure{margin:0}svg{width:100%;height:auto}";

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

type Series = [(String, Vec<(f64, f64)>)];

/// The bounds of all points; none without any.
fn bounds(lines: &Series) -> Option<((f64, f64), (f64, f64))> {
    let mut points = lines.iter().flat_map(|(_, points)| points).copied();
    let (x, y) = points.next()?;
    let wider = |((x0, x1), (y0, y1)): ((f64, f64), (f64, f64)), (x, y): (f64, f64)| {
        ((x0.min(x), x1.max(x)), (y0.min(y), y1.max(y)))
    };
    Some(points.fold(((x, x), (y, y)), wider))
}

/// Values over the time of the day, in seconds or, of a long one, in hours.
fn time_plot(lines: &Series, unit: &str) -> Option<String> {
    const LONG: f64 = 3.0 * 3_600.0;
    let ((_, x1), _) = bounds(lines)?;
    let (scale, x_name) = if LONG < x1 { (3_600.0, "hours") } else { (1.0, "seconds") };
    let scaled = |points: &[(f64, f64)]| points.iter().map(|(x, y)| (x / scale, *y)).collect();
    let lines: Vec<(String, Vec<(f64, f64)>)> =
        lines.iter().map(|(name, points)| (name.clone(), scaled(points))).collect();
    let ((x0, x1), (y0, y1)) = bounds(&lines)?;
    let y = (y0.min(0.0), if 0.0 < y1 { y1 * 1.05 } else { 1.0 });
    let small = y.1 - y.0 < 10.0;
    drawn(&Plot {
        lines: &lines,
        marks: &[],
        x: (x0, x1.max(x0 + 1.0)),
        y,
        names: (&format!("{x_name} of the day"), unit),
        labels: (&|x| whole_or_tenths(*x, x1 - x0), &|y| {
            if small { format!("{y:.2}") } else { thousands(*y) }
        }),
        ticks: (12, 8),
        legend: emptiest(&lines, (x0, x1), y),
    })
}

/// The upper corner in which fewer points lie: there the legend hides less.
fn emptiest(lines: &Series, x: (f64, f64), y: (f64, f64)) -> SeriesLabelPosition {
    let points = lines.iter().flat_map(|(_, points)| points);
    let (mut left, mut right) = (0.0, 0.0);
    for (at, _) in points.filter(|(_, value)| y.0 + (y.1 - y.0) * 0.5 < *value) {
        let share = (at - x.0) / (x.1 - x.0).max(f64::MIN_POSITIVE);
        left += f64::from(u8::from(share < 0.25));
        right += f64::from(u8::from(0.75 < share));
    }
    if right < left { SeriesLabelPosition::UpperRight } else { SeriesLabelPosition::UpperLeft }
}

/// Latency over "nines": equal distances between 90 %, 99 %, 99.9 %.
fn percentile_plot(curves: &[(String, Vec<(f64, u64)>)]) -> Option<String> {
    let nines = |(longer, ns): &(f64, u64)| (-longer.log10(), (*ns as f64).max(1.0).log10());
    let lines: Vec<(String, Vec<(f64, f64)>)> = curves
        .iter()
        .filter(|(_, points)| !points.is_empty())
        .map(|(name, points)| (name.clone(), points.iter().map(nines).collect()))
        .collect();
    let ((_, x1), (y0, y1)) = bounds(&lines)?;
    // Whole decades, and as many ticks: each stands for a nine, or for ten times as long.
    let (x1, y0) = (x1.ceil().max(1.0), y0.floor());
    let y1 = y1.ceil().max(y0 + 1.0);
    let share = |x: &f64| {
        let digits = (x.round() as usize).saturating_sub(2);
        let quicker = 100.0 - 10f64.powf(-*x) * 100.0;
        if *x == 0.0 { "0 %".to_owned() } else { format!("{quicker:.digits$} %") }
    };
    drawn(&Plot {
        lines: &lines,
        marks: &[],
        x: (0.0, x1),
        y: (y0, y1),
        names: ("share that was quicker", "time"),
        labels: (&share, &|y| span_at(*y)),
        ticks: (x1 as usize + 1, (y1 - y0) as usize + 1),
        legend: SeriesLabelPosition::LowerRight,
    })
}

fn thousands(y: f64) -> String {
    let count = betring_benches::recorder::Count(y.abs().round() as u64);
    if y < -0.5 { format!("-{count}") } else { count.to_string() }
}

/// A place on an axis of this length: with twelve ticks on less than twelve of a unit, whole numbers would repeat
/// themselves.
fn whole_or_tenths(x: f64, length: f64) -> String {
    if length < 12.0 { format!("{x:.1}") } else { thousands(x) }
}

type Label<'a> = &'a dyn Fn(&f64) -> String;

/// Lines over two axes.
struct Plot<'a> {
    lines: &'a Series,
    /// Upright lines: names, and where they stand.
    marks: &'a [(String, Vec<f64>)],
    x: (f64, f64),
    y: (f64, f64),
    names: (&'a str, &'a str),
    labels: (Label<'a>, Label<'a>),
    /// How many at most.
    ticks: (usize, usize),
    legend: SeriesLabelPosition,
}

fn drawn(plot: &Plot<'_>) -> Option<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        // Drawing into memory fails only where a size is impossible; then there is no plot.
        plot.draw(&root).ok()?;
        root.present().ok()?;
    }
    // A plot without a size of its own fills the width of the page.
    let sized = format!("width=\"{}\" height=\"{}\" ", SIZE.0, SIZE.1);
    Some(svg.replacen(&sized, "", 1))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Plot<'_> {
    fn draw<'a>(&self, root: &Area<'a>) -> Drawn<'a> {
        let mut chart: Chart<'_, 'a> = ChartBuilder::on(root)
            .margin(8)
            .margin_right(48)
            .x_label_area_size(44)
            .y_label_area_size(84)
            .build_cartesian_2d(self.x.0..self.x.1, self.y.0..self.y.1)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .axis_style(RGBColor(120, 120, 120))
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 14))
            .x_labels(self.ticks.0)
            .y_labels(self.ticks.1)
            .x_desc(self.names.0)
            .y_desc(self.names.1)
            .x_label_formatter(&self.labels.0)
            .y_label_formatter(&self.labels.1)
            .draw()?;
        for ((name, points), colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), style))?
                .label(name.as_str())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        let colours = COLOURS.iter().cycle().skip(self.lines.len());
        for ((name, places), colour) in self.marks.iter().zip(colours) {
            let style = colour.mix(0.7).stroke_width(1);
            let upright = |x: &f64| PathElement::new([(*x, self.y.0), (*x, self.y.1)], style);
            chart
                .draw_series(places.iter().map(upright))?
                .label(name.as_str())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .position(self.legend.clone())
            .margin(12)
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(225, 225, 225))
            .label_font(("sans-serif", 14))
            .draw()
    }
}

/// Lines over two axes, the upper one in nanoseconds by powers of ten, with upright marks.
pub(crate) struct Lines {
    pub(crate) heading: &'static str,
    pub(crate) text: String,
    /// Nanoseconds, for each place on the axis below.
    pub(crate) lines: Vec<(String, Vec<(f64, u64)>)>,
    pub(crate) marks: Vec<(String, Vec<f64>)>,
    /// What the axis below counts.
    pub(crate) below: &'static str,
}

/// The head of a page: its title, and what there is to know first, a line each.
pub(crate) fn facts_part(title: &str, facts: &[String]) -> String {
    let facts = facts.iter().map(|fact| format!("<p class=\"fact\">{}</p>\n", escaped(fact)));
    format!("<h1>{}</h1>\n{}", escaped(title), facts.collect::<String>())
}

/// A table or a text as the terminal shows it.
pub(crate) fn text_part(heading: &str, text: &str) -> String {
    let (heading, text) = (escaped(heading), escaped(text.trim_end()));
    format!("<h2>{heading}</h2>\n<pre>{text}</pre>\n")
}

/// Percentile curves: (share of samples that took longer, nanoseconds).
pub(crate) fn percentiles_part(
    heading: &str,
    text: &str,
    curves: &[(String, Vec<(f64, u64)>)],
) -> String {
    figure_part(heading, text, percentile_plot(curves))
}

/// Bars: name, length, and what stands behind it.
pub(crate) fn bars_part(heading: &str, text: &str, bars: &[(String, f64, String)]) -> String {
    figure_part(heading, text, bar_plot(bars))
}

/// Latencies over time, or over a rate.
pub(crate) fn lines_part(plot: &Lines) -> String {
    figure_part(plot.heading, &plot.text, nanos_plot(plot))
}

fn figure_part(heading: &str, text: &str, plot: Option<String>) -> String {
    let figure = match plot {
        Some(svg) => format!("<figure>{svg}</figure>\n"),
        None => "<p class=\"fact\">Not measured in this run.</p>\n".to_owned(),
    };
    format!("<h2>{}</h2>\n<p>{}</p>\n{figure}", escaped(heading), escaped(text))
}

fn nanos_plot(plot: &Lines) -> Option<String> {
    let log = |(x, ns): &(f64, u64)| (*x, (*ns as f64).max(1.0).log10());
    let scaled = |(name, points): &(String, Vec<(f64, u64)>)| {
        (name.clone(), points.iter().map(log).collect::<Vec<(f64, f64)>>())
    };
    let lines: Vec<(String, Vec<(f64, f64)>)> = plot.lines.iter().map(scaled).collect();
    let ((x0, x1), (y0, y1)) = bounds(&lines)?;
    let y = (y0.floor(), y1.ceil().max(y0.floor() + 1.0));
    drawn(&Plot {
        lines: &lines,
        marks: &plot.marks,
        x: (x0, x1.max(x0 + 1.0)),
        y,
        names: (plot.below, "time"),
        labels: (&|x| whole_or_tenths(*x, x1 - x0), &|y| span_at(*y)),
        ticks: (12, (y.1 - y.0) as usize + 1),
        legend: emptiest(&lines, (x0, x1), y),
    })
}

/// The span at a power of ten, in nanoseconds.
fn span_at(y: f64) -> String {
    betring_benches::recorder::Span(10f64.powf(y).round() as u64).to_string()
}

/// A page of such parts.
pub(crate) fn table_page(title: &str, parts: &str) -> String {
    let title = escaped(title);
    format!(
        "{BEGINNING}<meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style></head><body>\n{parts}</body></html>\n"
    )
}

/// One table as text, and a bar for each of its figures: name, length, and what stands behind it.
pub(crate) fn table_part(title: &str, table: &str, bars: &[(String, f64, String)]) -> String {
    let (title, table) = (escaped(title), escaped(table));
    let figure = bar_plot(bars).map_or_else(String::new, |svg| format!("<figure>{svg}</figure>\n"));
    format!("<h1>{title}</h1>\n{figure}<pre>{table}</pre>\n")
}

/// Horizontal bars, the first on top.
fn bar_plot(bars: &[(String, f64, String)]) -> Option<String> {
    const ROW: i32 = 22;
    const NAMES: i32 = 320;
    const FIGURES: i32 = 80;
    let most = bars.iter().map(|(_, value, _)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let size = (SIZE.0, (bars.len() as u32 + 1) * ROW as u32);
    if bars.is_empty() {
        return None;
    }
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let room = f64::from(SIZE.0 as i32 - NAMES - FIGURES);
        let font = ("sans-serif", 14).into_font();
        for (at, (name, value, figure)) in (0_i32..).zip(bars) {
            let top = at * ROW + ROW / 2;
            let right = NAMES + (room * value / most).round() as i32;
            let bar = [(NAMES, top), (right, top + ROW - 6)];
            root.draw(&Rectangle::new(bar, COLOURS[0].filled())).ok()?;
            root.draw(&Text::new(name.clone(), (0, top), font.clone())).ok()?;
            root.draw(&Text::new(figure.clone(), (right + 8, top), font.clone())).ok()?;
        }
        root.present().ok()?;
    }
    let sized = format!("width=\"{}\" height=\"{}\" ", size.0, size.1);
    Some(svg.replacen(&sized, "", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let line = |name: &str, scale: f64| {
            (name.to_owned(), (0..20).map(|x| (f64::from(x), f64::from(x) * scale)).collect())
        };
        let tail = (0..12).map(|i| (1.0 / f64::from(1 << i), 1_000u64 << i)).collect();
        Report {
            title: "a <derby> & its night".to_owned(),
            facts: vec!["one core".to_owned()],
            checks: vec![
                ("accept p99".to_owned(), Some(true), "1.23 ms".to_owned()),
                ("odds p95".to_owned(), Some(false), "400 ms".to_owned()),
                ("hop".to_owned(), None, String::new()),
            ],
            sections: vec![("Table".to_owned(), "  a  b\n".to_owned())],
            percentiles: vec![("calm".to_owned(), tail)],
            rates: vec![line("asked", 1_000.0), line("refused", 10.0)],
            exposures: vec![line("M1", -50.0)],
        }
    }

    #[test]
    fn the_page_needs_nothing_else_and_trusts_no_text() {
        let html = report().to_html();
        assert_eq!(html.matches("<svg").count(), 3, "three plots");
        assert!(html.contains("a &lt;derby&gt; &amp; its night") && !html.contains("<derby>"));
        for outside in ["<script", "<link", "<img", "src=", "href="] {
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(html.contains("FAIL") && html.contains("not measured"));
    }

    #[test]
    fn a_short_day_has_tenths_below_it_and_its_money_has_a_currency() {
        let line = |to: u32| {
            let points = (0..=to).map(|x| (f64::from(x), 1.0)).collect();
            [("M1".to_owned(), points)]
        };
        let short = time_plot(&line(3), "loss, GBP").expect("there are points");
        assert!(short.contains("0.5") && short.contains("loss, GBP"));
        let long = time_plot(&line(20), "loss, GBP").expect("there are points");
        assert!(!long.contains("2.5"), "whole seconds are enough");
    }

    #[test]
    fn without_points_there_is_no_plot_and_the_page_says_so() {
        let empty = Report { percentiles: Vec::new(), exposures: Vec::new(), ..report() };
        let html = empty.to_html();
        assert_eq!(html.matches("<svg").count(), 1);
        assert_eq!(html.matches("Not measured in this run.").count(), 2);
    }
}
