//! A first description of a network whose definition is not known, from the layers that its variables show.
//!
//! `docs/custom-networks.md` has the grammar. The draft has every layer that a description can have, in the scopes of the
//! checkpoint, so that it reads the variables of the checkpoint. What no variable shows is left to the user.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{LayerEntry, LayerKind};

/// What the user has to find out.
const HEADER: &str = "\
# A draft, from the names and shapes of the variables. They do not show:
#   - the order of the layers: here it is that of their names, changed where the channels show another one
#   - strides, padding and rates: here they are slim's defaults
#   - activation functions: here relu, slim's default
#   - pooling, and which layers are joined by a sum, a product or tf.concat
#   - the epsilon of batch norms: here 0.001, slim's default
#   - the size of the images
# The definition of the network has them. docs/custom-networks.md explains the steps.
";

/// The size of images in a draft: no variable shows it.
const IMAGE_SIZE: usize = 224;

/// The description of a network with these layers. `source` is the name of the checkpoint.
pub fn draft(source: &str, layers: &[LayerEntry]) -> String {
    let root = common_scope(layers);
    let mut tree = Scope::tree(root, layers);
    tree.arrange(None);
    let classifier = layers.iter().rfind(|layer| layer.kind == LayerKind::FullyConnected);
    let mut text = HEADER.to_owned();
    _ = writeln!(text, "# The checkpoint: {}", source.replace(char::is_control, "?"));
    let name = root.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("my_net");
    _ = writeln!(text, "\nname = {}", quoted(name));
    if !root.is_empty() {
        _ = writeln!(text, "scope = {}", quoted(root));
    }
    _ = writeln!(text, "image_size = {IMAGE_SIZE}");
    if let Some(classes) = classifier.and_then(|layer| layer.outputs) {
        _ = writeln!(text, "options = {{ num_classes = {classes} }}");
    }
    text += &variable_names(layers);
    text += "\nlayers = [\n";
    let mut writer = Writer { text, classifier, depth: 0, channels: None, is_flat: false };
    writer.scopes(&tree.below);
    writer.text + "]\n"
}

/// The names of variables, if they are not slim's.
fn variable_names(layers: &[LayerEntry]) -> String {
    let is_depthwise =
        |layer: &&LayerEntry| matches!(layer.kind, LayerKind::DepthwiseConv2d | LayerKind::SeparableConv2d);
    let known = || layers.iter().filter(|layer| not_expressible(layer).is_none());
    let weights = known().filter(|layer| !is_depthwise(layer) && !layer.weights.is_empty());
    let depthwise = || known().filter(is_depthwise).map(|layer| layer.weights.as_str());
    // The halves of a separable convolution are named alike.
    let pointwise = depthwise().map(|name| name.replacen("depthwise", "pointwise", 1));
    let names: [(&str, BTreeSet<String>); 4] = [
        ("weights", weights.map(|layer| layer.weights.clone()).collect()),
        ("biases", known().filter_map(|layer| layer.biases.clone()).collect()),
        ("depthwise_weights", depthwise().map(str::to_owned).collect()),
        ("pointwise_weights", pointwise.collect()),
    ];
    let mut text = String::new();
    let mut entries = vec![];
    for (slims, found) in names {
        let found: Vec<String> = found.into_iter().collect();
        match &found[..] {
            [] => {}
            [name] if name == slims => {}
            [name] => entries.push(format!("{slims} = {}", quoted(name))),
            names => {
                let names = names.join(", ");
                _ = writeln!(
                    text,
                    "# Layers have {names} for {slims}: give those that differ variable_names of their own."
                );
            }
        }
    }
    if !entries.is_empty() {
        _ = writeln!(text, "variable_names = {{ {} }}", entries.join(", "));
    }
    text
}

/// The scope that all layers are in, below which their names differ.
fn common_scope(layers: &[LayerEntry]) -> &str {
    let mut scopes = layers.iter().map(|layer| parent(&layer.scope));
    let first = scopes.next().unwrap_or("");
    scopes.fold(first, |common, scope| {
        let mut end = 0;
        for (part, other) in common.split('/').zip(scope.split('/')) {
            if part != other {
                break;
            }
            end += part.len() + 1;
        }
        &common[..end.saturating_sub(1).min(common.len())]
    })
}

