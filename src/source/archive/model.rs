//! Finds the model among the files of an archive.

use std::fs;
use std::path::{Path, PathBuf};

use super::Unpacked;
use super::unpacking::{archives, first_of};
use crate::error::{Error, Result};
use crate::file_signature::EXPORT_FROM_KERAS;
use crate::source::GraphFile;

/// Finds the model in an unpacked archive: the outermost folder with a checkpoint or SavedModel, or else the only graph
/// file.
///
/// # Errors
/// If there is no folder or graph of this kind, or more than one.
pub fn model_in(archive: &Path, unpacked: &Unpacked) -> Result<PathBuf> {
    let root = unpacked.folder.path();
    let mut level = vec![root.to_owned()];
    let mut graphs = vec![];
    while !level.is_empty() {
        let (mut with_model, mut subfolders) = (vec![], vec![]);
        for folder in level {
            let entries = fs::read_dir(&folder).map_err(|error| Error::file(archive, error))?;
            let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            if paths.iter().any(|path| path.is_file() && is_model_file(path)) {
                with_model.push(folder);
            }
            graphs.extend(paths.iter().filter(|path| path.is_file() && GraphFile::is_likely(path)).cloned());
            subfolders.extend(paths.into_iter().filter(|path| path.is_dir()));
        }
        match with_model.len() {
            0 => level = subfolders,
            1 => return Ok(with_model.remove(0)),
            _ => return Err(several(archive, root, "checkpoints", &with_model)),
        }
    }
    match graphs.len() {
        0 => Err(nothing_in(archive, &unpacked.others)),
        1 => Ok(graphs.remove(0)),
        _ => Err(several(archive, root, "graphs", &graphs)),
    }
}

/// The error for an archive without a model, or with a model of another program. `others` are its other members.
fn nothing_in(archive: &Path, others: &[PathBuf]) -> Error {
    if others.iter().any(|path| path == Path::new("model.weights.h5")) {
        return Error::file(archive, "it is a model in Keras's own format").advice(EXPORT_FROM_KERAS);
    }
    if others.iter().any(|path| path.ends_with("data.pkl") && path.iter().count() == 2) {
        return Error::file(archive, "it is a PyTorch file")
            .advice("export the model to ONNX in PyTorch, with torch.onnx.export");
    }
    let error = Error::file(archive, "the archive contains no checkpoint or graph");
    match (&archives(others)[..], others) {
        ([], []) => error,
        ([], others) => error.advice(format!("it has {}", first_of(others))),
        (inner, _) => {
            error.advice(format!("it has another archive: unpack it, and give {}", first_of(inner)))
        }
    }
}

fn several(archive: &Path, root: &Path, what: &str, paths: &[PathBuf]) -> Error {
    let relative = paths.iter().filter_map(|path| Some(path.strip_prefix(root).ok()?.display().to_string()));
    let mut names: Vec<String> = relative.collect();
    names.sort_unstable();
    Error::file(archive, format!("it contains several {what}: {}", names.join(", ")))
        .advice("unpack it and give the path of one of them")
}

/// Whether a file has the name of a V2 index, a state file, a V1 checkpoint, or the graph of a SavedModel.
fn is_model_file(path: &Path) -> bool {
    let is_named = path.extension().is_some_and(|extension| extension == "index" || extension == "ckpt");
    let names = ["checkpoint", "saved_model.pb", "saved_model.pbtxt"];
    is_named || path.file_name().is_some_and(|name| names.iter().any(|known| name == *known))
}
