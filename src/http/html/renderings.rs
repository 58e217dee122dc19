//! Pages that many look at are drawn once for all of them.
//!
//! A page is drawn again once it is a second old, or once something has happened since its drawing began. It is kept as
//! bytes with a tag, by which a browser learns that it has the page already. The oldest pages make room for newer ones.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, Response};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep_until};

use super::page::send;
use crate::http::error::ApiError;
use crate::registry::NewsCount;

/// How old a page may be that is shown to somebody, while nothing happens.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// Between the beginnings of two drawings of a page, however much happens. An open page is told of changes as rarely.
const APART: Duration = Duration::from_millis(500);
const MOST_PAGES: usize = 48;
/// A page that is larger is not kept.
const LARGEST_BYTES: usize = 512 * 1024;
const MOST_BYTES: usize = 8 * 1024 * 1024;

type Drawing = Shared<BoxFuture<'static, Result<Rendering, ApiError>>>;
type WeakDrawing = WeakShared<BoxFuture<'static, Result<Rendering, ApiError>>>;

/// All that a page depends on: which page it is, the time zone, and what somebody typed.
pub type Key = (&'static str, String, Vec<String>);

/// The pages that were drawn last.
#[derive(Clone)]
pub struct Renderings {
    news: NewsCount,
    slots: Arc<Mutex<HashMap<Key, Slot>>>,
}

/// One page.
#[derive(Default)]
struct Slot {
    last: Option<Rendering>,
    under_way: Option<UnderWay>,
}

/// A drawing that ends early when all who wait for it have left.
struct UnderWay {
    /// None until it begins.
    began: Option<Began>,
    drawing: WeakDrawing,
}

/// When a drawing began, and how much news there was before.
#[derive(Clone, Copy)]
struct Began {
    time: Instant,
    news: u64,
}

#[derive(Clone)]
struct Rendering {
    began: Began,
    html: Bytes,
    tag: HeaderValue,
}

impl Renderings {
    pub fn new(news: NewsCount) -> Self {
        Self { news, slots: Arc::default() }
    }

    /// The page with this key, as it is after all news so far.
    ///
    /// # Errors
    /// Why the page could not be drawn. All who wait for a drawing get its error; the next request draws again.
    pub async fn share(
        &self,
        key: Key,
        headers: &HeaderMap,
        draw: impl Future<Output = Result<String, ApiError>> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let news = self.news.get();
        // One drawing of a page at a time: the outdated one ends first. If it fails, another would fail as well.
        let outdated = self.outdated(&key, news);
        if let Some(outdated) = outdated {
            outdated.await?;
        }
        let drawing = self.find_or_begin(key, news, draw);
        Ok(drawing.await?.answer(headers))
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The drawing under way, if it began before this news.
    fn outdated(&self, key: &Key, news: u64) -> Option<Drawing> {
        let slots = self.slots();
        let under_way = slots.get(key)?.under_way.as_ref()?;
        under_way.began.filter(|began| began.news < news)?;
        under_way.drawing.upgrade()
    }

    /// The kept page if it is still good, else the drawing under way, else a new one.
    fn find_or_begin(
        &self,
        key: Key,
        news: u64,
        draw: impl Future<Output = Result<String, ApiError>> + Send + 'static,
    ) -> Drawing {
        let mut slots = self.slots();
        let slot = slots.entry(key.clone()).or_default();
        if let Some(last) = slot.last.as_ref().filter(|last| last.is_good(news)) {
            return ready(Ok(last.clone())).boxed().shared();
        }
        if let Some(drawing) = slot.under_way.as_ref().and_then(|under_way| under_way.drawing.upgrade()) {
            return drawing;
        }
        let earliest = slot.last.as_ref().map(|last| last.began.time + APART);
        let renderings = self.clone();
        let drawing = async move { renderings.draw(&key, earliest, draw).await }.boxed().shared();
        slot.under_way = drawing.downgrade().map(|drawing| UnderWay { began: None, drawing });
        make_room(&mut slots);
        drawing
    }

    async fn draw(
        &self,
        key: &Key,
        earliest: Option<Instant>,
        draw: impl Future<Output = Result<String, ApiError>>,
    ) -> Result<Rendering, ApiError> {
        if let Some(earliest) = earliest {
            sleep_until(earliest).await;
        }
        let began = self.begin(key);
        let drawn = draw.await.map(|html| Rendering::new(began, html));
        let kept = drawn.as_ref().ok().filter(|rendering| rendering.html.len() <= LARGEST_BYTES);
        let mut slots = self.slots();
        slots.insert(key.clone(), Slot { last: kept.cloned(), under_way: None });
        make_room(&mut slots);
        drawn
    }

    /// Notes that the drawing of this page begins now, and after which news.
    fn begin(&self, key: &Key) -> Began {
        let mut slots = self.slots();
        let began = Began { time: Instant::now(), news: self.news.get() };
        if let Some(under_way) = slots.get_mut(key).and_then(|slot| slot.under_way.as_mut()) {
            under_way.began = Some(began);
        }
        began
    }
}

/// Forgets what is empty, and the oldest pages of too many. A page that is being drawn stays.
fn make_room(slots: &mut HashMap<Key, Slot>) {
    let mut kept: Vec<(Instant, usize, Key)> = Vec::new();
    slots.retain(|key, slot| {
        if slot.is_being_drawn() {
            return true;
        }
        kept.extend(slot.last.as_ref().map(|last| (last.began.time, last.html.len() + size_of(key), key.clone())));
        slot.last.is_some()
    });
    kept.sort_unstable_by_key(|(began, ..)| Reverse(*began));
    let mut bytes = 0;
    for (number, (_, size, key)) in kept.into_iter().enumerate() {
        bytes += size;
        if number >= MOST_PAGES || bytes > MOST_BYTES {
            slots.remove(&key);
        }
    }
}

fn size_of((_, zone, typed): &Key) -> usize {
    zone.len() + typed.iter().map(String::len).sum::<usize>()
}

impl Slot {
    fn is_being_drawn(&self) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| under_way.drawing.upgrade().is_some())
    }
}

