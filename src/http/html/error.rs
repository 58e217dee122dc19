//! Errors as a page: the same words that the API answers with.

use askama::Template;
use axum::response::{IntoResponse, Response};

use super::page::render;
use crate::http::error::{ApiError, say_when_to_retry};

pub struct PageError(ApiError);

impl<E: Into<ApiError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: &'static str,
    title: String,
    detail: String,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (problem, status) = self.0.problem();
        let page = ErrorPage { page: "", title: problem.title, detail: problem.detail };
        let mut response = (status, render(&page)).into_response();
        say_when_to_retry(&mut response);
        response
    }
}
