//! What docs/json-lines.md says is what `jsonl` does.

use betring_core::command::{Kind, Lane};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

const DOC: &str = include_str!("../../docs/json-lines.md");

/// What the harness does not ask over the pipe yet: it plays singles there, at one feed a market and from
/// balances that are kept here.
const UNSPOKEN: [Kind; 36] = [
    Kind::PlaceTicket,
    Kind::CashOut,
    Kind::SetAutoCashOut,
    Kind::FreezeCashOut,
    Kind::PublishRules,
    Kind::SetInPlay,
    Kind::AnswerReferral,
    Kind::CancelBets,
    Kind::CancelBet,
    Kind::RollbackResult,
    Kind::CorrectPrice,
    Kind::Adjust,
    Kind::GrantBonus,
    Kind::DefineGroup,
    Kind::SwitchFeed,
    Kind::SetFeedSchema,
    Kind::FeedRecovering,
    Kind::Reprice,
    Kind::SetTier,
    Kind::AssignTier,
    Kind::TraderPrice,
    Kind::ConfirmHold,
    Kind::ReleaseHold,
    Kind::SetAccountLimit,
    Kind::SetOwnLimit,
    Kind::SetStakeFactor,
    Kind::SetShedding,
    Kind::ExcludeAccount,
    Kind::ExcludeSelf,
    Kind::SetExchange,
    Kind::SetDiscount,
    Kind::LapseOrders,
    Kind::PlaceOrders,
    Kind::CancelOrders,
    Kind::ReplaceOrders,
    Kind::UpdateOrders,
];

/// What `jsonl` answers to these lines, in order.
fn answers(lines: &[String]) -> Vec<Value> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_jsonl"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let mut to = child.stdin.take().expect("piped");
    to.write_all(lines.join("\n").as_bytes()).expect("it reads");
    drop(to);
    let said = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(said.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The lines of the document's example.
fn example() -> Vec<String> {
    let example = DOC.lines().flat_map(|line| line.split('\''));
    example.filter(|part| part.starts_with("{\"do\"")).map(str::to_owned).collect()
}

#[test]
fn the_example_registers_an_actor() {
    let answers = answers(&example());
    assert_eq!(answers[0], serde_json::json!({}));
    assert_eq!((&answers[1]["answer"], &answers[1]["id"]), (&"Done".into(), &1.into()));
    assert_eq!(answers.len(), 2);
}

#[test]
fn every_command_has_its_line_and_every_line_is_a_command() {
    let commands = DOC.split("## Commands").nth(1).expect("a chapter on commands");
    let commands = commands.split("## Answers").next().expect("it ends");
    let named: Vec<&str> = commands
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| *name != "do")
        .collect();
    let asked: Vec<&str> = Kind::ALL
        .iter()
        .filter(|kind| kind.lane() != Lane::Engine && !UNSPOKEN.contains(kind))
        .map(|kind| kind.name())
        .collect();
    let sorted = |mut names: Vec<&'static str>| {
        names.sort_unstable();
        names
    };
    assert_eq!(sorted(named.clone()), sorted(asked));

    let mut lines = vec![example().remove(0)];
    lines.extend(named.iter().map(|name| format!("{{\"do\":\"{name}\",\"at\":2}}")));
    for (name, answer) in named.iter().zip(&answers(&lines)[1..]) {
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(!error.contains("nothing that can be done here"), "{name}: {error}");
    }
}
