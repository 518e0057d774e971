//! Months and years in Jakarta's calendar: a period that starts on the 31st ends on the last day of a shorter month,
//! and the next one ends on the 31st again.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde_json::json;

use super::{BillingFixture, Invoice, callback_body, job, settle, time};

#[tokio::test]
async fn months_and_years_end_on_the_same_day_or_the_last_day_of_the_month() {
    let billing = BillingFixture::new().await;
    for (start, period, end) in [
        ("2027-04-15 10:00:00", "monthly", "2027-05-15 10:00:00"),
        ("2027-01-28 10:00:00", "monthly", "2027-02-28 10:00:00"),
        ("2027-01-29 10:00:00", "monthly", "2027-02-28 10:00:00"),
        ("2027-01-31 10:00:00", "monthly", "2027-02-28 10:00:00"),
        ("2027-03-31 10:00:00", "monthly", "2027-04-30 10:00:00"),
        ("2027-12-31 23:59:59", "monthly", "2028-01-31 23:59:59"),
        ("2027-12-31 23:59:59", "yearly", "2028-12-31 23:59:59"),
        ("2028-01-01 00:00:00", "yearly", "2029-01-01 00:00:00"),
        // 2028 is a leap year.
        ("2028-01-29 10:00:00", "monthly", "2028-02-29 10:00:00"),
        ("2028-01-31 10:00:00", "monthly", "2028-02-29 10:00:00"),
        ("2028-02-29 10:00:00", "monthly", "2028-03-29 10:00:00"),
        ("2028-02-29 10:00:00", "yearly", "2029-02-28 10:00:00"),
        ("2027-02-28 10:00:00", "yearly", "2028-02-28 10:00:00"),
        // 2100 is not.
        ("2100-01-31 10:00:00", "monthly", "2100-02-28 10:00:00"),
    ] {
        let user = billing.new_user().await;
        let invoice = billing.buy(&user, "Pro", period, start).await;
        assert_eq!(billing.periods(&user).await, [format!("Pro {start} to {end} worth {}", invoice.amount)]);
    }
}

#[tokio::test]
async fn dates_are_counted_in_jakarta_time() {
    let billing = BillingFixture::new().await;
    for (start, end) in [
        // 30 April in Jakarta, a second before midnight; 1 May at midnight; half past midnight.
        ("2027-04-30T16:59:59Z", "2027-05-30T16:59:59Z"),
        ("2027-04-30T17:00:00Z", "2027-05-31T17:00:00Z"),
        ("2027-04-30T17:30:00Z", "2027-05-31T17:30:00Z"),
        // 31 January and 1 February; 28 February and 1 March.
        ("2027-01-31T16:59:59Z", "2027-02-28T16:59:59Z"),
        ("2027-01-31T17:00:00Z", "2027-02-28T17:00:00Z"),
        ("2027-02-28T16:59:59Z", "2027-03-28T16:59:59Z"),
        ("2027-02-28T17:00:00Z", "2027-03-31T17:00:00Z"),
        // New Year's Eve and New Year.
        ("2027-12-31T16:59:59Z", "2028-01-31T16:59:59Z"),
        ("2027-12-31T17:00:00Z", "2028-01-31T17:00:00Z"),
    ] {
        let user = billing.new_user().await;
        billing.buy(&user, "Pro", "monthly", start).await;
        let utc = "select to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
            from public.subscriptions where user_id = ";
        assert_eq!(billing.owner.text(&format!("{utc} '{user}'")).await, end, "{start}");
    }
}

#[tokio::test]
async fn years_from_a_leap_day_end_on_28_february_until_the_next_leap_year() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    for year in 0..4 {
        let paid = format!("{}-02-20 10:00", 2028 + year);
        let paid = if year == 0 { "2028-02-29 10:00" } else { paid.as_str() };
        billing.buy(&user, "Pro", "yearly", paid).await;
    }
    assert_eq!(
        billing.periods(&user).await,
        [
            "Pro 2028-02-29 10:00:00 to 2029-02-28 10:00:00 worth 1490000",
            "Pro 2029-02-28 10:00:00 to 2030-02-28 10:00:00 worth 1490000",
            "Pro 2030-02-28 10:00:00 to 2031-02-28 10:00:00 worth 1490000",
            "Pro 2031-02-28 10:00:00 to 2032-02-29 10:00:00 worth 1490000",
        ]
    );
}

