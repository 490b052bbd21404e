//! The summary of a conversion.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Verification;
use crate::cli::color::{HEADING, NOTE, styled};
use crate::cli::{json, output, scope};
use crate::convert::{
    BatchNormSummary, Conversion, GraphOrigin, NetworkOrigin, Note, NoteKind, Origin, Provenance, UnusedScope,
};
use crate::inspect::TensorSummary;
use crate::onnx::WrittenFiles;
use crate::passes::batch_norm::{self, BatchNorm};
use crate::passes::float16::Float16;
use crate::passes::moving_averages::MovingAverages;
use crate::slim::Recognition;
use crate::source::Source;
use crate::suggestion::first_of;

/// The summary of a conversion, as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    #[serde(serialize_with = "output::path")]
    input: &'a Path,
    #[serde(serialize_with = "output::path")]
    output: &'a Path,
    /// Where the weights come from.
    #[serde(serialize_with = "output::optional_path")]
    checkpoint: Option<PathBuf>,
    /// The keys of a rebuilt network are `null` where the model came with its graph, and the other way round.
    network: Option<&'a str>,
    scope: Option<String>,
    certainty: Option<f64>,
    options: Option<serde_json::Value>,
    image_size: Option<[usize; 2]>,
    #[serde(serialize_with = "output::optional_path")]
    graph: Option<&'a Path>,
    signature: Option<&'a str>,
    assets: Option<&'a [String]>,
    inputs: Vec<TensorSummary>,
    outputs: Vec<TensorSummary>,
    opset: i64,
    nodes: usize,
    initializers: usize,
    bytes: u64,
    #[serde(serialize_with = "output::optional_path")]
    external_data: Option<&'a Path>,
    batch_norms: BatchNormSummary,
    moving_averages: MovingAverages,
    folded_batch_norms: usize,
    float16: Option<&'a Float16>,
    preprocess: Option<&'static str>,
    labels: usize,
    provenance: Option<&'a Provenance>,
    unused_variables: &'a [UnusedScope],
    notes: Vec<Note>,
    verification: Option<&'a Verification>,
    seconds: f64,
}

impl<'a> Summary<'a> {
    pub fn new(
        input: &'a Path,
        output: &'a Path,
        conversion: &'a Conversion,
        written: &'a WrittenFiles,
        seconds: f64,
    ) -> Self {
        let Conversion { model, origin, batch_norms, .. } = conversion;
        let (network, graph) = match origin {
            Origin::Network(network) => (Some(&**network), None),
            Origin::Graph(graph) => (None, Some(graph)),
        };
        let recognition = network.map(|network| &network.recognition);
        Self {
            input,
            output,
            checkpoint: None,
            network: recognition.map(|recognition| &*recognition.network.name),
            scope: recognition
                .map(|recognition| format!("{}{}", recognition.prefix, recognition.options.scope)),
            certainty: recognition
                .map(|recognition| recognition.certainty() * (1.0 - conversion.unused.share())),
            options: recognition.map(options_of),
            image_size: network.and_then(|network| network.image.size()),
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
            float16: conversion.float16.as_ref(),
            preprocess: conversion.preprocessing.name(),
            labels: conversion.labels,
            provenance: conversion.provenance.as_ref(),
            unused_variables: &conversion.unused.scopes,
            notes: conversion.notes.iter().cloned().chain(left_weights(output, written)).collect(),
            verification: None,
            seconds,
        }
    }

    /// The same summary with the result of the verification.
    pub fn with_verification(self, verification: Option<&'a Verification>) -> Self {
        Self { verification, ..self }
    }

    /// The same summary with the checkpoint of the model, if it has one.
    pub fn with_source(self, source: &Source) -> Self {
        let checkpoint = source.checkpoint().map(|checkpoint| source.shown_path(checkpoint.path()));
        Self { checkpoint, ..self }
    }

    /// The notes.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The checkpoint, if it was chosen in the folder or archive that the input names.
    fn chosen_checkpoint(&self) -> Option<&Path> {
        let input = self.input.as_os_str().as_encoded_bytes();
        let is_named = |path: &Path| input.starts_with(path.as_os_str().as_encoded_bytes()) || input == b"-";
        // A SavedModel has only one.
        let is_choice = |path: &&Path| !is_named(path) && !path.ends_with("variables/variables");
        self.checkpoint.as_deref().filter(is_choice)
    }

