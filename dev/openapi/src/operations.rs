//! Operations of all routes in `template.yaml`.

use nofomo_analytics::Analysis;
use nofomo_contract::ProblemKind;
use nofomo_contract::analyses::NewAnalysis;
use nofomo_contract::bots::{MAX_LOG_ROWS, NewBot, NewCredentials, NewFailure, NewLog, NewToken};
use nofomo_contract::money::NewInvoice;
use nofomo_contract::schema::reference;
use nofomo_contract::strategies::{GenerateStrategyRequest, NewSource, NewStrategy};
use nofomo_contract::trades::{MAX_TRADES, NewTrade};
use nofomo_contract::values::{BOT_TOKEN_PATTERN, Exchange};
use serde_json::{Value, json};

use crate::examples::{self, ANALYSIS, BOT, STRATEGY};
use crate::operation::Operation;
use crate::responses::bots::{Bot, DeletedCredentials, IssuedToken, OpenedCredentials, RecordedLogs, SavedCredentials};
use crate::responses::money::{CallbackAnswer, Invoice, Subscription};
use crate::responses::portfolio::Portfolio;
use crate::responses::strategies::{BacktestResult, Strategy};
use crate::responses::trades::{Trade, TradeResults};

pub(crate) fn operations() -> Vec<Operation> {
    [bots(), runners(), trades(), strategies(), analyses(), money()].into_iter().flatten().collect()
}

fn with_bot_id(operation: Operation) -> Operation {
    operation.in_path("bot_id", &json!({ "type": "string", "format": "uuid" }), BOT, "Id of the bot.")
}

fn with_strategy_id(operation: Operation) -> Operation {
    operation.in_path("strategy_id", &json!({ "type": "string", "format": "uuid" }), STRATEGY, "Id of the strategy.")
}

fn one_or_many(one: &Value, max: usize) -> Value {
    json!({ "oneOf": [one, { "type": "array", "minItems": 1, "maxItems": max, "items": one }] })
}

fn bots() -> Vec<Operation> {
    let actions = json!({ "type": "string", "enum": ["start", "stop", "pause"] });
    let exchange = reference::<Exchange>();
    let with_exchange =
        |operation: Operation| operation.in_path("exchange", &exchange, "binance", "Name of the exchange.");
    vec![
        Operation::new(
            "POST /bots", "Bots", "createBot", "Create a bot",
            "The new bot is stopped. It trades on paper unless `is_paper_trade` is false. A live bot needs saved API keys for its exchange, and a strategy whose check has no findings.",
        )
        .by_user()
        .idempotent()
        .takes_json(&reference::<NewBot>(), true, &examples::bot())
        .answers(201, "The bot.", &reference::<Bot>())
        .located(201)
        .answers(200, "The bot that the same request created before.", &reference::<Bot>())
        .located(200)
        .or(&[ProblemKind::PlanLimit, ProblemKind::CredentialsMissing, ProblemKind::UnsafeStrategy, ProblemKind::KeyReused]),
        with_bot_id(Operation::new(
            "POST /bots/{bot_id}/{action}", "Bots", "controlBot", "Start, stop or pause a bot",
            "A stopped, paused or failed bot can be started; a running, paused or failed bot can be stopped; a running bot can be \
             paused. An action that changes nothing is not an error.",
        ))
        .by_user()
        .in_path("action", &actions, "start", "Action.")
        .answers(200, "The bot.", &reference::<Bot>())
        .or(&[ProblemKind::PlanLimit, ProblemKind::WrongState, ProblemKind::CredentialsMissing, ProblemKind::UnsafeStrategy]),
        with_bot_id(Operation::new(
            "POST /bots/{bot_id}/token", "Bots", "issueBotToken", "Issue a token for a bot",
            "The token is shown only in this answer. A new token revokes the previous one. It can report for this bot only. With the scope \
             `trade`, which only a live bot can have, its runner can also read the exchange API keys.",
        ))
        .by_user()
        .takes_json(&reference::<NewToken>(), false, &json!({ "report": { "scopes": ["report"] } }))
        .answers(201, "The token.", &reference::<IssuedToken>())
        .or(&[ProblemKind::PaperBot]),
        with_bot_id(Operation::new(
            "DELETE /bots/{bot_id}/token", "Bots", "revokeBotToken", "Revoke the token of a bot",
            "The token is invalid immediately.",
        ))
        .by_user()
        .answers_with(204, "The bot has no token.", json!({})),
        with_exchange(Operation::new(
            "PUT /credentials/{exchange}", "Bots", "saveCredentials", "Save exchange API keys",
            "The keys are encrypted before they are stored. Only runners of live bots can read them. New keys replace the previous ones.",
        ))
        .by_user()
        .takes_json(&reference::<NewCredentials>(), true, &examples::credentials())
        .answers(200, "The saved keys, without the keys themselves.", &reference::<SavedCredentials>()),
        with_exchange(Operation::new(
            "DELETE /credentials/{exchange}", "Bots", "deleteCredentials", "Delete exchange API keys",
            "Live bots on this exchange are stopped.",
        ))
        .by_user()
        .answers(200, "The exchange, and the bots that were stopped.", &reference::<DeletedCredentials>()),
        Operation::new(
            "GET /portfolio", "Portfolio", "getPortfolio", "Get the portfolio",
            "The user with the plan and its usage, bots, trades, the performance of the last 30 days, pending invoices and unread notifications.",
        )
        .by_user()
        .answers(200, "The portfolio.", &reference::<Portfolio>()),
    ]
}

