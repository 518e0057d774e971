//! Row that a report shows: an analysis, and the name of its subject.

use nofomo_analytics::{Analysis, CurrencyAnalysis, Series};
use serde::Deserialize;

/// Row of `ai_analyses`, with the name of the bot or the strategy that it is about.
#[derive(Debug, Deserialize)]
pub struct Report {
    #[serde(flatten)]
    pub(crate) analysis: Analysis,
    #[serde(default)]
    pub(crate) subject: Option<String>,
}

/// Series of an analysis that has charts. Wherever there is a chart, the rolling window has a length.
pub(crate) fn series_of(analysis: &CurrencyAnalysis) -> Option<&Series> {
    analysis.series.as_ref().filter(|series| series.rolling_days > 0)
}
