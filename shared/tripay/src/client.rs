//! Asking Tripay: each request is sent once, and what came of it is told honestly.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Map, Value};

use crate::creation::NewTransaction;
use crate::fields::Fields;
use crate::refusal::Refusal;
use crate::{Account, Creation, Order, Transaction};

const USER_AGENT: &str = concat!("nofomo/", env!("CARGO_PKG_VERSION"), " (+https://nofomo.dev)");
const SIZE_LIMIT: usize = 256 * 1024;
/// The most that Tripay gives.
const PER_PAGE: usize = 50;
const MOST_PAGES: usize = 10;

/// Of our account. Holds no connection between two requests.
pub struct Tripay {
    account: Account,
    client: Client,
    limits: Limits,
}

/// From the first packet to the last byte of the answer.
struct Limits {
    connect: Duration,
    create: Duration,
    question: Duration,
}

const LIMITS: Limits =
    Limits { connect: Duration::from_secs(5), create: Duration::from_secs(15), question: Duration::from_secs(10) };

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// A question that Tripay did not answer, or not so that it can be understood; the cause is for the log.
#[derive(Debug, thiserror::Error)]
#[error("no answer from Tripay: {0}")]
pub struct NoAnswer(String);

/// JSON that says whether it worked.
enum Answer {
    Granted(Map<String, Value>),
    Refused(Refusal),
}

impl Tripay {
    /// # Errors
    ///
    /// None of the network's; only a client that cannot be built.
    pub fn new(account: Account) -> Result<Self, ClientError> {
        Self::with_limits(account, LIMITS)
    }

    fn with_limits(account: Account, limits: Limits) -> Result<Self, ClientError> {
        // Mozilla's roots, compiled in: reading the system's costs more than the rest of a cold start.
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(USER_AGENT)
            .connect_timeout(limits.connect)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // A merchant's list of addresses that may call is one of IPv4.
            .local_address(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
            // One that idled while the instance was frozen may be dead: an order sent into it has an unknown outcome.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { account, client, limits })
    }

    pub fn merchant_code(&self) -> &str {
        self.account.merchant_code()
    }

    /// Opens a payment. After [`Creation::Unknown`], [`transactions_of`](Self::transactions_of) tells what it came to.
    pub async fn create(&self, order: &Order) -> Creation {
        let request = self
            .client
            .post(self.endpoint("transaction/create"))
            .timeout(self.limits.create)
            .json(&NewTransaction::new(order, &self.account));
        match self.send(request).await {
            Ok(Answer::Granted(answer)) => match order.fulfilled(&answer) {
                Ok(transaction) => Creation::Created(transaction),
                Err(cause) => Creation::Unknown(cause),
            },
            Ok(Answer::Refused(Refusal { message, is_ours })) => Creation::Refused { message, is_ours },
            Err(cause) => Creation::Unknown(cause),
        }
    }

    /// Tripay's transaction with this reference, or None if Tripay says that there is none.
    ///
    /// # Errors
    ///
    /// Whatever else Tripay says, or does not say.
    pub async fn detail(&self, reference: &str) -> Result<Option<Transaction>, NoAnswer> {
        let answer = match self.ask("transaction/detail", &[("reference", reference)]).await? {
            Answer::Granted(answer) => answer,
            Answer::Refused(refusal) if refusal.is_ours => return Err(refusal.into()),
            Answer::Refused(_) => return Ok(None),
        };
        let data = answer.get("data").and_then(Value::as_object).ok_or_else(|| NoAnswer("no data".into()))?;
        let transaction = Transaction::read(data)?;
        if transaction.reference != reference {
            return Err(NoAnswer("another transaction".into()));
        }
        Ok(Some(transaction))
    }

    /// All transactions with exactly this `merchant_ref`, oldest first.
    ///
    /// # Errors
    ///
    /// Whatever leaves it open whether there is one, or another one.
    pub async fn transactions_of(&self, merchant_ref: &str) -> Result<Vec<Transaction>, NoAnswer> {
        let mut found = Vec::new();
        let per_page = PER_PAGE.to_string();
        for page in 1..=MOST_PAGES {
            let page_text = page.to_string();
            let query = [
                ("page", page_text.as_str()),
                ("per_page", &per_page),
                ("sort", "asc"),
                ("merchant_ref", merchant_ref),
            ];
            let answer = match self.ask("merchant/transactions", &query).await? {
                Answer::Granted(answer) => answer,
                Answer::Refused(refusal) => return Err(refusal.into()),
            };
            let items = answer.get("data").and_then(Value::as_array).ok_or_else(|| NoAnswer("no list".into()))?;
            for item in items {
                let item = item.as_object().ok_or_else(|| NoAnswer("a list of something else".into()))?;
                // Tripay may take it for the beginning of one.
                if Fields(item).text("merchant_ref")?.as_deref() == Some(merchant_ref) {
                    found.push(Transaction::read(item)?);
                }
            }
            if !has_more(&answer, page, items.len()) {
                return Ok(found);
            }
        }
        Err(NoAnswer(format!("more than {MOST_PAGES} pages of transactions")))
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, NoAnswer> {
        let request = self.client.get(self.endpoint(path)).timeout(self.limits.question).query(query);
        self.send(request).await.map_err(NoAnswer)
    }

    fn endpoint(&self, path: &str) -> String {
        format!("{}/{path}", self.account.url)
    }

    /// Reads the body whatever the status: Tripay does not document when it sends which.
    async fn send(&self, request: RequestBuilder) -> Result<Answer, String> {
        let mut response = request.bearer_auth(&self.account.api_key).send().await.map_err(cause)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(format!("redirected with {status}"));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(cause)? {
            body.extend_from_slice(&chunk);
            if body.len() > SIZE_LIMIT {
                return Err(format!("{status} with more than {SIZE_LIMIT} bytes"));
            }
        }
        // Not what was sent instead: a page of Cloudflare's may name our address.
        let answer: Map<String, Value> =
            serde_json::from_slice(&body).map_err(|_| format!("{status} without a JSON object"))?;
        match Fields(&answer).flag("success") {
            Ok(Some(true)) => Ok(Answer::Granted(answer)),
            Ok(Some(false)) if !status.is_server_error() => {
                let message = match answer.get("message") {
                    Some(Value::String(message)) => message.clone(),
                    Some(Value::Null) | None => String::new(),
                    Some(structured) => structured.to_string(),
                };
                Ok(Answer::Refused(Refusal::new(status, &message, &self.account)))
            }
            _ => Err(format!("{status} that says neither yes nor no")),
        }
    }
}

/// Without the keys.
impl fmt::Debug for Tripay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tripay").field("account", &self.account).finish_non_exhaustive()
    }
}

impl From<Refusal> for NoAnswer {
    fn from(refusal: Refusal) -> Self {
        Self(format!("refused: {}", refusal.message))
    }
}

impl From<serde_json::Error> for NoAnswer {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// With its sources: the error alone says no more than that there was one.
fn cause(error: reqwest::Error) -> String {
    format!("{error:?}")
}

fn has_more(answer: &Map<String, Value>, page: usize, items: usize) -> bool {
    let Some(pagination) = answer.get("pagination").and_then(Value::as_object) else {
        return items >= PER_PAGE;
    };
    let is_ahead = |name| {
        let number = Fields(pagination).whole(name).ok().flatten();
        number.is_some_and(|number| usize::try_from(number).is_ok_and(|number| number > page))
    };
    items > 0 && (is_ahead("next_page") || is_ahead("last_page"))
}

#[cfg(test)]
mod tests;
