//! How the day went: what was checked, and the tables for people.

use crate::audit::Audit;
use crate::describe;
use crate::fold::Rule;
use crate::matchday::acts::Aside;
use crate::matchday::beside::BesideTally;
use crate::matchday::floor::FloorTally;
use crate::matchday::scan::Scan;
use crate::matchday::tally::{PhaseTally, STAGES, Tally};
use crate::report::Report;
use betring_benches::machine::Machine;
use betring_benches::recorder::{Count, Quantiles, Recorder, Span, Table};
use betring_core::wire::Minor;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// The budgets of a live book, in nanoseconds: what players and traders notice.
pub(crate) const ACCEPT_P99: u64 = 250_000_000;
pub(crate) const ODDS_P95: u64 = 300_000_000;
pub(crate) const STALE: u64 = 1_500_000_000;
/// Reasons of refusal that a table names.
const REASONS: usize = 3;
/// Markets whose exposure is plotted.
const PLOTTED: usize = 6;

/// Something that has to hold.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    /// None where this run could not measure it.
    pub(crate) passed: Option<bool>,
    pub(crate) figure: String,
}

/// All that is known of a day.
pub(crate) struct Results {
    pub(crate) title: String,
    pub(crate) dir: PathBuf,
    pub(crate) seed: u64,
    pub(crate) level: String,
    pub(crate) machine: Machine,
    pub(crate) layout: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) is_timed: bool,
    pub(crate) tally: Tally,
    pub(crate) floor: FloorTally,
    pub(crate) beside: Option<BesideTally>,
    pub(crate) aside: Aside,
    pub(crate) late: u64,
    pub(crate) unanswered: u64,
    pub(crate) stopped: Option<String>,
    pub(crate) scan: Scan,
    pub(crate) audit: Audit,
    pub(crate) last_digest: String,
    pub(crate) commands: u64,
    pub(crate) played: Duration,
    pub(crate) life: Vec<String>,
}

