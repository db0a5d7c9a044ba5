//! An exchange market beside a night's own: a few customers bet against each other on who wins the derby.

use crate::error::CliError;
use crate::matchday::gateway::Keys;
use betring::logic::book::Side;
use betring::logic::command::{
    self, CancelEntry, LapseScope, MarketKind, OrderEntry, OrderKind, Persistence, ReplaceEntry,
    ResultEntry, SetExchange, UpdateEntry, build,
};
use betring::logic::id::OrderId;
use betring::logic::wire::{Header, Minor};
use betring::{
    AccountId, AnswerKind, Client, Control, Currency, Engine, Error, Event, FixtureId, MarketId,
    Nanos, Reference, Reject, RequestKey, SelectionIndex, SelectionOutcome, Slot, Timestamp, money,
};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Who plays on it, and what all of them ask for at a time.
const CUSTOMERS: u64 = 6;
const ASKS: u64 = 4;
/// Numbers of accounts that are no customer's of the plan.
const REFERENCE: u64 = 980_000;
const RUNNERS: [&str; 3] = ["home", "draw", "away"];
/// Prices of the ladder around what each of them is worth, in ten-thousandths.
const PRICES: [[u32; 4]; 3] = [
    [21_000, 22_000, 22_200, 23_000],
    [32_000, 33_000, 33_500, 34_500],
    [34_000, 35_000, 36_000, 37_000],
];
/// Orders that somebody may still cancel or change, at most.
const KNOWN: usize = 64;
const VALID: Nanos = Nanos::from_secs(30);
const ANSWER: Duration = Duration::from_secs(10);

/// Slots that are a request already.
struct Raw(Vec<Slot>);

impl betring::Ask for Raw {
    type Slots = Vec<Slot>;

    const IS_RAW: bool = true;

    fn slots_at(
        &self,
        _: Timestamp,
        _: Nanos,
    ) -> Result<Vec<Slot>, betring::logic::reject::Malformed> {
        Ok(self.0.clone())
    }
}

/// The market and its customers.
pub(crate) struct Ladder {
    market: MarketId,
    customers: Vec<(Client, AccountId)>,
    /// Orders, and the customers whose they are.
    orders: VecDeque<(usize, OrderId)>,
    keys: Keys,
    asked: u64,
    /// Whether the match is on: nothing is for the starting price any more.
    is_on: bool,
    /// What chance is drawn from.
    chance: u64,
}

fn sent(control: &mut Control, slots: &[Slot]) -> Result<betring::Reply, CliError> {
    let ticket = control.try_submit(slots).map_err(Error::from)?;
    Ok(control.wait(ticket, ANSWER)?)
}

impl Ladder {
    /// Defines the market, in a book that goes on another of its name, and opens its accounts.
    pub(crate) fn prepare(
        engine: &Engine,
        control: &mut Control,
        keys: Keys,
        fixture: FixtureId,
    ) -> Result<Ladder, CliError> {
        let mut customers = Vec::new();
        for number in 0..CUSTOMERS {
            let mut client = engine.client(64)?;
            let opened = client.open_account(Reference(REFERENCE + number), Currency::GBP);
            let account = match opened {
                Err(Error::Refused(refusal)) if refusal.reject == Reject::AccountExists => {
                    AccountId::from_raw(refusal.answer.id)
                }
                opened => opened?,
            };
            client.deposit(account, money!(5_000.00), keys.key(Keys::LADDER, number))?;
            customers.push((client, account));
        }
        let mut ladder = Ladder {
            market: MarketId::from_raw(0),
            customers,
            orders: VecDeque::new(),
            keys,
            asked: CUSTOMERS,
            is_on: false,
            chance: 1,
        };
        ladder.define(control, fixture)?;
        Ok(ladder)
    }

    fn key(&mut self) -> RequestKey {
        self.asked += 1;
        self.keys.key(Keys::LADDER, self.asked)
    }

