//! Named figures as an analysis has stored them: numbers, money as strings, times, or null.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Value};

/// An object whose members are asked for by name; `monte_carlo.final_p05` is a member of a member.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Figures(Map<String, Value>);

impl Figures {
    /// Whether it is there, be it null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let mut names = name.split('.');
        let first = self.0.get(names.next()?)?;
        names.try_fold(first, |value, name| if value.is_null() { Some(value) } else { value.get(name) })
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }

    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_u64()
    }

    pub(crate) fn money(&self, name: &str) -> Option<Decimal> {
        match self.get(name)? {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => {
                let text = number.to_string();
                text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
            }
            _ => None,
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    pub(crate) fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.text(name)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_figure_is_what_its_name_says_or_not_there() {
        let figures = json!({
            "sharpe": 1.8, "sortino": null, "net_profit": "165.86286617", "fees": 3, "tiny": 1e-7, "odd": "NaN",
            "monte_carlo": { "final_p05": "963.5" }, "empty": null,
        });
        let figures: Figures = serde_json::from_value(figures).unwrap();
        assert_eq!(figures.number("sharpe"), Some(1.8));
        assert_eq!(figures.number("sortino"), None);
        assert_eq!(figures.money("net_profit"), Some(dec!(165.86286617)));
        assert_eq!(figures.money("fees"), Some(dec!(3)));
        assert_eq!(figures.money("tiny"), Some(dec!(0.0000001)));
        assert_eq!(figures.money("odd"), None);
        assert_eq!(figures.money("monte_carlo.final_p05"), Some(dec!(963.5)));
        assert!(figures.has("sortino") && figures.has("empty.final_p05"));
        assert!(!figures.has("calmar") && !figures.has("monte_carlo.calmar") && !figures.has("sharpe.calmar"));
    }
}
