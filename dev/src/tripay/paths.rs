//! Paths of a transaction's pages.

pub(super) fn checkout_path(reference: &str) -> String {
    format!("/_local/tripay/checkout/{reference}")
}

pub(super) fn qr_path(reference: &str) -> String {
    format!("/_local/tripay/qr/{reference}")
}
