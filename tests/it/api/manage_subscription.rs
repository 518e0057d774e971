//! `POST /subscription/{action}`, and what users may do with subscriptions and notifications by themselves.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::database::{Database, ENTERPRISE, FREE, PRO, Session};
use crate::support::world::{Answer, World, new_bot};

const PRO_PERIOD: &str = "0190d000-0000-7000-8000-000000000001";
const ENTERPRISE_PERIOD: &str = "0190d000-0000-7000-8000-000000000002";

async fn order(world: &World, token: &str, action: &str) -> Answer {
    world.post_with(&format!("/subscription/{action}"), token, &[], "").await
}

fn is_problem(answer: &Answer, status: u16, kind: &str) -> bool {
    answer.status == status && answer.problem() == kind
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// What was audited of a user's subscriptions, in order.
async fn audited(owner: &Session, user: &str) -> String {
    let audit = format!(
        "select coalesce(string_agg(context ->> 'action', ' ' order by created_at), '') from public.logs
         where user_id = '{user}' and source = 'billing' and log_level = 'info'"
    );
    owner.text(&audit).await
}

async fn periods(owner: &Session, user: &str) -> String {
    let rows = format!(
        "select string_agg(concat_ws(' ', status, auto_renew, cancelled_at is not null), ', ' order by started_at)
         from public.subscriptions where user_id = '{user}'"
    );
    owner.text(&rows).await
}

/// The running period of Pro, followed by another, each with the invoice that is to renew it; an invoice that was asked for;
/// and somebody else's renewal. Tripay has not answered for the one that renews the second period.
async fn with_renewals(owner: &Session) -> String {
    let next = Uuid::now_v7().to_string();
    owner
        .run(&format!(
            "insert into public.subscriptions (id, user_id, plan_id, status, started_at, expires_at)
             select '{next}', user_id, plan_id, 'active', expires_at, expires_at + interval '1 month'
             from public.subscriptions where id = '{PRO_PERIOD}';
             insert into public.invoices (
                 user_id, plan_id, reference_id, tripay_invoice_id, amount, status, period, payment_method, expired_at,
                 renews_subscription_id
             )
             select renewal.payer::uuid, plans.id, renewal.name, renewal.reference, 149000, 'pending', 'monthly', 'BRIVA',
                 now() + interval '1 day', renewal.of::uuid
             from public.plans,
                 (
                     values
                         ('{PRO}', 'first', 'T1', '{PRO_PERIOD}'),
                         ('{PRO}', 'second', null, '{next}'),
                         ('{PRO}', 'wanted', 'T3', null),
                         ('{ENTERPRISE}', 'other', 'T4', '{ENTERPRISE_PERIOD}')
                 ) as renewal (payer, name, reference, of)
             where plans.name = 'Pro'"
        ))
        .await
        .unwrap();
    next
}

async fn renewals(owner: &Session) -> String {
    let rows = "select string_agg(reference_id || ' ' || status, ', ' order by reference_id) from public.invoices
         where reference_id in ('first', 'second', 'wanted', 'other')";
    owner.text(rows).await
}

#[tokio::test]
async fn a_trial_gives_seven_days_of_pro_once_ever() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let before = Utc::now();
    let answer = order(&world, &token, "trial").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let trial = answer.json();
    let started = time(&trial["started_at"]);
    assert!((before..=Utc::now()).contains(&started), "{started}");
    assert_eq!(
        trial,
        json!({
            "id": trial["id"], "plan": "Pro", "status": "trial", "started_at": trial["started_at"],
            "expires_at": trial["trial_ends_at"], "plan_ends_at": trial["trial_ends_at"], "cancelled_at": null,
            "auto_renew": false, "trial_ends_at": trial["trial_ends_at"],
        })
    );
    assert_eq!(time(&trial["trial_ends_at"]), started + TimeDelta::days(7));
    let row = format!(
        "select concat_ws(' ', id, status, expires_at - started_at, trial_ends_at = expires_at, auto_renew, invoice_id, value)
         from public.subscriptions where user_id = '{FREE}'"
    );
    let stored = format!("{} trial 7 days t f 0.0000", trial["id"].as_str().unwrap());
    assert_eq!(owner.text(&row).await, stored);
    let portfolio = world.get("/portfolio", &token).await.json();
    assert_eq!((&portfolio["user"]["plan"], &portfolio["subscription"]), (&json!("Pro"), &trial));
    let plan = format!("select subscription_plan from public.users where id = '{FREE}'");
    assert_eq!(owner.text(&plan).await, "pro");
    assert_eq!(world.post("/bots", &token, &new_bot("second")).await.status, 201, "Free has one only");

    // The same again is the same.
    let again = order(&world, &token, "trial").await;
    assert_eq!((again.status.as_u16(), again.json()), (200, trial.clone()));
    assert_eq!(owner.text(&row).await, stored);
    assert_eq!(audited(&owner, FREE).await, "start-trial");

    // Over, and nobody has noticed yet.
    owner
        .run(&format!(
            "update public.subscriptions set started_at = now() - interval '8 days', expires_at = now() - interval '1 day',
                 trial_ends_at = now() - interval '1 day' where user_id = '{FREE}'"
        ))
        .await
        .unwrap();
    let used = order(&world, &token, "trial").await;
    assert!(is_problem(&used, 409, "trial-used"), "{used:?}");
    // And when it was noticed.
    assert_eq!(world.run("expire-subscriptions", "2027-02-01T00:00:00Z").await.status, 200);
    assert_eq!(owner.text(&plan).await, "free");
    let used = order(&world, &token, "trial").await;
    assert!(is_problem(&used, 409, "trial-used"), "{used:?}");
    assert_eq!(world.get("/portfolio", &token).await.json()["subscription"], Value::Null);
    assert_eq!(audited(&owner, FREE).await.matches("start-trial").count(), 1);
}

