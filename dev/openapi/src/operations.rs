//! Operations of all routes in `template.yaml`.

use nofomo_analytics::Analysis;
use nofomo_contract::ProblemKind;
use nofomo_contract::analyses::NewAnalysis;
use nofomo_contract::billing::NewInvoice;
use nofomo_contract::bots::{MAX_LOG_ENTRIES, NewBot, NewCredentials, NewFailure, NewLog, NewToken};
use nofomo_contract::schema::reference;
use nofomo_contract::strategies::{NewGeneratedStrategy, NewSource, NewStrategy};
use nofomo_contract::trades::{MAX_TRADES, NewTrade};
use nofomo_contract::values::{BOT_TOKEN_PATTERN, Exchange};
use serde_json::{Value, json};

use crate::examples::{self, ANALYSIS, BOT, STRATEGY};
use crate::operation::Operation;
use crate::responses::billing::{CallbackResponse, Invoice, Subscription};
use crate::responses::bots::{Bot, DeletedCredentials, IssuedToken, OpenedCredentials, RecordedLogs, SavedCredentials};
use crate::responses::portfolio::Portfolio;
use crate::responses::strategies::{BacktestResult, Strategy};
use crate::responses::trades::{Trade, TradeResults};

pub(crate) fn operations() -> Vec<Operation> {
    [bots(), runners(), trades(), strategies(), analyses(), billing()].into_iter().flatten().collect()
}

fn with_bot_id(operation: Operation) -> Operation {
    operation.with_path_parameter("bot_id", &json!({ "type": "string", "format": "uuid" }), BOT, "Id of the bot.")
}

fn with_strategy_id(operation: Operation) -> Operation {
    operation.with_path_parameter(
        "strategy_id",
        &json!({ "type": "string", "format": "uuid" }),
        STRATEGY,
        "Id of the strategy.",
    )
}

fn one_or_many(one: &Value, max: usize) -> Value {
    json!({ "oneOf": [one, { "type": "array", "minItems": 1, "maxItems": max, "items": one }] })
}

