//! safetensors: the length of a header, the header in JSON, and the elements, one tensor after the other.
//!
//! The crate of the format's authors needs the bytes of all tensors. Here they are read in chunks, which may fail: files may
//! be damaged.
//! Source: <https://github.com/huggingface/safetensors#format>.

use std::cmp::Reverse;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{CHUNK_BYTES, Output, no_type};
use crate::error::{Error, Result};
use crate::file_state::FileState;
use crate::output::OutputFile;
use crate::setting::Setting;
use crate::tensor::DType;

/// The key in the header that is not a tensor.
const METADATA: &str = "__metadata__";
/// The elements begin at a multiple of this.
const ALIGNMENT: usize = 8;
/// The longest header that readers accept.
const MAX_HEADER: usize = 100_000_000;

/// The format's name of a type. Quantized types are written as integers.
pub(super) fn type_name(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::Float32 => "F32",
        DType::Float64 => "F64",
        DType::Float16 => "F16",
        DType::BFloat16 => "BF16",
        DType::Int8 | DType::QInt8 => "I8",
        DType::Int16 | DType::QInt16 => "I16",
        DType::Int32 | DType::QInt32 => "I32",
        DType::Int64 => "I64",
        DType::UInt8 | DType::QUInt8 => "U8",
        DType::UInt16 | DType::QUInt16 => "U16",
        DType::UInt32 => "U32",
        DType::UInt64 => "U64",
        DType::Bool => "BOOL",
        DType::Complex64 => "C64",
        DType::Complex128 | DType::String | DType::Resource | DType::Variant | DType::Unknown => return None,
    })
}

pub(super) fn write(
    tensors: &[Output],
    sources: &[FileState],
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let output = OutputFile::create(path)?;
    // Large element types first: then all elements are aligned to their size.
    let mut tensors: Vec<&Output> = tensors.iter().collect();
    tensors.sort_by_key(|tensor| Reverse(tensor.value.dtype().size()));
    let header = header(&tensors)?;
    let mut file = BufWriter::with_capacity(CHUNK_BYTES, output.file());
    let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(|error| output.error(&error));
    write(&(header.len() as u64).to_le_bytes())?;
    write(&header)?;
    for tensor in tensors {
        tensor.value.open()?.for_each_chunk(CHUNK_BYTES, |bytes| {
            progress(bytes.len() as u64);
            write(bytes)
        })?;
    }
    file.flush().map_err(|error| output.error(&error))?;
    drop(file);
    output.persist(sources)
}

/// The header, padded with spaces.
fn header(tensors: &[&Output]) -> Result<Vec<u8>> {
    let producer = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    let mut entries = Map::from_iter([(METADATA.to_owned(), json!({ "producer": producer }))]);
    let mut end = 0;
    for tensor in tensors {
        let wrong = |problem: &str| Error::new(format!("tensor \"{}\"", tensor.name), problem);
        let dtype = type_name(tensor.value.dtype()).ok_or_else(|| no_type("safetensors", tensor))?;
        let start = end;
        let bytes = tensor.value.byte_len().ok_or_else(|| wrong("its size is too large for this machine"))?;
        end += bytes as u64;
        let entry = json!({ "dtype": dtype, "shape": tensor.value.shape(), "data_offsets": [start, end] });
        if entries.insert(tensor.name.clone(), entry).is_some() {
            return Err(wrong("safetensors uses its name for metadata, or another tensor has it")
                .advice("write .npz instead"));
        }
    }
    let mut header = Value::Object(entries).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    if header.len() > MAX_HEADER {
        return Err(Error::new("safetensors", format!("a header of {} bytes is too long", header.len()))
            .advice(format!("choose fewer tensors with {}, or write .npz", Setting::Match)));
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Constant, Inline};
    use std::sync::Arc;

    #[test]
    fn the_formats_own_reader_finds_every_tensor() {
        let halves = Constant::new(DType::BFloat16, vec![3], Arc::new(Inline::Bytes(vec![1; 6].into())));
        let transposed = Constant::from_f32(vec![2, 3], &[0., 1., 2., 3., 4., 5.]).permuted(&[1, 0]).unwrap();
        let tensors = [("halves", halves), ("step", Constant::from_i64(vec![], &[7])), ("w/x", transposed)]
            .map(|(name, value)| Output { name: name.to_owned(), value });
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("w.safetensors");
        let mut bytes = 0;
        write(&tensors, &[], &path, &mut |written| bytes += written).unwrap();
        assert_eq!(bytes, 6 + 8 + 24);
        let file = std::fs::read(&path).unwrap();
        let read = ::safetensors::SafeTensors::deserialize(&file).unwrap();
        assert_eq!(read.len(), 3);
        let weights = read.tensor("w/x").unwrap();
        assert_eq!((weights.dtype(), weights.shape()), (::safetensors::Dtype::F32, &[3, 2][..]));
        assert_eq!(weights.data(), [0.0_f32, 3., 1., 4., 2., 5.].map(f32::to_le_bytes).concat());
        assert_eq!(read.tensor("halves").unwrap().dtype(), ::safetensors::Dtype::BF16);
        assert_eq!(read.tensor("step").unwrap().shape(), [0_usize; 0]);
    }

    #[test]
    fn a_type_that_the_format_does_not_have_is_an_error_and_nothing_is_written() {
        let strings = Constant::new(DType::String, vec![], Arc::new(Inline::Strings(vec![vec![]])));
        let folder = tempfile::TempDir::new().unwrap();
        let tensors = [Output { name: "s".to_owned(), value: strings }];
        let error = write(&tensors, &[], &folder.path().join("w.safetensors"), &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("no type for string"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
