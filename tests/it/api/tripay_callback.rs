//! `POST /callbacks/tripay`

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, FixedOffset, Months, NaiveDateTime, Utc};
use futures_util::future::join_all;
use nofomo_tripay::PrivateKey;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::database::{Database, Session};
use crate::support::world::{Answer, World};

const SUCCESS: &str = r#"{"success":true}"#;
const ATTENTION: &str = "Payment needs attention";
const FAILURE: &str = r#"{"success":false}"#;

/// The private key of Tripay's documentation, and what it signs these bodies with.
const DOCUMENTED_KEY: &str = "ytf6ooi2gmlNPfpchd94jDOk8hRWOu";
const PLAIN: (&str, &str) = (
    r#"{"reference":"DEV-T0001000000000AAAAA","merchant_ref":"INV-2025-000123","payment_method":"QRIS by ShopeePay","payment_method_code":"QRIS","total_amount":100000,"fee_merchant":1450,"fee_customer":0,"total_fee":1450,"amount_received":98550,"is_closed_payment":1,"status":"PAID","paid_at":1763452411,"note":null}"#,
    "3e6d422cff9ad7cdc8ab8f24071b8dc7fa87c4b1bf2697d52a544197073617d0",
);
const ESCAPED: (&str, &str) = (
    r#"{"reference":"DEV-T0001000000000BBBBB","merchant_ref":"INV\/2025\/000124","payment_method":"BRI Virtual Account","payment_method_code":"BRIVA","total_amount":104250,"fee_merchant":0,"fee_customer":4250,"total_fee":4250,"amount_received":100000,"is_closed_payment":1,"status":"PAID","paid_at":1763452411,"note":"Caf\u00e9"}"#,
    "ec13ff183e9b0a3806377e7a0d0f88ad60f3d263e3f13c9c665ed813840190c9",
);
const WITHOUT_AMOUNTS: (&str, &str) = (
    r#"{"reference":"DEV-T0001000000000CCCCC","merchant_ref":"INV-2025-000125","payment_method":null,"payment_method_code":null,"amount_received":0,"fee_merchant":0,"fee_customer":0,"total_amount":0,"is_closed_payment":1,"status":"PAID","paid_at":null,"note":null,"total_fee":0}"#,
    "2b9d9d933925ed04bd91e75fc482fa62657d1d32eb8f016163bbcb9d241678d1",
);
const WITHOUT_IDS: (&str, &str) = (
    r#"{"reference":null,"merchant_ref":null,"payment_method":"BCA Virtual Account","payment_method_code":"BCAVA","total_amount":10000,"fee_merchant":4250,"fee_customer":0,"total_fee":4250,"amount_received":5750,"is_closed_payment":1,"status":"PAID","paid_at":1763452411,"note":"Test Callback"}"#,
    "689c0ae783b2cf907ddcbd58158fb0a8c4e6dbf4bfbc904edc9d7607409c1f6d",
);

/// The state of a buyer of whose callbacks none changed anything, and of one who has paid.
const UNPAID: &str = "pending A -; no period; free; told of nothing; logged nothing";
const PAID: &str = "paid A A; active; pro; told of paid; logged paid";

/// Somebody new with a pending invoice for a month of Pro. References of his transactions begin with one letter.
struct Buyer {
    id: Uuid,
    invoice: Uuid,
}

impl Buyer {
    /// Tripay has answered that it opened `A`.
    async fn new(owner: &Session) -> Self {
        let buyer = Self::unanswered(owner).await;
        buyer.set(owner, &format!("tripay_invoice_id = '{}'", buyer.reference("A"))).await;
        buyer
    }

