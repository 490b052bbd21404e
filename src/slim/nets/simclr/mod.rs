//! SimCLR: a ResNet that was trained without labels, with the head of that training, and a classifier
//! (<https://arxiv.org/abs/2002.05709>).
//!
//! Source: `resnet.py`, `model.py` and `model_util.py` of github.com/google-research/simclr. Selective kernels are those of
//! <https://arxiv.org/abs/1903.06586>.

mod convolutions;

use std::borrow::Cow;

use self::convolutions::Convolutions;

use super::{Build, LibraryNetwork};
use crate::graph::{Attr, TensorRef};
use crate::slim::arg_scope::{NO_BIASES, SAME};
use crate::slim::options::NUM_CLASSES;
use crate::slim::{
    Arg, Arg::Stride, ArgScope, LayerName, NetworkBuilder, OptionSource, OptionSpec, Options, Value,
};
use crate::tensor::Constant;

pub const SIMCLR: LibraryNetwork = LibraryNetwork {
    name: "simclr",
    // Its parts are in scopes beside each other.
    scope: "",
    // The features are averaged over the whole image, so that it may have any size.
    image_size: [0, 0],
    logits: STEM,
    aux_logits: None,
    arg_scope_name: "SimCLR's definition",
    arg_scope: ArgScope::new,
    options: &[
        OptionSpec {
            default: Value::Count(1000),
            source: OptionSource::ReadBy(|variables, root| {
                let kernel = variables.get(&format!("{root}head_supervised/linear_layer/dense/kernel"));
                Some(Value::Count(kernel.and_then(|shape| shape.last()).copied().unwrap_or(0)))
            }),
            ..NUM_CLASSES
        },
        OptionSpec {
            name: Cow::Borrowed(RESNET_DEPTH),
            default: Value::Count(50),
            source: OptionSource::ReadBy(|variables, root| {
                Convolutions::of(variables, root).depth().map(Value::Count)
            }),
            help: "number of layers of the residual network",
        },
        OptionSpec {
            name: Cow::Borrowed(WIDTH_MULTIPLIER),
            default: Value::Count(1),
            source: OptionSource::ReadBy(|variables, root| {
                Convolutions::of(variables, root).width().map(Value::Count)
            }),
            help: "factor for the number of channels of every convolution",
        },
        OptionSpec {
            name: Cow::Borrowed(CIFAR_STEM),
            default: Value::Flag(false),
            source: OptionSource::ReadBy(|variables, root| {
                Some(Value::Flag(Convolutions::of(variables, root).is_for_small_images()))
            }),
            help: "whether the first convolution is that of small images, 3x3 without a stride",
        },
        OptionSpec {
            name: Cow::Borrowed(SK_RATIO),
            default: Value::Number(0.0),
            source: OptionSource::ReadBy(|variables, root| {
                Convolutions::of(variables, root).sk_ratio().map(Value::Number)
            }),
            help: "ratio of the channels between those that weight selective kernels; 0 is no selective kernels",
        },
        OptionSpec {
            name: Cow::Borrowed(SE_RATIO),
            default: Value::Number(0.0),
            source: OptionSource::ReadBy(|variables, root| {
                Convolutions::of(variables, root).se_ratio().map(Value::Number)
            }),
            help: "ratio of the channels between those of squeeze-and-excite; 0 is no squeeze-and-excite",
        },
        OptionSpec {
            name: Cow::Borrowed(FT_PROJ_SELECTOR),
            default: Value::Count(0),
            source: OptionSource::Definition(
                "the classifier reads the features, or the output of a layer of the head of the training without labels",
            ),
            help: "the layer of head_contrastive that the classifier reads; 0 is the input of the first one",
        },
    ],
    build: Build::Images(simclr),
};

const STEM: &str = "base_model/conv2d/kernel";
const RESNET_DEPTH: &str = "resnet_depth";
const WIDTH_MULTIPLIER: &str = "width_multiplier";
const CIFAR_STEM: &str = "cifar_stem";
const SK_RATIO: &str = "sk_ratio";
const SE_RATIO: &str = "se_ratio";
const FT_PROJ_SELECTOR: &str = "ft_proj_selector";

/// The depths, and the number of blocks of each group.
const DEPTHS: [(usize, [usize; 4]); 6] = [
    (18, [2, 2, 2, 2]),
    (34, [3, 4, 6, 3]),
    (50, [3, 4, 6, 3]),
    (101, [3, 4, 23, 3]),
    (152, [3, 8, 36, 3]),
    (200, [3, 24, 36, 3]),
];

/// The number of convolutions of a block.
fn convolutions(depth: usize) -> usize {
    if depth < 50 { 2 } else { 3 }
}

