//! NumPy's archives of named arrays.
//!
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.savez.html>.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::io::{Cursor, Read};
use std::path::Path;

use zip::ZipArchive;

use crate::error::{Error, Result};
use crate::file_state::FileState;
use crate::npy;
use crate::output::ArchiveOutput;
use crate::tensor::Constant;
use crate::tensor::Tensor;

/// Writes named arrays without compression, which were read from files in the states `sources`. Calls `progress` with the number of bytes of each write.
///
/// # Errors
/// If the file cannot be written, one of `sources` has changed, the elements of an array cannot be read, or NumPy has no type for them.
pub fn write<'a>(
    arrays: impl IntoIterator<Item = (&'a str, Constant)>,
    sources: &[FileState],
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let mut archive = ArchiveOutput::create(path)?;
    for (name, value) in arrays {
        archive.begin_file(&format!("{name}.npy"), value.byte_len().map(|bytes| bytes as u64))?;
        npy::write(&value, |bytes| {
            progress(bytes.len() as u64);
            archive.write(bytes)
        })?;
    }
    archive.persist(sources)
}

/// Whether a file begins like an archive.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK")
}

/// Reads the arrays from the bytes of an archive. `path` is for errors.
///
/// # Errors
/// If it is not an archive, or one of its arrays cannot be read.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let damaged = |error: &dyn std::fmt::Display| {
        Error::file(path, format!("it is not an archive that NumPy saved: {error}"))
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    let mut arrays = vec![];
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(|error| damaged(&error))?;
        let name = file.name().map_err(|error| damaged(&error))?.into_owned();
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        let tensor =
            npy::read(&bytes).map_err(|error| error.within(format!("{}: {name}", path.display())))?;
        arrays.push((name.strip_suffix(".npy").unwrap_or(&name).to_owned(), tensor));
    }
    Ok(arrays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_arrays_can_be_read_by_name() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("arrays.npz");
        let transposed = Constant::from_f32(vec![2, 3], &[0., 1., 2., 3., 4., 5.]).permuted(&[1, 0]).unwrap();
        let arrays = [("scope/w", transposed), ("step", Constant::from_i64(vec![], &[7]))];
        write(arrays.clone(), &[], &path, &mut |_| ()).unwrap();
        let read = read(&path, &std::fs::read(&path).unwrap()).unwrap();
        let expected =
            arrays.map(|(name, value)| (name.to_owned(), Tensor::from_constant(&value).unwrap().unwrap()));
        assert_eq!(read, expected);
    }

    #[test]
    fn other_files_are_refused() {
        let message = read(Path::new("a.npz"), b"PK\x03\x04 and no more").unwrap_err().to_string();
        assert!(message.contains("a.npz: it is not an archive that NumPy saved"), "{message}");
    }
}
