//! `POST /strategies/{strategy_id}/publish`, and the visibility of the marketplace.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use crate::support::database::{ENTERPRISE, FREE, PRO, Session};
use crate::support::strategies::{EMA_CROSS, clean_source, create_strategy, look_ahead_source, replace_source};
use crate::support::world::{HttpResponse, World};

async fn publish(world: &World, token: &str, id: &str) -> HttpResponse {
    world.post(&format!("/strategies/{id}/publish"), token, &json!({})).await
}

fn id(strategy: &Value) -> &str {
    strategy["id"].as_str().unwrap()
}

/// Inserts a backtest of this strategy as an import stores it, with this number of trades.
async fn insert_backtest(owner: &Session, strategy: &str, trades: u32) {
    owner
        .run(&format!(
            "insert into public.backtest_results (
                strategy_id, user_id, trading_pair, timeframe, start_date, end_date, initial_balance, final_balance,
                total_return, total_return_percentage, max_drawdown, win_rate, total_trades, winning_trades, losing_trades,
                best_trade, worst_trade
            )
            select id, user_id, 'BTC/USDT', '1h', now() - interval '90 days', now(), 1000, 1010, 10, 1, 2, 50, {trades}, {trades}, 0, 1, 1
            from public.strategies where id = '{strategy}'"
        ))
        .await
        .unwrap();
}

/// Creates a strategy that can be published; returns its id.
async fn create_publishable_strategy(world: &World, token: &str, name: &str) -> String {
    let strategy = create_strategy(world, token, name, &clean_source("Mean")).await;
    insert_backtest(&world.database.owner().await, id(&strategy), 30).await;
    id(&strategy).to_owned()
}

/// Names of the marketplace's strategies that a user can read.
async fn marketplace_names(world: &World, user: &str) -> Vec<String> {
    let stranger = world.database.session("nofomo_api").await;
    stranger.become_user(user).await;
    stranger.list("select name::text from public.strategy_marketplace order by name").await
}

#[tokio::test]
async fn a_checked_and_backtested_strategy_is_visible_to_every_signed_in_user() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let mean = create_publishable_strategy(&world, &token, "Mean").await;
    let answer = publish(&world, &token, &mean).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let published = answer.json();
    assert_eq!(
        (
            &published["strategy_type"],
            &published["is_public"],
            &published["is_verified"],
            &published["check"]["verdict"]
        ),
        (&json!("marketplace"), &json!(true), &json!(true), &json!("clean"))
    );
    assert_eq!(marketplace_names(&world, FREE).await, ["EMA cross", "Mean"]);

    // Publishing again changes nothing and logs nothing.
    assert_eq!(publish(&world, &token, &mean).await.json(), published);
    let owner = world.database.owner().await;
    let audit =
        "select (user_id, message, context ->> 'action')::text from public.logs where message = 'Published strategy'";
    assert_eq!(owner.list(audit).await, [format!("({PRO},\"Published strategy\",publish-strategy)")]);
}

#[tokio::test]
async fn a_missing_precondition_is_named_and_nothing_is_published() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let strategy = create_strategy(&world, &token, "Mean", &clean_source("Mean")).await;
    let mean = id(&strategy);
    assert_eq!(publish(&world, &token, mean).await.status_and_problem(), (409, "few-trades".into()));
    insert_backtest(&owner, mean, 29).await;
    assert_eq!(publish(&world, &token, mean).await.status_and_problem(), (409, "few-trades".into()));

    let strategy = create_strategy(&world, &token, "Ahead", &look_ahead_source()).await;
    insert_backtest(&owner, id(&strategy), 30).await;
    let answer = publish(&world, &token, id(&strategy)).await;
    assert_eq!(answer.status_and_problem(), (409, "has-findings".into()));
    assert_eq!(
        answer.json()["detail"],
        "Fix the findings of the check. Line 9: `shift(-1)` reads 1 candle ahead; use a positive number."
    );

    // A row without a source is possible in the table.
    let empty = format!(
        "insert into public.strategies (id, user_id, name, strategy_type) values ('0190e000-0000-7000-8000-00000000000f', '{PRO}', 'Empty', 'custom')"
    );
    owner.run(&empty).await.unwrap();
    let answer = publish(&world, &token, "0190e000-0000-7000-8000-00000000000f").await;
    assert_eq!(answer.status_and_problem(), (409, "no-source".into()));

    for foreign in [EMA_CROSS, "0190e000-0000-7000-8000-00000000ffff", "x"] {
        assert_eq!(publish(&world, &token, foreign).await.status_and_problem(), (404, "not-found".into()), "{foreign}");
    }
    assert_eq!(publish(&world, "none", mean).await.status, 401);
    assert_eq!(marketplace_names(&world, FREE).await, ["EMA cross"]);
}

