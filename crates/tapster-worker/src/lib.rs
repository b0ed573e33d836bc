//! tapster-worker.
