//! TensorFlow checkpoints of both versions: what tensors they hold, and where the elements are.
//!
//! [`Checkpoint::open`] maps the files and reads what lists the tensors, but no weights: opening 500 MB
//! takes as long as opening 5. A [`StoredTensor`] hands out its bytes when it is asked, from the mapped file
//! where they lie there as they are, and compares them with their checksum the first time.
//!
//! Files from the internet are read here, so nothing in them is believed: offsets, lengths and shapes are
//! checked against the file before they are used.

mod block;
mod bundle_strings;
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
mod v1;
mod v2;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Result;
use crate::file_state::FileState;
use locate::Located;
pub use stored::StoredTensor;

/// The two formats of checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// One file, or one a shard: what `tf.train.Saver` wrote before TensorFlow 0.12, and most published
    /// TF-Slim weights.
    V1,
    /// An index and data files: what TensorFlow writes since.
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

/// A checkpoint whose list of tensors has been read.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: Arc<Path>,
    version: Version,
    files: Vec<PathBuf>,
    /// The files as they were when they were opened.
    states: Vec<FileState>,
    /// In the order of their names.
    tensors: Vec<StoredTensor>,
}

impl Checkpoint {
    /// Opens the checkpoint that `path` means: a V1 file, or one of its shards, or what their names have in
    /// common; the prefix of a V2 checkpoint, its index, one of its data files, or the `.meta` file beside
    /// it; a folder whose `checkpoint` file names one, or that holds just one.
    ///
    /// # Errors
    /// Where there is no checkpoint, or several, where one of its files is missing, or where what lists its
    /// tensors is damaged. Damaged values are found when they are read.
    pub fn open(path: &Path) -> Result<Self> {
        let now = |files: &[PathBuf]| -> Vec<FileState> {
            files.iter().filter_map(|file| FileState::of(file)).collect()
        };
        let (version, path, states, (files, mut tensors)) = match locate::locate(path)? {
            Located::V1(path, files) => {
                let path: Arc<Path> = path.into();
                // Small values are compared with their checksums at once.
                let states = now(&files);
                let tensors = v1::open(&path, &files)?;
                (Version::V1, path, states, (files, tensors))
            }
            Located::V2(prefix) => {
                let prefix: Arc<Path> = prefix.into();
                let (files, tensors) = v2::open(&prefix)?;
                // Of the data files nothing has been read yet, and the index has their checksums.
                (Version::V2, prefix, now(&files), (files, tensors))
            }
        };
        tensors.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(Self { path, version, files, states, tensors })
    }

    /// Whether the file at this path is a checkpoint by itself: one of V1 that has no other shards.
    pub fn is_single_file(path: &Path) -> bool {
        locate::is_table(path)
    }

    /// The path that stands for the checkpoint: the V1 file, or what the names of its files start with.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format it is in.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The files it consists of. A data file that no tensor lies in is not one of them.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The files as they were when they were opened.
    pub fn file_states(&self) -> &[FileState] {
        &self.states
    }

    /// The tensors, in the order of their names.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &StoredTensor> {
        self.tensors.iter()
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&StoredTensor> {
        let position = self.tensors.binary_search_by(|tensor| tensor.name().cmp(name)).ok()?;
        Some(&self.tensors[position])
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