    /// The summary in sentences; `verbose` names every layer where something was assumed.
    pub fn text(&self, conversion: &Conversion, verbose: bool) -> String {
        let Conversion { origin, batch_norms, .. } = conversion;
        let source = match origin {
            Origin::Network(network) => network_line(network),
            Origin::Graph(graph) => graph_line(graph),
        };
        let mut lines = vec![
            styled(HEADING, &format!("{} → {}", shown(self.input, "input"), shown(self.output, "output"))),
            source,
            format!("inputs {}", join(&self.inputs)),
            format!("outputs {}", join(&self.outputs)),
            self.batch_norms.to_string(),
        ];
        if let Some(checkpoint) = self.chosen_checkpoint() {
            lines.insert(1, format!("checkpoint {}", checkpoint.display()));
        }
        if verbose {
            lines.extend(batch_norms.iter().filter_map(assumed_of));
        }
        if self.folded_batch_norms > 0 {
            lines.push(format!(
                "{} of {} batch norms folded into convolutions",
                self.folded_batch_norms, self.batch_norms.count
            ));
        }
        lines.extend(self.float16.map(Float16::to_string));
        if let (Some(name), Some(what)) = (self.preprocess, conversion.preprocessing.describe()) {
            lines.push(format!("preprocessing {name} inside of the model: {what}"));
        }
        if self.labels > 0 {
            lines.push(format!("{} in the metadata", output::count(self.labels, "class name")));
        }
        if let Some(provenance) = self.provenance {
            let files = output::count(provenance.files.len(), "file");
            lines.push(format!("SHA-256 of {files}, version and options in the metadata"));
        }
        lines.extend(self.moving_averages.note());
        lines.extend(self.notes.iter().map(|note| styled(NOTE, &note.to_string())));
        if let Some(path) = self.external_data {
            lines.push(format!("weights in {}, which belongs beside the model", path.display()));
        }
        lines.extend(self.verification.map(Verification::line));
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

/// The line about a batch norm with a part that is not stored.
fn assumed_of(norm: &BatchNorm) -> Option<String> {
    let parts = [("gamma", &norm.gamma, "unit scale"), ("beta", &norm.beta, "zero offset")];
    let assumed = |(name, origin, neutral): (&str, &batch_norm::Origin, &str)| match origin {
        batch_norm::Origin::Stored { .. } => None,
        batch_norm::Origin::Computed { from } if from.is_empty() => Some(format!("{name} computed")),
        batch_norm::Origin::Computed { from } => {
            Some(format!("{name} computed from {}", first_of(from, LISTED)))
        }
        batch_norm::Origin::Synthesized => Some(neutral.to_owned()),
    };
    let assumed: Vec<String> = parts.into_iter().filter_map(assumed).collect();
    (!assumed.is_empty())
        .then(|| format!("  {}: {}, epsilon {}", norm.name, assumed.join(" and "), norm.epsilon))
}

/// How many variables a line names.
const LISTED: usize = 3;

/// A path, or the name of a standard stream.
fn shown(path: &Path, stream: &str) -> String {
    if path.as_os_str() == "-" { format!("standard {stream}") } else { path.display().to_string() }
}

/// The options of a network as JSON.
pub fn options_of(recognition: &Recognition) -> serde_json::Value {
    let values = recognition.options.values();
    serde_json::Value::Object(values.map(|(name, value)| (name.to_owned(), json(value))).collect())
}

/// The line about the network that a model was rebuilt as.
pub fn network_line(network: &NetworkOrigin) -> String {
    let recognition = &network.recognition;
    let options: Vec<String> =
        recognition.options.values().map(|(name, value)| format!("{name} {value}")).collect();
    format!(
        "{} in {} ({} of {} variables): {}",
        recognition.network.name,
        scope(&format!("{}{}", recognition.prefix, recognition.options.scope)),
        recognition.found,
        recognition.expected,
        options.join(", ")
    )
}

/// The line about the graph that a model came with.
pub fn graph_line(graph: &GraphOrigin) -> String {
    let signature = graph.signature.as_ref().map(|name| format!(", signature {name}"));
    let keys: Vec<String> = graph.keys.iter().map(|(key, tensor)| format!("{key} is {tensor}")).collect();
    let keys = if keys.is_empty() { String::new() } else { format!(" ({})", keys.join(", ")) };
    format!("graph {}{}{keys}", graph.path.display(), signature.unwrap_or_default())
}

/// The note about a file with the weights of an earlier model beside the output.
fn left_weights(output: &Path, written: &WrittenFiles) -> Option<Note> {
    let mut beside = output.as_os_str().to_owned();
    beside.push(".data");
    let beside = Path::new(&beside);
    let is_there = written.external_data.is_none() && beside.is_file();
    is_there.then(|| {
        let text = format!("{} belongs to another model; this one does not need it", beside.display());
        Note::info(NoteKind::Files, text).about(beside.display().to_string())
    })
}

/// Tensors in a list.
pub fn join(tensors: &[TensorSummary]) -> String {
    if tensors.is_empty() {
        return "none".to_owned();
    }
    tensors.iter().map(TensorSummary::to_string).collect::<Vec<_>>().join(", ")
}
