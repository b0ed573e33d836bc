//! The options of one group: what stands before the workers. Each of them has a front process started.

use super::ROW;
use crate::kind::Kind;
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::{CacheRule, StaticFiles};

pub(super) static ROWS: &[OptionSpec] = &[STATIC, DJANGO, INDEX, CACHE_CONTROL, INTERNAL];

const STATIC: OptionSpec = OptionSpec {
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
              other requests to the workers.",
    ..ROW
};

const DJANGO: OptionSpec = OptionSpec {
    name: "django-static",
    metavar: "[on|off]",
    kind: Kind::Flag(|settings, on| settings.static_options.django = on),
    fallback: Fallback::Value("off"),
    group: Group::Front,
    help: "Serve the static files of the Django project: STATIC_ROOT under STATIC_URL, as collectstatic put them there",
    details: "As `--static` with what the project's settings say. They are asked for at the start by a process of its own, which runs as \
              the user of the workers and has `--boot-timeout` for it: it imports the module that DJANGO_SETTINGS_MODULE names, or, \
              where nothing names one yet, the application. A reload does not ask again; a directory that is reached by a link \
              in the name of the start directory is followed to the next release.",
    ..ROW
};

const INDEX: OptionSpec = OptionSpec {
    name: "static-index",
    metavar: "NAME",
    kind: Kind::Text {
        allowed: "names of files, such as index.html, or off",
        set: |settings, text| settings.static_options.add_index(text),
    },
    list: List::Separated(','),
    fallback: Fallback::Value("index.html"),
    group: Group::Front,
    help: "Names of files that stand for their directory, the first that is there; off for none",
    details: "For paths of `--static` that end with a slash. A directory that has such a file and is asked for without the \
              slash is redirected.",
    ..ROW
};

const CACHE_CONTROL: OptionSpec = OptionSpec {
    name: "static-cache-control",
    metavar: "GLOB=VALUE",
    kind: Kind::Text {
        allowed: "a pattern, = and a value, such as *.html=max-age=60",
        set: |settings, text| {
            settings.static_options.cache_control.push(CacheRule::parse(text)?);
            Ok(())
        },
    },
    list: List::Many,
    fallback: Fallback::Words("for ever for names with a hash, and no-cache"),
    group: Group::Front,
    help: "The Cache-Control of files whose names fit a pattern; the first pattern that fits holds",
    details: "A pattern that begins with a slash is one of whole paths, as clients ask for them, decoded: `/media/**=private`. Any \
              other is one of names: `*.html=max-age=60`. `*` and `?` stand for no slash, `**` for any number of names. The value \
              `off` leaves the field out. What fits no pattern: names with a hash of the content may be kept for ever, others \
              are to be asked for again (`no-cache`). Several rules, several times the option.",
    ..ROW
};

const INTERNAL: OptionSpec = OptionSpec {
    name: "static-internal",
    metavar: "PREFIX=DIR",
    kind: Kind::Text {
        allowed: "a prefix, = and a directory, such as /protected/=/srv/files",
        set: |settings, text| {
            settings.static_options.internal.push(StaticFiles::parse(text)?);
            Ok(())
        },
    },
    list: List::Many,
    fallback: Fallback::Words("answers of the application are sent as they are"),
    group: Group::Front,
    help: "Send a file of this directory when the application answers with X-Accel-Redirect or X-Sendfile",
    details: "No client can ask for these files: the application decides who may have one, and answers with \
              `X-Accel-Redirect: PREFIX` and the file's path below DIR, percent-encoded, or with `X-Sendfile:` and its path in the file \
              system. Its thread is free at once; the client gets the file, with validators, ranges and conditions, and of the \
              application's fields Content-Type, Content-Disposition, Cache-Control, Expires and Set-Cookie, as with nginx. \
              A file that is not there is a 404. With `tapster front` the upstreams of the site that the options describe may have them \
              sent; other sites have a key `static-internal` of their own. Without this option these fields are passed on, for a proxy in front.",
    ..ROW
};
