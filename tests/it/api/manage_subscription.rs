//! `POST /subscription/{action}`: trials, cancellation and resumption.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::database::{ENTERPRISE, FREE, PRO, Session};
use crate::support::manual_tripay::time;
use crate::support::world::{HttpResponse, World, new_bot};

const PRO_PERIOD: &str = "0190d000-0000-7000-8000-000000000001";
const ENTERPRISE_PERIOD: &str = "0190d000-0000-7000-8000-000000000002";

async fn post_action(world: &World, token: &str, action: &str) -> HttpResponse {
    world.post_with(&format!("/subscription/{action}"), token, &[], "").await
}

fn is_problem(answer: &HttpResponse, status: u16, kind: &str) -> bool {
    answer.status == status && answer.problem() == kind
}

/// Audited subscription actions of a user, in order.
async fn audited_actions(owner: &Session, user: &str) -> String {
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

/// Adds a second period of Pro after the running one, a renewal invoice for each, an invoice that the user opened, and
/// a renewal invoice of another user. The renewal invoice of the second period has no Tripay transaction yet. Returns
/// the id of the second period.
async fn add_renewals(owner: &Session) -> String {
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
                         ('{PRO}', 'own', 'T3', null),
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
         where reference_id in ('first', 'second', 'own', 'other')";
    owner.text(rows).await
}

#[tokio::test]
async fn a_trial_gives_seven_days_of_pro_once_per_user() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let before = Utc::now();
    let answer = post_action(&world, &token, "trial").await;
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
    assert_eq!(world.post("/bots", &token, &new_bot("second")).await.status, 201, "the Free plan allows one");

    // A repetition returns the same trial.
    let again = post_action(&world, &token, "trial").await;
    assert_eq!((again.status.as_u16(), again.json()), (200, trial.clone()));
    assert_eq!(owner.text(&row).await, stored);
    assert_eq!(audited_actions(&owner, FREE).await, "start-trial");

    // The trial has ended, and the expiry job has not run.
    owner
        .run(&format!(
            "update public.subscriptions set started_at = now() - interval '8 days', expires_at = now() - interval '1 day',
                 trial_ends_at = now() - interval '1 day' where user_id = '{FREE}'"
        ))
        .await
        .unwrap();
    let used = post_action(&world, &token, "trial").await;
    assert!(is_problem(&used, 409, "trial-used"), "{used:?}");
    // The expiry job has run.
    assert_eq!(world.invoke_job("expire-subscriptions", "2027-02-01T00:00:00Z").await.status, 200);
    assert_eq!(owner.text(&plan).await, "free");
    let used = post_action(&world, &token, "trial").await;
    assert!(is_problem(&used, 409, "trial-used"), "{used:?}");
    assert_eq!(world.get("/portfolio", &token).await.json()["subscription"], Value::Null);
    assert_eq!(audited_actions(&owner, FREE).await.matches("start-trial").count(), 1);
}

#[tokio::test]
async fn a_trial_is_only_for_users_without_a_plan() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for (email, id) in [("pro@nofomo.test", PRO), ("enterprise@nofomo.test", ENTERPRISE)] {
        let token = world.sign_in(email).await;
        let before = periods(&owner, id).await;
        let refused = post_action(&world, &token, "trial").await;
        assert!(is_problem(&refused, 409, "already-subscribed"), "{refused:?}");
        // A cancelled subscription that still runs counts, too.
        assert_eq!(post_action(&world, &token, "cancel").await.status, 200);
        assert!(is_problem(&post_action(&world, &token, "trial").await, 409, "already-subscribed"));
        assert_eq!(periods(&owner, id).await, before.replace("active t f", "cancelled f t"));
    }
    // A past trial counts, whatever the current plan.
    owner
        .run(&format!(
            "insert into public.subscriptions (user_id, plan_id, status, started_at, expires_at, trial_ends_at)
             select '{PRO}', plan_id, 'expired', now() - interval '30 days', now() - interval '23 days', now() - interval '23 days'
             from public.subscriptions where id = '{PRO_PERIOD}'"
        ))
        .await
        .unwrap();
    let token = world.sign_in("pro@nofomo.test").await;
    assert!(is_problem(&post_action(&world, &token, "trial").await, 409, "trial-used"));
    // A subscription that has ended does not count.
    owner
        .run(&format!("update public.subscriptions set expires_at = now() where user_id = '{ENTERPRISE}'"))
        .await
        .unwrap();
    let token = world.sign_in("enterprise@nofomo.test").await;
    assert_eq!(post_action(&world, &token, "trial").await.json()["plan"], "Pro");
    let plan = format!("select subscription_plan from public.users where id = '{ENTERPRISE}'");
    assert_eq!(owner.text(&plan).await, "pro");
}

