//! The text of a draft.

use std::fmt::Write as _;

use super::super::{LayerEntry, LayerKind};
use super::not_expressible;
use super::scope::Scope;

pub(super) struct Writer<'a> {
    text: String,
    /// The layer that computes the logits.
    classifier: Option<&'a LayerEntry>,
    /// The number of open scopes.
    depth: usize,
    /// The channels of the current tensor, as far as the layers show it.
    channels: Option<usize>,
    /// Whether the current tensor has lost the axes of an image.
    is_flat: bool,
}

impl<'a> Writer<'a> {
    /// Continues this text.
    pub(super) fn after(text: String, classifier: Option<&'a LayerEntry>) -> Self {
        Self { text, classifier, depth: 0, channels: None, is_flat: false }
    }

    /// The text with the steps of these scopes.
    pub(super) fn with(mut self, scopes: &[Scope<'a>]) -> String {
        self.scopes(scopes);
        self.text
    }

    fn scopes(&mut self, scopes: &[Scope<'a>]) {
        for (index, scope) in scopes.iter().enumerate() {
            let next = scopes.get(index + 1).and_then(|next| next.layer);
            if let Some(layer) = scope.layer {
                self.layer(layer, scope.name, next);
            }
            if scope.has_branches() {
                self.group(&format!("{{ scope = {}, branches = [", quoted(scope.name)), "] },", |writer| {
                    writer.branches(&scope.below);
                });
            } else if !scope.below.is_empty() {
                self.group(&format!("{{ scope = {}, layers = [", quoted(scope.name)), "] },", |writer| {
                    writer.scopes(&scope.below);
                });
            }
        }
    }

    /// Branches from the current tensor, which are joined along the channels.
    fn branches(&mut self, branches: &[Scope<'a>]) {
        let before = self.channels;
        let mut outputs = vec![];
        for branch in branches {
            self.channels = before;
            self.group("[", "],", |writer| writer.scopes(&branch.below));
            outputs.push(self.channels);
        }
        self.channels = outputs.into_iter().sum();
    }

    fn group(&mut self, open: &str, close: &str, write: impl FnOnce(&mut Self)) {
        self.line(open);
        self.depth += 1;
        write(self);
        self.depth -= 1;
        self.line(close);
    }

    fn line(&mut self, line: &str) {
        let indent = 4 * (self.depth + 1);
        _ = writeln!(self.text, "{:indent$}{line}", "");
    }

    /// The step of a layer. `next` is the layer of the next scope.
    fn layer(&mut self, layer: &'a LayerEntry, name: &str, next: Option<&LayerEntry>) {
        let scope = quoted(name);
        let outputs = layer.outputs.unwrap_or_default();
        if let Some(problem) = not_expressible(layer) {
            self.line(&format!("# {name}: {problem}"));
            return;
        }
        let args = arguments(layer, next);
        match layer.kind {
            LayerKind::BatchNorm => {
                self.note_channels(layer);
                self.line(&format!("{{ batch_norm = {scope}, activation_fn = \"relu\" }},"));
            }
            LayerKind::FullyConnected => {
                self.flatten(layer);
                self.line(&if self.classifier.is_some_and(|classifier| std::ptr::eq(classifier, layer)) {
                    format!(
                        "{{ fully_connected = \"num_classes\", scope = {scope}{args}, activation_fn = \"none\", \
                         when = \"num_classes\", end_point = \"Logits\" }},"
                    )
                } else {
                    format!("{{ fully_connected = {outputs}, scope = {scope}{args} }},")
                });
            }
            _ => {
                self.note_channels(layer);
                let kernel = match layer.kernel[..] {
                    [height, width] if height == width => height.to_string(),
                    _ => format!("{:?}", layer.kernel),
                };
                let layer_key = match layer.kind {
                    LayerKind::Conv2d => format!("conv2d = {outputs}"),
                    LayerKind::DepthwiseConv2d => "separable_conv2d = \"none\"".to_owned(),
                    _ => format!("separable_conv2d = {outputs}"),
                };
                self.line(&format!("{{ {layer_key}, kernel = {kernel}, scope = {scope}{args} }},"));
            }
        }
        self.channels = layer.outputs;
        self.is_flat = layer.kind == LayerKind::FullyConnected;
    }

    /// Says where the layer does not fit the one before.
    fn note_channels(&mut self, layer: &LayerEntry) {
        if let (Some(has), Some(reads)) = (self.channels, layer.inputs)
            && has != reads
        {
            self.line(&format!(
                "# The next layer reads {reads} channels, and the tensor before it has {has}."
            ));
        }
    }

    /// The steps before a matrix, if the layer before it is a convolution.
    fn flatten(&mut self, layer: &LayerEntry) {
        if self.is_flat {
            self.note_channels(layer);
            return;
        }
        let channels = self.channels.unwrap_or(0);
        match layer.inputs {
            Some(inputs) if inputs == channels => self.line("{ spatial_mean = \"pool\" },"),
            Some(inputs) if channels > 0 && inputs % channels == 0 => {
                let pixels = inputs / channels;
                self.line(&format!(
                    "# The next layer reads {inputs} values: {pixels} pixels of {channels} channels."
                ));
            }
            _ => self.note_channels(layer),
        }
        self.line("{ flatten = \"flatten\" },");
    }
}

/// The arguments that the variables show: the normalizer, and whether there are biases. If a batch norm follows, the
/// activation follows the batch norm.
fn arguments(layer: &LayerEntry, next: Option<&LayerEntry>) -> String {
    let mut args = String::new();
    if layer.batch_norm.is_some() {
        args += ", normalizer_fn = \"batch_norm\"";
    } else if layer.biases.is_none() {
        args += ", biases_initializer = \"none\"";
    }
    if next.is_some_and(|next| next.kind == LayerKind::BatchNorm && next.outputs == layer.outputs) {
        args += ", activation_fn = \"none\"";
    }
    args
}

pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