fn runners() -> Vec<Operation> {
    vec![
        with_bot_id(Operation::new(
            "POST /bots/{bot_id}/fail",
            "Bots",
            "failBot",
            "Report that a bot failed",
            "The status of a running bot becomes `error`, and the bot stores the message.",
        ))
        .by_reporter()
        .takes_json(
            &reference::<NewFailure>(),
            true,
            &json!({ "failure": { "message": "The exchange refused the key" } }),
        )
        .answers(200, "The bot.", &reference::<Bot>())
        .or(&[ProblemKind::WrongState]),
        with_bot_id(Operation::new(
            "POST /bots/{bot_id}/logs",
            "Bots",
            "recordLogs",
            "Record log rows of a bot",
            "One row, or an array of up to 500.",
        ))
        .by_reporter()
        .idempotent()
        .takes_json(&one_or_many(&reference::<NewLog>(), MAX_LOG_ROWS), true, &examples::logs())
        .answers(201, "At least one row is new.", &reference::<RecordedLogs>())
        .answers(200, "No row is new.", &reference::<RecordedLogs>())
        .or(&[ProblemKind::KeyReused]),
        with_bot_id(Operation::new(
            "POST /bots/{bot_id}/credentials",
            "Bots",
            "openCredentials",
            "Get the exchange API keys of a live bot",
            "Requires the bot's own token with the scope `trade`, and a running bot. Every access is recorded in the bot's log.",
        ))
        .by_runner()
        .answers(200, "The keys.", &reference::<OpenedCredentials>())
        .or(&[ProblemKind::PaperBot, ProblemKind::WrongState, ProblemKind::CredentialsMissing]),
    ]
}

fn trades() -> Vec<Operation> {
    let token = json!({ "type": "string", "pattern": BOT_TOKEN_PATTERN });
    let event = json!({ "type": "object", "additionalProperties": true });
    let body = json!({
        "application/json": { "schema": event, "examples": examples::freqtrade() },
        "application/x-www-form-urlencoded": { "schema": event },
    });
    vec![
        with_bot_id(Operation::new(
            "POST /bots/{bot_id}/trades", "Trades", "recordTrade", "Record trades",
            "One trade, or an array of up to 1,000, of which all are recorded or none. Reports can arrive in any order and more than once: a closed \
             report overrides a cancelled one, which overrides an open one.",
        ))
        .by_reporter()
        .idempotent()
        .takes_json(&one_or_many(&reference::<NewTrade>(), MAX_TRADES), true, &examples::trades())
        .answers(201, "The new trade.", &reference::<Trade>())
        .answers(
            200,
            "The known trade, or the result of each trade of an array.",
            &json!({ "oneOf": [reference::<Trade>(), reference::<TradeResults>()] }),
        ),
        Operation::new(
            "POST /freqtrade/{bot_token}", "Trades", "recordFreqtradeEvent", "Receive a freqtrade webhook",
            "Accepts the webhook as freqtrade sends it: JSON or a form, with every value as text. Events that are not understood are stored in the \
             bot's log. Entry fills are averaged, each exit realizes its share of the profit, and the last exit closes the trade. A repeated \
             body has no effect.",
        )
        .by_anybody()
        .in_path("bot_token", &token, "nofomo_bot_0000000000000000000000000000000000000000000", "Token of the bot.")
        .takes(body, true)
        .answers(200, "The event was accepted.", &json!({ "type": "object", "additionalProperties": false }))
        .or(&[ProblemKind::Invalid]),
    ]
}

