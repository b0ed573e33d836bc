//! Memory that all processes of a server share: the scoreboard lies in it.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::mm::{MapFlags, ProtFlags};

/// A row of words in shared memory, all zero at first. Forked children see the same words; so does whoever maps
/// [`as_fd`](AsFd::as_fd). Unmapped when dropped.
#[derive(Debug)]
pub struct SharedWords {
    start: NonNull<AtomicU64>,
    words: usize,
    file: OwnedFd,
}

// SAFETY: the mapping belongs to the value alone until it is dropped, and is only seen as atomics.
unsafe impl Send for SharedWords {}
// SAFETY: as above: every access is atomic.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Makes `words` words (at least one). `name` shows in `/proc/*/maps`; it need not be unique.
    pub fn create(name: &str, words: usize) -> io::Result<SharedWords> {
        let words = words.max(1);
        let length =
            words.checked_mul(size_of::<AtomicU64>()).ok_or(io::Error::from(io::ErrorKind::OutOfMemory))?;
        let file = shared_file(name, length as u64)?;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                &file,
                0,
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or(io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(SharedWords { start, words, file })
    }
}

impl Deref for SharedWords {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is `words` words long, page-aligned, lives as long as `self`, cannot shrink (sealed
        // on Linux, nameless elsewhere), and every bit pattern is an AtomicU64.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl AsFd for SharedWords {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `create` with this length, and nothing borrows it any more.
        let _ =
            unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.words * size_of::<AtomicU64>()) };
    }
}

/// An empty file without a name, in memory where the system has such a thing. `name` is for people who look at
/// `/proc/*/fd`.
#[cfg(target_os = "linux")]
pub fn unnamed_file(name: &str) -> io::Result<std::fs::File> {
    Ok(rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

/// An empty file without a name.
#[cfg(not(target_os = "linux"))]
pub fn unnamed_file(name: &str) -> io::Result<std::fs::File> {
    let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(target_os = "linux")]
fn shared_file(name: &str, length: u64) -> io::Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, SealFlags};
    let file = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    rustix::fs::ftruncate(&file, length)?;
    // Nobody who gets at the file may cut it short, which would kill its readers (SIGBUS).
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn shared_file(name: &str, length: u64) -> io::Result<OwnedFd> {
    use std::sync::atomic::Ordering;

    use rustix::fs::Mode;
    use rustix::shm::{self, OFlags};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // macOS allows 31 bytes.
    let start: String = name.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let path = format!("/{start}.{:x}.{count:x}", std::process::id());
    let file = shm::open(&path, OFlags::CREATE | OFlags::EXCL | OFlags::RDWR, Mode::RUSR | Mode::WUSR)?;
    shm::unlink(&path)?;
    rustix::fs::ftruncate(&file, length)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn words_start_at_zero_and_keep_what_is_stored() {
        let words = SharedWords::create("tapster-test", 1000).unwrap();
        assert_eq!(words.len(), 1000);
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        words[999].store(u64::MAX, Ordering::Relaxed);
        words[0].fetch_add(2, Ordering::Relaxed);
        assert_eq!(words[999].load(Ordering::Relaxed), u64::MAX);
        assert_eq!(words[0].load(Ordering::Relaxed), 2);
    }

    #[test]
    fn the_file_shows_the_words() {
        use std::os::unix::fs::FileExt;
        let words = SharedWords::create("tapster-test", 4).unwrap();
        words[2].store(0x0102_0304, Ordering::Relaxed);
        let file = std::fs::File::from(words.file.try_clone().unwrap());
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, 16).unwrap();
        assert_eq!(u64::from_ne_bytes(bytes), 0x0102_0304);
        assert!(cfg!(not(target_os = "linux")) || file.set_len(0).is_err());
    }

    #[test]
    fn too_much_is_an_error() {
        assert!(SharedWords::create("tapster-test", usize::MAX / 2).is_err());
    }
}