/// The least number of channels between those that weight selective kernels.
const LEAST_BETWEEN: usize = 32;

fn simclr(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let features = slim.variable_scope("base_model", |slim| resnet(slim, images, options));
    slim.end_point("final_avg_pool", features);
    let layers = projection_head(slim, features);
    match options.num_classes() {
        0 => features,
        classes => {
            let selected = layers.get(options.count(FT_PROJ_SELECTOR)).copied().unwrap_or(features);
            slim.variable_scope("head_supervised", |slim| {
                slim.variable_scope("linear_layer", |slim| {
                    let net = slim.layers_dense(selected, classes, LayerName::Numbered("dense"), &[]);
                    let net = slim.identity(net, "linear_layer_out");
                    slim.end_point("logits_sup", net)
                })
            })
        }
    }
}

/// The layers of the training without labels, as many as the checkpoint has. Returns the features, and the output of each layer.
fn projection_head(slim: &mut NetworkBuilder<'_>, features: TensorRef) -> Vec<TensorRef> {
    let count = (0..).take_while(|layer| slim.holds_scope(&format!("head_contrastive/nl_{layer}"))).count();
    let mut layers = vec![features];
    if count == 0 {
        return layers;
    }
    slim.variable_scope("head_contrastive", |slim| {
        let channels = slim.channels(features);
        let mut net = features;
        for layer in 0..count {
            let is_last = layer + 1 == count;
            let units = if is_last {
                slim.stored_channels(&format!("nl_{layer}/dense/kernel")).unwrap_or(128)
            } else {
                channels
            };
            net = slim.variable_scope(&format!("nl_{layer}"), |slim| {
                let net = slim.layers_dense(net, units, LayerName::Numbered("dense"), &[NO_BIASES]);
                let net = normalized(slim, net, &[Arg::Center(!is_last)]);
                slim.identity(net, &format!("nl_{layer}_out"))
            });
            if !is_last {
                net = slim.relu(net);
            }
            layers.push(net);
        }
        slim.end_point("projection", net);
    });
    layers
}

fn resnet(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let depth = options.count(RESNET_DEPTH);
    let width = options.count(WIDTH_MULTIPLIER);
    let blocks = DEPTHS.into_iter().find(|(known, _)| *known == depth).map_or([0; 4], |(_, blocks)| blocks);
    let is_selective = options.number(SK_RATIO) > 0.0;
    let net = match (options.flag(CIFAR_STEM), is_selective) {
        (true, _) => conv(slim, images, 64 * width, 3, 1),
        (false, false) => conv(slim, images, 64 * width, 7, 2),
        (false, true) => {
            let net = conv(slim, images, 32 * width, 3, 2);
            let net = normalized_relu(slim, net);
            let net = conv(slim, net, 32 * width, 3, 1);
            let net = normalized_relu(slim, net);
            conv(slim, net, 64 * width, 3, 1)
        }
    };
    let net = slim.identity(net, "initial_conv");
    let net = normalized_relu(slim, net);
    let net = match options.flag(CIFAR_STEM) {
        true => net,
        false => slim.layers_max_pooling2d(net, 3, &[Stride(2), SAME]),
    };
    let mut net = slim.identity(net, "initial_max_pool");
    for (group, blocks) in blocks.into_iter().enumerate() {
        let filters = (64 << group) * width;
        for block in 0..blocks {
            let stride = if block == 0 && group > 0 { 2 } else { 1 };
            net = residual_block(slim, net, filters, stride, block == 0, options);
            if slim.has_failed() {
                return net;
            }
        }
        net = slim.identity(net, &format!("block_group{}", group + 1));
        slim.end_point(&format!("block_group{}", group + 1), net);
    }
    let net = slim.mean_over_image(net, "Mean");
    slim.identity(net, "final_avg_pool")
}

/// `residual_block` of two convolutions, or `bottleneck_block` of three.
fn residual_block(
    slim: &mut NetworkBuilder<'_>,
    inputs: TensorRef,
    filters: usize,
    stride: usize,
    projects: bool,
    options: &Options,
) -> TensorRef {
    let is_bottleneck = convolutions(options.count(RESNET_DEPTH)) == 3;
    let (sk_ratio, se_ratio) = (options.number(SK_RATIO), options.number(SE_RATIO));
    let output = if is_bottleneck { 4 * filters } else { filters };
    let shortcut = match projects {
        true => projected(slim, inputs, output, stride, sk_ratio > 0.0),
        false => inputs,
    };
    let mut net = inputs;
    if is_bottleneck {
        net = conv(slim, net, filters, 1, 1);
        net = normalized_relu(slim, net);
    }
    net = if is_bottleneck && sk_ratio > 0.0 {
        selective(slim, net, filters, stride, sk_ratio)
    } else {
        let net = conv(slim, net, filters, 3, stride);
        normalized_relu(slim, net)
    };
    net = conv(slim, net, output, if is_bottleneck { 1 } else { 3 }, 1);
    net = normalized(slim, net, &[]);
    if se_ratio > 0.0 {
        net = squeezed(slim, net, ((filters as f64 * se_ratio) as usize).max(1));
    }
    let sum = slim.sum(net, shortcut);
    slim.relu(sum)
}

