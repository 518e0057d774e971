//! `POST /strategies/{strategy_id}/publish`: verifies a strategy and publishes it in the marketplace.
//!
//! SQL: `migrations/019_publish_strategy.sql`.

use nofomo_lambda::{App, Problem, ProblemKind, Request, Response};
use nofomo_strategy::{CHECKER_VERSION, CheckReport, Finding, check};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Maximum number of attempts. A source that changes during its check is checked again.
const MAX_ATTEMPTS: usize = 3;

/// Maximum number of findings listed in a response.
const MAX_LISTED_FINDINGS: usize = 5;

/// Input of `private.publish_strategy`.
#[derive(Serialize)]
struct PublishStrategyInput {
    strategy_id: Uuid,
    checker_version: i32,
    /// `None` at first; the check, once the database has returned `check_required`.
    check: Option<Check>,
}

#[derive(Serialize)]
struct Check {
    #[serde(flatten)]
    report: CheckReport,
    /// SHA-256 of the checked source, in hexadecimal.
    source_hash: String,
}

/// Outcome of `private.publish_strategy`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Published(Box<RawValue>),
    /// The stored check is missing or outdated; contains the source to check.
    CheckRequired(String),
    HasFindings(Vec<Finding>),
    NoSource,
    TooFewTrades,
    NameTaken,
    NotFound,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let user = app.user(&request).await?;
    let strategy_id = request.path_parameter("strategy_id").and_then(|id| id.parse().ok()).ok_or(Problem::NotFound)?;
    let mut input = PublishStrategyInput { strategy_id, checker_version: CHECKER_VERSION, check: None };
    for _ in 0..MAX_ATTEMPTS {
        match app.db.command(user.claims(), "publish_strategy", &input).await? {
            Outcome::CheckRequired(source) => input.check = Some(check_source(&source)?),
            Outcome::Published(strategy) => return Ok(Response::ok(strategy)),
            Outcome::HasFindings(findings) => {
                return Err(Problem::conflict(ProblemKind::HasFindings, findings_detail(&findings)));
            }
            Outcome::NoSource => {
                return Err(Problem::conflict(ProblemKind::NoSource, "The strategy has no source to publish."));
            }
            Outcome::TooFewTrades => {
                return Err(Problem::conflict(
                    ProblemKind::FewTrades,
                    "Publishing needs a backtest of this source with at least 30 trades. Import one with \
                     POST /strategies/{strategy_id}/backtests.",
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

fn check_source(source: &str) -> Result<Check, Problem> {
    let report = check(source).map_err(|errors| {
        let sentences = errors.iter().map(|error| match error.line {
            Some(line) => format!("Line {line}: {}.", error.message),
            None => format!("Error: {}.", error.message),
        });
        let detail = format!("The source is not a valid strategy. {}", sentences.collect::<Vec<_>>().join(" "));
        Problem::conflict(ProblemKind::NotAStrategy, detail)
    })?;
    Ok(Check { report, source_hash: hex::encode(Sha256::digest(source)) })
}

/// Lists the first findings, for the author of the strategy.
fn findings_detail(findings: &[Finding]) -> String {
    let first =
        findings.iter().take(MAX_LISTED_FINDINGS).map(|finding| format!("Line {}: {}.", finding.line, finding.why));
    let more = match findings.len().saturating_sub(MAX_LISTED_FINDINGS) {
        0 => String::new(),
        count => format!(" {count} more not listed."),
    };
    format!("Fix the findings of the check. {}{more}", first.collect::<Vec<_>>().join(" "))
}
