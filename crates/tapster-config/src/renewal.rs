//! A configuration that is read anew while the server runs: what of it a front takes, and what needs another start.

use crate::load::Value;
use crate::option::Group;
use crate::options::OPTIONS;
use crate::settings::{Settings, TlsSettings};

/// Options that are read anew although others of their group are not.
const TAKEN: &[&str] = &[
    "keep-alive",
    "head-timeout",
    "io-timeout",
    "min-rate",
    "min-rate-after",
    "queue-timeout",
    "static",
    "upstream",
];

impl Settings {
    /// These settings with what a front takes of `new`: what it serves and from whom, its limits, its time-outs, whom it
    /// believes, its certificates. Sockets, processes, the log and what applications are run with stay.
    pub fn renewed(&self, new: Settings) -> Settings {
        let stays = self.clone();
        let tls = match self.has_tls() == new.has_tls() {
            true => TlsSettings { redirect_bind: stays.tls.redirect_bind, ..new.tls },
            false => stays.tls,
        };
        Settings {
            tls,
            app: stays.app,
            bind: stays.bind,
            bind_explicit: stays.bind_explicit,
            workers: stays.workers,
            threads: stays.threads,
            preload: stays.preload,
            preload_fallback: stays.preload_fallback,
            before_start: stays.before_start,
            refork_after: stays.refork_after,
            worker_connections: stays.worker_connections,
            user: stays.user,
            group: stays.group,
            no_new_privileges: stays.no_new_privileges,
            sandbox: stays.sandbox,
            sandbox_write: stays.sandbox_write,
            umask: stays.umask,
            limit_nofile: stays.limit_nofile,
            hooks: stays.hooks,
            gunicorn: stays.gunicorn,
            pidfile: stays.pidfile,
            touch_reload: stays.touch_reload,
            reload: stays.reload,
            reload_include: stays.reload_include,
            reload_exclude: stays.reload_exclude,
            reload_poll: stays.reload_poll,
            recycling: stays.recycling,
            mounts: stays.mounts,
            virtualenv: stays.virtualenv,
            chdir: stays.chdir,
            pythonpath: stays.pythonpath,
            env: stays.env,
            log_level: stays.log_level,
            log_format: stays.log_format,
            log_repeats: stays.log_repeats,
            log_file: stays.log_file,
            access_log: stays.access_log,
            graceful_timeout: stays.graceful_timeout,
            drain_delay: stays.drain_delay,
            boot_timeout: stays.boot_timeout,
            backlog: stays.backlog,
            socket_mode: stays.socket_mode,
            socket_owner: stays.socket_owner,
            temp_dir: stays.temp_dir,
            control_socket: stays.control_socket,
            admin_bind: stays.admin_bind,
            admin: stays.admin,
            monitoring: stays.monitoring,
            state_dir: stays.state_dir,
            front_alone: stays.front_alone,
            ..new
        }
    }
}

/// The options that were changed, and that [`Settings::renewed`] does not take.
pub fn left_out(old: &[Value], new: &[Value]) -> Vec<&'static str> {
    let texts = |values: &[Value], name: &str| {
        let value = values.iter().find(|value| value.name == name)?;
        Some(value.given.iter().map(|given| given.texts.clone()).collect::<Vec<_>>())
    };
    let stays = OPTIONS.iter().filter(|option| {
        let group = matches!(
            option.group,
            Group::Application
                | Group::Listening
                | Group::Processes
                | Group::Host
                | Group::Logging
                | Group::Control
                | Group::Development
                | Group::Times
        );
        group && !TAKEN.contains(&option.name)
    });
    stays.map(|option| option.name).filter(|name| texts(old, name) != texts(new, name)).collect()
}