#[tokio::test]
async fn twenty_concurrent_trial_requests_start_one_trial() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    // Slows down each insertion, so that the requests overlap.
    owner
        .run(
            "create function private.slow_down() returns trigger language plpgsql as
                 $$ begin perform pg_sleep(0.3); return null; end $$;
             create trigger subscriptions_slow_down after insert on public.subscriptions
                 for each row execute function private.slow_down()",
        )
        .await
        .unwrap();
    let answers = join_all((0..20).map(|_| post_action(&world, &token, "trial"))).await;
    let first = answers[0].json();
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json() == first), "{answers:?}");
    assert_eq!(periods(&owner, FREE).await, "trial f f");
    assert_eq!(audited_actions(&owner, FREE).await, "start-trial");
}

#[tokio::test]
async fn a_user_without_a_profile_can_start_a_trial() {
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
    assert_eq!(post_action(&world, &token, "trial").await.status, 200);
    let plan = format!("select subscription_plan from public.users where id = '{id}'");
    assert_eq!(world.database.owner().await.text(&plan).await, "pro");
}

#[tokio::test]
async fn cancelling_turns_off_renewal_and_the_plan_continues_until_its_end() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let before = world.get("/portfolio", &token).await.json()["subscription"].clone();
    assert_eq!(
        (&before["status"], &before["auto_renew"], &before["cancelled_at"]),
        (&json!("active"), &json!(true), &json!(null))
    );
    add_renewals(&owner).await;
    let answer = post_action(&world, &token, "cancel").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cancelled = answer.json();
    let mut expected = before.clone();
    for (field, value) in [
        ("status", json!("cancelled")),
        ("auto_renew", json!(false)),
        ("cancelled_at", cancelled["cancelled_at"].clone()),
        // The second period follows the first.
        ("plan_ends_at", cancelled["plan_ends_at"].clone()),
    ] {
        expected[field] = value;
    }
    assert_eq!(cancelled, expected);
    assert!(time(&cancelled["plan_ends_at"]) > time(&before["expires_at"]) + TimeDelta::days(27));
    assert!(Utc::now() - time(&cancelled["cancelled_at"]) < TimeDelta::minutes(1));
    assert_eq!(periods(&owner, PRO).await, "cancelled f t, cancelled f t");
    // A renewal invoice is cancelled, unless it is unknown whether Tripay opened it.
    assert_eq!(renewals(&owner).await, "first cancelled, other pending, own pending, second pending");

    let portfolio = world.get("/portfolio", &token).await.json();
    assert_eq!((&portfolio["user"]["plan"], &portfolio["subscription"]), (&json!("Pro"), &cancelled));
    assert_eq!(world.post("/bots", &token, &new_bot("third")).await.status, 201);
    for _ in 0..2 {
        let again = post_action(&world, &token, "cancel").await;
        assert_eq!((again.status.as_u16(), again.json()), (200, cancelled.clone()));
    }
    assert_eq!(audited_actions(&owner, PRO).await, "cancel-subscription");
    assert_eq!(renewals(&owner).await, "first cancelled, other pending, own pending, second pending");

    // Other users' subscriptions are untouched.
    assert_eq!(periods(&owner, ENTERPRISE).await, "active t f");
    // The plan stays in force until its end.
    let plan = format!("select subscription_plan from public.users where id = '{PRO}'");
    let almost = time(&cancelled["plan_ends_at"]) - TimeDelta::seconds(1);
    for (moment, expected) in [(almost, "pro"), (time(&cancelled["plan_ends_at"]), "free")] {
        assert_eq!(world.invoke_job("expire-subscriptions", &moment.to_rfc3339()).await.status, 200);
        assert_eq!(owner.text(&plan).await, expected, "{moment}");
    }
}

