//! `POST /strategies/generate`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};
use wiremock::matchers::{bearer_token, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::api::create_strategy::{clean, looking_ahead};
use crate::support::database::{PRO, at_full_size, run_directory};
use crate::support::freqtrade;
use crate::support::world::{Answer, World};

const TEMPLATES: [&str; 4] = ["rsi", "ema_cross", "bollinger", "breakout"];
const TIMEFRAMES: [&str; 7] = ["1m", "5m", "15m", "30m", "1h", "4h", "1d"];

fn asked(fields: Value) -> Value {
    let mut body = json!({ "pair": "BTC/USDT", "timeframe": "1h" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

async fn generate(world: &World, token: &str, fields: Value) -> Answer {
    world.post("/strategies/generate", token, &asked(fields)).await
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.problem())
}

async fn ai_requests(world: &World) -> String {
    // That of the sample data's analysis is none of these.
    let count = format!(
        "select count(*) from private.ai_requests
         where user_id = '{PRO}' and not exists (select from public.ai_analyses where ai_analyses.id = ai_requests.id)"
    );
    world.database.owner().await.text(&count).await
}

async fn strategies(world: &World) -> String {
    let count = format!("select count(*) from public.strategies where user_id = '{PRO}'");
    world.database.owner().await.text(&count).await
}

/// A model that says one after the other, and then the last for good.
async fn model(said: Vec<ResponseTemplate>) -> (MockServer, BTreeMap<String, String>) {
    let server = MockServer::start().await;
    let asked = Mock::given(method("POST")).and(path("/v1/chat/completions")).and(bearer_token("key-of-the-model"));
    let next = AtomicUsize::new(0);
    let answer = move |_: &Request| {
        let place = next.fetch_add(1, Ordering::SeqCst);
        said[place.min(said.len() - 1)].clone()
    };
    asked.respond_with(answer).mount(&server).await;
    let settings = BTreeMap::from([
        ("LANGUAGE_MODEL_URL".into(), format!("{}/v1", server.uri())),
        ("LANGUAGE_MODEL_KEY".into(), "key-of-the-model".into()),
        ("LANGUAGE_MODEL_NAME".into(), "words".into()),
    ]);
    (server, settings)
}

fn completion(content: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "model": "words-2026-01", "usage": {"total_tokens": 1000},
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}}],
    }))
}

fn strategy(source: &str) -> ResponseTemplate {
    let written = json!({ "name": "Mean of twenty", "description": "Buys above the mean.", "content": source });
    completion(&written.to_string())
}

/// Each request's talk, as the model heard it.
async fn heard(model: &MockServer) -> Vec<Value> {
    let requests = model.received_requests().await.unwrap();
    requests.iter().map(|request| serde_json::from_slice::<Value>(&request.body).unwrap()["messages"].take()).collect()
}

#[tokio::test]
async fn every_template_loads_and_backtests_in_freqtrade() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let directory = run_directory("templates");
    let (mut loaded, mut tested) = (Vec::new(), Vec::new());
    for (template_at, template) in TEMPLATES.into_iter().enumerate() {
        for (at, risk) in ["low", "medium", "high"].into_iter().enumerate() {
            for (place, timeframe) in TIMEFRAMES.into_iter().enumerate() {
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
                let own = directory.join(format!("{template}-{risk}-{timeframe}"));
                let request = kept(&own, &strategy);
                // Each risk of each template, and every timeframe: over the templates, or at full size with each of them.
                let is_chosen = at_full_size() || place % TEMPLATES.len() == template_at;
                if timeframe == "1h" || (place % 3 == at && is_chosen) {
                    tested.push(request.clone());
                }
                loaded.push(request);
            }
        }
    }
    assert_eq!(loaded.len(), 84);
    for (request, answer) in loaded.iter().zip(freqtrade::run("load_strategies.py", &loaded).await) {
        assert_eq!((&answer["timeframe"], &answer["version"]), (&request["timeframe"], &json!(3)), "{answer}");
    }
    for (request, answer) in tested.iter().zip(freqtrade::run("backtest_strategies.py", &tested).await) {
        assert!(answer["trades"].as_u64().is_some_and(|trades| trades > 0), "{request}: {answer}");
    }
}

