//! What became of bets, as the rules have it: a function of what is known, whatever came first. A settlement
//! that says otherwise is reversed, and the next one posted.

use super::exchange::in_parts;
use super::lines::{ALL_ODDS, Ratio, Rounded};
use super::{Auditor, Bet, Checked, Decided, Leg, Side, Window, money, rule};
use betring_core::BetState;
use betring_core::answer::Answer;
use betring_core::command::*;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::reject::Reject;
use betring_core::time::Timestamp;
use betring_core::wire::WirePrice;
use betring_pricing::{LegNumbers, Pence, Share};

/// Windows that a market may have.
const WINDOWS_OF_A_MARKET: usize = 32;

/// Whose news a settlement follows: the market, the selection, the job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cause {
    pub(super) market: u64,
    pub(super) selection: usize,
    pub(super) job: u64,
}

/// What an entry of a result says of a leg, before deductions.
pub(super) fn numbers_of(entry: &ResultEntry, winners: usize, places: u8) -> LegNumbers {
    let share = |num: u64, den: u64| Share::new(num as u16, den as u16).unwrap_or(Share::NONE);
    let pair = |[num, den]: [u16; 2]| share(num.into(), den.into());
    match entry.form() {
        ResultForm::Win => LegNumbers::WON,
        ResultForm::Lose => LegNumbers::LOST,
        ResultForm::Void => LegNumbers::VOID,
        ResultForm::Shares => LegNumbers {
            void: pair(entry.void),
            win: pair(entry.win),
            place: pair(entry.place),
            rule4: Pence::ZERO,
        },
        ResultForm::Position => {
            // Of the positions that the tied runners share, as many as are paid.
            let [position, tied] = entry.win.map(u64::from);
            let paid = |last: u64| (position..position + tied).filter(|at| *at <= last).count();
            let of = |last: u64| share(paid(last) as u64, tied);
            LegNumbers {
                void: Share::NONE,
                win: of(winners as u64),
                place: of(places.into()),
                rule4: Pence::ZERO,
            }
        }
    }
}

impl Auditor {
    /// What is known of a leg now; nothing while its market has no result.
    pub(super) fn facts(&self, bet: &Bet, leg: &Leg) -> Option<LegNumbers> {
        let market = self.markets.get(&leg.market).filter(|_| !leg.gone);
        let Some(market) = market else { return leg.known };
        let placed = bet.placed_at;
        let covers =
            |window: &&Window| window.active && window.from <= placed && placed < window.until;
        if market.windows.iter().any(|window| covers(&window)) {
            return Some(LegNumbers::VOID);
        }
        let runner = &market.runners[leg.selection];
        let entry = runner.result?;
        let numbers = numbers_of(&entry, market.winners, leg.places);
        // Bets on what does not run are off, whatever else a result says.
        if runner.out || numbers.void.is_all() {
            return Some(LegNumbers::VOID);
        }
        let taken = self.deduction(bet, market, entry.rule4);
        Some(numbers.with_rule4(Pence::new(taken as u8).unwrap_or(Pence::MAX)))
    }

    /// What withdrawn rivals take of a bet's winnings, in pence per pound, with what a result says itself.
    pub(super) fn deduction(&self, bet: &Bet, market: &super::Market, own: u8) -> u32 {
        if own == 0 && !market.deducts {
            return 0;
        }
        let set = self.set(bet.ruleset);
        let cap = u32::from(set.rule4_cap);
        let of_price = |price: WirePrice| {
            let mut rows = set.rule4.iter().filter(|row| row.longest != 0);
            let row = rows.find(|row| price.e4 <= row.longest);
            row.filter(|_| !price.is_none()).map_or(0, |row| u32::from(row.pence)).min(cap)
        };
        let withdrawn = market
            .runners
            .iter()
            .filter(|runner| runner.deducts && bet.placed_seq < runner.withdrawn_seq);
        let all: u32 = withdrawn.map(|runner| of_price(runner.withdrawn_at)).sum();
        (all + u32::from(own)).min(cap)
    }

