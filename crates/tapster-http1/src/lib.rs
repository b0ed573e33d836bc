//! tapster-http1.
