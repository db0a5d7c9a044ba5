//! Double entry: every amount that leaves one account enters another, per currency, no exceptions.

use crate::bet::NONE;
use crate::event::{DebtChanged, Events, HouseAccount, LedgerAccount, Transfer, TransferWhy};
use crate::factors::WHOLE;
use crate::id::{AccountId, BetId};
use crate::table::Table;
use crate::time::Timestamp;
use crate::wire::Minor;
use betring_pricing::{Currency, Money};

/// A customer's account.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    /// Below zero it is a debt: only what a settlement paid and takes back, or a correction by hand,
    /// brings it there.
    pub(crate) balance: i64,
    /// Money for free bets.
    pub(crate) bonus: i64,
    /// What its bets in memory would bring if all won, those that may be settled otherwise too: with
    /// the balance it always fits.
    pub(crate) pending: i64,
    pub(crate) reference: u64,
    /// Dense index of its currency.
    pub(crate) currency: u8,
    pub(crate) blocked: bool,
    /// Its money is in an external wallet: what is here is a debt, or nothing.
    pub(crate) external: bool,
    /// A probe's.
    pub(crate) synthetic: bool,
    /// The factor of its largest stake, in percent.
    pub(crate) percent: u32,
    /// Until when it is excluded; a moment that has passed: it is not.
    pub(crate) excluded: Timestamp,
    /// The place of its own limits, if it ever had one.
    pub(crate) limited: u32,
    /// What its bets that count would win beyond their stakes, together.
    pub(crate) may_win: i128,
    /// The stakes of its bets that are held in its wallet at a bound price.
    pub(crate) held: i128,
    /// What is taken off its commission, in ten-thousandths.
    pub(crate) discount: u16,
}

/// The house's accounts in one currency. Their sum with all customers' balances is zero.
#[derive(Clone, Copy)]
pub(crate) struct Book {
    pub(crate) currency: Currency,
    pub(crate) house: [i128; HouseAccount::ALL.len()],
}

impl Account {
    /// An account on which nothing has happened.
    pub(crate) fn new(reference: u64, currency: u8) -> Account {
        Account {
            balance: 0,
            bonus: 0,
            pending: 0,
            reference,
            currency,
            blocked: false,
            external: false,
            synthetic: false,
            percent: WHOLE,
            excluded: Timestamp(0),
            limited: NONE,
            may_win: 0,
            held: 0,
            discount: 0,
        }
    }

    /// Whether it is neither blocked nor excluded at a moment.
    pub(crate) fn may_bet(&self, now: Timestamp) -> bool {
        !self.blocked && self.excluded <= now
    }

    /// Whether the balance would still fit with `more` beside everything that may yet be won.
    pub(crate) fn has_room_for(&self, more: i64) -> bool {
        let won = self.balance.checked_add(self.pending);
        won.and_then(|won| won.checked_add(more)).is_some()
    }
}

/// One side of a transfer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Customer(u32),
    /// A customer who gives back what a settlement paid, and may owe it.
    Debtor(u32),
    /// A customer's money for free bets.
    Bonus(u32),
    House(HouseAccount),
}

/// All accounts and what is on them.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) accounts: Vec<Account>,
    pub(crate) accounts_max: u32,
    pub(crate) by_reference: Table,
    pub(crate) books: Vec<Book>,
    pub(crate) books_max: u32,
}

/// The most that a deposit may bring a balance to.
pub(crate) const BALANCE_MAX: i64 = Money::MAX.minor();

impl Ledger {
    pub(crate) fn new() -> Ledger {
        Ledger {
            accounts: Vec::new(),
            accounts_max: 0,
            by_reference: Table::default(),
            books: Vec::new(),
            books_max: 0,
        }
    }

    /// The account of a handle.
    pub(crate) fn find(&self, id: AccountId) -> Option<(u32, &Account)> {
        // Accounts are never closed for good, so every place is in its first generation.
        let account = self.accounts.get(id.index() as usize)?;
        (id.generation() == 1).then_some((id.index(), account))
    }

    /// The dense index of a currency that is in use.
    pub(crate) fn book_of(&self, currency: u16) -> Option<u8> {
        self.books.iter().position(|b| b.currency.numeric() == currency).map(|i| i as u8)
    }

    /// Whether a currency is in use or may be taken into use.
    pub(crate) fn has_room_for(&self, currency: u16) -> bool {
        let known = Currency::from_numeric(currency).is_some();
        self.book_of(currency).is_some() || (known && (self.books.len() as u32) < self.books_max)
    }

