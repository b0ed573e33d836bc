//! fork(2) of a process that runs Python: with CPython's own hooks, so that its locks, its GIL and
//! `os.register_at_fork` callbacks are right on both sides.