    /// What Tripay answered is not recorded, or not yet.
    async fn unanswered(owner: &Session) -> Self {
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

    async fn set(&self, owner: &Session, assignments: &str) {
        owner.run(&format!("update public.invoices set {assignments} where id = '{}'", self.invoice)).await.unwrap();
    }

    fn reference(&self, letter: &str) -> String {
        format!("{letter}-{}", self.invoice)
    }

    /// As Tripay writes it, with a note that is in no other place.
    fn callback(&self, letter: &str, status: &str) -> Value {
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

    /// Delivers callbacks such as `A PAID, B EXPIRED`, all of which are taken, and says what was made of them.
    async fn hears(&self, world: &World, callbacks: &str) -> String {
        let mut answers = Vec::new();
        for callback in callbacks.split(", ") {
            let (letter, status) = callback.split_once(' ').unwrap();
            answers.push(tell(world, &self.callback(letter, status)).await);
        }
        assert!(answers.iter().all(is_success), "{callbacks}: {answers:?}");
        self.outcomes(&world.database.owner().await).await
    }

    async fn outcomes(&self, owner: &Session) -> String {
        let outcomes = format!(
            "select string_agg(outcome, ' ' order by sequence) from private.payment_events where invoice_id = '{}'",
            self.invoice
        );
        owner.text(&outcomes).await
    }

    /// All that callbacks can change.
    async fn state(&self, owner: &Session) -> String {
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
                     select 'told of ' || coalesce(
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

fn with(mut callback: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        callback[name] = value.clone();
    }
    callback
}

/// As Tripay does: signed over exactly these bytes.
async fn tell(world: &World, callback: &Value) -> Answer {
    tell_bytes(world, callback.to_string().into_bytes()).await
}

async fn tell_bytes(world: &World, body: Vec<u8>) -> Answer {
    let signature = world.stack.tripay().sign(&body);
    send(world, &[("x-callback-event", "payment_status"), ("x-callback-signature", &signature)], body).await
}

async fn send(world: &World, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let headers = [&[("content-type", "application/json")], headers].concat();
    world.send_bytes(Method::POST, "/callbacks/tripay", &headers, body).await
}

fn is_success(answer: &Answer) -> bool {
    answer.status == 200 && answer.headers["content-type"] == "application/json" && answer.text == SUCCESS
}

fn is_failure(answer: &Answer, status: u16) -> bool {
    answer.status == status && answer.headers["content-type"] == "application/json" && answer.text == FAILURE
}

/// The newest delivery that was kept: body, whether its signature was right, outcome, and whether it has an invoice.
async fn kept(owner: &Session) -> (Vec<u8>, bool, String, bool) {
    let newest = "select body, signature_valid, outcome, invoice_id is not null, source from private.payment_events
         order by sequence desc limit 1";
    let rows = owner.rows(newest, &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, String>(4), "callback");
    (rows[0].get(0), rows[0].get(1), rows[0].get(2), rows[0].get(3))
}

async fn deliveries(owner: &Session) -> String {
    owner.text("select count(*) from private.payment_events").await
}

#[tokio::test]
async fn what_tripay_documents_is_understood_byte_for_byte() {
    let world = World::with(BTreeMap::from([("TRIPAY_PRIVATE_KEY".into(), DOCUMENTED_KEY.into())])).await;
    let owner = world.database.owner().await;
    let mut buyers = Vec::new();
    for merchant_ref in ["INV-2025-000123", "INV/2025/000124", "INV-2025-000125"] {
        let buyer = Buyer::unanswered(&owner).await;
        buyer.set(&owner, &format!("reference_id = '{merchant_ref}', amount = 100000")).await;
        buyers.push(buyer);
    }
    // The same JSON in other bytes is not what was signed.
    let rewritten = ESCAPED.0.replace(r"\/", "/").replace(r"\u00e9", "é");
    assert_eq!(serde_json::from_str::<Value>(&rewritten).unwrap(), serde_json::from_str::<Value>(ESCAPED.0).unwrap());
    let answer = send(&world, &[("x-callback-signature", ESCAPED.1)], rewritten.into_bytes()).await;
    assert!(is_failure(&answer, 401), "{answer:?}");
    assert_eq!(buyers[1].state(&owner).await, "pending - -; no period; free; told of nothing; logged nothing");

    for ((body, signature), outcome) in
        [(PLAIN, "paid"), (ESCAPED, "paid"), (WITHOUT_AMOUNTS, "wrong_amount"), (WITHOUT_IDS, "test")]
    {
        let headers = [("x-callback-event", "payment_status"), ("x-callback-signature", signature)];
        let answer = send(&world, &headers, body.into()).await;
        assert!(is_success(&answer), "{outcome}: {answer:?}");
        assert_eq!(kept(&owner).await, (body.into(), true, outcome.into(), outcome != "test"));
    }
    let paid = "paid D D; active; pro; told of paid; logged paid";
    assert_eq!(buyers[0].state(&owner).await, paid);
    assert_eq!(buyers[1].state(&owner).await, paid);
    assert_eq!(buyers[2].state(&owner).await, "pending D -; no period; free; told of nothing; logged nothing");
    let stored =
        "select string_agg(concat_ws(' ', transaction_id, payment_channel, extract(epoch from paid_at)::bigint), ', '
         order by transaction_id) from public.invoices where amount = 100000 and status = 'paid'";
    assert_eq!(
        owner.text(stored).await,
        "DEV-T0001000000000AAAAA QRIS by ShopeePay 1763452411, DEV-T0001000000000BBBBB BRI Virtual Account 1763452411"
    );
}

#[tokio::test]
async fn a_payment_gives_one_period_from_now_on_and_is_told_of_once() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    let Buyer { id, invoice } = &buyer;
    let before = Utc::now();
    assert!(is_success(&tell(&world, &buyer.callback("A", "PAID")).await));

    let rows = owner
        .rows(
            "select
                 concat_ws(' ', subscriptions.status, plans.name, auto_renew, value, period_months, cancelled_at, trial_ends_at),
                 started_at at time zone 'Asia/Jakarta', expires_at at time zone 'Asia/Jakarta', subscriptions.id::text
             from public.subscriptions inner join public.plans on plans.id = plan_id where invoice_id = $1::uuid",
            &[&invoice.to_string()],
        )
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, String>(0), "active Pro t 149000.0000 1");
    let (starts, ends): (NaiveDateTime, NaiveDateTime) = (rows[0].get(1), rows[0].get(2));
    let in_jakarta = |time: DateTime<Utc>| time.with_timezone(&FixedOffset::east_opt(7 * 3600).unwrap()).naive_local();
    assert!((in_jakarta(before)..=in_jakarta(Utc::now())).contains(&starts), "{starts}");
    assert_eq!(ends, starts + Months::new(1), "a calendar month later, at the same time of the day");

    let stored = format!(
        "select concat_ws(' ', status, transaction_id = tripay_invoice_id, payment_channel, extract(epoch from paid_at)::bigint,
             refunded_at)
         from public.invoices where id = '{invoice}'"
    );
    assert_eq!(owner.text(&stored).await, "paid t BRI Virtual Account 1763452411");
    let told = format!(
        "select concat_ws('|', kind, title, body, context, read_at) from public.notifications where user_id = '{id}'"
    );
    let day = |time: NaiveDateTime| time.format("%-d %B %Y").to_string();
    let context = format!(r#"{{"invoice_id": "{invoice}", "subscription_id": "{}"}}"#, rows[0].get::<_, String>(3));
    let expected = format!(
        "payment|Payment received|We received Rp149.000 for Pro, monthly. Your plan is active from {} until {}.|{context}",
        day(starts),
        day(ends)
    );
    assert_eq!(owner.text(&told).await, expected);
    let audit = format!("select (log_level, message, context, source) from public.logs where user_id = '{id}'");
    let context = format!(
        r#"{{"action": "settle-payment", "amount": 149000.00, "source": "callback", "invoice_id": "{invoice}"}}"#
    );
    assert_eq!(
        owner.text(&audit).await,
        format!("(info,\"Invoice is paid\",\"{}\",billing)", context.replace('"', "\"\""))
    );

    // Tripay sends it again, as it does, and a second of the same may come at any time.
    assert_eq!(buyer.hears(&world, "A PAID, A PAID, A PAID").await, "paid duplicate duplicate duplicate");
    assert_eq!(buyer.state(&owner).await, PAID);
    assert_eq!(owner.text(&told).await, expected);
    let again: Vec<NaiveDateTime> = owner
        .rows(
            "select expires_at at time zone 'Asia/Jakarta' from public.subscriptions where user_id = $1::uuid",
            &[&id.to_string()],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(again, [ends]);
}

#[tokio::test]
async fn two_of_one_callback_at_once_pay_once() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for round in 0..20 {
        // Also those that come before create's answer is stored.
        let buyer = if round % 2 == 0 { Buyer::new(&owner).await } else { Buyer::unanswered(&owner).await };
        let callback = buyer.callback("A", "PAID");
        let answers = join_all((0..2 + round % 3).map(|_| tell(&world, &callback))).await;
        assert!(answers.iter().all(is_success), "{answers:?}");
        let expected = format!("paid{}", " duplicate".repeat(1 + round % 3));
        assert_eq!((buyer.outcomes(&owner).await, buyer.state(&owner).await), (expected, PAID.into()));
    }
}

#[tokio::test]
async fn whatever_comes_in_whichever_order_a_paid_invoice_is_paid_once() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for (callbacks, outcomes, state) in [
        ("A PAID", "paid", PAID),
        ("A UNPAID, A PAID, A UNPAID", "unpaid paid unpaid", PAID),
        // What comes late takes nothing back.
        ("A PAID, A EXPIRED, A FAILED, A EXPIRED", "paid too_late too_late too_late", PAID),
        (
            "A EXPIRED, A EXPIRED, A FAILED",
            "expired duplicate too_late",
            "expired A -; no period; free; told of nothing; logged expired",
        ),
        (
            "A FAILED, A FAILED, A EXPIRED",
            "failed duplicate too_late",
            "failed A -; no period; free; told of nothing; logged failed",
        ),
        // The money has moved all the same.
        (
            "A EXPIRED, A PAID, A EXPIRED",
            "expired paid too_late",
            "paid A A; active; pro; told of paid; logged expired, paid",
        ),
        ("A FAILED, A PAID", "failed paid", "paid A A; active; pro; told of paid; logged failed, paid"),
        (
            "A PAID, A REFUND, A REFUND, A PAID, A EXPIRED",
            "paid refunded duplicate duplicate too_late",
            "paid A A refunded; expired; free; told of paid refunded; logged paid, refunded",
        ),
        (
            "A REFUND, A REFUND, A PAID, A EXPIRED",
            "refunded_unpaid duplicate duplicate too_late",
            "cancelled A - refunded; no period; free; told of refunded; logged refunded unpaid",
        ),
        ("A paid", "paid", PAID),
        ("A Paid, A expired", "paid too_late", PAID),
        ("A PARTIAL, A 7", "unknown_status unknown_status", UNPAID),
    ] {
        let buyer = Buyer::new(&owner).await;
        assert_eq!(buyer.hears(&world, callbacks).await, outcomes, "{callbacks}");
        assert_eq!(buyer.state(&owner).await, state, "{callbacks}");
    }
}

