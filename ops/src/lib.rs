//! Operations on a database, in production as on a laptop: apply migrations, verify, re-encrypt credentials.

pub mod migrations;
pub mod rotate_keys;
pub mod verify;
