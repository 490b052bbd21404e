//! `tf2onnx-rs convert`

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::builder::RangedI64ValueParser;
use serde::Serialize;

use super::{output, progress};
use crate::convert::{BatchNormSummary, Conversion, ConvertOptions, NetworkOrigin, Origin, convert};
use crate::error::Result;
use crate::lower::OPSETS;
use crate::model::{Model, OpenOptions};
use crate::onnx::{Dim, TensorInfo, WriteOptions, WriteReport, write_model};
use crate::passes::moving_averages::{self, MovingAverages};
use crate::slim::Recognition;

/// Converts a checkpoint, a graph or a SavedModel to an ONNX model.
///
/// A checkpoint needs no graph beside it: where there is none, the network is recognized by its variables and
/// rebuilt.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tf2onnx-rs convert inception_v3.ckpt inception_v3.onnx
  tf2onnx-rs convert inception_v3_2016_08_28.tar.gz inception_v3.onnx
  tf2onnx-rs convert train_dir/ model.onnx --image-size 224 --inputs-as-nchw input:0
  tf2onnx-rs convert model.ckpt-5000 model.onnx --graph inference_graph.pb
  tf2onnx-rs convert saved_model/ model.onnx --signature serving_default
  tf2onnx-rs convert frozen.pb model.onnx --inputs images:0 --outputs scores:0,boxes:0 --shape images=1,300,300,3
  tf2onnx-rs convert my_net.ckpt my_net.onnx --network my_net.toml
  tf2onnx-rs convert model.ckpt-5000 features.onnx --outputs Mixed_6e,PreLogits")]
pub struct Args {
    /// A checkpoint (a V1 file, the prefix or any file of a V2 checkpoint), a .meta, .pb or .pbtxt file, or the
    /// folder, SavedModel or archive that it is in
    input: PathBuf,
    /// The ONNX file to write
    output: PathBuf,
    #[command(flatten)]
    network: NetworkArgs,
    /// Height and width of the images, as N or HxW [default: the network's own]
    #[arg(long, value_name = "N|HxW", value_parser = image_size)]
    image_size: Option<(usize, usize)>,
    /// Images in a batch [default: any number]
    #[arg(long, value_name = "N", value_parser = positive)]
    batch_size: Option<usize>,
    /// The file with the graph: .meta, .pb, .pbtxt or a SavedModel [default: the .meta beside the checkpoint]
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    /// The tags of the graph in a SavedModel [default: serve]
    #[arg(long, value_name = "TAGS")]
    tag: Option<String>,
    /// The signature of a SavedModel [default: serving_default]
    #[arg(long, value_name = "NAME")]
    signature: Option<String>,
    /// Tensors that the model is fed; what computes them is cut off [default: the graph's placeholders]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    inputs: Vec<String>,
    /// The shape of an input that the graph leaves open; -1 is any length (repeatable)
    #[arg(long, value_name = "NAME=DIMS")]
    shape: Vec<String>,
    /// A placeholder that is a constant instead, such as is_training=false (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    freeze: Vec<String>,
    /// Placeholders whose default is their value instead of an input's
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    use_default: Vec<String>,
    /// Placeholders that are inputs without their default
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    ignore_default: Vec<String>,
    /// Write ops that cannot be converted as they are, in the domain ai.onnx.converters.tensorflow
    #[arg(long)]
    keep_going: bool,
    /// Make batch norms a part of the convolutions before them: a smaller model that is harder to read and train
    #[arg(long)]
    fold_batch_norm: bool,
    /// Tensor names or slim end points [default: the logits, then Predictions, or the graph's ends]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    outputs: Vec<String>,
    /// The ONNX operator set to write
    #[arg(long, value_name = "N", default_value_t = 17,
          value_parser = RangedI64ValueParser::<i64>::new().range(OPSETS))]
    opset: i64,
    /// Keep the weights in a file beside the model, OUTPUT.data; models above 2 GiB always do
    #[arg(long)]
    external_data: bool,
    /// Inputs that the model takes as NCHW instead of NHWC
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    inputs_as_nchw: Vec<String>,
    /// Outputs that the model delivers as NCHW instead of NHWC
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    outputs_as_nchw: Vec<String>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// Print nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Name every layer where something was assumed
    #[arg(short, long)]
    verbose: bool,
}

/// What can be said about the network instead of leaving it to be recognized.
#[derive(Debug, clap::Args)]
pub struct NetworkArgs {
    /// The network, instead of having it recognized: one that `tf2onnx-rs networks` lists, or a description
    #[arg(long, value_name = "NAME|FILE.toml")]
    network: Option<String>,
    /// An argument of slim's network function (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    network_option: Vec<String>,
    /// Whether to take the moving averages of the weights in their place; auto does where all weights have one
    #[arg(long, value_name = "CHOICE", default_value = "auto", value_parser = ["auto", "on", "off"])]
    moving_averages: String,
}