#[tokio::test]
async fn of_several_transactions_of_one_invoice_the_first_paid_one_pays_it() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for (callbacks, outcomes, state) in [
        ("B PAID", "paid", "paid A B; active; pro; told of paid; logged paid"),
        (
            "B PAID, A EXPIRED, A FAILED, B EXPIRED",
            "paid other_transaction other_transaction too_late",
            "paid A B; active; pro; told of paid; logged paid",
        ),
        // That the other one ended says nothing of this one.
        ("B EXPIRED, B FAILED, B UNPAID", "other_transaction other_transaction unpaid", UNPAID),
        ("A PAID, B PAID, B PAID", "paid paid_twice paid_twice", PAID),
        ("B PAID, A PAID", "paid paid_twice", "paid A B; active; pro; told of paid; logged paid"),
        // What was paid in excess goes back, and what was bought stays.
        ("A PAID, B PAID, B REFUND", "paid paid_twice other_transaction", PAID),
        (
            "B PAID, A REFUND, B REFUND, A PAID",
            "paid other_transaction refunded paid_twice",
            "paid A B refunded; expired; free; told of paid refunded; logged paid, refunded",
        ),
        ("A EXPIRED, B PAID", "expired paid", "paid A B; active; pro; told of paid; logged expired, paid"),
    ] {
        let buyer = Buyer::new(&owner).await;
        assert_eq!(buyer.hears(&world, callbacks).await, outcomes, "{callbacks}");
        assert_eq!(buyer.state(&owner).await, state, "{callbacks}");
    }

    // One that is another invoice's says nothing of this one, whatever else it says.
    let (one, other) = (Buyer::new(&owner).await, Buyer::unanswered(&owner).await);
    for status in ["PAID", "EXPIRED", "REFUND"] {
        let mixed = with(other.callback("X", status), &json!({"reference": one.reference("A")}));
        assert!(is_success(&tell(&world, &mixed).await));
    }
    assert_eq!(other.outcomes(&owner).await, ["reference_of_another"; 3].join(" "));
    assert_eq!(other.state(&owner).await, "pending - -; no period; free; told of nothing; logged nothing");
    assert_eq!((one.outcomes(&owner).await.as_str(), one.state(&owner).await.as_str()), ("", UNPAID));
}

