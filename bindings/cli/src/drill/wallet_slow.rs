//! An external wallet answers late, twice, wrongly or never: no bet stands without its stake, and no stake
//! without its bet.

use crate::drill::scene::{Became, Scene, Setup, TICK};
use crate::drill::timeline::{On, Phase, Story, seconds};
use crate::error::CliError;
use betring::logic::event::HoldEnd;
use betring::{
    AccountId, AccountTerms, BetId, BetState, Client, Control, Currency, Error, Event, HoldBind,
    Level, Minor, Name, Nanos, Owner, PendingWhy, Place, Reference, Reject, Reply, RequestKey,
    Ruleset, SelectionIndex, Timestamp, View, key, money,
};
use std::collections::BTreeMap;

/// How long the wallet has to answer.
const HOLD_TTL: Nanos = Nanos::from_secs(1);
/// How long after its time the late one answers.
const LATE: Nanos = Nanos::from_millis(200);
const STAKE: betring::Money = money!(5.00);

/// What the wallet does about a stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Habit {
    /// Confirms it in time.
    Prompt,
    /// Confirms it in time, and again.
    Twice,
    /// Confirms it when its time is over.
    Late,
    /// Says nothing.
    Never,
    /// Confirms another amount, then the right one.
    WrongAmount,
    /// Says that it has not the money.
    Declines,
    /// Confirms it in time, but the market was suspended meanwhile.
    Suspended,
}

const HABITS: [Habit; 7] = [
    Habit::Prompt,
    Habit::Twice,
    Habit::Late,
    Habit::Never,
    Habit::WrongAmount,
    Habit::Declines,
    Habit::Suspended,
];

/// How a bet has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Refused(Reject),
}

impl Habit {
    /// With a bet that binds its price when it is placed, or when the wallet confirms.
    fn ends(self, bind: HoldBind) -> End {
        match self {
            Habit::Prompt | Habit::Twice | Habit::WrongAmount => End::Open,
            Habit::Late | Habit::Never => End::Refused(Reject::HoldTimedOut),
            Habit::Declines => End::Refused(Reject::HoldReleased),
            Habit::Suspended if bind == HoldBind::AtPlace => End::Open,
            Habit::Suspended => End::Refused(Reject::MarketSuspended),
        }
    }
}

/// Plays it.
pub(crate) fn play(on: On) -> Result<Story, CliError> {
    let mut scene = Scene::open(on, &Setup::default())?;
    let about = "an external wallet answers late, twice, wrongly, or never";
    let mut story = scene.story("wallet-slow", about);
    let mut wallet = Wallet::new(&mut scene)?;
    for bind in [HoldBind::AtPlace, HoldBind::AtConfirm] {
        let name = Name::new("with wallets").map_err(|_| no_name())?;
        let rules =
            Ruleset { hold_bind: bind as u8, hold_ttl: HOLD_TTL, ..Ruleset::standard(name) };
        scene.trader.publish_rules(&rules)?;
        let bound = match bind {
            HoldBind::AtPlace => "when they are placed",
            HoldBind::AtConfirm => "when the wallet confirms",
        };
        story.tell(scene.now(), "house", format!("bets bind their price {bound}"));
        wallet.ask(&scene, bind)?;
        let began = scene.now();
        if bind == HoldBind::AtPlace {
            let what = format!(
                "seven stakes are to be held, {} each; the wallet is in trouble",
                seconds(HOLD_TTL)
            );
            story.phase(began, Phase::Fault, "wallet", what);
        }
        let suspended = scene.markets[Wallet::SUSPENDED].id();
        wallet.suspended = false;
        while scene.now().since(began) < Nanos(HOLD_TTL.0 + 2 * LATE.0) {
            let tick = scene.tick()?;
            wallet.listen(&tick.events, &mut story);
            if !wallet.suspended && wallet.was_asked_for(Habit::Suspended, bind) {
                scene.trader.suspend(suspended, Owner::Trader)?;
                wallet.suspended = true;
            }
            wallet.answer(scene.now(), &mut story)?;
        }
        scene.trader.release(suspended, Owner::Trader)?;
        wallet.read();
        if bind == HoldBind::AtPlace {
            // The next bet of everybody: the wallet is quick again.
            wallet.quick = true;
            let bet = wallet.place(&scene, Habit::Prompt, bind, 0)?;
            let began = scene.now();
            while scene.now().since(began) < Nanos::from_secs(2) && !wallet.is_open(bet) {
                let tick = scene.tick()?;
                wallet.listen(&tick.events, &mut story);
                wallet.answer(scene.now(), &mut story)?;
                wallet.read();
            }
            if wallet.is_open(bet) {
                let what = "the wallet confirms at once, and the bet is open";
                story.phase(scene.now(), Phase::Recover, "customer", what);
            }
            wallet.quick = false;
        }
    }
    wallet.judge(&scene, &mut story)?;
    let asked = wallet.asked();
    scene.customers.know(asked.into_iter());
    drop(wallet);
    scene.close(&mut story)?;
    Ok(story)
}

