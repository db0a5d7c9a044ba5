//! Rules as a person writes them down, to ask a journal what they would have decided.

use crate::error::CliError;
use crate::file;
use betring_core::time::Nanos;
use betring_core::{BetFacts, Rules, Ruling};
use betring_pricing::{Currency, Money, Price, Stake};
use serde::Deserialize;
use std::path::Path;

/// What a file of rules may say.
pub(crate) const FORMAT: &str = "\
  currency = \"GBP\"             only bets in this currency; left out: all
  max_stake = \"500.00\"         a larger stake is refused
  reduce = true                with max_stake: not refused, but reduced to it
  max_payout = \"20000.00\"      a bet that would return more is refused
  shortest_price = \"1.05\"      at a shorter price nothing is taken
  longest_price = \"51.00\"      at a longer price nothing is taken
  no_bets_after_minute = 85    of the fixture, from when it starts; 0: nothing in-play";

/// The file as it is written; a field left out asks nothing.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    currency: Option<String>,
    max_stake: Option<String>,
    #[serde(default)]
    reduce: bool,
    max_payout: Option<String>,
    shortest_price: Option<String>,
    longest_price: Option<String>,
    no_bets_after_minute: Option<u16>,
}

/// Why one of these rules refused.
#[derive(Clone, Copy)]
enum Why {
    Stake = 1,
    Payout = 2,
    Short = 3,
    Long = 4,
    Minute = 5,
}

/// Rules from a file. They refuse or reduce, as all rules: what the house's limits refused stays so.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct FileRules {
    currency: Option<Currency>,
    max_stake: Option<Stake>,
    reduce: bool,
    max_payout: Option<Money>,
    shortest: Option<Price>,
    longest: Option<Price>,
    after: Option<Nanos>,
}

impl FileRules {
    /// Reads a file of rules.
    pub(crate) fn read(path: &Path) -> Result<FileRules, CliError> {
        let text = file::text("cannot read the rules", path)?;
        FileRules::parse(&text).map_err(|what| {
            CliError::new(
                format_args!("these are no rules: {what}"),
                path.display(),
                format_args!("write any of these lines:\n{FORMAT}"),
            )
        })
    }

    fn parse(text: &str) -> Result<FileRules, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string().trim().to_owned())?;
        if file.reduce && file.max_stake.is_none() {
            return Err("reduce says to what by max_stake, which is missing".to_owned());
        }
        let rules = FileRules {
            currency: field("currency", file.currency.as_deref())?,
            max_stake: field("max_stake", file.max_stake.as_deref())?,
            reduce: file.reduce,
            max_payout: field("max_payout", file.max_payout.as_deref())?,
            shortest: field("shortest_price", file.shortest_price.as_deref())?,
            longest: field("longest_price", file.longest_price.as_deref())?,
            after: file.no_bets_after_minute.map(|m| Nanos::from_secs(60 * i64::from(m))),
        };
        if rules == (FileRules { currency: rules.currency, ..FileRules::default() }) {
            return Err("there is no rule in it".to_owned());
        }
        Ok(rules)
    }

    /// Whether one of them counts from when a fixture starts.
    pub(crate) fn counts_minutes(&self) -> bool {
        self.after.is_some()
    }

    /// What a refusal by one of them says.
    pub(crate) fn reason(&self, code: u32) -> String {
        let price = |price: Option<Price>| price.map(|p| p.to_string()).unwrap_or_default();
        match code {
            code if code == Why::Stake as u32 => {
                let most = self.max_stake.map(|s| s.to_string()).unwrap_or_default();
                format!("its stake is above {most}")
            }
            code if code == Why::Payout as u32 => {
                let most = self.max_payout.map(|m| m.to_string()).unwrap_or_default();
                format!("it would return more than {most}")
            }
            code if code == Why::Short as u32 => {
                format!("its price is shorter than {}", price(self.shortest))
            }
            code if code == Why::Long as u32 => {
                format!("its price is longer than {}", price(self.longest))
            }
            code if code == Why::Minute as u32 => {
                let minute = self.after.unwrap_or(Nanos::ZERO).0 / 60_000_000_000;
                format!("it is after minute {minute}")
            }
            code => format!("reason {code}"),
        }
    }

    fn is_about(&self, bet: &BetFacts) -> bool {
        self.currency.is_none_or(|currency| currency == bet.currency)
    }
}

fn field<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &str,
    text: Option<&str>,
) -> Result<Option<T>, String> {
    text.map(|text| text.parse().map_err(|e| format!("{name}: {e}"))).transpose()
}

impl Rules for FileRules {
    /// Stands in no journal: with these rules nothing is ever decided for good.
    const ID: u64 = u64::MAX;
    const VERSION: u32 = 1;

    fn market(&self, bet: &BetFacts) -> Ruling {
        let refuse = |why: Why| Ruling::Refuse(why as u32);
        if !self.is_about(bet) {
            return Ruling::Pass;
        }
        let is_late = self.after.is_some_and(|after| bet.starts.plus(after) <= bet.at);
        if bet.starts.0 != 0 && is_late {
            return refuse(Why::Minute);
        }
        match bet.price {
            Some(price) if self.shortest.is_some_and(|least| price < least) => refuse(Why::Short),
            Some(price) if self.longest.is_some_and(|most| most < price) => refuse(Why::Long),
            _ => Ruling::Pass,
        }
    }

    fn stake(&self, bet: &BetFacts) -> Ruling {
        match self.max_stake {
            Some(most) if self.is_about(bet) && most < bet.stake => match self.reduce {
                true => Ruling::Reduce(most),
                false => Ruling::Refuse(Why::Stake as u32),
            },
            _ => Ruling::Pass,
        }
    }

    fn liability(&self, bet: &BetFacts) -> Ruling {
        let (Some(most), Some(price)) = (self.max_payout, bet.price) else { return Ruling::Pass };
        let returns = i128::from(bet.stake.minor()) * i128::from(price.e4());
        if self.is_about(bet) && i128::from(most.minor()) * 10_000 < returns {
            return Ruling::Refuse(Why::Payout as u32);
        }
        Ruling::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_format_is_read_and_none_besides() {
        let lines: Vec<String> = FORMAT
            .lines()
            .map(|line| line.trim().split("  ").next().unwrap_or_default().to_owned())
            .collect();
        let rules = FileRules::parse(&lines.join("\n")).expect("what we tell people to write");
        assert_eq!(rules.after, Some(Nanos::from_secs(85 * 60)));
        assert!(rules.currency.is_some() && rules.max_stake.is_some() && rules.reduce);
        assert!(rules.max_payout.is_some() && rules.shortest.is_some() && rules.longest.is_some());
        for (wrong, says) in [
            ("max_steak = \"5.00\"", "unknown field `max_steak`"),
            ("max_stake = \"a lot\"", "max_stake: "),
            ("max_stake = 5", "invalid type: integer"),
            ("longest_price = \"0.5\"", "longest_price: "),
            ("reduce = true", "max_stake, which is missing"),
            ("currency = \"GBP\"", "there is no rule in it"),
            ("", "there is no rule in it"),
        ] {
            let what = FileRules::parse(wrong).expect_err(wrong);
            assert!(what.contains(says), "{wrong}: {what}");
        }
    }
}
