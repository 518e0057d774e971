//! The keys that exchange credentials are sealed with: a laptop's own, and sealing everything again with the newest.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use nofomo_vault::KeyRing;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::{
    Error, Result,
    connect::{connect, explain},
};

/// So few that a killed run has little to do again, and nobody waits.
const BATCH: i64 = 100;

/// What sealing again came to.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Rotation {
    pub sealed_again: u64,
    /// Saved anew by their owners meanwhile, with the newest key.
    pub overtaken: u64,
    /// Which could not be opened, and why.
    pub left: Vec<String>,
}

/// The ring of a data directory, as the setting has it; made if there is none.
pub fn load_or_create(data: &Path) -> Result<String> {
    let path = data.join("credentials-keys");
    let unusable = |error: &dyn std::fmt::Display| {
        let remedy = "delete it: a new one is made, and credentials saved with the old one have to be saved again";
        Error::new(format!("cannot use the keys in {}: {error}", path.display()), remedy)
    };
    match fs::read_to_string(&path) {
        Ok(ring) => KeyRing::parse(ring.trim()).map(|_| ring.trim().to_owned()).map_err(|error| unusable(&error)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| unusable(&error))?;
            let ring = format!("1:{}", BASE64_STANDARD.encode(key));
            fs::create_dir_all(data)
                .and_then(|()| fs::File::options().create_new(true).write(true).mode(0o600).open(&path))
                .and_then(|mut file| file.write_all(ring.as_bytes()))
                .map_err(|error| unusable(&error))?;
            Ok(ring)
        }
        Err(error) => Err(unusable(&error)),
    }
}

/// Seals with the ring's newest key whatever is sealed with another. Each row by itself and only if nobody saved it meanwhile, so
/// that it can be interrupted, repeated, and run beside users; `told` hears how many there were so far.
pub async fn rotate(url: &str, ring: &KeyRing, mut told: impl FnMut(&Rotation)) -> Result<Rotation> {
    let client = connect(url).await?;
    let failed = |error: tokio_postgres::Error| {
        let problem = format!("the credentials cannot be sealed again: {}", explain(&error));
        Error::new(problem, "use the URL of the role postgres, and run it again: what is done is done")
    };
    let mut rotation = Rotation::default();
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
                    rotation.left.push(format!("{owner} {exchange}: {cause}"));
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
                rotation.overtaken += 1;
            } else {
                rotation.sealed_again += 1;
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
