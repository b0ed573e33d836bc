//! A whole request as bytes, and back: one that waits here and goes to another worker of the same server. Both run the same
//! code (they are forks of one process), so the form needs no version.

use std::time::Duration;

use tapster_gateway::{Body, Name, Protocol, Request, Scheme, Variable};

use crate::connection::Exchange;

/// What goes along with its connection.
pub(crate) struct Packed {
    pub(crate) request: Request,
    pub(crate) exchange: Exchange,
    /// Bytes that were read behind the request.
    pub(crate) input: Vec<u8>,
    /// How long it has waited for a thread.
    pub(crate) waited: Duration,
}

/// The bytes; none if the body is not in memory.
pub(crate) fn encode(
    request: &Request,
    exchange: Exchange,
    input: &[u8],
    waited: Duration,
) -> Option<Vec<u8>> {
    let body = match &request.body {
        Body::Empty => &[],
        Body::Memory(bytes) => bytes.as_slice(),
        Body::Reader(..) | Body::Stream(..) => return None,
    };
    let Exchange { protocol, http10, head_only, keep_alive, proxied } = exchange;
    let is_uwsgi = |protocol| protocol == Protocol::Uwsgi;
    let flags = [is_uwsgi(protocol), http10, head_only, keep_alive, proxied, request.scheme == Scheme::Https];
    let mut out = Vec::with_capacity(1024 + body.len() + input.len());
    out.extend(flags.map(u8::from));
    let micros = u32::try_from(waited.as_micros()).unwrap_or(u32::MAX);
    out.extend(micros.to_ne_bytes());
    out.extend((request.vars.len() as u32).to_ne_bytes());
    for (name, value) in request.vars.iter() {
        put(&mut out, name.as_bytes());
        put(&mut out, value);
    }
    put(&mut out, body);
    put(&mut out, input);
    Some(out)
}

/// What [`encode`] wrote; none for anything else.
pub(crate) fn decode(mut bytes: &[u8]) -> Option<Packed> {
    let from = &mut bytes;
    let flags: [bool; 6] = from.split_off(..6)?.first_chunk::<6>()?.map(|flag| flag != 0);
    let [is_uwsgi, http10, head_only, keep_alive, proxied, is_https] = flags;
    let waited = Duration::from_micros(number(from)?.into());
    let protocol = if is_uwsgi { Protocol::Uwsgi } else { Protocol::Http };
    let scheme = if is_https { Scheme::Https } else { Scheme::Http };
    let mut request = Request { protocol, scheme, ..Request::default() };
    for _ in 0..number(from)? {
        let name = take(from)?;
        let name = Variable::of_name(name).map_or(Name::Other(name), Name::Known);
        request.vars.set(name, take(from)?);
    }
    let body = take(from)?;
    if !body.is_empty() {
        request.body = Body::Memory(body.to_vec());
    }
    let input = take(from)?.to_vec();
    let exchange = Exchange { protocol, http10, head_only, keep_alive, proxied };
    Some(Packed { request, exchange, input, waited })
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_ne_bytes());
    out.extend_from_slice(bytes);
}

fn number(from: &mut &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(*from.split_off(..4)?.first_chunk()?))
}

fn take<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(from)? as usize;
    from.split_off(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> (Request, Exchange) {
        let mut request = Request { scheme: Scheme::Https, ..Request::default() };
        request.vars.set(Name::Known(Variable::RequestMethod), b"POST");
        request.vars.set(Name::Other(b"HTTP_X_TENANT"), b"\xff one");
        request.vars.set(Name::Known(Variable::PathInfo), b"");
        request.body = Body::Memory(b"a body".to_vec());
        (request, Exchange { keep_alive: true, proxied: true, ..Exchange::default() })
    }

    #[test]
    fn a_request_comes_back_as_it_was() {
        let (request, exchange) = request();
        let bytes = encode(&request, exchange, b"GET / HTTP/1.1", Duration::from_millis(70)).unwrap();
        let back = decode(&bytes).unwrap();
        assert!(back.request.vars.iter().eq(request.vars.iter()));
        assert!(matches!(&back.request.body, Body::Memory(body) if body == b"a body"));
        assert_eq!((back.request.scheme, back.request.protocol), (request.scheme, request.protocol));
        assert_eq!(format!("{:?}", back.exchange), format!("{exchange:?}"));
        assert_eq!((back.input.as_slice(), back.waited), (&b"GET / HTTP/1.1"[..], Duration::from_millis(70)));
    }

    #[test]
    fn what_was_cut_is_none() {
        let (request, exchange) = request();
        let bytes = encode(&request, exchange, b"", Duration::ZERO).unwrap();
        assert!((0..bytes.len()).all(|length| decode(&bytes[..length]).is_none()));
    }

    #[test]
    fn a_body_in_a_file_stays() {
        let (mut request, exchange) = request();
        request.body = Body::Reader(Box::new(std::io::empty()), 0);
        assert!(encode(&request, exchange, b"", Duration::ZERO).is_none());
    }
}
