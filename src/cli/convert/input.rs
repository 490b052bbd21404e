//! The options that say what is converted: the network or the graph, and its inputs and outputs.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::options::INTERFACE;
use crate::convert::{ConvertOptions, FrozenPlaceholder, InputShape};
use crate::error::{Error, Result};
use crate::graph::Limits;
use crate::passes::moving_averages;
use crate::setting::Setting;
use crate::slim::{NetworkChoice, NetworkOption};
use crate::source::OpenOptions;

const NETWORK: &str = "Networks without a graph";
pub const GRAPH: &str = "Models with a graph";

/// The options for the input of a conversion.
#[derive(Debug, Clone, clap::Args)]
pub struct InputArgs {
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
    /// The signature of a SavedModel, or a function of its root object; other options accept its keys as names of tensors [default:
    /// serving_default]
    #[arg(long, visible_alias = "signature_def", help_heading = GRAPH, value_name = "NAME")]
    signature: Option<String>,
    /// Make these tensors the inputs; the ops that compute them are cut off [default: the graph's placeholders]. A name may have a
    /// shape: NAME[1,224,224,3]
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    inputs: Vec<String>,
    /// The shape of an input that the graph leaves open; -1 is any length (repeatable)
    #[arg(long, help_heading = GRAPH, value_name = "NAME=DIMS")]
    shape: Vec<String>,
    /// Make a placeholder a constant, such as is_training=false (repeatable)
    #[arg(long, help_heading = GRAPH, value_name = "NAME=VALUE")]
    freeze: Vec<String>,
    /// Use the default value of these placeholders; don't make them inputs
    #[arg(long, visible_alias = "use_default", help_heading = GRAPH, value_name = "NAMES", value_delimiter = ',')]
    use_default: Vec<String>,
    /// Make these placeholders inputs without a default value
    #[arg(long, visible_alias = "ignore_default", help_heading = GRAPH, value_name = "NAMES", value_delimiter = ',')]
    ignore_default: Vec<String>,
    /// Raise a limit that keeps a damaged file from taking all memory: nodes, outputs or constants (repeatable)
    #[arg(long, help_heading = GRAPH, value_name = "KEY=VALUE")]
    limit: Vec<String>,
    /// The outputs: tensor names, slim end points or keys of the signature [default: the logits and predictions, or the
    /// outputs that are inferred from the graph]
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    outputs: Vec<String>,
}

impl InputArgs {
    /// How the input is opened.
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions { graph: self.graph.clone(), tag: self.tag.clone(), config: self.network.config.clone() }
    }

    /// The options of a conversion of this input.
    ///
    /// # Errors
    /// If the value of an option is not of the form that it has to be.
    pub fn to_options(&self) -> Result<ConvertOptions> {
        let (inputs, mut shapes) = inputs_and_shapes(&self.inputs)?;
        for text in &self.shape {
            shapes.push(InputShape::parse(text)?);
        }
        let mut limits = Limits::default();
        self.limit.iter().try_for_each(|text| limits.set(text))?;
        Ok(ConvertOptions {
            limits,
            image_size: self.image_size,
            batch_size: self.batch_size,
            inputs,
            outputs: self.outputs.clone(),
            shapes,
            freeze: self.freeze.iter().map(|text| FrozenPlaceholder::parse(text)).collect::<Result<_>>()?,
            use_default: self.use_default.clone(),
            ignore_default: self.ignore_default.clone(),
            signature: self.signature.clone(),
            ..self.network.to_options()?
        })
    }
}

/// The names of inputs, and the shapes that some of them have after their names, in brackets. The commas in brackets have separated
/// the texts, too.
fn inputs_and_shapes(texts: &[String]) -> Result<(Vec<String>, Vec<InputShape>)> {
    let mut joined: Vec<String> = vec![];
    for text in texts {
        match joined.last_mut().filter(|last| last.contains('[') && !last.contains(']')) {
            Some(last) => *last = format!("{last},{text}"),
            None => joined.push(text.clone()),
        }
    }
    let (mut names, mut shapes) = (vec![], vec![]);
    for text in joined {
        let Some((name, shape)) = text.split_once('[') else {
            names.push(text);
            continue;
        };
        let dims = shape.strip_suffix(']').ok_or_else(|| {
            Error::new(Setting::Inputs.to(&text), "the shape does not end with a bracket")
                .advice("write it as NAME[1,224,224,3]; -1 is any length")
        })?;
        shapes.push(InputShape::parse(&format!("{name}={dims}"))?);
        names.push(name.to_owned());
    }
    Ok((names, shapes))
}

/// The options for networks that come without a graph.
#[derive(Debug, Clone, clap::Args)]
struct NetworkArgs {
    /// The network: a name that `tf2onnx-rs networks` lists, or a file that describes it [default: it is recognized]
    #[arg(long, help_heading = NETWORK, value_name = "NAME|FILE.toml")]
    network: Option<NetworkChoice>,
    /// An argument of slim's network function (repeatable)
    #[arg(long, help_heading = NETWORK, value_name = "KEY=VALUE")]
    network_option: Vec<String>,
    /// The file that describes the model [default: pipeline.config, bert_config.json or albert_config.json beside it]
    #[arg(long, help_heading = NETWORK, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Convert only the network if it is the backbone of a larger model, such as a detector
    #[arg(long, help_heading = NETWORK)]
    backbone: bool,
    /// Whether to use moving averages instead of the weights; auto does if all weights have one
    #[arg(long, help_heading = NETWORK, value_name = "CHOICE", default_value = "auto", value_enum)]
    moving_averages: moving_averages::Choice,
}

impl NetworkArgs {
    /// The options of a conversion of this network.
    ///
    /// # Errors
    /// If an argument of its function is not of the form that it has to be.
    fn to_options(&self) -> Result<ConvertOptions> {
        let options = self.network_option.iter().map(|text| NetworkOption::parse(text));
        Ok(ConvertOptions {
            network: self.network.clone(),
            network_options: options.collect::<Result<_>>()?,
            backbone: self.backbone,
            moving_averages: self.moving_averages,
            ..ConvertOptions::default()
        })
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

/// Height and width, as `N` or `HxW`.
pub fn image_size(text: &str) -> Result<(usize, usize), String> {
    let (height, width) = text.split_once(['x', 'X']).unwrap_or((text, text));
    Ok((positive(height)?, positive(width)?))
}
