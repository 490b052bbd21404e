//! The data of a report. `docs/json.md` describes its keys, which keep their names.

use serde::Serialize;

use super::{Assumption, LayerReport, NormReport, Picture, Warning, WeightReport};
use crate::convert::{BatchNormSummary, Conversion, Origin};
use crate::graph::TensorType;
use crate::onnx::{Dim, Model, TensorInfo, WrittenFiles};

/// The version of the data. It increases if a key changes its meaning or is removed.
pub const VERSION: u32 = 1;

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A web page in one file.
    Html,
    /// The data as JSON.
    Json,
}

impl Format {
    /// The format for the extension of a path.
    pub fn of(path: &std::path::Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "html" | "htm" => Some(Self::Html),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// The report about a conversion.
#[derive(Debug, Clone, Serialize)]
pub struct ConversionReport {
    /// The version of this data.
    pub report_version: u32,
    /// The program that wrote it, with its version.
    pub generator: String,
    /// The input, as the user gave it.
    pub input: String,
    /// The output, as the user gave it.
    pub output: String,
    /// What was read and recognized.
    pub source: SourceReport,
    /// What was written.
    pub model: ModelReport,
    /// Sums over the layers.
    pub totals: Totals,
    /// What was assumed, with reasons.
    pub assumptions: Vec<Assumption>,
    /// What looks wrong.
    pub warnings: Vec<Warning>,
    /// The times.
    pub timing: Timing,
    /// The nodes of the graph that compute something from the inputs, each after the nodes that it reads.
    pub layers: Vec<LayerReport>,
    /// The tensors that were trained.
    pub weights: Vec<WeightReport>,
    /// The batch norms, in the order of the graph.
    pub batch_norms: Vec<NormReport>,
    /// The scopes of the layers, arranged for the picture.
    pub picture: Picture,
}

/// What was read. The keys of a network are `null` if the model came with a graph, and the other way round.
#[derive(Debug, Clone, Serialize)]
pub struct SourceReport {
    /// The network that was recognized.
    pub network: Option<String>,
    /// The scope that it was found in.
    pub scope: Option<String>,
    /// How many of the network's variables the checkpoint holds.
    pub variables_found: Option<usize>,
    /// How many variables the network reads.
    pub variables_expected: Option<usize>,
    /// Height and width of the images.
    pub image_size: Option<[usize; 2]>,
    /// The file with the graph.
    pub graph: Option<String>,
    /// The signature whose inputs and outputs the model has.
    pub signature: Option<String>,
    /// What the batch norms have in common.
    pub batch_norms: BatchNormSummary,
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct ModelReport {
    /// The name of the model's graph.
    pub name: String,
    /// Its inputs, as the model stores them.
    pub inputs: Vec<TensorReport>,
    /// Its outputs, as the model stores them.
    pub outputs: Vec<TensorReport>,
    /// The version of ONNX's default operator set.
    pub opset: i64,
    /// Nodes of the ONNX graph.
    pub nodes: usize,
    /// The number of initializers.
    pub initializers: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// The separate file with its weights.
    pub external_data: Option<String>,
}

/// A tensor with its type and shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorReport {
    /// Its name in TensorFlow.
    pub name: String,
    /// TensorFlow's name of its type.
    pub dtype: &'static str,
    /// For each axis its length, or a name or `null` if it is open; `null` instead of the array if the rank is not known.
    pub shape: Option<Vec<Dim>>,
}

/// Sums over the layers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// The number of layers.
    pub layers: usize,
    /// Elements of all weights.
    pub parameters: u64,
    /// Bytes of all weights.
    pub weight_bytes: u64,
    /// Bytes of the outputs of all layers, without those of open shape.
    pub activation_bytes: u64,
    /// The number of layers of open shape.
    pub layers_of_open_shape: usize,
}

/// Seconds that the parts of a conversion took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Timing {
    /// Finding the files, and reading their indices and graphs.
    pub opening: f64,
    /// Recognizing the network and building it, or importing the graph.
    #[serde(rename = "drawing")]
    pub building: f64,
    /// Rewriting the graph and turning its variables into constants.
    pub rewriting: f64,
    /// From TensorFlow's ops to ONNX's.
    pub lowering: f64,
    /// Moving the weights into the model.
    pub writing: f64,
    /// Making this report.
    pub report: f64,
}

impl Timing {
    /// Each part with what it is called.
    pub fn parts(&self) -> [(&'static str, f64); 6] {
        [
            ("opening", self.opening),
            ("building", self.building),
            ("rewriting", self.rewriting),
            ("lowering", self.lowering),
            ("writing", self.writing),
            ("report", self.report),
        ]
    }
}

impl SourceReport {
    pub(super) fn new(conversion: &Conversion) -> Self {
        let origin = &conversion.origin;
        let (network, graph) = match origin {
            Origin::Network(network) => (Some(&**network), None),
            Origin::Graph(graph) => (None, Some(graph)),
        };
        let recognition = network.map(|network| &network.recognition);
        Self {
            network: recognition.map(|recognition| recognition.network.name.to_owned()),
            scope: recognition
                .map(|recognition| format!("{}{}", recognition.prefix, recognition.options.scope)),
            variables_found: recognition.map(|recognition| recognition.found),
            variables_expected: recognition.map(|recognition| recognition.expected),
            image_size: network.and_then(|network| network.image.size()),
            graph: graph.map(|graph| graph.path.display().to_string()),
            signature: graph.and_then(|graph| graph.signature.clone()),
            batch_norms: BatchNormSummary::new(&conversion.batch_norms, origin.epsilon_source()),
        }
    }
}

impl ModelReport {
    pub(super) fn new(model: &Model, written: &WrittenFiles) -> Self {
        Self {
            name: model.name.clone(),
            inputs: model.inputs.iter().map(TensorReport::of_model).collect(),
            outputs: model.outputs.iter().map(TensorReport::of_model).collect(),
            opset: model.opset,
            nodes: model.nodes.len(),
            initializers: model.initializers.len(),
            bytes: written.bytes,
            external_data: written.external_data.as_ref().map(|path| path.display().to_string()),
        }
    }
}

impl TensorReport {
    fn of_model(info: &TensorInfo) -> Self {
        Self { name: info.name.clone(), dtype: info.dtype.name(), shape: info.shape.clone() }
    }

    pub(super) fn of_graph(name: String, tensor: &TensorType) -> Self {
        let dim = |dim: &Option<usize>| dim.map_or(Dim::Unknown, Dim::Known);
        let shape = tensor.shape.dims().map(|dims| dims.iter().map(dim).collect());
        Self { name, dtype: tensor.dtype.name(), shape }
    }
}

impl Totals {
    pub(super) fn new(layers: &[LayerReport], weights: &[WeightReport]) -> Self {
        let mut totals = Self { layers: layers.len(), ..Self::default() };
        for weight in weights {
            totals.parameters = totals.parameters.saturating_add(weight.parameters);
            totals.weight_bytes = totals.weight_bytes.saturating_add(weight.bytes);
        }
        for layer in layers {
            match layer.activation_bytes {
                Some(bytes) => totals.activation_bytes = totals.activation_bytes.saturating_add(bytes),
                None => totals.layers_of_open_shape += 1,
            }
        }
        totals
    }
}
