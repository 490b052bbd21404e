//! Named arrays in NumPy's files.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::tensor::Tensor;
use crate::{npy, npz};

/// A tensor with its name.
pub type Named = (String, Tensor);

/// A file with an array or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayFile {
    /// The name of the array. By default, the file has names, or there is only one array that it could be.
    pub name: Option<String>,
    /// The path of the file, `.npz` or `.npy`.
    pub path: PathBuf,
}

/// `NAME=FILE` has a name, unless there is a file that is called so.
impl From<&str> for ArrayFile {
    fn from(text: &str) -> Self {
        match text.split_once('=') {
            Some((name, path)) if !Path::new(text).exists() => {
                Self { name: Some(name.to_owned()), path: path.into() }
            }
            _ => Self { name: None, path: text.into() },
        }
    }
}

impl fmt::Display for ArrayFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}=")?;
        }
        self.path.display().fmt(f)
    }
}

/// Reads the arrays of these files. If `names` has a single name, an array may come without one.
///
/// # Errors
/// If a file cannot be read, an array has no name, or two arrays have the same name.
pub fn read_arrays(files: &[ArrayFile], names: &[String]) -> Result<Vec<Named>> {
    let mut arrays = vec![];
    for ArrayFile { name, path } in files {
        let bytes = std::fs::read(path).map_err(|error| Error::unreadable(path, &error))?;
        if npz::is_archive(&bytes) {
            let mut found = npz::read(path, &bytes)?;
            match (&mut found[..], name, names) {
                (_, Some(name), _) => {
                    let problem = format!("its arrays have names: give it without {name}=");
                    return Err(Error::file(path, problem));
                }
                // numpy.savez names an array arr_0 if it has no name.
                ([(key, _)], None, [only]) if key == "arr_0" => key.clone_from(only),
                _ => {}
            }
            arrays.extend(found);
            continue;
        }
        let name = match (name, names) {
            (Some(name), _) => name.clone(),
            (None, [only]) => only.clone(),
            _ => {
                return Err(Error::file(path, format!("it could be any of {}", names.join(", ")))
                    .advice(format!("name the tensor with NAME={}, or give an .npz file", path.display())));
            }
        };
        arrays.push((name, npy::read(&bytes).map_err(|error| error.within(path.display()))?));
    }
    let is_repeated = |(at, (name, _)): &(usize, &Named)| find(&arrays[..*at], name).is_some();
    match arrays.iter().enumerate().find(is_repeated) {
        Some((_, (name, _))) => {
            Err(Error::new(format!("\"{name}\""), "two arrays are given for it").advice("give one"))
        }
        None => Ok(arrays),
    }
}

/// Writes arrays to an `.npz` file, under their names.
///
/// # Errors
/// If the file cannot be written.
pub fn save_arrays(path: &Path, arrays: &[Named]) -> Result<()> {
    let constants = arrays.iter().map(|(name, tensor)| (name.as_str(), tensor.to_constant()));
    npz::write(constants, &[], path, &mut |_| ())
}

/// The array of a tensor. `:0` at the end of its name makes no difference.
pub fn find<'a>(arrays: &'a [Named], name: &str) -> Option<&'a Named> {
    arrays.iter().find(|(given, _)| is_name(given, name))
}

/// Whether a name means this tensor: `scope/op` is `scope/op:0`.
pub fn is_name(given: &str, name: &str) -> bool {
    given == name || given.strip_suffix(":0").unwrap_or(given) == name.strip_suffix(":0").unwrap_or(name)
}
