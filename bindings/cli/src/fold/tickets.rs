//! What tickets return: every line added up as an exact fraction, by long multiplication.

use betring_core::command::{ResultEntry, ResultForm, RoundingPlace};
use betring_core::event::LegDecided;
use betring_core::ruleset::Ruleset;
use betring_core::wire::WirePrice;
use std::cmp::Ordering;

/// A natural number of any size, in words of 64 bits, the lowest first, none of them a zero at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Big(Vec<u64>);

impl Big {
    fn of(n: u128) -> Big {
        Big(vec![n as u64, (n >> 64) as u64]).trimmed()
    }

    fn trimmed(mut self) -> Big {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn plus(&self, other: &Big) -> Big {
        let len = self.0.len().max(other.0.len());
        let word = |n: &Big, at: usize| n.0.get(at).copied().unwrap_or(0);
        let (mut sum, mut carry) = (Vec::with_capacity(len + 1), 0);
        for at in 0..len {
            let all = u128::from(word(self, at)) + u128::from(word(other, at)) + carry;
            sum.push(all as u64);
            carry = all >> 64;
        }
        sum.push(carry as u64);
        Big(sum).trimmed()
    }

    /// Nothing, if there is less than that.
    fn minus(&self, other: &Big) -> Big {
        if self.compare(other) == Ordering::Less {
            return Big(Vec::new());
        }
        let (mut left, mut borrowed) = (Vec::with_capacity(self.0.len()), false);
        for (at, word) in self.0.iter().enumerate() {
            let less = other.0.get(at).copied().unwrap_or(0);
            let (once, one) = word.overflowing_sub(less);
            let (twice, two) = once.overflowing_sub(u64::from(borrowed));
            left.push(twice);
            borrowed = one || two;
        }
        Big(left).trimmed()
    }

    fn times(&self, other: &Big) -> Big {
        let mut product = vec![0_u64; self.0.len() + other.0.len()];
        for (at, word) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (by, factor) in other.0.iter().enumerate() {
                let all =
                    u128::from(*word) * u128::from(*factor) + u128::from(product[at + by]) + carry;
                product[at + by] = all as u64;
                carry = all >> 64;
            }
            product[at + other.0.len()] = carry as u64;
        }
        Big(product).trimmed()
    }

    fn compare(&self, other: &Big) -> Ordering {
        let longer = self.0.len().cmp(&other.0.len());
        longer.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

/// An exact fraction.
#[derive(Clone)]
struct Ratio {
    num: Big,
    den: Big,
}

impl Ratio {
    fn plus(&self, other: &Ratio) -> Ratio {
        let num = self.num.times(&other.den).plus(&other.num.times(&self.den));
        Ratio { num, den: self.den.times(&other.den) }
    }

    fn times(&self, num: u128, den: u128) -> Ratio {
        Ratio { num: self.num.times(&Big::of(num)), den: self.den.times(&Big::of(den)) }
    }

    /// As whole units: 1 down, 2 up, 3 half up, 4 half to even. None if that is more than any money.
    fn rounded(&self, mode: u8) -> Option<i128> {
        let (mut least, mut beyond) = (0_u128, 1_u128 << 80);
        while least + 1 < beyond {
            let middle = least.midpoint(beyond);
            if self.den.times(&Big::of(middle)).compare(&self.num) == Ordering::Greater {
                beyond = middle;
            } else {
                least = middle;
            }
        }
        if least + 1 == 1 << 80 {
            return None;
        }
        let rest = self.num.minus(&self.den.times(&Big::of(least)));
        let half = rest.times(&Big::of(2)).compare(&self.den);
        let up = match mode {
            1 => false,
            2 => !rest.is_zero(),
            3 => half != Ordering::Less,
            4 => half == Ordering::Greater || (half == Ordering::Equal && least % 2 == 1),
            _ => return None,
        };
        i128::try_from(least + u128::from(up)).ok()
    }
}

/// A fraction of two words as whole units.
fn rounded(num: u128, den: u128, mode: u8) -> Option<i128> {
    let (whole, rest) = (num.checked_div(den)?, num % den);
    let half = rest.cmp(&(den - rest));
    let up = match mode {
        1 => false,
        2 => rest != 0,
        3 => half != Ordering::Less,
        4 => half == Ordering::Greater || (half == Ordering::Equal && whole % 2 == 1),
        _ => return None,
    };
    i128::try_from(whole + u128::from(up)).ok()
}

/// What each unit on a leg becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Factor {
    num: u128,
    den: u128,
}

impl Factor {
    /// A leg that does not matter.
    pub(super) const ONE: Factor = Factor { num: 1, den: 1 };

