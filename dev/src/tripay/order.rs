//! Orders of a merchant, validated as Tripay validates them.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use super::{
    callback::sign,
    channel::{Channel, PaymentMethod},
    merchant::{MERCHANT_CODE, PRIVATE_KEY},
    rupiah::format_rupiah,
    transaction::{FeeBearer, Item, Status, Transaction},
};

/// A valid order for a payment. Amounts are in rupiah.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) channel: &'static Channel,
    pub(super) merchant_ref: String,
    pub(super) amount: i64,
    pub(super) customer_name: String,
    pub(super) customer_email: String,
    pub(super) customer_phone: Option<String>,
    pub(super) items: Vec<Item>,
    pub(super) callback_url: Option<String>,
    pub(super) return_url: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// Time to pay if the order specifies none.
const DEFAULT_LIFETIME: Duration = Duration::hours(24);

/// Latest deadline, as a Unix timestamp. Seconds have ten digits until the year 2286; a longer number is in
/// milliseconds.
const MAX_TIMESTAMP: i64 = 9_999_999_999;

impl Order {
    /// Parses and validates a request body.
    ///
    /// # Errors
    ///
    /// Tripay's message, which is mostly in Indonesian.
    pub(super) fn parse(body: &[u8], now: DateTime<Utc>) -> Result<Self, String> {
        let body: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| "Format data tidak valid, kirim sebagai JSON".to_owned())?;
        let fields = Fields(&body);
        let (method, merchant_ref) = (fields.text("method")?, fields.text("merchant_ref")?);
        let amount = fields.integer("amount")?;
        let (customer_name, customer_email) = (fields.text("customer_name")?, fields.text("customer_email")?);
        let items = fields.items()?;
        let signature = fields.text("signature")?;

        if signature != sign(PRIVATE_KEY, format!("{MERCHANT_CODE}{merchant_ref}{amount}").as_bytes()) {
            return Err("Invalid signature".to_owned());
        }
        let channel = Channel::find(&method)
            .ok_or_else(|| format!("Metode pembayaran {method} tidak tersedia atau tidak aktif"))?;
        if amount < channel.min_amount {
            return Err(format!("Jumlah minimal untuk {} adalah {}", channel.name, format_rupiah(channel.min_amount)));
        }
        if amount > channel.max_amount {
            return Err(format!("Jumlah maksimal untuk {} adalah {}", channel.name, format_rupiah(channel.max_amount)));
        }
        if !customer_email.contains('@') {
            return Err("Format customer_email tidak valid".to_owned());
        }
        let customer_phone = fields.optional_text("customer_phone")?;
        if customer_phone.is_none() && channel.needs_phone {
            return Err(required("customer_phone"));
        }
        if items.iter().fold(0_i64, |sum, item| sum.saturating_add(item.subtotal())) != amount {
            return Err("Total order_items tidak sama dengan amount".to_owned());
        }
        Ok(Self {
            channel,
            merchant_ref,
            amount,
            customer_name,
            customer_email,
            customer_phone,
            items,
            callback_url: fields.url("callback_url")?,
            return_url: fields.url("return_url")?,
            created_at: now,
            expires_at: deadline(fields.optional_integer("expired_time")?, channel, now)?,
        })
    }

    /// Opens the transaction with this number; the first number is 1.
    pub(super) fn into_transaction(self, number: usize, bearer: FeeBearer) -> Transaction {
        let channel = self.channel;
        let fee = channel.fee(self.amount);
        let (fee_merchant, fee_customer) = match bearer {
            FeeBearer::Merchant => (fee, 0),
            FeeBearer::Customer => (0, fee),
        };
        Transaction {
            reference: format!("DEV-{MERCHANT_CODE}{number:09}{}", random_letters()),
            merchant_ref: self.merchant_ref,
            method: channel.code.to_owned(),
            method_name: channel.name.to_owned(),
            customer_name: self.customer_name,
            customer_email: self.customer_email,
            customer_phone: self.customer_phone,
            callback_url: self.callback_url,
            return_url: self.return_url,
            amount: self.amount + fee_customer,
            fee_merchant,
            fee_customer,
            pay_code: (channel.payment_method == PaymentMethod::Code).then(random_code),
            payment_method: channel.payment_method,
            items: self.items,
            status: Status::Unpaid,
            created_at: self.created_at,
            expires_at: self.expires_at,
            paid_at: None,
            deliveries: Vec::new(),
        }
    }
}

