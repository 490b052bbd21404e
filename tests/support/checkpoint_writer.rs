//! Writes checkpoints as TensorFlow does, with a given content.
//!
//! Sources: `tensorflow/core/util/tensor_slice_writer.cc` (V1), `util/tensor_bundle/tensor_bundle.cc` (V2) and
//! `lib/io/table_builder.cc`. TensorFlow reads the files.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use prost::Message;
use tf2onnx_rs::proto::{
    BundleEntryProto, BundleHeaderProto, DataType, SavedSlice, SavedSliceMeta, SavedTensorSliceMeta,
    SavedTensorSlices, TensorProto, TensorShapeProto, TensorSliceProto, VersionDef, tensor_shape_proto::Dim,
    tensor_slice_proto::Extent,
};

/// Values of a variable, in C order.
#[derive(Debug, Clone)]
pub enum Values {
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    UInt8(Vec<u8>),
    Bool(Vec<bool>),
    Strings(Vec<Vec<u8>>),
}

/// A variable to be written.
#[derive(Debug, Clone)]
pub struct Variable {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Values,
}

impl Variable {
    pub fn float32(name: &str, shape: &[usize], values: Vec<f32>) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), values: Values::Float32(values) }
    }

    /// An int64 scalar, such as `global_step`.
    pub fn int64_scalar(name: &str, value: i64) -> Self {
        Self { name: name.into(), shape: vec![], values: Values::Int64(vec![value]) }
    }
}

impl Values {
    pub fn dtype(&self) -> DataType {
        match self {
            Self::Float32(_) => DataType::DtFloat,
            Self::Float64(_) => DataType::DtDouble,
            Self::Int32(_) => DataType::DtInt32,
            Self::Int64(_) => DataType::DtInt64,
            Self::UInt8(_) => DataType::DtUint8,
            Self::Bool(_) => DataType::DtBool,
            Self::Strings(_) => DataType::DtString,
        }
    }

    /// As V1 has them: in the field of their type, without type or shape.
    pub fn to_proto(&self) -> TensorProto {
        let mut proto = TensorProto::default();
        match self.clone() {
            Self::Float32(values) => proto.float_val = values,
            Self::Float64(values) => proto.double_val = values,
            Self::Int32(values) => proto.int_val = values,
            Self::Int64(values) => proto.int64_val = values,
            Self::UInt8(values) => proto.int_val = values.into_iter().map(i32::from).collect(),
            Self::Bool(values) => proto.bool_val = values,
            Self::Strings(values) => proto.string_val = values,
        }
        proto
    }

    /// As V2 has them, and their checksum.
    pub fn to_bundle(&self) -> (Vec<u8>, u32) {
        let bytes: Vec<u8> = match self {
            Self::Float32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::Float64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::Int32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::Int64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::UInt8(values) => values.clone(),
            Self::Bool(values) => values.iter().map(|&v| u8::from(v)).collect(),
            Self::Strings(values) => return bundle_strings(values),
        };
        let crc = masked_crc(&bytes);
        (bytes, crc)
    }
}

fn bundle_strings(strings: &[Vec<u8>]) -> (Vec<u8>, u32) {
    let (mut bytes, mut hashed) = (vec![], vec![]);
    for string in strings {
        push_varint(&mut bytes, string.len() as u64);
        hashed.extend((string.len() as u32).to_le_bytes());
    }
    let lengths_crc = masked_crc(&hashed).to_le_bytes();
    for part in std::iter::once(&lengths_crc[..]).chain(strings.iter().map(|string| &string[..])) {
        bytes.extend(part);
        hashed.extend(part);
    }
    let crc = masked_crc(&hashed);
    (bytes, crc)
}

pub fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

pub fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub fn shape_proto(shape: &[usize]) -> TensorShapeProto {
    let dim = |&size: &usize| Dim { size: size as i64, name: String::new() };
    TensorShapeProto { dim: shape.iter().map(dim).collect(), unknown_rank: false }
}

/// The slice that is the whole of a tensor of this rank.
pub fn whole(rank: usize) -> TensorSliceProto {
    TensorSliceProto { extent: vec![Extent { start: 0, length: None }; rank] }
}