    /// The dense index of a currency, which is taken into use if there is room.
    pub(crate) fn book_for(&mut self, currency: u16) -> Option<u8> {
        if let Some(book) = self.book_of(currency) {
            return Some(book);
        }
        if self.books.len() as u32 == self.books_max {
            return None;
        }
        let currency = Currency::from_numeric(currency)?;
        self.books.push(Book { currency, house: [0; HouseAccount::ALL.len()] });
        Some(self.books.len() as u8 - 1)
    }

    /// Money of an account moves, and its debt is told if it changes.
    ///
    /// # Panics
    /// If a customer would be overdrawn: every caller has checked before it began to change anything.
    #[expect(clippy::too_many_arguments, reason = "one line of a ledger has as many columns")]
    pub(crate) fn transfer(
        &mut self,
        account: u32,
        from: Side,
        to: Side,
        amount: i64,
        why: TransferWhy,
        bet: BetId,
        events: &mut Events,
    ) {
        let owed = |ledger: &Ledger, side| match side {
            Side::Customer(index) | Side::Debtor(index) => {
                Some((index, ledger.accounts[index as usize].balance.min(0)))
            }
            Side::Bonus(_) | Side::House(_) => None,
        };
        let before = [owed(self, from), owed(self, to)];
        let sides = [from, to];
        let currency = self.post_both(account, from, to, amount, why, bet, events);
        for (before, side) in before.into_iter().zip(sides) {
            let after = owed(self, side);
            if let Some((index, now)) = after
                && before != after
            {
                let (account, debt) = (AccountId::new(index, 1), Minor(-now));
                events.push(&DebtChanged { account, debt, currency, zero: [0; 6] });
            }
        }
    }

    /// Money of an account moves; its currency.
    #[expect(clippy::too_many_arguments, reason = "one line of a ledger has as many columns")]
    pub(crate) fn post_both(
        &mut self,
        account: u32,
        from: Side,
        to: Side,
        amount: i64,
        why: TransferWhy,
        bet: BetId,
        events: &mut Events,
    ) -> u16 {
        let book = self.accounts[account as usize].currency;
        self.post_in(book, from, to, amount, why, bet, events)
    }

    /// Money moves between the house's own accounts in a currency.
    pub(crate) fn post_between(
        &mut self,
        book: u8,
        from: Side,
        to: Side,
        amount: i64,
        why: TransferWhy,
        events: &mut Events,
    ) {
        self.post_in(book, from, to, amount, why, BetId::NONE, events);
    }

    #[expect(clippy::too_many_arguments, reason = "one line of a ledger has as many columns")]
    fn post_in(
        &mut self,
        book: u8,
        from: Side,
        to: Side,
        amount: i64,
        why: TransferWhy,
        bet: BetId,
        events: &mut Events,
    ) -> u16 {
        assert!(0 < amount, "a transfer moves something");
        let currency = self.books[usize::from(book)].currency.numeric();
        let from = self.post(book, from, -amount, currency);
        let to = self.post(book, to, amount, currency);
        events.push(&Transfer {
            from,
            to,
            amount: Minor(amount),
            bet,
            currency,
            why: why as u8,
            zero: [0; 5],
        });
        currency
    }

    fn post(&mut self, book: u8, side: Side, amount: i64, currency: u16) -> LedgerAccount {
        match side {
            Side::Customer(index) => {
                let account = &mut self.accounts[index as usize];
                assert!(account.currency == book, "money stays in its currency");
                let balance = account.balance.checked_add(amount);
                account.balance = balance.expect("a bet is taken only if all that may be won fits");
                // What comes in may leave a debt behind; what goes out may not make one.
                let overdrawn = amount < 0 && account.balance < 0;
                assert!(!overdrawn, "no account is overdrawn by a bet or a withdrawal");
                LedgerAccount::customer(AccountId::new(index, 1))
            }
            Side::Debtor(index) => {
                let account = &mut self.accounts[index as usize];
                assert!(account.currency == book, "money stays in its currency");
                let balance = account.balance.checked_add(amount);
                account.balance = balance.expect("no more is taken back than was paid");
                LedgerAccount::customer(AccountId::new(index, 1))
            }
            Side::Bonus(index) => {
                let account = &mut self.accounts[index as usize];
                assert!(account.currency == book, "money stays in its currency");
                let bonus = account.bonus.checked_add(amount);
                account.bonus = bonus.expect("no more is given for free bets than fits");
                LedgerAccount::bonus(AccountId::new(index, 1))
            }
            Side::House(which) => {
                let house = &mut self.books[usize::from(book)].house;
                house[which as usize - 1] += i128::from(amount);
                LedgerAccount::house(which, currency)
            }
        }
    }

    pub(crate) fn house(&self, book: u8, which: HouseAccount) -> i128 {
        self.books[usize::from(book)].house[which as usize - 1]
    }
}
