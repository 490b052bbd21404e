//! ResNet v1: batch norm after every convolution (<https://arxiv.org/abs/1512.03385>).
//!
//! Source: `research/slim/nets/resnet_v1.py`.

use std::borrow::Cow;

use super::resnet::{self, Unit, conv2d_same, subsample};
use super::{Build, BuildFunction, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{COLLECTED, NO_ACTIVATION};
use crate::slim::depth::fitting_depth;
use crate::slim::options::{self, NUM_CLASSES, OUTPUT_STRIDE, SPATIAL_SQUEEZE, scaled_depth};
use crate::slim::{Arg::Stride, Layer, NetworkBuilder, OptionSource, OptionSpec, Options, Value, Variables};

pub const RESNET_V1_50: LibraryNetwork =
    network("resnet_v1_50", |slim, images, options| build(slim, images, [3, 4, 6, 3], options));
pub const RESNET_V1_101: LibraryNetwork =
    network("resnet_v1_101", |slim, images, options| build(slim, images, [3, 4, 23, 3], options));
pub const RESNET_V1_152: LibraryNetwork =
    network("resnet_v1_152", |slim, images, options| build(slim, images, [3, 8, 36, 3], options));
pub const RESNET_V1_200: LibraryNetwork =
    network("resnet_v1_200", |slim, images, options| build(slim, images, [3, 24, 36, 3], options));

const fn network(name: &'static str, build: BuildFunction) -> LibraryNetwork {
    LibraryNetwork {
        name,
        scope: name,
        image_size: [224, 224],
        logits: "logits/weights",
        aux_logits: None,
        arg_scope_name: "resnet_arg_scope",
        arg_scope: resnet::arg_scope,
        options: OPTIONS,
        build: Build::Images(build),
    }
}

const OPTIONS: &[OptionSpec] = &[
    NUM_CLASSES,
    resnet::GLOBAL_POOL,
    OUTPUT_STRIDE,
    SPATIAL_SQUEEZE,
    resnet::INCLUDE_ROOT_BLOCK,
    DEPTH_MULTIPLIER,
    MIN_BASE_DEPTH,
    STORE_NON_STRIDED_ACTIVATIONS,
];

const DEPTH_MULTIPLIER: OptionSpec = OptionSpec {
    source: OptionSource::ReadBy(|variables, root| {
        read_depth(variables, root).map(|(multiplier, _)| Value::Number(multiplier))
    }),
    help: "factor for the base depth of every block",
    ..options::DEPTH_MULTIPLIER
};

const MIN_BASE_DEPTH: OptionSpec = OptionSpec {
    name: Cow::Borrowed("min_base_depth"),
    default: Value::Count(8),
    source: OptionSource::ReadBy(|variables, root| {
        read_depth(variables, root).map(|(_, least)| Value::Count(least))
    }),
    help: "minimum base depth of a block if depth_multiplier is below 1",
};

const STORE_NON_STRIDED_ACTIVATIONS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("store_non_strided_activations"),
    default: Value::Flag(false),
    source: OptionSource::User,
    help: "whether blocks end before they are subsampled, for end points of higher resolution",
};

/// Reads the depth multiplier and the minimum base depth from the first unit of every block.
fn read_depth(variables: &Variables, root: &str) -> Option<(f64, usize)> {
    let depths = resnet::blocks([1; 4], |depth| depth).into_iter().zip(1..).map(|(block, number)| {
        let name = format!("{root}block{number}/unit_1/bottleneck_v1/conv1/weights");
        Some((block.base_depth, *variables.get(&name)?.last()?))
    });
    let depths: Vec<(usize, usize)> = depths.collect::<Option<_>>()?;
    let least = depths.iter().map(|(_, actual)| *actual).min()?;
    fitting_depth(&depths, &[8, least])
}

fn build(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    units: [usize; 4],
    options: &Options,
) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        slim.arg_scope(&[Layer::Conv2d], &[COLLECTED], |slim| {
            let net = base(slim, images, units, options);
            resnet::logits(slim, net, options)
        })
    })
}

/// Builds everything from the images to the end of the last block, with so many units in each block.
pub fn base(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    units: [usize; 4],
    options: &Options,
) -> TensorRef {
    let (multiplier, least) = (options.number("depth_multiplier"), options.count("min_base_depth"));
    let blocks = resnet::blocks(units, |depth| scaled_depth(depth, multiplier, least));
    resnet::base(slim, images, &blocks, &[], bottleneck, options)
}

/// A bottleneck unit.
pub fn bottleneck(slim: &mut NetworkBuilder<'_>, net: TensorRef, unit: Unit) -> TensorRef {
    slim.variable_scope("bottleneck_v1", |slim| {
        let shortcut = if slim.channels(net) == unit.depth() {
            subsample(slim, net, unit.stride, "shortcut")
        } else {
            slim.conv2d(net, unit.depth(), 1, "shortcut", &[Stride(unit.stride), NO_ACTIVATION])
        };
        let residual = slim.conv2d(net, unit.base_depth, 1, "conv1", &[]);
        let residual = conv2d_same(slim, residual, unit.base_depth, 3, unit.stride, unit.rate, "conv2");
        let residual = slim.conv2d(residual, unit.depth(), 1, "conv3", &[NO_ACTIVATION]);
        let sum = slim.sum(shortcut, residual);
        let net = slim.relu(sum);
        slim.scoped_end_point("", net)
    })
}