/// The shortcut of the first block of a group. With selective kernels, a pooling takes the place of the stride.
fn projected(
    slim: &mut NetworkBuilder<'_>,
    inputs: TensorRef,
    output: usize,
    stride: usize,
    is_pooled: bool,
) -> TensorRef {
    let net = match (is_pooled, stride) {
        (false, _) => conv(slim, inputs, output, 1, stride),
        (true, 1) => {
            let net = slim.layers_average_pooling2d(inputs, 2, &[Stride(1), SAME]);
            conv(slim, net, output, 1, 1)
        }
        (true, _) => {
            let net = slim.fixed_padding(inputs, 2, 1);
            let net = slim.layers_average_pooling2d(net, 2, &[Stride(stride)]);
            conv(slim, net, output, 1, 1)
        }
    };
    normalized(slim, net, &[])
}

/// `sk_conv2d`: two convolutions, which weights of each channel mix.
fn selective(
    slim: &mut NetworkBuilder<'_>,
    inputs: TensorRef,
    filters: usize,
    stride: usize,
    ratio: f64,
) -> TensorRef {
    let name = LayerName::Numbered("conv2d");
    let net = conv(slim, inputs, 2 * filters, 3, stride);
    let net = normalized_relu(slim, net);
    let both = halves(slim, net);
    let sum = sum_of_halves(slim, both);
    let net = slim.spatial_mean(sum, "Mean");
    let between = ((filters as f64 * ratio) as usize).max(LEAST_BETWEEN);
    let net = slim.layers_conv2d(net, between, 1, name, &[NO_BIASES]);
    let net = normalized_relu(slim, net);
    let net = slim.layers_conv2d(net, 2 * filters, 1, name, &[NO_BIASES]);
    let mixing = halves(slim, net);
    let mixing = slim.softmax_of_first_axis(mixing);
    let mixed = slim.product(both, mixing);
    sum_of_halves(slim, mixed)
}

/// The halves of the channels, along a new first axis.
fn halves(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    let halves: [TensorRef; 2] = slim.split(net, 3);
    slim.op("stack", "Pack", &halves, [("N", Attr::Int(2)), ("axis", Attr::Int(0))])
}

fn sum_of_halves(slim: &mut NetworkBuilder<'_>, halves: TensorRef) -> TensorRef {
    let axis = ("reduction_indices", Constant::from_i32(vec![], &[0]));
    slim.op_with_constant("Sum", "Sum", &[halves], axis, [])
}

/// `se_layer`: squeeze-and-excite.
fn squeezed(slim: &mut NetworkBuilder<'_>, inputs: TensorRef, between: usize) -> TensorRef {
    let channels = slim.channels(inputs);
    let name = LayerName::Numbered("conv2d");
    let net = slim.spatial_mean(inputs, "Mean");
    let net = slim.layers_conv2d(net, between, 1, name, &[SAME]);
    let net = slim.relu(net);
    let net = slim.layers_conv2d(net, channels, 1, name, &[SAME]);
    let gate = slim.sigmoid(net);
    slim.product(gate, inputs)
}

/// `conv2d_fixed_padding`: the padding does not depend on the size of the image.
fn conv(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    filters: usize,
    kernel: usize,
    stride: usize,
) -> TensorRef {
    let name = LayerName::Numbered("conv2d");
    if stride == 1 {
        return slim.layers_conv2d(net, filters, kernel, name, &[SAME, NO_BIASES]);
    }
    let net = slim.fixed_padding(net, kernel, 1);
    slim.layers_conv2d(net, filters, kernel, name, &[Stride(stride), NO_BIASES])
}

fn normalized_relu(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    let net = normalized(slim, net, &[]);
    slim.relu(net)
}

/// The batch norm of many TPUs, which TensorFlow computes by separate ops.
fn normalized(slim: &mut NetworkBuilder<'_>, net: TensorRef, args: &[Arg]) -> TensorRef {
    let args = [&[Arg::Epsilon(1e-5), Arg::Fused(false)], args].concat();
    slim.layers_batch_normalization(net, LayerName::Numbered("batch_normalization"), &args)
}
