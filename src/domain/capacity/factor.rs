//! Shares of a location, as exact decimals.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use crate::seeded_bug::{self, Bug};

/// Millionths in one whole.
const ONE: i64 = 1_000_000;
const FRACTION_DIGITS: usize = 6;
/// The longest text read: Python's and JavaScript's longest number stays well below.
const LONGEST_TEXT_BYTES: usize = 40;
/// No factor or capacity is above this; sums of a million such runs still fit an `i64`.
const LARGEST_UNITS: i64 = 1_000_000;

/// A share of a location, or a sum of such shares, in millionths.
///
/// A whole number of millionths adds up exactly in Rust and in both databases, where ten times
/// the float 0.1 is less than 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Factor(i64);

impl Factor {
    pub const ZERO: Self = Self(0);
    pub const ONE: Self = Self(ONE);
    /// The least difference there is.
    pub const SMALLEST: Self = Self(1);

    #[must_use]
    pub const fn from_millionths(millionths: i64) -> Self {
        Self(millionths)
    }

    #[must_use]
    pub const fn millionths(self) -> i64 {
        self.0
    }

    /// Reads a decimal exactly from its text, in JSON's grammar for numbers.
    ///
    /// # Errors
    /// Refuses everything that would have to be rounded, is negative, or is no number.
    pub fn parse(text: &str) -> Result<Self, FactorError> {
        if text.len() > LONGEST_TEXT_BYTES {
            return Err(FactorError::TooLong);
        }
        if seeded_bug::is(Bug::NanAsZero) && text == "NaN" {
            return Ok(Self::ZERO);
        }
        let decimal = Decimal::split(text).ok_or(FactorError::NotANumber)?;
        let millionths = decimal.millionths()?;
        if decimal.negative && millionths != 0 {
            return Err(FactorError::Negative);
        }
        Ok(Self(millionths))
    }

    /// What is left of `self` after `used`, never below nothing.
    #[must_use]
    pub fn left_after(self, used: Self) -> Self {
        Self((self.0 - used.0).max(0))
    }

    /// The largest factor that is smaller than this one.
    #[must_use]
    pub fn just_below(self) -> Self {
        self.left_after(Self::SMALLEST)
    }
}

/// A number's text, taken apart: `-12.5e-1` is negative, digits `125`, of which 1 + 1 are fraction.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    fraction_digits: i64,
}

impl Decimal {
    /// `-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?`, as in RFC 8259, section 6.
    fn split(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || (whole.len() > 1 && whole.starts_with('0'))
            || !all_digits(whole)
            || !all_digits(fraction)
        {
            return None;
        }
        Some(Self {
            negative,
            digits: whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect(),
            fraction_digits: i64::try_from(fraction.len()).ok()? - exponent,
        })
    }

    fn millionths(&self) -> Result<i64, FactorError> {
        let shift = FRACTION_DIGITS as i64 - self.fraction_digits;
        let mut value: i64 = 0;
        for (index, digit) in self.digits.iter().enumerate() {
            // The power of ten of this digit, counted in millionths.
            let power = (self.digits.len() - 1 - index) as i64 + shift;
            if *digit == 0 {
                continue;
            }
            if power < 0 {
                return Err(FactorError::TooPrecise);
            }
            let scale = u32::try_from(power).ok().and_then(|power| 10_i64.checked_pow(power));
            value = scale
                .and_then(|scale| scale.checked_mul(i64::from(*digit)))
                .and_then(|part| value.checked_add(part))
                .filter(|value| *value <= LARGEST_UNITS * ONE)
                .ok_or(FactorError::TooLarge)?;
        }
        Ok(value)
    }
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let valid = (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let magnitude = valid.then(|| digits.parse::<i64>().ok()).flatten()?;
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (units, fraction) =
            (self.0.unsigned_abs() / ONE.unsigned_abs(), self.0.unsigned_abs() % ONE.unsigned_abs());
        if fraction == 0 {
            return write!(f, "{sign}{units}");
        }
        let digits = format!("{fraction:0FRACTION_DIGITS$}");
        write!(f, "{sign}{units}.{}", digits.trim_end_matches('0'))
    }
}