#[tokio::test]
async fn resuming_restores_the_renewal() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    add_renewals(&owner).await;
    let before = world.get("/portfolio", &token).await.json()["subscription"].clone();
    // Nothing to resume yet.
    assert_eq!(post_action(&world, &token, "resume").await.json(), before);
    assert_eq!(audited_actions(&owner, PRO).await, "");

    assert_eq!(post_action(&world, &token, "cancel").await.json()["status"], "cancelled");
    for _ in 0..2 {
        let resumed = post_action(&world, &token, "resume").await;
        assert_eq!((resumed.status.as_u16(), resumed.json()), (200, before.clone()));
    }
    assert_eq!(periods(&owner, PRO).await, "active t f, active t f");
    assert_eq!(renewals(&owner).await, "first pending, other pending, own pending, second pending");
    assert_eq!(audited_actions(&owner, PRO).await, "cancel-subscription resume-subscription");

    // Invoices in a final status keep it.
    for status in ["paid", "failed", "expired"] {
        owner
            .run(&format!("update public.invoices set status = '{status}' where reference_id = 'first'"))
            .await
            .unwrap();
        for action in ["cancel", "resume"] {
            assert_eq!(post_action(&world, &token, action).await.status, 200);
            let expected = format!("first {status}, other pending, own pending, second pending");
            assert_eq!(renewals(&owner).await, expected, "{action}");
        }
    }
    owner.run("update public.invoices set status = 'pending' where reference_id = 'first'").await.unwrap();

    // Resuming does not restore invoices that have expired, were refunded, or were opened by the user.
    for (change, expected) in [
        ("expired_at = now()", "first cancelled, other cancelled, own cancelled, second pending"),
        (
            "expired_at = now() + interval '1 day', refunded_at = now()",
            "first cancelled, other cancelled, own cancelled, second pending",
        ),
        ("refunded_at = null", "first pending, other cancelled, own cancelled, second pending"),
    ] {
        assert_eq!(post_action(&world, &token, "cancel").await.status, 200);
        owner
            .run("update public.invoices set status = 'cancelled' where reference_id in ('own', 'other')")
            .await
            .unwrap();
        owner.run(&format!("update public.invoices set {change} where reference_id = 'first'")).await.unwrap();
        assert_eq!(post_action(&world, &token, "resume").await.status, 200);
        assert_eq!(renewals(&owner).await, expected, "{change}");
    }
}

#[tokio::test]
async fn a_trial_is_never_renewed() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let trial = post_action(&world, &token, "trial").await.json();
    let cancelled = post_action(&world, &token, "cancel").await.json();
    assert_eq!((&cancelled["status"], &cancelled["id"]), (&json!("trial"), &trial["id"]));
    assert_eq!(periods(&owner, FREE).await, "trial f t");
    assert_eq!(post_action(&world, &token, "trial").await.json(), cancelled, "the trial continues");
    assert_eq!(post_action(&world, &token, "resume").await.json(), trial);
    assert_eq!(periods(&owner, FREE).await, "trial f f");
}

#[tokio::test]
async fn concurrent_cancellations_and_resumptions_are_serialized() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    add_renewals(&owner).await;
    let requests = (0..20).map(|n| post_action(&world, &token, if n % 2 == 0 { "cancel" } else { "resume" }));
    let answers = join_all(requests).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let audit = audited_actions(&owner, PRO).await;
    let actions: Vec<_> = audit.split(' ').collect();
    let alternates =
        actions.iter().enumerate().all(|(n, action)| action.starts_with(if n % 2 == 0 { "cancel" } else { "resume" }));
    assert!(alternates && !actions.is_empty(), "{audit}");
    let is_cancelled = actions.len() % 2 == 1;
    let (period, renewal) = if is_cancelled { ("cancelled f t", "cancelled") } else { ("active t f", "pending") };
    assert_eq!(periods(&owner, PRO).await, format!("{period}, {period}"));
    assert_eq!(renewals(&owner).await, format!("first {renewal}, other pending, own pending, second pending"));
}

#[tokio::test]
async fn a_missing_subscription_or_an_unknown_action_is_not_found() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let subscriber = world.sign_in("pro@nofomo.test").await;
    assert_eq!(post_action(&world, &subscriber, "cancel").await.status, 200);
    for (token, action) in [
        (&token, "cancel"),
        (&token, "resume"),
        (&token, "TRIAL"),
        (&subscriber, "renew"),
        (&subscriber, "Resume"),
        (&subscriber, "resume%20"),
        (&subscriber, "%00"),
    ] {
        let answer = post_action(&world, token, action).await;
        assert!(is_problem(&answer, 404, "not-found"), "{action}: {answer:?}");
    }
    assert_eq!(periods(&owner, PRO).await, "cancelled f t");
    // A subscription that has ended is not found.
    owner
        .run(&format!(
            "update public.subscriptions set user_id = '{FREE}', expires_at = now() where id = '{ENTERPRISE_PERIOD}'"
        ))
        .await
        .unwrap();
    for action in ["cancel", "resume"] {
        assert!(is_problem(&post_action(&world, &token, action).await, 404, "not-found"));
    }
    assert_eq!(periods(&owner, FREE).await, "active t f", "untouched");

    for action in ["trial", "cancel", "resume"] {
        let answer = world.send(Method::POST, &format!("/subscription/{action}"), &[], "").await;
        assert!(is_problem(&answer, 401, "unauthenticated"), "{answer:?}");
    }
    owner.run(&format!("update public.users set is_active = false where id = '{FREE}'")).await.unwrap();
    for action in ["trial", "cancel", "resume"] {
        let answer = post_action(&world, &token, action).await;
        assert!(is_problem(&answer, 403, "deactivated"), "{action}: {answer:?}");
    }
    assert_eq!(
        (periods(&owner, FREE).await.as_str(), audited_actions(&owner, FREE).await.as_str()),
        ("active t f", "")
    );
}
