//! Input of `private.run_analysis`.

use nofomo_analytics::AnalysisType;
use nofomo_contract::NewAnalysis;
use serde::Serialize;
use uuid::Uuid;

/// Request body, with the id of the analysis to create.
#[derive(Serialize)]
pub(crate) struct AnalysisRequest {
    pub(crate) id: Uuid,
    #[serde(flatten)]
    pub(crate) body: NewAnalysis,
}

impl AnalysisRequest {
    pub(crate) fn kind(&self) -> AnalysisType {
        match self.body.analysis_type {
            nofomo_contract::AnalysisType::Performance => AnalysisType::Performance,
            nofomo_contract::AnalysisType::Risk => AnalysisType::Risk,
            nofomo_contract::AnalysisType::Optimization => AnalysisType::Optimization,
            nofomo_contract::AnalysisType::Backtest => AnalysisType::Backtest,
        }
    }
}
