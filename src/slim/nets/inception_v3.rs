//! Inception v3 (<https://arxiv.org/abs/1512.00567>).
//!
//! Source: `research/slim/nets/inception_v3.py`.

use super::inception::{self, Step, avg_pool, conv, conv_end_point, max_pool, max_pool_end_point, mixed};
use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{SAME, VALID};
use crate::slim::options::{
    CREATE_AUX_LOGITS, DEPTH_MULTIPLIER, GLOBAL_POOL, MIN_DEPTH, NUM_CLASSES, SPATIAL_SQUEEZE,
};
use crate::slim::{Arg::Stride, Layer, NetworkBuilder, Options};

pub const INCEPTION_V3: LibraryNetwork = LibraryNetwork {
    name: "inception_v3",
    scope: "InceptionV3",
    image_size: [299, 299],
    logits: "Logits/Conv2d_1c_1x1/weights",
    aux_logits: Some("AuxLogits"),
    arg_scope_name: "inception_v3_arg_scope",
    arg_scope: inception::arg_scope,
    options: &[NUM_CLASSES, CREATE_AUX_LOGITS, DEPTH_MULTIPLIER, MIN_DEPTH, SPATIAL_SQUEEZE, GLOBAL_POOL],
    build: Build::Images(build),
};

const LAYERS: &[Layer] = &[Layer::Conv2d, Layer::MaxPool2d, Layer::AvgPool2d];

fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        let (net, aux) = slim.reenter_scope(|slim| base(slim, images, options));
        if options.flag("create_aux_logits") && options.num_classes() > 0 {
            slim.arg_scope(LAYERS, &[Stride(1), SAME], |slim| aux_logits(slim, aux, options));
        }
        inception::pooled_logits(slim, net, [8, 8], "GlobalPool", options)
    })
}

/// The modules, in their order.
pub const MODULES: [&str; 11] = [
    "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e",
    "Mixed_7a", "Mixed_7b", "Mixed_7c",
];

