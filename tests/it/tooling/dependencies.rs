//! Crates that the binaries link, and crates that they must not link: those would increase binary size and cold-start
//! time.

use std::collections::BTreeSet;

use tokio::process::Command;

use crate::support::database::workspace;

/// Crates linked into a package's binary, as `name v1.2.3`.
async fn crates(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--package", package])
        .current_dir(workspace())
        .output()
        .await
        .unwrap();
    let (out, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{errors}");
    out.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test]
async fn a_function_links_one_tls_library_and_only_the_secrets_client_of_aws() {
    for function in ["create-bot", "create-invoice", "run-analysis", "expire-subscriptions"] {
        let crates = crates(function).await;
        let named = |name: &str| crates.iter().filter(|line| line.split(' ').next() == Some(name)).collect::<Vec<_>>();
        for one in ["ring", "rustls", "hyper", "tokio-postgres", "aws-sdk-secretsmanager"] {
            assert_eq!(named(one).len(), 1, "{function}: {one}");
        }
        for none in ["aws-config", "aws-lc-rs", "aws-lc-sys", "openssl", "native-tls", "dev", "ops"] {
            assert!(named(none).is_empty(), "{function}: {none}");
        }
        let services = crates.iter().filter(|line| line.starts_with("aws-sdk-")).count();
        assert_eq!(services, 1, "{function}: {crates:?}");
    }
}

#[tokio::test]
async fn production_operations_link_nothing_of_the_local_cloud() {
    let crates = crates("ops").await;
    assert!(crates.iter().any(|line| line.starts_with("local-database ")), "{crates:?}");
    for none in ["dev", "bench", "axum", "askama", "plotters", "reqwest", "sysinfo"] {
        assert!(!crates.iter().any(|line| line.split(' ').next() == Some(none)), "{none}: {crates:?}");
    }
}

#[tokio::test]
async fn no_function_links_the_openapi_schemas() {
    for folder in std::fs::read_dir(workspace().join("functions")).unwrap() {
        let function = folder.unwrap().file_name().into_string().unwrap();
        let crates = crates(&function).await;
        assert!(crates.iter().any(|line| line.starts_with("nofomo-lambda ")), "{function}: {crates:?}");
        for none in ["openapi", "utoipa"] {
            assert!(!crates.iter().any(|line| line.split(' ').next() == Some(none)), "{function}: {none}: {crates:?}");
        }
    }
}
