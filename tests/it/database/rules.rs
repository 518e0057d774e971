//! Rules that hold for every writer, and results that hold for every reader.

use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use crate::support::database::{Database, ENTERPRISE, FREE, PRO, Session};

const BTC_SWING: &str = "0190f000-0000-7000-8000-000000000002";
const OWN_STRATEGY: &str = "0190e000-0000-7000-8000-000000000001";
const VERIFIED_STRATEGY: &str = "0190e000-0000-7000-8000-000000000002";

/// Returns the error code and the constraint of a refused statement.
fn refusal(outcome: Result<(), tokio_postgres::Error>) -> (String, String) {
    let error = outcome.unwrap_err();
    let refused = error.as_db_error().unwrap();
    (refused.code().code().to_owned(), refused.constraint().unwrap_or_default().to_owned())
}

fn refused(code: &str, constraint: &str) -> (String, String) {
    (code.to_owned(), constraint.to_owned())
}

/// Begins a transaction as the user of these claims.
async fn become_caller(session: &Session, claims: &Value) {
    session
        .run(&format!(
            "begin; select set_config('role', 'authenticated', true), set_config('request.jwt.claims', '{claims}', true)"
        ))
        .await
        .unwrap();
}

#[tokio::test]
async fn holding_duration_is_computed_from_entry_and_exit_time() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let id = "0190f000-0000-7000-8000-0000000000a1";
    let held = format!("select holding_duration from public.trades where id = '{id}'");
    let update = |assignment| format!("update public.trades set {assignment} where id = '{id}'");
    owner
        .run(&format!(
            "insert into public.trades (id, bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, entry_time,
                 holding_duration)
             values ('{id}', '{BTC_SWING}', '{PRO}', 'binance', 'BTC/USDT', 'buy', 'market', 1, 1, '2026-01-01 10:00Z', '1 year')"
        ))
        .await
        .unwrap();
    assert_eq!(owner.text(&held).await, "", "an open trade has none");
    owner.run(&update("status = 'closed', exit_time = '2026-01-01 12:30Z'")).await.unwrap();
    assert_eq!(owner.text(&held).await, "02:30:00");
    owner.run(&update("entry_time = '2026-01-01 11:00Z'")).await.unwrap();
    assert_eq!(owner.text(&held).await, "01:30:00");
    owner.run(&update("exit_time = '2026-01-02 11:00Z', holding_duration = '1 minute'")).await.unwrap();
    assert_eq!(owner.text(&held).await, "1 day");
    owner
        .run(&format!(
            "delete from public.trades where id = '{id}';
             insert into public.trades (id, bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, status,
                 entry_time, exit_time, holding_duration)
             values ('{id}', '{BTC_SWING}', '{PRO}', 'binance', 'BTC/USDT', 'buy', 'market', 1, 1, 'closed', '2026-01-01 10:00Z',
                 '2026-01-01 10:05Z', '1 year')"
        ))
        .await
        .unwrap();
    assert_eq!(owner.text(&held).await, "00:05:00");
}

#[tokio::test]
async fn updated_at_is_the_time_of_the_last_change_even_if_the_change_sets_it() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let tables = owner
        .text(
            "select string_agg(c.relname, ' ' order by c.relname) from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relkind = 'r' and a.attname = 'updated_at' and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)",
        )
        .await;
    assert_eq!(tables, "bots invoices plans strategies subscriptions trades users");
    for table in tables.split(' ') {
        // now() is the start of the transaction. One transaction per table, because a change of trades also changes
        // bots.
        for assignment in ["created_at = created_at", "updated_at = '2020-01-01Z'"] {
            owner.run(&format!("begin; update public.{table} set {assignment}")).await.unwrap();
            let moved =
                format!("select concat_ws(' ', count(*) > 0, bool_and(updated_at = now())) from public.{table}");
            assert_eq!(owner.text(&moved).await, "t t", "{table}: {assignment}");
            owner.rollback().await;
        }
    }
}

