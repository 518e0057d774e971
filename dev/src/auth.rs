//! Sign-in like Supabase Auth: access tokens signed with ES256, and the public keys to verify them.

mod endpoints;
mod sessions;
mod signing_key;

pub(crate) use self::endpoints::router;
pub use self::{sessions::Auth, signing_key::SigningKey};
