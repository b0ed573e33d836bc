//! The options of one group: what a request may measure.

use super::{GIB, MIB, ROW, to_usize};
use crate::kind::Kind;
use crate::option::{Fallback, Group, OptionSpec};

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "limit-request-line",
        metavar: "SIZE",
        kind: Kind::Size {
            least: 64,
            most: MIB,
            set: |settings, bytes| settings.limits.request_line = to_usize(bytes),
        },
        fallback: Fallback::Value("8KiB"),
        group: Group::Limits,
        help: "Largest request line",
        details: "A longer one is answered with 414.",
        ..ROW
    },
    OptionSpec {
        name: "limit-request-head",
        metavar: "SIZE",
        kind: Kind::Size {
            least: 256,
            most: 16 * MIB,
            set: |settings, bytes| settings.limits.head = to_usize(bytes),
        },
        fallback: Fallback::Value("64KiB"),
        group: Group::Limits,
        help: "Largest request head: the request line and all fields",
        details: "A larger one is answered with 431.",
        ..ROW
    },
    OptionSpec {
        name: "limit-request-fields",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 1,
            most: 10_000,
            set: |settings, number| settings.limits.fields = to_usize(number),
        },
        fallback: Fallback::Value("100"),
        group: Group::Limits,
        help: "Most fields in a request head",
        details: "More are answered with 431.",
        ..ROW
    },
    OptionSpec {
        name: "max-body",
        metavar: "SIZE",
        kind: Kind::Size { least: 0, most: 1024 * GIB, set: |settings, bytes| settings.limits.body = bytes },
        fallback: Fallback::Value("1GiB"),
        group: Group::Limits,
        common: true,
        help: "Largest request body",
        details: "A larger one is answered with 413.",
        ..ROW
    },
    OptionSpec {
        name: "body-memory",
        metavar: "SIZE",
        kind: Kind::Size {
            least: 0,
            most: GIB,
            set: |settings, bytes| settings.limits.body_memory = to_usize(bytes),
        },
        fallback: Fallback::Value("256KiB"),
        group: Group::Limits,
        help: "How much of a request body is held in memory; the rest goes to a file",
        ..ROW
    },
    OptionSpec {
        name: "stream-body",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.stream_body = on),
        fallback: Fallback::Value("off"),
        group: Group::Limits,
        help: "Let the application read request bodies while they arrive",
        details: "Without it a request is passed on when all of its body is there, so that a slow client holds no thread. \
                  With it `wsgi.input` waits for the client, as long as `--io-timeout` and `--min-rate` allow, and \
                  raises an `OSError` when the client leaves, is too slow, or sends a malformed body: an application \
                  need not catch it, the client gets the answer that is due. A chunked body then has no `CONTENT_LENGTH`; \
                  `wsgi.input_terminated` is true. `tapster front` passes bodies on to its upstreams as they arrive, and sends \
                  nothing a second time.",
        ..ROW
    },
    OptionSpec {
        name: "temp-dir",
        metavar: "DIR",
        kind: Kind::Path(|settings, path| settings.temp_dir = Some(path)),
        fallback: Fallback::Words("TMPDIR or /tmp"),
        group: Group::Limits,
        help: "Where request bodies and answers too large for memory are kept",
        ..ROW
    },
    OptionSpec {
        name: "spool-max",
        metavar: "SIZE",
        kind: Kind::Size {
            least: 0,
            most: 1024 * 1024 * GIB,
            set: |settings, bytes| settings.spool_max = bytes,
        },
        fallback: Fallback::Value("8GiB"),
        group: Group::Limits,
        help: "How much the temporary files of all workers may hold together",
        details: "A request body that finds no room is answered with 503 and Retry-After, one that finds the disk full \
                  with 507. Streams that are ahead of a slow client may use half of it, each up to 256 MiB; beyond that \
                  the application, or the upstream, waits for the client. Keep it below what the disk of `--temp-dir` has to give.",
        ..ROW
    },
];
