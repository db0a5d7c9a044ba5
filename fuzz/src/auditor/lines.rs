//! What a ticket returns, by writing down every line of it: exact fractions in wide numbers, rounded where the
//! rules say so. Twenty-five legs would take an evening; workloads have six.

use super::place::odds;
use betring_core::wire::WirePrice;
use betring_pricing::{EachWay, LegNumbers, Money, RoundingMode};
use ruint::aliases::U2048 as Wide;

/// A fraction that a line is multiplied by for one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    num: u128,
    den: u128,
}

/// The part of the odds that is paid: numerator and denominator.
pub(super) type OfOdds = (u8, u8);

/// All of the odds.
pub(super) const ALL_ODDS: OfOdds = (1, 1);

fn profit(price: WirePrice, part: OfOdds) -> (u128, u128) {
    let (profit, per) = odds(price);
    (profit.unsigned_abs() * u128::from(part.0), per.unsigned_abs() * u128::from(part.1))
}

impl Ratio {
    pub(super) const NOTHING: Ratio = Ratio { num: 0, den: 1 };

    /// What of one unit was staked on what came back or won.
    pub(super) fn of_stake(numbers: &LegNumbers) -> Ratio {
        let (won, of) = (u128::from(numbers.win.num()), u128::from(numbers.win.den()));
        let (void, all) = (u128::from(numbers.void.num()), u128::from(numbers.void.den()));
        Ratio { num: void * of + (all - void) * won, den: all * of }
    }

    /// What one unit comes back as when a leg was decided so.
    pub(super) fn decided(
        price: WirePrice,
        part: OfOdds,
        numbers: &LegNumbers,
        place: bool,
    ) -> Ratio {
        let (profit, per) = profit(price, part);
        let kept = 100 - u128::from(numbers.rule4.get());
        let (profit, per) = (profit * kept, per * 100);
        let share = if place { numbers.place } else { numbers.win };
        let (won, of) = (u128::from(share.num()), u128::from(share.den()));
        let (void, all) = (u128::from(numbers.void.num()), u128::from(numbers.void.den()));
        Ratio { num: void * of * per + (all - void) * won * (per + profit), den: all * of * per }
    }

    /// The most that a leg can still bring.
    pub(super) fn open(price: WirePrice, part: OfOdds) -> Ratio {
        let (profit, per) = profit(price, part);
        Ratio { num: per + profit, den: per }
    }

    /// What one unit that was staked at a price is worth at another.
    pub(super) fn worth(taken: WirePrice, now: WirePrice, part: OfOdds) -> Ratio {
        let ((won, per), (wins, of)) = (profit(taken, part), profit(now, part));
        Ratio { num: (per + won) * of, den: per * (of + wins) }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.num == 0
    }

    fn mean(self, other: Ratio) -> (Wide, Wide) {
        let (a, b) = (Wide::from(self.num), Wide::from(self.den));
        let (c, d) = (Wide::from(other.num), Wide::from(other.den));
        (a * d + c * b, b * d * Wide::from(2u8))
    }
}

/// Which lines a ticket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) legs: usize,
    pub(super) folds: u32,
    pub(super) bankers: u32,
    pub(super) each_way: EachWay,
}

/// How fractions of a unit go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounded {
    pub(super) mode: RoundingMode,
    /// Every line for itself, not all of them once.
    pub(super) by_line: bool,
}

/// The sum of some lines, and the common denominator.
type Sum = (Wide, Wide);

impl Lines {
    pub(super) const fn single() -> Lines {
        Lines { legs: 1, folds: 1, bankers: 0, each_way: EachWay::No }
    }

    /// One leg, one line, to win.
    pub(super) fn is_plain(&self) -> bool {
        self.legs == 1 && self.each_way == EachWay::No
    }