#[tokio::test]
async fn what_comes_before_creates_answer_is_recorded_with_its_reference() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for (callbacks, outcomes, state) in [
        ("A PAID, B EXPIRED", "paid other_transaction", PAID),
        ("A EXPIRED", "expired", "expired A -; no period; free; told of nothing; logged expired"),
        ("A UNPAID, B FAILED", "unpaid other_transaction", UNPAID),
        ("A PAID, B PAID", "paid paid_twice", PAID),
    ] {
        let buyer = Buyer::unanswered(&owner).await;
        assert_eq!(buyer.hears(&world, callbacks).await, outcomes, "{callbacks}");
        assert_eq!(buyer.state(&owner).await, state, "{callbacks}");
    }
}

#[tokio::test]
async fn whoever_cancelled_or_was_given_up_and_pays_all_the_same_has_paid() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for status in ["cancelled", "expired", "failed"] {
        let buyer = Buyer::new(&owner).await;
        buyer.set(&owner, &format!("status = '{status}', expired_at = now() - interval '1 hour'")).await;
        let late = buyer.hears(&world, "A EXPIRED").await;
        assert_eq!(late, if status == "expired" { "duplicate" } else { "too_late" });
        assert_eq!(buyer.hears(&world, "A PAID").await, format!("{late} paid"));
        assert_eq!(buyer.state(&owner).await, PAID, "{status}");
    }
}

#[tokio::test]
async fn a_refund_ends_the_period_now() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    buyer.hears(&world, "A PAID").await;
    let is_over = format!(
        "select concat_ws(' ', status, expires_at <= clock_timestamp(), expires_at > clock_timestamp() - interval '1 minute',
             value, auto_renew)
         from public.subscriptions where user_id = '{}'",
        buyer.id
    );
    assert_eq!(owner.text(&is_over).await, "active f t 149000.0000 t");
    // Tripay does not say what amounts a refund has.
    let refund =
        with(buyer.callback("A", "REFUND"), &json!({"total_amount": 0, "amount_received": 0, "total_fee": null}));
    for _ in 0..2 {
        assert!(is_success(&tell(&world, &refund).await));
    }
    assert_eq!(buyer.outcomes(&owner).await, "paid refunded duplicate");
    assert_eq!(owner.text(&is_over).await, "expired t t 0.0000 f");
    let told = format!(
        "select title || ': ' || body from public.notifications where user_id = '{}' order by created_at desc limit 1",
        buyer.id
    );
    assert_eq!(
        owner.text(&told).await,
        "Payment refunded: Rp149.000 for Pro, monthly was refunded. The subscription that it paid for has ended."
    );
}

