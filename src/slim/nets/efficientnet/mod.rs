//! EfficientNet (<https://arxiv.org/abs/1905.11946>), EfficientNet-Lite and EfficientNet-EdgeTPU.
//!
//! Source: `models/official/efficientnet` of github.com/tensorflow/tpu: `efficientnet_model.py`, `efficientnet_builder.py`,
//! `lite/efficientnet_lite_builder.py`, `edgetpu/efficientnet_edgetpu_builder.py`.

mod coefficients;

use std::borrow::Cow;

use self::coefficients::{Coefficient, read_depth, read_width, variable_root};

use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_BIASES, SAME};
use crate::slim::options::{NUM_CLASSES, make_divisible};
use crate::slim::{
    Activation, Arg, Arg::Stride, ArgScope, LayerName, NetworkBuilder, OptionSource, OptionSpec, Options,
    Value,
};

/// A network of the family: its name with `-` for `_`, and the coefficients of its width and depth.
macro_rules! network {
    ($name:literal, $scope:literal, $family:ident, $width:literal, $depth:literal) => {
        LibraryNetwork {
            name: $name,
            scope: $scope,
            // The features are averaged over the whole image, so that it may have any size.
            image_size: [0, 0],
            logits: "head/dense/kernel",
            aux_logits: None,
            arg_scope_name: "EfficientNet's definition",
            arg_scope: ArgScope::new,
            options: &options(
                &$family,
                ($width, |variables, root| read_width(variables, root, &$family, $width)),
                ($depth, |variables, root| read_depth(variables, root, &$family, $depth)),
            ),
            build: Build::Images(|slim, images, options| efficientnet(slim, images, options, &$family)),
        }
    };
}

pub const EFFICIENTNETS: &[&LibraryNetwork] = &[
    &network!("efficientnet_b0", "efficientnet-b0", NET, 1.0, 1.0),
    &network!("efficientnet_b1", "efficientnet-b1", NET, 1.0, 1.1),
    &network!("efficientnet_b2", "efficientnet-b2", NET, 1.1, 1.2),
    &network!("efficientnet_b3", "efficientnet-b3", NET, 1.2, 1.4),
    &network!("efficientnet_b4", "efficientnet-b4", NET, 1.4, 1.8),
    &network!("efficientnet_b5", "efficientnet-b5", NET, 1.6, 2.2),
    &network!("efficientnet_b6", "efficientnet-b6", NET, 1.8, 2.6),
    &network!("efficientnet_b7", "efficientnet-b7", NET, 2.0, 3.1),
    &network!("efficientnet_b8", "efficientnet-b8", NET, 2.2, 3.6),
    &network!("efficientnet_l2", "efficientnet-l2", NET, 4.3, 5.3),
    &network!("efficientnet_lite0", "efficientnet-lite0", LITE, 1.0, 1.0),
    &network!("efficientnet_lite1", "efficientnet-lite1", LITE, 1.0, 1.1),
    &network!("efficientnet_lite2", "efficientnet-lite2", LITE, 1.1, 1.2),
    &network!("efficientnet_lite3", "efficientnet-lite3", LITE, 1.2, 1.4),
    &network!("efficientnet_lite4", "efficientnet-lite4", LITE, 1.4, 1.8),
    &network!("efficientnet_edgetpu_s", "efficientnet-edgetpu-S", EDGETPU, 1.0, 1.0),
    &network!("efficientnet_edgetpu_m", "efficientnet-edgetpu-M", EDGETPU, 1.0, 1.1),
    &network!("efficientnet_edgetpu_l", "efficientnet-edgetpu-L", EDGETPU, 1.2, 1.4),
];

/// What the networks of a family have in common.
struct Family {
    stages: &'static [Stage],
    activation: Activation,
    squeezes: bool,
    /// Whether the first and the last convolution have the same width in all networks, and the first and the last stage the same
    /// depth.
    fixes_ends: bool,
    /// Whether the features are averaged by a window of their size, where that is known.
    local_pooling: bool,
    num_classes: usize,
}

/// Blocks of the same kind. The first one has the stride and changes the number of channels.
#[derive(Clone, Copy)]
struct Stage {
    repeats: usize,
    kernel: usize,
    stride: usize,
    expand_ratio: usize,
    filters: [usize; 2],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// An expansion, a depthwise convolution, and a projection.
    Depthwise,
    /// An expansion by a convolution of the full window instead, and a projection.
    Full,
    /// The same without the sum with the block's input.
    FullWithoutResidual,
}

const fn stage(
    repeats: usize,
    kernel: usize,
    stride: usize,
    expand_ratio: usize,
    filters: [usize; 2],
    kind: Kind,
) -> Stage {
    Stage { repeats, kernel, stride, expand_ratio, filters, kind }
}