    /// A leg that lost.
    pub(super) const NOTHING: Factor = Factor { num: 0, den: 1 };

    fn half_of_both(self, other: Factor) -> Factor {
        let num = self.num * other.den + other.num * self.den;
        Factor { num, den: 2 * self.den * other.den }
    }
}

/// What a price pays beside the stake; of a place, so much of it.
fn profit(price: WirePrice, part: Option<(u8, u8)>) -> (u128, u128) {
    let (num, den) = match price.den {
        0 => (u128::from(price.e4.saturating_sub(10_000)), 10_000),
        den => (u128::from(price.num), u128::from(den)),
    };
    let (part, of) = part.unwrap_or((1, 1));
    (num * u128::from(part), den * u128::from(of).max(1))
}

/// The factor of a leg that wins in full.
pub(super) fn open(price: WirePrice, part: Option<(u8, u8)>) -> Factor {
    let (profit, base) = profit(price, part);
    Factor { num: base + profit, den: base }
}

/// The odds taken over the odds now: what a leg that is not decided is worth.
pub(super) fn taken_over_now(taken: WirePrice, now: WirePrice, part: Option<(u8, u8)>) -> Factor {
    let (taken, now) = (open(taken, part), open(now, part));
    Factor { num: taken.num * now.den, den: taken.den * now.num.max(1) }
}

/// What became of a leg: shares, numerator and denominator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    win: [u16; 2],
    place: [u16; 2],
    void: [u16; 2],
    rule4: u8,
}

impl PartialEq for Numbers {
    fn eq(&self, other: &Numbers) -> bool {
        let same = |[num, den]: [u16; 2], [n, d]: [u16; 2]| {
            u32::from(num) * u32::from(d) == u32::from(n) * u32::from(den)
        };
        // Of what is void in full, nothing else counts.
        same(self.void, other.void)
            && (self.is_void()
                || same(self.win, other.win)
                    && same(self.place, other.place)
                    && self.rule4 == other.rule4)
    }
}

const ALL: [u16; 2] = [1, 1];
const NOTHING: [u16; 2] = [0, 1];

impl Numbers {
    pub(super) const VOID: Numbers = Numbers { win: NOTHING, place: NOTHING, void: ALL, rule4: 0 };
    pub(super) const WON: Numbers = Numbers { win: ALL, place: ALL, void: NOTHING, rule4: 0 };
    pub(super) const PLACED: Numbers =
        Numbers { win: NOTHING, place: ALL, void: NOTHING, rule4: 0 };

    /// What an entry of a result says, before deductions.
    pub(super) fn of(entry: &ResultEntry, winners: u16, places: u8) -> Numbers {
        let is = |win, place, void| Numbers { win, place, void, rule4: 0 };
        match entry.form() {
            ResultForm::Win => is(ALL, ALL, NOTHING),
            ResultForm::Lose => is(NOTHING, NOTHING, NOTHING),
            ResultForm::Void => Numbers::VOID,
            ResultForm::Shares => is(entry.win, entry.place, entry.void),
            ResultForm::Position => {
                // Dead heat: as many of the shared positions as are paid, over all who share them.
                let [position, tied] = entry.win;
                let paid = |last: u16| [(last + 1).saturating_sub(position).min(tied), tied];
                is(paid(winners), paid(u16::from(places)), NOTHING)
            }
        }
    }

    /// What an event says; none if it says that the leg is open.
    pub(super) fn told(event: &LegDecided) -> Option<Numbers> {
        let LegDecided { win, place, void, rule4, .. } = *event;
        (event.decided == 1).then_some(Numbers { win, place, void, rule4 })
    }

