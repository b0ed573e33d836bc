//! The page of the dashboard: what browsers load. It is a part of the program, the same for every server of a version, and has
//! nothing of the server in it.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::reply::{GUARDED, Reply};

struct Asset {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! asset {
    ($path:literal, $type:expr, $file:literal) => {
        Asset {
            path: concat!("/-/", $path),
            content_type: $type,
            text: include_str!(concat!("../dashboard/page/", $file)),
        }
    };
}

static ASSETS: [Asset; 13] = [
    asset!("", HTML, "index.html"),
    asset!("dashboard.css", STYLE, "dashboard.css"),
    asset!("charts.js", SCRIPT, "charts.js"),
    asset!("dashboard.js", SCRIPT, "dashboard.js"),
    asset!("elements.js", SCRIPT, "elements.js"),
    asset!("flames.js", SCRIPT, "flames.js"),
    asset!("icon.svg", "image/svg+xml", "icon.svg"),
    asset!("lists.js", SCRIPT, "lists.js"),
    asset!("orders.js", SCRIPT, "orders.js"),
    asset!("overview.js", SCRIPT, "overview.js"),
    asset!("running.js", SCRIPT, "running.js"),
    asset!("stream.js", SCRIPT, "stream.js"),
    asset!("words.js", SCRIPT, "words.js"),
];

/// What is at a path, unless the browser has it already; none where nothing is.
pub fn at(path: &[u8], if_none_match: Option<&[u8]>) -> Option<Reply> {
    let asset = ASSETS.iter().find(|asset| asset.path.as_bytes() == path)?;
    let tag = tag(asset.text);
    let fields = format!("ETag: {tag}\r\nCache-Control: no-cache\r\n{GUARDED}");
    let reply = match if_none_match.is_some_and(|known| is_among(tag.as_bytes(), known)) {
        true => Reply::of(304, asset.content_type, Vec::new()),
        false => Reply::of(200, asset.content_type, asset.text.as_bytes().to_vec()),
    };
    Some(reply.with(&fields))
}

/// Differs when the text does.
fn tag(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// RFC 9110 §13.1.2: a list of tags, compared without their weakness, or a star.
fn is_among(tag: &[u8], list: &[u8]) -> bool {
    let is_it = |one: &[u8]| one == b"*" || one.strip_prefix(b"W/").unwrap_or(one) == tag;
    list.split(|byte| *byte == b',').any(|one| is_it(one.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_for_what_there_is() {
        let page = ASSETS[0].text;
        for asset in &ASSETS[1..] {
            let name = asset.path.strip_prefix("/-/").unwrap();
            let is_loaded = ASSETS.iter().any(|by| by.text.contains(name));
            assert!(is_loaded, "{name} is not used");
        }
        for inline in ["style=", "<style", "onclick", "onload", "javascript:"] {
            assert!(!page.contains(inline), "{inline} is not allowed by the policy");
        }
        let foreign = |asset: &&Asset| asset.text.contains("http://") || asset.text.contains("https://");
        let allowed = |text: &str| text.replace("http://www.w3.org/2000/svg", "");
        let found = ASSETS.iter().filter(foreign).find(|asset| {
            let rest = allowed(asset.text);
            rest.contains("http://") || rest.contains("https://")
        });
        assert!(found.is_none(), "{} names another host", found.unwrap().path);
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let first = at(b"/-/dashboard.css", None).unwrap();
        assert_eq!(first.status, 200);
        let tag = tag(ASSETS[1].text);
        for list in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            assert_eq!(at(b"/-/dashboard.css", Some(list.as_bytes())).unwrap().status, 304, "{list}");
        }
        assert_eq!(at(b"/-/dashboard.css", Some(b"\"other\"")).unwrap().status, 200);
        assert!(at(b"/-/dashboard.html", None).is_none());
    }
}
