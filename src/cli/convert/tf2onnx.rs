//! The options of `python -m tf2onnx.convert`, so that its commands run here with another name of the program. They become the
//! options and arguments that exist here; others of its options are other names of options.
//!
//! Source: `get_args` and `main` in `tf2onnx/convert.py`, version 1.16.1.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::convert::{ConvertOptions, tensorflow_graph};
use crate::error::{Error, Result};
use crate::graph_files::Form;
use crate::onnx::WrittenFiles;
use crate::output::{ArchiveOutput, folder_beside, refuse_overwriting, target_of};
use crate::source::Source;
use crate::temporary::Temporary;

/// The heading of these options in the help.
pub const HEADING: &str = "Options of tf2onnx";

/// The options of tf2onnx that are not other names of options.
#[derive(Debug, clap::Args)]
pub struct Tf2onnxArgs {
    /// The input, of any kind, in place of the first argument
    #[arg(long = "input", visible_aliases = ["graphdef", "saved-model", "checkpoint", "tfjs", "keras", "tflite"],
          help_heading = HEADING, value_name = "PATH")]
    pub given_input: Option<PathBuf>,
    /// The ONNX file to write, in place of the second argument
    #[arg(long = "output", help_heading = HEADING, value_name = "FILE", conflicts_with = "output")]
    pub given_output: Option<PathBuf>,
    /// Write the weights to a separate file; if the output is FILE.zip, write an archive with the model and its weights
    #[arg(long = "large_model", help_heading = HEADING)]
    large_model: bool,
    /// Write the TensorFlow graph too, frozen, as a GraphDef
    #[arg(long = "output_frozen_graph", help_heading = HEADING, value_name = "FILE.pb")]
    output_frozen_graph: Option<PathBuf>,
    /// The runtime; models are the same for all of them
    #[arg(long, help_heading = HEADING, value_name = "TARGETS", value_delimiter = ',',
          value_parser = ["rs4", "rs5", "rs6", "caffe2", "tensorrt", "nhwc"])]
    target: Vec<String>,
    /// Libraries with TensorFlow ops; none is loaded, and --custom-ops writes such ops
    #[arg(long = "load_op_libraries", help_heading = HEADING, value_name = "FILES", value_delimiter = ',')]
    load_op_libraries: Vec<PathBuf>,
    /// Has no effect: constants are always folded
    #[arg(long = "fold_const", help_heading = HEADING)]
    fold_const: bool,
    /// The same as --verbose
    #[arg(long, help_heading = HEADING)]
    pub debug: bool,
    /// The same as --signature __call__:N
    #[arg(long = "concrete_function", help_heading = HEADING, value_name = "N", conflicts_with = "signature")]
    concrete_function: Option<u32>,
    /// Not supported, as it is for TensorFlow Lite models
    #[arg(long, help_heading = HEADING)]
    dequantize: bool,
}

impl Tf2onnxArgs {
    /// Refuses what is not supported.
    ///
    /// # Errors
    /// If such an option is set.
    pub fn check(&self) -> Result<()> {
        if self.dequantize {
            return Err(Error::new(
                "--dequantize",
                "it is for TensorFlow Lite models, which are not converted",
            )
            .advice("give the SavedModel or checkpoint that the model was converted from"));
        }
        Ok(())
    }

    /// Sentences about options that have no effect, or another one than in tf2onnx.
    pub fn notes(&self, output: &Path) -> Vec<String> {
        let mut notes = vec![];
        if self.large_model && !is_zip(output) {
            let file = format!("{}.data", output.display());
            notes.push(format!(
                "--large_model: the weights are in {file}; name the output FILE.zip for an archive of both"
            ));
        }
        if !self.target.is_empty() {
            notes.push("--target has no effect: models are the same for all runtimes".to_owned());
        }
        if !self.load_op_libraries.is_empty() {
            let problem = "--load_op_libraries has no effect: no TensorFlow runs here";
            notes
                .push(format!("{problem}; --custom-ops and --keep-going write ops of libraries as they are"));
        }
        if self.fold_const {
            notes.push("--fold_const has no effect: constants are always folded".to_owned());
        }
        notes
    }

    /// The function of a SavedModel that is chosen by its number, as `--signature` names it.
    pub fn signature(&self) -> Option<String> {
        self.concrete_function.map(|number| format!("__call__:{number}"))
    }

    /// Whether the weights are in a separate file.
    pub fn has_external_data(&self) -> bool {
        self.large_model
    }

    /// Whether the model and its weights are in an archive.
    pub fn is_archive(&self, output: &Path) -> bool {
        self.large_model && is_zip(output)
    }

    /// Writes the frozen graph, if it is wanted.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_frozen_graph(&self, source: &Source, options: &ConvertOptions) -> Result<()> {
        let Some(path) = &self.output_frozen_graph else { return Ok(()) };
        refuse_overwriting(path, source.files())?;
        let model = tensorflow_graph(source, options)?;
        Form::GraphDef.write(source, &model, true, path, &mut |_| {}).map(drop)
    }
}

fn is_zip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

/// The name of the model in the archive (`ExternalTensorStorage` in `tf2onnx/graph.py`).
const MODEL_IN_ARCHIVE: &str = "__MODEL_PROTO.onnx";

/// The bytes of a file that are copied at once.
const CHUNK_BYTES: usize = 1 << 20;

/// A model for an archive. It is written to files beside the archive first.
pub struct ToArchive {
    archive: PathBuf,
    folder: Temporary<TempDir>,
}

impl ToArchive {
    /// Makes the temporary folder.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn begin(archive: &Path) -> Result<Self> {
        let archive = target_of(archive)?;
        Ok(Self { folder: folder_beside(&archive)?, archive })
    }

    /// The temporary file of the model.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(MODEL_IN_ARCHIVE)
    }

    /// Uses the path of the archive in an error.
    pub fn error(&self, error: Error) -> Error {
        error.with_path_replaced(&self.path(), &self.archive)
    }

    /// Packs the files, without compressing them, as weights hardly become smaller.
    ///
    /// # Errors
    /// If the archive cannot be written.
    pub fn pack(&self, written: &WrittenFiles) -> Result<()> {
        let mut archive = ArchiveOutput::create(&self.archive)?;
        for path in [Some(self.path()), written.external_data.clone()].into_iter().flatten() {
            let unreadable = |error: io::Error| Error::unreadable(&path, &error);
            let mut file = File::open(&path).map_err(unreadable)?;
            let bytes = file.metadata().map_err(unreadable)?.len();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            archive.begin_file(&name, Some(bytes))?;
            let mut chunk = vec![0; CHUNK_BYTES];
            loop {
                match file.read(&mut chunk) {
                    Ok(0) => break,
                    Ok(count) => archive.write(&chunk[..count])?,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(unreadable(error)),
                }
            }
        }
        // The files that the model was made of were checked when it was written.
        archive.persist(&[])
    }
}