    pub(super) fn less(self, pence: u8) -> Numbers {
        Numbers { rule4: pence, ..self }
    }

    pub(super) fn is_void(&self) -> bool {
        self.void[1] != 0 && self.void[0] == self.void[1]
    }

    /// v + (1 − v)·w·(1 + (O − 1)·(1 − r))
    pub(super) fn factor(&self, price: WirePrice, part: Option<(u8, u8)>) -> Factor {
        let (profit, base) = profit(price, part);
        let share = if part.is_some() { self.place } else { self.win };
        let [void, whole] = self.void.map(u128::from);
        let [won, of] = share.map(u128::from);
        let (profit, base) = (profit * (100 - u128::from(self.rule4)), base * 100);
        let back = void * of * base;
        let winning = whole.saturating_sub(void) * won * (base + profit);
        Factor { num: back + winning, den: whole * of * base }
    }

    /// v + (1 − v)·w
    pub(super) fn of_stake(&self) -> Factor {
        let [void, whole] = self.void.map(u128::from);
        let [won, of] = self.win.map(u128::from);
        Factor { num: void * of + whole.saturating_sub(void) * won, den: whole * of }
    }

    /// How much of it has won, in parts of a whole.
    pub(super) fn win(&self) -> (u16, u16) {
        (self.win[0], self.win[1])
    }

    fn won(&self) -> bool {
        self.win[0] != 0
    }
}

/// The lines of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) legs: usize,
    pub(super) folds: u32,
    pub(super) bankers: u32,
    /// 0 win only, 1 each way, 2 equally divided.
    pub(super) each_way: u8,
}

impl Lines {
    pub(super) const SINGLE: Lines = Lines { legs: 1, folds: 1, bankers: 0, each_way: 0 };

    fn is_banker(self, leg: usize) -> bool {
        self.bankers & 1 << leg != 0
    }

    fn has(self, size: usize) -> bool {
        self.folds & 1 << (size - 1) != 0
    }

    /// The sum over all choices of legs of the products of their factors.
    fn sum(self, factors: &[Factor]) -> Ratio {
        // By size: the products of all choices of so many legs, over the product of all denominators.
        let mut sums = vec![Big::of(1)];
        let (mut den, mut always, mut must) = (Big::of(1), Big::of(1), 0);
        for (at, factor) in factors.iter().enumerate() {
            let (num, below) = (Big::of(factor.num), Big::of(factor.den));
            den = den.times(&below);
            if self.is_banker(at) {
                always = always.times(&num);
                must += 1;
                continue;
            }
            sums.push(Big::of(0));
            for size in (0..sums.len()).rev() {
                let without = sums[size].times(&below);
                sums[size] = match size {
                    0 => without,
                    _ => without.plus(&sums[size - 1].times(&num)),
                };
            }
        }
        let sizes = (1..=self.legs).filter(|size| self.has(*size) && must <= *size);
        let chosen = sizes.filter_map(|size| sums.get(size - must));
        let sum = chosen.fold(Big::of(0), |sum, more| sum.plus(more));
        Ratio { num: sum.times(&always), den }
    }

    fn choices(self) -> u128 {
        let ones = vec![Factor::ONE; self.legs];
        self.sum(&ones).rounded(1).and_then(|n| u128::try_from(n).ok()).unwrap_or(1)
    }

    /// How many lines; each way is twice as many.
    pub(super) fn count(self) -> u128 {
        if self.each_way == 0 { self.choices() } else { 2 * self.choices() }
    }

