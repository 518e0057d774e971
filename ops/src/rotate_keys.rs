//! Re-encrypts the exchange credentials with the newest key.

use local_database::{Error, Result, connect, describe_error};
use nofomo_vault::KeyRing;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// Number of credentials read at a time; small, so that a killed run repeats little.
const BATCH_SIZE: i64 = 100;

/// Outcome of a key rotation.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct KeyRotation {
    /// Credentials that were re-encrypted.
    pub re_encrypted: u64,
    /// Credentials that their owners replaced meanwhile, with the newest key.
    pub replaced_by_owner: u64,
    /// Credentials that could not be decrypted, each with its owner and the reason.
    pub failures: Vec<String>,
}

/// Re-encrypts every credential that the newest key of the ring has not encrypted.
///
/// Each credential is updated in its own transaction, and only if its owner has not replaced it meanwhile. So the
/// rotation can be interrupted and repeated, and can run while users change their credentials. `on_progress` is called
/// after each batch with the counts so far.
///
/// # Errors
///
/// The database cannot be reached, or rejects a statement.
pub async fn rotate_keys(url: &str, ring: &KeyRing, mut on_progress: impl FnMut(&KeyRotation)) -> Result<KeyRotation> {
    let client = connect(url).await?;
    let failed = |error: tokio_postgres::Error| {
        let problem = format!("cannot re-encrypt the credentials: {}", describe_error(&error));
        Error::new(problem, "use the URL of the role postgres and run it again; finished credentials stay re-encrypted")
    };
    let mut rotation = KeyRotation::default();
    let (mut user, mut exchange) = (Uuid::nil().to_string(), String::new());
    loop {
        let rows = client
            .query_typed(
                "select users.id::text, saved.key, saved.value ->> 'sealed'
                 from public.users
                 cross join lateral jsonb_each(users.exchange_credentials) as saved
                 where (users.id, saved.key) > ($1::uuid, $2) and not starts_with(saved.value ->> 'sealed', $3)
                 order by users.id, saved.key
                 limit $4",
                &[
                    (&user, Type::TEXT),
                    (&exchange, Type::TEXT),
                    (&ring.prefix(), Type::TEXT),
                    (&BATCH_SIZE, Type::INT8),
                ],
            )
            .await
            .map_err(failed)?;
        let Some(last) = rows.last() else { return Ok(rotation) };
        let next = (last.get(0), last.get(1));
        for row in &rows {
            let (owner, exchange, sealed): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            let resealed = match reseal(ring, &owner, &exchange, &sealed) {
                Ok(resealed) => resealed,
                Err(cause) => {
                    rotation.failures.push(format!("{owner} {exchange}: {cause}"));
                    continue;
                }
            };
            let changed = client
                .query_typed(
                    "update public.users
                     set exchange_credentials = jsonb_set(users.exchange_credentials, array[$2, 'sealed'], to_jsonb($4::text))
                     where users.id = $1::uuid and users.exchange_credentials #>> array[$2, 'sealed'] = $3
                     returning users.id",
                    &[(&owner, Type::TEXT), (&exchange, Type::TEXT), (&sealed, Type::TEXT), (&resealed, Type::TEXT)],
                )
                .await
                .map_err(failed)?;
            if changed.is_empty() {
                rotation.replaced_by_owner += 1;
            } else {
                rotation.re_encrypted += 1;
            }
        }
        on_progress(&rotation);
        (user, exchange) = next;
    }
}

fn reseal(ring: &KeyRing, owner: &str, exchange: &str, sealed: &str) -> std::result::Result<String, String> {
    let owner: Uuid = owner.parse().map_err(|_| "its owner is not a UUID".to_owned())?;
    let secret = ring.open(owner, exchange, sealed).map_err(|error| error.to_string())?;
    ring.seal(owner, exchange, &secret).map_err(|error| error.to_string())
}
