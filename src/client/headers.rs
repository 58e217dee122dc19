//! Headers for proxies that ask for them.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::ClientError;

/// What a call is made of; another value would break it.
const OF_THE_PROTOCOL: [&str; 19] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "idempotency-key",
    "keep-alive",
    "last-event-id",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Reads headers, each as `NAME: VALUE`. No message repeats a value, which may be secret.
///
/// # Errors
/// If one is no header, or one that the client has to set itself.
pub fn read(texts: &[String]) -> Result<HeaderMap, ClientError> {
    let mut headers = HeaderMap::new();
    for text in texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        let (name, value) = read_one(text).map_err(ClientError::Options)?;
        if headers.insert(&name, value).is_some() {
            let message = format!("--header gives {name} twice; give it once, with its values behind commas");
            return Err(ClientError::Options(message));
        }
    }
    Ok(headers)
}

fn read_one(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let form = "give --header as 'NAME: VALUE', such as 'X-Api-Key: SECRET'";
    let (name, value) = text.split_once(':').ok_or_else(|| format!("a header has no colon; {form}"))?;
    let name: HeaderName = name.trim().parse().map_err(|_| format!("a header has no proper name; {form}"))?;
    if OF_THE_PROTOCOL.contains(&name.as_str()) {
        return Err(format!("--header cannot give {name}, which perfreg sets itself; leave it out"));
    }
    if name == "proxy-authorization" {
        let place = "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT";
        return Err(format!("--header cannot give {name}; give user and password in the proxy's URL, as {place}"));
    }
    let mut value = HeaderValue::from_str(value.trim())
        .map_err(|_| format!("the value of the header {name} has characters that a header cannot have"))?;
    if value.is_empty() {
        return Err(format!("the header {name} has no value; {form}"));
    }
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(texts: &[&str]) -> String {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        read(&texts).expect_err("it is wrong").to_string()
    }

    #[test]
    fn headers_are_read_with_white_space_and_colons_in_their_values() {
        let texts = ["X-Api-Key:a:b ".to_owned(), String::new(), " Cookie :  c=1; d=2\r".to_owned()];
        let headers = read(&texts).expect("headers");
        assert_eq!((headers["x-api-key"].as_bytes(), headers["cookie"].as_bytes()), (&b"a:b"[..], &b"c=1; d=2"[..]));
        assert_eq!(headers.len(), 2);
        assert!(!format!("{headers:?}").contains("a:b"), "it is secret");
    }

    #[test]
    fn a_wrong_header_is_named_without_its_value() {
        for (texts, words) in [
            (&["s3cret"][..], "has no colon"),
            (&["s3 cret: x"], "no proper name"),
            (&[": s3cret"], "no proper name"),
            (&["X-Key:"], "x-key has no value"),
            (&["X-Key: s3\u{1}cret"], "x-key has characters"),
            (&["host: s3cret"], "cannot give host"),
            (&["Content-Length: 5"], "cannot give content-length"),
            (&["Proxy-Authorization: s3cret"], "in the proxy's URL"),
            (&["A: s3cret", "a: s3cret"], "gives a twice"),
        ] {
            let message = wrong(texts);
            assert!(message.contains(words) && !message.contains("cret") && !message.contains('\u{1}'), "{message}");
        }
    }
}