const STAGES: &[Stage] = &[
    stage(1, 3, 1, 1, [32, 16], Kind::Depthwise),
    stage(2, 3, 2, 6, [16, 24], Kind::Depthwise),
    stage(2, 5, 2, 6, [24, 40], Kind::Depthwise),
    stage(3, 3, 2, 6, [40, 80], Kind::Depthwise),
    stage(3, 5, 1, 6, [80, 112], Kind::Depthwise),
    stage(4, 5, 2, 6, [112, 192], Kind::Depthwise),
    stage(1, 3, 1, 6, [192, 320], Kind::Depthwise),
];

const NET: Family = Family {
    stages: STAGES,
    activation: Activation::Swish,
    squeezes: true,
    fixes_ends: false,
    local_pooling: false,
    num_classes: 1000,
};

const LITE: Family =
    Family { activation: Activation::Relu6, squeezes: false, fixes_ends: true, local_pooling: true, ..NET };

const EDGETPU: Family = Family {
    stages: &[
        stage(1, 3, 1, 4, [24, 24], Kind::FullWithoutResidual),
        stage(2, 3, 2, 8, [24, 32], Kind::Full),
        stage(4, 3, 2, 8, [32, 48], Kind::Full),
        stage(5, 5, 2, 8, [48, 96], Kind::Depthwise),
        stage(4, 5, 1, 8, [96, 144], Kind::Depthwise),
        stage(2, 5, 2, 8, [144, 192], Kind::Depthwise),
    ],
    activation: Activation::Relu,
    squeezes: false,
    local_pooling: true,
    num_classes: 1001,
    ..NET
};

const fn options(family: &Family, width: Coefficient, depth: Coefficient) -> [OptionSpec; 3] {
    [
        OptionSpec {
            default: Value::Count(family.num_classes),
            source: OptionSource::ReadBy(|variables, root| {
                let root = variable_root(variables, root);
                variables
                    .get(&format!("{root}head/dense/kernel"))?
                    .last()
                    .map(|&classes| Value::Count(classes))
            }),
            ..NUM_CLASSES
        },
        OptionSpec {
            name: Cow::Borrowed(WIDTH),
            default: Value::Number(width.0),
            source: OptionSource::ReadBy(width.1),
            help: "factor for the number of channels of every convolution",
        },
        OptionSpec {
            name: Cow::Borrowed(DEPTH),
            default: Value::Number(depth.0),
            source: OptionSource::ReadBy(depth.1),
            help: "factor for the number of blocks of every stage",
        },
    ]
}

const WIDTH: &str = "width_coefficient";
const DEPTH: &str = "depth_coefficient";

const MODEL: &str = "model";

impl Family {
    /// The number of blocks of each stage.
    fn repeats(&self, coefficient: f64) -> Vec<usize> {
        let last = self.stages.len() - 1;
        let repeats = |(index, stage): (usize, &Stage)| match self.fixes_ends && (index == 0 || index == last)
        {
            true => stage.repeats,
            false => (coefficient * stage.repeats as f64).ceil() as usize,
        };
        self.stages.iter().enumerate().map(repeats).collect()
    }
}

fn round_filters(filters: usize, coefficient: f64) -> usize {
    make_divisible(filters as f64 * coefficient, 8, 8)
}

fn efficientnet(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
    family: &Family,
) -> TensorRef {
    let logits = slim.variable_scope(&options.scope, |slim| {
        let build = |slim: &mut NetworkBuilder<'_>| model(slim, images, options, family);
        match slim.holds_scope(MODEL) {
            true => slim.variable_scope(MODEL, build),
            false => slim.name_scope(MODEL, build),
        }
    });
    if options.num_classes() == 0 { logits } else { slim.identity(logits, "logits") }
}

fn model(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options, family: &Family) -> TensorRef {
    let (width, depth) = (options.number(WIDTH), options.number(DEPTH));
    let width_of_ends = if family.fixes_ends { 1.0 } else { width };
    let net = slim.variable_scope("stem", |slim| {
        let net = conv(slim, images, round_filters(32, width_of_ends), 3, &[Stride(2), SAME]);
        normalized(slim, net, Some(family.activation))
    });
    let mut net = slim.end_point("stem", net);

    let blocks: Vec<Stage> = family
        .stages
        .iter()
        .zip(family.repeats(depth))
        .flat_map(|(stage, repeats)| {
            let [input, output] = stage.filters.map(|filters| round_filters(filters, width));
            let first = Stage { filters: [input, output], ..*stage };
            let rest = Stage { filters: [output, output], stride: 1, ..*stage };
            std::iter::once(first).chain(std::iter::repeat_n(rest, repeats - 1))
        })
        .collect();
    let mut reductions = 0;
    for (index, block) in blocks.iter().enumerate() {
        // The last block of each size.
        let is_reduction = blocks.get(index + 1).is_none_or(|next| next.stride > 1);
        reductions += usize::from(is_reduction);
        let mut names = vec![format!("block_{index}")];
        names.extend(is_reduction.then(|| format!("reduction_{reductions}")));
        net = slim.variable_scope(&format!("blocks_{index}"), |slim| {
            let [expanded, net] = match block.kind {
                Kind::Depthwise => depthwise_block(slim, net, block, family),
                Kind::Full | Kind::FullWithoutResidual => full_block(slim, net, block, family),
            };
            for name in &names {
                slim.end_point(name, net);
                slim.end_point(&format!("{name}/expansion_output"), expanded);
            }
            net
        });
        if slim.has_failed() {
            return net;
        }
    }
    slim.end_point("features", net);
    slim.variable_scope("head", |slim| head(slim, net, options, family))
}

