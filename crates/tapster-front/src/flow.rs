//! A request body that is passed on as it comes, while the answer may be coming back already: one that is too large to be held, and
//! with `--stream-body` every one that is not all there.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::pin;

use crate::body::Incoming;
use crate::client::Client;
use crate::connection::After;
use crate::front::Front;
use crate::refuse::Refused;

/// A body of which something is still to come.
pub(crate) struct Flow {
    /// What came.
    pub(crate) data: Vec<u8>,
    /// And the rest.
    pub(crate) incoming: Incoming,
    /// Bytes of all of it; none where that is not known.
    pub(crate) length: Option<u64>,
}

/// How far a request was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    /// More is to come.
    Partly,
    /// All of it.
    Whole,
    /// Whoever gets it reads no more.
    Unwanted,
}

impl Sent {
    /// Whether the client's connection may serve another request behind an answer that begins now. What is still to come of the
    /// request is passed on while the answer is, but for what is refused.
    pub(crate) fn may_stay(self, front: &Front, status: u16) -> bool {
        match self {
            Sent::Whole => true,
            Sent::Partly => front.policy.stream_body && status < 400,
            Sent::Unwanted => false,
        }
    }
}

impl Flow {
    /// Sends `head` and then the body, piece by piece as it comes. What came behind it is left in `input`.
    ///
    /// # Errors
    /// As [`Incoming::read`]. Whoever reads no more may have said why: that is none.
    pub(crate) async fn pump(
        self,
        front: &Front,
        client: &Client,
        input: &mut Vec<u8>,
        head: Vec<u8>,
        sent: &Cell<Sent>,
        write: impl AsyncFn(&[u8]) -> io::Result<()>,
    ) -> Result<(), Refused> {
        let Flow { mut data, mut incoming, length } = self;
        let mut out = head;
        loop {
            crate::pass::piece(&mut out, &data, length.is_none(), incoming.is_over());
            if write(&out).await.is_err() {
                sent.set(Sent::Unwanted);
                return Ok(());
            }
            if incoming.is_over() {
                sent.set(Sent::Whole);
                return Ok(());
            }
            out.clear();
            data.clear();
            incoming.read(front, &client.stream, input, &mut data).await?;
        }
    }
}

/// Passes the request on and the answer back until the answer is over. `is_answered` says that the client got something of it: then
/// what is wrong with the request can only end the connection.
pub(crate) async fn both(
    request: impl Future<Output = Result<(), Refused>>,
    answer: impl Future<Output = After>,
    is_answered: &Cell<bool>,
    is_head: bool,
) -> After {
    let (mut request, mut answer) = (pin!(request), pin!(answer));
    let mut flows = true;
    loop {
        tokio::select! {
            biased;
            after = &mut answer => return after,
            passed = &mut request, if flows => {
                flows = false;
                match passed {
                    Ok(()) => {}
                    Err(_) if is_answered.get() => return After::Close,
                    Err(refused) => return After::Refused(refused.for_head(is_head)),
                }
            }
        }
    }
}
