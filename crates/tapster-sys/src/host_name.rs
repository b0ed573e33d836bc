//! The name of this host.

/// What `hostname` prints.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
