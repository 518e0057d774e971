//! Client of Tripay's API. Sends each request once and distinguishes a refusal from an unknown outcome.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Map, Value};

use crate::creation::CreateRequest;
use crate::fields::Fields;
use crate::refusal::Refusal;
use crate::{Account, CreateOutcome, Order, Transaction};

const USER_AGENT: &str = concat!("nofomo/", env!("CARGO_PKG_VERSION"), " (+https://nofomo.dev)");
const MAX_RESPONSE_BYTES: usize = 256 * 1024;
/// Transactions per page; the maximum that Tripay accepts.
const PAGE_SIZE: usize = 50;
const MAX_PAGES: usize = 10;

/// Client for one merchant account. Opens a new connection for each request.
pub struct Tripay {
    account: Account,
    client: Client,
    timeouts: Timeouts,
}

/// Timeouts. `create` and `query` cover a request from its first packet to the last byte of the response.
struct Timeouts {
    connect: Duration,
    create: Duration,
    query: Duration,
}

const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(5), create: Duration::from_secs(15), query: Duration::from_secs(10) };

/// Failure to build the HTTP client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Query without a usable response. The cause is for the log only.
#[derive(Debug, thiserror::Error)]
#[error("query to Tripay failed: {0}")]
pub struct QueryError(String);

/// Conclusive response: JSON with a `success` field.
enum ApiResponse {
    Success(Map<String, Value>),
    Refused(Refusal),
}

impl Tripay {
    /// Builds the client. Does not connect.
    ///
    /// # Errors
    ///
    /// TLS or the HTTP client cannot be set up.
    pub fn new(account: Account) -> Result<Self, ClientError> {
        Self::with_timeouts(account, TIMEOUTS)
    }

