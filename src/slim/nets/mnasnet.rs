//! MnasNet: networks that were found by a search for accuracy and speed on phones (<https://arxiv.org/abs/1807.11626>).
//!
//! Source: `models/official/mnasnet` of github.com/tensorflow/tpu: `mnasnet_model.py`, `mnasnet_models.py`.

use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_BIASES, SAME};
use crate::slim::options::{DEPTH_MULTIPLIER, NUM_CLASSES, make_divisible};
use crate::slim::{
    Arg, Arg::Stride, ArgScope, Kernel, LayerName, NetworkBuilder, OptionSource, OptionSpec, Options, Value,
    Variables,
};

macro_rules! network {
    ($name:literal, $scope:literal, $definition:ident) => {
        LibraryNetwork {
            name: $name,
            scope: $scope,
            // The features are averaged over the whole image, so that it may have any size.
            image_size: [0, 0],
            logits: "mnas_head/dense/kernel",
            aux_logits: None,
            arg_scope_name: "MnasNet's definition",
            arg_scope: ArgScope::new,
            options: &[
                OptionSpec {
                    default: Value::Count(1000),
                    source: OptionSource::ReadBy(read_classes),
                    ..NUM_CLASSES
                },
                OptionSpec {
                    source: OptionSource::ReadBy(|variables, root| {
                        read_multiplier(variables, root, &$definition)
                    }),
                    ..DEPTH_MULTIPLIER
                },
            ],
            build: Build::Images(|slim, images, options| mnasnet(slim, images, options, &$definition)),
        }
    };
}

pub const MNASNETS: &[&LibraryNetwork] = &[
    &network!("mnasnet_a1", "mnasnet-a1", A1),
    &network!("mnasnet_b1", "mnasnet-b1", B1),
    &network!("mnasnet_small", "mnasnet-small", SMALL),
    &network!("mnasnet_d1", "mnasnet-d1", D1),
    &network!("mnasnet_d1_320", "mnasnet-d1-320", D1_320),
];

struct Definition {
    stem_size: usize,
    stages: &'static [Stage],
    has_dropout: bool,
}

/// Blocks of the same kind. The first one has the stride and changes the number of channels.
#[derive(Clone, Copy)]
struct Stage {
    repeats: usize,
    kernel: usize,
    stride: usize,
    expand_ratio: usize,
    filters: [usize; 2],
    squeezes: bool,
    has_residual: bool,
}

const fn stage(
    repeats: usize,
    kernel: usize,
    stride: usize,
    expand_ratio: usize,
    filters: [usize; 2],
) -> Stage {
    Stage { repeats, kernel, stride, expand_ratio, filters, squeezes: false, has_residual: true }
}

impl Stage {
    const fn squeezed(self) -> Self {
        Self { squeezes: true, ..self }
    }

    const fn without_residual(self) -> Self {
        Self { has_residual: false, ..self }
    }
}

