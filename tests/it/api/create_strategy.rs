//! `POST /strategies`, `PUT /strategies/{strategy_id}`, and the effect of a strategy's check on live bots.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use nofomo_strategy::{CHECKER_VERSION, check};
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use crate::support::credentials::save_credentials;
use crate::support::database::{Database, ENTERPRISE, FREE, PRO, workspace};
use crate::support::freqtrade;
use crate::support::strategies::{
    EMA_CROSS, OVERSOLD_RSI, clean_source, count_strategies, create_strategy, look_ahead_source, replace_source,
    strategy_source,
};
use crate::support::world::{World, new_bot};

#[tokio::test]
async fn a_strategy_is_stored_with_its_check_and_an_audit_row() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let content = clean_source("Mean");
    let sent = json!({
        "name": "Ayam 🐔", "description": "Two\nlines.", "content": content, "parameters": {"window": 20},
        "tags": ["mean", "simple"], "category": "trend", "risk_level": "low",
    });
    let answer = world.post("/strategies", &token, &sent).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let strategy = answer.json();
    let id = strategy["id"].as_str().unwrap();
    assert_eq!(answer.headers["location"], format!("/strategies/{id}"));
    let expected = json!({
        "id": id, "user_id": PRO, "name": "Ayam 🐔", "description": "Two\nlines.", "strategy_type": "custom",
        "content": content, "parameters": {"window": 20}, "performance": {}, "is_public": false, "is_verified": false,
        "backtest_results": null, "tags": ["mean", "simple"], "category": "trend", "risk_level": "low",
        "model_used": null, "tokens_used": null,
        "check": {"verdict": "clean", "findings": [], "class_name": "Mean", "interface_version": 3, "timeframe": "1h",
            "can_short": false},
        "created_at": strategy["created_at"], "updated_at": strategy["updated_at"],
    });
    assert_eq!(strategy, expected);

    let owner = world.database.owner().await;
    let columns = owner
        .text("select string_agg(attname, ' ') from pg_attribute where attrelid = 'public.strategies'::regclass and attnum > 0 and not attisdropped")
        .await;
    let missing: Vec<_> = columns.split(' ').filter(|column| strategy.get(column).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let row = format!(
        "select (s.user_id, s.content = k.content, k.findings, k.checker_version, k.source_hash = sha256(convert_to(s.content, 'UTF8')))
         from public.strategies as s inner join (select strategy_sources.*, '{}'::text as content from private.strategy_sources) as k on k.strategy_id = s.id
         where s.id = '{id}'",
        content.replace('\'', "''")
    );
    assert_eq!(owner.text(&row).await, format!("({PRO},t,[],{CHECKER_VERSION},t)"));
    let audit = format!(
        "select (user_id, log_level, message, source, context ->> 'action', context ->> 'findings') from public.logs where strategy_id = '{id}'"
    );
    assert_eq!(owner.text(&audit).await, format!("({PRO},info,\"Created strategy\",api,create-strategy,0)"));
}

#[tokio::test]
async fn findings_are_stored_with_the_strategy() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let strategy = create_strategy(&world, &token, "Ahead", &look_ahead_source()).await;
    let finding = &strategy["check"]["findings"][0];
    assert_eq!(
        (&strategy["check"]["verdict"], &finding["rule"], &finding["verdict"], &finding["line"], &finding["column"]),
        (&json!("refused"), &json!("look_ahead"), &json!("refused"), &json!(9), &json!(48))
    );
    assert_eq!(finding["why"], "`shift(-1)` reads 1 candle ahead; use a positive number");
    let unproved = strategy_source("Unproved", "dataframe[\"mean\"] = dataframe[\"close\"].shift(self.back)");
    assert_eq!(create_strategy(&world, &token, "Unproved", &unproved).await["check"]["verdict"], "unproved");
}

