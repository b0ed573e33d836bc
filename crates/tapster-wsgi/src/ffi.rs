//! The only file that talks to the C API and the only one with `unsafe`: each function is safe to call, and says why.

use std::cell::Cell;
use std::ffi::c_long;
use std::io;
use std::mem::transmute;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::slice;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::string::PyStringData;
use pyo3::types::{PyBytes, PyString, PyType};
use tapster_gateway::{Chunk, Kept, Respond};
use tapster_sys::fork::Side;
use tapster_sys::process::Pid;

/// A str of the bytes as latin-1 (PEP 3333 "Unicode Issues").
pub(crate) fn latin1<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    // SAFETY: attached; the pointer and length are a slice's, which has at most isize::MAX bytes; no error handler
    // is needed, because every byte is a latin-1 character.
    let object =
        unsafe { ffi::PyUnicode_DecodeLatin1(bytes.as_ptr().cast(), bytes.len() as isize, ptr::null()) };
    // SAFETY: a new reference to a str, or null with an exception set.
    unsafe { Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked()) }
}

/// As [`latin1`], and interned, so that look-ups by the application's literals compare pointers only.
pub(crate) fn interned<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let mut object = latin1(py, bytes)?.into_ptr();
    // SAFETY: attached; `object` is an owned reference to an exact str, replaced by an owned reference to its twin.
    unsafe {
        ffi::PyUnicode_InternInPlace(&raw mut object);
        Ok(Bound::from_owned_ptr(py, object).cast_into_unchecked())
    }
}

/// Whether there are so many references to the object. If all are the caller's, nobody else can get one, so this stays
/// true.
pub(crate) fn has_references(object: &Bound<'_, PyAny>, count: isize) -> bool {
    // SAFETY: attached, and `object` is a live reference.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) == count }
}

/// The characters of a str as latin-1 bytes, without a copy; `None` if one is outside of it.
pub(crate) fn latin1_bytes<'a>(text: &'a Bound<'_, PyString>) -> PyResult<Option<&'a [u8]>> {
    // SAFETY: strings are immutable, so the buffer stays as it is while `text` is borrowed. CPython keeps a string
    // in the narrowest kind that holds it, so the other kinds have a character beyond U+00FF.
    match unsafe { text.data() }? {
        PyStringData::Ucs1(bytes) => Ok(Some(bytes)),
        PyStringData::Ucs2(_) | PyStringData::Ucs4(_) => Ok(None),
    }
}

/// A bytes object of `length` bytes that `fill` writes, with the interpreter's lock released: also the first touch of
/// its pages takes time when it is large.
pub(crate) fn bytes_filled<'py>(
    py: Python<'py>,
    length: usize,
    fill: impl FnOnce(&mut [u8]) -> io::Result<()> + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    let size = isize::try_from(length)?;
    // SAFETY: attached; without a source the new object's contents are left to the caller.
    let object = unsafe { ffi::PyBytes_FromStringAndSize(ptr::null(), size) };
    // SAFETY: a new reference to a bytes object, or null with an exception set.
    let object = unsafe { Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked::<PyBytes>() };
    // SAFETY: `object` is a bytes object. The address crosses into the closure as a number because pointers are not Send.
    let address = unsafe { ffi::PyBytes_AsString(object.as_ptr()) } as usize;
    py.detach(|| {
        let start = address as *mut u8;
        // SAFETY: `object` has room for `length` bytes, nobody else has a reference to it (the garbage collector
        // does not know bytes objects; the shared empty one is not written to), and zero is a valid byte.
        let buffer = unsafe {
            ptr::write_bytes(start, 0, length);
            slice::from_raw_parts_mut(start, length)
        };
        fill(buffer)
    })?;
    Ok(object)
}

/// A bytes object as a [`Chunk`]: keeping it keeps a reference.
pub(crate) struct SharedBytes<'a, 'py>(&'a Bound<'py, PyBytes>);

impl<'a, 'py> SharedBytes<'a, 'py> {
    /// The chunk of an object.
    pub(crate) fn new(bytes: &'a Bound<'py, PyBytes>) -> SharedBytes<'a, 'py> {
        SharedBytes(bytes)
    }
}

impl Chunk for SharedBytes<'_, '_> {
    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn keep(&self) -> Box<dyn Kept> {
        let bytes = NonNull::from(self.0.as_bytes());
        Box::new(KeptBytes { bytes, _object: self.0.clone().unbind() })
    }
}

/// A reference to a bytes object, usable on any thread, attached or not. Dropped on a thread that is not attached, the
/// reference is released by the next thread that attaches (PyO3's reference pool).
struct KeptBytes {
    bytes: NonNull<[u8]>,
    _object: Py<PyBytes>,
}

// SAFETY: a bytes object's memory is immutable and stays until the last reference, one of which is held here, is gone;
// `Py` itself is Send.
unsafe impl Send for KeptBytes {}

impl Kept for KeptBytes {
    fn bytes(&self) -> &[u8] {
        // SAFETY: as for Send above; `_object` lives as long as the slice that is given out.
        unsafe { slice::from_raw_parts(self.bytes.as_ptr().cast(), self.bytes.len()) }
    }
}

/// The way back to the client while it is lent.
#[derive(Clone, Copy)]
struct Loan {
    respond: NonNull<dyn Respond>,
    /// The object that the application may write through: the address of one that lives as long as the loan.
    borrower: usize,
}

thread_local! {
    /// What is lent to `write()` while the application's code runs on this thread.
    static LENT: Cell<Option<Loan>> = const { Cell::new(None) };
}

