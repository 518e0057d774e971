//! `POST /analyses`: judges closed trades, in the words of `shared/analytics`. Its SQL is `migrations/021_run_analysis.sql`.
//!
//! The request counts before the work begins, and no transaction is open while trades are judged or a model is asked.

mod comparison;
mod currency_analysis;
mod figure_check;
mod format;
mod narrative;
mod recommendations;
mod request;
mod trade_set;

use std::time::{Duration, Instant};

use nofomo_db::Claims;
use nofomo_lambda::{Answer, App, LimitedResource, Problem, ProblemKind, Request};
use nofomo_language_model::LanguageModel;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::comparison::{Backtest, Comparison};
use crate::currency_analysis::{Account, CurrencyAnalysis};
use crate::narrative::{Narrative, NarrativeOutcome};
use crate::request::AnalysisRequest;
use crate::trade_set::TradeSet;

const MODEL: &str = "nofomo-quant-1";

/// From here on there is no time left to ask a model: API Gateway waits 30 s for all of it.
const MODEL_DEADLINE: Duration = Duration::from_secs(26);

/// What `private.run_analysis` found.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Reserved(Reserved),
    Existing(Box<RawValue>),
    KeyReused,
    NotFound,
    NoBacktest,
    QuotaExceeded { limit: i64, plan: String },
}

#[derive(Deserialize)]
struct Reserved {
    bots: u64,
    accounts: Vec<Account>,
    backtest: Option<Backtest>,
}

/// A row for `private.record_analysis`.
#[derive(Serialize)]
struct Analysis<'a> {
    #[serde(flatten)]
    about: About<'a>,
    input_data: InputData<'a>,
    results: Results<'a>,
    recommendations: Vec<String>,
    /// The lowest of the blocks': an analysis is as sure as its least sure part.
    confidence_score: f64,
    model_used: &'a str,
    tokens_used: u32,
    processing_time_ms: u64,
}

#[derive(Serialize)]
struct About<'a> {
    id: uuid::Uuid,
    bot_id: Option<uuid::Uuid>,
    strategy_id: Option<uuid::Uuid>,
    analysis_type: &'a str,
}

/// What was asked, and what of.
#[derive(Serialize)]
struct InputData<'a> {
    #[serde(flatten)]
    request: &'a AnalysisRequest,
    bots: u64,
    trades: usize,
    /// Of a line for each trade, in the order of exits; see [`TradeSet`].
    trades_sha256: String,
}

#[derive(Serialize)]
struct Results<'a> {
    blocks: &'a [CurrencyAnalysis],
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<&'a Comparison>,
    #[serde(skip_serializing_if = "Option::is_none")]
    narrative: Option<Narrative<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    narrative_error: Option<String>,
}

pub async fn handle(app: &'static App, model: Option<&LanguageModel>, request: Request) -> Result<Answer, Problem> {
    let started = Instant::now();
    let user = app.user(&request).await?;
    let id = request.row_id("run-analysis", &user)?;
    let request = AnalysisRequest { id, body: request.body_as()? };
    let reserved = match app.db.command(user.claims(), "run_analysis", &request).await? {
        Outcome::Reserved(reserved) => reserved,
        Outcome::Existing(analysis) => return Ok(Answer::ok(analysis)),
        Outcome::KeyReused => return Err(Problem::key_reused("analysis")),
        Outcome::NotFound => return Err(Problem::NotFound),
        Outcome::NoBacktest => {
            return Err(Problem::conflict(
                ProblemKind::NoBacktest,
                "No backtest of a strategy that these bots run has been imported. Import one at \
                 /strategies/{strategy_id}/backtests.",
            ));
        }
        Outcome::QuotaExceeded { limit, plan } => {
            return Err(Problem::Quota { resource: LimitedResource::ANALYSES, limit, plan });
        }
    };
    let analysis = judged(app, user.claims(), model, &request, &reserved, started).await?;
    Ok(Answer::created(analysis).with_location(format!("/analyses/{id}")))
}

async fn judged(
    app: &App,
    claims: &Claims,
    model: Option<&LanguageModel>,
    request: &AnalysisRequest,
    reserved: &Reserved,
    started: Instant,
) -> Result<Box<RawValue>, Problem> {
    let trade_set = TradeSet::read(&app.db, claims, request, reserved).await?;
    let blocks = currency_analysis::blocks(request, &reserved.accounts, &trade_set)?;
    let comparison = match &reserved.backtest {
        Some(backtest) => Some(comparison::compare(&app.db, claims, request, reserved, backtest, &trade_set).await?),
        None => None,
    };
    let mut recommendations = recommendations::of(request.kind(), &blocks, comparison.as_ref());

    let mut narration = NarrativeOutcome::default();
    if request.body.narrative {
        let limit = MODEL_DEADLINE.saturating_sub(started.elapsed());
        let told = narrative::narrate(model, request, &blocks, comparison.as_ref(), limit);
        narration = app.time_external_call("language model", told).await;
        recommendations.extend(narration.recommendations());
    }
    let (narrative, narrative_error) = narration.told();
    let analysis = Analysis {
        about: About {
            id: request.id,
            bot_id: request.body.bot_id,
            strategy_id: request.body.strategy_id,
            analysis_type: request.body.analysis_type.as_str(),
        },
        input_data: InputData {
            request,
            bots: reserved.bots,
            trades: trade_set.count(),
            trades_sha256: trade_set.sha256(),
        },
        model_used: narrative.as_ref().map_or(MODEL, |narrative| narrative.model),
        results: Results { blocks: &blocks, comparison: comparison.as_ref(), narrative, narrative_error },
        recommendations,
        confidence_score: currency_analysis::lowest_score(&blocks),
        tokens_used: narration.tokens(),
        processing_time_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    Ok(app.db.command(claims, "record_analysis", &analysis).await?)
}
