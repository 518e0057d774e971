//! What is asked for: in which words, or by which template, for which pair and timeframe, at which risk.

use nofomo_lambda::{Fields, Problem, lines, one_of, text, trading_pair};
use serde::Serialize;
use uuid::Uuid;

use crate::template::Template;

/// What the caller sends, checked.
#[derive(Serialize)]
pub(crate) struct Wanted {
    pub(crate) id: Uuid,
    /// None where a template is asked for.
    pub(crate) prompt: Option<String>,
    pub(crate) pair: String,
    pub(crate) timeframe: &'static str,
    pub(crate) risk_level: RiskLevel,
    /// In place of the one that it would be given.
    pub(crate) name: Option<String>,
    pub(crate) template: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RiskLevel {
    Low,
    #[default]
    Medium,
    High,
}

impl RiskLevel {
    pub(crate) fn pick<T>(self, low: T, medium: T, high: T) -> T {
        match self {
            Self::Low => low,
            Self::Medium => medium,
            Self::High => high,
        }
    }
}

pub(crate) fn parse(id: Uuid, mut fields: Fields<'_>) -> Result<Wanted, Problem> {
    let risk_level = fields.optional("risk_level", one_of(&["low", "medium", "high"]));
    let wanted = Wanted {
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
    let is_asked = wanted.prompt.is_some() || wanted.template.is_some();
    fields.rule(is_asked, "prompt", &["template"], "is required unless there is a template");
    fields.finish(wanted)
}
