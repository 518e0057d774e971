//! A strategy as somebody wrote it.

use serde_json::Value;

pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) content: String,
    pub(crate) parameters: Value,
    /// A language model as it calls itself, or a template.
    pub(crate) model_used: String,
    pub(crate) tokens_used: u32,
}
