//! Files as they were when they were opened. What is mapped changes under the hands of who reads it: a checksum may be that of
//! the old bytes, and what is copied after it the new ones.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Result};

/// A file as it was at some time: which one it was, how long, and when it was written last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    length: u64,
    modified: Option<SystemTime>,
}

impl FileState {
    /// The state of a file as it is now; `None` where there is none.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            path: path.to_owned(),
            identity: identity(&metadata),
            length: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }

    /// Compares the file with what it was. One that was replaced or removed is still there for who has it open, and counts as
    /// unchanged.
    ///
    /// # Errors
    /// Where the file itself was written to.
    pub fn check(&self) -> Result<()> {
        let Some(now) = Self::of(&self.path) else { return Ok(()) };
        let is_other_file = now.identity != self.identity;
        if is_other_file || now == *self {
            return Ok(());
        }
        Err(Error::file(
            &self.path,
            "it was written to while it was read, and its values are of before and after that",
        )
        .advice("convert it again when nothing writes to it any more"))
    }
}

/// What tells a file from another one at the same path: its device and its number there.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

/// Elsewhere a file that is mapped cannot be replaced.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_that_is_written_to_is_told_from_one_that_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["file", "other"].map(|name| folder.path().join(name));
        fs::write(&path, "before").unwrap();
        // Writing twice within a tick of the system's clock would not show.
        let earlier = SystemTime::now() - Duration::from_secs(60);
        fs::File::options().write(true).open(&path).unwrap().set_modified(earlier).unwrap();
        let state = FileState::of(&path).unwrap();
        assert!(state.check().is_ok());
        fs::write(&other, "afterwards").unwrap();
        fs::write(&path, "behind").unwrap();
        assert!(state.check().unwrap_err().to_string().contains("written to while it was read"));
        fs::rename(&other, &path).unwrap();
        assert_eq!(state.check().is_ok(), cfg!(unix));
        fs::remove_file(&path).unwrap();
        assert!(state.check().is_ok());
    }
}
