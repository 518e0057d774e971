//! Requests about invoices.

use crate::ObjectReader;
use crate::request::request;
use crate::values::declare::word_values;
use crate::values::{ChannelCode, PhoneNumber, PlanName};

/// Channels that identify the payer by the phone number.
const EWALLETS: [&str; 3] = ["DANA", "OVO", "SHOPEEPAY"];

request! {
    /// Invoice to create.
    pub struct NewInvoice {
        pub plan: PlanName,
        pub period: Period,
        /// Payment channel.
        pub method: ChannelCode,
        /// Phone number of the payer. Required for e-wallets.
        pub customer_phone: Option<PhoneNumber>,
    }
    check NewInvoice::check_fields
}

impl NewInvoice {
    fn check_fields(&self, reader: &mut ObjectReader<'_>) {
        let has_number = self.customer_phone.is_some() || !EWALLETS.contains(&self.method.as_str());
        reader.check_rule(has_number, "customer_phone", &["method"], "is required for an e-wallet");
    }
}

word_values! {
    /// Length of a subscription period.
    Period {
        Monthly = "monthly",
        Yearly = "yearly",
    }
}
