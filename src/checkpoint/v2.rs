//! Reads V2 checkpoints ("tensor bundles"): data files, and an index, which is a sorted string table of entries by name.
//!
//! Source: `tensorflow/core/util/tensor_bundle/tensor_bundle.cc` and `tensor_bundle.proto`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::borrow::Cow;
use std::collections::BTreeMap;

use hashbrown::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use prost::Message;

use super::block::Entries;
use super::locate::{index_path, missing_part, with_suffix};
use super::ordered_code::{SLICE_KEY_START, slice_key};
use super::slices::{MAX_SLICES, Slice, full_shape};
use super::stored::{StoredSlice, StoredTensor, Values};
use super::table::Table;
use super::wire::Damage;
use super::{bundle_strings, crc};
use crate::error::{Error, Result};
use crate::file_state::FileState;
use crate::mapped::MappedFile;
use crate::proto::bundle_header_proto::Endianness;
use crate::proto::{BundleEntryProto, BundleHeaderProto, TensorSliceProto};
use crate::tensor::DType;

/// `kTensorBundleVersion` of `tensor_bundle.cc`.
const NEWEST_VERSION: i32 = 1;

/// The elements of a tensor or of a slice in a data file.
#[derive(Debug)]
pub(super) struct BundleRange {
    shard: Arc<MappedFile>,
    range: Range<usize>,
    crc: u32,
    verified: AtomicBool,
}

impl BundleRange {
    pub(super) fn can_hold(&self, dtype: DType, count: usize) -> bool {
        match dtype.size() {
            Some(size) => count.checked_mul(size) == Some(self.range.len()),
            // The length of each string has at least one byte.
            None => count <= self.range.len(),
        }
    }

    fn damaged(&self, damage: impl std::fmt::Display) -> Error {
        let error = Error::file(self.shard.path(), damage);
        self.shard
            .error(error.advice("the file is damaged or belongs to another checkpoint: download it again"))
    }

    /// The bytes in the shard.
    fn stored(&self) -> Result<&[u8]> {
        self.shard.bytes().get(self.range.clone()).ok_or_else(|| self.damaged("it ends before its values"))
    }

    pub(super) fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        let bytes = self.stored()?;
        if !self.verified.load(Relaxed) {
            if !crc::matches(&self.shard, bytes, self.crc) {
                return Err(self.damaged("the checksum of its values does not match"));
            }
            self.verified.store(true, Relaxed);
        }
        Ok(Cow::Borrowed(bytes))
    }

    pub(super) fn release(&self) {
        self.stored().into_iter().for_each(|bytes| self.shard.release(bytes));
    }

    pub(super) fn leave(&self) {
        self.shard.leave();
    }

    pub(super) fn strings(&self, count: usize) -> Result<Vec<Vec<u8>>> {
        bundle_strings::read(self.stored()?, count, self.crc).map_err(|damage| self.damaged(damage))
    }
}

/// Opens the checkpoint with this prefix. Returns the states of its files, and its tensors.
pub(super) fn open(prefix: &Arc<Path>) -> Result<(Vec<FileState>, Vec<StoredTensor>)> {
    let table = Table::open(MappedFile::open(&index_path(prefix))?)?;
    let index = Index::read(&table)?;
    let shards = Shards::open(prefix, &index)?;
    let mut tensors = vec![];
    for (name, entry) in &index.tensors {
        let damaged = |damage| {
            let error = Error::new(format_args!("tensor {name:?}"), damage).within(prefix.display());
            error.advice("the index is damaged or belongs to another checkpoint: download all files again")
        };
        let shape = full_shape(entry.shape.as_ref().unwrap_or(&Default::default())).map_err(damaged)?;
        let slices = index.stored_slices(name, entry, &shape, &shards).map_err(damaged)?;
        tensors.push(StoredTensor::new(name.clone(), entry.dtype, shape, prefix, slices)?);
    }
    let states = std::iter::once(table.file()).chain(shards.files.values().map(|shard| &**shard));
    Ok((states.map(|file| file.state().clone()).collect(), tensors))
}

/// The contents of the index.
struct Index {
    shard_count: i32,
    /// Sorted by name.
    tensors: Vec<(String, BundleEntryProto)>,
    slices: HashMap<Vec<u8>, BundleEntryProto>,
}

impl Index {
    fn read(table: &Table) -> Result<Self> {
        let mut shard_count = None;
        let (mut tensors, mut slices) = (vec![], HashMap::new());
        let mut last_key = vec![];
        for block in 0..table.block_count() {
            table.verify(block)?;
            let contents = table.contents(block)?;
            let damaged = |damage| table.damaged(damage);
            let mut entries = Entries::new(&contents).map_err(damaged)?;
            while let Some((key, value)) = entries.next().map_err(damaged)? {
                let value = contents.get(value).unwrap_or_default();
                if shard_count.is_none() {
                    shard_count = Some(header(key, value).map_err(damaged)?);
                    continue;
                }
                if key <= &last_key[..] {
                    return Err(table.damaged("the keys of its table are not in order"));
                }
                last_key.clear();
                last_key.extend_from_slice(key);
                let entry = BundleEntryProto::decode(value);
                let entry = entry.map_err(|_| table.damaged("an entry of its table is damaged"))?;
                if key.first() == Some(&SLICE_KEY_START) {
                    slices.insert(key.to_vec(), entry);
                } else {
                    let name = str::from_utf8(key);
                    let name = name.map_err(|_| table.damaged("the name of a tensor is not UTF-8"))?;
                    tensors.push((name.to_owned(), entry));
                }
            }
        }
        let shard_count = shard_count.ok_or_else(|| table.damaged("its table is empty"))?;
        Ok(Self { shard_count, tensors, slices })
    }

