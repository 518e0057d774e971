//! `GET /portfolio`.

use serde_json::{Value, json};

use crate::support::database::{Database, FREE, PRO};
use crate::support::world::{World, new_bot};

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn a_portfolio_has_the_data_of_a_home_screen_and_agrees_with_the_stored_rows() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let answer = world.get("/portfolio", &token).await;
    assert_eq!(answer.status, 200);
    let portfolio = answer.json();
    assert_eq!(
        keys(&portfolio),
        [
            "bots",
            "exchanges",
            "invoices",
            "notifications",
            "open_trades",
            "performance",
            "recent_trades",
            "subscription",
            "user"
        ]
    );
    let user = &portfolio["user"];
    assert_eq!(
        *user,
        json!({"id": PRO, "email": "pro@nofomo.test", "full_name": "Putra Wijaya", "plan": "Pro", "usage": {
            "bots": 2, "max_bots": 10, "strategies": 1, "max_strategies": 20,
            "ai_requests": user["usage"]["ai_requests"], "ai_requests_per_month": 100}})
    );
    assert_eq!(portfolio["subscription"]["plan"], "Pro");
    assert_eq!(portfolio["subscription"]["status"], "active");
    let names: Vec<_> = portfolio["bots"].as_array().unwrap().iter().map(|bot| bot["name"].clone()).collect();
    assert_eq!(json!(names), json!(["BTC swing", "ETH perpetual"]));
    assert_eq!(portfolio["bots"][0]["win_rate_percentage"], "50.00");
    assert_eq!(portfolio["open_trades"].as_array().unwrap().len(), 1);
    assert_eq!(portfolio["recent_trades"].as_array().unwrap().len(), 20);
    assert_eq!(portfolio["notifications"][0]["title"], "Pro is active");
    assert_eq!((&portfolio["invoices"], &portfolio["exchanges"]), (&json!([]), &json!([])));

    let owner = world.database.owner().await;
    let profit = owner.text(&format!("select sum(profit) from public.bots where user_id = '{PRO}'")).await;
    assert_eq!(portfolio["performance"]["total_profit"], profit);
    assert_eq!(portfolio["performance"]["total_trades"], 60);
    assert_eq!(portfolio["performance"]["profit_by_currency"], json!({ "USDT": profit }));
    let latest = owner
        .text(&format!(
            "select id from public.trades where user_id = '{PRO}' and status = 'closed' order by exit_time desc limit 1"
        ))
        .await;
    let recent = portfolio["recent_trades"].as_array().unwrap();
    let latest_exit = &recent.iter().find(|trade| trade["id"] == latest).unwrap()["exit_time"];
    assert_eq!(*latest_exit, recent[0]["exit_time"]);
    assert!(recent.iter().all(|trade| trade["price"].is_string() && trade["profit"].is_string()));
}

#[tokio::test]
async fn lists_are_limited_and_contain_only_the_callers_rows() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    owner
        .run(&format!(
            "insert into public.trades (bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, entry_time)
             select bots.id, bots.user_id, 'binance', 'BTC/USDT', 'buy', 'limit', 1, 1, now() - n * interval '1 minute'
             from generate_series(1, 60) as n, public.bots where name = 'BTC swing';
             insert into public.notifications (user_id, kind, title, body, read_at)
             select users.id, 'test', 'note ' || n, 'x', case when n > 25 then now() end
             from generate_series(1, 30) as n, public.users;
             insert into public.invoices (user_id, amount, status, reference_id)
             select users.id, 149000, 'pending', 'r-' || users.email from public.users;
             update public.users set exchange_credentials = '{{\"bybit\": {{\"key_hint\": \"…7Fk2\", \"saved_at\": \"2026-11-01T00:00:00Z\",
                 \"sealed\": \"planted-secret\"}}}}' where id = '{PRO}'"
        ))
        .await
        .unwrap();
    let token = world.sign_in("pro@nofomo.test").await;
    let answer = world.get("/portfolio", &token).await;
    let portfolio = answer.json();
    assert_eq!(portfolio["open_trades"].as_array().unwrap().len(), 50);
    assert_eq!(portfolio["notifications"].as_array().unwrap().len(), 20);
    assert_eq!(portfolio["invoices"].as_array().unwrap().len(), 1);
    assert_eq!(portfolio["invoices"][0]["reference_id"], "r-pro@nofomo.test");
    assert_eq!(portfolio["invoices"][0]["amount"], "149000.00");
    assert_eq!(
        portfolio["exchanges"],
        json!([{"exchange": "bybit", "key_hint": "…7Fk2", "saved_at": "2026-11-01T00:00:00Z"}])
    );
    assert!(!answer.text.contains("planted-secret"));
    for other in ["free@nofomo.test", "enterprise@nofomo.test", FREE] {
        assert!(!answer.text.contains(other), "{other}");
    }
}

