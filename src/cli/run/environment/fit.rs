//! Makes a value that nobody gave fit for the registry, which would refuse it and with it the load.

use url::Url;

/// The registry's limits; a value that was given is left for it to refuse.
const LONGEST_TEXT_CHARACTERS: usize = 255;
const LONGEST_LINK_CHARACTERS: usize = 2_048;

/// A value that fits, if anything is left of it, and what was done to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fitted {
    pub value: Option<String>,
    pub change: Option<&'static str>,
}

/// A text of 1 to 255 characters without control characters.
pub fn fit_text(text: &str) -> Fitted {
    let parts = text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty());
    let clean = parts.collect::<Vec<_>>().join(" ");
    if clean.is_empty() {
        return Fitted::default();
    }
    if clean.chars().count() > LONGEST_TEXT_CHARACTERS {
        let start: String = clean.chars().take(LONGEST_TEXT_CHARACTERS - 1).collect();
        return Fitted { value: Some(format!("{}…", start.trim_end())), change: Some("is cut to 255 characters") };
    }
    let has_control = text.trim().chars().any(char::is_control);
    Fitted { value: Some(clean), change: has_control.then_some("is without its control characters") }
}

/// An http or https link of up to 2,048 characters, without a password.
///
/// A link that is too long is left out: cut, it would lead elsewhere.
pub fn fit_link(text: &str) -> Fitted {
    let left_out = |change| Fitted { value: None, change: Some(change) };
    if text.trim().is_empty() {
        return Fitted::default();
    }
    let Some(mut url) = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    else {
        return left_out("is left out, as it is no http or https link");
    };
    // Neither fails for a link with a host.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    if url.as_str().chars().count() > LONGEST_LINK_CHARACTERS {
        return left_out("is left out, as it has more than 2048 characters");
    }
    Fitted { value: Some(url.into()), change: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::link::is_web_link;

    fn fitted(value: &str, change: Option<&'static str>) -> Fitted {
        Fitted { value: Some(value.to_owned()), change }
    }

    #[test]
    fn a_text_is_cut_and_cleaned_and_its_ends_are_trimmed() {
        assert_eq!(fit_text("main"), fitted("main", None));
        assert_eq!(fit_text(" main\n"), fitted("main", None));
        assert_eq!(fit_text("ana\tlee\r\n"), fitted("ana lee", Some("is without its control characters")));
        assert_eq!(fit_text(&"é".repeat(255)), fitted(&"é".repeat(255), None));
        let cut = format!("{}…", "é".repeat(254));
        assert_eq!(fit_text(&"é".repeat(256)), fitted(&cut, Some("is cut to 255 characters")));
        for nothing in ["", "  ", "\t\n", "\u{7f}"] {
            assert_eq!(fit_text(nothing), Fitted::default());
        }
    }

    #[test]
    fn a_link_keeps_no_password_and_is_left_out_if_it_leads_nowhere() {
        let link = "https://jenkins.example.com/job/load/7/";
        assert_eq!(fit_link(link), fitted(link, None));
        assert_eq!(
            fit_link("https://robot:s3cret@ci.example.com/7?x=1#y"),
            fitted("https://ci.example.com/7?x=1#y", None)
        );
        assert_eq!(fit_link("https://ci.example.com/a b"), fitted("https://ci.example.com/a%20b", None));
        assert_eq!(fit_link(""), Fitted::default());
        for wrong in ["unconfigured-jenkins-location/job/load/7/", "ftp://ci.example.com/", "null", "http://"] {
            let change = Some("is left out, as it is no http or https link");
            assert_eq!(fit_link(wrong), Fitted { value: None, change }, "{wrong}");
        }
        let long = format!("https://ci.example.com/{}", "x".repeat(2_048));
        assert_eq!(fit_link(&long).change, Some("is left out, as it has more than 2048 characters"));
    }

    proptest! {
        #[test]
        fn the_registry_takes_every_text_and_link_that_was_made_to_fit(
            text in any::<String>(),
            long in "\\PC{200,300}",
            link in "(https?://)?[^ ]{0,40}",
        ) {
            for text in [text, long] {
                if let Some(value) = fit_text(&text).value {
                    prop_assert!((1..=255).contains(&value.chars().count()), "{:?}", value);
                    prop_assert!(value.trim() == value && !value.chars().any(char::is_control), "{:?}", value);
                }
            }
            if let Some(value) = fit_link(&link).value {
                prop_assert!(is_web_link(&value), "{:?}", value);
            }
        }
    }
}
