//! One order's whole life in plain words: what was asked, whom it met, what its market did to it, what it came to.

use super::{Life, Line};
use crate::describe::{self, Names, Told};
use crate::error::{CliError, program};
use crate::source::Source;
use betring_core::command::Level;
use betring_core::event::*;
use betring_core::id::*;
use betring_core::time::Timestamp;
use std::path::Path;

/// Lines that are told at most: an order of a busy market may have had thousands of fills.
const LINES_MAX: usize = 500;

/// An order as it was placed.
struct About {
    account: AccountId,
    market: MarketId,
    selection: SelectionIndex,
    asked_at: Timestamp,
}

/// Tells an order's life from a journal.
pub(crate) fn of(dir: &Path, order: OrderId) -> Result<Life, CliError> {
    let (mut names, mut lines, mut left_out) = (Names::default(), Vec::new(), 0);
    let mut about: Option<About> = None;
    let mut source = Source::open(dir, 1, "telling")?;
    while let Some((_, entry)) = source.next()? {
        // What cannot be read cannot be told; the audit names it.
        let Ok(told) = Told::read(&entry) else { continue };
        names.learn(&told);
        let placed = told.events.iter().find_map(|event| match event {
            Event::OrderPlaced(placed) if placed.order == order => Some(placed),
            _ => None,
        });
        if let Some(placed) = placed {
            about = Some(About {
                account: placed.account,
                market: placed.market,
                selection: placed.selection,
                asked_at: told.at,
            });
        }
        let Some(about) = &about else { continue };
        let own = told.events.iter().filter_map(|event| line_of(event, order, about));
        for (rank, text) in own {
            if lines.len() < LINES_MAX {
                lines.push(Line { seq: told.seq, rank, at: told.at, text });
            } else {
                left_out += 1;
            }
        }
    }
    let Some(About { account, market, selection, asked_at }) = about else {
        return Err(CliError::new(
            format_args!("there is no order {order} in this journal"),
            dir.display(),
            format_args!(
                "see which orders there are: {} journal tail {} --kind PlaceOrders",
                program(),
                dir.display()
            ),
        ));
    };
    let on = format!("{} in {}", names.selection(market, selection), names.market(market));
    let title = format!("{order}: {} on {on}", describe::party(account.raw()));
    Ok(Life { what: "order", id: order.to_string(), title, asked_at, lines, left_out })
}

/// What of a record belongs to the order: first what happened around it, then what it did itself.
fn line_of(event: &Event, order: OrderId, about: &About) -> Option<(u8, String)> {
    let position = (about.account, about.market);
    let at_level = |level: u8, id: u64, selection: SelectionIndex| match Level::from_code(level) {
        Some(Level::Engine) => true,
        Some(Level::Market) => id == about.market.raw(),
        Some(Level::Selection) => id == about.market.raw() && selection == about.selection,
        _ => false,
    };
    let rank = match event {
        Event::OrderPlaced(e) if e.order == order => 1,
        Event::OrderBegan(e) if e.order == order => 1,
        Event::OrderMatched(e) if e.order == order || e.taker == order => 1,
        Event::OrderCut(e) if e.order == order => 1,
        Event::OrderChanged(e) if e.order == order => 1,
        Event::OrderReduced(e) if e.order == order => 1,
        Event::PositionSettled(e) if (e.account, e.market) == position => 2,
        Event::PositionReversed(e) if (e.account, e.market) == position => 2,
        Event::MarketChanged(e) if e.market == about.market => 0,
        Event::InPlayChanged(e) if e.market == about.market => 0,
        Event::SelectionChanged(e) if e.market == about.market => 0,
        Event::StartingPrice(e) if (e.market, e.selection) == (about.market, about.selection) => 0,
        Event::LevelSuspended(e) if at_level(e.level, e.id, e.selection) => 0,
        Event::LevelReleased(e) if at_level(e.level, e.id, e.selection) => 0,
        Event::AccountExcluded(e) if e.account == about.account => 0,
        _ => return None,
    };
    Some((rank, describe::event_words(event)))
}
