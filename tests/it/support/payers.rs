//! Users with purchases and subscription periods at fixed times in the future.

use serde_json::json;

use super::database::Session;
use super::fake_tripay::FakeTripay;
use super::world::World;

pub(crate) fn payer_id(number: u32) -> String {
    format!("0190b001-0000-7000-8000-{number:012}")
}

/// Deletes all billing rows of the sample users and adds this many users without purchases.
pub(crate) async fn reset_to_payers(owner: &Session, count: u32) {
    owner
        .run(&format!(
            "delete from public.subscriptions;
             delete from public.invoices;
             delete from public.notifications;
             delete from public.logs;
             update public.users set subscription_plan = 'free';
             insert into public.users (id, email, full_name)
             select
                 ('0190b001-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'payer-' || n || '@nofomo.test', 'Payer ' || n
             from generate_series(1, {count}) as n"
        ))
        .await
        .unwrap();
}

/// World with a [`FakeTripay`] and this many users without purchases.
pub(crate) async fn world_with_payers(count: u32) -> (World, FakeTripay, Session) {
    let tripay = FakeTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
    let owner = world.database.owner().await;
    reset_to_payers(&owner, count).await;
    (world, tripay, owner)
}

pub(crate) struct Period {
    pub(crate) plan: &'static str,
    pub(crate) status: &'static str,
    pub(crate) from: &'static str,
    pub(crate) until: &'static str,
}

pub(crate) async fn add_period(owner: &Session, user: u32, period: &Period) {
    let Period { plan, status, from, until } = period;
    owner
        .rows(
            "insert into public.subscriptions (
                 user_id, plan_id, status, started_at, expires_at, period_months, anchored_at, auto_renew, cancelled_at,
                 trial_ends_at
             )
             select
                 $1::uuid, plans.id, $3, $4::timestamptz, $5::timestamptz, case when $3 <> 'trial' then 1 end,
                 $4::timestamptz, $3 = 'active', case when $3 = 'cancelled' then $4::timestamptz end,
                 case when $3 = 'trial' then $5::timestamptz end
             from public.plans where plans.name = $2",
            &[&payer_id(user), plan, status, from, until],
        )
        .await
        .unwrap();
}

pub(crate) struct Purchase {
    pub(crate) plan: &'static str,
    pub(crate) period: &'static str,
    pub(crate) method: &'static str,
    pub(crate) at: &'static str,
}

/// Inserts an invoice and settles its payment at the same moment.
pub(crate) async fn buy(owner: &Session, user: u32, purchase: &Purchase) {
    let Purchase { plan, period, method, at } = purchase;
    let rows = owner
        .rows(
            "insert into public.invoices (
                 user_id, plan_id, reference_id, tripay_invoice_id, amount, status, period, payment_method, description,
                 customer_name, customer_email, customer_phone, expired_at, created_at
             )
             select
                 users.id, plans.id, 'BOUGHT-' || gen_random_uuid(), 'DEV-' || gen_random_uuid(),
                 round(case $3 when 'yearly' then price_yearly else price_monthly end), 'pending', $3, $4,
                 plans.name || ', ' || $3, users.full_name, users.email, '081200000000', $5::timestamptz + interval '1 day',
                 $5::timestamptz
             from public.plans, public.users
             where plans.name = $2 and users.id = $1::uuid
             returning reference_id, tripay_invoice_id, amount::bigint",
            &[&payer_id(user), plan, period, method, at],
        )
        .await
        .unwrap();
    let (merchant_ref, reference): (String, String) = (rows[0].get(0), rows[0].get(1));
    settle_callback(owner, &reference, &merchant_ref, rows[0].get(2), "PAID", at).await;
}

/// Settles a payment as a callback at this time would.
pub(crate) async fn settle_callback(
    owner: &Session,
    reference: &str,
    merchant_ref: &str,
    amount: i64,
    status: &str,
    at: &str,
) {
    let settlement = json!({
        "now": at,
        "source": "callback",
        "body": "e30=",
        "signature_valid": true,
        "event": "payment_status",
        "payment": {
            "reference": reference,
            "merchant_ref": merchant_ref,
            "total_amount": amount,
            "fee_merchant": 0,
            "fee_customer": 0,
            "total_fee": 0,
            "amount_received": amount,
            "is_closed_payment": true,
            "status": status,
            "paid_at": (status == "PAID").then_some(at),
        },
    });
    let result = owner.text(&format!("private.settle_payment('{settlement}')")).await;
    assert!(result.contains("\"needs_attention\" : false"), "{result}");
}
