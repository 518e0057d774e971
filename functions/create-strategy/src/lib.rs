//! `POST /strategies` stores a strategy of the caller's own, `PUT /strategies/{strategy_id}` gives it another source; both with
//! what a check found in it. Its SQL is `migrations/017_create_strategy.sql`.

use nofomo_lambda::{Answer, App, FieldError, Fields, Problem, Request, User, lines, object, one_of, text};
use nofomo_strategy::{CheckReport, MAX_SOURCE_BYTES, SourceError, check};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

const MAX_PARAMETERS_BYTES: usize = 16 * 1024;
const MAX_TAGS: usize = 20;

/// What the caller sends, checked.
#[derive(Serialize)]
struct NewStrategy {
    id: Uuid,
    name: String,
    description: Option<String>,
    content: String,
    parameters: Option<Box<RawValue>>,
    tags: Option<Vec<String>>,
    category: Option<String>,
    risk_level: Option<&'static str>,
    check: Option<CheckReport>,
}

/// Another source of a strategy that is there.
#[derive(Serialize)]
struct NewSource {
    strategy_id: Uuid,
    content: String,
    /// None leaves them as they are.
    parameters: Option<Box<RawValue>>,
    check: Option<CheckReport>,
}

/// What `private.create_strategy` or `private.replace_strategy` found.
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

pub async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    let user = app.user(&request).await?;
    match request.path_parameter("strategy_id") {
        None => create(app, &user, &request).await,
        Some(id) => replace(app, &user, &request, id.parse().map_err(|_| Problem::NotFound)?).await,
    }
}

async fn create(app: &App, user: &User, request: &Request) -> Result<Answer, Problem> {
    let id = request.row_id("create-strategy", user)?;
    let mut strategy = parse(id, request.fields()?)?;
    strategy.check = Some(checked(&strategy.content)?);
    let location = format!("/strategies/{id}");
    match app.db.command(user.claims(), "create_strategy", &strategy).await? {
        Outcome::Created(strategy) => Ok(Answer::created(strategy).with_location(location)),
        Outcome::Existing(strategy) => Ok(Answer::ok(strategy).with_location(location)),
        outcome => refused(outcome),
    }
}

async fn replace(app: &App, user: &User, request: &Request, strategy_id: Uuid) -> Result<Answer, Problem> {
    let mut fields = request.fields()?;
    let mut source = NewSource {
        strategy_id,
        content: fields.required("content", lines(1..=MAX_SOURCE_BYTES)),
        parameters: fields.optional("parameters", object(MAX_PARAMETERS_BYTES)),
        check: None,
    };
    source = fields.finish(source)?;
    source.check = Some(checked(&source.content)?);
    match app.db.command(user.claims(), "replace_strategy", &source).await? {
        Outcome::Replaced(strategy) => Ok(Answer::ok(strategy)),
        outcome => refused(outcome),
    }
}

fn refused(outcome: Outcome) -> Result<Answer, Problem> {
    match outcome {
        Outcome::PlanLimit { limit: 0, plan } => Err(Problem::PlanLimit { things: "own strategies", limit: 0, plan }),
        Outcome::PlanLimit { limit, plan } => Err(Problem::PlanLimit { things: "strategies", limit, plan }),
        Outcome::KeyReused => Err(Problem::Conflict {
            kind: "key-reused",
            detail: "This Idempotency-Key was used with another body; use a new key for another strategy.".into(),
        }),
        Outcome::InUse => Err(Problem::Conflict {
            kind: "strategy-in-use",
            detail:
                "A live bot runs this strategy, and the check of the new source has findings: stop the bot, or change \
                     what was found."
                    .into(),
        }),
        Outcome::NotFound => Err(Problem::NotFound),
        Outcome::Created(_) | Outcome::Existing(_) | Outcome::Replaced(_) => {
            Err(Problem::Internal("an outcome of another command".into()))
        }
    }
}

fn parse(id: Uuid, mut fields: Fields<'_>) -> Result<NewStrategy, Problem> {
    let strategy = NewStrategy {
        id,
        name: fields.required("name", text(1..=255)),
        description: fields.optional("description", lines(1..=10_000)),
        content: fields.required("content", lines(1..=MAX_SOURCE_BYTES)),
        parameters: fields.optional("parameters", object(MAX_PARAMETERS_BYTES)),
        tags: fields.optional("tags", tags),
        category: fields.optional("category", text(1..=100)),
        risk_level: fields.optional("risk_level", one_of(&["low", "medium", "high"])),
        check: None,
    };
    fields.finish(strategy)
}

fn tags(value: &RawValue) -> Result<Vec<String>, String> {
    let wrong = || format!("must be up to {MAX_TAGS} words of 1 to 50 characters each");
    let tags: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|_| wrong())?;
    if tags.len() > MAX_TAGS {
        return Err(wrong());
    }
    tags.into_iter().map(|tag| text(1..=50)(tag).map_err(|_| wrong())).collect()
}

/// What cannot be read is not stored: it says where.
fn checked(content: &str) -> Result<CheckReport, Problem> {
    check(content).map_err(|errors| Problem::Invalid(errors.into_iter().map(in_content).collect()))
}

fn in_content(source_error: SourceError) -> FieldError {
    let error = FieldError::at("/content", source_error.message);
    match (source_error.line, source_error.column) {
        (Some(line), Some(column)) => error.in_line(line, column),
        _ => error,
    }
}
