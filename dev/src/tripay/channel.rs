//! Tripay's payment channels with their standard fees and limits.

use chrono::Duration;
use serde::{Deserialize, Serialize};

/// A payment channel. Amounts are in rupiah.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) group: &'static str,
    pub(super) payment_method: PaymentMethod,
    pub(super) min_amount: i64,
    pub(super) max_amount: i64,
    /// Minimum and maximum time to pay, in minutes.
    minutes: (i64, i64),
    pub(super) flat_fee: i64,
    /// Fee in hundredths of a percent of the amount.
    pub(super) fee_rate: i64,
    pub(super) min_fee: Option<i64>,
    pub(super) needs_phone: bool,
}

/// Way in which a customer pays.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum PaymentMethod {
    /// Number to enter at a bank, or to give to a cashier.
    Code,
    /// QR code to scan.
    Qr,
    /// Page of a wallet that asks for confirmation.
    Redirect,
}

/// Defaults of a virtual account at a bank.
const BANK: Channel = Channel {
    code: "",
    name: "",
    group: "Virtual Account",
    payment_method: PaymentMethod::Code,
    min_amount: 10_000,
    max_amount: 10_000_000,
    minutes: (15, 43_200),
    flat_fee: 4_250,
    fee_rate: 0,
    min_fee: None,
    needs_phone: false,
};

/// Defaults of a convenience store.
const SHOP: Channel = Channel { group: "Convenience Store", max_amount: 2_500_000, flat_fee: 3_500, ..BANK };

/// Defaults of an e-wallet.
const WALLET: Channel = Channel {
    group: "E-Wallet",
    payment_method: PaymentMethod::Redirect,
    min_amount: 1_000,
    minutes: (15, 60),
    flat_fee: 0,
    fee_rate: 300,
    min_fee: Some(1_000),
    ..BANK
};

/// Defaults of a QR code.
const QR: Channel = Channel {
    payment_method: PaymentMethod::Qr,
    max_amount: 5_000_000,
    minutes: (10, 1_440),
    flat_fee: 750,
    fee_rate: 70,
    min_fee: None,
    ..WALLET
};

/// All channels, in the order in which Tripay lists them.
pub(super) const CHANNELS: [Channel; 20] = [
    Channel { code: "PERMATAVA", name: "Permata Virtual Account", minutes: (60, 43_200), ..BANK },
    Channel { code: "BRIVA", name: "BRI Virtual Account", minutes: (60, 43_200), ..BANK },
    Channel { code: "MANDIRIVA", name: "Mandiri Virtual Account", minutes: (60, 43_200), ..BANK },
    Channel { code: "BCAVA", name: "BCA Virtual Account", flat_fee: 5_500, ..BANK },
    Channel { code: "CIMBVA", name: "CIMB Niaga Virtual Account", ..BANK },
    Channel { code: "OCBCVA", name: "OCBC NISP Virtual Account", ..BANK },
    Channel { code: "DANAMONVA", name: "Danamon Virtual Account", ..BANK },
    Channel { code: "BNIVA", name: "BNI Virtual Account", minutes: (15, 1_440), ..BANK },
    Channel { code: "OTHERBANKVA", name: "Other Bank Virtual Account", minutes: (15, 1_440), ..BANK },
    Channel { code: "MUAMALATVA", name: "Muamalat Virtual Account", minutes: (60, 180), ..BANK },
    Channel { code: "BSIVA", name: "BSI Virtual Account", minutes: (60, 180), ..BANK },
    Channel { code: "ALFAMART", name: "Alfamart", minutes: (60, 1_440), ..SHOP },
    Channel { code: "INDOMARET", name: "Indomaret", ..SHOP },
    Channel { code: "ALFAMIDI", name: "Alfamidi", min_amount: 5_000, minutes: (60, 1_440), ..SHOP },
    Channel { code: "OVO", name: "OVO", minutes: (15, 43_200), needs_phone: true, ..WALLET },
    Channel { code: "DANA", name: "DANA", ..WALLET },
    Channel { code: "SHOPEEPAY", name: "ShopeePay", ..WALLET },
    Channel { code: "QRIS", name: "QRIS by ShopeePay", minutes: (10, 60), ..QR },
    Channel { code: "QRISC", name: "QRIS (Customizable)", ..QR },
    Channel { code: "QRIS2", name: "QRIS", ..QR },
];

impl Channel {
    /// Finds a channel by its code.
    pub(super) fn find(code: &str) -> Option<&'static Self> {
        CHANNELS.iter().find(|channel| channel.code == code)
    }

    /// Minimum time to pay.
    pub(super) fn min_lifetime(&self) -> Duration {
        Duration::minutes(self.minutes.0)
    }

    /// Maximum time to pay.
    pub(super) fn max_lifetime(&self) -> Duration {
        Duration::minutes(self.minutes.1)
    }

    /// Fee for an amount, rounded half up to whole rupiah.
    pub(super) fn fee(&self, amount: i64) -> i64 {
        let fee = self.flat_fee + (amount * self.fee_rate + 5_000) / 10_000;
        fee.max(self.min_fee.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn fee(code: &str, amount: i64) -> i64 {
        Channel::find(code).expect(code).fee(amount)
    }

    #[test]
    fn fees_match_those_that_tripay_charged() {
        assert_eq!(fee("BRIVA", 100_000), 4_250);
        assert_eq!(fee("BCAVA", 100_000), 5_500);
        for (amount, charged) in [(8_000, 806), (20_000, 890), (100_000, 1_450), (192_080, 2_095), (5_800, 791)] {
            assert_eq!(fee("QRIS", amount), charged, "{amount}");
        }
        assert_eq!((fee("DANA", 10_000), fee("DANA", 100_000)), (1_000, 3_000));
    }

    #[test]
    fn each_code_names_one_channel() {
        let codes: BTreeSet<_> = CHANNELS.iter().map(|channel| channel.code).collect();
        assert_eq!(codes.len(), CHANNELS.len());
        assert!(Channel::find("").is_none() && Channel::find("briva").is_none());
    }
}
