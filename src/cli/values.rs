//! Values of flags, as far as they can be judged before anybody is asked.

use super::millionths;

/// No factor or capacity is above this, in millionths.
const LARGEST_FACTOR: u64 = 1_000_000_000_000;
const LARGEST_CAPACITY: u64 = 1_000_000_000;

/// A factor as it is sent. Nothing at all is none: a flag may be given a variable of a CI system that is empty.
pub fn factor(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || millionths::read(text).is_some_and(|factor| factor <= LARGEST_FACTOR) {
        return Ok(text.to_owned());
    }
    if text.starts_with('-') {
        return Err("a factor is not negative; give a decimal such as 0.5".to_owned());
    }
    Err(format!("{text:?} is no factor; give a decimal such as 0.5, with at most six digits after the point"))
}

/// A capacity as it is sent.
pub fn capacity(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_capacity = |millionths| (1..=LARGEST_CAPACITY).contains(&millionths);
    millionths::read(text).filter(|millionths| is_capacity(*millionths)).map(|_| text.to_owned()).ok_or_else(|| {
        format!(
            "{text:?} is no capacity; give a decimal above 0 and up to 1000, such as 2.5, with at most six digits after the \
             point"
        )
    })
}

/// The number of a run.
pub fn run_id(text: &str) -> Result<i64, String> {
    text.parse()
        .ok()
        .filter(|_| is_number(text))
        .ok_or_else(|| format!("{text:?} is no run; give its number, such as 7; perfreg status has those that run"))
}

/// Whether it is digits alone.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where a page begins, as the page before said it.
pub fn history_cursor(text: &str) -> Result<String, String> {
    let is_cursor = text
        .split_once('_')
        .is_some_and(|(time, run_id)| is_number(time.strip_prefix('-').unwrap_or(time)) && is_number(run_id));
    if is_cursor { Ok(text.to_owned()) } else { Err("give what the page before printed behind --cursor".to_owned()) }
}

/// Where a page of events begins, as the page before said it.
pub fn event_cursor(text: &str) -> Result<String, String> {
    let is_cursor = text.split_once('-').is_some_and(|(before, number)| is_number(before) && is_number(number));
    if is_cursor { Ok(text.to_owned()) } else { Err("give what the page before printed behind --cursor".to_owned()) }
}

/// A web link, or nothing at all.
pub fn link(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    if text.is_empty() || lower.starts_with("http://") || lower.starts_with("https://") {
        return Ok(text.to_owned());
    }
    Err("give a link that begins with http:// or https://".to_owned())
}

/// A further field, which has none of the names that flags stand for.
pub fn extra_field(text: &str) -> Result<(String, String), String> {
    const KNOWN: [(&str, &str); 14] = [
        ("repo", "--repo"),
        ("lac", "--lac"),
        ("stream", "--stream"),
        ("test", "--test"),
        ("type", "--type"),
        ("environment", "--environment"),
        ("triggered_by", "--triggered-by"),
        ("factor", "--factor"),
        ("dashboard_url", "--dashboard-url"),
        ("location", "--location"),
        ("wait_seconds", "--wait"),
        ("priority", "--priority"),
        ("lease_seconds", "--lease"),
        ("expected_seconds", "--expected"),
    ];
    let (name, value) = text.split_once('=').ok_or("a further field is given as NAME=VALUE")?;
    match KNOWN.into_iter().find(|(known, _)| *known == name) {
        Some((_, flag)) => Err(format!("{name} has a flag of its own; give {flag}")),
        None if name.is_empty() => Err("a further field is given as NAME=VALUE".to_owned()),
        None => Ok((name.to_owned(), value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::capacity::factor::Factor;

    #[test]
    fn what_is_a_factor_for_the_registry_is_one_here_and_nothing_else() {
        for text in [
            "0.5",
            "1",
            "0",
            "0.000001",
            "0.0000001",
            "1e-1",
            "1E2",
            "1e99",
            "1000000",
            "1000001",
            ".5",
            "5.",
            "05",
            "+1",
            "-1",
            "0,5",
            "50%",
            "half",
            "NaN",
            "0x1",
            "1_000",
            "1e",
            "0.10000000",
        ] {
            assert_eq!(factor(text).is_ok(), Factor::parse(text).is_ok(), "{text}");
        }
        assert_eq!(factor(" 0.5\n").as_deref(), Ok("0.5"), "a YAML block leaves a line break behind");
        assert_eq!(factor("").as_deref(), Ok(""));
        assert!(factor("half").is_err_and(|error| error.starts_with("\"half\" is no factor; give a decimal")));
    }

    #[test]
    fn a_capacity_is_above_nothing_and_at_most_a_thousand() {
        for (text, expected) in [("0.000001", true), ("1000", true), ("0", false), ("1000.1", false), ("", false)] {
            assert_eq!(capacity(text).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_run_is_a_number_without_a_sign() {
        assert_eq!(run_id("7"), Ok(7));
        for text in ["", "-7", "+7", "#7", "seven", "7.0", "99999999999999999999"] {
            assert!(run_id(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_cursor_is_what_a_page_has_printed() {
        for (text, expected) in
            [("1700000000000000_7", true), ("-5_7", true), ("7", false), ("_7", false), ("5_", false), ("x_7", false)]
        {
            assert_eq!(history_cursor(text).is_ok(), expected, "{text}");
        }
        for (text, expected) in [("0-12", true), ("7", false), ("-12", false), ("0-", false), ("0-x", false)] {
            assert_eq!(event_cursor(text).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_further_field_has_no_name_that_a_flag_has() {
        assert_eq!(extra_field("workers=4=5"), Ok(("workers".to_owned(), "4=5".to_owned())));
        assert_eq!(extra_field("wait_seconds=5"), Err("wait_seconds has a flag of its own; give --wait".to_owned()));
        assert!(extra_field("workers").is_err() && extra_field("=4").is_err());
    }
}
