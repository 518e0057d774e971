//! Many users whose subscriptions are due to expire, and the rows that their expiry changes.

use serde_json::{Value, json};

use super::database::Session;
use super::payers::{payer_id, reset_to_payers};

pub(crate) const FUNCTION: &str = "expire-subscriptions";
pub(crate) const NOW: &str = "2027-03-01T05:00:00Z";

/// Adds this many users whose period of Pro ended in the 24 hours before [`NOW`], at evenly spaced times. Every tenth
/// user has a following period; every twentieth has three running bots.
pub(crate) async fn add_due_subscriptions(owner: &Session, count: u32) {
    reset_to_payers(owner, count).await;
    owner
        .run(&format!(
            "update public.users set subscription_plan = 'pro' where email like 'payer-%';
             insert into public.subscriptions (
                 id, user_id, plan_id, status, started_at, expires_at, period_months, value
             )
             select
                 ('0190d001-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                 ('0190b001-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                 plans.id, 'active', ended - interval '28 days', ended, 1, 149000
             from generate_series(1, {count}) as n
             cross join lateral (select timestamptz '{NOW}' - n * interval '1 day' / {count} as ended) as period
             inner join public.plans on plans.name = 'Pro';
             insert into public.subscriptions (
                 id, user_id, plan_id, status, started_at, expires_at, period_months, value
             )
             select
                 overlay(id::text placing '0190d002' from 1)::uuid, user_id, plan_id, 'active', expires_at,
                 expires_at + interval '1 month', 1, 149000
             from public.subscriptions
             where right(id::text, 12)::bigint % 10 = 0;
             alter table public.bots disable trigger user;
             insert into public.bots (
                 id, user_id, name, exchange, trading_pair, timeframe, strategy, status, initial_balance, current_balance,
                 stake_amount, created_at
             )
             select
                 ('0190f00' || place || '-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                 ('0190b001-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                 'Bot ' || place, 'binance', 'BTC/USDT', '1h', 'EMA cross', 'running', 1000, 1000, 100,
                 timestamptz '2027-01-01' + place * interval '1 day'
             from generate_series(5, {count}, 20) as n, generate_series(1, 3) as place;
             alter table public.bots enable trigger user;
             -- Gives the planner statistics, as in production.
             analyze public.users, public.subscriptions, public.bots"
        ))
        .await
        .unwrap();
}

pub(crate) fn expected_counts(subscriptions: u64, stopped_bots: u64, failures: u64, is_complete: bool) -> Value {
    json!({
        "subscriptions": subscriptions,
        "stopped_bots": stopped_bots,
        "invoices": 0,
        "failures": failures,
        "is_complete": is_complete,
    })
}

pub(crate) async fn bots_of(owner: &Session, user: u32) -> String {
    let bots = "select string_agg(name || ' ' || status, ', ' order by created_at) from public.bots where user_id";
    owner.text(&format!("{bots} = '{}'", payer_id(user))).await
}

/// All rows that a run changes, without the times of the changes.
pub(crate) async fn billing_rows(owner: &Session) -> Vec<Vec<String>> {
    let mut tables = Vec::new();
    for sql in [
        "select concat_ws(' ', id, status, started_at, expires_at, auto_renew) from public.subscriptions order by id",
        "select concat_ws(' ', id, subscription_plan) from public.users order by id",
        "select concat_ws(' ', id, status, error_message) from public.bots order by id",
        "select concat_ws(' ', user_id, fact, kind, title, body, context, created_at)
         from public.notifications order by user_id, fact",
        "select concat_ws(' ', user_id, bot_id, log_level, message, context, source, count(*)) as line
         from public.logs group by user_id, bot_id, log_level, message, context, source order by line",
    ] {
        tables.push(owner.list(sql).await);
    }
    tables
}
