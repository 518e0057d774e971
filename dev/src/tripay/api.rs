//! The merchant's API, which answers as Tripay's sandbox does.

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
    API_KEY, FeeBearer, Item, Shared, Status, Transaction,
    channel::{CHANNELS, Channel, Way},
    now,
    order::Order,
    page,
};

const LONGEST_PAGE: usize = 50;

/// All that QR codes say here, as in Tripay's sandbox.
pub(super) const QR_TEXT: &str = "SANDBOX MODE";

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/_local/tripay/api-sandbox/transaction/create", post(create))
        .route("/_local/tripay/api-sandbox/transaction/detail", get(detail))
        .route("/_local/tripay/api-sandbox/merchant/transactions", get(list))
        .route("/_local/tripay/api-sandbox/merchant/payment-channel", get(channels))
        .route_layer(from_fn(authorize))
        .with_state(shared)
}

/// Tripay's form of an error.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "success": false, "message": self.1 }))).into_response()
    }
}

fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, message.into())
}

async fn authorize(headers: HeaderMap, request: Request, next: Next) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.and_then(|value| value.strip_prefix("Bearer ")) != Some(API_KEY) {
        return Refusal(StatusCode::UNAUTHORIZED, "Invalid API Key".to_owned()).into_response();
    }
    next.run(request).await
}

/// Tripay's form of a success.
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

async fn create(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Refusal> {
    let order = Order::parse(&body, now()).map_err(bad_request)?;
    let transaction = shared.open(order);
    Ok(success("", Detail::created(&shared, &transaction)))
}

#[derive(Deserialize)]
struct Which {
    reference: Option<String>,
}

async fn detail(
    State(shared): State<Arc<Shared>>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(which) = which.map_err(|rejection| bad_request(rejection.body_text()))?;
    let reference = which.reference.ok_or_else(|| bad_request("Kolom reference wajib diisi"))?;
    let Some(transaction) = shared.find(&reference) else {
        return Err(Refusal(StatusCode::NOT_FOUND, "Transaction not found".to_owned()));
    };
    Ok(success("Transaction found", Detail::found(&shared, &transaction)))
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
    fn takes(&self, transaction: &Transaction) -> bool {
        let is = |asked: &Option<String>, found: &str| asked.as_deref().is_none_or(|asked| asked == found);
        // Whether this one is exact, Tripay does not say: whoever counts on it finds out here.
        let begins = self.merchant_ref.as_deref().is_none_or(|start| transaction.merchant_ref.starts_with(start));
        begins
            && is(&self.reference, &transaction.reference)
            && is(&self.method, &transaction.method)
            && self.status.is_none_or(|status| status == transaction.status)
    }
}

async fn list(
    State(shared): State<Arc<Shared>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(filter) = filter.map_err(|rejection| bad_request(rejection.body_text()))?;
    shared.expire_due();
    let mut found = shared.transactions().clone();
    found.retain(|transaction| filter.takes(transaction));
    if let Sort::Desc = filter.sort {
        found.reverse();
    }

    let per_page = filter.per_page.unwrap_or(LONGEST_PAGE).clamp(1, LONGEST_PAGE);
    let page = filter.page.unwrap_or_default().max(1);
    let last_page = found.len().div_ceil(per_page).max(1);
    let before = (page - 1).saturating_mul(per_page);
    let listed: Vec<_> =
        found.iter().skip(before).take(per_page).map(|transaction| Listed::of(&shared, transaction)).collect();
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
    let answer = Success { success: true, message: "Success", data: listed, pagination: Some(pagination) };
    Ok(Json(answer).into_response())
}

async fn channels(State(shared): State<Arc<Shared>>) -> Response {
    let bearer = shared.fee_bearer();
    let channels: Vec<_> = CHANNELS.iter().map(|channel| describe(channel, bearer)).collect();
    success("Success", channels)
}

fn describe(channel: &Channel, bearer: FeeBearer) -> Value {
    // A whole number without a point, as PHP writes it.
    let percent = match channel.fee_rate % 100 {
        0 => json!(channel.fee_rate / 100),
        rest => json!(format!("{}.{rest:02}", channel.fee_rate / 100).parse::<f64>().unwrap_or_default()),
    };
    let (whole, none) = (json!({ "flat": channel.flat_fee, "percent": percent }), json!({ "flat": 0, "percent": 0 }));
    let (fee_merchant, fee_customer) = match bearer {
        FeeBearer::Merchant => (whole, none),
        FeeBearer::Customer => (none, whole),
    };
    json!({
        "group": channel.group,
        "code": channel.code,
        "name": channel.name,
        "type": if channel.way == Way::Redirect { "redirect" } else { "direct" },
        "fee_merchant": fee_merchant,
        "fee_customer": fee_customer,
        "total_fee": {
            "flat": channel.flat_fee,
            "percent": format!("{}.{:02}", channel.fee_rate / 100, channel.fee_rate % 100),
        },
        "minimum_fee": channel.least_fee,
        "maximum_fee": null,
        "minimum_amount": channel.least,
        "maximum_amount": channel.most,
        "icon_url": null,
        "active": true,
    })
}

/// What every answer says of a transaction.
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
    fn of(shared: &Shared, transaction: &'a Transaction) -> Self {
        let checkout_url = shared.checkout_url(&transaction.reference);
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
            // Here, no wallet has a page of its own.
            pay_url: (transaction.way == Way::Redirect).then(|| checkout_url.clone()),
            checkout_url,
            status: transaction.status,
        }
    }
}

/// One transaction by itself.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    /// Absent from the answer that creates it; a text otherwise.
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
    fn created(shared: &Shared, transaction: &'a Transaction) -> Self {
        let item = |item: &'a Item| DetailItem {
            item: ListedItem::of(item),
            product_url: item.product_url.as_deref(),
            image_url: item.image_url.as_deref(),
        };
        let is_qr = transaction.way == Way::Qr;
        Self {
            summary: Summary::of(shared, transaction),
            paid_at: None,
            expired_time: transaction.expires_at.timestamp(),
            order_items: transaction.items.iter().map(item).collect(),
            instructions: instructions(transaction),
            qr_string: is_qr.then_some(QR_TEXT),
            qr_url: is_qr.then(|| format!("{}{}", shared.origin, page::qr_path(&transaction.reference))),
        }
    }

    fn found(shared: &Shared, transaction: &'a Transaction) -> Self {
        let paid_at = transaction.paid_at.map(|time| time.timestamp().to_string());
        Self { paid_at: Some(paid_at), ..Self::created(shared, transaction) }
    }
}

/// With HTML in it, as Tripay's.
fn instructions(transaction: &Transaction) -> Vec<Instruction> {
    let amount = super::rupiah(transaction.amount);
    let (title, steps) = match (transaction.way, &transaction.pay_code) {
        (Way::Code, Some(code)) => (
            "Kode Bayar",
            vec![
                format!("Masukkan kode bayar <b>{code}</b>"),
                format!("Pastikan jumlahnya <b>{amount}</b>, lalu konfirmasi pembayaran"),
            ],
        ),
        (Way::Qr, _) => (
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

/// One transaction among others.
#[derive(Serialize)]
struct Listed<'a> {
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

impl<'a> Listed<'a> {
    fn of(shared: &Shared, transaction: &'a Transaction) -> Self {
        Self {
            summary: Summary::of(shared, transaction),
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