/// Builds everything from the images to `Mixed_7c`. Also returns `Mixed_6e`, which the auxiliary classifier reads.
pub fn base(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> (TensorRef, TensorRef) {
    let net = base_up_to(slim, images, "Mixed_7c", options);
    (net, slim.built_end_point("Mixed_6e"))
}

/// `inception_v3_base` with this `final_endpoint`, which is one of [`MODULES`].
pub fn base_up_to(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    final_endpoint: &str,
    options: &Options,
) -> TensorRef {
    let mut net = slim.arg_scope(LAYERS, &[Stride(1), VALID], |slim| stem(slim, images, options));
    slim.arg_scope(LAYERS, &[Stride(1), SAME], |slim| {
        for name in MODULES {
            net = module(slim, net, name, options);
            if name == final_endpoint {
                break;
            }
        }
        net
    })
}

fn module(slim: &mut NetworkBuilder<'_>, net: TensorRef, name: &'static str, options: &Options) -> TensorRef {
    match name {
        "Mixed_5b" => inception_a(slim, net, name, ["Conv2d_0a_1x1", "Conv2d_0b_5x5"], 32, options),
        // The library and its checkpoints have these names for the two scopes.
        "Mixed_5c" => inception_a(slim, net, name, ["Conv2d_0b_1x1", "Conv_1_0c_5x5"], 64, options),
        "Mixed_5d" => inception_a(slim, net, name, ["Conv2d_0a_1x1", "Conv2d_0b_5x5"], 64, options),
        "Mixed_6a" => reduction_a(slim, net, options),
        "Mixed_6b" => inception_b(slim, net, name, 128, options),
        "Mixed_6c" | "Mixed_6d" => inception_b(slim, net, name, 160, options),
        "Mixed_6e" => inception_b(slim, net, name, 192, options),
        "Mixed_7a" => reduction_b(slim, net, options),
        "Mixed_7b" => inception_c(slim, net, name, "Conv2d_0b_3x1", options),
        _ => inception_c(slim, net, name, "Conv2d_0c_3x1", options),
    }
}

fn stem(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let net = conv_end_point(slim, images, options.depth(32), 3, "Conv2d_1a_3x3", &[Stride(2)]);
    let net = conv_end_point(slim, net, options.depth(32), 3, "Conv2d_2a_3x3", &[]);
    let net = conv_end_point(slim, net, options.depth(64), 3, "Conv2d_2b_3x3", &[SAME]);
    let net = max_pool_end_point(slim, net, 3, "MaxPool_3a_3x3", &[Stride(2)]);
    let net = conv_end_point(slim, net, options.depth(80), 1, "Conv2d_3b_1x1", &[]);
    let net = conv_end_point(slim, net, options.depth(192), 3, "Conv2d_4a_3x3", &[]);
    max_pool_end_point(slim, net, 3, "MaxPool_5a_3x3", &[Stride(2)])
}

fn inception_a(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    scope: &str,
    branch_1: [&'static str; 2],
    pool_depth: usize,
    options: &Options,
) -> TensorRef {
    let depth = |depth| options.depth(depth);
    mixed(
        slim,
        scope,
        net,
        [
            vec![conv(depth(64), [1, 1], "Conv2d_0a_1x1")],
            vec![conv(depth(48), [1, 1], branch_1[0]), conv(depth(64), [5, 5], branch_1[1])],
            vec![
                conv(depth(64), [1, 1], "Conv2d_0a_1x1"),
                conv(depth(96), [3, 3], "Conv2d_0b_3x3"),
                conv(depth(96), [3, 3], "Conv2d_0c_3x3"),
            ],
            vec![avg_pool([3, 3], "AvgPool_0a_3x3"), conv(depth(pool_depth), [1, 1], "Conv2d_0b_1x1")],
        ],
    )
}

fn reduction_a(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    let depth = |depth| options.depth(depth);
    // The library names the 3x3 convolutions of stride 2 1x1.
    mixed(
        slim,
        "Mixed_6a",
        net,
        [
            vec![conv(depth(384), [3, 3], "Conv2d_1a_1x1").with(&[Stride(2), VALID])],
            vec![
                conv(depth(64), [1, 1], "Conv2d_0a_1x1"),
                conv(depth(96), [3, 3], "Conv2d_0b_3x3"),
                conv(depth(96), [3, 3], "Conv2d_1a_1x1").with(&[Stride(2), VALID]),
            ],
            vec![max_pool([3, 3], "MaxPool_1a_3x3").with(&[Stride(2), VALID])],
        ],
    )
}

fn inception_b(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    scope: &str,
    bottleneck: usize,
    options: &Options,
) -> TensorRef {
    let depth = |depth| options.depth(depth);
    mixed(
        slim,
        scope,
        net,
        [
            vec![conv(depth(192), [1, 1], "Conv2d_0a_1x1")],
            vec![
                conv(depth(bottleneck), [1, 1], "Conv2d_0a_1x1"),
                conv(depth(bottleneck), [1, 7], "Conv2d_0b_1x7"),
                conv(depth(192), [7, 1], "Conv2d_0c_7x1"),
            ],
            vec![
                conv(depth(bottleneck), [1, 1], "Conv2d_0a_1x1"),
                conv(depth(bottleneck), [7, 1], "Conv2d_0b_7x1"),
                conv(depth(bottleneck), [1, 7], "Conv2d_0c_1x7"),
                conv(depth(bottleneck), [7, 1], "Conv2d_0d_7x1"),
                conv(depth(192), [1, 7], "Conv2d_0e_1x7"),
            ],
            vec![avg_pool([3, 3], "AvgPool_0a_3x3"), conv(depth(192), [1, 1], "Conv2d_0b_1x1")],
        ],
    )
}

fn reduction_b(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    let depth = |depth| options.depth(depth);
    mixed(
        slim,
        "Mixed_7a",
        net,
        [
            vec![
                conv(depth(192), [1, 1], "Conv2d_0a_1x1"),
                conv(depth(320), [3, 3], "Conv2d_1a_3x3").with(&[Stride(2), VALID]),
            ],
            vec![
                conv(depth(192), [1, 1], "Conv2d_0a_1x1"),
                conv(depth(192), [1, 7], "Conv2d_0b_1x7"),
                conv(depth(192), [7, 1], "Conv2d_0c_7x1"),
                conv(depth(192), [3, 3], "Conv2d_1a_3x3").with(&[Stride(2), VALID]),
            ],
            vec![max_pool([3, 3], "MaxPool_1a_3x3").with(&[Stride(2), VALID])],
        ],
    )
}

/// `column` is the scope of the 3x1 convolution in `Branch_1`, for which the library has two names.
fn inception_c(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    scope: &str,
    column: &'static str,
    options: &Options,
) -> TensorRef {
    let depth = |depth| options.depth(depth);
    mixed(
        slim,
        scope,
        net,
        [
            vec![conv(depth(320), [1, 1], "Conv2d_0a_1x1")],
            vec![
                conv(depth(384), [1, 1], "Conv2d_0a_1x1"),
                Step::Fork(vec![conv(depth(384), [1, 3], "Conv2d_0b_1x3"), conv(depth(384), [3, 1], column)]),
            ],
            vec![
                conv(depth(448), [1, 1], "Conv2d_0a_1x1"),
                conv(depth(384), [3, 3], "Conv2d_0b_3x3"),
                Step::Fork(vec![
                    conv(depth(384), [1, 3], "Conv2d_0c_1x3"),
                    conv(depth(384), [3, 1], "Conv2d_0d_3x1"),
                ]),
            ],
            vec![avg_pool([3, 3], "AvgPool_0a_3x3"), conv(depth(192), [1, 1], "Conv2d_0b_1x1")],
        ],
    )
}

fn aux_logits(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) {
    let net = slim.variable_scope("AuxLogits", |slim| {
        let net = slim.avg_pool2d(net, 5, "AvgPool_1a_5x5", &[Stride(3), VALID]);
        let net = slim.conv2d(net, options.depth(128), 1, "Conv2d_1b_1x1", &[]);
        let kernel = slim.reduced_kernel(net, [5, 5]);
        let scope = format!("Conv2d_2a_{}x{}", kernel[0], kernel[1]);
        let net = slim.conv2d(net, options.depth(768), kernel, &scope, &[VALID]);
        inception::logits_conv(slim, net, "Conv2d_2b_1x1", options)
    });
    slim.end_point("AuxLogits", net);
}
