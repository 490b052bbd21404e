//! NASNet-A (<https://arxiv.org/abs/1707.07012>), for CIFAR-10 and ImageNet.
//!
//! Source: `research/slim/nets/nasnet/nasnet.py`.

use std::borrow::Cow;

use super::nasnet_cell::Cell;
use super::nasnet_cell::Operation::{AvgPool, Identity, MaxPool, Separable};
use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::Value;
use crate::slim::arg_scope::{NO_ACTIVATION, NO_BIASES, VALID};
use crate::slim::options::{NUM_CLASSES, OptionSource, OptionSpec, USE_AUX_HEAD};
use crate::slim::{Arg, ArgScope, Layer, NetworkBuilder, Options, UNNAMED, Variables};

pub const NASNET_MOBILE: LibraryNetwork = LibraryNetwork {
    name: "nasnet_mobile",
    scope: "",
    image_size: [224, 224],
    logits: "final_layer/FC/weights",
    aux_logits: Some("aux_7"),
    arg_scope_name: "nasnet_mobile_arg_scope",
    arg_scope: imagenet_arg_scope,
    options: &hparams(12, 44, 1.0, 0),
    build: Build::Images(|slim, images, options| nasnet(slim, images, options, stem_of_imagenet)),
};
pub const NASNET_LARGE: LibraryNetwork = LibraryNetwork {
    name: "nasnet_large",
    image_size: [331, 331],
    aux_logits: Some("aux_11"),
    arg_scope_name: "nasnet_large_arg_scope",
    options: &hparams(18, 168, 3.0, 1),
    ..NASNET_MOBILE
};
pub const NASNET_CIFAR: LibraryNetwork = LibraryNetwork {
    name: "nasnet_cifar",
    image_size: [32, 32],
    aux_logits: Some("aux_11"),
    arg_scope_name: "nasnet_cifar_arg_scope",
    arg_scope: || arg_scope(0.9, 1e-5),
    options: &hparams(18, 32, 3.0, 0),
    build: Build::Images(|slim, images, options| nasnet(slim, images, options, stem_of_cifar)),
    ..NASNET_MOBILE
};

pub const NUM_CELLS: &str = "num_cells";
pub const NUM_CONV_FILTERS: &str = "num_conv_filters";
const STEM_MULTIPLIER: &str = "stem_multiplier";
pub const FILTER_SCALING_RATE: &str = "filter_scaling_rate";
const NUM_REDUCTION_LAYERS: &str = "num_reduction_layers";
pub const SKIP_REDUCTION_LAYER_INPUT: &str = "skip_reduction_layer_input";

/// The hyperparameters of these networks, with the defaults of one of them.
pub const fn hparams(
    num_cells: usize,
    num_conv_filters: usize,
    stem_multiplier: f64,
    skip_reduction_layer_input: usize,
) -> [OptionSpec; 8] {
    [
        NUM_CLASSES,
        USE_AUX_HEAD,
        OptionSpec {
            name: Cow::Borrowed(NUM_CELLS),
            default: Value::Count(num_cells),
            source: OptionSource::ReadBy(read_num_cells),
            help: "number of cells, without those of the stem and the reductions",
        },
        OptionSpec {
            name: Cow::Borrowed(NUM_CONV_FILTERS),
            default: Value::Count(num_conv_filters),
            source: OptionSource::ReadBy(read_num_conv_filters),
            help: "number of channels of a convolution in the first cell",
        },
        OptionSpec {
            name: Cow::Borrowed(STEM_MULTIPLIER),
            default: Value::Number(stem_multiplier),
            source: OptionSource::ReadBy(read_stem_multiplier),
            help: "factor for the number of channels of the first convolution",
        },
        OptionSpec {
            name: Cow::Borrowed(FILTER_SCALING_RATE),
            default: Value::Number(2.0),
            source: OptionSource::ReadBy(read_filter_scaling_rate),
            help: "factor for the number of channels at every reduction",
        },
        OptionSpec {
            name: Cow::Borrowed(NUM_REDUCTION_LAYERS),
            default: Value::Count(2),
            source: OptionSource::ReadBy(read_num_reduction_layers),
            help: "how many times the cells halve the size of the image",
        },
        OptionSpec {
            name: Cow::Borrowed(SKIP_REDUCTION_LAYER_INPUT),
            default: Value::Count(skip_reduction_layer_input),
            source: OptionSource::User,
            help: "1 if the cell after a reduction does not read the cell before it",
        },
    ]
}