fn no_name() -> CliError {
    CliError::new("the name of a set of rules is not one", "the drill", "this program is at fault")
}

/// A stake that the wallet was asked to hold.
struct Stake {
    bet: Option<BetId>,
    habit: Habit,
    bind: HoldBind,
    until: Timestamp,
    requested: Option<Timestamp>,
    said: u32,
    /// What the engine said to each answer of the wallet.
    told: Vec<Result<(), Reject>>,
    open: bool,
    refused: Option<Reject>,
    ended: Option<u8>,
}

/// The wallet, and the customers whose money it keeps.
struct Wallet {
    client: Client,
    control: Control,
    accounts: Vec<AccountId>,
    stakes: BTreeMap<RequestKey, Stake>,
    quick: bool,
    /// Whether the market is, that has to be before the wallet confirms a stake on it.
    suspended: bool,
}

impl Wallet {
    /// The market that is suspended on the way.
    const SUSPENDED: usize = 3;

    fn new(scene: &mut Scene) -> Result<Wallet, CliError> {
        let mut client = scene.engine.client_at(64, scene.customers.client.level())?;
        let mut accounts = Vec::new();
        for number in 0..HABITS.len() as u64 {
            let terms = AccountTerms::new(Reference(9_000 + number), Currency::GBP);
            accounts.push(client.open(terms.external_wallet())?);
        }
        let control = scene.engine.control("wallet:acme")?;
        Ok(Wallet {
            client,
            control,
            accounts,
            stakes: BTreeMap::new(),
            quick: false,
            suspended: false,
        })
    }

    /// One bet for each of the wallet's habits.
    fn ask(&mut self, scene: &Scene, bind: HoldBind) -> Result<(), CliError> {
        for (place, habit) in HABITS.into_iter().enumerate() {
            self.place(scene, habit, bind, place)?;
        }
        scene.turn()?;
        self.read();
        Ok(())
    }

    fn place(
        &mut self,
        scene: &Scene,
        habit: Habit,
        bind: HoldBind,
        account: usize,
    ) -> Result<RequestKey, CliError> {
        let market = if habit == Habit::Suspended { Wallet::SUSPENDED } else { 0 };
        let selection = scene.markets[market].at(SelectionIndex(0));
        let key = key(1 << 103 | self.stakes.len() as u128);
        let place = Place::single(self.accounts[account], selection, STAKE).any_price().key(key);
        // Its answer is read with all others.
        let _ = self.client.try_submit(place).map_err(Error::from)?;
        let stake = Stake {
            bet: None,
            habit,
            bind,
            until: Timestamp(0),
            requested: None,
            said: 0,
            told: Vec::new(),
            open: false,
            refused: None,
            ended: None,
        };
        self.stakes.insert(key, stake);
        Ok(key)
    }