#[tokio::test]
async fn a_trial_is_for_those_who_have_no_plan() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for (email, id) in [("pro@nofomo.test", PRO), ("enterprise@nofomo.test", ENTERPRISE)] {
        let token = world.sign_in(email).await;
        let before = periods(&owner, id).await;
        let refused = order(&world, &token, "trial").await;
        assert!(is_problem(&refused, 409, "already-subscribed"), "{refused:?}");
        // Not one that was cancelled either.
        assert_eq!(order(&world, &token, "cancel").await.status, 200);
        assert!(is_problem(&order(&world, &token, "trial").await, 409, "already-subscribed"));
        assert_eq!(periods(&owner, id).await, before.replace("active t f", "cancelled f t"));
    }
    // Who had one once, has had it, whatever he has now.
    owner
        .run(&format!(
            "insert into public.subscriptions (user_id, plan_id, status, started_at, expires_at, trial_ends_at)
             select '{PRO}', plan_id, 'expired', now() - interval '30 days', now() - interval '23 days', now() - interval '23 days'
             from public.subscriptions where id = '{PRO_PERIOD}'"
        ))
        .await
        .unwrap();
    let token = world.sign_in("pro@nofomo.test").await;
    assert!(is_problem(&order(&world, &token, "trial").await, 409, "trial-used"));
    // When it has ended, a plan is no hindrance.
    owner
        .run(&format!("update public.subscriptions set expires_at = now() where user_id = '{ENTERPRISE}'"))
        .await
        .unwrap();
    let token = world.sign_in("enterprise@nofomo.test").await;
    assert_eq!(order(&world, &token, "trial").await.json()["plan"], "Pro");
    let plan = format!("select subscription_plan from public.users where id = '{ENTERPRISE}'");
    assert_eq!(owner.text(&plan).await, "pro");
}

#[tokio::test]
async fn of_twenty_trials_at_once_there_is_one() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    // Whoever gets to writing one takes his time before it is there for others.
    owner
        .run(
            "create function private.linger() returns trigger language plpgsql as
                 $$ begin perform pg_sleep(0.3); return null; end $$;
             create trigger subscriptions_linger after insert on public.subscriptions
                 for each row execute function private.linger()",
        )
        .await
        .unwrap();
    let answers = join_all((0..20).map(|_| order(&world, &token, "trial"))).await;
    let first = answers[0].json();
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json() == first), "{answers:?}");
    assert_eq!(periods(&owner, FREE).await, "trial f f");
    assert_eq!(audited(&owner, FREE).await, "start-trial");
}

#[tokio::test]
async fn whoever_has_no_profile_yet_may_try_it_too() {
    let world = World::new().await;
    let now = Utc::now().timestamp();
    let id = Uuid::new_v4();
    let token = world
        .stack
        .auth()
        .sign(&json!({
            "iss": world.stack.auth().issuer(), "sub": id, "aud": "authenticated", "role": "authenticated", "exp": now + 600,
            "iat": now, "email": "late@nofomo.test", "session_id": Uuid::new_v4(), "is_anonymous": false,
        }))
        .unwrap();
    assert_eq!(order(&world, &token, "trial").await.status, 200);
    let plan = format!("select subscription_plan from public.users where id = '{id}'");
    assert_eq!(world.database.owner().await.text(&plan).await, "pro");
}