#[tokio::test]
async fn a_backtest_of_an_earlier_source_does_not_count() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let mean = create_publishable_strategy(&world, &token, "Mean").await;
    assert_eq!(publish(&world, &token, &mean).await.status, 200);
    assert_eq!(replace_source(&world, &token, &mean, &clean_source("Other")).await.status, 200);
    assert_eq!(marketplace_names(&world, FREE).await, ["EMA cross"]);
    assert_eq!(publish(&world, &token, &mean).await.status_and_problem(), (409, "few-trades".into()));
    insert_backtest(&world.database.owner().await, &mean, 30).await;
    assert_eq!(publish(&world, &token, &mean).await.status, 200);
    // Storing the same source again keeps the verification.
    assert_eq!(replace_source(&world, &token, &mean, &clean_source("Other")).await.json()["is_verified"], true);
}

#[tokio::test]
async fn publishing_checks_a_source_without_a_current_check() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let mean = create_publishable_strategy(&world, &token, "Mean").await;
    let row = format!(
        "select (checker_version, findings, class_name, stored_at = created_at) from private.strategy_sources
         inner join public.strategies on id = strategy_id where strategy_id = '{mean}'"
    );
    let now = owner.text(&row).await;
    for stale in [
        // The findings of an older checker version.
        format!(
            "update private.strategy_sources set checker_version = 0, findings = '[{{}}]' where strategy_id = '{mean}'"
        ),
        format!("delete from private.strategy_sources where strategy_id = '{mean}'"),
    ] {
        owner.run(&stale).await.unwrap();
        owner.run(&format!("update public.strategies set is_verified = false where id = '{mean}'")).await.unwrap();
        assert_eq!(publish(&world, &token, &mean).await.status, 200);
        assert_eq!(owner.text(&row).await, now);
    }
    // A source that was written directly to the table is checked, whatever its stored check says.
    owner.run(&format!("update public.strategies set content = 'import os' where id = '{mean}'")).await.unwrap();
    assert_eq!(publish(&world, &token, &mean).await.status_and_problem(), (409, "not-a-strategy".into()));
    let ahead = look_ahead_source();
    owner.rows("update public.strategies set content = $1 where id = $2::uuid", &[&ahead, &mean]).await.unwrap();
    assert_eq!(publish(&world, &token, &mean).await.status_and_problem(), (409, "has-findings".into()));
    assert_eq!(marketplace_names(&world, FREE).await, ["EMA cross"]);
}

#[tokio::test]
async fn a_name_is_published_once_whatever_its_spelling() {
    let world = World::new().await;
    let pro = world.sign_in("pro@nofomo.test").await;
    for name in ["EMA cross", "ema CROSS", " EMA cross ", "ＥＭＡ cross"] {
        let strategy = create_publishable_strategy(&world, &pro, name).await;
        assert_eq!(publish(&world, &pro, &strategy).await.status_and_problem(), (409, "name-taken".into()), "{name}");
    }
    // Two users publish the same name concurrently, in several rounds.
    let enterprise = world.sign_in("enterprise@nofomo.test").await;
    let mut candidates = Vec::new();
    for token in [&pro, &enterprise, &pro, &enterprise] {
        candidates.push((token, create_publishable_strategy(&world, token, "Mean").await));
    }
    let owner = world.database.owner().await;
    owner
        .run(
            "create function private.linger() returns trigger language plpgsql as $$ begin perform pg_sleep(0.1); return null; end $$;
             create trigger strategies_lingering after update of is_verified on public.strategies
                 for each row when (new.is_verified) execute function private.linger()",
        )
        .await
        .unwrap();
    for round in 0..20 {
        let answers = join_all(candidates.iter().map(|(token, strategy)| publish(&world, token, strategy))).await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409, 409, 409], "{round}");
        assert_eq!(marketplace_names(&world, FREE).await, ["EMA cross", "Mean"], "{round}");
        let withdraw = "update public.strategies set is_verified = false, is_public = false, strategy_type = 'custom' where name = 'Mean'";
        owner.run(withdraw).await.unwrap();
    }

    assert_eq!(publish(&world, candidates[0].0, &candidates[0].1).await.status, 200);
    // A client cannot rename a published strategy to a published name either.
    let client = world.database.session("nofomo_api").await;
    client.become_user(ENTERPRISE).await;
    let renamed = client.run(&format!("update public.strategies set name = 'mean' where id = '{EMA_CROSS}'")).await;
    assert_eq!(renamed.unwrap_err().code().map(|code| code.code().to_owned()).as_deref(), Some("23505"));
}

