//! Formatting of numbers: rounding, thousands separators, signs. The exact value is retained with the text.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

/// Text of an undefined value.
pub(crate) const UNDEFINED: &str = "—";

/// Text of a value, with the exact value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Formatted {
    pub(crate) text: String,
    /// Exact value, or None if the text is exact.
    pub(crate) exact: Option<String>,
}

impl Formatted {
    /// Returns a text that is exact.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), exact: None }
    }

    pub(crate) fn undefined() -> Self {
        Self::plain(UNDEFINED)
    }

    pub(crate) fn is_undefined(&self) -> bool {
        self.text == UNDEFINED
    }

    fn with_exact(text: String, exact: impl ToString) -> Self {
        Self { text, exact: Some(exact.to_string()) }
    }
}

/// Sign of positive values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Always,
    OnlyMinus,
}

/// Decimal places of money, by the size of the account: 2 for a balance of 1,000, 8 for one of 0.05.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MoneyFormat(u32);

impl MoneyFormat {
    pub(crate) fn of_account(initial_balance: Option<Decimal>) -> Self {
        let size = initial_balance.and_then(|balance| balance.to_f64()).filter(|size| *size > 0.0).unwrap_or(1_000.0);
        Self(match size {
            size if size >= 1e7 => 0,
            size if size >= 1e2 => 2,
            size if size >= 1.0 => 4,
            _ => 8,
        })
    }

    pub(crate) fn money(self, amount: Decimal, sign: Sign) -> Formatted {
        let rounded = amount.round_dp_with_strategy(self.0, RoundingStrategy::MidpointAwayFromZero);
        let text = if rounded.is_zero() && !amount.is_zero() {
            // Rounding to zero would hide the amount, so it gets two significant digits.
            amount.round_sf(2).unwrap_or(amount).normalize().to_string()
        } else {
            format!("{rounded:.places$}", places = self.0 as usize)
        };
        Formatted::with_exact(grouped(&text, sign), amount.normalize())
    }

    /// Formats an amount that is a plain number, such as a point of a chart.
    pub(crate) fn number(self, amount: f64) -> Formatted {
        if !amount.is_finite() {
            return Formatted::undefined();
        }
        Formatted::with_exact(grouped(&fixed(amount, self.0 as usize), Sign::OnlyMinus), amount)
    }
}

/// Fraction in percent, with two decimal places.
pub(crate) fn percent(fraction: f64, sign: Sign) -> Formatted {
    let percent = 100.0 * fraction;
    if !percent.is_finite() {
        return Formatted::undefined();
    }
    let places = if percent.abs() >= 1_000.0 { 0 } else { 2 };
    Formatted::with_exact(format!("{}\u{a0}%", grouped(&fixed(percent, places), sign)), fraction)
}

/// Fraction in percent for a sentence, with at most one decimal place: `25 %`, `37.8 %`.
pub(crate) fn short_percent(fraction: f64) -> String {
    let tenths = (1_000.0 * fraction).round();
    if !tenths.is_finite() {
        return UNDEFINED.into();
    }
    let places = if tenths % 10.0 == 0.0 { 0 } else { 1 };
    format!("{}\u{a0}%", grouped(&fixed(tenths / 10.0, places), Sign::OnlyMinus))
}

/// Multiple for a sentence: `0.44`, `13`.
pub(crate) fn multiple(value: f64) -> String {
    grouped(&fixed(value, if value.abs() >= 10.0 { 0 } else { 2 }), Sign::OnlyMinus)
}

/// Ratio, with about three significant digits.
pub(crate) fn ratio(value: f64, sign: Sign) -> Formatted {
    if !value.is_finite() {
        return Formatted::undefined();
    }
    let places = match value.abs() {
        size if size >= 1_000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 1.0 || size == 0.0 => 2,
        _ => 3,
    };
    Formatted::with_exact(grouped(&fixed(value, places), sign), value)
}

