//! Style sheet and script, compiled in.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::http::error::ApiError;

const STYLE: &str = include_str!("../../../assets/style.css");
const LOCAL_TIME: &str = include_str!("../../../assets/local-time.js");

pub async fn asset(Path(file): Path<String>) -> Result<Response, ApiError> {
    let (content_type, text) = match file.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "local-time.js" => ("text/javascript; charset=utf-8", LOCAL_TIME),
        _ => return Err(ApiError::NotFound(format!("There is nothing at /assets/{file}."))),
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, text).into_response())
}
