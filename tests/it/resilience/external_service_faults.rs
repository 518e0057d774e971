//! Faults of Tripay, the language model and the signing keys while trades are reported.
//!
//! Clients report each trade until it is acknowledged. Afterwards each trade is stored once, the bot's statistics equal
//! those of its trades, and the schema is the one that the migrations create.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::Utc;
use dev::auth::SigningKey;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::database::{PRO, server};
use crate::support::fake_tripay::{FailureMode, FakeTripay};
use crate::support::issuer::{Issuer, published_keys};
use crate::support::language_model::{answer_with, completion, language_model_settings, start_language_model};
use crate::support::trade_load::{TradeLoad, UNAVAILABLE};
use crate::support::world::World;

#[tokio::test]
async fn trades_are_accepted_while_tripay_is_slow_unreachable_or_wrong() {
    let tripay = FakeTripay::start().await;
    let world = World::with_settings(tripay.settings()).await;
    let load = TradeLoad::new(&world).await;
    let payer = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let periods = async || owner.list("select count(*)::text from public.subscriptions").await;
    let before = periods().await;
    let mut open = BTreeSet::new();
    let refused = load.during(async {
        let failure_modes = [
            (FailureMode::None, 201),
            (FailureMode::Slow, 201),
            (FailureMode::Unresponsive, 504),
            (FailureMode::ServesHtml, 504),
            (FailureMode::Refuses("Invalid Payment Channel"), 422),
            (FailureMode::Disconnects, 504),
            (FailureMode::LosesResponse, 504),
            (FailureMode::ReturnsOtherTransaction, 504),
            (FailureMode::None, 201),
        ];
        for (n, (failure_mode, status)) in failure_modes.into_iter().enumerate() {
            tripay.set_failure_mode(failure_mode);
            let method =
                ["QRIS", "BRIVA", "BNIVA", "MANDIRIVA", "PERMATAVA", "CIMBVA", "BSIVA", "MUAMALATVA", "ALFAMART"][n];
            let body = json!({ "plan": "pro", "period": "monthly", "method": method }).to_string();
            let key = format!("invoice-{n}");
            let answer = world.post_with("/invoices", &payer, &[("idempotency-key", &key)], &body).await;
            assert_eq!(answer.status, status, "{method}: {answer:?}");
            // After a lost response, the same key finds the invoice as soon as Tripay responds again.
            tripay.set_failure_mode(FailureMode::None);
            let again = world.post_with("/invoices", &payer, &[("idempotency-key", &key)], &body).await;
            let invoice = again.json();
            if invoice["status"] == "pending" {
                open.insert(invoice["reference_id"].as_str().unwrap().to_owned());
            }
        }
        // Tripay then reports that each invoice was paid with one rupiah.
        let pending_references = "select tripay_invoice_id::text from public.invoices
            where status = 'pending' and reference_id = any(string_to_array($1, ','))";
        let merchant_refs = open.iter().cloned().collect::<Vec<_>>().join(",");
        for row in owner.rows(pending_references, &[&merchant_refs]).await.unwrap() {
            let reference: String = row.get(0);
            tripay.update_transaction(&reference, &json!({ "status": "PAID", "amount": 1, "amount_received": 1 }));
        }
        let later = (Utc::now() + chrono::Duration::minutes(20)).to_rfc3339();
        let counts = world.run_job("reconcile-invoices", &later).await;
        assert!(counts["asked"].as_u64() >= Some(open.len() as u64) && counts["paid"] == 0, "{counts}");
    });
    assert_eq!(refused.await, BTreeMap::new(), "trades do not depend on the external service");
    let pending =
        "select reference_id::text from public.invoices where status = 'pending' and checkout_url is not null";
    let pending: BTreeSet<String> = owner.list(pending).await.into_iter().collect();
    assert!(open.len() >= 5 && pending.is_superset(&open), "{open:?} {pending:?}");
    assert_eq!(periods().await, before, "no invoice was paid");
    let wrong_amounts = "select count(*) from private.payment_events where outcome = 'wrong_amount'";
    assert_eq!(
        owner.text(wrong_amounts).await,
        open.len().to_string(),
        "each wrong amount was recorded and none was accepted"
    );
    load.assert_recovered(server().await).await;
}

