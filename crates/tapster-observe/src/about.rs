//! Which thread a log line is from and which request it is about. Said by whoever serves the request, read when a line is
//! written: on the path of a request it is a copy of its id, and nothing where requests have none.

use std::cell::{Cell, RefCell};

/// The longest id that is shown, in bytes.
const LONGEST: usize = 128;

struct About {
    id: [u8; LONGEST],
    /// 0 is no request, or one without an id.
    length: usize,
}

thread_local! {
    static ABOUT: RefCell<About> = const { RefCell::new(About { id: [0; LONGEST], length: 0 }) };
    static THREAD: Cell<usize> = const { Cell::new(0) };
}

/// Says which thread of its worker this is, from 1, once it begins to serve.
pub fn name_thread(number: usize) {
    let _ended = THREAD.try_with(|thread| thread.set(number));
}

/// Which thread of its worker this is, if it is one that serves.
pub(crate) fn thread() -> Option<usize> {
    THREAD.try_with(Cell::get).ok().filter(|number| *number > 0)
}

/// While it is there, lines of this thread's are about one request.
#[derive(Debug)]
pub struct AboutRequest(());

/// Lines of this thread's are about the request with this id from now on, as long as what is returned lives. A longer id
/// than 128 bytes is cut.
#[must_use = "lines are about the request while this lives"]
pub fn about_request(id: &[u8]) -> AboutRequest {
    // A thread that is at its end has no place for it any more.
    let _ended = ABOUT.try_with(|about| {
        if let Ok(mut about) = about.try_borrow_mut() {
            about.length = id.len().min(LONGEST);
            let length = about.length;
            about.id[..length].copy_from_slice(&id[..length]);
        }
    });
    AboutRequest(())
}

impl Drop for AboutRequest {
    fn drop(&mut self) {
        let _ended = ABOUT.try_with(|about| about.try_borrow_mut().map(|mut about| about.length = 0));
    }
}

/// Calls with the id of the request that this thread's lines are about, if there is one.
pub(crate) fn with_id(use_id: impl FnOnce(&[u8])) {
    let _ended = ABOUT.try_with(|about| {
        if let Ok(about) = about.try_borrow()
            && about.length > 0
        {
            use_id(&about.id[..about.length]);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Vec<u8> {
        let mut found = Vec::new();
        with_id(|id| found = id.to_vec());
        found
    }

    #[test]
    fn a_thread_is_about_one_request_at_a_time() {
        assert_eq!(id(), b"");
        let about = about_request(b"one");
        assert_eq!(id(), b"one");
        drop(about);
        assert_eq!(id(), b"");
        let _about = about_request(&[b'x'; 500]);
        assert_eq!(id(), [b'x'; LONGEST]);
    }
}