#[tokio::test]
async fn an_invalid_strategy_is_refused_with_line_and_column_and_not_stored() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let before = count_strategies(&world, PRO).await;
    let invalid_python = clean_source("Mean").replace("class Mean(IStrategy):", "class Mean(IStrategy)");
    let answer = world.post("/strategies", &token, &json!({ "name": "x", "content": invalid_python })).await;
    assert_eq!(answer.status_and_problem(), (422, "invalid".into()));
    let expected = json!([{"pointer": "/content", "line": 4, "column": 22, "detail": "the source is not valid Python: Expected `:`, found newline"}]);
    assert_eq!(answer.json()["errors"], expected);

    let two = clean_source("Mean").replace("\"1h\"", "\"2h\"").replace("-0.1", "0.1");
    let answer = world.post("/strategies", &token, &json!({ "name": "x", "content": two })).await;
    let lines: Vec<_> = answer.json()["errors"].as_array().unwrap().iter().map(|error| error["line"].clone()).collect();
    assert_eq!(lines, [json!(5), json!(6)]);

    let comment = "#é".repeat(100_000);
    for (body, pointer) in [
        (json!({ "content": clean_source("Mean") }), "/name"),
        (json!({ "name": "x" }), "/content"),
        (json!({ "name": "x", "content": "print(1)" }), "/content"),
        (json!({ "name": "x", "content": format!("{}{comment}", clean_source("Mean")) }), "/content"),
        (json!({ "name": "x", "content": clean_source("Mean"), "parameters": [] }), "/parameters"),
        (json!({ "name": "x", "content": clean_source("Mean"), "tags": "mean" }), "/tags"),
        (json!({ "name": "x", "content": clean_source("Mean"), "tags": [""] }), "/tags"),
        (json!({ "name": "x", "content": clean_source("Mean"), "tags": vec!["a"; 21] }), "/tags"),
        (json!({ "name": "x", "content": clean_source("Mean"), "risk_level": "extreme" }), "/risk_level"),
        (json!({ "name": "x", "content": clean_source("Mean"), "is_verified": true }), "/is_verified"),
    ] {
        let answer = world.post("/strategies", &token, &body).await;
        assert_eq!(answer.status_and_problem(), (422, "invalid".into()), "{pointer}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer);
    }
    assert_eq!(count_strategies(&world, PRO).await, before);
    assert_eq!(world.post("/strategies", "none", &json!({})).await.status, 401);
}

#[tokio::test]
async fn a_repeated_idempotency_key_creates_one_strategy() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let key = [("idempotency-key", "one")];
    let body = json!({ "name": "Mean", "content": clean_source("Mean") }).to_string();
    let first = world.post_with("/strategies", &token, &key, &body).await;
    // The repeated request is compared with the first request, not with the source as it is stored now.
    replace_source(&world, &token, first.json()["id"].as_str().unwrap(), &look_ahead_source()).await;
    let second = world.post_with("/strategies", &token, &key, &body).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
    assert_eq!(second.json()["id"], first.json()["id"]);
    let other = json!({ "name": "Mean", "content": clean_source("Other") }).to_string();
    assert_eq!(
        world.post_with("/strategies", &token, &key, &other).await.status_and_problem(),
        (409, "key-reused".into())
    );
}

#[tokio::test]
async fn a_plan_limits_the_number_of_strategies_and_allows_or_forbids_custom_ones() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let free = world.sign_in("free@nofomo.test").await;
    let answer = world.post("/strategies", &free, &json!({ "name": "Mean", "content": clean_source("Mean") })).await;
    assert_eq!(answer.status_and_problem(), (403, "plan-limit".into()));
    assert_eq!((&answer.json()["limit"], &answer.json()["plan"]), (&json!(0), &json!("Free")));
    assert_eq!(count_strategies(&world, FREE).await, "0");

    // One of ten concurrent requests is within the limit.
    owner.run("update public.plans set max_strategies = 2 where name = 'Pro'").await.unwrap();
    let pro = world.sign_in("pro@nofomo.test").await;
    let body = json!({ "name": "Mean", "content": clean_source("Mean") });
    // Delays each insert after the limit was checked, before the strategy is visible to other transactions.
    owner
        .run(
            "create function private.linger() returns trigger language plpgsql as $$ begin perform pg_sleep(0.1); return null; end $$;
             create trigger strategies_lingering after insert on public.strategies for each row execute function private.linger()",
        )
        .await
        .unwrap();
    let answers = join_all((0..10).map(|_| world.post("/strategies", &pro, &body))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![201], vec![403; 9]].concat());
    assert_eq!(count_strategies(&world, PRO).await, "2");
    for round in 0..20 {
        owner.run("delete from public.strategies where name = 'Mean'").await.unwrap();
        let answers = join_all((0..3).map(|_| world.post("/strategies", &pro, &body))).await;
        let created = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!((created, count_strategies(&world, PRO).await.as_str()), (1, "2"), "{round}");
    }

    // A plan without custom strategies does not allow changing one either.
    owner.run("update public.plans set custom_strategies = false where name = 'Pro'").await.unwrap();
    assert_eq!(
        replace_source(&world, &pro, OVERSOLD_RSI, &clean_source("Mean")).await.status_and_problem(),
        (403, "plan-limit".into())
    );
}