#[tokio::test]
async fn an_amount_pays_if_it_is_the_invoices_without_the_customers_fee() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for (changes, outcome) in [
        // Fees of the merchant, of the customer, of both, of nobody.
        (json!({}), "paid"),
        (json!({"total_amount": 153_250, "fee_merchant": 0, "fee_customer": 4250, "amount_received": 149_000}), "paid"),
        (
            json!({"total_amount": 151_000, "fee_merchant": 2250, "fee_customer": 2000, "amount_received": 146_750}),
            "paid",
        ),
        (json!({"fee_merchant": 0, "total_fee": 0, "amount_received": 149_000}), "paid"),
        // What is not told is not contradicted.
        (json!({"fee_merchant": null, "fee_customer": null, "total_fee": null, "amount_received": null}), "paid"),
        (json!({"total_amount": "149000", "fee_merchant": "4250.00", "paid_at": "1763452411"}), "paid"),
        (json!({"total_amount": 148_999, "amount_received": 144_749}), "wrong_amount"),
        (json!({"total_amount": 149_001, "amount_received": 144_751}), "wrong_amount"),
        (json!({"total_amount": 153_250, "amount_received": 149_000}), "wrong_amount"),
        (json!({"fee_merchant": 0, "fee_customer": 4250}), "wrong_amount"),
        (json!({"total_amount": 0, "fee_merchant": 0, "total_fee": 0, "amount_received": 0}), "wrong_amount"),
        (json!({"total_amount": -149_000}), "wrong_amount"),
        (json!({"total_amount": null}), "wrong_amount"),
        (json!({"total_amount": 1, "fee_customer": null}), "wrong_amount"),
        (json!({"total_amount": 0, "fee_customer": -149_000}), "wrong_amount"),
        (json!({"total_amount": i64::MAX, "amount_received": i64::MAX}), "wrong_amount"),
        (json!({"total_amount": i64::MAX, "fee_customer": i64::MIN}), "wrong_amount"),
        // Right but for what it is said to be made of.
        (json!({"total_fee": 4251}), "inconsistent"),
        (json!({"amount_received": 149_000}), "inconsistent"),
        (json!({"fee_merchant": 0}), "inconsistent"),
        (json!({"fee_merchant": i64::MAX}), "inconsistent"),
        (
            json!({"total_amount": 100, "fee_customer": -148_900, "total_fee": -144_650, "amount_received": 144_750}),
            "inconsistent",
        ),
        (json!({"fee_merchant": -1, "total_fee": -1, "amount_received": 149_001}), "inconsistent"),
    ] {
        let buyer = Buyer::new(&owner).await;
        let answer = tell(&world, &with(buyer.callback("A", "PAID"), &changes)).await;
        assert!(is_success(&answer), "{changes}: {answer:?}");
        assert_eq!(buyer.outcomes(&owner).await, outcome, "{changes}");
        assert_eq!(buyer.state(&owner).await, if outcome == "paid" { PAID } else { UNPAID }, "{changes}");
        // A right one still can come.
        if outcome != "paid" {
            assert_eq!(buyer.hears(&world, "A PAID").await, format!("{outcome} paid"));
            assert_eq!(buyer.state(&owner).await, PAID, "{changes}");
        }
    }
}

#[tokio::test]
async fn what_concerns_no_invoice_of_ours_has_no_effect_and_is_kept() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::unanswered(&owner).await;
    let untouched = buyer.state(&owner).await;
    for (changes, outcome) in [
        (json!({"reference": null, "merchant_ref": null, "note": "Test Callback"}), "test"),
        (json!({"reference": "", "merchant_ref": ""}), "test"),
        (json!({"merchant_ref": "INV-of-nobody"}), "unknown_invoice"),
        (json!({"merchant_ref": null}), "unknown_invoice"),
        (json!({"reference": null, "merchant_ref": "x"}), "unknown_invoice"),
        (json!({"merchant_ref": format!("inv-{}", buyer.invoice)}), "unknown_invoice"),
        (json!({"merchant_ref": format!("INV-{}-2", buyer.invoice)}), "unknown_invoice"),
    ] {
        let callback = with(buyer.callback("A", "PAID"), &changes);
        assert!(is_success(&tell(&world, &callback).await), "{changes}");
        assert_eq!(kept(&owner).await, (callback.to_string().into_bytes(), true, outcome.into(), false));
    }
    // A code that many pay whatever they like to, of which this is no invoice.
    for flag in [json!(0), json!(false), json!("0")] {
        assert!(is_success(
            &tell(&world, &with(buyer.callback("O", "PAID"), &json!({"is_closed_payment": flag}))).await
        ));
    }
    assert_eq!(buyer.outcomes(&owner).await, ["open_payment"; 3].join(" "));
    assert_eq!(buyer.state(&owner).await, untouched);

    // One of the two ids is enough.
    assert!(is_success(&tell(&world, &with(buyer.callback("A", "PAID"), &json!({"reference": null}))).await));
    assert_eq!(buyer.state(&owner).await, "paid - -; active; pro; told of paid; logged paid");
    let other = Buyer::new(&owner).await;
    assert!(is_success(&tell(&world, &with(other.callback("A", "PAID"), &json!({"merchant_ref": null}))).await));
    assert_eq!(other.state(&owner).await, PAID);
}

#[tokio::test]
async fn another_event_is_kept_and_means_nothing() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    let body = buyer.callback("A", "PAID").to_string().into_bytes();
    let signature = world.stack.tripay().sign(&body);
    for event in ["payment", "PAYMENT_STATUS", "payment_status2", ""] {
        let headers = [("x-callback-event", event), ("x-callback-signature", &signature)];
        assert!(is_success(&send(&world, &headers, body.clone()).await), "{event}");
        assert_eq!(kept(&owner).await, (body.clone(), true, "other_event".into(), false));
    }
    assert_eq!(buyer.state(&owner).await, UNPAID);
    // There is only one; whoever leaves it out means this one.
    assert!(is_success(&send(&world, &[("X-CALLBACK-SIGNATURE", &signature)], body).await));
    assert_eq!(buyer.state(&owner).await, PAID);
}

