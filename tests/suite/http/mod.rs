//! The API and the pages, through a real server.

mod bad_input;
mod board;
mod browsing;
mod cancelling;
mod cross_site;
mod docs;
mod events;
mod forms;
mod gone;
mod hosts;
mod idempotency;
mod lifecycle;
mod live;
mod location_pages;
mod locations;
mod metrics;
mod names;
mod now;
mod original;
mod pages;
mod planning;
mod protection;
mod run_page;
mod waiting;