#[tokio::test]
async fn replacing_the_source_withdraws_the_verification() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    let row = format!(
        "select (strategy_type, is_public, is_verified, parameters, (select findings <> '[]' from private.strategy_sources where strategy_id = id))
         from public.strategies where id = '{EMA_CROSS}'"
    );
    assert_eq!(owner.text(&row).await, "(marketplace,t,t,\"{\"\"fast\"\": 12, \"\"slow\"\": 26}\",f)");
    let answer = replace_source(&world, &token, EMA_CROSS, &look_ahead_source()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((&answer.json()["is_verified"], &answer.json()["check"]["verdict"]), (&json!(false), &json!("refused")));
    assert_eq!(owner.text(&row).await, "(marketplace,t,f,\"{\"\"fast\"\": 12, \"\"slow\"\": 26}\",t)");
    assert_eq!(owner.text("select count(*) from public.strategy_marketplace").await, "0");

    // A generated strategy becomes a custom one when its source is changed.
    let pro = world.sign_in("pro@nofomo.test").await;
    assert_eq!(
        replace_source(&world, &pro, OVERSOLD_RSI, &clean_source("Mean")).await.json()["strategy_type"],
        "custom"
    );
    for id in [EMA_CROSS, "0190e000-0000-7000-8000-00000000ffff", "x"] {
        assert_eq!(replace_source(&world, &pro, id, &clean_source("Mean")).await.status, 404, "{id}");
    }
}

/// Request body of a live bot that runs this strategy.
fn live_bot(strategy: &str) -> Value {
    let mut bot = new_bot("live");
    bot["strategy"] = json!(strategy);
    bot["is_paper_trade"] = json!(false);
    bot
}

/// Signs in as `pro` and saves credentials of Bybit; returns the access token.
async fn sign_in_with_credentials(world: &World) -> String {
    let token = world.sign_in("pro@nofomo.test").await;
    let keys = json!({ "api_key": "KeyOfBybit1234567", "api_secret": "SecretOfBybit1SecretOfBybit1SecretOf" });
    assert_eq!(save_credentials(world, &token, "bybit", &keys).await.status, 200);
    token
}