    /// How a bet comes out by what is known of its legs, and what it pays.
    pub(super) fn due_of(&self, bet: &Bet) -> Option<(BetState, i128)> {
        if bet.cancelled {
            return Some((BetState::Void, bet.stake));
        }
        let factor = |leg: &Leg, place: bool| {
            let part = if place { leg.part } else { ALL_ODDS };
            leg.known.map(|numbers| Ratio::decided(leg.settles_at, part, &numbers, place))
        };
        let each_way = bet.lines.each_way != betring_pricing::EachWay::No;
        let win: Vec<Option<Ratio>> = bet.legs.iter().map(|leg| factor(leg, false)).collect();
        let place: Vec<Option<Ratio>> = bet.legs.iter().map(|leg| factor(leg, each_way)).collect();
        if bet.legs.iter().any(|leg| leg.known.is_none()) {
            let dead = 1 < bet.legs.len() && bet.lines.is_dead(&win, &place);
            return dead.then_some((BetState::Lost, 0));
        }
        let numbers: Vec<LegNumbers> = bet.legs.iter().filter_map(|leg| leg.known).collect();
        if numbers.iter().all(|numbers| numbers.void.is_all()) {
            return Some((BetState::Void, bet.stake));
        }
        let win: Vec<Ratio> = win.into_iter().flatten().collect();
        let place: Vec<Ratio> = place.into_iter().flatten().collect();
        let prices: Vec<WirePrice> = bet.legs.iter().map(|leg| leg.settles_at).collect();
        let rounded = self.rounded(bet.ruleset);
        let lucky = self.set(bet.ruleset).lucky;
        let returns = bet.lines.returns(bet.stake, &win, &place, 1_000_000, rounded);
        let bonus = bet.lines.bonus(bet.stake, &prices, &numbers, lucky, rounded.mode);
        let sum = returns.and_then(|returns| bonus.map(|bonus| returns + bonus));
        // A free bet's own stake stays with the house, as far as it came back or won; rounded up.
        let staked: Vec<Ratio> = numbers.iter().map(Ratio::of_stake).collect();
        let up = Rounded { mode: betring_pricing::RoundingMode::Up, by_line: false };
        let kept = bet.lines.returns(bet.stake, &staked, &staked, 1_000_000, up);
        let kept = if bet.bonus { kept.unwrap_or(bet.stake) } else { 0 };
        let sum = sum.map(|sum| (sum - kept).max(0));
        let paid = sum.map_or(bet.returns, |sum| bet.cap.map_or(sum, |cap| sum.min(cap)));
        Some(match paid {
            0 => (BetState::Lost, 0),
            paid if bet.bonus || bet.stake <= paid => (BetState::Won, paid),
            paid => (BetState::Partial, paid),
        })
    }

    /// Brings a bet to what is known of it.
    pub(super) fn evaluates(&mut self, id: u64, cause: Cause) {
        let Some(bet) = self.bets.get(&id) else { return };
        let due = self.due_of(bet);
        if bet.state.is_settled() {
            if due == Some((bet.state, bet.paid)) {
                return;
            }
            self.reverses(id, cause);
        } else if due.is_none() {
            return;
        }
        if let Some((state, paid)) = due {
            self.posts(id, state, paid, cause);
        }
        self.judges_legs(id);
    }

    fn posts(&mut self, id: u64, state: BetState, paid: i128, cause: Cause) {
        let settlement = self.markets.get(&cause.market).map_or(0, |market| market.settlement);
        let Some(bet) = self.bets.get_mut(&id) else { return };
        let from = bet.state.to_string();
        (bet.state, bet.paid) = (state, paid);
        bet.settlements += 1;
        let bet = bet.clone();
        let (escrow, house) = (Side::House(HouseAccount::Escrow), Side::House(HouseAccount::House));
        if state == BetState::Void {
            let to = bet.money_from();
            self.transfer(bet.currency, escrow, to, bet.stake, TransferWhy::Return, id);
        } else {
            self.transfer(bet.currency, escrow, house, bet.stake, TransferWhy::Take, id);
            if 0 < paid {
                let customer = Side::Customer(bet.account);
                self.transfer(bet.currency, house, customer, paid, TransferWhy::Pay, id);
            }
        }
        let step = match state {
            BetState::Won => "win",
            BetState::Lost => "lose",
            BetState::Partial => "partial",
            _ => "void",
        };
        self.hit(&from, step);
        self.told.push(Event::BetSettled(BetSettled {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(bet.account),
            market: MarketId::from_raw(cause.market),
            job: JobId(cause.job),
            paid: money(paid),
            settlement,
            selection: SelectionIndex(cause.selection as u16),
            outcome: state.outcome() as u8,
            zero: 0,
            stake: money(bet.stake),
            version: bet.settlements,
            zero2: 0,
        }));
    }