fn parent(scope: &str) -> &str {
    scope.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn without_numbers(name: &str) -> String {
    name.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A scope with the layer in it, and the scopes below it.
#[derive(Default)]
struct Scope<'a> {
    name: &'a str,
    layer: Option<&'a LayerEntry>,
    below: Vec<Scope<'a>>,
}

impl<'a> Scope<'a> {
    /// The scopes of the layers below `root`.
    fn tree(root: &str, layers: &'a [LayerEntry]) -> Self {
        let mut tree = Scope::default();
        for layer in layers {
            let mut scope = &mut tree;
            let path = layer.scope.strip_prefix(root).unwrap_or(&layer.scope);
            for name in path.split('/').filter(|name| !name.is_empty()) {
                let known = scope.below.iter().position(|below| below.name == name);
                let index = known.unwrap_or_else(|| {
                    scope.below.push(Scope { name, ..Scope::default() });
                    scope.below.len() - 1
                });
                scope = &mut scope.below[index];
            }
            scope.layer = Some(layer);
        }
        tree
    }

    /// Puts the scopes in an order in which each reads the channels of the one before, as far as that is possible. Where it is
    /// not, the order is that of the names. Returns the channels of the last layer.
    fn arrange(&mut self, mut channels: Option<usize>) -> Option<usize> {
        if let Some(layer) = self.layer.filter(|layer| not_expressible(layer).is_none()) {
            channels = layer.outputs;
        }
        if self.has_branches() {
            let outputs = self.below.iter_mut().map(|branch| branch.arrange(channels));
            return outputs.collect::<Vec<_>>().into_iter().sum();
        }
        let mut remaining = std::mem::take(&mut self.below);
        while !remaining.is_empty() {
            let reads = |scope: &Scope<'_>| scope.entry().and_then(|layer| layer.inputs);
            let is_norm =
                |scope: &Scope<'_>| scope.entry().is_some_and(|layer| layer.kind == LayerKind::BatchNorm);
            // The numbers in names are the order of scopes that differ in them alone.
            let is_numbered_later = |index: usize| {
                let pattern = without_numbers(remaining[index].name);
                remaining[..index].iter().any(|earlier| without_numbers(earlier.name) == pattern)
            };
            let fits = |index: usize| match channels {
                Some(_) => reads(&remaining[index]) == channels && !is_numbered_later(index),
                // The first layer reads images.
                None => reads(&remaining[index]).is_some_and(|channels| [1, 3].contains(&channels)),
            };
            let fitting = (0..remaining.len()).find(|&index| fits(index));
            let index = fitting.or_else(|| remaining.iter().position(|scope| !is_norm(scope))).unwrap_or(0);
            let mut next = remaining.remove(index);
            channels = next.arrange(channels);
            self.below.push(next);
        }
        channels
    }

    /// Whether the scopes below are branches by their names, which a description gives them too.
    fn has_branches(&self) -> bool {
        let is_branch = |(index, branch): (usize, &Scope<'_>)| branch.name == format!("Branch_{index}");
        self.layer.is_none() && self.below.len() > 1 && self.below.iter().enumerate().all(is_branch)
    }

    /// The layer that reads what the scope reads: the first one, unless it is a batch norm that follows another.
    fn entry(&self) -> Option<&'a LayerEntry> {
        let layers = self.layers();
        let is_norm = |layer: &&&LayerEntry| layer.kind == LayerKind::BatchNorm;
        layers.iter().find(|layer| !is_norm(layer)).or(layers.first()).copied()
    }

    /// The layers that a description can have.
    fn layers(&self) -> Vec<&'a LayerEntry> {
        let own = self.layer.filter(|layer| not_expressible(layer).is_none());
        own.into_iter().chain(self.below.iter().flat_map(Scope::layers)).collect()
    }
}

struct Writer<'a> {
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

