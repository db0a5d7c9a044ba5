//! What customers were told, as one of them wrote it down, one JSON object a line; and the proof
//! that the journal says the same.

use crate::describe::{Told as Record, party};
use crate::error::CliError;
use crate::file;
use betring_core::answer::{Answer, AnswerKind, Reply};
use betring_core::event::{Answered, Event};
use betring_core::id::{Epoch, RequestKey, Seq};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use zerocopy::{FromBytes, IntoBytes};

/// How safe an answer was when it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AckLevel {
    /// The device had it.
    Durable,
    /// It was in the page cache: survives the process, not the machine.
    Process,
    /// It was decided, nothing more: a crash may withdraw it.
    Applied,
}

/// How every file of acknowledgements begins.
pub(crate) const BEGINNING: &str = "{\"level\":\"";

/// One acknowledgement, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ack {
    /// The level of the output that told it.
    pub(crate) level: AckLevel,
    /// The run that told it.
    pub(crate) epoch: u32,
    /// The sequence that decided; 0 if nothing was sequenced.
    pub(crate) seq: u64,
    /// Whose request: an account, or an actor.
    pub(crate) account: u64,
    /// Its key, in hexadecimal with 0x before it.
    pub(crate) key: String,
    /// The client's number of the attempt.
    pub(crate) token: u64,
    /// The connection.
    pub(crate) client: u16,
    /// Whether an earlier answer was repeated.
    pub(crate) duplicate: bool,
    /// Whether the answer was sequenced; if not, this attempt was refused before that.
    pub(crate) sequenced: bool,
    /// The 64 bytes of the answer, in hexadecimal.
    pub(crate) answer: String,
}

impl Ack {
    /// What is written down of a reply.
    pub(crate) fn of(reply: &Reply, level: AckLevel) -> Ack {
        let mut answer = String::with_capacity(2 * size_of::<Answer>());
        for byte in reply.answer.as_bytes() {
            answer.push_str(&format!("{byte:02x}"));
        }
        Ack {
            level,
            epoch: reply.epoch.0,
            seq: reply.answer.seq.0,
            account: reply.account,
            key: hex(reply.key),
            token: reply.token.0,
            client: reply.client.0,
            duplicate: reply.is_duplicate(),
            sequenced: reply.answer.seq != Seq(0),
            answer,
        }
    }

    /// The line of the file, without its end.
    pub(crate) fn to_line(&self) -> String {
        // Numbers and texts only, into memory: there is nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn told(&self) -> Option<Told> {
        let key = key_of(&self.key)?;
        if self.answer.len() != 2 * size_of::<Answer>() || !self.answer.is_ascii() {
            return None;
        }
        let mut bytes = [0; size_of::<Answer>()];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&self.answer[2 * i..2 * i + 2], 16).ok()?;
        }
        let answer = Answer::read_from_bytes(&bytes).ok()?;
        let Ack { level, epoch, account, token, client, duplicate, sequenced, .. } = *self;
        let agrees = answer.is_valid() && answer.seq.0 == self.seq && sequenced == (self.seq != 0);
        let ended = Ended::Open;
        let told =
            Told { level, epoch, account, key, token, client, duplicate, sequenced, answer, ended };
        agrees.then_some(told)
    }
}

/// One acknowledgement, read, and what the journal made of it.
struct Told {
    level: AckLevel,
    epoch: u32,
    account: u64,
    key: RequestKey,
    token: u64,
    client: u16,
    duplicate: bool,
    sequenced: bool,
    answer: Answer,
    ended: Ended,
}

enum Ended {
    Open,
    Confirmed,
    Contradicted(Answer),
    BetAfterAll(Seq),
}

/// All acknowledgements of a file, and how the journal bears them out.
pub(crate) struct Acks {
    told: Vec<Told>,
    by_key: HashMap<(u64, u128), Vec<usize>>,
    cut_lines: u64,
}

/// What became of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct AckSummary {
    /// Acknowledgements read.
    pub(crate) read: u64,
    /// Answers at Process or Durable that had to be in the journal.
    pub(crate) promised: u64,
    /// Repeated answers that had to equal their originals.
    pub(crate) duplicates: u64,
    /// Attempts that were refused before they were sequenced.
    pub(crate) refused_before: u64,
    /// Answers told at Applied only that the journal does not have: withdrawn, as that level says.
    pub(crate) withdrawn: u64,
    /// Promised answers that the journal does not have.
    pub(crate) lost: u64,
    /// Answers that are another one in the journal.
    pub(crate) contradicted: u64,
    /// Lines cut off at the end of the file, by a kill.
    pub(crate) cut_lines: u64,
}

