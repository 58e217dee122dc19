// Keeps a page that the server has drawn up to date. Without this script every page is whole; with it, it follows.
//
// A message says only that something has changed. The script then fetches the page again, and renews each part that has
// `data-live` and an id. What has not changed stays the same element, with its focus, its selection and its scroll
// position. Children with the same id are the same thing wherever they stand; a part itself must always be on the page.
// While somebody points at a part or works in it, values change, but nothing with an id comes, goes or moves.
"use strict";
(() => {
  const QUIET = 400; // ms after the first message, so that several are one request
  const APART = 2_000; // ms between two requests
  const TICK = 10_000; // ms between two requests while something on the page goes on
  const SILENT = 40_000; // ms; the server says something every 15 s
  const LATE = 2_500; // ms without a connection before the page says so
  const PATIENCE = 15_000; // ms that a request for the page may take
  const FIRST_PAUSE = 1_000; // ms before the line is tried again
  const LONGEST_PAUSE = 30_000;
  const SETTLED = 60_000; // ms after which a page of another version may be loaded
  const WORDS = { live: "Live", late: "Not live, as of", lost: "No connection, as of" };

  const script = document.currentScript;
  const live = document.getElementById("live");
  const partOf = (page, id) => page.querySelector(`#${CSS.escape(id)}[data-live]`);
  const parts = () => [...document.querySelectorAll("[data-live][id]")].filter((part) => part !== live);
  if (!script?.dataset.stream || parts().length === 0) return;

  let stream = null;
  let heard = 0; // when the server last said something
  let pause = FIRST_PAUSE;
  let again = 0; // timer: the line is tried again
  let late = 0; // timer: the page says that there is no connection
  let due = 0; // timer: the page is asked for
  let dueAt = 0; // when that timer runs out
  let asked = 0; // when the page was asked for last
  let request = null; // the request under way, by which it is given up
  const waiting = new Map(); // id of a part to the part that replaces it once the reader leaves it alone

  // ---------------------------------------------------------------- what is told

  /** A screen reader announces the word, and only when it changes. The time beside it goes on silently. */
  function say(state) {
    if (!live) return;
    live.dataset.state = state;
    const word = live.querySelector("[role='status']");
    if (word && word.textContent !== WORDS[state]) word.textContent = WORDS[state];
  }

  function tellIfItLasts() {
    late ||= setTimeout(() => say("lost"), LATE);
  }

  function tellOfNews() {
    let news = document.getElementById("news");
    if (!news) {
      if (waiting.size === 0) return;
      news = Object.assign(document.createElement("button"), { id: "news", type: "button", className: "news primary" });
      news.addEventListener("click", () => [...waiting.keys()].forEach(apply));
      document.querySelector("main").append(news);
    }
    news.hidden = waiting.size === 0;
    news.textContent = waiting.size === 1 ? "Show what has changed" : `Show ${waiting.size} changes`;
  }

  // ---------------------------------------------------------------- renewing

  const isBlank = (node) => node?.nodeType === Node.TEXT_NODE && !node.nodeValue.trim();
  // After a touch the browser still calls the element hovered, although no finger is there.
  let pointer = "";

  /** Whether somebody points at it, works in it, or has marked some of it. */
  function isTouched(element) {
    const selection = getSelection();
    const isMarked = !selection.isCollapsed && selection.containsNode(element, true);
    return isMarked || element.contains(document.activeElement) || (pointer !== "touch" && element.matches(":hover"));
  }

  function renewAttributes(old, fresh) {
    // The reader decides what is unfolded.
    const isOurs = (name) => name !== "open";
    for (const { name } of [...old.attributes]) if (isOurs(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes)
      if (isOurs(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }

  /** Makes `old` equal to `fresh`, and returns whether it could. A frozen element keeps its shape. */
  function renew(old, fresh, isFrozen) {
    if (old.isEqualNode(fresh)) return true;
    if (old.nodeName !== fresh.nodeName || (old.id ?? "") !== (fresh.id ?? "")) {
      if (!isFrozen) old.replaceWith(fresh);
      return !isFrozen;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.nodeValue = fresh.nodeValue;
      return true;
    }
    renewAttributes(old, fresh);
    if (old.matches("input, textarea, select") && old === document.activeElement) return true;
    return isFrozen ? renewValues(old, fresh) : renewChildren(old, fresh);
  }

  const named = (parent) => new Map([...parent.children].filter((child) => child.id).map((child) => [child.id, child]));

  function renewChildren(old, fresh) {
    const wanted = named(fresh);
    for (const [id, child] of named(old)) {
      if (wanted.has(id)) continue;
      if (isBlank(child.nextSibling)) child.nextSibling.remove();
      child.remove();
    }
    const known = named(old);
    let here = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      let same = here;
      if (next.id) {
        same = known.get(next.id);
        while (same && here !== same && isBlank(here)) {
          const blank = here;
          here = here.nextSibling;
          blank.remove();
        }
      } else if (here?.id) same = null;
      if (same) {
        // An element keeps its focus where the browser can move it without taking it out.
        if (same !== here) old.moveBefore ? old.moveBefore(same, here) : old.insertBefore(same, here);
        here = same.nextSibling;
        renew(same, next, false);
      } else {
        old.insertBefore(next, here);
        if (next.id) next.classList.add("changed");
      }
    }
    while (here) {
      const gone = here;
      here = here.nextSibling;
      gone.remove();
    }
    return true;
  }

  /** Renews what both have, and leaves the rest for later. */
  function renewValues(old, fresh) {
    const known = named(old);
    const order = (parent) => [...named(parent).keys()].join(" ");
    let isWhole = order(old) === order(fresh);
    const [unnamed, others] = [old, fresh].map((one) => [...one.childNodes].filter((child) => !child.id && !isBlank(child)));
    if (unnamed.length !== others.length) isWhole = false;
    others.forEach((next, number) => {
      if (unnamed[number] && !renew(unnamed[number], next, true)) isWhole = false;
    });
    for (const [id, next] of named(fresh)) {
      const same = known.get(id);
      const isFrozen = () => isTouched(same) || same.querySelector("[id]") || next.querySelector("[id]");
      if (same && !renew(same, next, Boolean(isFrozen()))) isWhole = false;
    }
    return isWhole;
  }

  function apply(id) {
    const [part, fresh] = [partOf(document, id), waiting.get(id)];
    waiting.delete(id);
    if (part && fresh) renew(part, fresh, false);
    tellOfNews();
  }

  /** Shows what waits in all parts that the reader has left. */
  function applyWhatIsLeftAlone() {
    for (const id of [...waiting.keys()]) {
      const part = partOf(document, id);
      if (!part || !isTouched(part)) apply(id);
    }
  }

  function show(page) {
    if (isOfAnotherVersion(page) && performance.now() > SETTLED && !isInUse()) return location.reload();
    // Inner parts come first: an outer part that is held then waits only for what is in none of them.
    for (const part of parts().reverse()) {
      const fresh = partOf(page, part.id);
      if (!fresh) continue;
      waiting.delete(part.id);
      const isHeld = isTouched(part);
      if (!renew(part, fresh.cloneNode(true), isHeld)) waiting.set(part.id, fresh);
    }
    tellOfNews();
    document.title = page.title;
    const [clock, now] = [live?.querySelector("time"), page.querySelector("#live time")];
    if (clock && now) renew(clock, now, false);
  }

  /** After an upgrade of the server, new pages need the new style. */
  function isOfAnotherVersion(page) {
    const source = page.querySelector("script[data-stream]")?.getAttribute("src");
    return source !== undefined && source !== script.getAttribute("src");
  }

  function isInUse() {
    const isChanged = (field) => field.value !== field.defaultValue && field.defaultValue !== undefined;
    return parts().some(isTouched) || [...document.querySelectorAll("input, textarea")].some(isChanged);
  }

  // ---------------------------------------------------------------- asking

  async function refresh() {
    if (request) return soon();
    const mine = (request = new AbortController());
    const { signal } = mine;
    const isTooLate = setTimeout(() => mine.abort(), PATIENCE);
    asked = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-cache", signal });
      if (!answer.ok) throw new Error(`${answer.status}`);
      show(new DOMParser().parseFromString(await answer.text(), "text/html"));
      clearTimeout(late);
      late = 0;
      const isOpen = stream?.readyState === EventSource.OPEN;
      if (isOpen) pause = FIRST_PAUSE;
      say(isOpen ? "live" : "late");
    } catch {
      // The reader has left, or came back and asks anew.
      if (request !== mine) return;
      tellIfItLasts();
      // While the line is open, nothing else tries again.
      if (stream) askIn(nextPause());
    } finally {
      clearTimeout(isTooLate);
      if (request === mine) request = null;
    }
  }

  function run() {
    due = 0;
    if (!document.hidden) refresh();
  }

  /** Asks for the page after so many milliseconds. A timer that runs out sooner stays: messages never put it off. */
  function askIn(pause) {
    const at = Date.now() + pause;
    if (due && dueAt <= at) return;
    clearTimeout(due);
    dueAt = at;
    due = setTimeout(run, pause);
  }

  /** Asks shortly after the first of several messages, but not too often. */
  function soon() {
    askIn(Math.max(QUIET, asked + APART - Date.now()));
  }

  // ---------------------------------------------------------------- the line

  /** Many pages that have lost their server do not come back at the same moment. */
  function nextPause() {
    const now = pause * (0.5 + Math.random() / 2);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
    return now;
  }

  function hangUp() {
    stream?.close();
    stream = null;
    clearTimeout(again);
  }

  /** Opens the line anew. An EventSource gives up for good at a 503, and never notices a dead line. */
  function follow() {
    hangUp();
    if (document.hidden) return;
    heard = Date.now();
    stream = new EventSource(script.dataset.stream);
    stream.onopen = () => {
      pause = FIRST_PAUSE;
      heard = Date.now();
      soon(); // for what happened before the line was open
    };
    stream.addEventListener("alive", () => (heard = Date.now()));
    stream.addEventListener("changed", () => {
      heard = Date.now();
      soon();
    });
    stream.onerror = lose;
  }

  function lose() {
    hangUp();
    tellIfItLasts();
    // The server may refuse the line alone, as when too many pages follow, and still give the page.
    if (pause > FIRST_PAUSE) refresh();
    again = setTimeout(follow, nextPause());
  }

  function leave() {
    hangUp();
    request?.abort();
    request = null;
    clearTimeout(due);
    due = 0;
    clearTimeout(late);
    late = 0;
  }

  // A page that nobody sees holds no connection: over HTTP/1.1 a browser has only six for all tabs together.
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : follow()));
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => event.persisted && follow());
  addEventListener("online", follow);
  document.addEventListener("pointerover", ({ pointerType }) => (pointer = pointerType));
  for (const name of ["pointerover", "pointerleave", "focusout", "selectionchange"])
    document.addEventListener(name, () => waiting.size > 0 && setTimeout(applyWhatIsLeftAlone, 100));
  setInterval(() => {
    if (!stream) return;
    if (Date.now() - heard > SILENT) {
      say("lost");
      lose();
    } else if (Date.now() - asked > TICK && document.querySelector("[data-live] progress, [data-live] [data-ticks]")) soon();
  }, 1_000);
  follow();
})();