/// Formats a probability from 0 to 1. A value near 0 or 1 is not rounded to 0 or 1.
pub(crate) fn probability(value: f64) -> Formatted {
    if !value.is_finite() {
        return Formatted::undefined();
    }
    let text = match value {
        value if value > 0.0 && value < 0.0001 => "<\u{a0}0.0001".into(),
        value if value < 1.0 && value > 0.9999 => ">\u{a0}0.9999".into(),
        value => fixed(value, if value == 0.0 || value == 1.0 { 0 } else { 4 }),
    };
    Formatted::with_exact(text, value)
}

pub(crate) fn count(value: u64) -> Formatted {
    Formatted::plain(grouped(&value.to_string(), Sign::OnlyMinus))
}

/// Duration in its two largest units.
pub(crate) fn duration(seconds: f64) -> Formatted {
    if !seconds.is_finite() || seconds < 0.0 {
        return Formatted::undefined();
    }
    let whole = seconds.round() as u64;
    let (days, hours, minutes) = (whole / 86_400, whole % 86_400 / 3_600, whole % 3_600 / 60);
    let text = match (days, hours, minutes) {
        (0, 0, 0) => format!("{whole}\u{a0}s"),
        (0, 0, minutes) => format!("{minutes}\u{a0}min"),
        (0, hours, 0) => format!("{hours}\u{a0}h"),
        (0, hours, minutes) => format!("{hours}\u{a0}h {minutes}\u{a0}min"),
        (days, 0, _) => format_days(days),
        (days, hours, _) => format!("{} {hours}\u{a0}h", format_days(days)),
    };
    Formatted::with_exact(text, format_args!("{seconds} s"))
}

fn format_days(days: u64) -> String {
    format!("{}\u{a0}d", grouped(&days.to_string(), Sign::OnlyMinus))
}

/// Formats a number with its noun: `1 trade`, `1,000 trades`.
pub(crate) fn counted(number: u64, singular: &str, plural: &str) -> String {
    format!("{}\u{a0}{}", count(number).text, if number == 1 { singular } else { plural })
}

/// Formats a number with `places` decimal places: with two significant digits instead if all digits would be zero, and
/// in scientific notation if it is very large or small.
pub(crate) fn fixed(value: f64, places: usize) -> String {
    if value.abs() >= 1e12 {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.places$}");
    if value == 0.0 || text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        return text;
    }
    if value.abs() < 1e-6 {
        return format!("{value:.1e}");
    }
    let zeros = -value.abs().log10().floor() as usize;
    format!("{value:.places$}", places = zeros + 1)
}

