//! uWSGI's magic variables: `%d`, `%n`, `%k` and their like, replaced in the whole text of a file. Pure.

use std::collections::BTreeMap;

use crate::file::{Fact, Files};

/// What each letter stands for.
#[derive(Clone, Default, Debug)]
pub(super) struct Magic {
    letters: BTreeMap<char, String>,
    /// Whether the capitals, which speak of the first file, are set.
    first: bool,
}

/// Letters of the file that is read, and their capitals for the first file of all.
const OF_FILE: &str = "odspcenxij";
/// Letters of the host.
const OF_HOST: &str = "vhtTkuUgGb";

impl Magic {
    /// What holds without a file.
    pub(super) fn of_host(files: &dyn Files) -> Magic {
        let mut magic = Magic::default();
        for letter in OF_HOST.chars() {
            if let Some(text) = files.fact(&Fact::Host(letter)) {
                magic.letters.insert(letter, text);
            }
        }
        magic.letters.insert('V', "2.0.31".to_owned());
        magic.letters.insert('[', "\u{1b}".to_owned());
        magic
    }

    /// Speaks of this file from now on; `is_template` is one that another includes, which is never the first.
    pub(super) fn enter(&mut self, named: &str, section: Option<&str>, files: &dyn Files, is_template: bool) {
        let full = files.fact(&Fact::Absolute(named)).unwrap_or_else(|| named.to_owned());
        let (directory, name) = match full.rfind('/') {
            Some(slash) => full.split_at(slash + 1),
            None => ("", full.as_str()),
        };
        let parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let mut set = |letter, text: &str| self.letters.insert(letter, text.to_owned());
        set('o', &section.map_or_else(|| named.to_owned(), |section| format!("{named}:{section}")));
        set('p', &full);
        set('s', name);
        set('d', directory);
        set('c', parts.last().unwrap_or(&""));
        set('e', extension);
        set('n', stem);
        set('j', &hash(&full));
        for (digit, index) in ('0'..='9').zip(0..) {
            set(digit, parts.get(index).unwrap_or(&""));
        }
        if let Some(inode) = files.fact(&Fact::Inode(named)) {
            set('i', &inode);
        }
        self.section(section);
        if !self.first && !is_template {
            self.first = true;
            for letter in OF_FILE.chars() {
                let text = self.letters.get(&letter).cloned().unwrap_or_default();
                self.letters.insert(letter.to_ascii_uppercase(), text);
            }
        }
    }

    /// Speaks of another section of the same file.
    pub(super) fn section(&mut self, section: Option<&str>) {
        self.letters.insert('x', section.unwrap_or_default().to_owned());
    }

    /// The text with each variable replaced once; other percent signs stay.
    pub(super) fn substitute(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            let next = rest[at + 1..].chars().next();
            match next.and_then(|letter| self.letters.get(&letter).map(|text| (letter, text))) {
                Some((letter, text)) => {
                    out.push_str(text);
                    rest = &rest[at + 1 + letter.len_utf8()..];
                }
                None => {
                    out.push('%');
                    rest = &rest[at + 1..];
                }
            }
        }
        out + rest
    }
}

/// uWSGI's `djb33x`, in the order of its bytes.
fn hash(text: &str) -> String {
    let hash = text.bytes().fold(5381_u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
    hash.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoFiles;

    fn magic() -> Magic {
        let mut magic = Magic::of_host(&NoFiles);
        magic.enter("/srv/shop/uwsgi.prod.ini", Some("web"), &NoFiles, false);
        magic
    }

    #[test]
    fn letters_speak_of_the_file() {
        let text = "%d|%n|%e|%s|%p|%c|%x|%0|%1|%2|%o";
        let expected = "/srv/shop/|uwsgi.prod|ini|uwsgi.prod.ini|/srv/shop/uwsgi.prod.ini|shop|web|srv|shop||\
                        /srv/shop/uwsgi.prod.ini:web";
        assert_eq!(magic().substitute(text), expected);
    }

    #[test]
    fn other_percent_signs_stay() {
        assert_eq!(magic().substitute("%(name) 100% %% %ü %"), "%(name) 100% %% %ü %");
    }

    #[test]
    fn capitals_stay_with_the_first_file() {
        let mut magic = magic();
        magic.enter("/etc/other.ini", None, &NoFiles, false);
        assert_eq!(magic.substitute("%N %n %D %d %X%x"), "uwsgi.prod other /srv/shop/ /etc/ web");
    }
}
