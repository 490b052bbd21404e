//! A SavedModel: a folder with a MetaGraphDef and a checkpoint of its variables. It is written under a temporary name and renamed at
//! the end.
//!
//! Source: `tensorflow/cc/saved_model/constants.h`, `tensorflow/core/protobuf/saved_model.proto`.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use prost::Message;

use super::{Written, check_size, meta_graph};
use crate::checkpoint::write_bundle;
use crate::convert::TensorFlowGraph;
use crate::error::Result;
use crate::file_state::FileState;
use crate::output::{FolderOutput, close, unwritable};
use crate::proto::SavedModel;

const FILE: &str = "saved_model.pb";
const VARIABLES_FOLDER: &str = "variables";
const VARIABLES: &str = "variables/variables";
/// The version of the format.
const SCHEMA_VERSION: i64 = 1;

pub(super) fn write(
    model: &TensorFlowGraph,
    sources: &[FileState],
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Written> {
    let output = FolderOutput::create(path)?;
    let meta = meta_graph::in_saved_model(model)?;
    let nodes = meta.graph_def.as_ref().map_or(0, |graph| graph.node.len());
    let saved = SavedModel { saved_model_schema_version: SCHEMA_VERSION, meta_graphs: vec![meta] };
    let mut bytes = saved.encoded_len() as u64;
    check_size(path, bytes)?;
    let unwritable = |error: &std::io::Error| unwritable(path, error);
    if !model.variables.is_empty() {
        fs::create_dir(output.path().join(VARIABLES_FOLDER)).map_err(|error| unwritable(&error))?;
        let variables = model.variables.iter().map(|variable| (variable.name.as_str(), &variable.value));
        bytes += write_bundle(&output.path().join(VARIABLES), variables, progress)
            .map_err(|error| error.with_path_replaced(output.path(), path))?;
    }
    let written = File::create(output.path().join(FILE)).and_then(|mut file| {
        file.write_all(&saved.encode_to_vec())?;
        close(file)
    });
    written.map_err(|error| unwritable(&error))?;
    output.persist(sources)?;
    Ok(Written { nodes, bytes })
}