/// Puts a former loan back, also when the code that it was lent to panics.
struct Restore(Option<Loan>);

impl Drop for Restore {
    fn drop(&mut self) {
        LENT.set(self.0);
    }
}

/// Runs `work`, which may call the application, with `respond` usable through [`with_lent`], and by `borrower` through
/// [`with_lent_to`].
pub(crate) fn lend<R>(respond: &mut dyn Respond, borrower: &Bound<'_, PyAny>, work: impl FnOnce() -> R) -> R {
    let respond = NonNull::from(respond);
    // SAFETY: only the lifetime is erased. The pointer is used by `with_lent` alone, on this thread, and is gone from
    // the cell before `lend` returns, hence while the exclusive borrow of `respond` lasts.
    let respond = unsafe { transmute::<NonNull<dyn Respond + '_>, NonNull<dyn Respond + 'static>>(respond) };
    let _restore = Restore(LENT.replace(Some(Loan { respond, borrower: borrower.as_ptr().addr() })));
    work()
}

/// Runs `work` with what this thread was lent for `borrower`; `None` if that is nothing. One that outlived its request
/// is lent nothing, whatever request its thread runs now.
pub(crate) fn with_lent_to<R>(
    borrower: &Bound<'_, PyAny>,
    work: impl FnOnce(&mut dyn Respond) -> R,
) -> Option<R> {
    let is_lent = LENT.get().is_some_and(|loan| loan.borrower == borrower.as_ptr().addr());
    if is_lent { with_lent(work) } else { None }
}

/// Runs `work` with what this thread was lent; `None` if that is nothing.
pub(crate) fn with_lent<R>(work: impl FnOnce(&mut dyn Respond) -> R) -> Option<R> {
    let loan = LENT.take();
    let _restore = Restore(loan);
    // SAFETY: `lend` is on this thread's stack with an exclusive borrow that it does not use meanwhile; the cell is
    // empty while `work` runs, so that no second reference can come of it.
    loan.map(|mut loan| work(unsafe { loan.respond.as_mut() }))
}

/// Runs `wait` with the interpreter's lock released, if this thread holds it.
pub(crate) fn unlocked(wait: &mut dyn FnMut()) {
    if attached() {
        let wait = AnyClosure(wait);
        Python::attach(|py| py.detach(move || wait.run()));
    } else {
        wait();
    }
}

/// Whether this thread is attached to the interpreter.
fn attached() -> bool {
    // SAFETY: both may be called on any thread. A thread that never ran Python has no state of its own; the first
    // question is needed because the second is always answered with yes once a subinterpreter was made.
    unsafe { !ffi::PyGILState_GetThisThreadState().is_null() && ffi::PyGILState_Check() == 1 }
}

/// A closure that may run detached. [`Python::detach`] asks for Send, as a stand-in for "holds nothing of Python".
struct AnyClosure<'a>(&'a mut dyn FnMut());

// SAFETY: `detach` runs the closure on the same thread. It comes from `tapster-worker`, which knows nothing of Python;
// the objects that it may own (`KeptBytes`) can be used and dropped detached.
unsafe impl Send for AnyClosure<'_> {}

impl AnyClosure<'_> {
    fn run(self) {
        (self.0)();
    }
}

/// A descriptor of our own for the file that the application's number stands for.
pub(crate) fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: not -1, and borrowed for this one call, which fails with EBADF on a descriptor that is not open.
    unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()
}

/// Has a thread raise an exception at the next instruction of its own that it runs in Python.
pub(crate) fn raise_in_thread(ident: u64, exception: &Bound<'_, PyType>) {
    // SAFETY: attached; an identity that is no thread's does nothing, and the exception is a live class, to which the
    // thread takes a reference of its own.
    unsafe { ffi::PyThreadState_SetAsyncExc(ident as c_long, exception.as_ptr()) };
}

/// Undoes [`raise_in_thread`] where the exception has not been raised yet.
pub(crate) fn take_back_raised(_py: Python<'_>, ident: u64) {
    // SAFETY: as above; null means none.
    unsafe { ffi::PyThreadState_SetAsyncExc(ident as c_long, ptr::null_mut()) };
}

/// CPython's hook before fork(2). Exactly one of the two others must follow.
pub(crate) fn before_fork(_py: Python<'_>) {
    // SAFETY: attached. A missing counterpart would leave the import lock held, which is a deadlock but no unsoundness.
    unsafe { ffi::PyOS_BeforeFork() }
}

/// CPython's hook after fork(2), or its failure, in the parent.
pub(crate) fn after_fork_in_parent(_py: Python<'_>) {
    // SAFETY: attached, in the thread that called `before_fork`.
    unsafe { ffi::PyOS_AfterFork_Parent() }
}

/// CPython's hook after fork(2) in the child.
pub(crate) fn after_fork_in_child(_py: Python<'_>) {
    // SAFETY: attached, in the thread that called `before_fork`, which is the child's only one.
    unsafe { ffi::PyOS_AfterFork_Child() }
}

/// Forks a process that becomes the child of another one.
pub(crate) fn fork_orphan(_py: Python<'_>, announce: &dyn Fn(Pid)) -> io::Result<Side> {
    // SAFETY: attached, so no other thread is inside the interpreter, whose own locks `before_fork` and
    // `after_fork_in_child` take care of; the C library sees to its own. What a native thread of another library may
    // hold is that library's: its handlers of pthread_atfork are for this.
    unsafe { tapster_sys::fork::fork_orphan(announce) }
}
