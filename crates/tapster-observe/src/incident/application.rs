//! What goes wrong in the application and on the way to it: exceptions, time-outs, broken promises.

use super::incidents;

incidents! {
    APPLICATION_FAILED = 301 Error "application-failed" {
        happened: "The application raised an exception that it did not catch, or broke WSGI in a way that cannot be answered. The traceback is below the line, with the method, path, id, worker and thread of the request.",
        costs: "This client got 500, or where the answer had begun a connection that ends in the middle. If it says that close() failed, the client has its answer.",
        remedy: "The last line of the traceback is the exception, the line above it the place. The same one again and again is logged whole a few times and then counted (`--log-repeats`).",
    }
    APPLICATION_NOT_LOADED = 302 Error "application-not-loaded" {
        happened: "The application cannot be imported, or is not what `APP` says. The reason or the traceback is below.",
        costs: "At the start: nobody is served. At a reload: none, the workers with the old code go on.",
        remedy: "Wrong name: `tapster MODULE:CALLABLE`, and `--chdir` or `--pythonpath` for where it is. A missing module: the virtual environment that `tapster` is installed in is the one that counts.",
    }
    BODY_TOO_LONG = 303 Warning "body-too-long" {
        happened: "The application sent a longer body than the Content-Length that it had announced. The rest was dropped.",
        costs: "The client has as much as was announced, which may be a page cut off.",
        remedy: "Leave Content-Length to the server, or count bytes and not characters. A middleware that changes the body has to change the length too.",
    }
    BODY_TOO_SHORT = 304 Warning "body-too-short" {
        happened: "The application sent a shorter body than the Content-Length that it had announced. The connection was closed.",
        costs: "The client sees an answer that is not whole, and browsers say so.",
        remedy: "Leave Content-Length to the server, or count bytes and not characters. A file that shrinks while it is sent has the same effect.",
    }
    SIGNAL_HANDLER_FAILED = 305 Error "signal-handler-failed" {
        happened: "A handler that the application set by `signal.signal` raised.",
        costs: "None: the worker goes on.",
        remedy: "The traceback below names the place.",
    }
    PANIC = 306 Error "panic" {
        happened: "A defect of tapster, or of an extension written in Rust, ended one request. It was caught.",
        costs: "This client got 500 or a closed connection. Everything else goes on.",
        remedy: "Please report it with the lines around it. If it comes with one kind of request only, that says where.",
    }
    REQUEST_SLOW = 307 Warning "request-slow" {
        happened: "A request has run for longer than `--slow-log` without an answer. Below the line is what its thread does at this moment.",
        costs: "Its client waits, and one thread is not there for others.",
        remedy: "The innermost frame is the place: a database, another service without a time-out, a lock. `tapster stacks` shows all threads, `tapster profile` where time goes.",
    }
    REQUEST_TIMED_OUT = 308 Error "request-timed-out" {
        happened: "A request took longer than `--request-timeout` and was ended. Below the line is where it was.",
        costs: "The client got 504, or a cut connection where the answer had begun.",
        remedy: "Give what it waits for a time-out of its own, shorter than that of requests. If the time is needed, raise `--request-timeout` (and the proxy's).",
    }
    WORKER_STUCK = 309 Error "worker-stuck" {
        happened: "A thread does not come back after its time-out, or the interpreter's lock cannot be had: the worker is to be replaced. Below the line are the stacks.",
        costs: "Requests of that worker wait until its successor is there, some seconds; the one that hangs is lost.",
        remedy: "The stacks show who holds the lock: a C extension that does not release it, or a loop without an end. `--timeout-grace` and `--gil-timeout` say how long is too long.",
    }
    STACKS_NOT_READ = 310 Warning "stacks-not-read" {
        happened: "The stacks or the profile of a worker cannot be had, because the system gives it no thread for that.",
        costs: "None.",
        remedy: "Look at `ulimit -u`, `TasksMax=` of the unit, `pids.max` of the control group, and free memory.",
    }
    REQUEST_NOT_INTERRUPTED = 311 Warning "request-not-interrupted" {
        happened: "A request whose time was over cannot be interrupted, because the system gives the worker no thread for that.",
        costs: "Its client was answered; its thread is not there for others, and the worker will be replaced.",
        remedy: "Look at `ulimit -u`, `TasksMax=` of the unit, `pids.max` of the control group, and free memory.",
    }
    FILE_NOT_SENT = 312 Warning "file-not-sent" {
        happened: "A file that the application answers with (`wsgi.file_wrapper`) became shorter or could not be read to its end. The connection was closed.",
        costs: "The client has a part of the file and can see that it is not whole.",
        remedy: "Replace files by renaming a new one over them, never by writing into them. An I/O error points to the disk.",
    }
    STREAM_HOLDS_THREAD = 313 Warning "stream-holds-thread" {
        happened: "A streamed answer is ahead of its slow client and cannot go to a file meanwhile, so it holds a thread.",
        costs: "With some slow clients all threads may be held, and others wait.",
        remedy: "Make room in `--temp-dir` and let the workers write there, or name another directory.",
    }
    INTERNAL_FILE_MISSING = 314 Warning "internal-file-missing" {
        happened: "The application had a file sent by name (`X-Accel-Redirect`) that is none of `--static-internal`.",
        costs: "The client got 404.",
        remedy: "Compare the name with the prefix and the directory of `--static-internal`, and look whether the file is there and readable by `--user`.",
    }
    PRELOAD_STEP_FAILED = 315 Error "preload-step-failed" {
        happened: "A step of the template of `--preload`, before or after it forks, raised.",
        costs: "None as a rule: workers are forked all the same, with what the step would have put in order.",
        remedy: "The message has the exception. If workers misbehave afterwards, leave `--preload` out and report it.",
    }
    PRELOAD_DOUBTFUL = 316 Warning "preload-doubtful" {
        happened: "While the application was imported for `--preload` it opened connections or started threads that forked workers cannot share.",
        costs: "None yet. Workers that share a connection get each other's answers.",
        remedy: "Open such things after the fork (`tapster.on_fork`) or with the first request, or leave `--preload` out.",
    }
    SIGNALS_NOT_AWAITED = 317 Error "signals-not-awaited" {
        happened: "The main thread of a worker cannot wait for the signals that the application handles.",
        costs: "None. Handlers set by `signal.signal` run late.",
        remedy: "Report it with the version of the kernel.",
    }
    PRELOAD_NOT_SHARED = 318 Warning "preload-not-shared" {
        happened: "The import for `--preload` left threads that forked workers would not have, and `--preload-fallback` (or a `uwsgi.ini` without `lazy-apps`) has each worker import the application by itself. The threads are named below.",
        costs: "None, but the memory that workers would have shared.",
        remedy: "Start threads in each worker (`tapster.on_fork`, or uwsgidecorators' `postfork`), or write `lazy-apps = true`, which says what happens now.",
    }
}
