//! A connection between two requests: it waits for the next one, for its time-out, or for the end of the front. Waiting costs the
//! same however often it is done: the timer and the word of the drain are asked for once, and not for each request.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::client::Client;
use crate::drain::IDLE_GRACE;
use crate::front::Front;

/// What a buffer may have room for and still be kept while nothing comes.
const KEPT: usize = 4 * 1024;

/// What wakes a connection that rests.
pub(crate) struct Wakers {
    alarm: Alarm,
    drained: Pin<Box<dyn Future<Output = ()>>>,
}

/// A timer for deadlines most of which move before they are due: it is set again only when it has gone off too early.
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    set_to: Instant,
}

impl Alarm {
    fn new(at: Instant) -> Alarm {
        Alarm { sleep: Box::pin(sleep_until(at)), set_to: at }
    }

    /// Ready at this time.
    fn poll(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        if at < self.set_to {
            self.set(at);
        }
        loop {
            ready!(self.sleep.as_mut().poll(context));
            if self.set_to >= at {
                return Poll::Ready(());
            }
            self.set(at);
        }
    }

    fn set(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at);
        self.set_to = at;
    }
}

/// Waits for the first bytes of a request; false if none come. No large buffer is held meanwhile.
pub(crate) async fn rest(front: &Front, client: &mut Client) -> bool {
    if let Some(is_open) = read(front, client) {
        return is_open;
    }
    for buffer in [&mut client.input, &mut client.spare.0] {
        if buffer.capacity() > KEPT {
            *buffer = Vec::new();
        }
    }
    let limit = if client.served == 0 { front.policy.head_timeout } else { front.policy.keep_alive };
    let mut until = Instant::now() + limit;
    let mut wakers = client.wakers.take().unwrap_or_else(|| {
        let drain = front.drain.clone();
        Wakers { alarm: Alarm::new(until), drained: Box::pin(async move { drain.begun().await }) }
    });
    let mut is_drained = false;
    let is_open = poll_fn(|context| {
        loop {
            match client.stream.poll_readable(context) {
                Poll::Ready(Ok(())) => {
                    if let Some(is_open) = read(front, client) {
                        return Poll::Ready(is_open);
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Pending => break,
            }
        }
        if !is_drained && (front.drain.has_begun() || wakers.drained.as_mut().poll(context).is_ready()) {
            is_drained = true;
            until = Instant::now() + IDLE_GRACE;
        }
        wakers.alarm.poll(until, context).map(|()| false)
    })
    .await;
    client.wakers = Some(wakers);
    is_open
}

/// Reads what is there; none if nothing is, false at the end.
fn read(front: &Front, client: &mut Client) -> Option<bool> {
    let into = &mut *front.incoming.borrow_mut();
    into.clear();
    match client.stream.try_read(into) {
        Ok(count) => {
            client.input.extend_from_slice(into);
            Some(count > 0)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_deadline_that_moves_is_kept() {
        let start = Instant::now();
        let (soon, late) = (start + Duration::from_millis(10), start + Duration::from_millis(50));
        let mut alarm = Alarm::new(soon);
        poll_fn(|context| alarm.poll(late, context)).await;
        assert!(Instant::now() >= late);
        let far = Instant::now() + Duration::from_secs(1000);
        let mut alarm = Alarm::new(far);
        let earlier = Instant::now() + Duration::from_millis(10);
        poll_fn(|context| alarm.poll(earlier, context)).await;
        assert!(Instant::now() >= earlier && Instant::now() < far);
    }
}