impl Results {
    pub(crate) fn checks(&self) -> Vec<Check> {
        let accept = self.tally.all(|phase| &phase.accept).quantiles();
        let odds = self.scan.odds.quantiles();
        let within = |name, measured: Quantiles, at: u64, bound: u64| {
            // What others take from the engine, a budget of its own cannot tell.
            let excused = bound <= at && is_busy(&self.machine);
            Check {
                name,
                passed: (self.is_timed && 0 < measured.count && !excused).then_some(at < bound),
                figure: match (self.is_timed, measured.count) {
                    (false, _) => "virtual clock".to_owned(),
                    (true, 0) => "there were none".to_owned(),
                    (true, _) if excused => {
                        format!("warning: {} (budget {}), on a busy machine", Span(at), Span(bound))
                    }
                    (true, _) => format!("{} (budget {})", Span(at), Span(bound)),
                },
            }
        };
        let zero = |name, count: u64, of: String| Check {
            name,
            passed: Some(count == 0),
            figure: format!("{} {of}", Count(count)),
        };
        let oldest = u64::try_from(self.scan.oldest_price_ns).unwrap_or(0);
        let (beside, probes) = (&self.scan.beside, self.beside.unwrap_or_default());
        let (ladder, modelled) = (&self.scan.ladder, &self.scan.modelled);
        let took = modelled.took.quantiles();
        let repaid = self.scan.paid_twice.max(self.audit.broken(Rule::Settlement));
        let digests_agree = self.audit.state_digest() == Some(self.last_digest.as_str());
        let bets: u64 = self.tally.phases.iter().map(|phase| phase.bets).sum();
        vec![
            // What nobody bet on proves nothing.
            Check {
                name: "bets",
                passed: Some(0 < self.scan.bets),
                figure: format!("{} asked for, {} accepted", Count(bets), Count(self.scan.bets)),
            },
            // Without the races there is nothing to bet each way on.
            Check {
                name: "each-way bets",
                passed: (0 < self.scan.each_way_asked).then_some(0 < self.scan.each_way_accepted),
                figure: format!(
                    "{} asked for, {} accepted",
                    Count(self.scan.each_way_asked),
                    Count(self.scan.each_way_accepted)
                ),
            },
            Check {
                name: "bets that end",
                passed: Some(self.scan.settled + self.scan.sold <= self.scan.bets),
                figure: format!(
                    "{} settled, {} sold; {} settlements taken back",
                    Count(self.scan.settled),
                    Count(self.scan.sold),
                    Count(self.scan.reversed)
                ),
            },
            within("accept p99", accept, accept.p99, ACCEPT_P99),
            within("odds p95", odds, odds.p95, ODDS_P95),
            Check {
                name: "stale prices",
                passed: Some(oldest <= STALE),
                figure: format!("oldest {} (limit {})", Span(oldest), Span(STALE)),
            },
            Check {
                name: "feeds in doubt",
                passed: (0 < beside.quarantines + beside.switches)
                    .then_some(beside.quarantines == beside.cured),
                figure: format!(
                    "{} put in quarantine, {} of them let out; {} switches, {} bets at a backup's price",
                    beside.quarantines,
                    beside.cured,
                    beside.switches,
                    Count(beside.by_backup)
                ),
            },
            Check {
                name: "stakes in wallets",
                passed: (0 < beside.held).then_some(beside.all_ended()),
                figure: format!(
                    "{} to be held, {} confirmed, {} let go",
                    Count(beside.held),
                    Count(beside.confirmed),
                    Count(beside.let_go)
                ),
            },
            Check {
                name: "exchange",
                passed: (0 < ladder.orders).then_some(
                    0 < ladder.matched && 0 < ladder.settled && ladder.sums_to_nothing(),
                ),
                figure: format!(
                    "{} orders, {} matches ({} between selections, {} at starting prices), {} times \
                     cancelled or lapsed; {} positions settled, {} commission",
                    Count(ladder.orders),
                    Count(ladder.matched),
                    Count(ladder.crossed),
                    Count(ladder.starting),
                    Count(ladder.cut),
                    Count(ladder.settled),
                    Minor(ladder.commission)
                ),
            },
            Check {
                name: "a model's prices",
                passed: (0 < modelled.repricings)
                    .then_some(0 < modelled.bets && modelled.repricings <= modelled.prices),
                figure: format!(
                    "derby in the next town, {}: {} carried {}, each decided as one{}; {} at them",
                    describe::counted(modelled.markets.len() as u64, "market"),
                    describe::counted(modelled.repricings, "command"),
                    describe::counted(modelled.prices, "price"),
                    match self.is_timed {
                        true => format!(
                            " (input to effect p50 {}, p99 {})",
                            Span(took.p50),
                            Span(took.p99)
                        ),
                        false => String::new(),
                    },
                    describe::counted(modelled.bets, "bet")
                ),
            },
            Check {
                name: "probes",
                passed: (0 < probes.probes)
                    .then_some(probes.probes == probes.probed && probes.probed == beside.synthetic),
                figure: format!(
                    "{} sent, {} answered as bets, {} journaled as nobody's money",
                    Count(probes.probes),
                    Count(probes.probed),
                    Count(beside.synthetic)
                ),
            },
            zero(
                "double payments",
                repaid,
                format!("of {} settled bets", Count(self.scan.settled)),
            ),
            zero(
                "unanswered",
                self.unanswered + self.tally.misplaced,
                format!("of {} attempts taken", Count(self.tally.answered + self.unanswered)),
            ),
            zero(
                "unsettled markets",
                self.floor.unsettled,
                format!("of {} with a result", self.floor.results),
            ),
            Check {
                name: "engine",
                passed: Some(self.stopped.is_none()),
                figure: self.stopped.clone().unwrap_or_else(|| "closed cleanly".to_owned()),
            },
            Check {
                name: "replay",
                passed: Some(digests_agree),
                figure: format!("state digest {}", self.last_digest),
            },
            Check {
                name: "audit",
                passed: Some(self.audit.is_sound()),
                figure: format!(
                    "{} accepted bets, each proved in two ways",
                    Count(self.audit.counts().accepted)
                ),
            },
        ]
    }

    pub(crate) fn all_passed(&self) -> bool {
        self.checks().iter().all(|check| check.passed != Some(false))
    }

