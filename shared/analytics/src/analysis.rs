//! Stored analysis: the row that run-analysis writes, show-report reads and `openapi.json` documents.
//!
//! Reading is tolerant: a row of an earlier version may lack members. An unreadable part is skipped, and the rest is
//! still read.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::analysis_type::AnalysisType;
use crate::comparison::Comparison;
use crate::confidence::Confidence;
use crate::halves::Halves;
use crate::metric_values::MetricValues;
use crate::metrics::Note;
#[cfg(feature = "openapi")]
use crate::openapi;
use crate::series::Series;
use crate::slices::Slice;
use crate::stress::Stress;
use crate::tolerant::{or_default, readable_elements, time_or_day};

/// Analysis of closed trades.
#[cfg_attr(
    feature = "openapi",
    serde_with::apply(
        AnalysisType => #[schema(value_type = nofomo_contract::analyses::AnalysisType)],
        Decimal => #[schema(value_type = nofomo_contract::values::Decimal)],
        _ => #[schema(required = true)],
    )
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Analysis {
    pub id: Uuid,
    /// Bot whose trades are analysed.
    #[serde(deserialize_with = "or_default")]
    pub bot_id: Option<Uuid>,
    /// Strategy whose bots' trades are analysed.
    #[serde(deserialize_with = "or_default")]
    pub strategy_id: Option<Uuid>,
    #[serde(deserialize_with = "or_default")]
    pub analysis_type: AnalysisType,
    #[serde(deserialize_with = "or_default")]
    pub input_data: AnalysisInput,
    #[serde(deserialize_with = "or_default")]
    pub results: AnalysisResults,
    /// Recommendations; each states the figure that is its reason.
    #[serde(deserialize_with = "readable_elements")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub recommendations: Vec<String>,
    /// Lowest confidence score of all currencies; 0 without any.
    #[serde(deserialize_with = "or_default")]
    pub confidence_score: Decimal,
    /// Language model that wrote the narrative, or the version of the calculation if there is no narrative.
    #[serde(deserialize_with = "or_default")]
    pub model_used: Option<String>,
    /// Number of tokens that the language model used.
    #[serde(deserialize_with = "or_default")]
    pub tokens_used: Option<i32>,
    /// Duration of the analysis, in milliseconds.
    #[serde(deserialize_with = "or_default")]
    pub processing_time_ms: Option<i32>,
    /// Creation time. The database sets it.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = DateTime<Utc>))]
    pub created_at: Option<DateTime<Utc>>,
}

/// Request for an analysis, and the number of bots and trades that it selected.
#[cfg_attr(
    feature = "openapi",
    serde_with::apply(
        AnalysisType => #[schema(value_type = nofomo_contract::analyses::AnalysisType)],
        Option<u64> => #[schema(value_type = u64)],
        _ => #[schema(required = true)],
    )
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AnalysisInput {
    pub id: Uuid,
    #[serde(deserialize_with = "or_default")]
    pub analysis_type: AnalysisType,
    #[serde(deserialize_with = "or_default")]
    pub bot_id: Option<Uuid>,
    #[serde(deserialize_with = "or_default")]
    pub strategy_id: Option<Uuid>,
    /// Start of the requested period, by exit; inclusive.
    #[serde(deserialize_with = "time_or_day")]
    pub from: Option<DateTime<Utc>>,
    /// End of the requested period, by exit; exclusive.
    #[serde(deserialize_with = "time_or_day")]
    pub to: Option<DateTime<Utc>>,
    /// `true` if a narrative was requested.
    #[serde(deserialize_with = "or_default")]
    pub narrative: bool,
    /// Number of selected bots.
    #[serde(deserialize_with = "or_default")]
    pub bots: Option<u64>,
    /// Number of selected trades.
    #[serde(deserialize_with = "or_default")]
    pub trades: Option<u64>,
    /// SHA-256 of the selected trades, in hexadecimal. Equal trades have equal hashes.
    #[serde(deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub trades_sha256: Option<String>,
}

/// Results of an analysis, by currency: amounts of different currencies are never added up.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AnalysisResults {
    /// Analysis of each currency.
    #[serde(deserialize_with = "readable_elements")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub blocks: Vec<CurrencyAnalysis>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub comparison: Option<Comparison>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub narrative: Option<Narrative>,
    /// Reason why there is no narrative, although one was requested.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub narrative_error: Option<String>,
    /// `true` in sample data, whose analyses have no metrics.
    #[serde(deserialize_with = "or_default", skip_serializing, rename = "sample")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub is_sample: bool,
}

/// Explanation of the metrics, written by a language model. A text is refused if it contains a number that is not among
/// the results.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Narrative {
    pub text: String,
    /// Name of the language model.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub model: String,
}

/// Analysis of the trades in one currency.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CurrencyAnalysis {
    #[serde(deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub currency: String,
    /// Balance of the bots at the start of the analysed period, in this currency.
    #[serde(deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(value_type = nofomo_contract::values::Decimal, required = true))]
    pub initial_balance: Decimal,
    /// Metrics that this type of analysis shows.
    #[serde(deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(value_type = openapi::Metrics, required = true))]
    pub metrics: MetricValues,
    /// Reasons why metrics are null or of little value.
    #[serde(deserialize_with = "readable_elements")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Note>, required = true))]
    pub notes: Vec<NoteCode>,
    // Optional, because a stored row may lack it.
    /// Confidence in the trades of this currency.
    #[serde(deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(value_type = openapi::Confidence, required = true))]
    pub confidence: Option<Confidence>,
    /// Trades by pair, side, weekday, hour and duration. Empty unless the type is `performance` or `optimization`.
    #[serde(deserialize_with = "readable_elements")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub slices: Vec<Slice>,
    /// Series for charts; `{}` if the type is `optimization`, or the balance at the start was 0 or less.
    #[serde(deserialize_with = "or_default", serialize_with = "object_or_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Series, required = true))]
    pub series: Option<Series>,
    /// Comparison of the first and the second half. Only in the type `backtest`, from four days on.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub halves: Option<Halves>,
    /// Stress scenarios. Only in the type `backtest`.
    #[serde(deserialize_with = "readable_elements", skip_serializing_if = "Vec::is_empty")]
    pub stress: Vec<Stress>,
}

/// Note of a stored analysis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NoteCode {
    /// Code of this version.
    Known(Note),
    /// Code of another version.
    Unknown(String),
}

fn object_or_empty<S: Serializer>(series: &Option<Series>, serializer: S) -> Result<S::Ok, S::Error> {
    match series {
        Some(series) => series.serialize(serializer),
        None => Map::<String, Value>::new().serialize(serializer),
    }
}