#[tokio::test]
async fn what_tripay_has_not_signed_is_refused_and_has_no_effect() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    let body = buyer.callback("A", "PAID").to_string();
    let right = world.stack.tripay().sign(body.as_bytes());
    let flipped = format!("{}{}", &right[..63], if right.ends_with('0') { '1' } else { '0' });
    let twice = [("x-callback-signature", right.as_str()), ("x-callback-signature", right.as_str())];
    let other = world.stack.tripay().sign(buyer.callback("A", "EXPIRED").to_string().as_bytes());
    let prefixed = format!("sha256={right}");
    for headers in [
        &[][..],
        &[("x-callback-signature", "")],
        &[("x-callback-signature", &flipped)],
        &[("x-callback-signature", &other)],
        &[("x-callback-signature", &right[..62])],
        &[("x-callback-signature", &prefixed)],
        &[("x-callback-signature", "not hexadecimal at all")],
        &[("x-callback-signature", DOCUMENTED_KEY)],
        &[("x-signature", &right)],
        &twice,
    ] {
        let answer = send(&world, headers, body.clone().into_bytes()).await;
        assert!(is_failure(&answer, 401), "{headers:?}: {answer:?}");
        assert_eq!(kept(&owner).await, (body.clone().into_bytes(), false, "bad_signature".into(), false));
    }
    // Not one byte more or less, wherever it is.
    for changed in [format!("{body}\n"), format!(" {body}"), body.replace("149000", "149001"), String::new()] {
        let answer = send(&world, &[("x-callback-signature", &right)], changed.clone().into_bytes()).await;
        assert!(is_failure(&answer, 401), "{changed}: {answer:?}");
        assert_eq!(kept(&owner).await, (changed.into_bytes(), false, "bad_signature".into(), false));
    }
    assert_eq!((buyer.outcomes(&owner).await.as_str(), buyer.state(&owner).await.as_str()), ("", UNPAID));
    // Of what anyone may have sent, so much is kept that it can be seen what it was.
    let long = "é".repeat(32 * 1024);
    let answer = send(&world, &[("x-callback-signature", &right)], long.clone().into_bytes()).await;
    assert!(is_failure(&answer, 401), "{answer:?}");
    assert_eq!(kept(&owner).await.0, &long.as_bytes()[..1024]);

    let answer = send(&world, &[("x-callback-signature", &right.to_uppercase())], body.into_bytes()).await;
    assert!(is_success(&answer), "{answer:?}");
    assert_eq!(buyer.state(&owner).await, PAID);
}

#[tokio::test]
async fn a_body_has_at_most_64_kibibytes() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    let mut body = buyer.callback("A", "PAID").to_string().into_bytes();
    body.resize(64 * 1024 + 1, b' ');
    for length in [64 * 1024 + 1, 1024 * 1024 + 1] {
        body.resize(length, b' ');
        let answer = tell_bytes(&world, body.clone()).await;
        assert!(is_failure(&answer, 413), "{answer:?}");
    }
    assert_eq!((deliveries(&owner).await.as_str(), buyer.state(&owner).await.as_str()), ("0", UNPAID));
    body.truncate(64 * 1024);
    assert!(is_success(&tell_bytes(&world, body.clone()).await));
    assert_eq!(kept(&owner).await, (body, true, "paid".into(), true));
    assert_eq!(buyer.state(&owner).await, PAID);
}

#[tokio::test]
async fn what_is_signed_and_cannot_be_read_is_a_400_and_kept() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    let as_text = |changes: Value| with(buyer.callback("A", "PAID"), &changes).to_string();
    let paid = as_text(json!({}));
    let mut not_utf8 = paid.replace("planted-note", "planted-note?").into_bytes();
    let position = not_utf8.iter().position(|byte| *byte == b'?').unwrap();
    not_utf8[position] = 0xff;
    let mut count = 0;
    for body in [
        b"".to_vec(),
        b"not json".into(),
        b"{".into(),
        b"null".into(),
        b"\"PAID\"".into(),
        b"reference=A&status=PAID".into(),
        b"\0".into(),
        paid[..paid.len() - 1].into(),
        format!("{paid}{paid}").into(),
        format!("[{paid}]").into(),
        format!("\u{feff}{paid}").into(),
        not_utf8.clone(),
        "[".repeat(60_000).into(),
        as_text(json!({"status": null})).into(),
        as_text(json!({"status": ["PAID"]})).into(),
        // PostgreSQL has no such character.
        as_text(json!({"note": "planted-note\0"})).into(),
        as_text(json!({"reference": "A\0"})).into(),
        as_text(json!({"merchant_ref": "\0"})).into(),
        as_text(json!({"status": "PAID\0"})).into(),
        // Numbers that nobody has, and texts that nobody could keep.
        as_text(json!({"total_amount": u64::MAX})).into(),
        as_text(json!({"total_amount": 149_000.5})).into(),
        as_text(json!({"total_amount": "a lot"})).into(),
        paid.replace("149000", "1e400").into(),
        paid.replace("149000", &"9".repeat(1000)).into(),
        as_text(json!({"is_closed_payment": 2})).into(),
        as_text(json!({"reference": "A".repeat(256)})).into(),
    ] {
        let answer = tell_bytes(&world, body.clone()).await;
        let shown = String::from_utf8_lossy(&body);
        assert!(is_failure(&answer, 400), "{shown}: {answer:?}");
        assert_eq!(kept(&owner).await, (body.clone(), true, "unreadable".into(), false), "{shown}");
        count += 1;
    }
    assert_eq!(deliveries(&owner).await, count.to_string());
    assert_eq!(buyer.state(&owner).await, UNPAID);
    let unreadable = world.logged(ATTENTION, count).await;
    assert!(
        unreadable.iter().all(|line| line["level"] == "ERROR" && line["outcome"] == "unreadable"),
        "{unreadable:?}"
    );

    // What nobody reads may be anything, and so may be the times; the channel's name is cut where its column ends.
    let odd = with(
        buyer.callback("A", "PAID"),
        &json!({"extra": "\0", "deep": {"\0": [[[u64::MAX, 1e300]]]}, "paid_at": i64::MAX, "payment_method": "x".repeat(300)}),
    );
    assert!(is_success(&tell(&world, &odd).await));
    assert_eq!(kept(&owner).await, (odd.to_string().into_bytes(), true, "paid".into(), true));
    assert_eq!(buyer.state(&owner).await, PAID);
    let stored = format!(
        "select concat_ws(' ', length(payment_channel), paid_at between now() - interval '1 minute' and clock_timestamp())
         from public.invoices where id = '{}'",
        buyer.invoice
    );
    assert_eq!(owner.text(&stored).await, "100 t");
}

