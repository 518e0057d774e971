//! Callbacks as Tripay sends them, and users with an invoice to settle.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::database::Session;
use super::world::{HttpResponse, World};

pub(crate) const SUCCESS_BODY: &str = r#"{"success":true}"#;

pub(crate) const FAILURE_BODY: &str = r#"{"success":false}"#;

/// Private key in Tripay's documentation. Each body below is followed by its signature with this key.
pub(crate) const DOCUMENTED_KEY: &str = "ytf6ooi2gmlNPfpchd94jDOk8hRWOu";
pub(crate) const PLAIN: (&str, &str) = (
    r#"{"reference":"DEV-T0001000000000AAAAA","merchant_ref":"INV-2025-000123","payment_method":"QRIS by ShopeePay","payment_method_code":"QRIS","total_amount":100000,"fee_merchant":1450,"fee_customer":0,"total_fee":1450,"amount_received":98550,"is_closed_payment":1,"status":"PAID","paid_at":1763452411,"note":null}"#,
    "3e6d422cff9ad7cdc8ab8f24071b8dc7fa87c4b1bf2697d52a544197073617d0",
);
pub(crate) const ESCAPED: (&str, &str) = (
    r#"{"reference":"DEV-T0001000000000BBBBB","merchant_ref":"INV\/2025\/000124","payment_method":"BRI Virtual Account","payment_method_code":"BRIVA","total_amount":104250,"fee_merchant":0,"fee_customer":4250,"total_fee":4250,"amount_received":100000,"is_closed_payment":1,"status":"PAID","paid_at":1763452411,"note":"Caf\u00e9"}"#,
    "ec13ff183e9b0a3806377e7a0d0f88ad60f3d263e3f13c9c665ed813840190c9",
);
pub(crate) const WITHOUT_AMOUNTS: (&str, &str) = (
    r#"{"reference":"DEV-T0001000000000CCCCC","merchant_ref":"INV-2025-000125","payment_method":null,"payment_method_code":null,"amount_received":0,"fee_merchant":0,"fee_customer":0,"total_amount":0,"is_closed_payment":1,"status":"PAID","paid_at":null,"note":null,"total_fee":0}"#,
    "2b9d9d933925ed04bd91e75fc482fa62657d1d32eb8f016163bbcb9d241678d1",
);
pub(crate) const WITHOUT_IDS: (&str, &str) = (
    r#"{"reference":null,"merchant_ref":null,"payment_method":"BCA Virtual Account","payment_method_code":"BCAVA","total_amount":10000,"fee_merchant":4250,"fee_customer":0,"total_fee":4250,"amount_received":5750,"is_closed_payment":1,"status":"PAID","paid_at":1763452411,"note":"Test Callback"}"#,
    "689c0ae783b2cf907ddcbd58158fb0a8c4e6dbf4bfbc904edc9d7607409c1f6d",
);

/// [`Buyer::state`] before any callback has had an effect.
pub(crate) const UNPAID: &str = "pending A -; no period; free; notified of nothing; logged nothing";
/// [`Buyer::state`] after the payment.
pub(crate) const PAID: &str = "paid A A; active; pro; notified of paid; logged paid";

/// New user with a pending invoice for a month of Pro. A letter names each Tripay transaction of the invoice; its
/// reference begins with that letter.
pub(crate) struct Buyer {
    pub(crate) id: Uuid,
    pub(crate) invoice: Uuid,
}

impl Buyer {
    /// Adds a buyer whose invoice has the Tripay transaction `A`.
    pub(crate) async fn new(owner: &Session) -> Self {
        let buyer = Self::with_unrecorded_transaction(owner).await;
        buyer.update_invoice(owner, &format!("tripay_invoice_id = '{}'", buyer.reference("A"))).await;
        buyer
    }

    /// Adds a buyer whose invoice has no Tripay transaction yet, as Tripay's response is not recorded.
    pub(crate) async fn with_unrecorded_transaction(owner: &Session) -> Self {
        let buyer = Self { id: Uuid::new_v4(), invoice: Uuid::now_v7() };
        let Self { id, invoice } = &buyer;
        owner
            .run(&format!(
                "insert into public.users (id, email) values ('{id}', '{id}@nofomo.test');
                 insert into public.invoices (
                     id, user_id, plan_id, reference_id, amount, status, period, payment_method, description, expired_at
                 )
                 select '{invoice}', '{id}', plans.id, 'INV-{invoice}', 149000, 'pending', 'monthly', 'BRIVA', 'Pro, monthly',
                     now() + interval '1 day'
                 from public.plans where plans.name = 'Pro'"
            ))
            .await
            .unwrap();
        buyer
    }

    pub(crate) async fn update_invoice(&self, owner: &Session, assignments: &str) {
        owner.run(&format!("update public.invoices set {assignments} where id = '{}'", self.invoice)).await.unwrap();
    }

