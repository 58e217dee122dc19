//! The pages as people see them, in a real browser: Debian's Chromium, which chromedriver steers.
//!
//! Whoever adds a page adds a line to [`pages::of`]; every check then covers it. A few tests are for every run; the others
//! are run by `tests/tools/browser/run`, which installs what they need.

mod checks;
mod colours;
mod dialog;
mod driver;
mod extension;
mod foreign;
mod harness;
mod live;
mod names;
mod pages;
mod pictures;
mod sample;
mod smoke;
mod told;
mod window;
