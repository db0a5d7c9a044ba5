//! State against a second, slow, obvious implementation: random days, every answer predicted.

use betring_core::HouseRules;
use betring_core::script::{Failure, Report, Runner};
use proptest::prelude::*;
use std::collections::BTreeMap;

const WINDOW_MS: i64 = 60_000;
const VALID_MS: i64 = 20_000;
const ACCOUNTS: [&str; 2] = ["A1", "A2"];
const MARKETS: [&str; 2] = ["M1", "M2"];

#[derive(Clone, Debug)]
enum Op {
    Fund { account: usize, pennies: i64 },
    Withdraw { account: usize, key: u8, pennies: i64 },
    Quote { market: usize, selection: usize, cents: i64 },
    Place { account: usize, key: u8, market: usize, selection: usize, pennies: i64, ask: Ask },
    Retry { account: usize, key: u8 },
    Resolve { account: usize, key: u8 },
    Suspend { market: usize, hold: bool },
    Open { market: usize, open: bool },
    Block { account: usize, block: bool },
    Result { market: usize, winner: usize },
    Wait { ms: i64 },
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Exact(i64),
    Better(i64),
    Within(i64),
    Any,
}

fn op() -> impl Strategy<Value = Op> {
    let account = 0..2usize;
    let market = 0..2usize;
    let selection = 0..2usize;
    let cents = prop::sample::select(vec![101i64, 150, 195, 200, 333]);
    let pennies = prop::sample::select(vec![1i64, 7, 99, 250, 1000, 4000]);
    let ask = (0..4u8, cents.clone()).prop_map(|(how, cents)| match how {
        0 => Ask::Exact(cents),
        1 => Ask::Better(cents),
        2 => Ask::Within(cents),
        _ => Ask::Any,
    });
    prop_oneof![
        2 => (account.clone(), pennies.clone())
            .prop_map(|(account, pennies)| Op::Fund { account, pennies }),
        2 => (account.clone(), 0..4u8, pennies.clone())
            .prop_map(|(account, key, pennies)| Op::Withdraw { account, key, pennies }),
        5 => (market.clone(), selection.clone(), cents)
            .prop_map(|(market, selection, cents)| Op::Quote { market, selection, cents }),
        12 => (account.clone(), 0..8u8, market.clone(), selection, pennies, ask).prop_map(
            |(account, key, market, selection, pennies, ask)| {
                Op::Place { account, key, market, selection, pennies, ask }
            }
        ),
        6 => (account.clone(), 0..8u8).prop_map(|(account, key)| Op::Retry { account, key }),
        2 => (account.clone(), 0..8u8).prop_map(|(account, key)| Op::Resolve { account, key }),
        2 => (market.clone(), any::<bool>()).prop_map(|(market, hold)| Op::Suspend { market, hold }),
        3 => (market.clone(), any::<bool>())
            .prop_map(|(market, open)| Op::Open { market, open }),
        1 => (account, any::<bool>()).prop_map(|(account, block)| Op::Block { account, block }),
        1 => (market, 0..3usize).prop_map(|(market, winner)| Op::Result { market, winner }),
        4 => prop::sample::select(vec![1i64, 5_000, 20_000, 20_001, 60_000, 61_000, 90_000])
            .prop_map(|ms| Op::Wait { ms }),
        1 => Just(Op::Restart),
    ]
}

#[derive(Clone)]
struct Request {
    /// The line without its key: what was asked.
    asked: String,
    valid_until: i64,
}

#[derive(Clone)]
struct Kept {
    request: Option<Request>,
    valid_until: i64,
    answer: String,
    bet: Option<usize>,
}

struct Bet {
    account: usize,
    market: usize,
    selection: usize,
    stake: i64,
    returns: i64,
    paid: i64,
    fate: String,
}

#[derive(Clone, Default)]
struct Market {
    prices: [Option<i64>; 2],
    open: bool,
    closed: bool,
    settled: bool,
    result: Option<usize>,
    opened_in: u32,
    suspended: bool,
}

