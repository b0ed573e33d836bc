//! What `ps` and `htop` show as the command line of a process, changed while it runs. Done by each worker as it starts,
//! so that an operator can tell the workers from each other.

/// Replaces the command line of this process as others see it, cut to the length of the one it was started with. Does
/// nothing where that cannot be (no `/proc`, not Linux): it is a convenience.
///
/// The arguments that the program was given must not be read from their original place any more; CPython and the
/// standard library have copies.
pub fn set_title(title: &str) {
    #[cfg(target_os = "linux")]
    linux::set(title.as_bytes());
    #[cfg(not(target_os = "linux"))]
    let _ = title;
}

#[cfg(target_os = "linux")]
mod linux {
    /// Fields of `/proc/self/stat` (proc_pid_stat(5)) behind the name, which may have spaces: `arg_start` and `arg_end`.
    const FIRST_BEHIND_THE_NAME: usize = 3;
    const ARG_START: usize = 48 - FIRST_BEHIND_THE_NAME;

    pub fn set(title: &[u8]) {
        let Some((start, end)) =
            std::fs::read_to_string("/proc/self/stat").ok().and_then(|text| arguments(&text))
        else {
            return;
        };
        // The kernel takes a last byte that is not NUL for a sign that the title goes on behind it.
        let room = end - start - 1;
        let title = &title[..title.len().min(room)];
        let place = std::ptr::with_exposed_provenance_mut::<u8>(start);
        // SAFETY: the kernel says that the arguments of this process lie there, in memory that exec mapped for writing and
        // that stays for the life of the process. Nobody reads them there any more: this is documented above.
        unsafe {
            std::ptr::write_bytes(place, 0, room + 1);
            std::ptr::copy_nonoverlapping(title.as_ptr(), place, title.len());
        }
    }

    /// Where the arguments lie: not empty. None when the kernel does not tell.
    pub fn arguments(stat: &str) -> Option<(usize, usize)> {
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split_ascii_whitespace().skip(ARG_START).map(str::parse);
        let (start, end): (usize, usize) = (fields.next()?.ok()?, fields.next()?.ok()?);
        (start != 0 && start < end).then_some((start, end))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_the_arguments_is_read_behind_a_name_with_spaces() {
        let fields: Vec<String> = (4..=52).map(|number| number.to_string()).collect();
        assert_eq!(linux::arguments(&format!("7 (a) b) S {}", fields.join(" "))), Some((48, 49)));
        let hidden: Vec<&str> = (4..=52).map(|_| "0").collect();
        assert_eq!(linux::arguments(&format!("7 (a) S {}", hidden.join(" "))), None);
        assert_eq!(linux::arguments("7 (a) S 1 2"), None);
    }

    #[test]
    fn a_title_is_cut_to_its_room() {
        set_title("a title that others see");
        let shown = std::fs::read("/proc/self/cmdline").unwrap();
        assert!(b"a title that others see\0".starts_with(&shown[..shown.len().min(10)]), "{shown:?}");
        set_title(&"long".repeat(10_000));
        assert!(std::fs::read("/proc/self/cmdline").unwrap().starts_with(b"longlong"));
    }
}
