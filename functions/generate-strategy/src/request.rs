//! Request body of `POST /strategies/generate`.

use nofomo_lambda::{Fields, Problem, lines, one_of, text, trading_pair};
use serde::Serialize;
use uuid::Uuid;

use crate::risk_level::RiskLevel;
use crate::template::Template;

/// Validated request body, with the id of the strategy to create.
#[derive(Serialize)]
pub(crate) struct GenerateStrategyInput {
    pub(crate) id: Uuid,
    /// Description of the strategy in words; required unless `template` is given.
    pub(crate) prompt: Option<String>,
    pub(crate) pair: String,
    pub(crate) timeframe: &'static str,
    pub(crate) risk_level: RiskLevel,
    /// Replaces the generated name.
    pub(crate) name: Option<String>,
    pub(crate) template: Option<&'static str>,
}

pub(crate) fn parse(id: Uuid, mut fields: Fields<'_>) -> Result<GenerateStrategyInput, Problem> {
    let risk_level = fields.optional("risk_level", one_of(&["low", "medium", "high"]));
    let input = GenerateStrategyInput {
        id,
        prompt: fields.optional("prompt", lines(1..=2000)),
        pair: fields.required("pair", trading_pair),
        timeframe: fields.required("timeframe", one_of(&["1m", "5m", "15m", "30m", "1h", "4h", "1d"])),
        risk_level: match risk_level {
            Some("low") => RiskLevel::Low,
            Some("high") => RiskLevel::High,
            _ => RiskLevel::Medium,
        },
        name: fields.optional("name", text(1..=255)),
        template: fields.optional("template", one_of(Template::NAMES)),
    };
    let has_source = input.prompt.is_some() || input.template.is_some();
    fields.rule(has_source, "prompt", &["template"], "is required unless `template` is given");
    fields.finish(input)
}