    /// What was paid goes back, whether the customer still has it or not; the stake is in escrow again.
    fn reverses(&mut self, id: u64, cause: Cause) {
        let Some(bet) = self.bets.get_mut(&id) else { return };
        let before = bet.clone();
        (bet.state, bet.paid) = (BetState::Open, 0);
        let (escrow, house) = (Side::House(HouseAccount::Escrow), Side::House(HouseAccount::House));
        let (currency, why) = (before.currency, TransferWhy::Reverse);
        let debtor = Side::Debtor(before.account);
        if before.state == BetState::Void {
            let from = if before.bonus { before.money_from() } else { debtor };
            self.transfer(currency, from, escrow, before.stake, why, id);
        } else {
            if 0 < before.paid {
                self.transfer(currency, debtor, house, before.paid, why, id);
            }
            self.transfer(currency, house, escrow, before.stake, why, id);
        }
        self.hit(&before.state.to_string(), "reverse");
        self.told.push(Event::BetReversed(BetReversed {
            bet: BetId::from_raw(id),
            account: AccountId::from_raw(before.account),
            market: MarketId::from_raw(cause.market),
            job: JobId(cause.job),
            paid: money(before.paid),
            stake: money(before.stake),
            version: before.settlements,
            outcome: before.state.outcome() as u8,
            zero: [0; 3],
        }));
    }

    /// The news of a market reach one of its bets.
    pub(super) fn news_reach(&mut self, id: u64, market: u64, job: u64) {
        let Some(bet) = self.bets.get(&id) else { return };
        let Some(number) = bet.legs.iter().position(|leg| leg.market == market) else { return };
        let facts = self.facts(bet, &bet.legs[number]);
        let (before, single) = (bet.legs[number].known, bet.single);
        let selection = bet.legs[number].selection;
        self.bets.entry(id).and_modify(|bet| {
            bet.legs[number].known = facts;
            bet.legs[number].may_be.clear();
        });
        if before != facts && !single {
            let numbers = facts.unwrap_or(LegNumbers::LOST);
            let pair = |share: Share| match facts {
                Some(_) => [share.num(), share.den()],
                None => [0; 2],
            };
            self.told.push(Event::LegDecided(LegDecided {
                bet: BetId::from_raw(id),
                leg: number as u8,
                decided: u8::from(facts.is_some()),
                rule4: numbers.rule4.get(),
                zero: 0,
                win: pair(numbers.win),
                place: pair(numbers.place),
                void: pair(numbers.void),
                zero2: 0,
            }));
        }
        self.evaluates(id, Cause { market, selection, job });
    }

    /// What is known of a market has changed, and its job comes to each bet sooner or later. A single does not
    /// tell when its leg was looked at, so until the job ends either may be what is known of it.
    fn news_are_out(&mut self, market: u64) {
        let concerned: Vec<u64> = self
            .bets
            .iter()
            .filter(|(_, bet)| bet.single && bet.legs[0].market == market)
            .map(|(id, _)| *id)
            .collect();
        concerned.into_iter().for_each(|id| self.news_may_reach(id));
    }

    pub(super) fn news_may_reach(&mut self, id: u64) {
        let Some(bet) = self.bets.get(&id) else { return };
        let leg = &bet.legs[0];
        if !bet.single || leg.gone || !self.has_job(leg.market) {
            return;
        }
        let facts = self.facts(bet, leg);
        self.bets.entry(id).and_modify(|bet| {
            let leg = &mut bet.legs[0];
            if !leg.may_be.contains(&facts) {
                leg.may_be.push(facts);
            }
        });
    }

    pub(super) fn has_job(&self, market: u64) -> bool {
        self.markets.get(&market).is_some_and(|market| market.job.is_some())
    }

    /// The news of a bet itself are told as of the first of its markets that is in memory; while one leaves it,
    /// either that or the next.
    fn own_causes(&self, bet: &Bet) -> Vec<Cause> {
        let mut causes = Vec::new();
        for leg in bet.legs.iter().filter(|leg| !leg.gone) {
            causes.push(Cause { market: leg.market, selection: leg.selection, job: 0 });
            let market = self.markets.get(&leg.market);
            if market.is_none_or(|market| market.status != MarketStatus::Archiving) {
                break;
            }
        }
        causes
    }