impl NetworkArgs {
    /// The options of a conversion of this network.
    pub fn to_options(&self) -> ConvertOptions {
        ConvertOptions {
            network: self.network.clone(),
            network_options: self.network_option.clone(),
            moving_averages: match self.moving_averages.as_str() {
                "on" => moving_averages::Choice::On,
                "off" => moving_averages::Choice::Off,
                _ => moving_averages::Choice::Auto,
            },
            ..ConvertOptions::default()
        }
    }
}

/// The largest image that is taken for meant.
const MAX_IMAGE_SIZE: usize = 100_000;

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=MAX_IMAGE_SIZE).contains(&number) => Ok(number),
        _ => Err(format!("not a number from 1 to {MAX_IMAGE_SIZE}")),
    }
}

fn image_size(text: &str) -> Result<(usize, usize), String> {
    let (height, width) = text.split_once(['x', 'X']).unwrap_or((text, text));
    Ok((positive(height)?, positive(width)?))
}

/// The summary of a conversion, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    input: &'a Path,
    output: &'a Path,
    /// The keys of a rebuilt network are `null` where the model came with its graph, and the other way round.
    network: Option<&'static str>,
    scope: Option<String>,
    certainty: Option<f64>,
    options: Option<serde_json::Value>,
    image_size: Option<[usize; 2]>,
    graph: Option<&'a Path>,
    signature: Option<&'a str>,
    assets: Option<&'a [String]>,
    inputs: Vec<TensorSummary>,
    outputs: Vec<TensorSummary>,
    opset: i64,
    nodes: usize,
    initializers: usize,
    bytes: u64,
    external_data: Option<&'a Path>,
    batch_norms: BatchNormSummary,
    moving_averages: MovingAverages,
    folded_batch_norms: usize,
    notes: Vec<String>,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct TensorSummary {
    name: String,
    dtype: &'static str,
    /// A number, or a name or `null` where the length is open.
    shape: Option<Vec<serde_json::Value>>,
}

pub fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let source = Model::open(&args.input, &OpenOptions { graph: args.graph.clone(), tag: args.tag.clone() })?;
    let options = ConvertOptions {
        image_size: args.image_size,
        batch_size: args.batch_size,
        inputs: args.inputs.clone(),
        outputs: args.outputs.clone(),
        shapes: args.shape.clone(),
        freeze: args.freeze.clone(),
        use_default: args.use_default.clone(),
        ignore_default: args.ignore_default.clone(),
        signature: args.signature.clone(),
        keep_going: args.keep_going,
        fold_batch_norm: args.fold_batch_norm,
        opset: args.opset,
        inputs_as_nchw: args.inputs_as_nchw.clone(),
        outputs_as_nchw: args.outputs_as_nchw.clone(),
        ..args.network.to_options()
    };
    let conversion = convert(&source, &options)?;
    let bar = progress::byte_bar(args.quiet, "writing");
    let write_options = WriteOptions { external_data: args.external_data };
    let written = write_model(&conversion.model, &args.output, &write_options, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let written = written.map_err(|error| source.error(error))?;
    let summary = Summary::new(args, &conversion, &written, start.elapsed().as_secs_f64());
    match (args.json, args.quiet) {
        (true, _) => output::print_json(&summary),
        (_, true) => Ok(()),
        _ => output::print(&summary.text(&conversion, args.verbose)),
    }
}

impl<'a> Summary<'a> {
    fn new(args: &'a Args, conversion: &'a Conversion, written: &'a WriteReport, seconds: f64) -> Self {
        let Conversion { model, origin, batch_norms, .. } = conversion;
        let (network, graph) = match origin {
            Origin::Network(network) => (Some(&**network), None),
            Origin::Graph(graph) => (None, Some(graph)),
        };
        let recognition = network.map(|network| &network.recognition);
        let options = |recognition: &Recognition| {
            let values = recognition.options.values();
            serde_json::Value::Object(
                values.map(|(name, value)| (name.to_owned(), super::json(value))).collect(),
            )
        };
        Self {
            input: &args.input,
            output: &args.output,
            network: recognition.map(|recognition| recognition.network.name),
            scope: recognition
                .map(|recognition| format!("{}{}", recognition.prefix, recognition.options.scope)),
            certainty: recognition.map(Recognition::certainty),
            options: recognition.map(options),
            image_size: network.map(|network| [network.image.height, network.image.width]),
            graph: graph.map(|graph| graph.path.as_path()),
            signature: graph.and_then(|graph| graph.signature.as_deref()),
            assets: graph.map(|graph| graph.assets.as_slice()),
            inputs: model.inputs.iter().map(TensorSummary::new).collect(),
            outputs: model.outputs.iter().map(TensorSummary::new).collect(),
            opset: model.opset,
            nodes: model.nodes.len(),
            initializers: model.initializers.len(),
            bytes: written.bytes,
            external_data: written.external_data.as_deref(),
            batch_norms: BatchNormSummary::new(batch_norms, origin.epsilon_source()),
            moving_averages: conversion.moving_averages.clone(),
            folded_batch_norms: batch_norms.len().saturating_sub(model.count_nodes("BatchNormalization")),
            notes: notes(conversion),
            seconds,
        }
    }