#[tokio::test]
async fn cancelling_turns_the_renewal_off_and_keeps_the_plan_to_its_end() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let before = world.get("/portfolio", &token).await.json()["subscription"].clone();
    assert_eq!(
        (&before["status"], &before["auto_renew"], &before["cancelled_at"]),
        (&json!("active"), &json!(true), &json!(null))
    );
    with_renewals(&owner).await;
    let answer = order(&world, &token, "cancel").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cancelled = answer.json();
    let mut expected = before.clone();
    for (field, value) in [
        ("status", json!("cancelled")),
        ("auto_renew", json!(false)),
        ("cancelled_at", cancelled["cancelled_at"].clone()),
        // The second period is his as well.
        ("plan_ends_at", cancelled["plan_ends_at"].clone()),
    ] {
        expected[field] = value;
    }
    assert_eq!(cancelled, expected);
    assert!(time(&cancelled["plan_ends_at"]) > time(&before["expires_at"]) + TimeDelta::days(27));
    assert!(Utc::now() - time(&cancelled["cancelled_at"]) < TimeDelta::minutes(1));
    assert_eq!(periods(&owner, PRO).await, "cancelled f t, cancelled f t");
    // What was opened for a renewal is no longer wanted; what Tripay did not answer for has to be found out first.
    assert_eq!(renewals(&owner).await, "first cancelled, other pending, second pending, wanted pending");

    let portfolio = world.get("/portfolio", &token).await.json();
    assert_eq!((&portfolio["user"]["plan"], &portfolio["subscription"]), (&json!("Pro"), &cancelled));
    assert_eq!(world.post("/bots", &token, &new_bot("third")).await.status, 201);
    for _ in 0..2 {
        let again = order(&world, &token, "cancel").await;
        assert_eq!((again.status.as_u16(), again.json()), (200, cancelled.clone()));
    }
    assert_eq!(audited(&owner, PRO).await, "cancel-subscription");
    assert_eq!(renewals(&owner).await, "first cancelled, other pending, second pending, wanted pending");

    // Nobody else's.
    assert_eq!(periods(&owner, ENTERPRISE).await, "active t f");
    // To its end, and not longer.
    let plan = format!("select subscription_plan from public.users where id = '{PRO}'");
    let almost = time(&cancelled["plan_ends_at"]) - TimeDelta::seconds(1);
    for (moment, expected) in [(almost, "pro"), (time(&cancelled["plan_ends_at"]), "free")] {
        assert_eq!(world.run("expire-subscriptions", &moment.to_rfc3339()).await.status, 200);
        assert_eq!(owner.text(&plan).await, expected, "{moment}");
    }
}

#[tokio::test]
async fn resuming_brings_the_renewal_back() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    with_renewals(&owner).await;
    let before = world.get("/portfolio", &token).await.json()["subscription"].clone();
    // Nothing to resume yet.
    assert_eq!(order(&world, &token, "resume").await.json(), before);
    assert_eq!(audited(&owner, PRO).await, "");

    assert_eq!(order(&world, &token, "cancel").await.json()["status"], "cancelled");
    for _ in 0..2 {
        let resumed = order(&world, &token, "resume").await;
        assert_eq!((resumed.status.as_u16(), resumed.json()), (200, before.clone()));
    }
    assert_eq!(periods(&owner, PRO).await, "active t f, active t f");
    assert_eq!(renewals(&owner).await, "first pending, other pending, second pending, wanted pending");
    assert_eq!(audited(&owner, PRO).await, "cancel-subscription resume-subscription");

    // What has come to an end by itself, stays as it is.
    for status in ["paid", "failed", "expired"] {
        owner
            .run(&format!("update public.invoices set status = '{status}' where reference_id = 'first'"))
            .await
            .unwrap();
        for action in ["cancel", "resume"] {
            assert_eq!(order(&world, &token, action).await.status, 200);
            let expected = format!("first {status}, other pending, second pending, wanted pending");
            assert_eq!(renewals(&owner).await, expected, "{action}");
        }
    }
    owner.run("update public.invoices set status = 'pending' where reference_id = 'first'").await.unwrap();

    // Not what can no longer be paid, what went back, or what he had opened himself.
    for (change, expected) in [
        ("expired_at = now()", "first cancelled, other cancelled, second pending, wanted cancelled"),
        (
            "expired_at = now() + interval '1 day', refunded_at = now()",
            "first cancelled, other cancelled, second pending, wanted cancelled",
        ),
        ("refunded_at = null", "first pending, other cancelled, second pending, wanted cancelled"),
    ] {
        assert_eq!(order(&world, &token, "cancel").await.status, 200);
        owner
            .run("update public.invoices set status = 'cancelled' where reference_id in ('wanted', 'other')")
            .await
            .unwrap();
        owner.run(&format!("update public.invoices set {change} where reference_id = 'first'")).await.unwrap();
        assert_eq!(order(&world, &token, "resume").await.status, 200);
        assert_eq!(renewals(&owner).await, expected, "{change}");
    }
}

