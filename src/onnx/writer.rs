//! The streaming writer: the model goes to its file in one pass, each weight from its checkpoint through at most
//! one transpose. Here is where bytes move: `plan` has said where each of them belongs, and the cores take
//! stretches of the files and write them in whatever order they come to them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::outbox::{self, Outbox, Piece};
use super::plan::{Content, PIECE_BYTES, Plan, PlannedFile, Stretch};
use super::{Initializer, Model};
use crate::error::Result;
use crate::file_state::FileState;
use crate::output::{OutputFile, target_of};
use crate::tensor::Filled;

/// How a model is written.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Whether to keep the weights in a file beside the model in any case, and not only where a file of ONNX cannot hold
    /// them (from 2 GiB on).
    pub external_data: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteReport {
    /// Bytes of all files.
    pub bytes: u64,
    /// The file beside the model that holds its weights.
    pub external_data: Option<PathBuf>,
}

/// A model that is written and not in its place yet. Dropped, it leaves what is there as it is.
#[derive(Debug)]
pub struct WrittenModel {
    /// What was written.
    pub report: WriteReport,
    model: OutputFile,
    weights: Option<OutputFile>,
}

impl WrittenModel {
    /// Puts it into its place. Its weights take theirs first, so that there is never a model without them.
    ///
    /// # Errors
    /// Where what is there cannot be replaced.
    pub fn persist(self) -> Result<()> {
        self.weights.map_or(Ok(()), OutputFile::persist)?;
        self.model.persist()
    }
}

/// Writes the model to `path`, or leaves what is there as it is. `progress` is told the bytes written so far and
/// those of all files.
///
/// # Errors
/// Those of [`write_beside`], and where what is there cannot be replaced.
pub fn write_model(
    model: &Model,
    path: &Path,
    options: &WriteOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<WriteReport> {
    let written = write_beside(model, path, options, progress)?;
    let report = written.report.clone();
    written.persist().map(|()| report)
}

/// Writes the model beside `path`, where it is to be in the end.
///
/// # Errors
/// Where the target cannot be written, a weight cannot be read, a file that weights lie in was written to meanwhile, or the model is too large for one file even without its
/// weights.
pub fn write_beside(
    model: &Model,
    path: &Path,
    options: &WriteOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<WrittenModel> {
    // What lies beside the model is beside what a link leads to.
    let path = &target_of(path)?;
    let location = path.file_name().map(|name| name.to_string_lossy() + ".data").unwrap_or_default();
    let plan = Plan::new(model, &location, options.external_data)?;
    let total = plan.total();
    let written = AtomicU64::new(0);
    let write = |file: &PlannedFile<'_>, path: &Path| {
        let output = OutputFile::create(path)?;
        output.reserve(file.total)?;
        // Every piece has its place in the file from the start, so that it does not matter which is ready first.
        let write = |at: u64, bytes: &[u8]| {
            output.write_at(at, bytes)?;
            let before = written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            progress(before + bytes.len() as u64, total);
            Ok(())
        };
        let outbox = Outbox::new(&write);
        file.stretches.par_iter().with_max_len(1).try_for_each(|stretch| stretch.write(&outbox))?;
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
    // All has been read by now. Where one of the files changed meanwhile, checksums say nothing of what was written.
    let sources = &model.sources;
    let model = write(&plan.model, path)?;
    sources.iter().try_for_each(FileState::check)?;
    Ok(WrittenModel { report: WriteReport { bytes: total, external_data }, model, weights })
}

impl Stretch<'_> {
    /// Small initializers are gathered and written at once, large ones piece by piece.
    fn write(&self, outbox: &Outbox<'_>) -> Result<()> {
        let parts = match &self.content {
            Content::Gathered(parts) => parts,
            Content::Large(initializer) => {
                write_large(initializer, self.at, outbox)?;
                initializer.value.release();
                return Ok(());
            }
        };
        let mut room = outbox.room()?;
        // Twice as much where all elements are rounded to half of their size.
        let out = room.bytes(2 * self.bytes as usize);
        let mut length = 0;
        for (message, initializer) in parts {
            out[length..][..message.len()].copy_from_slice(message);
            length += message.len();
            if let Some(initializer) = initializer {
                length += initializer.value.open()?.fill_all(&mut out[length..])?;
                initializer.value.release();
            }
        }
        let filled = Filled { length, place: 0, row: length, distance: length };
        outbox.put(Piece { at: self.at, filled, room })
    }
}

/// Writes the elements of a large initializer, by all cores that have nothing else to do.
fn write_large(initializer: &Initializer, at: u64, outbox: &Outbox<'_>) -> Result<()> {
    let elements = initializer.value.open()?;
    if let Some(bytes) = elements.in_order() {
        let pieces = bytes.chunks(PIECE_BYTES).enumerate();
        return pieces
            .map(|(index, piece)| (at + (index * PIECE_BYTES) as u64, piece))
            .try_for_each(|(at, piece)| outbox.put_at_once(at, piece));
    }
    let most = outbox::ROOMS_BYTES / outbox::rooms();
    elements.blocks(PIECE_BYTES, most.max(PIECE_BYTES)).par_iter().with_max_len(1).try_for_each(|block| {
        let mut room = outbox.room()?;
        let filled = elements.fill(block, &mut room)?;
        outbox.put(Piece { at, filled, room })
    })
}
