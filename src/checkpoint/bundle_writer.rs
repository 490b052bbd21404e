//! Writes V2 checkpoints ("tensor bundles") of one data file.
//!
//! Source: `BundleWriter` in `tensorflow/core/util/tensor_bundle/tensor_bundle.cc`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use prost::Message;
use prost::encoding::encode_varint;

use super::crc;
use super::locate::{index_path, with_suffix};
use super::table_writer::TableWriter;
use crate::error::{Error, Result};
use crate::output::{close, unwritable};
use crate::proto::bundle_header_proto::Endianness;
use crate::proto::tensor_shape_proto::Dim;
use crate::proto::{BundleEntryProto, BundleHeaderProto, TensorShapeProto, VersionDef};
use crate::tensor::{Constant, DType};

/// The version of the format (`kTensorBundleVersion`).
const VERSION: i32 = 1;

/// The bytes of elements that are copied at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Writes the two files of a checkpoint with this prefix, which must not exist. `progress` is called with the bytes of elements
/// that were written. Returns the size of both files.
///
/// # Errors
/// If the files cannot be written, a tensor cannot be read or stored, or two have the same name.
pub fn write_bundle<'a>(
    prefix: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Constant)>,
    progress: &mut dyn FnMut(u64),
) -> Result<u64> {
    let mut tensors: Vec<(&str, &Constant)> = tensors.into_iter().collect();
    tensors.sort_unstable_by_key(|(name, _)| *name);
    if let Some(pair) = tensors.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::new(format!("tensor \"{}\"", pair[0].0), "another tensor has its name"));
    }
    let data = with_suffix(prefix, ".data-00000-of-00001");
    let mut entries = vec![];
    let mut file = DataFile::create(&data)?;
    for (name, value) in &tensors {
        let entry = file.add(value, progress).map_err(|error| error.within(format!("tensor \"{name}\"")))?;
        entries.push((*name, entry));
    }
    let data_bytes = file.finish()?;
    let index = index_path(prefix);
    write_index(&index, &entries).map_err(|error| unwritable(&index, &error))?;
    let index_bytes = index.metadata().map_err(|error| unwritable(&index, &error))?.len();
    Ok(data_bytes + index_bytes)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn write_index(path: &Path, entries: &[(&str, BundleEntryProto)]) -> io::Result<()> {
    let header = BundleHeaderProto {
        num_shards: 1,
        endianness: Endianness::Little as i32,
        version: Some(VersionDef { producer: VERSION, ..VersionDef::default() }),
    };
    let mut table = TableWriter::new(BufWriter::new(create(path)?));
    table.add(b"", &header.encode_to_vec())?;
    for (name, entry) in entries {
        table.add(name.as_bytes(), &entry.encode_to_vec())?;
    }
    close(table.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?)
}

/// The data file under construction.
struct DataFile<'a> {
    path: &'a Path,
    out: BufWriter<File>,
    offset: u64,
}

