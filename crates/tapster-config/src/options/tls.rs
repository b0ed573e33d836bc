//! The options of one group: how connections are encrypted, and how clients come to that.

use super::ROW;
use crate::kind::{Choice, Kind};
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::{TlsClientAuth, TlsVersion};
use crate::tls;

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "tls-certificate",
        metavar: "FILE",
        kind: Kind::Path(|settings, path| settings.tls.certificates.push(path)),
        list: List::Many,
        fallback: Fallback::Words("connections are not encrypted"),
        group: Group::Tls,
        common: true,
        help: "Serve HTTPS with the certificate in this PEM file; may be given several times, one for each host",
        details: "The server's certificate comes first in the file, then those that signed it, as in `fullchain.pem`. \
                  Every `--bind` that is an internet address then speaks TLS and nothing else; unix sockets speak plain \
                  HTTP, as they reach no further than this machine. With several certificates the client gets the one for \
                  the name that it asks for, exact names before wildcards, and the first if there is none for it; one name may have \
                  two with keys of different kinds. HUP reads all files anew, for new connections. They are read by the \
                  supervisor, before it gives up rights, so keys may be for root alone. `docs/tls.md` says more.",
        ..ROW
    },
    OptionSpec {
        name: "tls-key",
        metavar: "FILE",
        kind: Kind::Path(|settings, path| settings.tls.keys.push(path)),
        list: List::Many,
        fallback: Fallback::Words("it is in the certificate's file"),
        group: Group::Tls,
        common: true,
        help: "The private key to the certificate, in PEM: PKCS#8, PKCS#1 or SEC1, without a passphrase",
        details: "With several certificates there is one for each, in the same order.",
        ..ROW
    },
    OptionSpec {
        name: "tls-self-signed",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.tls.self_signed = on),
        fallback: Fallback::Value("off"),
        group: Group::Tls,
        common: true,
        help: "Serve HTTPS with a certificate of our own making, for development",
        details: "For `localhost`, 127.0.0.1, ::1 and what `--bind` names. It is kept in `--state-dir` and made anew a month \
                  before its year ends, so a browser has to be told to accept it only once.",
        ..ROW
    },
    OptionSpec {
        name: "tls-min-version",
        metavar: "VERSION",
        kind: Kind::Choice(&[
            Choice {
                word: "1.2",
                help: "TLS 1.2 and 1.3",
                set: |settings| settings.tls.min_version = TlsVersion::Tls12,
            },
            Choice {
                word: "1.3",
                help: "TLS 1.3 alone",
                set: |settings| settings.tls.min_version = TlsVersion::Tls13,
            },
        ]),
        fallback: Fallback::Value("1.2"),
        group: Group::Tls,
        help: "The oldest version of TLS that is spoken",
        details: "Older ones than 1.2 are not there, and neither are weak ciphers: there is nothing to configure about them.",
        ..ROW
    },
    OptionSpec {
        name: "tls-client-ca",
        metavar: "FILE",
        kind: Kind::Path(|settings, path| settings.tls.client_ca = Some(path)),
        fallback: Fallback::Words("clients are not asked for certificates"),
        group: Group::Tls,
        help: "Ask clients for a certificate signed by one of those in this PEM file",
        details: "The application sees `SSL_CLIENT_VERIFY` (`SUCCESS` or `NONE`), `SSL_CLIENT_S_DN`, `SSL_CLIENT_I_DN`, \
                  `SSL_CLIENT_M_SERIAL`, `SSL_CLIENT_V_START`, `SSL_CLIENT_V_END` and `SSL_CLIENT_CERT` in its environ, as from \
                  Apache. No request field can make these.",
        ..ROW
    },
    OptionSpec {
        name: "tls-client-crl",
        metavar: "FILE",
        kind: Kind::Path(|settings, path| settings.tls.client_crl = Some(path)),
        fallback: Fallback::Words("no certificate is taken back"),
        group: Group::Tls,
        help: "Refuse client certificates that a revocation list in this PEM file names, with --tls-client-ca",
        details: "There has to be a list of every authority between the client and --tls-client-ca, and that one's: who has none \
                  signed nothing that is accepted. A list that is past its time still holds. HUP reads it anew.",
        ..ROW
    },
    OptionSpec {
        name: "tls-client-auth",
        metavar: "WHO",
        kind: Kind::Choice(&[
            Choice {
                word: "required",
                help: "a client without a certificate is not served",
                set: |settings| settings.tls.client_auth = TlsClientAuth::Required,
            },
            Choice {
                word: "optional",
                help: "the application decides by SSL_CLIENT_VERIFY",
                set: |settings| settings.tls.client_auth = TlsClientAuth::Optional,
            },
        ]),
        fallback: Fallback::Value("required"),
        group: Group::Tls,
        help: "Whether clients need a certificate, with --tls-client-ca",
        details: "One that is shown has to be right either way.",
        ..ROW
    },
    OptionSpec {
        name: "tls-redirect-bind",
        metavar: "ADDRESS",
        kind: Kind::Place(|settings, place| settings.tls.redirect_bind.push(place)),
        list: List::Separated(','),
        fallback: Fallback::Words("none"),
        group: Group::Tls,
        help: "Send plain HTTP that comes here on to HTTPS",
        details: "GET and HEAD with 301, others with 308, to the same host and path, and to the port of the first `--bind` \
                  that has one. Addresses are written as for `--bind`, such as `:80`.",
        ..ROW
    },
    OptionSpec {
        name: "hsts",
        metavar: "TIME",
        kind: Kind::Text {
            allowed: "off, or a time, then subdomains and preload if wanted, such as 365d,subdomains",
            set: |settings, text| {
                settings.tls.hsts = tls::hsts(text)?;
                Ok(())
            },
        },
        fallback: Fallback::Value("off"),
        group: Group::Tls,
        help: "Tell browsers to come by HTTPS alone for this long (Strict-Transport-Security)",
        details: "`,subdomains` means all hosts below this one too, `,preload` allows browsers to know it beforehand. Added to \
                  answers over TLS where the application does not say it itself. Begin with a short time: it cannot be taken back \
                  before it ends.",
        ..ROW
    },
    OptionSpec {
        name: "http2",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.http2 = on),
        fallback: Fallback::Value("on"),
        group: Group::Tls,
        help: "Let clients speak HTTP/2, where there is TLS or --static",
        details: "Over TLS clients choose it when they connect (ALPN); without TLS those get it that know beforehand, as `curl \
                  --http2-prior-knowledge`. One connection carries up to 100 requests at once. The application sees HTTP/1.1.",
        ..ROW
    },
    OptionSpec {
        name: "state-dir",
        metavar: "DIR",
        kind: Kind::Path(|settings, path| settings.state_dir = Some(path)),
        fallback: Fallback::Words(
            "`$STATE_DIRECTORY`, `$XDG_STATE_HOME/tapster` or `~/.local/state/tapster`",
        ),
        group: Group::Tls,
        help: "Where the server keeps what the next one is to find",
        details: "The self-signed certificate, and what session tickets are encrypted with, so that clients resume their TLS \
                  sessions after a restart. Made with mode 0700 if it is not there.",
        ..ROW
    },
];
