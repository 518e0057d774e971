//! `POST /analyses`: analyses closed trades with `shared/analytics`.
//!
//! SQL: `migrations/021_run_analysis.sql`.
//!
//! The request counts against the quota before the analysis begins. No transaction is open during the analysis and the
//! call of the language model.

mod comparison;
mod currency_analysis;
mod figure_check;
mod format;
mod matching;
mod narrative;
mod recommendations;
mod request;
mod reservation;
mod trade_set;

use std::time::{Duration, Instant};

use nofomo_analytics::{Analysis, AnalysisInput, AnalysisResults};
use nofomo_db::Claims;
use nofomo_lambda::{App, LimitedResource, Problem, ProblemKind, Request, Response};
use nofomo_language_model::LanguageModel;
use serde_json::value::RawValue;

use crate::narrative::NarrativeOutcome;
use crate::request::AnalysisRequest;
use crate::reservation::{Reservation, ReservationOutcome};
use crate::trade_set::TradeSet;

/// Version of the calculation, stored as `model_used` of an analysis without a narrative.
const MODEL: &str = "nofomo-quant-1";

/// Deadline for the answer of the language model, from the start of the request. API Gateway ends a request after 30 s.
const MODEL_DEADLINE: Duration = Duration::from_secs(26);

pub async fn handle(app: &'static App, model: Option<&LanguageModel>, request: Request) -> Result<Response, Problem> {
    let started = Instant::now();
    let user = app.user(&request).await?;
    let id = request.row_id("run-analysis", &user)?;
    let request = AnalysisRequest { id, body: request.body_as()? };
    let reservation = match app.db.command(user.claims(), "run_analysis", &request).await? {
        ReservationOutcome::Reserved(reservation) => reservation,
        ReservationOutcome::Existing(analysis) => return Ok(Response::ok(analysis)),
        ReservationOutcome::KeyReused => return Err(Problem::key_reused("analysis")),
        ReservationOutcome::NotFound => return Err(Problem::NotFound),
        ReservationOutcome::NoBacktest => {
            return Err(Problem::conflict(
                ProblemKind::NoBacktest,
                "No backtest of a strategy that these bots run has been imported. Import one at \
                 /strategies/{strategy_id}/backtests.",
            ));
        }
        ReservationOutcome::QuotaExceeded { limit, plan } => {
            return Err(Problem::Quota { resource: LimitedResource::AI_REQUESTS, limit, plan });
        }
    };
    let analysis = analyse(app, user.claims(), model, &request, &reservation, started).await?;
    let stored: Box<RawValue> = app.db.command(user.claims(), "record_analysis", &analysis).await?;
    Ok(Response::created(stored).with_location(format!("/analyses/{id}")))
}

async fn analyse(
    app: &App,
    claims: &Claims,
    model: Option<&LanguageModel>,
    request: &AnalysisRequest,
    reservation: &Reservation,
    started: Instant,
) -> Result<Analysis, Problem> {
    let trade_set = TradeSet::read(&app.db, claims, request, reservation).await?;
    let accounts = currency_analysis::analyse_accounts(request, &reservation.accounts, &trade_set)?;
    let comparison = match &reservation.backtest {
        Some(backtest) => {
            Some(comparison::compare(&app.db, claims, request, &reservation.accounts, backtest, &trade_set).await?)
        }
        None => None,
    };
    let mut recommendations = recommendations::recommend(request.kind(), &accounts, comparison.as_ref());

    let mut narrative = NarrativeOutcome::default();
    if request.body.narrative {
        let timeout = MODEL_DEADLINE.saturating_sub(started.elapsed());
        let call = narrative::narrate(model, request, &accounts, comparison.as_ref(), timeout);
        narrative = app.time_external_call("language model", call).await;
        recommendations.append(&mut narrative.recommendations);
    }
    let model_used = narrative.narrative.as_ref().map_or(MODEL, |narrative| &narrative.model).to_owned();
    Ok(Analysis {
        id: request.id,
        bot_id: request.body.bot_id,
        strategy_id: request.body.strategy_id,
        analysis_type: request.kind(),
        input_data: AnalysisInput {
            id: request.id,
            analysis_type: request.kind(),
            bot_id: request.body.bot_id,
            strategy_id: request.body.strategy_id,
            from: request.body.from,
            to: request.body.to,
            narrative: request.body.narrative,
            bots: Some(reservation.bots),
            trades: Some(trade_set.count()),
            trades_sha256: Some(trade_set.sha256()),
        },
        recommendations,
        confidence_score: currency_analysis::lowest_score(&accounts),
        results: AnalysisResults {
            blocks: accounts.into_iter().map(|account| account.stored).collect(),
            comparison,
            narrative: narrative.narrative,
            narrative_error: narrative.error,
            is_sample: false,
        },
        model_used: Some(model_used),
        tokens_used: Some(i32::try_from(narrative.tokens).unwrap_or(i32::MAX)),
        processing_time_ms: Some(i32::try_from(started.elapsed().as_millis()).unwrap_or(i32::MAX)),
        created_at: None,
    })
}
