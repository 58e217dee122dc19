//! Any text is either a factor, whose own text says the same again, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perfreg::domain::capacity::factor::Factor;

fuzz_target!(|text: &str| {
    let Ok(factor) = Factor::parse(text) else { return };
    assert!(factor >= Factor::ZERO, "{text:?} is read as {factor}");
    assert_eq!(Factor::parse(&factor.to_string()), Ok(factor), "{text:?}");
});
