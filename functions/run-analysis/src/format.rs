//! Rounded numbers for sentences. The exact values are in the results.

use rust_decimal::Decimal;

/// Formats a fraction in percent, with at most one decimal place.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{} %", trimmed(&format!("{:.1}", 100.0 * fraction)))
}

/// Formats a number with at most two decimal places.
pub(crate) fn number(value: f64) -> String {
    trimmed(&format!("{value:.2}")).to_owned()
}

/// Formats an amount with at most two decimal places, and its currency.
pub(crate) fn money(amount: Decimal, currency: &str) -> String {
    format!("{} {currency}", amount.round_dp(2).normalize())
}

/// Removes decimal places that are all zero.
fn trimmed(digits: &str) -> &str {
    digits.strip_suffix(".00").or_else(|| digits.strip_suffix(".0")).unwrap_or(digits)
}
