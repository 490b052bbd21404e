//! AlexNet, as in "One weird trick" (<https://arxiv.org/abs/1404.5997>).
//!
//! Source: `research/slim/nets/alexnet.py`.

use super::convolutional_classifier::{self, classifier};
use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{COLLECTED, VALID};
use crate::slim::{Arg::Stride, Layer, NetworkBuilder, Options};

pub const ALEXNET_V2: LibraryNetwork = LibraryNetwork {
    name: "alexnet_v2",
    scope: "alexnet_v2",
    image_size: [224, 224],
    logits: "fc8/weights",
    aux_logits: None,
    arg_scope_name: "alexnet_v2_arg_scope",
    arg_scope: convolutional_classifier::arg_scope,
    options: convolutional_classifier::OPTIONS,
    build: Build::Images(build),
};

fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        slim.arg_scope(&[Layer::Conv2d, Layer::MaxPool2d], &[COLLECTED], |slim| {
            let net = slim.conv2d(images, 64, 11, "conv1", &[Stride(4), VALID]);
            let net = slim.max_pool2d(net, 3, "pool1", &[]);
            let net = slim.conv2d(net, 192, 5, "conv2", &[]);
            let net = slim.max_pool2d(net, 3, "pool2", &[]);
            let net = slim.conv2d(net, 384, 3, "conv3", &[]);
            let net = slim.conv2d(net, 384, 3, "conv4", &[]);
            let net = slim.conv2d(net, 256, 3, "conv5", &[]);
            let net = slim.max_pool2d(net, 3, "pool5", &[]);
            classifier(slim, net, 4096, 5, options)
        })
    })
}
