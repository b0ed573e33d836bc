//! A connection to a server's control socket: a line out, a line in.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tapster_supervisor::control::protocol::Request;

/// More than the stacks of the largest server.
const LONGEST_ANSWER: u64 = 256 << 20;

/// Why a question has no answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    /// In words for the operator.
    pub(super) text: String,
    /// The server was there and is gone: another one may have taken its place.
    pub(super) is_gone: bool,
}

impl From<Unanswered> for String {
    fn from(unanswered: Unanswered) -> String {
        unanswered.text
    }
}

/// A connection.
pub(super) struct Connection {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Connection {
    /// Connects.
    pub(super) fn open(path: &Path) -> Result<Connection, String> {
        let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!("there is no control socket {}", path.display()),
            ErrorKind::ConnectionRefused => {
                format!("no server listens at the control socket {}", path.display())
            }
            ErrorKind::PermissionDenied => {
                format!("the control socket {} is another user's; root may use it", path.display())
            }
            _ => format!("cannot connect to the control socket {}: {error}", path.display()),
        })?;
        Ok(Connection { path: path.to_owned(), stream: BufReader::new(stream) })
    }

    /// Where the server listens.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Sends a request and waits for the line of its answer, for so long at most.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        patience: Option<Duration>,
    ) -> Result<String, Unanswered> {
        let unanswered = |text| Unanswered { text, is_gone: false };
        let mut line = serde_json::to_vec(request).map_err(|error| unanswered(error.to_string()))?;
        line.push(b'\n');
        let mut answer = String::new();
        let stream = self.stream.get_mut();
        let exchanged = stream
            .set_read_timeout(patience)
            .and_then(|()| stream.set_write_timeout(patience))
            .and_then(|()| stream.write_all(&line))
            .and_then(|()| (&mut self.stream).take(LONGEST_ANSWER).read_line(&mut answer));
        let place = self.path.display();
        match exchanged {
            Ok(_) if answer.ends_with('\n') => Ok(answer),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(unanswered(format!("the server at {place} does not answer")))
            }
            // A server that has ended, and one that does not listen to this user.
            Ok(_) => Err(Unanswered {
                text: format!("the server at {place} closed the connection without an answer"),
                is_gone: true,
            }),
            Err(error) => Err(Unanswered {
                text: format!("the server at {place} did not answer: {error}"),
                is_gone: matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
            }),
        }
    }

    /// Waits until the server has closed the connection.
    pub(super) fn wait_for_end(&mut self) {
        // Whatever it still says, and however it ends.
        let _ended = self.stream.get_mut().set_read_timeout(None);
        let _ended = std::io::copy(&mut self.stream, &mut std::io::sink());
    }
}
