//! What the user points at: a checkpoint, its folder, or an archive with one in it.

mod archive;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::checkpoint::Checkpoint;
use crate::error::Result;

/// A model as the user has it.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    checkpoint: Checkpoint,
    /// Where an archive was unpacked; gone with the model.
    unpacked: Option<TempDir>,
}

impl Model {
    /// Opens what lies at `path`: a checkpoint (see [`Checkpoint::open`]), or an archive (tar, tar.gz, zip) that
    /// holds one. An archive is unpacked into a private folder that is removed with the model.
    ///
    /// # Errors
    /// Where there is no checkpoint, more than one, or an archive that cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let (checkpoint, unpacked) = match archive::Kind::of(path) {
            None => (Checkpoint::open(path)?, None),
            Some(kind) => {
                let folder = archive::unpack(path, kind)?;
                let inside = archive::checkpoint_folder(path, folder.path())?;
                let checkpoint = Checkpoint::open(&inside).map_err(|error| {
                    // The reader knows the archive, not where it was unpacked.
                    error.with_path_replaced(folder.path(), path)
                })?;
                (checkpoint, Some(folder))
            }
        };
        Ok(Self { path: path.to_owned(), checkpoint, unpacked })
    }

    /// The model's weights.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// What to call the model: the path of its checkpoint, or of the archive it is in.
    pub fn path(&self) -> &Path {
        if self.unpacked.is_some() { &self.path } else { self.checkpoint.path() }
    }

    /// An error that names what the user pointed at.
    pub fn error(&self, error: crate::error::Error) -> crate::error::Error {
        match &self.unpacked {
            Some(folder) => error.with_path_replaced(folder.path(), &self.path),
            None => error,
        }
    }
}
