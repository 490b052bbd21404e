//! What can be said about a conversion on the command line, and what is meant by it.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::interface::InterfaceArgs;
use super::verified::VerificationArgs;
use crate::convert::{ConvertOptions, FrozenPlaceholder, InputShape};
use crate::error::Result;
use crate::lower::OPSETS;
use crate::model::OpenOptions;
use crate::onnx::WriteOptions;
use crate::passes::moving_averages;

/// The headings of options in the help.
pub const INTERFACE: &str = "Inputs and outputs";
const NETWORK: &str = "Networks without a graph";
const GRAPH: &str = "Models with a graph";
const MODEL: &str = "ONNX model";

/// The options of a conversion, whatever is converted.
#[derive(Debug, Clone, clap::Args)]
pub struct ConversionArgs {
    #[command(flatten)]
    network: NetworkArgs,
    /// Height and width of the images, as N or HxW [default: the network's own]
    #[arg(long, help_heading = INTERFACE, value_name = "N|HxW", value_parser = image_size)]
    image_size: Option<(usize, usize)>,
    /// Images in a batch [default: any number]
    #[arg(long, help_heading = INTERFACE, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    batch_size: Option<usize>,
    /// The file with the graph: .meta, .pb, .pbtxt or a SavedModel [default: the .meta beside the checkpoint]
    #[arg(long, help_heading = GRAPH, value_name = "FILE")]
    graph: Option<PathBuf>,
    /// The tags of the graph in a SavedModel [default: serve]
    #[arg(long, help_heading = GRAPH, value_name = "TAGS")]
    tag: Option<String>,
    /// The signature of a SavedModel; options know its tensors by its keys too [default: serving_default]
    #[arg(long, help_heading = GRAPH, value_name = "NAME")]
    signature: Option<String>,
    /// Tensors that the model is fed; what computes them is cut off [default: the graph's placeholders]
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    inputs: Vec<String>,
    /// The shape of an input that the graph leaves open; -1 is any length (repeatable)
    #[arg(long, help_heading = GRAPH, value_name = "NAME=DIMS")]
    shape: Vec<String>,
    /// A placeholder that is a constant instead, such as is_training=false (repeatable)
    #[arg(long, help_heading = GRAPH, value_name = "NAME=VALUE")]
    freeze: Vec<String>,
    /// Placeholders whose default is their value instead of an input's
    #[arg(long, help_heading = GRAPH, value_name = "NAMES", value_delimiter = ',')]
    use_default: Vec<String>,
    /// Placeholders that are inputs without their default
    #[arg(long, help_heading = GRAPH, value_name = "NAMES", value_delimiter = ',')]
    ignore_default: Vec<String>,
    /// Write ops that cannot be converted as they are, in the domain ai.onnx.converters.tensorflow
    #[arg(long, help_heading = GRAPH)]
    keep_going: bool,
    /// Make batch norms a part of the convolutions before them: a smaller model that is harder to read and train
    #[arg(long, help_heading = MODEL)]
    fold_batch_norm: bool,
    /// Weights and arithmetic in float16, inputs and outputs as they are
    #[arg(long, help_heading = MODEL)]
    float16: bool,
    /// TensorFlow ops, nodes or scopes that compute in float32 all the same
    #[arg(long, help_heading = MODEL, value_name = "NAMES", value_delimiter = ',', requires = "float16")]
    keep_float32: Vec<String>,
    /// Tensor names, slim end points or keys of the signature [default: the logits, then Predictions, or the graph's ends]
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    outputs: Vec<String>,
    /// The ONNX operator set to write
    #[arg(long, help_heading = MODEL, value_name = "N", default_value_t = 17,
          value_parser = opset, allow_negative_numbers = true)]
    opset: i64,
    /// Keep the weights in a file beside the model, OUTPUT.data; models above 2 GiB always do
    #[arg(long, help_heading = MODEL)]
    external_data: bool,
    /// Inputs that the model takes as NCHW instead of NHWC
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    inputs_as_nchw: Vec<String>,
    /// Outputs that the model delivers as NCHW instead of NHWC
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    outputs_as_nchw: Vec<String>,
    #[command(flatten)]
    pub verification: VerificationArgs,
    #[command(flatten)]
    interface: InterfaceArgs,
}

impl ConversionArgs {
    /// How the input is opened.
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions { graph: self.graph.clone(), tag: self.tag.clone() }
    }

    /// How it is converted.
    ///
    /// # Errors
    /// If the value of an option is not of the form that it has to be.
    pub fn convert_options(&self) -> Result<ConvertOptions> {
        self.interface.complete(ConvertOptions {
            image_size: self.image_size,
            batch_size: self.batch_size,
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            shapes: self.shape.iter().map(|text| InputShape::parse(text)).collect::<Result<_>>()?,
            freeze: self.freeze.iter().map(|text| FrozenPlaceholder::parse(text)).collect::<Result<_>>()?,
            use_default: self.use_default.clone(),
            ignore_default: self.ignore_default.clone(),
            signature: self.signature.clone(),
            keep_going: self.keep_going,
            fold_batch_norm: self.fold_batch_norm,
            float16: self.float16,
            keep_float32: self.keep_float32.clone(),
            opset: self.opset,
            inputs_as_nchw: self.inputs_as_nchw.clone(),
            outputs_as_nchw: self.outputs_as_nchw.clone(),
            ..self.network.to_options()
        })
    }

    /// How the model is written.
    pub fn write_options(&self) -> WriteOptions {
        WriteOptions { external_data: self.external_data }
    }
}

/// What can be said about the network instead of leaving it to be recognized.
#[derive(Debug, Clone, clap::Args)]
struct NetworkArgs {
    /// The network, instead of having it recognized: one that `tf2onnx-rs networks` lists, or a description
    #[arg(long, help_heading = NETWORK, value_name = "NAME|FILE.toml")]
    network: Option<String>,
    /// An argument of slim's network function (repeatable)
    #[arg(long, help_heading = NETWORK, value_name = "KEY=VALUE")]
    network_option: Vec<String>,
    /// Convert the network alone where the checkpoint holds more, such as a detector that it is the backbone of
    #[arg(long, help_heading = NETWORK)]
    backbone: bool,
    /// Whether to take the moving averages of the weights in their place; auto does where all weights have one
    #[arg(long, help_heading = NETWORK, value_name = "CHOICE", default_value = "auto", value_enum)]
    moving_averages: moving_averages::Choice,
}

impl NetworkArgs {
    /// The options of a conversion of this network.
    pub fn to_options(&self) -> ConvertOptions {
        ConvertOptions {
            network: self.network.clone(),
            network_options: self.network_option.clone(),
            backbone: self.backbone,
            moving_averages: self.moving_averages,
            ..ConvertOptions::default()
        }
    }
}

impl ValueEnum for moving_averages::Choice {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::On, Self::Off]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        }))
    }
}

/// The largest size of an image that is not a typing error.
const MAX_IMAGE_SIZE: usize = 100_000;

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=MAX_IMAGE_SIZE).contains(&number) => Ok(number),
        _ => Err(format!("not a number from 1 to {MAX_IMAGE_SIZE}")),
    }
}

/// An operator set that can be written.
fn opset(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| OPSETS.contains(number));
    number.ok_or_else(|| format!("not a number from {} to {}", OPSETS.start(), OPSETS.end()))
}

/// Height and width, as `N` or `HxW`.
pub fn image_size(text: &str) -> Result<(usize, usize), String> {
    let (height, width) = text.split_once(['x', 'X']).unwrap_or((text, text));
    Ok((positive(height)?, positive(width)?))
}
