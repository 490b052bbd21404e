//! ResNet v2: batch norm before every convolution (<https://arxiv.org/abs/1603.05027>).
//!
//! Source: `research/slim/nets/resnet_v2.py`.

use super::resnet::{self, Unit, conv2d_same, subsample};
use super::{Build, BuildFunction, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{COLLECTED, NO_ACTIVATION, NO_NORMALIZER};
use crate::slim::{Activation, Arg, Layer, NetworkBuilder, Options};

pub const RESNET_V2_50: LibraryNetwork =
    network("resnet_v2_50", |slim, images, options| build(slim, images, [3, 4, 6, 3], options));
pub const RESNET_V2_101: LibraryNetwork =
    network("resnet_v2_101", |slim, images, options| build(slim, images, [3, 4, 23, 3], options));
pub const RESNET_V2_152: LibraryNetwork =
    network("resnet_v2_152", |slim, images, options| build(slim, images, [3, 8, 36, 3], options));
pub const RESNET_V2_200: LibraryNetwork =
    network("resnet_v2_200", |slim, images, options| build(slim, images, [3, 24, 36, 3], options));

const fn network(name: &'static str, build: BuildFunction) -> LibraryNetwork {
    LibraryNetwork {
        name,
        scope: name,
        image_size: [224, 224],
        logits: "logits/weights",
        aux_logits: None,
        arg_scope_name: "resnet_arg_scope",
        arg_scope: resnet::arg_scope,
        options: resnet::OPTIONS,
        build: Build::Images(build),
    }
}

const RELU: Arg = Arg::ActivationFn(Some(Activation::Relu));

fn build(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    units: [usize; 4],
    options: &Options,
) -> TensorRef {
    let blocks = resnet::blocks(units, |depth| depth);
    slim.variable_scope(&options.scope, |slim| {
        slim.arg_scope(&[Layer::Conv2d], &[COLLECTED], |slim| {
            // The first unit normalizes the output of the first convolution, but no unit follows the last one.
            let root_args = [NO_ACTIVATION, NO_NORMALIZER];
            let net = resnet::base(slim, images, &blocks, &root_args, bottleneck, options);
            let net = slim.batch_norm_in("postnorm", net, &[RELU]);
            resnet::logits(slim, net, options)
        })
    })
}

fn bottleneck(slim: &mut NetworkBuilder<'_>, net: TensorRef, unit: Unit) -> TensorRef {
    slim.variable_scope("bottleneck_v2", |slim| {
        let plain = [NO_ACTIVATION, NO_NORMALIZER];
        let preact = slim.batch_norm_in("preact", net, &[RELU]);
        let shortcut = if slim.channels(net) == unit.depth() {
            subsample(slim, net, unit.stride, "shortcut")
        } else {
            let stride = Arg::Stride(unit.stride);
            slim.conv2d(preact, unit.depth(), 1, "shortcut", &[&plain[..], &[stride]].concat())
        };
        let residual = slim.conv2d(preact, unit.base_depth, 1, "conv1", &[]);
        let residual = conv2d_same(slim, residual, unit.base_depth, 3, unit.stride, unit.rate, "conv2");
        let residual = slim.conv2d(residual, unit.depth(), 1, "conv3", &plain);
        let net = slim.sum(shortcut, residual);
        slim.scoped_end_point("", net)
    })
}
