//! Every operation of `template.yaml`'s routes.

use nofomo_contract::analyses::Analysis;
use nofomo_contract::bots::{NewBot, NewCredentials, NewFailure, NewLog, NewToken};
use nofomo_contract::money::NewInvoice;
use nofomo_contract::schema::reference;
use nofomo_contract::strategies::{GenerateStrategyRequest, NewSource, NewStrategy};
use nofomo_contract::trades::NewTrade;
use nofomo_contract::values::Exchange;
use nofomo_contract::{NewAnalysis, ProblemKind};
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

fn of_bot(operation: Operation) -> Operation {
    operation.in_path("bot_id", &json!({ "type": "string", "format": "uuid" }), BOT, "The bot.")
}

fn of_strategy(operation: Operation) -> Operation {
    operation.in_path("strategy_id", &json!({ "type": "string", "format": "uuid" }), STRATEGY, "The strategy.")
}

fn one_or_many(one: &Value, most: u32) -> Value {
    json!({ "oneOf": [one, { "type": "array", "minItems": 1, "maxItems": most, "items": one }] })
}

fn bots() -> Vec<Operation> {
    let actions = json!({ "type": "string", "enum": ["start", "stop", "pause"] });
    let exchange = reference::<Exchange>();
    let of_exchange = |operation: Operation| operation.in_path("exchange", &exchange, "binance", "The exchange.");
    vec![
        Operation::new(
            "POST /bots", "Bots", "createBot", "Create a bot",
            "It is stopped. On paper unless `is_paper_trade` is false: a live bot needs saved credentials, and a strategy with a clean check.",
        )
        .by_user()
        .idempotent()
        .takes_json(&reference::<NewBot>(), true, &examples::bot())
        .answers(201, "The bot.", &reference::<Bot>())
        .located(201)
        .answers(200, "The bot that the same request made before.", &reference::<Bot>())
        .located(200)
        .or(&[ProblemKind::PlanLimit, ProblemKind::CredentialsMissing, ProblemKind::UnsafeStrategy, ProblemKind::KeyReused]),
        of_bot(Operation::new(
            "POST /bots/{bot_id}/{action}", "Bots", "controlBot", "Start, stop or pause a bot",
            "From stopped, paused or error it can be started; from running, paused or error stopped; from running paused. Where it \
             is already is no error.",
        ))
        .by_user()
        .in_path("action", &actions, "start", "What to do.")
        .answers(200, "The bot.", &reference::<Bot>())
        .or(&[ProblemKind::PlanLimit, ProblemKind::WrongState, ProblemKind::CredentialsMissing, ProblemKind::UnsafeStrategy]),
        of_bot(Operation::new(
            "POST /bots/{bot_id}/token", "Bots", "issueBotToken", "Issue a bot's token",
            "Shown once; a new one revokes the old. It can report for this one bot; with the scope `trade`, of a live bot, also get its \
             exchange keys.",
        ))
        .by_user()
        .takes_json(&reference::<NewToken>(), false, &json!({ "report": { "scopes": ["report"] } }))
        .answers(201, "The token.", &reference::<IssuedToken>())
        .or(&[ProblemKind::PaperBot]),
        of_bot(Operation::new(
            "DELETE /bots/{bot_id}/token", "Bots", "revokeBotToken", "Revoke a bot's token",
            "From this moment it is unknown.",
        ))
        .by_user()
        .answers_with(204, "There is none any more.", json!({})),
        of_exchange(Operation::new(
            "PUT /credentials/{exchange}", "Bots", "saveCredentials", "Save exchange API keys",
            "Sealed before they reach the database, and handed out to runners of live bots alone. Saved again, they replace those before.",
        ))
        .by_user()
        .takes_json(&reference::<NewCredentials>(), true, &examples::credentials())
        .answers(200, "What they are known by.", &reference::<SavedCredentials>()),
        of_exchange(Operation::new(
            "DELETE /credentials/{exchange}", "Bots", "deleteCredentials", "Delete exchange API keys",
            "Live bots that trade there are stopped.",
        ))
        .by_user()
        .answers(200, "What is gone, and the bots that were stopped.", &reference::<DeletedCredentials>()),
        Operation::new(
            "GET /portfolio", "Portfolio", "getPortfolio", "See everything",
            "The user, his plan and what he uses of it, bots, trades, figures of the last 30 days, pending invoices and unread notifications.",
        )
        .by_user()
        .answers(200, "Everything.", &reference::<Portfolio>()),
    ]
}

