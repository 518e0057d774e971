//! `POST /strategies/{strategy_id}/publish`: verifies a strategy and offers it in the marketplace.
//! Its SQL is `migrations/019_publish_strategy.sql`.

use nofomo_lambda::{Answer, App, Problem, ProblemKind, Request};
use nofomo_strategy::{CHECKER_VERSION, CheckReport, Finding, check};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A source that changes while it is being checked is checked again, so often.
const ATTEMPTS: usize = 3;

#[derive(Serialize)]
struct Publication {
    strategy_id: Uuid,
    checker_version: i32,
    /// Where the database had none of this version.
    check: Option<Check>,
}

#[derive(Serialize)]
struct Check {
    #[serde(flatten)]
    checked: CheckReport,
    /// SHA-256 of what was read.
    source_hash: String,
}

/// What `private.publish_strategy` found.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Published(Box<RawValue>),
    /// With the source.
    CheckRequired(String),
    HasFindings(Vec<Finding>),
    NoSource,
    TooFewTrades,
    NameTaken,
    NotFound,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    let user = app.user(&request).await?;
    let strategy_id = request.path_parameter("strategy_id").and_then(|id| id.parse().ok()).ok_or(Problem::NotFound)?;
    let mut publication = Publication { strategy_id, checker_version: CHECKER_VERSION, check: None };
    for _ in 0..ATTEMPTS {
        match app.db.command(user.claims(), "publish_strategy", &publication).await? {
            Outcome::CheckRequired(source) => publication.check = Some(checked(&source)?),
            Outcome::Published(strategy) => return Ok(Answer::ok(strategy)),
            Outcome::HasFindings(findings) => {
                return Err(Problem::conflict(ProblemKind::HasFindings, in_words(&findings)));
            }
            Outcome::NoSource => {
                return Err(Problem::conflict(ProblemKind::NoSource, "The strategy has no source to publish."));
            }
            Outcome::TooFewTrades => {
                return Err(Problem::conflict(
                    ProblemKind::FewTrades,
                    "Publishing needs a backtest of this source with at least 30 trades. Import one at \
                     /strategies/{strategy_id}/backtests.",
                ));
            }
            Outcome::NameTaken => {
                return Err(Problem::conflict(
                    ProblemKind::NameTaken,
                    "Another strategy in the marketplace has this name. Choose another name.",
                ));
            }
            Outcome::NotFound => return Err(Problem::NotFound),
        }
    }
    Err(Problem::conflict(ProblemKind::Changing, "The source is being changed. Publish again when the change is done."))
}

fn checked(source: &str) -> Result<Check, Problem> {
    let checked = check(source).map_err(|errors| {
        let places = errors.iter().map(|error| match error.line {
            Some(line) => format!("line {line} {}", error.message),
            None => error.message.clone(),
        });
        Problem::conflict(
            ProblemKind::NotAStrategy,
            format!("The source is not valid: {}.", places.collect::<Vec<_>>().join("; ")),
        )
    })?;
    Ok(Check { checked, source_hash: hex::encode(Sha256::digest(source)) })
}

fn in_words(findings: &[Finding]) -> String {
    let first = findings.iter().take(5).map(|finding| format!("line {}: {}", finding.line, finding.why));
    let more = match findings.len().saturating_sub(5) {
        0 => String::new(),
        count => format!("; and {count} more"),
    };
    format!("Fix the findings of the check: {}{more}.", first.collect::<Vec<_>>().join("; "))
}
