//! tapster-sys.
