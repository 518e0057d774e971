//! `POST /invoices` while Tripay refuses, gives an unclear response or none, or sends its callback first.

use std::time::Instant;

use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::database::{Database, FREE, PRO};
use crate::support::manual_tripay::{
    ManualTripay, PendingRequest, buy, buy_while, created_response, invoices, is_no_answer_problem, list_item,
    pro_monthly, time,
};
use crate::support::world::World;

#[tokio::test]
async fn a_refusal_by_tripay_is_quoted_and_fails_the_invoice() {
    let tripay = ManualTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    for (round, (status, message, detail)) in [
        (
            400,
            json!("Jumlah minimal untuk <b>BRIVA</b> adalah\n Rp10.000"),
            "Tripay refused the payment: Jumlah minimal untuk BRIVA adalah Rp10.000",
        ),
        (
            200,
            json!("Metode pembayaran tidak tersedia"),
            "Tripay refused the payment: Metode pembayaran tidak tersedia",
        ),
        (422, json!(null), "Tripay refused the payment: Tripay gave no reason"),
    ]
    .into_iter()
    .enumerate()
    {
        let refusing = async {
            tripay.next_create_request().await.respond(status, &json!({"success": false, "message": message})).await;
        };
        let (refused, ()) = buy_while(&world, &token, &pro_monthly("BRIVA"), refusing).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (422, "invalid".into()), "{refused:?}");
        assert_eq!(refused.json()["errors"], json!([{"pointer": "", "detail": detail}]));
        // No payment was opened, so the same request may be sent again.
        assert_eq!(invoices(&owner, FREE).await, vec!["failed -"; round + 1].join(", "));
    }
    buy(&world, &tripay, &token, &pro_monthly("BRIVA"), "T1").await;
    assert!(invoices(&owner, FREE).await.ends_with("failed -, pending T1"));
    let notifications = format!("select count(*) from public.notifications where user_id = '{FREE}'");
    assert_eq!(owner.text(&notifications).await, "0", "the caller has the response");
}

#[tokio::test]
async fn a_problem_with_the_merchant_account_is_only_logged() {
    let tripay = ManualTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
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
        let refusing = async {
            tripay.next_create_request().await.respond(status, &json!({"success": false, "message": message})).await;
        };
        let (refused, ()) = buy_while(&world, &token, &pro_monthly("BRIVA"), refusing).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (502, "bad-gateway".into()), "{refused:?}");
        assert!(
            !refused.text.contains(message) && !refused.text.contains("203.0.113.7") && !refused.text.contains("T0000")
        );
        assert_eq!(invoices(&owner, FREE).await, vec!["failed -"; round + 1].join(", "));
        let line = &world.log_lines("POST /invoices 502", round + 1).await[round];
        assert_eq!((&line["level"], &line["cause"]), (&json!("ERROR"), &json!(message)));
    }
    assert!(!world.log().contains("DEV-local-sandbox-key"));
}

/// Response that leaves it unclear whether a transaction was created.
enum UnclearResponse {
    Text(u16, &'static str, &'static str),
    /// Success, changed by the function.
    Created(fn(&mut Value)),
    Reset,
}