    /// Reads what customers are told: that their bets wait for the wallet.
    fn read(&mut self) {
        let mut replies = [Reply::default(); 64];
        let count = self.client.poll(&mut replies);
        for reply in &replies[..count] {
            let Some(stake) = self.stakes.get_mut(&reply.key) else { continue };
            if reply.answer.pending_why() == Some(PendingWhy::Wallet) {
                stake.bet = Some(BetId::from_raw(reply.answer.id));
                stake.until = reply.answer.until();
            }
            stake.refused = reply.answer.reject().or(stake.refused);
        }
    }

    fn of(&mut self, bet: BetId) -> Option<&mut Stake> {
        self.stakes.values_mut().find(|stake| stake.bet == Some(bet))
    }

    /// Whether the wallet was asked to hold such a stake.
    fn was_asked_for(&self, habit: Habit, bind: HoldBind) -> bool {
        let mut such = self.stakes.values().filter(|it| (it.habit, it.bind) == (habit, bind));
        such.any(|stake| stake.requested.is_some())
    }

    fn is_open(&self, key: RequestKey) -> bool {
        self.stakes.get(&key).is_some_and(|stake| stake.open)
    }

    /// Hears what became of the stakes.
    fn listen(&mut self, events: &[betring::Occurrence], story: &mut Story) {
        self.read();
        for it in events {
            match it.event {
                Event::HoldRequested(hold) => {
                    if let Some(stake) = self.of(hold.bet) {
                        stake.requested = Some(it.at);
                    }
                }
                Event::BetOpened(bet) => {
                    if let Some(stake) = self.of(bet.bet) {
                        stake.open = true;
                    }
                }
                Event::BetRejected(bet) => {
                    if let Some(stake) = self.of(bet.bet) {
                        stake.refused = Reject::from_code(bet.reject);
                    }
                }
                Event::HoldEnded(hold) => {
                    if let Some(stake) = self.of(hold.bet) {
                        stake.ended = Some(hold.why);
                        if hold.why == HoldEnd::TimedOut as u8 {
                            let what = format!(
                                "{}: no word from the wallet within {}: refused, let go of {}",
                                hold.bet,
                                seconds(HOLD_TTL),
                                hold.amount
                            );
                            story.phase(it.at, Phase::Detect, "engine", what);
                        }
                    }
                }
                _ => (),
            }
        }
    }

    /// Says what is due, each habit at its own time.
    fn answer(&mut self, now: Timestamp, story: &mut Story) -> Result<(), CliError> {
        let soon = if self.quick { TICK } else { Nanos(HOLD_TTL.0 / 10) };
        let (control, stakes) = (&mut self.control, &mut self.stakes);
        for stake in stakes.values_mut() {
            let (Some(bet), Some(requested)) = (stake.bet, stake.requested) else { continue };
            let after = match (stake.habit, stake.said) {
                (Habit::Never, _) => continue,
                (Habit::Suspended, _) if !self.suspended => continue,
                (Habit::Late, 0) => Nanos(stake.until.since(requested).0 + LATE.0),
                (Habit::Twice | Habit::WrongAmount, 1) => Nanos(2 * soon.0),
                (_, 0) => soon,
                _ => continue,
            };
            if now.since(requested) < after {
                continue;
            }
            stake.said += 1;
            let reference = 7_000 + u64::from(bet.index());
            let told = match (stake.habit, stake.said) {
                (Habit::Declines, _) => control.release_hold(bet),
                (Habit::WrongAmount, 1) => control.confirm_hold(bet, money!(4.99), reference),
                _ => control.confirm_hold(bet, STAKE, reference),
            };
            let told = match told {
                Ok(_) => Ok(()),
                Err(Error::Refused(refusal)) => Err(refusal.reject),
                Err(error) => return Err(error.into()),
            };
            if stake.habit == Habit::Late
                && let Err(reject) = told
            {
                let what = format!("confirms {bet} too late: {reject}, and it lets the money go");
                story.phase(now, Phase::Act, "wallet", what);
            }
            stake.told.push(told);
        }
        Ok(())
    }

