//! `tf2onnx-rs extract`

use std::io::Write;
use std::path::PathBuf;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{output, progress};
use crate::checkpoint::StoredTensor;
use crate::error::{Error, Result};
use crate::model::{Model, OpenOptions};
use crate::output::OutputFile;
use crate::tensor::{Constant, DType};

/// Writes the tensors of a checkpoint to a file that NumPy reads.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  tf2onnx-rs extract inception_v3.ckpt weights.npz
  python -c 'import numpy; print(numpy.load(\"weights.npz\").files)'")]
pub struct Args {
    /// A checkpoint: a V1 file, the prefix or any file of a V2 checkpoint, or the folder or archive it is in
    input: PathBuf,
    /// The .npz file to write
    output: PathBuf,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

pub fn run(args: &Args) -> Result<()> {
    if args.output.extension().is_none_or(|extension| extension != "npz") {
        return Err(
            Error::file(&args.output, "tensors are written as .npz").advice("give the output that ending")
        );
    }
    let source = Model::open(&args.input, &OpenOptions::default())?;
    let checkpoint = source.weights()?;
    let output = OutputFile::create(&args.output)?;
    let bar = progress::byte_bar(args.quiet, "extracting");
    bar.set_length(
        checkpoint.tensors().filter_map(|tensor| tensor.constant().byte_len()).sum::<usize>() as u64
    );
    let mut archive = ZipWriter::new(output.file());
    for tensor in checkpoint.tensors() {
        add_npy(&mut archive, &output, tensor, &mut |bytes| bar.inc(bytes))
            .map_err(|error| source.error(error))?;
    }
    archive.finish().map_err(|error| unwritable(&output, error))?;
    bar.finish_and_clear();
    output.persist()?;
    if !args.quiet {
        let count = output::count(checkpoint.len(), "tensor");
        output::print(&format!("{} → {}: {count}\n", args.input.display(), args.output.display()))?;
    }
    Ok(())
}

fn unwritable(output: &OutputFile, error: zip::result::ZipError) -> Error {
    output.error(&error.into())
}

/// Adds one tensor as `name.npy`. Its elements go through as they are: NumPy's format is a header and the bytes
/// that a checkpoint holds too.
fn add_npy(
    archive: &mut ZipWriter<&std::fs::File>,
    output: &OutputFile,
    tensor: &StoredTensor,
    written: &mut dyn FnMut(u64),
) -> Result<()> {
    let value = tensor.constant();
    let large = value.byte_len().is_none_or(|bytes| bytes > u32::MAX as usize);
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large);
    let (descr, strings) = match value.dtype() {
        DType::String => {
            let strings = value.strings()?;
            let longest = strings.iter().map(Vec::len).max().unwrap_or(0).max(1);
            (format!("|S{longest}"), Some((strings, longest)))
        }
        dtype => {
            let descr = npy_descr(dtype).ok_or_else(|| {
                Error::new(format!("tensor \"{}\"", tensor.name()), format!("NumPy has no type for {dtype}"))
            })?;
            (descr.to_owned(), None)
        }
    };
    archive
        .start_file(format!("{}.npy", tensor.name()), options)
        .map_err(|error| unwritable(output, error))?;
    let mut write = |bytes: &[u8]| {
        written(bytes.len() as u64);
        archive.write_all(bytes).map_err(|error| output.error(&error))
    };
    write(&npy_header(&descr, &value))?;
    match strings {
        None => value.bytes()?.chunks(PIECE_BYTES).try_for_each(write),
        Some((strings, longest)) => strings.into_iter().try_for_each(|mut string| {
            string.resize(longest, 0);
            write(&string)
        }),
    }
}

/// Bytes that are compressed and counted at once.
const PIECE_BYTES: usize = 1 << 20;

/// NumPy's name of a type; types that NumPy has not are given as the unsigned integers of their bits.
fn npy_descr(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::Float32 => "<f4",
        DType::Float64 => "<f8",
        DType::Float16 => "<f2",
        DType::Int8 | DType::QInt8 => "|i1",
        DType::Int16 | DType::QInt16 => "<i2",
        DType::Int32 | DType::QInt32 => "<i4",
        DType::Int64 => "<i8",
        DType::UInt8 | DType::QUInt8 => "|u1",
        DType::UInt16 | DType::QUInt16 | DType::BFloat16 => "<u2",
        DType::UInt32 => "<u4",
        DType::UInt64 => "<u8",
        DType::Bool => "|b1",
        DType::Complex64 => "<c8",
        DType::Complex128 => "<c16",
        DType::String | DType::Resource | DType::Variant => return None,
    })
}

/// The head of a .npy file, version 1.0.
///
/// Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.
fn npy_header(descr: &str, value: &Constant) -> Vec<u8> {
    const PREFIX: usize = 10;
    let shape: String = value.shape().iter().map(|dim| format!("{dim}, ")).collect();
    let mut dictionary =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", shape.trim_end());
    // The elements begin at a multiple of 64.
    let padding = 63 - (PREFIX + dictionary.len()) % 64;
    dictionary.push_str(&" ".repeat(padding));
    dictionary.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((dictionary.len() as u16).to_le_bytes());
    header.extend(dictionary.into_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_type_and_shape_and_ends_on_a_boundary() {
        let header = npy_header("<f4", &Constant::filled(vec![3, 5], 0.0));
        assert_eq!(header.len() % 64, 0);
        let text = String::from_utf8_lossy(&header[10..]).into_owned();
        assert_eq!(text.trim_end(), "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 5,), }");
        let scalar = npy_header("<f4", &Constant::filled(vec![], 0.0));
        assert!(String::from_utf8_lossy(&scalar[10..]).contains("'shape': ()"));
    }
}
