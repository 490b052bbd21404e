//! Reads TensorFlow checkpoints of both versions.
//!
//! [`Checkpoint::open`] maps the files and reads the list of tensors, but no weights: opening 500 MB takes as long as
//! opening 5 MB. A [`StoredTensor`] reads its bytes on demand, if possible without a copy, and verifies their checksum
//! the first time.
//!
//! Checkpoints come from the internet and are not trusted: offsets, lengths and shapes are checked against the file
//! before they are used.

mod block;
mod bundle_strings;
mod bundle_writer;
mod crc;
pub mod kind;
pub mod listing;
mod locate;
mod objects;
mod ordered_code;
mod saved_values;
mod slices;
mod state_file;
mod stored;
mod table;
mod table_writer;
mod v1;
mod v2;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Result;
use crate::file_state::FileState;
pub use bundle_writer::write_bundle;
use locate::Located;
pub(crate) use locate::{is_part_of_checkpoint, with_suffix};
pub use stored::StoredTensor;

/// The two formats of checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// One file, or one file for each shard. `tf.train.Saver` wrote this format before TensorFlow 0.12, and most published
    /// TF-Slim weights have it.
    V1,
    /// An index and data files, as later versions of TensorFlow write them.
    V2,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V1 => "V1",
            Self::V2 => "V2",
        })
    }
}

/// An open checkpoint, with its list of tensors.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: Arc<Path>,
    version: Version,
    files: Vec<PathBuf>,
    /// The state of the files when they were opened.
    states: Vec<FileState>,
    /// Sorted by name.
    tensors: Vec<StoredTensor>,
}

impl Checkpoint {
    /// Opens the checkpoint that `path` names. This can be
    /// - a V1 file, one of its shards, or the common prefix of the shards,
    /// - the prefix of a V2 checkpoint, its index, one of its data files, or the `.meta` file beside it,
    /// - a folder whose `checkpoint` file names a checkpoint, or that contains only one.
    ///
    /// # Errors
    /// If there is no checkpoint or more than one, if one of its files is missing, or if the list of tensors is
    /// damaged. Damaged values are found when they are read.
    pub fn open(path: &Path) -> Result<Self> {
        let (version, path, (states, mut tensors)) = match locate::locate(path)? {
            Located::V1(path, files) => {
                let path: Arc<Path> = path.into();
                let opened = v1::open(&path, &files)?;
                (Version::V1, path, opened)
            }
            Located::V2(prefix) => {
                let prefix: Arc<Path> = prefix.into();
                let opened = v2::open(&prefix)?;
                (Version::V2, prefix, opened)
            }
        };
        let files = states.iter().map(|state| state.path().to_owned()).collect();
        tensors.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        Ok(Self { path, version, files, states, tensors })
    }

    /// Whether the file at this path is a V1 checkpoint or a shard of one, or the index of a V2 checkpoint.
    pub fn is_single_file(path: &Path) -> bool {
        locate::is_table(path)
    }

    /// The path of the checkpoint: the V1 file, or the common prefix of its files.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of its format.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its files. A data file that contains no tensor is not one of them.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The state of the files when they were opened.
    pub fn file_states(&self) -> &[FileState] {
        &self.states
    }

    /// The tensors, sorted by name.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &StoredTensor> {
        self.tensors.iter()
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&StoredTensor> {
        let position = self.tensors.binary_search_by(|tensor| tensor.name().cmp(name)).ok()?;
        self.tensors.get(position)
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }
}
