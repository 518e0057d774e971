//! What a merchant asks for, checked as Tripay checks it.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value};
use url::Url;

use super::{Item, MERCHANT_CODE, PRIVATE_KEY, callback::sign, channel::Channel, rupiah};

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

const USUAL_TIME: Duration = Duration::hours(24);

/// Unix seconds have ten digits until the year 2286; a longer number counts milliseconds.
const LATEST: i64 = 9_999_999_999;

impl Order {
    /// The error is Tripay's message, which is Indonesian for the most part.
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
        if amount < channel.least {
            return Err(format!("Jumlah minimal untuk {} adalah {}", channel.name, rupiah(channel.least)));
        }
        if amount > channel.most {
            return Err(format!("Jumlah maksimal untuk {} adalah {}", channel.name, rupiah(channel.most)));
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
}

/// Not later than the channel allows, without a word about it.
fn deadline(asked: Option<i64>, channel: &Channel, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let asked = match asked {
        None => now + USUAL_TIME,
        Some(seconds) => DateTime::from_timestamp(seconds, 0)
            .filter(|time| *time > now && seconds <= LATEST)
            .ok_or_else(|| "Expired time must be in seconds, as a Unix timestamp in the future".to_owned())?,
    };
    Ok(asked.min(now + channel.longest()))
}

fn required(name: &str) -> String {
    format!("Kolom {name} wajib diisi")
}

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

    /// A number, or a text that is one: in a form there are only texts.
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
        items.iter().map(item).collect()
    }
}

fn item(item: &Value) -> Result<Item, String> {
    let fields = item.as_object().map(Fields).ok_or_else(|| "Format order_items tidak valid".to_owned())?;
    let inside = |reason: String| format!("order_items: {reason}");
    let item = Item {
        sku: fields.optional_text("sku").map_err(inside)?,
        name: fields.text("name").map_err(inside)?,
        price: fields.integer("price").map_err(inside)?,
        quantity: fields.integer("quantity").map_err(inside)?,
        product_url: fields.url("product_url").map_err(inside)?,
        image_url: fields.url("image_url").map_err(inside)?,
    };
    if item.quantity < 1 {
        return Err(inside("Kolom quantity minimal 1".to_owned()));
    }
    Ok(item)
}
