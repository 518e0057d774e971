//! Metrics by name, as an analysis stores them.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Metrics that an analysis shows: a JSON object with some of the members of [`Metrics`](crate::Metrics).
///
/// A name with a dot refers to a member of a nested object, as in `monte_carlo.final_p05`. A getter returns `None` if
/// the metric is absent, null or of another type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MetricValues(Map<String, Value>);

impl MetricValues {
    /// Selects the members of a serialized object by name.
    ///
    /// # Errors
    ///
    /// The value is not serializable.
    pub fn select(metrics: &impl Serialize, is_selected: impl Fn(&str) -> bool) -> Result<Self, serde_json::Error> {
        let Value::Object(mut members) = serde_json::to_value(metrics)? else { return Ok(Self::default()) };
        members.retain(|name, _| is_selected(name));
        Ok(Self(members))
    }

    /// `true` if the metric is present; it can be null.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let mut names = name.split('.');
        let first = self.0.get(names.next()?)?;
        names.try_fold(first, |value, name| if value.is_null() { Some(value) } else { value.get(name) })
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }

    pub fn count(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_u64()
    }

    /// Amount of money, from a string or a number.
    pub fn money(&self, name: &str) -> Option<Decimal> {
        match self.get(name)? {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => {
                let text = number.to_string();
                text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
            }
            _ => None,
        }
    }

    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    pub fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.get(name)?.as_str()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_metric_has_the_type_of_its_method_or_is_absent() {
        let metrics = json!({
            "sharpe": 1.8, "sortino": null, "net_profit": "165.86286617", "fees": 3, "tiny": 1e-7, "odd": "NaN",
            "monte_carlo": { "final_p05": "963.5" }, "empty": null,
        });
        let metrics: MetricValues = serde_json::from_value(metrics).unwrap();
        assert_eq!(metrics.number("sharpe"), Some(1.8));
        assert_eq!(metrics.number("sortino"), None);
        assert_eq!(metrics.money("net_profit"), Some(dec!(165.86286617)));
        assert_eq!(metrics.money("fees"), Some(dec!(3)));
        assert_eq!(metrics.money("tiny"), Some(dec!(0.0000001)));
        assert_eq!(metrics.money("odd"), None);
        assert_eq!(metrics.money("monte_carlo.final_p05"), Some(dec!(963.5)));
        assert!(metrics.has("sortino") && metrics.has("empty.final_p05"));
        assert!(!metrics.has("calmar") && !metrics.has("monte_carlo.calmar") && !metrics.has("sharpe.calmar"));
    }
}
