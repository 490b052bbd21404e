//! How much larger than an archive its contents may be.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What any archive may unpack to, however small it is.
const BASE: u64 = 64 << 20;
/// The same for a pipe, where nobody knows how much is still to come.
const BASE_OF_PIPE: u64 = 1 << 30;
/// How many times the size of the archive it may unpack to: weights become hardly smaller, and text to a tenth.
const TIMES: u64 = 20;
/// The most bytes that are unpacked: more than any published checkpoint has, but not enough to fill a disk unnoticed.
const MOST: u64 = 64 << 30;

/// How much an archive may unpack to.
#[derive(Debug, Clone)]
pub struct Growth {
    archive: PathBuf,
    /// The size of the archive, if it is a file.
    size: Option<u64>,
}

impl Growth {
    /// Of an archive, and its size if it is a file.
    pub fn of(archive: &Path, size: Option<u64>) -> Self {
        Self { archive: archive.to_owned(), size }
    }

    /// Of a file of this size.
    #[cfg(test)]
    pub fn of_file(size: u64) -> Self {
        Self::of(Path::new("a.gz"), Some(size))
    }

    /// The most bytes that `read` bytes may unpack to.
    pub fn most(&self, read: u64) -> u64 {
        let base = if self.size.is_some() { BASE } else { BASE_OF_PIPE };
        self.size.unwrap_or(read).saturating_mul(TIMES).saturating_add(base)
    }

    /// Checks what was unpacked of `read` bytes.
    ///
    /// # Errors
    /// If that is too much.
    pub fn check(&self, read: u64, unpacked: u64) -> Result<()> {
        if unpacked > self.most(read) {
            let problem = format!("it unpacks to more than {TIMES} times its size, which no model does");
            return Err(Error::file(&self.archive, problem).advice("unpack it by hand if you trust it"));
        }
        if unpacked > MOST {
            let problem = format!("it would unpack to more than {} GiB", MOST >> 30);
            return Err(Error::file(&self.archive, problem).advice("unpack it by hand"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_measured_by_what_came_so_far() {
        let (file, pipe) = (Growth::of(Path::new("a"), Some(1 << 20)), Growth::of(Path::new("-"), None));
        assert!(file.check(0, 70 << 20).is_ok() && file.check(0, 90 << 20).is_err());
        assert!(pipe.check(0, 1 << 30).is_ok() && pipe.check(0, 2 << 30).is_err());
        assert!(pipe.check(1 << 30, 20 << 30).is_ok());
        assert!(file.check(0, u64::MAX).is_err() && pipe.check(u64::MAX, u64::MAX).is_err());
    }
}