#[tokio::test]
async fn trades_are_accepted_while_the_language_model_is_slow_unreachable_or_wrong() {
    let (model, settings) = start_language_model().await;
    let world = World::with_settings(settings).await;
    let load = TradeLoad::new(&world).await;
    let bot = world.oldest_bot_of(PRO).await;
    let refused = load.during(async {
        let narrative = |text: &str| completion(&json!({ "text": text, "recommendations": [] }).to_string());
        for (answer, has_narrative) in [
            (ResponseTemplate::new(500), false),
            (ResponseTemplate::new(200).set_body_string("not JSON"), false),
            (narrative("It earns 4711 % a day."), false),
            (narrative("It loses now and then.").set_delay(Duration::from_secs(2)), true),
        ] {
            answer_with(&model, answer).await;
            let body = json!({ "analysis_type": "performance", "bot_id": bot, "narrative": true });
            let token = load.token.borrow().clone();
            let analysis = world.post("/analyses", &token, &body).await;
            // The figures do not depend on the model.
            assert_eq!(analysis.status, 201, "{analysis:?}");
            let results = &analysis.json()["results"];
            assert!(results["narrative"].is_object() == has_narrative, "{results}");
            assert!(results["narrative_error"].is_null() == has_narrative, "{results}");
        }
    });
    assert_eq!(refused.await, BTreeMap::new(), "trades do not depend on the external service");
    load.assert_recovered(server().await).await;
}

#[tokio::test]
async fn trades_are_accepted_while_tripay_and_the_language_model_are_unreachable() {
    let unreachable = "http://127.0.0.1:1/api-sandbox";
    let mut settings = language_model_settings(unreachable);
    settings.insert("TRIPAY_URL".into(), unreachable.into());
    let world = World::with_settings(settings).await;
    let load = TradeLoad::new(&world).await;
    let token = load.token.borrow().clone();
    let bot = world.oldest_bot_of(PRO).await;
    let owner = world.database.owner().await;
    let open = "select count(*) from public.invoices where status = 'pending' and checkout_url is null";
    let before: usize = owner.text(open).await.parse().unwrap();
    let refused = load.during(async {
        let body = json!({ "plan": "enterprise", "period": "monthly", "method": "QRIS" });
        let answer = world.post("/invoices", &token, &body).await;
        // Reconciliation will find out whether Tripay has opened the transaction.
        assert_eq!(answer.status, 504, "{answer:?}");
        assert_eq!(owner.text(open).await, (before + 1).to_string());
        let body = json!({ "analysis_type": "performance", "bot_id": bot, "narrative": true });
        let analysis = world.post("/analyses", &token, &body).await;
        assert_eq!(analysis.status, 201, "{analysis:?}");
        assert!(analysis.json()["results"]["narrative_error"].is_string(), "{analysis:?}");
    });
    assert_eq!(refused.await, BTreeMap::new(), "trades do not depend on the external services");
    load.assert_recovered(server().await).await;
}

#[tokio::test]
async fn trades_are_accepted_after_the_signing_keys_were_unavailable_and_rotated() {
    let issuer = Issuer::start(&json!({ "keys": [] })).await;
    let world = issuer.world().await;
    *issuer.body.lock().unwrap() = published_keys(&world).await.to_string();
    let load = TradeLoad::new(&world).await;
    let refused = load.during(async {
        issuer.is_unavailable.store(true, Ordering::SeqCst);
        // Another token of the same user, which no instance has verified yet.
        let claims = world.stack.auth().claims_for("pro@nofomo.test").await.unwrap();
        *load.token.borrow_mut() = world.stack.auth().sign(&claims).unwrap();
        load.wait_until_acknowledged().await;
        assert_eq!(*load.refused.borrow(), BTreeMap::new(), "known keys stay valid");
        // A new instance has no keys, so it cannot verify a token and answers 503.
        issuer.take_fetches();
        for instance in world.stack.fleet("record-trade").unwrap().process_ids() {
            kill(Pid::from_raw(instance.cast_signed()), Signal::SIGKILL).ok();
        }
        load.wait_until_refused().await;
        assert!(issuer.take_fetches() > 0);
        let next = SigningKey::generate().unwrap();
        world.stack.auth().publish(&next);
        *issuer.body.lock().unwrap() = published_keys(&world).await.to_string();
        issuer.is_unavailable.store(false, Ordering::SeqCst);
        let claims = world.stack.auth().claims_for("pro@nofomo.test").await.unwrap();
        *load.token.borrow_mut() = next.sign(&claims).unwrap();
        // After a failed fetch, an instance waits before it fetches the keys again; until then it refuses every report.
        load.wait_until_every_instance_accepts().await;
    });
    let refused = refused.await;
    assert!(refused.keys().all(|status| [502, UNAVAILABLE].contains(status)), "{refused:?}");
    load.assert_recovered(server().await).await;
}