    fn with_timeouts(account: Account, timeouts: Timeouts) -> Result<Self, ClientError> {
        // Mozilla's root certificates are compiled in: reading the system's takes longer than the rest of a cold start.
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(USER_AGENT)
            .connect_timeout(timeouts.connect)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // Tripay's allow list of a merchant's addresses holds IPv4 addresses only.
            .local_address(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
            // A connection that idled while the instance was frozen may be dead, and a request sent over it would have
            // an unknown outcome.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { account, client, timeouts })
    }

    pub fn merchant_code(&self) -> &str {
        self.account.merchant_code()
    }

    /// Creates a transaction. After [`CreateOutcome::Unknown`], [`list_transactions`](Self::list_transactions) shows
    /// whether it exists.
    pub async fn create_transaction(&self, order: &Order) -> CreateOutcome {
        let request = self
            .client
            .post(self.endpoint("transaction/create"))
            .timeout(self.timeouts.create)
            .json(&CreateRequest::new(order, &self.account));
        match self.send(request).await {
            Ok(ApiResponse::Success(response)) => match order.created_transaction(&response) {
                Ok(transaction) => CreateOutcome::Created(transaction),
                Err(cause) => CreateOutcome::Unknown(cause),
            },
            Ok(ApiResponse::Refused(Refusal { message, is_account_error })) => {
                CreateOutcome::Refused { message, is_account_error }
            }
            Err(cause) => CreateOutcome::Unknown(cause),
        }
    }

    /// Finds the transaction with this Tripay reference. `None` if Tripay reports that there is none.
    ///
    /// # Errors
    ///
    /// Any other response, or none.
    pub async fn find_transaction(&self, reference: &str) -> Result<Option<Transaction>, QueryError> {
        let response = match self.query("transaction/detail", &[("reference", reference)]).await? {
            ApiResponse::Success(response) => response,
            ApiResponse::Refused(refusal) if refusal.is_account_error => return Err(refusal.into()),
            ApiResponse::Refused(_) => return Ok(None),
        };
        let data = response.get("data").and_then(Value::as_object).ok_or_else(|| QueryError("no `data`".into()))?;
        let transaction = Transaction::parse(data)?;
        if transaction.reference != reference {
            return Err(QueryError("response has another transaction".into()));
        }
        Ok(Some(transaction))
    }

    /// Lists all transactions with exactly this `merchant_ref`, oldest first.
    ///
    /// # Errors
    ///
    /// Any response that may be incomplete, or none.
    pub async fn list_transactions(&self, merchant_ref: &str) -> Result<Vec<Transaction>, QueryError> {
        let mut found = Vec::new();
        let per_page = PAGE_SIZE.to_string();
        for page in 1..=MAX_PAGES {
            let page_text = page.to_string();
            let query = [
                ("page", page_text.as_str()),
                ("per_page", &per_page),
                ("sort", "asc"),
                ("merchant_ref", merchant_ref),
            ];
            let response = match self.query("merchant/transactions", &query).await? {
                ApiResponse::Success(response) => response,
                ApiResponse::Refused(refusal) => return Err(refusal.into()),
            };
            let items = response.get("data").and_then(Value::as_array);
            let items = items.ok_or_else(|| QueryError("`data` is not a list".into()))?;
            for item in items {
                let item = item.as_object().ok_or_else(|| QueryError("list item is not an object".into()))?;
                // Tripay may match by prefix.
                if Fields(item).text("merchant_ref")?.as_deref() == Some(merchant_ref) {
                    found.push(Transaction::parse(item)?);
                }
            }
            if !has_more_pages(&response, page, items.len()) {
                return Ok(found);
            }
        }
        Err(QueryError(format!("more than {MAX_PAGES} pages of transactions")))
    }

    async fn query(&self, path: &str, parameters: &[(&str, &str)]) -> Result<ApiResponse, QueryError> {
        let request = self.client.get(self.endpoint(path)).timeout(self.timeouts.query).query(parameters);
        self.send(request).await.map_err(QueryError)
    }

    fn endpoint(&self, path: &str) -> String {
        format!("{}/{path}", self.account.url)
    }

    /// Sends the request. Reads the body whatever the status, as Tripay does not document its statuses.
    ///
    /// # Errors
    ///
    /// Cause of an unknown outcome.
    async fn send(&self, request: RequestBuilder) -> Result<ApiResponse, String> {
        let mut response = request.bearer_auth(&self.account.api_key).send().await.map_err(error_with_sources)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(format!("{status}: redirect not followed"));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(error_with_sources)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_RESPONSE_BYTES {
                return Err(format!("{status}: body exceeds {MAX_RESPONSE_BYTES} bytes"));
            }
        }
        // The body is not quoted: an error page of Cloudflare may contain our IP address.
        let response: Map<String, Value> =
            serde_json::from_slice(&body).map_err(|_| format!("{status}: body is not a JSON object"))?;
        match Fields(&response).boolean("success") {
            Ok(Some(true)) => Ok(ApiResponse::Success(response)),
            Ok(Some(false)) if !status.is_server_error() => {
                let message = match response.get("message") {
                    Some(Value::String(message)) => message.clone(),
                    Some(Value::Null) | None => String::new(),
                    Some(structured) => structured.to_string(),
                };
                Ok(ApiResponse::Refused(Refusal::new(status, &message, &self.account)))
            }
            _ => Err(format!("{status}: no conclusive `success`")),
        }
    }
}

/// Omits the keys.
impl fmt::Debug for Tripay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tripay").field("account", &self.account).finish_non_exhaustive()
    }
}

impl From<Refusal> for QueryError {
    fn from(refusal: Refusal) -> Self {
        Self(format!("refused: {}", refusal.message))
    }
}

impl From<serde_json::Error> for QueryError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Formats the error with its sources, which hold the actual cause.
fn error_with_sources(error: reqwest::Error) -> String {
    format!("{error:?}")
}

/// `true` if the pagination of a list response announces another page. Without pagination, a full page may be followed
/// by another.
fn has_more_pages(response: &Map<String, Value>, page: usize, item_count: usize) -> bool {
    let Some(pagination) = response.get("pagination").and_then(Value::as_object) else {
        return item_count >= PAGE_SIZE;
    };
    let is_after_page = |name| {
        let number = Fields(pagination).integer(name).ok().flatten();
        number.is_some_and(|number| usize::try_from(number).is_ok_and(|number| number > page))
    };
    item_count > 0 && (is_after_page("next_page") || is_after_page("last_page"))
}

#[cfg(test)]
mod tests;
