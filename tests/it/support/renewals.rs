//! Purchases that are due for renewal, and the notices and invoices that `renew-subscriptions` adds.

use serde_json::{Value, json};

use super::database::Session;
use super::payers::Purchase;

pub(crate) const FUNCTION: &str = "renew-subscriptions";

/// Purchase of a month of Pro, from noon to noon in Jakarta.
pub(crate) const PRO: Purchase =
    Purchase { plan: "Pro", period: "monthly", method: "BRIVA", at: "2027-03-01T05:00:00Z" };
/// Two days before the end of [`PRO`].
pub(crate) const TWO_DAYS_BEFORE_END: &str = "2027-03-30T05:00:00Z";

/// Notices of an approaching end: number of the user, days before the end, and time.
pub(crate) async fn notices(owner: &Session) -> Vec<String> {
    let notices = "select concat_ws(' ', right(user_id::text, 1)::integer, split_part(fact, ':', 3), created_at at time zone 'UTC')
        from public.notifications where fact like '%:ends-in-%' order by user_id, created_at";
    owner.list(notices).await
}

/// Invoices that the job opened: number of the user, status, period, amount in rupiah, and payment method.
pub(crate) async fn renewals(owner: &Session) -> Vec<String> {
    let renewals =
        "select concat_ws(' ', right(user_id::text, 2)::integer, status, period, amount::bigint, payment_method)
        from public.invoices where renews_subscription_id is not null order by user_id, created_at";
    owner.list(renewals).await
}

pub(crate) fn expected_counts(changes: &Value) -> Value {
    let mut counts =
        json!({ "notices": 0, "invoices": 0, "refused": 0, "unanswered": 0, "failures": 0, "is_complete": true });
    counts.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    counts
}
