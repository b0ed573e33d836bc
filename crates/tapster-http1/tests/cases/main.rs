//! The codec from outside: tables of cases, each fed in every way it can arrive, and properties of any input.

mod chunked;
mod encode;
mod framing;
mod head;
mod pieces;
mod properties;
mod response;
