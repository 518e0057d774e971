//! Verification of access tokens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::Utc;
use dev::auth::SigningKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{EncodePublicKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::support::database::PRO;
use crate::support::issuer::{Issuer, published_keys};
use crate::support::waiting::wait_until;
use crate::support::world::{HttpResponse, World};

const HS256_SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";

fn claims(world: &World) -> Value {
    let now = Utc::now().timestamp();
    json!({
        "iss": world.stack.auth().issuer(), "sub": PRO, "aud": "authenticated", "exp": now + 600, "iat": now,
        "role": "authenticated", "email": "pro@nofomo.test", "phone": "", "app_metadata": {"provider": "email"},
        "user_metadata": {}, "aal": "aal1", "amr": [{"method": "password", "timestamp": now}],
        "session_id": Uuid::new_v4(), "is_anonymous": false,
    })
}

/// Claims with these changes; the value `absent` removes a claim.
fn with_claims(mut claims: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::String(text) if text == "absent" => drop(claims.as_object_mut().unwrap().remove(name)),
            _ => claims[name] = value.clone(),
        }
    }
    claims
}

async fn try_token(world: &World, token: &str) -> HttpResponse {
    world.get("/portfolio", token).await
}

#[tokio::test]
async fn a_token_is_accepted_only_if_every_claim_is_valid() {
    let world = World::new().await;
    let now = Utc::now().timestamp();
    for (changes, status) in [
        (json!({}), 200),
        (json!({"aud": ["authenticated"]}), 200),
        (json!({"aud": ["other", "authenticated"]}), 200),
        (json!({"exp": now - 20}), 200),  // within the leeway for clock differences
        (json!({"iat": now + 600}), 200), // the issuer's clock may be ahead
        (json!({"custom": {"from": "a hook"}, "amr": ["password"]}), 200),
        (json!({"exp": now - 60}), 401),
        (json!({"exp": "absent"}), 401),
        (json!({"exp": (now + 600).to_string()}), 401),
        (json!({"nbf": now + 600}), 401),
        (json!({"iss": "https://elsewhere.supabase.co/auth/v1"}), 401),
        (json!({"iss": "supabase"}), 401),
        (json!({"iss": "absent"}), 401),
        (json!({"aud": "anon"}), 401),
        (json!({"aud": ["anon"]}), 401),
        (json!({"aud": "absent"}), 401),
        (json!({"sub": "absent"}), 401),
        (json!({"sub": ""}), 401),
        (json!({"sub": "not-a-uuid"}), 401),
        (json!({"role": "service_role"}), 401),
        (json!({"role": "anon"}), 401),
        (json!({"role": "absent"}), 401),
        (json!({"session_id": "absent"}), 401),
        (json!({"is_anonymous": true}), 403),
        (json!({"client_id": "some-other-app"}), 403),
        // The claims of legacy API keys.
        (json!({"iss": "supabase", "ref": "abc", "role": "service_role", "sub": "absent", "aud": "absent"}), 401),
    ] {
        let token = world.stack.auth().sign(&with_claims(claims(&world), changes.clone())).unwrap();
        let answer = try_token(&world, &token).await;
        assert_eq!(answer.status, status, "{changes}: {answer:?}");
        if status == 401 {
            assert_eq!(answer.problem(), "unauthenticated", "{changes}");
        }
    }
}

