//! Tensors as files that other programs read: `.npz`, `.safetensors`, or a folder of `.npy` files.
//!
//! Elements are copied in chunks, and permuted on the way.

mod choice;
mod file_names;
mod folder;
mod safetensors;

use std::path::Path;

pub use choice::{Choice, Chosen, Layout, choose};

use crate::error::{Error, Result};
use crate::file_state::FileState;
use crate::tensor::{Constant, DType};
use crate::{npy, npz};

/// A file format for tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A zip archive of NumPy's arrays.
    Npz,
    /// A header in JSON, and the elements.
    Safetensors,
    /// A folder of NumPy's arrays, with a folder for each scope.
    Folder,
}

/// A tensor to write.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its elements.
    pub value: Constant,
}

/// The size of a chunk that is written at once.
const CHUNK_BYTES: usize = 1 << 20;

impl Format {
    /// The format for the path of an output, by its extension. A path without an extension, with a slash at the end, or of an
    /// existing folder is a folder.
    ///
    /// # Errors
    /// If the path has another extension.
    pub fn of(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Err(Error::new("-", "tensors are not written to standard output")
                .advice("name a file, or ./- for a folder of that name"));
        }
        let ends_in_slash = path.to_string_lossy().ends_with(std::path::is_separator);
        match path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).as_deref() {
            _ if ends_in_slash => Ok(Self::Folder),
            Some("npz") => Ok(Self::Npz),
            Some("safetensors") => Ok(Self::Safetensors),
            None => Ok(Self::Folder),
            Some(_) if path.is_dir() => Ok(Self::Folder),
            Some(_) => Err(Error::file(path, "tensors are written as .npz or .safetensors, or to a folder")
                .advice("give the output one of these extensions, or end it with a slash for a folder")),
        }
    }

    /// Whether there is a way to write tensors of this type.
    pub fn can_hold(self, dtype: DType) -> bool {
        match self {
            Self::Npz | Self::Folder => npy::can_hold(dtype),
            Self::Safetensors => safetensors::type_name(dtype).is_some(),
        }
    }

    /// What to call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Npz | Self::Folder => "NumPy",
            Self::Safetensors => "safetensors",
        }
    }

    /// Writes tensors to `path`. If it fails, `path` is as before. `progress` is called with the bytes of elements that were
    /// written.
    ///
    /// # Errors
    /// If the target cannot be written, a tensor cannot be read, or the format does not have its type or name.
    pub fn write(
        self,
        tensors: &[Output],
        sources: &[FileState],
        path: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        if let Some(tensor) = tensors.iter().find(|tensor| !self.can_hold(tensor.value.dtype())) {
            return Err(no_type(self.name(), tensor));
        }
        match self {
            Self::Npz => {
                let arrays = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.value.clone()));
                npz::write(arrays, sources, path, progress)
            }
            Self::Safetensors => safetensors::write(tensors, sources, path, progress),
            Self::Folder => folder::write(tensors, sources, path, progress),
        }
    }
}

/// The error for a tensor whose type a format does not have.
fn no_type(format: &str, tensor: &Output) -> Error {
    let problem = format!("{format} has no type for {}", tensor.value.dtype());
    Error::new(format!("tensor \"{}\"", tensor.name), problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_determines_the_format() {
        for (path, format) in [
            ("w.npz", Format::Npz),
            ("a/W.SafeTensors", Format::Safetensors),
            ("weights", Format::Folder),
            ("weights.v2/", Format::Folder),
        ] {
            assert_eq!(Format::of(Path::new(path)).unwrap(), format, "{path}");
        }
        Format::of(Path::new("weights.csv")).unwrap_err();
    }
}
