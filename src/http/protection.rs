//! What every answer tells browsers, so that no other site can read, frame or misread it; and all policies.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Nothing on a page comes from elsewhere, and nothing in it is executed.
pub const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);
/// Swagger draws icons from data, and brings a style of its own into the page.
pub const REFERENCE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
);
/// What is no page shows nothing and runs nothing.
const DATA_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// In every answer that does not say otherwise itself.
const USUAL: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (header::CONTENT_SECURITY_POLICY, DATA_POLICY),
    (CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Adds what the answer does not say itself. Only where people come by HTTPS do browsers keep a page apart from the
/// windows of others; elsewhere they complain of being asked to.
pub fn complete(headers: &mut HeaderMap, by_https: bool) {
    // Once, and not each time that there is no room for one more.
    headers.reserve(USUAL.len());
    for (name, value) in USUAL {
        headers.entry(name).or_insert(value);
    }
    if by_https && is_page(headers) {
        let alone = HeaderValue::from_static("same-origin");
        headers.entry(CROSS_ORIGIN_OPENER_POLICY).or_insert(alone);
    }
}

fn is_page(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|content_type| content_type.as_bytes().starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_keeps_what_it_says_itself() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
        headers.insert(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        complete(&mut headers, false);
        assert_eq!(headers.get(CROSS_ORIGIN_OPENER_POLICY), None);
        complete(&mut headers, true);
        assert_eq!(headers[header::CACHE_CONTROL], "max-age=3600");
        assert_eq!(headers.get_all(header::CONTENT_SECURITY_POLICY).iter().collect::<Vec<_>>(), [&PAGE_POLICY]);
        assert_eq!(headers[CROSS_ORIGIN_OPENER_POLICY], "same-origin");
        let mut headers = HeaderMap::new();
        complete(&mut headers, true);
        assert_eq!((headers.len(), &headers[header::CONTENT_SECURITY_POLICY]), (USUAL.len(), &DATA_POLICY));
    }
}
