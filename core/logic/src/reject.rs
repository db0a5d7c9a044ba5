//! Every way of saying no, in order of precedence: the first that applies is the answer.
//!
//! There are two kinds. Codes below [`Reject::FIRST_DECIDED`] refuse *this attempt*: it was not
//! sequenced, its key is not used up, it will never execute (an earlier attempt may have). The others
//! were decided in order with everything else, stand in the journal, and are final for their key.

macro_rules! rejects {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $customer:literal, $operator:literal;)*) => {
        /// Why something was refused. The order of the codes is the order of precedence.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reject { $($(#[$doc])* $name = $code,)* }

        impl Reject {
            /// Every refusal, by precedence.
            pub const ALL: &'static [Reject] = &[$(Reject::$name,)*];

            /// The refusal with this code on the wire.
            pub const fn from_code(code: u8) -> Option<Reject> {
                match code { $($code => Some(Reject::$name),)* _ => None }
            }

            /// The name, as logs, scripts and the glossary write it.
            pub const fn name(self) -> &'static str {
                match self { $(Reject::$name => stringify!($name),)* }
            }

            /// One sentence that a customer can read.
            pub const fn to_customer(self) -> &'static str {
                match self { $(Reject::$name => $customer,)* }
            }

            /// One sentence that tells an operator what happened and what to do.
            pub const fn to_operator(self) -> &'static str {
                match self { $(Reject::$name => $operator,)* }
            }
        }
    };
}

