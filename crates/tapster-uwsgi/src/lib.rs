//! tapster-uwsgi.