#[tokio::test]
async fn a_body_that_the_gateway_encodes_is_signed_as_it_was_sent() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    // What is not text by its type, API Gateway sends in base64; the second one has a character that is not ASCII.
    for (content_type, note) in
        [("application/octet-stream", "é"), ("application/x-www-form-urlencoded", "e"), ("", "é")]
    {
        let buyer = Buyer::new(&owner).await;
        let body = with(buyer.callback("A", "PAID"), &json!({"note": note})).to_string().into_bytes();
        let signature = world.stack.tripay().sign(&body);
        let headers = [("content-type", content_type), ("x-callback-signature", &signature)];
        let answer = world.send_bytes(Method::POST, "/callbacks/tripay", &headers, body.clone()).await;
        assert!(is_success(&answer), "{content_type}: {answer:?}");
        assert_eq!(kept(&owner).await, (body, true, "paid".into(), true));
        assert_eq!(buyer.state(&owner).await, PAID, "{content_type}");
    }
}

#[tokio::test]
async fn without_a_database_tripay_is_asked_to_send_it_again() {
    let database = Database::new().await;
    // Past the pooler, which would go on without the server for a while.
    let settings = BTreeMap::from([("DATABASE_URL".into(), database.url("nofomo_jobs"))]);
    let world = World::on(database, settings).await;
    let owner = world.database.owner().await;
    let limit = |limit| format!("alter database {} connection limit {limit}", world.database.name);
    let buyer = Buyer::new(&owner).await;
    let callback = buyer.callback("A", "PAID");
    owner.run(&limit(0)).await.unwrap();
    let answer = tell(&world, &callback).await;
    assert!(is_failure(&answer, 500), "{answer:?}");
    assert_eq!((deliveries(&owner).await.as_str(), buyer.state(&owner).await.as_str()), ("0", UNPAID));
    owner.run(&limit(-1)).await.unwrap();
    assert!(is_success(&tell(&world, &callback).await));
    assert_eq!(buyer.state(&owner).await, PAID);

    // It was there, and goes away.
    owner.run(&limit(0)).await.unwrap();
    owner
        .run(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where usename = 'nofomo_jobs' and datname = current_database()",
        )
        .await
        .unwrap();
    let refund = buyer.callback("A", "REFUND");
    let answer = tell(&world, &refund).await;
    assert!(is_failure(&answer, 500), "{answer:?}");
    owner.run(&limit(-1)).await.unwrap();
    // A mistake of ours is no other thing to Tripay.
    owner.run("alter function private.settle_payment(jsonb) rename to settle").await.unwrap();
    let answer = tell(&world, &refund).await;
    assert!(is_failure(&answer, 500), "{answer:?}");
    assert_eq!((deliveries(&owner).await.as_str(), buyer.state(&owner).await.as_str()), ("1", PAID));
    owner.run("alter function private.settle(jsonb) rename to settle_payment").await.unwrap();
    assert!(is_success(&tell(&world, &refund).await));
    assert_eq!(buyer.outcomes(&owner).await, "paid refunded");
    let causes = world.logged("POST /callbacks/tripay 500", 3).await;
    assert!(causes.iter().all(|line| line["level"] == "ERROR" && line["cause"].is_string()), "{causes:?}");
    assert!(!world.log().contains("planted-note"));
}

