//! tapster-wsgi.
