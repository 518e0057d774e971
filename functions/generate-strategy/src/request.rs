//! Input of `private.generate_strategy`.

use nofomo_contract::strategies::NewGeneratedStrategy;
use serde::Serialize;
use uuid::Uuid;

/// Request body, with the id of the strategy to create.
#[derive(Serialize)]
pub(crate) struct GenerateStrategyInput {
    pub(crate) id: Uuid,
    #[serde(flatten)]
    pub(crate) request: NewGeneratedStrategy,
}
