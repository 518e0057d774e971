//! Draft of a strategy, as a language model or a template wrote it.

use serde_json::Value;

pub(crate) struct StrategyDraft {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// Python source.
    pub(crate) content: String,
    pub(crate) parameters: Value,
    /// Name that the language model reports for itself, or `nofomo-template-…`.
    pub(crate) model_used: String,
    pub(crate) tokens_used: u32,
}
