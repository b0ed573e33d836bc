//! What the application is told of a client's certificate, under the names that Apache's mod_ssl has for it.

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::pem::{LineEnding, encode_string};
use x509_cert::der::{DateTime, Decode};

/// A certificate larger than this is told of without its text, so that the head of a request stays small.
const LARGEST: usize = 8 * 1024;

/// The variables for the chain that a client showed, which was verified; and for one that showed none.
pub(crate) fn variables(shown: Option<&[CertificateDer<'_>]>) -> Vec<(&'static str, Vec<u8>)> {
    let Some(leaf) = shown.and_then(|chain| chain.first()) else {
        return vec![("SSL_CLIENT_VERIFY", b"NONE".to_vec())];
    };
    let mut variables = vec![("SSL_CLIENT_VERIFY", b"SUCCESS".to_vec())];
    if let Ok(certificate) = Certificate::from_der(leaf) {
        let certificate = certificate.tbs_certificate();
        let serial = certificate.serial_number().as_bytes();
        // A zero in front is there for the sign alone.
        let serial = serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(serial);
        let serial: String = serial.iter().map(|byte| format!("{byte:02X}")).collect();
        let validity = certificate.validity();
        variables.extend([
            ("SSL_CLIENT_S_DN", certificate.subject().to_string().into_bytes()),
            ("SSL_CLIENT_I_DN", certificate.issuer().to_string().into_bytes()),
            ("SSL_CLIENT_M_SERIAL", serial.into_bytes()),
            ("SSL_CLIENT_V_START", date(&validity.not_before.to_date_time())),
            ("SSL_CLIENT_V_END", date(&validity.not_after.to_date_time())),
        ]);
        if let Ok(Some(name)) = certificate.subject().common_name() {
            variables.push(("SSL_CLIENT_S_DN_CN", name.value().as_bytes().to_vec()));
        }
    }
    if leaf.len() <= LARGEST
        && let Ok(text) = encode_string("CERTIFICATE", LineEnding::LF, leaf)
    {
        variables.push(("SSL_CLIENT_CERT", text.into_bytes()));
    }
    variables
}

/// As OpenSSL writes it: `Nov 22 17:00:00 2026 GMT`.
fn date(date: &DateTime) -> Vec<u8> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.get(usize::from(date.month()).wrapping_sub(1)).unwrap_or(&"");
    let (day, year) = (date.day(), date.year());
    let (hour, minute, second) = (date.hour(), date.minutes(), date.seconds());
    format!("{month} {day:2} {hour:02}:{minute:02}:{second:02} {year} GMT").into_bytes()
}
