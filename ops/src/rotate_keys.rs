//! The keys that exchange credentials are sealed with: a laptop's own, and sealing everything again with the newest.

use local_database::{Error, Result, connect, describe_error};
use nofomo_vault::KeyRing;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// So few that a killed run has little to do again, and nobody waits.
const BATCH: i64 = 100;

/// What sealing again came to.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct KeyRotation {
    pub re_encrypted: u64,
    /// Saved anew by their owners meanwhile, with the newest key.
    pub replaced_by_owner: u64,
    /// Which could not be opened, and why.
    pub failures: Vec<String>,
}

/// Seals with the ring's newest key whatever is sealed with another. Each row by itself and only if nobody saved it meanwhile, so
/// that it can be interrupted, repeated, and run beside users; `told` hears how many there were so far.
pub async fn rotate_keys(url: &str, ring: &KeyRing, mut told: impl FnMut(&KeyRotation)) -> Result<KeyRotation> {
    let client = connect(url).await?;
    let failed = |error: tokio_postgres::Error| {
        let problem = format!("the credentials cannot be sealed again: {}", describe_error(&error));
        Error::new(problem, "use the URL of the role postgres, and run it again: what is done is done")
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
                &[(&user, Type::TEXT), (&exchange, Type::TEXT), (&ring.prefix(), Type::TEXT), (&BATCH, Type::INT8)],
            )
            .await
            .map_err(failed)?;
        let Some(last) = rows.last() else { return Ok(rotation) };
        let next = (last.get(0), last.get(1));
        for row in &rows {
            let (owner, exchange, sealed): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            let again = again(ring, &owner, &exchange, &sealed);
            let again = match again {
                Ok(again) => again,
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
                    &[(&owner, Type::TEXT), (&exchange, Type::TEXT), (&sealed, Type::TEXT), (&again, Type::TEXT)],
                )
                .await
                .map_err(failed)?;
            if changed.is_empty() {
                rotation.replaced_by_owner += 1;
            } else {
                rotation.re_encrypted += 1;
            }
        }
        told(&rotation);
        (user, exchange) = next;
    }
}

fn again(ring: &KeyRing, owner: &str, exchange: &str, sealed: &str) -> std::result::Result<String, String> {
    let owner: Uuid = owner.parse().map_err(|_| "whose it is cannot be read".to_owned())?;
    let secret = ring.open(owner, exchange, sealed).map_err(|error| error.to_string())?;
    ring.seal(owner, exchange, &secret).map_err(|error| error.to_string())
}
