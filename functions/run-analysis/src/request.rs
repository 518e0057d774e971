//! Input of `private.run_analysis`.

use nofomo_analytics::AnalysisType;
use nofomo_contract::analyses::{self, NewAnalysis};
use serde::Serialize;
use uuid::Uuid;

/// Input of `private.run_analysis`: the request body, with the id of the analysis to create.
#[derive(Serialize)]
pub(crate) struct AnalysisRequest {
    pub(crate) id: Uuid,
    #[serde(flatten)]
    pub(crate) body: NewAnalysis,
}

impl AnalysisRequest {
    /// Type of the analysis, as a type of `nofomo_analytics`.
    pub(crate) fn kind(&self) -> AnalysisType {
        match self.body.analysis_type {
            analyses::AnalysisType::Performance => AnalysisType::Performance,
            analyses::AnalysisType::Risk => AnalysisType::Risk,
            analyses::AnalysisType::Optimization => AnalysisType::Optimization,
            analyses::AnalysisType::Backtest => AnalysisType::Backtest,
        }
    }
}