#[tokio::test]
async fn no_live_bot_runs_a_strategy_with_findings() {
    let world = World::new().await;
    let token = sign_in_with_credentials(&world).await;
    let owner = world.database.owner().await;
    let bot = |strategy: &str| {
        let mut bot = live_bot(strategy);
        bot["exchange"] = json!("bybit");
        bot
    };
    let ahead = create_strategy(&world, &token, "Ahead", &look_ahead_source()).await;
    let id = ahead["id"].as_str().unwrap();
    let answer = world.post("/bots", &token, &bot("Ahead")).await;
    assert_eq!(answer.status_and_problem(), (409, "unsafe-strategy".into()));
    assert_eq!(answer.json()["detail"], "The strategy Ahead has 1 finding. Fix it, or use paper trading.");
    // A strategy that was never checked is refused too.
    let answer = world.post("/bots", &token, &bot("The runner's own")).await;
    assert_eq!(answer.status_and_problem(), (409, "unsafe-strategy".into()));
    assert!(answer.json()["detail"].as_str().unwrap().contains("has not been checked"), "{answer:?}");
    // Allowed for paper trading, and with a marketplace strategy for as long as it is published.
    assert_eq!(world.post("/bots", &token, &bot("EMA cross")).await.status, 201);
    let unpublish = format!("update public.strategies set is_verified = false where id = '{EMA_CROSS}'");
    owner.run(&unpublish).await.unwrap();
    assert_eq!(
        world.post("/bots", &token, &bot("EMA cross")).await.status_and_problem(),
        (409, "unsafe-strategy".into())
    );
    let mut paper = bot("Ahead");
    paper["is_paper_trade"] = json!(true);
    assert_eq!(world.post("/bots", &token, &paper).await.status, 201);

    assert_eq!(replace_source(&world, &token, id, &clean_source("Ahead")).await.status, 200);
    let created = world.post("/bots", &token, &bot("Ahead")).await.json();
    let bot_id = created["id"].as_str().unwrap();

    // A source that was written directly to the table has not been checked.
    let tampered = "update public.strategies set content = content || '# x' where name = 'Ahead'";
    owner.run(tampered).await.unwrap();
    let answer = world.post(&format!("/bots/{bot_id}/start"), &token, &json!({})).await;
    assert_eq!(answer.status_and_problem(), (409, "unsafe-strategy".into()));
    assert!(answer.json()["detail"].as_str().unwrap().contains("has not been checked"), "{answer:?}");
    assert_eq!(owner.text(&format!("select status from public.bots where id = '{bot_id}'")).await, "stopped");

    assert_eq!(replace_source(&world, &token, id, &clean_source("Ahead")).await.status, 200);
    assert_eq!(world.post(&format!("/bots/{bot_id}/start"), &token, &json!({})).await.status, 200);
    // The source of a running live bot can only be replaced by one without findings.
    assert_eq!(
        replace_source(&world, &token, id, &look_ahead_source()).await.status_and_problem(),
        (409, "strategy-in-use".into())
    );
    assert_eq!(replace_source(&world, &token, id, &clean_source("Better")).await.status, 200);

    // The same holds for a client that renames the strategy in the table.
    let other = create_strategy(&world, &token, "Other", &look_ahead_source()).await;
    // A bot refers to its strategy by name, so a second strategy of that name is refused.
    let again = json!({ "name": "Ahead", "content": look_ahead_source() });
    assert_eq!(world.post("/strategies", &token, &again).await.status_and_problem(), (409, "strategy-in-use".into()));
    let client = world.database.session("nofomo_api").await;
    for change in [
        format!("update public.strategies set name = 'Ahead' where id = '{}'", other["id"].as_str().unwrap()),
        format!("update public.strategies set name = 'Gone' where id = '{id}'"),
        format!("delete from public.strategies where id = '{id}'"),
    ] {
        client.become_user(PRO).await;
        let error = client.run(&change).await.unwrap_err();
        assert_eq!(error.code().map(SqlState::code), Some("PT409"), "{change}: {error:?}");
        client.rollback().await;
    }
    client.become_user(PRO).await;
    let renamed = client.run(&format!("update public.bots set strategy = 'Other' where id = '{bot_id}'")).await;
    let error = renamed.unwrap_err();
    assert_eq!(error.code().map(|code| code.code().to_owned()).as_deref(), Some("PT409"), "{error:?}");
}

