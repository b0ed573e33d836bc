//! What is known of the file system that a directory is on. Asked by the watcher of `--reload`.

use std::path::Path;

/// Whether changes that are made elsewhere (by the server of a network file system, by the host of a virtual machine
/// or container) are told of here by inotify. They are not on NFS, SMB, 9P, FUSE and the like.
#[cfg(target_os = "linux")]
pub fn tells_of_changes(path: &Path) -> bool {
    /// `f_type` of statfs(2): NFS, SMB, CIFS, SMB2, 9P, FUSE (also virtiofs, sshfs, Docker Desktop), VirtualBox, VMware,
    /// Parallels, Ceph, AFS.
    const SILENT: [u32; 11] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        0x6573_5546,
        0x786f_4256,
        0xbacb_acbc,
        0x7c7c_6673,
        0x00c3_6400,
        0x5346_414f,
    ];
    // The low 32 bits are the number, however wide the field is on this machine.
    rustix::fs::statfs(path).is_ok_and(|found| !SILENT.contains(&(found.f_type as u32)))
}

/// Whether changes that are made elsewhere are told of here. Not known on this system, and taken to be so.
#[cfg(not(target_os = "linux"))]
pub fn tells_of_changes(_path: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_file_systems_tell() {
        assert!(tells_of_changes(&std::env::temp_dir()));
        assert!(tells_of_changes(Path::new("/nowhere/at/all")) == cfg!(not(target_os = "linux")));
    }
}