/// Inserts commas between thousands, and replaces the hyphen by a minus sign.
pub(crate) fn grouped(text: &str, sign: Sign) -> String {
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, rest) = digits.find(['.', 'e']).map_or((digits, ""), |point| digits.split_at(point));
    let is_nonzero = digits.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    let mut out = match (is_negative && is_nonzero, sign) {
        (true, _) => "−".to_owned(),
        (false, Sign::Always) if is_nonzero => "+".to_owned(),
        _ => String::new(),
    };
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(&rest.replace("e-", "e−"));
    out
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn money_is_grouped_and_rounded_by_the_size_of_the_account() {
        let usdt = MoneyFormat::of_account(Some(dec!(1000)));
        for (amount, text) in [
            (dec!(1165.86286617), "1,165.86"),
            (dec!(-1234567.895), "−1,234,567.90"),
            (dec!(999999.995), "1,000,000.00"),
            (dec!(0), "0.00"),
            (dec!(0.0012345), "0.0012"),
            (dec!(-0.00000001), "−0.00000001"),
            (dec!(0.000), "0.00"),
        ] {
            assert_eq!(usdt.money(amount, Sign::OnlyMinus).text, text);
        }
        assert_eq!(usdt.money(dec!(165.86286617), Sign::Always).text, "+165.86");
        assert_eq!(usdt.money(dec!(0), Sign::Always).text, "0.00");
        assert_eq!(usdt.money(dec!(165.86286617), Sign::Always).exact.unwrap(), "165.86286617");
        let of = |initial, amount| MoneyFormat::of_account(Some(initial)).money(amount, Sign::OnlyMinus).text;
        assert_eq!(of(dec!(0.5), dec!(0.51234567)), "0.51234567");
        assert_eq!(of(dec!(2), dec!(2.12345)), "2.1235");
        assert_eq!(of(dec!(15000000), dec!(16234567.89)), "16,234,568");
        assert_eq!(MoneyFormat::of_account(None).money(dec!(7), Sign::OnlyMinus).text, "7.00");
    }

    #[test]
    fn fractions_are_percent_with_their_sign() {
        for (fraction, text) in [
            (0.16586, "+16.59\u{a0}%"),
            (-0.0343, "−3.43\u{a0}%"),
            (0.0, "0.00\u{a0}%"),
            (-0.0, "0.00\u{a0}%"),
            (117.573224, "+11,757\u{a0}%"),
            (0.000_012, "+0.0012\u{a0}%"),
            (3e40, "+3.0e42\u{a0}%"),
        ] {
            assert_eq!(percent(fraction, Sign::Always).text, text);
        }
        assert_eq!(percent(0.562, Sign::OnlyMinus).text, "56.20\u{a0}%");
    }

    #[test]
    fn a_percentage_in_a_sentence_has_at_most_one_decimal_place() {
        for (fraction, text) in [
            (0.25, "25\u{a0}%"),
            (0.3, "30\u{a0}%"),
            (1.0, "100\u{a0}%"),
            (0.378_07, "37.8\u{a0}%"),
            (2.547_4, "254.7\u{a0}%"),
            (20.0, "2,000\u{a0}%"),
            (0.0, "0\u{a0}%"),
        ] {
            assert_eq!(short_percent(fraction), text);
        }
        assert_eq!(multiple(0.438_7), "0.44");
        assert_eq!(multiple(13.2), "13");
    }

    #[test]
    fn values_near_zero_and_one_are_not_rounded_to_them() {
        assert_eq!(probability(5.0e-6).text, "<\u{a0}0.0001");
        assert_eq!(probability(0.999_999_999_997).text, ">\u{a0}0.9999");
        assert_eq!(probability(0.0).text, "0");
        assert_eq!(probability(1.0).text, "1");
        assert_eq!(probability(0.2178985).text, "0.2179");
        assert_eq!(ratio(0.000_034, Sign::OnlyMinus).text, "0.000034");
        assert_eq!(ratio(0.000_000_034, Sign::OnlyMinus).text, "3.4e−8");
        assert_eq!(ratio(0.999_6, Sign::OnlyMinus).text, "1.000");
        assert_eq!(ratio(1.8254, Sign::Always).text, "+1.83");
        assert_eq!(ratio(691.607, Sign::OnlyMinus).text, "691.6");
        assert_eq!(ratio(-12_886.6, Sign::OnlyMinus).text, "−12,887");
    }

    #[test]
    fn a_value_that_is_not_finite_is_undefined() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(percent(value, Sign::Always).is_undefined());
            assert!(ratio(value, Sign::Always).is_undefined());
            assert!(probability(value).is_undefined());
            assert!(duration(value).is_undefined());
            assert!(MoneyFormat::of_account(None).number(value).is_undefined());
        }
        assert!(duration(-1.0).is_undefined());
    }

    #[test]
    fn a_duration_has_its_two_largest_units() {
        for (seconds, text) in [
            (0.0, "0\u{a0}s"),
            (59.4, "59\u{a0}s"),
            (60.0, "1\u{a0}min"),
            (15_235.0, "4\u{a0}h 13\u{a0}min"),
            (7_200.0, "2\u{a0}h"),
            (86_400.0, "1\u{a0}d"),
            (5_748_384.0, "66\u{a0}d 12\u{a0}h"),
        ] {
            assert_eq!(duration(seconds).text, text);
        }
    }

    #[test]
    fn one_has_the_singular() {
        assert_eq!(counted(1, "trade", "trades"), "1\u{a0}trade");
        assert_eq!(counted(1_000, "trade", "trades"), "1,000\u{a0}trades");
        assert_eq!(counted(0, "trade", "trades"), "0\u{a0}trades");
    }
}
