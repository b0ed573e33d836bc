//! Static files, fields of answers, routes.

use crate::uwsgi::row::{Convert, Part, Row, nothing, option, part, stop};

pub(super) static ROWS: &[Row] = &[
    part(&["static-map"], Part::StaticMap, "`--static PREFIX=DIR`"),
    part(&["static-map2"], Part::StaticMap2, "`--static PREFIX=DIR/PREFIX`"),
    part(&["check-static", "static-check"], Part::CheckStatic, "`--static /=DIR`"),
    option(&["static-index"], "static-index", Convert::Text),
    part(
        &[
            "static-expires",
            "static-expires-mtime",
            "static-expires-uri",
            "static-expires-uri-mtime",
            "static-expires-path-info",
            "static-expires-path-info-mtime",
        ],
        Part::StaticExpires,
        "`--static-cache-control`, for patterns that fit everything, a directory or endings",
    ),
    part(&["add-header"], Part::AddHeader, "`--response-header \"+Name: value\"`; nothing for `Connection`"),
    part(&["rem-header", "del-header"], Part::RemoveHeader, "`--response-header -Name`"),
    part(
        &["route", "route-uri", "final-route"],
        Part::Route,
        "`--access-log-skip` for `^/path donotlog:`; other routes stop the start",
    ),
    nothing(
        &["static-gzip", "static-gzip-dir", "static-gzip-prefix", "static-gzip-ext", "static-gzip-suffix"],
        "a .br, .zst or .gz file beside one is sent to clients that take it",
    ),
    nothing(
        &["static-gzip-all", "honour-range", "disable-sendfile"],
        "files are served with ranges and by sendfile, compressed ones where they lie beside",
    )
    .switch(),
    nothing(
        &["offload-threads", "offload-thread", "static-cache-paths", "static-cache-paths-name"],
        "files are served by a process of its own, hot ones from memory",
    ),
    nothing(&["mimefile", "mime-file"], "media types are built in"),
    nothing(&["file-serve-mode", "fileserve-mode"], "files are sent by the server itself"),
    stop(&["check-static-docroot"], "write check-static with the directory").switch(),
    stop(&["static-skip-ext"], "keep files that are not to be served outside of the directory of static-map"),
    stop(
        &["static-safe"],
        "write a static-map for that directory: links that lead out of one are not followed",
    ),
    stop(
        &["static-expires-type", "static-expires-type-mtime"],
        "write --static-cache-control GLOB=max-age=SECONDS, such as *.css=max-age=3600",
    ),
    stop(
        &["collect-header", "response-header-collect", "pull-header"],
        "have the application send X-Accel-Redirect, with --static-internal",
    ),
    stop(&["error-page-403", "error-page-404", "error-page-500"], "write --error-page STATUS=FILE"),
    stop(
        &[
            "route-host",
            "route-qs",
            "route-remote-addr",
            "route-user-agent",
            "route-remote-user",
            "route-referer",
            "route-label",
            "route-if",
            "route-if-not",
            "route-run",
            "final-route-status",
            "final-route-run",
            "error-route",
            "error-route-status",
            "error-route-run",
            "response-route",
            "response-route-status",
            "response-route-run",
            "response-route-uri",
            "response-route-if",
        ],
        "there is no routing language: write --response-header, --static, --access-log-skip, --redirect of a site of tapster front, or do it in the application",
    ),
    stop(&["check-cache"], "write --cache SIZE to keep answers"),
];
