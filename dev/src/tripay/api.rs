//! The merchant's API, which responds like Tripay's sandbox.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    channel::{CHANNELS, Channel, PaymentMethod},
    merchant::API_KEY,
    order::Order,
    paths::qr_path,
    payments::{Payments, current_second},
    qr::QR_TEXT,
    rupiah::format_rupiah,
    transaction::{FeeBearer, Item, Status, Transaction},
};

/// Maximum number of transactions on a page of the list.
const MAX_PAGE_SIZE: usize = 50;

pub(super) fn router(payments: Arc<Payments>) -> Router {
    Router::new()
        .route("/_local/tripay/api-sandbox/transaction/create", post(create))
        .route("/_local/tripay/api-sandbox/transaction/detail", get(detail))
        .route("/_local/tripay/api-sandbox/merchant/transactions", get(list))
        .route("/_local/tripay/api-sandbox/merchant/payment-channel", get(channels))
        .route_layer(from_fn(authorize))
        .with_state(payments)
}

/// An error in Tripay's format.
struct ApiError(StatusCode, String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "success": false, "message": self.1 }))).into_response()
    }
}

fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError(StatusCode::BAD_REQUEST, message.into())
}

async fn authorize(headers: HeaderMap, request: Request, next: Next) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.and_then(|value| value.strip_prefix("Bearer ")) != Some(API_KEY) {
        return ApiError(StatusCode::UNAUTHORIZED, "Invalid API Key".to_owned()).into_response();
    }
    next.run(request).await
}

/// A success in Tripay's format.
#[derive(Serialize)]
struct Success<T> {
    success: bool,
    message: &'static str,
    data: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<Value>,
}

fn success(message: &'static str, data: impl Serialize) -> Response {
    Json(Success { success: true, message, data, pagination: None }).into_response()
}

async fn create(State(payments): State<Arc<Payments>>, body: Bytes) -> Result<Response, ApiError> {
    let order = Order::parse(&body, current_second()).map_err(bad_request)?;
    let transaction = payments.open(order);
    Ok(success("", Detail::of_created(&payments, &transaction)))
}

#[derive(Deserialize)]
struct DetailQuery {
    reference: Option<String>,
}

async fn detail(
    State(payments): State<Arc<Payments>>,
    query: Result<Query<DetailQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let reference = query.reference.ok_or_else(|| bad_request("Kolom reference wajib diisi"))?;
    let Some(transaction) = payments.find(&reference) else {
        return Err(ApiError(StatusCode::NOT_FOUND, "Transaction not found".to_owned()));
    };
    Ok(success("Transaction found", Detail::of_found(&payments, &transaction)))
}

