//! `-` as the output: the whole model goes to standard output, and the summary to standard error.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use super::temporary_model::TemporaryModel;
use crate::error::{Error, Result};
use crate::onnx::WrittenFiles;

/// Standard output as the output of a command.
pub const PATH: &str = "-";
/// Its name in messages.
pub const NAME: &str = "standard output";

/// A model for standard output. It is written to a temporary file first, since the cores write its weights in any order.
pub struct ToStandardOutput(TemporaryModel);

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
        TemporaryModel::new(NAME).map(Self)
    }

    /// The temporary file of the model.
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// The error if writing the model fails.
    pub fn error(&self, error: Error) -> Error {
        self.0.error(error)
    }

    /// Sends the model to standard output.
    ///
    /// # Errors
    /// If the model has a second file, or standard output is closed.
    pub fn send(&self, written: &WrittenFiles) -> Result<()> {
        self.0.check_files(written)?;
        let unsent = |error: io::Error| Error::new(NAME, format!("it cannot be written: {error}"));
        let mut out = io::stdout().lock();
        io::copy(&mut File::open(self.path()).map_err(unsent)?, &mut out).map_err(unsent)?;
        out.flush().map_err(unsent)
    }
}
