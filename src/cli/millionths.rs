//! Factors as whole millionths, from and to the text in which they cross the wire.

const DIGITS: u32 = 6;
const ONE: u64 = 10_u64.pow(DIGITS);

/// None where the text is no factor, which is a number as JSON writes it.
pub fn read(text: &str) -> Option<u64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_decimal = is_number(whole) && (whole == "0" || !whole.starts_with('0'));
    if !is_decimal || (mantissa.contains('.') && !is_number(fraction)) {
        return None;
    }
    let digits: u64 = format!("{whole}{fraction}").parse().ok()?;
    let shift = i32::try_from(DIGITS).ok()? + exponent - i32::try_from(fraction.len()).ok()?;
    let power = 10_u64.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 { digits.checked_mul(power) } else { digits.is_multiple_of(power).then(|| digits / power) }
}

pub fn text(millionths: u64) -> String {
    let decimal = format!("{}.{:06}", millionths / ONE, millionths % ONE);
    decimal.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::capacity::factor::Factor;

    #[test]
    fn what_is_no_factor_has_no_millionths() {
        for text in ["", "much", "0,5", "-0.5", "0.0000001", "1e99", "1e999999999999", "50%"] {
            assert_eq!(read(text), None, "{text}");
        }
        for (text, millionths) in
            [("0.6", 600_000), ("6e-1", 600_000), ("1E2", 100_000_000), ("0.000001", 1), ("0.10000000", 100_000)]
        {
            assert_eq!(read(text), Some(millionths), "{text}");
        }
    }

    proptest! {
        #[test]
        fn millionths_are_those_of_the_registry(millionths in 0_i64..=1_000_000_000_000) {
            let factor = Factor::from_millionths(millionths).to_string();
            let own = u64::try_from(millionths).expect("not negative");
            prop_assert_eq!(read(&factor), Some(own));
            prop_assert_eq!(text(own), factor);
        }
    }
}
