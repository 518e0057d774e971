//! What is linked into the functions' binaries, and what must not be: it would cost size and start-up.

use std::collections::BTreeSet;

use tokio::process::Command;

use crate::support::database::workspace;

/// The crates of a function, as `name v1.2.3`.
async fn crates(function: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--package", function])
        .current_dir(workspace())
        .output()
        .await
        .unwrap();
    let (out, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{errors}");
    out.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test]
async fn a_function_links_one_tls_and_of_aws_nothing_but_the_secrets_client() {
    for function in ["create-bot", "create-invoice", "run-analysis", "expire-subscriptions"] {
        let crates = crates(function).await;
        let named = |name: &str| crates.iter().filter(|line| line.split(' ').next() == Some(name)).collect::<Vec<_>>();
        for one in ["ring", "rustls", "hyper", "tokio-postgres", "aws-sdk-secretsmanager"] {
            assert_eq!(named(one).len(), 1, "{function}: {one}");
        }
        for none in ["aws-config", "aws-lc-rs", "aws-lc-sys", "openssl", "native-tls", "dev"] {
            assert!(named(none).is_empty(), "{function}: {none}");
        }
        let services = crates.iter().filter(|line| line.starts_with("aws-sdk-")).count();
        assert_eq!(services, 1, "{function}: {crates:?}");
    }
}