    /// Evaluates a bet by news of its own; of what may be known of it, what the record shows.
    fn evaluates_by_itself(&mut self, id: u64) {
        let Some(bet) = self.bets.get(&id) else { return };
        let mut knowns = vec![bet.legs[0].known];
        knowns.extend(bet.legs[0].may_be.iter().copied());
        let causes = self.own_causes(bet);
        let told = self.told.len();
        let of_each = |known| causes.iter().map(move |cause| (known, *cause));
        for (known, cause) in knowns.iter().copied().flat_map(of_each) {
            let mut other = self.clone();
            other.bets.entry(id).and_modify(|bet| {
                bet.legs[0].known = known;
                // Which of them it was, a settlement alone does not say.
                bet.legs[0].may_be.clone_from(&knowns);
            });
            other.evaluates(id, cause);
            let rest = &other.told[told..];
            let same = self.found.get(told..told + rest.len()) == Some(rest);
            let behind = self.found.get(told + rest.len());
            if same && matches!(behind, Some(Event::Answered(_))) {
                *self = other;
                return;
            }
        }
        // None of them: then the first is what the record is held against.
        if let Some(cause) = causes.first() {
            self.evaluates(id, *cause);
        }
    }

    /// A bet that stands or was settled.
    fn standing_or_settled(&mut self, id: u64, step: &str) -> Result<Bet, Answer> {
        let bet = self.known_bet(id)?;
        self.hit(&bet.state.to_string(), step);
        if bet.state == BetState::Open || bet.state.is_settled() {
            return Ok(bet);
        }
        Err(self.no(Reject::NotAllowed))
    }

    pub(super) fn known_bet(&self, id: u64) -> Result<Bet, Answer> {
        let unknown = self.no(Reject::BetUnknown);
        match self.bets.get(&id) {
            None => Err(unknown),
            Some(bet) if bet.state == BetState::Archived => Err(unknown),
            Some(bet) if self.is_leaving(bet) && self.answered_with(Reject::BetUnknown) => {
                Err(unknown)
            }
            Some(bet) => Ok(bet.clone()),
        }
    }

    pub(super) fn cancel_bet(&mut self, body: &CancelBet) -> Decided {
        let id = body.bet.raw();
        let cancel = body.cancel == 1;
        let bet = self.standing_or_settled(id, if cancel { "cancel" } else { "uncancel" })?;
        if bet.cancelled != cancel {
            self.bets.entry(id).and_modify(|bet| bet.cancelled = cancel);
            let (bet, cancelled) = (body.bet, body.cancel);
            self.told.push(Event::BetCancelled(BetCancelled { bet, cancelled, zero: [0; 7] }));
            self.evaluates_by_itself(id);
        }
        Ok(self.done(id))
    }

    pub(super) fn correct_price(&mut self, body: &CorrectPrice) -> Decided {
        let id = body.bet.raw();
        let bet = self.standing_or_settled(id, "correct")?;
        let number = usize::from(body.leg);
        let Some(leg) = bet.legs.get(number) else { return Err(self.no(Reject::SelectionUnknown)) };
        let (from, to) =
            (leg.settles_at, if body.price.is_none() { leg.price } else { body.price });
        if from == to {
            return Ok(self.done(id));
        }
        let mut changed = bet.clone();
        changed.legs[number].settles_at = to;
        let counts = changed.counts();
        let changed = self.measured(&changed);
        if !self.has_room_for(bet.account, (changed.returns - bet.returns).max(0)) {
            return Err(self.no(Reject::BalanceLimit));
        }
        self.bets.insert(id, changed);
        let (bet, leg) = (body.bet, body.leg);
        self.told.push(Event::PriceCorrected(PriceCorrected { bet, from, to, leg, zero: [0; 7] }));
        if counts {
            self.judges_legs(id);
        }
        self.evaluates_by_itself(id);
        Ok(self.done(id))
    }

