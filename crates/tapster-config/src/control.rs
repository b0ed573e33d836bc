//! The commands for a server that runs: `tapster status` and its like, from their arguments.

pub(crate) mod profile;
pub(crate) mod top;

use lexopt::{Arg, Parser, ValueExt};

use crate::command_line::value;
use crate::document::Section;
use crate::error::ConfigError;
use crate::file::Files;
use crate::load::{configuration_file, resolve};
use crate::options::find;
use crate::origin::{Given, Layer, Origin};
use crate::settings::{BindPlace, ControlSocket};
use crate::{environment, help};

pub use profile::{ProfileFormat, ProfileOptions};
pub use top::{TopOptions, TopOrder};

/// What an operator wants from a running server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ControlCommand {
    /// What.
    pub verb: Verb,
    /// Whether the answer is printed as JSON.
    pub json: bool,
    /// The process of the server that is meant; none means the only one of this user.
    pub pid: Option<u32>,
    /// The server's socket. [`ControlSocket::Default`] means that it is to be looked for.
    pub socket: ControlSocket,
    /// Where the server answers health checks besides.
    pub admin_bind: Vec<BindPlace>,
}

/// One of the commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Say how it is.
    Status,
    /// Show how it is, again and again.
    Top(TopOptions),
    /// Replace the workers; wait until that has ended.
    Reload,
    /// Stop; wait until it has.
    Stop,
    /// Have this many workers.
    Scale(usize),
    /// Replace one worker: its number as the log has it, or its process.
    Recycle(u32),
    /// Forget stored answers: those of a URL, or of all that begin so where it ends with a `*`.
    Purge(String),
    /// Say what every thread does.
    Stacks,
    /// Say what the threads do over some time.
    Profile(ProfileOptions),
    /// Say by the exit status whether it lives.
    Health {
        /// Whether it must be ready for requests.
        ready: bool,
    },
}

/// How a command is written, and what it does.
pub(crate) struct Word {
    pub(crate) word: &'static str,
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
}

/// The commands, in the order of the help.
pub(crate) static WORDS: [Word; 10] = [
    Word { word: "status", value: "", help: "Print the workers, counters and the last reload" },
    Word { word: "top", value: "", help: "Watch workers, threads and requests on a screen, and act on them" },
    Word { word: "reload", value: "", help: "Replace the workers; fails when the new ones do not start" },
    Word { word: "stop", value: "", help: "Finish requests and stop; a second time at once" },
    Word { word: "scale", value: "NUMBER", help: "Have this many workers" },
    Word { word: "recycle", value: "WORKER", help: "Replace one worker, by its number or its pid" },
    Word {
        word: "purge",
        value: "URL",
        help: "Forget stored answers (--cache): of a URL, a /path, or all behind a prefix*",
    },
    Word { word: "stacks", value: "", help: "Print the stack of every thread, also of stuck ones" },
    Word { word: "profile", value: "", help: "See what requests spend their time on, as a flame graph" },
    Word { word: "health", value: "", help: "Exit 0 if the server lives (--ready: serves), else 1" },
];

/// What the arguments of a command ask for.
pub(crate) enum Asked {
    Do(ControlCommand),
    Help(String),
}

/// Whether these arguments are for a running server, and which command it is.
pub(crate) fn word(arguments: &[String]) -> Option<&'static Word> {
    let first = arguments.first()?;
    WORDS.iter().find(|known| known.word == first)
}

/// The error for the name of a command that comes behind options, where it would be an application.
pub(crate) fn misplaced(word: &str) -> ConfigError {
    ConfigError::new(format!("the command comes first: tapster {word} [OPTIONS]"))
        .hint(format!("to serve a module named {word}, write {word}:app or ./{word}.py"))
}

/// Flags that only these commands have, and what was given.
#[derive(Default)]
struct Line {
    words: Vec<String>,
    json: bool,
    ready: bool,
    pid: Option<u32>,
    profile: ProfileOptions,
    top: TopOptions,
    given: Layer,
}

/// Reads the arguments of a command, whose name is the first, and what variables and file say of the socket.
///
/// # Errors
/// For the first that is not right.
pub(crate) fn read(
    word: &'static Word,
    arguments: &[String],
    variables: &[(String, String)],
    files: &dyn Files,
) -> Result<Asked, ConfigError> {
    let Some(line) = flags(word, arguments.get(1..).unwrap_or_default())? else {
        return Ok(Asked::Help(help::control(word)));
    };
    let variables = environment::read(variables)?;
    let file = configuration_file(&line.given, &variables, files, Section::Server)?;
    let verb = verb(word, &line)?;
    let mut layers = [file.given, variables, line.given];
    for layer in &mut layers {
        layer.retain(|(option, _)| matches!(option.name, "control-socket" | "admin-bind"));
    }
    let settings = resolve(&layers, file.path)?.settings;
    Ok(Asked::Do(ControlCommand {
        verb,
        json: line.json,
        pid: line.pid,
        socket: settings.control_socket,
        admin_bind: settings.admin_bind,
    }))
}

