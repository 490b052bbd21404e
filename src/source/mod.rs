//! Opens the input of a conversion: a checkpoint, a graph, or both, which may be in a folder or an archive.

mod archive;
mod arrays;
mod find;
mod graph_file;
mod nesting;
mod standard_input;
mod table_files;
mod tfjs;

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use archive::Unpacked;
pub use find::{Found, FoundInFolder, is_saved_model, model_at, models_in};
pub(crate) use graph_file::message_descriptor;
pub use graph_file::{GraphFile, GraphKind};
use standard_input::Stored;

use crate::checkpoint::{Checkpoint, listing, with_suffix};
use crate::error::{Error, Result};
use crate::file_parts::FileParts;
use crate::file_state::FileState;
use crate::model_config::ModelConfig;
use crate::setting::{Command, Setting};
use crate::temporary::Temporary;

/// Options for opening a [`Source`].
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// The file with the graph, if it is not beside the checkpoint.
    pub graph: Option<PathBuf>,
    /// The tag of the graph in a SavedModel.
    pub tag: Option<String>,
    /// The file that describes the model, if it is not beside the checkpoint.
    pub config: Option<PathBuf>,
}

/// The input of a conversion: weights, a graph, or both.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    checkpoint: Option<Checkpoint>,
    graph: Option<GraphFile>,
    config: Option<Arc<ModelConfig>>,
    is_config_given: bool,
    /// The temporary files of an archive or a pipe, which are removed with the source.
    temporary: Vec<TemporaryFiles>,
}

/// A temporary folder, and the path in it that the user knows under another name.
#[derive(Debug)]
struct TemporaryFiles {
    path: PathBuf,
    _folder: Temporary<TempDir>,
    /// The parts of an archive that are read in place, as long as this exists.
    in_place: Option<FileParts>,
    /// The state of the archive when it was opened.
    archive: Option<FileState>,
}

/// The files of a SavedModel's folder (`tensorflow/cc/saved_model/constants.h`).
const SAVED_MODEL_FILES: [&str; 2] = ["saved_model.pb", "saved_model.pbtxt"];
const SAVED_MODEL_VARIABLES: &str = "variables/variables";

/// The file that TensorFlow.js's converter writes a model to.
const TFJS_MODEL: &str = "model.json";
/// The file that versions 0.x of it write the graph to.
const OLD_TFJS_MODEL: &str = "tensorflowjs_model.pb";

/// The suffixes that the file with the graph has after the prefix of the checkpoint.
const META_SUFFIXES: [&str; 3] = [".meta", ".meta.pbtxt", ".meta.txt"];

