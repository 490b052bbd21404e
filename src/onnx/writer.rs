//! The streaming writer: writes a model in one pass and transposes each weight at most once.
//!
//! `plan` computes the offset of every byte beforehand, so threads can write the segments of a file in any order.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::plan::{CHUNK_BYTES, Content, Plan, PlannedFile, Segment};
use super::write_queue::{self, Chunk, WriteQueue};
use super::{Initializer, Model};
use crate::error::Result;
use crate::file_state::FileState;
use crate::interruption::Interruption;
use crate::output::{OutputFile, target_of};
use crate::tensor::BlockLayout;

/// Options for writing a model.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Whether to write the weights to a file beside the model even if the model's own file can hold them (below 2 GiB).
    pub external_data: bool,
}

/// The files that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFiles {
    /// Bytes of all files.
    pub bytes: u64,
    /// The file beside the model that holds its weights.
    pub external_data: Option<PathBuf>,
}

/// A model that is written to temporary files. Dropping it removes them, and keeps a file that was there before.
#[derive(Debug)]
pub struct WrittenModel {
    /// The files that were written.
    pub files: WrittenFiles,
    model: OutputFile,
    weights: Option<OutputFile>,
}

impl WrittenModel {
    /// Renames the temporary files to their final names: the weights first, so that the model never lacks them.
    ///
    /// # Errors
    /// If an existing file cannot be replaced.
    pub fn persist(self) -> Result<()> {
        // The files that they were made of were checked when they were written.
        OutputFile::persist_all(self.weights.into_iter().chain([self.model]), &[])
    }
}

/// Writes the model to `path`. On an error, an existing file stays as it is. Calls `progress` with the number of bytes
/// written so far and the number of bytes of all files.
///
/// # Errors
/// Those of [`write_beside`], and if an existing file cannot be replaced.
pub fn write_model(
    model: &Model,
    path: &Path,
    options: &WriteOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<WrittenFiles> {
    let written = write_beside(model, path, options, progress)?;
    let files = written.files.clone();
    written.persist().map(|()| files)
}

/// Writes the model to temporary files beside `path`.
///
/// # Errors
/// If the files cannot be written, a weight cannot be read, a file that contains weights changed meanwhile, or the
/// model is too large for one file even without its weights.
pub fn write_beside(
    model: &Model,
    path: &Path,
    options: &WriteOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<WrittenModel> {
    // If the path is a link, both files are written beside the link's target.
    let path = &target_of(path)?;
    let location = path.file_name().map(|name| name.to_string_lossy() + ".data").unwrap_or_default();
    let plan = Plan::new(model, &location, options.external_data)?;
    let total = plan.total();
    let interruption = Interruption::current();
    let written = AtomicU64::new(0);
    let write = |file: &PlannedFile<'_>, path: &Path| {
        let output = OutputFile::create(path)?;
        output.reserve(file.total)?;
        let write = |offset: u64, bytes: &[u8]| {
            interruption.check()?;
            output.write_at(offset, bytes)?;
            let before = written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            progress(before + bytes.len() as u64, total);
            Ok(())
        };
        let queue = WriteQueue::new(&write);
        file.segments.par_iter().with_max_len(1).try_for_each(|segment| segment.write(&queue))?;
        Ok(output)
    };
    let (weights, external_data) = match &plan.external {
        Some(file) => {
            let mut beside = OsString::from(path);
            beside.push(".data");
            let beside = PathBuf::from(beside);
            (Some(write(file, &beside)?), Some(beside))
        }
        None => (None, None),
    };
    // Checked after everything is read: if a file changed meanwhile, its checksums do not cover what was written.
    let sources = &model.sources;
    let model = write(&plan.model, path)?;
    sources.iter().try_for_each(FileState::check)?;
    Ok(WrittenModel { files: WrittenFiles { bytes: total, external_data }, model, weights })
}

impl Segment<'_> {
    /// Writes small initializers together, and a large one in chunks.
    fn write(&self, queue: &WriteQueue<'_>) -> Result<()> {
        let parts = match &self.content {
            Content::Gathered(parts) => parts,
            Content::Large(initializer) => {
                write_large(initializer, self.offset, queue)?;
                initializer.value.release();
                return Ok(());
            }
        };
        let mut buffer = queue.buffer()?;
        // Four times the size, because float32 elements that become bytes have four times the size before.
        let out = buffer.bytes_mut(4 * self.bytes as usize);
        let mut length = 0;
        for (message, initializer) in parts {
            out[length..][..message.len()].copy_from_slice(message);
            length += message.len();
            if let Some(initializer) = initializer {
                length += initializer.value.open()?.fill_all(&mut out[length..])?;
                initializer.value.release();
            }
        }
        let layout = BlockLayout { length, offset: 0, row_length: length, stride: length };
        queue.push(Chunk { offset: self.offset, layout, buffer })
    }
}

/// Writes the elements of a large initializer, on all idle threads.
fn write_large(initializer: &Initializer, offset: u64, queue: &WriteQueue<'_>) -> Result<()> {
    let elements = initializer.value.open()?;
    if let Some(bytes) = elements.unchanged() {
        let chunks = bytes.chunks(CHUNK_BYTES).enumerate();
        return chunks
            .map(|(index, chunk)| (offset + (index * CHUNK_BYTES) as u64, chunk))
            .try_for_each(|(offset, chunk)| queue.write_now(offset, chunk));
    }
    let max_bytes = (write_queue::BUFFER_BYTES / write_queue::buffer_count()).max(CHUNK_BYTES);
    elements.blocks(CHUNK_BYTES, max_bytes).par_iter().with_max_len(1).try_for_each(|block| {
        let mut buffer = queue.buffer()?;
        let layout = elements.fill(block, &mut buffer)?;
        queue.push(Chunk { offset, layout, buffer })
    })
}