    /// Every choice of legs that is a line: a bit for each leg.
    fn choices(&self) -> impl Iterator<Item = u32> + '_ {
        (1u32..1 << self.legs).filter(|choice| {
            let fold = choice.count_ones();
            self.folds >> (fold - 1) & 1 == 1 && choice & self.bankers == self.bankers
        })
    }

    fn combinations(&self) -> u64 {
        self.choices().count() as u64
    }

    /// Lines as customers count them: place lines too.
    pub(super) fn count(&self) -> u64 {
        self.combinations() * if self.each_way == EachWay::No { 1 } else { 2 }
    }

    /// Into how many equal stakes the stake is divided.
    fn stakes(&self) -> u64 {
        self.combinations() * if self.each_way == EachWay::WinToWin { 2 } else { 1 }
    }

    /// The factors of each part.
    fn parts(&self, win: &[Ratio], place: &[Ratio]) -> Vec<Vec<(Wide, Wide)>> {
        let wide = |ratios: &[Ratio]| -> Vec<(Wide, Wide)> {
            ratios.iter().map(|r| (Wide::from(r.num), Wide::from(r.den))).collect()
        };
        match self.each_way {
            EachWay::No => vec![wide(win)],
            EachWay::WinToWin => vec![wide(win), wide(place)],
            EachWay::EquallyDivided => {
                vec![win.iter().zip(place).map(|(win, place)| win.mean(*place)).collect()]
            }
        }
    }

    /// One line: the product of its factors.
    fn line(choice: u32, factors: &[(Wide, Wide)]) -> Sum {
        let mut line = (Wide::from(1u8), Wide::from(1u8));
        for (at, (num, den)) in factors.iter().enumerate() {
            if choice >> at & 1 == 1 {
                line = (line.0 * num, line.1 * den);
            }
        }
        line
    }

    /// The lines of one part together, over the product of all denominators; only those that hold a leg, if
    /// one is named.
    fn sum(&self, factors: &[(Wide, Wide)], with: Option<usize>) -> (Sum, u64) {
        let all = factors.iter().fold(Wide::from(1u8), |all, (_, den)| all * den);
        let (mut sum, mut lines) = (Wide::ZERO, 0);
        for choice in self.choices() {
            if with.is_some_and(|leg| choice >> leg & 1 == 0) {
                continue;
            }
            let mut line = Wide::from(1u8);
            for (at, (num, den)) in factors.iter().enumerate() {
                line *= if choice >> at & 1 == 1 { num } else { den };
            }
            sum += line;
            lines += 1;
        }
        ((sum, all), lines)
    }

    /// What a stake on all lines comes to; none if that is more than any money.
    pub(super) fn returns(
        &self,
        stake: i128,
        win: &[Ratio],
        place: &[Ratio],
        keep_ppm: u32,
        rounded: Rounded,
    ) -> Option<i128> {
        let scale = Wide::from(stake.unsigned_abs()) * Wide::from(keep_ppm);
        let per = Wide::from(self.stakes()) * Wide::from(1_000_000u32);
        let parts = self.parts(win, place);
        if rounded.by_line {
            let mut sum = 0;
            for factors in &parts {
                for choice in self.choices() {
                    let (num, den) = Lines::line(choice, factors);
                    sum += round(num * scale, den * per, rounded.mode)?;
                }
            }
            return (sum <= i128::from(Money::MAX.minor())).then_some(sum);
        }
        let mut whole = (Wide::ZERO, Wide::from(1u8));
        for factors in &parts {
            let ((num, den), _) = self.sum(factors, None);
            whole = (whole.0 * den + num * whole.1, whole.1 * den);
        }
        round(whole.0 * scale, whole.1 * per, rounded.mode)
    }

    /// For every leg, what the lines that hold it could win beyond their stakes, rounded up; none if that is
    /// more than any money.
    pub(super) fn reach(&self, stake: i128, win: &[Ratio], place: &[Ratio]) -> Option<Vec<i128>> {
        let parts = self.parts(win, place);
        let per = Wide::from(self.stakes());
        let of_leg = |leg: usize| {
            let mut whole = (Wide::ZERO, Wide::from(1u8));
            let mut staked = 0;
            for factors in &parts {
                let ((num, den), lines) = self.sum(factors, Some(leg));
                whole = (whole.0 * den + num * whole.1, whole.1 * den);
                staked += lines;
            }
            let staked = Wide::from(staked) * whole.1;
            let gain = if staked < whole.0 { whole.0 - staked } else { Wide::ZERO };
            let gain = gain * Wide::from(stake.unsigned_abs());
            round(gain, whole.1 * per, RoundingMode::Up)
        };
        (0..self.legs).map(of_leg).collect()
    }

    /// Whether every line holds a leg that brings nothing any more; none is a leg that is not decided.
    pub(super) fn is_dead(&self, win: &[Option<Ratio>], place: &[Option<Ratio>]) -> bool {
        let lost = |ratio: &Option<Ratio>| ratio.is_some_and(|ratio| ratio.is_zero());
        let dead = |is_lost: &dyn Fn(usize) -> bool| {
            self.choices()
                .all(|choice| (0..self.legs).any(|leg| choice >> leg & 1 == 1 && is_lost(leg)))
        };
        let (of_win, of_place) = (|leg: usize| lost(&win[leg]), |leg: usize| lost(&place[leg]));
        match self.each_way {
            EachWay::No => dead(&of_win),
            EachWay::WinToWin => dead(&of_win) && dead(&of_place),
            EachWay::EquallyDivided => dead(&|leg| of_win(leg) && of_place(leg)),
        }
    }

    /// Which of the three lucky bets it is: 0, 1 or 2.
    fn lucky(&self) -> Option<usize> {
        let plain = self.bankers == 0 && self.each_way != EachWay::EquallyDivided;
        let full = self.folds == (1 << self.legs) - 1;
        (plain && full && (4..=6).contains(&self.legs)).then(|| self.legs - 4)
    }

    /// What a lucky bet brings beside its lines: better odds for a lone winner, a share when all win.
    pub(super) fn bonus(
        &self,
        stake: i128,
        prices: &[WirePrice],
        numbers: &[LegNumbers],
        lucky: [[u8; 2]; 3],
        mode: RoundingMode,
    ) -> Option<i128> {
        let Some(which) = self.lucky() else { return Some(0) };
        if numbers.iter().any(|numbers| numbers.void.num() != 0) {
            return Some(0);
        }
        let [one_winner, all_winners] = lucky[which];
        let decided = |(price, numbers): (&WirePrice, &LegNumbers)| {
            Ratio::decided(*price, ALL_ODDS, numbers, false)
        };
        let win: Vec<Ratio> = prices.iter().zip(numbers).map(decided).collect();
        let winners: Vec<usize> = (0..self.legs).filter(|leg| !win[*leg].is_zero()).collect();
        let stake = Wide::from(stake.unsigned_abs());
        let lines = Wide::from(self.count());
        if winners.len() == self.legs && all_winners != 0 {
            let win_only = Lines { each_way: EachWay::No, ..*self };
            let parts = win_only.parts(&win, &[]);
            let ((num, den), count) = self.sum(&parts[0], None);
            let staked = den * Wide::from(count);
            let gain = if staked < num { num - staked } else { Wide::ZERO };
            let gain = gain * stake * Wide::from(all_winners);
            return round(gain, den * lines * Wide::from(100u8), mode);
        }
        if let [winner] = winners[..]
            && 1 < one_winner
        {
            let (price, numbers) = (prices[winner], numbers[winner]);
            let (profit, per) = profit(price, ALL_ODDS);
            let gain =
                profit * (100 - u128::from(numbers.rule4.get())) * u128::from(numbers.win.num());
            let of = per * 100 * u128::from(numbers.win.den());
            let times = Wide::from(one_winner - 1);
            return round(Wide::from(gain) * stake * times, Wide::from(of) * lines, mode);
        }
        Some(0)
    }
}

/// A fraction in whole units; none if that is more than any money.
fn round(num: Wide, den: Wide, mode: RoundingMode) -> Option<i128> {
    let (whole, rest) = num.div_rem(den);
    let twice = rest * Wide::from(2u8);
    let up = match mode {
        RoundingMode::Down => false,
        RoundingMode::Up => rest != Wide::ZERO,
        RoundingMode::HalfUp => den <= twice,
        RoundingMode::HalfEven => den < twice || (den == twice && whole.bit(0)),
    };
    let whole = i128::try_from(whole).ok()? + i128::from(up);
    (whole <= i128::from(Money::MAX.minor())).then_some(whole)
}
