//! What is asked: of which trades, what, and whether a model is to put it in words.

use chrono::{DateTime, Utc};
use nofomo_analytics::AnalysisType;
use nofomo_lambda::{Fields, Problem, flag, one_of, time, uuid};
use serde::Serialize;
use uuid::Uuid;

/// What the caller sends, checked.
#[derive(Serialize)]
pub(crate) struct AnalysisRequest {
    pub(crate) id: Uuid,
    pub(crate) analysis_type: &'static str,
    pub(crate) bot_id: Option<Uuid>,
    pub(crate) strategy_id: Option<Uuid>,
    /// Trades that were closed from here on,
    pub(crate) from: Option<DateTime<Utc>>,
    /// and before.
    pub(crate) to: Option<DateTime<Utc>>,
    pub(crate) narrative: bool,
}

pub(crate) fn parse(id: Uuid, mut fields: Fields<'_>) -> Result<AnalysisRequest, Problem> {
    let request = AnalysisRequest {
        id,
        analysis_type: fields.required("analysis_type", one_of(&["performance", "risk", "optimization", "backtest"])),
        bot_id: fields.optional("bot_id", uuid),
        strategy_id: fields.optional("strategy_id", uuid),
        from: fields.optional("from", time),
        to: fields.optional("to", time),
        narrative: fields.optional("narrative", flag).unwrap_or_default(),
    };
    let one_subject = request.bot_id.is_none() || request.strategy_id.is_none();
    fields.rule(one_subject, "strategy_id", &["bot_id"], "must not come with bot_id");
    let has_length = request.from.zip(request.to).is_none_or(|(from, to)| from < to);
    fields.rule(has_length, "to", &["from"], "must be later than from");
    fields.finish(request)
}

impl AnalysisRequest {
    pub(crate) fn kind(&self) -> AnalysisType {
        match self.analysis_type {
            "risk" => AnalysisType::Risk,
            "optimization" => AnalysisType::Optimization,
            "backtest" => AnalysisType::Backtest,
            _ => AnalysisType::Performance,
        }
    }
}