/// The number of channels of a convolution in each cell of the checkpoint, in order.
fn cell_depths(variables: &Variables, root: &str) -> Vec<usize> {
    let norm = |cell| variables.get(&format!("{root}cell_{cell}/beginning_bn/moving_mean"));
    (0..).map_while(norm).filter_map(|shape| shape.last().copied()).collect()
}

fn read_num_cells(variables: &Variables, root: &str) -> Option<Value> {
    Some(Value::Count(cell_depths(variables, root).len())).filter(|cells| *cells != Value::Count(0))
}

fn read_num_conv_filters(variables: &Variables, root: &str) -> Option<Value> {
    cell_depths(variables, root).first().map(|&filters| Value::Count(filters))
}

fn read_stem_multiplier(variables: &Variables, root: &str) -> Option<Value> {
    let depth = |name: &str| Some(*variables.get(&format!("{root}{name}"))?.last()? as f64);
    let of_imagenet = depth("conv0/weights").map(|depth| depth / STEM_FILTERS);
    let of_cifar = || Some(depth("l1_stem_3x3/weights")? / *cell_depths(variables, root).first()? as f64);
    of_imagenet.or_else(of_cifar).map(Value::Number)
}

fn read_filter_scaling_rate(variables: &Variables, root: &str) -> Option<Value> {
    let depths = cell_depths(variables, root);
    let first = *depths.first()?;
    let scaled = depths.iter().find(|&&depth| depth != first)?;
    Some(Value::Number(*scaled as f64 / first as f64))
}

fn read_num_reduction_layers(variables: &Variables, root: &str) -> Option<Value> {
    let depths = cell_depths(variables, root);
    let reductions = depths.windows(2).filter(|pair| pair[0] != pair[1]).count();
    (!depths.is_empty()).then_some(Value::Count(reductions))
}

/// `nasnet_mobile_arg_scope` and `nasnet_large_arg_scope`
pub fn imagenet_arg_scope() -> ArgScope {
    arg_scope(0.9997, 0.001)
}

fn arg_scope(decay: f32, epsilon: f32) -> ArgScope {
    ArgScope::new()
        .nested(&[Layer::FullyConnected], &[NO_ACTIVATION])
        .nested(&[Layer::Conv2d, Layer::SeparableConv2d], &[NO_ACTIVATION, NO_BIASES])
        .nested(&[Layer::BatchNorm], &[Arg::Decay(decay), Arg::Epsilon(epsilon), Arg::Scale(true)])
}

const NORMAL: Cell = Cell {
    blocks: [
        [(Separable(5), 0), (Separable(3), 1)],
        [(Separable(5), 1), (Separable(3), 1)],
        [(AvgPool, 0), (Identity, 1)],
        [(AvgPool, 1), (AvgPool, 1)],
        [(Separable(3), 0), (Identity, 0)],
    ],
    joined: &[1, 2, 3, 4, 5, 6],
};

const REDUCTION: Cell = Cell {
    blocks: [
        [(Separable(5), 0), (Separable(7), 1)],
        [(MaxPool, 0), (Separable(7), 1)],
        [(AvgPool, 0), (Separable(5), 1)],
        [(Identity, 3), (AvgPool, 2)],
        [(Separable(3), 2), (MaxPool, 0)],
    ],
    joined: &[3, 4, 5, 6],
};

