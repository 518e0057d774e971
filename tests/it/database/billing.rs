//! Billing rules: effects of payments, refunds, upgrades and time on a user's periods.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use nofomo_tripay::Payment;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::support::database::{Database, Session};
use crate::support::waiting::wait_until;

mod calendar;
mod concurrency;
mod ledger;
mod model;
mod periods;
mod sequences;

/// Database with a session for each role that the billing rules use.
struct BillingFixture {
    database: Database,
    /// Session of the owner, in Jakarta's time zone.
    owner: Session,
    jobs: Session,
    api: Session,
    auth: Session,
    invoice_count: AtomicUsize,
}

/// Invoice with a Tripay transaction.
struct Invoice {
    id: String,
    merchant_ref: String,
    reference: String,
    amount: i64,
}

impl BillingFixture {
    async fn new() -> Self {
        let database = Database::new().await;
        let owner = database.owner().await;
        // Deletes the sample users, as every run would process their periods.
        owner.run("set timezone = 'Asia/Jakarta'; delete from public.users").await.unwrap();
        let (jobs, api) = (database.session("nofomo_jobs").await, database.session("nofomo_api").await);
        let auth = database.session("supabase_auth_admin").await;
        Self { database, owner, jobs, api, auth, invoice_count: AtomicUsize::new(0) }
    }

    async fn add_plan(&self, name: &str, rank: i32, monthly: i64) {
        let plan = format!(
            "insert into public.plans (name, price_monthly, price_yearly, features, max_bots, max_strategies, sort_order)
             values ('{name}', {monthly}, {}, '[]', 1, 1, {rank})",
            monthly * 10
        );
        self.owner.run(&plan).await.unwrap();
    }

    /// Adds a user without history.
    async fn new_user(&self) -> String {
        let id = Uuid::new_v4().to_string();
        self.auth
            .run(&format!(
                "insert into auth.users (id, email, aud, role)
                 values ('{id}', '{id}@nofomo.test', 'authenticated', 'authenticated')"
            ))
            .await
            .unwrap();
        id
    }

    /// Creates an invoice like `POST /invoices`. Each uses another channel, as an identical request would return the
    /// same invoice.
    async fn create_invoice(&self, user: &str, plan: &str, period: &str) -> Invoice {
        const CHANNELS: [&str; 8] = ["BRIVA", "BCAVA", "BNIVA", "MANDIRIVA", "QRIS", "QRIS2", "OVO", "DANA"];
        let number = self.invoice_count.fetch_add(1, Ordering::Relaxed);
        let (id, method) = (Uuid::new_v4(), CHANNELS[number % CHANNELS.len()]);
        let input = json!({"id": id, "plan": plan, "period": period, "method": method, "customer_phone": null});
        let order = self.command("create_invoice", user, &input).await["opened"]["order"].clone();
        let merchant_ref = order["merchant_ref"].as_str().unwrap().to_owned();
        let reference = format!("DEV-T0001-{id}");
        let response = json!({
            "id": id,
            "merchant_code": "T0001",
            "transaction": {"reference": reference, "payment_name": method, "checkout_url": "https://tripay.co.id/checkout"},
        });
        assert_eq!(self.command("record_invoice", user, &response).await["tripay_invoice_id"], reference);
        Invoice { id: id.to_string(), merchant_ref, reference, amount: order["amount"].as_i64().unwrap() }
    }

    /// Creates an invoice and pays it immediately.
    async fn buy(&self, user: &str, plan: &str, period: &str, moment: &str) -> Invoice {
        let invoice = self.create_invoice(user, plan, period).await;
        self.pay(&invoice, moment).await;
        invoice
    }

    async fn pay(&self, invoice: &Invoice, moment: &str) {
        let result = settle(&self.jobs, "callback", &callback_body(invoice, "PAID"), time(moment)).await;
        assert_eq!(result["outcome"], "paid", "{moment}: {result}");
    }

    async fn refund(&self, invoice: &Invoice, moment: &str) {
        let result = settle(&self.jobs, "callback", &callback_body(invoice, "REFUND"), time(moment)).await;
        assert_eq!(result["outcome"], "refunded", "{moment}: {result}");
    }

    async fn expire(&self, moment: &str) -> Value {
        job(&self.jobs, "expire_subscriptions", &json!({"now": time(moment), "limit": 500, "after": null})).await
    }

    async fn command(&self, name: &str, user: &str, input: &Value) -> Value {
        command(&self.api, name, user, input).await
    }

