//! Row behind a report: an analysis, and the name of the bot or strategy that it is about.

use nofomo_analytics::{Analysis, CurrencyAnalysis, Series};
use serde::Deserialize;

/// Row of `ai_analyses`, with the name of the bot or the strategy that it is about.
#[derive(Debug, Deserialize)]
pub struct Report {
    #[serde(flatten)]
    pub(crate) analysis: Analysis,
    /// Name of the bot or the strategy. `None` if the analysis covers all bots.
    #[serde(default)]
    pub(crate) subject: Option<String>,
}

/// Returns the series of an analysis that has charts. Only an analysis without charts has a rolling window of 0 days.
pub(crate) fn series_of(analysis: &CurrencyAnalysis) -> Option<&Series> {
    analysis.series.as_ref().filter(|series| series.rolling_days > 0)
}