impl Add for Factor {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        if seeded_bug::is(Bug::FloatSums) {
            return Self(seeded_bug::float_sum(self.0, other.0));
        }
        Self(self.0 + other.0)
    }
}

impl Sub for Factor {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for Factor {
    fn sum<I: Iterator<Item = Self>>(factors: I) -> Self {
        factors.fold(Self::ZERO, Add::add)
    }
}

/// Why a text is no factor, in words for the person who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactorError {
    #[error("must be a decimal number such as 0.25")]
    NotANumber,
    #[error("must be a decimal number of at most {LONGEST_TEXT_BYTES} characters")]
    TooLong,
    #[error("must have at most {FRACTION_DIGITS} digits after the point; it is never rounded")]
    TooPrecise,
    #[error("must not be negative")]
    Negative,
    #[error("is too large")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use num_rational::BigRational;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rust_decimal::Decimal as Oracle;

    use super::*;

    #[test]
    fn numbers_are_read_exactly_from_their_text() {
        for (text, millionths) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0e5", 0),
            ("0.3", 300_000),
            ("0.000001", 1),
            ("1e-05", 10),
            ("1E2", 100_000_000),
            ("25e-2", 250_000),
            ("0.1000000000", 100_000),
            ("12.5", 12_500_000),
            ("0e9999", 0),
        ] {
            assert_eq!(Factor::parse(text), Ok(Factor(millionths)), "{text}");
        }
    }

    #[test]
    fn what_would_be_rounded_or_is_no_number_is_refused() {
        use FactorError::{Negative, NotANumber, TooLarge, TooLong, TooPrecise};
        for (text, error) in [
            ("0.0000001", TooPrecise),
            ("0.9999996", TooPrecise),
            ("1e-400", TooPrecise),
            ("-0.1", Negative),
            ("1e999", TooLarge),
            ("9999999999999999999999", TooLarge),
            ("0.1000000000000000000000000000000000000001", TooLong),
            ("", NotANumber),
            ("NaN", NotANumber),
            ("Infinity", NotANumber),
            ("0_1", NotANumber),
            ("+0.1", NotANumber),
            (".1", NotANumber),
            ("1.", NotANumber),
            ("01", NotANumber),
            ("0x1", NotANumber),
            (" 0.1", NotANumber),
            ("１", NotANumber),
            ("1e", NotANumber),
            ("1e+", NotANumber),
            ("1-e5", NotANumber),
        ] {
            assert_eq!(Factor::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_factor_survives_its_own_text(millionths in 0_i64..=1_000_000_000_000) {
            let factor = Factor(millionths);
            prop_assert_eq!(Factor::parse(&factor.to_string()), Ok(factor));
        }

        #[test]
        fn reading_agrees_with_an_independent_decimal_library(text in r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,8})?") {
            let oracle = Oracle::from_str_exact(&text).expect("the pattern gives decimals");
            let millionths = oracle * Oracle::from(ONE);
            match Factor::parse(&text) {
                Ok(factor) => prop_assert_eq!(Oracle::from(factor.millionths()), millionths),
                Err(error) => {
                    prop_assert_eq!(error, FactorError::TooPrecise);
                    prop_assert!(!millionths.is_integer());
                }
            }
        }

        #[test]
        fn any_sum_is_exactly_that_of_big_rationals(
            decimals in vec((prop_oneof![0..10_i64, 0..=1_000_000_i64], 0..=6_u32), 1..12),
        ) {
            let rational = |number: i64, scale: u32| BigRational::new(number.into(), 10_i64.pow(scale).into());
            let (mut sum, mut exact) = (Factor::ZERO, rational(0, 0));
            for (number, scale) in decimals {
                let (unit, digits) = (10_i64.pow(scale), scale as usize);
                let (whole, fraction) = (number / unit, number % unit);
                let text = if scale == 0 { whole.to_string() } else { format!("{whole}.{fraction:0digits$}") };
                sum = sum + Factor::parse(&text).expect("six digits after the point");
                exact += rational(number, scale);
                prop_assert_eq!(rational(sum.millionths(), 6), exact.clone());
                prop_assert_eq!(sum < Factor::ONE, exact < rational(1, 0));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,50}") {
            let _ = Factor::parse(&text);
        }
    }
}
