//! A short text that goes beside a message, as a pipe that holds it: written whole before it is sent, read without
//! waiting. A worker tells its supervisor so why it could not load the application.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use crate::process;

/// Bytes that are kept of a text. A pipe holds as many, as a rule.
pub const LONGEST: usize = 16 * 1024;

/// Makes the reading end of a pipe with the text in it: its first [`LONGEST`] bytes, fewer where pipes hold less.
pub fn write(text: &[u8]) -> io::Result<OwnedFd> {
    let (reader, writer) = process::pipe()?;
    process::set_nonblocking(writer.as_fd())?;
    let mut pipe = File::from(writer);
    let mut rest = &text[..text.len().min(LONGEST)];
    while !rest.is_empty() {
        match pipe.write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(reader)
}

/// Reads a text that was sent: what of its first [`LONGEST`] bytes is there now. Bytes that are no UTF-8 are replaced.
pub fn read(pipe: OwnedFd) -> io::Result<String> {
    process::set_nonblocking(pipe.as_fd())?;
    let mut pipe = File::from(pipe).take(LONGEST as u64);
    let mut text = Vec::new();
    match pipe.read_to_end(&mut text) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(String::from_utf8_lossy(&text).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_arrives_and_a_long_one_is_cut() {
        assert_eq!(read(write(b"no module named app\n").unwrap()).unwrap(), "no module named app\n");
        let long = vec![b'x'; 10 * LONGEST];
        let cut = read(write(&long).unwrap()).unwrap();
        assert!((1..=LONGEST).contains(&cut.len()), "{}", cut.len());
    }

    #[test]
    fn a_pipe_that_is_still_open_is_not_waited_for() {
        let (reader, writer) = process::pipe().unwrap();
        File::from(writer.try_clone().unwrap()).write_all(b"part").unwrap();
        assert_eq!(read(reader).unwrap(), "part");
        drop(writer);
    }
}
