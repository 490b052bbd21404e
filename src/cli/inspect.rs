//! `tf2onnx-rs inspect`

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::convert::NetworkArgs;
use super::output;
use crate::checkpoint::{Checkpoint, StoredTensor, Version};
use crate::convert::{BatchNormSummary, recognize_checkpoint, variables};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::model::{Model, OpenOptions};
use crate::passes::batch_norm::{BatchNorm, Origin, batch_norms};
use crate::passes::moving_averages::{self, MovingAverages};
use crate::slim::{self, ImageShape, Recognition};
use crate::tensor::element_count;

/// Shows what is in a checkpoint: its tensors, its network, and what would be assumed of its batch norms.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  tf2onnx-rs inspect inception_v3.ckpt
  tf2onnx-rs inspect train_dir/ --json")]
pub struct Args {
    /// A checkpoint: a V1 file, the prefix or any file of a V2 checkpoint, or the folder or archive it is in; - is
    /// standard input
    input: PathBuf,
    #[command(flatten)]
    network: NetworkArgs,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Inspection<'a> {
    path: &'a Path,
    format: &'static str,
    tensors: Vec<TensorEntry<'a>>,
    network: Option<NetworkEntry>,
    /// Why there is no network.
    network_problem: Option<String>,
    batch_norms: Vec<BatchNormEntry>,
}

#[derive(Debug, Serialize)]
struct TensorEntry<'a> {
    name: &'a str,
    dtype: &'static str,
    shape: &'a [usize],
    /// `null` for strings.
    bytes: Option<usize>,
}

#[derive(Debug, Serialize)]
struct NetworkEntry {
    name: &'static str,
    scope: String,
    certainty: f64,
    variables_found: usize,
    variables_expected: usize,
    options: serde_json::Value,
    image_size: serde_json::Value,
    arg_scope: &'static str,
    batch_norms: BatchNormSummary,
    moving_averages: MovingAverages,
}

#[derive(Debug, Serialize)]
struct BatchNormEntry {
    name: String,
    channels: Option<usize>,
    gamma: Origin,
    beta: Origin,
    /// `null` where no network is recognized: no checkpoint holds it.
    epsilon: Option<f32>,
}

pub fn run(args: &Args) -> Result<()> {
    let source = Model::open(&args.input, &OpenOptions::default())?;
    let options = args.network.to_options();
    let recognized = recognize_checkpoint(&source, &options);
    // What the user says about the network has to be right; that there is none is an answer.
    let recognized = match recognized {
        Err(error) if options.network.is_some() || !options.network_options.is_empty() => return Err(error),
        other => other,
    };
    let inspection = inspect(&source, recognized, options.moving_averages)?;
    if args.json { output::print_json(&inspection) } else { output::print(&inspection.text()) }
}

fn inspect(
    source: &Model,
    recognized: Result<Recognition, Error>,
    choice: moving_averages::Choice,
) -> Result<Inspection<'_>> {
    let checkpoint = source.weights()?;
    let (network, network_problem, batch_norms) = match recognized {
        Ok(recognition) => {
            let graph = network_graph(checkpoint, &recognition)?;
            let norms = batch_norms(&graph);
            let stored_shape = |name: &str| checkpoint.get(name).map(|tensor| tensor.shape().to_vec());
            let origin = format!("{} as {}", source.path().display(), recognition.network.name);
            let averages = MovingAverages::choose(&graph, choice, &origin, stored_shape)?;
            (
                Some(NetworkEntry::new(&recognition, &norms, averages)),
                None,
                norms.into_iter().map(from_network).collect(),
            )
        }
        Err(error) => (None, Some(error.problem().to_owned()), batch_norms_by_name(checkpoint)),
    };
    Ok(Inspection {
        path: source.path(),
        format: match checkpoint.version() {
            Version::V1 => "V1",
            Version::V2 => "V2",
        },
        tensors: checkpoint.tensors().map(TensorEntry::new).collect(),
        network,
        network_problem,
        batch_norms,
    })
}

/// What a conversion would write: the auxiliary classifier is no part of it.
fn network_graph(checkpoint: &Checkpoint, recognition: &Recognition) -> Result<Graph> {
    let Recognition { network, prefix, options, channels, .. } = recognition;
    let [height, width] = network.image_size;
    let image = ImageShape { batch: None, height, width, channels: *channels };
    let drawn = slim::draw(network, prefix, options, &image, &variables(checkpoint))?;
    Ok(drawn.graph.pruned_to(&[drawn.output]).0)
}