#[tokio::test]
async fn concurrent_publishing_and_changing_never_leave_an_unchecked_source_verified() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let mean = create_publishable_strategy(&world, &token, "Mean").await;
    owner
        .run(
            "create function private.linger() returns trigger language plpgsql as $$ begin perform pg_sleep(0.1); return null; end $$;
             create trigger strategies_lingering after update on public.strategies for each row execute function private.linger()",
        )
        .await
        .unwrap();
    let ahead = look_ahead_source();
    let direct_update =
        format!("update public.strategies set content = '{}' where id = '{mean}'", ahead.replace('\'', "''"));
    for round in 0..20 {
        let outdated = format!("update private.strategy_sources set checker_version = 0 where strategy_id = '{mean}'");
        owner.run(&outdated).await.unwrap();
        // The source is changed by the function in even rounds, and directly in the table in odd ones.
        let changed = async {
            if round % 2 == 0 {
                assert_eq!(replace_source(&world, &token, &mean, &ahead).await.status, 200);
            } else {
                owner.run(&direct_update).await.unwrap();
            }
        };
        let (published, ()) = tokio::join!(publish(&world, &token, &mean), changed);
        assert!([200, 409].contains(&published.status.as_u16()), "{published:?}");
        let row =
            format!("select (is_verified, content like '%shift(-1)%') from public.strategies where id = '{mean}'");
        assert_eq!(owner.text(&row).await, "(f,t)");
        assert_eq!(replace_source(&world, &token, &mean, &clean_source("Mean")).await.status, 200);
        insert_backtest(&owner, &mean, 30).await;
    }
}

#[tokio::test]
async fn the_check_of_a_previous_source_does_not_publish_the_current_one() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let mean = create_publishable_strategy(&world, &token, "Mean").await;
    let hash =
        format!("select encode(sha256(convert_to(content, 'UTF8')), 'hex') from public.strategies where id = '{mean}'");
    let read = owner.text(&hash).await;
    let check = json!({
        "source_hash": read, "class_name": "Mean", "interface_version": 3, "timeframe": "1h", "can_short": false,
        "checker_version": 1, "findings": [],
    });
    // The source changes after the function has checked it and before it publishes.
    owner
        .rows("update public.strategies set content = $1 where id = $2::uuid", &[&look_ahead_source(), &mean])
        .await
        .unwrap();
    let claims = json!({ "sub": PRO, "role": "authenticated" }).to_string();
    let publication = json!({ "strategy_id": mean, "checker_version": 1, "check": check }).to_string();
    let api = world.database.session("nofomo_api").await;
    let result =
        api.rows("select private.publish_strategy($1::jsonb, $2::jsonb)::text", &[&claims, &publication]).await;
    let result: Value = serde_json::from_str(result.unwrap()[0].get(0)).unwrap();
    assert_eq!(result, json!({ "check_required": look_ahead_source() }));
    assert_eq!(owner.text(&format!("select is_verified from public.strategies where id = '{mean}'")).await, "false");
}

#[tokio::test]
async fn anonymous_users_see_the_marketplace_only_if_that_is_enabled() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let names = "select string_agg(name, ', ') from public.strategy_marketplace";
    let anonymous = world.database.session("nofomo_api").await;
    for (is_shown, expected) in [(false, None), (true, Some("EMA cross")), (false, None)] {
        owner.run(&format!("select private.show_marketplace_to_anonymous({is_shown})")).await.unwrap();
        anonymous.become_anonymous().await;
        let seen = anonymous.rows(names, &[]).await;
        anonymous.rollback().await;
        match expected {
            Some(expected) => assert_eq!(seen.unwrap()[0].get::<_, String>(0), expected),
            None => assert_eq!(seen.unwrap_err().code().map(SqlState::code), Some("42501")),
        }
    }
    // Nothing else is visible.
    owner.run("select private.show_marketplace_to_anonymous(true)").await.unwrap();
    anonymous.become_anonymous().await;
    assert_eq!(anonymous.text("select count(*) from public.strategies").await, "1");
    let denied = anonymous.run("select 1 from public.backtest_results").await.unwrap_err();
    assert_eq!(denied.code().map(SqlState::code), Some("42501"));
    // Only the owner of the database can change this setting.
    for role in ["nofomo_api", "nofomo_jobs"] {
        let session = world.database.session(role).await;
        assert!(session.run("select private.show_marketplace_to_anonymous(true)").await.is_err(), "{role}");
    }
}
