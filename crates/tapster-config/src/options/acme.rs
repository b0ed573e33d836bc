//! The options of one group: certificates that the server obtains by itself.

use super::ROW;
use crate::acme::{self, AcmeChallenge};
use crate::kind::{Choice, Kind};
use crate::option::{Fallback, Group, List, OptionSpec};

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "domain",
        metavar: "NAME",
        kind: Kind::Text { allowed: "a host name, such as example.com", set: acme::add_domain },
        list: List::Separated(','),
        fallback: Fallback::Words("no certificate is obtained"),
        group: Group::Tls,
        common: true,
        help: "Serve HTTPS for this host name, with a certificate that the server obtains and renews by itself",
        details: "From Let's Encrypt, or another authority that speaks ACME (RFC 8555); using it means that you agree to the \
                  authority's terms of service. May be given several times; each name gets a certificate of its own. Without \
                  `--bind` the server listens on port 443 of every address, and on port 80 to send clients on to HTTPS and to \
                  prove that the name is its own. Certificates are kept in `--state-dir` and renewed after two thirds of their \
                  life. The server serves meanwhile; until there is the first certificate, \
                  TLS handshakes for the name are refused. `docs/tls.md` says more.",
        ..ROW
    },
    OptionSpec {
        name: "acme-email",
        metavar: "ADDRESS",
        kind: Kind::Text {
            allowed: "an address such as me@example.com",
            set: |settings, text| {
                settings.tls.acme.email = Some(acme::email(text)?);
                Ok(())
            },
        },
        fallback: Fallback::Words("the authority has no address to write to"),
        group: Group::Tls,
        help: "Where the authority may write to, with --domain",
        details: "Let's Encrypt takes one and writes nothing.",
        ..ROW
    },
    OptionSpec {
        name: "acme-staging",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.tls.acme.staging = on),
        fallback: Fallback::Value("off"),
        group: Group::Tls,
        help: "Obtain certificates for tests, which no browser trusts, from Let's Encrypt's staging servers",
        details: "To see whether everything is reachable as it should be: few failures are allowed with real ones before the \
                  authority refuses to try for an hour. Account and certificates of the two are kept apart.",
        ..ROW
    },
    OptionSpec {
        name: "acme-directory",
        metavar: "URL",
        kind: Kind::Text {
            allowed: "an https URL",
            set: |settings, text| {
                settings.tls.acme.directory = Some(acme::directory(text)?);
                Ok(())
            },
        },
        fallback: Fallback::Words("that of Let's Encrypt"),
        group: Group::Tls,
        help: "The authority that certificates are obtained from, by the URL of its ACME directory",
        details: "",
        ..ROW
    },
    OptionSpec {
        name: "acme-ca-file",
        metavar: "FILE",
        kind: Kind::Path(|settings, path| settings.tls.acme.ca_file = Some(path)),
        fallback: Fallback::Words("whom the system trusts, or `$SSL_CERT_FILE`"),
        group: Group::Tls,
        help: "Who signed the certificate of a private --acme-directory: certificates in PEM",
        details: "",
        ..ROW
    },
    OptionSpec {
        name: "acme-challenge",
        metavar: "HOW",
        kind: Kind::Choice(&[
            Choice {
                word: "auto",
                help: "either; after a failure the other one",
                set: |settings| settings.tls.acme.challenge = AcmeChallenge::Auto,
            },
            Choice {
                word: "http-01",
                help: "by a request to port 80",
                set: |settings| settings.tls.acme.challenge = AcmeChallenge::Http01,
            },
            Choice {
                word: "tls-alpn-01",
                help: "by a TLS handshake with port 443",
                set: |settings| settings.tls.acme.challenge = AcmeChallenge::TlsAlpn01,
            },
        ]),
        fallback: Fallback::Value("auto"),
        group: Group::Tls,
        help: "How the authority sees that a name is ours",
        details: "It connects from outside, to these ports and no others: `http-01` where something else has port 443, \
                  `tls-alpn-01` where port 80 is closed.",
        ..ROW
    },
];
