//! The types of values: what is allowed, and how a text becomes a field of [`Settings`].

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Invalid;
use crate::settings::{Bind, BindPlace, Count, Peers, Settings};
use crate::values;

/// The type of a value with its range, and the field that takes it.
pub enum Kind {
    /// The application: any text but the name of another server's configuration file.
    App(fn(&mut Settings, String)),
    /// A path of the file system, relative to the directory of the start.
    Path(fn(&mut Settings, PathBuf)),
    /// A pattern of file names.
    Glob(fn(&mut Settings, String)),
    /// An address to listen on.
    Bind(fn(&mut Settings, Bind)),
    /// A place to listen on, without a mark behind it.
    Place(fn(&mut Settings, BindPlace)),
    /// `NAME=VALUE`.
    Pair(fn(&mut Settings, String, String)),
    /// A number of processes, a range of them, or `auto`.
    Count {
        /// The largest number; the smallest is 1.
        most: u64,
        /// Sets the field.
        set: fn(&mut Settings, Count),
    },
    /// A whole number.
    Integer {
        /// The smallest that is allowed.
        least: u64,
        /// The largest that is allowed.
        most: u64,
        /// Sets the field.
        set: fn(&mut Settings, u64),
    },
    /// A number of bytes.
    Size {
        /// The smallest that is allowed, in bytes.
        least: u64,
        /// The largest that is allowed, in bytes.
        most: u64,
        /// Sets the field.
        set: fn(&mut Settings, u64),
    },
    /// A length of time.
    Duration {
        /// The shortest that is allowed.
        least: Duration,
        /// The longest that is allowed.
        most: Duration,
        /// Sets the field.
        set: fn(&mut Settings, Duration),
    },
    /// Text of any other form: what is allowed, and what checks it and sets the field.
    Text {
        /// In words that follow "expected".
        allowed: &'static str,
        /// Sets the field, if the text is right.
        set: fn(&mut Settings, &str) -> Result<(), Invalid>,
    },
    /// An access mode in octal.
    Mode(fn(&mut Settings, u32)),
    /// On or off; the flag alone means on.
    Flag(fn(&mut Settings, bool)),
    /// One word of several.
    Choice(&'static [Choice]),
    /// Addresses of peers.
    Peers(fn(&mut Settings) -> &mut Peers),
    /// The configuration file; sets no field.
    ConfigFile,
    /// What another server was configured with: what is allowed, in words that follow "expected". Sets no field.
    Imported(&'static str),
    /// A flag without a value that asks for something else than serving.
    Switch(Switch),
}

/// One word that an option allows.
pub struct Choice {
    /// The word.
    pub word: &'static str,
    /// What it means, in a few words.
    pub help: &'static str,
    /// Sets the field.
    pub set: fn(&mut Settings),
}

/// What a flag without a value asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Switch {
    /// The help with the common options.
    Help,
    /// The help with all options.
    HelpAll,
    /// The version.
    Version,
}

impl Kind {
    /// Puts one text into its field.
    ///
    /// # Errors
    /// When the text is no value of this kind or out of range.
    pub fn apply(&self, settings: &mut Settings, text: &str) -> Result<(), Invalid> {
        let trimmed = text.trim();
        match self {
            Self::App(set) => set(settings, application(trimmed)?),
            Self::Path(set) => set(settings, path(text)?),
            Self::Glob(set) => set(settings, glob(text)?),
            Self::Bind(set) => set(settings, Bind::parse(trimmed)?),
            Self::Place(set) => set(settings, BindPlace::parse(trimmed)?),
            Self::Pair(set) => pair(text).map(|(name, value)| set(settings, name, value))?,
            Self::Count { most, set } => set(settings, count(trimmed, *most)?),
            Self::Integer { least, most, set } => {
                set(settings, within(values::integer(trimmed)?, *least, *most, trimmed)?);
            }
            Self::Size { least, most, set } => {
                set(settings, within(values::size(trimmed)?, *least, *most, trimmed)?)
            }
            Self::Duration { least, most, set } => {
                set(settings, within(values::duration(trimmed)?, *least, *most, trimmed)?);
            }
            Self::Text { set, .. } => set(settings, trimmed)?,
            Self::Mode(set) => set(settings, values::mode(trimmed)?),
            Self::Flag(set) => set(settings, flag(trimmed)?),
            Self::Choice(choices) => (choice(choices, trimmed)?.set)(settings),
            Self::Peers(field) => field(settings).add(trimmed)?,
            Self::ConfigFile | Self::Imported(_) | Self::Switch(_) => {}
        }
        Ok(())
    }