    pub(crate) fn reference(&self, letter: &str) -> String {
        format!("{letter}-{}", self.invoice)
    }

    /// Callback in the form that Tripay sends, with a note that occurs nowhere else.
    pub(crate) fn callback(&self, letter: &str, status: &str) -> Value {
        json!({
            "reference": self.reference(letter),
            "merchant_ref": format!("INV-{}", self.invoice),
            "payment_method": "BRI Virtual Account",
            "payment_method_code": "BRIVA",
            "total_amount": 149_000,
            "fee_merchant": 4250,
            "fee_customer": 0,
            "total_fee": 4250,
            "amount_received": 144_750,
            "is_closed_payment": 1,
            "status": status,
            "paid_at": (status == "PAID").then_some(1_763_452_411),
            "note": "planted-note",
        })
    }

    /// Delivers callbacks such as `A PAID, B EXPIRED`, each of which must be answered with success. Returns the
    /// outcomes of all events of the invoice.
    pub(crate) async fn deliver(&self, world: &World, callbacks: &str) -> String {
        let mut answers = Vec::new();
        for callback in callbacks.split(", ") {
            let (letter, status) = callback.split_once(' ').unwrap();
            answers.push(deliver_callback(world, &self.callback(letter, status)).await);
        }
        assert!(answers.iter().all(is_success), "{callbacks}: {answers:?}");
        self.outcomes(&world.database.owner().await).await
    }

    pub(crate) async fn outcomes(&self, owner: &Session) -> String {
        let outcomes = format!(
            "select string_agg(outcome, ' ' order by sequence) from private.payment_events where invoice_id = '{}'",
            self.invoice
        );
        owner.text(&outcomes).await
    }

    /// Summary of everything that a callback can change.
    pub(crate) async fn state(&self, owner: &Session) -> String {
        let Self { id, invoice } = self;
        let state = format!(
            "select concat_ws('; ',
                 (
                     select concat_ws(' ', status, coalesce(left(tripay_invoice_id, 1), '-'),
                         coalesce(left(transaction_id, 1), '-'), case when refunded_at is not null then 'refunded' end)
                     from public.invoices where id = '{invoice}'
                 ),
                 (
                     select coalesce(string_agg(status, ' ' order by started_at), 'no period')
                     from public.subscriptions where user_id = '{id}'
                 ),
                 (select subscription_plan from public.users where id = '{id}'),
                 (
                     select 'notified of ' || coalesce(
                         string_agg(split_part(fact, ':', 3), ' ' order by created_at), 'nothing'
                     )
                     from public.notifications where user_id = '{id}'
                 ),
                 (
                     select 'logged ' || coalesce(
                         string_agg(replace(message, 'Invoice is ', ''), ', ' order by created_at), 'nothing'
                     )
                     from public.logs where user_id = '{id}'
                 )
             )"
        );
        owner.text(&state).await
    }
}

pub(crate) fn with_changes(mut callback: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        callback[name] = value.clone();
    }
    callback
}

/// Delivers a callback with a valid signature.
pub(crate) async fn deliver_callback(world: &World, callback: &Value) -> HttpResponse {
    deliver_bytes(world, callback.to_string().into_bytes()).await
}

pub(crate) async fn deliver_bytes(world: &World, body: Vec<u8>) -> HttpResponse {
    let signature = world.stack.tripay().sign(&body);
    send_callback(world, &[("x-callback-event", "payment_status"), ("x-callback-signature", &signature)], body).await
}

pub(crate) async fn send_callback(world: &World, headers: &[(&str, &str)], body: Vec<u8>) -> HttpResponse {
    let headers = [&[("content-type", "application/json")], headers].concat();
    world.send_bytes(Method::POST, "/callbacks/tripay", &headers, body).await
}

pub(crate) fn is_success(answer: &HttpResponse) -> bool {
    answer.status == 200 && answer.headers["content-type"] == "application/json" && answer.text == SUCCESS_BODY
}

pub(crate) fn is_failure(answer: &HttpResponse, status: u16) -> bool {
    answer.status == status && answer.headers["content-type"] == "application/json" && answer.text == FAILURE_BODY
}

/// Newest stored event: body, whether the signature was valid, outcome, and whether it has an invoice.
pub(crate) async fn newest_event(owner: &Session) -> (Vec<u8>, bool, String, bool) {
    let newest = "select body, signature_valid, outcome, invoice_id is not null, source from private.payment_events
         order by sequence desc limit 1";
    let rows = owner.rows(newest, &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, String>(4), "callback");
    (rows[0].get(0), rows[0].get(1), rows[0].get(2), rows[0].get(3))
}

pub(crate) async fn event_count(owner: &Session) -> String {
    owner.text("select count(*) from private.payment_events").await
}
