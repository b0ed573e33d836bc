//! uwsgi packet to variables.