    /// What is allowed, in words that follow "expected".
    pub fn allowed(&self) -> String {
        match self {
            Self::App(_) => "a module (mysite.wsgi), module:callable, or path/to/file.py".to_owned(),
            Self::Path(_) | Self::ConfigFile => "a path".to_owned(),
            Self::Glob(_) => "a pattern such as *.html, templates/** or config/*.toml".to_owned(),
            Self::Bind(_) | Self::Place(_) => {
                "host:port, [::1]:port, :port, unix:/path, fd://N or fd://NAME".to_owned()
            }
            Self::Pair(_) => "NAME=VALUE".to_owned(),
            Self::Count { most, .. } => format!("a number from 1 to {most}, a range such as 2..8, or auto"),
            Self::Integer { least, most, .. } => format!("a whole number from {least} to {most}"),
            Self::Size { least, most, .. } => format!(
                "a size from {} to {}, such as 65536, 64KiB, 10M or 1GiB",
                values::size_text(*least),
                values::size_text(*most)
            ),
            Self::Duration { least, most, .. } => format!(
                "a duration from {} to {}, such as 500ms, 30s, 5m or 1h; a bare number is seconds",
                values::duration_text(*least),
                values::duration_text(*most)
            ),
            Self::Text { allowed, .. } | Self::Imported(allowed) => (*allowed).to_owned(),
            Self::Mode(_) => "an access mode in octal from 0 to 0777, such as 0660".to_owned(),
            Self::Flag(_) => "on or off".to_owned(),
            Self::Choice(choices) => {
                let words: Vec<_> = choices.iter().map(|choice| choice.word).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Peers(_) => "addresses, networks such as 10.0.0.0/8, unix, or * for everybody".to_owned(),
            Self::Switch(_) => "no value".to_owned(),
        }
    }
}

fn within<T: PartialOrd>(value: T, least: T, most: T, text: &str) -> Result<T, Invalid> {
    if value < least || value > most {
        return Err(Invalid::new(format!("{text} is out of range")));
    }
    Ok(value)
}

fn count(text: &str, most: u64) -> Result<Count, Invalid> {
    if text == "auto" {
        return Ok(Count::Auto);
    }
    let number = |part: &str| {
        let wrong = |_| Invalid::new(format!("{text:?} is not a number, a range or auto"));
        let number = within(values::integer(part.trim()).map_err(wrong)?, 1, most, text)?;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    };
    let Some((least, most)) = text.split_once("..") else { return number(text).map(Count::Fixed) };
    match (number(least)?, number(most)?) {
        (least, most) if least > most => Err(Invalid::new(format!("{text} ends before it begins"))),
        (least, most) if least == most => Ok(Count::Fixed(least)),
        (least, most) => Ok(Count::Range { least, most }),
    }
}

fn flag(text: &str) -> Result<bool, Invalid> {
    values::boolean(text).ok_or_else(|| Invalid::new(format!("{text:?} is not on or off")))
}

/// The choice with this word; where the choices are `on` and `off`, any boolean.
fn choice<'a>(choices: &'a [Choice], text: &str) -> Result<&'a Choice, Invalid> {
    let find = |word: &str| choices.iter().find(|choice| choice.word == word);
    let boolean = || values::boolean(text).and_then(|on| find(if on { "on" } else { "off" }));
    find(text).or_else(boolean).ok_or_else(|| Invalid::new(format!("{text:?} is not allowed")))
}

fn path(text: &str) -> Result<PathBuf, Invalid> {
    if text.is_empty() || text.contains('\0') {
        return Err(Invalid::new(format!("{text:?} is not a path")));
    }
    Ok(PathBuf::from(text))
}

fn glob(text: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.contains('\0') {
        return Err(Invalid::new(format!("{text:?} is not a pattern")));
    }
    Ok(text.to_owned())
}

fn pair(text: &str) -> Result<(String, String), Invalid> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(Invalid::with_hint(
            format!("{text:?} is not NAME=VALUE"),
            "write a name, = and the value, such as DEBUG=1",
        )),
    }
}

fn application(text: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.contains('\0') {
        return Err(Invalid::new(format!("{text:?} is not an application")));
    }
    if text.ends_with(".toml") {
        return Err(Invalid::with_hint(
            format!("{text} is a configuration file, not an application"),
            format!("write -c {text}"),
        ));
    }
    foreign_file(text).map_or_else(|| Ok(text.to_owned()), Err)
}

/// The refusal for another server's configuration file.
pub(crate) fn foreign_file(path: &str) -> Option<Invalid> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if crate::uwsgi::is_ini(name) {
        return Some(Invalid::with_hint(
            format!("{path} is a configuration of uWSGI"),
            format!("write --ini {path}"),
        ));
    }
    if name.ends_with(".conf.py") {
        return Some(Invalid::with_hint(
            format!("{path} is a configuration of gunicorn"),
            format!("write tapster gunicorn -c {path}, with the application behind it"),
        ));
    }
    let foreign = [".yaml", ".yml", ".xml", ".json", ".conf"].iter().any(|ending| name.ends_with(ending));
    foreign.then(|| {
        Invalid::with_hint(
            format!("reading {path} is not supported in this version"),
            "tapster reads tapster.toml, [tool.tapster] in pyproject.toml, TAPSTER_* variables and flags; see --help-all",
        )
    })
}
