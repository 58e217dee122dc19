//! The API and the pages, through a real server.