fn from_network(norm: BatchNorm) -> BatchNormEntry {
    let BatchNorm { name, channels, gamma, beta, epsilon } = norm;
    BatchNormEntry { name, channels, gamma, beta, epsilon: Some(epsilon) }
}

/// The batch norms that can be told by the names of their variables.
fn batch_norms_by_name(checkpoint: &Checkpoint) -> Vec<BatchNormEntry> {
    let means =
        checkpoint.tensors().filter_map(|tensor| Some((tensor, tensor.name().strip_suffix("/moving_mean")?)));
    let part = |scope: &str, part: &str| {
        let variable = format!("{scope}/{part}");
        if checkpoint.get(&variable).is_some() { Origin::Stored { variable } } else { Origin::Synthesized }
    };
    means
        .map(|(tensor, scope)| BatchNormEntry {
            name: scope.to_owned(),
            channels: tensor.shape().first().copied(),
            gamma: part(scope, "gamma"),
            beta: part(scope, "beta"),
            epsilon: None,
        })
        .collect()
}

impl<'a> TensorEntry<'a> {
    fn new(tensor: &'a StoredTensor) -> Self {
        let size = tensor.dtype().size();
        let bytes = size.and_then(|size| element_count(tensor.shape())?.checked_mul(size));
        Self { name: tensor.name(), dtype: tensor.dtype().name(), shape: tensor.shape(), bytes }
    }
}

impl NetworkEntry {
    fn new(recognition: &Recognition, norms: &[BatchNorm], moving_averages: MovingAverages) -> Self {
        let options = recognition.options.values().map(|(name, value)| (name.to_owned(), super::json(value)));
        Self {
            name: recognition.network.name,
            scope: format!("{}{}", recognition.prefix, recognition.options.scope),
            certainty: recognition.certainty(),
            variables_found: recognition.found,
            variables_expected: recognition.expected,
            options: serde_json::Value::Object(options.collect()),
            image_size: super::image_size(recognition.network),
            arg_scope: recognition.network.arg_scope_name,
            batch_norms: BatchNormSummary::new(norms, recognition.epsilon_source()),
            moving_averages,
        }
    }
}

impl Inspection<'_> {
    fn text(&self) -> String {
        let total: usize = self.tensors.iter().filter_map(|tensor| tensor.bytes).sum();
        let mut text = format!(
            "{}: {} checkpoint, {}, {}\n\n",
            self.path.display(),
            self.format,
            output::count(self.tensors.len(), "tensor"),
            output::bytes(total as u64)
        );
        let rows = self.tensors.iter().map(|tensor| {
            let bytes = tensor.bytes.map_or_else(|| "?".to_owned(), |bytes| output::bytes(bytes as u64));
            vec![tensor.name.to_owned(), tensor.dtype.to_owned(), output::shape(tensor.shape), bytes]
        });
        text += &output::table(&["tensor", "dtype", "shape", "bytes"], rows);
        text += "\n";
        if !self.batch_norms.is_empty() {
            let rows = self.batch_norms.iter().map(|norm| {
                let part = |origin: &Origin, neutral: &str| match origin {
                    Origin::Stored { .. } => "stored".to_owned(),
                    Origin::Synthesized => format!("not stored: {neutral}"),
                };
                vec![
                    norm.name.clone(),
                    norm.channels.map_or_else(|| "?".to_owned(), |channels| channels.to_string()),
                    part(&norm.gamma, "ones"),
                    part(&norm.beta, "zeros"),
                    norm.epsilon.map_or_else(|| "not known".to_owned(), |epsilon| epsilon.to_string()),
                ]
            });
            text += &output::table(&["batch norm", "channels", "gamma", "beta", "epsilon"], rows);
            text += "\n";
        }
        match &self.network {
            Some(network) => {
                text += &format!(
                    "network {} in {}: {} of its {} variables are there ({:.0} %)\n{}\n",
                    network.name,
                    super::scope(&network.scope),
                    network.variables_found,
                    network.variables_expected,
                    100.0 * network.certainty,
                    network.batch_norms
                );
                if let Some(note) = network.moving_averages.note() {
                    text += &format!("{note}\n");
                }
            }
            None => {
                let problem = self.network_problem.as_deref().unwrap_or("none");
                text += &format!("no network recognized: {problem}\n");
            }
        }
        text
    }
}
