//! The drills of a live night, by their names: played one by one, or all.

use crate::drill::timeline::{On, Story};
use crate::drill::{
    broker_slow, derby_night, drift, feed_gap, freeze_cash_out, hot_market, late_event,
    retry_storm, slow_consumer, stale_feed, version_skew, wallet_slow,
};
use crate::error::CliError;
use crate::out::Out;
use clap::Subcommand;
use serde_json::json;
use std::process::ExitCode;
use std::time::Instant;

#[derive(Subcommand)]
pub(crate) enum Drill {
    /// A source falls silent while its pricer goes on: nobody bets on prices that grow old.
    StaleFeed(Args),
    /// A feed sends another version of its messages: quarantined before a field becomes a price.
    VersionSkew(Args),
    /// A message of a feed is lost: its markets close until everything was sent again.
    FeedGap(Args),
    /// Primary and backup drift apart: cash-outs stop at once, bets after a minute.
    Drift(Args),
    /// Fifteen times the bets, nine in ten of them on one market: the others do not notice.
    HotMarket(Args),
    /// Three of ten requests come three times: as many bets as keys.
    RetryStorm(Args),
    /// One of four clients stops reading: it alone is refused.
    SlowConsumer(Args),
    /// The reader of the events is behind, then the disk is: nothing is missing in the end.
    BrokerSlow(Args),
    /// Results, voids and payments come late, twice, in every order: the same balances.
    LateEvent(Args),
    /// An external wallet answers late, twice, wrongly or never: no bet without its stake.
    WalletSlow(Args),
    /// A feed is in doubt, in every way: cash-outs close within 50 ms.
    #[command(name = "freeze-cashout")]
    FreezeCashOut(Args),
    /// A feed changes its schema and tells nobody: found, closed, switched, recovered.
    DerbyNight(Args),
    /// All drills of a live night, a line each and the whole story of what fails: two minutes at most.
    All(Args),
}

/// How a drill is played and told.
#[derive(clap::Args)]
#[command(after_help = "\
Each line of the story has its time since the drill began, its phase, who did it, and what.
Below it stands what had to hold. The last line has the times after the fault.

Exit status: 0 everything held, 1 something did not, 2 the drill could not be played.")]
pub(crate) struct Args {
    /// On a clock that only the drill moves: exact to the nanosecond, the same every time, and
    /// nothing that takes real time is measured.
    #[arg(long)]
    exact: bool,
    /// Print JSON, a drill a line; of all of them also how many passed, as the last line.
    #[arg(long)]
    json: bool,
}

type Play = fn(On) -> Result<Story, CliError>;

/// Every drill, in the order of their names in the help.
const ALL: [Play; 12] = [
    stale_feed::play,
    version_skew::play,
    feed_gap::play,
    drift::play,
    hot_market::play,
    retry_storm::play,
    slow_consumer::play,
    broker_slow::play,
    late_event::play,
    wallet_slow::play,
    freeze_cash_out::play,
    derby_night::play,
];

/// Plays what was named.
pub(crate) fn run(drill: Drill) -> Result<ExitCode, CliError> {
    let (args, play): (Args, Play) = match drill {
        Drill::StaleFeed(args) => (args, stale_feed::play),
        Drill::VersionSkew(args) => (args, version_skew::play),
        Drill::FeedGap(args) => (args, feed_gap::play),
        Drill::Drift(args) => (args, drift::play),
        Drill::HotMarket(args) => (args, hot_market::play),
        Drill::RetryStorm(args) => (args, retry_storm::play),
        Drill::SlowConsumer(args) => (args, slow_consumer::play),
        Drill::BrokerSlow(args) => (args, broker_slow::play),
        Drill::LateEvent(args) => (args, late_event::play),
        Drill::WalletSlow(args) => (args, wallet_slow::play),
        Drill::FreezeCashOut(args) => (args, freeze_cash_out::play),
        Drill::DerbyNight(args) => (args, derby_night::play),
        Drill::All(args) => return all(&args),
    };
    let story = play(args.on())?;
    let mut out = Out::new();
    match args.json {
        true => out.line(story.to_json())?,
        false => out.line(&story)?,
    }
    out.flush()?;
    Ok(status(story.passed()))
}

impl Args {
    fn on(&self) -> On {
        if self.exact { On::Journal } else { On::Wall }
    }
}

fn status(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A line each, and the whole story of those that failed.
fn all(args: &Args) -> Result<ExitCode, CliError> {
    let mut out = Out::new();
    let began = Instant::now();
    let mut passed = 0;
    for play in ALL {
        let story = play(args.on())?;
        passed += usize::from(story.passed());
        match (args.json, story.passed()) {
            (true, _) => out.line(story.to_json())?,
            (false, true) => out.line(story.summary())?,
            (false, false) => out.line(&story)?,
        }
        out.flush()?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let passes = passed == ALL.len();
    let word = if passes { "PASS" } else { "FAIL" };
    match args.json {
        true => out.line(json!({
            "drills": ALL.len(), "passed": passed, "seconds": seconds,
        }))?,
        false => {
            out.line(format_args!("{word} {passed} of {} drills, in {seconds:.0} s", ALL.len()))?;
        }
    }
    out.flush()?;
    Ok(status(passes))
}
