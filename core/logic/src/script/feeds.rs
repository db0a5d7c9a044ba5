//! The verbs of feeds, their groups, tiers, and of prices by hand.

use super::verbs::moment;
use super::words::{self, Unreadable, Words};
use super::{Runner, Said, Stop, labelled};
use crate::answer::AnswerKind;
use crate::command::*;
use crate::event::FeedStatus;
use crate::id::*;
use crate::rules::Rules;
use crate::time::Nanos;
use crate::wire::WirePrice;

impl<R: Rules> Runner<R> {
    /// `group G1 F1 F2`: primary, backup.
    pub(super) fn define_group(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let name = words.option("named")?;
        let label = words.next("a group like G1")?;
        labelled(&label, 'G', "a group like G1")?;
        let primary = self.feed_of(&words.next("the primary, a feed like F1")?)?;
        let backup = self.feed_of(&words.next("the backup, a feed like F2")?)?;
        words.done()?;
        let reason = envelope.reason;
        let body = DefineGroup { valid_until, reason, primary, backup, ..DefineGroup::default() };
        let name = name.unwrap_or_else(|| label.clone());
        let slots = build::define_group(header, body, &name).map_err(|what| what.to_string())?;
        let reply = self.send(&who, envelope.key.as_deref(), &slots)?;
        if reply.answer.kind() == AnswerKind::Done {
            let id = u16::try_from(reply.answer.id).map_err(|_| "a group's number is 16 bits")?;
            self.groups.insert(label, GroupId(id));
        }
        Ok(Said::Reply(reply))
    }