#[derive(Deserialize)]
struct Filter {
    page: Option<usize>,
    per_page: Option<usize>,
    #[serde(default)]
    sort: Sort,
    reference: Option<String>,
    merchant_ref: Option<String>,
    method: Option<String>,
    status: Option<Status>,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Sort {
    #[default]
    Asc,
    Desc,
}

impl Filter {
    fn matches(&self, transaction: &Transaction) -> bool {
        let is =
            |expected: &Option<String>, actual: &str| expected.as_deref().is_none_or(|expected| expected == actual);
        // Tripay does not document whether this match is exact. A prefix match reveals clients that rely on it.
        let has_merchant_ref =
            self.merchant_ref.as_deref().is_none_or(|start| transaction.merchant_ref.starts_with(start));
        has_merchant_ref
            && is(&self.reference, &transaction.reference)
            && is(&self.method, &transaction.method)
            && self.status.is_none_or(|status| status == transaction.status)
    }
}

async fn list(
    State(payments): State<Arc<Payments>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(filter) = filter.map_err(|rejection| bad_request(rejection.body_text()))?;
    payments.expire_due();
    let mut found = payments.transactions().clone();
    found.retain(|transaction| filter.matches(transaction));
    if let Sort::Desc = filter.sort {
        found.reverse();
    }

    let per_page = filter.per_page.unwrap_or(MAX_PAGE_SIZE).clamp(1, MAX_PAGE_SIZE);
    let page = filter.page.unwrap_or_default().max(1);
    let last_page = found.len().div_ceil(per_page).max(1);
    let before = (page - 1).saturating_mul(per_page);
    let listed: Vec<_> = found
        .iter()
        .skip(before)
        .take(per_page)
        .map(|transaction| ListedTransaction::of(&payments, transaction))
        .collect();
    let (from, to) = match listed.len() {
        0 => (None, None),
        count => (Some(before + 1), Some(before + count)),
    };
    let pagination = json!({
        "sort": filter.sort,
        "offset": { "from": from, "to": to },
        "current_page": page,
        "previous_page": (page > 1).then(|| page - 1),
        "next_page": (page < last_page).then(|| page + 1),
        "last_page": last_page,
        "per_page": per_page,
        "total_records": found.len(),
    });
    let response = Success { success: true, message: "Success", data: listed, pagination: Some(pagination) };
    Ok(Json(response).into_response())
}

async fn channels(State(payments): State<Arc<Payments>>) -> Response {
    let bearer = payments.fee_bearer();
    let channels: Vec<_> = CHANNELS.iter().map(|channel| describe(channel, bearer)).collect();
    success("Success", channels)
}

fn describe(channel: &Channel, bearer: FeeBearer) -> Value {
    // A whole number without a decimal point, as PHP formats it.
    let percent = match channel.fee_rate % 100 {
        0 => json!(channel.fee_rate / 100),
        rest => json!(format!("{}.{rest:02}", channel.fee_rate / 100).parse::<f64>().unwrap_or_default()),
    };
    let (full, none) = (json!({ "flat": channel.flat_fee, "percent": percent }), json!({ "flat": 0, "percent": 0 }));
    let (fee_merchant, fee_customer) = match bearer {
        FeeBearer::Merchant => (full, none),
        FeeBearer::Customer => (none, full),
    };
    json!({
        "group": channel.group,
        "code": channel.code,
        "name": channel.name,
        "type": if channel.payment_method == PaymentMethod::Redirect { "redirect" } else { "direct" },
        "fee_merchant": fee_merchant,
        "fee_customer": fee_customer,
        "total_fee": {
            "flat": channel.flat_fee,
            "percent": format!("{}.{:02}", channel.fee_rate / 100, channel.fee_rate % 100),
        },
        "minimum_fee": channel.min_fee,
        "maximum_fee": null,
        "minimum_amount": channel.min_amount,
        "maximum_amount": channel.max_amount,
        "icon_url": null,
        "active": true,
    })
}

/// Fields of a transaction in every response.
#[derive(Serialize)]
struct Summary<'a> {
    reference: &'a str,
    merchant_ref: &'a str,
    payment_selection_type: &'static str,
    payment_method: &'a str,
    payment_name: &'a str,
    customer_name: &'a str,
    customer_email: &'a str,
    customer_phone: Option<&'a str>,
    callback_url: Option<&'a str>,
    return_url: Option<&'a str>,
    amount: i64,
    fee_merchant: i64,
    fee_customer: i64,
    total_fee: i64,
    amount_received: i64,
    pay_code: Option<&'a str>,
    pay_url: Option<String>,
    checkout_url: String,
    status: Status,
}

impl<'a> Summary<'a> {
    fn of(payments: &Payments, transaction: &'a Transaction) -> Self {
        let checkout_url = payments.checkout_url(&transaction.reference);
        Self {
            reference: &transaction.reference,
            merchant_ref: &transaction.merchant_ref,
            payment_selection_type: "static",
            payment_method: &transaction.method,
            payment_name: &transaction.method_name,
            customer_name: &transaction.customer_name,
            customer_email: &transaction.customer_email,
            customer_phone: transaction.customer_phone.as_deref(),
            callback_url: transaction.callback_url.as_deref(),
            return_url: transaction.return_url.as_deref(),
            amount: transaction.amount,
            fee_merchant: transaction.fee_merchant,
            fee_customer: transaction.fee_customer,
            total_fee: transaction.total_fee(),
            amount_received: transaction.amount_received(),
            pay_code: transaction.pay_code.as_deref(),
            // In the sandbox, the checkout page stands in for the wallet's own page.
            pay_url: (transaction.payment_method == PaymentMethod::Redirect).then(|| checkout_url.clone()),
            checkout_url,
            status: transaction.status,
        }
    }
}

