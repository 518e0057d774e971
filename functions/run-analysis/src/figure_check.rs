//! Check that every number in a text is among the results.

use std::collections::BTreeSet;

use serde_json::Value;

/// Numbers that a text may contain: the values of the results, also in percent, and the numbers in their names and
/// texts.
pub(crate) struct KnownFigures {
    values: Vec<f64>,
    /// Digits of the numbers in names and texts, such as 95 in `var_95`.
    written: BTreeSet<String>,
}

/// Number in a text.
struct WrittenNumber {
    value: f64,
    decimals: i32,
    is_percent: bool,
    /// Digits with their separators, without a sign.
    digits: String,
}

impl KnownFigures {
    /// Collects the numbers of the results.
    pub(crate) fn of(results: &Value) -> Self {
        let mut figures = Self { values: Vec::new(), written: BTreeSet::new() };
        figures.collect(results);
        figures
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::Number(number) => self.values.extend(number.as_f64()),
            Value::String(text) => match text.parse() {
                Ok(number) => self.values.push(number),
                Err(_) => self.collect_numbers_of(text),
            },
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(members) => {
                for (name, member) in members {
                    self.collect_numbers_of(name);
                    self.collect(member);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn collect_numbers_of(&mut self, words: &str) {
        self.written.extend(numbers(words).into_iter().map(|number| number.digits));
    }

    /// Returns the first number of the text that is unknown. A number is known if it is a value of the results, rounded
    /// to as many decimal places as the text shows.
    pub(crate) fn first_unknown_in(&self, text: &str) -> Option<String> {
        numbers(text).into_iter().find(|number| !self.contains(number)).map(|number| number.digits)
    }

    fn contains(&self, number: &WrittenNumber) -> bool {
        let half_of_the_last_digit = 0.5 * 10_f64.powi(-number.decimals) * (1.0 + 1e-6);
        let scale = if number.is_percent { 100.0 } else { 1.0 };
        self.written.contains(&number.digits)
            || self.values.iter().any(|value| (scale * value.abs() - number.value).abs() <= half_of_the_last_digit)
    }
}

/// Returns the numbers in a text. Commas separate thousands, as in English.
fn numbers(text: &str) -> Vec<WrittenNumber> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_numeric()) {
        let (_, from) = rest.split_at(start);
        let end = from.find(|c: char| !(c.is_numeric() || c == '.' || c == ',')).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        rest = after;
        let digits = run.trim_end_matches(['.', ',']);
        let plain = digits.replace(',', "");
        // Anything else with digits, such as ½ or 1.2.3, becomes NaN and is therefore unknown.
        let value = plain.parse().unwrap_or(f64::NAN);
        let decimals = plain.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let unit = after.trim_start();
        let exponent = unit.strip_prefix(['e', 'E']).and_then(|unit| unit.chars().find(|c| !"+-".contains(*c)));
        let is_power = exponent.is_some_and(|c| c.is_ascii_digit()) && !after.starts_with(' ');
        found.push(WrittenNumber {
            value: if is_power { f64::NAN } else { value },
            decimals: i32::try_from(decimals).unwrap_or(i32::MAX),
            is_percent: run.len() == digits.len()
                && (unit.starts_with('%') || unit.starts_with("percent") || unit.starts_with("per cent")),
            digits: digits.to_owned(),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn first_unknown(text: &str) -> Option<String> {
        let results = json!({"var_95": -0.01455, "sharpe": 1.825462, "net_profit": "1165.86286617", "trades": 1000, "at": "2026-03-05T00:00:00Z"});
        KnownFigures::of(&results).first_unknown_in(text)
    }

    #[test]
    fn a_figure_of_the_results_may_be_rounded_or_in_percent() {
        for text in [
            "Sharpe 1.83, or 1.8, or 2.",
            "It made 1,165.86 in 1,000 trades (1165.9).",
            "A bad day costs 1.5 %, -1.46% or 1.455 percent, at 95 %.",
            "In March 2026, on 2026-03-05.",
            "No figure at all.",
        ] {
            assert_eq!(first_unknown(text), None, "{text}");
        }
    }

    #[test]
    fn any_other_figure_is_unknown() {
        for (text, figure) in [
            ("Sharpe 1.84.", "1.84"),
            ("It made 1,166.86.", "1,166.86"),
            ("In 1,001 trades.", "1,001"),
            ("A bad day costs 1.46.", "1.46"),
            ("A share of 183 %, then 17 %.", "17"),
            ("It is ½ as much.", "½"),
            ("Version 1.8.2", "1.8.2"),
            ("A chance of 2e-9", "2"),
            ("Sharpe 1.83, profit 99.", "99"),
        ] {
            assert_eq!(first_unknown(text).as_deref(), Some(figure), "{text}");
        }
    }
}