/// None: the help is asked for.
fn flags(word: &Word, arguments: &[String]) -> Result<Option<Line>, ConfigError> {
    let mut line = Line::default();
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| ConfigError::new(error.to_string()))? {
        match argument {
            Arg::Value(text) => line.words.push(text.to_string_lossy().into_owned()),
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Long("json") => line.json = true,
            Arg::Long(name) if word.word == "profile" && profile::is_flag(name) => {
                let name = name.to_owned();
                line.profile.set(&name, &mut parser)?;
            }
            Arg::Long(name) if word.word == "top" && top::is_flag(name) => {
                let name = name.to_owned();
                line.top.set(&name, &mut parser)?;
            }
            Arg::Short('o') if word.word == "profile" => line.profile.set("output", &mut parser)?,
            Arg::Long("ready") if word.word == "health" => line.ready = true,
            Arg::Long("pid") => {
                let text = parser.value().and_then(|value| value.string()).unwrap_or_default();
                line.pid = Some(number(&text, "--pid", "the process id of the server")?);
            }
            Arg::Long(name @ ("control-socket" | "admin-bind" | "config")) => {
                let name = name.to_owned();
                shared(&mut parser, &mut line.given, &name)?;
            }
            Arg::Short('c') => shared(&mut parser, &mut line.given, "config")?,
            Arg::Long(name) => return Err(unknown(word, &format!("--{name}"))),
            Arg::Short(letter) => return Err(unknown(word, &format!("-{letter}"))),
        }
    }
    Ok(Some(line))
}

/// An option that the server has too.
fn shared(parser: &mut Parser, given: &mut Layer, name: &str) -> Result<(), ConfigError> {
    let flag = format!("--{name}");
    if let Some(option) = find(name) {
        let text = value(parser, option, &flag)?;
        given.push((option, Given { texts: option.split(&text), origin: Origin::Flag(flag) }));
    }
    Ok(())
}

fn unknown(word: &Word, flag: &str) -> ConfigError {
    ConfigError::new(format!("unknown option {flag} of tapster {}", word.word))
        .hint(format!("tapster {} --help lists what there is", word.word))
}

fn verb(word: &Word, line: &Line) -> Result<Verb, ConfigError> {
    let only = match (&*line.words, word.value.is_empty()) {
        ([], true) => "",
        ([only], false) => only.as_str(),
        ([], false) => return Err(usage(word, format!("{} is missing", word.value))),
        ([extra], true) | ([_, extra, ..], _) => return Err(usage(word, format!("unexpected {extra:?}"))),
    };
    Ok(match word.word {
        "status" => Verb::Status,
        "top" => Verb::Top(line.top.clone()),
        "reload" => Verb::Reload,
        "stop" => Verb::Stop,
        "scale" => Verb::Scale(number(only, "scale", "the number of workers, at least 1")? as usize),
        "recycle" => {
            Verb::Recycle(number(only, "recycle", "a worker as tapster status numbers it, or its pid")?)
        }
        "purge" => Verb::Purge(purged(only)?),
        "stacks" => Verb::Stacks,
        "profile" => Verb::Profile(line.profile.clone()),
        _ => Verb::Health { ready: line.ready },
    })
}

/// What is to be forgotten: scheme and host in small letters, as they are kept.
fn purged(text: &str) -> Result<String, ConfigError> {
    if text == "*" || text.starts_with('/') {
        return Ok(text.to_owned());
    }
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") || rest.is_empty() {
        return Err(ConfigError::new(format!("purge: {text:?} is no URL"))
            .hint("expected https://host/path, /path, either with a * at its end, or * for everything"));
    }
    let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let slash = if target.is_empty() && !host.ends_with('*') { "/" } else { target };
    Ok(format!("{}://{}{slash}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase()))
}

fn usage(word: &Word, message: String) -> ConfigError {
    let mut text = format!("tapster {}", word.word);
    if !word.value.is_empty() {
        text = format!("{text} {}", word.value);
    }
    ConfigError::new(message).hint(format!("the command is written: {text} [OPTIONS]"))
}

fn number(text: &str, place: &str, expected: &str) -> Result<u32, ConfigError> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
        ConfigError::new(format!("{place}: {text:?} is not a number of 1 or more"))
            .hint(format!("expected {expected}"))
    })
}