rejects! {
    /// This engine does not lead its shard.
    NotLeader = 1, "Betting is moving to another server; please try again.",
        "not the leader of this shard: send the same request, same key, to the leader";
    /// The engine is replaying its journal.
    Recovering = 2, "Betting opens again in a moment; please try again.",
        "the engine is replaying its journal: repeat the request with the same key once it serves";
    /// A ring or a table is full, or a market's door is closed.
    Overloaded = 3, "We are very busy; please try again.",
        "a ring or a table is full, or a market's door is closed (its rate, its bets in flight, shedding): repeat with the \
         same key after the time that the refusal says, with jitter";
    /// The client has as many unanswered attempts as it has credit.
    TooManyInFlight = 4, "We are still working on your earlier requests; please wait a moment.",
        "the client's credit is used up: read its replies before sending more";
    /// The session sends faster than it may.
    RateLimited = 5, "That was too fast; please wait a moment.",
        "the session's rate limit: repeat with the same key later";
    /// The bytes are not a command, or a field is out of its range.
    Malformed = 6, "We could not read this request.",
        "the command is not well formed: the detail says which field; asking again changes nothing";
    /// An operator must look at this request first.
    Quarantined = 7, "This request is being looked at; please contact us.",
        "this request stopped the engine once: find out why, then lift the quarantine";
    /// The question about this request was closed as never placed.
    Sealed = 8, "This request was already closed as never placed.",
        "a Resolve answered NeverPlaced for this key: a late copy arrived, nothing happened";
    /// The key was seen before, asking for something else.
    RequestReused = 9, "This request was already used for something else.",
        "same account and key, other content: the client must choose a new key per request; \
         or it is a retry with another valid_until: repeat it with the first one, do not take a new key";
    /// The client's own time limit has passed.
    Expired = 10, "This request came too late.",
        "past its valid_until and not seen before within the window: ask Resolve about earlier attempts";
    /// The question is about a time that is no longer remembered.
    TooOld = 11, "This request is too old to be looked up here.",
        "more than a window past valid_until: ask a View or `betring audit --key`";

    /// The actor of a control command is not registered.
    ActorUnknown = 32, "This is not available.",
        "the header's account is not a registered actor: register it by name first";
    /// No such account.
    AccountUnknown = 33, "We do not know this account.",
        "no account has this handle: open it first";
    /// The operator's reference already has an account.
    AccountExists = 34, "You already have this account.",
        "the reference has an account: the answer names it";
    /// The account may not bet or withdraw.
    AccountBlocked = 35, "Your account is closed for this; please contact us.",
        "the account is blocked";
    /// The account is excluded, by its customer or a register.
    SelfExcluded = 36, "Your account is excluded at present.",
        "excluded until the time that the answer carries: nothing can shorten it";
    /// The account's money, or its bets, are of another kind.
    AccountKind = 37, "This is not available with this account.",
        "one of three: a deposit or a withdrawal with an account whose wallet is external; a bet of a probe's account that \
         does not say synthetic, or one of another account that does; a bet on a canary that is no probe's";
    /// One of the account's own limits by a period of time.
    CustomerLimit = 38, "This would pass the limit that is set for your account.",
        "one of the account's own limits: the answer carries which and how much of it is left";
    /// The currency is not one this journal keeps, and no place is left for another.
    CurrencyUnknown = 39, "We do not offer this currency.",
        "unknown currency, or no capacity for one more: raise capacities.currencies at the next start";
    /// A name is taken.
    NameTaken = 40, "This is not available.",
        "the name is defined already: the answer carries the handle that has it";
    /// No such fixture.
    FixtureUnknown = 41, "We do not know this event.",
        "no fixture has this handle";
    /// No such feed.
    FeedUnknown = 42, "This is not available.",
        "no feed has this number: define it first";
    /// No such group.
    GroupUnknown = 43, "This is not available.",
        "no group has this number: define it first";
    /// The prices come from a feed that does not drive this market.
    FeedMismatch = 44, "This is not available.",
        "this market takes its prices from another feed";
    /// No such market.
    MarketUnknown = 45, "We do not know this market.",
        "no market has this handle, or it was archived";
    /// No such selection in the market.
    SelectionUnknown = 46, "We do not know this selection.",
        "the market has no such selection, the bet no such leg, or what was given is not one for each";
    /// The market was not opened (or not since the last start).
    MarketNotOpen = 47, "This market is not open yet.",
        "defined but not open; a market with manual prices waits for an open after every start";
    /// The market takes no more bets.
    MarketClosed = 48, "This market is closed.",
        "closed, settling or settled";
    /// The market, its fixture, its feed or the engine is suspended.
    MarketSuspended = 49, "This market is suspended; please try again in a moment.",
        "suspended at some level: every owner has to release it";
    /// The selection takes no bets: withdrawn, a non-runner.
    SelectionWithdrawn = 50, "This selection is not running.",
        "the selection is withdrawn";
    /// The feed of the market is silent, has a gap, or is recovering.
    FeedDown = 51, "This market is suspended; please try again in a moment.",
        "the market's feed is not up: it must heartbeat and report its recovery";
    /// The feed sends another version of its messages than is known.
    FeedQuarantined = 52, "This market is suspended; please try again in a moment.",
        "a message of another schema version: look at the parser, then say which version is right (SetFeedSchema)";
    /// The feeds have been too far apart for too long.
    PriceDrifted = 53, "The price is being checked; please try again in a moment.",
        "primary and backup are further apart than the tier's band: find out which is right, then switch or pin";
    /// The selection has no price.
    NoPrice = 54, "There is no price for this selection at the moment.",
        "no price is in force";
    /// The price moved further than is plausible.
    PriceHeld = 55, "The price is being checked; please try again in a moment.",
        "outside the tier's price band: a trader takes it (TraderPrice), or the feed sends another, or suspends";
    /// The price is older than the market allows.
    StalePrice = 56, "The price is being updated; please try again in a moment.",
        "the price in force was not confirmed within the market's bound";
    /// The price took too long from its source.
    PriceDelayed = 57, "The price is being updated; please try again in a moment.",
        "the feed's messages take longer than its delay bound: its own queue, or ours, is behind";
    /// The price moved and the customer did not agree to that.
    PriceMoved = 58, "The price has changed.",
        "the price in force fails the bet's price policy: the answer carries it";
    /// An operator's own rule refused.
    Policy = 59, "This bet is not available to you.",
        "a rule of the operator's refused: the detail is its reason";
    /// Legs that depend on each other: the same market or fixture twice.
    RelatedContingency = 60, "These selections cannot be combined in one bet.",
        "two legs are of one market or fixture: take them apart, or price them together";
    /// More lines than the rules take.
    TooManyLines = 61, "This bet has too many lines.",
        "more lines or legs than the rules in force take: the answer carries how many lines";
    /// No each-way terms.
    EachWayNotOffered = 62, "Each-way bets are not offered here.",
        "the market has no each-way terms, or too few runners for them";
    /// A free bet of a kind that is not offered.
    BonusTerms = 63, "A free bet cannot be used for this.",
        "free bets are of one line and win only";
    /// Less than the smallest stake.
    StakeTooSmall = 64, "The stake is below the minimum.",
        "below the smallest stake: the answer carries it";
    /// More than the largest stake.
    StakeTooLarge = 65, "The stake is above the maximum.",
        "above the largest stake: the answer carries it";
    /// It could pay more than the cap.
    PayoutLimit = 66, "The possible payout is above the maximum.",
        "above the largest payout: the answer carries the largest stake that is not";
    /// The market would lose more than its limit.
    LiabilityLimit = 67, "This stake is more than we can accept here.",
        "above the market's liability limit: the answer carries the largest stake that is not";
    /// Not enough money.
    FundsInsufficient = 68, "There is not enough money in your account.",
        "the balance is below the amount";
    /// The balance would grow past what is kept.
    BalanceLimit = 69, "Your account cannot hold this much.",
        "the balance would pass the largest amount of money";
    /// No such offer, or it has ended.
    OfferUnknown = 70, "This offer is not there any more.",
        "no offer has this handle, or it is another account's, or it has ended";
    /// The offer's time is over.
    OfferExpired = 71, "This offer has ended.",
        "past the offer's until";
    /// Something was suspended after the offer was made.
    OfferWithdrawn = 72, "This offer was withdrawn.",
        "a level of the market was suspended after the offer: it can never be taken";
    /// No such hold: no such bet, or it waits for no wallet.
    HoldUnknown = 73, "This is not available.",
        "no bet that waits for a wallet has this handle";
    /// The hold has ended, or was confirmed otherwise: the wallet answered too late.
    HoldEnded = 74, "This request came too late for your bet.",
        "the hold ended before, or the bet was confirmed already, under another reference or with another amount: \
         let go of the hold that this request names, unless the bet stands under it";
    /// The wallet holds another amount than the stake.
    HoldAmount = 75, "This bet was not placed.",
        "a hold is confirmed whole or not at all: the answer carries the stake";
    /// No such bet.
    BetUnknown = 76, "We do not know this bet.",
        "no bet has this handle, or it is another account's, or it has left memory";
    /// The bet cannot be sold back now.
    CashOutFrozen = 77, "Cash-out is not available at the moment.",
        "something is suspended, frozen, stale, settling or unpriced, or the bet is not of a kind that is bought back";
    /// The bet is worth less than the customer was shown.
    CashOutMoved = 78, "The cash-out value has changed.",
        "the value now fails the customer's policy: the answer carries it";
    /// The trader declined.
    ReferralDeclined = 79, "We cannot accept this bet.",
        "a trader declined the referred bet";
    /// No trader answered in time.
    ReferralTimedOut = 80, "We cannot accept this bet at the moment.",
        "no trader answered the referral in time";
    /// The wallet did not answer in time.
    HoldTimedOut = 81, "Your wallet did not answer in time; the bet was not placed.",
        "no confirmation before the hold's until: let go of the money in the wallet";
    /// The wallet does not hold the stake.
    HoldReleased = 82, "Your wallet declined; the bet was not placed.",
        "the wallet released the hold";
    /// The place where bets wait is full.
    TooManyPending = 83, "We are very busy; please try again.",
        "as many bets wait for a delay, a trader or a customer as may: repeat with a new key after a pause";
    /// The state machine has no such step here.
    NotAllowed = 84, "This is not possible now.",
        "not allowed in the present state: see docs/life-cycle.md";
    /// The result has more winners than the market.
    TooManyWinners = 85, "This is not possible now.",
        "more selections won than the market has winners: check the result, or how it was defined";
    /// A dense table is full.
    Full = 86, "This is not available.",
        "the table is full: raise its capacity at the next start";

    /// The market is not of the kind that this is for.
    InvalidMarketId = 87, "This is not available here.",
        "an order for a market that is no exchange market or has no terms yet (SetExchange), a bet against the house or a \
         price of it on one that is, or an order of another market";
    /// The version of the market is one that it never had.
    InvalidMarketVersion = 88, "We could not read this request.",
        "the market's version is below the one that the request names: take it from the market's data";
    /// The market has no starting prices, or not any more.
    MarketNotOpenForBspBetting = 89, "Bets at the starting price are not available here.",
        "the market has no starting prices, or is in-play";
    /// The limit is not a price of the market's ladder.
    InvalidOdds = 90, "These odds are not available here.",
        "the limit is not on the market's ladder, or on a line not 2.00: the detail says of which order";
    /// The stake, or the liability, is too small, or its size does not come out.
    InvalidBetSize = 91, "The stake is not possible here.",
        "below the market's smallest stake and payout, or liability: then the answer carries the smallest; or above the \
         largest stake, or a payout or profit is asked for at the starting price; the detail says of which order";
    /// The profit in whole units is too far from the exact one.
    InvalidProfitRatio = 92, "The stake is not possible at these odds.",
        "in whole minor units the profit would be more than 20 % below the exact one, or more than 25 % above: choose a \
         larger stake, or cancel the whole order";
    /// At least so much was to be filled, and that is more than the order, or no fill or kill.
    InvalidMinFillSize = 93, "We could not read this order.",
        "the minimum fill is above the size, or the order is not fill or kill";
    /// An order at the starting price is never in the book.
    UnexpectedPersistenceType = 94, "We could not read this order.",
        "a persistence with an order at the starting price: say Lapse";
    /// Fill or kill and something that waits.
    TimeInForceConflict = 95, "We could not read this order.",
        "fill or kill with a persistence, or with an order at the starting price";
    /// The orders cannot be told apart, or one is named twice.
    DuplicateBetIds = 96, "We could not read this request.",
        "one order is named twice in a request";
    /// No such order, or another account's.
    InvalidBetId = 97, "We do not know this order.",
        "no order of the account has this handle, or it has left memory";
    /// Nothing of the order waits any more.
    BetTakenOrLapsed = 98, "This order is already matched, cancelled or lapsed.",
        "nothing of the order waits: look at its sizes";
    /// The order waits for the end of its delay.
    BetInProgress = 99, "This order is being placed; please try again in a moment.",
        "the order waits for the end of the bet delay: repeat with a new key after it";
    /// The same price, or none that can be changed.
    InvalidPriceEdit = 100, "This order cannot be changed so.",
        "an order is replaced at another limit than it has, and one without a limit cannot be; on a line, where all odds are \
         2.00, it is cancelled and placed at another line";
    /// Nothing would change.
    NoActionRequired = 101, "Nothing is to be done.",
        "nothing waits that could be cancelled, or it is so already";
    /// The account has as many orders waiting as it may.
    TooManyOrders = 102, "You have too many orders waiting here.",
        "more orders of the account would wait in this market than may: cancel some";
    /// No result that an exchange market can be settled by.
    InvalidResult = 103, "This is not possible now.",
        "an exchange market takes a result by which exactly as much is won as it has winners, or one that is void as a \
         whole; with no deduction, no part of a selection void, and no share for one that was withdrawn; of lines, the \
         lowest first, some lose, then one at most is void, then the others win";
}

