//! Pages that many look at are made once for all of them.
//!
//! Each page is made at most once a second, whoever asks, and kept as bytes with a tag by which a browser that has it
//! already is told so. What is kept is bounded: what was made first goes first.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, Response};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::page::send;

/// How old a page may be that is shown to somebody.
const GOOD_FOR: Duration = Duration::from_secs(1);
const MOST_PAGES: usize = 48;
/// A page that is larger is made for each who asks.
const LARGEST_BYTES: usize = 512 * 1024;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The pages that were made last.
#[derive(Clone, Default)]
pub struct Renderings(Arc<Mutex<HashMap<String, Arc<Slot>>>>);

/// One page. It is locked while it is made, so that whoever asks meanwhile gets the same.
#[derive(Default)]
struct Slot(tokio::sync::Mutex<Option<Rendering>>);

#[derive(Clone)]
struct Rendering {
    made: Instant,
    html: Bytes,
    tag: HeaderValue,
}

impl Renderings {
    /// The page with this name, which says everything that it depends on: path, query, time zone.
    ///
    /// # Errors
    /// Why it could not be made; the next who asks tries again.
    pub async fn share<E>(
        &self,
        name: String,
        headers: &HeaderMap,
        draw: impl AsyncFnOnce() -> Result<String, E>,
    ) -> Result<Response, E> {
        let slot = self.slot(name);
        let mut last = slot.0.lock().await;
        if let Some(rendering) = last.as_ref().filter(|last| last.made.elapsed() < GOOD_FOR) {
            return Ok(rendering.clone().answer(headers));
        }
        last.take();
        let drawn = draw().await.map(Rendering::new);
        if let Ok(rendering) = &drawn
            && rendering.html.len() <= LARGEST_BYTES
        {
            last.replace(rendering.clone());
        }
        drop(last);
        drop(slot);
        self.make_room();
        Ok(drawn?.answer(headers))
    }

    fn slot(&self, name: String) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(name).or_default())
    }

    /// Forgets what is empty, and the oldest of what is too much. What is being made just now is in use, and stays.
    fn make_room(&self) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept: Vec<(Instant, usize, String)> = Vec::new();
        slots.retain(|name, slot| {
            let Ok(last) = slot.0.try_lock() else { return true };
            if let Some(last) = last.as_ref() {
                kept.push((last.made, last.html.len(), name.clone()));
            }
            last.is_some() || Arc::strong_count(slot) > 1
        });
        kept.sort_unstable_by_key(|(made, ..)| Reverse(*made));
        let mut bytes = 0;
        for (number, (_, size, name)) in kept.into_iter().enumerate() {
            bytes += size;
            if number >= MOST_PAGES || bytes > MOST_BYTES {
                slots.remove(&name);
            }
        }
    }
}

impl Rendering {
    fn new(html: String) -> Self {
        let digest = Sha256::digest(html.as_bytes());
        let digest = digest.first_chunk().map_or(0, |first| u128::from_be_bytes(*first));
        let tag = HeaderValue::try_from(format!("\"{digest:032x}\"")).expect("hexadecimal digits");
        Self { made: Instant::now(), html: html.into(), tag }
    }

    /// The page, or that the browser has it.
    fn answer(self, headers: &HeaderMap) -> Response {
        let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let is_known =
            tags.flat_map(|value| value.split(',')).any(|tag| tag.trim().trim_start_matches("W/") == self.tag);
        let tag = [(header::ETAG, self.tag)];
        if is_known {
            return send((StatusCode::NOT_MODIFIED, tag));
        }
        send((tag, Html(self.html)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body::to_bytes;
    use futures_util::future::join_all;

    use super::*;

    struct Maker {
        made: AtomicUsize,
        bytes: usize,
    }

    impl Maker {
        async fn ask(&self, renderings: &Renderings, name: &str, headers: &HeaderMap) -> Response {
            let make = async || {
                tokio::task::yield_now().await;
                let number = self.made.fetch_add(1, Ordering::SeqCst);
                Ok::<_, ()>((number % 10).to_string().repeat(self.bytes))
            };
            renderings.share(name.to_owned(), headers, make).await.expect("a page")
        }
    }

    fn maker(bytes: usize) -> (Renderings, Maker, HeaderMap) {
        (Renderings::default(), Maker { made: AtomicUsize::new(0), bytes }, HeaderMap::new())
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_within_a_second_get_one_page_and_the_next_second_another() {
        let (renderings, maker, headers) = maker(10);
        let answers = join_all((0..100).map(|_| maker.ask(&renderings, "/", &headers))).await;
        for answer in answers {
            assert_eq!(to_bytes(answer.into_body(), 100).await.expect("bytes"), "0000000000");
        }
        tokio::time::advance(GOOD_FOR).await;
        maker.ask(&renderings, "/", &headers).await;
        maker.ask(&renderings, "/?factor=1", &headers).await;
        assert_eq!(maker.made.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_the_page_already_is_told_so_however_the_tag_is_sent() {
        let (renderings, maker, mut headers) = maker(10);
        let tag = maker.ask(&renderings, "/", &headers).await.headers()[header::ETAG].clone();
        let tag = tag.to_str().expect("text");
        for sent in [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}")] {
            headers.insert(header::IF_NONE_MATCH, sent.parse().expect("a value"));
            let answer = maker.ask(&renderings, "/", &headers).await;
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{sent}");
            assert_eq!(answer.headers()[header::CACHE_CONTROL], "private, no-cache");
        }
        tokio::time::advance(GOOD_FOR).await;
        assert_eq!(maker.ask(&renderings, "/", &headers).await.status(), StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_is_asked_for_few_pages_are_kept_and_no_large_one() {
        let (renderings, maker, headers) = maker(10);
        for number in 0..500 {
            maker.ask(&renderings, &format!("/?q={number}"), &headers).await;
        }
        assert!(renderings.0.lock().expect("no panic").len() <= MOST_PAGES);
        let (renderings, maker, headers) = self::maker(LARGEST_BYTES);
        for number in 0..40 {
            maker.ask(&renderings, &format!("/?q={number}"), &headers).await;
        }
        assert!(renderings.0.lock().expect("no panic").len() <= MOST_BYTES / LARGEST_BYTES);
        let (renderings, maker, headers) = self::maker(LARGEST_BYTES + 1);
        maker.ask(&renderings, "/", &headers).await;
        assert!(renderings.0.lock().expect("no panic").is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_after_a_failure_gets_the_page() {
        let (renderings, maker, headers) = maker(10);
        let failed = renderings.share("/".to_owned(), &headers, async || Err("the database is away")).await;
        assert_eq!(failed.expect_err("no page"), "the database is away");
        assert!(renderings.0.lock().expect("no panic").is_empty());
        assert_eq!(maker.ask(&renderings, "/", &headers).await.status(), StatusCode::OK);
    }
}