    /// Periods of the user in Jakarta's time, ordered by start and end.
    async fn periods(&self, user: &str) -> Vec<String> {
        let sql = format!(
            "select concat_ws(
                 ' ', case when status = 'expired' then 'ended' end, plans.name, to_char(started_at, 'YYYY-MM-DD HH24:MI:SS'),
                 'to', to_char(expires_at, 'YYYY-MM-DD HH24:MI:SS'), 'worth', trim_scale(value)
             )
             from public.subscriptions
             inner join public.plans on plans.id = subscriptions.plan_id
             where user_id = '{user}'
             order by started_at, expires_at, sort_order"
        );
        self.owner.rows(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    async fn plan(&self, user: &str) -> String {
        self.owner.text(&format!("select subscription_plan from public.users where id = '{user}'")).await
    }

    /// Starts the calls one after the other and holds the lock of the user's row until all of them wait for it.
    async fn run_blocked<T>(&self, user: &str, calls: Vec<impl Future<Output = T>>) -> Vec<T> {
        let lock_holder = self.database.owner().await;
        lock_holder.run(&format!("begin; select from public.users where id = '{user}' for update")).await.unwrap();
        let call_count = calls.len();
        let calls = calls.into_iter().enumerate().map(async |(position, call)| {
            self.wait_until_blocked(position).await;
            call.await
        });
        let release = async {
            self.wait_until_blocked(call_count).await;
            lock_holder.run("commit").await.unwrap();
        };
        tokio::join!(join_all(calls), release).0
    }

    /// Waits until this many statements wait for a lock.
    async fn wait_until_blocked(&self, count: usize) {
        let blocked =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        let is_blocked = async || self.owner.text(blocked).await.parse::<usize>().unwrap() >= count;
        wait_until("statements wait for locks", is_blocked).await;
    }
}

/// Parses a moment in Jakarta's time, unless it has an offset.
fn time(moment: &str) -> DateTime<Utc> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(moment) {
        return moment.to_utc();
    }
    let local = NaiveDateTime::parse_from_str(&format!("{moment}:00"), "%Y-%m-%d %H:%M:%S");
    let local = local.or_else(|_| NaiveDateTime::parse_from_str(moment, "%Y-%m-%d %H:%M:%S")).unwrap();
    local.and_utc() - TimeDelta::hours(7)
}

/// Body of a callback whose fee is paid by the merchant.
fn callback_body(invoice: &Invoice, status: &str) -> Value {
    json!({
        "reference": invoice.reference,
        "merchant_ref": invoice.merchant_ref,
        "payment_method": "BRI Virtual Account",
        "payment_method_code": "BRIVA",
        "total_amount": invoice.amount,
        "fee_merchant": 4250,
        "fee_customer": 0,
        "total_fee": 4250,
        "amount_received": invoice.amount - 4250,
        "is_closed_payment": 1,
        "status": status,
        "paid_at": null,
        "note": null,
    })
}

async fn settle(jobs: &Session, source: &str, callback: &Value, now: DateTime<Utc>) -> Value {
    job(jobs, "settle_payment", &settlement_input(source, callback, true, now)).await
}

/// Input of `private.settle_payment`, as the functions pass it: with the bytes of a callback, or with a queried
/// payment.
fn settlement_input(source: &str, callback: &Value, signature_valid: bool, now: DateTime<Utc>) -> Value {
    let body = callback.to_string();
    let payment = Payment::parse(body.as_bytes()).unwrap();
    let stored = if source == "callback" { body.into_bytes() } else { serde_json::to_vec(&payment).unwrap() };
    json!({
        "now": now,
        "source": source,
        "body": BASE64_STANDARD.encode(stored),
        "signature_valid": signature_valid,
        "event": "payment_status",
        "payment": signature_valid.then_some(payment),
    })
}

async fn command(api: &Session, name: &str, user: &str, input: &Value) -> Value {
    let claims = json!({"sub": user, "role": "authenticated"}).to_string();
    let call = format!("select private.{name}($1::text::jsonb, $2::text::jsonb)::text");
    json_result(api.rows(&call, &[&claims, &input.to_string()]).await, name)
}

async fn job(jobs: &Session, name: &str, input: &Value) -> Value {
    let call = format!("select private.{name}($1::text::jsonb)::text");
    json_result(jobs.rows(&call, &[&input.to_string()]).await, name)
}

fn json_result(rows: Result<Vec<Row>, tokio_postgres::Error>, name: &str) -> Value {
    let rows = rows.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    serde_json::from_str(rows[0].get(0)).unwrap()
}
