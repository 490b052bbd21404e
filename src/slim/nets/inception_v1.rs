//! Inception v1, GoogLeNet (<https://arxiv.org/abs/1409.4842>).
//!
//! Source: `research/slim/nets/inception_v1.py`.

use super::inception::{self, conv, conv_end_point, max_pool, max_pool_end_point, mixed};
use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::SAME;
use crate::slim::options::{GLOBAL_POOL, NUM_CLASSES, SPATIAL_SQUEEZE};
use crate::slim::{Arg::Stride, Layer, NetworkBuilder, Options};

pub const INCEPTION_V1: LibraryNetwork = LibraryNetwork {
    name: "inception_v1",
    scope: "InceptionV1",
    image_size: [224, 224],
    logits: "Logits/Conv2d_0c_1x1/weights",
    aux_logits: None,
    arg_scope_name: "inception_v1_arg_scope",
    arg_scope: inception::arg_scope,
    options: &[NUM_CLASSES, SPATIAL_SQUEEZE, GLOBAL_POOL],
    build: Build::Images(build),
};

fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        let net = slim.reenter_scope(|slim| {
            slim.arg_scope(&[Layer::Conv2d, Layer::MaxPool2d], &[Stride(1), SAME], |slim| base(slim, images))
        });
        slim.variable_scope("Logits", |slim| logits(slim, net, options))
    })
}

fn base(slim: &mut NetworkBuilder<'_>, images: TensorRef) -> TensorRef {
    let net = conv_end_point(slim, images, 64, 7, "Conv2d_1a_7x7", &[Stride(2)]);
    let net = max_pool_end_point(slim, net, 3, "MaxPool_2a_3x3", &[Stride(2)]);
    let net = conv_end_point(slim, net, 64, 1, "Conv2d_2b_1x1", &[]);
    let net = conv_end_point(slim, net, 192, 3, "Conv2d_2c_3x3", &[]);
    let net = max_pool_end_point(slim, net, 3, "MaxPool_3a_3x3", &[Stride(2)]);
    let net = module(slim, net, "Mixed_3b", 64, [96, 128], [16, 32], 32);
    let net = module(slim, net, "Mixed_3c", 128, [128, 192], [32, 96], 64);
    let net = max_pool_end_point(slim, net, 3, "MaxPool_4a_3x3", &[Stride(2)]);
    let net = module(slim, net, "Mixed_4b", 192, [96, 208], [16, 48], 64);
    let net = module(slim, net, "Mixed_4c", 160, [112, 224], [24, 64], 64);
    let net = module(slim, net, "Mixed_4d", 128, [128, 256], [24, 64], 64);
    let net = module(slim, net, "Mixed_4e", 112, [144, 288], [32, 64], 64);
    let net = module(slim, net, "Mixed_4f", 256, [160, 320], [32, 128], 128);
    let net = max_pool_end_point(slim, net, 2, "MaxPool_5a_2x2", &[Stride(2)]);
    let net = module(slim, net, "Mixed_5b", 256, [160, 320], [32, 128], 128);
    module(slim, net, "Mixed_5c", 384, [192, 384], [48, 128], 128)
}

fn module(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    scope: &str,
    pointwise: usize,
    branch_1: [usize; 2],
    branch_2: [usize; 2],
    pool_depth: usize,
) -> TensorRef {
    // The library and its checkpoints name one scope of Mixed_5b 0a.
    let second_3x3 = if scope == "Mixed_5b" { "Conv2d_0a_3x3" } else { "Conv2d_0b_3x3" };
    mixed(
        slim,
        scope,
        net,
        [
            vec![conv(pointwise, [1, 1], "Conv2d_0a_1x1")],
            vec![conv(branch_1[0], [1, 1], "Conv2d_0a_1x1"), conv(branch_1[1], [3, 3], "Conv2d_0b_3x3")],
            vec![conv(branch_2[0], [1, 1], "Conv2d_0a_1x1"), conv(branch_2[1], [3, 3], second_3x3)],
            vec![max_pool([3, 3], "MaxPool_0a_3x3"), conv(pool_depth, [1, 1], "Conv2d_0b_1x1")],
        ],
    )
}

fn logits(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    let net = if options.flag("global_pool") {
        let net = slim.spatial_mean(net, "global_pool");
        slim.end_point("global_pool", net)
    } else {
        let net = slim.avg_pool2d(net, 7, "AvgPool_0a_7x7", &[Stride(1)]);
        slim.end_point("AvgPool_0a_7x7", net)
    };
    if options.num_classes() == 0 {
        return net;
    }
    let net = slim.dropout(net, "Dropout_0b");
    let net = inception::logits_conv(slim, net, "Conv2d_0c_1x1", options);
    slim.end_point("Logits", net);
    let predictions = slim.softmax(net, "Predictions");
    slim.end_point("Predictions", predictions);
    net
}
