//! `-` as the output: the whole model goes to standard output, and the summary to standard error.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::onnx::WrittenFiles;
use crate::temporary::Temporary;

/// Standard output as the output of a command.
pub const PATH: &str = "-";
/// Its name in messages.
pub const NAME: &str = "standard output";

/// A model for standard output. It is written to a temporary file first, since the cores write its weights in any order.
pub struct ToStandardOutput(Temporary<TempDir>);

impl ToStandardOutput {
    /// Makes the temporary folder.
    ///
    /// # Errors
    /// If standard output is a terminal, or the folder cannot be made.
    pub fn begin() -> Result<Self> {
        if io::stdout().is_terminal() {
            return Err(Error::new(NAME, "it is a terminal, and a model is not text")
                .advice("send it to a file or through a pipe"));
        }
        let failed = |error| Error::new(NAME, format!("no temporary file can be created: {error}"));
        let folder = Temporary::folder().map_err(failed);
        folder.map(Self).map_err(|error| error.advice("set TMPDIR to a folder with enough space"))
    }

    /// The temporary file of the model.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("model.onnx")
    }

    /// The error if writing the model fails.
    pub fn error(&self, error: Error) -> Error {
        let path = self.path();
        if error.subject() == path.display().to_string() {
            return Error::new(
                NAME,
                format!("the temporary file for it, {}: {}", path.display(), error.problem()),
            )
            .advice("set TMPDIR to a folder with enough space");
        }
        error.with_path_replaced(&path, Path::new(NAME))
    }

    /// Sends the model to standard output.
    ///
    /// # Errors
    /// If the model has a second file, or standard output is closed.
    pub fn send(&self, written: &WrittenFiles) -> Result<()> {
        if written.external_data.is_some() {
            return Err(Error::new(
                NAME,
                "the model has its weights in a second file, which cannot be sent there",
            )
            .advice("name an output file"));
        }
        let unsent = |error: io::Error| Error::new(NAME, format!("it cannot be written: {error}"));
        let mut out = io::stdout().lock();
        io::copy(&mut File::open(self.path()).map_err(unsent)?, &mut out).map_err(unsent)?;
        out.flush().map_err(unsent)
    }
}
