//! The options of one group: which answers are compressed.

use super::{MIB, ROW};
use crate::compression;
use crate::kind::Kind;
use crate::option::{Fallback, Group, List, OptionSpec};

/// What each of these rows has.
const COMPRESSION: OptionSpec = OptionSpec { group: Group::Compression, ..ROW };

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "compress",
        metavar: "CODINGS",
        kind: Kind::Text {
            allowed: "on, off, or some of zstd, br and gzip with a level if need be, such as zstd,br=5,gzip",
            set: |settings, text| {
                settings.compression.codings = compression::codings(text)?;
                Ok(())
            },
        },
        fallback: Fallback::Value("off"),
        common: true,
        help: "Compress answers for clients that take them so; on is zstd=3,br=4,gzip=5",
        details: "By the front, which passes all requests on to the workers or upstreams then. The client's own preference comes \
                  first (Accept-Encoding with its weights), then the order here. Answers that have a Content-Encoding or a \
                  range, or say `Cache-Control: no-transform`, stay as they are, and so do those to requests with cookies that \
                  another site caused. An ETag becomes a weak one. See docs/compression.md for what it costs, and about secrets \
                  in compressed answers.",
        ..COMPRESSION
    },
    OptionSpec {
        name: "compress-types",
        metavar: "TYPES",
        kind: Kind::Text {
            allowed: "media types, such as text/html, text/* or application/*+json",
            set: |settings, text| {
                settings.compression.types.push(compression::media_type(text)?);
                Ok(())
            },
        },
        list: List::Separated(','),
        fallback: Fallback::Words("text, JSON, JavaScript, XML, SVG, WebAssembly, icons and plain fonts"),
        help: "Media types of answers that are compressed",
        details: "Instead of these, not besides them. Streams of events (`text/event-stream`) are compressed only if they are \
                  named.",
        ..COMPRESSION
    },
    OptionSpec {
        name: "compress-min",
        metavar: "SIZE",
        kind: Kind::Size { least: 0, most: MIB, set: |settings, bytes| settings.compression.min = bytes },
        fallback: Fallback::Value("1KiB"),
        help: "Smallest answer that is compressed",
        details: "Answers of unknown length are compressed whatever their length turns out to be.",
        ..COMPRESSION
    },
    OptionSpec {
        name: "compress-exclude",
        metavar: "PREFIX",
        kind: Kind::Text {
            allowed: "what paths begin with, such as /account/",
            set: |settings, text| {
                settings.compression.exclude.push(compression::path_prefix(text)?);
                Ok(())
            },
        },
        list: List::Many,
        fallback: Fallback::Words("answers of every path are compressed"),
        help: "Compress nothing below this path; may be given several times",
        details: "For pages that hold a secret and a text of the request beside each other: see docs/compression.md on BREACH.",
        ..COMPRESSION
    },
];
