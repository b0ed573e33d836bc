//! One certificate, from the order to the chain (RFC 8555 §7.4): the proof that a name is ours is put where the authority
//! looks for it, and a key is made for this certificate alone.

use std::rc::Rc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewOrder, Order, OrderStatus, Problem,
    RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use zeroize::Zeroizing;

use super::https::Unreachable;
use super::store::Store;
use crate::drain::{Drain, Open};

/// How often the authority is asked how far it is; what it says itself about that goes before.
const POLL: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(300))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));

/// Why there is no certificate.
#[derive(Debug)]
pub(super) enum Failure {
    /// The authority refused something, or was not understood.
    Acme(Error),
    /// It looked for the proof and was not content.
    Proof(Problem),
    /// It offers no proof that is possible here.
    NoWay,
    /// It says that the name is not ours, and not why.
    Invalid,
    /// Something is wrong here: in words for the operator.
    State(String),
    /// It took too long.
    Late,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Acme(error)
    }
}

impl Failure {
    /// Whether the authority does not know of the attempt, nor counts it.
    pub(super) fn is_silence(&self) -> bool {
        match self {
            Failure::Acme(Error::Other(error)) => error.is::<Unreachable>(),
            Failure::State(_) => true,
            _ => false,
        }
    }

    /// Whether another account is needed.
    pub(super) fn is_about_the_account(&self) -> bool {
        let Failure::Acme(Error::Api(problem)) = self else { return false };
        let is_off = || problem.detail.as_ref().is_some_and(|detail| detail.contains("deactivated"));
        match self.kind() {
            Some("accountDoesNotExist") => true,
            Some("unauthorized") => is_off(),
            _ => false,
        }
    }

    /// The problem that the authority has.
    pub(super) fn problem(&self) -> Option<&Problem> {
        match self {
            Failure::Acme(Error::Api(problem)) | Failure::Proof(problem) => Some(problem),
            _ => None,
        }
    }

    /// The last word of its type (RFC 8555 §6.7).
    pub(super) fn kind(&self) -> Option<&str> {
        self.problem()?.r#type.as_deref()?.rsplit(':').next()
    }
}

/// Obtains one: the key and the chain, in PEM. A server that ends waits for what is about to be signed, until that is kept.
pub(super) async fn obtain(
    account: &Account,
    store: &Store,
    name: &str,
    by_http: bool,
    drain: &Rc<Drain>,
) -> Result<(Zeroizing<String>, Open), Failure> {
    let identifiers = [Identifier::Dns(name.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let proved = prove(&mut order, store, name, by_http).await;
    store.forget_proofs();
    proved?;
    let open = drain.open();
    let key = KeyPair::generate();
    let request = key.and_then(|key| {
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        Ok((params.serialize_request(&key)?, key))
    });
    let (request, key) = request.map_err(|error| Failure::State(format!("no key can be made: {error}")))?;
    order.finalize_csr(request.der()).await?;
    let chain = order.poll_certificate(&POLL).await?;
    Ok((Zeroizing::new(key.serialize_pem() + &chain), open))
}

/// Shows that the name is ours.
async fn prove(order: &mut Order, store: &Store, name: &str, by_http: bool) -> Result<(), Failure> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Valid => continue,
            _ => return Err(Failure::Invalid),
        }
        let ways = [ChallengeType::Http01, ChallengeType::TlsAlpn01];
        let (wanted, other) = if by_http { (&ways[0], &ways[1]) } else { (&ways[1], &ways[0]) };
        let is_offered =
            |way: &&&ChallengeType| authorization.challenges.iter().any(|one| one.r#type == ***way);
        let way = [wanted, other].iter().find(is_offered).ok_or(Failure::NoWay)?.to_owned().clone();
        let is_http = way == ChallengeType::Http01;
        let mut challenge = authorization.challenge(way).ok_or(Failure::NoWay)?;
        let proof = challenge.key_authorization();
        let put = match is_http {
            true => store.keep_http_proof(&challenge.token, proof.as_str()),
            false => store.keep_tls_proof(name, proof.digest().as_ref()),
        };
        put.map_err(Failure::State)?;
        challenge.set_ready().await?;
    }
    match order.poll_ready(&POLL).await {
        Ok(OrderStatus::Ready) => Ok(()),
        Ok(_) => Err(reason(order).await.unwrap_or(Failure::Invalid)),
        Err(Error::Api(problem)) => Err(reason(order).await.unwrap_or(Failure::Proof(problem))),
        Err(Error::Timeout(_)) => Err(Failure::Late),
        Err(error) => Err(error.into()),
    }
}

/// What the authority found where the proof should have been.
async fn reason(order: &mut Order) -> Option<Failure> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let state = authorization.refresh().await.ok()?;
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.clone()) {
            return Some(Failure::Proof(problem));
        }
    }
    None
}
