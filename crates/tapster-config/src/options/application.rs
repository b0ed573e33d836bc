//! The options of one group: which application is served, and where it lives.

use super::{ROW, set_env};
use crate::kind::Kind;
use crate::mount;
use crate::option::{Fallback, Group, List, OptionSpec};

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "app",
        metavar: "APP",
        kind: Kind::App(|settings, app| settings.app = Some(app)),
        fallback: Fallback::Words("application or app in wsgi.py, app.py or main.py"),
        group: Group::Application,
        common: true,
        help: "The application: module:callable, module, path/to/file.py, or module:create_app()",
        ..ROW
    },
    OptionSpec {
        name: "chdir",
        metavar: "DIR",
        kind: Kind::Path(|settings, path| settings.chdir = Some(path)),
        fallback: Fallback::Words("the current directory"),
        group: Group::Application,
        common: true,
        help: "Change to this directory before the application is loaded",
        details: "Each new worker changes to it by its path, so a deploy that moves a symbolic link is seen by a reload. \
                  Paths of other options stay relative to the directory of the start.",
        ..ROW
    },
    OptionSpec {
        name: "mount",
        metavar: "/PREFIX=APP",
        kind: Kind::Text {
            allowed: "a path prefix, = and an application, such as /blog=blog.wsgi",
            set: |settings, text| mount::add(&mut settings.mounts, text),
        },
        list: List::Many,
        fallback: Fallback::Words("one application has every path"),
        group: Group::Application,
        help: "Give the paths below a prefix to another application; may be given several times",
        details: "The longest prefix that fits holds; it goes from PATH_INFO to SCRIPT_NAME. Paths below none go to APP, and \
                  without one they are answered with 404.",
        ..ROW
    },
    OptionSpec {
        name: "virtualenv",
        metavar: "DIR",
        kind: Kind::Path(|settings, path| settings.virtualenv = Some(path)),
        fallback: Fallback::Words("the Python that tapster runs on"),
        group: Group::Application,
        help: "Run the application with the packages of this virtual environment",
        details: "If tapster is installed there, that one is started in the place of this one. If it is not, and the environment is of the same \
                  version of Python, its packages are put on the import path; otherwise the start stops and says what to \
                  install.",
        ..ROW
    },
    OptionSpec {
        name: "pythonpath",
        metavar: "DIR",
        kind: Kind::Path(|settings, path| settings.pythonpath.push(path)),
        list: List::Separated(':'),
        fallback: Fallback::Words("none"),
        group: Group::Application,
        help: "Put this directory before the import path",
        ..ROW
    },
    OptionSpec {
        name: "env",
        short: Some('e'),
        metavar: "NAME=VALUE",
        kind: Kind::Pair(set_env),
        list: List::Many,
        fallback: Fallback::Words("none"),
        group: Group::Application,
        common: true,
        help: "Set an environment variable for the application",
        details: "Variables from the file and from flags are put together; for the same name the flag holds. \
                  In the file it is a table: `env = { DEBUG = \"1\" }`.",
        ..ROW
    },
];
