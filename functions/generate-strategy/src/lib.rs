//! `POST /strategies/generate`: has a strategy written from a prompt, or by a template, and checks it. Its SQL is
//! `migrations/018_generate_strategy.sql`.
//!
//! The request counts before the work begins, and no transaction is open while a model writes.

mod author;
mod draft;
mod request;
mod template;

use std::time::{Duration, Instant};

use nofomo_lambda::{Answer, App, Problem, Request};
use nofomo_language_model::LanguageModel;
use nofomo_strategy::{Checked, check};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::author::Failure;
use crate::draft::Draft;
use crate::request::{RiskLevel, Wanted, parse};
use crate::template::Template;

/// API Gateway waits 30 s for all of it: from here on there is only time to record.
const TIME_TO_WRITE: Duration = Duration::from_secs(26);

/// Who writes what is asked for in words.
pub struct Writers {
    model: Option<LanguageModel>,
    /// In place of a model, on a laptop.
    templates_for_prompts: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum WritersError {
    #[error(transparent)]
    Model(#[from] nofomo_language_model::Error),
    #[error("`TEMPLATES_FOR_PROMPTS` must be true or false")]
    Templates(#[from] std::str::ParseBoolError),
}

impl Writers {
    /// # Errors
    ///
    /// What is wrong with the settings.
    pub fn read(setting: &dyn Fn(&str) -> Option<String>) -> Result<Self, WritersError> {
        let templates = setting("TEMPLATES_FOR_PROMPTS").map_or(Ok(false), |value| value.parse())?;
        Ok(Self { model: LanguageModel::read(setting)?, templates_for_prompts: templates })
    }
}

/// Who writes one strategy.
enum Writer<'a> {
    Template(Template),
    Model(&'a LanguageModel),
}

/// A row for `private.record_generated_strategy`.
#[derive(Serialize)]
struct Generated<'a> {
    id: Uuid,
    name: &'a str,
    description: Option<&'a str>,
    content: &'a str,
    parameters: &'a serde_json::Value,
    risk_level: RiskLevel,
    check: Check<'a>,
}

#[derive(Serialize)]
struct Check<'a> {
    #[serde(flatten)]
    checked: Checked,
    model_used: &'a str,
    tokens_used: u32,
}

/// What `private.generate_strategy` found, and `private.record_generated_strategy` did.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Reserved,
    Existing(Box<RawValue>),
    Created(Box<RawValue>),
    KeyReused,
    PlanLimit { limit: i64, plan: String },
    QuotaExceeded { limit: i64, plan: String },
}

pub async fn handle(app: &'static App, writers: &'static Writers, request: Request) -> Result<Answer, Problem> {
    let until = Instant::now() + TIME_TO_WRITE;
    let user = app.user(&request).await?;
    let id = request.row_id("generate-strategy", &user)?;
    let wanted = parse(id, request.fields()?)?;
    let writer = writer(writers, &wanted)?;
    if let Some(answer) = answer(id, app.db.command(user.claims(), "generate_strategy", &wanted).await?)? {
        return Ok(answer);
    }
    let (draft, checked) = written(app, writer, &wanted, until).await?;
    let generated = Generated {
        id,
        name: wanted.name.as_deref().unwrap_or(&draft.name),
        description: draft.description.as_deref(),
        content: &draft.content,
        parameters: &draft.parameters,
        risk_level: wanted.risk_level,
        check: Check { checked, model_used: &draft.model_used, tokens_used: draft.tokens_used },
    };
    let recorded = app.db.command(user.claims(), "record_generated_strategy", &generated).await?;
    answer(id, recorded)?.ok_or_else(|| Problem::Internal("reserved again in place of recorded".into()))
}

/// None where it is still to be written.
fn answer(id: Uuid, outcome: Outcome) -> Result<Option<Answer>, Problem> {
    let location = format!("/strategies/{id}");
    match outcome {
        Outcome::Reserved => Ok(None),
        Outcome::Created(strategy) => Ok(Some(Answer::created(strategy).at(location))),
        Outcome::Existing(strategy) => Ok(Some(Answer::ok(strategy).at(location))),
        Outcome::KeyReused => Err(Problem::Conflict {
            kind: "key-reused",
            detail: "This Idempotency-Key was used with another body; use a new key for another strategy.".into(),
        }),
        Outcome::PlanLimit { limit, plan } => Err(Problem::PlanLimit { things: "strategies", limit, plan }),
        Outcome::QuotaExceeded { limit, plan } => Err(Problem::Quota { things: "AI requests", limit, plan }),
    }
}

fn writer<'a>(writers: &'a Writers, wanted: &Wanted) -> Result<Writer<'a>, Problem> {
    if let Some(template) = wanted.template.and_then(Template::named) {
        return Ok(Writer::Template(template));
    }
    match (&writers.model, &wanted.prompt) {
        (Some(model), _) => Ok(Writer::Model(model)),
        (None, Some(prompt)) if writers.templates_for_prompts => Ok(Writer::Template(Template::of_prompt(prompt))),
        _ => Err(Problem::NotConfigured(
            "No language model is configured: set `LANGUAGE_MODEL_URL` and `LANGUAGE_MODEL_NAME`, or ask for a `template`.",
        )),
    }
}

async fn written(app: &App, writer: Writer<'_>, wanted: &Wanted, until: Instant) -> Result<(Draft, Checked), Problem> {
    match writer {
        Writer::Template(template) => {
            let draft = template.write(wanted).map_err(|error| Problem::Internal(format!("template: {error}")))?;
            let checked = check(&draft.content)
                .map_err(|mistakes| Problem::Internal(format!("a template is no strategy: {mistakes:?}")))?;
            Ok((draft, checked))
        }
        Writer::Model(model) => {
            app.time_external_call("language model", author::write(model, wanted, until)).await.map_err(|failure| {
                match failure {
            Failure::NoAnswer(cause) => Problem::NoAnswer {
                cause: format!("language model: {cause}"),
                detail:
                    "The language model has not answered. The same Idempotency-Key tries again without being counted \
                         again; a `template` needs no model."
                        .into(),
            },
            Failure::NoStrategy(cause) => Problem::BadGateway(format!("language model wrote no strategy: {cause}")),
        }
            })
        }
    }
}
