//! The variables of a network in an archive of NumPy, as `numpy.savez` writes them: BiT was published so.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkpoint::write_bundle;
use crate::error::{Error, Result};
use crate::npy;
use crate::tensor::Constant;

/// The name of an array's file after the name of the array.
const SUFFIX: &str = ".npy";

/// The prefix of the checkpoint that arrays are written to.
const CHECKPOINT: &str = "arrays.ckpt";

/// Writes the arrays in the folder of an unpacked archive to a checkpoint beside them, and removes their files. Returns the
/// prefix of the checkpoint; `None` if there are files of other kinds, or none.
///
/// # Errors
/// If an array cannot be read, or has a type that TensorFlow has not, or the checkpoint cannot be written.
pub fn to_checkpoint(archive: &Path, root: &Path) -> Result<Option<PathBuf>> {
    let files = files_in(root).map_err(|error| Error::file(archive, error))?;
    let named: Option<Vec<(String, &PathBuf)>> =
        files.iter().map(|path| Some((array_name(path, root)?, path))).collect();
    let Some(named) = named.filter(|named| !named.is_empty()) else { return Ok(None) };
    let mut arrays: Vec<(String, Constant)> = vec![];
    for (name, path) in named {
        let within = |error: Error| error.within(format!("{}: {name}{SUFFIX}", archive.display()));
        let bytes = fs::read(path).map_err(|error| within(Error::new("array", error)))?;
        let array = npy::read(&bytes).map_err(within)?.to_constant();
        fs::remove_file(path).map_err(|error| Error::file(archive, error))?;
        arrays.push((name, array));
    }
    let prefix = root.join(CHECKPOINT);
    write_bundle(&prefix, arrays.iter().map(|(name, value)| (name.as_str(), value)), &mut |_| ())?;
    Ok(Some(prefix))
}

/// The files in a folder and in the folders below it.
fn files_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut folders, mut files) = (vec![folder.to_owned()], vec![]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    Ok(files)
}

/// The name of the array in a file: the path in the archive, which has `/` between scopes.
fn array_name(path: &Path, root: &Path) -> Option<String> {
    let parts = path.strip_prefix(root).ok()?.iter().map(|part| part.to_str());
    let name = parts.collect::<Option<Vec<&str>>>()?.join("/");
    name.strip_suffix(SUFFIX).map(str::to_owned)
}