#[tokio::test]
async fn an_invoice_grants_at_most_one_subscription() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let paid = "0190c000-0000-7000-8000-000000000001";
    let insert = |invoice: &str| {
        format!(
            "insert into public.subscriptions (user_id, plan_id, invoice_id, status, started_at, expires_at)
             select '{PRO}', id, {invoice}, 'active', now(), now() + interval '1 month' from public.plans where name = 'Enterprise'"
        )
    };
    let again = owner.run(&insert(&format!("'{paid}'"))).await;
    assert_eq!(refusal(again), refused("23505", "subscriptions_invoice_id_key"));
    let granted_plans = format!(
        "select string_agg(plans.name, ' ') from public.subscriptions join public.plans on plans.id = plan_id where invoice_id = '{paid}'"
    );
    assert_eq!(owner.text(&granted_plans).await, "Pro");
    // Subscriptions without an invoice are not limited.
    owner.run(&insert("null")).await.unwrap();
    owner.run(&insert("null")).await.unwrap();
    let all = format!("select count(*) from public.subscriptions where user_id = '{PRO}'");
    assert_eq!(owner.text(&all).await, "3");
}

/// Returns every kind of write that a user is granted, on the rows of the user `pro`.
fn writes() -> [String; 7] {
    [
        format!(
            "insert into public.bots (user_id, name, exchange, trading_pair, timeframe, strategy, initial_balance, stake_amount)
             values ('{PRO}', 'another', 'binance', 'BTC/USDT', '1h', 's', 100, 10)"
        ),
        "update public.bots set name = 'another'".into(),
        "delete from public.bots".into(),
        "update public.users set full_name = 'Another'".into(),
        "update public.strategies set name = 'another'".into(),
        "delete from public.strategies".into(),
        "update public.notifications set read_at = now()".into(),
    ]
}

#[tokio::test]
async fn only_registered_and_active_users_can_write() {
    let database = Database::new().await;
    let owner = database.owner().await;
    // The list is complete: a kind of write that is granted later must be added to `writes`.
    let granted = owner
        .text(
            "select string_agg(distinct concat_ws(' ', action, c.relname), ', ' order by concat_ws(' ', action, c.relname))
             from pg_class c, unnest(array['insert', 'update', 'delete']) as action
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and (
                 has_table_privilege('authenticated', c.oid, action)
                 or (action <> 'delete' and has_any_column_privilege('authenticated', c.oid, action)))",
        )
        .await;
    let listed = "delete bots, delete strategies, insert bots, update bots, update notifications, update strategies, update users";
    assert_eq!(granted, listed);

    let rows = async || {
        let mut rows = String::new();
        for table in ["bots", "users", "strategies", "notifications", "logs", "trades"] {
            rows += &owner.text(&format!("select string_agg(t::text, ' ' order by id) from public.{table} t")).await;
        }
        rows
    };
    let full = json!({"sub": PRO, "role": "authenticated", "is_anonymous": false});
    let anonymous = json!({"sub": PRO, "role": "authenticated", "is_anonymous": true});
    for write in writes() {
        let caller = database.session("nofomo_api").await;
        become_caller(&caller, &full).await;
        assert!(caller.0.execute_typed(&write, &[]).await.unwrap() > 0, "{write}");
        caller.rollback().await;
    }
    for (is_active, claims) in [(true, &anonymous), (false, &full)] {
        owner.run(&format!("update public.users set is_active = {is_active} where id = '{PRO}'")).await.unwrap();
        let before = rows().await;
        for write in writes() {
            let caller = database.session("nofomo_api").await;
            become_caller(&caller, claims).await;
            match caller.0.execute_typed(&write, &[]).await {
                Ok(changed) => assert_eq!(changed, 0, "{claims} {is_active}: {write}"),
                Err(error) => {
                    assert!(write.starts_with("insert"), "{claims} {is_active}: {write}: {error:?}");
                    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{write}: {error:?}");
                }
            }
            caller.run("commit").await.unwrap();
        }
        assert_eq!(rows().await, before, "{claims} {is_active}");
    }
}

