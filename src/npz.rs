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
use crate::packed::{Growth, repeated_name};
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
    if let Some(name) = repeated_name(bytes, archive.central_directory_start()) {
        return Err(Error::file(path, format!("it has several arrays of the name {name}")));
    }
    let growth = Growth::of(path, Some(bytes.len() as u64));
    let (mut arrays, mut unpacked) = (vec![], 0u64);
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(|error| damaged(&error))?;
        let name = file.name().map_err(|error| damaged(&error))?.into_owned();
        let mut bytes = vec![];
        let most = growth.most(0).saturating_sub(unpacked).saturating_add(1);
        file.take(most).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        unpacked = unpacked.saturating_add(bytes.len() as u64);
        growth.check(0, unpacked)?;
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

    /// An archive with a member for each name and content, compressed.
    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(Cursor::new(vec![]));
        for (name, content) in members {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut archive, content).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn arrays_of_one_name_are_refused() {
        let mut archive = archive(&[("first.npy", b"one"), ("other.npy", b"two")]);
        while let Some(at) = archive.windows(5).position(|window| window == b"other") {
            archive[at..][..5].copy_from_slice(b"first");
        }
        let message = read(Path::new("a.npz"), &archive).unwrap_err().to_string();
        assert!(message.contains("a.npz: it has several arrays of the name first.npy"), "{message}");
    }

    #[test]
    fn an_archive_that_becomes_many_times_as_large_is_refused() {
        let packed = archive(&[("zeros.npy", &vec![0; 80 << 20])]);
        let message = read(Path::new("a.npz"), &packed).unwrap_err().to_string();
        assert!(message.contains("a.npz: it unpacks to more than 20 times its size"), "{message}");
    }
}
