//! Narrative by a language model, which explains the results. The model is called once and receives only the results.
//! The analysis does not depend on its answer.

use std::time::Duration;

use nofomo_analytics::{Comparison, Narrative};
use nofomo_language_model::{LanguageModel, Message, ResponseSchema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::warn;

use crate::currency_analysis::AccountAnalysis;
use crate::figure_check::KnownFigures;
use crate::request::AnalysisRequest;

/// Maximum time for the answer of the language model.
const MODEL_TIMEOUT: Duration = Duration::from_secs(20);
/// Maximum length of the text, in characters.
const MAX_TEXT_LENGTH: usize = 8_000;
const MAX_RECOMMENDATIONS: usize = 10;
/// Maximum length of a recommendation, in characters.
const MAX_RECOMMENDATION_LENGTH: usize = 500;

const INSTRUCTIONS: &str = "Explain the statistics of a trading bot to its owner, in plain English and in at most four short paragraphs. \
    Use only the figures given to you, rounded as you like; never compute, estimate or add a figure that is not among them, and write \
    every figure in digits. Fractions may be written in percent. A null is undefined: say so or leave it out. The confidence score is the \
    evidence that the expected daily return is above zero; do not praise a bot beyond what the score supports. Give a recommendation only \
    if a figure is the reason for it, and name that figure; an empty list of recommendations is a good answer. Promise nothing about the \
    future.";

/// Outcome of calling the language model.
#[derive(Default)]
pub(crate) struct NarrativeOutcome {
    pub(crate) narrative: Option<Narrative>,
    /// Reason why there is no narrative. `None` if there is one, or if none was requested.
    pub(crate) error: Option<String>,
    pub(crate) recommendations: Vec<String>,
    pub(crate) tokens: u32,
}

/// Expected JSON of the model's answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelAnswer {
    text: String,
    recommendations: Vec<String>,
}

/// Requests a narrative. The model receives nothing that identifies a person: no id, and no name of a user, a bot or a
/// strategy.
pub(crate) async fn narrate(
    model: Option<&LanguageModel>,
    request: &AnalysisRequest,
    accounts: &[AccountAnalysis],
    comparison: Option<&Comparison>,
    timeout: Duration,
) -> NarrativeOutcome {
    let Some(model) = model else {
        let cause = "no language model is configured";
        warn!(cause, "No narrative");
        return NarrativeOutcome::failed(cause, 0);
    };
    let figures = json!({
        "analysis_type": request.kind(),
        "blocks": accounts.iter().map(|account| without(&account.stored, &["series"])).collect::<Vec<_>>(),
        "comparison": comparison.map(|comparison| without(comparison, &["backtest", "trades"])),
        "backtest_runs": comparison.and_then(|comparison| Some(comparison.backtest.as_ref()?.runs)),
    });
    request_narrative(model, &figures, timeout.min(MODEL_TIMEOUT)).await
}

/// Returns a JSON object without some of its members.
fn without(part: &impl Serialize, names: &[&str]) -> Value {
    let mut part = json!(part);
    if let Value::Object(members) = &mut part {
        members.retain(|name, _| !names.contains(&name.as_str()));
    }
    part
}

async fn request_narrative(model: &LanguageModel, figures: &Value, timeout: Duration) -> NarrativeOutcome {
    let schema = ResponseSchema {
        name: "narrative",
        properties: json!({
            "text": { "type": "string" },
            "recommendations": { "type": "array", "items": { "type": "string" } },
        }),
    };
    let messages = [Message::system(INSTRUCTIONS), Message::user(figures.to_string())];
    let answer = match model.complete(&messages, &schema, timeout).await {
        Ok(answer) => answer,
        Err(cause) => {
            warn!(cause, "No narrative");
            return NarrativeOutcome::failed(&cause, 0);
        }
    };
    match parse_answer(&answer.content, &KnownFigures::of(figures)) {
        Ok(ModelAnswer { text, recommendations }) => NarrativeOutcome {
            narrative: Some(Narrative { text, model: answer.model }),
            error: None,
            recommendations,
            tokens: answer.tokens,
        },
        Err(cause) => {
            warn!(cause, "Narrative refused");
            NarrativeOutcome::failed(&cause, answer.tokens)
        }
    }
}

fn parse_answer(content: &str, figures: &KnownFigures) -> Result<ModelAnswer, String> {
    let answer: ModelAnswer =
        serde_json::from_str(content).map_err(|_| "the model's answer does not have the requested form")?;
    let is_too_long = answer.text.chars().count() > MAX_TEXT_LENGTH
        || answer.recommendations.len() > MAX_RECOMMENDATIONS
        || answer.recommendations.iter().any(|text| text.chars().count() > MAX_RECOMMENDATION_LENGTH);
    if is_too_long {
        return Err("the model's answer is too long".into());
    }
    let texts = || answer.recommendations.iter().chain([&answer.text]);
    if answer.text.trim().is_empty() || texts().any(|text| text.contains('\0')) {
        return Err("the model's answer is empty or contains the character U+0000".into());
    }
    let unknown = texts().find_map(|text| figures.first_unknown_in(text));
    match unknown {
        Some(figure) => Err(format!("the model's answer contains the figure {figure}, which is not among the results")),
        None => Ok(answer),
    }
}

impl NarrativeOutcome {
    fn failed(cause: &str, tokens: u32) -> Self {
        Self { error: Some(format!("There is no narrative: {cause}.")), tokens, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(content: &str) -> Result<String, String> {
        parse_answer(content, &KnownFigures::of(&json!({"sharpe": 1.825}))).map(|answer| answer.text)
    }

    #[test]
    fn an_answer_in_the_requested_form_with_known_figures_is_accepted() {
        let content = r#"{"text": "A Sharpe ratio of 1.8.", "recommendations": []}"#;
        assert_eq!(text_of(content), Ok("A Sharpe ratio of 1.8.".into()));
    }

    #[test]
    fn any_other_answer_is_refused_with_the_reason() {
        let long = format!(r#"{{"text": "{}", "recommendations": []}}"#, "a".repeat(MAX_TEXT_LENGTH + 1));
        for (content, reason) in [
            (r#"{"text": "A Sharpe ratio of 9.7.", "recommendations": []}"#, "the figure 9.7"),
            (r#"{"text": "Fine.", "recommendations": ["Stake 12 % more."]}"#, "the figure 12"),
            ("It looks good to me.", "the requested form"),
            ("", "the requested form"),
            (r#"{"text": "Fine."}"#, "the requested form"),
            (r#"{"text": "Fine.", "recommendations": [], "score": 1}"#, "the requested form"),
            (r#"{"text": " ", "recommendations": []}"#, "empty"),
            (r#"{"text": "Fine.\u0000", "recommendations": []}"#, "U+0000"),
            (&long, "too long"),
        ] {
            let error = text_of(content).unwrap_err();
            assert!(error.contains(reason), "{reason}: {error}");
        }
    }
}