fn bots() -> Vec<Operation> {
    let actions = json!({ "type": "string", "enum": ["start", "stop", "pause"] });
    let exchange = reference::<Exchange>();
    let with_exchange =
        |operation: Operation| operation.with_path_parameter("exchange", &exchange, "binance", "Name of the exchange.");
    vec![
        Operation::new(
            "POST /bots", "Bots", "createBot", "Create a bot",
            "The new bot is stopped. It trades on paper unless `is_paper_trade` is false. A live bot needs saved API keys for its exchange, and a strategy whose check has no findings.",
        )
        .for_user()
        .with_idempotency_key()
        .with_json_body(&reference::<NewBot>(), true, &examples::bot())
        .with_response(201, "The bot.", &reference::<Bot>())
        .with_location(201)
        .with_response(200, "The bot that the same request created before.", &reference::<Bot>())
        .with_location(200)
        .with_problems(&[ProblemKind::PlanLimit, ProblemKind::CredentialsMissing, ProblemKind::UnsafeStrategy, ProblemKind::KeyReused]),
        with_bot_id(Operation::new(
            "POST /bots/{bot_id}/{action}", "Bots", "controlBot", "Start, stop or pause a bot",
            "A stopped, paused or failed bot can be started; a running, paused or failed bot can be stopped; a running bot can be \
             paused. An action that changes nothing is not an error.",
        ))
        .for_user()
        .with_path_parameter("action", &actions, "start", "Action to perform.")
        .with_response(200, "The bot.", &reference::<Bot>())
        .with_problems(&[ProblemKind::PlanLimit, ProblemKind::WrongState, ProblemKind::CredentialsMissing, ProblemKind::UnsafeStrategy]),
        with_bot_id(Operation::new(
            "POST /bots/{bot_id}/token", "Bots", "issueBotToken", "Issue a token for a bot",
            "The token is shown only in this response, and can report for this bot only. With the scope `trade`, which is for live bots, \
             the runner can also read the exchange API keys. A new token revokes the previous one.",
        ))
        .for_user()
        .with_json_body(&reference::<NewToken>(), false, &json!({ "report": { "scopes": ["report"] } }))
        .with_response(201, "The token.", &reference::<IssuedToken>())
        .with_problems(&[ProblemKind::PaperBot]),
        with_bot_id(Operation::new(
            "DELETE /bots/{bot_id}/token", "Bots", "revokeBotToken", "Revoke the token of a bot",
            "The token is invalid immediately.",
        ))
        .for_user()
        .with_response_content(204, "The bot has no token.", json!({})),
        with_exchange(Operation::new(
            "PUT /credentials/{exchange}", "Bots", "saveCredentials", "Save exchange API keys",
            "The keys are encrypted before they are stored. Only runners of live bots can read them. New keys replace the previous ones.",
        ))
        .for_user()
        .with_json_body(&reference::<NewCredentials>(), true, &examples::credentials())
        .with_response(200, "The saved keys, without the keys themselves.", &reference::<SavedCredentials>()),
        with_exchange(Operation::new(
            "DELETE /credentials/{exchange}", "Bots", "deleteCredentials", "Delete exchange API keys",
            "Live bots on this exchange are stopped.",
        ))
        .for_user()
        .with_response(200, "The exchange, and the bots that were stopped.", &reference::<DeletedCredentials>()),
        Operation::new(
            "GET /portfolio", "Portfolio", "getPortfolio", "Get the portfolio",
            "The user, the plan and its usage, bots, trades, the performance of the last 30 days, pending invoices and unread notifications.",
        )
        .for_user()
        .with_response(200, "The portfolio.", &reference::<Portfolio>()),
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
        .for_reporter()
        .with_json_body(
            &reference::<NewFailure>(),
            true,
            &json!({ "failure": { "message": "The exchange refused the key" } }),
        )
        .with_response(200, "The bot.", &reference::<Bot>())
        .with_problems(&[ProblemKind::WrongState]),
        with_bot_id(Operation::new(
            "POST /bots/{bot_id}/logs",
            "Bots",
            "recordLogs",
            "Record log entries of a bot",
            "One entry, or an array of up to 500.",
        ))
        .for_reporter()
        .with_idempotency_key()
        .with_json_body(&one_or_many(&reference::<NewLog>(), MAX_LOG_ENTRIES), true, &examples::logs())
        .with_response(201, "At least one entry is new.", &reference::<RecordedLogs>())
        .with_response(200, "No entry is new.", &reference::<RecordedLogs>())
        .with_problems(&[ProblemKind::KeyReused]),
        with_bot_id(Operation::new(
            "POST /bots/{bot_id}/credentials",
            "Bots",
            "openCredentials",
            "Get the exchange API keys of a live bot",
            "Requires the bot's own token with the scope `trade`, and a running bot. Every access is recorded in the bot's log.",
        ))
        .for_runner()
        .with_response(200, "The keys.", &reference::<OpenedCredentials>())
        .with_problems(&[ProblemKind::PaperBot, ProblemKind::WrongState, ProblemKind::CredentialsMissing]),
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
            "One trade, or an array of up to 1,000. Either all trades of an array are recorded or none. Reports can arrive in any order and more than once: the report \
             of a closed trade overrides that of a cancelled one, which overrides that of an open one.",
        ))
        .for_reporter()
        .with_idempotency_key()
        .with_json_body(&one_or_many(&reference::<NewTrade>(), MAX_TRADES), true, &examples::trades())
        .with_response(201, "The new trade.", &reference::<Trade>())
        .with_response(
            200,
            "The trade that was recorded before, or the result of each trade of an array.",
            &json!({ "oneOf": [reference::<Trade>(), reference::<TradeResults>()] }),
        ),
        Operation::new(
            "POST /freqtrade/{bot_token}", "Trades", "recordFreqtradeEvent", "Receive a freqtrade webhook",
            "Accepts the webhook as freqtrade sends it: JSON or a form, with every value as text. Events that are not understood are stored in the \
             bot's log. Entry fills are averaged, each exit realizes its share of the profit, and the last exit closes the trade. A repeated \
             body has no effect.",
        )
        .without_authentication()
        .with_path_parameter("bot_token", &token, "nofomo_bot_0000000000000000000000000000000000000000000", "Token of the bot.")
        .with_body(body, true)
        .with_response(200, "The event was accepted.", &json!({ "type": "object", "additionalProperties": false }))
        .with_problems(&[ProblemKind::Invalid]),
    ]
}

