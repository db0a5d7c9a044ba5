//! A feed's messages into an engine: odds, a bet, a result; then a translator that knows nothing yet goes on.
//!
//! `cargo run -p betring-uof --example feed`

use betring::*;
use betring_uof::{
    Config as FeedConfig, Expects, Message, Producer, Progress, RequestId, Translator, read,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the book for what a message says, until there is no handle to wait for.
fn hear(
    translator: &mut Translator,
    adapter: &mut Control,
    view: &View,
    message: &Message,
) -> Result<(), Box<dyn std::error::Error>> {
    loop {
        let mut given = Vec::new();
        let progress = translator.translate(message, adapter.now(), &mut given)?;
        for command in &given {
            let ticket = adapter.try_submit(&command.slots)?;
            let reply = adapter.wait(ticket, PATIENCE)?;
            match (&command.expects, reply.answer.reject()) {
                (Expects::Nothing, None) => (),
                // Said before, or to a market that is over: nothing is to be done.
                (Expects::Nothing, Some(why)) => println!("  {}: {why}", message.kind()),
                // The book had the market before this translator: it says what it is.
                (Expects::Market(key), Some(Reject::NameTaken)) => {
                    let book = view.now();
                    let known =
                        book.market(MarketId::from_raw(reply.answer.id)).expect("it is taken");
                    let selections = known.selections.iter().map(|selection| selection.name);
                    translator.adopt(key.clone(), known.id, known.feed, selections)?;
                    println!("  {} is known: {}", known.name, known.id);
                }
                (expects, _) => translator.made(expects, reply.answer.id),
            }
        }
        if progress == Progress::Done {
            return Ok(());
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let book = std::env::temp_dir().join(format!("feed-{}", std::process::id()));
    let engine = Engine::open(Config::at(&book))?;
    let mut adapter = engine.control("feed:uof")?;
    let view = engine.view()?;
    // Silent for 20 s it is down, and what is more than 10 s late is no price. Prices are confirmed by an
    // `alive` every 10 s.
    let feed = adapter.define_feed("uof", Nanos::from_secs(20), Nanos::from_secs(10))?;
    let actor = adapter.actor();
    let terms = || FeedConfig { age_bound: Nanos::from_secs(15), ..FeedConfig::new(actor) };
    let mut translator = Translator::new(terms());
    translator.feed(Producer(1), feed);

    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_millis());
    let odds = |at: u128| {
        format!(
            r#"<odds_change product="1" event_id="sr:match:7" timestamp="{at}"><odds>
            <market id="1" status="1"><outcome id="1" odds="2.10" active="1"/>
            <outcome id="2" odds="3.40" active="1"/><outcome id="3" odds="3.75" active="1"/></market>
            </odds></odds_change>"#
        )
    };
    // Ask the producer for everything, and say so under the number of the request: only its end counts.
    let asked = translator.recovering(Producer(1), RequestId(1)).expect("a feed stands for it");
    let ticket = adapter.try_submit(&asked.slots)?;
    adapter.wait(ticket, PATIENCE)?;
    let whole =
        format!(r#"<snapshot_complete request_id="1" timestamp="{}" product="1"/>"#, now()?);
    hear(&mut translator, &mut adapter, &view, &read(whole.as_bytes())?)?;
    hear(&mut translator, &mut adapter, &view, &read(odds(now()?).as_bytes())?)?;

    let mut client = engine.client(16)?;
    let account = client.open_account(Reference(1001), Currency::GBP)?;
    client.deposit(account, money!(100.00), key(1))?;
    let seen = view.at_least(engine.durable_seq(), PATIENCE)?;
    let market = seen.market_named("sr:match:7/1").expect("the odds change defined it");
    drop(seen);
    let home = Selection { market, index: SelectionIndex(0) };
    let slip = Place::single(account, home, money!(10.00)).seen_at(price!(2.10)).key(key(2));
    let ticket = client.try_submit(slip)?;
    println!("{}", client.wait(ticket, PATIENCE));

    // A restart of the adapter: it knows nothing, and the book knows the match.
    let mut translator = Translator::new(terms());
    translator.feed(Producer(1), feed);
    hear(&mut translator, &mut adapter, &view, &read(odds(now()?).as_bytes())?)?;
    let result = format!(
        r#"<bet_settlement certainty="2" product="1" event_id="sr:match:7" timestamp="{}"><outcomes>
        <market id="1"><outcome id="1" result="1"/><outcome id="2" result="0"/>
        <outcome id="3" result="0"/></market></outcomes></bet_settlement>"#,
        now()?
    );
    hear(&mut translator, &mut adapter, &view, &read(result.as_bytes())?)?;
    std::thread::sleep(Duration::from_millis(200)); // the settlement is done in Steps, soon
    let seen = view.at_least(engine.durable_seq(), PATIENCE)?;
    println!("balance {}", seen.account(account).expect("it is open").balance);
    drop(seen);
    drop(view);
    println!("{}", engine.shutdown()?);
    std::fs::remove_dir_all(book)?; // only because this is an example
    Ok(())
}