#[tokio::test]
async fn deleting_a_bot_is_recorded_in_the_audit_trail() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let user = database.session("nofomo_api").await;
    user.become_user(PRO).await;
    user.run(&format!("delete from public.bots where id = '{BTC_SWING}'; commit")).await.unwrap();
    assert_eq!(owner.text(&format!("select count(*) from public.bots where id = '{BTC_SWING}'")).await, "0");
    let line =
        "select string_agg(concat_ws(' ', user_id, coalesce(bot_id::text, 'no bot'), log_level, source, context), ';')
        from public.logs where message = 'Deleted bot'";
    let expected = format!("{PRO} no bot info api {{\"action\": \"delete-bot\", \"bot_id\": \"{BTC_SWING}\"}}");
    assert_eq!(owner.text(line).await, expected);
    // The log lines of the bot are deleted with it.
    assert_eq!(owner.text(&format!("select count(*) from public.logs where bot_id = '{BTC_SWING}'")).await, "0");
}

#[tokio::test]
async fn deleting_a_user_deletes_all_rows_of_the_user_without_an_audit_trail() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let tables = owner
        .text(
            "select string_agg(a.attrelid::regclass::text, ' ') from pg_attribute a join pg_class c on c.oid = a.attrelid
             where a.attname = 'user_id' and c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)",
        )
        .await;
    assert!(tables.contains("bots") && tables.contains("logs"), "{tables}");
    let left = async |user: &str| {
        let mut left = String::new();
        for table in tables.split(' ') {
            let count = owner.text(&format!("select count(*) from {table} where user_id = '{user}'")).await;
            if count != "0" {
                left += &format!("{table} {count} ");
            }
        }
        left
    };
    let of_others = left(FREE).await;
    assert!(left(PRO).await.contains("bots 2 "), "{}", left(PRO).await);
    owner.run(&format!("delete from public.users where id = '{PRO}'")).await.unwrap();
    assert_eq!(left(PRO).await, "");
    // Supabase Auth does this when a user deletes the account.
    let auth = database.session("supabase_auth_admin").await;
    auth.run(&format!("delete from auth.users where id = '{ENTERPRISE}'")).await.unwrap();
    assert_eq!(owner.text(&format!("select count(*) from public.users where id = '{ENTERPRISE}'")).await, "0");
    assert_eq!(left(ENTERPRISE).await, "");
    assert_eq!(owner.text("select count(*) from public.logs where message = 'Deleted bot'").await, "0");
    assert_eq!(left(FREE).await, of_others);
}

#[tokio::test]
async fn live_trading_requires_credentials_for_the_exchange() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let update = |assignment| format!("update public.bots set {assignment} where id = '{BTC_SWING}'");
    let save = |keys| format!("update public.users set exchange_credentials = '{keys}' where id = '{PRO}'");
    let bot = format!("select concat_ws(' ', is_paper_trade, exchange) from public.bots where id = '{BTC_SWING}'");
    let missing = refused("PT409", "credentials_missing");
    for keys in ["{}", "{\"bybit\": {}}"] {
        owner.run(&save(keys)).await.unwrap();
        for assignment in ["is_paper_trade = false", "is_paper_trade = null"] {
            assert_eq!(refusal(owner.run(&update(assignment)).await), missing, "{keys} {assignment}");
        }
        assert_eq!(owner.text(&bot).await, "t binance");
    }
    owner.run(&save("{\"binance\": {}}")).await.unwrap();
    owner.run(&update("is_paper_trade = false")).await.unwrap();
    assert_eq!(owner.text(&bot).await, "f binance");
    assert_eq!(refusal(owner.run(&update("exchange = 'bybit'")).await), missing);
    assert_eq!(owner.text(&bot).await, "f binance");
    // Paper trading needs no credentials.
    owner.run(&update("is_paper_trade = true, exchange = 'bybit'")).await.unwrap();
    assert_eq!(owner.text(&bot).await, "t bybit");
}

