//! Links that a person may be sent to.

use url::Url;

/// Whether it is an absolute http or https link, without anything a browser would strip.
#[must_use]
pub fn is_web_link(text: &str) -> bool {
    let has_scheme = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    (has_scheme("http://") || has_scheme("https://"))
        && !text.chars().any(|character| character.is_whitespace() || character.is_control())
        && Url::parse(text).is_ok_and(|url| url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_web_links_are_links() {
        for link in ["http://a", "HTTPS://a.example/run/1?x=%20#y", "https://[::1]:3000/d"] {
            assert!(is_web_link(link), "{link}");
        }
        for other in [
            "",
            "a",
            "/run",
            "//a",
            "javascript:alert(1)",
            "java\nscript:x",
            "data:text/html,x",
            "http://",
            "http:a",
            " http://a",
            "http://a b",
            "ftp://a",
        ] {
            assert!(!is_web_link(other), "{other}");
        }
    }
}
