//! The options of one group: what stands before the workers. Each of them has a front process started.

use super::ROW;
use crate::kind::Kind;
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::StaticFiles;

pub(super) static ROWS: &[OptionSpec] = &[OptionSpec {
    name: "static",
    metavar: "PREFIX=DIR",
    kind: Kind::Text {
        allowed: "a path prefix, = and a directory or file, such as /static/=./static",
        set: |settings, text| {
            settings.static_files.push(StaticFiles::parse(text)?);
            Ok(())
        },
    },
    list: List::Many,
    fallback: Fallback::Words("no files are served"),
    group: Group::Front,
    common: true,
    help: "Serve the files of a directory under a prefix of paths; may be given several times",
    details: "Answered by a process of its own, without the application, and while workers reload: with ETag and \
              Last-Modified, conditional and range requests, and the `.br`, `.zst` or `.gz` file beside one for clients \
              that take it. `index.html` stands for a directory. Names with a hash of the content (`app.0123456789ab.css`) \
              are kept by browsers for ever, others are asked for again each time. What is no file goes to the application, \
              and so does every name with a dot in front, but `.well-known`, and everything outside of the directory, \
              also by a symbolic link. A relative directory is relative to where the server is started. Where PREFIX \
              is a whole path, such as `/favicon.ico`, a file may be given. Clients come to that process, which passes all \
              other requests to the workers; it speaks HTTP, and no uwsgi.",
    ..ROW
}];
