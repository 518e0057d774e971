//! `POST /invoices`

use std::collections::BTreeMap;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::database::{Database, FREE, PRO, Session};
use crate::support::waiting::PATIENCE;
use crate::support::world::{Answer, World};

const ORDER: &str = "POST /api-sandbox/transaction/create";

fn lookup(merchant_ref: &str) -> String {
    format!("GET /api-sandbox/merchant/transactions?page=1&per_page=50&sort=asc&merchant_ref={merchant_ref}")
}

/// Tripay, whose every answer a test gives by hand.
struct Tripay(TcpListener);

/// A request that waits for its answer.
struct Asked {
    /// As in `POST /api-sandbox/transaction/create`.
    what: String,
    headers: BTreeMap<String, String>,
    body: Value,
    connection: TcpStream,
}

impl Tripay {
    async fn start() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let url = format!("http://{}/api-sandbox", self.0.local_addr().unwrap());
        BTreeMap::from([("TRIPAY_URL".into(), url)])
    }

    async fn asked(&self) -> Asked {
        let accepted = timeout(PATIENCE, self.0.accept()).await;
        let (mut connection, _) = accepted.expect("Tripay is asked").unwrap();
        let mut request = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&request).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let mut lines = head.lines();
                let what = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
                let pairs = lines.map(|line| line.split_once(": ").unwrap());
                let headers: BTreeMap<_, _> =
                    pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
                let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
                if body.len() == length {
                    let body = serde_json::from_str(body).unwrap_or_default();
                    return Asked { what, headers, body, connection };
                }
            }
            assert_ne!(connection.read_buf(&mut request).await.unwrap(), 0, "{text}");
        }
    }

    /// The next request, which must be for a new transaction.
    async fn ordered(&self) -> Asked {
        let asked = self.asked().await;
        assert_eq!(asked.what, ORDER);
        asked
    }

    /// The next request, which must be for the transactions of one merchant_ref.
    async fn looked_up(&self, merchant_ref: &str) -> Asked {
        let asked = self.asked().await;
        assert_eq!(asked.what, lookup(merchant_ref));
        asked
    }

    /// Whether nobody waits for an answer.
    fn is_idle(&self) -> bool {
        self.0.accept().now_or_never().is_none()
    }
}

impl Asked {
    fn merchant_ref(&self) -> String {
        self.body["merchant_ref"].as_str().unwrap().to_owned()
    }

    async fn answer(self, status: u16, body: &Value) {
        self.answer_text(status, "application/json", &body.to_string()).await;
    }

    async fn answer_text(mut self, status: u16, content_type: &str, text: &str) {
        let length = text.len();
        let answer = format!(
            "HTTP/1.1 {status} So\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nlocation: /elsewhere\r\n\r\n\
             {text}"
        );
        self.connection.write_all(answer.as_bytes()).await.unwrap();
    }

    async fn open(self, reference: &str) {
        let opened = opened(&self.body, reference);
        self.answer(200, &opened).await;
    }

    async fn list(self, transactions: &[Value]) {
        let pagination =
            json!({"current_page": 1, "next_page": null, "last_page": 1, "total_records": transactions.len()});
        let body = json!({"success": true, "message": "Success", "data": transactions, "pagination": pagination});
        self.answer(200, &body).await;
    }

    fn reset(self) {
        self.connection.set_zero_linger().unwrap();
    }
}

/// What Tripay answers when it has opened what it was asked for, an hour less of it than was asked for.
fn opened(order: &Value, reference: &str) -> Value {
    let amount = order["amount"].as_i64().unwrap();
    let mut items = order["order_items"].clone();
    items[0]["subtotal"] = json!(amount);
    json!({"success": true, "message": "", "data": {
        "reference": reference, "merchant_ref": order["merchant_ref"], "payment_selection_type": "static",
        "payment_method": order["method"], "payment_name": "BRI Virtual Account", "customer_name": order["customer_name"],
        "customer_email": order["customer_email"], "customer_phone": null, "callback_url": order["callback_url"],
        "return_url": null, "amount": amount + 4250, "fee_merchant": 0, "fee_customer": 4250, "total_fee": 4250,
        "amount_received": amount, "pay_code": "0578912345678901", "pay_url": null,
        "checkout_url": format!("https://tripay.test/checkout/{reference}"), "status": "UNPAID",
        "expired_time": order["expired_time"].as_i64().unwrap() - 3600, "order_items": items,
        "instructions": [{"title": "ATM BRI", "steps": ["Masukkan <b>0578912345678901</b>"]}],
    }})
}

/// The same among the transactions of a merchant_ref.
fn listed(order: &Value, reference: &str) -> Value {
    let mut item = opened(order, reference)["data"].take();
    let fields = item.as_object_mut().unwrap();
    let deadline = fields.remove("expired_time");
    fields.remove("instructions");
    for (name, value) in [
        ("expired_at", deadline.unwrap()),
        ("pay_code", json!(578_912)),
        ("paid_at", json!(null)),
        ("note", json!(null)),
    ] {
        fields.insert(name.into(), value);
    }
    item
}

fn pro(method: &str) -> Value {
    json!({"plan": "Pro", "period": "monthly", "method": method})
}

/// Buys, while Tripay does something.
async fn buy_while<T>(world: &World, token: &str, body: &Value, tripay: impl Future<Output = T>) -> (Answer, T) {
    tokio::join!(world.post("/invoices", token, body), tripay)
}