#[tokio::test]
async fn changing_the_parameters_of_a_strategy_removes_its_verification() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let update = |assignment| format!("update public.strategies set {assignment} where id = '{VERIFIED_STRATEGY}'");
    let verified = format!("select is_verified from public.strategies where id = '{VERIFIED_STRATEGY}'");
    owner.run(&update("parameters = parameters, content = content")).await.unwrap();
    assert_eq!(owner.text(&verified).await, "true", "nothing changed");
    for changed in ["parameters = parameters || '{\"fast\": 13}'", "parameters = null"] {
        owner.run(&update("is_verified = true")).await.unwrap();
        owner.run(&update(changed)).await.unwrap();
        assert_eq!(owner.text(&verified).await, "false", "{changed}");
    }
    // This holds even if the same statement sets is_verified.
    owner.run(&update("parameters = '{}', is_verified = true")).await.unwrap();
    assert_eq!(owner.text(&verified).await, "false");
    assert_eq!(
        owner.text(&format!("select is_verified from public.strategies where id = '{OWN_STRATEGY}'")).await,
        "false"
    );
}

#[tokio::test]
async fn the_highest_plan_applies_with_the_subscription_that_ends_last() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let subscribe = |id: u8, plan: &str, days: u8| {
        format!(
            "insert into public.subscriptions (id, user_id, plan_id, status, started_at, expires_at)
             select '0190d000-0000-7000-8000-0000000000a{id}', '{PRO}', plans.id, 'active', now() - interval '1 day',
                 now() + interval '{days} days'
             from public.plans where name = '{plan}'"
        )
    };
    let expire = |id: u8, days: u8| {
        format!(
            "update public.subscriptions set expires_at = now() + interval '{days} days'
             where id = '0190d000-0000-7000-8000-0000000000a{id}'"
        )
    };
    let plan = format!("select (private.plan_in_force('{PRO}')).name");
    let subscription = format!("select right((private.subscription_in_force('{PRO}')).id::text, 2)");
    // The subscription to Pro of the sample data has about three weeks left.
    assert_eq!((owner.text(&plan).await, owner.text(&subscription).await), ("Pro".into(), "01".into()));
    owner.run(&subscribe(1, "Free", 200)).await.unwrap();
    assert_eq!((owner.text(&plan).await, owner.text(&subscription).await), ("Pro".into(), "01".into()));
    owner.run(&subscribe(2, "Enterprise", 2)).await.unwrap();
    assert_eq!((owner.text(&plan).await, owner.text(&subscription).await), ("Enterprise".into(), "a2".into()));
    owner.run(&subscribe(3, "Enterprise", 5)).await.unwrap();
    assert_eq!((owner.text(&plan).await, owner.text(&subscription).await), ("Enterprise".into(), "a3".into()));
    owner.run(&expire(2, 9)).await.unwrap();
    assert_eq!((owner.text(&plan).await, owner.text(&subscription).await), ("Enterprise".into(), "a2".into()));

    // The limit of the plan in force is enforced, too. The limit of Pro would be ten bots.
    let bots = format!(
        "insert into public.bots (user_id, name, exchange, trading_pair, timeframe, strategy, initial_balance, stake_amount)
         select '{PRO}', 'bot ' || n, 'binance', 'BTC/USDT', '1h', 's', 100, 10 from generate_series(1, 9) as n"
    );
    let user = database.session("nofomo_api").await;
    user.become_user(PRO).await;
    user.run(&format!("{bots}; commit")).await.unwrap();
    assert_eq!(owner.text(&format!("select count(*) from public.bots where user_id = '{PRO}'")).await, "11");
    owner.run(&format!("delete from public.bots where user_id = '{PRO}' and name like 'bot %'")).await.unwrap();
    owner.run(&expire(2, 0)).await.unwrap();
    owner.run(&expire(3, 0)).await.unwrap();
    user.become_user(PRO).await;
    assert_eq!(refusal(user.run(&bots).await), refused("PT403", "plan_limit"));
}