    /// Everything that has to hold of what the wallet did.
    fn judge(&mut self, scene: &Scene, story: &mut Story) -> Result<(), CliError> {
        self.read();
        let wrong = |stake: &&Stake| match stake.habit.ends(stake.bind) {
            End::Open => !stake.open || stake.ended.is_some(),
            End::Refused(reject) => stake.open || stake.refused != Some(reject),
        };
        let wrong: Vec<String> = self
            .stakes
            .values()
            .filter(wrong)
            .map(|it| format!("{:?} {:?}: {:?}", it.habit, it.bind, it.refused))
            .collect();
        story.check(
            "a bet is open if its stake was confirmed whole and in time, else it is refused",
            wrong.is_empty(),
            if wrong.is_empty() {
                format!("{} stakes", self.stakes.len())
            } else {
                wrong.join("; ")
            },
        );
        let late = |stake: &&Stake| stake.habit == Habit::Late;
        let ended = |stake: &Stake| stake.told == [Err(Reject::HoldEnded)];
        let all_late: Vec<&Stake> = self.stakes.values().filter(late).collect();
        story.check(
            "a late confirmation is refused, and takes nothing",
            !all_late.is_empty() && all_late.iter().all(|stake| ended(stake)),
            format!("{} late", all_late.len()),
        );
        let told_of = |habit| {
            let of = self.stakes.values().filter(move |stake| stake.habit == habit);
            of.map(|stake| stake.told.as_slice())
        };
        story.check(
            "confirmed twice it is one bet, and another amount than the stake is none",
            told_of(Habit::Twice).all(|told| told == [Ok(()), Ok(())])
                && told_of(Habit::WrongAmount)
                    .all(|told| told == [Err(Reject::HoldAmount), Ok(())]),
            format!("{:?}", told_of(Habit::WrongAmount).next().unwrap_or_default()),
        );
        let view = scene.engine.view_at(Level::ProcessCrashOnly)?;
        let state =
            view.at_least(scene.engine.process_seq(), std::time::Duration::from_secs(10))?;
        let kept = |account: &&AccountId| {
            state.account(**account).is_none_or(|account| account.balance != Minor(0))
        };
        let kept = self.accounts.iter().filter(kept).count();
        let open = |stake: &&Stake| {
            let bet = stake.bet.and_then(|bet| state.bet(bet));
            bet.is_some_and(|bet| bet.state == BetState::Open)
        };
        let open = self.stakes.values().filter(open).count();
        let paid = self.stakes.values().filter(|stake| stake.open).count();
        story.check(
            "nothing of the wallet's money lies here but the stakes of open bets",
            kept == 0 && open == paid,
            format!("{open} bets open of {paid} confirmed, {kept} balances that are not zero"),
        );
        drop(state);
        drop::<View>(view);
        Ok(())
    }

    fn asked(&self) -> Vec<(RequestKey, Became)> {
        let became = |stake: &Stake| match (stake.open, stake.refused, stake.bet) {
            (true, _, Some(bet)) => Became::Accepted(bet),
            (_, Some(reject), _) => Became::Refused(reject),
            _ => Became::Sent,
        };
        self.stakes.iter().map(|(key, stake)| (*key, became(stake))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wallet_that_is_late_twice_wrong_or_silent_leaves_no_bet_without_its_stake() {
        let story = play(On::Journal).expect("played");
        assert_eq!(story.failures(), [""; 0], "{story}");
        // Past its last moment by a nanosecond it is due; the next tick sees it.
        let detected = story.after_fault(Phase::Detect).expect("detected");
        assert!(HOLD_TTL < detected && detected <= Nanos(HOLD_TTL.0 + TICK.0), "{detected}");
    }
}
