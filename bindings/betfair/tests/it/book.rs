//! What the changes of a market add up to.

use betring_betfair::{Book, Decimal, LEVELS_MAX, PriceSize, RUNNERS_MAX, SelectionKey};

use crate::{defined, mcm, recording};

/// A book fed with these `mc` entries.
fn book(changes: &[&str]) -> Book {
    let mut book = Book::default();
    for change in changes {
        let message = recording(mcm(1, change)).next().expect("a line").expect("a message");
        for change in &message.changes {
            book.apply(change).expect("there is room");
        }
    }
    book
}

const SEVEN: SelectionKey = SelectionKey { id: 7, handicap: Decimal::ZERO };

fn rc(lists: &str) -> String {
    format!("{{\"id\":\"1.1\",\"rc\":[{{\"id\":7,{lists}}}]}}")
}

/// `price x size`, or a dash.
fn shown(level: Option<PriceSize>) -> String {
    level.map_or("-".to_owned(), |level| format!("{} x {}", level.price, level.size))
}

#[test]
fn the_best_to_back_is_the_highest_and_the_best_to_lay_the_lowest() {
    let book = book(&[&rc("\"atb\":[[2.5,10],[2.52,4.5],[2.4,1]],\"atl\":[[2.6,3],[2.54,8]]")]);
    assert_eq!(shown(book.best_back(SEVEN)), "2.52 x 4.5");
    assert_eq!(shown(book.best_lay(SEVEN)), "2.54 x 8");
}

#[test]
fn a_size_of_nought_takes_a_price_away() {
    let book = book(&[
        &rc("\"atb\":[[2.5,10],[2.52,4.5]]"),
        &rc("\"atb\":[[2.52,0.0]]"),
        &rc("\"atb\":[[2.50,7]]"),
    ]);
    assert_eq!(shown(book.best_back(SEVEN)), "2.50 x 7", "2.50 is the price 2.5");
}

#[test]
fn an_image_replaces_everything() {
    let book = book(&[
        &rc("\"atb\":[[2.5,10]],\"ltp\":2.5"),
        "{\"id\":\"1.1\",\"img\":true,\"rc\":[{\"id\":8,\"atb\":[[3,1]]}]}",
    ]);
    assert_eq!(shown(book.best_back(SEVEN)), "-");
    assert!(book.runner(SEVEN).is_none(), "its last price is gone too");
}

#[test]
fn without_full_depth_the_first_of_the_best_levels_counts() {
    let best = rc("\"batb\":[[1,2.4,1],[0,2.5,10]],\"batl\":[[0,2.6,3]]");
    let displayed = rc("\"bdatb\":[[0,2.52,1]],\"bdatl\":[[0,2.54,1]]");
    assert_eq!(shown(book(&[&best, &displayed]).best_back(SEVEN)), "2.5 x 10");
    assert_eq!(shown(book(&[&best, &displayed]).best_lay(SEVEN)), "2.6 x 3");
    assert_eq!(shown(book(&[&displayed]).best_back(SEVEN)), "2.52 x 1");
    let emptied = rc("\"batb\":[[0,0,0]]");
    assert_eq!(shown(book(&[&best, &displayed, &emptied]).best_back(SEVEN)), "-");
    let full = rc("\"atb\":[[2.46,2]]");
    assert_eq!(shown(book(&[&best, &displayed, &full]).best_back(SEVEN)), "2.46 x 2");
}

#[test]
fn volumes_and_projected_prices_are_kept() {
    let book = book(&[
        &rc("\"trd\":[[2.5,10],[2.52,4.05]],\"tv\":14.05,\"ltp\":2.52,\"spn\":2.6,\"spf\":\"NaN\""),
        &rc("\"spb\":[[1.01,50]],\"spl\":[[1000,20.5]]"),
    ]);
    let runner = book.runner(SEVEN).expect("it is known");
    let shown = |number: Option<Decimal>| number.map(|it| it.to_string());
    assert_eq!(shown(runner.traded().total()), Some("14.05".to_owned()));
    assert_eq!(shown(runner.traded_volume()), Some("14.05".to_owned()));
    assert_eq!(shown(runner.last_traded_price()), Some("2.52".to_owned()));
    assert_eq!(shown(runner.near_price()), Some("2.6".to_owned()));
    assert_eq!(shown(runner.far_price()), None, "there is no far price yet");
    assert_eq!(runner.sp_back().levels().count(), 1);
    assert_eq!(shown(runner.sp_lay().highest().map(|it| it.size)), Some("20.5".to_owned()));
}

#[test]
fn a_book_is_crossed_when_back_reaches_lay() {
    let crossed = |lists: &str| book(&[&rc(lists)]).runner(SEVEN).is_some_and(|it| it.is_crossed());
    assert!(crossed("\"atb\":[[2.6,1]],\"atl\":[[2.6,1]]"));
    assert!(!crossed("\"atb\":[[2.58,1]],\"atl\":[[2.6,1]]"));
    assert!(!crossed("\"atb\":[[2.58,1]]"));
}

#[test]
fn the_same_id_with_another_handicap_is_another_selection() {
    let book = book(&["{\"id\":\"1.1\",\"rc\":[{\"id\":7,\"hc\":-0.5,\"atb\":[[2,1]]},\
                       {\"id\":7,\"hc\":0,\"atb\":[[3,1]]}]}"]);
    let keys: Vec<String> = book.runners().map(|(key, _)| key.to_string()).collect();
    assert_eq!(keys, ["7@-0.5", "7"]);
    assert_eq!(shown(book.best_back(SEVEN)), "3 x 1");
}

#[test]
fn a_change_without_room_changes_nothing() {
    let mut book = book(&[&rc("\"atb\":[[2.5,10]]")]);
    let levels = |from: usize, to: usize| {
        let levels: Vec<String> = (from..to).map(|price| format!("[{price},1]")).collect();
        levels.join(",")
    };
    let refused = |book: &mut Book, change: &str| {
        let message = recording(mcm(1, change)).next().expect("a line").expect("a message");
        book.apply(&message.changes[0]).map_err(|why| why.to_string())
    };
    let change = rc(&format!("\"atb\":[{}],\"ltp\":3", levels(1, LEVELS_MAX + 1)));
    assert_eq!(
        refused(&mut book, &change),
        Err("more than 4096 prices of a selection; the line is left out".to_owned())
    );
    let runners: Vec<String> = (8..8 + RUNNERS_MAX).map(|id| format!("{{\"id\":{id}}}")).collect();
    let change = format!("{{\"id\":\"1.1\",\"rc\":[{}]}}", runners.join(","));
    assert_eq!(
        refused(&mut book, &change),
        Err("more than 1000 selections in a market; the line is left out".to_owned())
    );
    let runners: Vec<String> =
        (0..=RUNNERS_MAX).map(|id| format!("{{\"id\":{id},\"status\":\"ACTIVE\"}}")).collect();
    let change = format!("{{\"id\":\"1.1\",{}}}", defined("OPEN", "", &runners.join(",")));
    assert_eq!(
        refused(&mut book, &change),
        Err("more than 1000 selections in a market; the line is left out".to_owned())
    );
    assert_eq!(book.runners().count(), 1);
    assert_eq!(shown(book.best_back(SEVEN)), "2.5 x 10");
}