#[tokio::test]
async fn after_an_unclear_response_tripay_is_queried_and_no_second_payment_is_opened() {
    let tripay = ManualTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    for (round, (response, cause)) in [
        (
            UnclearResponse::Text(403, "text/html", "<html><h1>planted Cloudflare</h1>"),
            "403 Forbidden: body is not a JSON object",
        ),
        (UnclearResponse::Text(502, "text/html", "<html>planted"), "502 Bad Gateway: body is not a JSON object"),
        (UnclearResponse::Text(200, "application/json", ""), "200 OK: body is not a JSON object"),
        (UnclearResponse::Text(200, "application/json", "[\"planted\"]"), "200 OK: body is not a JSON object"),
        (
            UnclearResponse::Text(500, "application/json", r#"{"success":false,"message":"planted"}"#),
            "no conclusive `success`",
        ),
        (UnclearResponse::Text(200, "application/json", r#"{"message":"planted"}"#), "no conclusive `success`"),
        (UnclearResponse::Text(302, "application/json", r#"{"success":false}"#), "302 Found: redirect not followed"),
        (
            UnclearResponse::Created(|answer| answer["data"]["merchant_ref"] = json!("INV-of-another")),
            "has another merchant_ref",
        ),
        (
            UnclearResponse::Created(|answer| answer["data"]["amount"] = json!(149_000)),
            "has amount 149000 with customer fee 4250",
        ),
        (UnclearResponse::Created(|answer| answer["data"]["reference"] = json!(null)), "`reference` is missing"),
        (UnclearResponse::Created(|answer| answer["data"] = json!(null)), "`success` without `data`"),
        (
            UnclearResponse::Created(|answer| answer["data"]["reference"] = json!("DEV-T0000000001SAMPLE")),
            "the transaction belongs to another invoice",
        ),
        (UnclearResponse::Reset, "onnection"),
    ]
    .into_iter()
    .enumerate()
    {
        // A channel per round keeps the invoices apart.
        let body = pro_monthly(&format!("VA{round}"));
        let failing = async {
            let request = tripay.next_create_request().await;
            let order = request.body.clone();
            match response {
                UnclearResponse::Text(status, content_type, text) => {
                    request.respond_text(status, content_type, text).await;
                }
                UnclearResponse::Created(change) => {
                    let mut answer = created_response(&order, "T-misread");
                    change(&mut answer);
                    request.respond(200, &answer).await;
                }
                UnclearResponse::Reset => request.reset(),
            }
            order
        };
        let (answer, order) = buy_while(&world, &token, &body, failing).await;
        assert!(is_no_answer_problem(&answer), "{cause}: {answer:?}");
        let reference = order["merchant_ref"].as_str().unwrap();
        assert!(answer.json()["detail"].as_str().unwrap().contains(reference.trim_start_matches("INV-")), "{answer:?}");
        let line = &world.log_lines("POST /invoices 504", 4 * round + 1).await[4 * round];
        assert!(line["level"] == "ERROR" && line["cause"].as_str().unwrap().contains(cause), "{cause}: {line}");
        let state = format!(
            "select concat_ws(' ', status, tripay_invoice_id, checkout_url) from public.invoices
             where reference_id = '{reference}'"
        );
        assert_eq!(owner.text(&state).await, "pending");

        // Each retry looks the transaction up. Tripay lists no transaction, lists only one with a longer merchant_ref,
        // or gives an unclear response.
        let mut other = list_item(&order, "T-other");
        other["merchant_ref"] = json!(format!("{reference}-2"));
        for found in [Some(vec![]), Some(vec![other.clone()]), None] {
            let lookup = async {
                let request = tripay.next_lookup(reference).await;
                match &found {
                    Some(found) => request.respond_list(found).await,
                    None => request.respond_text(403, "text/html", "<html>planted").await,
                }
            };
            let (again, ()) = buy_while(&world, &token, &body, lookup).await;
            assert!(is_no_answer_problem(&again), "{cause}: {again:?}");
            assert_eq!(owner.text(&state).await, "pending");
        }
        let found = format!("T-{round}");
        let lookup = async {
            tripay.next_lookup(reference).await.respond_list(&[other.clone(), list_item(&order, &found)]).await;
        };
        let (answer, ()) = buy_while(&world, &token, &body, lookup).await;
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
        // From now on the invoice is returned without a lookup.
        let known = world.post("/invoices", &token, &body).await;
        assert_eq!((known.status.as_u16(), known.json()), (200, invoice));
    }
    assert!(tripay.is_idle());
    assert!(!world.log().contains("planted"), "{}", world.log());
}

#[tokio::test]
async fn a_slow_tripay_times_out_before_api_gateway_does() {
    let tripay = ManualTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let started = Instant::now();
    let (answer, request) = buy_while(&world, &token, &pro_monthly("BRIVA"), tripay.next_create_request()).await;
    assert!(is_no_answer_problem(&answer), "{answer:?}");
    let seconds = started.elapsed().as_secs_f64();
    assert!(seconds > 14.5, "{seconds}");
    let owner = world.database.owner().await;
    assert_eq!(invoices(&owner, FREE).await, "pending -");
    // The same request finds the transaction that was created.
    let lookup = async {
        tripay.next_lookup(&request.merchant_ref()).await.respond_list(&[list_item(&request.body, "T1")]).await;
    };
    let (answer, ()) = buy_while(&world, &token, &pro_monthly("BRIVA"), lookup).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["checkout_url"].clone()),
        (200, json!("https://tripay.test/checkout/T1"))
    );
    assert_eq!(invoices(&owner, FREE).await, "pending T1");
}

#[tokio::test]
async fn an_invoice_survives_a_database_outage_during_the_tripay_call() {
    let database = Database::new().await;
    let tripay = ManualTripay::start().await;
    // Bypasses the pooler, which would outlive the server for a while.
    let mut settings = tripay.settings();
    settings.insert("DATABASE_URL".into(), database.url("nofomo_api"));
    let world = World::on_database(database, settings).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let limit = |limit| format!("alter database {} connection limit {limit}", world.database.name);
    let creation = async {
        let request = tripay.next_create_request().await;
        owner.run(&limit(0)).await.unwrap();
        owner
            .run(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where usename = 'nofomo_api' and datname = current_database()",
            )
            .await
            .unwrap();
        let order = request.body.clone();
        request.respond_created("T1").await;
        order
    };
    let (answer, order) = buy_while(&world, &token, &pro_monthly("BRIVA"), creation).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".into()), "{answer:?}");
    assert_eq!(invoices(&owner, FREE).await, "pending -");
    owner.run(&limit(-1)).await.unwrap();
    let lookup = async {
        let request = tripay.next_lookup(order["merchant_ref"].as_str().unwrap()).await;
        request.respond_list(&[list_item(&order, "T1")]).await;
    };
    let (answer, ()) = buy_while(&world, &token, &pro_monthly("BRIVA"), lookup).await;
    assert_eq!((answer.status.as_u16(), answer.json()["tripay_invoice_id"].clone()), (200, json!("T1")), "{answer:?}");
    assert_eq!(invoices(&owner, FREE).await, "pending T1");
}

/// Delivers the callback of a requested transaction before Tripay responds.
async fn deliver_callback(world: &World, request: &PendingRequest, reference: &str, status: &str) {
    let callback = json!({
        "reference": reference, "merchant_ref": request.merchant_ref(), "payment_method": "BRI Virtual Account",
        "payment_method_code": "BRIVA", "total_amount": 153_250, "fee_merchant": 0, "fee_customer": 4250, "total_fee": 4250,
        "amount_received": 149_000, "is_closed_payment": 1, "status": status, "paid_at": Utc::now().timestamp(), "note": null,
    })
    .to_string();
    let signature = world.stack.tripay().sign(callback.as_bytes());
    let headers = [("content-type", "application/json"), ("x-callback-signature", signature.as_str())];
    let answer = world.send(Method::POST, "/callbacks/tripay", &headers, &callback).await;
    assert_eq!(answer.text, r#"{"success":true}"#);
}

#[tokio::test]
async fn a_callback_that_arrives_before_the_create_response_prevails() {
    let tripay = ManualTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    for (status, then) in [("PAID", "paid"), ("EXPIRED", "expired"), ("FAILED", "failed"), ("UNPAID", "pending")] {
        let reference = format!("T-{status}");
        let creation = async {
            let request = tripay.next_create_request().await;
            deliver_callback(&world, &request, &reference, status).await;
            request.respond_created(&reference).await;
        };
        let (answer, ()) = buy_while(&world, &token, &pro_monthly(&format!("{status}VA")), creation).await;
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
    // The callback prevails over a later response, as it is signed.
    for (method, reference, status) in [("TWICEVA", Some("T-second"), 201), ("REFUSEDVA", None, 422)] {
        let creation = async {
            let request = tripay.next_create_request().await;
            deliver_callback(&world, &request, &format!("T-{method}"), "PAID").await;
            match reference {
                Some(reference) => request.respond_created(reference).await,
                None => request.respond(400, &json!({"success": false, "message": "Sudah dibayar"})).await,
            }
        };
        let (answer, ()) = buy_while(&world, &token, &pro_monthly(method), creation).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let row = format!(
            "select concat_ws(' ', status, tripay_invoice_id, transaction_id, checkout_url)
             from public.invoices where payment_method = '{method}'"
        );
        assert_eq!(owner.text(&row).await, format!("paid T-{method} T-{method}"));
    }

    // If the response is lost, the callback gives the reference, and the lookup adds the checkout URL.
    let lost = pro_monthly("LOSTVA");
    let losing = async {
        let request = tripay.next_create_request().await;
        deliver_callback(&world, &request, "T-LOST", "UNPAID").await;
        let order = request.body.clone();
        request.reset();
        order
    };
    let (answer, order) = buy_while(&world, &token, &lost, losing).await;
    assert!(is_no_answer_problem(&answer), "{answer:?}");
    let lookup = async {
        let request = tripay.next_lookup(order["merchant_ref"].as_str().unwrap()).await;
        request.respond_list(&[list_item(&order, "T-LOST")]).await;
    };
    let (answer, ()) = buy_while(&world, &token, &lost, lookup).await;
    let url = json!("https://tripay.test/checkout/T-LOST");
    assert_eq!((answer.status.as_u16(), &answer.json()["checkout_url"]), (200, &url), "{answer:?}");

    let periods = format!("select string_agg(status, ' ') from public.subscriptions where user_id = '{FREE}'");
    assert_eq!(owner.text(&periods).await, "active active active");
    assert_eq!(world.get("/portfolio", &token).await.json()["user"]["plan"], "Pro");
}

#[tokio::test]
async fn an_invoice_is_recorded_for_its_owner_only() {
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
    // The same request id of another user reveals nothing.
    let create = |user| {
        let body = pro_monthly("BRIVA").to_string().replace('{', "{\"id\": \"0190c000-0000-7000-8000-00000000000b\", ");
        format!("select private.create_invoice('{{\"sub\": \"{user}\"}}', '{body}')")
    };
    assert!(api.text(&create(PRO)).await.contains("opened"));
    assert!(api.text(&create(PRO)).await.contains("unconfirmed"));
    assert_eq!(api.text(&create(FREE)).await, "\"key_reused\"");
    let without_owner = api.run("select private.record_tripay_response('{}')").await.unwrap_err();
    assert_eq!(without_owner.code().unwrap().code(), "42501");
}