/// `MBConvBlock`: returns the input of the projection, and the output.
fn depthwise_block(
    slim: &mut NetworkBuilder<'_>,
    inputs: TensorRef,
    block: &Stage,
    family: &Family,
) -> [TensorRef; 2] {
    let mut net = inputs;
    if block.expand_ratio != 1 {
        net = conv(slim, net, block.expanded(), 1, &[SAME]);
        net = normalized(slim, net, Some(family.activation));
    }
    let name = LayerName::Numbered("depthwise_conv2d");
    net = slim.layers_depthwise_conv2d(net, block.kernel, name, &[Stride(block.stride), SAME, NO_BIASES]);
    net = normalized(slim, net, Some(family.activation));
    if family.squeezes {
        net = slim.variable_scope("se", |slim| squeeze_and_excite(slim, net, block, family));
    }
    let projected = project(slim, net, block);
    [net, residual(slim, projected, inputs, block)]
}

/// `MBConvBlockWithoutDepthwise`: returns the input of the projection, and the output.
fn full_block(
    slim: &mut NetworkBuilder<'_>,
    inputs: TensorRef,
    block: &Stage,
    family: &Family,
) -> [TensorRef; 2] {
    let net = conv(slim, inputs, block.expanded(), 3, &[Stride(block.stride), SAME]);
    let net = normalized(slim, net, Some(family.activation));
    let projected = project(slim, net, block);
    [net, residual(slim, projected, inputs, block)]
}

impl Stage {
    /// The channels between the expansion and the projection.
    fn expanded(&self) -> usize {
        self.filters[0] * self.expand_ratio
    }
}

fn squeeze_and_excite(
    slim: &mut NetworkBuilder<'_>,
    inputs: TensorRef,
    block: &Stage,
    family: &Family,
) -> TensorRef {
    let reduced = (block.filters[0] / 4).max(1);
    let name = LayerName::Numbered("conv2d");
    let net = slim.spatial_mean(inputs, "Mean");
    let net = slim.layers_conv2d(net, reduced, 1, name, &[SAME]);
    let net = slim.activated(net, Some(family.activation));
    let net = slim.layers_conv2d(net, block.expanded(), 1, name, &[SAME]);
    let gate = slim.sigmoid(net);
    slim.product(gate, inputs)
}

/// The projection to the channels of the block's output.
fn project(slim: &mut NetworkBuilder<'_>, net: TensorRef, block: &Stage) -> TensorRef {
    let net = conv(slim, net, block.filters[1], 1, &[SAME]);
    let net = normalized(slim, net, None);
    slim.identity(net, "Identity")
}

/// The sum with the block's input, if that has the same shape.
fn residual(slim: &mut NetworkBuilder<'_>, net: TensorRef, inputs: TensorRef, block: &Stage) -> TensorRef {
    let [input, output] = block.filters;
    match block.stride == 1 && input == output && block.kind != Kind::FullWithoutResidual {
        true => slim.sum_as("Add", net, inputs),
        false => net,
    }
}

fn head(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options, family: &Family) -> TensorRef {
    let width = if family.fixes_ends { 1.0 } else { options.number(WIDTH) };
    let net = conv(slim, net, round_filters(1280, width), 1, &[SAME]);
    let net = normalized(slim, net, Some(family.activation));
    slim.end_point("head_1x1", net);
    let net = match slim.height_and_width(net) {
        Some(size) if family.local_pooling => slim.plain_avg_pool(net, size, 1),
        None if family.local_pooling => slim.spatial_mean(net, "AvgPool"),
        _ => slim.name_scope("global_average_pooling2d", |slim| slim.mean_over_image(net, "Mean")),
    };
    slim.end_point("pooled_features", net);
    let net = slim.dropout(net, "dropout");
    slim.end_point("global_pool", net);
    let net = match options.num_classes() {
        0 => net,
        classes => {
            let net = if family.local_pooling { slim.spatial_squeeze(net, "Squeeze") } else { net };
            slim.layers_dense(net, classes, LayerName::Numbered("dense"), &[])
        }
    };
    slim.end_point("head", net)
}

fn conv(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    filters: usize,
    kernel: usize,
    args: &[Arg],
) -> TensorRef {
    let args = [&[NO_BIASES], args].concat();
    slim.layers_conv2d(net, filters, kernel, LayerName::Numbered("conv2d"), &args)
}

/// The batch norm that keeps the name that it has on TPUs.
fn normalized(slim: &mut NetworkBuilder<'_>, net: TensorRef, activation: Option<Activation>) -> TensorRef {
    let name = LayerName::Numbered("tpu_batch_normalization");
    let net = slim.layers_batch_normalization(net, name, &[Arg::Epsilon(1e-3)]);
    slim.activated(net, activation)
}
