//! The TF-Slim emulator: rebuilds a network of the slim model library from its variables alone.
//!
//! `recognize` finds the network, and a file of `nets` builds it with the functions of `layers` under the defaults of an
//! [`ArgScope`]. The result is the graph that slim would have built.

mod activations;
pub mod arg_scope;
mod atrous;
mod boxes;
mod choice;
mod depth;
mod depthwise;
mod layers;
mod layers_3d;
mod moments;
pub mod nets;
mod network;
mod network_builder;
mod option_value;
mod options;
mod plain_ops;
mod rearrange;
mod recognition;
pub mod recognize;
mod resize;
mod rnn_cells;
mod scope_candidates;
mod scopes;
mod shape_ops;
mod sonnet_layers;
mod tf_layers;
pub mod toml_network;
mod transformer_ops;

pub use arg_scope::{Activation, Arg, ArgScope, Layer, Normalizer};
pub use choice::{NetworkChoice, NetworkOption, network_named};
pub use layers::ScopeDisagreement;
pub use nets::{find_network, networks};
pub use network::{Network, NetworkInput};
pub use network_builder::{Kernel, NetworkBuilder, UNNAMED};
pub use option_value::{Counts, Value};
pub use options::{NUM_BANDS, NUM_CLASSES, NUM_FRAMES, OptionSource, OptionSpec, Options};
pub use plain_ops::LocalResponseNormalization;
pub use recognition::Recognition;
pub use recognize::{Overrides, Recognized, recognize, recognize_and_build};
pub use resize::{Alignment, Interpolation};
pub use shape_ops::Length;
pub use tf_layers::LayerName;
pub use transformer_ops::{HiddenActivation, LayerNorm};

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::error::Result;
use crate::graph::{Graph, TensorRef};

/// The variables of a checkpoint: their names and shapes.
pub type Variables = BTreeMap<String, Vec<usize>>;

/// Whether the names of some variables begin like this.
fn holds_prefix(variables: &Variables, prefix: &str) -> bool {
    let mut from = variables.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
    from.next().is_some_and(|(name, _)| name.starts_with(prefix))
}

/// The images that a network is built for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageShape {
    /// Images in a batch; `None` leaves it open.
    pub batch: Option<usize>,
    /// Rows of pixels; 0 leaves them open.
    pub height: usize,
    /// Columns of pixels; 0 leaves them open.
    pub width: usize,
    /// Channels of a pixel.
    pub channels: usize,
}

impl ImageShape {
    /// Height and width, unless images may have any size.
    pub fn size(&self) -> Option<[usize; 2]> {
        Some([self.height, self.width]).filter(|size| !size.contains(&0))
    }
}

/// A network as slim would have built it.
#[derive(Debug)]
pub struct BuiltNetwork {
    /// The graph, its variables being `VariableV2` nodes.
    pub graph: Graph,
    /// The placeholders, the one for the images first.
    pub inputs: Vec<TensorRef>,
    /// The result of slim's network function: the logits, or the features if there are no classes.
    pub output: TensorRef,
    /// slim's end points, in the order in which they are built.
    pub end_points: Vec<(String, TensorRef)>,
    /// The end points that are the outputs of the model unless the user chooses others; if there are none, the outputs are
    /// `output` and the predictions that are made of it.
    pub model_outputs: Vec<String>,
    /// Layers for which the checkpoint holds other variables than the arg_scope describes.
    pub disagreements: Vec<ScopeDisagreement>,
    /// Options whose values were assumed.
    pub assumptions: Vec<Assumption>,
}

/// The value of an option that neither the user nor a file gave, and that no variable shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumption {
    /// The name of the option.
    pub option: String,
    /// The value that was used.
    pub value: String,
    /// Why this value is likely.
    pub reason: String,
}

impl BuiltNetwork {
    /// The tensor of one of slim's end points.
    pub fn end_point(&self, name: &str) -> Option<TensorRef> {
        self.end_points.iter().find(|(end_point, _)| end_point == name).map(|(_, tensor)| *tensor)
    }

    /// The variables that the network reads, with their shapes, in slim's order.
    pub fn variables(&self) -> impl Iterator<Item = (&str, Vec<usize>)> {
        let variables = self.graph.nodes().filter(|(_, node)| node.is_variable());
        variables.map(|(_, node)| {
            let shape = node.outputs[0].shape.fully_known().unwrap_or_default();
            (node.name.as_str(), shape)
        })
    }
}

/// Builds `network` below the variable scope `prefix` (empty, or ending in `/`).
///
/// A batch norm has a gamma or a beta if and only if `variables` hold one, whatever the arg_scope sets.
///
/// # Errors
/// If the options or the images do not fit the network.
pub fn build(
    network: &Network,
    prefix: &str,
    options: &Options,
    image: &ImageShape,
    variables: &Variables,
) -> Result<BuiltNetwork> {
    build_with(
        NetworkBuilder::new(network.definition.arg_scope(), variables),
        network,
        prefix,
        options,
        image,
    )
}

/// Builds `network` with a new builder.
fn build_with(
    mut slim: NetworkBuilder<'_>,
    network: &Network,
    prefix: &str,
    options: &Options,
    image: &ImageShape,
) -> Result<BuiltNetwork> {
    let (inputs, output) = build_in(&mut slim, network, prefix, options, image);
    slim.finish(inputs, output).map_err(|error| error.within(&network.name))
}

/// Builds `network` with this builder. Returns its inputs and its output.
fn build_in(
    slim: &mut NetworkBuilder<'_>,
    network: &Network,
    prefix: &str,
    options: &Options,
    image: &ImageShape,
) -> (Vec<TensorRef>, TensorRef) {
    slim.limit(options.limits);
    let inputs = network.definition.inputs(options, image);
    let inputs: Vec<TensorRef> = inputs.into_iter().map(|input| slim.placeholder(input)).collect();
    let mut output = inputs[0];
    let scopes: Vec<&str> = prefix.split('/').filter(|scope| !scope.is_empty()).collect();
    slim.variable_scopes(&scopes, |slim| output = network.definition.build(slim, &inputs, options));
    (inputs, output)
}
