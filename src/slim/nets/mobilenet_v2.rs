//! MobileNet v2 (<https://arxiv.org/abs/1801.04381>).
//!
//! Source: `research/slim/nets/mobilenet/mobilenet_v2.py`.

use std::borrow::Cow;

use super::mobilenet::{
    Definition, LEAST_DEPTH, Op, USE_EXPLICIT_PADDING, bottleneck, conv, mobilenet, training_scope,
    under_multiplier,
};
use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::options::{
    DIVISIBLE_BY, FINEGRAIN_CLASSIFICATION_MODE, NUM_CLASSES, OUTPUT_STRIDE, OptionSpec,
};
use crate::slim::{Activation, NetworkBuilder, Options, Value};

pub const MOBILENET_V2: LibraryNetwork = LibraryNetwork {
    name: "mobilenet_v2",
    scope: "MobilenetV2",
    image_size: [224, 224],
    logits: "Logits/Conv2d_1c_1x1/weights",
    aux_logits: None,
    arg_scope_name: "training_scope",
    arg_scope: training_scope,
    options: &options(1.0, false),
    build: Build::Images(build),
};
pub const MOBILENET_V2_140: LibraryNetwork =
    LibraryNetwork { name: "mobilenet_v2_140", options: &options(1.4, false), ..MOBILENET_V2 };
pub const MOBILENET_V2_035: LibraryNetwork =
    LibraryNetwork { name: "mobilenet_v2_035", options: &options(0.35, true), ..MOBILENET_V2 };

const fn options(depth_multiplier: f64, finegrain: bool) -> [OptionSpec; 7] {
    [
        NUM_CLASSES,
        under_multiplier(depth_multiplier),
        OptionSpec { default: Value::Flag(finegrain), ..FINEGRAIN_CLASSIFICATION_MODE },
        LEAST_DEPTH,
        DIVISIBLE_BY,
        OUTPUT_STRIDE,
        USE_EXPLICIT_PADDING,
    ]
}

/// Channels inside each bottleneck, as a multiple of its input channels.
const EXPANSION: f64 = 6.0;

const fn block(outputs: usize) -> Op {
    bottleneck(EXPANSION, outputs, 3)
}

pub const V2: Definition = Definition {
    activation: Activation::Relu6,
    ops: Cow::Borrowed(&[
        conv(32, 3).stride(2),
        bottleneck(1.0, 16, 3).unrounded(),
        block(24).stride(2),
        block(24),
        block(32).stride(2),
        block(32),
        block(32),
        block(64).stride(2),
        block(64),
        block(64),
        block(64),
        block(96),
        block(96),
        block(96),
        block(160).stride(2),
        block(160),
        block(160),
        block(320),
        conv(1280, 1),
    ]),
    exempts_from_any_multiplier: false,
    pads_inside_blocks: true,
};

fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    mobilenet(slim, images, options, &V2)
}