/// A source where freqtrade looks for it.
fn kept(directory: &Path, strategy: &Value) -> Value {
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join("strategy.py"), strategy["content"].as_str().unwrap()).unwrap();
    let check = &strategy["check"];
    json!({
        "class_name": check["class_name"], "directory": directory, "timeframe": check["timeframe"],
        "can_short": check["can_short"],
    })
}

#[tokio::test]
async fn a_model_writes_and_mends_what_was_found() {
    let broken = clean("Mean").replace("def populate_indicators(self", "def populate_indicators(self,,");
    let (model, settings) = model(vec![strategy(&broken), strategy(&looking_ahead()), strategy(&clean("Mean"))]).await;
    let world = World::with(settings).await;
    let token = world.sign_in("pro@nofomo.test").await;
    let answer = generate(&world, &token, json!({ "prompt": "Buy above the mean", "risk_level": "high" })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let strategy = answer.json();
    assert_eq!(answer.headers["location"], format!("/strategies/{}", strategy["id"].as_str().unwrap()));
    let told = ["name", "description", "strategy_type", "risk_level", "model_used", "tokens_used"]
        .map(|key| strategy[key].clone());
    let expected = json!(["Mean of twenty", "Buys above the mean.", "ai_generated", "high", "words-2026-01", 3000]);
    assert_eq!(json!(told), expected);
    assert_eq!((&strategy["content"], &strategy["check"]["findings"]), (&json!(clean("Mean")), &json!([])));

    let heard = heard(&model).await;
    assert_eq!(heard.len(), 3);
    let idea = heard[0][1]["content"].as_str().unwrap();
    for word in ["Buy above the mean", "BTC/USDT", "1h", "high"] {
        assert!(idea.contains(word), "{idea}");
    }
    let last = |talk: &Value| talk.as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned();
    assert!(last(&heard[1]).contains("line 8, column"), "{}", last(&heard[1]));
    assert!(last(&heard[2]).contains("shift(-1) takes what comes 1 candles later"), "{}", last(&heard[2]));
    for secret in [PRO, "pro@nofomo.test", "Putra", &token] {
        assert!(!json!(heard).to_string().contains(secret), "{secret}");
    }

    assert_eq!(ai_requests(&world).await, "1");
    let owner = world.database.owner().await;
    let audit = "select (message, context ->> 'model_used', context ->> 'tokens_used', context ->> 'findings') from public.logs where message = 'Generated strategy'";
    assert_eq!(owner.text(audit).await, "(\"Generated strategy\",words-2026-01,3000,0)");
    assert!(!world.log().contains("key-of-the-model"));
}

#[tokio::test]
async fn after_two_repairs_it_is_kept_as_it_is_or_not_at_all() {
    // What still looks ahead is a strategy, with its findings.
    let (server, settings) = model(vec![strategy(&looking_ahead())]).await;
    let world = World::with(settings).await;
    let token = world.sign_in("pro@nofomo.test").await;
    let kept = generate(&world, &token, json!({ "prompt": "x", "name": "Mine" })).await.json();
    assert_eq!((&kept["name"], &kept["check"]["verdict"]), (&json!("Mine"), &json!("refused")));
    assert_eq!(heard(&server).await.len(), 3);

    let before = strategies(&world).await;
    let other_timeframe = clean("Mean").replace("\"1h\"", "\"4h\"");
    for nothing in [
        completion("Here is your strategy: buy low."),
        completion(&json!({ "name": "x", "content": clean("Mean") }).to_string()),
        strategy("print('hello')"),
        strategy(&other_timeframe),
        strategy(&format!("{}# \u{0}", clean("Mean"))),
    ] {
        let (server, settings) = model(vec![nothing]).await;
        let world = World::with(settings).await;
        let token = world.sign_in("pro@nofomo.test").await;
        let answer = generate(&world, &token, json!({ "prompt": "x" })).await;
        assert_eq!(refused(&answer), (502, "bad-gateway".into()));
        assert_eq!(heard(&server).await.len(), 3);
        assert_eq!((strategies(&world).await, ai_requests(&world).await), ("1".into(), "1".into()));
    }
    assert_eq!(strategies(&world).await, before);
}

#[tokio::test]
async fn a_model_that_is_away_costs_one_request_which_its_key_finishes() {
    let down = ResponseTemplate::new(503).set_body_string("down");
    let (server, settings) = model(vec![down, strategy(&clean("Mean"))]).await;
    let world = World::with(settings).await;
    let token = world.sign_in("pro@nofomo.test").await;
    let key = [("idempotency-key", "one")];
    let body = asked(json!({ "prompt": "x" })).to_string();
    let first = world.post_with("/strategies/generate", &token, &key, &body).await;
    assert_eq!(refused(&first), (504, "no-answer".into()));
    assert!(!first.text.contains("127.0.0.1"), "{}", first.text);
    assert_eq!((strategies(&world).await, ai_requests(&world).await), ("1".into(), "1".into()));

    let second = world.post_with("/strategies/generate", &token, &key, &body).await;
    let third = world.post_with("/strategies/generate", &token, &key, &body).await;
    assert_eq!((second.status.as_u16(), third.status.as_u16()), (201, 200));
    assert_eq!(second.json(), third.json());
    assert_eq!((strategies(&world).await, ai_requests(&world).await), ("2".into(), "1".into()));
    assert_eq!(heard(&server).await.len(), 2);
    let other = asked(json!({ "prompt": "y" })).to_string();
    let reused = world.post_with("/strategies/generate", &token, &key, &other).await;
    assert_eq!(refused(&reused), (409, "key-reused".into()));
}

#[tokio::test]
async fn without_a_model_it_says_what_to_configure_and_templates_are_there() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let answer = generate(&world, &token, json!({ "prompt": "x" })).await;
    assert_eq!(refused(&answer), (501, "not-configured".into()));
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("LANGUAGE_MODEL_URL") && detail.contains("template"), "{detail}");
    assert_eq!(ai_requests(&world).await, "0");

    let made = generate(&world, &token, json!({ "template": "breakout", "risk_level": "low" })).await.json();
    assert_eq!(made["name"], "Breakout, BTC/USDT 1h");
    let parameters = json!({ "template": "breakout", "pair": "BTC/USDT", "numbers": {"entry": 55, "exit": 20} });
    assert_eq!(made["parameters"], parameters);
    assert_eq!((made["tokens_used"].clone(), ai_requests(&world).await), (json!(0), "1".into()));
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
        assert_eq!((refused(&answer).0, &answer.json()["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
}

#[tokio::test]
async fn on_a_laptop_a_prompt_has_a_template() {
    let settings = BTreeMap::from([("TEMPLATES_FOR_PROMPTS".into(), "true".into())]);
    let world = World::with(settings).await;
    let token = world.sign_in("pro@nofomo.test").await;
    for (prompt, template) in
        [("Buy when oversold", "rsi"), ("Volatility bands", "bollinger"), ("Anything", "ema_cross")]
    {
        let made = generate(&world, &token, json!({ "prompt": prompt })).await.json();
        assert_eq!(
            (&made["model_used"], &made["description"]),
            (&json!(format!("nofomo-template-{template}")), &json!(prompt))
        );
    }
}

#[tokio::test]
async fn requests_and_strategies_are_counted_however_many_come_at_once() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    owner.run("update public.plans set ai_requests_per_month = 3 where name = 'Pro'").await.unwrap();
    // Whoever is counted takes his time before others can see it.
    owner
        .run(
            "create function private.linger() returns trigger language plpgsql as $$ begin perform pg_sleep(0.2); return null; end $$;
             create trigger requests_lingering after insert on private.ai_requests for each row execute function private.linger();
             create trigger strategies_lingering after insert on public.strategies for each row execute function private.linger()",
        )
        .await
        .unwrap();
    let at_once = || join_all((0..8).map(|_| generate(&world, &token, json!({ "template": "rsi" }))));
    let statuses = |answers: Vec<Answer>| {
        let mut told: Vec<(u16, String)> = answers.iter().filter(|answer| answer.status != 201).map(refused).collect();
        let made = answers.len() - told.len();
        told.sort();
        told.dedup();
        (made, told)
    };
    assert_eq!(statuses(at_once().await), (2, vec![(403, "quota".into())]));

    let limits = "update public.plans set ai_requests_per_month = -1, max_strategies = 4 where name = 'Pro'";
    owner.run(limits).await.unwrap();
    assert_eq!(statuses(at_once().await), (1, vec![(403, "plan-limit".into())]));
    assert_eq!(strategies(&world).await, "4");
}