impl Reject {
    /// The first code of the decided kind.
    pub const FIRST_DECIDED: u8 = 32;

    /// The code on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether it was sequenced and journaled, and so is final for its key.
    pub const fn is_decided(self) -> bool {
        Self::FIRST_DECIDED <= self as u8
    }
}

impl std::fmt::Display for Reject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! malformed {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// What is wrong with a command's bytes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Malformed { $($(#[$doc])* $name = $code,)* }

        impl Malformed {
            /// Every kind.
            pub const ALL: &'static [Malformed] = &[$(Malformed::$name,)*];

            /// The kind with this code on the wire.
            pub const fn from_code(code: u8) -> Option<Malformed> {
                match code { $($code => Some(Malformed::$name),)* _ => None }
            }
        }

        impl std::fmt::Display for Malformed {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Malformed::$name => $text,)* })
            }
        }
    };
}

malformed! {
    /// Not a command's kind.
    Kind = 1, "unknown kind of command";
    /// Not a version of this kind that is read here.
    Version = 2, "unknown version of this kind of command";
    /// A flag that has no meaning.
    Flags = 3, "a flag is set that has no meaning, or none with the rest";
    /// The number of slots is not what the content needs.
    Slots = 4, "the number of slots does not fit the content";
    /// An unused byte is not zero.
    NotZero = 5, "an unused byte is not zero";
    /// The stake is not between 1 and the largest.
    Stake = 6, "the stake is not between one minor unit and the largest stake";
    /// The amount is not between 1 and the largest.
    Amount = 7, "the amount is not between one minor unit and the largest amount";
    /// The price is not between 1.0001 and 100,000, or its fraction is not that price.
    Price = 8, "the price is not between 1.0001 and 100000, or its fraction is another price";
    /// No such price policy.
    PricePolicy = 9, "unknown price policy";
    /// Slippage out of range, or given with a policy that has none.
    Slippage = 10, "slippage is from 1 to 10000 basis points, and only with the policy Within";
    /// `valid_until` is missing or further ahead than the window.
    ValidUntil = 11, "valid_until is missing or further ahead than the window";
    /// A command that needs a key has none, or a feed message has one.
    Key = 12, "the request key is missing, or a feed message carries one";
    /// A name is empty, too long, not UTF-8, or holds control characters.
    Name = 13, "a name is empty, longer than 64 bytes, not UTF-8, or holds control characters";
    /// Too few or too many entries, or one twice.
    Entries = 14, "too few or too many entries, or a selection or its name appears twice";
    /// A number outside its range.
    Range = 15, "a field is outside its range";
    /// An owner, level, status or outcome that does not exist.
    Choice = 16, "an owner, level, kind or outcome that does not exist";
    /// Only the engine itself gives such commands.
    EngineOnly = 17, "only the engine itself gives this command";
    /// It came through the wrong ring.
    WrongRing = 18, "this command does not belong on this ring";
    /// Lines that do not exist.
    Folds = 19, "no such lines: none, of more legs than there are, or of fewer than there are bankers";
    /// A bet without a price, and its policy takes not any.
    PriceMissing = 20, "there is no price: give the one that the customer saw, or the policy Any";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_one_code_and_two_sentences() {
        for (i, reject) in Reject::ALL.iter().enumerate() {
            assert_eq!(Reject::from_code(reject.code()), Some(*reject));
            assert!(reject.to_customer().ends_with('.') && reject.to_operator().len() > 10);
            assert!(i == 0 || Reject::ALL[i - 1] < *reject, "codes rise with the list");
        }
        assert_eq!(Reject::from_code(0), None);
        for code in 0..=255 {
            assert_eq!(Malformed::from_code(code).map(|m| m as u8).unwrap_or(code), code);
        }
    }

    #[test]
    fn the_glossary_lists_every_refusal_with_its_code_and_what_to_do() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/glossary.md");
        let glossary =
            std::fs::read_to_string(path).expect("docs/glossary.md is part of the project");
        for reject in Reject::ALL {
            let row = format!("| {} | `{}` |", reject.code(), reject.name());
            let found = glossary.lines().find(|line| line.starts_with(&row));
            let said = format!("| {} |", reject.to_operator());
            let found = found.unwrap_or_else(|| panic!("docs/glossary.md has no row `{row}`"));
            assert!(found.ends_with(&said), "docs/glossary.md has `{found}`, not `{said}`");
        }
    }

    #[test]
    fn the_two_kinds_are_apart() {
        assert!(!Reject::TooOld.is_decided() && Reject::ActorUnknown.is_decided());
    }
}