impl Rendering {
    fn new(began: Began, html: String) -> Self {
        let digest = Sha256::digest(html.as_bytes());
        let digest = digest.first_chunk().map_or(0, |first| u128::from_be_bytes(*first));
        let tag = HeaderValue::try_from(format!("\"{digest:032x}\"")).expect("hexadecimal digits");
        Self { began, html: html.into(), tag }
    }

    fn is_good(&self, news: u64) -> bool {
        self.began.news >= news && self.began.time.elapsed() < GOOD_FOR
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
    use tokio::time::{advance, sleep, timeout};

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    struct Maker {
        renderings: Renderings,
        drawn: Arc<AtomicUsize>,
        bytes: usize,
    }

    impl Maker {
        fn of(bytes: usize) -> Self {
            Self { renderings: Renderings::new(NewsCount::default()), drawn: Arc::default(), bytes }
        }

        async fn ask(&self, typed: &str, headers: &HeaderMap) -> Response {
            let (drawn, bytes) = (Arc::clone(&self.drawn), self.bytes);
            let draw = async move {
                tokio::task::yield_now().await;
                let number = drawn.fetch_add(1, Ordering::SeqCst);
                Ok((number % 10).to_string().repeat(bytes))
            };
            self.renderings.share(key(typed), headers, draw).await.expect("a page")
        }

        /// Asks for a page that takes long to draw, and then fails or not.
        async fn ask_slowly(&self, outcome: Result<(), ApiError>) -> Result<String, ApiError> {
            let drawn = Arc::clone(&self.drawn);
            let draw = async move {
                let number = drawn.fetch_add(1, Ordering::SeqCst);
                sleep(LONG).await;
                outcome.map(|()| number.to_string())
            };
            Ok(text(self.renderings.share(key(""), &HeaderMap::new(), draw).await?).await)
        }

        fn drawn(&self) -> usize {
            self.drawn.load(Ordering::SeqCst)
        }

        fn kept(&self) -> usize {
            self.renderings.slots().len()
        }
    }

    fn key(typed: &str) -> Key {
        ("now", "UTC".to_owned(), vec![typed.to_owned()])
    }

    async fn text(answer: Response) -> String {
        let bytes = to_bytes(answer.into_body(), LARGEST_BYTES).await.expect("bytes");
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_within_a_second_get_one_page_and_the_next_second_another() {
        let (maker, headers) = (Maker::of(10), HeaderMap::new());
        let answers = join_all((0..100).map(|_| maker.ask("", &headers))).await;
        for answer in answers {
            assert_eq!(text(answer).await, "0000000000");
        }
        advance(GOOD_FOR).await;
        maker.ask("", &headers).await;
        maker.ask("0.1", &headers).await;
        assert_eq!(maker.drawn(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_from_before_the_news_is_shown_to_nobody_and_much_news_is_few_drawings() {
        let (maker, headers) = (Maker::of(1), HeaderMap::new());
        let began = Instant::now();
        assert_eq!(text(maker.ask("", &headers).await).await, "0");
        for _ in 0..5 {
            maker.renderings.news.add();
            let before = maker.drawn();
            let answers = join_all((0..20).map(|_| maker.ask("", &headers))).await;
            assert_eq!(maker.drawn(), before + 1);
            for answer in answers {
                assert_eq!(text(answer).await, before.to_string());
            }
        }
        assert!(began.elapsed() >= APART * 5, "one after {APART:?} at the earliest");
    }

    #[tokio::test(start_paused = true)]
    async fn news_during_a_drawing_is_one_more_drawing_for_all() {
        let maker = Maker::of(1);
        let first = maker.ask_slowly(Ok(()));
        let others = async {
            sleep(LONG / 2).await;
            maker.renderings.news.add();
            join_all((0..20).map(|_| maker.ask_slowly(Ok(())))).await
        };
        let (first, others) = tokio::join!(first, others);
        assert_eq!(first.expect("a page"), "0");
        assert!(others.into_iter().all(|page| page.expect("a page") == "1"));
        assert_eq!(maker.drawn(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_for_a_drawing_share_its_failure_also_where_there_is_news() {
        let maker = Maker::of(1);
        let began = Instant::now();
        let first = join_all((0..20).map(|_| maker.ask_slowly(Err(ApiError::Timeout))));
        let later = async {
            sleep(LONG / 2).await;
            maker.renderings.news.add();
            join_all((0..20).map(|_| maker.ask_slowly(Err(ApiError::Timeout)))).await
        };
        let (first, later) = tokio::join!(first, later);
        assert!(first.iter().chain(&later).all(|answer| matches!(answer, Err(ApiError::Timeout))));
        assert_eq!((maker.drawn(), began.elapsed(), maker.kept()), (1, LONG, 0));
        assert_eq!(maker.ask("", &HeaderMap::new()).await.status(), StatusCode::OK, "the next request draws again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_drawing_goes_on_for_those_who_stay_and_is_forgotten_once_all_have_left() {
        let maker = Maker::of(1);
        let leaves = timeout(LONG / 2, maker.ask_slowly(Ok(())));
        let (left, stayed) = tokio::join!(leaves, maker.ask_slowly(Ok(())));
        assert!(left.is_err());
        assert_eq!((stayed.expect("a page").as_str(), maker.drawn()), ("0", 1));
        advance(LONG).await;
        assert!(timeout(LONG / 2, maker.ask_slowly(Ok(()))).await.is_err());
        maker.ask("another", &HeaderMap::new()).await;
        assert_eq!(maker.ask_slowly(Ok(())).await.expect("a page"), "3");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_the_page_already_is_told_so_however_the_tag_is_sent() {
        let (maker, mut headers) = (Maker::of(10), HeaderMap::new());
        let tag = maker.ask("", &headers).await.headers()[header::ETAG].clone();
        let tag = tag.to_str().expect("text");
        for sent in [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}")] {
            headers.insert(header::IF_NONE_MATCH, sent.parse().expect("a value"));
            let answer = maker.ask("", &headers).await;
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{sent}");
            assert_eq!(answer.headers()[header::CACHE_CONTROL], "private, no-cache");
        }
        advance(GOOD_FOR).await;
        assert_eq!(maker.ask("", &headers).await.status(), StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn few_pages_are_kept_and_no_large_one_also_where_much_is_typed() {
        let headers = HeaderMap::new();
        let (small, large, too_large) = (Maker::of(10), Maker::of(LARGEST_BYTES), Maker::of(LARGEST_BYTES + 1));
        let typed = Maker::of(1);
        for number in 0..200 {
            small.ask(&number.to_string(), &headers).await;
        }
        for number in 0..40 {
            typed.ask(&format!("{number}{}", "0".repeat(LARGEST_BYTES)), &headers).await;
            large.ask(&number.to_string(), &headers).await;
        }
        too_large.ask("", &headers).await;
        assert_eq!(small.kept(), MOST_PAGES);
        assert!(large.kept() <= MOST_BYTES / LARGEST_BYTES && typed.kept() <= MOST_BYTES / LARGEST_BYTES);
        assert_eq!(too_large.kept(), 0);
    }
}
