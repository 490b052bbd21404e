//! A zip archive of NumPy's arrays.

use std::io::Write;
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Output, npy};
use crate::error::Result;
use crate::output::OutputFile;

pub(super) fn write(tensors: &[Output], path: &Path, progress: &mut dyn FnMut(u64)) -> Result<()> {
    let output = OutputFile::create(path)?;
    let unwritable = |error: zip::result::ZipError| output.error(&error.into());
    let mut archive = ZipWriter::new(output.file());
    for tensor in tensors {
        let large = tensor.value.byte_len().is_none_or(|bytes| bytes > u32::MAX as usize / 2);
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large);
        archive.start_file(format!("{}.npy", tensor.name), options).map_err(unwritable)?;
        npy::write(tensor, |bytes| {
            progress(bytes.len() as u64);
            archive.write_all(bytes).map_err(|error| output.error(&error))
        })?;
    }
    archive.finish().map_err(unwritable)?;
    output.persist()
}