impl Source {
    /// Opens `path`: a checkpoint (see [`Checkpoint::open`]) with the `.meta` file beside it, a graph (see
    /// [`GraphFile::open`]), the folder of a SavedModel, or an archive (tar, tar.gz, zip) of one of these, or NumPy's archive of
    /// variables (npz); a single file may also be compressed with gzip. An archive is unpacked into a private folder that is
    /// removed with the source. The path `-` is standard input, which can be a graph, a V1 checkpoint or an archive.
    ///
    /// # Errors
    /// If there is no model or more than one, or the archive cannot be read.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        if path.as_os_str() == standard_input::PATH {
            let name = Path::new(standard_input::NAME);
            return match standard_input::store()? {
                Stored::Archive(unpacked) => open_unpacked(name, unpacked, options),
                Stored::File(folder, file) => {
                    let source = open_file(&file, options).map_err(|error| {
                        error.with_path_replaced(&file, name).with_path_replaced(folder.path(), name)
                    })?;
                    Ok(source.with_name(
                        name,
                        TemporaryFiles { path: file, _folder: folder, in_place: None, archive: None },
                    ))
                }
            };
        }
        open_file(path, options)
    }

    /// Uses `name` in messages, instead of the path of the temporary files.
    fn with_name(mut self, name: &Path, files: TemporaryFiles) -> Self {
        self.graph = self.graph.map(|graph| graph.with_path_replaced(&files.path, name));
        name.clone_into(&mut self.path);
        self.temporary.push(files);
        self
    }

    /// The checkpoint with the weights, if there is one.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// The checkpoint with the weights.
    ///
    /// # Errors
    /// If there is none.
    pub fn weights(&self) -> Result<&Checkpoint> {
        self.checkpoint.as_ref().ok_or_else(|| {
            Error::file(self.path(), "is a graph without a checkpoint").advice(format!(
                "give the checkpoint; `{}` takes this graph beside it with {}",
                Command::Convert,
                Setting::Graph
            ))
        })
    }

    /// The graph, if there is one.
    pub fn graph(&self) -> Option<&GraphFile> {
        self.graph.as_ref()
    }

    /// The file that describes the model of a checkpoint without a graph, if there is one.
    pub fn config(&self) -> Option<&Arc<ModelConfig>> {
        self.config.as_ref()
    }

    /// Whether the user gave this file.
    pub fn is_config_given(&self) -> bool {
        self.is_config_given
    }

    /// The path of the checkpoint or the graph, or of the archive that contains them.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that determine the model: those that were read, and those that would have been read if they existed, such
    /// as the `.meta` file of a checkpoint. As long as none of them changes, the model stays the same.
    pub fn files(&self) -> Vec<PathBuf> {
        if !self.temporary.is_empty() {
            return vec![self.path.clone()];
        }
        let mut files = vec![];
        if let Some(checkpoint) = &self.checkpoint {
            files.extend_from_slice(checkpoint.files());
            files.extend(META_SUFFIXES.iter().map(|suffix| with_suffix(checkpoint.path(), suffix)));
        }
        if let Some(graph) = &self.graph {
            files.push(graph.path().to_owned());
            files.extend_from_slice(graph.shards());
            files.extend_from_slice(graph.table_files());
            if self.checkpoint.is_none() && graph.kind() == GraphKind::SavedModel {
                files.push(with_suffix(&graph.path().with_file_name(SAVED_MODEL_VARIABLES), ".index"));
            }
        }
        files.extend(self.config.iter().map(|config| config.path().to_owned()));
        files.sort_unstable();
        files.dedup();
        files
    }

    /// The files that the model was read from, each with its path in the folder of the input, or with its name if it is in another
    /// folder. Of an archive, it is the archive.
    ///
    /// # Errors
    /// If the input is an archive from standard input, which is not kept.
    pub fn contents(&self) -> Result<Vec<(String, PathBuf)>> {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(unpacked) = self.temporary.last() {
            return match (self.path.as_os_str() == standard_input::NAME, unpacked.path.is_file()) {
                (false, _) => Ok(vec![(name(&self.path), self.path.clone())]),
                (true, true) => Ok(vec![(standard_input::NAME.to_owned(), unpacked.path.clone())]),
                (true, false) => {
                    let problem = "it is an archive, of which only the unpacked files are kept";
                    Err(Error::new(standard_input::NAME, problem)
                        .advice(format!("save it to a file, or leave out {}", Setting::Provenance)))
                }
            };
        }
        let parent = || self.path.parent().unwrap_or(Path::new(""));
        let folder = if self.path.is_dir() { &self.path } else { parent() };
        let named = |path: PathBuf| {
            let inside = path.strip_prefix(folder).ok().map(|inside| {
                let parts = inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
                parts.collect::<Vec<_>>().join("/")
            });
            (inside.unwrap_or_else(|| name(&path)), path)
        };
        // The graph may be another one than that beside the checkpoint.
        let graph = self.graph.as_ref().map(GraphFile::path);
        let beside = |path: &Path| {
            let prefix = self.checkpoint.as_ref().map(Checkpoint::path);
            prefix
                .is_some_and(|prefix| META_SUFFIXES.iter().any(|suffix| with_suffix(prefix, suffix) == path))
        };
        let is_read = |path: &PathBuf| path.is_file() && (Some(path.as_path()) == graph || !beside(path));
        Ok(self.files().into_iter().filter(is_read).map(named).collect())
    }

    /// The state of the files with the graph and the weights when they were opened.
    pub fn file_states(&self) -> Vec<FileState> {
        // Only where the archive is still read, it must not change.
        let in_place = self.temporary.iter().filter(|files| files.in_place.is_some());
        let archives = in_place.filter_map(|files| files.archive.as_ref());
        let states = archives.chain(self.checkpoint.iter().flat_map(Checkpoint::file_states));
        states.chain(self.graph.iter().flat_map(GraphFile::file_states)).cloned().collect()
    }

    /// The path of a file as the user knows it: for a file from an archive, the path of the archive and the path in it.
    pub fn shown_path(&self, path: &Path) -> PathBuf {
        let inside = self.temporary.iter().find_map(|files| path.strip_prefix(&files.path).ok());
        match inside {
            None => path.to_owned(),
            Some(file) if file.as_os_str().is_empty() => self.path.clone(),
            Some(inside) => self.path.join(inside),
        }
    }

    /// Replaces the paths of temporary files in an error by the path that the user gave. If a file was written to or could not be
    /// read, that is the error instead.
    pub fn error(&self, error: Error) -> Error {
        let error = self.file_states().iter().fold(error, |error, state| state.explain(error));
        let temporary = self.temporary.iter();
        temporary.fold(error, |error, files| error.with_path_replaced(&files.path, &self.path))
    }
}

