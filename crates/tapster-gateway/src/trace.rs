//! The trace that a request is part of (W3C Trace Context): reading and writing `traceparent`, and which requests have spans.
//! Run for each request where spans are asked for; nothing here allocates.

use crate::RequestIds;

/// Bytes of a `traceparent` of version 00.
pub const LENGTH: usize = 55;

const MILLION: u64 = 1_000_000;

/// What `traceparent` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceContext {
    /// The trace.
    pub trace: [u8; 16],
    /// The span that the request is a part of.
    pub span: [u8; 8],
    /// Whether its sender records the trace.
    pub is_sampled: bool,
}

impl TraceContext {
    /// Reads the field (W3C Trace Context §3.2); none when it is not valid, and the trace is to begin anew.
    pub fn parse(field: &[u8]) -> Option<TraceContext> {
        let (known, rest) = field.split_at_checked(LENGTH)?;
        let version = byte(known, 0)?;
        // Later versions may say more behind it.
        let is_right = match version {
            0xff => false,
            0 => rest.is_empty(),
            _ => rest.is_empty() || rest[0] == b'-',
        };
        let has_hyphens = [2, 35, 52].into_iter().all(|place| known[place] == b'-');
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        for (place, into) in trace.iter_mut().enumerate() {
            *into = byte(known, 3 + 2 * place)?;
        }
        for (place, into) in span.iter_mut().enumerate() {
            *into = byte(known, 36 + 2 * place)?;
        }
        let flags = byte(known, 53)?;
        let is_nothing = trace == [0; 16] || span == [0; 8];
        (is_right && has_hyphens && !is_nothing).then_some(TraceContext {
            trace,
            span,
            is_sampled: flags & 1 == 1,
        })
    }

    /// The field, of version 00.
    pub fn write(&self) -> [u8; LENGTH] {
        let mut field = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let mut put = |place: usize, bytes: &[u8]| {
            for (number, byte) in bytes.iter().enumerate() {
                field[place + 2 * number] = digit(byte >> 4);
                field[place + 2 * number + 1] = digit(byte & 15);
            }
        };
        put(3, &self.trace);
        put(36, &self.span);
        put(53, &[u8::from(self.is_sampled)]);
        field
    }
}

fn byte(text: &[u8], place: usize) -> Option<u8> {
    Some(value(text[place])? << 4 | value(text[place + 1])?)
}

/// Only small letters are digits here.
fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value)]
}

/// Which requests have spans.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sampler {
    /// Whether those in a trace follow what it says.
    pub by_parent: bool,
    /// How many of a million others have.
    pub millionths: u32,
}

/// The span of a request that has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewSpan {
    /// Its trace and itself, as the application is told.
    pub context: TraceContext,
    /// The span that it is a part of; none where the trace begins here.
    pub parent: Option<[u8; 8]>,
}

impl Sampler {
    /// The span of a request that says this of its trace, and is believed; none where it has no span.
    pub fn begin(&self, parent: Option<TraceContext>, ids: &mut RequestIds) -> Option<NewSpan> {
        let trace = parent.map_or_else(|| ids.draw_bytes(), |parent| parent.trace);
        let has_span = match parent {
            Some(parent) if self.by_parent => parent.is_sampled,
            _ => self.takes(&trace),
        };
        if !has_span {
            return None;
        }
        let mut span = [0; 8];
        span.copy_from_slice(&ids.draw_bytes()[..8]);
        // All zeros is no span: one in 2^64.
        span[7] |= u8::from(span == [0; 8]);
        Some(NewSpan {
            context: TraceContext { trace, span, is_sampled: true },
            parent: parent.map(|parent| parent.span),
        })
    }

    /// The same for each trace, whoever asks: its last 56 bits are as good as random (§2.3).
    fn takes(&self, trace: &[u8; 16]) -> bool {
        let low = trace[9..].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        // 56 bits and 20 are more than 64.
        u128::from(low) * u128::from(MILLION) < u128::from(self.millionths) << 56
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIVEN: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_field_is_read_and_written() {
        let context = TraceContext::parse(GIVEN).unwrap();
        assert!(context.is_sampled);
        assert_eq!(context.write(), GIVEN);
        assert!(!TraceContext::parse(&GIVEN.to_ascii_lowercase().replace_last(b'0')).unwrap().is_sampled);
    }

    trait ReplaceLast {
        fn replace_last(self, byte: u8) -> Self;
    }

    impl ReplaceLast for Vec<u8> {
        fn replace_last(mut self, byte: u8) -> Vec<u8> {
            if let Some(last) = self.last_mut() {
                *last = byte;
            }
            self
        }
    }

    #[test]
    fn what_is_not_valid_is_nothing() {
        let with = |place: usize, byte: u8| {
            let mut field = GIVEN.to_vec();
            field[place] = byte;
            field
        };
        let mut longer = GIVEN.to_vec();
        longer.extend(b"-more");
        for wrong in [
            Vec::new(),
            GIVEN[..54].to_vec(),
            longer.clone(),
            with(0, b'f')
                .into_iter()
                .enumerate()
                .map(|(place, byte)| if place == 1 { b'f' } else { byte })
                .collect(),
            with(2, b'_'),
            with(5, b'A'),
            with(40, b'g'),
            b"00-00000000000000000000000000000000-b7ad6b7169203331-01".to_vec(),
            b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01".to_vec(),
        ] {
            assert_eq!(TraceContext::parse(&wrong), None, "{}", wrong.escape_ascii());
        }
        longer[1] = b'1';
        assert!(TraceContext::parse(&longer).is_some());
    }

    #[test]
    fn a_share_of_new_traces_has_spans() {
        let mut ids = RequestIds::new([1, 2]);
        for (millionths, least, most) in [(0, 0, 0), (250_000, 2300, 2700), (1_000_000, 10_000, 10_000)] {
            let sampler = Sampler { by_parent: true, millionths };
            let count = (0..10_000).filter(|_| sampler.begin(None, &mut ids).is_some()).count();
            assert!((least..=most).contains(&count), "{count} of 10,000 by {millionths}");
        }
    }

    #[test]
    fn a_trace_says_whether_its_requests_have_spans() {
        let mut ids = RequestIds::new([1, 2]);
        let yes = TraceContext::parse(GIVEN);
        let no = yes.map(|context| TraceContext { is_sampled: false, ..context });
        let never = Sampler { by_parent: true, millionths: 0 };
        let span = never.begin(yes, &mut ids).unwrap();
        assert_eq!(span.parent, yes.map(|context| context.span));
        assert_eq!(Some(span.context.trace), yes.map(|context| context.trace));
        assert_ne!(Some(span.context.span), span.parent);
        let always = Sampler { by_parent: true, millionths: 1_000_000 };
        assert_eq!(always.begin(no, &mut ids), None);
        assert!(Sampler { by_parent: false, ..always }.begin(no, &mut ids).is_some());
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(field in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            "0[01]-[0-9a-f]{32}-[0-9a-f]{16}-0[01](-x)?".prop_map(String::into_bytes),
        ]) {
            if let Some(context) = TraceContext::parse(&field) {
                prop_assert_eq!(TraceContext::parse(&context.write()), Some(context));
            }
        }
    }
}
