//! KnownFigures in sentences: rounded for reading; the exact ones are in the results.

use rust_decimal::Decimal;

/// A fraction in percent.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{} %", trimmed(&format!("{:.1}", 100.0 * fraction)))
}

pub(crate) fn number(value: f64) -> String {
    trimmed(&format!("{value:.2}")).to_owned()
}

pub(crate) fn money(amount: Decimal, currency: &str) -> String {
    format!("{} {currency}", amount.round_dp(2).normalize())
}

fn trimmed(digits: &str) -> &str {
    digits.strip_suffix(".00").or_else(|| digits.strip_suffix(".0")).unwrap_or(digits)
}