/// Why a description cannot have a layer.
fn not_expressible(layer: &LayerEntry) -> Option<String> {
    let what = match layer.kind {
        LayerKind::Conv1d => "a convolution of sequences",
        LayerKind::Conv3d => "a convolution of volumes",
        LayerKind::Recurrent => "a recurrent cell",
        LayerKind::Norm => "a normalization without moving averages",
        LayerKind::Other => {
            return Some(format!("the variables {} are no layer of a description", layer.others.join(", ")));
        }
        _ => return None,
    };
    Some(format!("{what}, which a description cannot have"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::{Kind, Variable, layers};

    #[test]
    fn a_draft_has_the_layers_in_their_scopes() {
        let variables: [(&str, &[usize], Kind); 12] = [
            ("net/block_1/conv/weights", &[3, 3, 3, 8], Kind::Weights),
            ("net/block_1/conv/BatchNorm/moving_mean", &[8], Kind::BatchNorm),
            ("net/block_1/conv/BatchNorm/moving_variance", &[8], Kind::BatchNorm),
            ("net/block_2/dw/depthwise_weights", &[3, 3, 8, 1], Kind::Weights),
            ("net/block_2/dw/biases", &[8], Kind::Weights),
            ("net/block_3/conv/weights", &[1, 5, 16, 8], Kind::Weights),
            ("net/block_4/bn/moving_mean", &[6], Kind::BatchNorm),
            ("net/block_4/bn/moving_variance", &[6], Kind::BatchNorm),
            ("net/block_4/conv/weights", &[1, 1, 8, 6], Kind::Weights),
            ("net/fc/weights", &[6, 10], Kind::Weights),
            ("net/fc/biases", &[10], Kind::Weights),
            ("net/w3/weights", &[3, 3, 3, 8, 8], Kind::Weights),
        ];
        let variables = variables.iter().map(|&(name, shape, kind)| Variable { name, shape, kind });
        let text = draft("model.ckpt", &layers(variables));
        let steps = text.split_once("layers = [\n").unwrap();
        assert!(steps.0.contains("name = \"net\"\nscope = \"net\"\n"), "{text}");
        assert!(steps.0.contains("options = { num_classes = 10 }"), "{text}");
        let expected = r#"    { scope = "block_1", layers = [
        { conv2d = 8, kernel = 3, scope = "conv", normalizer_fn = "batch_norm" },
    ] },
    { scope = "block_2", layers = [
        { separable_conv2d = "none", kernel = 3, scope = "dw" },
    ] },
    { scope = "block_3", layers = [
        # The next layer reads 16 channels, and the tensor before it has 8.
        { conv2d = 8, kernel = [1, 5], scope = "conv", biases_initializer = "none" },
    ] },
    { scope = "block_4", layers = [
        { conv2d = 6, kernel = 1, scope = "conv", biases_initializer = "none", activation_fn = "none" },
        { batch_norm = "bn", activation_fn = "relu" },
    ] },
    { spatial_mean = "pool" },
    { flatten = "flatten" },
    { fully_connected = "num_classes", scope = "fc", activation_fn = "none", when = "num_classes", end_point = "Logits" },
    # w3: a convolution of volumes, which a description cannot have
]
"#;
        assert_eq!(steps.1, expected);
    }

    #[test]
    fn scopes_of_branches_become_branches_and_the_images_come_first() {
        let variables: [(&str, &[usize]); 4] = [
            ("net/a/Branch_0/x/weights", &[1, 1, 8, 4]),
            ("net/a/Branch_1/y/weights", &[1, 1, 8, 2]),
            ("net/b/weights", &[1, 1, 6, 5]),
            ("net/stem/weights", &[3, 3, 3, 8]),
        ];
        let variables = variables.iter().map(|&(name, shape)| Variable { name, shape, kind: Kind::Weights });
        let text = draft("model.ckpt", &layers(variables));
        let expected = r#"    { conv2d = 8, kernel = 3, scope = "stem", biases_initializer = "none" },
    { scope = "a", branches = [
        [
            { conv2d = 4, kernel = 1, scope = "x", biases_initializer = "none" },
        ],
        [
            { conv2d = 2, kernel = 1, scope = "y", biases_initializer = "none" },
        ],
    ] },
    { conv2d = 5, kernel = 1, scope = "b", biases_initializer = "none" },
]
"#;
        assert_eq!(text.split_once("layers = [\n").unwrap().1, expected);
    }

    #[test]
    fn names_that_are_not_slims_are_given() {
        let names = |variables: &[(&str, &[usize])]| {
            let variables =
                variables.iter().map(|&(name, shape)| Variable { name, shape, kind: Kind::Weights });
            variable_names(&layers(variables))
        };
        let slims: [(&str, &[usize]); 2] = [("a/weights", &[1, 1, 3, 4]), ("a/biases", &[4])];
        assert_eq!(names(&slims), "");
        let others: [(&str, &[usize]); 4] = [
            ("a/kernel", &[1, 1, 3, 4]),
            ("a/bias", &[4]),
            ("b/depthwise_kernel", &[3, 3, 4, 1]),
            ("b/pointwise_kernel", &[1, 1, 4, 5]),
        ];
        let expected = "variable_names = { weights = \"kernel\", biases = \"bias\", depthwise_weights = \
                        \"depthwise_kernel\", pointwise_weights = \"pointwise_kernel\" }\n";
        assert_eq!(names(&others), expected);
        let mixed: [(&str, &[usize]); 2] = [("a/kernel", &[1, 1, 3, 4]), ("b/w", &[1, 1, 4, 5])];
        assert!(names(&mixed).starts_with("# Layers have kernel, w for weights"));
    }
}
