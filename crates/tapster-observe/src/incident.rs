//! The errors and warnings that are the server's own: each has an id that never changes, and a page for whoever finds it in the
//! log at night. A file for each area; `docs/reference/errors.md` is made of them, and `tapster explain` prints them.

mod application;
mod clients;
mod configuration;
mod front;
mod output;
mod supervision;

use std::fmt;

use crate::Level;

/// What went wrong. Every error and warning of the log is one of these.
#[derive(Clone, Copy)]
pub struct Incident(&'static Page);

/// What there is to know of one.
#[derive(Debug)]
struct Page {
    number: u16,
    name: &'static str,
    level: Level,
    happened: &'static str,
    costs: &'static str,
    remedy: &'static str,
}

/// Events that belong together, with ids that begin alike.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// What they are about.
    pub title: &'static str,
    /// In the order of their ids.
    pub incidents: &'static [Incident],
}

/// All of them, in the order of their ids.
pub const AREAS: [Area; 6] = [
    Area { title: "Configuration and start", incidents: configuration::INCIDENTS },
    Area { title: "Supervision: workers, reloads, upgrades", incidents: supervision::INCIDENTS },
    Area { title: "The application", incidents: application::INCIDENTS },
    Area { title: "Clients and connections", incidents: clients::INCIDENTS },
    Area { title: "The front: certificates and upstreams", incidents: front::INCIDENTS },
    Area { title: "Logs and metrics", incidents: output::INCIDENTS },
];

impl Incident {
    /// Every incident.
    pub fn all() -> impl Iterator<Item = Incident> {
        AREAS.iter().flat_map(|area| area.incidents).copied()
    }

    /// The incident with this id, however its letters are written and with or without them: `TAP0301`, `tap301`, `301`.
    pub fn find(id: &str) -> Option<Incident> {
        let digits = match id.get(..3) {
            Some(letters) if letters.eq_ignore_ascii_case("TAP") => &id[3..],
            _ => id,
        };
        let number: u16 = digits.parse().ok()?;
        Incident::all().find(|incident| incident.0.number == number)
    }

    /// The incident with this name.
    pub fn named(name: &str) -> Option<Incident> {
        Incident::all().find(|incident| incident.name().eq_ignore_ascii_case(name))
    }

    /// The incident whose number is nearest to the one in this text, or whose name is much like it.
    pub fn nearest(text: &str) -> Option<Incident> {
        /// What is less like it than this is no help.
        const ALIKE: f64 = 0.8;
        let alike = |incident: &Incident| strsim::jaro_winkler(incident.name(), text);
        let most = Incident::all().max_by(|one, other| alike(one).total_cmp(&alike(other)));
        if let Some(most) = most.filter(|most| alike(most) >= ALIKE) {
            return Some(most);
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let number: u16 = digits.parse().ok()?;
        Incident::all().min_by_key(|incident| incident.0.number.abs_diff(number))
    }

    /// The number in its id, by which it is told from all others.
    pub fn number(self) -> u16 {
        self.0.number
    }

    /// A few words with dashes between them.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// How important it is.
    pub fn level(self) -> Level {
        self.0.level
    }

    /// What happened, in a sentence or some.
    pub fn happened(self) -> &'static str {
        self.0.happened
    }

    /// What users of the application notice.
    pub fn costs(self) -> &'static str {
        self.0.costs
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        self.0.remedy
    }
}

/// The id: `TAP0301`.
impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TAP{:04}", self.0.number)
    }
}

impl fmt::Debug for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} {}", self.0.name)
    }
}

impl PartialEq for Incident {
    fn eq(&self, other: &Incident) -> bool {
        self.0.number == other.0.number
    }
}

impl Eq for Incident {}

/// The incidents of one area, each a constant of [`Incident`].
macro_rules! incidents {
    ($($constant:ident = $number:literal $level:ident $name:literal {
        happened: $happened:literal,
        costs: $costs:literal,
        remedy: $remedy:literal $(,)?
    })*) => {
        impl $crate::Incident {
            $(
                #[doc = $happened]
                pub const $constant: $crate::Incident = super::Incident(&super::Page {
                    number: $number,
                    name: $name,
                    level: $crate::Level::$level,
                    happened: $happened,
                    costs: $costs,
                    remedy: $remedy,
                });
            )*
        }

        pub(super) const INCIDENTS: &[$crate::Incident] = &[$($crate::Incident::$constant),*];
    };
}
use incidents;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_and_begin_with_their_area() {
        let numbers: Vec<u16> = Incident::all().map(Incident::number).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
        for (place, area) in AREAS.iter().enumerate() {
            assert!(area.incidents.iter().all(|incident| usize::from(incident.number() / 100) == place + 1));
        }
    }

    #[test]
    fn an_id_is_found_however_it_is_written() {
        for id in ["TAP0301", "tap0301", "tap301", "301", "0301"] {
            assert_eq!(Incident::find(id), Some(Incident::APPLICATION_FAILED), "{id}");
        }
        for id in ["", "TAP", "TAP9999", "é01", "TAP-301", "99999999"] {
            assert_eq!(Incident::find(id), None, "{id}");
        }
        assert_eq!(Incident::nearest("TAP0300"), Some(Incident::APPLICATION_FAILED));
        assert_eq!(Incident::nearest("aplication-failed"), Some(Incident::APPLICATION_FAILED));
        assert_eq!(Incident::named("Application-Failed"), Some(Incident::APPLICATION_FAILED));
        assert_eq!(Incident::nearest("what"), None);
    }

    #[test]
    fn each_has_a_page_of_sentences() {
        for incident in Incident::all() {
            for text in [incident.happened(), incident.costs(), incident.remedy()] {
                assert!(text.ends_with('.') && !text.contains('\n'), "{incident:?}: {text}");
            }
            assert!(incident.level() <= Level::Warning, "{incident:?}");
        }
    }
}