    /// `switch G1 backup`.
    pub(super) fn switch(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let group = self.group_of(&words.next("a group like G1")?)?;
        let to = match words.next("primary or backup")?.as_str() {
            "primary" => Drives::Primary,
            "backup" => Drives::Backup,
            other => return Err(Unreadable::new(other, "primary or backup").into()),
        };
        words.done()?;
        let (reason, to) = (envelope.reason, to as u8);
        let body = SwitchFeed { valid_until, reason, group, to, ..SwitchFeed::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `tier 2 age 1.5s cash-out-age 300ms drift 2% dwell 60s band 50% liability step 25% 2 ticks 3 steps`,
    /// or `liability suspend 25%`: what is not named does not bound anything.
    pub(super) fn tier(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let mut body = SetTier { valid_until, reason: envelope.reason, ..SetTier::default() };
        for (name, span) in [
            ("age", &mut body.age_bound),
            ("cash-out-age", &mut body.cash_out_age),
            ("dwell", &mut body.drift_dwell),
        ] {
            *span = words.option(name)?.map_or(Ok(Nanos::ZERO), |s| words::span(&s))?;
        }
        for (name, share) in [("drift", &mut body.drift_band), ("band", &mut body.price_band)] {
            *share = words.option(name)?.map_or(Ok(0), |s| words::millionths(&s))?;
        }
        body.tier = words::number(&words.next("a tier, from 0 to 255")?)?;
        if words.take("liability") {
            let act = words.next("step or suspend")?;
            let band = words.next("a band like 25%")?;
            body.band = words::number(band.strip_suffix('%').unwrap_or(&band))?;
            let mut count = |unit: &'static str| -> Result<u8, Stop> {
                let count = words::number(&words.next("a number")?)?;
                if words.take(unit) { Ok(count) } else { Err(format!("expected `{unit}`")) }
            };
            body.act = match act.as_str() {
                "step" => {
                    (body.ticks, body.steps) = (count("ticks")?, count("steps")?);
                    LiabilityAct::Step
                }
                "suspend" => LiabilityAct::Suspend,
                other => return Err(Unreadable::new(other, "step or suspend").into()),
            } as u8;
        }
        words.done()?;
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `assign M1 2`.
    pub(super) fn assign(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let market = self.market_of(&words.next("a market like M1")?)?;
        let tier = words::number(&words.next("a tier, from 0 to 255")?)?;
        words.done()?;
        let reason = envelope.reason;
        let body = AssignTier { valid_until, reason, tier, market, ..AssignTier::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `schema F1 7`: the version that it has to send from here on; 0 any.
    pub(super) fn schema(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let feed = self.feed_of(&words.next("a feed like F1")?)?;
        let schema = words::number(&words.next("a version, or 0 for any")?)?;
        words.done()?;
        let reason = envelope.reason;
        let body = SetFeedSchema { valid_until, reason, feed, schema, ..SetFeedSchema::default() };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `pin M1/Draw 3.40`, `unpin M1/Draw`, `take M1/Draw`: a trader's word on a price.
    pub(super) fn trader_price(&mut self, verb: &str, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let (who, header, valid_until) = self.control(&envelope)?;
        let (market, selection) = self.selection_named(words)?;
        let (act, price) = match verb {
            "pin" => (TraderPriceAct::Pin, words::price(&words.next("a price like 3.40")?)?),
            "unpin" => (TraderPriceAct::Unpin, WirePrice::NONE),
            _ => (TraderPriceAct::TakeHeld, WirePrice::NONE),
        };
        words.done()?;
        let body = TraderPrice {
            valid_until,
            reason: envelope.reason,
            selection,
            act: act as u8,
            market,
            price,
            ..TraderPrice::default()
        };
        self.plain(&who, envelope.key.as_deref(), header, &body)
    }

    /// `heartbeat F1`, `gap F1 [connection]`, `recovering F1 [request 7]`, `recovered F1 [request 7]`.
    pub(super) fn feed_message(&mut self, verb: &str, words: &mut Words) -> Result<Said, Stop> {
        let envelope = self.envelope(words)?;
        let feed_seq = words.option("seq")?.map_or(Ok(0), |s| words::number(&s))?;
        let source = moment(words, "source")?;
        let request = words.option("request")?.map_or(Ok(0), |r| words::number(&r))?;
        let schema = words.option("schema")?.map_or(Ok(0), |s| words::number(&s))?;
        let connection = u8::from(words.flag("connection"));
        let feed = self.feed_of(&words.next("a feed like F1")?)?;
        words.done()?;
        let (who, header) = self.feed_header(&envelope)?;
        let reason = envelope.reason;
        let key = envelope.key.as_deref();
        macro_rules! message {
            ($name:ident) => {
                $name {
                    reason,
                    feed,
                    connection,
                    feed_seq,
                    source,
                    request,
                    schema,
                    ..$name::default()
                }
            };
        }
        match verb {
            "heartbeat" => self.plain(&who, key, header, &message!(FeedHeartbeat)),
            "gap" => self.plain(&who, key, header, &message!(FeedGap)),
            "recovering" => self.plain(&who, key, header, &message!(FeedRecovering)),
            _ => self.plain(&who, key, header, &message!(FeedRecovered)),
        }
    }

    // ---- questions ----

    /// `feed F1 -> Up`; a feed that is up and silent for too long is `Silent`, and `slow` stands behind.
    pub(super) fn ask_feed(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let feed = self.feed_of(&words.next("a feed like F1")?)?;
        words.done()?;
        // A script may ask between two lines: silence is a matter of now.
        let now = self.now;
        let state = self.desk()?.state();
        let said = state.feed(feed).map(|view| {
            let silent = view.status == FeedStatus::Up && !state.feed_is_up(feed, now);
            let status = if silent { "Silent".to_owned() } else { view.status.to_string() };
            if view.slow { format!("{status} slow") } else { status }
        });
        Ok(Said::Text(said.unwrap_or_else(|| "unknown".to_owned())))
    }

    /// `group G1 -> Backup`: which feed drives.
    pub(super) fn ask_group(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let group = self.group_of(&words.next("a group like G1")?)?;
        words.done()?;
        let view = self.desk()?.state().group(group).map(|view| view.drives.to_string());
        Ok(Said::Text(view.unwrap_or_else(|| "unknown".to_owned())))
    }

    /// `price M1/Draw -> 3.40`; `3.40 pinned`, `3.40 held 9.00` with what is held back; `price M1 F2` of
    /// the feed that does not drive.
    pub(super) fn ask_price(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let (market, selection) = self.selection_named(words)?;
        let feed = words.maybe().map(|label| self.feed_of(&label)).transpose()?;
        words.done()?;
        let state = self.desk()?.state();
        let view = state.market(market).ok_or("there is no such market")?;
        let kept = view.selections.get(usize::from(selection.0)).ok_or("no such selection")?;
        let asked = feed.unwrap_or(view.feed);
        let quote = kept.quotes.iter().find(|quote| quote.feed == asked);
        let quote = quote.ok_or("the market takes no prices of that feed")?;
        let price = if feed.is_some() { quote.price } else { kept.price };
        let mut said = if price.is_none() { "none".to_owned() } else { price.to_string() };
        if feed.is_none() && kept.pinned {
            said += " pinned";
        }
        if !quote.held.is_none() {
            said += &format!(" held {}", quote.held);
        }
        Ok(Said::Text(said))
    }

    /// `drift M1 -> over @5s` since then, or `within`.
    pub(super) fn ask_drift(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let market = self.market_of(&words.next("a market like M1")?)?;
        words.done()?;
        let view = self.desk()?.state().market(market).ok_or("there is no such market")?;
        Ok(Said::Text(match view.drifted_since {
            Some(since) => format!("over @{}", since.since(super::START)),
            None => "within".to_owned(),
        }))
    }

    /// `bands M1/Draw -> 2`: bands of liability, `2 steps 1` with those that shorten its price,
    /// `suspended` behind them.
    pub(super) fn ask_bands(&mut self, words: &mut Words) -> Result<Said, Stop> {
        let (market, selection) = self.selection_named(words)?;
        words.done()?;
        let view = self.desk()?.state().market(market).ok_or("there is no such market")?;
        let kept = view.selections.get(usize::from(selection.0)).ok_or("no such selection")?;
        let steps = if kept.steps == 0 { String::new() } else { format!(" steps {}", kept.steps) };
        let suspended = if kept.suspended { " suspended" } else { "" };
        Ok(Said::Text(format!("{}{steps}{suspended}", kept.bands)))
    }

    // ---- parts ----

    /// `M1/Draw`, or `M1` for its first selection.
    fn selection_named(
        &mut self,
        words: &mut Words,
    ) -> Result<(MarketId, SelectionIndex), Unreadable> {
        let target = words.next("a selection like M1/Draw")?;
        let (label, selection) = target.split_once('/').unwrap_or((&target, "1"));
        Ok((self.market_of(label)?, self.selection_of(label, selection)?))
    }

    pub(super) fn group_of(&self, label: &str) -> Result<GroupId, Unreadable> {
        let number = labelled(label, 'G', "a group like G1")?;
        let unknown = GroupId(60_000 + u16::try_from(number % 5_000).expect("below 5,000"));
        Ok(self.groups.get(label).copied().unwrap_or(unknown))
    }
}