fn strategies() -> Vec<Operation> {
    let export = json!({ "type": "string", "contentMediaType": "application/zip", "contentEncoding": "binary" });
    vec![
        Operation::new(
            "POST /strategies", "Strategies", "createStrategy", "Store a strategy",
            "A source that is not a valid strategy is refused, with line and column of the error. A valid one is stored with the findings of its check.",
        )
        .by_user()
        .idempotent()
        .takes_json(&reference::<NewStrategy>(), true, &examples::strategy())
        .answers(201, "The strategy.", &reference::<Strategy>())
        .located(201)
        .answers(200, "The strategy that the same request created before.", &reference::<Strategy>())
        .located(200)
        .or(&[ProblemKind::PlanLimit, ProblemKind::KeyReused, ProblemKind::StrategyInUse]),
        with_strategy_id(Operation::new(
            "PUT /strategies/{strategy_id}", "Strategies", "replaceStrategy", "Replace the source of a strategy",
            "The new source is checked. The strategy loses its verification.",
        ))
        .by_user()
        .takes_json(&reference::<NewSource>(), true, &examples::source())
        .answers(200, "The strategy.", &reference::<Strategy>())
        .or(&[ProblemKind::PlanLimit, ProblemKind::StrategyInUse]),
        Operation::new(
            "POST /strategies/generate", "Strategies", "generateStrategy", "Generate a strategy",
            "A language model writes the strategy from a prompt, or a template is rendered. The source is checked like any other.",
        )
        .by_user()
        .idempotent()
        .takes_json(&reference::<GenerateStrategyRequest>(), true, &examples::generation())
        .answers(201, "The strategy.", &reference::<Strategy>())
        .located(201)
        .answers(200, "The strategy that the same request created before.", &reference::<Strategy>())
        .located(200)
        .or(&[ProblemKind::PlanLimit, ProblemKind::Quota, ProblemKind::KeyReused, ProblemKind::NotConfigured, ProblemKind::BadGateway, ProblemKind::NoAnswer]),
        with_strategy_id(Operation::new(
            "POST /strategies/{strategy_id}/publish", "Strategies", "publishStrategy", "Publish a strategy in the marketplace",
            "The strategy needs a check without findings, and a backtest of its source with at least 30 trades.",
        ))
        .by_user()
        .answers(200, "The strategy.", &reference::<Strategy>())
        .or(&[ProblemKind::HasFindings, ProblemKind::NoSource, ProblemKind::FewTrades, ProblemKind::NameTaken, ProblemKind::NotAStrategy, ProblemKind::Changing]),
        with_strategy_id(Operation::new(
            "POST /strategies/{strategy_id}/backtests", "Strategies", "importBacktest", "Import a backtest",
            "Accepts a freqtrade backtest export, `.zip` or `.json`, up to 4 MiB. Both files of the same run return the same row.",
        ))
        .by_user()
        .with_parameter(json!({
            "name": "strategy", "in": "query", "required": false, "schema": { "type": "string", "minLength": 1 },
            "description": "Name of the strategy in the export. Required if the export has several.",
        }))
        .takes(json!({
            "application/zip": { "schema": export },
            "application/json": { "schema": { "type": "object", "additionalProperties": true } },
        }), true)
        .answers(201, "The new backtest.", &reference::<BacktestResult>())
        .located(201)
        .answers(200, "The backtest that was imported before.", &reference::<BacktestResult>())
        .located(200)
        .or(&[ProblemKind::Quota, ProblemKind::Invalid]),
    ]
}

