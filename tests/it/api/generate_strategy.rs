//! `POST /strategies/generate`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};
use wiremock::{MockServer, Request, ResponseTemplate};

use crate::support::database::{PRO, is_full_size_run, run_directory};
use crate::support::freqtrade;
use crate::support::language_model::{answer_with, completion_for_tokens, start_language_model};
use crate::support::strategies::{clean_source, count_strategies, look_ahead_source};
use crate::support::world::{HttpResponse, World};

const TEMPLATES: [&str; 4] = ["rsi", "ema_cross", "bollinger", "breakout"];
const TIMEFRAMES: [&str; 7] = ["1m", "5m", "15m", "30m", "1h", "4h", "1d"];

/// Request body with these fields besides the required ones.
fn request_body(fields: Value) -> Value {
    let mut body = json!({ "pair": "BTC/USDT", "timeframe": "1h" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

async fn generate(world: &World, token: &str, fields: Value) -> HttpResponse {
    world.post("/strategies/generate", token, &request_body(fields)).await
}

async fn count_ai_requests(world: &World) -> String {
    // The request of the analysis in the sample data is not counted.
    let count = format!(
        "select count(*) from private.ai_requests
         where user_id = '{PRO}' and not exists (select from public.ai_analyses where ai_analyses.id = ai_requests.id)"
    );
    world.database.owner().await.text(&count).await
}

/// Starts a model that returns these answers in order, and then repeats the last one.
async fn scripted_model(answers: Vec<ResponseTemplate>) -> (MockServer, BTreeMap<String, String>) {
    let (model, settings) = start_language_model().await;
    let next = AtomicUsize::new(0);
    let answer = move |_: &Request| {
        let place = next.fetch_add(1, Ordering::SeqCst);
        answers[place.min(answers.len() - 1)].clone()
    };
    answer_with(&model, answer).await;
    (model, settings)
}

/// Completion of a model that returns a strategy with this source, for 1,000 tokens.
fn strategy_completion(source: &str) -> ResponseTemplate {
    let strategy = json!({ "name": "Mean of twenty", "description": "Buys above the mean.", "content": source });
    completion_for_tokens(&strategy.to_string(), 1000)
}

/// Messages of each request that the model received.
async fn received_messages(model: &MockServer) -> Vec<Value> {
    let requests = model.received_requests().await.unwrap();
    requests.iter().map(|request| serde_json::from_slice::<Value>(&request.body).unwrap()["messages"].take()).collect()
}

#[tokio::test]
async fn every_template_loads_and_backtests_in_freqtrade() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let directory = run_directory("templates");
    let (mut loaded, mut tested) = (Vec::new(), Vec::new());
    for (template_index, template) in TEMPLATES.into_iter().enumerate() {
        for (risk_index, risk) in ["low", "medium", "high"].into_iter().enumerate() {
            for (timeframe_index, timeframe) in TIMEFRAMES.into_iter().enumerate() {
                let fields = json!({ "template": template, "timeframe": timeframe, "risk_level": risk });
                let answer = generate(&world, &token, fields).await;
                assert_eq!(answer.status, 201, "{answer:?}");
                let strategy = answer.json();
                assert_eq!(strategy["check"]["verdict"], "clean", "{strategy}");
                assert_eq!(
                    (&strategy["check"]["timeframe"], &strategy["risk_level"], &strategy["strategy_type"]),
                    (&json!(timeframe), &json!(risk), &json!("ai_generated"))
                );
                assert_eq!(strategy["model_used"], format!("nofomo-template-{template}"));
                let folder = directory.join(format!("{template}-{risk}-{timeframe}"));
                let request = write_strategy(&folder, &strategy);
                // Every template is backtested with every risk level at 1h. Every other timeframe is backtested with
                // one risk level of one template, or of every template in a full-size run.
                let is_chosen = is_full_size_run() || timeframe_index % TEMPLATES.len() == template_index;
                if timeframe == "1h" || (timeframe_index % 3 == risk_index && is_chosen) {
                    tested.push(request.clone());
                }
                loaded.push(request);
            }
        }
    }
    assert_eq!(loaded.len(), 84);
    for (request, answer) in loaded.iter().zip(freqtrade::run_script("load_strategies.py", &loaded).await) {
        assert_eq!((&answer["timeframe"], &answer["version"]), (&request["timeframe"], &json!(3)), "{answer}");
    }
    for (request, answer) in tested.iter().zip(freqtrade::run_script("backtest_strategies.py", &tested).await) {
        assert!(answer["trades"].as_u64().is_some_and(|trades| trades > 0), "{request}: {answer}");
    }
}

/// Writes the source where freqtrade looks for it; returns the request to load it.
fn write_strategy(directory: &Path, strategy: &Value) -> Value {
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join("strategy.py"), strategy["content"].as_str().unwrap()).unwrap();
    let check = &strategy["check"];
    json!({
        "class_name": check["class_name"], "directory": directory, "timeframe": check["timeframe"],
        "can_short": check["can_short"],
    })
}

#[tokio::test]
async fn a_model_writes_a_strategy_and_repairs_its_findings() {
    let broken = clean_source("Mean").replace("def populate_indicators(self", "def populate_indicators(self,,");
    let (model, settings) = scripted_model(vec![
        strategy_completion(&broken),
        strategy_completion(&look_ahead_source()),
        strategy_completion(&clean_source("Mean")),
    ])
    .await;
    let world = World::with_settings(settings).await;
    let token = world.sign_in("pro@nofomo.test").await;
    let answer = generate(&world, &token, json!({ "prompt": "Buy above the mean", "risk_level": "high" })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let strategy = answer.json();
    assert_eq!(answer.headers["location"], format!("/strategies/{}", strategy["id"].as_str().unwrap()));
    let stored = ["name", "description", "strategy_type", "risk_level", "model_used", "tokens_used"]
        .map(|key| strategy[key].clone());
    let expected = json!(["Mean of twenty", "Buys above the mean.", "ai_generated", "high", "words-2026-01", 3000]);
    assert_eq!(json!(stored), expected);
    assert_eq!((&strategy["content"], &strategy["check"]["findings"]), (&json!(clean_source("Mean")), &json!([])));

    let messages = received_messages(&model).await;
    assert_eq!(messages.len(), 3);
    let prompt = messages[0][1]["content"].as_str().unwrap();
    for word in ["Buy above the mean", "BTC/USDT", "1h", "high"] {
        assert!(prompt.contains(word), "{prompt}");
    }
    let last =
        |conversation: &Value| conversation.as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned();
    assert!(last(&messages[1]).contains("line 8, column"), "{}", last(&messages[1]));
    assert!(
        last(&messages[2]).contains("`shift(-1)` reads 1 candle ahead; use a positive number"),
        "{}",
        last(&messages[2])
    );
    for secret in [PRO, "pro@nofomo.test", "Putra", &token] {
        assert!(!json!(messages).to_string().contains(secret), "{secret}");
    }

    assert_eq!(count_ai_requests(&world).await, "1");
    let owner = world.database.owner().await;
    let audit = "select (message, context ->> 'model_used', context ->> 'tokens_used', context ->> 'findings') from public.logs where message = 'Generated strategy'";
    assert_eq!(owner.text(audit).await, "(\"Generated strategy\",words-2026-01,3000,0)");
    assert!(!world.log().contains("key-of-the-model"));
}

#[tokio::test]
async fn after_two_repairs_a_valid_strategy_is_stored_and_an_invalid_one_is_not() {
    // A source that still has look-ahead bias is stored with its findings.
    let (server, settings) = scripted_model(vec![strategy_completion(&look_ahead_source())]).await;
    let world = World::with_settings(settings).await;
    let token = world.sign_in("pro@nofomo.test").await;
    let stored = generate(&world, &token, json!({ "prompt": "x", "name": "Mine" })).await.json();
    assert_eq!((&stored["name"], &stored["check"]["verdict"]), (&json!("Mine"), &json!("refused")));
    assert_eq!(received_messages(&server).await.len(), 3);

    let before = count_strategies(&world, PRO).await;
    let other_timeframe = clean_source("Mean").replace("\"1h\"", "\"4h\"");
    for unusable in [
        completion_for_tokens("Here is your strategy: buy low.", 1000),
        completion_for_tokens(&json!({ "name": "x", "content": clean_source("Mean") }).to_string(), 1000),
        strategy_completion("print('hello')"),
        strategy_completion(&other_timeframe),
        strategy_completion(&format!("{}# \u{0}", clean_source("Mean"))),
    ] {
        let (server, settings) = scripted_model(vec![unusable]).await;
        let world = World::with_settings(settings).await;
        let token = world.sign_in("pro@nofomo.test").await;
        let answer = generate(&world, &token, json!({ "prompt": "x" })).await;
        assert_eq!(answer.status_and_problem(), (502, "bad-gateway".into()));
        assert_eq!(received_messages(&server).await.len(), 3);
        assert_eq!((count_strategies(&world, PRO).await, count_ai_requests(&world).await), ("1".into(), "1".into()));
    }
    assert_eq!(count_strategies(&world, PRO).await, before);
}

#[tokio::test]
async fn a_request_that_failed_at_the_model_is_completed_when_repeated_with_its_key() {
    let down = ResponseTemplate::new(503).set_body_string("down");
    let (server, settings) = scripted_model(vec![down, strategy_completion(&clean_source("Mean"))]).await;
    let world = World::with_settings(settings).await;
    let token = world.sign_in("pro@nofomo.test").await;
    let key = [("idempotency-key", "one")];
    let body = request_body(json!({ "prompt": "x" })).to_string();
    let first = world.post_with("/strategies/generate", &token, &key, &body).await;
    assert_eq!(first.status_and_problem(), (504, "no-answer".into()));
    assert!(!first.text.contains("127.0.0.1"), "{}", first.text);
    assert_eq!((count_strategies(&world, PRO).await, count_ai_requests(&world).await), ("1".into(), "1".into()));

    let second = world.post_with("/strategies/generate", &token, &key, &body).await;
    let third = world.post_with("/strategies/generate", &token, &key, &body).await;
    assert_eq!((second.status.as_u16(), third.status.as_u16()), (201, 200));
    assert_eq!(second.json(), third.json());
    assert_eq!((count_strategies(&world, PRO).await, count_ai_requests(&world).await), ("2".into(), "1".into()));
    assert_eq!(received_messages(&server).await.len(), 2);
    let other = request_body(json!({ "prompt": "y" })).to_string();
    let reused = world.post_with("/strategies/generate", &token, &key, &other).await;
    assert_eq!(reused.status_and_problem(), (409, "key-reused".into()));
}

#[tokio::test]
async fn without_a_model_the_answer_says_what_to_configure_and_templates_work() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let answer = generate(&world, &token, json!({ "prompt": "x" })).await;
    assert_eq!(answer.status_and_problem(), (501, "not-configured".into()));
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("LANGUAGE_MODEL_URL") && detail.contains("template"), "{detail}");
    assert_eq!(count_ai_requests(&world).await, "0");

    let created = generate(&world, &token, json!({ "template": "breakout", "risk_level": "low" })).await.json();
    assert_eq!(created["name"], "Breakout, BTC/USDT 1h");
    let parameters = json!({ "template": "breakout", "pair": "BTC/USDT", "numbers": {"entry": 55, "exit": 20} });
    assert_eq!(created["parameters"], parameters);
    assert_eq!((created["tokens_used"].clone(), count_ai_requests(&world).await), (json!(0), "1".into()));
    for (fields, pointer) in [
        (json!({}), "/prompt"),
        (json!({ "prompt": " " }), "/prompt"),
        (json!({ "template": "macd" }), "/template"),
        (json!({ "prompt": "x", "timeframe": "2h" }), "/timeframe"),
        (json!({ "prompt": "x", "pair": "bitcoin" }), "/pair"),
        (json!({ "prompt": "x", "risk_level": "all" }), "/risk_level"),
        (json!({ "prompt": "x", "model": "y" }), "/model"),
    ] {
        let answer = generate(&world, &token, fields).await;
        assert_eq!((answer.status_and_problem().0, &answer.json()["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
}

#[tokio::test]
async fn cargo_dev_answers_prompts_with_templates() {
    let settings = BTreeMap::from([("TEMPLATES_FOR_PROMPTS".into(), "true".into())]);
    let world = World::with_settings(settings).await;
    let token = world.sign_in("pro@nofomo.test").await;
    for (prompt, template) in
        [("Buy when oversold", "rsi"), ("Volatility bands", "bollinger"), ("Anything", "ema_cross")]
    {
        let created = generate(&world, &token, json!({ "prompt": prompt })).await.json();
        assert_eq!(
            (&created["model_used"], &created["description"]),
            (&json!(format!("nofomo-template-{template}")), &json!(prompt))
        );
    }
}

#[tokio::test]
async fn limits_of_requests_and_strategies_hold_for_concurrent_requests() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    owner.run("update public.plans set ai_requests_per_month = 3 where name = 'Pro'").await.unwrap();
    // Delays each insert after it was counted, before other transactions see it.
    owner
        .run(
            "create function private.linger() returns trigger language plpgsql as $$ begin perform pg_sleep(0.2); return null; end $$;
             create trigger requests_lingering after insert on private.ai_requests for each row execute function private.linger();
             create trigger strategies_lingering after insert on public.strategies for each row execute function private.linger()",
        )
        .await
        .unwrap();
    let send_concurrently = || join_all((0..8).map(|_| generate(&world, &token, json!({ "template": "rsi" }))));
    let statuses = |answers: Vec<HttpResponse>| {
        let mut refusals: Vec<(u16, String)> =
            answers.iter().filter(|answer| answer.status != 201).map(HttpResponse::status_and_problem).collect();
        let created = answers.len() - refusals.len();
        refusals.sort();
        refusals.dedup();
        (created, refusals)
    };
    assert_eq!(statuses(send_concurrently().await), (2, vec![(403, "quota".into())]));

    let limits = "update public.plans set ai_requests_per_month = -1, max_strategies = 4 where name = 'Pro'";
    owner.run(limits).await.unwrap();
    assert_eq!(statuses(send_concurrently().await), (1, vec![(403, "plan-limit".into())]));
    assert_eq!(count_strategies(&world, PRO).await, "4");
}
