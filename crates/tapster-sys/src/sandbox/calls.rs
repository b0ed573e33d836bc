//! The part of the sandbox that seccomp does: system calls that no application needs fail with EPERM. A list of what is
//! refused and not of what is allowed, because libraries call the rest.

use std::io;

use libc::c_long;
use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// What is refused, by its number. docs/deployment.md has the same list.
pub(super) const REFUSED: &[c_long] = &[
    // What is mounted where, and files by other ways than their paths.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_setns,
    // The inside of other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Code and tables in the kernel, and those of its parts where faults are found most.
    libc::SYS_bpf,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    KEXEC_FILE_LOAD,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    // What it does escapes this filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Keys of the user, whoever put them there.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // The host.
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_syslog,
];

/// `libc` has no name for it everywhere.
const KEXEC_FILE_LOAD: c_long = if cfg!(target_arch = "x86_64") { 320 } else { 294 };

/// Numbers of a second way into the same kernel: each call again with this bit, and some of them under numbers of their own
/// (ptrace, kexec_load, process_vm_readv, process_vm_writev).
#[cfg(target_arch = "x86_64")]
const X32: (c_long, [c_long; 4]) = (0x4000_0000, [521, 528, 539, 540]);

/// Whether this system can refuse calls with an error.
pub(super) fn can_be_refused() -> bool {
    let action = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the call reads one number, which lives as long as it.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    answer == 0
}

/// Refuses them to every thread of this process, and to what it starts.
pub(super) fn refuse() -> io::Result<()> {
    let filter = filter().map_err(io::Error::other)?;
    seccompiler::apply_filter_all_threads(&filter).map_err(io::Error::other)
}

fn filter() -> Result<BpfProgram, BackendError> {
    let numbers = numbers().map(|number| (number, Vec::new())).collect();
    let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let this = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(numbers, SeccompAction::Allow, refusal, this)?.try_into()
}

#[cfg(target_arch = "x86_64")]
fn numbers() -> impl Iterator<Item = c_long> {
    let (bit, own) = X32;
    let both = REFUSED.iter().copied().chain(own).flat_map(move |number| [number, number | bit]);
    both.collect::<Vec<_>>().into_iter()
}

#[cfg(not(target_arch = "x86_64"))]
fn numbers() -> impl Iterator<Item = c_long> {
    REFUSED.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_can_be_made() {
        let program = filter().unwrap();
        assert!(program.len() > REFUSED.len() && program.len() < 4096, "{}", program.len());
    }
}
