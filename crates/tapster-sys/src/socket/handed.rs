//! Listeners that one server hands to the next, which it executes: written into an environment variable by the old
//! one, found there by the new one.
//!
//! The text is a list of `NUMBER=PLACE` separated by `;`: the descriptor, and the place as it was configured, percent-
//! encoded. A unix socket has the device and inode of its file behind the number: `7,2049,1337=unix:/run/app.sock`, another
//! socket the word `own`, unless it is a service manager's: `8,own=:8000`.

use std::fmt::Write;
use std::os::fd::{AsRawFd, RawFd};

use super::unix::SocketFile;
use super::{Address, Backlog, Cause, Listener, OpenError, Place, inherited};

/// Listeners of the server before this one, to be taken instead of opening the same address again.
#[derive(Debug, Default)]
pub struct Handed {
    listeners: Vec<Listener>,
}

/// What to write into the variable for these listeners.
pub fn describe<'a>(listeners: impl IntoIterator<Item = &'a Listener>) -> String {
    let mut text = String::new();
    for listener in listeners {
        let separator = if text.is_empty() { "" } else { ";" };
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{}", listener.socket.as_raw_fd());
        if let Some(file) = &listener.file {
            let (device, inode) = file.identity();
            let _ = write!(text, ",{device},{inode}");
        } else if listener.own {
            text.push_str(",own");
        }
        text.push('=');
        encode(&listener.place, &mut text);
    }
    text
}

impl Handed {
    /// Reads what [`describe`] wrote, and takes the descriptors: they are close-on-exec from now on.
    ///
    /// # Errors
    /// When the text names something else than open stream sockets: then it was not written for this process.
    pub fn take(text: &str) -> Result<Handed, OpenError> {
        let entries = text.split(';').filter(|entry| !entry.is_empty());
        Ok(Handed { listeners: entries.map(take_one).collect::<Result<_, _>>()? })
    }

    /// The listener of this address, if there is one. Where the system chose the port (`address` has port 0), the
    /// same place has to be configured.
    pub(super) fn find(&mut self, place: &Place, address: &Address, dual_stack: bool) -> Option<Listener> {
        let words = place.to_string();
        let fits = |listener: &Listener| match (address, &listener.address) {
            (Address::Inet(wanted), Address::Inet(there)) if wanted.port() == 0 => {
                wanted.ip() == there.ip() && listener.place == words
            }
            (wanted, there) => wanted == there,
        };
        let fits = |listener: &Listener| fits(listener) && listener.dual_stack == dual_stack;
        let found = self.listeners.iter().position(fits)?;
        Some(self.listeners.remove(found))
    }

    /// The listener that was configured in the same words.
    pub fn find_place(&mut self, place: &Place) -> Option<Listener> {
        let words = place.to_string();
        let found = self.listeners.iter().position(|listener| listener.place == words)?;
        Some(self.listeners.remove(found))
    }

    /// Gives back what cannot be used.
    pub(super) fn put_back(&mut self, listener: Listener) {
        self.listeners.push(listener);
    }

    /// What nobody asked for. Dropped, it is closed here; its file goes with [`Listener::remove_file`] after
    /// [`Listener::own_file`].
    pub fn into_rest(self) -> Vec<Listener> {
        self.listeners
    }
}

fn take_one(entry: &str) -> Result<Listener, OpenError> {
    let refused = |cause| OpenError { place: Place::Handed(entry.to_owned()), cause };
    let (number, mark, place) = parse(entry).ok_or_else(|| refused(Cause::NotHanded))?;
    let mut listener = inherited::take(number, Backlog::new(None)).map_err(refused)?;
    if let (Mark::File(device, inode), Address::Unix(path)) = (mark, &listener.address) {
        listener.handed_file = Some(SocketFile::known(path, device, inode));
    }
    Ok(Listener { place, own: mark == Mark::Own, ..listener })
}

/// What stands behind the number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    None,
    Own,
    File(u64, u64),
}

type Entry = (RawFd, Mark, String);

fn parse(entry: &str) -> Option<Entry> {
    let (numbers, place) = entry.split_once('=')?;
    let mut numbers = numbers.split(',');
    let number = numbers.next()?.parse().ok()?;
    let mark = match (numbers.next(), numbers.next()) {
        (Some(device), Some(inode)) => Mark::File(device.parse().ok()?, inode.parse().ok()?),
        (Some("own"), None) => Mark::Own,
        (Some(_), None) => return None,
        (None, _) => Mark::None,
    };
    Some((number, mark, decode(place)?))
}

/// Whatever could end an entry, and whatever is no plain text, becomes `%` and two hexadecimal digits.
fn encode(place: &str, text: &mut String) {
    for byte in place.bytes() {
        match byte {
            b'%' | b';' | ..=b' ' | 0x7F.. => {
                let _ = write!(text, "%{byte:02X}");
            }
            _ => text.push(char::from(byte)),
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(part.get(2..)?.bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_place_survives_the_way() {
        for place in ["127.0.0.1:8000", "unix:/run/a;b=c %41.sock", ":80", "unix:/srv/ä\n.sock", ""] {
            let mut text = String::from("7,1,2=");
            encode(place, &mut text);
            assert_eq!(text.split(';').count(), 1, "{text}");
            assert_eq!(parse(&text), Some((7, Mark::File(1, 2), place.to_owned())));
        }
        assert_eq!(parse("12=fd://3"), Some((12, Mark::None, "fd://3".to_owned())));
        assert_eq!(parse("8,own=:80"), Some((8, Mark::Own, ":80".to_owned())));
    }

    #[test]
    fn what_was_not_written_here_is_refused() {
        for text in ["7", "x=:80", "7=%4", "7=%zz", "7,a,b=:80", "7,1=:80", "=:80"] {
            assert_eq!(parse(text), None, "{text}");
            assert!(Handed::take(text).is_err(), "{text}");
        }
        let error = Handed::take("987654=:80").unwrap_err();
        assert!(error.to_string().contains("not open"), "{error}");
        assert!(Handed::take("").unwrap().into_rest().is_empty());
    }
}