#[tokio::test]
async fn a_concurrent_start_and_source_change_leave_no_live_bot_with_findings() {
    let world = World::new().await;
    let token = sign_in_with_credentials(&world).await;
    let owner = world.database.owner().await;
    let strategy = create_strategy(&world, &token, "Ahead", &clean_source("Ahead")).await;
    let id = strategy["id"].as_str().unwrap();
    let mut body = live_bot("Ahead");
    body["exchange"] = json!("bybit");
    let bot = world.post("/bots", &token, &body).await.json();
    let start = format!("/bots/{}/start", bot["id"].as_str().unwrap());
    let stop = format!("/bots/{}/stop", bot["id"].as_str().unwrap());
    // Delays each transaction after its check, so that the other one checks at the same time.
    owner
        .run(
            "create function private.linger() returns trigger language plpgsql as $$ begin perform pg_sleep(0.2); return null; end $$;
             create trigger bots_validated_and_lingering after update of status on public.bots for each row execute function private.linger();
             create trigger strategies_lingering after update of content on public.strategies for each row execute function private.linger()",
        )
        .await
        .unwrap();
    let mut seen = BTreeMap::new();
    for round in 0..8 {
        let (source, start_order) = (look_ahead_source(), json!({}));
        let (replaced, started) = if round % 2 == 0 {
            tokio::join!(replace_source(&world, &token, id, &source), world.post(&start, &token, &start_order))
        } else {
            let (started, replaced) =
                tokio::join!(world.post(&start, &token, &start_order), replace_source(&world, &token, id, &source));
            (replaced, started)
        };
        let statuses = (replaced.status.as_u16(), started.status.as_u16());
        assert!([(200, 409), (409, 200)].contains(&statuses), "{replaced:?} {started:?}");
        *seen.entry(statuses).or_insert(0) += 1;
        let broken = "select count(*) from public.bots inner join public.strategies on strategies.name = bots.strategy
            inner join private.strategy_sources on strategy_id = strategies.id
            where bots.status = 'running' and not bots.is_paper_trade and findings <> '[]'";
        assert_eq!(owner.text(broken).await, "0");
        world.post(&stop, &token, &json!({})).await;
        assert_eq!(replace_source(&world, &token, id, &clean_source("Ahead")).await.status, 200);
    }
    eprintln!("{seen:?}");
}

#[tokio::test]
async fn the_stored_checks_of_the_sample_strategies_are_current() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let rows = owner
        .rows(
            "select strategies.content, source.class_name, source.timeframe, source.findings::text, source.checker_version::text
             from public.strategies inner join private.strategy_sources as source on source.strategy_id = strategies.id",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let [content, class_name, timeframe, findings, version] =
            [0, 1, 2, 3, 4].map(|column| row.get::<_, String>(column));
        let checked = check(&content).unwrap();
        let expected =
            (checked.strategy.class_name, checked.strategy.timeframe, "[]".into(), CHECKER_VERSION.to_string());
        assert_eq!((class_name, timeframe, findings, version), expected);
        assert_eq!(checked.findings, []);
    }
}

#[tokio::test]
async fn freqtrade_loads_every_clean_strategy() {
    let directory = workspace().join("shared/strategy/tests/clean").canonicalize().unwrap();
    let mut requests = Vec::new();
    for file in std::fs::read_dir(&directory).unwrap() {
        let strategy = check(&std::fs::read_to_string(file.unwrap().path()).unwrap()).unwrap().strategy;
        requests.push(json!({
            "class_name": strategy.class_name, "directory": directory, "timeframe": strategy.timeframe,
            "can_short": strategy.can_short, "version": strategy.interface_version,
        }));
    }
    assert!(requests.len() >= 30);
    let answers = freqtrade::run_script("load_strategies.py", &requests).await;
    for (request, answer) in requests.iter().zip(answers) {
        for fact in ["class_name", "timeframe", "can_short", "version"] {
            assert_eq!(answer[fact], request[fact], "{answer}");
        }
    }
    // Freqtrade fails to load a strategy that does not exist.
    let refused = json!({ "class_name": "Nowhere", "directory": directory, "can_short": false });
    let answers = freqtrade::run_script("load_strategies.py", &[refused]).await;
    assert!(answers[0]["error"].as_str().unwrap().contains("Impossible to load Strategy"), "{answers:?}");
}

#[tokio::test]
async fn clients_can_neither_read_nor_write_the_check() {
    let database = Database::new().await;
    let client = database.session("nofomo_api").await;
    for change in [
        "update public.strategies set content = 'x'",
        "update public.strategies set is_verified = true",
        "update public.strategies set is_public = true, strategy_type = 'marketplace'",
        "select 1 from private.strategy_sources",
        "insert into public.strategies (user_id, name, strategy_type) values (auth.uid(), 'x', 'custom')",
    ] {
        client.become_user(ENTERPRISE).await;
        let error = client.run(change).await.unwrap_err();
        assert_eq!(error.code().map(SqlState::code), Some("42501"), "{change}: {error:?}");
        client.rollback().await;
    }
}
