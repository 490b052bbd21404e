//! A model that goes to a place that is not a file: standard output, or the memory of a program.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::onnx::WrittenFiles;
use crate::temporary::Temporary;

/// A model in a temporary folder, on its way to a place that is not a file.
pub struct TemporaryModel {
    folder: Temporary<TempDir>,
    /// The name of that place in messages.
    to: &'static str,
}

impl TemporaryModel {
    /// Makes the temporary folder.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(to: &'static str) -> Result<Self> {
        let failed = |error| Error::new(to, format!("no temporary file can be created: {error}"));
        let folder = Temporary::folder().map_err(failed);
        let folder = folder.map_err(|error| error.advice("set TMPDIR to a folder with enough space"))?;
        Ok(Self { folder, to })
    }

    /// The temporary file of the model.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("model.onnx")
    }

    /// The error if writing the model fails.
    pub fn error(&self, error: Error) -> Error {
        let path = self.path();
        if error.subject() == path.display().to_string() {
            return Error::new(
                self.to,
                format!("the temporary file for it, {}: {}", path.display(), error.problem()),
            )
            .advice("set TMPDIR to a folder with enough space");
        }
        error.with_path_replaced(&path, Path::new(self.to))
    }

    /// Refuses a model that is more than one file.
    ///
    /// # Errors
    /// If it is.
    pub fn check_files(&self, written: &WrittenFiles) -> Result<()> {
        if written.external_data.is_some() {
            let problem = "the model has its weights in a second file, which cannot be sent there";
            return Err(Error::new(self.to, problem).advice("name an output file"));
        }
        Ok(())
    }

    /// The bytes of the model.
    ///
    /// # Errors
    /// If the model has a second file, or the file cannot be read.
    pub fn read(&self, written: &WrittenFiles) -> Result<Vec<u8>> {
        self.check_files(written)?;
        fs::read(self.path()).map_err(|error| self.error(Error::unreadable(self.path(), &error)))
    }
}