/// The obvious implementation.
struct Model {
    now: i64,
    run: u32,
    balances: [i64; 2],
    blocked: [bool; 2],
    markets: [Market; 2],
    bets: Vec<Bet>,
    kept: BTreeMap<(usize, u8), Kept>,
    sent: BTreeMap<(usize, u8), (Request, Op)>,
}

fn money(pennies: i64) -> String {
    format!("{}.{:02}", pennies / 100, pennies % 100)
}

impl Model {
    /// What a request under a key is answered, with the prefix that the script knows.
    fn keyed(&mut self, account: usize, key: u8, request: Request, op: &Op) -> String {
        self.sent.insert((account, key), (request.clone(), op.clone()));
        if let Some(kept) = self.kept.get(&(account, key))
            && self.now <= kept.valid_until + WINDOW_MS
        {
            return match &kept.request {
                None => "not sequenced: Sealed".to_owned(),
                Some(first)
                    if first.asked != request.asked || first.valid_until != request.valid_until =>
                {
                    "not sequenced: RequestReused".to_owned()
                }
                Some(_) => self.duplicate(kept),
            };
        }
        if request.valid_until < self.now {
            return "not sequenced: Expired".to_owned();
        }
        let (answer, bet) = self.execute(op);
        let valid_until = request.valid_until;
        let kept = Kept { request: Some(request), valid_until, answer: answer.clone(), bet };
        self.kept.insert((account, key), kept);
        answer
    }

    fn duplicate(&self, kept: &Kept) -> String {
        let fate = kept.bet.map(|bet| format!(", now {}", self.bets[bet].fate)).unwrap_or_default();
        format!("not sequenced: duplicate {}{fate}", kept.answer)
    }

    fn execute(&mut self, op: &Op) -> (String, Option<usize>) {
        let no = |what: &str| (what.to_owned(), None);
        match *op {
            Op::Withdraw { account, pennies, .. } => {
                if self.blocked[account] {
                    return no("AccountBlocked");
                }
                if self.balances[account] < pennies {
                    return no("FundsInsufficient");
                }
                self.balances[account] -= pennies;
                no("done")
            }
            Op::Place { account, market, selection, pennies, ask, .. } => {
                let kept = &self.markets[market];
                if self.blocked[account] {
                    return no("AccountBlocked");
                }
                if kept.closed || kept.settled {
                    return no("MarketClosed");
                }
                if !kept.open || kept.opened_in != self.run {
                    return no("MarketNotOpen");
                }
                if kept.suspended {
                    return no("MarketSuspended");
                }
                let Some(price) = kept.prices[selection] else { return no("NoPrice") };
                let agreed = match ask {
                    Ask::Exact(asked) => asked == price,
                    Ask::Better(asked) => asked <= price,
                    Ask::Within(asked) => asked * 97 <= price * 100,
                    Ask::Any => true,
                };
                if !agreed {
                    return no(&format!("PriceMoved now {}", money(price)));
                }
                if self.balances[account] < pennies {
                    return no("FundsInsufficient");
                }
                let returns = pennies * price / 100;
                self.balances[account] -= pennies;
                let fate = "Open".to_owned();
                let paid = 0;
                let stake = pennies;
                self.bets.push(Bet { account, market, selection, stake, returns, paid, fate });
                let number = self.bets.len();
                let (price, returns) = (money(price), money(returns));
                (format!("B{number} at {price} returns {returns}"), Some(number - 1))
            }
            _ => unreachable!("only these are under keys here"),
        }
    }

