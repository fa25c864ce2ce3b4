//! Style and scripts: compiled in, served with a hash in the name, so that a browser may keep them for ever.
//!
//! They hold no secret and are served without a password: the page that asks for one needs its style.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use super::message;

const PREFIX: &str = "/assets/";
/// A year, the most that RFC 9111 speaks of; another content has another name.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SHEET: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
    /// Where a browser finds it.
    url: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        ("style.css", SHEET, include_str!("../../../assets/style.css")),
        ("evenkeel.js", SCRIPT, include_str!("../../../assets/evenkeel.js")),
        ("icon.svg", PICTURE, include_str!("../../../assets/icon.svg")),
        ("htmx.js", SCRIPT, include_str!("../../../assets/htmx.min.js")),
        ("uplot.js", SCRIPT, include_str!("../../../assets/uplot.min.js")),
        ("uplot.css", SHEET, include_str!("../../../assets/uplot.min.css")),
        ("charts.js", SCRIPT, include_str!("../../../assets/charts.js")),
    ]
    .map(|(name, media_type, content)| Asset { name, media_type, content, url: url_of(name, content) })
    .into()
});

/// Six bytes tell contents apart; nobody chooses them to collide.
fn url_of(name: &str, content: &str) -> String {
    let hash: String = Sha256::digest(content).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    format!("{PREFIX}{stem}.{hash}.{extension}")
}

/// The address of an asset, for templates; a name that does not exist shows in the page at once.
pub(in crate::web) fn url(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/assets/missing", |asset| &asset.url)
}

/// Whether this path is that of an asset, which everybody may read.
pub(in crate::web) fn is_asset(path: &str) -> bool {
    ASSETS.iter().any(|asset| asset.url == path)
}

/// `/assets/...`
pub(in crate::web) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{name}", get(serve))
}

async fn serve(Path(name): Path<String>) -> Response {
    let asset = ASSETS.iter().find(|asset| asset.url.strip_prefix(PREFIX) == Some(&name));
    let Some(asset) = asset else { return message::not_found() };
    let headers =
        [(CONTENT_TYPE, asset.media_type), (CACHE_CONTROL, FOR_EVER), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, asset.content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_has_an_address_of_its_own_that_changes_with_its_content() {
        assert!(ASSETS.iter().all(|asset| is_asset(&asset.url) && url(asset.name) == asset.url));
        assert!(!is_asset("/assets/../api/v1/status") && !is_asset("/assets/style.css"));
        assert_ne!(url_of("style.css", "a"), url_of("style.css", "b"));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for asset in
            ASSETS.iter().filter(|asset| matches!(asset.name, "style.css" | "evenkeel.js" | "charts.js"))
        {
            assert!(
                !asset.content.contains("http://") || asset.content.contains("www.w3.org"),
                "{}",
                asset.name
            );
            assert!(!asset.content.contains("https://"), "{}", asset.name);
        }
    }
}