fn analyses() -> Vec<Operation> {
    vec![
        Operation::new(
            "POST /analyses", "Analyses", "runAnalysis", "Analyse closed trades",
            "Analyses the closed trades of one bot, of the bots that run a strategy, or of all bots. Returns metrics, a confidence score, chart series and recommendations.",
        )
        .by_user()
        .idempotent()
        .takes_json(&reference::<NewAnalysis>(), true, &examples::analysis())
        .answers(201, "The analysis.", &reference::<Analysis>())
        .located(201)
        .answers(200, "The analysis that the same request created before.", &reference::<Analysis>())
        .or(&[ProblemKind::Quota, ProblemKind::NotFound, ProblemKind::KeyReused, ProblemKind::NoBacktest, ProblemKind::NotAnalysable]),
        Operation::new(
            "GET /analyses/{analysis_id}/report", "Analyses", "showReport", "Get the report of an analysis",
            "A single HTML file with charts, without external resources.",
        )
        .by_user()
        .in_path("analysis_id", &json!({ "type": "string", "format": "uuid" }), ANALYSIS, "Id of the analysis.")
        .answers_with(200, "The report.", json!({ "text/html": { "schema": { "type": "string" } } })),
    ]
}

fn money() -> Vec<Operation> {
    let actions = json!({ "type": "string", "enum": ["trial", "cancel", "resume"] });
    let callback = reference::<CallbackAnswer>();
    vec![
        Operation::new(
            "POST /invoices", "Money", "createInvoice", "Create an invoice for a plan",
            "The user pays the invoice at `checkout_url`. If an equal invoice is pending and valid for at least 10 more minutes, it is returned instead.",
        )
        .by_user()
        .idempotent()
        .takes_json(&reference::<NewInvoice>(), true, &examples::invoice())
        .answers(201, "The invoice.", &reference::<Invoice>())
        .located(201)
        .answers(200, "An equal invoice that was created before.", &reference::<Invoice>())
        .or(&[ProblemKind::KeyReused, ProblemKind::TooMany, ProblemKind::BadGateway, ProblemKind::NoAnswer]),
        Operation::new(
            "POST /callbacks/tripay", "Money", "tripayCallback", "Receive a payment callback of Tripay",
            "For Tripay only: a callback that is not signed with the private key is answered with 401. Tripay repeats a callback that is not answered with success.",
        )
        .by_anybody()
        .without_problems()
        .with_parameter(json!({
            "name": "X-Callback-Signature", "in": "header", "required": true,
            "schema": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
            "description": "HMAC-SHA256 of the raw body with the private key, in hexadecimal.",
        }))
        .with_parameter(json!({
            "name": "X-Callback-Event", "in": "header", "required": false, "schema": { "type": "string" },
            "description": "Event, `payment_status`.",
        }))
        .takes(json!({ "application/json": {
            "schema": { "type": "object", "additionalProperties": true },
            "examples": { "paid": { "value": examples::payment()["paid"] } },
        } }), true)
        .without_problems()
        .answers(200, "The callback was accepted, or was known.", &callback)
        .answers(400, "The callback is signed, but is not a payment.", &callback)
        .answers(401, "The signature is invalid.", &callback)
        .answers(413, "The body is larger than 64 KiB.", &callback)
        .answers(422, "The callback cannot be stored.", &callback)
        .answers(500, "The callback failed; send it again.", &callback),
        Operation::new(
            "POST /subscription/{action}", "Money", "manageSubscription", "Start a trial, cancel or resume a plan",
            "Each user has one trial. A cancelled plan stays in force until the end of its period, and can be resumed until then.",
        )
        .by_user()
        .in_path("action", &actions, "cancel", "Action.")
        .answers(200, "The subscription.", &reference::<Subscription>())
        .or(&[ProblemKind::AlreadySubscribed, ProblemKind::TrialUsed]),
    ]
}
