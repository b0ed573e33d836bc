//! The reference page of all options, in Markdown.

use tapster_config::OPTIONS;
use tapster_config::kind::{Choice, Kind};
use tapster_config::option::{Fallback, Group, List, OptionSpec};

const HEAD: &str = "\
<!-- Written by `cargo run -p tapster-config --example generate-reference` from the option table. -->

# Options

Every option can be given in four ways. The stronger one wins, for lists as a whole:

1. on the command line: `tapster --graceful-timeout 30s app:app`
2. as an environment variable: `TAPSTER_GRACEFUL_TIMEOUT=30s`; one that is empty counts as not set
3. in a file: `graceful-timeout = \"30s\"` in `tapster.toml` in the current directory, or under `[tool.tapster]` in its
   `pyproject.toml`, or in the file that `--config` names
4. not at all: then its default holds

`tapster config show` prints every value that holds and where it came from. A name that is no option is an error in
all three places, and so is a `TAPSTER_*` variable that is none; those that Kubernetes makes for a service named
`tapster` are left alone.

## Values

- A **duration** is `500ms`, `30s`, `5m` or `1h`, also `1.5s`; a bare number is seconds.
- A **size** is a number of bytes, or `64KiB`, `10MiB`, `1GiB`. `K`, `M` and `G` mean the same, as in nginx;
  `KB`, `MB` and `GB` are powers of 1000.
- **Yes and no** are `on`, `yes`, `true`, `1` and `off`, `no`, `false`, `0`.
- A **list** is given by repeating the flag, as a TOML list, or in one text with the separator that its option names.
- A **path** is relative to the directory in which tapster was started.
";

/// The whole page.
pub fn page() -> String {
    let mut text = HEAD.to_owned();
    for group in Group::ALL {
        text.push_str(&format!("\n## {}\n", group.title()));
        for option in OPTIONS.iter().filter(|option| option.group == *group) {
            text.push_str(&section(option));
        }
    }
    text
}

fn section(option: &OptionSpec) -> String {
    let mut text = format!("\n### {}\n\n{}.", option.name, escaped(option.help));
    if !option.details.is_empty() {
        text.push_str(&format!(" {}", escaped(option.details)));
    }
    text.push_str("\n\n");
    for (name, value) in facts(option) {
        text.push_str(&format!("- {name}: {value}\n"));
    }
    text
}

fn facts(option: &OptionSpec) -> Vec<(&'static str, String)> {
    let mut facts = vec![("command line", flags(option))];
    if option.is_switch() {
        return facts;
    }
    let variables =
        option.variable().into_iter().chain(option.variables.iter().map(|name| (*name).to_owned()));
    facts.push(("variable", variables.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", else ")));
    if option.in_file() {
        facts.push(("key", format!("`{}`", option.name)));
    }
    facts.push(("value", value(option)));
    facts.push(("default", default(option)));
    facts
}

fn flags(option: &OptionSpec) -> String {
    let value = if option.is_switch() || option.is_positional() {
        String::new()
    } else {
        format!(" {}", option.metavar)
    };
    let short = option.short.map(|letter| format!("`-{letter}{value}`, ")).unwrap_or_default();
    format!("{short}`{}{value}`", option.flag())
}

fn value(option: &OptionSpec) -> String {
    let allowed = match option.kind {
        Kind::Choice(choices) => choices.iter().map(choice).collect::<Vec<_>>().join("; "),
        _ => escaped(&option.kind.allowed()),
    };
    match option.list {
        List::One => allowed,
        List::Many => format!("{allowed}; may be given several times"),
        List::Separated(separator) => format!("{allowed}; several with `{separator}` between them"),
    }
}

fn choice(choice: &Choice) -> String {
    format!("`{}` ({})", choice.word, choice.help)
}

fn default(option: &OptionSpec) -> String {
    match option.fallback {
        Fallback::Value(value) => format!("`{value}`"),
        Fallback::Words(words) => escaped(words),
    }
}

/// Text in which Markdown sees no emphasis; what stands in backquotes is left as it is.
fn escaped(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let escaped =
        parts.map(|(index, part)| if index % 2 == 0 { part.replace('*', "\\*") } else { part.to_owned() });
    escaped.collect::<Vec<_>>().join("`")
}
