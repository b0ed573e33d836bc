//! Files that the application has sent, here or behind an upstream of the site: it answers with their name (`X-Accel-Redirect`, `X-Sendfile`) and not with their
//! bytes. No client can ask for them.

use tapster_gateway::percent;
use tapster_http1::{ResponseHead, syntax};
use tapster_observe::Incident;

use super::answer::{from_entry, nothing, reply};
use super::entry::Representation;
use super::{Found, Site, find};
use crate::client::Client;
use crate::connection::After;
use crate::front::Front;
use crate::receive::Request;

/// Which file the application wants sent, and what it says with it.
pub(crate) struct Wanted {
    name: Name,
    given: Given,
}

enum Name {
    /// A path below a prefix of `--static-internal`, encoded.
    Path(Vec<u8>),
    /// A path of the file system.
    File(Vec<u8>),
}

/// What is sent of the application's own fields: those that nginx keeps.
#[derive(Default)]
pub(super) struct Given {
    /// The value of Content-Type.
    pub(super) kind: Option<Vec<u8>>,
    /// The others, each with its line end.
    pub(super) others: Vec<u8>,
}

impl Given {
    /// The fields of an answer that brings all or a part of a file.
    pub(super) fn fields(&self, form: &Representation) -> Vec<u8> {
        let kind = self.kind.as_deref().unwrap_or(form.kind.as_bytes());
        let validators = form.validators.as_bytes();
        [b"Content-Type: ", kind, b"\r\nAccept-Ranges: bytes\r\n", validators, &self.others].concat()
    }
}

impl Wanted {
    /// What an answer of the application says; none if it has no such field, or may have no files sent.
    pub(crate) fn by(front: &Front, request: &Request, head: &ResponseHead, input: &[u8]) -> Option<Wanted> {
        if front.routes.internal(request).is_empty() {
            return None;
        }
        let name = head.fields.iter().find_map(|field| {
            let (name, value) = (field.name.of(input), field.value.of(input));
            match name.len() {
                10 if syntax::is_lower_case_of(b"x-sendfile", name) => Some(Name::File(value.to_vec())),
                16 if syntax::is_lower_case_of(b"x-accel-redirect", name) => Some(Name::Path(value.to_vec())),
                _ => None,
            }
        })?;
        let mut given = Given::default();
        for field in &head.fields {
            let (name, value) = (field.name.of(input), field.value.of(input));
            let is = |known: &[u8]| syntax::is_lower_case_of(known, name);
            if is(b"content-type") {
                given.kind = Some(value.to_vec());
            } else if is(b"content-disposition")
                || is(b"cache-control")
                || is(b"expires")
                || is(b"set-cookie")
            {
                given.others.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
            }
        }
        Some(Wanted { name, given })
    }

    /// The site that has the file, and its path there.
    fn site<'s>(&self, sites: &'s [Site]) -> Option<(&'s Site, Vec<u8>)> {
        match &self.name {
            Name::Path(encoded) => {
                let encoded = encoded.split(|&byte| byte == b'?').next().unwrap_or_default();
                let mut path = Vec::with_capacity(encoded.len());
                percent::decode(encoded, &mut path).ok()?;
                sites.iter().find(|site| site.has(&path)).map(|site| (site, path))
            }
            Name::File(file) => {
                sites.iter().find_map(|site| site.room.path_of(file).map(|path| (site, path)))
            }
        }
    }
}

/// Answers a request with the file that the application named. `stays` says whether the client's connection may serve another
/// request.
pub(crate) async fn answer_wanted(
    front: &Front,
    client: &Client,
    request: &Request,
    wanted: &Wanted,
    stays: bool,
) -> After {
    let found = match wanted.site(front.routes.internal(request)) {
        Some((site, path)) => find(site, &path, request.since).await,
        None => None,
    };
    let answer = match &found {
        Some(Found::File(entry)) => from_entry(entry, request, Some(&wanted.given)),
        Some(Found::Directory) | None => {
            let (Name::Path(name) | Name::File(name)) = &wanted.name;
            let name = String::from_utf8_lossy(name);
            front.log.report(Incident::INTERNAL_FILE_MISSING, format_args!(
                "the application had {name:?} sent, which is no file of --static-internal: answered with 404"
            ));
            nothing(404, "404 Not Found\r\n".into())
        }
    };
    reply(front, client, request, &answer, stays).await
}
