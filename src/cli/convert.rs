//! `tf2onnx-rs convert`

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::builder::RangedI64ValueParser;
use serde::Serialize;

use super::{output, progress};
use crate::convert::{BatchNormSummary, Conversion, ConvertOptions, convert};
use crate::error::Result;
use crate::lower::OPSETS;
use crate::model::Model;
use crate::onnx::{Dim, TensorInfo, write_model};

/// Converts a checkpoint to an ONNX model.
///
/// The checkpoint needs no graph beside it: the network is recognized by its variables and rebuilt.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tf2onnx-rs convert inception_v3.ckpt inception_v3.onnx
  tf2onnx-rs convert inception_v3_2016_08_28.tar.gz inception_v3.onnx
  tf2onnx-rs convert train_dir/ model.onnx --image-size 224 --inputs-as-nchw input:0
  tf2onnx-rs convert my_net.ckpt my_net.onnx --network my_net.toml
  tf2onnx-rs convert model.ckpt-5000 features.onnx --outputs Mixed_6e,PreLogits")]
pub struct Args {
    /// A checkpoint: a V1 file, the prefix or any file of a V2 checkpoint, or the folder or archive it is in
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
    /// Tensor names or slim end points [default: the logits, then Predictions]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    outputs: Vec<String>,
    /// The ONNX operator set to write
    #[arg(long, value_name = "N", default_value_t = 17,
          value_parser = RangedI64ValueParser::<i64>::new().range(OPSETS))]
    opset: i64,
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
}

impl NetworkArgs {
    /// The options of a conversion of this network.
    pub fn to_options(&self) -> ConvertOptions {
        ConvertOptions {
            network: self.network.clone(),
            network_options: self.network_option.clone(),
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
    network: String,
    scope: String,
    certainty: f64,
    options: serde_json::Value,
    image_size: [usize; 2],
    inputs: Vec<TensorSummary>,
    outputs: Vec<TensorSummary>,
    opset: i64,
    nodes: usize,
    initializers: usize,
    bytes: u64,
    batch_norms: BatchNormSummary,
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
    let source = Model::open(&args.input)?;
    let options = ConvertOptions {
        image_size: args.image_size,
        batch_size: args.batch_size,
        outputs: args.outputs.clone(),
        opset: args.opset,
        inputs_as_nchw: args.inputs_as_nchw.clone(),
        outputs_as_nchw: args.outputs_as_nchw.clone(),
        ..args.network.to_options()
    };
    let conversion = convert(&source, &options)?;
    let bar = progress::byte_bar(args.quiet, "writing");
    let written = write_model(&conversion.model, &args.output, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let bytes = written.map_err(|error| source.error(error))?.bytes;
    let summary = Summary::new(args, &conversion, bytes, start.elapsed().as_secs_f64());
    match (args.json, args.quiet) {
        (true, _) => output::print_json(&summary),
        (_, true) => Ok(()),
        _ => output::print(&summary.text(&conversion, args.verbose)),
    }
}

impl<'a> Summary<'a> {
    fn new(args: &'a Args, conversion: &Conversion, bytes: u64, seconds: f64) -> Self {
        let Conversion { model, recognition, image, batch_norms, .. } = conversion;
        let options = recognition.options.values().map(|(name, value)| (name.to_owned(), super::json(value)));
        Self {
            input: &args.input,
            output: &args.output,
            network: recognition.network.name.to_owned(),
            scope: format!("{}{}", recognition.prefix, recognition.options.scope),
            certainty: recognition.certainty(),
            options: serde_json::Value::Object(options.collect()),
            image_size: [image.height, image.width],
            inputs: model.inputs.iter().map(TensorSummary::new).collect(),
            outputs: model.outputs.iter().map(TensorSummary::new).collect(),
            opset: model.opset,
            nodes: model.nodes.len(),
            initializers: model.initializers.len(),
            bytes,
            batch_norms: BatchNormSummary::new(batch_norms, recognition),
            notes: notes(conversion),
            seconds,
        }
    }

    fn text(&self, conversion: &Conversion, verbose: bool) -> String {
        let Conversion { recognition, batch_norms, .. } = conversion;
        let options: Vec<String> =
            recognition.options.values().map(|(name, value)| format!("{name} {value}")).collect();
        let mut lines = vec![
            format!("{} → {}", self.input.display(), self.output.display()),
            format!(
                "{} in {} ({} of {} variables): {}",
                self.network,
                super::scope(&self.scope),
                recognition.found,
                recognition.expected,
                options.join(", ")
            ),
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
        lines.extend(self.notes.iter().cloned());
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

/// Where the checkpoint was believed rather than the arg_scope.
fn notes(conversion: &Conversion) -> Vec<String> {
    let arg_scope = conversion.recognition.network.arg_scope_name;
    let note = |variable: &str, stored: bool| {
        if stored {
            format!("note: {variable} is stored although {arg_scope} has none; it is used")
        } else {
            format!("note: {variable} is not stored although {arg_scope} has one; a neutral value is used")
        }
    };
    conversion.disagreements.iter().map(|d| note(&d.variable, d.stored)).collect()
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
