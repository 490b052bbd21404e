//! What can be said about a conversion.

use std::path::PathBuf;

use super::Probabilities;
use crate::passes::moving_averages;
use crate::passes::preprocess::Preprocessing;

/// What is to be said about a conversion; the defaults are those of the command line.
#[derive(Debug, Clone)]
pub struct ConvertOptions {
    /// The network's name or the file that describes it, instead of leaving it to be recognized.
    pub network: Option<String>,
    /// slim's arguments of the network, each as `KEY=VALUE`.
    pub network_options: Vec<String>,
    /// Whether a network is converted although its checkpoint holds more: the rest of what it is the backbone of.
    pub backbone: bool,
    /// Height and width of the images; the network's own by default.
    pub image_size: Option<(usize, usize)>,
    /// Images in a batch; open by default.
    pub batch_size: Option<usize>,
    /// The tensors that the model is fed, where the graph's placeholders are not meant.
    pub inputs: Vec<String>,
    /// Tensor names or slim end points; the logits and the predictions, or the graph's ends by default.
    pub outputs: Vec<String>,
    /// Shapes of inputs that the graph leaves open, each as `NAME=DIMS`.
    pub shapes: Vec<String>,
    /// Placeholders with the values they are to have, each as `NAME=VALUE`.
    pub freeze: Vec<String>,
    /// Placeholders whose default is their value.
    pub use_default: Vec<String>,
    /// Placeholders whose default is left out.
    pub ignore_default: Vec<String>,
    /// The signature of a SavedModel whose inputs and outputs are meant.
    pub signature: Option<String>,
    /// The ONNX operator set.
    pub opset: i64,
    /// Inputs to declare with their channels second.
    pub inputs_as_nchw: Vec<String>,
    /// Outputs to deliver with their channels second.
    pub outputs_as_nchw: Vec<String>,
    /// Whether ops that cannot be converted are written as they are, in a domain of their own.
    pub keep_going: bool,
    /// Whether batch norms become a part of the convolutions before them.
    pub fold_batch_norm: bool,
    /// Whether weights and arithmetic are float16.
    pub float16: bool,
    /// Ops, nodes and scopes that compute in float32 all the same.
    pub keep_float32: Vec<String>,
    /// Whether moving averages of the weights are taken in their place.
    pub moving_averages: moving_averages::Choice,
    /// What the model does to the bytes of images before the network takes them.
    pub preprocessing: Preprocessing,
    /// Whether the model delivers probabilities beside its logits.
    pub probabilities: Probabilities,
    /// The file with the names of the classes.
    pub labels: Option<PathBuf>,
    /// Whether inputs and outputs keep TensorFlow's names where a signature has keys for them.
    pub tensor_names: bool,
    /// New names of the inputs, each as `NAME=NEW`, or in their order.
    pub rename_inputs: Vec<String>,
    /// New names of the outputs, each as `NAME=NEW`, or in their order.
    pub rename_outputs: Vec<String>,
}

impl Default for ConvertOptions {
    fn default() -> Self {
        Self {
            network: None,
            network_options: vec![],
            backbone: false,
            image_size: None,
            batch_size: None,
            inputs: vec![],
            outputs: vec![],
            shapes: vec![],
            freeze: vec![],
            use_default: vec![],
            ignore_default: vec![],
            signature: None,
            opset: 17,
            inputs_as_nchw: vec![],
            outputs_as_nchw: vec![],
            keep_going: false,
            fold_batch_norm: false,
            float16: false,
            keep_float32: vec![],
            moving_averages: moving_averages::Choice::Auto,
            preprocessing: Preprocessing::None,
            probabilities: Probabilities::AsDrawn,
            labels: None,
            tensor_names: false,
            rename_inputs: vec![],
            rename_outputs: vec![],
        }
    }
}
