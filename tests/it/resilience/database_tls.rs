//! The connection to the database: encrypted, to the right host, with a certificate of a trusted root.

use local_database::postgres::Postgres;
use nofomo_db::{Address, Db, Error, tls_connector};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::database::{Session, migrate_template, run_directory, server};
use crate::support::waiting::wait_until;

/// Certificate authority.
struct Authority {
    pem: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        Self { pem: issuer.pem(), issuer }
    }

    /// Issues a certificate for a host; returns it with its key.
    fn issue(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
        (parameters.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

async fn try_connection(url: &str, root: Option<&str>) -> Result<(), Error> {
    let address: Address = url.parse().unwrap();
    Db::new(address, tls_connector(root).unwrap(), None, Box::new(|_, _| {})).unwrap().warm_up().await
}

fn refusal(result: Result<(), Error>) -> String {
    match result {
        Err(Error::Unavailable(cause)) => cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn certificate_and_host_name_are_verified() {
    let authority = Authority::new();
    let directory = run_directory("postgres-tls");
    let postgres = Postgres::start(&directory, None).await.unwrap();
    migrate_template(&postgres).await;
    let admin = Session::open(&postgres.url("supabase_admin", "migrated")).await;
    let data = admin.text("select current_setting('data_directory')").await;
    let plain = postgres.url("nofomo_api", "migrated");
    let serve = async |host: &str| {
        let (certificate, key) = authority.issue(host);
        // The server writes the files, as it may run as another operating system account.
        for (file, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = format!("{data}/{file}");
            admin
                .run(&format!("copy (select unnest(string_to_array('{}', e'\\n'))) to '{path}'", text.trim()))
                .await
                .unwrap();
            admin.run(&format!("copy (select 1) to program 'cat > /dev/null; chmod 600 {path}'")).await.unwrap();
        }
        admin.run("alter system set ssl = on").await.unwrap();
        // A new connection reports the time at which the server read the settings.
        let read = async || Session::open(&plain).await.text("select pg_conf_load_time()").await;
        let before = read().await;
        admin.run("select pg_reload_conf()").await.unwrap();
        wait_until("the server reads its settings", async || read().await != before).await;
    };
    let (by_address, _) = plain.split_once('?').unwrap();
    let by_name = by_address.replace("127.0.0.1", "localhost");

    serve("localhost").await;
    for mode in ["", "?sslmode=require", "?sslmode=verify-full", "?sslmode=prefer"] {
        try_connection(&format!("{by_name}{mode}"), Some(&authority.pem)).await.unwrap();
    }
    let wrong_name = refusal(try_connection(by_address, Some(&authority.pem)).await);
    assert!(wrong_name.contains("not valid for name"), "{wrong_name}");
    let unknown = refusal(try_connection(&by_name, None).await);
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    let another = refusal(try_connection(&by_name, Some(&Authority::new().pem)).await);
    assert!(another.contains("UnknownIssuer") || another.contains("BadSignature"), "{another}");

    serve("127.0.0.1").await;
    try_connection(by_address, Some(&authority.pem)).await.unwrap();
    let encrypted = admin
        .text("select count(*) from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'nofomo_api' and not ssl")
        .await;
    assert_eq!(encrypted, "0");
}

#[tokio::test]
async fn no_plaintext_connection_is_made_to_a_server_without_tls() {
    let plain = server().await.url("nofomo_api", "migrated");
    let (url, _) = plain.split_once('?').unwrap();
    let cause = refusal(try_connection(url, None).await);
    assert!(cause.contains("server does not support TLS"), "{cause}");

    // No password was sent.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let record = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 1024];
        let count = socket.read(&mut bytes).await.unwrap();
        socket.write_all(b"N").await.unwrap();
        let rest = socket.read(&mut bytes[count..]).await.unwrap();
        (count, rest)
    };
    let url = format!("postgres://nofomo_api:planted@127.0.0.1:{port}/postgres");
    let (received, outcome) = tokio::join!(record, try_connection(&url, None));
    assert_eq!(received, (8, 0), "the request for TLS, and nothing after its refusal");
    refusal(outcome);
}
