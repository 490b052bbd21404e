//! Detects files that were written to while they were read. A mapped file shows such changes: a checksum may be computed
//! from old bytes, and new bytes copied after that.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Result};

/// The state of a file at some time: its identity, its length, and the time of its last modification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    length: u64,
    modified: Option<SystemTime>,
}

impl FileState {
    /// The current state of a file; `None` if it does not exist.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            path: path.to_owned(),
            identity: identity(&metadata),
            length: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }

    /// Checks that the file was not written to. A file that was replaced or removed counts as unchanged: processes that have
    /// opened it still read the old content.
    ///
    /// # Errors
    /// If the file was written to.
    pub fn check(&self) -> Result<()> {
        let Some(now) = Self::of(&self.path) else { return Ok(()) };
        let is_other_file = now.identity != self.identity;
        if is_other_file || now == *self {
            return Ok(());
        }
        Err(Error::file(
            &self.path,
            "it was written to while it was read, so its values may be old and new ones",
        )
        .advice("convert it again when no process writes to it"))
    }

    /// Checks that the file was neither written to nor replaced, so that its path leads to what was opened.
    ///
    /// # Errors
    /// If it leads to something else.
    pub fn check_current(&self) -> Result<()> {
        self.check()?;
        if Self::of(&self.path).as_ref() == Some(self) {
            return Ok(());
        }
        Err(Error::file(&self.path, "it was replaced or removed while it was read")
            .advice("convert it again when no process writes to it"))
    }
}

/// The identity of a file, which distinguishes it from another one at the same path: its device and its inode number.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

/// On other systems, a mapped file cannot be replaced.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_changed_file_is_distinguished_from_a_replaced_one() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["file", "other"].map(|name| folder.path().join(name));
        fs::write(&path, "before").unwrap();
        // Two writes within one tick of the system's clock could not be distinguished.
        let earlier = SystemTime::now() - Duration::from_secs(60);
        fs::File::options().write(true).open(&path).unwrap().set_modified(earlier).unwrap();
        let state = FileState::of(&path).unwrap();
        assert!(state.check().is_ok());
        fs::write(&other, "afterwards").unwrap();
        fs::write(&path, "behind").unwrap();
        assert!(state.check().unwrap_err().to_string().contains("written to while it was read"));
        fs::rename(&other, &path).unwrap();
        assert_eq!(state.check().is_ok(), cfg!(unix));
        assert!(state.check_current().is_err());
        assert!(FileState::of(&path).unwrap().check_current().is_ok());
        fs::remove_file(&path).unwrap();
        assert!(state.check().is_ok());
        assert!(state.check_current().is_err());
    }
}