    fn define(&mut self, control: &mut Control, fixture: FixtureId) -> Result<(), CliError> {
        const NAMESAKES: u32 = 1_000;
        let valid_until = control.now().plus(VALID);
        for number in 1..=NAMESAKES {
            let name = match number {
                1 => "derby exchange".to_owned(),
                _ => format!("derby exchange ({number})"),
            };
            let header = Header::control(control.actor(), self.key());
            let body = command::DefineMarket {
                valid_until,
                fixture,
                winners: 1,
                kind: MarketKind::Exchange as u8,
                ..Default::default()
            };
            let slots = build::define_market(header, body, &name, &RUNNERS).map_err(NotWritten)?;
            let defined = sent(control, &slots)?;
            if defined.answer.reject() == Some(Reject::NameTaken) {
                continue;
            }
            self.market = MarketId::from_raw(defined.answer.id);
            let header = Header::control(control.actor(), self.key());
            let body = SetExchange {
                valid_until,
                currency: Currency::GBP.numeric(),
                ladder: command::LadderKind::Classic as u8,
                flags: SetExchange::CROSSES
                    | SetExchange::STARTING_PRICES
                    | SetExchange::PASSIVE_DELAY,
                market: self.market,
                commission: 500,
                min_stake: Minor(100),
                min_liability: Minor(100),
                ..Default::default()
            };
            sent(control, &build::set_exchange(header, body, &[]).map_err(NotWritten)?)?;
            control.open_market(self.market)?;
            return Ok(());
        }
        Err(CliError::new(
            format_args!("{NAMESAKES} nights were played in this book"),
            "the journal's directory",
            "start a fresh book: leave --resume and --dir out",
        ))
    }

    fn below(&mut self, most: u64) -> u64 {
        let mixed = self.chance.wrapping_mul(6_364_136_223_846_793_005);
        self.chance = mixed.wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % most
    }

    /// Some of the customers ask for something; what the ring does not take is not asked again.
    pub(crate) fn ask(&mut self, now: Timestamp) -> Result<(), CliError> {
        self.read();
        for _ in 0..ASKS {
            let customer = self.below(CUSTOMERS) as usize;
            let header = Header::customer(self.customers[customer].1, self.key());
            let (market, valid_until) = (self.market, now.plus(VALID));
            let own = self.orders.iter().find(|(of, _)| *of == customer).map(|(_, order)| *order);
            let slots = match (self.below(8), own) {
                (0, Some(order)) => {
                    let body = command::CancelOrders { valid_until, market, ..Default::default() };
                    let half = [Minor(0), Minor(250)][self.below(2) as usize];
                    build::cancel_orders(header, body, &[CancelEntry { order, by: half }])
                }
                (1, Some(order)) => {
                    let body = command::ReplaceOrders { valid_until, market, ..Default::default() };
                    let limit_e4 = PRICES[self.below(3) as usize][self.below(4) as usize];
                    build::replace_orders(
                        header,
                        body,
                        &[ReplaceEntry { order, limit_e4, zero: 0 }],
                    )
                }
                (2, Some(order)) => {
                    let body = command::UpdateOrders { valid_until, market, ..Default::default() };
                    let persistence = Persistence::Persist as u8;
                    build::update_orders(
                        header,
                        body,
                        &[UpdateEntry { order, persistence, zero: [0; 7] }],
                    )
                }
                _ => {
                    let body = command::PlaceOrders { valid_until, market, ..Default::default() };
                    let several = 1 + self.below(3);
                    let orders: Vec<OrderEntry> = (0..several).map(|_| self.order()).collect();
                    build::place_orders(header, body, &orders)
                }
            };
            if let Some((client, _)) = self.customers.get_mut(customer) {
                // A full ring is the night's to have; this is only some of its traffic.
                let _ = client.try_submit(Raw(slots.map_err(NotWritten)?));
            }
        }
        Ok(())
    }

    fn order(&mut self) -> OrderEntry {
        let selection = self.below(3);
        let on_close = self.below(10) == 0 && !self.is_on;
        let persistence = match self.below(6) {
            _ if on_close => Persistence::Lapse,
            0 if !self.is_on => Persistence::MarketOnClose,
            1 | 2 => Persistence::Persist,
            _ => Persistence::Lapse,
        };
        let price = PRICES[selection as usize][self.below(4) as usize];
        OrderEntry {
            limit_e4: if on_close { 0 } else { price },
            selection: SelectionIndex(selection as u16),
            side: [Side::Back, Side::Lay][self.below(2) as usize] as u8,
            kind: if on_close { OrderKind::MarketOnClose } else { OrderKind::Limit } as u8,
            persistence: persistence as u8,
            size: Minor(500 + 50 * self.below(40) as i64),
            ..OrderEntry::default()
        }
    }