/// Ends of consecutive months from January 2027 to March 2028, across two Februaries.
fn month_ends(day: u32) -> Vec<String> {
    let months = (2..=12).map(|month| (2027, month)).chain([(2028, 1), (2028, 2), (2028, 3)]);
    months
        .map(|(year, month)| {
            let last = NaiveDate::from_ymd_opt(year, month, 1).unwrap().num_days_in_month();
            format!("{year}-{month:02}-{:02} 10:00:00", day.min(u32::from(last)))
        })
        .collect()
}

/// Expected periods of these months.
fn consecutive_months(day: u32) -> Vec<String> {
    let mut start = format!("2027-01-{day} 10:00:00");
    let mut lines = Vec::new();
    for end in month_ends(day) {
        lines.push(format!("Pro {start} to {end} worth 149000"));
        start = end;
    }
    lines
}

#[tokio::test]
async fn months_bought_in_advance_return_to_the_day_of_the_month_of_the_first_period() {
    let billing = BillingFixture::new().await;
    for day in [29, 30, 31] {
        let user = billing.new_user().await;
        for _ in 0..consecutive_months(day).len() {
            billing.buy(&user, "Pro", "monthly", &format!("2027-01-{day} 10:00")).await;
        }
        assert_eq!(billing.periods(&user).await, consecutive_months(day));
    }
}

#[tokio::test]
async fn months_renewed_one_by_one_return_to_the_day_of_the_month_of_the_first_period() {
    let billing = BillingFixture::new().await;
    for day in [29, 30, 31] {
        let user = billing.new_user().await;
        billing.buy(&user, "Pro", "monthly", &format!("2027-01-{day} 10:00")).await;
        let ends = month_ends(day);
        for end in &ends[..ends.len() - 1] {
            // The invoice is opened three days before the end and paid two days later.
            let batch = json!({"now": time(end) - TimeDelta::days(3), "limit": 10, "after": null});
            let renewed = job(&billing.jobs, "renew_subscriptions", &batch).await;
            let order = &renewed["opened"][0];
            assert_eq!(renewed["opened"].as_array().unwrap().len(), 1, "{end}: {renewed}");
            let id = order["id"].as_str().unwrap().to_owned();
            let invoice = Invoice {
                merchant_ref: order["order"]["merchant_ref"].as_str().unwrap().to_owned(),
                reference: format!("T-{id}"),
                amount: order["order"]["amount"].as_i64().unwrap(),
                id,
            };
            let paid = time(end) - TimeDelta::days(1);
            assert_eq!(
                settle(&billing.jobs, "callback", &callback_body(&invoice, "PAID"), paid).await["outcome"],
                "paid"
            );
            // The next period starts when the last one ends.
            billing.expire(end).await;
            assert_eq!(billing.plan(&user).await, "pro");
        }
        let mut lines: Vec<_> = consecutive_months(day).iter().map(|line| format!("ended {line}")).collect();
        let last = lines.len() - 1;
        lines[last] = consecutive_months(day)[last].clone();
        assert_eq!(billing.periods(&user).await, lines);
        // The next iteration's runs must find its own user only.
        billing.owner.run("delete from public.subscriptions").await.unwrap();
    }
}

#[tokio::test]
async fn a_payment_after_the_end_sets_a_new_day_of_the_month() {
    let billing = BillingFixture::new().await;
    for (paid, end) in [
        ("2027-02-28 09:59:59", "2027-03-31 10:00:00"),
        ("2027-02-28 10:00:00", "2027-03-28 10:00:00"),
        ("2027-03-01 08:00:00", "2027-04-01 08:00:00"),
    ] {
        let user = billing.new_user().await;
        billing.buy(&user, "Pro", "monthly", "2027-01-31 10:00").await;
        billing.buy(&user, "Pro", "monthly", paid).await;
        let start = paid.max("2027-02-28 10:00:00");
        assert_eq!(billing.periods(&user).await[1], format!("Pro {start} to {end} worth 149000"));
    }
}

