//! Whole numbers as clients write them that count in floats: `4.0`, or `1.2E7` for 12,000,000.

/// No number that is read has as many digits.
const MOST_DIGITS: usize = 40;

/// The digits of a whole number that is written with a point or an exponent, with its sign; nothing for any other text.
pub fn whole_digits(text: &str) -> Option<String> {
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text), |unsigned| ("-", unsigned));
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<isize>().ok()?),
        None if unsigned.contains('.') => (unsigned, 0),
        None => return None,
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let mut digits = [whole, fraction].concat();
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = whole.len().checked_add_signed(exponent).filter(|point| (1..=MOST_DIGITS).contains(point))?;
    while digits.len() < point {
        digits.push('0');
    }
    let rest = digits.split_off(point);
    rest.bytes().all(|byte| byte == b'0').then(|| format!("{sign}{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_read_however_it_is_written() {
        for (text, digits) in [
            ("4.0", "4"),
            ("4.000", "4"),
            ("-4.0", "-4"),
            ("0.0", "0"),
            ("4e0", "4"),
            ("4E+2", "400"),
            ("1.2E7", "12000000"),
            ("1.2345678E7", "12345678"),
            ("9223372036854775807.0", "9223372036854775807"),
            ("9.223372036854775807e18", "9223372036854775807"),
            ("40e-1", "4"),
            ("400.0e-2", "4"),
        ] {
            assert_eq!(whole_digits(text).as_deref(), Some(digits), "{text}");
        }
    }

    #[test]
    fn nothing_is_rounded_and_nothing_else_is_a_number() {
        for text in [
            "4",
            "-4",
            "",
            ".",
            "4.",
            ".0",
            "4.5",
            "4.0000000000000000000001",
            "45e-1",
            "4e-1",
            "4.0.0",
            "e",
            "e1",
            "4e",
            "4e1e1",
            "--4.0",
            "+4.0",
            " 4.0",
            "4.0 ",
            "0x4.0",
            "4,0",
            "4_0.0",
            "NaN",
            "1e41",
            "1e99999999999999999999",
            "4e-99999",
            "\u{664}.0",
        ] {
            assert_eq!(whole_digits(text), None, "{text}");
        }
    }
}
