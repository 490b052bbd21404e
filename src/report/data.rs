//! The data of a report. `docs/json.md` describes it key by key; its keys keep their names.

use serde::Serialize;

use super::{Assumption, LayerReport, NormReport, Picture, Warning, WeightReport};
use crate::convert::{BatchNormSummary, Conversion, Origin};
use crate::graph::TensorType;
use crate::onnx::{Dim, Model, TensorInfo, WriteReport};

/// The version of the data: it grows where a key changes its meaning or goes.
pub const VERSION: u32 = 1;

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A page that needs nothing besides itself.
    Html,
    /// The data.
    Json,
}

impl Format {
    /// The format that a file's name asks for, by its extension.
    pub fn of(path: &std::path::Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "html" | "htm" => Some(Self::Html),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Everything that is said about a conversion.
#[derive(Debug, Clone, Serialize)]
pub struct ConversionReport {
    /// The version of this data.
    pub report_version: u32,
    /// The program that wrote it, with its version.
    pub generator: String,
    /// The path that was converted, as it was given.
    pub input: String,
    /// The path of the model, as it was given.
    pub output: String,
    /// What was read, and what it was recognized as.
    pub source: SourceReport,
    /// What was written.
    pub model: ModelReport,
    /// Sums over the layers.
    pub totals: Totals,
    /// What was assumed, each with its reason.
    pub assumptions: Vec<Assumption>,
    /// What looks wrong.
    pub warnings: Vec<Warning>,
    /// How long it took.
    pub timing: Timing,
    /// The nodes of the graph that compute something from the inputs, each after those it reads.
    pub layers: Vec<LayerReport>,
    /// The tensors that were trained.
    pub weights: Vec<WeightReport>,
    /// The batch norms, in the order of the graph.
    pub batch_norms: Vec<NormReport>,
    /// The scopes of the layers, arranged to be drawn.
    pub picture: Picture,
}

/// What was read. The keys of a network are `null` where the model came with its graph, and the other way round.
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
    /// The signature whose inputs and outputs were taken.
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
    /// Tensors that are part of the model.
    pub initializers: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// The file beside the model that holds its weights.
    pub external_data: Option<String>,
}

/// A tensor with its type and shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorReport {
    /// TensorFlow's name of it.
    pub name: String,
    /// TensorFlow's name of its type.
    pub dtype: &'static str,
    /// A length for each axis, or its name or `null` where it is open; `null` instead of all where the rank is not known.
    pub shape: Option<Vec<Dim>>,
}

/// Sums over the layers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// How many layers there are.
    pub layers: usize,
    /// Elements of all weights.
    pub parameters: u64,
    /// Bytes of all weights.
    pub weight_bytes: u64,
    /// Bytes of what all layers compute; those whose shape is open are left out.
    pub activation_bytes: u64,
    /// How many layers were left out for that.
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
            image_size: network.map(|network| [network.image.height, network.image.width]),
            graph: graph.map(|graph| graph.path.display().to_string()),
            signature: graph.and_then(|graph| graph.signature.clone()),
            batch_norms: BatchNormSummary::new(&conversion.batch_norms, origin.epsilon_source()),
        }
    }
}

impl ModelReport {
    pub(super) fn new(model: &Model, written: &WriteReport) -> Self {
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
