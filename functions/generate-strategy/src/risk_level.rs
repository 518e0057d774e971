//! Risk level of a generated strategy.

use serde::Serialize;

#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RiskLevel {
    Low,
    #[default]
    Medium,
    High,
}

impl RiskLevel {
    /// Returns the value for this level.
    pub(crate) fn pick<T>(self, low: T, medium: T, high: T) -> T {
        match self {
            Self::Low => low,
            Self::Medium => medium,
            Self::High => high,
        }
    }
}