fn open_file(path: &Path, options: &OpenOptions) -> Result<Source> {
    let Some(kind) = archive::Kind::of(path) else { return open_parts(path, options) };
    let state = FileState::of(path).map_err(|error| Error::unreadable(path, &error))?;
    let opened = archive::unpack(path, kind).and_then(|unpacked| open_unpacked(path, unpacked, options));
    let mut source = opened.map_err(|error| state.explain(error))?;
    // Most members of an archive have no checksum.
    state.check()?;
    for files in &mut source.temporary {
        files.archive = Some(state.clone());
    }
    Ok(source)
}

fn open_unpacked(path: &Path, mut unpacked: Unpacked, options: &OpenOptions) -> Result<Source> {
    let folder = unpacked.folder.path().to_owned();
    // The user knows the path of the archive, not that of the temporary folder.
    let known = |error: Error| error.with_path_replaced(&folder, path);
    let opened = model_of(path, &mut unpacked).and_then(|model| open_parts(&model, options));
    let source = opened.map_err(|error| unpacked.error(known(error)))?;
    // The file `checkpoint` of a training folder has a path on the machine that trained it, or on this one.
    let is_inside = |file: &Path| {
        let inside = file.strip_prefix(&folder).ok();
        inside.is_some_and(|inside| inside.components().all(|part| matches!(part, Component::Normal(_))))
    };
    if let Some(outside) = source.checkpoint().map(Checkpoint::path).filter(|file| !is_inside(file)) {
        let problem = format!("its file \"checkpoint\" names {}, which is not in it", outside.display());
        return Err(Error::file(path, problem)
            .advice("give an archive with its checkpoint, or name the checkpoint itself"));
    }
    let Unpacked { folder, in_place, .. } = unpacked;
    let files = TemporaryFiles { path: folder.path().to_owned(), _folder: folder, in_place, archive: None };
    Ok(source.with_name(path, files))
}

/// The path of the model in an unpacked archive.
fn model_of(path: &Path, unpacked: &mut Unpacked) -> Result<PathBuf> {
    if let Some(file) = unpacked.single_file.take() {
        return Ok(file);
    }
    let arrays =
        if unpacked.has_others() { None } else { arrays::to_checkpoint(path, unpacked.folder.path())? };
    arrays.map_or_else(|| archive::model_in(path, unpacked), Ok)
}

fn open_parts(path: &Path, options: &OpenOptions) -> Result<Source> {
    let source = open_graph_and_weights(path, options)?;
    let config = match (&source.checkpoint, &source.graph) {
        (Some(checkpoint), None) => options.config.clone().or_else(|| ModelConfig::beside(checkpoint.path())),
        _ if options.config.is_some() => {
            let problem =
                "it describes the model of a checkpoint without a graph, and this model has a graph";
            return Err(Error::new(Setting::Config, problem).advice("leave it out"));
        }
        _ => None,
    };
    let config = config.map(|path| ModelConfig::read(&path)).transpose()?.map(Arc::new);
    Ok(Source { config, is_config_given: options.config.is_some(), ..source })
}

