//! The question on the page: when would a test of this factor, for so many minutes, start?

use crate::domain::capacity::factor::Factor;
use crate::domain::execution::Registration;
use crate::domain::schedule::question::Question;
use crate::http::history_query::query_value;

const USUAL_FACTOR: &str = "0.4";
const USUAL_MINUTES: &str = "30";

/// What was asked, as it was typed.
pub struct Asked {
    pub factor: String,
    pub minutes: String,
    /// None if it cannot be read.
    pub question: Option<Question>,
    pub wrong_factor: Option<String>,
    pub wrong_minutes: Option<String>,
}

impl Asked {
    /// The usual question where nothing was asked.
    pub fn read(query: Option<&str>) -> Self {
        let factor = query_value(query, "factor").unwrap_or_else(|| USUAL_FACTOR.to_owned());
        let minutes = query_value(query, "minutes").unwrap_or_else(|| USUAL_MINUTES.to_owned());
        let (read_factor, read_seconds) = (read_factor(factor.trim()), read_minutes(minutes.trim()));
        let question = match (&read_factor, &read_seconds) {
            (Ok(factor), Ok(seconds)) => Some(Question { factor: *factor, expected_seconds: *seconds }),
            _ => None,
        };
        Self { factor, minutes, question, wrong_factor: read_factor.err(), wrong_minutes: read_seconds.err() }
    }
}

fn read_factor(text: &str) -> Result<Factor, String> {
    Factor::parse(&text.replace(',', ".")).map_err(|error| format!("The factor {error}."))
}

fn read_minutes(text: &str) -> Result<u32, String> {
    let most = Registration::LONGEST_EXPECTED_SECONDS / 60;
    let minutes: Option<u32> = text.parse().ok().filter(|minutes| (1..=most).contains(minutes));
    minutes.map(|minutes| minutes * 60).ok_or_else(|| format!("The minutes must be a whole number from 1 to {most}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_question_is_asked_where_nothing_was() {
        let usual = Question { factor: Factor::from_millionths(400_000), expected_seconds: 1_800 };
        assert_eq!(Asked::read(None).question, Some(usual));
        assert_eq!(Asked::read(Some("factor=&minutes=")).question, Some(usual));
        assert_eq!(Asked::read(Some("factor=0,4&minutes=+30")).question, Some(usual));
    }

    #[test]
    fn what_cannot_be_read_is_kept_as_it_was_typed_and_said_to_be_wrong() {
        let asked = Asked::read(Some("factor=half&minutes=2.5"));
        assert_eq!((asked.factor.as_str(), asked.minutes.as_str(), asked.question), ("half", "2.5", None));
        assert!(asked.wrong_factor.is_some_and(|wrong| wrong.starts_with("The factor must ")));
        assert_eq!(asked.wrong_minutes.as_deref(), Some("The minutes must be a whole number from 1 to 10080."));
    }
}
