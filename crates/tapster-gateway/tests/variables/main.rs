//! What each protocol's request becomes: every variable of an environ, case by case, and properties of any input.

mod connection;
mod forwarded;
mod from_http;
mod from_uwsgi;
mod lookup;
mod properties;
mod proxy_header;
mod requests;
mod vars;
