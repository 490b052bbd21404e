//! Finds the models in a folder without opening them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{
    GraphFile, META_SUFFIXES, SAVED_MODEL_VARIABLES, TFJS_MODEL, archive, saved_model_file, tfjs, tfjs_file,
};
use crate::checkpoint::listing;
use crate::error::{Error, Result};
use crate::graph::is_variable;
use crate::mapped::MappedFile;

/// A model that was found but not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The path for [`Source::open`](super::Source::open).
    pub path: PathBuf,
    /// Its files, found by their names.
    pub files: Vec<PathBuf>,
}

impl Found {
    /// The total size of its files. A missing file counts as 0.
    pub fn bytes(&self) -> u64 {
        self.files.iter().filter_map(|file| Some(fs::metadata(file).ok()?.len())).sum()
    }
}

/// The models of one folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FoundInFolder {
    /// The models, sorted by path. They include unreadable files with the name of a model.
    pub models: Vec<Found>,
    /// Checkpoints of earlier steps of a training whose latest step is one of the models.
    pub superseded: Vec<Found>,
    /// Graphs that do not contain their weights, such as the `graph.pbtxt` in TensorFlow's training folders.
    pub without_weights: Vec<PathBuf>,
    /// Whether the folder is a SavedModel. Then its subfolders belong to it.
    pub is_saved_model: bool,
}

/// The suffixes of archives of models.
const ARCHIVES: [&str; 4] = [".tar", ".tar.gz", ".tgz", ".zip"];

/// A file in the folder of a TF-Hub module, which is not a graph.
const HUB_MARKER: &str = "tfhub_module.pb";

/// Finds the models directly in a folder, not in its subfolders.
///
/// # Errors
/// If the folder cannot be read.
pub fn models_in(folder: &Path) -> Result<FoundInFolder> {
    let unreadable = |error: std::io::Error| Error::unreadable(folder, &error);
    let mut files = vec![];
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // Follows links.
        if !is_hidden(&path) && path.is_file() {
            files.push(path);
        }
    }
    files.sort_unstable();
    let mut found = FoundInFolder::default();
    if let Some(graph) = saved_model_file(folder) {
        found.models.push(saved_model(graph));
        found.is_saved_model = true;
        return Ok(found);
    }
    let mut claimed = BTreeSet::new();
    for checkpoint in listing::list(folder).into_iter().filter(|checkpoint| !is_hidden(&checkpoint.path)) {
        claimed.extend(checkpoint.files.iter().cloned());
        let model = Found { path: checkpoint.path, files: checkpoint.files };
        if checkpoint.is_superseded { found.superseded.push(model) } else { found.models.push(model) }
    }
    for path in files.into_iter().filter(|path| !claimed.contains(path)) {
        if is_archive(&path) || is_unnamed_checkpoint(&path) {
            found.models.push(single_file(path));
        } else if let Some(prefix) = prefix_of_meta(&path) {
            // A graph beside its checkpoint belongs to the checkpoint.
            let is_known = found.models.iter().chain(&found.superseded).any(|model| model.path == prefix);
            if !is_known && matches!(weights_of(&path), Weights::Elsewhere) {
                found.without_weights.push(path);
            }
        } else if tfjs::is_model(&path) {
            found.models.push(tfjs_model(path));
        } else if is_graph(&path) {
            match weights_of(&path) {
                Weights::Inside | Weights::Unknown => found.models.push(single_file(path)),
                Weights::Elsewhere => found.without_weights.push(path),
                Weights::NotAGraph => {}
            }
        }
    }
    found.models.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Whether a file has the name of a checkpoint and the name is not UTF-8, so that `listing` does not include it.
fn is_unnamed_checkpoint(path: &Path) -> bool {
    let Some(name) = path.file_name().filter(|name| name.to_str().is_none()) else { return false };
    let name = name.to_string_lossy();
    name.ends_with(".index") || name.ends_with(".ckpt") || name.contains(".ckpt-") && !name.contains(".data-")
}

/// The path of the checkpoint whose graph has this file name.
fn prefix_of_meta(path: &Path) -> Option<PathBuf> {
    let name = path.to_string_lossy();
    META_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).map(PathBuf::from)
}

/// Whether a path is the folder or the graph file of a SavedModel.
pub fn is_saved_model(path: &Path) -> bool {
    saved_model_file(path).is_some()
}

/// The model that `path` belongs to: a checkpoint, the folder of a SavedModel, or the path itself.
pub fn model_at(path: &Path) -> Found {
    if let Some(graph) = saved_model_file(path) {
        return saved_model(graph);
    }
    if let Ok(Some(model)) = tfjs_file(path) {
        return Found { path: path.to_owned(), ..tfjs_model(model) };
    }
    if tfjs::is_model(path) {
        return tfjs_model(path.to_owned());
    }
    let is_of_checkpoint = prefix_of_meta(path).is_some();
    if archive::Kind::of(path).is_some() || (GraphFile::is_likely(path) && !is_of_checkpoint) {
        return single_file(path.to_owned());
    }
    match listing::named(path) {
        Some(checkpoint) => Found { path: checkpoint.path, files: checkpoint.files },
        None => single_file(path.to_owned()),
    }
}