#[tokio::test]
async fn amounts_of_different_currencies_are_not_added_up() {
    let world = World::new().await;
    world
        .database
        .owner()
        .await
        .run(
            "update public.trades set trading_pair = 'ETH/BTC' where id = (select id from public.trades where status = 'closed' and
             bot_id = (select id from public.bots where name = 'BTC swing') limit 1)",
        )
        .await
        .unwrap();
    let token = world.sign_in("pro@nofomo.test").await;
    let performance = world.get("/portfolio", &token).await.json()["performance"].clone();
    assert_eq!(performance["total_trades"], 60);
    for figure in ["currency", "total_profit", "best_trade", "worst_trade", "profit_factor", "average_profit"] {
        assert_eq!(performance[figure], Value::Null, "{figure}");
    }
    assert_eq!(keys(&performance["profit_by_currency"]), ["BTC", "USDT"]);
    let holding = format!(
        "select floor(extract(epoch from avg(holding_duration))) from public.trades where user_id = '{PRO}' and status = 'closed'"
    );
    let holding = world.database.owner().await.text(&holding).await;
    assert_eq!(performance["average_holding_seconds"].to_string(), holding, "average over all currencies");
}

#[tokio::test]
async fn a_user_without_a_profile_row_gets_one() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let claims = |id: &str, email: &str| {
        let now = chrono::Utc::now().timestamp();
        json!({"iss": world.stack.auth().issuer(), "sub": id, "aud": "authenticated", "role": "authenticated", "exp": now + 600,
            "iat": now, "email": email, "session_id": uuid::Uuid::new_v4(), "is_anonymous": false,
            "user_metadata": {"full_name": "Late Comer"}})
    };
    let ids = ["0190b000-0000-7000-8000-0000000000c1", "0190b000-0000-7000-8000-0000000000c2"];
    // The email address of the second user is in use.
    for (id, email, stored) in [
        (ids[0], "late@nofomo.test", "late@nofomo.test".into()),
        (ids[1], "pro@nofomo.test", format!("{}@no-address.invalid", ids[1])),
    ] {
        let token = world.stack.auth().sign(&claims(id, email)).unwrap();
        let portfolio = world.get("/portfolio", &token).await.json();
        assert_eq!(portfolio["user"]["email"], stored);
        assert_eq!(portfolio["user"]["plan"], "Free");
        let row = owner.text(&format!("select (email, full_name) from public.users where id = '{id}'")).await;
        assert_eq!(row, format!("({stored},\"Late Comer\")"));
        assert_eq!(world.post("/bots", &token, &new_bot("first")).await.status, 201);
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_refused() {
    let world = World::new().await;
    let answer = world.send(reqwest::Method::GET, "/portfolio", &[], "").await;
    assert_eq!(answer.status_and_problem(), (401, "unauthenticated".into()));
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
}

/// The number of pages depends neither on other users' trades, nor on older trades, nor on where the rows are stored.
#[tokio::test]
async fn the_figures_of_thirty_days_are_read_from_an_index() {
    let database = Database::new().await;
    let owner = database.owner().await;
    owner.run("alter table public.trades set (autovacuum_enabled = false)").await.unwrap();
    owner.run("analyze public.trades").await.unwrap();
    let session = database.session("nofomo_api").await;
    let pages = async |user: &str| {
        session.become_user(user).await;
        let figures = format!("select * from public.get_user_trading_performance('{user}')");
        session.pages(&figures).await;
        let (read, _) = session.pages(&figures).await;
        session.rollback().await;
        read
    };
    // The plan is cached while the table is small.
    pages(FREE).await;
    let many = format!(
        "insert into public.trades (bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, profit, status,
             entry_time, exit_time, metadata)
         select bots.id, bots.user_id, 'binance', 'BTC/USDT', 'buy', 'market', 1, 1, 1, 'closed', now() - interval '99 days',
             now() - number * interval '1 hour', jsonb_build_object('note', repeat('x', 300))
         from generate_series(1, 20000) as number
         cross join (select id, user_id from public.bots where user_id = '{PRO}' limit 1) as bots
         order by md5(number::text)"
    );
    owner.run(&many).await.unwrap();
    let few = pages(FREE).await;
    assert!(few < 20, "before it was analysed again: {few}");
    for analysed in ["vacuum public.trades", "analyze public.trades"] {
        owner.run(analysed).await.unwrap();
        let (few, many) = (pages(FREE).await, pages(PRO).await);
        assert!(few < 20 && many < 40, "{analysed}: {few} for few, {many} for 720 of 20,000");
    }
}
