//! Xception with all pooling replaced by strided convolutions (<https://arxiv.org/abs/1610.02357>).
//!
//! Source: `research/deeplab/core/xception.py`.

use super::blocks::{Block, stack_blocks_dense};
use super::options::{MULTI_GRID, USE_BOUNDED_ACTIVATION};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{COLLECTED, NO_ACTIVATION, SAME, VALID};
use crate::slim::nets::resnet::conv2d_same;
use crate::slim::{Activation, Arg, Layer, NetworkBuilder, Normalizer, Options};

/// Three separable convolutions and what is added to them.
#[derive(Debug, Clone, Copy)]
struct Module {
    depths: [usize; 3],
    skip: Skip,
    /// The rates of the convolutions, beside the one that replaces strides.
    rates: [usize; 3],
    /// Whether activations follow each convolution instead of preceding each separable one.
    inner_activation: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Conv,
    Sum,
    None,
}

/// What differs between the networks: the blocks of the entry flow, as depth and stride, and the length of the middle flow.
type Flows = (&'static [(usize, usize)], usize);

const XCEPTION_41: Flows = (&[(128, 2), (256, 2), (728, 2)], 8);
const XCEPTION_65: Flows = (&[(128, 2), (256, 2), (728, 2)], 16);
const XCEPTION_71: Flows = (&[(128, 2), (256, 1), (256, 2), (728, 1), (728, 2)], 16);

pub fn xception_41(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    xception(slim, images, "xception_41", XCEPTION_41, options)
}

pub fn xception_65(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    xception(slim, images, "xception_65", XCEPTION_65, options)
}

pub fn xception_71(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    xception(slim, images, "xception_71", XCEPTION_71, options)
}

const ENTRY_SCOPES: [&str; 5] =
    ["entry_flow/block1", "entry_flow/block2", "entry_flow/block3", "entry_flow/block4", "entry_flow/block5"];

fn blocks((entry, middle): Flows, options: &Options) -> Vec<Block<Module>> {
    let module = |depths, skip| Module { depths, skip, rates: [1; 3], inner_activation: false };
    let multi_grid = options.counts(&MULTI_GRID.name);
    let rates = <[usize; 3]>::try_from(multi_grid).unwrap_or([1; 3]);
    let last = Module { rates, inner_activation: true, ..module([1536, 1536, 2048], Skip::None) };
    let entry = entry.iter().zip(ENTRY_SCOPES).map(|(&(depth, stride), scope)| Block {
        scope,
        units: vec![(stride, module([depth; 3], Skip::Conv))],
    });
    entry
        .chain([
            Block { scope: "middle_flow/block1", units: vec![(1, module([728; 3], Skip::Sum)); middle] },
            Block { scope: "exit_flow/block1", units: vec![(2, module([728, 1024, 1024], Skip::Conv))] },
            Block { scope: "exit_flow/block2", units: vec![(1, last)] },
        ])
        .collect()
}

fn xception(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    scope: &str,
    flows: Flows,
    options: &Options,
) -> TensorRef {
    let is_bounded = options.flag(&USE_BOUNDED_ACTIVATION.name);
    let activation = if is_bounded { Activation::Relu6 } else { Activation::Relu };
    let args =
        [Arg::ActivationFn(Some(activation)), Arg::NormalizerFn(Some(Normalizer::BatchNorm)), COLLECTED];
    let batch_norm = [Arg::Decay(0.9997), Arg::Epsilon(1e-3), Arg::Scale(true)];
    slim.arg_scope(&[Layer::Conv2d, Layer::SeparableConv2d], &args, |slim| {
        slim.arg_scope(&[Layer::BatchNorm], &batch_norm, |slim| {
            slim.variable_scope(scope, |slim| {
                let net = conv2d_same(slim, images, 32, 3, 2, 1, "entry_flow/conv1_1");
                let net = conv2d_same(slim, net, 64, 3, 1, 1, "entry_flow/conv1_2");
                let blocks = blocks(flows, options);
                stack_blocks_dense(slim, net, &blocks, 2, options, |slim, net, module, stride_and_rate| {
                    xception_module(slim, net, module, stride_and_rate, is_bounded)
                })
            })
        })
    })
}

fn xception_module(
    slim: &mut NetworkBuilder<'_>,
    inputs: TensorRef,
    module: &Module,
    [stride, rate]: [usize; 2],
    is_bounded: bool,
) -> TensorRef {
    let relu = if is_bounded { Activation::Relu6 } else { Activation::Relu };
    let inner = match (module.inner_activation, is_bounded) {
        (true, _) => Some(relu),
        (false, true) => Some(Activation::Clip),
        (false, false) => None,
    };
    let clipped = |slim: &mut NetworkBuilder<'_>, net| {
        if is_bounded { slim.activated(net, Some(Activation::Clip)) } else { net }
    };
    slim.default_scope("xception_module", |slim| {
        let mut net = inputs;
        for i in 0..3 {
            if !module.inner_activation {
                net = slim.activated(net, Some(relu));
            }
            let stride = if i == 2 { stride } else { 1 };
            let pads = stride > 1 && !is_bounded;
            let rate = rate * module.rates[i];
            let scope = format!("separable_conv{}", i + 1);
            net = separable_conv2d_same(slim, net, module.depths[i], [stride, rate], pads, inner, &scope);
        }
        let shortcut = match module.skip {
            Skip::None => return slim.scoped_end_point("", net),
            Skip::Sum => None,
            Skip::Conv => {
                let args = [Arg::Stride(stride), NO_ACTIVATION];
                Some(slim.conv2d(inputs, module.depths[2], 1, "shortcut", &args))
            }
        };
        let net = clipped(slim, net);
        let shortcut = clipped(slim, shortcut.unwrap_or(inputs));
        let mut net = slim.sum(net, shortcut);
        if is_bounded {
            net = slim.activated(net, Some(relu));
        }
        slim.scoped_end_point("", net)
    })
}

/// A depthwise and a pointwise convolution, with batch norm after both. `pads`: whether the padding is that of stride 1.
fn separable_conv2d_same(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    depth: usize,
    [stride, rate]: [usize; 2],
    pads: bool,
    activation: Option<Activation>,
    scope: &str,
) -> TensorRef {
    const KERNEL: usize = 3;
    let net = if pads { slim.fixed_padding(net, KERNEL, rate) } else { net };
    let activation = Arg::ActivationFn(activation);
    let padding = if pads { VALID } else { SAME };
    let args = [Arg::Stride(stride), Arg::Rate(rate), padding, activation.clone()];
    let net = slim.depthwise_conv2d(net, KERNEL, &format!("{scope}_depthwise"), &args);
    slim.conv2d(net, depth, 1, &format!("{scope}_pointwise"), &[activation])
}
