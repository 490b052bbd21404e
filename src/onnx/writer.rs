//! The streaming writer: the model goes to its file in one pass, each weight from its checkpoint through at most
//! one transpose. Here is where bytes move: `plan` has said where each of them belongs, and the cores take
//! stretches of the files and write them in whatever order they come to them.

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::plan::{PIECE_BYTES, Plan, PlannedFile, Stretch};
use super::{Initializer, Model};
use crate::error::Result;
use crate::output::OutputFile;
use crate::tensor::Room;

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

/// Writes the model to `path`, or leaves what is there as it is. `progress` is told the bytes written so far and
/// those of all files.
///
/// # Errors
/// Where the target cannot be written, a weight cannot be read, or the model is too large for one file even without its
/// weights.
pub fn write_model(
    model: &Model,
    path: &Path,
    options: &WriteOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<WriteReport> {
    let location = path.file_name().map(|name| name.to_string_lossy() + ".data").unwrap_or_default();
    let plan = Plan::new(model, &location, options.external_data)?;
    let total = plan.total();
    let written = AtomicU64::new(0);
    let write = |file: &PlannedFile<'_>, path: &Path| {
        let output = OutputFile::create(path)?;
        output.reserve(file.total)?;
        // Every piece has its place in the file from the start, so that the cores need not wait for each other.
        let write = |at: u64, bytes: &[u8]| {
            output.write_at(at, bytes)?;
            let before = written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            progress(before + bytes.len() as u64, total);
            Ok(())
        };
        file.stretches.par_iter().with_max_len(1).try_for_each(|stretch| stretch.write(&write))?;
        Ok(output)
    };
    let external = match &plan.external {
        Some(file) => {
            let mut beside = OsString::from(path);
            beside.push(".data");
            let beside = PathBuf::from(beside);
            Some((write(file, &beside)?, beside))
        }
        None => None,
    };
    let output = write(&plan.model, path)?;
    // Both are complete: the weights take their place first, so that there is never a model without them.
    let external_data = match external {
        Some((file, path)) => file.persist().map(|()| Some(path))?,
        None => None,
    };
    output.persist()?;
    Ok(WriteReport { bytes: total, external_data })
}

/// What the blocks that all cores are working on may have together. The longer a piece of the file is that is written at
/// once, the better: ext4 takes four times as long for the same bytes in pieces of 16 KB as for those in pieces of 256 KB,
/// one core at a time. It is also the most memory that a conversion takes for weights.
const BLOCKS_BYTES: usize = 32 << 20;

/// Writes bytes at a place in the file.
type WriteAt<'a> = dyn Fn(u64, &[u8]) -> Result<()> + Sync + 'a;

thread_local! {
    /// What a core is about to write. It is kept from one piece to the next: new memory would cost more than filling it.
    static GATHERED: RefCell<Vec<u8>> = const { RefCell::new(vec![]) };
    static ROOM: RefCell<Room> = RefCell::new(Room::default());
}

impl Stretch<'_> {
    /// Small initializers are gathered and written at once, large ones piece by piece.
    fn write(&self, write: &WriteAt<'_>) -> Result<()> {
        if let [(message, Some(initializer))] = &self.parts[..]
            && self.bytes > PIECE_BYTES as u64
        {
            write(self.at, message)?;
            return write_large(initializer, self.at + message.len() as u64, write);
        }
        let mut gathered = GATHERED.take();
        gathered.clear();
        for (message, initializer) in &self.parts {
            gathered.extend_from_slice(message);
            if let Some(initializer) = initializer {
                initializer.value.open()?.append_to(&mut gathered)?;
            }
        }
        let written = write(self.at, &gathered);
        GATHERED.set(gathered);
        written
    }
}

/// Writes the elements of a large initializer, by all cores that have nothing else to do.
fn write_large(initializer: &Initializer, at: u64, write: &WriteAt<'_>) -> Result<()> {
    let elements = initializer.value.open()?;
    if let Some(bytes) = elements.in_order() {
        let pieces = bytes.par_chunks(PIECE_BYTES).enumerate();
        return pieces.try_for_each(|(index, piece)| write(at + (index * PIECE_BYTES) as u64, piece));
    }
    let most = BLOCKS_BYTES / rayon::current_num_threads();
    elements.blocks(PIECE_BYTES, most.max(PIECE_BYTES)).par_iter().with_max_len(1).try_for_each(|block| {
        let mut room = ROOM.take();
        let written = elements.fill(block, &mut room).and_then(|filled| {
            let places = (at + filled.place as u64..).step_by(filled.distance);
            places.zip(filled.bytes.chunks(filled.row)).try_for_each(|(place, row)| write(place, row))
        });
        ROOM.set(room);
        written
    })
}
