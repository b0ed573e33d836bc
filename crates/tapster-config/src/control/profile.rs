//! The options of `tapster profile`.

use std::path::PathBuf;

use lexopt::{Parser, ValueExt};

use crate::error::ConfigError;

/// The longest profile, in seconds.
const MOST_SECONDS: u16 = 3600;
/// The most looks a second.
const MOST_RATE: u16 = 1000;

/// What a profile is made of, and where it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProfileOptions {
    /// How long the server is watched: 1 to 3600 seconds.
    pub seconds: u16,
    /// How often a second: 1 to 1000.
    pub rate: u16,
    /// Whether the time on a CPU counts, and not all that passes.
    pub cpu: bool,
    /// Whether the application's own threads count too, and not only those in requests.
    pub all_threads: bool,
    /// The file that is written; none is standard output.
    pub output: Option<PathBuf>,
    /// What is written; none means what the file's name ends with.
    pub format: Option<ProfileFormat>,
}

/// How a profile is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProfileFormat {
    /// A picture for a browser.
    FlameGraph,
    /// The file format of speedscope.app.
    Speedscope,
    /// A line for each stack, with its microseconds.
    Collapsed,
}

impl Default for ProfileOptions {
    fn default() -> ProfileOptions {
        ProfileOptions {
            seconds: 10,
            rate: 100,
            cpu: false,
            all_threads: false,
            output: Some(PathBuf::from("profile.svg")),
            format: None,
        }
    }
}

/// Whether this is the name of one of them.
pub(super) fn is_flag(name: &str) -> bool {
    matches!(name, "seconds" | "rate" | "clock" | "threads" | "output" | "format")
}

/// How they are written, and what they do.
pub(crate) const HELP: [(&str, &str); 6] = [
    ("    --seconds NUMBER", "How long to watch, up to 3600 [default: 10]"),
    ("    --rate NUMBER", "How often a second, up to 1000 [default: 100]"),
    ("    --clock wall|cpu", "Count all time that passes, or the time on a CPU [default: wall]"),
    (
        "    --threads requests|all",
        "Count requests, or the application's own threads too [default: requests]",
    ),
    ("-o, --output FILE", "Write there; - is standard output [default: profile.svg]"),
    (
        "    --format FORMAT",
        "flamegraph, speedscope or collapsed [default: by the file's name: .svg, .json, others]",
    ),
];

impl ProfileOptions {
    /// Takes the value of one of them from the command line.
    pub(super) fn set(&mut self, name: &str, parser: &mut Parser) -> Result<(), ConfigError> {
        let flag = format!("--{name}");
        let text = parser.value().and_then(|value| value.string());
        let text = text.map_err(|_| ConfigError::new(format!("{flag} needs a value")))?;
        match name {
            "seconds" => self.seconds = number(&flag, &text, MOST_SECONDS)?,
            "rate" => self.rate = number(&flag, &text, MOST_RATE)?,
            "clock" => self.cpu = choice(&flag, &text, &[("wall", false), ("cpu", true)])?,
            "threads" => self.all_threads = choice(&flag, &text, &[("requests", false), ("all", true)])?,
            "output" => self.output = Some(PathBuf::from(text)).filter(|path| path.as_os_str() != "-"),
            _ => {
                let formats = [
                    ("flamegraph", ProfileFormat::FlameGraph),
                    ("speedscope", ProfileFormat::Speedscope),
                    ("collapsed", ProfileFormat::Collapsed),
                ];
                self.format = Some(choice(&flag, &text, &formats)?);
            }
        }
        Ok(())
    }

    /// How it is to be written.
    pub fn format(&self) -> ProfileFormat {
        self.format.unwrap_or_else(|| {
            let name = self.output.as_ref().and_then(|path| path.extension()?.to_str());
            match name {
                Some("svg") => ProfileFormat::FlameGraph,
                Some("json") => ProfileFormat::Speedscope,
                _ => ProfileFormat::Collapsed,
            }
        })
    }
}

fn number(flag: &str, text: &str, most: u16) -> Result<u16, ConfigError> {
    text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
        ConfigError::new(format!("{flag}: {text:?} is not a number from 1 to {most}"))
            .hint("tapster profile --help lists what there is")
    })
}

fn choice<T: Copy>(flag: &str, text: &str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
    choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        ConfigError::new(format!("{flag}: {text:?} is none of {}", words.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<ProfileOptions, String> {
        let mut options = ProfileOptions::default();
        for pair in arguments.chunks(2) {
            let mut parser = Parser::from_args([pair[1]]);
            options.set(pair[0], &mut parser).map_err(|error| error.to_string())?;
        }
        Ok(options)
    }

    #[test]
    fn the_format_follows_the_file() {
        let format = |name: &str| read(&["output", name]).map(|options| options.format());
        assert_eq!(format("a.svg"), Ok(ProfileFormat::FlameGraph));
        assert_eq!(format("a.speedscope.json"), Ok(ProfileFormat::Speedscope));
        assert_eq!(format("-"), Ok(ProfileFormat::Collapsed));
        assert_eq!(
            read(&["output", "a.svg", "format", "speedscope"]).map(|it| it.format()),
            Ok(ProfileFormat::Speedscope)
        );
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for (flag, text) in
            [("seconds", "0"), ("seconds", "3601"), ("rate", "1001"), ("rate", "x"), ("clock", "gil")]
        {
            assert!(read(&[flag, text]).unwrap_err().contains(&format!("--{flag}: ")), "{flag} {text}");
        }
    }
}
