//! `tf2onnx-rs graph`

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::color::{HEADING, NOTE, styled};
use super::convert::{InputArgs, graph_line, join, network_line, options_of};
use super::{output, progress};
use crate::convert::{Note, Origin, TensorFlowGraph, UnusedScope, tensorflow_graph};
use crate::error::Result;
use crate::graph::TensorRef;
use crate::graph_files::{Form, Written};
use crate::inspect::TensorSummary;
use crate::output::refuse_overwriting;
use crate::passes::moving_averages::MovingAverages;
use crate::source::Source;

/// Writes the graph of a checkpoint as TensorFlow's own file: a GraphDef, a MetaGraphDef or a SavedModel.
///
/// A checkpoint does not need a graph: if there is none, the network is recognized by its variables and rebuilt. If there is one, the
/// part that computes its outputs is written, for inference, as `convert` converts it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The extension of the output chooses the form:
  .pb      a GraphDef
  .pbtxt   a GraphDef as text
  .meta    a MetaGraphDef, whose saver restores the checkpoint
  folder   a SavedModel, with a copy of the variables

Examples:
  tf2onnx-rs graph inception_v3.ckpt inception_v3.pb --frozen
  tf2onnx-rs graph inception_v3.ckpt inception_v3.meta
  tf2onnx-rs graph inception_v3.ckpt saved_model/ --image-size 224
  tf2onnx-rs graph model.ckpt-5000 features.pb --frozen --outputs Mixed_6e
  tf2onnx-rs graph train_dir/ graph.pbtxt --network my_net.toml")]
pub struct Args {
    /// A checkpoint (a V1 file, or the prefix or any file of a V2 checkpoint), a .meta, .pb or .pbtxt file, a SavedModel,
    /// a folder or archive with one of these, or - for standard input
    input: PathBuf,
    /// The file to write, .pb, .pbtxt or .meta, or a new folder for a SavedModel
    output: PathBuf,
    /// Write the variables as constants: for .pb, and for .pbtxt of small networks
    #[arg(long)]
    frozen: bool,
    #[command(flatten)]
    choice: InputArgs,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// Print only errors
    #[arg(short, long)]
    quiet: bool,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    #[serde(serialize_with = "output::path")]
    input: &'a Path,
    #[serde(serialize_with = "output::path")]
    output: &'a Path,
    form: Form,
    frozen: bool,
    /// Where the weights come from.
    #[serde(serialize_with = "output::optional_path")]
    checkpoint: Option<PathBuf>,
    /// The keys of a rebuilt network are `null` where the model came with its graph, and the other way round.
    network: Option<&'a str>,
    scope: Option<String>,
    options: Option<serde_json::Value>,
    image_size: Option<[usize; 2]>,
    #[serde(serialize_with = "output::optional_path")]
    graph: Option<&'a Path>,
    inputs: Vec<TensorSummary>,
    outputs: Vec<TensorSummary>,
    nodes: usize,
    variables: usize,
    bytes: u64,
    moving_averages: &'a MovingAverages,
    unused_variables: &'a [UnusedScope],
    notes: &'a [Note],
    seconds: f64,
}

pub fn run(args: &Args) -> Result<()> {
    let form = Form::of(&args.output)?;
    let start = Instant::now();
    let source = Source::open(&args.input, &args.choice.open_options())?;
    let (model, written) = write(args, form, &source).map_err(|error| source.error(error))?;
    let summary = Summary::new(args, form, &source, &model, written, start.elapsed().as_secs_f64());
    match (args.json, args.quiet) {
        (true, _) => output::print_json(&summary),
        (_, true) => Ok(()),
        _ => output::print(&summary.text(&model.origin)),
    }
}

fn write(args: &Args, form: Form, source: &Source) -> Result<(TensorFlowGraph, Written)> {
    form.check(args.frozen, &args.output)?;
    refuse_overwriting(&args.output, source.files())?;
    let model = tensorflow_graph(source, &args.choice.to_options()?)?;
    let bar = progress::byte_bar(args.quiet, "writing");
    let weights = model.variables.iter().filter_map(|variable| variable.value.byte_len());
    bar.set_length(weights.sum::<usize>() as u64);
    let written = form.write(source, &model, args.frozen, &args.output, &mut |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    Ok((model, written?))
}

impl<'a> Summary<'a> {
    fn new(
        args: &'a Args,
        form: Form,
        source: &Source,
        model: &'a TensorFlowGraph,
        written: Written,
        seconds: f64,
    ) -> Self {
        let (network, graph) = match &model.origin {
            Origin::Network(network) => (Some(&**network), None),
            Origin::Graph(graph) => (None, Some(graph)),
        };
        let recognition = network.map(|network| &network.recognition);
        let summaries = |tensors: &[(String, TensorRef)]| {
            let summary = |(name, tensor): &(String, TensorRef)| {
                TensorSummary::of_tensor(name, model.graph.tensor_type(*tensor))
            };
            tensors.iter().map(summary).collect()
        };
        Self {
            input: &args.input,
            output: &args.output,
            form,
            frozen: args.frozen,
            checkpoint: source.checkpoint().map(|checkpoint| source.shown_path(checkpoint.path())),
            network: recognition.map(|recognition| &*recognition.network.name),
            scope: recognition
                .map(|recognition| format!("{}{}", recognition.prefix, recognition.options.scope)),
            options: recognition.map(options_of),
            image_size: network.map(|network| [network.image.height, network.image.width]),
            graph: graph.map(|graph| graph.path.as_path()),
            inputs: summaries(&model.inputs),
            outputs: summaries(&model.outputs),
            nodes: written.nodes,
            variables: model.variables.len(),
            bytes: written.bytes,
            moving_averages: &model.moving_averages,
            unused_variables: &model.unused.scopes,
            notes: &model.notes,
            seconds,
        }
    }

    fn text(&self, origin: &Origin) -> String {
        let source = match origin {
            Origin::Network(network) => network_line(network),
            Origin::Graph(graph) => graph_line(graph),
        };
        let mut lines = vec![
            styled(HEADING, &format!("{} → {}", self.input.display(), self.output.display())),
            source,
            format!("inputs {}", join(&self.inputs)),
            format!("outputs {}", join(&self.outputs)),
        ];
        lines.extend(self.moving_averages.note());
        lines.extend(self.notes.iter().map(|note| styled(NOTE, &note.to_string())));
        lines.push(format!(
            "{}{}, {}, {}, {} in {:.2} s",
            if self.frozen { "frozen " } else { "" },
            self.form.name(),
            output::count(self.nodes, "node"),
            output::count(self.variables, "variable"),
            output::bytes(self.bytes),
            self.seconds
        ));
        lines.join("\n") + "\n"
    }
}
