//! Whether this process runs in a container, where a loopback address means nobody outside. Asked once at start.

use std::path::Path;

/// Whether the process runs in a container, by the marks that Docker, Podman, systemd-nspawn, LXC and Kubernetes leave.
pub fn in_container() -> bool {
    has_file()
        || has_variable()
        || std::fs::read_to_string("/proc/1/cgroup").is_ok_and(|text| names_one(&text))
}

fn has_file() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|path| Path::new(path).exists())
}

fn has_variable() -> bool {
    // systemd's container interface; Kubernetes' service discovery.
    ["container", "KUBERNETES_SERVICE_HOST"].iter().any(|name| std::env::var_os(name).is_some())
}

/// Whether a line of `/proc/1/cgroup` lies in a folder of a container runtime.
fn names_one(text: &str) -> bool {
    let runtimes = ["docker", "kubepods", "containerd", "libpod", "lxc"];
    text.lines().any(|line| runtimes.iter().any(|name| line.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_groups_of_runtimes_are_known() {
        assert!(names_one("12:pids:/docker/0123abc\n"));
        assert!(names_one("0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-1.scope"));
        assert!(!names_one("0::/init.scope\n1:name=systemd:/\n"));
        let _ = in_container();
    }
}
