//! Output files: written beside their destination and renamed into place, so that a failure leaves what was
//! there and nothing half-written.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file that is not there yet.
#[derive(Debug)]
pub struct OutputFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl OutputFile {
    /// Begins the file for `path`.
    ///
    /// # Errors
    /// Where `path` is a folder, or its folder cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::file(path, "the output is an existing folder").advice("name a file in it"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(Error::file(path, format!("there is no folder {}", folder.display()))
                .advice("make it, or choose another output"));
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tf2onnx-rs-").suffix(".partial");
        // A temporary file is readable by its owner only; this one is to become an ordinary file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        match builder.tempfile_in(folder) {
            Ok(file) => Ok(Self { file, path: path.to_owned() }),
            Err(error) => Err(unwritable(path, &error)),
        }
    }

    /// The file to write to.
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Reserves the room that the file will need. Filesystems write faster into room they know of, and a disk that is too
    /// full is noticed before anything is written.
    ///
    /// # Errors
    /// Where there is not so much room.
    pub fn reserve(&self, bytes: u64) -> Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            use rustix::io::Errno;
            // Filesystems that cannot do it are written to all the same.
            if let Err(full @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) =
                fallocate(self.file(), FallocateFlags::empty(), 0, bytes.max(1))
            {
                return Err(self.error(&full.into()));
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = bytes;
        Ok(())
    }

    /// Writes bytes at a place in the file, whatever other threads write elsewhere in it.
    ///
    /// # Errors
    /// Where the disk is full or broken.
    pub fn write_at(&self, at: u64, bytes: &[u8]) -> Result<()> {
        #[cfg(unix)]
        let written = std::os::unix::fs::FileExt::write_all_at(self.file(), bytes, at);
        #[cfg(windows)]
        let written = {
            let mut done = 0;
            loop {
                if done == bytes.len() {
                    break Ok(());
                }
                match std::os::windows::fs::FileExt::seek_write(self.file(), &bytes[done..], at + done as u64)
                {
                    Ok(count) => done += count,
                    Err(error) => break Err(error),
                }
            }
        };
        written.map_err(|error| self.error(&error))
    }

    /// What to say where writing fails.
    pub fn error(&self, error: &std::io::Error) -> Error {
        unwritable(&self.path, error)
    }

    /// Puts the file into its place.
    ///
    /// # Errors
    /// Where the destination cannot be replaced.
    pub fn persist(self) -> Result<()> {
        let Self { file, path } = self;
        file.persist(&path).map(drop).map_err(|error| unwritable(&path, &error.error))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::file(path, format!("it cannot be written: {error}")).advice("choose another output")
}