#[tokio::test]
async fn a_token_is_accepted_only_with_the_signature_of_its_key() {
    let world = World::new().await;
    let good = world.stack.auth().sign(&claims(&world)).unwrap();
    assert_eq!(try_token(&world, &good).await.status, 200);

    let jwks: Value =
        serde_json::from_str(&world.send(reqwest::Method::GET, "/auth/v1/.well-known/jwks.json", &[], "").await.text)
            .unwrap();
    let key_id = jwks["keys"][0]["kid"].as_str().unwrap().to_owned();
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let unsigned = |header: Value| format!("{}.{}.", encode(&header), encode(&claims(&world)));
    let hs256 = |secret: &[u8], key_id: Option<String>| {
        let header = Header { kid: key_id, ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims(&world), &EncodingKey::from_secret(secret)).unwrap()
    };
    let (head, tail) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let other_payload = encode(&with_claims(claims(&world), json!({"sub": Uuid::new_v4()})));
    let stranger = SigningKey::generate().unwrap().sign(&claims(&world)).unwrap();
    let (_, strangers_signature) = stranger.rsplit_once('.').unwrap();
    let without_key_id = format!("{}.{payload}.{tail}", encode(&json!({"alg": "ES256", "typ": "JWT"})));

    for (case, token) in [
        ("nothing", String::new()),
        ("not a token", "abc".into()),
        ("dots", "..".into()),
        ("alg none", unsigned(json!({"alg": "none", "typ": "JWT", "kid": key_id}))),
        ("no signature", unsigned(json!({"alg": "ES256", "typ": "JWT", "kid": key_id}))),
        ("another payload", format!("{header}.{other_payload}.{tail}")),
        ("another key's signature", format!("{head}.{strangers_signature}")),
        ("an unknown key", stranger.clone()),
        ("no key id", without_key_id),
        ("HS256 over the public key", hs256(jwks["keys"][0].to_string().as_bytes(), Some(key_id.clone()))),
        ("HS256 with the well-known secret", hs256(HS256_SECRET.as_bytes(), None)),
        ("HS256 with a key id", hs256(HS256_SECRET.as_bytes(), Some(key_id.clone()))),
        ("RS256 by name", unsigned(json!({"alg": "RS256", "typ": "JWT", "kid": key_id})) + tail),
        ("too long", world.stack.auth().sign(&with_claims(claims(&world), json!({"x": "x".repeat(8192)}))).unwrap()),
    ] {
        let answer = try_token(&world, &token).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (401, "unauthenticated".into()), "{case}");
    }
    for scheme in ["Basic", "Token"] {
        let header = format!("{scheme} {good}");
        let answer = world.send(reqwest::Method::GET, "/portfolio", &[("authorization", &header)], "").await;
        assert_eq!(answer.status, 401, "{scheme}");
    }
}

#[tokio::test]
async fn hs256_is_accepted_only_if_configured() {
    let settings = BTreeMap::from([("AUTH_HS256_SECRET".into(), HS256_SECRET.into())]);
    let world = World::with_settings(settings).await;
    let sign = |secret: &str, changes: Value| {
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &with_claims(claims(&world), changes), &key).unwrap()
    };
    assert_eq!(try_token(&world, &sign(HS256_SECRET, json!({}))).await.status, 200);
    assert_eq!(try_token(&world, &sign("another secret", json!({}))).await.status, 401);
    // The project's legacy keys are signed with the same secret.
    for role in ["anon", "service_role"] {
        let key = json!({"iss": "supabase", "ref": "abc", "role": role, "sub": "absent", "aud": "absent", "session_id": "absent"});
        assert_eq!(try_token(&world, &sign(HS256_SECRET, key)).await.status, 401, "{role}");
    }
    let es256 = world.stack.auth().sign(&claims(&world)).unwrap();
    assert_eq!(try_token(&world, &es256).await.status, 200);
}

#[tokio::test]
async fn an_unknown_key_causes_one_fetch_followed_by_a_cooldown() {
    let issuer = Issuer::start(&json!({"keys": []})).await;
    let world = issuer.world().await;
    *issuer.body.lock().unwrap() = published_keys(&world).await.to_string();
    let known = world.stack.auth().sign(&claims(&world)).unwrap();
    assert_eq!(try_token(&world, &known).await.status, 200);
    assert_eq!(issuer.take_fetches(), 1, "at start-up");
    let other = world.stack.auth().sign(&with_claims(claims(&world), json!({"session_id": Uuid::new_v4()}))).unwrap();
    assert_eq!(try_token(&world, &other).await.status, 200);
    assert_eq!(issuer.take_fetches(), 0, "the key set is still in use");

    // After a rotation, tokens of the new key arrive before it has been fetched.
    let rotated = SigningKey::generate().unwrap();
    world.stack.auth().publish(&rotated);
    *issuer.body.lock().unwrap() = published_keys(&world).await.to_string();
    assert_eq!(try_token(&world, &rotated.sign(&claims(&world)).unwrap()).await.status, 200);
    assert_eq!(issuer.take_fetches(), 1, "one fetch for the unknown key");

    // Many invented key ids cause no further fetch.
    for _ in 0..5 {
        let invented = SigningKey::generate().unwrap().sign(&claims(&world)).unwrap();
        assert_eq!(try_token(&world, &invented).await.status, 401);
    }
    assert_eq!(issuer.take_fetches(), 0, "cooldown");
}