    pub(super) fn result(
        &mut self,
        body: &MarketResult,
        entries: Entries<'_, ResultEntry>,
    ) -> Decided {
        let id = body.market.raw();
        let Some(market) = self.markets.get(&id) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        let named: Vec<usize> = entries.iter().map(|e| usize::from(e.selection.0)).collect();
        if !(0..market.runners.len()).all(|at| named.contains(&at))
            || named.len() != market.runners.len()
        {
            return Err(self.no(Reject::SelectionUnknown));
        }
        let to = self.market_step(body.market, "result")?;
        let lines = self.has_lines(body.market);
        let Some(market) = self.markets.get_mut(&id) else {
            return Err(Answer::refused(Reject::MarketUnknown, Seq(self.seq)));
        };
        // Billionths of winners: sources round.
        let won = |entry: ResultEntry| {
            let win = numbers_of(&entry, market.winners, 0).win;
            u128::from(win.num()) * 1_000_000_000 / u128::from(win.den())
        };
        let shares: u128 = entries.iter().map(won).sum();
        if !lines && market.winners as u128 * 1_000_000_000 + 1_000_000 < shares {
            return Err(Answer::refused(Reject::TooManyWinners, Seq(self.seq)));
        }
        let out = |entry: &ResultEntry| market.runners[usize::from(entry.selection.0)].out;
        let runs = entries.iter().map(|entry| (entry, out(&entry)));
        let wins = |entry: &ResultEntry| numbers_of(entry, market.winners, 0).win.num() != 0;
        let strange = entries.iter().any(|entry| entry.rule4 != 0 || (out(&entry) && wins(&entry)));
        if market.exchange && (strange || in_parts(runs, market.winners, lines).is_none()) {
            return Err(Answer::refused(Reject::InvalidResult, Seq(self.seq)));
        }
        let certainty = if body.certainty == 0 { 2 } else { body.certainty };
        let source = body.source.0;
        let has_result = market.runners[0].result.is_some();
        let dated = source != 0 && market.result_source != 0;
        let older = (certainty, source) < (market.certainty, market.result_source);
        let late = dated && (source < market.rolled_back || (has_result && older));
        let set = self.rulesets.last().map_or(1, |set| set.certainty);
        let unsure = certainty < set || (has_result && certainty < market.certainty);
        if late || unsure {
            self.told.push(Event::ResultNoted(ResultNoted {
                market: body.market,
                source: body.source,
                certainty: body.certainty,
                zero: [0; 7],
            }));
            return Ok(self.done(id));
        }
        let surer = has_result && market.certainty < certainty && source != 0;
        market.result_source = if surer { source } else { market.result_source.max(source) };
        market.certainty = certainty;
        let same = |entry: ResultEntry| {
            market.runners[usize::from(entry.selection.0)].result == Some(entry)
        };
        if entries.iter().all(same) {
            return Ok(self.done(id));
        }
        self.job_may_have_passed(id);
        let Some(market) = self.markets.get_mut(&id) else {
            return Err(Answer::refused(Reject::MarketUnknown, Seq(self.seq)));
        };
        for entry in entries.iter() {
            market.runners[usize::from(entry.selection.0)].result = Some(entry);
        }
        market.settlement += 1;
        let settlement = market.settlement;
        self.ends_offers(body.market);
        self.market_goes_to(body.market, to);
        self.ends_drift(body.market);
        let (market, job) = (body.market, JobId(self.next_job(id)));
        self.told.push(Event::ResultRecorded(ResultRecorded { market, job, settlement, zero: 0 }));
        let answer = self.start_job(market, JobKind::Settle);
        self.news_are_out(id);
        Ok(answer)
    }

    pub(super) fn rollback(&mut self, body: &RollbackResult) -> Decided {
        use MarketStatus::*;
        let (id, source) = (body.market.raw(), body.source.0);
        let step = self.market_step(body.market, "rollback");
        let Some(market) = self.markets.get_mut(&id) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        let to = match step {
            Ok(to) => to,
            Err(no) => {
                // What has not arrived may be taken back too, by a source that says when.
                if source == 0 || !matches!(market.status, Defined | Open | Closed) {
                    return Err(no);
                }
                market.rolled_back = market.rolled_back.max(source);
                market.result_source = market.result_source.max(source);
                return Ok(self.done(id));
            }
        };
        let late = source != 0 && source < market.result_source;
        market.rolled_back = market.rolled_back.max(source);
        if late {
            return Ok(self.done(id));
        }
        self.job_may_have_passed(id);
        let Some(market) = self.markets.get_mut(&id) else {
            return Err(self.no(Reject::MarketUnknown));
        };
        market.runners.iter_mut().for_each(|runner| runner.result = None);
        market.certainty = 0;
        market.settlement += 1;
        let settlement = market.settlement;
        self.market_goes_to(body.market, to);
        // Its prices are asked for again, as they were last sent.
        let runners = self.markets.get(&id).map_or(0, |market| market.runners.len());
        for at in 0..runners {
            self.compares_feeds(body.market, at);
        }
        let (market, job) = (body.market, JobId(self.next_job(id)));
        let told = ResultRolledBack { market, job, settlement, zero: 0 };
        self.told.push(Event::ResultRolledBack(told));
        let answer = self.start_job(market, JobKind::Rollback);
        self.news_are_out(id);
        Ok(answer)
    }

