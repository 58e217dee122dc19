//! Style sheet, scripts and icon, compiled in, each under a name that changes with what it says.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::http::error::ApiError;

const ICON: &str = "icon.svg";
const SOURCES: [(&str, &str, &str); 5] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../../../assets/style.css")),
    ("zone.js", "text/javascript; charset=utf-8", include_str!("../../../assets/zone.js")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("../../../assets/live.js")),
    ("dialog.js", "text/javascript; charset=utf-8", include_str!("../../../assets/dialog.js")),
    (ICON, "image/svg+xml", include_str!("../../../assets/icon.svg")),
];
static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| SOURCES.map(Asset::new).into());

struct Asset {
    name: &'static str,
    /// Such as `style-1a2b3c4d5e6f.css`.
    file: String,
    content_type: &'static str,
    text: &'static str,
}

impl Asset {
    fn new((name, content_type, text): (&'static str, &'static str, &'static str)) -> Self {
        let digest = Sha256::digest(text);
        let digest = digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
        Self { name, file: format!("{stem}-{:012x}.{extension}", digest >> 16), content_type, text }
    }

    /// Whether a page asks for this one: of this version, of another, or of one without digests.
    fn is_meant_by(&self, file: &str) -> bool {
        let (stem, extension) = self.name.split_once('.').unwrap_or((self.name, ""));
        let rest = file
            .strip_prefix(stem)
            .and_then(|rest| rest.strip_suffix(extension))
            .and_then(|rest| rest.strip_suffix('.'));
        rest.is_some_and(|digest| digest.is_empty() || digest.starts_with('-'))
    }

    fn answer(&self, cache_control: &'static str) -> Response {
        ([(header::CONTENT_TYPE, self.content_type), (header::CACHE_CONTROL, cache_control)], self.text).into_response()
    }
}

/// The file of an asset, such as `style.css`, from the root of the service.
///
/// # Panics
/// If there is none of this name.
pub fn path_of(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name).expect("an asset of SOURCES");
    format!("assets/{}", asset.file)
}

/// What a page of another version asks for is what this version has: servers of two versions may answer by turns.
pub async fn asset(Path(file): Path<String>) -> Result<Response, ApiError> {
    if let Some(asset) = ASSETS.iter().find(|asset| asset.file == file) {
        return Ok(asset.answer("public, max-age=31536000, immutable"));
    }
    let asset = ASSETS.iter().find(|asset| asset.is_meant_by(&file));
    let asset = asset.ok_or_else(|| ApiError::NotFound(format!("There is nothing at /assets/{file}.")))?;
    Ok(asset.answer("no-cache"))
}

/// Browsers ask for it wherever a page names no other.
pub async fn favicon() -> Response {
    let icon = ASSETS.iter().find(|asset| asset.name == ICON);
    icon.map_or_else(
        || ApiError::NotFound("There is no icon.".to_owned()).into_response(),
        |icon| icon.answer("public, max-age=86400"),
    )
}