/// A stem: a function from the images to the outputs of the stem and its cells.
type Stem = fn(&mut NetworkBuilder<'_>, TensorRef, &Options) -> Vec<TensorRef>;

fn nasnet(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options, stem: Stem) -> TensorRef {
    let mut outputs = stem(slim, images, options);
    let mut net = outputs[outputs.len() - 1];
    slim.end_point("Stem", net);
    let reductions = reductions(options);
    let mut scaling = 1.0;
    for cell in 0..options.count(NUM_CELLS) {
        let mut previous = before_last(&outputs);
        if let Some(i) = reductions.iter().position(|&reduction| reduction == cell) {
            scaling *= options.number(FILTER_SCALING_RATE);
            let scope = format!("reduction_cell_{i}");
            net = REDUCTION.build(slim, net, previous, &scope, (filters(options, scaling), 2));
            slim.end_point(&format!("Reduction_Cell_{i}"), net);
            outputs.push(net);
            if options.count(SKIP_REDUCTION_LAYER_INPUT) == 0 {
                previous = before_last(&outputs);
            }
        }
        net = NORMAL.build(slim, net, previous, &format!("cell_{cell}"), (filters(options, scaling), 1));
        slim.end_point(&format!("Cell_{cell}"), net);
        outputs.push(net);
        aux_head(slim, net, cell, options);
    }
    final_layer(slim, net, options)
}

fn stem_of_imagenet(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> Vec<TensorRef> {
    imagenet_stem(slim, images, options, &REDUCTION)
}

fn stem_of_cifar(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> Vec<TensorRef> {
    let depth = filters(options, options.number(STEM_MULTIPLIER));
    let net = slim.conv2d(images, depth, 3, "l1_stem_3x3", &[]);
    vec![slim.batch_norm_in("l1_stem_bn", net, &[])]
}

/// Channels of the first convolution on ImageNet, without the multiplier.
const STEM_FILTERS: f64 = 32.0;

/// A convolution, then two cells. Each of them halves the image.
pub fn imagenet_stem(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
    cell: &Cell,
) -> Vec<TensorRef> {
    const STEM_CELLS: i32 = 2;
    let depth = (STEM_FILTERS * options.number(STEM_MULTIPLIER)) as usize;
    let net = slim.conv2d(images, depth, 3, "conv0", &[Arg::Stride(2), VALID]);
    let mut net = slim.batch_norm_in("conv0_bn", net, &[]);
    let mut outputs = vec![net];
    let rate = options.number(FILTER_SCALING_RATE);
    let mut scaling = 1.0 / rate.powi(STEM_CELLS);
    for i in 0..STEM_CELLS {
        let scope = format!("cell_stem_{i}");
        net = cell.build(slim, net, before_last(&outputs), &scope, (filters(options, scaling), 2));
        outputs.push(net);
        scaling *= rate;
    }
    outputs
}

/// The cells that halve the image.
pub fn reductions(options: &Options) -> Vec<usize> {
    let (reductions, cells) = (options.count(NUM_REDUCTION_LAYERS), options.count(NUM_CELLS) as f64);
    (1..=reductions).map(|i| (i as f64 / (reductions + 1) as f64 * cells) as usize).collect()
}

/// The number of channels of a convolution: that of the first cells, scaled by `scaling`.
pub fn filters(options: &Options, scaling: f64) -> usize {
    (options.count(NUM_CONV_FILTERS) as f64 * scaling) as usize
}

/// The output of the cell before the last one, if there is one.
pub fn before_last(outputs: &[TensorRef]) -> Option<TensorRef> {
    outputs.iter().rev().nth(1).copied()
}

/// The auxiliary classifier of training, before the second reduction.
pub fn aux_head(slim: &mut NetworkBuilder<'_>, net: TensorRef, cell: usize, options: &Options) {
    let is_here = reductions(options).get(1) == Some(&(cell + 1));
    if !is_here || !options.flag(&USE_AUX_HEAD.name) || options.num_classes() == 0 {
        return;
    }
    let net = slim.relu(net);
    let logits = slim.variable_scope(&format!("aux_{cell}"), |slim| {
        let net = slim.identity(net, "Identity");
        slim.variable_scope("aux_logits", |slim| {
            let net = slim.avg_pool2d(net, 5, "AvgPool2D", &[Arg::Stride(3), VALID]);
            let net = slim.conv2d(net, 128, 1, "proj", &[]);
            let net = slim.batch_norm_in("aux_bn0", net, &[]);
            let net = slim.relu(net);
            let size = slim.height_and_width(net).unwrap_or([1, 1]);
            let net = slim.conv2d(net, 768, size, UNNAMED, &[VALID]);
            let net = slim.batch_norm_in("aux_bn1", net, &[]);
            let net = slim.relu(net);
            let net = slim.flatten(net, "Flatten");
            slim.fully_connected(net, options.num_classes(), "FC", &[])
        })
    });
    slim.end_point("AuxLogits", logits);
}

/// The mean over the image, and the classifier.
pub fn final_layer(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope("final_layer", |slim| {
        let net = slim.relu(net);
        let net = slim.mean_over_image(net, "Mean");
        slim.end_point("global_pool", net);
        if options.num_classes() == 0 {
            return net;
        }
        let net = slim.dropout(net, "dropout");
        let net = slim.fully_connected(net, options.num_classes(), "FC", &[]);
        slim.end_point("Logits", net);
        let predictions = slim.plain_softmax(net, "predictions");
        slim.end_point("Predictions", predictions);
        net
    })
}
