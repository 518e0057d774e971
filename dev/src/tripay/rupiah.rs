//! Amounts of money, formatted for people.

/// Formats an amount in Indonesian notation: `Rp149.000`.
pub(super) fn format_rupiah(amount: i64) -> String {
    let digits = amount.unsigned_abs().to_string();
    let mut text = String::from(if amount < 0 { "-Rp" } else { "Rp" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rupiah_have_dots_between_thousands() {
        for (amount, text) in
            [(0, "Rp0"), (999, "Rp999"), (1_000, "Rp1.000"), (149_000, "Rp149.000"), (10_000_000, "Rp10.000.000")]
        {
            assert_eq!(format_rupiah(amount), text);
        }
        assert_eq!(format_rupiah(-1_500), "-Rp1.500");
    }
}