fn runners() -> Vec<Operation> {
    vec![
        of_bot(Operation::new(
            "POST /bots/{bot_id}/fail",
            "Bots",
            "failBot",
            "Report that a bot failed",
            "A running bot's status becomes `error`, with the message.",
        ))
        .by_reporter()
        .takes_json(
            &reference::<NewFailure>(),
            true,
            &json!({ "failure": { "message": "The exchange refused the key" } }),
        )
        .answers(200, "The bot.", &reference::<Bot>())
        .or(&[ProblemKind::WrongState]),
        of_bot(Operation::new(
            "POST /bots/{bot_id}/logs",
            "Bots",
            "recordLogs",
            "Record rows of a bot's log",
            "One, or up to 500.",
        ))
        .by_reporter()
        .idempotent()
        .takes_json(&one_or_many(&reference::<NewLog>(), 500), true, &examples::logs())
        .answers(201, "How many rows are new.", &reference::<RecordedLogs>())
        .answers(200, "None is new.", &reference::<RecordedLogs>())
        .or(&[ProblemKind::KeyReused]),
        of_bot(Operation::new(
            "POST /bots/{bot_id}/credentials",
            "Bots",
            "openCredentials",
            "Get a live bot's exchange keys",
            "With the bot's own token and its scope `trade`, while the bot is running. Each time is in the bot's log.",
        ))
        .by_runner()
        .answers(200, "The keys.", &reference::<OpenedCredentials>())
        .or(&[ProblemKind::PaperBot, ProblemKind::WrongState, ProblemKind::CredentialsMissing]),
    ]
}

fn trades() -> Vec<Operation> {
    let token = json!({ "type": "string", "pattern": "^nofomo_bot_[A-Za-z0-9_-]{43}$" });
    let event = json!({ "type": "object", "additionalProperties": true });
    let body = json!({
        "application/json": { "schema": event, "examples": examples::freqtrade() },
        "application/x-www-form-urlencoded": { "schema": event },
    });
    vec![
        of_bot(Operation::new(
            "POST /bots/{bot_id}/trades", "Trades", "recordTrade", "Record trades",
            "One, or up to 1,000: all or nothing. Reports may come in any order and more than once: a close counts before a cancellation, \
             and that before an opening.",
        ))
        .by_reporter()
        .idempotent()
        .takes_json(&one_or_many(&reference::<NewTrade>(), 1000), true, &examples::trades())
        .answers(201, "The trade, which is new.", &reference::<Trade>())
        .answers(
            200,
            "The trade, which was known; of an array what came of each.",
            &json!({ "oneOf": [reference::<Trade>(), reference::<TradeResults>()] }),
        ),
        Operation::new(
            "POST /freqtrade/{bot_token}", "Trades", "recordFreqtradeEvent", "Take freqtrade's webhook",
            "As freqtrade sends it: JSON or a form, every value as text. What is not understood is kept in the bot's logs. Entry fills \
             average in, exits book their part, the last one closes the trade; the same body counts once.",
        )
        .by_anybody()
        .in_path("bot_token", &token, "nofomo_bot_0000000000000000000000000000000000000000000", "The bot's own token.")
        .takes(body, true)
        .answers(200, "Taken.", &json!({ "type": "object", "additionalProperties": false }))
        .or(&[ProblemKind::Invalid]),
    ]
}

fn strategies() -> Vec<Operation> {
    let export = json!({ "type": "string", "contentMediaType": "application/zip", "contentEncoding": "binary" });
    vec![
        Operation::new(
            "POST /strategies", "Strategies", "createStrategy", "Store a strategy",
            "What is no strategy is refused with line and column; what is one is stored with what a check finds.",
        )
        .by_user()
        .idempotent()
        .takes_json(&reference::<NewStrategy>(), true, &examples::strategy())
        .answers(201, "The strategy.", &reference::<Strategy>())
        .located(201)
        .answers(200, "The strategy that the same request stored before.", &reference::<Strategy>())
        .located(200)
        .or(&[ProblemKind::PlanLimit, ProblemKind::KeyReused, ProblemKind::StrategyInUse]),
        of_strategy(Operation::new(
            "PUT /strategies/{strategy_id}", "Strategies", "replaceStrategy", "Give a strategy another source",
            "It is checked anew, and no longer verified.",
        ))
        .by_user()
        .takes_json(&reference::<NewSource>(), true, &examples::source())
        .answers(200, "The strategy.", &reference::<Strategy>())
        .or(&[ProblemKind::PlanLimit, ProblemKind::StrategyInUse]),
        Operation::new(
            "POST /strategies/generate", "Strategies", "generateStrategy", "Have a strategy written",
            "By a language model from a prompt, or by a template. It is checked like anybody's.",
        )
        .by_user()
        .idempotent()
        .takes_json(&reference::<GenerateStrategyRequest>(), true, &examples::generation())
        .answers(201, "The strategy.", &reference::<Strategy>())
        .located(201)
        .answers(200, "The strategy that the same request made before.", &reference::<Strategy>())
        .located(200)
        .or(&[ProblemKind::PlanLimit, ProblemKind::Quota, ProblemKind::KeyReused, ProblemKind::NotConfigured, ProblemKind::BadGateway, ProblemKind::NoAnswer]),
        of_strategy(Operation::new(
            "POST /strategies/{strategy_id}/publish", "Strategies", "publishStrategy", "Offer a strategy in the marketplace",
            "One without findings, with a backtest of 30 trades or more.",
        ))
        .by_user()
        .answers(200, "The strategy.", &reference::<Strategy>())
        .or(&[ProblemKind::HasFindings, ProblemKind::NoSource, ProblemKind::FewTrades, ProblemKind::NameTaken, ProblemKind::NotAStrategy, ProblemKind::Changing]),
        of_strategy(Operation::new(
            "POST /strategies/{strategy_id}/backtests", "Strategies", "importBacktest", "Import a backtest",
            "A freqtrade backtest export, `.zip` or `.json`, up to 4 MiB. The same run is the same row, in whichever file it came.",
        ))
        .by_user()
        .with_parameter(json!({
            "name": "strategy", "in": "query", "required": false, "schema": { "type": "string", "minLength": 1 },
            "description": "Which one, where the export has several.",
        }))
        .takes(json!({
            "application/zip": { "schema": export },
            "application/json": { "schema": { "type": "object", "additionalProperties": true } },
        }), true)
        .answers(201, "The backtest.", &reference::<BacktestResult>())
        .located(201)
        .answers(200, "The backtest, which was known.", &reference::<BacktestResult>())
        .located(200)
        .or(&[ProblemKind::Quota, ProblemKind::Invalid]),
    ]
}

