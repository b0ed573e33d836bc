//! Which application is served, with which interpreter.

use crate::uwsgi::row::{Convert, Part, Row, nothing, option, part, stop};

pub(super) static ROWS: &[Row] = &[
    part(&["module", "wsgi"], Part::Module, "the application, `module:callable`").short('w'),
    part(&["wsgi-file", "file"], Part::File, "the application, `path/to/file.py:callable`"),
    part(&["callable"], Part::Callable, "the name of the application in its module"),
    part(&["mount"], Part::Mount, "`--mount /prefix=APP`; the application, where the prefix is `/`"),
    part(&["manage-script-name"], Part::ManageScriptName, "that mounts take their prefix from PATH_INFO")
        .switch(),
    part(&["chdir"], Part::Chdir, "`--chdir`"),
    option(&["virtualenv", "home", "venv", "pyhome"], "virtualenv", Convert::PathAfterChdir).short('H'),
    option(&["pythonpath", "python-path", "pp"], "pythonpath", Convert::PathAfterChdir),
    part(&["env"], Part::Environment, "`--env NAME=VALUE`"),
    part(
        &["plugins", "plugin", "need-plugins", "need-plugin"],
        Part::Plugins,
        "nothing for `python` and `http`; others stop the start",
    ),
    nothing(&["plugins-dir", "plugin-dir", "autoload"], "there are no plugins"),
    nothing(&["single-interpreter"], "each worker has one interpreter").switch().short('i'),
    nothing(&["need-app"], "a server without an application does not start").switch(),
    nothing(&["no-default-app"], "what no mount has is answered with 404").switch(),
    nothing(
        &["py-call-osafterfork", "py-call-uwsgi-fork-hooks", "reload-os-env"],
        "forks run Python's own hooks always",
    )
    .switch(),
    nothing(
        &["skip-atexit", "skip-atexit-teardown"],
        "workers run atexit functions, and are ended if those do not end",
    )
    .switch(),
    nothing(&["wsgi-env-behaviour", "wsgi-env-behavior"], "each request has an environ of its own"),
    nothing(&["wsgi-disable-file-wrapper"], "wsgi.file_wrapper works with every file-like object").switch(),
    nothing(&["wsgi-manage-chunked-input"], "chunked request bodies are decoded always").switch(),
    nothing(&["py-tracebacker"], "`tapster stacks` shows what every thread does"),
    stop(&["chdir2"], "write chdir, or call os.chdir in the application"),
    stop(
        &["paste", "ini-paste", "ini-paste-logged", "paste-logger"],
        "write a module with application = paste.deploy.loadapp(\"config:/path/to/file.ini\") and name it with module",
    ),
    stop(
        &["pecan"],
        "write a module with application = pecan.deploy.deploy(\"/path/to/config.py\") and name it with module",
    ),
    stop(
        &["eval", "web3", "pump", "wsgi-lite"],
        "write a module with a WSGI application and name it with module",
    ),
    stop(
        &[
            "import",
            "pyimport",
            "py-import",
            "python-import",
            "shared-import",
            "shared-pyimport",
            "shared-py-import",
            "shared-python-import",
        ],
        "import it in the module of the application",
    ),
    stop(&["pymodule-alias", "post-pymodule-alias"], "set sys.modules in the module of the application"),
    stop(&["pyargv"], "set sys.argv in the module of the application"),
    stop(&["optimize"], "set the variable PYTHONOPTIMIZE where tapster is started").short('O'),
    stop(&["no-site"], "start tapster with python -S -m tapster").switch(),
    stop(
        &["py-executable", "py-sys-executable", "py-programname", "py-program-name"],
        "start the tapster of that Python",
    ),
    stop(
        &["envdir", "early-envdir"],
        "read the directory where tapster is started: envdir DIR tapster …, or EnvironmentFile= in a systemd unit",
    ),
    stop(&["unenv"], "unset the variable where tapster is started: env -u NAME tapster …"),
    stop(
        &[
            "gevent",
            "gevent-monkey-patch",
            "gevent-early-monkey-patch",
            "gevent-wait-for-hub",
            "async",
            "ugreen",
            "greenlet",
            "asyncio",
            "loop",
        ],
        "leave it out, and write threads = N for as many requests at once as the application may run; slow clients and \
         idle connections cost no thread",
    ),
    stop(
        &["python-worker-override", "pyrun", "pyshell", "pyshell-oneshot", "python-raw"],
        "run that program by itself; tapster serves WSGI applications",
    ),
    stop(&["catch-exceptions"], "leave it out; --reload shows exceptions in the browser, for development")
        .switch(),
    stop(&["wsgi-accept-buffer", "wsgi-accept-buffers"], "have the application give bytes, as WSGI wants it")
        .switch(),
    stop(
        &["vhost", "vhost-host"],
        "run a server for each application, and tapster front with sites before them",
    )
    .switch(),
    stop(&["ignore-script-name"], "leave out SCRIPT_NAME where the web server sets it").switch(),
    stop(
        &["honour-stdin", "daemons-honour-stdin"],
        "workers have no standard input: use breakpoint() with a remote debugger",
    )
    .switch(),
];