    /// Everything, as the terminal shows it.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![String::new()];
        lines.extend(self.sections().into_iter().flat_map(|(heading, text)| {
            let mut section = vec![heading];
            section.extend(text.lines().map(str::to_owned));
            section.push(String::new());
            section
        }));
        lines.push("Checks".to_owned());
        for check in self.checks() {
            let word = match check.passed {
                Some(true) => "PASS",
                Some(false) => "FAIL",
                None => "-   ",
            };
            lines.push(format!("  {word}  {:<17}  {}", check.name, check.figure));
        }
        lines
    }

    fn sections(&self) -> Vec<(String, String)> {
        let mut sections = vec![("By part of the day".to_owned(), self.phase_table())];
        if self.is_timed {
            sections.push((
                "Where the time goes, of bets, from the intended send time".to_owned(),
                self.stage_table(),
            ));
            sections.push(("Other paths".to_owned(), self.paths_table()));
        }
        sections.push(("The house".to_owned(), self.house_text()));
        let audit = self.audit.lines().join("\n");
        sections.push(("The closing audit".to_owned(), audit));
        if !self.life.is_empty() {
            sections.push(("One bet's whole life".to_owned(), self.life.join("\n")));
        }
        sections
    }

    fn phase_table(&self) -> String {
        // How long each part is, a recording does not know, and so no rate.
        let has_rates = self.tally.phases.iter().any(|phase| 0 < phase.length_ns);
        let mut headings = vec!["part", "asked"];
        headings.extend(has_rates.then_some("rate"));
        headings.extend(["accepted", "offered", "refused", "other"]);
        if self.is_timed {
            headings.extend(["p50", "p90", "p99", "p99.9", "max"]);
        }
        headings.extend(["price age p50", "p99"]);
        let mut table = Table::new(headings);
        let mut row = |name: &str, of: &PhaseTally| {
            let rate = match of.length_ns {
                0 => "-".to_owned(),
                ns => format!("{}/s", Count((of.asked as f64 / (ns as f64 / 1e9)) as u64)),
            };
            let counts = [of.asked, of.accepted, of.offered, of.refusals(), of.other()];
            let [asked, accepted, offered, refused, other] = counts.map(|n| Count(n).to_string());
            let mut cells = vec![name.to_owned(), asked];
            cells.extend(has_rates.then_some(rate));
            cells.extend([accepted, offered, refused, other]);
            if self.is_timed {
                cells.extend(percentiles(&of.latency.quantiles()));
            }
            let age = of.price_age.quantiles();
            cells.extend([age.p50, age.p99].map(|ns| Span(ns).to_string()));
            table.row(cells);
        };
        for phase in &self.tally.phases {
            row(&phase.name, phase);
        }
        let mut text = table.to_string();
        for phase in self.tally.phases.iter().filter(|phase| 0 < phase.refusals()) {
            let top: Vec<String> = phase
                .top_refusals()
                .iter()
                .take(REASONS)
                .map(|(reject, n)| format!("{reject} {}", Count(*n)))
                .collect();
            text += &format!("  refused, {}: {}\n", phase.name, top.join(", "));
        }
        text += "  other: money in and out, repeats, offers declined, questions\n";
        let tally = &self.tally;
        text += &format!(
            "  {} answers repeated to impatient customers, {} offers taken, {} questions closed as \
             never placed\n",
            Count(tally.duplicates),
            Count(tally.offers_taken),
            Count(tally.never_placed),
        );
        text += &format!(
            "  {} tickets of several legs, {} bets and sales waited for the in-play delay, {} bets sold \
             at once\n",
            Count(tally.tickets),
            Count(tally.waited),
            Count(tally.sold),
        );
        if self.is_timed && 0 < self.late {
            text += &format!(
                "  {} requests were sent more than a millisecond after their time: the sender shares \
                 its core; this counts into their latency\n",
                Count(self.late)
            );
        }
        text
    }

    fn stage_table(&self) -> String {
        let mut table = Table::new(["stage", "p50", "p90", "p99", "p99.9", "max", ""]);
        for ((name, what), stage) in STAGES.iter().zip(&self.tally.stages) {
            let mut cells = vec![(*name).to_owned()];
            match stage.count() {
                0 => cells.extend(["-"; 5].map(str::to_owned)),
                _ => cells.extend(percentiles(&stage.quantiles())),
            }
            cells.push((*what).to_owned());
            table.row(cells);
        }
        let all = self.tally.all(|phase| &phase.latency).quantiles();
        let mut cells = vec!["t0-t6".to_owned()];
        cells.extend(percentiles(&all));
        cells.push("price-at-commit latency".to_owned());
        table.row(cells);
        table.to_string()
            + "  t0 intended, t1 published, t2 stamped, t3 decided, t4 in the page cache, t5 synced, t6 \
               reply seen; t3 to t5 as the client saw them when it looked\n"
    }

    fn paths_table(&self) -> String {
        let mut table = Table::new(["path", "n", "p50", "p90", "p99", "p99.9", "max"]);
        let mut row = |name: &str, recorder: &Recorder| {
            let q = recorder.quantiles();
            if 0 < q.count {
                let mut cells = vec![name.to_owned(), Count(q.count).to_string()];
                cells.extend(percentiles(&q));
                table.row(cells);
            }
        };
        row("bet accepted", &self.tally.all(|phase| &phase.accept));
        row("odds to effect", &self.scan.odds);
        row("result to last bet settled", &self.scan.settlement);
        let mut text = table.to_string();
        let capped = self.tally.by_market.capped(0.99);
        text += &format!("  bets, every market weighing the same: p99 {}", Span(capped));
        if let Some((_, worst)) = self.tally.by_market.worst(0.99) {
            text += &format!("; the slowest market: p99 {}", Span(worst));
        }
        text + "\n"
    }

    fn house_text(&self) -> String {
        let floor = &self.floor;
        let mut text = format!(
            "  {} markets; {} changes of prices, {} heartbeats, {} suspensions, {} releases, {} \
             results ({} given twice, settled once)\n",
            floor.markets,
            Count(floor.prices),
            Count(floor.heartbeats),
            floor.suspensions,
            floor.releases,
            floor.results,
            floor.repeated_results,
        );
        if 0 < floor.rollbacks + floor.resettled {
            text += &format!(
                "  {} results taken back and given again, {} followed by another: {} settlements \
                 taken back\n",
                floor.rollbacks,
                floor.resettled,
                Count(self.scan.reversed),
            );
        }
        if 0 < floor.recoveries {
            text += &format!(
                "  {} times a feed counted as silent, or may have, and said everything again\n",
                floor.recoveries
            );
        }
        if let Some(beside) = self.beside {
            let scan = &self.scan.beside;
            text += &format!(
                "  {} prices pinned, {} shortened for what they could cost; {} accounts limit their own \
                 stakes ({} bets refused for it), {} exclude themselves\n",
                scan.pins,
                Count(scan.steps),
                beside.limited,
                Count(scan.own_limits),
                scan.exclusions,
            );
        }
        let refused: Vec<String> =
            floor.refused.iter().map(|(reject, n)| format!("{reject} {}", Count(*n))).collect();
        if !refused.is_empty() {
            text += &format!("  refused of those: {}\n", refused.join(", "));
        }
        if 0 < floor.not_taken {
            text += &format!("  {} found the ring full\n", floor.not_taken);
        }
        let scan = &self.scan;
        let per_bet = scan.record_bytes.checked_div(scan.bets).unwrap_or(0);
        text += &format!(
            "  journaled: {} records, {:.1} MB, {per_bet} bytes for each accepted bet with all around \
             it; {:.1} s played\n",
            Count(scan.records),
            scan.record_bytes as f64 / 1e6,
            self.played.as_secs_f64(),
        );
        let aside = &self.aside;
        if 0 < aside.updates {
            text += &format!(
                "  recordings: {} updates; {} runners removed, their bets void; {} starting prices \
                 recorded, no bet is bound to them\n",
                Count(aside.updates),
                aside.removed,
                aside.starting_prices,
            );
        }
        for market in self.scan.markets.iter().take(PLOTTED) {
            let title = floor.titles.get(&market.name).map(|title| format!(" ({title})"));
            text += &format!(
                "  {}{}: {}, the most it could have lost {}\n",
                market.name,
                title.unwrap_or_default(),
                describe::counted(market.bets, "bet"),
                pounds(market.worst_max),
            );
        }
        if 0 < aside.late_selections {
            text += &format!(
                "  {} selections came after their market was defined: no bets on them\n",
                aside.late_selections
            );
        }
        for what in &aside.left_out {
            text += &format!("  {what}\n");
        }
        if 0 < aside.unread {
            text += &format!("  {} lines could not be read:\n", Count(aside.unread));
            aside.unread_first.iter().for_each(|line| text += &format!("    {line}\n"));
        }
        text
    }

    /// The machine and the layout, line by line.
    pub(crate) fn facts(&self) -> Vec<String> {
        let mut facts = machine_lines(&self.machine);
        facts.push(format!("layout {}, replies at {}", self.layout, self.level));
        facts.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        facts
    }

    /// The report with its plots.
    pub(crate) fn report(&self) -> Report {
        let tally = &self.tally;
        let seconds = |place: usize, slice_ns: u64| place as f64 * slice_ns as f64 / 1e9;
        let per_second = |n: u64| n as f64 / (tally.slice_ns as f64 / 1e9);
        let line = |name: &str, of: &dyn Fn(&crate::matchday::tally::Slice) -> u64| {
            let points = tally.slices.iter().enumerate();
            let points =
                points.map(|(i, slice)| (seconds(i, tally.slice_ns), per_second(of(slice))));
            (name.to_owned(), points.collect())
        };
        let exposure = |market: &crate::matchday::scan::MarketLife| {
            let mut last = 0;
            let point = |(i, worst): (usize, &Option<i64>)| {
                last = worst.unwrap_or(last);
                (seconds(i, self.scan.slice_ns()), last as f64 / 100.0)
            };
            (market.name.clone(), market.worst.iter().enumerate().map(point).collect())
        };
        let curve = |phase: &PhaseTally| (phase.name.clone(), phase.latency.tail());
        Report {
            title: self.title.clone(),
            facts: self.facts(),
            checks: self
                .checks()
                .into_iter()
                .map(|check| (check.name.to_owned(), check.passed, check.figure))
                .collect(),
            sections: self.sections(),
            percentiles: tally
                .phases
                .iter()
                .filter(|phase| 0 < phase.latency.count())
                .map(curve)
                .collect(),
            rates: vec![
                line("asked", &|slice| slice.asked),
                line("accepted", &|slice| slice.accepted),
                line("refused", &|slice| slice.refused),
            ],
            exposures: self.scan.markets.iter().take(PLOTTED).map(exposure).collect(),
        }
    }

    /// Everything, for machines. Times are nanoseconds.
    pub(crate) fn to_json(&self) -> Value {
        let phases: Vec<Value> = self.tally.phases.iter().map(phase_json).collect();
        let stages: serde_json::Map<String, Value> = STAGES
            .iter()
            .zip(&self.tally.stages)
            .map(|((name, _), stage)| ((*name).to_owned(), quantiles_json(&stage.quantiles())))
            .collect();
        let checks: Vec<Value> = self
            .checks()
            .iter()
            .map(|c| json!({"name": c.name, "passed": c.passed, "figure": c.figure}))
            .collect();
        let floor = &self.floor;
        let aside = &self.aside;
        let (it, ladder, modelled) = (&self.scan.beside, &self.scan.ladder, &self.scan.modelled);
        let beside = json!({
            "switches": it.switches, "bets_at_backup": it.by_backup, "quarantines": it.quarantines,
            "let_out": it.cured, "pins": it.pins, "price_steps": it.steps,
            "own_limits": it.own_limits, "exclusions": it.exclusions, "probes": it.synthetic,
            "holds": { "asked": it.held, "confirmed": it.confirmed, "let_go": it.let_go },
        });
        json!({
            "passed": self.all_passed(), "title": self.title, "seed": self.seed,
            "dir": self.dir.display().to_string(), "level": self.level, "layout": self.layout,
            "machine": self.machine.to_string(), "warnings": self.warnings, "timed": self.is_timed,
            "checks": checks, "phases": phases, "stages": stages,
            "odds_to_effect": quantiles_json(&self.scan.odds.quantiles()),
            "settlement": quantiles_json(&self.scan.settlement.quantiles()),
            "accept": quantiles_json(&self.tally.all(|phase| &phase.accept).quantiles()),
            "answered": self.tally.answered, "not_taken": self.tally.not_taken,
            "duplicates": self.tally.duplicates, "never_placed": self.tally.never_placed,
            "unanswered": self.unanswered, "late": self.late,
            "house": {
                "markets": floor.markets, "prices": floor.prices, "heartbeats": floor.heartbeats,
                "suspensions": floor.suspensions, "releases": floor.releases,
                "results": floor.results, "repeated_results": floor.repeated_results,
                "void_selections": floor.void_selections,
                "rollbacks": floor.rollbacks, "resettled": floor.resettled,
            },
            "beside": beside,
            "model": {
                "markets": modelled.markets.len(), "repricings": modelled.repricings, "prices": modelled.prices, "bets": modelled.bets,
                "input_to_effect": quantiles_json(&modelled.took.quantiles()),
            },
            "exchange": {
                "orders": ladder.orders, "matches": ladder.matched, "crossed": ladder.crossed,
                "starting": ladder.starting, "cut": ladder.cut, "settled": ladder.settled,
                "commission": ladder.commission,
            },
            "recordings": {
                "updates": aside.updates, "removed": aside.removed, "unread_lines": aside.unread,
                "starting_prices": aside.starting_prices, "left_out": aside.left_out,
            },
            "journal": {
                "records": self.scan.records, "bytes": self.scan.record_bytes,
                "bets": self.scan.bets, "settled": self.scan.settled, "sold": self.scan.sold,
                "reversed": self.scan.reversed, "last_seq": self.scan.last.0,
                "commands": self.commands, "state_digest": self.last_digest,
            },
            "audit": self.audit.to_json(), "life": self.life,
            "seconds": self.played.as_secs_f64(),
        })
    }
}

