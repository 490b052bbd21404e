//! Detects files that were written to while they were read, or could not be read. A mapped file shows such changes: a checksum may
//! be computed from old bytes, and new bytes copied after that.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use crate::error::{Error, Result};

/// The state of a file when it was opened: its identity, its length, and the time of its last modification.
#[derive(Debug, Clone)]
pub struct FileState {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    length: u64,
    modified: Option<SystemTime>,
    /// Whether a part of the file could not be read since then.
    has_failed: Arc<AtomicBool>,
}

impl FileState {
    /// The state of a file with this metadata.
    pub fn new(path: &Path, metadata: &Metadata) -> Self {
        Self {
            path: path.to_owned(),
            identity: identity(metadata),
            length: metadata.len(),
            modified: metadata.modified().ok(),
            has_failed: Arc::default(),
        }
    }

    /// The current state of the file at a path.
    ///
    /// # Errors
    /// If the system cannot tell it.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::new(path, &fs::metadata(path)?))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A flag to set if a part of the file cannot be read.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.has_failed.clone()
    }

    /// An error about the contents of the file. If the file has changed or cannot be read any more, it says so instead.
    pub fn explain(&self, error: Error) -> Error {
        self.check().err().unwrap_or(error)
    }

    /// Checks that the whole file could be read, and was not written to. A file that was replaced or removed counts as unchanged:
    /// processes that have opened it still read the old content.
    ///
    /// # Errors
    /// If the file was written to, or could not be read.
    pub fn check(&self) -> Result<()> {
        let has_changed = fs::metadata(&self.path).is_ok_and(|now| {
            let is_same_file = identity(&now) == self.identity;
            is_same_file && (now.len(), now.modified().ok()) != (self.length, self.modified)
        });
        if has_changed {
            let problem = "it was written to while it was read, so its values may be old and new ones";
            return Err(
                Error::file(&self.path, problem).advice("convert it again when no process writes to it")
            );
        }
        if self.has_failed.load(Ordering::SeqCst) {
            return Err(Error::file(
                &self.path,
                "a part of it cannot be read, or was cut off while it was read",
            )
            .advice("copy it to another disk, which tells whether this one is broken"));
        }
        Ok(())
    }

    /// Checks that the file was neither written to nor replaced, so that its path leads to what was opened.
    ///
    /// # Errors
    /// If it leads to something else.
    pub fn check_current(&self) -> Result<()> {
        self.check()?;
        let parts = |state: &Self| (state.identity, state.length, state.modified);
        if Self::of(&self.path).is_ok_and(|now| parts(&now) == parts(self)) {
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
