//! What signed-in users see of each other's strategies.

use crate::support::database::{Database, FREE, PRO};

const STRANGERS: &str = "0190e000-0000-7000-8000-000000000002";

#[tokio::test]
async fn any_signed_in_user_sees_author_and_averages_of_a_verified_strategy_and_nothing_else_of_him() {
    let database = Database::new().await;
    let stranger = database.session("nofomo_api").await;
    stranger.become_user(FREE).await;
    let entries = stranger.text("select string_agg(name, ', ') from public.strategy_marketplace").await;
    assert_eq!(entries, "EMA cross");
    let figures =
        "select (author_name, round(avg_return_percentage, 4), backtest_count) from public.strategy_marketplace";
    assert_eq!(stranger.text(figures).await, "(\"Eka Santoso\",6.2500,2)");
    // The averages are those of two backtests and a profile that he may not read himself.
    let own = format!("user_id <> '{FREE}'");
    for table in ["backtest_results", "bots", "trades", "invoices", "subscriptions", "ai_analyses", "logs"] {
        assert_eq!(stranger.text(&format!("select count(*) from public.{table} where {own}")).await, "0", "{table}");
    }
    assert_eq!(stranger.text(&format!("select count(*) from public.users where id <> '{FREE}'")).await, "0");
    let columns = "select count(*) from information_schema.columns
        where table_name = 'strategy_marketplace' and column_name in ('email', 'user_email', 'exchange_credentials')";
    assert_eq!(stranger.text(columns).await, "0");
}

#[tokio::test]
async fn a_strategy_that_is_private_unverified_or_of_another_type_is_not_shown() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let stranger = database.session("nofomo_api").await;
    for (change, undo) in [
        ("is_verified = false", "is_verified = true"),
        ("is_verified = null", "is_verified = true"),
        ("is_public = false", "is_public = true"),
        ("strategy_type = 'custom'", "strategy_type = 'marketplace'"),
    ] {
        let update = |assignment| format!("update public.strategies set {assignment} where id = '{STRANGERS}'");
        owner.run(&update(change)).await.unwrap();
        stranger.become_user(FREE).await;
        for relation in ["strategy_marketplace", "strategies"] {
            let count = format!("select count(*) from public.{relation} where user_id <> '{FREE}'");
            assert_eq!(stranger.text(&count).await, "0", "{change}: {relation}");
        }
        stranger.rollback().await;
        owner.run(&update(undo)).await.unwrap();
    }
}

#[tokio::test]
async fn a_strategy_without_backtests_is_shown_with_an_average_of_zero() {
    let database = Database::new().await;
    database
        .owner()
        .await
        .run(&format!("delete from public.backtest_results where strategy_id = '{STRANGERS}'"))
        .await
        .unwrap();
    let stranger = database.session("nofomo_api").await;
    stranger.become_user(FREE).await;
    let figures = "select (avg_return_percentage, backtest_count) from public.strategy_marketplace";
    assert_eq!(stranger.text(figures).await, "(0,0)");
}

#[tokio::test]
async fn the_newest_are_found_without_a_look_at_all_others() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let offers = format!(
        "insert into public.strategies (user_id, name, strategy_type, is_public, is_verified, created_at)
         select '{PRO}', 'offer ' || n, 'marketplace', true, true, now() - n * interval '1 minute'
         from generate_series(1, 300) as n"
    );
    owner.run(&offers).await.unwrap();
    owner.run("analyze public.strategies").await.unwrap();
    let stranger = database.session("nofomo_api").await;
    stranger.become_user(FREE).await;
    let page = "select name, author_name, avg_return_percentage from public.strategy_marketplace
        order by created_at desc, id limit 20";
    let rows = stranger.rows(&format!("explain (costs off) {page}"), &[]).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let plan = plan.join("\n");
    assert!(plan.contains("idx_strategies_published") && !plan.contains("Sort"), "{plan}");
    assert_eq!(stranger.rows(page, &[]).await.unwrap().len(), 20);
}
