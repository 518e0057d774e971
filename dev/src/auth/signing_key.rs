//! The key that signs access tokens.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use local_database::{Error, Result};
use p256::{
    SecretKey,
    elliptic_curve::{rand_core::OsRng, sec1::ToEncodedPoint},
    pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// An ES256 key pair, with the id by which tokens refer to it.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    private: EncodingKey,
    public: Value,
}

impl SigningKey {
    pub fn generate() -> Result<Self> {
        Self::from_secret(&SecretKey::random(&mut OsRng))
    }

    /// Loads the key stored in `directory`, creating it at the first call.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written.
    pub fn load_or_create(directory: &Path) -> Result<Self> {
        let path = directory.join("signing-key.pem");
        let unusable = |error: String| {
            let remedy = "delete it: a new key is then created, and earlier tokens become invalid";
            Error::new(format!("cannot use the signing key in {}: {error}", path.display()), remedy)
        };
        match fs::read_to_string(&path) {
            Ok(pem) => {
                let secret = SecretKey::from_pkcs8_pem(&pem).map_err(|error| unusable(error.to_string()))?;
                Self::from_secret(&secret)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let secret = SecretKey::random(&mut OsRng);
                let pem = secret.to_pkcs8_pem(LineEnding::LF).map_err(|error| unusable(error.to_string()))?;
                fs::create_dir_all(directory)
                    .and_then(|()| fs::File::options().create_new(true).write(true).mode(0o600).open(&path))
                    .and_then(|mut file| file.write_all(pem.as_bytes()))
                    .map_err(|error| unusable(error.to_string()))?;
                Self::from_secret(&secret)
            }
            Err(error) => Err(unusable(error.to_string())),
        }
    }

    fn from_secret(secret: &SecretKey) -> Result<Self> {
        let private = secret.to_pkcs8_der().map_err(|error| cannot_sign(&error.to_string()))?;
        let point = secret.public_key().to_encoded_point(false);
        let (Some(x), Some(y)) = (point.x(), point.y()) else {
            return Err(cannot_sign("the public key is the point at infinity"));
        };
        // The same key always has the same id.
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, point.as_bytes()).to_string();
        let public = json!({
            "alg": "ES256",
            "crv": "P-256",
            "ext": true,
            "key_ops": ["verify"],
            "kid": id,
            "kty": "EC",
            "use": "sig",
            "x": BASE64_URL_SAFE_NO_PAD.encode(x),
            "y": BASE64_URL_SAFE_NO_PAD.encode(y),
        });
        Ok(Self { id, private: EncodingKey::from_ec_der(private.as_bytes()), public })
    }

    /// Public half of the key, as a JSON Web Key.
    pub(super) fn public(&self) -> &Value {
        &self.public
    }

    /// Signs claims as a JSON Web Token.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.private).map_err(|error| cannot_sign(&error.to_string()))
    }

    /// User id of a token that this key has signed and that has not expired.
    pub(super) fn verify(&self, token: &str) -> Result<Uuid, String> {
        #[derive(Deserialize)]
        struct Claims {
            sub: Uuid,
        }
        let part = |name| self.public.get(name).and_then(Value::as_str).unwrap_or_default();
        let key = DecodingKey::from_ec_components(part("x"), part("y")).map_err(|error| error.to_string())?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&["authenticated"]);
        let token = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|error| error.to_string())?;
        Ok(token.claims.sub)
    }
}

fn cannot_sign(reason: &str) -> Error {
    Error::new(format!("cannot sign tokens: {reason}"), "delete the signing key in the data directory")
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    #[test]
    fn a_token_is_verified_only_by_its_own_key() {
        let (one, other) = (SigningKey::generate().expect("key"), SigningKey::generate().expect("key"));
        let user = Uuid::new_v4();
        let claims = json!({ "sub": user, "aud": "authenticated", "exp": Utc::now().timestamp() + 60 });
        let token = one.sign(&claims).expect("signed");
        assert_eq!(one.verify(&token), Ok(user));
        assert!(other.verify(&token).is_err());
        assert_ne!(one.id, other.id);
        let expired = json!({ "sub": user, "aud": "authenticated", "exp": Utc::now().timestamp() - 120 });
        assert!(one.verify(&one.sign(&expired).expect("signed")).is_err());
    }

    #[test]
    fn a_stored_key_is_readable_only_by_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let directory = std::env::temp_dir().join(format!("nofomo-{}", Uuid::new_v4()));
        let created = SigningKey::load_or_create(&directory).expect("created");
        let loaded = SigningKey::load_or_create(&directory).expect("loaded");
        assert_eq!(created.public, loaded.public);
        let mode = fs::metadata(directory.join("signing-key.pem")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(directory).expect("removed");
    }
}
