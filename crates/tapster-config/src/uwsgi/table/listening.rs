//! Sockets, protocols, limits of requests.

use crate::uwsgi::row::{Convert, Part, Row, nothing, option, part, stop};

const BUFFERS: &str = "uwsgi packets of any size and heads of 64 KiB are taken";
const KERNEL: &str = "sockets are set up well by themselves";

pub(super) static ROWS: &[Row] = &[
    part(
        &["socket", "uwsgi-socket"],
        Part::UwsgiSocket,
        "`--bind`; an address that is not loopback also `--uwsgi-allow-from` the private networks",
    )
    .short('s'),
    part(&["http-socket", "http11-socket", "http", "httprouter"], Part::Socket, "`--bind`"),
    part(
        &["https", "https2", "https-socket"],
        Part::Tls,
        "`--bind` with `--tls-certificate` and `--tls-key`",
    ),
    option(&["http-to-https"], "tls-redirect-bind", Convert::Address),
    part(
        &["protocol", "socket-protocol"],
        Part::Protocol,
        "nothing for `uwsgi` and `http`: every socket speaks both",
    ),
    part(&["chmod-socket", "chmod"], Part::ChmodSocket, "`--socket-mode`; 666 without a value")
        .short('C')
        .optional(),
    part(&["chown-socket"], Part::ChownSocket, "`--socket-owner`"),
    option(&["listen"], "backlog", Convert::Number).short('l'),
    option(
        &[
            "socket-timeout",
            "so-send-timeout",
            "socket-send-timeout",
            "so-write-timeout",
            "socket-write-timeout",
        ],
        "io-timeout",
        Convert::SecondsOrNone,
    )
    .short('z'),
    option(&["limit-post"], "max-body", Convert::Bytes),
    option(
        &["enable-proxy-protocol", "http-enable-proxy-protocol"],
        "proxy-protocol",
        Convert::Switch("auto"),
    ),
    nothing(&["buffer-size"], BUFFERS).short('b'),
    nothing(&["max-vars"], BUFFERS).short('v'),
    nothing(&["response-headers-limit"], "heads of answers of 64 KiB are sent"),
    nothing(
        &["post-buffering", "post-buffering-bufsize"],
        "request bodies are read before the application is called, large ones into a file",
    ),
    nothing(
        &["body-read-warning"],
        "request bodies are read before the application is called, large ones into a file",
    ),
    nothing(
        &["chunked-input-limit", "chunked-input-timeout"],
        "chunked request bodies are decoded, with the bounds of all others",
    ),
    nothing(&["vacuum"], "the server takes its sockets and its pidfile away at its end").switch(),
    nothing(&["thunder-lock"], "a new client wakes one worker").switch(),
    nothing(
        &[
            "no-defer-accept",
            "tcp-nodelay",
            "so-keepalive",
            "reuse-port",
            "shutdown-sockets",
            "no-fd-passing",
        ],
        KERNEL,
    )
    .switch(),
    nothing(
        &[
            "tcp-fast-open",
            "tcp-fastopen",
            "tcp-fast-open-client",
            "tcp-fastopen-client",
            "socket-sndbuf",
            "socket-rcvbuf",
        ],
        KERNEL,
    ),
    nothing(
        &["close-on-exec", "close-on-exec2"],
        "programs that the application starts get no sockets of the server",
    )
    .switch(),
    nothing(
        &[
            "http-keepalive",
            "http-auto-chunked",
            "http-chunked-input",
            "http-raw-body",
            "http-manage-expect",
            "http-websockets",
        ],
        "HTTP/1.1 is spoken in full, with connections that stay and bodies in chunks",
    )
    .optional(),
    nothing(&["http-auto-gzip"], "answers are compressed with --compress on").switch(),
    nothing(
        &["http-timeout", "http-headers-timeout", "http-connect-timeout", "http-gracetime", "http-harakiri"],
        "no process is between clients and workers that could lose patience; harakiri bounds a request",
    ),
    nothing(
        &[
            "http-processes",
            "http-workers",
            "http-events",
            "http-buffer-size",
            "http-quiet",
            "http-cheap",
            "http-uid",
            "http-gid",
            "http-var",
            "http-modifier1",
            "http-modifier2",
            "http-socket-modifier1",
            "http-socket-modifier2",
        ],
        "HTTP is served by the workers themselves",
    ),
    nothing(
        &[
            "websockets-ping-freq",
            "websocket-ping-freq",
            "websockets-pong-tolerance",
            "websocket-pong-tolerance",
            "websockets-max-size",
            "websocket-max-size",
        ],
        "it is about uWSGI's own API for WebSocket",
    ),
    stop(
        &[
            "http-to",
            "http-zerg",
            "http-fallback",
            "http-use-pattern",
            "http-use-base",
            "http-subscription-server",
            "http-use-code-string",
            "http-use-socket",
            "http-use-cache",
            "http-resubscribe",
        ],
        "run tapster front --upstream ADDRESS, which passes requests to other servers",
    ),
    stop(&["http-stats", "http-stats-server", "http-ss"], "write stats"),
    stop(
        &[
            "fastcgi-socket",
            "fastcgi-nph-socket",
            "fastcgi-modifier1",
            "fastcgi-modifier2",
            "scgi-socket",
            "scgi-nph-socket",
            "scgi-modifier1",
            "scgi-modifier2",
            "raw-socket",
            "raw-modifier1",
            "raw-modifier2",
        ],
        "write socket or http-socket, and uwsgi_pass or proxy_pass in the web server",
    ),
    stop(&["suwsgi-socket", "ssl-socket", "puwsgi-socket"], "write socket; for TLS between hosts, https"),
    stop(
        &["shared-socket", "undeferred-shared-socket", "map-socket"],
        "write the address with socket or http; sockets are opened before root is given up",
    ),
    stop(&["abstract-socket"], "write a socket with a path").switch().short('a'),
    stop(&["freebind"], "set net.ipv4.ip_nonlocal_bind on this host").switch(),
    stop(&["cgi-mode"], "leave it out: answers are HTTP").switch().short('c'),
    stop(&["udp", "multicast"], "it is about uWSGI's own messages, which nothing here speaks"),
];