fn strategies() -> Vec<Operation> {
    let export = json!({ "type": "string", "contentMediaType": "application/zip", "contentEncoding": "binary" });
    vec![
        Operation::new(
            "POST /strategies", "Strategies", "createStrategy", "Store a strategy",
            "A source that is not a valid strategy is refused, with line and column of the error. A valid one is stored with the findings of its check.",
        )
        .for_user()
        .with_idempotency_key()
        .with_json_body(&reference::<NewStrategy>(), true, &examples::strategy())
        .with_response(201, "The strategy.", &reference::<Strategy>())
        .with_location(201)
        .with_response(200, "The strategy that the same request created before.", &reference::<Strategy>())
        .with_location(200)
        .with_problems(&[ProblemKind::PlanLimit, ProblemKind::KeyReused, ProblemKind::StrategyInUse]),
        with_strategy_id(Operation::new(
            "PUT /strategies/{strategy_id}", "Strategies", "replaceStrategy", "Replace the source of a strategy",
            "The new source is checked. The strategy loses its verification.",
        ))
        .for_user()
        .with_json_body(&reference::<NewSource>(), true, &examples::source())
        .with_response(200, "The strategy.", &reference::<Strategy>())
        .with_problems(&[ProblemKind::PlanLimit, ProblemKind::StrategyInUse]),
        Operation::new(
            "POST /strategies/generate", "Strategies", "generateStrategy", "Generate a strategy",
            "A language model writes the strategy from a prompt, or a template is rendered. The source is checked like any other.",
        )
        .for_user()
        .with_idempotency_key()
        .with_json_body(&reference::<NewGeneratedStrategy>(), true, &examples::generation())
        .with_response(201, "The strategy.", &reference::<Strategy>())
        .with_location(201)
        .with_response(200, "The strategy that the same request created before.", &reference::<Strategy>())
        .with_location(200)
        .with_problems(&[ProblemKind::PlanLimit, ProblemKind::Quota, ProblemKind::KeyReused, ProblemKind::NotConfigured, ProblemKind::BadGateway, ProblemKind::NoAnswer]),
        with_strategy_id(Operation::new(
            "POST /strategies/{strategy_id}/publish", "Strategies", "publishStrategy", "Publish a strategy in the marketplace",
            "The strategy needs a check without findings, and a backtest of its source with at least 30 trades.",
        ))
        .for_user()
        .with_response(200, "The strategy.", &reference::<Strategy>())
        .with_problems(&[ProblemKind::HasFindings, ProblemKind::NoSource, ProblemKind::FewTrades, ProblemKind::NameTaken, ProblemKind::NotAStrategy, ProblemKind::Changing]),
        with_strategy_id(Operation::new(
            "POST /strategies/{strategy_id}/backtests", "Strategies", "importBacktest", "Import a backtest",
            "Accepts a freqtrade backtest export, `.zip` or `.json`, up to 4 MiB. The `.zip` and the `.json` file of the same run result in the same backtest.",
        ))
        .for_user()
        .with_parameter(json!({
            "name": "strategy", "in": "query", "required": false, "schema": { "type": "string", "minLength": 1 },
            "description": "Name of the strategy in the export. Required if the export has several.",
        }))
        .with_body(json!({
            "application/zip": { "schema": export },
            "application/json": { "schema": { "type": "object", "additionalProperties": true } },
        }), true)
        .with_response(201, "The new backtest.", &reference::<BacktestResult>())
        .with_location(201)
        .with_response(200, "The backtest that was imported before.", &reference::<BacktestResult>())
        .with_location(200)
        .with_problems(&[ProblemKind::Quota, ProblemKind::Invalid]),
    ]
}

