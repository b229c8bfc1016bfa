//! Assets: styles, scripts and icons inside the binary, under addresses with their digest, so that browsers cache them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::digest;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    /// `/assets/{digest}/{name}`
    address: String,
}

macro_rules! assets {
    ($($name:literal as $media_type:literal),* $(,)?) => {
        [$(Asset::new($name, $media_type, include_bytes!(concat!("../../../assets/", $name)))),*]
    };
}

/// All styles in one file: fewer requests before the first paint.
const STYLES: &str = concat!(
    include_str!("../../../assets/base.css"),
    include_str!("../../../assets/parts.css"),
    include_str!("../../../assets/run.css"),
);

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let styles = Asset::new("style.css", "text/css; charset=utf-8", STYLES.as_bytes());
    let files = assets![
        "icon.svg" as "image/svg+xml",
        "theme.js" as "text/javascript; charset=utf-8",
        "live.js" as "text/javascript; charset=utf-8",
        "grid.js" as "text/javascript; charset=utf-8",
        "chart.js" as "text/javascript; charset=utf-8",
        "slider.js" as "text/javascript; charset=utf-8",
        "vendor/idiomorph.min.js" as "text/javascript; charset=utf-8",
        "vendor/uPlot.iife.min.js" as "text/javascript; charset=utf-8",
        "vendor/uPlot.min.css" as "text/css; charset=utf-8",
    ];
    [styles].into_iter().chain(files).collect()
});

impl Asset {
    fn new(name: &'static str, media_type: &'static str, bytes: &'static [u8]) -> Self {
        let digest = digest::sha256(bytes);
        Self {
            name,
            media_type,
            bytes,
            address: format!("/assets/{}/{name}", &digest[..12]),
        }
    }
}

/// Returns the address of an asset; empty if there is none of this name, which a test rules out for the templates.
pub(super) fn address(name: &str) -> &'static str {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.map_or("", |asset| asset.address.as_str())
}

/// Answers with the asset at an address.
pub(super) async fn asset(Path((digest, name)): Path<(String, String)>) -> Response {
    let address = format!("/assets/{digest}/{name}");
    match ASSETS.iter().find(|asset| asset.address == address) {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, asset.media_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ],
            asset.bytes,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_asset_that_a_template_names_is_there() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
        let mut num_named = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let template = std::fs::read_to_string(&path).unwrap();
            for rest in template.split("layout.asset(\"").skip(1) {
                let (name, _) = rest.split_once('"').unwrap();
                assert!(!address(name).is_empty(), "{name:?} in {}", path.display());
                num_named += 1;
            }
        }
        assert!(num_named > 5, "templates name {num_named} assets");
    }

    #[test]
    fn what_others_wrote_is_what_they_released() {
        let released: BTreeMap<String, String> = include_str!("../../../assets/vendor/SHA256SUMS")
            .lines()
            .filter_map(|line| line.split_once("  "))
            .map(|(sha256, name)| (format!("vendor/{name}"), sha256.to_owned()))
            .collect();
        let ours: BTreeMap<String, String> = ASSETS
            .iter()
            .filter(|asset| asset.name.starts_with("vendor/"))
            .map(|asset| (asset.name.to_owned(), digest::sha256(asset.bytes)))
            .collect();
        assert_eq!(ours.len(), 3);
        assert_eq!(ours, released);
    }
}
