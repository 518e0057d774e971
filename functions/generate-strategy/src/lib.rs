//! `POST /strategies/generate`: generates a strategy from a prompt or a template, checks it and stores it.
//!
//! The request is counted against the plan before generation begins; no transaction is open while a model writes.
//!
//! SQL: `migrations/018_generate_strategy.sql`.

mod draft;
mod model_writer;
mod request;
mod template;
mod template_writer;

use std::time::{Duration, Instant};

use nofomo_contract::strategies::{NewGeneratedStrategy, Template};
use nofomo_contract::values::{Name, RiskLevel};
use nofomo_lambda::{App, LimitedResource, Problem, Request, Response};
use nofomo_language_model::LanguageModel;
use nofomo_strategy::{CheckReport, check};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::draft::StrategyDraft;
use crate::model_writer::WriteError;
use crate::request::GenerateStrategyInput;

/// Time for generation; API Gateway allows 30 s for the whole request, storage included.
const WRITE_TIMEOUT: Duration = Duration::from_secs(26);

/// Configured generators of strategies from prompts.
pub struct Writers {
    model: Option<LanguageModel>,
    /// Chooses a template by the words of the prompt if there is no model. For local development.
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
    /// Reads `LANGUAGE_MODEL_*` and `TEMPLATES_FOR_PROMPTS`.
    ///
    /// # Errors
    ///
    /// A setting is invalid or missing.
    pub fn from_settings(setting: &dyn Fn(&str) -> Option<String>) -> Result<Self, WritersError> {
        let templates = setting("TEMPLATES_FOR_PROMPTS").map_or(Ok(false), |value| value.parse())?;
        Ok(Self { model: LanguageModel::from_settings(setting)?, templates_for_prompts: templates })
    }
}

/// Writer chosen for one request.
enum Writer<'a> {
    Template(Template),
    Model(&'a LanguageModel),
}

/// Input of `private.record_generated_strategy`.
#[derive(Serialize)]
struct GeneratedStrategy<'a> {
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
    report: CheckReport,
    model_used: &'a str,
    tokens_used: u32,
}

/// Outcome of `private.generate_strategy` and of `private.record_generated_strategy`.
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

pub async fn handle(app: &'static App, writers: &'static Writers, request: Request) -> Result<Response, Problem> {
    let deadline = Instant::now() + WRITE_TIMEOUT;
    let user = app.user(&request).await?;
    let id = request.row_id("generate-strategy", &user)?;
    let input = GenerateStrategyInput { id, request: request.body_as()? };
    let writer = choose_writer(writers, &input.request)?;
    if let Some(response) = response(id, app.db.command(user.claims(), "generate_strategy", &input).await?)? {
        return Ok(response);
    }
    let (draft, report) = write_strategy(app, writer, &input.request, deadline).await?;
    let generated = GeneratedStrategy {
        id,
        name: input.request.name.as_ref().map_or(&draft.name, Name::as_str),
        description: draft.description.as_deref(),
        content: &draft.content,
        parameters: &draft.parameters,
        risk_level: input.request.risk_level,
        check: Check { report, model_used: &draft.model_used, tokens_used: draft.tokens_used },
    };
    let recorded = app.db.command(user.claims(), "record_generated_strategy", &generated).await?;
    response(id, recorded)?.ok_or_else(|| Problem::Internal("record_generated_strategy returned `reserved`".into()))
}

/// Response for an outcome, or `None` if the strategy is reserved and still has to be written.
fn response(id: Uuid, outcome: Outcome) -> Result<Option<Response>, Problem> {
    let location = format!("/strategies/{id}");
    match outcome {
        Outcome::Reserved => Ok(None),
        Outcome::Created(strategy) => Ok(Some(Response::created(strategy).with_location(location))),
        Outcome::Existing(strategy) => Ok(Some(Response::ok(strategy).with_location(location))),
        Outcome::KeyReused => Err(Problem::key_reused("strategy")),
        Outcome::PlanLimit { limit, plan } => {
            Err(Problem::PlanLimit { resource: LimitedResource::STRATEGIES, limit, plan })
        }
        Outcome::QuotaExceeded { limit, plan } => {
            Err(Problem::Quota { resource: LimitedResource::AI_REQUESTS, limit, plan })
        }
    }
}

fn choose_writer<'a>(writers: &'a Writers, request: &NewGeneratedStrategy) -> Result<Writer<'a>, Problem> {
    if let Some(template) = request.template {
        return Ok(Writer::Template(template));
    }
    match (&writers.model, &request.prompt) {
        (Some(model), _) => Ok(Writer::Model(model)),
        (None, Some(prompt)) if writers.templates_for_prompts => {
            Ok(Writer::Template(template::for_prompt(prompt.as_str())))
        }
        _ => Err(Problem::NotConfigured(
            "No language model is configured. Set `LANGUAGE_MODEL_URL` and `LANGUAGE_MODEL_NAME`, or send a \
             `template`.",
        )),
    }
}

async fn write_strategy(
    app: &App,
    writer: Writer<'_>,
    request: &NewGeneratedStrategy,
    deadline: Instant,
) -> Result<(StrategyDraft, CheckReport), Problem> {
    match writer {
        Writer::Template(template) => {
            let draft = template_writer::write(template, request)
                .map_err(|error| Problem::Internal(format!("template not rendered: {error}")))?;
            let report = check(&draft.content)
                .map_err(|errors| Problem::Internal(format!("template is not a valid strategy: {errors:?}")))?;
            Ok((draft, report))
        }
        Writer::Model(model) => app
            .time_external_call("language model", model_writer::write(model, request, deadline))
            .await
            .map_err(model_problem),
    }
}

fn model_problem(error: WriteError) -> Problem {
    match error {
        WriteError::NoAnswer(cause) => Problem::NoAnswer {
            cause: format!("language model: {cause}"),
            detail: "The language model did not answer. Retry with the same Idempotency-Key: the retry is not counted \
                     again. A `template` needs no language model."
                .into(),
        },
        WriteError::NoStrategy(cause) => {
            Problem::BadGateway(format!("language model wrote no valid strategy: {cause}"))
        }
    }
}