/// Whether others use the machine, too.
fn is_busy(machine: &Machine) -> bool {
    /// One per cent of the time lost is more than a quiet machine loses.
    const LOST_PPM: u64 = 10_000;
    machine.free_cores < machine.cores || LOST_PPM < machine.hiccup.lost_ppm
}

/// What the machine is, how it behaves, and whether others use it too.
pub(crate) fn machine_lines(machine: &Machine) -> Vec<String> {
    let all = machine.to_string();
    let mut lines: Vec<String> = match all.split_once(" · bare ") {
        Some((what, how)) => vec![what.to_owned(), format!("  bare {how}")],
        None => vec![all],
    };
    if is_busy(machine) {
        lines.push("  → these numbers are of a busy machine".to_owned());
    }
    lines
}

/// Money of a day, which is played in one currency: `1,234.50 GBP`.
fn pounds(minor: i64) -> String {
    let (sign, all) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    format!("{sign}{}.{:02} GBP", Count(all / 100), all % 100)
}

fn percentiles(q: &Quantiles) -> [String; 5] {
    [q.p50, q.p90, q.p99, q.p999, q.max].map(|ns| Span(ns).to_string())
}

fn quantiles_json(q: &Quantiles) -> Value {
    json!({
        "n": q.count, "p50_ns": q.p50, "p90_ns": q.p90, "p95_ns": q.p95, "p99_ns": q.p99,
        "p999_ns": q.p999, "max_ns": q.max,
    })
}

fn phase_json(phase: &PhaseTally) -> Value {
    let refused: serde_json::Map<String, Value> =
        phase.refused.iter().map(|(reject, n)| (reject.to_string(), json!(n))).collect();
    json!({
        "name": phase.name, "length_ns": phase.length_ns, "asked": phase.asked,
        "bets": phase.bets, "accepted": phase.accepted, "offered": phase.offered,
        "refused": refused, "latency": quantiles_json(&phase.latency.quantiles()),
        "accept": quantiles_json(&phase.accept.quantiles()),
        "price_age": quantiles_json(&phase.price_age.quantiles()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_its_currency_and_its_thousands() {
        assert_eq!(pounds(346_844), "3,468.44 GBP");
        assert_eq!(pounds(-5), "-0.05 GBP");
    }

    #[test]
    fn a_busy_machine_is_called_one() {
        let quiet = Machine { cores: 2, free_cores: 2, ..Machine::default() };
        let lines = machine_lines(&quiet);
        assert_eq!(lines.len(), 2, "what it is, how it behaves: {lines:?}");
        let busy = Machine { free_cores: 1, ..quiet };
        assert_eq!(machine_lines(&busy)[2], "  → these numbers are of a busy machine");
    }
}
