//! A folder of NumPy's arrays, with a folder for each scope. It is written under a temporary name and renamed at the end.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::file_names::file_names;
use super::{CHUNK_BYTES, Output};
use crate::error::Result;
use crate::file_state::FileState;
use crate::npy;
use crate::output::{FolderOutput, close, unwritable};

pub(super) fn write(
    tensors: &[Output],
    sources: &[FileState],
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let files = file_names(tensors.iter().map(|tensor| tensor.name.as_str()))?;
    let unwritable = |error: &io::Error| unwritable(path, error);
    let output = FolderOutput::create(path)?;
    let folder = output.folder();
    for (tensor, file) in tensors.iter().zip(files) {
        let opened = folder.create_parents(&file).and_then(|()| {
            // On any file system, no file may replace another.
            OpenOptions::new().write(true).create_new(true).open(folder.path().join(&file))
        });
        let mut out = BufWriter::with_capacity(CHUNK_BYTES, opened.map_err(|error| unwritable(&error))?);
        npy::write(&tensor.value, |bytes| {
            progress(bytes.len() as u64);
            out.write_all(bytes).map_err(|error| unwritable(&error))
        })?;
        let file = out.into_inner().map_err(|error| unwritable(error.error()))?;
        close(file).map_err(|error| unwritable(&error))?;
    }
    output.persist(sources)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tensor::{Constant, DType, Inline};
    use std::sync::Arc;

    fn tensor(name: &str, value: Constant) -> Output {
        Output { name: name.to_owned(), value }
    }

    #[test]
    fn scopes_become_folders() {
        let root = tempfile::TempDir::new().unwrap();
        let target = root.path().join("weights/");
        let tensors = [
            tensor("net/w", Constant::from_f32(vec![2], &[1., 2.])),
            tensor("step", Constant::filled(vec![], 0.0)),
        ];
        write(&tensors, &[], &target, &mut |_| ()).unwrap();
        let bytes = fs::read(root.path().join("weights/net/w.npy")).unwrap();
        assert!(bytes.ends_with(&[0, 0, 128, 63, 0, 0, 0, 64]));
        assert!(root.path().join("weights/step.npy").is_file());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        // Old files are not mixed with new ones.
        let error = write(&tensors, &[], &target, &mut |_| ()).unwrap_err().to_string();
        assert!(error.contains("not empty"), "{error}");
    }

    #[test]
    fn a_folder_that_a_signal_removed_does_not_come_back() {
        let root = tempfile::TempDir::new().unwrap();
        let tensors = ["a/w", "b/w"].map(|name| tensor(name, Constant::filled(vec![3], 1.0)));
        let mut is_there = true;
        let mut remove = |_| {
            for entry in fs::read_dir(root.path()).unwrap() {
                if std::mem::take(&mut is_there) {
                    fs::remove_dir_all(entry.unwrap().path()).unwrap();
                }
            }
        };
        write(&tensors, &[], &root.path().join("weights"), &mut remove).unwrap_err();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_failure_leaves_nothing_behind_and_an_empty_folder_as_it_is() {
        let root = tempfile::TempDir::new().unwrap();
        let target = root.path().join("weights");
        fs::create_dir(&target).unwrap();
        let damaged = Constant::new(DType::Float32, vec![5], Arc::new(Inline::Bytes(vec![0; 4].into())));
        let tensors = [tensor("a", Constant::filled(vec![3], 1.0)), tensor("b", damaged)];
        write(&tensors, &[], &target, &mut |_| ()).unwrap_err();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
        write(&tensors[..1], &[], &target, &mut |_| ()).unwrap();
        assert!(target.join("a.npy").is_file());
    }
}
