//! SimCLR: a ResNet that was trained without labels, with the head of that training, and a classifier
//! (<https://arxiv.org/abs/2002.05709>).
//!
//! Source: `resnet.py`, `model.py` and `model_util.py` of github.com/google-research/simclr. Networks with selective kernels or
//! squeeze-and-excite are not in the library.

use std::borrow::Cow;

use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_BIASES, SAME};
use crate::slim::options::NUM_CLASSES;
use crate::slim::{
    Arg, Arg::Stride, ArgScope, LayerName, NetworkBuilder, OptionSource, OptionSpec, Options, Value,
    Variables,
};

pub const SIMCLR: LibraryNetwork = LibraryNetwork {
    name: "simclr",
    // Its parts are in scopes beside each other.
    scope: "",
    image_size: [224, 224],
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
            source: OptionSource::ReadBy(read_depth),
            help: "number of layers of the residual network",
        },
        OptionSpec {
            name: Cow::Borrowed(WIDTH_MULTIPLIER),
            default: Value::Count(1),
            source: OptionSource::ReadBy(|variables, root| {
                let channels = variables.get(&format!("{root}{STEM}"))?.last()?;
                Some(Value::Count(channels / 64))
            }),
            help: "factor for the number of channels of every convolution",
        },
        OptionSpec {
            name: Cow::Borrowed(CIFAR_STEM),
            default: Value::Flag(false),
            source: OptionSource::ReadBy(|variables, root| {
                Some(Value::Flag(variables.get(&format!("{root}{STEM}"))?.first() == Some(&3)))
            }),
            help: "whether the first convolution is that of small images, 3x3 without a stride",
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

/// Finds the depth that has as many convolutions: those of the blocks, the projection of each group, and the first one.
fn read_depth(variables: &Variables, root: &str) -> Option<Value> {
    let scope = format!("{root}base_model/conv2d");
    let names = variables.range(scope.clone()..).map(|(name, _)| name);
    let count =
        names.take_while(|name| name.starts_with(&scope)).filter(|name| name.ends_with("/kernel")).count();
    let depth = DEPTHS
        .into_iter()
        .find(|(depth, blocks)| blocks.iter().sum::<usize>() * convolutions(*depth) + 5 == count)?;
    Some(Value::Count(depth.0))
}

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
    let (size, stride) = if options.flag(CIFAR_STEM) { (3, 1) } else { (7, 2) };
    let net = conv(slim, images, 64 * width, size, stride);
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
            net = residual_block(slim, net, filters, stride, block == 0, convolutions(depth));
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
    convolutions: usize,
) -> TensorRef {
    let output = if convolutions == 3 { 4 * filters } else { filters };
    let shortcut = if projects {
        let net = conv(slim, inputs, output, 1, stride);
        normalized(slim, net, &[])
    } else {
        inputs
    };
    let mut net = inputs;
    if convolutions == 3 {
        net = conv(slim, net, filters, 1, 1);
        net = normalized_relu(slim, net);
    }
    net = conv(slim, net, filters, 3, stride);
    net = normalized_relu(slim, net);
    net = conv(slim, net, output, if convolutions == 3 { 1 } else { 3 }, 1);
    net = normalized(slim, net, &[]);
    let sum = slim.sum(net, shortcut);
    slim.relu(sum)
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
