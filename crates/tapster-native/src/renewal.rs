//! The configuration of a front, read anew by HUP: by the supervisor, which may be the only one that can, and once more in
//! each front, of what the supervisor read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tapster_config::{Command, Fact, Files, Loaded, Note, Settings, Shown, Value, left_out, shown};
use tapster_observe::{Incident, Log};
use tapster_sys::memory;

use crate::command::{Disk, gunicorn};
use crate::{facts, host};

/// Where the configuration comes from, besides files.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// What was used at the start.
    pub(crate) values: Vec<Value>,
    /// And what stood in tables of the file.
    pub(crate) tables: Vec<[String; 3]>,
    /// What is to be said of another server's configuration.
    pub(crate) notes: Vec<Note>,
}

impl Source {
    /// Says in the log what became of another server's configuration.
    pub(crate) fn say_notes(&self, log: &Log) {
        for note in &self.notes {
            match note {
                Note::Warning(text) => {
                    log.report(Incident::IMPORTED_OPTION_DIFFERS, format_args!("{text}"));
                }
                Note::Info(text) => log.info(format_args!("{text}")),
            }
        }
    }
}

/// What no file has as its name: the text is what gunicorn's configuration said.
const GUNICORN: &str = "\0gunicorn";

/// The configuration as it is now.
pub(crate) struct Renewal {
    source: RefCell<Source>,
    settings: RefCell<Rc<Settings>>,
    /// The directory of the start, by its name: a deployment may put another one there.
    directory: Option<PathBuf>,
}

/// Files, and what was read of them.
#[derive(Default)]
struct Recorded {
    directory: Option<PathBuf>,
    texts: RefCell<BTreeMap<String, Option<String>>>,
}

/// What another process read.
struct Replayed(BTreeMap<String, Option<String>>);

impl Files for Recorded {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        let text =
            Disk.read(&self.directory.as_ref().map_or_else(|| path.to_owned(), |start| start.join(path)))?;
        self.texts.borrow_mut().insert(path.to_string_lossy().into_owned(), text.clone());
        Ok(text)
    }

    fn fact(&self, about: &Fact<'_>) -> Option<String> {
        let answer = facts::answer(about, self.directory.as_deref());
        self.texts.borrow_mut().insert(about.key(), answer.clone());
        answer
    }

    fn gunicorn(&self, location: Option<&str>) -> Result<Option<String>, String> {
        let text = gunicorn(location, self.directory.as_deref())?;
        self.texts.borrow_mut().insert(GUNICORN.to_owned(), text.clone());
        Ok(text)
    }
}

impl Files for Replayed {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        Ok(self.0.get(path.to_string_lossy().as_ref()).cloned().flatten())
    }

    fn fact(&self, about: &Fact<'_>) -> Option<String> {
        self.0.get(&about.key()).cloned().flatten()
    }

    fn gunicorn(&self, _location: Option<&str>) -> Result<Option<String>, String> {
        Ok(self.0.get(GUNICORN).cloned().flatten())
    }
}

impl Renewal {
    pub(crate) fn new(source: Source, settings: Settings) -> Renewal {
        Renewal {
            source: RefCell::new(source),
            settings: RefCell::new(Rc::new(settings)),
            directory: host::start_directory(),
        }
    }

    /// The settings that hold.
    pub(crate) fn settings(&self) -> Rc<Settings> {
        self.settings.borrow().clone()
    }

    /// Everything with its origin, without secrets.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let source = self.source.borrow();
        shown(&source.values, &source.tables)
    }

    /// In the supervisor: reads the configuration anew and checks it. From then on it holds for new processes; what is given is
    /// for those that run.
    ///
    /// # Errors
    /// In words for the operator; then nothing has changed.
    pub(crate) fn read(&self, log: &Log) -> Result<OwnedFd, String> {
        let files = Recorded { directory: self.directory.clone(), ..Recorded::default() };
        let loaded = self.load(&files)?;
        let settings = self.renewed(loaded.settings);
        tapster_front::check(&settings)?;
        let text = serde_json::to_vec(&*files.texts.borrow()).map_err(|error| error.to_string())?;
        let file = to_file(&text).map_err(|error| format!("cannot hand over the configuration: {error}"))?;
        let names = left_out(&self.source.borrow().values, &loaded.values);
        if !names.is_empty() {
            let names = names.join(", ");
            log.report(
                Incident::CHANGE_NEEDS_START,
                format_args!("what is new of these takes another start (USR2): {names}"),
            );
        }
        let mut source = self.source.borrow_mut();
        (source.values, source.tables) = (loaded.values, loaded.tables);
        drop(source);
        self.settings.replace(Rc::new(settings));
        Ok(file)
    }

    /// In a front: the settings that the supervisor read.
    ///
    /// # Errors
    /// When they are none.
    pub(crate) fn take(&self, text: &[u8]) -> Result<Settings, String> {
        let texts = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        Ok(self.renewed(self.load(&Replayed(texts))?.settings))
    }

    fn load(&self, files: &dyn Files) -> Result<Box<Loaded>, String> {
        let source = self.source.borrow();
        match tapster_config::load(&source.arguments, &source.environment, files) {
            Ok(Command::Serve(loaded)) => Ok(loaded),
            Ok(_) => Err("the command line asks for nothing to serve".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn renewed(&self, mut new: Settings) -> Settings {
        host::make_paths_absolute(&mut new);
        let settings = self.settings();
        // Django was asked at the start, and said more than stands in the file.
        if settings.static_options.django {
            new.static_files.clone_from(&settings.static_files);
        }
        settings.renewed(new)
    }
}

fn to_file(text: &[u8]) -> io::Result<OwnedFd> {
    let mut file = memory::unnamed_file("tapster-configuration")?;
    file.write_all(text)?;
    Ok(file.into())
}