fn single_file(path: PathBuf) -> Found {
    Found { files: vec![path.clone()], path }
}

/// A model of TensorFlow.js and the files with its weights. A folder is named after its `model.json`, as all models have this name.
fn tfjs_model(json: PathBuf) -> Found {
    let parent = json.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_only_one = json.ends_with(TFJS_MODEL) && matches!(tfjs_file(parent), Ok(Some(_)));
    let path = if is_only_one { parent.to_owned() } else { json.clone() };
    let shards = tfjs::shards(&json);
    Found { files: std::iter::once(json).chain(shards).collect(), path }
}

fn saved_model(graph: PathBuf) -> Found {
    let parent = graph.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new(".")).to_owned();
    let variables = listing::named(&folder.join(SAVED_MODEL_VARIABLES)).map(|found| found.files);
    Found { path: folder, files: std::iter::once(graph).chain(variables.unwrap_or_default()).collect() }
}

/// Whether a file has the name of an archive. If it is not one, opening it fails, so that the user learns of it.
fn is_archive(path: &Path) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    ARCHIVES.iter().any(|end| name.ends_with(end))
}

/// Whether a file has the name of a graph without a checkpoint. A `.meta` file belongs to its checkpoint.
fn is_graph(path: &Path) -> bool {
    GraphFile::is_likely(path)
        && prefix_of_meta(path).is_none()
        && path.file_name().is_some_and(|name| name != HUB_MARKER)
}

/// Whether a file with the name of a graph contains its weights.
enum Weights {
    Inside,
    Elsewhere,
    /// The file cannot be read.
    Unknown,
    /// The file is another message in text form, such as a list of labels.
    NotAGraph,
}

fn weights_of(path: &Path) -> Weights {
    let name = path.to_string_lossy().to_lowercase();
    if [".pb", ".graphdef", ".meta"].iter().any(|end| name.ends_with(end)) {
        return match GraphFile::open(path, None) {
            Ok(graph) => of_ops(graph.definition().node.iter().map(|node| node.op.as_str())),
            Err(_) => Weights::Unknown,
        };
    }
    // Only the ops are read, because graphs in training folders are large and parsing text is slow.
    let Ok(file) = MappedFile::open(path) else { return Weights::Unknown };
    let text = String::from_utf8_lossy(file.bytes());
    let mut ops = text.split("op:").skip(1).filter_map(quoted).peekable();
    if ops.peek().is_none() { Weights::NotAGraph } else { of_ops(ops) }
}

/// The quoted word at the beginning of a text, if there is one.
fn quoted(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|&c| c == '"' || c == '\'')?;
    text[1..].split(quote).next()
}

fn of_ops<'o>(mut ops: impl Iterator<Item = &'o str>) -> Weights {
    if ops.any(is_variable) { Weights::Elsewhere } else { Weights::Inside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_without_weights_are_distinguished_from_frozen_ones() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        file("graph.pbtxt", "node {\n  name: \"w\"\n  op: \"VariableV2\"\n}\n");
        file("frozen.pbtxt", "node {\n  name: \"w\"\n  op: \"Const\"\n}\n");
        file("one_line.pbtxt", "node { name: 'x' op: 'Const' } node { name: 'w' op: 'VarHandleOp' }\n");
        file("label_map.pbtxt", "item {\n  id: 1\n  name: \"cat\"\n}\n");
        file("damaged.pb", "\u{1}\u{2}");
        file("tfhub_module.pb", "");
        file(".hidden.pb", "");
        let found = models_in(folder.path()).unwrap();
        let names = |paths: Vec<&PathBuf>| -> Vec<String> {
            paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        let models = found.models.iter().map(|model| &model.path).collect();
        assert_eq!(names(models), ["damaged.pb", "frozen.pbtxt"]);
        assert_eq!(names(found.without_weights.iter().collect()), ["graph.pbtxt", "one_line.pbtxt"]);
    }

    #[test]
    fn a_model_is_found_from_each_of_its_files() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/graphs/containers");
        let named = |name: &str| model_at(&folder.join(name));
        for part in ["model.ckpt", "model.ckpt.index", "model.ckpt.meta", "model.ckpt.data-00000-of-00001"] {
            assert_eq!(named(part).path, folder.join("model.ckpt"), "{part}");
            assert_eq!(named(part).files.len(), 2);
        }
        for part in ["saved_model", "saved_model/saved_model.pb"] {
            assert_eq!(named(part).path, folder.join("saved_model"));
            assert_eq!(named(part).files.len(), 3);
        }
        assert_eq!(named("frozen.pb").path, folder.join("frozen.pb"));
        assert_eq!(named("absent").path, folder.join("absent"));
        assert_eq!(named("absent").bytes(), 0);
    }

    #[test]
    fn a_folder_is_searched_for_all_kinds_of_models() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/graphs/containers");
        let found = models_in(&folder).unwrap();
        let paths: Vec<&str> =
            found.models.iter().map(|model| model.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(paths, ["frozen.pb", "frozen.pbtxt", "model.ckpt"]);
        assert_eq!(found.without_weights, [folder.join("model.pbtxt")]);
        assert!(models_in(&folder.join("hub_module")).unwrap().is_saved_model);
    }
}