/// Buys, where Tripay opens what it is asked for.
async fn buy(world: &World, tripay: &Tripay, token: &str, body: &Value, reference: &str) -> Answer {
    let opening = async { tripay.ordered().await.open(reference).await };
    let (answer, ()) = buy_while(world, token, body, opening).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

/// Newest last: status and Tripay's reference of each invoice that a test made for the user.
async fn invoices(owner: &Session, user: &str) -> String {
    let all = format!(
        "select coalesce(string_agg(concat_ws(' ', status, coalesce(tripay_invoice_id, '-')), ', ' order by created_at), '')
         from public.invoices where user_id = '{user}' and reference_id like 'INV-%'"
    );
    owner.text(&all).await
}

fn is_unanswered(answer: &Answer) -> bool {
    answer.status == 504 && answer.problem() == "no-answer"
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_invoice_is_opened_at_tripay_and_answered_with_every_field() {
    let tripay = Tripay::start().await;
    let mut settings = tripay.settings();
    settings.insert("TRIPAY_CALLBACK_URL".into(), "https://api.nofomo.test/callbacks/tripay".into());
    settings.insert("TRIPAY_RETURN_URL".into(), "https://nofomo.test/billing".into());
    let world = World::with(settings).await;
    let token = world.sign_in("free@nofomo.test").await;
    let body = json!({"plan": "PRO", "period": "monthly", "method": "BRIVA", "customer_phone": "+6281200000000"});
    let before = Utc::now();
    let opening = async {
        let asked = tripay.ordered().await;
        let order = asked.body.clone();
        let headers = asked.headers.clone();
        asked.open("DEV-T0000000000001ABCDE").await;
        (order, headers)
    };
    let (answer, (order, headers)) = buy_while(&world, &token, &body, opening).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(tripay.is_idle(), "asked once");

    let invoice = answer.json();
    let id = invoice["id"].as_str().unwrap();
    let reference = format!("INV-{id}");
    assert_eq!(answer.headers["location"], format!("/invoices/{id}"));
    assert_eq!(answer.headers["content-type"], "application/json");
    let plan_id = world.database.owner().await.text("select id from public.plans where name = 'Pro'").await;
    assert_eq!(
        invoice,
        json!({
            "id": id, "plan_id": plan_id, "plan": "Pro", "period": "monthly", "description": "Pro, monthly",
            "amount": "149000.00", "status": "pending", "payment_method": "BRIVA", "payment_channel": "BRI Virtual Account",
            "reference_id": reference, "tripay_invoice_id": "DEV-T0000000000001ABCDE",
            "checkout_url": "https://tripay.test/checkout/DEV-T0000000000001ABCDE", "pay_code": "0578912345678901",
            "pay_url": null, "qr_url": null, "expired_at": invoice["expired_at"], "paid_at": null, "refunded_at": null,
            "created_at": invoice["created_at"],
        })
    );
    // Not what was asked for, but what Tripay gives.
    let (created, asked_for) = (time(&invoice["created_at"]), order["expired_time"].as_i64().unwrap());
    assert!((before..=Utc::now()).contains(&created), "{created}");
    assert_eq!(asked_for, (created + TimeDelta::days(1)).timestamp());
    assert_eq!(time(&invoice["expired_at"]).timestamp(), asked_for - 3600);

    let signature = world.stack.tripay().sign(format!("T0000{reference}149000").as_bytes());
    assert_eq!(
        order,
        json!({
            "method": "BRIVA", "merchant_ref": reference, "amount": 149_000, "customer_name": "Fitri Hapsari",
            "customer_email": "free@nofomo.test", "customer_phone": "+6281200000000",
            "order_items": [{"sku": reference, "name": "Pro, monthly", "price": 149_000, "quantity": 1}],
            "callback_url": "https://api.nofomo.test/callbacks/tripay", "return_url": "https://nofomo.test/billing",
            "expired_time": asked_for, "signature": signature,
        })
    );
    assert_eq!(order["amount"].to_string(), "149000", "whole rupiah");
    assert_eq!(headers["authorization"], "Bearer DEV-local-sandbox-key");
    assert_eq!(headers["content-type"], "application/json");
    assert!(headers["user-agent"].starts_with("nofomo/"), "{headers:?}");

    let owner = world.database.owner().await;
    let row = format!(
        "select (user_id, tripay_invoice_id, tripay_merchant_id, reference_id, amount, status, transaction_id, customer_name,
             customer_email, customer_phone, pay_code, paid_at, renews_subscription_id)
         from public.invoices where id = '{id}'"
    );
    assert_eq!(
        owner.text(&row).await,
        format!(
            "({FREE},DEV-T0000000000001ABCDE,T0000,{reference},149000.00,pending,,\"Fitri Hapsari\",free@nofomo.test,\
             +6281200000000,0578912345678901,,)"
        )
    );
    let audit = format!(
        "select string_agg(concat_ws(' ', log_level, message, source, context ->> 'action'), ', ') from public.logs
         where context ->> 'invoice_id' = '{id}'"
    );
    assert_eq!(owner.text(&audit).await, "info Opened invoice billing create-invoice");
    assert_eq!(world.get("/portfolio", &token).await.json()["invoices"], json!([invoice]));
    // Nothing is paid yet.
    let periods = format!("select count(*) from public.subscriptions where user_id = '{FREE}'");
    assert_eq!(owner.text(&periods).await, "0");
    for secret in ["DEV-local-sandbox-key", "local-sandbox-private-key", &signature, "free@nofomo.test", "81200000000"]
    {
        assert!(!world.log().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn every_kind_of_channel_is_opened_in_the_sandbox_of_the_stack() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    owner.run(&format!("update public.users set full_name = ' ' where id = '{FREE}'")).await.unwrap();
    for (body, amount, shown) in [
        (json!({"plan": "pro", "period": "yearly", "method": "QRIS2"}), 1_490_000, "qr_url"),
        (json!({"plan": "Enterprise", "period": "monthly", "method": "BCAVA"}), 499_000, "pay_code"),
        (
            json!({"plan": "eNTERPRISE", "period": "yearly", "method": "OVO", "customer_phone": "081200000000"}),
            4_990_000,
            "pay_url",
        ),
        (
            json!({"plan": "Pro", "period": "monthly", "method": "ALFAMART", "customer_phone": null}),
            149_000,
            "pay_code",
        ),
    ] {
        let answer = world.post("/invoices", &token, &body).await;
        assert_eq!(answer.status, 201, "{body}: {answer:?}");
        let invoice = answer.json();
        let transaction = world.stack.tripay().transaction(invoice["tripay_invoice_id"].as_str().unwrap()).unwrap();
        assert_eq!((transaction.amount, json!(transaction.merchant_ref)), (amount, invoice["reference_id"].clone()));
        assert_eq!(invoice["amount"], format!("{amount}.00"));
        assert_eq!(time(&invoice["expired_at"]), transaction.expires_at);
        assert_eq!(transaction.callback_url.unwrap(), world.url("/callbacks/tripay"));
        assert_eq!(transaction.customer_name, "free@nofomo.test", "who gave no name has an address");
        for field in ["qr_url", "pay_code", "pay_url"] {
            assert_eq!(invoice[field].is_string(), field == shown, "{field}: {invoice}");
        }
        assert!(invoice["checkout_url"].as_str().unwrap().contains(&transaction.reference));
    }
    assert_eq!(world.stack.tripay().transactions().len(), 4);
    // Tripay knows what a channel takes.
    for (method, detail) in
        [("NOSUCHVA", "Tripay says: Metode pembayaran NOSUCHVA"), ("INDOMARET", "Tripay says: Jumlah maksimal")]
    {
        let body = json!({"plan": "Enterprise", "period": "yearly", "method": method});
        let refused = world.post("/invoices", &token, &body).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (422, "invalid".into()));
        assert!(refused.json()["errors"][0]["detail"].as_str().unwrap().starts_with(detail), "{refused:?}");
    }
}

#[tokio::test]
async fn the_invoice_is_there_before_tripay_is_asked() {
    let tripay = Tripay::start().await;
    let world = World::with(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let looking = async {
        let asked = tripay.ordered().await;
        // Others see it, and nothing holds them up.
        let row = format!(
            "select (status, tripay_invoice_id) from public.invoices where reference_id = '{}'",
            asked.merchant_ref()
        );
        assert_eq!(owner.text(&row).await, "(pending,)");
        let lock = format!("begin; select from public.users where id = '{FREE}' for update nowait");
        owner.run(&lock).await.unwrap();
        owner.run("select from public.invoices for update nowait; rollback").await.unwrap();
        let open = "select count(*) from pg_stat_activity
             where usename = 'nofomo_api' and datname = current_database() and state <> 'idle'";
        assert_eq!(owner.text(open).await, "0", "no transaction waits for Tripay");
        asked.open("T1").await;
    };
    let (answer, ()) = buy_while(&world, &token, &pro("BRIVA"), looking).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(invoices(&owner, FREE).await, "pending T1");
}

#[tokio::test]
async fn an_equal_invoice_that_can_still_be_paid_is_answered_instead_of_a_new_one() {
    let tripay = Tripay::start().await;
    let world = World::with(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let first = buy(&world, &tripay, &token, &pro("BRIVA"), "T1").await.json();
    let ends_in = |minutes| {
        format!(
            "update public.invoices set expired_at = now() + interval '{minutes} minutes' where reference_id like 'INV-%'"
        )
    };
    owner.run(&ends_in(11)).await.unwrap();
    for body in
        [pro("BRIVA"), json!({"plan": "pRO", "period": "monthly", "method": "BRIVA", "customer_phone": "081200000000"})]
    {
        let again = world.post("/invoices", &token, &body).await;
        assert_eq!((again.status.as_u16(), &again.json()["id"]), (200, &first["id"]));
        assert!(!again.headers.contains_key("location"));
        assert_eq!(again.json()["checkout_url"], first["checkout_url"]);
    }
    assert_eq!(invoices(&owner, FREE).await, "pending T1");

    // Another channel, period or plan is another invoice, also at the same price.
    owner
        .run("update public.plans set price_monthly = 149000, price_yearly = 149000 where name <> 'Free'")
        .await
        .unwrap();
    buy(&world, &tripay, &token, &pro("BNIVA"), "T2").await;
    buy(&world, &tripay, &token, &json!({"plan": "Pro", "period": "yearly", "method": "BRIVA"}), "T3").await;
    buy(&world, &tripay, &token, &json!({"plan": "Enterprise", "period": "monthly", "method": "BRIVA"}), "T4").await;
    // So is one of another user, which nobody else sees.
    let other = world.sign_in("pro@nofomo.test").await;
    let theirs = buy(&world, &tripay, &other, &pro("BRIVA"), "T5").await.json();
    assert_ne!(theirs["id"], first["id"]);
    assert_eq!(
        (invoices(&owner, PRO).await.as_str(), invoices(&owner, FREE).await.as_str()),
        ("pending T5", "pending T1, pending T2, pending T3, pending T4")
    );
    let shown = world.get("/portfolio", &token).await;
    assert_eq!(shown.json()["invoices"].as_array().unwrap().len(), 4);
    assert!(!shown.text.contains(theirs["id"].as_str().unwrap()));

    // Nor is what costs something else by now, what is no longer pending, or what nobody could still pay in time.
    for (change, reference) in [
        ("update public.plans set price_monthly = 159000 where name = 'Pro'".to_owned(), "T6"),
        ("update public.invoices set status = 'paid' where tripay_invoice_id = 'T6'".to_owned(), "T7"),
        ("update public.invoices set status = 'cancelled' where tripay_invoice_id = 'T7'".to_owned(), "T8"),
        (ends_in(10), "T9"),
    ] {
        owner.run(&change).await.unwrap();
        let next = buy(&world, &tripay, &token, &pro("BRIVA"), reference).await.json();
        assert_eq!(next["amount"], "159000.00");
    }
    let latest = "pending T6, pending T7".replace("pending T6", "paid T6").replace("pending T7", "cancelled T7");
    assert!(invoices(&owner, FREE).await.ends_with(&format!("{latest}, pending T8, pending T9")));
}

#[tokio::test]
async fn a_key_makes_one_invoice_whatever_has_become_of_it() {
    let tripay = Tripay::start().await;
    let world = World::with(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let (briva, bniva) = (pro("BRIVA"), pro("BNIVA"));
    let post = async |token: &str, key: &str, body: &Value| {
        world.post_with("/invoices", token, &[("idempotency-key", key)], &body.to_string()).await
    };
    let opening = async { tripay.ordered().await.open("T1").await };
    let (first, ()) = tokio::join!(post(&token, "one", &briva), opening);
    assert_eq!(first.status, 201, "{first:?}");
    let first = first.json();
    for change in [
        "status = status",
        "expired_at = now() + interval '1 minute'",
        "status = 'expired'",
        "status = 'failed', checkout_url = null",
        "status = 'paid'",
    ] {
        owner.run(&format!("update public.invoices set {change} where reference_id like 'INV-%'")).await.unwrap();
        let again = post(&token, "one", &briva).await;
        assert_eq!((again.status.as_u16(), &again.json()["id"]), (200, &first["id"]), "{change}");
    }
    for body in [
        bniva.clone(),
        json!({"plan": "Pro", "period": "yearly", "method": "BRIVA"}),
        json!({"plan": "Pro", "period": "monthly", "method": "BRIVA", "customer_phone": "081200000000"}),
    ] {
        let other = post(&token, "one", &body).await;
        assert_eq!((other.status.as_u16(), other.problem()), (409, "key-reused".into()), "{body}");
    }
    // Another user's key is another key.
    let theirs = world.sign_in("pro@nofomo.test").await;
    let opening = async { tripay.ordered().await.open("T2").await };
    let (second, ()) = tokio::join!(post(&theirs, "one", &bniva), opening);
    assert_eq!(second.status, 201, "{second:?}");
    assert_eq!(
        (invoices(&owner, FREE).await.as_str(), invoices(&owner, PRO).await.as_str()),
        ("paid T1", "pending T2")
    );
    for key in ["", "é", &"k".repeat(256)] {
        let refused = post(&token, key, &pro("QRIS")).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["errors"][0]["header"]),
            (422, &json!("Idempotency-Key")),
            "{key}"
        );
    }
    assert!(tripay.is_idle());
}

#[tokio::test]
async fn of_many_requests_at_once_one_opens_a_payment() {
    let tripay = Tripay::start().await;
    let world = World::with(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    // Ten instances, none of which has to start first.
    let warm = join_all((0..10).map(|_| world.post("/invoices", &token, &Value::Null))).await;
    assert!(warm.iter().all(|answer| answer.status == 422), "{warm:?}");
    for round in 0..20 {
        let count = if round == 0 { 10 } else { 2 };
        // By chance or by a key: equal is equal.
        let key = format!("round-{round}");
        let headers: &[_] = if round % 2 == 0 { &[] } else { &[("idempotency-key", key.as_str())] };
        let body = pro("BRIVA").to_string();
        let buying = join_all((0..count).map(|_| world.post_with("/invoices", &token, headers, &body)));
        let is_known = round % 4 < 2;
        let reference = format!("T{round}");
        let serving = async {
            // While one waits, the others ask what became of it. Tripay may know by then, or not.
            let mut asked = Vec::new();
            for _ in 0..count {
                asked.push(tripay.asked().await);
            }
            asked.sort_by_key(|asked| asked.what.starts_with("GET "));
            let mut asked = asked.into_iter();
            let ordered = asked.next().unwrap();
            assert_eq!(ordered.what, ORDER);
            for looking in asked {
                assert_eq!(looking.what, lookup(&ordered.merchant_ref()));
                let found = is_known.then(|| listed(&ordered.body, &reference));
                looking.list(found.as_slice()).await;
            }
            ordered.open(&reference).await;
        };
        let (answers, ()) = tokio::join!(buying, serving);
        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((with(201), with(if is_known { 200 } else { 504 })), (1, count - 1), "{answers:?}");
        let urls: Vec<_> = answers
            .iter()
            .filter(|answer| answer.status != 504)
            .map(|answer| answer.json()["checkout_url"].clone())
            .collect();
        assert!(urls.iter().all(|url| *url == format!("https://tripay.test/checkout/{reference}")), "{urls:?}");
        assert_eq!(invoices(&owner, FREE).await, format!("pending {reference}"));
        assert!(tripay.is_idle());
        owner.run("delete from public.invoices where reference_id like 'INV-%'").await.unwrap();
    }
    let audit = "select count(*) from public.logs where message = 'Opened invoice'";
    assert_eq!(owner.text(audit).await, "20");
}

#[tokio::test]
async fn what_cannot_be_bought_is_refused_before_tripay_is_asked() {
    let tripay = Tripay::start().await;
    let world = World::with(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    owner
        .run(
            "insert into public.plans (
                 name, price_monthly, price_yearly, features, max_bots, max_strategies, is_active, sort_order
             )
             values
                 ('Monthly only', 99000, null, '[]', 1, 1, true, 5),
                 ('Nearly free', 0.4, -1, '[]', 1, 1, true, 5),
                 ('Withdrawn', 99000, 990000, '[]', 1, 1, false, 5)",
        )
        .await
        .unwrap();
    let with = |changes: Value| {
        let mut body = pro("BRIVA");
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (body, pointer) in [
        (with(json!({"plan": "Free"})), "/plan"),
        (with(json!({"plan": "FREE", "period": "yearly"})), "/plan"),
        (with(json!({"plan": "Platinum"})), "/plan"),
        (with(json!({"plan": "Pro "})), "/plan"),
        (with(json!({"plan": "Withdrawn"})), "/plan"),
        (with(json!({"plan": "Monthly only", "period": "yearly"})), "/plan"),
        (with(json!({"plan": "Nearly free"})), "/plan"),
        (with(json!({"plan": "Nearly free", "period": "yearly"})), "/plan"),
        (with(json!({"plan": ""})), "/plan"),
        (with(json!({"plan": "p".repeat(101)})), "/plan"),
        (with(json!({"plan": null})), "/plan"),
        (with(json!({"plan": 7})), "/plan"),
        (with(json!({"period": "weekly"})), "/period"),
        (with(json!({"period": "Monthly"})), "/period"),
        (with(json!({"period": null})), "/period"),
        (with(json!({"method": "briva"})), "/method"),
        (with(json!({"method": "B"})), "/method"),
        (with(json!({"method": "BRI VA"})), "/method"),
        (with(json!({"method": "B".repeat(41)})), "/method"),
        (with(json!({"method": "BRIVA\u{0}"})), "/method"),
        (with(json!({"method": null})), "/method"),
        (with(json!({"customer_phone": "0812"})), "/customer_phone"),
        (with(json!({"customer_phone": "0812-0000-0000"})), "/customer_phone"),
        (with(json!({"customer_phone": "+62812000000001234"})), "/customer_phone"),
        (with(json!({"customer_phone": "62+81200000000"})), "/customer_phone"),
        (with(json!({"customer_phone": 81_200_000_000_u64})), "/customer_phone"),
        (with(json!({"method": "OVO"})), "/customer_phone"),
        (with(json!({"method": "DANA"})), "/customer_phone"),
        (with(json!({"method": "SHOPEEPAY", "customer_phone": null})), "/customer_phone"),
        (with(json!({"amount": 1})), "/amount"),
        (with(json!({"customer_email": "x@y.z"})), "/customer_email"),
    ] {
        let refused = world.post("/invoices", &token, &body).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (422, "invalid".into()), "{body}");
        let errors = refused.json()["errors"].clone();
        let pointers: Vec<_> = errors.as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
        assert_eq!(pointers, [json!(pointer)], "{body}: {errors}");
    }
    let all = world.post("/invoices", &token, &json!({"plann": "Pro"})).await.json();
    let pointers: Vec<_> = all["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(json!(pointers), json!(["/plan", "/period", "/method", "/plann"]));

    let good = pro("BRIVA").to_string();
    for (headers, body, status) in [
        (&[][..], "", 400),
        (&[], "{", 400),
        (&[], "[]", 422),
        (&[("content-type", "text/plain")], &good, 415),
        (&[("authorization", "Bearer x")], &good, 401),
    ] {
        assert_eq!(world.post_with("/invoices", &token, headers, body).await.status, status, "{body}");
    }
    let anonymous = world.send(Method::POST, "/invoices", &[("content-type", "application/json")], &good).await;
    assert_eq!((anonymous.status.as_u16(), anonymous.problem()), (401, "unauthenticated".into()));
    owner.run(&format!("update public.users set is_active = false where id = '{FREE}'")).await.unwrap();
    let refused = world.post_with("/invoices", &token, &[], &good).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (403, "deactivated".into()));
    assert_eq!(owner.text("select count(*) from public.invoices where reference_id like 'INV-%'").await, "0");
    assert!(tripay.is_idle());
}

#[tokio::test]
async fn twenty_invoices_an_hour_are_enough() {
    let tripay = Tripay::start().await;
    let world = World::with(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    // Whatever became of them; one is an hour old.
    owner
        .run(&format!(
            "insert into public.invoices (user_id, plan_id, reference_id, amount, status, period, payment_method, created_at)
             select '{FREE}', plans.id, 'earlier-' || n, 149000, 'failed', 'monthly', 'BRIVA',
                 now() - case when n = 0 then interval '61 minutes' else interval '59 minutes' end
             from generate_series(0, 19) as n, public.plans where plans.name = 'Pro'"
        ))
        .await
        .unwrap();
    let twentieth = buy(&world, &tripay, &token, &pro("BRIVA"), "T1").await.json();
    let refused = world.post("/invoices", &token, &pro("BNIVA")).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (429, "too-many".into()), "{refused:?}");
    assert_eq!(refused.headers["retry-after"], "600");
    assert_eq!(invoices(&owner, FREE).await, "pending T1");
    // Those that there are can still be paid, and others buy.
    let known = world.post("/invoices", &token, &pro("BRIVA")).await;
    assert_eq!((known.status.as_u16(), &known.json()["id"]), (200, &twentieth["id"]));
    let other = world.sign_in("pro@nofomo.test").await;
    buy(&world, &tripay, &other, &pro("BNIVA"), "T2").await;
    owner
        .run("update public.invoices set created_at = now() - interval '61 minutes' where reference_id = 'earlier-1'")
        .await
        .unwrap();
    buy(&world, &tripay, &token, &pro("BNIVA"), "T3").await;
}

#[tokio::test]
async fn what_tripay_refuses_is_told_in_its_words_and_the_invoice_has_failed() {
    let tripay = Tripay::start().await;
    let world = World::with(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    for (round, (status, message, told)) in [
        (
            400,
            json!("Jumlah minimal untuk <b>BRIVA</b> adalah\n Rp10.000"),
            "Tripay says: Jumlah minimal untuk BRIVA adalah Rp10.000",
        ),
        (200, json!("Metode pembayaran tidak tersedia"), "Tripay says: Metode pembayaran tidak tersedia"),
        (422, json!(null), "Tripay says: Tripay gave no reason"),
    ]
    .into_iter()
    .enumerate()
    {
        let refusing =
            async { tripay.ordered().await.answer(status, &json!({"success": false, "message": message})).await };
        let (refused, ()) = buy_while(&world, &token, &pro("BRIVA"), refusing).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (422, "invalid".into()), "{refused:?}");
        assert_eq!(refused.json()["errors"], json!([{"pointer": "", "detail": told}]));
        // Nothing was opened, so the same may be asked for again.
        assert_eq!(invoices(&owner, FREE).await, vec!["failed -"; round + 1].join(", "));
    }
    buy(&world, &tripay, &token, &pro("BRIVA"), "T1").await;
    assert!(invoices(&owner, FREE).await.ends_with("failed -, pending T1"));
    let told = format!("select count(*) from public.notifications where user_id = '{FREE}'");
    assert_eq!(owner.text(&told).await, "0", "who asked has heard it");
}

#[tokio::test]
async fn what_is_wrong_with_our_own_account_is_told_to_nobody_but_the_log() {
    let tripay = Tripay::start().await;
    let world = World::with(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    for (round, (status, message)) in [
        (400, "Invalid API Key"),
        (403, "Unauthorized IP (203.0.113.7) for merchant T0000, please add it to the Whitelist IP"),
        (400, "Invalid signature"),
        (401, "planted"),
    ]
    .into_iter()
    .enumerate()
    {
        let refusing =
            async { tripay.ordered().await.answer(status, &json!({"success": false, "message": message})).await };
        let (refused, ()) = buy_while(&world, &token, &pro("BRIVA"), refusing).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (502, "bad-gateway".into()), "{refused:?}");
        assert!(
            !refused.text.contains(message) && !refused.text.contains("203.0.113.7") && !refused.text.contains("T0000")
        );
        assert_eq!(invoices(&owner, FREE).await, vec!["failed -"; round + 1].join(", "));
        let line = &world.logged("POST /invoices 502", round + 1).await[round];
        assert_eq!((&line["level"], &line["cause"]), (&json!("ERROR"), &json!(message)));
    }
    assert!(!world.log().contains("DEV-local-sandbox-key"));
}

/// What Tripay may answer that leaves open whether there is a transaction.
enum Silence {
    Text(u16, &'static str, &'static str),
    Opened(fn(&mut Value)),
    Reset,
}

#[tokio::test]
async fn while_it_is_not_known_what_tripay_did_it_is_asked_and_nothing_more_is_opened() {
    let tripay = Tripay::start().await;
    let world = World::with(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    for (round, (silence, cause)) in [
        (Silence::Text(403, "text/html", "<html><h1>planted Cloudflare</h1>"), "403 Forbidden without a JSON object"),
        (Silence::Text(502, "text/html", "<html>planted"), "502 Bad Gateway without a JSON object"),
        (Silence::Text(200, "application/json", ""), "200 OK without a JSON object"),
        (Silence::Text(200, "application/json", "[\"planted\"]"), "200 OK without a JSON object"),
        (Silence::Text(500, "application/json", r#"{"success":false,"message":"planted"}"#), "says neither yes nor no"),
        (Silence::Text(200, "application/json", r#"{"message":"planted"}"#), "says neither yes nor no"),
        (Silence::Text(302, "application/json", r#"{"success":false}"#), "redirected with 302"),
        (
            Silence::Opened(|answer| answer["data"]["merchant_ref"] = json!("INV-of-another")),
            "is of another merchant_ref",
        ),
        (Silence::Opened(|answer| answer["data"]["amount"] = json!(149_000)), "is of 149000 with a fee of 4250"),
        (Silence::Opened(|answer| answer["data"]["reference"] = json!(null)), "`reference` is missing"),
        (Silence::Opened(|answer| answer["data"] = json!(null)), "success without data"),
        (
            Silence::Opened(|answer| answer["data"]["reference"] = json!("DEV-T0000000001SAMPLE")),
            "the transaction is another invoice's",
        ),
        (Silence::Reset, "onnection"),
    ]
    .into_iter()
    .enumerate()
    {
        // Each in its turn, by a channel of its own.
        let body = pro(&format!("VA{round}"));
        let failing = async {
            let asked = tripay.ordered().await;
            let order = asked.body.clone();
            match silence {
                Silence::Text(status, content_type, text) => asked.answer_text(status, content_type, text).await,
                Silence::Opened(change) => {
                    let mut answer = opened(&order, "T-misread");
                    change(&mut answer);
                    asked.answer(200, &answer).await;
                }
                Silence::Reset => asked.reset(),
            }
            order
        };
        let (answer, order) = buy_while(&world, &token, &body, failing).await;
        assert!(is_unanswered(&answer), "{cause}: {answer:?}");
        let reference = order["merchant_ref"].as_str().unwrap();
        assert!(answer.json()["detail"].as_str().unwrap().contains(reference.trim_start_matches("INV-")), "{answer:?}");
        let line = &world.logged("POST /invoices 504", 4 * round + 1).await[4 * round];
        assert!(line["level"] == "ERROR" && line["cause"].as_str().unwrap().contains(cause), "{cause}: {line}");
        let state = format!(
            "select concat_ws(' ', status, tripay_invoice_id, checkout_url) from public.invoices
             where reference_id = '{reference}'"
        );
        assert_eq!(owner.text(&state).await, "pending");

        // As often as it is sent again. Tripay may not know it yet, know only one that begins like it, or say nothing.
        let mut other = listed(&order, "T-other");
        other["merchant_ref"] = json!(format!("{reference}-2"));
        for found in [Some(vec![]), Some(vec![other.clone()]), None] {
            let looking = async {
                let asked = tripay.looked_up(reference).await;
                match &found {
                    Some(found) => asked.list(found).await,
                    None => asked.answer_text(403, "text/html", "<html>planted").await,
                }
            };
            let (again, ()) = buy_while(&world, &token, &body, looking).await;
            assert!(is_unanswered(&again), "{cause}: {again:?}");
            assert_eq!(owner.text(&state).await, "pending");
        }
        let found = format!("T-{round}");
        let looking = async { tripay.looked_up(reference).await.list(&[other.clone(), listed(&order, &found)]).await };
        let (answer, ()) = buy_while(&world, &token, &body, looking).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["tripay_invoice_id"].clone()),
            (200, json!(found)),
            "{answer:?}"
        );
        let url = format!("https://tripay.test/checkout/{found}");
        let invoice = answer.json();
        assert_eq!((invoice["checkout_url"].clone(), invoice["pay_code"].clone()), (json!(url), json!("578912")));
        assert_eq!(time(&invoice["expired_at"]).timestamp(), order["expired_time"].as_i64().unwrap() - 3600);
        assert_eq!(owner.text(&state).await, format!("pending {found} {url}"));
        // From here on it is one like any other.
        let known = world.post("/invoices", &token, &body).await;
        assert_eq!((known.status.as_u16(), known.json()), (200, invoice));
    }
    assert!(tripay.is_idle());
    assert!(!world.log().contains("planted"), "{}", world.log());
}

#[tokio::test]
async fn a_tripay_that_is_slow_is_given_up_before_the_gateway_gives_us_up() {
    let tripay = Tripay::start().await;
    let world = World::with(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let started = Instant::now();
    let (answer, asked) = buy_while(&world, &token, &pro("BRIVA"), tripay.ordered()).await;
    assert!(is_unanswered(&answer), "{answer:?}");
    let seconds = started.elapsed().as_secs_f64();
    assert!(seconds > 14.5, "{seconds}");
    let owner = world.database.owner().await;
    assert_eq!(invoices(&owner, FREE).await, "pending -");
    // It had been opened, as the same request finds out.
    let looking = async { tripay.looked_up(&asked.merchant_ref()).await.list(&[listed(&asked.body, "T1")]).await };
    let (answer, ()) = buy_while(&world, &token, &pro("BRIVA"), looking).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["checkout_url"].clone()),
        (200, json!("https://tripay.test/checkout/T1"))
    );
    assert_eq!(invoices(&owner, FREE).await, "pending T1");
}

#[tokio::test]
async fn a_database_that_goes_away_while_tripay_answers_leaves_an_invoice_that_is_found_again() {
    let database = Database::new().await;
    let tripay = Tripay::start().await;
    // Past the pooler, which would go on without the server for a while.
    let mut settings = tripay.settings();
    settings.insert("DATABASE_URL".into(), database.url("nofomo_api"));
    let world = World::on(database, settings).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let limit = |limit| format!("alter database {} connection limit {limit}", world.database.name);
    let opening = async {
        let asked = tripay.ordered().await;
        owner.run(&limit(0)).await.unwrap();
        owner
            .run(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where usename = 'nofomo_api' and datname = current_database()",
            )
            .await
            .unwrap();
        let order = asked.body.clone();
        asked.open("T1").await;
        order
    };
    let (answer, order) = buy_while(&world, &token, &pro("BRIVA"), opening).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".into()), "{answer:?}");
    assert_eq!(invoices(&owner, FREE).await, "pending -");
    owner.run(&limit(-1)).await.unwrap();
    let looking = async {
        let asked = tripay.looked_up(order["merchant_ref"].as_str().unwrap()).await;
        asked.list(&[listed(&order, "T1")]).await;
    };
    let (answer, ()) = buy_while(&world, &token, &pro("BRIVA"), looking).await;
    assert_eq!((answer.status.as_u16(), answer.json()["tripay_invoice_id"].clone()), (200, json!("T1")), "{answer:?}");
    assert_eq!(invoices(&owner, FREE).await, "pending T1");
}

/// Tripay's callback of what it was asked to open, sent before it answers.
async fn tell(world: &World, asked: &Asked, reference: &str, status: &str) {
    let callback = json!({
        "reference": reference, "merchant_ref": asked.merchant_ref(), "payment_method": "BRI Virtual Account",
        "payment_method_code": "BRIVA", "total_amount": 153_250, "fee_merchant": 0, "fee_customer": 4250, "total_fee": 4250,
        "amount_received": 149_000, "is_closed_payment": 1, "status": status, "paid_at": Utc::now().timestamp(), "note": null,
    })
    .to_string();
    let signature = world.stack.tripay().sign(callback.as_bytes());
    let headers = [("content-type", "application/json"), ("x-callback-signature", signature.as_str())];
    let taken = world.send(Method::POST, "/callbacks/tripay", &headers, &callback).await;
    assert_eq!(taken.text, r#"{"success":true}"#);
}

#[tokio::test]
async fn a_callback_that_comes_before_creates_answer_stands() {
    let tripay = Tripay::start().await;
    let world = World::with(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    for (status, then) in [("PAID", "paid"), ("EXPIRED", "expired"), ("FAILED", "failed"), ("UNPAID", "pending")] {
        let reference = format!("T-{status}");
        let opening = async {
            let asked = tripay.ordered().await;
            tell(&world, &asked, &reference, status).await;
            asked.open(&reference).await;
        };
        let (answer, ()) = buy_while(&world, &token, &pro(&format!("{status}VA")), opening).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let invoice = answer.json();
        assert_eq!(
            (&invoice["status"], &invoice["tripay_invoice_id"], &invoice["checkout_url"]),
            (&json!(then), &json!(reference), &json!(format!("https://tripay.test/checkout/{reference}")))
        );
        assert_eq!(invoice["paid_at"].is_string(), then == "paid");
        let row = format!(
            "select concat_ws(' ', status, tripay_invoice_id, transaction_id, checkout_url is not null)
             from public.invoices where id = '{}'",
            invoice["id"].as_str().unwrap()
        );
        let paid_by = if then == "paid" { format!("{reference} ") } else { String::new() };
        assert_eq!(owner.text(&row).await, format!("{then} {reference} {paid_by}t"));
    }
    // Whatever Tripay answers then: what a callback told was signed.
    for (method, reference, status) in [("TWICEVA", Some("T-second"), 201), ("REFUSEDVA", None, 422)] {
        let opening = async {
            let asked = tripay.ordered().await;
            tell(&world, &asked, &format!("T-{method}"), "PAID").await;
            match reference {
                Some(reference) => asked.open(reference).await,
                None => asked.answer(400, &json!({"success": false, "message": "Sudah dibayar"})).await,
            }
        };
        let (answer, ()) = buy_while(&world, &token, &pro(method), opening).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let row = format!(
            "select concat_ws(' ', status, tripay_invoice_id, transaction_id, checkout_url)
             from public.invoices where payment_method = '{method}'"
        );
        assert_eq!(owner.text(&row).await, format!("paid T-{method} T-{method}"));
    }

    // Where create's answer is lost, a callback has told which transaction it is, and not where to pay it.
    let lost = pro("LOSTVA");
    let losing = async {
        let asked = tripay.ordered().await;
        tell(&world, &asked, "T-LOST", "UNPAID").await;
        let order = asked.body.clone();
        asked.reset();
        order
    };
    let (answer, order) = buy_while(&world, &token, &lost, losing).await;
    assert!(is_unanswered(&answer), "{answer:?}");
    let looking = async {
        let asked = tripay.looked_up(order["merchant_ref"].as_str().unwrap()).await;
        asked.list(&[listed(&order, "T-LOST")]).await;
    };
    let (answer, ()) = buy_while(&world, &token, &lost, looking).await;
    let url = json!("https://tripay.test/checkout/T-LOST");
    assert_eq!((answer.status.as_u16(), &answer.json()["checkout_url"]), (200, &url), "{answer:?}");

    let periods = format!("select string_agg(status, ' ') from public.subscriptions where user_id = '{FREE}'");
    assert_eq!(owner.text(&periods).await, "active active active");
    assert_eq!(world.get("/portfolio", &token).await.json()["user"]["plan"], "Pro");
}

#[tokio::test]
async fn what_came_of_an_invoice_is_recorded_for_its_owner_alone() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let invoice = "0190c000-0000-7000-8000-00000000000a";
    owner
        .run(&format!(
            "insert into public.invoices (id, user_id, plan_id, reference_id, amount, status, period)
             select '{invoice}', '{PRO}', plans.id, 'INV-{invoice}', 149000, 'pending', 'monthly'
             from public.plans where name = 'Pro'"
        ))
        .await
        .unwrap();
    let api = database.session("nofomo_api").await;
    for transaction in ["null", "{\"reference\": \"T1\"}"] {
        let call = format!(
            "select private.record_invoice(
                 '{{\"sub\": \"{FREE}\"}}', '{{\"id\": \"{invoice}\", \"transaction\": {transaction}}}'
             )"
        );
        assert_eq!(api.text(&call).await, "");
    }
    assert_eq!(invoices(&owner, PRO).await, "pending -");
    // Nor does another learn of it by asking for the very same.
    let ask = |user| {
        let body = pro("BRIVA").to_string().replace('{', "{\"id\": \"0190c000-0000-7000-8000-00000000000b\", ");
        format!("select private.create_invoice('{{\"sub\": \"{user}\"}}', '{body}')")
    };
    assert!(api.text(&ask(PRO)).await.contains("opened"));
    assert!(api.text(&ask(PRO)).await.contains("unconfirmed"));
    assert_eq!(api.text(&ask(FREE)).await, "\"key_reused\"");
    let without_owner = api.run("select private.record_tripay_response('{}')").await.unwrap_err();
    assert_eq!(without_owner.code().unwrap().code(), "42501");
}
