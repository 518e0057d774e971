//! `POST /strategies` stores a strategy of the caller, and `PUT /strategies/{strategy_id}` replaces its source. Both
//! check the source and store the report with it.
//!
//! SQL: `migrations/017_create_strategy.sql`.

use nofomo_contract::strategies::{NewSource, NewStrategy};
use nofomo_contract::values::Source;
use nofomo_lambda::{App, FieldError, LimitedResource, Problem, ProblemKind, Request, Response, User};
use nofomo_strategy::{CheckReport, MAX_SOURCE_BYTES, SourceError, check};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

const _: () =
    assert!(Source::MAX_LENGTH == MAX_SOURCE_BYTES, "the maximum length in characters is the maximum size in bytes");

/// Resource in the problem of a plan that includes marketplace strategies only.
const OWN_STRATEGIES: LimitedResource =
    LimitedResource { singular: "strategy of your own", plural: "strategies of your own" };

/// Input of `private.create_strategy`.
#[derive(Serialize)]
struct CreateStrategyInput {
    id: Uuid,
    #[serde(flatten)]
    strategy: NewStrategy,
    check: CheckReport,
}

/// Input of `private.replace_strategy`.
#[derive(Serialize)]
struct ReplaceStrategyInput {
    strategy_id: Uuid,
    #[serde(flatten)]
    source: NewSource,
    check: CheckReport,
}

/// Outcome of `private.create_strategy` and `private.replace_strategy`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Created(Box<RawValue>),
    Existing(Box<RawValue>),
    Replaced(Box<RawValue>),
    PlanLimit { limit: i64, plan: String },
    KeyReused,
    InUse,
    NotFound,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let user = app.user(&request).await?;
    match request.path_parameter("strategy_id") {
        None => create(app, &user, &request).await,
        Some(id) => replace(app, &user, &request, id.parse().map_err(|_| Problem::NotFound)?).await,
    }
}

async fn create(app: &App, user: &User, request: &Request) -> Result<Response, Problem> {
    let id = request.row_id("create-strategy", user)?;
    let strategy: NewStrategy = request.body_as()?;
    let check = check_content(&strategy.content)?;
    let location = format!("/strategies/{id}");
    match app.db.command(user.claims(), "create_strategy", &CreateStrategyInput { id, strategy, check }).await? {
        Outcome::Created(strategy) => Ok(Response::created(strategy).with_location(location)),
        Outcome::Existing(strategy) => Ok(Response::ok(strategy).with_location(location)),
        outcome => refusal(outcome),
    }
}

async fn replace(app: &App, user: &User, request: &Request, strategy_id: Uuid) -> Result<Response, Problem> {
    let source: NewSource = request.body_as()?;
    let check = check_content(&source.content)?;
    let input = ReplaceStrategyInput { strategy_id, source, check };
    match app.db.command(user.claims(), "replace_strategy", &input).await? {
        Outcome::Replaced(strategy) => Ok(Response::ok(strategy)),
        outcome => refusal(outcome),
    }
}

fn refusal(outcome: Outcome) -> Result<Response, Problem> {
    match outcome {
        Outcome::PlanLimit { limit: 0, plan } => Err(Problem::PlanLimit { resource: OWN_STRATEGIES, limit: 0, plan }),
        Outcome::PlanLimit { limit, plan } => {
            Err(Problem::PlanLimit { resource: LimitedResource::STRATEGIES, limit, plan })
        }
        Outcome::KeyReused => Err(Problem::key_reused("strategy")),
        Outcome::InUse => Err(Problem::conflict(
            ProblemKind::StrategyInUse,
            "A live bot runs a strategy with this name, and the check of the new source has findings. Fix the findings, \
             or stop the bot.",
        )),
        Outcome::NotFound => Err(Problem::NotFound),
        Outcome::Created(_) | Outcome::Existing(_) | Outcome::Replaced(_) => {
            Err(Problem::Internal("outcome does not belong to this command".into()))
        }
    }
}

/// Checks a source. Errors have the line and column.
fn check_content(content: &Source) -> Result<CheckReport, Problem> {
    check(content.as_str()).map_err(|errors| Problem::Invalid(errors.into_iter().map(field_error).collect()))
}

fn field_error(source_error: SourceError) -> FieldError {
    let error = FieldError::at("/content", source_error.message);
    match (source_error.line, source_error.column) {
        (Some(line), Some(column)) => error.with_position(line, column),
        _ => error,
    }
}
