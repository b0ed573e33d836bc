//! Whether git is at work: a checkout of many files is one change, and is seen whole.

use std::fs;
use std::path::{Path, PathBuf};

/// The file that is there while git changes the working tree that `directory` is a part of. None outside of one.
pub(crate) fn lock_file(directory: &Path) -> Option<PathBuf> {
    let dot_git = directory.ancestors().map(|above| above.join(".git")).find(|path| path.exists())?;
    if dot_git.is_dir() {
        return Some(dot_git.join("index.lock"));
    }
    // A worktree or a submodule: the file names the directory.
    let text = fs::read_to_string(&dot_git).ok()?;
    let named = text.lines().find_map(|line| line.strip_prefix("gitdir:"))?;
    Some(dot_git.parent()?.join(named.trim()).join("index.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_found_from_below_and_from_a_worktree() {
        let base = tempfile::tempdir().unwrap();
        let site = base.path().join("repository/site");
        fs::create_dir_all(&site).unwrap();
        fs::create_dir(base.path().join("repository/.git")).unwrap();
        assert_eq!(lock_file(&site).unwrap(), base.path().join("repository/.git/index.lock"));
        fs::write(site.join(".git"), "gitdir: ../.git/worktrees/site\n").unwrap();
        assert_eq!(lock_file(&site).unwrap(), site.join("../.git/worktrees/site/index.lock"));
    }
}
