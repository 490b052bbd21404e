//! A first description of a network whose definition is not known, from the layers that its variables show.
//!
//! `docs/custom-networks.md` has the grammar. The draft has every layer that a description can have, in the scopes of the
//! checkpoint, so that it reads the variables of the checkpoint. What no variable shows is left to the user.

mod scope;
mod writer;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use self::scope::{Scope, common_scope};
use self::writer::{Writer, quoted};
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
    Writer::after(text, classifier).with(&tree.below) + "]\n"
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
