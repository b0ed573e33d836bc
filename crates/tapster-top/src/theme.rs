//! Colours where the terminal has them, and bold and dim where it has not.

use std::env;

use ratatui::style::{Color, Modifier, Style};

/// How things look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    has_colour: bool,
}

impl Theme {
    /// What the terminal and its user want.
    pub(crate) fn of_terminal() -> Theme {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Theme { has_colour: !refused && has_colour(&env::var("TERM").unwrap_or_default()) }
    }

    #[cfg(test)]
    pub(crate) fn new(has_colour: bool) -> Theme {
        Theme { has_colour }
    }

    fn coloured(self, colour: Color, otherwise: Modifier) -> Style {
        if self.has_colour { Style::new().fg(colour) } else { Style::new().add_modifier(otherwise) }
    }

    /// What is as it should be.
    pub(crate) fn good(self) -> Style {
        self.coloured(Color::Green, Modifier::empty())
    }

    /// What is to be looked at.
    pub(crate) fn notable(self) -> Style {
        self.coloured(Color::Yellow, Modifier::BOLD)
    }

    /// What is wrong.
    pub(crate) fn bad(self) -> Style {
        self.coloured(Color::Red, Modifier::BOLD)
    }

    /// Names of what stands beside them.
    pub(crate) fn label(self) -> Style {
        self.coloured(Color::Cyan, Modifier::DIM)
    }

    /// What matters.
    pub(crate) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What matters little.
    pub(crate) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// The row that keys are about.
    pub(crate) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// Whether a terminal of this name has colours, by what names usually say.
fn has_colour(terminal: &str) -> bool {
    let is_old = ["vt100", "vt102", "vt220", "ansi-m"].iter().any(|old| terminal.starts_with(old));
    !(terminal.is_empty()
        || terminal == "dumb"
        || is_old
        || terminal.ends_with("-m")
        || terminal.ends_with("-mono"))
}

/// Whether more than lines one after the other can be shown.
pub(crate) fn can_move_the_cursor() -> bool {
    env::var("TERM").is_ok_and(|terminal| !terminal.is_empty() && terminal != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_monochrome_terminals_have_no_colour() {
        for (terminal, expected) in
            [("xterm-256color", true), ("linux", true), ("vt220", false), ("xterm-mono", false), ("", false)]
        {
            assert_eq!(has_colour(terminal), expected, "{terminal}");
        }
        assert_eq!(Theme::new(false).bad().fg, None);
        assert_eq!(Theme::new(true).bad().fg, Some(Color::Red));
    }
}
