//! tapster-supervisor.
