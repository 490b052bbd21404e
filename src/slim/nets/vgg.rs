//! VGG with 11, 16 and 19 layers (<https://arxiv.org/abs/1409.1556>).
//!
//! Source: `research/slim/nets/vgg.py`.

use super::convolutional_classifier::{self, FC_CONV_PADDING, classifier};
use super::{Build, BuildFunction, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::COLLECTED;
use crate::slim::options::{GLOBAL_POOL, NUM_CLASSES, SPATIAL_SQUEEZE};
use crate::slim::{Layer, NetworkBuilder, Options};

pub const VGG_A: LibraryNetwork =
    network("vgg_a", |slim, images, options| build(slim, images, [1, 1, 2, 2, 2], options));
pub const VGG_16: LibraryNetwork =
    network("vgg_16", |slim, images, options| build(slim, images, [2, 2, 3, 3, 3], options));
pub const VGG_19: LibraryNetwork =
    network("vgg_19", |slim, images, options| build(slim, images, [2, 2, 4, 4, 4], options));

const fn network(name: &'static str, build: BuildFunction) -> LibraryNetwork {
    LibraryNetwork {
        name,
        scope: name,
        image_size: [224, 224],
        logits: "fc8/weights",
        aux_logits: None,
        arg_scope_name: "vgg_arg_scope",
        arg_scope: convolutional_classifier::arg_scope,
        options: &[NUM_CLASSES, SPATIAL_SQUEEZE, FC_CONV_PADDING, GLOBAL_POOL],
        build: Build::Images(build),
    }
}

/// The channels of the convolutions of each stage.
const DEPTHS: [usize; 5] = [64, 128, 256, 512, 512];

/// Builds five stages and the classifier. A stage has the given number of convolutions, and pooling that halves the image.
fn build(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    convolutions: [usize; 5],
    options: &Options,
) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        slim.arg_scope(&[Layer::Conv2d, Layer::MaxPool2d], &[COLLECTED], |slim| {
            let mut net = images;
            for ((depth, count), stage) in DEPTHS.into_iter().zip(convolutions).zip(1..) {
                net = slim.variable_scope(&format!("conv{stage}"), |slim| {
                    let scopes = (1..=count).map(|i| format!("conv{stage}_{i}"));
                    scopes.fold(net, |net, scope| slim.conv2d(net, depth, 3, &scope, &[]))
                });
                net = slim.max_pool2d(net, 2, &format!("pool{stage}"), &[]);
            }
            classifier(slim, net, 4096, 7, options)
        })
    })
}