#[tokio::test]
async fn while_the_keys_are_unavailable_a_valid_token_is_not_refused_as_invalid() {
    let issuer = Issuer::start(&json!({"keys": []})).await;
    issuer.is_unavailable.store(true, Ordering::SeqCst);
    let world = issuer.world().await;
    *issuer.body.lock().unwrap() = published_keys(&world).await.to_string();
    let token = world.stack.auth().sign(&claims(&world)).unwrap();
    let answer = try_token(&world, &token).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".into()));
    assert!(answer.headers.contains_key("retry-after"));

    issuer.is_unavailable.store(false, Ordering::SeqCst);
    let mut status = 503;
    for _ in 0..40 {
        status = try_token(&world, &token).await.status.as_u16();
        if status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(status, 200, "the same instance fetches the keys once they are available");

    // Fetched keys stay in use, and a token that was verified before needs no key.
    issuer.is_unavailable.store(true, Ordering::SeqCst);
    assert_eq!(try_token(&world, &token).await.status, 200);
    let other = world.stack.auth().sign(&with_claims(claims(&world), json!({"session_id": Uuid::new_v4()}))).unwrap();
    assert_eq!(try_token(&world, &other).await.status, 200);
}

#[tokio::test]
async fn keys_of_other_types_are_ignored() {
    let issuer = Issuer::start(&json!({"keys": []})).await;
    let world = issuer.world().await;
    let mut keys = published_keys(&world).await;
    let ours = keys["keys"][0].take();
    let secret = BASE64_URL_SAFE_NO_PAD.encode(HS256_SECRET);
    *issuer.body.lock().unwrap() = json!({"keys": [
        {"kty": "oct", "alg": "HS256", "kid": "shared", "k": secret},
        {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "ed", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty": "something new", "kid": "new"},
        ours,
    ]})
    .to_string();
    let good = world.stack.auth().sign(&claims(&world)).unwrap();
    assert_eq!(try_token(&world, &good).await.status, 200);
    let header = Header { kid: Some("shared".into()), ..Header::new(Algorithm::HS256) };
    let shared =
        jsonwebtoken::encode(&header, &claims(&world), &EncodingKey::from_secret(HS256_SECRET.as_bytes())).unwrap();
    assert_eq!(try_token(&world, &shared).await.status, 401);
}

#[tokio::test]
async fn rs256_is_accepted_from_a_published_key() {
    let private = RsaPrivateKey::new(&mut OsRng, 2048).unwrap();
    let encode = |number: &rsa::BigUint| BASE64_URL_SAFE_NO_PAD.encode(number.to_bytes_be());
    let published = json!({"kty": "RSA", "alg": "RS256", "kid": "rsa", "use": "sig", "n": encode(private.n()), "e": encode(private.e())});
    let issuer = Issuer::start(&json!({"keys": [published]})).await;
    let world = issuer.world().await;
    let key = EncodingKey::from_rsa_der(private.to_pkcs1_der().unwrap().as_bytes());
    let sign = |header: Header| jsonwebtoken::encode(&header, &claims(&world), &key).unwrap();
    let named = |algorithm| Header { kid: Some("rsa".into()), ..Header::new(algorithm) };
    assert_eq!(try_token(&world, &sign(named(Algorithm::RS256))).await.status, 200);
    assert_eq!(try_token(&world, &sign(named(Algorithm::RS512))).await.status, 401, "the key is for RS256");
    assert_eq!(try_token(&world, &sign(Header::new(Algorithm::RS256))).await.status, 401, "no key id");
    // Algorithm confusion: the public key used as the secret of HS256.
    let public = private.to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
    let confused = EncodingKey::from_secret(public.as_bytes());
    let confused = jsonwebtoken::encode(&named(Algorithm::HS256), &claims(&world), &confused).unwrap();
    assert_eq!(try_token(&world, &confused).await.status, 401);
}

#[tokio::test]
async fn a_verified_token_is_remembered_until_it_expires() {
    let issuer = Issuer::start(&json!({"keys": []})).await;
    let world = issuer.world().await;
    *issuer.body.lock().unwrap() = published_keys(&world).await.to_string();
    // Expires in twenty seconds, including the leeway.
    let token =
        world.stack.auth().sign(&with_claims(claims(&world), json!({"exp": Utc::now().timestamp() - 10}))).unwrap();
    assert_eq!(try_token(&world, &token).await.status, 200);
    assert_eq!(try_token(&world, &token).await.status, 200);
    wait_until("it expires", async || try_token(&world, &token).await.status != 200).await;
    let expired = try_token(&world, &token).await;
    assert_eq!(expired.status, 401);
    assert!(expired.json()["detail"].as_str().unwrap().contains("expired"), "{expired:?}");
}

#[tokio::test]
async fn a_verified_token_is_not_verified_again() {
    let issuer = Issuer::start(&json!({"keys": []})).await;
    let world = issuer.world().await;
    *issuer.body.lock().unwrap() = published_keys(&world).await.to_string();
    let fresh =
        || world.stack.auth().sign(&with_claims(claims(&world), json!({"session_id": Uuid::new_v4()}))).unwrap();
    let old = fresh();
    assert_eq!(try_token(&world, &old).await.status, 200);
    assert_eq!(issuer.take_fetches(), 1);

    // The key is withdrawn; a token with an unknown key id makes the instance fetch the keys.
    let successor = SigningKey::generate().unwrap();
    world.stack.auth().publish(&successor);
    let mut keys = published_keys(&world).await;
    assert_eq!(keys["keys"].as_array_mut().unwrap().remove(0)["kid"], key_id(&old));
    *issuer.body.lock().unwrap() = keys.to_string();
    let unknown = SigningKey::generate().unwrap().sign(&claims(&world)).unwrap();
    assert_eq!(try_token(&world, &unknown).await.status, 401);
    assert_eq!(issuer.take_fetches(), 1);

    assert_eq!(try_token(&world, &fresh()).await.status, 401, "the key is gone");
    assert_eq!(try_token(&world, &successor.sign(&claims(&world)).unwrap()).await.status, 200);
    assert_eq!(try_token(&world, &old).await.status, 200, "it was verified before");
    assert_eq!(issuer.take_fetches(), 0);
    assert_eq!(world.stack.fleet("get-portfolio").unwrap().process_ids().len(), 1, "one instance served all requests");
}

fn key_id(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

#[tokio::test]
async fn a_key_that_is_not_for_signatures_is_ignored() {
    let issuer = Issuer::start(&json!({"keys": []})).await;
    let world = issuer.world().await;
    let others = [SigningKey::generate().unwrap(), SigningKey::generate().unwrap()];
    for key in &others {
        world.stack.auth().publish(key);
    }
    let [signing, encrypting, unspecified] =
        [world.stack.auth().sign(&claims(&world)), others[0].sign(&claims(&world)), others[1].sign(&claims(&world))]
            .map(Result::unwrap);
    let mut keys = published_keys(&world).await;
    for (token, purpose) in [(&signing, Some("sig")), (&encrypting, Some("enc")), (&unspecified, None)] {
        let mut all = keys["keys"].as_array_mut().unwrap().iter_mut();
        let key = all.find(|key| key["kid"] == key_id(token)).unwrap().as_object_mut().unwrap();
        key.remove("use");
        if let Some(purpose) = purpose {
            key.insert("use".into(), json!(purpose));
        }
    }
    *issuer.body.lock().unwrap() = keys.to_string();
    assert_eq!(try_token(&world, &signing).await.status, 200);
    assert_eq!(try_token(&world, &unspecified).await.status, 200);
    let answer = try_token(&world, &encrypting).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (401, "unauthenticated".into()));
}

#[tokio::test]
async fn a_key_set_of_more_than_64_kibibytes_is_refused() {
    let issuer = Issuer::start(&json!({"keys": []})).await;
    let world = issuer.world().await;
    let keys = published_keys(&world).await.to_string();
    let token = world.stack.auth().sign(&claims(&world)).unwrap();
    let padded = |bytes: usize| format!("{keys}{}", " ".repeat(bytes - keys.len()));
    *issuer.body.lock().unwrap() = padded(64 * 1024 + 1);
    let answer = try_token(&world, &token).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".into()));
    assert_eq!(issuer.take_fetches(), 1);
    assert!(world.log().contains("more than 65536 bytes of keys"), "{}", world.log());

    *issuer.body.lock().unwrap() = padded(64 * 1024);
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert_eq!(try_token(&world, &token).await.status, 200, "{}", world.log());
    assert_eq!(issuer.take_fetches(), 1);
}

/// If redirects were followed, one forged response of the issuer could replace the keys permanently.
#[tokio::test]
async fn a_redirect_to_other_keys_is_not_followed() {
    let elsewhere = Issuer::start(&json!({"keys": []})).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let target = elsewhere.url.clone();
    let redirects = Arc::new(AtomicUsize::new(0));
    let counted = redirects.clone();
    let redirect = async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Redirect::temporary(&target)
    };
    tokio::spawn(axum::serve(listener, Router::new().route("/jwks.json", get(redirect))).into_future());
    let world = World::with_settings(BTreeMap::from([("AUTH_JWKS_URL".into(), url)])).await;
    *elsewhere.body.lock().unwrap() = published_keys(&world).await.to_string();
    let token = world.stack.auth().sign(&claims(&world)).unwrap();
    let answer = try_token(&world, &token).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".into()));
    assert_eq!((redirects.load(Ordering::SeqCst), elsewhere.take_fetches()), (1, 0));
}