/// Deadline of a payment. Like Tripay, it silently shortens a deadline that is later than the channel allows.
fn deadline(requested: Option<i64>, channel: &Channel, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let requested = match requested {
        None => now + DEFAULT_LIFETIME,
        Some(seconds) => DateTime::from_timestamp(seconds, 0)
            .filter(|time| *time > now && seconds <= MAX_TIMESTAMP)
            .ok_or_else(|| "Expired time must be in seconds, as a Unix timestamp in the future".to_owned())?,
    };
    Ok(requested.min(now + channel.max_lifetime()))
}

/// Tripay's message for a missing field.
fn required(name: &str) -> String {
    format!("Kolom {name} wajib diisi")
}

/// Fields of a JSON object. A null or an empty text counts as missing.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    fn text(&self, name: &str) -> Result<String, String> {
        self.optional_text(name)?.ok_or_else(|| required(name))
    }

    fn optional_text(&self, name: &str) -> Result<Option<String>, String> {
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(format!("Kolom {name} harus berupa teks"));
        self.get(name).map(text).transpose()
    }

    fn integer(&self, name: &str) -> Result<i64, String> {
        self.optional_integer(name)?.ok_or_else(|| required(name))
    }

    /// An integer, as a number or as text: forms send only text.
    fn optional_integer(&self, name: &str) -> Result<Option<i64>, String> {
        let integer = |value: &Value| {
            let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
            number.ok_or(format!("Kolom {name} harus berupa bilangan bulat"))
        };
        self.get(name).map(integer).transpose()
    }

    fn url(&self, name: &str) -> Result<Option<String>, String> {
        let url = self.optional_text(name)?;
        match url.as_deref().map(Url::parse) {
            None => Ok(None),
            Some(Ok(parsed)) if ["http", "https"].contains(&parsed.scheme()) => Ok(url),
            Some(_) => Err(format!("Format {name} tidak valid")),
        }
    }

    fn items(&self) -> Result<Vec<Item>, String> {
        let items = self.get("order_items").ok_or_else(|| required("order_items"))?;
        let items = items.as_array().filter(|items| !items.is_empty());
        let items = items.ok_or_else(|| "Kolom order_items harus berisi minimal satu item".to_owned())?;
        items.iter().map(parse_item).collect()
    }
}

fn parse_item(item: &Value) -> Result<Item, String> {
    let fields = item.as_object().map(Fields).ok_or_else(|| "Format order_items tidak valid".to_owned())?;
    let in_item = |reason: String| format!("order_items: {reason}");
    let item = Item {
        sku: fields.optional_text("sku").map_err(in_item)?,
        name: fields.text("name").map_err(in_item)?,
        price: fields.integer("price").map_err(in_item)?,
        quantity: fields.integer("quantity").map_err(in_item)?,
        product_url: fields.url("product_url").map_err(in_item)?,
        image_url: fields.url("image_url").map_err(in_item)?,
    };
    if item.quantity < 1 {
        return Err(in_item("Kolom quantity minimal 1".to_owned()));
    }
    Ok(item)
}

/// Five random letters and digits.
fn random_letters() -> String {
    let letters = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let random = Uuid::new_v4().into_bytes();
    random
        .iter()
        .take(5)
        .filter_map(|byte| letters.get(usize::from(*byte) % letters.len()))
        .map(|byte| char::from(*byte))
        .collect()
}

/// A payment code. Like a bank's, it may begin with zeros.
fn random_code() -> String {
    format!("{:015}", Uuid::new_v4().as_u128() % 1_000_000_000_000_000)
}
