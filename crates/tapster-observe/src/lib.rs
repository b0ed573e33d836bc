//! tapster-observe.