fn analyses() -> Vec<Operation> {
    vec![
        Operation::new(
            "POST /analyses", "Analyses", "runAnalysis", "Analyse closed trades",
            "Analyses the closed trades of one bot, of the bots that run a strategy, or of all bots. Returns metrics, a confidence score, chart series and recommendations.",
        )
        .for_user()
        .with_idempotency_key()
        .with_json_body(&reference::<NewAnalysis>(), true, &examples::analysis())
        .with_response(201, "The analysis.", &reference::<Analysis>())
        .with_location(201)
        .with_response(200, "The analysis that the same request created before.", &reference::<Analysis>())
        .with_problems(&[ProblemKind::Quota, ProblemKind::NotFound, ProblemKind::KeyReused, ProblemKind::NoBacktest, ProblemKind::NotAnalysable]),
        Operation::new(
            "GET /analyses/{analysis_id}/report", "Analyses", "showReport", "Get the report of an analysis",
            "A single HTML file with charts, without external resources.",
        )
        .for_user()
        .with_path_parameter("analysis_id", &json!({ "type": "string", "format": "uuid" }), ANALYSIS, "Id of the analysis.")
        .with_response_content(200, "The report.", json!({ "text/html": { "schema": { "type": "string" } } })),
    ]
}

fn billing() -> Vec<Operation> {
    let actions = json!({ "type": "string", "enum": ["trial", "cancel", "resume"] });
    let callback = reference::<CallbackResponse>();
    vec![
        Operation::new(
            "POST /invoices", "Billing", "createInvoice", "Create an invoice for a plan",
            "The user pays the invoice at `checkout_url`. If an equal invoice is pending and valid for at least 10 more minutes, it is returned instead.",
        )
        .for_user()
        .with_idempotency_key()
        .with_json_body(&reference::<NewInvoice>(), true, &examples::invoice())
        .with_response(201, "The invoice.", &reference::<Invoice>())
        .with_location(201)
        .with_response(200, "An equal invoice that was created before.", &reference::<Invoice>())
        .with_problems(&[ProblemKind::KeyReused, ProblemKind::TooMany, ProblemKind::BadGateway, ProblemKind::NoAnswer]),
        Operation::new(
            "POST /callbacks/tripay", "Billing", "tripayCallback", "Receive a payment callback of Tripay",
            "For Tripay only: a callback that is not signed with the private key is refused with 401. Tripay sends a callback again up to three times, until the response has `success` true.",
        )
        .without_authentication()
        .without_problems()
        .with_parameter(json!({
            "name": "X-Callback-Signature", "in": "header", "required": true,
            "schema": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
            "description": "HMAC-SHA256 of the raw body with the private key, in hexadecimal.",
        }))
        .with_parameter(json!({
            "name": "X-Callback-Event", "in": "header", "required": false, "schema": { "type": "string" },
            "description": "Name of the event: `payment_status`.",
        }))
        .with_body(json!({ "application/json": {
            "schema": { "type": "object", "additionalProperties": true },
            "examples": { "paid": { "value": examples::payment()["paid"] } },
        } }), true)
        .without_problems()
        .with_response(200, "The callback was accepted, now or before.", &callback)
        .with_response(400, "The callback is signed correctly, but is not a payment.", &callback)
        .with_response(401, "The signature is invalid.", &callback)
        .with_response(413, "The body is larger than 64 KiB.", &callback)
        .with_response(422, "The callback cannot be stored.", &callback)
        .with_response(500, "The callback failed; send it again.", &callback),
        Operation::new(
            "POST /subscription/{action}", "Billing", "manageSubscription", "Start a trial, cancel or resume a plan",
            "Each user has one trial. A cancelled plan stays in force until the end of its period, and can be resumed until then.",
        )
        .for_user()
        .with_path_parameter("action", &actions, "cancel", "Action to perform.")
        .with_response(200, "The subscription.", &reference::<Subscription>())
        .with_problems(&[ProblemKind::AlreadySubscribed, ProblemKind::TrialUsed]),
    ]
}
