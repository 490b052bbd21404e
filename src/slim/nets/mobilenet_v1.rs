//! MobileNet v1 (<https://arxiv.org/abs/1704.04861>).
//!
//! Source: `research/slim/nets/mobilenet_v1.py`.

use super::inception;
use super::mobilenet::{AtrousStride, LEAST_DEPTH, USE_EXPLICIT_PADDING, under_multiplier};
use super::{Build, LibraryNetwork};
use crate::error::Error;
use crate::graph::TensorRef;
use crate::slim::arg_scope::{SAME, VALID};
use crate::slim::options::{GLOBAL_POOL, NUM_CLASSES, OUTPUT_STRIDE, OptionSpec, SPATIAL_SQUEEZE};
use crate::slim::{Activation, Arg, ArgScope, Layer, NetworkBuilder, Normalizer, Options};

pub const MOBILENET_V1: LibraryNetwork = LibraryNetwork {
    name: "mobilenet_v1",
    scope: "MobilenetV1",
    image_size: [224, 224],
    logits: "Logits/Conv2d_1c_1x1/weights",
    aux_logits: None,
    arg_scope_name: "mobilenet_v1_arg_scope",
    arg_scope,
    options: &options(1.0),
    build: Build::Images(build),
};
pub const MOBILENET_V1_075: LibraryNetwork =
    LibraryNetwork { name: "mobilenet_v1_075", options: &options(0.75), ..MOBILENET_V1 };
pub const MOBILENET_V1_050: LibraryNetwork =
    LibraryNetwork { name: "mobilenet_v1_050", options: &options(0.5), ..MOBILENET_V1 };
pub const MOBILENET_V1_025: LibraryNetwork =
    LibraryNetwork { name: "mobilenet_v1_025", options: &options(0.25), ..MOBILENET_V1 };

const fn options(depth_multiplier: f64) -> [OptionSpec; 7] {
    [
        NUM_CLASSES,
        under_multiplier(depth_multiplier),
        LEAST_DEPTH,
        OUTPUT_STRIDE,
        USE_EXPLICIT_PADDING,
        SPATIAL_SQUEEZE,
        GLOBAL_POOL,
    ]
}

pub fn arg_scope() -> ArgScope {
    ArgScope::new()
        .nested(
            &[Layer::Conv2d, Layer::SeparableConv2d],
            &[Arg::ActivationFn(Some(Activation::Relu6)), Arg::NormalizerFn(Some(Normalizer::BatchNorm))],
        )
        .nested(
            &[Layer::BatchNorm],
            &[Arg::Center(true), Arg::Scale(true), Arg::Decay(0.9997), Arg::Epsilon(0.001)],
        )
}

fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        let net = slim.reenter_scope(|slim| padded_base(slim, images, &SEPARABLE, options));
        let net = slim.variable_scope("Logits", |slim| logits(slim, net, options));
        if options.num_classes() > 0 {
            slim.end_point("Logits", net);
            let predictions = slim.softmax(net, "Predictions");
            slim.end_point("Predictions", predictions);
        }
        net
    })
}

/// Stride and depth of each depthwise separable convolution, `Conv2d_1` to `Conv2d_13`.
pub const SEPARABLE: [(usize, usize); 13] = [
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (2, 1024),
    (1, 1024),
];

/// Builds everything from the images to the last of these depthwise separable convolutions, with the padding that the options
/// choose.
pub fn padded_base(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    separable: &[(usize, usize)],
    options: &Options,
) -> TensorRef {
    let padding = if options.flag(&USE_EXPLICIT_PADDING.name) { VALID } else { SAME };
    slim.arg_scope(&[Layer::Conv2d, Layer::SeparableConv2d], &[padding], |slim| {
        base(slim, images, separable, options)
    })
}

fn base(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    separable: &[(usize, usize)],
    options: &Options,
) -> TensorRef {
    let mut strides = AtrousStride::new(options);
    if ![0, 8, 16, 32].contains(&options.count(&OUTPUT_STRIDE.name)) {
        slim.fail(Error::new(&OUTPUT_STRIDE.name, "MobileNet v1 takes 8, 16 or 32"));
    }
    let padded = |slim: &mut NetworkBuilder<'_>, net, rate| {
        if options.flag(&USE_EXPLICIT_PADDING.name) { slim.fixed_padding(net, 3, rate) } else { net }
    };
    let (stride, _) = strides.next(2);
    let net = padded(slim, images, 1);
    let net = slim.conv2d(net, options.depth(32), 3, "Conv2d_0", &[Arg::Stride(stride)]);
    let mut net = slim.end_point("Conv2d_0", net);
    for (i, &(stride, depth)) in (1..).zip(separable) {
        let (stride, rate) = strides.next(stride);
        net = padded(slim, net, rate);
        let scope = format!("Conv2d_{i}_depthwise");
        net = slim.depthwise_conv2d(net, 3, &scope, &[Arg::Stride(stride), Arg::Rate(rate)]);
        slim.end_point(&scope, net);
        let scope = format!("Conv2d_{i}_pointwise");
        net = slim.conv2d(net, options.depth(depth), 1, &scope, &[]);
        slim.end_point(&scope, net);
    }
    net
}

fn logits(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    let net = if options.flag(&GLOBAL_POOL.name) {
        let net = slim.spatial_mean(net, "global_pool");
        slim.end_point("global_pool", net)
    } else {
        let kernel = slim.reduced_kernel(net, [7, 7]);
        let net = slim.avg_pool2d(net, kernel, "AvgPool_1a", &[VALID]);
        slim.end_point("AvgPool_1a", net)
    };
    if options.num_classes() == 0 {
        return net;
    }
    let net = slim.dropout(net, "Dropout_1b");
    inception::logits_conv(slim, net, "Conv2d_1c_1x1", options)
}
