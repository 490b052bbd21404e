//! The report of `inspect`, as `--json` prints it.

use std::path::Path;

use serde::Serialize;

use crate::checkpoint::Version;
use crate::cli::output;
use crate::convert::{BatchNormSummary, UnusedScope};
use crate::inspect::{
    BatchNormEntry, Finding, GraphSummary, Identified, IdentifiedNetwork, Inspected, Kind, Kinds, LayerEntry,
    OnnxSummary, findings, kinds, layers_in, summary,
};
use crate::passes::moving_averages::MovingAverages;
use crate::tensor::Statistics;
use crate::tensors_in_file::TensorFile;

/// The report about a file.
#[derive(Debug, Serialize)]
pub struct InspectReport<'a> {
    #[serde(serialize_with = "output::path")]
    pub path: &'a Path,
    pub format: &'static str,
    pub tensors: Vec<TensorEntry>,
    /// The number of all tensors in the file.
    pub tensors_in_file: usize,
    pub kinds: Vec<Kinds>,
    pub network: Option<NetworkEntry>,
    /// Why there is no network.
    pub network_problem: Option<String>,
    /// The layers that the variables show, if neither a network nor a graph does.
    pub layers: Option<Vec<LayerEntry>>,
    pub graph: Option<GraphSummary>,
    pub onnx: Option<OnnxSummary>,
    pub batch_norms: Vec<BatchNormEntry>,
    pub batch_norm_summary: BatchNormSummary,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
pub struct TensorEntry {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<usize>,
    /// `null` for strings.
    pub bytes: Option<usize>,
    pub kind: Kind,
    pub converted: Option<bool>,
    pub statistics: Option<Statistics>,
}

#[derive(Debug, Serialize)]
pub struct NetworkEntry {
    pub name: String,
    pub scope: String,
    pub certainty: f64,
    pub variables_found: usize,
    pub variables_expected: usize,
    pub unused_variables: Vec<UnusedScope>,
    pub options: serde_json::Value,
    pub image_size: serde_json::Value,
    pub arg_scope: String,
    pub batch_norms: BatchNormSummary,
    pub moving_averages: MovingAverages,
}

impl<'a> InspectReport<'a> {
    /// `total` is the number of all tensors in the file.
    pub fn new(
        file: &'a TensorFile,
        identified: Identified,
        tensors: Vec<Inspected>,
        total: usize,
        with_statistics: bool,
    ) -> Self {
        let Identified { network, graph, batch_norms, epsilon_source, .. } = identified;
        let onnx = match file {
            TensorFile::Onnx(onnx) => Some(OnnxSummary::new(onnx)),
            TensorFile::Model(_) => None,
        };
        let is_network = network.is_ok() && graph.is_none();
        let (network, network_problem) = match network {
            Ok(network) => (Some(NetworkEntry::new(&network)), None),
            Err(error) => (None, Some(error.problem().to_owned())),
        };
        Self {
            path: file.path(),
            format: format(file, graph.as_ref()),
            tensors_in_file: total,
            kinds: kinds(&tensors),
            batch_norm_summary: summary(&batch_norms, epsilon_source),
            findings: findings(&tensors, &batch_norms, graph.as_ref(), onnx.as_ref(), is_network),
            tensors: tensors.into_iter().map(|tensor| TensorEntry::new(tensor, with_statistics)).collect(),
            layers: (network.is_none() && graph.is_none()).then(|| layers_in(file)),
            network,
            network_problem,
            graph,
            onnx,
            batch_norms,
        }
    }
}

/// The format of the file.
fn format(file: &TensorFile, graph: Option<&GraphSummary>) -> &'static str {
    let checkpoint = match file {
        TensorFile::Model(model) => model.checkpoint(),
        TensorFile::Onnx(_) => None,
    };
    match (checkpoint.map(|checkpoint| checkpoint.version()), graph) {
        (Some(Version::V1), _) => "V1",
        (Some(Version::V2), _) => "V2",
        (None, Some(graph)) => graph.kind,
        (None, None) => "unknown",
    }
}

impl TensorEntry {
    fn new(inspected: Inspected, with_statistics: bool) -> Self {
        let Inspected { tensor, kind, converted, statistics, .. } = inspected;
        Self {
            bytes: tensor.byte_len(),
            name: tensor.name,
            dtype: tensor.type_name,
            shape: tensor.shape,
            kind,
            converted,
            statistics: statistics.filter(|_| with_statistics),
        }
    }
}

impl NetworkEntry {
    fn new(network: &IdentifiedNetwork) -> Self {
        let IdentifiedNetwork { recognition, batch_norms, moving_averages, unused, .. } = network;
        let json = crate::cli::json;
        let options = recognition.options.values().map(|(name, value)| (name.to_owned(), json(value)));
        Self {
            name: recognition.network.name.clone(),
            scope: format!("{}{}", recognition.prefix, recognition.options.scope),
            certainty: recognition.certainty() * (1.0 - unused.share()),
            variables_found: recognition.found,
            variables_expected: recognition.expected,
            unused_variables: unused.scopes.clone(),
            options: serde_json::Value::Object(options.collect()),
            image_size: crate::cli::image_size(&recognition.network),
            arg_scope: recognition.network.arg_scope_name.clone(),
            batch_norms: BatchNormSummary::new(batch_norms, recognition.epsilon_source()),
            moving_averages: moving_averages.clone(),
        }
    }
}