impl<'a> DataFile<'a> {
    fn create(path: &'a Path) -> Result<Self> {
        let file = create(path).map_err(|error| unwritable(path, &error))?;
        Ok(Self { path, out: BufWriter::with_capacity(CHUNK_BYTES, file), offset: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.offset += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|error| unwritable(self.path, &error))
    }

    /// Writes the elements of a tensor and returns its entry in the index.
    fn add(&mut self, value: &Constant, progress: &mut dyn FnMut(u64)) -> Result<BundleEntryProto> {
        let start = self.offset;
        let checksum = match value.dtype() {
            DType::String => self.write_strings(&value.strings()?)?,
            _ => {
                let mut checksum = 0;
                value.open()?.for_each_chunk(CHUNK_BYTES, |bytes| {
                    checksum = crc32c::crc32c_append(checksum, bytes);
                    progress(bytes.len() as u64);
                    self.write(bytes)
                })?;
                value.release();
                checksum
            }
        };
        let dim = |&length: &usize| Dim { size: length as i64, name: String::new() };
        Ok(BundleEntryProto {
            dtype: value.dtype().to_proto() as i32,
            shape: Some(TensorShapeProto {
                dim: value.shape().iter().map(dim).collect(),
                unknown_rank: false,
            }),
            shard_id: 0,
            offset: start as i64,
            size: (self.offset - start) as i64,
            crc32c: crc::mask(checksum),
            slices: vec![],
        })
    }

    /// Writes all lengths, a checksum of the lengths, then all bytes. Returns the checksum of everything, which covers the lengths
    /// as they were in memory.
    fn write_strings(&mut self, strings: &[Vec<u8>]) -> Result<u32> {
        let (mut lengths, mut checksum) = (vec![], 0);
        for string in strings {
            let length = string.len() as u64;
            encode_varint(length, &mut lengths);
            checksum = match u32::try_from(length) {
                Ok(length) => crc32c::crc32c_append(checksum, &length.to_le_bytes()),
                Err(_) => crc32c::crc32c_append(checksum, &length.to_le_bytes()),
            };
        }
        let of_lengths = crc::mask(checksum).to_le_bytes();
        self.write(&lengths)?;
        self.write(&of_lengths)?;
        checksum = crc32c::crc32c_append(checksum, &of_lengths);
        for string in strings {
            checksum = crc32c::crc32c_append(checksum, string);
            self.write(string)?;
        }
        Ok(checksum)
    }

    fn finish(self) -> Result<u64> {
        let flushed = self.out.into_inner().map_err(io::IntoInnerError::into_error);
        flushed.and_then(close).map_err(|error| unwritable(self.path, &error))?;
        Ok(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::tensor::Inline;

    fn strings(values: &[&str]) -> Constant {
        let values = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        Constant::new(DType::String, vec![2], Arc::new(Inline::Strings(values)))
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::TempDir::new().unwrap();
        let prefix = folder.path().join("variables");
        // More names than a block of the index holds.
        let many: Vec<String> = (0..9000).map(|index| format!("scope_{index}/a_long_name/weights")).collect();
        let value = Constant::from_f32(vec![2, 2], &[1., 2., 3., f32::NAN]).permuted(&[1, 0]).unwrap();
        let mut tensors: Vec<(&str, Constant)> = vec![
            ("z/step", Constant::from_i64(vec![], &[7])),
            ("z/names", strings(&["", "two"])),
            ("a/none", Constant::empty(DType::Float32, vec![0, 3])),
        ];
        tensors.extend(many.iter().map(|name| (name.as_str(), value.clone())));
        let mut written = 0;
        let of_all = tensors.iter().map(|(name, value)| (*name, value));
        let bytes = write_bundle(&prefix, of_all, &mut |bytes| written += bytes).unwrap();
        assert_eq!(written, 9000 * 16 + 8);
        let files = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        assert_eq!(files.sum::<u64>(), bytes);

        let checkpoint = Checkpoint::open(&prefix).unwrap();
        assert_eq!(checkpoint.len(), tensors.len());
        for (name, value) in &tensors {
            let stored = checkpoint.get(name).unwrap().constant();
            assert_eq!((stored.shape(), stored.dtype()), (value.shape(), value.dtype()), "{name}");
            match value.dtype() {
                DType::String => assert_eq!(stored.strings().unwrap(), value.strings().unwrap()),
                _ => assert_eq!(stored.bytes().unwrap(), value.bytes().unwrap(), "{name}"),
            }
        }
    }

    #[test]
    fn a_name_is_stored_once_and_no_file_is_replaced() {
        let folder = tempfile::TempDir::new().unwrap();
        let prefix = folder.path().join("variables");
        let value = Constant::from_f32(vec![1], &[1.]);
        let error = write_bundle(&prefix, [("a", &value), ("a", &value)], &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("another tensor has its name"), "{error}");
        write_bundle(&prefix, [("a", &value)], &mut |_| ()).unwrap();
        write_bundle(&prefix, [("a", &value)], &mut |_| ()).unwrap_err();
    }
}