/// A slice by (start, length) along each axis.
pub fn slice(extents: &[(i64, i64)]) -> TensorSliceProto {
    let extent = |&(start, length): &(i64, i64)| Extent { start, length: Some(length) };
    TensorSliceProto { extent: extents.iter().map(extent).collect() }
}

/// The key of a slice, for extents below 64.
pub fn slice_key(name: &str, slice: &TensorSliceProto) -> Vec<u8> {
    let small = |number: i64| 0x80 ^ u8::try_from(number & 0xff).expect("a byte");
    let mut key = [&[0], name.as_bytes(), &[0, 1]].concat();
    match slice.extent.len() {
        0 => key.push(0),
        rank => key.extend([1, rank as u8]),
    }
    for extent in &slice.extent {
        key.extend([small(extent.start), small(extent.length.unwrap_or(-1))]);
    }
    key
}

/// Whether the blocks of a table are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Snappy,
}

/// Bytes of a block after which TensorFlow starts another one.
const BLOCK_BYTES: usize = 256 << 10;
const RESTART_INTERVAL: usize = 16;

/// One block under construction.
#[derive(Default)]
struct BlockBuilder {
    bytes: Vec<u8>,
    restarts: Vec<u32>,
    entries: usize,
    last_key: Vec<u8>,
}

impl BlockBuilder {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        let mut shared = 0;
        if self.entries.is_multiple_of(RESTART_INTERVAL) {
            self.restarts.push(self.bytes.len() as u32);
        } else {
            shared = key.iter().zip(&self.last_key).take_while(|(a, b)| a == b).count();
        }
        for number in [shared, key.len() - shared, value.len()] {
            push_varint(&mut self.bytes, number as u64);
        }
        self.bytes.extend(&key[shared..]);
        self.bytes.extend(value);
        self.last_key = key.to_vec();
        self.entries += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        if self.restarts.is_empty() {
            self.restarts.push(0);
        }
        self.bytes.extend(self.restarts.iter().flat_map(|restart| restart.to_le_bytes()));
        self.bytes.extend((self.restarts.len() as u32).to_le_bytes());
        self.bytes
    }
}

/// A table under construction.
pub struct TableWriter<W> {
    out: W,
    compression: Compression,
    offset: usize,
    block: BlockBuilder,
    block_bytes: usize,
    index: BlockBuilder,
}

impl<W: Write> TableWriter<W> {
    pub fn new(out: W, compression: Compression, block_bytes: usize) -> Self {
        let (block, index) = Default::default();
        Self { out, compression, offset: 0, block, block_bytes, index }
    }

