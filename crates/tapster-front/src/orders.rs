//! What the supervisor wants of the front, and its death. Read until the front is to end.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;
use tapster_observe::Incident;

use tapster_sys::inbox::{Inbox, Message};
use tapster_sys::{letter, log_file};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::net::unix::pipe;
use tokio::time::{Instant, sleep_until};

use crate::admission;
use crate::front::{Front, Renew};

/// What an orphan may still finish: whoever takes over wants its port.
const ORPHAN_DRAIN: Duration = Duration::from_millis(500);

/// Does what the supervisor says until the front has nothing left to do.
///
/// # Errors
/// When the system refuses to watch the supervisor.
pub(crate) async fn obey(front: &Rc<Front>, inbox: Inbox, alive: OwnedFd, renew: &Renew) -> io::Result<()> {
    // For its readiness alone: the messages are read by the inbox.
    let readable = UnixDatagram::from_std(inbox.as_fd().try_clone_to_owned()?.into())?;
    let alive = pipe::Receiver::from_owned_fd(alive)?;
    let mut deadline: Option<Instant> = None;
    let far = Instant::now() + Duration::from_secs(365 * 24 * 60 * 60);
    loop {
        tokio::select! {
            ready = readable.readable() => {
                ready?;
                let Some(limit) = read(front, &inbox, &readable, renew) else { continue };
                let limit = Instant::now() + limit;
                deadline = Some(deadline.map_or(limit, |earlier| earlier.min(limit)));
                front.begin_drain();
            }
            _ = alive.readable(), if deadline.is_none() => {
                front.log.report(Incident::SUPERVISOR_GONE, format_args!("the supervisor is gone: the front stops"));
                deadline = Some(Instant::now() + ORPHAN_DRAIN);
                front.begin_drain();
            }
            () = front.drain.is_empty(), if deadline.is_some() => return Ok(()),
            () = sleep_until(deadline.unwrap_or(far)), if deadline.is_some() => {
                let left = front.drain.left();
                if left > 0 {
                    front.log.report(Incident::REQUESTS_CUT, format_args!(
                        "{left} connections of the front were cut: still busy at the end of the graceful time-out"
                    ));
                }
                return Ok(());
            }
        }
    }
}

/// Reads all messages; gives how long the front may still finish what runs, if it is to end.
fn read(front: &Rc<Front>, inbox: &Inbox, readable: &UnixDatagram, renew: &Renew) -> Option<Duration> {
    let mut limit = None;
    loop {
        match readable.try_io(Interest::READABLE, || inbox.receive()) {
            Ok(Some((Message::Drain { timeout_ms }, _))) => {
                limit = Some(Duration::from_millis(timeout_ms.into()))
            }
            Ok(Some((Message::Stop, _))) => limit = Some(Duration::ZERO),
            Ok(Some((Message::Reopen, new))) => change_log(front, front.log.file(), new),
            Ok(Some((Message::ReopenAccess, new))) => change_log(front, front.log.access_file(), new),
            Ok(Some((Message::Lists, _))) => admission::reread(&front.newest()),
            Ok(Some((Message::Configuration, Some(new)))) => configure(front, inbox, new, renew),
            Ok(Some((Message::Certificates, Some(new)))) => {
                if let Some(tls) = &front.tls {
                    tls.replace(new, &front.log);
                }
            }
            Ok(Some((Message::Purge, Some(letter)))) => purge(front, letter),
            Ok(Some(_)) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return limit,
            // The supervisor is gone, which `alive` says too.
            Ok(None) | Err(_) => return limit,
        }
    }
}

/// Forgets stored answers.
fn purge(front: &Front, letter: OwnedFd) {
    if let (Some(cache), Ok(what)) = (&front.cache, letter::read(letter)) {
        let removed = cache.purge(&what);
        let (bytes, left) = cache.held();
        front.log.info(format_args!(
            "purged {what}: the answers to {removed} targets are forgotten, {left} with {bytes} bytes are kept"
        ));
    }
}

/// Takes a configuration, and says what came of it.
fn configure(front: &Rc<Front>, inbox: &Inbox, file: OwnedFd, renew: &Renew) {
    let read = || {
        let (mut file, mut bytes) = (File::from(file), Vec::new());
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error: io::Error| format!("the configuration cannot be read: {error}"));
    let taken = bytes.and_then(|bytes| renew(&bytes)).and_then(|settings| front.renew(&settings));
    let said = match taken {
        Ok(()) => {
            admission::reread(&front.newest());
            inbox.send(Message::Configured, None)
        }
        Err(why) => {
            front.log.report(
                Incident::CONFIGURATION_REFUSED,
                format_args!("the configuration stays as it was: {why}"),
            );
            let letter = letter::write(why.as_bytes()).ok();
            inbox.send(Message::NotConfigured, letter.as_ref().map(AsFd::as_fd))
        }
    };
    if let Err(error) = said {
        front.log.report(
            Incident::MESSAGE_LOST,
            format_args!("cannot tell the supervisor of the configuration: {error}"),
        );
    }
}

/// Lines go to the new file that the supervisor opened.
fn change_log(front: &Front, old: Option<BorrowedFd<'_>>, new: Option<OwnedFd>) {
    if let (Some(old), Some(new)) = (old, new)
        && let Err(error) = log_file::replace(old, new.as_fd())
    {
        front
            .log
            .report(Incident::LOG_NOT_REOPENED, format_args!("cannot change to the new log file: {error}"));
    }
}
