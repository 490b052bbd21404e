//! Reads V1 checkpoints: one file, or one for each shard, each a sorted string table of `SavedTensorSlices` messages.
//!
//! The entry under the empty key lists the tensors. Each other entry contains the values of one slice. Keys repeat
//! information from the messages, so they are not decoded.
//! Source: `tensorflow/core/util/tensor_slice_writer.cc` and `saved_tensor_slice.proto`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message;

use super::block::Entries;
use super::saved_values;
use super::slices::{Slice, full_shape};
use super::stored::{StoredSlice, StoredTensor, Values};
use super::table::{Contents, Table};
use super::wire::{Damage, Fields, Value};
use crate::error::{Error, Result};
use crate::file_state::FileState;
use crate::mapped::MappedFile;
use crate::proto::{SavedSliceMeta, TensorSliceProto, VersionDef};
use crate::tensor::DType;

/// The maximum size of a block whose checksum is verified when the file is opened. Small blocks contain many small
/// tensors. Larger blocks are verified when one of their tensors is read, so that opening a file does not read all of it.
const VERIFIED_ON_OPEN_BYTES: usize = 64 << 10;
/// The same for the block that begins with the list of tensors, which is always needed.
const LIST_VERIFIED_ON_OPEN_BYTES: usize = 1 << 20;
/// `TF_CHECKPOINT_VERSION` of `tensorflow/core/public/version.h`.
const NEWEST_VERSION: i32 = 1;

/// Fields of the messages in `saved_tensor_slice.proto`.
mod field {
    pub(super) const SAVED_TENSOR_SLICES_META: u64 = 1;
    pub(super) const SAVED_TENSOR_SLICES_DATA: u64 = 2;
    pub(super) const META_TENSOR: u64 = 1;
    pub(super) const META_VERSIONS: u64 = 2;
    pub(super) const SAVED_SLICE_NAME: u64 = 1;
    pub(super) const SAVED_SLICE_SLICE: u64 = 2;
    pub(super) const SAVED_SLICE_DATA: u64 = 3;
}

/// A slice whose values are in a block of a V1 file.
#[derive(Debug)]
pub(super) struct SavedSlice {
    table: Arc<Table>,
    block: usize,
    /// The range of the `TensorProto` in the block's contents.
    values: Range<usize>,
}

impl SavedSlice {
    pub(super) fn can_hold(&self, dtype: DType, count: usize) -> bool {
        count.checked_mul(saved_values::min_bytes(dtype)).is_some_and(|bytes| bytes <= self.values.len())
    }

    fn contents(&self) -> Result<Contents<'_>> {
        // The tensor's shape is in the first block.
        self.table.verify(0)?;
        self.table.verify(self.block)?;
        self.table.contents(self.block)
    }

    /// The values in the contents of the block; none if the block has other contents now.
    fn values<'a>(&self, block: &'a [u8]) -> &'a [u8] {
        block.get(self.values.clone()).unwrap_or_default()
    }

    pub(super) fn bytes(&self, dtype: DType, count: usize) -> Result<Cow<'_, [u8]>> {
        let values = match self.contents()? {
            Contents::Mapped(block) => saved_values::numbers(self.values(block), dtype, count),
            Contents::Decompressed(block) => {
                let values = saved_values::numbers(self.values(&block), dtype, count);
                values.map(|values| Cow::Owned(values.into_owned()))
            }
        };
        values.map_err(|damage| self.table.damaged(damage))
    }

    pub(super) fn release(&self) {
        self.table.release(self.block);
    }

    pub(super) fn leave(&self) {
        self.table.file().leave();
    }

    pub(super) fn strings(&self, count: usize) -> Result<Vec<Vec<u8>>> {
        let block = self.contents()?;
        saved_values::strings(self.values(&block), count).map_err(|e| self.table.damaged(e))
    }
}

/// A tensor while its files are read.
struct Draft {
    type_number: i32,
    shape: Vec<usize>,
    slices: Vec<StoredSlice>,
}

type Drafts = BTreeMap<String, Draft>;

/// Reads the list of tensors of a checkpoint from its shards. Returns the states of the files, and the tensors.
pub(super) fn open(checkpoint: &Arc<Path>, files: &[PathBuf]) -> Result<(Vec<FileState>, Vec<StoredTensor>)> {
    let mut drafts = Drafts::new();
    let mut states = vec![];
    for file in files {
        let table = Arc::new(Table::open(MappedFile::open(file)?)?);
        states.push(table.file().state().clone());
        for block in 0..table.block_count() {
            let limit = if block == 0 { LIST_VERIFIED_ON_OPEN_BYTES } else { VERIFIED_ON_OPEN_BYTES };
            if table.block_size(block) <= limit {
                table.verify(block)?;
            }
            let contents = table.contents(block);
            if block == 0 && contents.as_ref().is_ok_and(|contents| is_of_v2(contents)) {
                let problem = "it is the index of a V2 checkpoint, whose tensors are in other files";
                let advice = "rename it to model.ckpt.index and put it beside model.ckpt.data-00000-of-00001, or give an \
                              archive of both";
                return Err(Error::file(file, problem).advice(advice));
            }
            let read = contents.and_then(|block_contents| {
                read_block(&table, block, &block_contents, &mut drafts)
                    .map_err(|damage| table.damaged(damage))
            });
            if let Err(error) = read {
                // A wrong checksum is the better error.
                table.verify(block)?;
                return Err(error);
            }
        }
        if table.block_count() == 0 {
            return Err(table.damaged("its table is empty"));
        }
    }
    let tensors = drafts.into_iter().map(|(name, Draft { type_number, shape, slices })| {
        StoredTensor::new(name, type_number, shape, checkpoint, slices)
    });
    Ok((states, tensors.collect::<Result<_>>()?))
}

