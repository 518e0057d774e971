//! Strategies in the marketplace, as signed-in users see them.

use crate::support::database::{Database, FREE, PRO};

const STRATEGY_OF_ANOTHER_USER: &str = "0190e000-0000-7000-8000-000000000002";

#[tokio::test]
async fn signed_in_users_see_the_author_and_averages_of_a_verified_strategy_and_nothing_else() {
    let database = Database::new().await;
    let user = database.session("nofomo_api").await;
    user.become_user(FREE).await;
    let entries = user.text("select string_agg(name, ', ') from public.strategy_marketplace").await;
    assert_eq!(entries, "EMA cross");
    let figures =
        "select (author_name, round(avg_return_percentage, 4), backtest_count) from public.strategy_marketplace";
    assert_eq!(user.text(figures).await, "(\"Eka Santoso\",6.2500,2)");
    // The figures come from two backtests and a profile that the user may not read directly.
    let own = format!("user_id <> '{FREE}'");
    for table in ["backtest_results", "bots", "trades", "invoices", "subscriptions", "ai_analyses", "logs"] {
        assert_eq!(user.text(&format!("select count(*) from public.{table} where {own}")).await, "0", "{table}");
    }
    assert_eq!(user.text(&format!("select count(*) from public.users where id <> '{FREE}'")).await, "0");
    let columns = "select count(*) from information_schema.columns
        where table_name = 'strategy_marketplace' and column_name in ('email', 'user_email', 'exchange_credentials')";
    assert_eq!(user.text(columns).await, "0");
}

#[tokio::test]
async fn a_private_unverified_or_other_strategy_is_not_listed() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let user = database.session("nofomo_api").await;
    for (change, undo) in [
        ("is_verified = false", "is_verified = true"),
        ("is_verified = null", "is_verified = true"),
        ("is_public = false", "is_public = true"),
        ("strategy_type = 'custom'", "strategy_type = 'marketplace'"),
    ] {
        let update =
            |assignment| format!("update public.strategies set {assignment} where id = '{STRATEGY_OF_ANOTHER_USER}'");
        owner.run(&update(change)).await.unwrap();
        user.become_user(FREE).await;
        for relation in ["strategy_marketplace", "strategies"] {
            let count = format!("select count(*) from public.{relation} where user_id <> '{FREE}'");
            assert_eq!(user.text(&count).await, "0", "{change}: {relation}");
        }
        user.rollback().await;
        owner.run(&update(undo)).await.unwrap();
    }
}

#[tokio::test]
async fn a_strategy_without_backtests_is_listed_with_an_average_of_zero() {
    let database = Database::new().await;
    database
        .owner()
        .await
        .run(&format!("delete from public.backtest_results where strategy_id = '{STRATEGY_OF_ANOTHER_USER}'"))
        .await
        .unwrap();
    let user = database.session("nofomo_api").await;
    user.become_user(FREE).await;
    let figures = "select (avg_return_percentage, backtest_count) from public.strategy_marketplace";
    assert_eq!(user.text(figures).await, "(0,0)");
}

#[tokio::test]
async fn the_newest_strategies_are_found_without_reading_all_others() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let offers = format!(
        "insert into public.strategies (user_id, name, strategy_type, is_public, is_verified, created_at)
         select '{PRO}', 'offer ' || n, 'marketplace', true, true, now() - n * interval '1 minute'
         from generate_series(1, 300) as n"
    );
    owner.run(&offers).await.unwrap();
    owner.run("analyze public.strategies").await.unwrap();
    let user = database.session("nofomo_api").await;
    user.become_user(FREE).await;
    let page = "select name, author_name, avg_return_percentage from public.strategy_marketplace
        order by created_at desc, id limit 20";
    let rows = user.rows(&format!("explain (costs off) {page}"), &[]).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let plan = plan.join("\n");
    assert!(plan.contains("idx_strategies_published") && !plan.contains("Sort"), "{plan}");
    assert_eq!(user.rows(page, &[]).await.unwrap().len(), 20);
}
