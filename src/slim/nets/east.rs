//! EAST: text in images, as a score and a rotated box for each position (<https://arxiv.org/abs/1704.03155>).
//!
//! Source: `model.py` and `nets/resnet_v1.py` of github.com/argman/EAST. The boxes are made of the two outputs outside of the
//! graph (`eval.py`), which restores the moving averages.

use std::borrow::Cow;

use super::resnet_v1::bottleneck;
use super::{Build, LibraryNetwork, resnet};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{COLLECTED, NO_NORMALIZER};
use crate::slim::{
    Activation, Alignment, Arg, Interpolation, Layer, Length, NetworkBuilder, OptionSource, OptionSpec,
    Options, UNNAMED, Value,
};
use crate::tensor::Constant;

pub const EAST: LibraryNetwork = LibraryNetwork {
    name: "east",
    // The fusion of the features is beside the scope of the backbone.
    scope: "",
    // Any multiple of 32.
    image_size: [0, 0],
    logits: "feature_fusion/Conv_7/weights",
    aux_logits: None,
    arg_scope_name: "resnet_arg_scope",
    arg_scope: resnet::arg_scope,
    options: &[TEXT_SCALE],
    build: Build::Images(build),
};

const TEXT_SCALE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("text_scale"),
    default: Value::Count(512),
    source: OptionSource::User,
    help: "the largest distance from a position to a side of its box, in pixels",
};

/// What is subtracted from the channels of images.
const MEANS: [f32; 3] = [123.68, 116.78, 103.94];

const BACKBONE: &str = "resnet_v1_50";

/// The geometry, which is also an output under its name, as is the score.
fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let net = mean_image_subtraction(slim, images);
    let [pool2, pool3, pool4, pool5] = backbone(slim, net);
    slim.variable_scope("feature_fusion", |slim| {
        let mut net = unpool(slim, pool5);
        net = fused(slim, net, pool4, 128);
        net = unpool(slim, net);
        net = fused(slim, net, pool3, 64);
        net = unpool(slim, net);
        net = fused(slim, net, pool2, 32);
        net = slim.conv2d(net, 32, 3, UNNAMED, &[]);
        let score = head(slim, net, 1);
        let distances = head(slim, net, 4);
        let distances = slim.times(distances, options.count(&TEXT_SCALE.name) as f32);
        let angle = head(slim, net, 1);
        let half = ("y", Constant::from_f32(vec![], &[0.5]));
        let angle = slim.op_with_constant("sub", "Sub", &[angle], half, []);
        // Between -45 and 45 degrees.
        let angle = slim.times(angle, std::f32::consts::PI);
        let two = ("y", Constant::from_f32(vec![], &[2.0]));
        let angle = slim.op_with_constant("truediv", "RealDiv", &[angle], two, []);
        slim.model_output("F_score", score);
        let geometry = concat_last(slim, &[distances, angle]);
        slim.model_output("F_geometry", geometry)
    })
}

fn mean_image_subtraction(slim: &mut NetworkBuilder<'_>, images: TensorRef) -> TensorRef {
    let mut channels: [TensorRef; 3] = slim.split(images, 3);
    for (channel, mean) in channels.iter_mut().zip(MEANS) {
        let mean = ("y", Constant::from_f32(vec![], &[mean]));
        *channel = slim.op_with_constant("sub", "Sub", &[*channel], mean, []);
    }
    slim.concat(&channels)
}

/// The features before the first block, and after the first, the second and the last one.
fn backbone(slim: &mut NetworkBuilder<'_>, images: TensorRef) -> [TensorRef; 4] {
    let block = |number| format!("{}{BACKBONE}/block{number}", slim.current_scope());
    let names = [block(1), block(2)];
    slim.variable_scope(BACKBONE, |slim| {
        slim.arg_scope(&[Layer::Conv2d], &[COLLECTED], |slim| {
            let blocks = resnet::blocks([3, 4, 6, 3], |depth| depth);
            let root = resnet::root(slim, images, &[]);
            let net = resnet::stack_blocks_dense(slim, root, &blocks, bottleneck, 0, false);
            let [first, second] = names.map(|name| slim.built_end_point(&name));
            [root, first, second, net]
        })
    })
}

/// Doubles height and width.
fn unpool(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    let size = [1, 2].map(|axis| {
        let length = slim.length(net, axis);
        let two = ("y", Constant::from_i32(vec![], &[2]));
        Length::Computed(slim.op_with_constant("mul", "Mul", &[length], two, []))
    });
    slim.resize_to_lengths(net, size, Interpolation::Bilinear, Alignment::Origin)
}

/// Adds features of a higher resolution.
fn fused(slim: &mut NetworkBuilder<'_>, net: TensorRef, features: TensorRef, channels: usize) -> TensorRef {
    let net = concat_last(slim, &[net, features]);
    let net = slim.conv2d(net, channels, 1, UNNAMED, &[]);
    slim.conv2d(net, channels, 3, UNNAMED, &[])
}

/// `tf.concat(branches, axis=-1)`
fn concat_last(slim: &mut NetworkBuilder<'_>, branches: &[TensorRef]) -> TensorRef {
    slim.op_with_constant("concat", "ConcatV2", branches, ("axis", Constant::from_i32(vec![], &[-1])), [])
}

/// Numbers between 0 and 1 for each position.
fn head(slim: &mut NetworkBuilder<'_>, net: TensorRef, channels: usize) -> TensorRef {
    slim.conv2d(net, channels, 1, UNNAMED, &[Arg::ActivationFn(Some(Activation::Sigmoid)), NO_NORMALIZER])
}