const A1: Definition = Definition {
    stem_size: 32,
    stages: &[
        stage(1, 3, 1, 1, [32, 16]).without_residual(),
        stage(2, 3, 2, 6, [16, 24]),
        stage(3, 5, 2, 3, [24, 40]).squeezed(),
        stage(4, 3, 2, 6, [40, 80]),
        stage(2, 3, 1, 6, [80, 112]).squeezed(),
        stage(3, 5, 2, 6, [112, 160]).squeezed(),
        stage(1, 3, 1, 6, [160, 320]),
    ],
    has_dropout: true,
};
const B1: Definition = Definition {
    stem_size: 32,
    stages: &[
        stage(1, 3, 1, 1, [32, 16]).without_residual(),
        stage(3, 3, 2, 3, [16, 24]),
        stage(3, 5, 2, 3, [24, 40]),
        stage(3, 5, 2, 6, [40, 80]),
        stage(2, 3, 1, 6, [80, 96]),
        stage(4, 5, 2, 6, [96, 192]),
        stage(1, 3, 1, 6, [192, 320]).without_residual(),
    ],
    has_dropout: true,
};
const SMALL: Definition = Definition {
    stem_size: 8,
    stages: &[
        stage(1, 3, 1, 1, [16, 8]),
        stage(1, 3, 2, 3, [8, 16]),
        stage(2, 3, 2, 6, [16, 16]),
        stage(4, 5, 2, 6, [16, 32]).squeezed(),
        stage(3, 3, 1, 6, [32, 32]).squeezed(),
        stage(3, 5, 2, 6, [32, 88]).squeezed(),
        stage(1, 3, 1, 6, [88, 144]),
    ],
    has_dropout: false,
};
const D1: Definition = Definition {
    stem_size: 32,
    stages: &[
        stage(1, 3, 1, 9, [32, 24]),
        stage(3, 3, 2, 9, [24, 36]),
        stage(5, 3, 2, 9, [36, 48]),
        stage(4, 5, 2, 9, [48, 96]),
        stage(5, 7, 1, 3, [96, 96]),
        stage(3, 3, 2, 9, [96, 80]),
        stage(1, 7, 1, 6, [80, 320]).without_residual(),
    ],
    has_dropout: true,
};
const D1_320: Definition = Definition {
    stem_size: 32,
    stages: &[
        stage(3, 5, 1, 6, [32, 24]),
        stage(4, 7, 2, 9, [24, 36]),
        stage(5, 5, 2, 9, [36, 48]),
        stage(5, 7, 2, 6, [48, 96]),
        stage(5, 3, 1, 9, [96, 144]),
        stage(5, 5, 2, 6, [144, 160]),
        stage(1, 7, 1, 9, [160, 320]),
    ],
    has_dropout: true,
};

/// The scope of the whole model for the names of ops, and for the variables of Keras's layers.
const MODEL: &str = "mnas_net_model";

fn read_classes(variables: &Variables, root: &str) -> Option<Value> {
    let names = [format!("{root}{MODEL}/mnas_head/dense/kernel"), format!("{root}mnas_head/dense/kernel")];
    let kernel = names.iter().find_map(|name| variables.get(name))?;
    kernel.last().map(|&classes| Value::Count(classes))
}

/// Finds the multiplier that gives the last batch norm of each stage the channels that it has.
fn read_multiplier(variables: &Variables, root: &str, definition: &Definition) -> Option<Value> {
    let mut block = 0;
    let mut widths = vec![];
    for stage in definition.stages {
        block += stage.repeats;
        let last = if stage.expand_ratio == 1 { 1 } else { 2 };
        let name = format!("{root}mnas_blocks_{}/batch_normalization_{last}/gamma", block - 1);
        widths.push((stage.filters[1], *variables.get(&name)?.last()?));
    }
    let multipliers = std::iter::once(1.0).chain((1..1000).map(|hundredths| f64::from(hundredths) / 100.0));
    let fits =
        |multiplier: &f64| widths.iter().all(|&(full, actual)| round_filters(full, *multiplier) == actual);
    multipliers.into_iter().find(fits).map(Value::Number)
}

/// Without a multiplier, the channels need not be a multiple of 8.
fn round_filters(filters: usize, multiplier: f64) -> usize {
    if multiplier == 1.0 { filters } else { make_divisible(filters as f64 * multiplier, 8, 8) }
}

/// The names of convolutions.
struct Layers {
    /// How many layers of each kind Keras has named before; `None` for layers of `tf.layers`.
    keras: Option<KerasNumbers>,
}

struct KerasNumbers {
    conv2d: usize,
    depthwise_conv2d: usize,
}

impl Layers {
    /// Sets the number of the next convolution of Keras.
    fn number(&mut self, number: usize) {
        self.keras.iter_mut().for_each(|numbers| numbers.conv2d = number);
    }

    fn conv2d(
        &mut self,
        slim: &mut NetworkBuilder<'_>,
        net: TensorRef,
        filters: usize,
        kernel: impl Into<Kernel>,
        args: &[Arg],
    ) -> TensorRef {
        let name = self.keras.as_mut().map(|numbers| keras_name("conv2d", &mut numbers.conv2d));
        let name = name.as_deref().map_or(LayerName::Numbered("conv2d"), LayerName::Keras);
        slim.layers_conv2d(net, filters, kernel, name, &[&[SAME], args].concat())
    }

