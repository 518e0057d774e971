//! The key ring that encrypts exchange credentials on a laptop.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use nofomo_vault::KeyRing;

use local_database::{Error, Result};

/// Key ring of a data directory, in the format of `CREDENTIALS_KEYS`. Created if there is none.
///
/// # Errors
///
/// The file cannot be read or written, or is not a key ring.
pub fn load_or_create(data: &Path) -> Result<String> {
    let path = data.join("credentials-keys");
    let unusable = |error: &dyn std::fmt::Display| {
        let remedy = "delete it: a new key is then created, and exchange credentials have to be saved again";
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
