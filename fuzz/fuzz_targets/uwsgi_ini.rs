//! A uwsgi.ini: no panic, an end, and what is accepted is accepted again.

#![no_main]

use std::io;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tapster_config::{Files, load};

/// One file, under every name.
struct Same<'a>(&'a str);

impl Files for Same<'_> {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        Ok((path.extension().is_some_and(|ending| ending == "ini")).then(|| self.0.to_owned()))
    }
}

fuzz_target!(|text: &str| {
    let arguments = ["--ini".to_owned(), "a.ini".to_owned()];
    let environment = [("A".to_owned(), "1".to_owned()), ("UWSGI_THREADS".to_owned(), "2".to_owned())];
    let run = || load(&arguments, &environment, &Same(text)).map(drop);
    assert_eq!(run(), run());
});
