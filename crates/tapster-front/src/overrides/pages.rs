//! The pages of errors, read once and kept.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use tapster_config::{ErrorPage, Statuses};
use tapster_http1::syntax;

use super::fields;
use crate::files::media_type;
use crate::receive::Request;
use crate::reply::Head;

/// Bytes that a page may have.
const LARGEST: u64 = 1 << 20;

/// Fields that describe the body of an answer (RFC 9110 §8), and so not the page in its place.
const DESCRIBING: &[&[u8]] = &[
    b"accept-ranges",
    b"content-digest",
    b"content-disposition",
    b"content-encoding",
    b"content-language",
    b"content-length",
    b"content-location",
    b"content-md5",
    b"content-range",
    b"content-type",
    b"digest",
    b"etag",
    b"last-modified",
    b"repr-digest",
];

/// One page.
pub(crate) struct Page {
    pub(crate) body: Vec<u8>,
    kind: String,
}

/// Pages by what they are for, those first that are stronger.
#[derive(Default)]
pub(super) struct Pages(Vec<(Statuses, Rc<Page>)>);

impl Pages {
    /// Reads them.
    ///
    /// # Errors
    /// In words for the operator.
    pub(super) fn read(said: &[ErrorPage]) -> Result<Pages, String> {
        let mut pages = Vec::new();
        for ErrorPage { statuses, path } in said {
            let page = Page::read(path)
                .map_err(|error| format!("--error-page: cannot read {}: {error}", path.display()))?;
            let page = Rc::new(page);
            pages.extend(statuses.iter().map(|statuses| (*statuses, page.clone())));
        }
        pages.sort_by_key(|(statuses, _)| matches!(statuses, Statuses::Class(_)));
        Ok(Pages(pages))
    }

    /// All of these, the strongest first.
    pub(super) fn join<'p>(all: impl Iterator<Item = &'p Pages>) -> Pages {
        Pages(all.flat_map(|pages| pages.0.iter().cloned()).collect())
    }

    /// The page for a status. Programs that want JSON get a page only if it is that.
    pub(super) fn find(&self, status: u16, request: Option<&Request>) -> Option<Rc<Page>> {
        let mut fitting = self.0.iter().filter(|(statuses, _)| statuses.has(status)).map(|(_, page)| page);
        if request.is_some_and(wants_json) {
            return fitting.find(|page| page.is_json()).cloned();
        }
        let first = fitting.next()?;
        let other = if first.is_json() { fitting.find(|page| !page.is_json()) } else { None };
        Some(other.unwrap_or(first).clone())
    }
}

impl Page {
    fn read(path: &Path) -> io::Result<Page> {
        // Before it is opened: a pipe would have to be waited for.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("this is no file"));
        }
        let mut body = Vec::new();
        File::open(path)?.take(LARGEST + 1).read_to_end(&mut body)?;
        if body.len() as u64 > LARGEST {
            return Err(io::Error::other(format!("a page may have {LARGEST} bytes")));
        }
        Ok(Page { body, kind: media_type(path.as_os_str().as_bytes()) })
    }

    fn is_json(&self) -> bool {
        self.kind.starts_with("application/json")
    }

    /// Puts what describes it into the place of what describes the text of a whole head.
    pub(crate) fn describe(&self, head: &mut Vec<u8>) {
        fields::in_head(head, |text, start| {
            fields::remove(text, start, |name| {
                [&b"content-type"[..], b"content-length"].iter().any(|known| name.eq_ignore_ascii_case(known))
            });
            self.write(text);
        });
    }

    /// The same for the head of somebody else's answer.
    pub(super) fn replace(&self, head: &mut Head) {
        let (text, start) = head.text_mut();
        fields::remove(text, start, |name| DESCRIBING.iter().any(|known| name.eq_ignore_ascii_case(known)));
        self.write(text);
    }

    fn write(&self, text: &mut Vec<u8>) {
        fields::push(text, b"Content-Type", self.kind.as_bytes());
        fields::push(text, b"Content-Length", self.body.len().to_string().as_bytes());
        fields::push(text, b"Vary", b"Accept");
    }
}

/// Whether a client asks for JSON, and not for what people read.
fn wants_json(request: &Request) -> bool {
    let kinds = || {
        request
            .values("accept")
            .flat_map(syntax::list)
            .map(|range| range.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii())
    };
    let is_json = |kind: &[u8]| {
        let kind = kind.to_ascii_lowercase();
        kind == b"application/json" || kind.ends_with(b"+json")
    };
    kinds().any(is_json) && !kinds().any(|kind| kind.eq_ignore_ascii_case(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(said: &[(Statuses, &str, &str)]) -> Pages {
        let page =
            |kind: &str, body: &str| Rc::new(Page { body: body.as_bytes().to_vec(), kind: kind.to_owned() });
        Pages(said.iter().map(|(statuses, kind, body)| (*statuses, page(kind, body))).collect())
    }

    #[test]
    fn the_nearest_and_then_the_narrowest() {
        let route = pages(&[(Statuses::Class(5), "text/html", "route")]);
        let top =
            pages(&[(Statuses::One(502), "text/html", "top"), (Statuses::One(404), "text/html", "none")]);
        let all = Pages::join([&route, &top].into_iter());
        let found = |status| all.find(status, None).map(|page| String::from_utf8(page.body.clone()).unwrap());
        assert_eq!(found(502).as_deref(), Some("route"));
        assert_eq!((found(404).as_deref(), found(403)), (Some("none"), None));
    }

    #[test]
    fn people_get_what_people_read() {
        let both = pages(&[
            (Statuses::Class(5), "application/json", "{}"),
            (Statuses::Class(5), "text/html", "<p>"),
        ]);
        assert_eq!(both.find(500, None).unwrap().body, b"<p>");
        let one = pages(&[(Statuses::Class(5), "application/json", "{}")]);
        assert_eq!(one.find(500, None).unwrap().body, b"{}");
    }
}
