//! Subscriptions, invoices and notifications through Supabase's own API: what a signed-in user may read and change.

use crate::support::database::{Database, FREE, PRO};
use crate::support::world::World;

#[tokio::test]
async fn users_cannot_grant_themselves_a_plan() {
    let database = Database::new().await;
    let state = "select md5(string_agg(rows::text, '' order by rows::text)) from (
             select to_jsonb(t) as rows from public.subscriptions t union all select to_jsonb(t) from public.invoices t
             union all select to_jsonb(t) from public.users t union all select to_jsonb(t) from public.plans t
         ) as everything";
    let owner = database.owner().await;
    let before = owner.text(state).await;
    let session = database.session("nofomo_api").await;
    for user in [FREE, PRO] {
        for sql in [
            "update public.users set subscription_plan = 'enterprise'",
            "update public.users set subscription_plan = subscription_plan",
            "update public.subscriptions set expires_at = 'infinity'",
            "update public.subscriptions set status = 'active', auto_renew = true, cancelled_at = null",
            "update public.subscriptions set trial_ends_at = null",
            "delete from public.subscriptions",
            "insert into public.subscriptions (user_id, plan_id, status, started_at, expires_at)
             select auth.uid(), id, 'trial', now(), 'infinity' from public.plans where name = 'Enterprise'",
            "update public.invoices set status = 'paid', paid_at = now()",
            "update public.invoices set amount = 1, reference_id = 'x', tripay_invoice_id = 'y', transaction_id = 'z'",
            "delete from public.invoices",
            "insert into public.invoices (user_id, amount, status, reference_id) values (auth.uid(), 1, 'paid', 'x')",
            "update public.plans set price_monthly = 1",
            "select * from private.payment_events",
            "select private.update_subscription_plans(array[auth.uid()], now())",
            "select private.manage_subscription(jsonb_build_object('sub', auth.uid()), '{\"action\": \"trial\"}')",
            "select private.settle_payment('{}')",
            "select private.record_tripay_response('{}')",
        ] {
            session.become_user(user).await;
            let refused = session.run(sql).await.unwrap_err();
            assert_eq!(refused.code().unwrap().code(), "42501", "{user}: {sql}");
            session.rollback().await;
        }
        // Users read their own rows.
        session.become_user(user).await;
        for table in ["subscriptions", "invoices"] {
            let seen =
                session.text(&format!("select string_agg(distinct user_id::text, ' ') from public.{table}")).await;
            assert!(seen == user || (seen.is_empty() && user == FREE), "{table}: {seen}");
        }
        session.rollback().await;
    }
    assert_eq!(owner.text(state).await, before);
}

#[tokio::test]
async fn notifications_are_visible_to_their_owner_only() {
    let world = World::new().await;
    let database = &world.database;
    let owner = database.owner().await;
    owner
        .run(
            "delete from public.notifications;
             insert into public.notifications (user_id, fact, kind, title, body)
             select users.id, 'fact-' || n, 'payment', 'note ' || n, 'for ' || email
             from generate_series(1, 2) as n, public.users",
        )
        .await
        .unwrap();
    let token = world.sign_in("pro@nofomo.test").await;
    let unread = async || {
        let notifications = world.get("/portfolio", &token).await.json()["notifications"].clone();
        let notifications = notifications.as_array().unwrap().clone();
        assert!(notifications.iter().all(|notification| notification["body"] == "for pro@nofomo.test"));
        notifications.iter().map(|notification| notification["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(unread().await.len(), 2);

    let session = database.session("nofomo_api").await;
    session.become_user(PRO).await;
    assert_eq!(session.text("select string_agg(distinct user_id::text, ' ') from public.notifications").await, PRO);
    let updated =
        session.0.execute_typed("update public.notifications set read_at = now() where title = 'note 1'", &[]).await;
    assert_eq!(updated.unwrap(), 1, "own notifications only");
    let others = format!("update public.notifications set read_at = now() where user_id <> '{PRO}'");
    assert_eq!(session.0.execute_typed(&others, &[]).await.unwrap(), 0);
    session.run("commit").await.unwrap();
    assert_eq!(unread().await, ["note 2"]);
    let read = "select string_agg(distinct users.email || ' ' || title, ', ') from public.notifications
         inner join public.users on users.id = user_id where read_at is not null";
    assert_eq!(owner.text(read).await, "pro@nofomo.test note 1");

    for sql in [
        "update public.notifications set body = 'x'",
        "update public.notifications set fact = null",
        &format!("update public.notifications set user_id = '{FREE}'"),
        "delete from public.notifications",
        &format!("insert into public.notifications (user_id, kind, title, body) values ('{PRO}', 'payment', 'x', 'y')"),
        "truncate public.notifications",
    ] {
        session.become_user(PRO).await;
        let refused = session.run(sql).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501", "{sql}");
        session.rollback().await;
    }
    session.become_anonymous().await;
    let refused = session.run("select * from public.notifications").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
    session.rollback().await;
    // Each `fact`, the key of an event, is notified once per user.
    let again = format!(
        "insert into public.notifications (user_id, fact, kind, title, body) values ('{PRO}', 'fact-1', 'payment', 'x', 'y')"
    );
    let refused = owner.run(&again).await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().constraint(), Some("notifications_fact_key"));
    let published = "select count(*) from pg_publication_tables
         where pubname = 'supabase_realtime' and tablename = 'notifications'";
    assert_eq!(owner.text(published).await, "1", "notifications are published to Supabase Realtime");
}
