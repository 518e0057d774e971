//! `POST /invoices`: which requests open a payment, return an existing invoice or are rejected.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::database::{FREE, PRO};
use crate::support::manual_tripay::{
    CREATE_REQUEST_LINE, ManualTripay, buy, buy_while, invoices, list_item, lookup_request_line, pro_monthly, time,
};
use crate::support::world::World;

#[tokio::test]
async fn a_new_invoice_opens_a_tripay_transaction_and_returns_every_field() {
    let tripay = ManualTripay::start().await;
    let mut settings = tripay.settings();
    settings.insert("TRIPAY_CALLBACK_URL".into(), "https://api.nofomo.test/callbacks/tripay".into());
    settings.insert("TRIPAY_RETURN_URL".into(), "https://nofomo.test/billing".into());
    let world = World::with_settings(settings).await;
    let token = world.sign_in("free@nofomo.test").await;
    let body = json!({"plan": "PRO", "period": "monthly", "method": "BRIVA", "customer_phone": "+6281200000000"});
    let before = Utc::now();
    let creation = async {
        let request = tripay.next_create_request().await;
        let order = request.body.clone();
        let headers = request.headers.clone();
        request.respond_created("DEV-T0000000000001ABCDE").await;
        (order, headers)
    };
    let (answer, (order, headers)) = buy_while(&world, &token, &body, creation).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(tripay.is_idle(), "Tripay is called once");

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
    // The expiry is the one that Tripay returns, not the requested one.
    let (created, requested_expiry) = (time(&invoice["created_at"]), order["expired_time"].as_i64().unwrap());
    assert!((before..=Utc::now()).contains(&created), "{created}");
    assert_eq!(requested_expiry, (created + TimeDelta::days(1)).timestamp());
    assert_eq!(time(&invoice["expired_at"]).timestamp(), requested_expiry - 3600);

    let signature = world.stack.tripay().sign(format!("T0000{reference}149000").as_bytes());
    assert_eq!(
        order,
        json!({
            "method": "BRIVA", "merchant_ref": reference, "amount": 149_000, "customer_name": "Fitri Hapsari",
            "customer_email": "free@nofomo.test", "customer_phone": "+6281200000000",
            "order_items": [{"sku": reference, "name": "Pro, monthly", "price": 149_000, "quantity": 1}],
            "callback_url": "https://api.nofomo.test/callbacks/tripay", "return_url": "https://nofomo.test/billing",
            "expired_time": requested_expiry, "signature": signature,
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
async fn every_kind_of_payment_channel_works_against_the_local_sandbox() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    owner.run(&format!("update public.users set full_name = ' ' where id = '{FREE}'")).await.unwrap();
    for (body, amount, payment_field) in [
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
        assert_eq!(
            transaction.customer_name, "free@nofomo.test",
            "a user without a name is named by their email address"
        );
        for field in ["qr_url", "pay_code", "pay_url"] {
            assert_eq!(invoice[field].is_string(), field == payment_field, "{field}: {invoice}");
        }
        assert!(invoice["checkout_url"].as_str().unwrap().contains(&transaction.reference));
    }
    assert_eq!(world.stack.tripay().transactions().len(), 4);
    // Tripay checks the channel's code and its maximum amount.
    for (method, detail) in [
        ("NOSUCHVA", "Tripay refused the payment: Metode pembayaran NOSUCHVA"),
        ("INDOMARET", "Tripay refused the payment: Jumlah maksimal"),
    ] {
        let body = json!({"plan": "Enterprise", "period": "yearly", "method": method});
        let refused = world.post("/invoices", &token, &body).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (422, "invalid".into()));
        assert!(refused.json()["errors"][0]["detail"].as_str().unwrap().starts_with(detail), "{refused:?}");
    }
}

#[tokio::test]
async fn the_invoice_is_committed_before_tripay_is_called() {
    let tripay = ManualTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let creation = async {
        let request = tripay.next_create_request().await;
        // Other sessions see the invoice, and it holds no lock.
        let row = format!(
            "select (status, tripay_invoice_id) from public.invoices where reference_id = '{}'",
            request.merchant_ref()
        );
        assert_eq!(owner.text(&row).await, "(pending,)");
        let lock = format!("begin; select from public.users where id = '{FREE}' for update nowait");
        owner.run(&lock).await.unwrap();
        owner.run("select from public.invoices for update nowait; rollback").await.unwrap();
        let open = "select count(*) from pg_stat_activity
             where usename = 'nofomo_api' and datname = current_database() and state <> 'idle'";
        assert_eq!(owner.text(open).await, "0", "no transaction is open during the call");
        request.respond_created("T1").await;
    };
    let (answer, ()) = buy_while(&world, &token, &pro_monthly("BRIVA"), creation).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(invoices(&owner, FREE).await, "pending T1");
}

#[tokio::test]
async fn an_identical_request_returns_the_existing_payable_invoice() {
    let tripay = ManualTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let first = buy(&world, &tripay, &token, &pro_monthly("BRIVA"), "T1").await.json();
    let ends_in = |minutes| {
        format!(
            "update public.invoices set expired_at = now() + interval '{minutes} minutes' where reference_id like 'INV-%'"
        )
    };
    owner.run(&ends_in(11)).await.unwrap();
    for body in [
        pro_monthly("BRIVA"),
        json!({"plan": "pRO", "period": "monthly", "method": "BRIVA", "customer_phone": "081200000000"}),
    ] {
        let again = world.post("/invoices", &token, &body).await;
        assert_eq!((again.status.as_u16(), &again.json()["id"]), (200, &first["id"]));
        assert!(!again.headers.contains_key("location"));
        assert_eq!(again.json()["checkout_url"], first["checkout_url"]);
    }
    assert_eq!(invoices(&owner, FREE).await, "pending T1");

    // Another channel, period or plan results in another invoice, even at the same price.
    owner
        .run("update public.plans set price_monthly = 149000, price_yearly = 149000 where name <> 'Free'")
        .await
        .unwrap();
    buy(&world, &tripay, &token, &pro_monthly("BNIVA"), "T2").await;
    buy(&world, &tripay, &token, &json!({"plan": "Pro", "period": "yearly", "method": "BRIVA"}), "T3").await;
    buy(&world, &tripay, &token, &json!({"plan": "Enterprise", "period": "monthly", "method": "BRIVA"}), "T4").await;
    // Another user also gets another invoice, which only they can see.
    let other = world.sign_in("pro@nofomo.test").await;
    let theirs = buy(&world, &tripay, &other, &pro_monthly("BRIVA"), "T5").await.json();
    assert_ne!(theirs["id"], first["id"]);
    assert_eq!(
        (invoices(&owner, PRO).await.as_str(), invoices(&owner, FREE).await.as_str()),
        ("pending T5", "pending T1, pending T2, pending T3, pending T4")
    );
    let shown = world.get("/portfolio", &token).await;
    assert_eq!(shown.json()["invoices"].as_array().unwrap().len(), 4);
    assert!(!shown.text.contains(theirs["id"].as_str().unwrap()));

    // An invoice is not reused if the price has changed, if it is no longer pending, or if it expires within ten
    // minutes.
    for (change, reference) in [
        ("update public.plans set price_monthly = 159000 where name = 'Pro'".to_owned(), "T6"),
        ("update public.invoices set status = 'paid' where tripay_invoice_id = 'T6'".to_owned(), "T7"),
        ("update public.invoices set status = 'cancelled' where tripay_invoice_id = 'T7'".to_owned(), "T8"),
        (ends_in(10), "T9"),
    ] {
        owner.run(&change).await.unwrap();
        let next = buy(&world, &tripay, &token, &pro_monthly("BRIVA"), reference).await.json();
        assert_eq!(next["amount"], "159000.00");
    }
    let latest = "pending T6, pending T7".replace("pending T6", "paid T6").replace("pending T7", "cancelled T7");
    assert!(invoices(&owner, FREE).await.ends_with(&format!("{latest}, pending T8, pending T9")));
}

#[tokio::test]
async fn an_idempotency_key_creates_one_invoice_whatever_its_later_status() {
    let tripay = ManualTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let (briva, bniva) = (pro_monthly("BRIVA"), pro_monthly("BNIVA"));
    let post = async |token: &str, key: &str, body: &Value| {
        world.post_with("/invoices", token, &[("idempotency-key", key)], &body.to_string()).await
    };
    let creation = async { tripay.next_create_request().await.respond_created("T1").await };
    let (first, ()) = tokio::join!(post(&token, "one", &briva), creation);
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
    // Keys are scoped to a user.
    let theirs = world.sign_in("pro@nofomo.test").await;
    let creation = async { tripay.next_create_request().await.respond_created("T2").await };
    let (second, ()) = tokio::join!(post(&theirs, "one", &bniva), creation);
    assert_eq!(second.status, 201, "{second:?}");
    assert_eq!(
        (invoices(&owner, FREE).await.as_str(), invoices(&owner, PRO).await.as_str()),
        ("paid T1", "pending T2")
    );
    for key in ["", "é", &"k".repeat(256)] {
        let refused = post(&token, key, &pro_monthly("QRIS")).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["errors"][0]["header"]),
            (422, &json!("Idempotency-Key")),
            "{key}"
        );
    }
    assert!(tripay.is_idle());
}