    fn stored_slices(
        &self,
        name: &str,
        entry: &BundleEntryProto,
        shape: &[usize],
        shards: &Shards,
    ) -> Result<Vec<StoredSlice>, Damage> {
        if entry.slices.is_empty() {
            return Ok(vec![shards.stored_slice(entry, Slice::whole(shape))?]);
        }
        if entry.slices.len() > MAX_SLICES {
            return Err(format!("it has more than {MAX_SLICES} slices"));
        }
        let mut slices = vec![];
        let mut bytes = 0usize;
        for proto in &entry.slices {
            let slice = Slice::from_proto(proto, shape)?;
            let part = self.slices.get(&slice_key(name, &extents(proto)));
            let part = part.ok_or("one of its slices is not in the index")?;
            let part_shape = full_shape(part.shape.as_ref().unwrap_or(&Default::default()))?;
            if part.dtype != entry.dtype || part_shape != slice.shape() {
                return Err("one of its slices has another type or shape than the tensor".into());
            }
            slices.push(shards.stored_slice(part, slice)?);
            // Otherwise, slices with the same bytes could make a huge tensor from a small file.
            bytes = bytes.saturating_add(usize::try_from(part.size).unwrap_or(usize::MAX));
            if bytes > shards.total_bytes() {
                return Err("its slices have more bytes than the data files".into());
            }
        }
        Ok(slices)
    }
}

/// The extents in the form that the key of the slice uses.
fn extents(slice: &TensorSliceProto) -> Vec<(i64, i64)> {
    slice.extent.iter().map(|extent| (extent.start, extent.length.unwrap_or(-1))).collect()
}

/// Reads the number of data files from the first entry.
fn header(key: &[u8], value: &[u8]) -> Result<i32, Damage> {
    let header = BundleHeaderProto::decode(value).ok().filter(|_| key.is_empty());
    let header = header.ok_or("it is a table, but not the index of a checkpoint")?;
    if header.endianness != Endianness::Little as i32 {
        return Err("it was written on a big-endian machine; save it again on a little-endian machine".into());
    }
    let min_consumer = header.version.map_or(0, |version| version.min_consumer);
    if min_consumer > NEWEST_VERSION {
        return Err(format!("its format has the unknown version {min_consumer}"));
    }
    Ok(header.num_shards)
}

/// The data files that the index refers to.
struct Shards {
    files: BTreeMap<i32, Arc<MappedFile>>,
}

impl Shards {
    fn open(prefix: &Path, index: &Index) -> Result<Self> {
        let mut files = BTreeMap::new();
        let whole = index.tensors.iter().map(|(_, entry)| entry).filter(|entry| entry.slices.is_empty());
        for id in whole.chain(index.slices.values()).map(|entry| entry.shard_id) {
            if files.contains_key(&id) {
                continue;
            }
            if !(0..index.shard_count).contains(&id) {
                let count = index.shard_count;
                let problem = format!("it refers to data file {id} of {count}, which cannot exist");
                return Err(
                    Error::file(index_path(prefix), problem).advice("the file is damaged: download it again")
                );
            }
            let path = with_suffix(prefix, &format!(".data-{id:05}-of-{:05}", index.shard_count));
            if !path.exists() {
                return Err(missing_part(&path));
            }
            files.insert(id, Arc::new(MappedFile::open(&path)?));
        }
        Ok(Self { files })
    }

    fn total_bytes(&self) -> usize {
        self.files.values().fold(0, |sum, file| sum.saturating_add(file.bytes().len()))
    }

    fn stored_slice(&self, entry: &BundleEntryProto, slice: Slice) -> Result<StoredSlice, Damage> {
        let shard = self.files.get(&entry.shard_id).ok_or("its data file is missing")?;
        let range = usize::try_from(entry.offset).ok().zip(usize::try_from(entry.size).ok());
        let range = range.and_then(|(offset, size)| Some(offset..offset.checked_add(size)?));
        let range = range.filter(|range| range.end <= shard.bytes().len()).ok_or_else(|| {
            format!("its values extend beyond the end of {}, which is incomplete", shard.path().display())
        })?;
        let (shard, verified) = (shard.clone(), AtomicBool::new(false));
        let values = Values::V2(BundleRange { shard, range, crc: entry.crc32c, verified });
        Ok(StoredSlice { slice, values })
    }
}
