//! I3D, Inception v1 of videos (<https://arxiv.org/abs/1705.07750>), as DeepMind published it: with the names of Sonnet, for colour
//! videos (`RGB`) and for optical flow (`Flow`, two channels).
//!
//! Source: `i3d.py` of github.com/deepmind/kinetics-i3d.

use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::options::{FRAMES, NUM_CLASSES};
use crate::slim::{ArgScope, NetworkBuilder, OptionSpec, Options, Value};

pub const INCEPTION_I3D: LibraryNetwork = LibraryNetwork {
    name: "inception_i3d",
    scope: "inception_i3d",
    image_size: [224, 224],
    logits: "Logits/Conv3d_0c_1x1/conv_3d/w",
    aux_logits: None,
    arg_scope_name: "I3D's definition",
    arg_scope: ArgScope::new,
    options: &[OptionSpec { default: Value::Count(400), ..NUM_CLASSES }, FRAMES],
    build: Build::Images(inception_i3d),
};

type Size = [usize; 3];

fn inception_i3d(slim: &mut NetworkBuilder<'_>, videos: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        let net = conv(slim, videos, 64, 7, 2, "Conv3d_1a_7x7");
        let net = max_pool(slim, net, [1, 3, 3], [1, 2, 2], "MaxPool3d_2a_3x3");
        let net = conv(slim, net, 64, 1, 1, "Conv3d_2b_1x1");
        let net = conv(slim, net, 192, 3, 1, "Conv3d_2c_3x3");
        let net = max_pool(slim, net, [1, 3, 3], [1, 2, 2], "MaxPool3d_3a_3x3");
        let net = mixed(slim, net, "Mixed_3b", [64, 96, 128, 16, 32, 32]);
        let net = mixed(slim, net, "Mixed_3c", [128, 128, 192, 32, 96, 64]);
        let net = max_pool(slim, net, [3; 3], [2; 3], "MaxPool3d_4a_3x3");
        let net = mixed(slim, net, "Mixed_4b", [192, 96, 208, 16, 48, 64]);
        let net = mixed(slim, net, "Mixed_4c", [160, 112, 224, 24, 64, 64]);
        let net = mixed(slim, net, "Mixed_4d", [128, 128, 256, 24, 64, 64]);
        let net = mixed(slim, net, "Mixed_4e", [112, 144, 288, 32, 64, 64]);
        let net = mixed(slim, net, "Mixed_4f", [256, 160, 320, 32, 128, 128]);
        let net = max_pool(slim, net, [2; 3], [2; 3], "MaxPool3d_5a_2x2");
        let net = mixed(slim, net, "Mixed_5b", [256, 160, 320, 32, 128, 128]);
        let net = mixed(slim, net, "Mixed_5c", [384, 192, 384, 48, 128, 128]);
        match options.num_classes() {
            0 => net,
            classes => logits(slim, net, classes),
        }
    })
}

/// The logits of each time, and their mean.
fn logits(slim: &mut NetworkBuilder<'_>, net: TensorRef, classes: usize) -> TensorRef {
    let net = slim.variable_scope("Logits", |slim| {
        let net = slim.plain_avg_pool3d(net, [2, 7, 7], "AvgPool3D");
        let net = slim
            .variable_scope("Conv3d_0c_1x1", |slim| slim.sonnet_conv3d(net, classes, [1; 3], [1; 3], true));
        slim.squeeze(net, &[2, 3], "SpatialSqueeze")
    });
    let logits = slim.mean(net, 1);
    slim.end_point("Logits", logits);
    let predictions = slim.plain_softmax(logits, "Softmax");
    slim.end_point("Predictions", predictions);
    logits
}

/// `Unit3D`: convolution, batch norm, ReLU.
fn unit(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    channels: usize,
    size: usize,
    stride: usize,
    name: &str,
) -> TensorRef {
    slim.variable_scope(name, |slim| {
        let net = slim.sonnet_conv3d(net, channels, [size; 3], [stride; 3], false);
        let net = slim.sonnet_batch_norm(net);
        slim.relu(net)
    })
}

/// A layer before the branches, which is an end point.
fn conv(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    channels: usize,
    size: usize,
    stride: usize,
    name: &str,
) -> TensorRef {
    let net = unit(slim, net, channels, size, stride, name);
    slim.end_point(name, net)
}

fn max_pool(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    window: Size,
    stride: Size,
    name: &str,
) -> TensorRef {
    let net = slim.plain_max_pool3d(net, window, stride, name);
    slim.end_point(name, net)
}

/// Four branches side by side. The second and the third one reduce the channels first.
fn mixed(slim: &mut NetworkBuilder<'_>, net: TensorRef, name: &str, channels: [usize; 6]) -> TensorRef {
    let [direct, reduced_1, wide_1, reduced_2, wide_2, pooled] = channels;
    // The published checkpoints have this name.
    let last = if name == "Mixed_5b" { "Conv3d_0a_3x3" } else { "Conv3d_0b_3x3" };
    let output = slim.variable_scope(name, |slim| {
        let branch_0 = slim.variable_scope("Branch_0", |slim| point(slim, net, direct, "Conv3d_0a_1x1"));
        let mut reducing = |branch: &str, reduced, wide, last: &str| {
            slim.variable_scope(branch, |slim| {
                let net = point(slim, net, reduced, "Conv3d_0a_1x1");
                unit(slim, net, wide, 3, 1, last)
            })
        };
        let branch_1 = reducing("Branch_1", reduced_1, wide_1, "Conv3d_0b_3x3");
        let branch_2 = reducing("Branch_2", reduced_2, wide_2, last);
        let branch_3 = slim.variable_scope("Branch_3", |slim| {
            let net = slim.plain_max_pool3d(net, [3; 3], [1; 3], "MaxPool3d_0a_3x3");
            point(slim, net, pooled, "Conv3d_0b_1x1")
        });
        slim.concat(&[branch_0, branch_1, branch_2, branch_3])
    });
    slim.end_point(name, output)
}

fn point(slim: &mut NetworkBuilder<'_>, net: TensorRef, channels: usize, name: &str) -> TensorRef {
    unit(slim, net, channels, 1, 1, name)
}
