//! Zip archives as outputs.

use std::cell::OnceCell;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{OutputFile, unwritable};
use crate::error::Result;
use crate::file_state::FileState;

/// A zip archive that is being written, of files that are not compressed.
pub struct ArchiveOutput {
    /// `None` when it is complete.
    writer: Option<ZipWriter<Target>>,
    /// Why it cannot be written any more.
    failed: Rc<OnceCell<io::Error>>,
    path: PathBuf,
}

impl ArchiveOutput {
    /// Creates the archive for `path`.
    ///
    /// # Errors
    /// Those of [`OutputFile::create`].
    pub fn create(path: &Path) -> Result<Self> {
        let output = OutputFile::create(path)?;
        let (path, failed) = (output.path.clone(), Rc::<OnceCell<_>>::default());
        let target = Target { output, failed: failed.clone(), position: 0 };
        Ok(Self { writer: Some(ZipWriter::new(target)), failed, path })
    }

    /// Calls `change` with the writer. Errors of the disk come before those that follow from them.
    fn with<T>(&mut self, change: impl FnOnce(&mut ZipWriter<Target>) -> Result<T, ZipError>) -> Result<T> {
        let changed = self.writer.as_mut().map_or(Err(ZipError::FileNotFound), change);
        match (self.failed.get(), changed) {
            (None, Ok(done)) => Ok(done),
            (Some(error), _) => Err(unwritable(&self.path, error)),
            (None, Err(error)) => Err(unwritable(&self.path, &error.into())),
        }
    }

    /// Begins a file. `bytes` is its length, if that is known.
    ///
    /// # Errors
    /// If the disk is full or broken, or the archive has a file of this name.
    pub fn begin_file(&mut self, name: &str, bytes: Option<u64>) -> Result<()> {
        let is_large = bytes.is_none_or(|bytes| bytes > u64::from(u32::MAX / 2));
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(is_large);
        self.with(|writer| writer.start_file(name, options))
    }

    /// Writes to the file that was begun last.
    ///
    /// # Errors
    /// If the disk is full or broken.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.with(|writer| Ok(writer.write_all(bytes)?))
    }

    /// Completes the archive and renames it to its final path.
    ///
    /// # Errors
    /// Those of [`OutputFile::persist`].
    pub fn persist(mut self, sources: &[FileState]) -> Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let finished = writer.finish();
        match self.failed.get() {
            Some(error) => Err(unwritable(&self.path, error)),
            None => finished.map_err(|error| unwritable(&self.path, &error.into()))?.output.persist(sources),
        }
    }
}

impl Drop for ArchiveOutput {
    fn drop(&mut self) {
        // The writer would complete the archive, which nobody wants now.
        let _ = self.failed.set(io::ErrorKind::Interrupted.into());
    }
}

/// The file of an archive. After a failure, it takes everything and writes nothing: the writer completes an archive also when that
/// is of no use any more, and prints an error if it cannot.
struct Target {
    output: OutputFile,
    failed: Rc<OnceCell<io::Error>>,
    position: u64,
}

impl Target {
    /// Does something with the file, or keeps the error and returns `instead`.
    fn attempt<T>(
        &mut self,
        instead: T,
        work: impl Fn(&mut &std::fs::File) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.failed.get().is_none() {
            match work(&mut self.output.file()) {
                Ok(done) => return Ok(done),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    let _ = self.failed.set(error);
                }
            }
        }
        Ok(instead)
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.attempt(bytes.len(), |file| match file.write(bytes)? {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            written => Ok(written),
        })?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt((), |file| file.flush())
    }
}

impl Seek for Target {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let instead = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(by) | SeekFrom::End(by) => self.position.saturating_add_signed(by),
        };
        self.position = self.attempt(instead, |file| file.seek(to))?;
        Ok(self.position)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_counts_and_the_rest_is_silent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive.zip");
        let mut archive = ArchiveOutput::create(&path).unwrap();
        archive.begin_file("a", Some(3)).unwrap();
        archive.write(b"one").unwrap();
        archive.failed.set(io::Error::from_raw_os_error(libc::ENOSPC)).unwrap();
        for _ in 0..2 {
            assert!(archive.write(b"two").unwrap_err().to_string().contains("No space left on device"));
        }
        assert!(archive.begin_file("b", None).is_err());
        let error = archive.persist(&[]).unwrap_err().to_string();
        assert!(error.contains("archive.zip: it cannot be written: No space left on device"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