    /// What a stake returns in whole units: `keep` parts per million of it, rounded as the rules say.
    pub(super) fn returns(
        self,
        stake: i64,
        win: &[Factor],
        place: &[Factor],
        keep: u32,
        rules: &Ruleset,
    ) -> Option<i128> {
        let stake = u128::try_from(stake).ok()?;
        if self == Lines::SINGLE
            && let Some(num) = (stake * u128::from(keep)).checked_mul(win[0].num)
            && let Some(den) = win[0].den.checked_mul(1_000_000)
        {
            // The common case fits two words.
            return rounded(num, den, rules.rounding);
        }
        let even: Vec<Factor>;
        let (parts, stakes): (&[&[Factor]], u128) = match self.each_way {
            0 => (&[win], self.choices()),
            1 => (&[win, place], 2 * self.choices()),
            _ => {
                even = win.iter().zip(place).map(|(win, place)| win.half_of_both(*place)).collect();
                (&[&even], self.choices())
            }
        };
        let (num, den) = (stake * u128::from(keep), stakes * 1_000_000);
        if rules.rounding_place == RoundingPlace::Bet as u8 {
            let mut sums = parts.iter().map(|factors| self.sum(factors));
            let first = sums.next()?;
            let all = sums.fold(first, |all, more| all.plus(&more));
            return all.times(num, den).rounded(rules.rounding);
        }
        let mut paid = 0;
        for factors in parts {
            for choice in 1_u32..1 << self.legs {
                let size = choice.count_ones() as usize;
                if !self.has(size) || choice & self.bankers != self.bankers {
                    continue;
                }
                let line = factors.iter().enumerate().filter(|(at, _)| choice & 1 << at != 0);
                let one = Ratio { num: Big::of(1), den: Big::of(1) };
                let line = line.fold(one, |line, (_, by)| line.times(by.num, by.den));
                paid += line.times(num, den).rounded(rules.rounding)?;
            }
        }
        Some(paid)
    }

    /// Whether nothing can come back from any line any more; legs that are not decided may win.
    pub(super) fn is_dead(self, win: &[Factor], place: &[Factor]) -> bool {
        let dead = |factors: &[Factor]| self.sum(factors).num.is_zero();
        match self.each_way {
            0 => dead(win),
            1 => dead(win) && dead(place),
            _ => {
                let both = |(win, place): (&Factor, &Factor)| win.half_of_both(*place);
                dead(&win.iter().zip(place).map(both).collect::<Vec<Factor>>())
            }
        }
    }

    /// The bonus of a lucky 15, 31 or 63, on the win part only, if every selection ran.
    pub(super) fn bonus(
        self,
        stake: i64,
        prices: &[WirePrice],
        known: &[Numbers],
        rules: &Ruleset,
    ) -> Option<i128> {
        let all = (1_u32 << self.legs) - 1;
        let is_lucky = (4..=6).contains(&self.legs)
            && self.folds == all
            && self.bankers == 0
            && self.each_way < 2;
        if !is_lucky || known.iter().any(|numbers| numbers.void[0] != 0) {
            return Some(0);
        }
        let [one_winner, all_winners] = rules.lucky[self.legs - 4];
        let stake = u128::try_from(stake).ok()?;
        let factors: Vec<Factor> =
            prices.iter().zip(known).map(|(price, numbers)| numbers.factor(*price, None)).collect();
        let winners = known.iter().filter(|numbers| numbers.won()).count();
        if winners == self.legs && all_winners != 0 {
            let sum = self.sum(&factors);
            let staked = sum.den.times(&Big::of(self.choices()));
            let gained = Ratio { num: sum.num.minus(&staked), den: sum.den };
            let part = gained.times(stake * u128::from(all_winners), self.count() * 100);
            return part.rounded(rules.rounding);
        }
        if winners == 1 && 1 < one_winner {
            let at = known.iter().position(Numbers::won)?;
            let (factor, [won, of]) = (factors[at], known[at].win.map(u128::from));
            let gain = Big::of(factor.num * of).minus(&Big::of(factor.den * won));
            let gain = Ratio { num: gain, den: Big::of(factor.den * of) };
            let times = u128::from(one_winner - 1);
            return gain.times(stake * times, self.count()).rounded(rules.rounding);
        }
        Some(0)
    }

    /// Whether the product of all prices is at least so many ten-thousandths.
    pub(super) fn reaches(floor: u64, factors: &[Factor]) -> bool {
        let one = Ratio { num: Big::of(1), den: Big::of(1) };
        let product = factors.iter().fold(one, |all, by| all.times(by.num, by.den));
        let least = product.den.times(&Big::of(floor.into()));
        product.num.times(&Big::of(10_000)).compare(&least) != Ordering::Less
    }
}
