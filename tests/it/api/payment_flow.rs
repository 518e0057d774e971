//! Payment flow: from an invoice through the checkout page in a real browser to a plan, and back to Free.

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::database::FREE;
use crate::support::waiting::wait_until;
use crate::support::world::{World, new_bot};

async fn open_invoice(world: &World, token: &str, plan: &str) -> Value {
    let answer = world.post("/invoices", token, &json!({ "plan": plan, "period": "monthly", "method": "QRIS" })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

async fn portfolio(world: &World, token: &str) -> Value {
    world.get("/portfolio", token).await.json()
}

/// Waits until the user has the plan, as callbacks are sent in the background.
async fn wait_for_plan(world: &World, token: &str, plan: &str) -> Value {
    let has_plan = async || portfolio(world, token).await["user"]["plan"] == plan;
    wait_until(&format!("the plan becomes {plan}"), has_plan).await;
    portfolio(world, token).await
}

/// Runs `expire-subscriptions` at a time this many days from now.
async fn expire_after_days(world: &World, days: i64) -> Value {
    let time = chrono::Utc::now() + chrono::Duration::days(days);
    let body = json!({ "time": time }).to_string();
    let answer = world.send(reqwest::Method::POST, "/_local/invoke/expire-subscriptions", &[], &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn an_invoice_paid_in_a_browser_activates_the_plan_until_it_ends() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let invoice = open_invoice(&world, &token, "pro").await;
    assert_eq!(portfolio(&world, &token).await["invoices"][0]["id"], invoice["id"]);

    // The user opens the checkout page and pays.
    let browser = Browser::open(390, 844).await;
    browser.go_to(invoice["checkout_url"].as_str().unwrap()).await;
    let page = browser.text().await;
    for words in ["Rp149.000", "Pro, monthly", "UNPAID", invoice["reference_id"].as_str().unwrap()] {
        assert!(page.contains(words), "{words} is not on the page:\n{page}");
    }
    assert!(!browser.overflows().await);
    browser.save_screenshot("checkout-unpaid").await;
    browser.press("Pay").await;
    let paid = wait_for_plan(&world, &token, "Pro").await;
    browser.client.refresh().await.unwrap();
    let page = browser.text().await;
    assert!(page.contains("PAID") && !page.contains("UNPAID"), "{page}");
    assert!(!browser.overflows().await);
    browser.save_screenshot("checkout-paid").await;
    browser.close().await;

    // The portfolio shows the plan and the payment.
    assert_eq!(paid["invoices"], json!([]));
    assert_eq!(paid["subscription"]["status"], "active");
    assert_eq!(paid["notifications"][0]["title"], "Payment received");
    assert_eq!(paid["user"]["usage"]["max_bots"], 10);
    let rows = "select i.status || ' ' || s.status || ' ' || u.subscription_plan || ' ' || (s.expires_at at time zone
            'Asia/Jakarta' = s.started_at at time zone 'Asia/Jakarta' + interval '1 month')
        from public.invoices i join public.subscriptions s on s.invoice_id = i.id join public.users u on u.id = i.user_id";
    let rows = format!("{rows} where i.id = '{}'", invoice["id"].as_str().unwrap());
    assert_eq!(owner.text(&rows).await, "paid active pro true");
    let events = "select string_agg(source || ' ' || outcome, ', ') from private.payment_events";
    assert_eq!(owner.text(events).await, "callback paid");

    // The plan allows a second running bot.
    let second = world.post("/bots", &token, &new_bot("second")).await;
    assert_eq!(second.status, 201, "{}", second.text);
    let first = world.oldest_bot_of(FREE).await;
    for bot in [first.as_str(), second.json()["id"].as_str().unwrap()] {
        assert_eq!(world.post_with(&format!("/bots/{bot}/start"), &token, &[], "").await.status, 200);
    }

    // The plan is in force after 27 days and has ended after 35.
    expire_after_days(&world, 27).await;
    assert_eq!(owner.text(&rows).await, "paid active pro true");
    let counts = expire_after_days(&world, 35).await;
    assert_eq!((&counts["stopped_bots"], &counts["is_complete"]), (&json!(1), &json!(true)), "{counts}");
    let ended = portfolio(&world, &token).await;
    assert_eq!((&ended["user"]["plan"], &ended["subscription"]), (&json!("Free"), &Value::Null));
    assert_eq!(ended["notifications"][0]["title"], "Pro has ended");
    assert!(ended["notifications"][0]["body"].as_str().unwrap().contains("second"), "{ended}");
    let plan = format!("select subscription_plan from public.users where id = '{FREE}'");
    assert_eq!(owner.text(&plan).await, "free");
    let running =
        format!("select string_agg(id::text, ' ') from public.bots where user_id = '{FREE}' and status = 'running'");
    assert_eq!(owner.text(&running).await, first, "the oldest bot keeps running");
}

#[tokio::test]
async fn a_payment_can_fail_expire_and_be_refunded_on_the_checkout_page() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let browser = Browser::open(1280, 900).await;
    for (button, status) in [("Fail", "failed"), ("Expire", "expired")] {
        let invoice = open_invoice(&world, &token, "pro").await;
        browser.go_to(invoice["checkout_url"].as_str().unwrap()).await;
        browser.press(button).await;
        let row = format!("select status from public.invoices where id = '{}'", invoice["id"].as_str().unwrap());
        wait_until("the callback", async || owner.text(&row).await != "pending").await;
        assert_eq!(owner.text(&row).await, status);
    }
    let invoice = open_invoice(&world, &token, "enterprise").await;
    browser.go_to(invoice["checkout_url"].as_str().unwrap()).await;
    browser.press("Pay").await;
    wait_for_plan(&world, &token, "Enterprise").await;
    browser.client.refresh().await.unwrap();
    browser.press("Refund").await;
    let refunded = wait_for_plan(&world, &token, "Free").await;
    assert_eq!(refunded["notifications"][0]["title"], "Payment refunded");
    browser.client.refresh().await.unwrap();
    assert!(browser.text().await.contains("REFUND"));
    browser.save_screenshot("checkout-refunded").await;
    browser.close().await;
    let rows = "select i.status || ' ' || (i.refunded_at is not null) || ' ' || s.status || ' ' || s.value::text
        from public.invoices i join public.subscriptions s on s.invoice_id = i.id";
    let rows = format!("{rows} where i.id = '{}'", invoice["id"].as_str().unwrap());
    assert_eq!(owner.text(&rows).await, "paid true expired 0.0000");
}