/// Response about one transaction.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    /// Absent from the response that creates the transaction; a timestamp as text, or null, in the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_at: Option<Option<String>>,
    expired_time: i64,
    order_items: Vec<DetailItem<'a>>,
    instructions: Vec<Instruction>,
    qr_string: Option<&'static str>,
    qr_url: Option<String>,
}

#[derive(Serialize)]
struct DetailItem<'a> {
    #[serde(flatten)]
    item: ListedItem<'a>,
    product_url: Option<&'a str>,
    image_url: Option<&'a str>,
}

#[derive(Serialize)]
struct Instruction {
    title: &'static str,
    steps: Vec<String>,
}

impl<'a> Detail<'a> {
    fn of_created(payments: &Payments, transaction: &'a Transaction) -> Self {
        let item = |item: &'a Item| DetailItem {
            item: ListedItem::of(item),
            product_url: item.product_url.as_deref(),
            image_url: item.image_url.as_deref(),
        };
        let is_qr = transaction.payment_method == PaymentMethod::Qr;
        Self {
            summary: Summary::of(payments, transaction),
            paid_at: None,
            expired_time: transaction.expires_at.timestamp(),
            order_items: transaction.items.iter().map(item).collect(),
            instructions: instructions(transaction),
            qr_string: is_qr.then_some(QR_TEXT),
            qr_url: is_qr.then(|| format!("{}{}", payments.origin, qr_path(&transaction.reference))),
        }
    }

    fn of_found(payments: &Payments, transaction: &'a Transaction) -> Self {
        let paid_at = transaction.paid_at.map(|time| time.timestamp().to_string());
        Self { paid_at: Some(paid_at), ..Self::of_created(payments, transaction) }
    }
}

/// Payment instructions, with HTML like Tripay's.
fn instructions(transaction: &Transaction) -> Vec<Instruction> {
    let amount = format_rupiah(transaction.amount);
    let (title, steps) = match (transaction.payment_method, &transaction.pay_code) {
        (PaymentMethod::Code, Some(code)) => (
            "Kode Bayar",
            vec![
                format!("Masukkan kode bayar <b>{code}</b>"),
                format!("Pastikan jumlahnya <b>{amount}</b>, lalu konfirmasi pembayaran"),
            ],
        ),
        (PaymentMethod::Qr, _) => (
            "Pindai Kode QR",
            vec![
                "Buka aplikasi yang mendukung <b>QRIS</b>".to_owned(),
                format!("Pindai kode QR dan bayar <b>{amount}</b>"),
            ],
        ),
        _ => ("E-Wallet", vec![format!("Klik tombol bayar, lalu konfirmasi <b>{amount}</b> di aplikasi")]),
    };
    vec![Instruction { title, steps }]
}

/// A transaction in the list.
#[derive(Serialize)]
struct ListedTransaction<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    order_items: Vec<ListedItem<'a>>,
    note: Option<&'a str>,
    created_at: i64,
    expired_at: i64,
    paid_at: Option<i64>,
}

#[derive(Serialize)]
struct ListedItem<'a> {
    sku: Option<&'a str>,
    name: &'a str,
    price: i64,
    quantity: i64,
    subtotal: i64,
}

impl<'a> ListedTransaction<'a> {
    fn of(payments: &Payments, transaction: &'a Transaction) -> Self {
        Self {
            summary: Summary::of(payments, transaction),
            order_items: transaction.items.iter().map(ListedItem::of).collect(),
            note: None,
            created_at: transaction.created_at.timestamp(),
            expired_at: transaction.expires_at.timestamp(),
            paid_at: transaction.paid_at.map(|time| time.timestamp()),
        }
    }
}

impl<'a> ListedItem<'a> {
    fn of(item: &'a Item) -> Self {
        Self {
            sku: item.sku.as_deref(),
            name: &item.name,
            price: item.price,
            quantity: item.quantity,
            subtotal: item.subtotal(),
        }
    }
}
