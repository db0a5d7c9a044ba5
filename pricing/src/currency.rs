//! Currencies: which one an account is in, its letters, and how many decimals it writes.
//!
//! Nothing here converts: an account has one currency, and a ledger is zero in each of them.

use std::{fmt, str::FromStr};

use crate::{Money, ParseMoneyError, decimal};

/// A currency by its ISO 4217 numeric code: the pound sterling is 826.
///
/// Only circulating currencies of the table below can be built; funds codes, metals and test codes
/// cannot.
///
/// ```
/// use betring_pricing::{Currency, Money, money};
///
/// assert_eq!(Currency::GBP.format(money!(100.00)).to_string(), "GBP 100.00");
/// // The yen has no minor unit, the Kuwaiti dinar has thousandths of it.
/// let amount = Money::from_minor(10_000).unwrap();
/// assert_eq!(Currency::JPY.format(amount).to_string(), "JPY 10000");
/// assert_eq!(Currency::KWD.format(amount).to_string(), "KWD 10.000");
/// assert_eq!(Currency::KWD.parse_amount("10.000"), Ok(amount));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Currency(u16);

impl Currency {
    /// Australian dollar.
    pub const AUD: Currency = Currency::known(36);
    /// Brazilian real.
    pub const BRL: Currency = Currency::known(986);
    /// Canadian dollar.
    pub const CAD: Currency = Currency::known(124);
    /// Swiss franc.
    pub const CHF: Currency = Currency::known(756);
    /// Danish krone.
    pub const DKK: Currency = Currency::known(208);
    /// Euro.
    pub const EUR: Currency = Currency::known(978);
    /// Pound sterling.
    pub const GBP: Currency = Currency::known(826);
    /// Hong Kong dollar.
    pub const HKD: Currency = Currency::known(344);
    /// Indian rupee.
    pub const INR: Currency = Currency::known(356);
    /// Japanese yen, without a minor unit.
    pub const JPY: Currency = Currency::known(392);
    /// Kuwaiti dinar, of a thousand fils.
    pub const KWD: Currency = Currency::known(414);
    /// Norwegian krone.
    pub const NOK: Currency = Currency::known(578);
    /// New Zealand dollar.
    pub const NZD: Currency = Currency::known(554);
    /// Polish zloty.
    pub const PLN: Currency = Currency::known(985);
    /// Swedish krona.
    pub const SEK: Currency = Currency::known(752);
    /// Singapore dollar.
    pub const SGD: Currency = Currency::known(702);
    /// United States dollar.
    pub const USD: Currency = Currency::known(840);
    /// South African rand.
    pub const ZAR: Currency = Currency::known(710);

    /// The currency of an ISO 4217 numeric code; `None` if the table does not have it.
    pub const fn from_numeric(numeric: u16) -> Option<Currency> {
        match row(numeric) {
            Some(_) => Some(Currency(numeric)),
            None => None,
        }
    }

    /// The ISO 4217 numeric code.
    pub const fn numeric(self) -> u16 {
        self.0
    }

    /// The three letters.
    pub const fn code(self) -> &'static str {
        self.row().1
    }

    /// How many decimals the currency writes: 2 for most, 0 for the yen, 3 for the Kuwaiti dinar.
    pub const fn exponent(self) -> u8 {
        self.row().2
    }

    /// Every currency of the table, by numeric code.
    pub fn all() -> impl Iterator<Item = Currency> {
        TABLE.iter().map(|&(numeric, _, _)| Currency(numeric))
    }

    /// An amount of this currency as people write it: `GBP 100.00`, `JPY 10000`, `GBP -0.05`.
    pub const fn format(self, amount: Money) -> Amount {
        Amount { currency: self, amount }
    }

    /// Reads an amount without the letters, with at most as many decimals as the currency has.
    ///
    /// # Errors
    ///
    /// If it is not a plain number, has more decimals than the currency, or is beyond
    /// [`Money::MAX`].
    pub const fn parse_amount(self, text: &str) -> Result<Money, ParseMoneyError> {
        Money::parse(text, self.exponent() as u32)
    }

    const fn known(numeric: u16) -> Currency {
        Currency::from_numeric(numeric).expect("a constant names a currency of the table")
    }

    const fn row(self) -> &'static (u16, &'static str, u8) {
        row(self.0).expect("a Currency is only built from a row of the table")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

decimal::debug_as_displayed!(Currency);

impl FromStr for Currency {
    type Err = ParseCurrencyError;

    fn from_str(text: &str) -> Result<Currency, ParseCurrencyError> {
        TABLE
            .iter()
            .find(|(_, code, _)| *code == text)
            .map(|&(numeric, _, _)| Currency(numeric))
            .ok_or(ParseCurrencyError)
    }
}

/// An amount together with its currency, for display only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Amount {
    currency: Currency,
    amount: Money,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::pad(f, format_args!("{} {}", self.currency, Digits(*self)))
    }
}

