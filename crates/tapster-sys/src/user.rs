//! Users and groups of this host: who is meant by a name or a number. Asked once, by the supervisor.

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// What the user database says of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// Its own group.
    pub gid: u32,
    /// Its name.
    pub name: CString,
    /// Its home directory.
    pub home: PathBuf,
}

/// The longest record that is read: groups of a large company list all their members.
const LONGEST: usize = 1 << 20;

impl User {
    /// The user with this name. None if there is none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn named(name: &str) -> io::Result<Option<User>> {
        let Ok(name) = CString::new(name) else { return Ok(None) };
        // SAFETY: all pointers are valid for the call, and the length is the buffer's.
        lookup(|entry, buffer, length, found| unsafe {
            libc::getpwnam_r(name.as_ptr(), entry, buffer, length, found)
        })
    }

    /// The user with this number. None if there is none, as is common in containers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn numbered(uid: u32) -> io::Result<Option<User>> {
        // SAFETY: as above.
        lookup(|entry, buffer, length, found| unsafe { libc::getpwuid_r(uid, entry, buffer, length, found) })
    }

    /// The numbers of all groups that it is in, when `gid` is its main one.
    ///
    /// # Errors
    /// When it is in more than 65,536.
    pub fn groups(&self, gid: u32) -> io::Result<Vec<u32>> {
        let mut groups = vec![0; 64];
        loop {
            let room = groups.len();
            let count = group_list(&self.name, gid, &mut groups);
            match count {
                Ok(count) => {
                    groups.truncate(count);
                    return Ok(groups);
                }
                Err(()) if room > 1 << 16 => return Err(io::Error::other("the user is in too many groups")),
                Err(()) => groups.resize(room * 4, 0),
            }
        }
    }
}

/// The numbers of the user and the group that this process has.
pub fn own() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// The number of the group with this name. None if there is none.
///
/// # Errors
/// When the database cannot be read.
pub fn group_named(name: &str) -> io::Result<Option<u32>> {
    let Ok(name) = CString::new(name) else { return Ok(None) };
    let mut buffer = vec![0; 1024];
    loop {
        // SAFETY: all zero is a valid value of this plain structure.
        let mut entry: libc::group = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        // SAFETY: all pointers are valid for the call, and the length is the buffer's.
        let result = unsafe {
            libc::getgrnam_r(name.as_ptr(), &raw mut entry, buffer.as_mut_ptr(), buffer.len(), &raw mut found)
        };
        match result {
            0 => return Ok((!found.is_null()).then_some(entry.gr_gid)),
            libc::ERANGE if buffer.len() < LONGEST => buffer.resize(buffer.len() * 4, 0),
            other => return absent_or(other),
        }
    }
}

type Ask<'a> =
    &'a mut dyn FnMut(*mut libc::passwd, *mut libc::c_char, usize, *mut *mut libc::passwd) -> libc::c_int;

fn lookup(
    mut ask: impl FnMut(*mut libc::passwd, *mut libc::c_char, usize, *mut *mut libc::passwd) -> libc::c_int,
) -> io::Result<Option<User>> {
    let ask: Ask<'_> = &mut ask;
    let mut buffer = vec![0; 1024];
    loop {
        // SAFETY: all zero is a valid value of this plain structure.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        match ask(&raw mut entry, buffer.as_mut_ptr(), buffer.len(), &raw mut found) {
            0 if found.is_null() => return Ok(None),
            0 => return Ok(Some(read(&entry))),
            libc::ERANGE if buffer.len() < LONGEST => buffer.resize(buffer.len() * 4, 0),
            other => return absent_or(other),
        }
    }
}

/// The record that was found, whose texts are in a buffer that still lives.
fn read(entry: &libc::passwd) -> User {
    let text = |text: *const libc::c_char| match text.is_null() {
        true => CString::default(),
        // SAFETY: the database gives texts that end with NUL, in the buffer that was lent for them.
        false => unsafe { CStr::from_ptr(text) }.to_owned(),
    };
    let home = PathBuf::from(OsString::from_vec(text(entry.pw_dir).into_bytes()));
    User { uid: entry.pw_uid, gid: entry.pw_gid, name: text(entry.pw_name), home }
}

/// Databases say in several ways that they do not know somebody (getpwnam(3)).
fn absent_or<T>(error: i32) -> io::Result<Option<T>> {
    match error {
        libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM => Ok(None),
        other => Err(io::Error::from_raw_os_error(other)),
    }
}

/// Fills in the groups and gives their number; an error when there is no room for them.
fn group_list(name: &CStr, gid: u32, groups: &mut [u32]) -> Result<usize, ()> {
    let mut count = i32::try_from(groups.len()).unwrap_or(i32::MAX);
    #[cfg(not(target_vendor = "apple"))]
    let (main, list) = (gid, groups.as_mut_ptr());
    #[cfg(target_vendor = "apple")]
    let (main, list) = (gid.cast_signed(), groups.as_mut_ptr().cast::<libc::c_int>());
    // SAFETY: the name ends with NUL, and the list has room for `count` numbers.
    match unsafe { libc::getgrouplist(name.as_ptr(), main, list, &raw mut count) } {
        -1 => Err(()),
        _ => Ok(usize::try_from(count).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_name_and_number() {
        let root = User::named("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(User::numbered(0).unwrap(), Some(root.clone()));
        assert!(root.home.is_absolute());
        assert!(root.groups(0).unwrap().contains(&0));
        assert!(root.groups(4_000_000).unwrap().contains(&4_000_000), "the main group is one of them");
    }

    #[test]
    fn strangers_are_not_known() {
        assert_eq!(User::named("nobody-of-this-name").unwrap(), None);
        assert_eq!(User::named("with\0nul").unwrap(), None);
        assert_eq!(User::numbered(3_999_999_999).unwrap(), None);
        assert_eq!(group_named("no-group-of-this-name").unwrap(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn groups_have_numbers() {
        assert_eq!(group_named("root").unwrap(), Some(0));
    }
}