#[tokio::test]
async fn a_trial_is_never_renewed() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let trial = order(&world, &token, "trial").await.json();
    let cancelled = order(&world, &token, "cancel").await.json();
    assert_eq!((&cancelled["status"], &cancelled["id"]), (&json!("trial"), &trial["id"]));
    assert_eq!(periods(&owner, FREE).await, "trial f t");
    assert_eq!(order(&world, &token, "trial").await.json(), cancelled, "it runs on");
    assert_eq!(order(&world, &token, "resume").await.json(), trial);
    assert_eq!(periods(&owner, FREE).await, "trial f f");
}

#[tokio::test]
async fn cancelling_and_resuming_at_once_happen_one_after_the_other() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    with_renewals(&owner).await;
    let orders = (0..20).map(|n| order(&world, &token, if n % 2 == 0 { "cancel" } else { "resume" }));
    let answers = join_all(orders).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let audit = audited(&owner, PRO).await;
    let turns: Vec<_> = audit.split(' ').collect();
    let is_in_turn =
        turns.iter().enumerate().all(|(n, action)| action.starts_with(if n % 2 == 0 { "cancel" } else { "resume" }));
    assert!(is_in_turn && !turns.is_empty(), "{audit}");
    let is_cancelled = turns.len() % 2 == 1;
    let (period, renewal) = if is_cancelled { ("cancelled f t", "cancelled") } else { ("active t f", "pending") };
    assert_eq!(periods(&owner, PRO).await, format!("{period}, {period}"));
    assert_eq!(renewals(&owner).await, format!("first {renewal}, other pending, second pending, wanted pending"));
}

#[tokio::test]
async fn without_a_subscription_or_a_known_action_there_is_nothing_to_do() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let subscriber = world.sign_in("pro@nofomo.test").await;
    assert_eq!(order(&world, &subscriber, "cancel").await.status, 200);
    for (token, action) in [
        (&token, "cancel"),
        (&token, "resume"),
        (&token, "TRIAL"),
        (&subscriber, "renew"),
        (&subscriber, "Resume"),
        (&subscriber, "resume%20"),
        (&subscriber, "%00"),
    ] {
        let answer = order(&world, token, action).await;
        assert!(is_problem(&answer, 404, "not-found"), "{action}: {answer:?}");
    }
    assert_eq!(periods(&owner, PRO).await, "cancelled f t");
    // One that has ended is none.
    owner
        .run(&format!(
            "update public.subscriptions set user_id = '{FREE}', expires_at = now() where id = '{ENTERPRISE_PERIOD}'"
        ))
        .await
        .unwrap();
    for action in ["cancel", "resume"] {
        assert!(is_problem(&order(&world, &token, action).await, 404, "not-found"));
    }
    assert_eq!(periods(&owner, FREE).await, "active t f", "untouched");

    for action in ["trial", "cancel", "resume"] {
        let answer = world.send(Method::POST, &format!("/subscription/{action}"), &[], "").await;
        assert!(is_problem(&answer, 401, "unauthenticated"), "{answer:?}");
    }
    owner.run(&format!("update public.users set is_active = false where id = '{FREE}'")).await.unwrap();
    for action in ["trial", "cancel", "resume"] {
        let answer = order(&world, &token, action).await;
        assert!(is_problem(&answer, 403, "deactivated"), "{action}: {answer:?}");
    }
    assert_eq!((periods(&owner, FREE).await.as_str(), audited(&owner, FREE).await.as_str()), ("active t f", ""));
}

#[tokio::test]
async fn nobody_gives_himself_a_plan_through_the_supabase_client() {
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
        // He may look at what is his.
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
async fn notifications_are_read_by_their_owner_alone() {
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
    let marked =
        session.0.execute_typed("update public.notifications set read_at = now() where title = 'note 1'", &[]).await;
    assert_eq!(marked.unwrap(), 1, "his own, and of the others not one");
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
    // Each is told once to each user, whoever tells it.
    let again = format!(
        "insert into public.notifications (user_id, fact, kind, title, body) values ('{PRO}', 'fact-1', 'payment', 'x', 'y')"
    );
    let refused = owner.run(&again).await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().constraint(), Some("notifications_fact_key"));
    let published = "select count(*) from pg_publication_tables
         where pubname = 'supabase_realtime' and tablename = 'notifications'";
    assert_eq!(owner.text(published).await, "1", "and they are heard of at once");
}
