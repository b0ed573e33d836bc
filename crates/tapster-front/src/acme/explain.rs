//! Why there is no certificate, in words: what the authority said, and what there is to do about it.

use instant_acme::Error;

use super::domain::way;
use super::order::Failure;

/// What is said in the log.
pub(super) fn words(failure: &Failure, name: &str, by_http: bool) -> String {
    let what = match failure {
        Failure::Acme(Error::Api(problem)) | Failure::Proof(problem) => {
            let detail = problem.detail.as_deref().unwrap_or("nothing more");
            let more: Vec<_> = problem.subproblems.iter().map(|problem| format!("; {problem}")).collect();
            format!("the authority says: {detail}{} ({})", more.concat(), failure.kind().unwrap_or("no type"))
        }
        Failure::Acme(Error::Other(error)) => error.to_string(),
        Failure::Acme(error) => format!("the authority was not understood: {error}"),
        Failure::NoWay => "the authority offers neither http-01 nor tls-alpn-01 as a proof".to_owned(),
        Failure::Invalid => "the authority says that the order is not valid, and not why".to_owned(),
        Failure::State(what) => what.clone(),
        Failure::Late => "the authority took too long".to_owned(),
    };
    match advice(failure, name, by_http) {
        Some(advice) => format!("{what}. {advice}"),
        None => what,
    }
}

fn advice(failure: &Failure, name: &str, by_http: bool) -> Option<String> {
    let port = if by_http { 80 } else { 443 };
    let is_proof = matches!(failure, Failure::Proof(_));
    Some(match failure.kind()? {
        "dns" => format!("Does {name} have an address (A, AAAA) that everybody can look up?"),
        "connection" => format!(
            "Does the address of {name} lead to this server, and is its port {port} open to everybody? An AAAA record that \
             leads elsewhere is enough to fail"
        ),
        "unauthorized" | "incorrectResponse" | "tls" if is_proof => format!(
            "Something else answered at port {port} of {name} ({}): does its address lead to this server, and is nothing in \
             between that answers by itself?",
            way(by_http)
        ),
        "caa" => format!("A CAA record of {name} or of a domain above it names other authorities"),
        "rejectedIdentifier" => format!("It signs no certificates for {name}"),
        "rateLimited" => {
            "It is asked again when it allows that; --acme-staging is for trying things out".to_owned()
        }
        "userActionRequired" => "It has new terms of service, to be agreed to where it says".to_owned(),
        "invalidContact" | "unsupportedContact" => "Is --acme-email right?".to_owned(),
        "externalAccountRequired" => {
            "It takes only accounts that it knows from elsewhere, which --domain cannot tell it of".to_owned()
        }
        _ if failure.is_about_the_account() => "Another account is made with the next try".to_owned(),
        _ => return None,
    })
}