    /// The line of the script, with the answer that it has to get.
    fn line(&mut self, op: &Op) -> String {
        let valid_until = self.now + VALID_MS;
        match *op {
            Op::Fund { account, pennies } => {
                let answer = if self.blocked[account] {
                    "AccountBlocked"
                } else {
                    self.balances[account] += pennies;
                    "done"
                };
                format!("fund {} {} -> {answer}", ACCOUNTS[account], money(pennies))
            }
            Op::Withdraw { account, key, pennies } => {
                let asked = format!("{} {}", ACCOUNTS[account], money(pennies));
                let line = format!("withdraw K{key} {asked} valid {VALID_MS}ms");
                let request = Request { asked: format!("withdraw {asked}"), valid_until };
                let answer = self.keyed(account, key, request, op);
                format!("{line} -> {answer}")
            }
            Op::Place { account, key, market, selection, pennies, ask } => {
                let (who, what) = (ACCOUNTS[account], MARKETS[market]);
                let ask = match ask {
                    Ask::Exact(cents) => money(cents),
                    Ask::Better(cents) => format!("{} better", money(cents)),
                    Ask::Within(cents) => format!("{} within 3%", money(cents)),
                    Ask::Any => "any".to_owned(),
                };
                let asked = format!("{who} {what}/{} {} {ask}", selection + 1, money(pennies));
                let line = format!("place K{key} {asked} valid {VALID_MS}ms");
                let request = Request { asked: format!("place {asked}"), valid_until };
                let answer = self.keyed(account, key, request, op);
                format!("{line} -> {answer}")
            }
            Op::Retry { account, key } => {
                let Some((request, first)) = self.sent.get(&(account, key)).cloned() else {
                    return "# nothing to retry".to_owned();
                };
                let answer = self.keyed(account, key, request, &first);
                format!("retry {} K{key} -> {answer}", ACCOUNTS[account])
            }
            Op::Resolve { account, key } => {
                let sent = self.sent.get(&(account, key)).map(|(r, _)| r.valid_until);
                let valid_until = sent.unwrap_or(valid_until);
                let kept = self.kept.get(&(account, key));
                let kept = kept.filter(|k| self.now <= k.valid_until + WINDOW_MS).cloned();
                let answer = match kept {
                    Some(kept) => self.duplicate(&kept),
                    None if valid_until + WINDOW_MS < self.now => {
                        "not sequenced: TooOld".to_owned()
                    }
                    None => {
                        let answer = "NeverPlaced".to_owned();
                        // No copy made before the question may execute, whatever limit that names.
                        let until = valid_until.max(self.now + WINDOW_MS);
                        let (request, bet) = (None, None);
                        let kept =
                            Kept { request, valid_until: until, answer: answer.clone(), bet };
                        self.kept.insert((account, key), kept);
                        answer
                    }
                };
                format!("resolve {} K{key} valid @{valid_until}ms -> {answer}", ACCOUNTS[account])
            }
            Op::Quote { market, selection, cents } => {
                let kept = &mut self.markets[market];
                let answer = if kept.settled {
                    "MarketClosed"
                } else {
                    kept.prices[selection] = Some(cents);
                    "done"
                };
                let what = MARKETS[market];
                format!("prices {what} {} {} -> {answer}", ["a", "b"][selection], money(cents))
            }
            Op::Suspend { market, hold } => {
                self.markets[market].suspended = hold;
                let verb = if hold { "suspend" } else { "release" };
                format!("{verb} {} -> done", MARKETS[market])
            }
            Op::Open { market, open } => {
                let run = self.run;
                let kept = &mut self.markets[market];
                let answer = if kept.settled {
                    "NotAllowed"
                } else {
                    (kept.open, kept.closed) = (open, !open);
                    if open {
                        kept.opened_in = run;
                    }
                    "done"
                };
                let verb = if open { "open" } else { "close" };
                format!("{verb} {} -> {answer}", MARKETS[market])
            }
            Op::Block { account, block } => {
                self.blocked[account] = block;
                let verb = if block { "block" } else { "unblock" };
                format!("{verb} {} -> done", ACCOUNTS[account])
            }
            Op::Result { market, winner } => {
                let what = MARKETS[market];
                let named = ["a", "b", "void all"][winner];
                if self.markets[market].result == Some(winner) {
                    return format!("result {what} {named} -> done");
                }
                self.markets[market].result = Some(winner);
                self.markets[market].settled = true;
                for bet in self.bets.iter_mut().filter(|bet| bet.market == market) {
                    let (paid, fate) = match winner {
                        2 => (bet.stake, format!("Void {}", money(bet.stake))),
                        w if w == bet.selection => {
                            (bet.returns, format!("Won {}", money(bet.returns)))
                        }
                        _ => (0, "Lost".to_owned()),
                    };
                    // Another result takes back what the one before it paid.
                    self.balances[bet.account] += paid - bet.paid;
                    bet.paid = paid;
                    bet.fate = fate;
                }
                format!("result {what} {named} -> started")
            }
            Op::Wait { ms } => {
                self.now += ms;
                format!("@{}ms", self.now)
            }
            Op::Restart => {
                self.run += 1;
                "restart".to_owned()
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::cases(96),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The runner checks every answer, the whole state after each line, and the replay at the end.
    #[test]
    fn a_random_day_goes_as_the_obvious_implementation_says(ops in prop::collection::vec(op(), 1..80)) {
        let mut model = Model {
            now: 0,
            run: 1,
            balances: [5_000, 5_000],
            blocked: [false; 2],
            markets: Default::default(),
            bets: Vec::new(),
            kept: BTreeMap::new(),
            sent: BTreeMap::new(),
        };
        let mut runner = Runner::new(HouseRules);
        let mut script = String::new();
        let set_up = "house window 60s budget 3\nfund A1 50.00\nfund A2 50.00\n\
                      market M1 one a b\nmarket M2 two a b";
        let lines = set_up.lines().map(str::to_owned);
        let mut say = |line: String| {
            script += &format!("{line}\n");
            runner.line(&line).map_err(|failure| TestCaseError::fail(failure.to_string()))
        };
        for line in lines {
            say(line)?;
        }
        for op in &ops {
            say(model.line(op))?;
            for (account, balance) in ACCOUNTS.into_iter().zip(model.balances) {
                say(format!("balance {account} -> {}", money(balance)))?;
            }
        }
        let open = model.bets.iter().filter(|bet| bet.fate == "Open");
        let stakes: i64 = open.map(|bet| bet.stake).sum();
        say(format!("house Escrow GBP -> {}", money(stakes)))?;
        let report = runner.finish().map_err(|failure| TestCaseError::fail(failure.to_string()))?;
        // The same script once more is the same journal, byte for byte.
        let again = betring_core::script::run(&script).map_err(|f| TestCaseError::fail(f.to_string()))?;
        prop_assert_eq!(report.records, again.records);
    }
}

/// Lines of every verb over few labels, so that they meet: nothing is predicted, everything is checked.
pub(crate) fn any_line() -> impl Strategy<Value = String> {
    let one_of = |words: &[&'static str]| prop::sample::select(words.to_vec());
    let account = || one_of(&["A1", "A2", "A9"]);
    let market = || one_of(&["M1", "M2", "M3", "M9"]);
    let key = || (0..9u8).prop_map(|n| format!("K{n}"));
    let bet = || (1..6u8).prop_map(|n| format!("B{n}"));
    let level = || one_of(&["M1", "M2", "X1", "F1", "all"]);
    let owner = || one_of(&["feed", "trader", "governor", "engine"]);
    let price = || one_of(&["1.50", "2.00", "2.50", "10/11", "-"]);
    let asked = || one_of(&["2.00", "2.50 better", "2.10 within 5%", "any", "10/11"]);
    prop_oneof![
        8 => (key(), account(), market(), 1..4u8, 1..4000i64, asked()).prop_map(
            |(key, account, market, selection, pennies, asked)| {
                format!("place {key} {account} {market}/{selection} {} {asked}", money(pennies))
            }
        ),
        4 => (key(), account(), bet()).prop_map(|(k, a, b)| format!("accept {k} {a} {b}")),
        1 => (key(), account(), bet()).prop_map(|(k, a, b)| format!("decline {k} {a} {b}")),
        2 => (account(), key()).prop_map(|(a, k)| format!("resolve {a} {k}")),
        1 => (key(), account(), 1..9000i64)
            .prop_map(|(k, a, p)| format!("withdraw {k} {a} {}", money(p))),
        1 => (key(), account(), 1..9000i64)
            .prop_map(|(k, a, p)| format!("deposit {k} {a} {}", money(p))),
        6 => (market(), price(), price()).prop_map(|(m, p, q)| format!("prices {m} {p} {q}")),
        2 => (0..30u64).prop_map(|seq| format!("heartbeat F1 seq {seq}")),
        1 => (0..30u64).prop_map(|seq| format!("recovered F1 seq {seq}")),
        1 => Just("gap F1".to_owned()),
        1 => Just("recovered F1".to_owned()),
        2 => (level(), owner()).prop_map(|(l, o)| format!("suspend {l} {o}")),
        4 => (level(), owner()).prop_map(|(l, o)| format!("release {l} {o}")),
        3 => market().prop_map(|m| format!("open {m}")),
        1 => market().prop_map(|m| format!("close {m}")),
        1 => market().prop_map(|m| format!("result {m} 1 void 2")),
        1 => market().prop_map(|m| format!("archive {m}")),
        1 => Just("market M3 one a b".to_owned()),
        1 => (market(), 1..4u8).prop_map(|(m, s)| format!("non-runner {m} {s}")),
        1 => (market(), 1..4u8).prop_map(|(m, s)| format!("runner {m} {s}")),
        1 => account().prop_map(|a| format!("block {a}")),
        2 => account().prop_map(|a| format!("unblock {a}")),
        1 => (account(), key()).prop_map(|(a, k)| format!("quarantine {a} {k}")),
        1 => (account(), key()).prop_map(|(a, k)| format!("lift {a} {k}")),
        1 => (market(), 1..50i64).prop_map(|(m, p)| format!("limits {m} GBP liability {p}.00")),
        4 => one_of(&["@+1ms", "@+1s", "@+5s", "@+11s", "@+1m", "@+3m"]).prop_map(str::to_owned),
        1 => one_of(&["manual steps", "auto steps", "step 1", "tick", "restart"])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::cases(96),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// No order of commands breaks an invariant or makes a replay differ.
    #[test]
    fn whatever_is_asked_in_whatever_order_every_rule_holds(
        lines in prop::collection::vec(any_line(), 1..120),
        on_failure in prop::sample::select(vec!["refuse", "offer"]),
    ) {
        night(&lines, on_failure).map_err(|failure| TestCaseError::fail(failure.to_string()))?;
    }
}

/// Such lines in a small house, in which everything is soon full.
pub(crate) fn night(lines: &[String], on_failure: &str) -> Result<Report, Failure> {
    let mut runner = Runner::new(HouseRules);
    runner.line(&format!(
        "house window 1m budget 2 ttl 4s on-failure {on_failure} markets 3 bets 12 keys 40 \
         quarantined 3 liability 60.00"
    ))?;
    for line in [
        "fund A1 50.00",
        "fund A2 50.00 EUR",
        "feed F1 silence 10s",
        "recovered F1",
        "fixture X1",
        "market M1 one a b feed F1 bound 2s",
        "market M2 two a b c fixture X1 winners 2",
        "open M1",
        "open M2",
        "prices M1 2.50 2.00",
        "prices M2 2.50 2.00 1.50",
    ] {
        runner.line(line)?;
    }
    for line in lines {
        let bare = line.starts_with('@')
            || line.contains("steps")
            || line.contains("step ")
            || line == "tick"
            || line == "restart";
        runner.line(&if bare { line.clone() } else { format!("{line} -> anything") })?;
    }
    runner.finish()
}