    fn depthwise_conv2d(
        &mut self,
        slim: &mut NetworkBuilder<'_>,
        net: TensorRef,
        block: &Stage,
    ) -> TensorRef {
        let kind = "depthwise_conv2d";
        let name = self.keras.as_mut().map(|numbers| keras_name(kind, &mut numbers.depthwise_conv2d));
        let name = name.as_deref().map_or(LayerName::Numbered(kind), LayerName::Keras);
        slim.layers_depthwise_conv2d(net, block.kernel, name, &[Stride(block.stride), SAME, NO_BIASES])
    }
}

fn keras_name(kind: &str, used: &mut usize) -> String {
    let name = if *used == 0 { kind.to_owned() } else { format!("{kind}_{used}") };
    *used += 1;
    name
}

fn mnasnet(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
    definition: &Definition,
) -> TensorRef {
    let net = slim.variable_scope(&options.scope, |slim| {
        slim.name_scope(MODEL, |slim| model(slim, images, options, definition))
    });
    if options.num_classes() == 0 {
        return net;
    }
    let net = slim.expand_dims(net, 0);
    let net = slim.squeeze(net, &[0], "Squeeze");
    slim.identity(net, "logits")
}

fn model(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
    definition: &Definition,
) -> TensorRef {
    let multiplier = options.number(&DEPTH_MULTIPLIER.name);
    let rounded = |filters| round_filters(filters, multiplier);
    let blocks: Vec<Stage> = definition
        .stages
        .iter()
        .flat_map(|stage| {
            let [input, output] = stage.filters.map(rounded);
            let first = Stage { filters: [input, output], ..*stage };
            let rest = Stage { filters: [output, output], stride: 1, ..*stage };
            std::iter::once(first).chain(std::iter::repeat_n(rest, stage.repeats - 1))
        })
        .collect();
    // Keras numbers the layers of the blocks first, then those of the stem and of the head.
    let in_blocks: usize = blocks
        .iter()
        .map(|block| 1 + usize::from(block.expand_ratio != 1) + 2 * usize::from(block.squeezes))
        .sum();
    let mut layers = Layers { keras: keras_numbers(slim, in_blocks) };
    let first = layers.keras.as_ref().map_or(0, |numbers| numbers.conv2d);

    layers.number(first + in_blocks);
    let net = slim.variable_scope("mnas_stem", |slim| {
        let net = layers.conv2d(slim, images, rounded(definition.stem_size), 3, &[Stride(2), NO_BIASES]);
        let net = normalized(slim, net);
        slim.relu(net)
    });
    let mut net = slim.end_point("stem", net);
    layers.number(first);
    let mut reductions = 0;
    for (index, block) in blocks.iter().enumerate() {
        // The last block of each size.
        let is_reduction = blocks.get(index + 1).is_none_or(|next| next.stride > 1);
        reductions += usize::from(is_reduction);
        let mut names = vec![format!("block_{index}")];
        names.extend(is_reduction.then(|| format!("reduction_{reductions}")));
        let [expanded, output] = slim.variable_scope(&format!("mnas_blocks_{index}"), |slim| {
            bottleneck(slim, net, block, &mut layers)
        });
        for name in names {
            slim.end_point(&name, output);
            slim.end_point(&format!("{name}/expansion_output"), expanded);
        }
        net = output;
    }
    slim.end_point("global_pool", net);
    layers.number(first + in_blocks + 1);
    slim.variable_scope("mnas_head", |slim| {
        let net = layers.conv2d(slim, net, 1280, 1, &[NO_BIASES]);
        let net = normalized(slim, net);
        let net = slim.relu(net);
        let net = slim.name_scope("global_average_pooling2d", |slim| slim.mean_over_image(net, "Mean"));
        let net = if definition.has_dropout { slim.dropout(net, "dropout") } else { net };
        let dense =
            if layers.keras.is_some() { LayerName::Keras("dense") } else { LayerName::Numbered("dense") };
        let net = match options.num_classes() {
            0 => net,
            classes => slim.layers_dense(net, classes, dense, &[]),
        };
        slim.end_point("head", net)
    })
}