#[tokio::test]
async fn performance_covers_thirty_days_by_default_or_the_requested_number() {
    let database = Database::new().await;
    let owner = database.owner().await;
    owner
        .run(&format!(
            "delete from public.trades where user_id = '{PRO}';
             insert into public.trades (bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, profit, status,
                 entry_time, exit_time)
             select '{BTC_SWING}', '{PRO}', 'binance', 'BTC/USDT', 'buy', 'market', 1, 1, t.profit, t.status,
                 now() - interval '60 days', now() - t.age
             from (values
                 (1, 'closed', interval '1 hour'),
                 (10, 'closed', interval '29 days 23 hours'),
                 (100, 'closed', interval '30 days 1 hour'),
                 (1000, 'closed', interval '50 days'),
                 (5000, 'cancelled', interval '1 hour')
             ) as t (profit, status, age)"
        ))
        .await
        .unwrap();
    let user = database.session("nofomo_api").await;
    user.become_user(PRO).await;
    for (days, expected) in [
        ("", "2 11.00000000"),
        (", 30", "2 11.00000000"),
        (", 31", "3 111.00000000"),
        (", 1", "1 1.00000000"),
        (", 365", "4 1111.00000000"),
    ] {
        let figures = format!(
            "select concat_ws(' ', total_trades, total_profit) from public.get_user_trading_performance('{PRO}'{days})"
        );
        assert_eq!(user.text(&figures).await, expected, "{days}");
    }
    user.rollback().await;

    // The portfolio has the same performance.
    let claims = json!({"sub": PRO, "role": "authenticated"});
    let portfolio: Value = serde_json::from_str(
        &user.text(&format!("select private.get_portfolio('{claims}', '{{\"days\": 30}}')")).await,
    )
    .unwrap();
    assert_eq!(portfolio["performance"]["total_trades"], 2);
    assert_eq!(portfolio["performance"]["total_profit"], "11.00000000");
}

/// Behind a pooler, a connection may still have the settings of another user.
#[tokio::test]
async fn a_command_runs_as_the_user_of_its_claims_despite_settings_left_in_the_session() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let session = database.session("nofomo_api").await;
    session.run(&format!("select set_config('request.jwt.claim.sub', '{FREE}', false)")).await.unwrap();
    let claims = json!({"sub": PRO, "role": "authenticated"});
    let call = async |function: &str, input: &Value| -> Value {
        let answer = session.text(&format!("select private.{function}('{claims}', '{input}')")).await;
        serde_json::from_str(&answer).unwrap()
    };
    let portfolio = call("get_portfolio", &json!({ "days": 30 })).await;
    assert_eq!(portfolio["user"]["id"], PRO);
    let names: Vec<_> = portfolio["bots"].as_array().unwrap().iter().map(|bot| bot["name"].clone()).collect();
    assert_eq!(json!(names), json!(["BTC swing", "ETH perpetual"]));
    assert_eq!(portfolio["performance"]["total_trades"], 60);

    let id = "0190f000-0000-7000-8000-0000000000b1";
    let bot = json!({
        "id": id, "name": "new", "exchange": "binance", "trading_pair": "BTC/USDT", "timeframe": "1h", "strategy": "s",
        "initial_balance": "100", "stake_amount": "10", "max_open_trades": 1, "risk_percentage": "2", "is_paper_trade": true,
    });
    assert_eq!(call("create_bot", &bot).await["created"]["user_id"], PRO);
    assert_eq!(owner.text(&format!("select user_id from public.bots where id = '{id}'")).await, PRO);
    let left_over = "select current_setting('request.jwt.claim.sub')";
    assert_eq!(session.text(left_over).await, FREE, "the setting was present all the time");
}

#[tokio::test]
async fn ai_requests_are_counted_from_the_first_of_the_month() {
    let database = Database::new().await;
    let owner = database.owner().await;
    owner
        .run(&format!(
            "delete from private.ai_requests where user_id = '{PRO}';
             insert into private.ai_requests (id, user_id, requested_at, request_hash)
             select gen_random_uuid(), '{PRO}', t.requested_at, ''
             from (values
                 (date_trunc('month', now()) - interval '1 month'),
                 (date_trunc('month', now()) - interval '1 second'),
                 (date_trunc('month', now())),
                 (now())
             ) as t (requested_at)"
        ))
        .await
        .unwrap();
    let session = database.session("nofomo_api").await;
    let claims = json!({"sub": PRO, "role": "authenticated"});
    let usage =
        format!("select private.get_portfolio('{claims}', '{{\"days\": 30}}') #>> '{{user,usage,ai_requests}}'");
    assert_eq!(session.text(&usage).await, "2");
    // Deleting an analysis does not return the request.
    owner.run(&format!("delete from public.ai_analyses where user_id = '{PRO}'")).await.unwrap();
    assert_eq!(session.text(&usage).await, "2");
}
