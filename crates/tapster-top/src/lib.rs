//! `tapster top`: follows a server that runs, on the screen of a terminal, or as text where there is none. Run by the
//! operator's process; how the server is reached is the caller's part ([`Server`]).

#![forbid(unsafe_code)]

mod columns;
mod fetch;
mod header;
mod keys;
mod model;
mod plain;
mod rows;
mod screen;
mod server;
mod stacks;
mod terminal;
mod theme;
pub mod words;

use std::io::{self, IsTerminal};
use std::sync::Arc;

use tapster_config::TopOptions;

pub use server::Server;

/// Follows the server until the operator has seen enough.
///
/// # Errors
/// When there is no server at the beginning, or text cannot be written.
pub fn run(server: Arc<dyn Server>, options: &TopOptions, json: bool) -> Result<(), String> {
    let has_screen = io::stdout().is_terminal() && io::stdin().is_terminal() && theme::can_move_the_cursor();
    if json || options.is_plain() || !has_screen {
        return plain::run(&*server, options, json);
    }
    // Where there is none the operator is to be told on a screen that stays.
    let first = server.reading()?;
    terminal::run(server, options, first)
}