    fn read(&mut self) {
        let mut replies = [betring::Reply::default(); 64];
        for (place, (client, _)) in self.customers.iter_mut().enumerate() {
            let count = client.poll(&mut replies);
            let ordered = replies[..count].iter().map(|reply| &reply.answer);
            for answer in ordered.filter(|answer| answer.kind() == AnswerKind::Ordered) {
                if self.orders.len() == KNOWN {
                    self.orders.pop_front();
                }
                self.orders.push_back((place, OrderId::from_raw(answer.id)));
            }
        }
    }

    /// The match begins: starting prices are made.
    pub(crate) fn begins(&mut self, control: &mut Control, delay: Nanos) -> Result<(), Error> {
        self.is_on = true;
        control.in_play(self.market, delay).map(drop)
    }

    /// A goal: what waits was for another score.
    pub(crate) fn goal(&mut self, control: &mut Control) -> Result<(), CliError> {
        let body = command::LapseOrders {
            valid_until: control.now().plus(VALID),
            scope: LapseScope::All as u8,
            market: self.market,
            ..Default::default()
        };
        let header = Header::control(control.actor(), self.key());
        sent(control, &[build::plain(header, &body)]).map(drop)
    }

    /// The night is over: everything that was asked is answered, and the home side has won. The result, to be given.
    pub(crate) fn finish(&mut self, control: &Control) -> Result<Vec<Slot>, CliError> {
        let until = Instant::now() + ANSWER;
        while self.customers.iter().any(|(client, _)| client.in_flight() != 0)
            && Instant::now() < until
        {
            self.read();
            std::thread::sleep(Duration::from_millis(1));
        }
        let [win, lose] = [SelectionOutcome::Win, SelectionOutcome::Lose];
        let entries: Vec<ResultEntry> = (0..)
            .zip([win, lose, lose])
            .map(|(place, outcome)| ResultEntry::new(SelectionIndex(place), outcome))
            .collect();
        let body = command::MarketResult {
            valid_until: control.now().plus(VALID),
            market: self.market,
            ..Default::default()
        };
        let header = Header::control(control.actor(), self.key());
        Ok(build::result(header, body, &entries).map_err(NotWritten)?)
    }
}

/// A request of ours that is no command: that is our mistake, and is said as it is.
struct NotWritten(betring::logic::reject::Malformed);

impl From<NotWritten> for CliError {
    fn from(what: NotWritten) -> CliError {
        CliError::Said(format!("an order of the night cannot be written down: {}", what.0))
    }
}

/// What the journal says of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LadderScan {
    pub(crate) orders: u64,
    /// Matches, and those of them that the house stood between.
    pub(crate) matched: u64,
    pub(crate) crossed: u64,
    pub(crate) cut: u64,
    /// Matches at starting prices.
    pub(crate) starting: u64,
    pub(crate) settled: u64,
    /// What all positions won and lost, and what the house kept of it, in minor units.
    net: i128,
    house: i128,
    pub(crate) commission: i64,
}

impl LadderScan {
    /// What an event of this run says.
    pub(crate) fn take(&mut self, event: &Event) {
        use betring::logic::event::Match;
        match event {
            Event::OrderPlaced(_) => self.orders += 1,
            Event::OrderMatched(matched) => {
                self.matched += 1;
                self.crossed += u64::from(matched.how == Match::Crossed as u8);
                self.starting += u64::from(matched.how == Match::Starting as u8);
            }
            Event::OrderCut(_) => self.cut += 1,
            Event::PositionSettled(settled) => {
                self.settled += 1;
                self.net += i128::from(settled.net.0);
                self.commission += settled.commission.0;
            }
            Event::PositionReversed(reversed) => {
                self.settled -= 1;
                self.net -= i128::from(reversed.net.0);
                self.commission -= reversed.commission.0;
            }
            Event::ExchangeCleared(cleared) => {
                self.house += i128::from(cleared.crossing.0) + i128::from(cleared.residue.0);
            }
            _ => (),
        }
    }

    /// Whether what some won others lost, but for what the house has of it.
    pub(crate) fn sums_to_nothing(&self) -> bool {
        self.net + self.house == 0
    }
}