fn open_graph_and_weights(path: &Path, options: &OpenOptions) -> Result<Source> {
    let tag = options.tag.as_deref();
    let from_checkpoint = |checkpoint: Checkpoint, graph: Option<GraphFile>| Source {
        path: checkpoint.path().to_owned(),
        checkpoint: Some(checkpoint),
        graph,
        config: None,
        is_config_given: false,
        temporary: vec![],
    };
    if let Some(graph) = &options.graph {
        let graph = GraphFile::open(saved_model_file(graph).as_ref().unwrap_or(graph), tag)?;
        return Ok(from_checkpoint(Checkpoint::open(path)?, Some(graph)));
    }
    let from_graph = |graph: GraphFile, checkpoint: Option<Checkpoint>| Source {
        path: path.to_owned(),
        checkpoint,
        graph: Some(graph),
        config: None,
        is_config_given: false,
        temporary: vec![],
    };
    if let Some(file) = saved_model_file(path) {
        let graph = GraphFile::open(&file, tag)?;
        let variables = file.parent().unwrap_or(path).join(SAVED_MODEL_VARIABLES);
        let has_variables = variables.with_extension("index").exists();
        return Ok(from_graph(graph, has_variables.then(|| Checkpoint::open(&variables)).transpose()?));
    }
    if path.is_file() && (GraphFile::is_likely(path) || tfjs::is_json(path)) {
        return Ok(from_graph(GraphFile::open(path, tag)?, checkpoint_of(path)?));
    }
    if let Some(file) = tfjs_file(path)? {
        return Ok(from_graph(GraphFile::open(&file, tag)?, None));
    }
    let checkpoint = Checkpoint::open(path)?;
    let mut graph_paths = META_SUFFIXES.iter().map(|suffix| with_suffix(checkpoint.path(), suffix));
    let graph = graph_paths.find(|path| path.is_file());
    let graph = graph.map(|path| GraphFile::open(&path, tag)).transpose()?;
    if graph.is_none() && tag.is_some() {
        return Err(Error::new(Setting::Tag, "it needs a graph, but this checkpoint has none")
            .advice(format!("give the graph with {}", Setting::Graph)));
    }
    Ok(from_checkpoint(checkpoint, graph))
}

fn saved_model_file(path: &Path) -> Option<PathBuf> {
    let is_its_name =
        |path: &Path| SAVED_MODEL_FILES.iter().any(|name| path.file_name().is_some_and(|n| n == *name));
    if path.is_file() && is_its_name(path) {
        return Some(path.to_owned());
    }
    SAVED_MODEL_FILES.iter().map(|name| path.join(name)).find(|file| file.is_file())
}

/// The graph model of TensorFlow.js in a folder without a checkpoint.
fn tfjs_file(folder: &Path) -> Result<Option<PathBuf>> {
    if !folder.is_dir() || !listing::list(folder).is_empty() {
        return Ok(None);
    }
    let mut models = GraphFile::tfjs_models_in(folder);
    if let Some(default) = models.iter().position(|path| path.ends_with(TFJS_MODEL)) {
        return Ok(Some(models.swap_remove(default)));
    }
    if models.len() > 1 {
        let names = models.iter().filter_map(|path| path.file_name()).map(|name| name.display().to_string());
        let listed = names.collect::<Vec<_>>().join(", ");
        return Err(Error::file(folder, format!("it contains several TensorFlow.js models: {listed}"))
            .advice("give the path of one of them"));
    }
    let old = folder.join(OLD_TFJS_MODEL);
    Ok(models.pop().or_else(|| old.is_file().then_some(old)))
}

/// The checkpoint beside a `.meta` file.
fn checkpoint_of(graph: &Path) -> Result<Option<Checkpoint>> {
    let name = graph.to_string_lossy();
    let Some(prefix) = META_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)) else {
        return Ok(None);
    };
    let index = with_suffix(Path::new(prefix), ".index");
    if index.is_file() {
        return Checkpoint::open(&index).map(Some);
    }
    let prefix = Path::new(prefix);
    prefix.is_file().then(|| Checkpoint::open(prefix)).transpose()
}
