//! Inception v2, Inception with batch norm (<https://arxiv.org/abs/1502.03167>).
//!
//! Source: `research/slim/nets/inception_v2.py`.

use std::borrow::Cow;

use super::inception::{self, Step, avg_pool, conv, conv_end_point, max_pool, max_pool_end_point, mixed};
use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::SAME;
use crate::slim::options::{
    DEPTH_MULTIPLIER, GLOBAL_POOL, MIN_DEPTH, NUM_CLASSES, OptionSource, OptionSpec, SPATIAL_SQUEEZE,
};
use crate::slim::{Arg::Stride, Layer, NetworkBuilder, Options, Value};

pub const INCEPTION_V2: LibraryNetwork = LibraryNetwork {
    name: "inception_v2",
    scope: "InceptionV2",
    image_size: [224, 224],
    logits: "Logits/Conv2d_1c_1x1/weights",
    aux_logits: None,
    arg_scope_name: "inception_v2_arg_scope",
    arg_scope: inception::arg_scope,
    options: &[NUM_CLASSES, DEPTH_MULTIPLIER, MIN_DEPTH, USE_SEPARABLE_CONV, SPATIAL_SQUEEZE, GLOBAL_POOL],
    build: Build::Images(build),
};

const USE_SEPARABLE_CONV: OptionSpec = OptionSpec {
    name: Cow::Borrowed("use_separable_conv"),
    default: Value::Flag(true),
    source: OptionSource::Variables,
    help: "whether the first convolution is a separable one",
};

fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        let net = slim.reenter_scope(|slim| {
            let layers = [Layer::Conv2d, Layer::MaxPool2d, Layer::AvgPool2d];
            slim.arg_scope(&layers, &[Stride(1), SAME], |slim| base(slim, images, options))
        });
        inception::pooled_logits(slim, net, [7, 7], "global_pool", options)
    })
}

/// Builds everything from the images to `Mixed_5c`.
pub fn base(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let net = first_modules(slim, images, options);
    last_modules(slim, net, options)
}

/// Builds everything from the images to `Mixed_4e`.
pub fn first_modules(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let depth = |depth| options.depth(depth);
    let net = if options.flag("use_separable_conv") {
        // At most as many depthwise filters as the pointwise convolution has outputs.
        let filters = (depth(64) / 3).min(8);
        let net = slim.separable_conv2d(images, depth(64), 7, filters, "Conv2d_1a_7x7", &[Stride(2), SAME]);
        slim.end_point("Conv2d_1a_7x7", net)
    } else {
        conv_end_point(slim, images, depth(64), 7, "Conv2d_1a_7x7", &[Stride(2)])
    };
    let net = max_pool_end_point(slim, net, 3, "MaxPool_2a_3x3", &[Stride(2)]);
    let net = conv_end_point(slim, net, depth(64), 1, "Conv2d_2b_1x1", &[]);
    let net = conv_end_point(slim, net, depth(192), 3, "Conv2d_2c_3x3", &[]);
    let net = max_pool_end_point(slim, net, 3, "MaxPool_3a_3x3", &[Stride(2)]);
    let avg = || avg_pool([3, 3], "AvgPool_0a_3x3");
    let net = module(slim, net, "Mixed_3b", 64, [64, 64], [64, 96], (avg(), 32), options);
    let net = module(slim, net, "Mixed_3c", 64, [64, 96], [64, 96], (avg(), 64), options);
    let net = reduction(slim, net, "Mixed_4a", [128, 160], [64, 96], options);
    let net = module(slim, net, "Mixed_4b", 224, [64, 96], [96, 128], (avg(), 128), options);
    let net = module(slim, net, "Mixed_4c", 192, [96, 128], [96, 128], (avg(), 128), options);
    let net = module(slim, net, "Mixed_4d", 160, [128, 160], [128, 160], (avg(), 96), options);
    let net = module(slim, net, "Mixed_4e", 96, [128, 192], [160, 192], (avg(), 96), options);
    slim.end_point("Mixed_4e", net)
}

/// The modules from `Mixed_4e` to `Mixed_5c`.
pub fn last_modules(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    let net = reduction(slim, net, "Mixed_5a", [128, 192], [192, 256], options);
    let avg = avg_pool([3, 3], "AvgPool_0a_3x3");
    let net = module(slim, net, "Mixed_5b", 352, [192, 320], [160, 224], (avg, 128), options);
    let max = max_pool([3, 3], "MaxPool_0a_3x3");
    module(slim, net, "Mixed_5c", 352, [192, 320], [192, 224], (max, 128), options)
}

#[allow(clippy::too_many_arguments)] // the numbers of one row of the paper's table
fn module(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    scope: &str,
    pointwise: usize,
    branch_1: [usize; 2],
    branch_2: [usize; 2],
    (pool, pool_depth): (Step, usize),
    options: &Options,
) -> TensorRef {
    let depth = |depth| options.depth(depth);
    mixed(
        slim,
        scope,
        net,
        [
            vec![conv(depth(pointwise), [1, 1], "Conv2d_0a_1x1")],
            vec![
                conv(depth(branch_1[0]), [1, 1], "Conv2d_0a_1x1"),
                conv(depth(branch_1[1]), [3, 3], "Conv2d_0b_3x3"),
            ],
            vec![
                conv(depth(branch_2[0]), [1, 1], "Conv2d_0a_1x1"),
                conv(depth(branch_2[1]), [3, 3], "Conv2d_0b_3x3"),
                conv(depth(branch_2[1]), [3, 3], "Conv2d_0c_3x3"),
            ],
            vec![pool, conv(depth(pool_depth), [1, 1], "Conv2d_0b_1x1")],
        ],
    )
}

fn reduction(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    scope: &str,
    branch_0: [usize; 2],
    branch_1: [usize; 2],
    options: &Options,
) -> TensorRef {
    let depth = |depth| options.depth(depth);
    mixed(
        slim,
        scope,
        net,
        [
            vec![
                conv(depth(branch_0[0]), [1, 1], "Conv2d_0a_1x1"),
                conv(depth(branch_0[1]), [3, 3], "Conv2d_1a_3x3").with(&[Stride(2)]),
            ],
            vec![
                conv(depth(branch_1[0]), [1, 1], "Conv2d_0a_1x1"),
                conv(depth(branch_1[1]), [3, 3], "Conv2d_0b_3x3"),
                conv(depth(branch_1[1]), [3, 3], "Conv2d_1a_3x3").with(&[Stride(2)]),
            ],
            vec![max_pool([3, 3], "MaxPool_1a_3x3").with(&[Stride(2)])],
        ],
    )
}