    pub(super) fn cancel_bets(&mut self, body: &CancelBets) -> Decided {
        let id = body.market.raw();
        let room = self.capacities.markets as usize + WINDOWS_OF_A_MARKET;
        let windows: usize = self.markets.values().map(|market| market.windows.len()).sum();
        let unknown = |reject| Answer::refused(reject, Seq(self.seq));
        let Some(market) = self.markets.get_mut(&id) else {
            return Err(unknown(Reject::MarketUnknown));
        };
        if market.status == MarketStatus::Archiving || market.exchange {
            return Err(unknown(Reject::NotAllowed));
        }
        let from = if body.from.0 == 0 { i64::MIN } else { body.from.0 };
        let until = if body.until.0 == 0 { i64::MAX } else { body.until.0 };
        let (active, source) = (body.cancel == 1, body.source.0);
        let own = market.windows.len();
        let known = market.windows.iter_mut().find(|w| (w.from, w.until) == (from, until));
        let changed = match known {
            Some(window) => {
                if source != 0 && source < window.source {
                    return Ok(self.done(id));
                }
                window.source = window.source.max(source);
                std::mem::replace(&mut window.active, active) != active
            }
            None if !active && source == 0 => return Err(unknown(Reject::NotAllowed)),
            None if own == WINDOWS_OF_A_MARKET || windows == room => {
                return Err(unknown(Reject::Full));
            }
            None => {
                market.windows.push(Window { from, until, source, active });
                active
            }
        };
        if !changed {
            return Ok(self.done(id));
        }
        if active {
            self.ends_offers(body.market);
        }
        self.told.push(Event::WindowChanged(WindowChanged {
            market: body.market,
            from: Timestamp(from),
            until: Timestamp(until),
            job: JobId(self.next_job(id)),
            cancelled: body.cancel,
            zero: [0; 7],
        }));
        let answer = self.start_job(body.market, JobKind::Cancel);
        self.news_are_out(id);
        Ok(answer)
    }

    /// The job that news of now are brought by: that which waits already, or one of their own.
    fn next_job(&self, market: u64) -> u64 {
        let waits = self.markets.get(&market).and_then(|market| market.queued);
        waits.map_or(self.seq, |(job, _)| job)
    }

    pub(super) fn start_job(&mut self, market: MarketId, kind: JobKind) -> Answer {
        let job = self.next_job(market.raw());
        if let Some(known) = self.markets.get_mut(&market.raw()) {
            if known.job.is_none() {
                known.job = Some((job, kind));
                let started =
                    JobStarted { job: JobId(job), market, kind: kind as u8, zero: [0; 7] };
                self.told.push(Event::JobStarted(started));
                self.job_begins(market.raw());
            } else if known.queued.is_none() {
                known.queued = Some((job, kind));
            }
        }
        super::and(Answer::started(Seq(self.seq), market), |started| started.id = job)
    }