/// The number of an amount, with the decimals of its currency.
struct Digits(Amount);

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Digits(Amount { currency, amount }) = *self;
        let places = u32::from(currency.exponent());
        decimal::write(f, amount.is_negative(), amount.minor().unsigned_abs(), places, places)
    }
}

/// A text that names no currency of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseCurrencyError;

impl fmt::Display for ParseCurrencyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a known currency: write the three capital letters of ISO 4217, like GBP or EUR",
        )
    }
}

impl std::error::Error for ParseCurrencyError {}

const fn row(numeric: u16) -> Option<&'static (u16, &'static str, u8)> {
    let (mut low, mut high) = (0, TABLE.len());
    while low < high {
        let middle = low.midpoint(high);
        if TABLE[middle].0 == numeric {
            return Some(&TABLE[middle]);
        } else if TABLE[middle].0 < numeric {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    None
}

/// ISO 4217: numeric code, letters, decimals; ascending by numeric code, for the search above.
#[rustfmt::skip]
const TABLE: &[(u16, &str, u8)] = &[
    (8, "ALL", 2), (12, "DZD", 2), (32, "ARS", 2), (36, "AUD", 2), (44, "BSD", 2), (48, "BHD", 3),
    (50, "BDT", 2), (51, "AMD", 2), (52, "BBD", 2), (60, "BMD", 2), (64, "BTN", 2),
    (68, "BOB", 2), (72, "BWP", 2), (84, "BZD", 2), (90, "SBD", 2), (96, "BND", 2),
    (104, "MMK", 2), (108, "BIF", 0), (116, "KHR", 2), (124, "CAD", 2), (132, "CVE", 2),
    (136, "KYD", 2), (144, "LKR", 2), (152, "CLP", 0), (156, "CNY", 2), (170, "COP", 2),
    (174, "KMF", 0), (188, "CRC", 2), (192, "CUP", 2), (203, "CZK", 2), (208, "DKK", 2),
    (214, "DOP", 2), (222, "SVC", 2), (230, "ETB", 2), (232, "ERN", 2), (238, "FKP", 2),
    (242, "FJD", 2), (262, "DJF", 0), (270, "GMD", 2), (292, "GIP", 2), (320, "GTQ", 2),
    (324, "GNF", 0), (328, "GYD", 2), (332, "HTG", 2), (340, "HNL", 2), (344, "HKD", 2),
    (348, "HUF", 2), (352, "ISK", 0), (356, "INR", 2), (360, "IDR", 2), (364, "IRR", 2),
    (368, "IQD", 3), (376, "ILS", 2), (388, "JMD", 2), (392, "JPY", 0), (398, "KZT", 2),
    (400, "JOD", 3), (404, "KES", 2), (408, "KPW", 2), (410, "KRW", 0), (414, "KWD", 3),
    (417, "KGS", 2), (418, "LAK", 2), (422, "LBP", 2), (426, "LSL", 2), (430, "LRD", 2),
    (434, "LYD", 3), (446, "MOP", 2), (454, "MWK", 2), (458, "MYR", 2), (462, "MVR", 2),
    (480, "MUR", 2), (484, "MXN", 2), (496, "MNT", 2), (498, "MDL", 2), (504, "MAD", 2),
    (512, "OMR", 3), (516, "NAD", 2), (524, "NPR", 2), (532, "XCG", 2), (533, "AWG", 2),
    (548, "VUV", 0), (554, "NZD", 2), (558, "NIO", 2), (566, "NGN", 2), (578, "NOK", 2),
    (586, "PKR", 2), (590, "PAB", 2), (598, "PGK", 2), (600, "PYG", 0), (604, "PEN", 2),
    (608, "PHP", 2), (634, "QAR", 2), (643, "RUB", 2), (646, "RWF", 0), (654, "SHP", 2),
    (682, "SAR", 2), (690, "SCR", 2), (702, "SGD", 2), (704, "VND", 0), (706, "SOS", 2),
    (710, "ZAR", 2), (728, "SSP", 2), (748, "SZL", 2), (752, "SEK", 2), (756, "CHF", 2),
    (760, "SYP", 2), (764, "THB", 2), (776, "TOP", 2), (780, "TTD", 2), (784, "AED", 2),
    (788, "TND", 3), (800, "UGX", 0), (807, "MKD", 2), (818, "EGP", 2), (826, "GBP", 2),
    (834, "TZS", 2), (840, "USD", 2), (858, "UYU", 2), (860, "UZS", 2), (882, "WST", 2),
    (886, "YER", 2), (901, "TWD", 2), (924, "ZWG", 2), (925, "SLE", 2), (926, "VED", 2),
    (928, "VES", 2), (929, "MRU", 2), (930, "STN", 2), (933, "BYN", 2), (934, "TMT", 2),
    (936, "GHS", 2), (938, "SDG", 2), (941, "RSD", 2), (943, "MZN", 2), (944, "AZN", 2),
    (946, "RON", 2), (949, "TRY", 2), (950, "XAF", 0), (951, "XCD", 2), (952, "XOF", 0),
    (953, "XPF", 0), (967, "ZMW", 2), (968, "SRD", 2), (969, "MGA", 2), (971, "AFN", 2),
    (972, "TJS", 2), (973, "AOA", 2), (976, "CDF", 2), (977, "BAM", 2), (978, "EUR", 2),
    (980, "UAH", 2), (981, "GEL", 2), (985, "PLN", 2), (986, "BRL", 2),
];

const _: () = {
    let mut at = 1;
    while at < TABLE.len() {
        assert!(TABLE[at - 1].0 < TABLE[at].0, "the table ascends, so that it can be searched");
        at += 1;
    }
};
const _: () = assert!(size_of::<Currency>() == 2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money;

    #[test]
    fn a_currency_is_its_number_its_letters_and_its_decimals() {
        for (currency, numeric, code, exponent) in [
            (Currency::GBP, 826, "GBP", 2),
            (Currency::EUR, 978, "EUR", 2),
            (Currency::USD, 840, "USD", 2),
            (Currency::AUD, 36, "AUD", 2),
            (Currency::JPY, 392, "JPY", 0),
            (Currency::KWD, 414, "KWD", 3),
        ] {
            assert_eq!(
                (currency.numeric(), currency.code(), currency.exponent()),
                (numeric, code, exponent)
            );
        }
    }

    #[test]
    fn every_currency_is_found_by_its_number_and_by_its_letters() {
        for currency in Currency::all() {
            assert_eq!(Currency::from_numeric(currency.numeric()), Some(currency));
            assert_eq!(currency.to_string().parse(), Ok(currency));
            assert!(currency.exponent() <= 3 && currency.code().len() == 3);
        }
    }

    #[test]
    fn an_unknown_currency_is_refused() {
        assert_eq!(Currency::from_numeric(0), None);
        assert_eq!(Currency::from_numeric(999), None);
        assert_eq!(Currency::from_numeric(u16::MAX), None);
        assert_eq!(
            "gbp".parse::<Currency>().unwrap_err().to_string(),
            "not a known currency: write the three capital letters of ISO 4217, like GBP or EUR"
        );
    }

    #[test]
    fn an_amount_has_the_decimals_of_its_currency() {
        let amount = Money::from_minor(-10_005).unwrap();
        assert_eq!(Currency::GBP.format(amount).to_string(), "GBP -100.05");
        assert_eq!(Currency::JPY.format(amount).to_string(), "JPY -10005");
        assert_eq!(Currency::KWD.format(amount).to_string(), "KWD -10.005");
        assert_eq!(format!("[{:>12}]", Currency::GBP.format(money!(1))), "[    GBP 1.00]");
        assert_eq!(Currency::JPY.parse_amount("10005"), Ok(money!(100.05)));
        assert_eq!(
            Currency::JPY.parse_amount("1.5").unwrap_err().to_string(),
            "an amount of this currency has no decimals"
        );
        assert_eq!(
            Currency::KWD.parse_amount("1.2345").unwrap_err().to_string(),
            "an amount has at most 3 decimals; nothing is rounded on reading"
        );
    }
}