#[tokio::test]
async fn concurrent_identical_requests_open_one_payment() {
    let tripay = ManualTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    // Starts ten instances, so that no request waits for a cold start.
    let warm = join_all((0..10).map(|_| world.post("/invoices", &token, &Value::Null))).await;
    assert!(warm.iter().all(|answer| answer.status == 422), "{warm:?}");
    for round in 0..20 {
        let count = if round == 0 { 10 } else { 2 };
        // Half of the rounds use an idempotency key.
        let key = format!("round-{round}");
        let headers: &[_] = if round % 2 == 0 { &[] } else { &[("idempotency-key", key.as_str())] };
        let body = pro_monthly("BRIVA").to_string();
        let buying = join_all((0..count).map(|_| world.post_with("/invoices", &token, headers, &body)));
        let is_known = round % 4 < 2;
        let reference = format!("T{round}");
        let serving = async {
            // One request creates; the others look the transaction up, which Tripay lists in half of the rounds.
            let mut requests = Vec::new();
            for _ in 0..count {
                requests.push(tripay.next_request().await);
            }
            requests.sort_by_key(|request| request.request_line.starts_with("GET "));
            let mut requests = requests.into_iter();
            let create_request = requests.next().unwrap();
            assert_eq!(create_request.request_line, CREATE_REQUEST_LINE);
            for lookup in requests {
                assert_eq!(lookup.request_line, lookup_request_line(&create_request.merchant_ref()));
                let found = is_known.then(|| list_item(&create_request.body, &reference));
                lookup.respond_list(found.as_slice()).await;
            }
            create_request.respond_created(&reference).await;
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
async fn invalid_requests_are_rejected_before_tripay_is_called() {
    let tripay = ManualTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
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
        let mut body = pro_monthly("BRIVA");
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

    let good = pro_monthly("BRIVA").to_string();
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
async fn a_user_can_open_at_most_twenty_invoices_per_hour() {
    let tripay = ManualTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    // Failed invoices count, too. One of them is older than an hour.
    owner
        .run(&format!(
            "insert into public.invoices (user_id, plan_id, reference_id, amount, status, period, payment_method, created_at)
             select '{FREE}', plans.id, 'earlier-' || n, 149000, 'failed', 'monthly', 'BRIVA',
                 now() - case when n = 0 then interval '61 minutes' else interval '59 minutes' end
             from generate_series(0, 19) as n, public.plans where plans.name = 'Pro'"
        ))
        .await
        .unwrap();
    let twentieth = buy(&world, &tripay, &token, &pro_monthly("BRIVA"), "T1").await.json();
    let refused = world.post("/invoices", &token, &pro_monthly("BNIVA")).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (429, "too-many".into()), "{refused:?}");
    assert_eq!(refused.headers["retry-after"], "600");
    assert_eq!(invoices(&owner, FREE).await, "pending T1");
    // Existing invoices can still be paid, and other users are not limited.
    let known = world.post("/invoices", &token, &pro_monthly("BRIVA")).await;
    assert_eq!((known.status.as_u16(), &known.json()["id"]), (200, &twentieth["id"]));
    let other = world.sign_in("pro@nofomo.test").await;
    buy(&world, &tripay, &other, &pro_monthly("BNIVA"), "T2").await;
    owner
        .run("update public.invoices set created_at = now() - interval '61 minutes' where reference_id = 'earlier-1'")
        .await
        .unwrap();
    buy(&world, &tripay, &token, &pro_monthly("BNIVA"), "T3").await;
}