/// How many layers of each kind have names before the first block, if the convolutions are layers of Keras.
fn keras_numbers(slim: &NetworkBuilder<'_>, in_blocks: usize) -> Option<KerasNumbers> {
    let number = |scope: &str, kind: &str| {
        let layers = slim.scopes_in(&format!("{MODEL}/{scope}"));
        let name = layers.into_iter().find(|layer| layer.starts_with(kind))?;
        name[kind.len()..].strip_prefix('_').map_or(Some(0), |number| number.parse().ok())
    };
    let stem: usize = number("mnas_stem", "conv2d")?;
    let depthwise = number("mnas_blocks_0", "depthwise_conv2d").unwrap_or(0);
    Some(KerasNumbers { conv2d: stem.checked_sub(in_blocks)?, depthwise_conv2d: depthwise })
}

/// `MnasBlock`: returns the input of the projection, and the output.
fn bottleneck(
    slim: &mut NetworkBuilder<'_>,
    inputs: TensorRef,
    block: &Stage,
    layers: &mut Layers,
) -> [TensorRef; 2] {
    let [input, output] = block.filters;
    let expanded = input * block.expand_ratio;
    let mut net = inputs;
    if block.expand_ratio != 1 {
        net = layers.conv2d(slim, net, expanded, 1, &[NO_BIASES]);
        net = normalized(slim, net);
        net = slim.relu(net);
    }
    net = layers.depthwise_conv2d(slim, net, block);
    net = normalized(slim, net);
    net = slim.relu(net);
    if block.squeezes {
        net = slim.variable_scope("se", |slim| {
            let gate = slim.spatial_mean(net, "Mean");
            let gate = layers.conv2d(slim, gate, (input / 4).max(1), 1, &[]);
            let gate = slim.relu(gate);
            let gate = layers.conv2d(slim, gate, expanded, 1, &[]);
            let gate = slim.sigmoid(gate);
            slim.product(gate, net)
        });
    }
    let projected = layers.conv2d(slim, net, output, 1, &[NO_BIASES]);
    let projected = normalized(slim, projected);
    let has_residual = block.has_residual && block.stride == 1 && input == output;
    let sum = if has_residual { slim.sum_as("Add", projected, inputs) } else { projected };
    [net, slim.identity(sum, "Identity")]
}

fn normalized(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    let name = LayerName::Numbered("batch_normalization");
    slim.layers_batch_normalization(net, name, &[Arg::Epsilon(1e-3)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slim::{Overrides, build, find_network, recognize};

    /// The variables of MnasNet B1 as Keras names them after `before` layers of each kind.
    fn variables(before: usize) -> Variables {
        let network = find_network("mnasnet_b1").unwrap();
        let options = Options::defaults(&network.options, &network.scope);
        let named = |number: usize, kind: &str| keras_name(kind, &mut number.clone());
        // The first block has one convolution, the other sixteen have two; then those of the stem and of the head.
        let stem = format!("mnasnet-b1/{MODEL}/mnas_stem/{}/kernel", named(before + 33, "conv2d"));
        let depthwise = format!(
            "mnasnet-b1/{MODEL}/mnas_blocks_0/{}/depthwise_kernel",
            named(before, "depthwise_conv2d")
        );
        let shown = Variables::from([(stem, vec![3, 3, 3, 32]), (depthwise, vec![3, 3, 32, 1])]);
        let built = build(network, "", &options, &network.default_images(3), &shown).unwrap();
        built.variables().map(|(name, shape)| (name.to_owned(), shape)).collect()
    }

    #[test]
    fn the_numbers_of_kerass_layers_are_read_from_the_variables() {
        for before in [0, 7] {
            let variables = variables(before);
            let last = format!("mnasnet-b1/{MODEL}/mnas_head/conv2d_{}/kernel", before + 34);
            assert!(variables.contains_key(&last), "{last}");
            let recognition = recognize(&variables, Overrides::default()).unwrap();
            assert_eq!(recognition.network.name, "mnasnet_b1");
            assert_eq!(recognition.found, recognition.expected);
        }
    }
}