fn analyses() -> Vec<Operation> {
    vec![
        Operation::new(
            "POST /analyses", "Analyses", "runAnalysis", "Judge closed trades",
            "Of a bot, of the bots that run a strategy, or of all. Figures, what they are worth, curves and recommendations.",
        )
        .by_user()
        .idempotent()
        .takes_json(&reference::<NewAnalysis>(), true, &examples::analysis())
        .answers(201, "The analysis.", &reference::<Analysis>())
        .located(201)
        .answers(200, "The analysis that the same request made before.", &reference::<Analysis>())
        .or(&[ProblemKind::Quota, ProblemKind::NotFound, ProblemKind::KeyReused, ProblemKind::NoBacktest, ProblemKind::NotAnalysable]),
        Operation::new(
            "GET /analyses/{analysis_id}/report", "Analyses", "showReport", "See an analysis as a page",
            "One file with charts, that needs nothing from elsewhere.",
        )
        .by_user()
        .in_path("analysis_id", &json!({ "type": "string", "format": "uuid" }), ANALYSIS, "The analysis.")
        .answers_with(200, "The page.", json!({ "text/html": { "schema": { "type": "string" } } })),
    ]
}

fn money() -> Vec<Operation> {
    let actions = json!({ "type": "string", "enum": ["trial", "cancel", "resume"] });
    let callback = reference::<CallbackAnswer>();
    vec![
        Operation::new(
            "POST /invoices", "Money", "createInvoice", "Open an invoice for a plan",
            "It is paid at `checkout_url`. An equal one that is pending for more than 10 minutes yet is answered instead.",
        )
        .by_user()
        .idempotent()
        .takes_json(&reference::<NewInvoice>(), true, &examples::invoice())
        .answers(201, "The invoice.", &reference::<Invoice>())
        .located(201)
        .answers(200, "An invoice that was there.", &reference::<Invoice>())
        .or(&[ProblemKind::KeyReused, ProblemKind::TooMany, ProblemKind::BadGateway, ProblemKind::NoAnswer]),
        Operation::new(
            "POST /callbacks/tripay", "Money", "tripayCallback", "Take Tripay's report of a payment",
            "Tripay's alone: whoever does not know the private key is answered 401. What is not answered with success, Tripay sends again.",
        )
        .by_anybody()
        .without_problems()
        .with_parameter(json!({
            "name": "X-Callback-Signature", "in": "header", "required": true,
            "schema": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
            "description": "HMAC-SHA256 of the body as it is sent, with the private key, in hexadecimal.",
        }))
        .with_parameter(json!({
            "name": "X-Callback-Event", "in": "header", "required": false, "schema": { "type": "string" },
            "description": "`payment_status`.",
        }))
        .takes(json!({ "application/json": {
            "schema": { "type": "object", "additionalProperties": true },
            "examples": { "paid": { "value": examples::payment()["paid"] } },
        } }), true)
        .without_problems()
        .answers(200, "Taken, or known.", &callback)
        .answers(400, "Signed, and no payment.", &callback)
        .answers(401, "The signature is wrong.", &callback)
        .answers(413, "More than 64 KiB.", &callback)
        .answers(422, "It cannot be stored.", &callback)
        .answers(500, "Not now; send it again.", &callback),
        Operation::new(
            "POST /subscription/{action}", "Money", "manageSubscription", "Try, cancel or resume a plan",
            "A trial is once for each user; a cancelled plan stays until it ends, and can be resumed until then.",
        )
        .by_user()
        .in_path("action", &actions, "cancel", "What to do.")
        .answers(200, "The subscription.", &reference::<Subscription>())
        .or(&[ProblemKind::AlreadySubscribed, ProblemKind::TrialUsed]),
    ]
}