    pub(super) fn job_ends(&mut self, ended: &JobEnded, record: &[Event]) -> Checked {
        let id = ended.market.raw();
        let Some(market) = self.markets.get(&id) else {
            return Err(format!("a job ended on {}, which is not there", ended.market));
        };
        let kind = JobKind::from_code(ended.kind).ok_or("a job of no kind")?;
        rule(market.job == Some((ended.job.0, kind)), || {
            format!("{ended:?} ended, and the market's job is {:?}", market.job)
        })?;
        let here = |bet: &Bet| {
            bet.state != BetState::Archived
                && bet.legs.iter().any(|leg| leg.market == id && !leg.gone)
        };
        let bets: Vec<u64> =
            self.bets.iter().filter(|(_, bet)| here(bet)).map(|(id, _)| *id).collect();
        // What was placed after the news may have been passed over: it was placed knowing them.
        let since = |id: &&u64| ended.job.0 < self.bets[id].placed_seq;
        let (most, newer) = (bets.len() as u64, bets.iter().filter(since).count() as u64);
        let trades = market.exchange;
        rule(trades || (most - newer..=most).contains(&ended.bets), || {
            format!("{} legs were handled, the market has {most}, {newer} since", ended.bets)
        })?;
        let (from, queued) = (market.status, market.queued);
        self.told.push(Event::JobEnded(*ended));
        if trades && !self.exchange_prices(ended.market).is_empty() {
            self.exchange_job_ends(id, ended, record)?;
        }
        if let Some((job, kind)) = queued {
            self.markets.entry(id).and_modify(|market| {
                (market.job, market.queued) = (market.queued, None);
            });
            let (job, market) = (JobId(job), ended.market);
            let started = JobStarted { job, market, kind: kind as u8, zero: [0; 7] };
            self.told.push(Event::JobStarted(started));
            self.job_begins(id);
            return Ok(());
        }
        self.markets.entry(id).and_modify(|market| market.job = None);
        if kind != JobKind::Archive {
            bets.iter().try_for_each(|bet| self.nothing_is_due(*bet, id, ended.job.0))?;
        }
        let (step, status) = match from {
            MarketStatus::Settling => ("settle end", MarketStatus::Settled),
            MarketStatus::Archiving => ("archive end", MarketStatus::Archived),
            // The job changed bets, not the market.
            _ => return Ok(()),
        };
        *self.hits.markets.entry((from.to_string(), step.to_owned())).or_default() += 1;
        self.market_goes_to(ended.market, status);
        if status == MarketStatus::Archived {
            self.leaves_memory(id, &bets)?;
        }
        Ok(())
    }

    /// A job that has ended left no bet of its market behind what is known of it.
    fn nothing_is_due(&mut self, id: u64, market: u64, job: u64) -> Checked {
        let Some(bet) = self.bets.get(&id) else { return Ok(()) };
        if bet.state == BetState::Held {
            return rule(job < bet.placed_seq || !self.is_decided(bet), || {
                format!("a job ended, and {bet:?} still waits for its wallet")
            });
        }
        if bet.state.waits() {
            return rule(!self.suspended_since(bet), || {
                format!("a job ended, and {bet:?} still waits in a market that was suspended")
            });
        }
        rule(bet.state != BetState::CashingOut, || {
            format!("a job ended, and {bet:?} is still being sold")
        })?;
        let known = |leg: &Leg| leg.market != market || leg.known == self.facts(bet, leg);
        let is_told = bet.single || bet.legs.iter().all(known);
        rule(is_told || bet.state == BetState::CashedOut || bet.state.is_refused(), || {
            format!("a job ended, and what it brought did not reach {bet:?}")
        })?;
        // What is over, or never was a bet, is told of nothing any more.
        if bet.state != BetState::Open && !bet.state.is_settled() {
            return Ok(());
        }
        if bet.single {
            let facts = self.facts(bet, &bet.legs[0]);
            self.bets.entry(id).and_modify(|bet| {
                bet.legs[0].known = facts;
                bet.legs[0].may_be.clear();
            });
        }
        let Some(bet) = self.bets.get(&id) else { return Ok(()) };
        let posted = bet.state.is_settled().then_some((bet.state, bet.paid));
        let due = self.due_of(bet);
        rule(due == posted, || {
            format!("a job ended, and {bet:?} has {posted:?} where the rules say {due:?}")
        })
    }

    fn leaves_memory(&mut self, id: u64, bets: &[u64]) -> Checked {
        self.exchange_leaves(id)?;
        let gone = self.markets.remove(&id);
        let runners = gone.map_or(0, |market| market.runners.len() as u32);
        *self.free_blocks.entry(runners.next_power_of_two()).or_default() += 1;
        for bet_id in bets {
            let Some(bet) = self.bets.get_mut(bet_id) else { continue };
            bet.legs.iter_mut().filter(|leg| leg.market == id).for_each(|leg| leg.gone = true);
            if bet.legs.iter().all(|leg| leg.gone) {
                let from = std::mem::replace(&mut bet.state, BetState::Archived);
                rule(!from.in_escrow(), || {
                    format!("a bet that is {from} left memory: its stake is nobody's")
                })?;
                self.hit(&from.to_string(), "archive");
            }
        }
        Ok(())
    }
}
