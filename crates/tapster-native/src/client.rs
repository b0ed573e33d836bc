//! `tapster status`, `reload` and the others: asks a running server and says what it answered. Run by the operator's
//! process, which loads no application.

mod connection;
mod find;
mod health;
mod profile;
mod show;
mod top;

use std::io::{self, Write};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tapster_config::{ControlCommand, Verb};
use tapster_observe::Incident;
use tapster_supervisor::control::protocol::{
    Answer, Collected, Identity, Purging, Recycling, Reloaded, Request, Scaled, Status,
};
use tapster_sys::signal::{self, Signal};

use connection::Connection;

/// The server says no, or there is none.
const EXIT_NO: i32 = 1;

/// How long a server may take for what it answers at once.
const SOON: Duration = Duration::from_secs(10);
/// How many servers may take over one after the other while an order is on its way.
const MOST_SUCCESSORS: u32 = 3;

/// How long it may take to collect the stacks of all workers.
const COLLECTING: Duration = Duration::from_secs(30);

/// Does what the command says; gives the exit status.
pub(crate) fn run(command: &ControlCommand) -> i32 {
    // Python has taken INT for KeyboardInterrupt, which would wait for the server's answer.
    let _kept = signal::set_default(&[Signal::Interrupt]);
    if let Verb::Health { ready } = command.verb {
        return finish(health::check(command, ready));
    }
    if let Verb::Top(options) = &command.verb {
        return finish(top::run(command, options).map(|()| String::new()));
    }
    finish(find::server(command).and_then(|server| perform(command, server)))
}

/// What a server answers at once and is not changed by. Where one was there and is gone, another has taken its place
/// (`USR2`), or none has: it is asked once more, and looked for then.
fn ask_about(
    command: &ControlCommand,
    server: &mut Connection,
    request: &Request,
    patience: Duration,
) -> Result<String, String> {
    match server.ask(request, Some(patience)) {
        Err(unanswered) if unanswered.is_gone => {
            Ok(find::server(command).map_err(|_| unanswered.text)?.ask(request, Some(patience))?)
        }
        answered => Ok(answered?),
    }
}

/// What is to be printed, or why there is nothing.
type Said = Result<String, String>;

fn finish(said: Said) -> i32 {
    match said {
        Ok(text) => {
            let mut out = io::stdout().lock();
            // Nobody reads on: `tapster status | head` is no failure.
            let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            0
        }
        Err(error) => {
            let _closed =
                writeln!(io::stderr().lock(), "tapster: error: {} {error}", Incident::COMMAND_FAILED);
            EXIT_NO
        }
    }
}

fn perform(command: &ControlCommand, mut server: Connection) -> Said {
    let json = command.json;
    match command.verb {
        Verb::Status => {
            let line = ask_about(command, &mut server, &Request::Status, SOON)?;
            read(line, json, |status: Status| show::status(&status))
        }
        Verb::Reload => order(command, &mut server, &Request::Reload, None, |told| reloaded(&told))
            .map_err(|error| format!("not reloaded: {error}")),
        Verb::Stop => stop(command, &mut server),
        Verb::Scale(workers) => {
            let told = |Scaled { workers }| format!("from now on {}\n", show::count(workers, "worker"));
            order(command, &mut server, &Request::Scale { workers }, Some(SOON), told)
        }
        Verb::Recycle(worker) => {
            order(command, &mut server, &Request::Recycle { worker }, Some(SOON), |told| recycled(&told))
        }
        Verb::Purge(ref what) => {
            let told = |Purging { fronts }| format!("{} told to forget\n", show::count(fronts, "front"));
            order(command, &mut server, &Request::Purge { what: what.clone() }, Some(SOON), told)
        }
        Verb::Stacks => {
            let line = ask_about(command, &mut server, &Request::Stacks, COLLECTING)?;
            read(line, json, |stacks: Collected| show::stacks(&stacks))
        }
        Verb::Profile(ref options) => {
            let patience = COLLECTING + Duration::from_secs(options.seconds.into());
            let line = ask_about(command, &mut server, &profile::request(options), patience)?;
            let said: Collected = parse(&line)?;
            if json { Ok(line) } else { profile::write(options, &said) }
        }
        Verb::Health { ready } => health::check(command, ready),
        Verb::Top(ref options) => top::run(command, options).map(|()| String::new()),
    }
}

fn reloaded(told: &Reloaded) -> String {
    format!("reloaded in {}\n", show::seconds(told.seconds))
}

fn recycled(Recycling { worker, pid }: &Recycling) -> String {
    format!("worker {worker} (pid {pid}) is being replaced\n")
}

/// Orders, and puts the answer into words, or leaves it as it came. A server whose place another one has taken meanwhile
/// says so: the order is for that one.
fn order<T: DeserializeOwned>(
    command: &ControlCommand,
    server: &mut Connection,
    request: &Request,
    patience: Option<Duration>,
    words: impl FnOnce(T) -> String,
) -> Said {
    let mut line = server.ask(request, patience)?;
    for _ in 0..MOST_SUCCESSORS {
        if !has_moved(&line) {
            break;
        }
        *server = find::server(command)?;
        line = server.ask(request, patience)?;
    }
    read(line, command.json, words)
}

fn has_moved(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Moved {
        successor: Option<u32>,
    }
    serde_json::from_str(line).is_ok_and(|Moved { successor }| successor.is_some())
}

fn read<T: DeserializeOwned>(line: String, json: bool, words: impl FnOnce(T) -> String) -> Said {
    let body = parse(&line)?;
    Ok(if json { line } else { words(body) })
}

/// What an answer says, or why there is none.
fn parse<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    let answer: Answer<T> = serde_json::from_str(line)
        .map_err(|error| format!("the answer is not understood ({error}): {line}"))?;
    match (answer.ok, answer.body) {
        (true, Some(body)) => Ok(body),
        _ => Err(answer.error.unwrap_or_else(|| "the server says no and not why".to_owned())),
    }
}

/// The connection ends with the server.
fn stop(command: &ControlCommand, server: &mut Connection) -> Said {
    let told = |identity: Identity| format!("stopped: pid {}\n", identity.pid);
    let said = order(command, server, &Request::Stop, Some(SOON), told)?;
    server.wait_for_end();
    Ok(said)
}