/// Whether this is the first block of the index of a V2 checkpoint. In V2, the message under the empty key begins with the
/// number of shards (`BundleHeaderProto` in `tensor_bundle.proto`); in V1, it begins with the list of tensors.
fn is_of_v2(block: &[u8]) -> bool {
    let Ok(mut entries) = Entries::new(block) else { return false };
    let Ok(Some((b"", header))) = entries.next() else { return false };
    let number = Fields::new(block.get(header).unwrap_or_default()).next();
    matches!(number, Some(Ok((field::SAVED_TENSOR_SLICES_META, Value::Varint(_)))))
}

/// Reads the names and slices of a block's entries, without their values.
fn read_block(table: &Arc<Table>, block: usize, contents: &[u8], drafts: &mut Drafts) -> Result<(), Damage> {
    let mut entries = Entries::new(contents)?;
    let mut is_list = block == 0;
    while let Some((key, value)) = entries.next()? {
        if std::mem::take(&mut is_list) {
            if !key.is_empty() {
                return Err("it is a table, but not that of a checkpoint".into());
            }
            read_list(part(contents, value)?, drafts)?;
            continue;
        }
        let Some(saved) = saved_slice(contents, value)? else { continue };
        // Like TensorFlow, ignores slices of tensors that are not in the list.
        let Some(draft) = drafts.get_mut(&saved.name) else { continue };
        let slice = Slice::from_proto(&saved.slice, &draft.shape)
            .map_err(|damage| format!("tensor {:?}: {damage}", saved.name))?;
        let values = Values::V1(SavedSlice { table: table.clone(), block, values: saved.values });
        draft.slices.push(StoredSlice { slice, values });
    }
    Ok(())
}

/// A part of a message.
fn part(message: &[u8], range: Range<usize>) -> Result<&[u8], Damage> {
    message.get(range).ok_or_else(|| "a message in it extends beyond its block".into())
}

/// The range of the last field with this number, which has to be a message or a string.
fn submessage(contents: &[u8], message: Range<usize>, number: u64) -> Result<Option<Range<usize>>, Damage> {
    let mut found = None;
    let start = message.start;
    for field in Fields::new(part(contents, message)?) {
        match field? {
            (field, Value::Bytes(range)) if field == number => {
                found = start
                    .checked_add(range.start)
                    .zip(start.checked_add(range.end))
                    .map(|(start, end)| start..end);
            }
            _ => {}
        }
    }
    Ok(found)
}

fn read_list(message: &[u8], drafts: &mut Drafts) -> Result<(), Damage> {
    const NO_LIST: &str = "unlike a V1 checkpoint, it does not begin with a list of tensors";
    let meta = submessage(message, 0..message.len(), field::SAVED_TENSOR_SLICES_META)?;
    let meta = part(message, meta.ok_or(NO_LIST)?)?;
    for field in Fields::new(meta) {
        match field? {
            (field::META_TENSOR, Value::Bytes(tensor)) => {
                let tensor = SavedSliceMeta::decode(part(meta, tensor)?).map_err(|_| NO_LIST)?;
                list_tensor(tensor, drafts)?;
            }
            (field::META_VERSIONS, Value::Bytes(versions)) => {
                let versions = VersionDef::decode(part(meta, versions)?).map_err(|_| NO_LIST)?;
                if versions.min_consumer > NEWEST_VERSION {
                    return Err(format!("its format has the unknown version {}", versions.min_consumer));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn list_tensor(tensor: SavedSliceMeta, drafts: &mut Drafts) -> Result<(), Damage> {
    let shape = full_shape(&tensor.shape.unwrap_or_default());
    let shape = shape.map_err(|damage| format!("tensor {:?}: {damage}", tensor.name))?;
    match drafts.entry(tensor.name) {
        Entry::Vacant(entry) => {
            entry.insert(Draft { type_number: tensor.r#type, shape, slices: vec![] });
        }
        // Each shard that contains a slice of a partitioned variable lists the variable.
        Entry::Occupied(entry) => {
            if entry.get().shape != shape || entry.get().type_number != tensor.r#type {
                return Err(format!("tensor {:?} has two types or shapes", entry.key()));
            }
        }
    }
    Ok(())
}

/// The name and slice of a message with values, and the range of the values.
struct SliceHeader {
    name: String,
    slice: TensorSliceProto,
    values: Range<usize>,
}

fn saved_slice(contents: &[u8], value: Range<usize>) -> Result<Option<SliceHeader>, Damage> {
    let Some(data) = submessage(contents, value, field::SAVED_TENSOR_SLICES_DATA)? else { return Ok(None) };
    let field = |number| submessage(contents, data.clone(), number);
    let name = part(contents, field(field::SAVED_SLICE_NAME)?.unwrap_or_default())?.to_vec();
    let name = String::from_utf8(name).map_err(|_| "the name of a tensor is not UTF-8")?;
    let slice = part(contents, field(field::SAVED_SLICE_SLICE)?.unwrap_or_default())?;
    let slice = TensorSliceProto::decode(slice);
    let slice = slice.map_err(|_| format!("tensor {name:?}: the offsets of a slice are damaged"))?;
    let values = field(field::SAVED_SLICE_DATA)?.unwrap_or(data.end..data.end);
    Ok(Some(SliceHeader { name, slice, values }))
}