#[tokio::test]
async fn an_ended_plan_does_not_set_the_day_of_the_month_of_another() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    billing.buy(&user, "Pro", "monthly", "2027-03-10 10:00").await;
    for _ in 0..2 {
        billing.buy(&user, "Enterprise", "monthly", "2027-05-31 10:00").await;
    }
    assert_eq!(
        billing.periods(&user).await,
        [
            "Pro 2027-03-10 10:00:00 to 2027-04-10 10:00:00 worth 149000",
            "Enterprise 2027-05-31 10:00:00 to 2027-06-30 10:00:00 worth 499000",
            "Enterprise 2027-06-30 10:00:00 to 2027-07-31 10:00:00 worth 499000",
        ]
    );
}

#[tokio::test]
async fn months_after_a_credit_are_counted_from_its_end() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    billing.buy(&user, "Pro", "monthly", "2027-01-31 10:00").await;
    billing.buy(&user, "Enterprise", "monthly", "2027-01-31 10:00").await;
    for _ in 0..2 {
        billing.buy(&user, "Enterprise", "monthly", "2027-02-01 10:00").await;
    }
    // All of Pro: 149,000 ÷ 499,000 × 28 days = 722,366.33 s: 8 days, 8:39:27.
    assert_eq!(
        billing.periods(&user).await,
        [
            "ended Pro 2027-01-31 10:00:00 to 2027-01-31 10:00:00 worth 0",
            "Enterprise 2027-01-31 10:00:00 to 2027-02-28 10:00:00 worth 499000",
            "Enterprise 2027-02-28 10:00:00 to 2027-03-08 18:39:27 worth 149000",
            "Enterprise 2027-03-08 18:39:27 to 2027-04-08 18:39:27 worth 499000",
            "Enterprise 2027-04-08 18:39:27 to 2027-05-08 18:39:27 worth 499000",
        ]
    );
}

#[tokio::test]
async fn the_session_time_zone_changes_nothing() {
    let billing = BillingFixture::new().await;
    let mut results = Vec::new();
    // In New York, the clock is set back on 7 November 2027, while the credit is queued.
    for zone in ["America/New_York", "UTC", "Asia/Jakarta", "Pacific/Kiritimati"] {
        billing.jobs.run(&format!("set timezone = '{zone}'")).await.unwrap();
        let user = billing.new_user().await;
        billing.buy(&user, "Pro", "yearly", "2027-08-31 00:30").await;
        let enterprise = billing.buy(&user, "Enterprise", "monthly", "2027-09-30 23:30").await;
        billing.buy(&user, "Pro", "monthly", "2027-09-30 23:45").await;
        billing.refund(&enterprise, "2027-10-05 10:00").await;
        let periods = billing.periods(&user).await;
        let credit = &periods[2];
        assert!(credit.starts_with("Enterprise 2027-10-05 10:00:00 to 2027-12"), "{credit}");
        results.push(periods);
    }
    assert!(results.iter().all(|periods| *periods == results[0]), "{results:#?}");
}

#[tokio::test]
async fn a_trial_lasts_seven_days_across_a_clock_change() {
    let billing = BillingFixture::new().await;
    let day =
        billing.owner.text("select extract(doy from now() + interval '3 days')").await.parse::<u32>().unwrap().min(365);
    let zone = format!("A0B,J{day}/0,J{}/0", (day + 100) % 365 + 1);
    billing.api.run(&format!("set timezone = '{zone}'")).await.unwrap();
    let trial = billing.command("manage_subscription", &billing.new_user().await, &json!({"action": "trial"})).await;
    let moment = |name: &str| trial["done"][name].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    for end in ["expires_at", "trial_ends_at"] {
        assert_eq!(moment(end) - moment("started_at"), TimeDelta::days(7));
    }
}
