//! Runs scripts of the test language and says which line does not hold.

use crate::error::CliError;
use crate::file;
use crate::out::Out;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(after_help = "\
A script is what a trader would write down to check us, a line each:
  fund A7 100.00
  @0ms quote M1 2.50
  @5ms quote M1 2.40
  @6ms place R1 A7 M1 10.00 2.50   -> PriceMoved now 2.40
  @7ms place R2 A7 M1 10.00 any    -> B1 at 2.40 returns 24.00
  balance A7                       -> 90.00

After every line the whole state is checked; at the end everything is replayed and compared.

All verbs: docs/script.md.

Examples:
  betring script docs/derby.script
  betring script --verbose *.script")]
pub(crate) struct Args {
    /// The scripts.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print every line with its answer, not only the one that fails.
    #[arg(short, long)]
    verbose: bool,
}

/// Runs scripts.
pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    let mut out = Out::new();
    let mut failed = false;
    for path in &args.files {
        let text = file::text("cannot read the script", path)?;
        match betring_core::script::run(&text) {
            // What says nothing holds nothing: a path that was mistaken, a file that was cut.
            Ok(report) if report.transcript.trim().is_empty() => {
                failed = true;
                out.line(format_args!("FAIL  {}: there is no line in it", path.display()))?;
            }
            Ok(report) => {
                if args.verbose {
                    out.line(report.transcript.trim_end())?;
                }
                let records = report.records.len();
                out.line(format_args!("PASS  {} ({records} records)", path.display()))?;
            }
            Err(failure) => {
                failed = true;
                if args.verbose {
                    out.line(failure.transcript.trim_end())?;
                }
                out.line(format_args!("FAIL  {}:{}", path.display(), failure.line))?;
                out.line(format_args!("  {}", failure.text))?;
                out.line(format_args!("  {}", failure.what.replace('\n', "\n  ")))?;
            }
        }
        out.flush()?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
