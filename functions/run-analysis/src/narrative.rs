//! The figures in words, by a language model. It is asked once, gets figures alone, and whatever goes wrong, the analysis stands
//! without it.

use std::time::Duration;

use nofomo_language_model::{LanguageModel, Message, ResponseSchema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::warn;

use crate::comparison::Comparison;
use crate::currency_analysis::CurrencyAnalysis;
use crate::figure_check::KnownFigures;
use crate::request::AnalysisRequest;

const MODEL_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_TEXT_LENGTH: usize = 8_000;
const MAX_RECOMMENDATIONS: usize = 10;
const MAX_RECOMMENDATION_LENGTH: usize = 500;

const TASK: &str = "You explain the statistics of a trading bot to its owner, in plain English and in at most four short paragraphs. \
    Use only the figures given to you, rounded as you like; never compute, estimate or add a figure that is not among them, and write \
    every figure in digits. Fractions may be written in percent. A null is undefined: say so or leave it out. The confidence is how sure \
    one may be that the expected daily return is above zero; do not call a bot good beyond it. Recommend only what a figure is a reason \
    for, and name that figure; no recommendation is a good answer. Promise nothing about the future.";

/// What came of asking.
#[derive(Default)]
pub(crate) struct NarrativeOutcome {
    tokens: u32,
    model: String,
    said: Option<Result<ModelAnswer, String>>,
}

/// The form that the model must answer in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelAnswer {
    text: String,
    recommendations: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Narrative<'a> {
    text: &'a str,
    pub(crate) model: &'a str,
}

/// The model hears figures, and nothing by which anybody could be told: no id, no name of a user, a bot or a strategy.
pub(crate) async fn narrate(
    model: Option<&LanguageModel>,
    request: &AnalysisRequest,
    blocks: &[CurrencyAnalysis],
    comparison: Option<&Comparison>,
    limit: Duration,
) -> NarrativeOutcome {
    let Some(model) = model else { return NarrativeOutcome::failed("no language model is configured".into()) };
    let figures = json!({
        "analysis_type": request.body.analysis_type,
        "blocks": blocks.iter().map(CurrencyAnalysis::without_series).collect::<Vec<_>>(),
        "comparison": comparison.map(Comparison::without_names),
    });
    narration(model, &figures, limit.min(MODEL_TIMEOUT)).await
}

async fn narration(model: &LanguageModel, figures: &Value, limit: Duration) -> NarrativeOutcome {
    let schema = ResponseSchema {
        name: "narrative",
        properties: json!({
            "text": { "type": "string" },
            "recommendations": { "type": "array", "items": { "type": "string" } },
        }),
    };
    let answer =
        match model.complete(&[Message::system(TASK), Message::user(figures.to_string())], &schema, limit).await {
            Ok(answer) => answer,
            Err(cause) => return NarrativeOutcome::failed(cause),
        };
    let said = parse_answer(&answer.content, &KnownFigures::of(figures))
        .inspect_err(|cause| warn!(cause, "Narrative refused"));
    NarrativeOutcome { tokens: answer.tokens, model: answer.model, said: Some(said) }
}

fn parse_answer(content: &str, figures: &KnownFigures) -> Result<ModelAnswer, String> {
    let said: ModelAnswer =
        serde_json::from_str(content).map_err(|_| "it did not answer in the form it was asked for")?;
    let is_long = said.text.chars().count() > MAX_TEXT_LENGTH
        || said.recommendations.len() > MAX_RECOMMENDATIONS
        || said.recommendations.iter().any(|text| text.chars().count() > MAX_RECOMMENDATION_LENGTH);
    if is_long {
        return Err("it wrote too much".into());
    }
    let texts = || said.recommendations.iter().chain([&said.text]);
    if said.text.trim().is_empty() || texts().any(|text| text.contains('\0')) {
        return Err("it wrote nothing that can be kept".into());
    }
    let invented = texts().find_map(|text| figures.first_unknown_in(text));
    match invented {
        Some(figure) => Err(format!("it wrote the figure {figure}, which is not among the results")),
        None => Ok(said),
    }
}

impl NarrativeOutcome {
    fn failed(cause: String) -> Self {
        warn!(cause, "No narrative");
        Self { said: Some(Err(cause)), ..Self::default() }
    }

    pub(crate) fn tokens(&self) -> u32 {
        self.tokens
    }

    pub(crate) fn recommendations(&self) -> Vec<String> {
        match &self.said {
            Some(Ok(said)) => said.recommendations.clone(),
            _ => Vec::new(),
        }
    }

    /// Either, or neither where nobody was asked.
    pub(crate) fn told(&self) -> (Option<Narrative<'_>>, Option<String>) {
        match &self.said {
            Some(Ok(said)) => (Some(Narrative { text: &said.text, model: &self.model }), None),
            Some(Err(cause)) => (None, Some(format!("There is no narrative: {cause}."))),
            None => (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(content: &str) -> Result<String, String> {
        parse_answer(content, &KnownFigures::of(&json!({"sharpe": 1.825}))).map(|said| said.text)
    }

    #[test]
    fn what_keeps_to_the_form_and_the_figures_is_told() {
        let content = r#"{"text": "A Sharpe ratio of 1.8.", "recommendations": []}"#;
        assert_eq!(told(content), Ok("A Sharpe ratio of 1.8.".into()));
    }

    #[test]
    fn everything_else_is_refused_and_says_why() {
        let long = format!(r#"{{"text": "{}", "recommendations": []}}"#, "a".repeat(MAX_TEXT_LENGTH + 1));
        for (content, reason) in [
            (r#"{"text": "A Sharpe ratio of 9.7.", "recommendations": []}"#, "the figure 9.7"),
            (r#"{"text": "Fine.", "recommendations": ["Stake 12 % more."]}"#, "the figure 12"),
            ("It looks good to me.", "the form"),
            ("", "the form"),
            (r#"{"text": "Fine."}"#, "the form"),
            (r#"{"text": "Fine.", "recommendations": [], "score": 1}"#, "the form"),
            (r#"{"text": " ", "recommendations": []}"#, "nothing"),
            (r#"{"text": "Fine.\u0000", "recommendations": []}"#, "nothing"),
            (&long, "too much"),
        ] {
            let error = told(content).unwrap_err();
            assert!(error.contains(reason), "{reason}: {error}");
        }
    }
}