impl Acks {
    /// Reads a file of acknowledgements. A last line without its end was cut by a kill: nobody can
    /// say what it promised, so it is counted and left out.
    pub(crate) fn read(path: &Path) -> Result<Acks, CliError> {
        let opened = std::fs::File::open(path)
            .map_err(|e| CliError::io("cannot open the acknowledgements", path, &e))?;
        let mut reader = std::io::BufReader::new(opened);
        let mut acks = Acks { told: Vec::new(), by_key: HashMap::new(), cut_lines: 0 };
        let mut line = Vec::new();
        for number in 1_u64.. {
            let what = "cannot read the acknowledgements";
            let read = file::line(what, path, &mut reader, &mut line)?;
            if read == 0 {
                break;
            }
            if line.last() != Some(&b'\n') {
                acks.cut_lines += 1;
                break;
            }
            let ack = serde_json::from_slice::<Ack>(&line).map_err(|e| wrong(path, number, &e))?;
            let told = ack.told().ok_or_else(|| {
                wrong(path, number, &"key or answer are not the bytes of a key and an answer")
            })?;
            acks.by_key.entry((told.account, told.key.0)).or_default().push(acks.told.len());
            acks.told.push(told);
        }
        Ok(acks)
    }

    /// Takes the next record of the journal.
    pub(crate) fn record(&mut self, epoch: Epoch, told: &Record<'_>) {
        for event in &told.events {
            if let Event::Answered(answered) = event {
                self.answered(answered);
            }
        }
        if told.events.iter().any(|e| matches!(e, Event::BetOpened(_) | Event::BetOffered(_))) {
            self.bet_made(told, epoch);
        }
    }

    fn answered(&mut self, event: &Answered) {
        let Some(all) = self.by_key.get(&(event.account, event.key.0)) else { return };
        for told in all {
            let told = &mut self.told[*told];
            if !told.sequenced {
                continue;
            }
            // A key may be answered again long after it was forgotten: one of its answers it was.
            if let Ended::Open | Ended::Contradicted(_) = told.ended {
                told.ended = if told.answer == event.answer {
                    Ended::Confirmed
                } else {
                    Ended::Contradicted(event.answer)
                };
            }
        }
    }

    /// A bet was made: not by an attempt that was told it was refused.
    fn bet_made(&mut self, record: &Record<'_>, epoch: Epoch) {
        let header = &record.header;
        let Some(all) = self.by_key.get(&(header.account, header.key.0)) else { return };
        for told in all {
            let told = &mut self.told[*told];
            let this_attempt = (told.epoch, told.token, told.client)
                == (epoch.0, record.token().0, header.client.0);
            if !told.sequenced && this_attempt {
                told.ended = Ended::BetAfterAll(record.seq);
            }
        }
    }

    /// Compares what is left after the last record; every finding is a sentence.
    pub(crate) fn finish(self, last: Seq, findings: &mut dyn FnMut(String)) -> AckSummary {
        let mut summary = AckSummary { cut_lines: self.cut_lines, ..AckSummary::default() };
        for told in self.told {
            summary.read += 1;
            let promised = told.level != AckLevel::Applied;
            let name = format!("request {} of {}", told.key, party(told.account));
            if !told.sequenced {
                summary.refused_before += 1;
                if let Ended::BetAfterAll(seq) = told.ended {
                    findings(format!(
                        "{name} was told `{}` before sequencing, yet {seq} made a bet from that attempt",
                        told.answer
                    ));
                }
                continue;
            }
            summary.duplicates += u64::from(told.duplicate);
            summary.promised += u64::from(promised);
            let kind = if told.duplicate { "the repeated answer" } else { "the answer" };
            match told.ended {
                Ended::Confirmed => (),
                // A feed's message has no key and no stored answer: its sequence is what it was told.
                Ended::Open if told.key == RequestKey::NONE && told.answer.seq <= last => (),
                _ if !promised => summary.withdrawn += 1,
                Ended::Contradicted(journal) => {
                    // Closed as never seen: there was no answer left to contradict.
                    match journal.kind() {
                        AnswerKind::NeverPlaced => summary.lost += 1,
                        _ => summary.contradicted += 1,
                    }
                    findings(format!(
                        "{name}: {kind} told was `{}` at {}, the journal has `{journal}` at {}",
                        told.answer, told.answer.seq, journal.seq
                    ));
                }
                Ended::Open | Ended::BetAfterAll(_) => {
                    summary.lost += 1;
                    findings(format!(
                        "{name}: {kind} told was `{}` at {}, the journal has none: an acknowledged \
                         answer is lost",
                        told.answer, told.answer.seq
                    ));
                }
            }
        }
        summary
    }
}

/// A key as `audit --key` reads it.
pub(crate) fn hex(key: RequestKey) -> String {
    format!("{:#x}", key.0)
}

/// A key in hexadecimal, with or without 0x.
pub(crate) fn key_of(text: &str) -> Option<RequestKey> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u128::from_str_radix(digits, 16).ok().map(RequestKey)
}

fn wrong(path: &Path, line: u64, what: &dyn std::fmt::Display) -> CliError {
    CliError::new(
        format_args!("this is not an acknowledgement: {what}"),
        format_args!("{}, line {line}", path.display()),
        "name a file that `betring matchday --acks FILE` wrote",
    )
}