    fn text(&self, conversion: &Conversion, verbose: bool) -> String {
        let Conversion { origin, batch_norms, .. } = conversion;
        let drawn = match origin {
            Origin::Network(network) => network_line(network),
            Origin::Graph(graph) => match &graph.signature {
                Some(signature) => format!("graph {}, signature {signature}", graph.path.display()),
                None => format!("graph {}", graph.path.display()),
            },
        };
        let mut lines = vec![
            format!("{} → {}", self.input.display(), self.output.display()),
            drawn,
            format!("inputs {}", join(&self.inputs)),
            format!("outputs {}", join(&self.outputs)),
            self.batch_norms.to_string(),
        ];
        if verbose {
            for norm in batch_norms {
                let missing = [(&norm.gamma, "unit scale"), (&norm.beta, "zero offset")];
                let missing: Vec<&str> =
                    missing.iter().filter(|(part, _)| !part.is_stored()).map(|(_, what)| *what).collect();
                if !missing.is_empty() {
                    lines.push(format!(
                        "  {}: {}, epsilon {}",
                        norm.name,
                        missing.join(" and "),
                        norm.epsilon
                    ));
                }
            }
        }
        if self.folded_batch_norms > 0 {
            lines.push(format!(
                "{} of {} batch norms folded into convolutions",
                self.folded_batch_norms, self.batch_norms.count
            ));
        }
        lines.extend(self.moving_averages.note());
        lines.extend(self.notes.iter().cloned());
        if let Some(path) = self.external_data {
            lines.push(format!("weights in {}, which belongs beside the model", path.display()));
        }
        lines.push(format!(
            "opset {}, {}, {}, {} in {:.2} s",
            self.opset,
            output::count(self.nodes, "node"),
            output::count(self.initializers, "initializer"),
            output::bytes(self.bytes),
            self.seconds
        ));
        lines.join("\n") + "\n"
    }
}

fn network_line(network: &NetworkOrigin) -> String {
    let recognition = &network.recognition;
    let options: Vec<String> =
        recognition.options.values().map(|(name, value)| format!("{name} {value}")).collect();
    format!(
        "{} in {} ({} of {} variables): {}",
        recognition.network.name,
        super::scope(&format!("{}{}", recognition.prefix, recognition.options.scope)),
        recognition.found,
        recognition.expected,
        options.join(", ")
    )
}

/// Where the checkpoint was believed rather than the arg_scope, or what was assumed about a graph.
fn notes(conversion: &Conversion) -> Vec<String> {
    let network = match &conversion.origin {
        Origin::Graph(graph) => return graph.notes.clone(),
        Origin::Network(network) => network,
    };
    let arg_scope = network.recognition.network.arg_scope_name;
    let note = |variable: &str, stored: bool| {
        if stored {
            format!("note: {variable} is stored although {arg_scope} has none; it is used")
        } else {
            format!("note: {variable} is not stored although {arg_scope} has one; a neutral value is used")
        }
    };
    network.disagreements.iter().map(|d| note(&d.variable, d.stored)).collect()
}

impl TensorSummary {
    fn new(info: &TensorInfo) -> Self {
        let dim = |dim: &Dim| match dim {
            Dim::Known(length) => (*length).into(),
            Dim::Named(name) => name.as_str().into(),
            Dim::Unknown => serde_json::Value::Null,
        };
        let shape = info.shape.as_ref().map(|dims| dims.iter().map(dim).collect());
        Self { name: info.name.clone(), dtype: info.dtype.name(), shape }
    }
}

impl std::fmt::Display for TensorSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dim = |dim: &serde_json::Value| match dim {
            serde_json::Value::String(name) => name.clone(),
            serde_json::Value::Null => "?".to_owned(),
            length => length.to_string(),
        };
        let dims: Vec<String> = self.shape.iter().flatten().map(dim).collect();
        write!(f, "{} {} [{}]", self.name, self.dtype, dims.join(", "))
    }
}

fn join(tensors: &[TensorSummary]) -> String {
    tensors.iter().map(TensorSummary::to_string).collect::<Vec<_>>().join(", ")
}
