//! What the reader of feed messages promises, one file a subject.

mod cancels;
mod descriptions;
mod errors;
mod liveness;
mod names;
mod numbers;
mod odds;
mod recorded;
mod robust;
mod settlements;
mod stops;
mod translate;

use betring_uof::{
    EventId, Header, Line, MarketId, Message, Producer, RequestId, Specifiers, Timestamp, read,
};

/// What every message of these tests says of itself.
const HEADER: &str =
    r#"product="1" event_id="sr:match:7" timestamp="1700000000000" request_id="99""#;

fn header() -> Header {
    Header {
        producer: Some(Producer(1)),
        event: event("sr:match:7"),
        timestamp: at(1_700_000_000_000),
        request: Some(RequestId(99)),
    }
}

fn message(text: &str) -> Message {
    read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The sentence that refuses the document.
fn refused(text: &str) -> String {
    match read(text.as_bytes()) {
        Ok(message) => panic!("it was read: {message:?}\n{text}"),
        Err(error) => error.to_string(),
    }
}

fn event(id: &str) -> EventId {
    EventId::new(id).expect("an event's id")
}

fn line(market: u32, specifiers: &str) -> Line {
    let specifiers = Specifiers::new(specifiers).expect("specifiers");
    Line { market: MarketId(market), specifiers }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms).expect("a moment")
}
