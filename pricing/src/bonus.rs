//! Bonuses of Lucky bets: better odds for a lone winner, a share on top when all win.

/// The bonus of one kind of bet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Bonus {
    /// What the odds of a lone winner are multiplied by: 3 makes 3/1 into 9/1, the stake apart. 0
    /// and 1 are no bonus.
    pub one_winner: u8,
    /// Percent of the winnings (returns less stake) that is added when every selection wins.
    pub all_winners: u8,
}

impl Bonus {
    /// No bonus.
    pub const NONE: Bonus = Bonus { one_winner: 0, all_winners: 0 };
}

/// The bonuses of an operator, as data. They apply to the win part only, and only if every
/// selection ran; [`bonus`](fn@crate::bonus) says how.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct BonusTable {
    /// Four selections, 15 lines.
    pub lucky15: Bonus,
    /// Five selections, 31 lines.
    pub lucky31: Bonus,
    /// Six selections, 63 lines.
    pub lucky63: Bonus,
}

impl BonusTable {
    /// No bonus for any bet.
    pub const NONE: BonusTable =
        BonusTable { lucky15: Bonus::NONE, lucky31: Bonus::NONE, lucky63: Bonus::NONE };

    /// Betfred's, as published by bettingoffers.org.uk: a lone winner at three, four and five times
    /// the odds, and 10, 20 and 25 % on top of the winnings when all win.
    pub const BETFRED: BonusTable = BonusTable {
        lucky15: Bonus { one_winner: 3, all_winners: 10 },
        lucky31: Bonus { one_winner: 4, all_winners: 20 },
        lucky63: Bonus { one_winner: 5, all_winners: 25 },
    };
}