#[tokio::test]
async fn what_needs_attention_is_an_error_in_the_log_and_nothing_else_says_more_than_its_outcome() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let (buyer, other) = (Buyer::new(&owner).await, Buyer::new(&owner).await);
    let of_another = json!({"reference": other.reference("A")});
    let (mut signatures, mut errors) = (Vec::new(), Vec::new());
    for (callback, is_error) in [
        (buyer.callback("A", "UNPAID"), false),
        (with(buyer.callback("A", "PAID"), &json!({"total_amount": 1})), true),
        (with(buyer.callback("A", "PAID"), &json!({"total_fee": 1})), true),
        (with(buyer.callback("A", "PAID"), &json!({"is_closed_payment": 0})), false),
        (with(buyer.callback("A", "PAID"), &of_another), true),
        (buyer.callback("A", "PARTIAL"), true),
        (buyer.callback("A", "EXPIRED"), false),
        (buyer.callback("A", "FAILED"), false),
        (buyer.callback("B", "FAILED"), false),
        (Buyer::new(&owner).await.callback("A", "FAILED"), false),
        (buyer.callback("A", "PAID"), false),
        (buyer.callback("A", "PAID"), false),
        (buyer.callback("B", "PAID"), true),
        (buyer.callback("A", "REFUND"), false),
        (other.callback("A", "REFUND"), true),
        (with(buyer.callback("A", "PAID"), &json!({"merchant_ref": "planted-ref"})), true),
        (json!({"note": "planted-note"}), true),
        (json!({"status": "PAID", "note": "planted-note"}), false),
    ] {
        let body = callback.to_string().into_bytes();
        signatures.push(world.stack.tripay().sign(&body));
        tell_bytes(&world, body).await;
        if is_error {
            errors.push(json!(kept(&owner).await.2));
        }
    }
    let body = buyer.callback("A", "PAID").to_string().into_bytes();
    signatures.push(world.stack.tripay().sign(&body));
    send(&world, &[("x-callback-event", "other"), ("x-callback-signature", signatures.last().unwrap())], body.clone())
        .await;
    errors.push(json!("other_event"));
    send(&world, &[("x-callback-signature", "planted-signature")], body).await;
    world.logged("POST /callbacks/tripay 401", 1).await;
    let attention = world.logged(ATTENTION, errors.len()).await;
    assert!(attention.iter().all(|line| line["level"] == "ERROR"), "{attention:?}");
    assert_eq!(attention.iter().map(|line| line["outcome"].clone()).collect::<Vec<_>>(), errors);
    let requests = world.logged("POST /callbacks/tripay 200", signatures.len() - 1).await;

    let distinct = "select count(distinct outcome) from private.payment_events";
    assert_eq!(owner.text(distinct).await, "20", "every outcome there is");
    let log = world.log();
    for secret in signatures.iter().map(String::as_str).chain([
        "planted",
        "local-sandbox-private-key",
        "DEV-local-sandbox-key",
        // Of references and of bodies, also in base64.
        &buyer.reference("A"),
        &format!("INV-{}", buyer.invoice),
        "149000",
        "total_amount",
        "eyJ",
    ]) {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    let fields: BTreeSet<_> = requests.iter().flat_map(|line| line.as_object().unwrap().keys().cloned()).collect();
    let expected = "_aws cold_starts database_ms duration_ms function level message outcome outside_ms request_id requests \
         route stage status timestamp trace_id";
    assert_eq!(fields, expected.split_whitespace().map(String::from).collect());
    let told: BTreeSet<_> = requests.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert!(told.contains("paid") && told.contains("other_event"), "each settlement has a count of its own: {told:?}");
}

#[tokio::test]
async fn deliveries_are_for_us_alone() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    buyer.hears(&world, "A PAID").await;
    for role in ["nofomo_api", "nofomo_jobs"] {
        let session = world.database.session(role).await;
        for sql in [
            "select * from private.payment_events",
            "insert into private.payment_events (received_at, source, body, signature_valid, outcome)
             values (now(), 'callback', '', true, 'paid')",
            "update private.payment_events set outcome = 'paid'",
            "delete from private.payment_events",
        ] {
            let refused = session.run(sql).await.unwrap_err();
            assert_eq!(refused.code().unwrap().code(), "42501", "{role}: {sql}");
        }
    }
    let session = world.database.session("nofomo_api").await;
    let refused = session.run("select private.settle_payment('{}'::jsonb)").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501", "only a function that has no user may settle");
}

/// What is compared in a process of its own, which the test after this one starts.
const COMPARED: &str = "NOFOMO_TEST_SIGNATURE";

#[test]
#[expect(clippy::disallowed_methods, reason = "how the test that starts it says which")]
fn one_signature_is_compared() {
    let (body, right) = PLAIN;
    let key = PrivateKey::read(|_| Some(DOCUMENTED_KEY.into())).unwrap();
    let signature = std::env::var(COMPARED).unwrap_or_else(|_| right.into());
    // As much memory is taken and given back: the allocator then answers the comparison from the thread's own cache. Otherwise it may
    // have to look elsewhere, depending on what another thread does, and a few instructions more are counted.
    drop(hex::decode(&signature).unwrap());
    assert_eq!(key.has_signed(body.as_bytes(), &signature), signature == right);
}

/// Counted, not timed: how many instructions a comparison takes.
#[tokio::test]
async fn a_wrong_signature_takes_as_long_wherever_it_is_wrong() {
    let (_, right) = PLAIN;
    let instructions = async |signature: String| {
        let mut valgrind = tokio::process::Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--read-inline-info=no"]);
        valgrind.arg("--toggle-collect=*PrivateKey::has_signed*").arg(std::env::current_exe().unwrap());
        valgrind.args(["--exact", "api::tripay_callback::one_signature_is_compared", "--test-threads=1"]);
        let output = valgrind.env(COMPARED, &signature).output().await;
        let output = output.expect("the tests need valgrind: apt-get install valgrind");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{signature}: {said}");
        let counted = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
        counted.unwrap_or_else(|| panic!("{signature}: {said}"))
    };
    // Another digit of the same kind, as reading 3 and c are not the same branch.
    let wrong_at = |places: &[usize]| -> String {
        let other = |(place, digit): (usize, char)| match digit {
            _ if !places.contains(&place) => digit,
            '9' => '0',
            'f' => 'a',
            digit => char::from(digit as u8 + 1),
        };
        right.chars().enumerate().map(other).collect()
    };
    let wrong = [wrong_at(&[0]), wrong_at(&[31]), wrong_at(&[63]), wrong_at(&(0..64).collect::<Vec<_>>())];
    let mut counted = Vec::<u64>::new();
    for signature in wrong {
        counted.push(instructions(signature).await);
    }
    assert!(counted[0] > 1_000, "{counted:?}");
    assert!(counted.iter().all(|count| *count == counted[0]), "{counted:?}");
}