    /// Adds an entry; keys ascend.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> std::io::Result<()> {
        self.block.add(key, value);
        if self.block.bytes.len() >= self.block_bytes { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> std::io::Result<()> {
        let block = std::mem::take(&mut self.block);
        let last_key = block.last_key.clone();
        let handle = self.write_block(&block.finish())?;
        self.index.add(&last_key, &handle);
        Ok(())
    }

    fn write_block(&mut self, contents: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stored = match self.compression {
            Compression::None => contents.to_vec(),
            Compression::Snappy => snap::raw::Encoder::new().compress_vec(contents)?,
        };
        let mut handle = vec![];
        push_varint(&mut handle, self.offset as u64);
        push_varint(&mut handle, stored.len() as u64);
        stored.push(u8::from(self.compression == Compression::Snappy));
        stored.extend(masked_crc(&stored).to_le_bytes());
        self.out.write_all(&stored)?;
        self.offset += stored.len();
        Ok(handle)
    }

    pub fn finish(mut self) -> std::io::Result<W> {
        if self.block.entries > 0 {
            self.end_block()?;
        }
        let mut footer = self.write_block(&BlockBuilder::default().finish())?;
        let index = std::mem::take(&mut self.index).finish();
        footer.extend(self.write_block(&index)?);
        footer.resize(40, 0);
        footer.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
        self.out.write_all(&footer)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// A table of these entries, which are put in order.
pub fn table(mut entries: Vec<(Vec<u8>, Vec<u8>)>, compression: Compression, block_bytes: usize) -> Vec<u8> {
    entries.sort();
    let mut writer = TableWriter::new(vec![], compression, block_bytes);
    for (key, value) in entries {
        writer.add(&key, &value).expect("memory can be written to");
    }
    writer.finish().expect("memory can be written to")
}

/// The entry of a V1 table that lists these tensors.
pub fn v1_list(tensor: Vec<SavedSliceMeta>) -> (Vec<u8>, Vec<u8>) {
    let versions = Some(VersionDef { producer: 1, ..Default::default() });
    let meta = Some(SavedTensorSliceMeta { tensor, versions });
    (vec![], SavedTensorSlices { meta, data: None }.encode_to_vec())
}

/// What the list says of one tensor.
pub fn v1_listed(
    name: &str,
    dtype: DataType,
    shape: &[usize],
    slice: Vec<TensorSliceProto>,
) -> SavedSliceMeta {
    SavedSliceMeta { name: name.into(), shape: Some(shape_proto(shape)), r#type: dtype as i32, slice }
}

/// The entry of a V1 table with the values of one slice.
pub fn v1_slice(name: &str, slice: TensorSliceProto, values: &Values) -> (Vec<u8>, Vec<u8>) {
    let key = slice_key(name, &slice);
    let data = Some(SavedSlice { name: name.into(), slice: Some(slice), data: Some(values.to_proto()) });
    (key, SavedTensorSlices { meta: None, data }.encode_to_vec())
}

/// Writes a V1 checkpoint: one file.
pub fn write_v1(path: &Path, variables: &[Variable], compression: Compression) -> std::io::Result<()> {
    let mut variables: Vec<&Variable> = variables.iter().collect();
    let list = variables.iter().map(|variable| {
        let Variable { name, shape, values } = variable;
        v1_listed(name, values.dtype(), shape, vec![whole(shape.len())])
    });
    let (list_key, list) = v1_list(list.collect());
    let mut writer = TableWriter::new(BufWriter::new(File::create(path)?), compression, BLOCK_BYTES);
    writer.add(&list_key, &list)?;
    variables.sort_by_key(|variable| slice_key(&variable.name, &whole(variable.shape.len())));
    for Variable { name, shape, values } in variables {
        let (key, value) = v1_slice(name, whole(shape.len()), values);
        writer.add(&key, &value)?;
    }
    writer.finish()?;
    Ok(())
}

/// The entry of a V2 index under the empty key.
pub fn v2_header(num_shards: i32) -> (Vec<u8>, Vec<u8>) {
    let version = Some(VersionDef { producer: 1, ..Default::default() });
    (vec![], BundleHeaderProto { num_shards, endianness: 0, version }.encode_to_vec())
}

/// What a V2 index says of values in the first data file.
pub fn v2_entry(values: &Values, shape: &[usize], offset: usize) -> BundleEntryProto {
    let (bytes, crc32c) = values.to_bundle();
    BundleEntryProto {
        dtype: values.dtype() as i32,
        shape: Some(shape_proto(shape)),
        shard_id: 0,
        offset: offset as i64,
        size: bytes.len() as i64,
        crc32c,
        slices: vec![],
    }
}

/// Writes a V2 checkpoint: an index, and one data file.
pub fn write_v2(prefix: &Path, variables: &[Variable]) -> std::io::Result<()> {
    let mut data = BufWriter::new(File::create(data_path(prefix))?);
    let (mut entries, mut offset) = (vec![v2_header(1)], 0);
    for Variable { name, shape, values } in variables {
        let (bytes, _) = values.to_bundle();
        entries.push((name.clone().into_bytes(), v2_entry(values, shape, offset).encode_to_vec()));
        data.write_all(&bytes)?;
        offset += bytes.len();
    }
    data.flush()?;
    fs::write(index_path(prefix), table(entries, Compression::None, BLOCK_BYTES))
}

pub fn index_path(prefix: &Path) -> PathBuf {
    PathBuf::from(format!("{}.index", prefix.display()))
}

/// The only data file.
pub fn data_path(prefix: &Path) -> PathBuf {
    PathBuf::from(format!("{}.data-00000-of-00001", prefix.display()))
}
