//! ResNet v1 as DeepLab has it: with any output stride, different rates in the last block, and a root of three small
//! convolutions in the beta variants (<https://arxiv.org/abs/1512.03385>).
//!
//! Source: `research/deeplab/core/resnet_v1_beta.py`.

use super::blocks::{Block, stack_blocks_dense};
use super::options::MULTI_GRID;
use crate::graph::TensorRef;
use crate::slim::arg_scope::{COLLECTED, NO_ACTIVATION, SAME};
use crate::slim::nets::resnet::{conv2d_same, subsample};
use crate::slim::{Activation, Arg, Layer, NetworkBuilder, Normalizer, Options};

/// A network: its scope, the number of units of its first three blocks, and its root.
struct Definition {
    scope: &'static str,
    units: [usize; 3],
    kind: Kind,
    root: Root,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bottleneck,
    /// Two 3x3 convolutions.
    Lite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    /// One 7x7 convolution.
    Original,
    /// Three 3x3 convolutions with these depths.
    Beta([usize; 3]),
}

/// A unit of this base depth, whose 3x3 convolutions have this rate beside the one that replaces strides.
#[derive(Debug, Clone, Copy)]
struct Unit {
    kind: Kind,
    depth: usize,
    rate: usize,
}

const BETA: Root = Root::Beta([64, 64, 128]);

pub fn resnet_v1_18(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let root = Root::Original;
    resnet(
        slim,
        images,
        &Definition { scope: "resnet_v1_18", units: [2, 2, 2], kind: Kind::Lite, root },
        options,
    )
}

pub fn resnet_v1_18_beta(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let root = Root::Beta([16, 16, 32]);
    resnet(
        slim,
        images,
        &Definition { scope: "resnet_v1_18", units: [2, 2, 2], kind: Kind::Lite, root },
        options,
    )
}

pub fn resnet_v1_50(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    resnet(slim, images, &bottlenecks("resnet_v1_50", [3, 4, 6], Root::Original), options)
}

pub fn resnet_v1_50_beta(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    resnet(slim, images, &bottlenecks("resnet_v1_50", [3, 4, 6], BETA), options)
}

pub fn resnet_v1_101(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    resnet(slim, images, &bottlenecks("resnet_v1_101", [3, 4, 23], Root::Original), options)
}

pub fn resnet_v1_101_beta(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    resnet(slim, images, &bottlenecks("resnet_v1_101", [3, 4, 23], BETA), options)
}

fn bottlenecks(scope: &'static str, units: [usize; 3], root: Root) -> Definition {
    Definition { scope, units, kind: Kind::Bottleneck, root }
}

fn resnet(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    definition: &Definition,
    options: &Options,
) -> TensorRef {
    let args = [
        Arg::ActivationFn(Some(Activation::Relu)),
        Arg::NormalizerFn(Some(Normalizer::BatchNorm)),
        COLLECTED,
    ];
    let batch_norm = [Arg::Decay(0.95), Arg::Epsilon(1e-5), Arg::Scale(true)];
    slim.arg_scope(&[Layer::Conv2d], &args, |slim| {
        slim.arg_scope(&[Layer::BatchNorm], &batch_norm, |slim| {
            slim.arg_scope(&[Layer::MaxPool2d], &[SAME], |slim| {
                slim.variable_scope(definition.scope, |slim| layers(slim, images, definition, options))
            })
        })
    })
}

fn layers(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    definition: &Definition,
    options: &Options,
) -> TensorRef {
    let net = root(slim, images, definition.root);
    let net = slim.max_pool2d(net, 3, "pool1", &[Arg::Stride(2)]);
    let blocks = blocks(definition, options);
    stack_blocks_dense(slim, net, &blocks, 4, options, |slim, net, unit, stride_and_rate| match unit.kind {
        Kind::Bottleneck => bottleneck(slim, net, *unit, stride_and_rate),
        Kind::Lite => lite_bottleneck(slim, net, *unit, stride_and_rate),
    })
}

fn root(slim: &mut NetworkBuilder<'_>, images: TensorRef, root: Root) -> TensorRef {
    match root {
        Root::Original => conv2d_same(slim, images, 64, 7, 2, 1, "conv1"),
        Root::Beta([first, second, third]) => {
            let net = conv2d_same(slim, images, first, 3, 2, 1, "conv1_1");
            let net = conv2d_same(slim, net, second, 3, 1, 1, "conv1_2");
            conv2d_same(slim, net, third, 3, 1, 1, "conv1_3")
        }
    }
}

/// The last unit of a block has its stride; those of the last block have the rates of the multi-grid.
fn blocks(definition: &Definition, options: &Options) -> Vec<Block<Unit>> {
    let kind = definition.kind;
    let strided = [("block1", 64), ("block2", 128), ("block3", 256)].into_iter().zip(definition.units);
    let mut blocks: Vec<Block<Unit>> = strided
        .map(|((scope, depth), units)| {
            let stride = |number| if number == units { 2 } else { 1 };
            let unit = Unit { kind, depth, rate: 1 };
            Block { scope, units: (1..=units).map(|number| (stride(number), unit)).collect() }
        })
        .collect();
    let plain = if kind == Kind::Lite { vec![1; 2] } else { vec![1; 3] };
    let multi_grid = Some(options.counts(&MULTI_GRID.name)).filter(|rates| rates.len() == plain.len());
    let last = multi_grid.unwrap_or(plain).into_iter().map(|rate| (1, Unit { kind, depth: 512, rate }));
    blocks.push(Block { scope: "block4", units: last.collect() });
    blocks
}

fn bottleneck(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    unit: Unit,
    [stride, rate]: [usize; 2],
) -> TensorRef {
    slim.variable_scope("bottleneck_v1", |slim| {
        let depth = 4 * unit.depth;
        let shortcut = shortcut(slim, net, depth, stride);
        let residual = slim.conv2d(net, unit.depth, 1, "conv1", &[]);
        let residual = conv2d_same(slim, residual, unit.depth, 3, stride, rate * unit.rate, "conv2");
        let residual = slim.conv2d(residual, depth, 1, "conv3", &[NO_ACTIVATION]);
        end(slim, shortcut, residual)
    })
}

fn lite_bottleneck(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    unit: Unit,
    [stride, rate]: [usize; 2],
) -> TensorRef {
    slim.variable_scope("lite_bottleneck_v1", |slim| {
        let shortcut = shortcut(slim, net, unit.depth, stride);
        let rate = rate * unit.rate;
        let residual = conv2d_same(slim, net, unit.depth, 3, 1, rate, "conv1");
        let residual = slim.arg_scope(&[Layer::Conv2d], &[NO_ACTIVATION], |slim| {
            conv2d_same(slim, residual, unit.depth, 3, stride, rate, "conv2")
        });
        end(slim, shortcut, residual)
    })
}

fn shortcut(slim: &mut NetworkBuilder<'_>, net: TensorRef, depth: usize, stride: usize) -> TensorRef {
    if slim.channels(net) == depth {
        subsample(slim, net, stride, "shortcut")
    } else {
        slim.conv2d(net, depth, 1, "shortcut", &[Arg::Stride(stride), NO_ACTIVATION])
    }
}

fn end(slim: &mut NetworkBuilder<'_>, shortcut: TensorRef, residual: TensorRef) -> TensorRef {
    let sum = slim.sum(shortcut, residual);
    let net = slim.relu(sum);
    slim.scoped_end_point("", net)
}
