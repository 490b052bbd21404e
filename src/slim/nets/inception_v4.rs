//! Inception v4 (<https://arxiv.org/abs/1602.07261>).
//!
//! Source: `research/slim/nets/inception_v4.py`.

use super::inception::{
    self, Step, avg_pool, conv, conv_end_point, max_pool, mixed, whole_image_aux_logits, whole_image_pool,
};
use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_ACTIVATION, SAME, VALID};
use crate::slim::options::{CREATE_AUX_LOGITS, NUM_CLASSES};
use crate::slim::{Arg::Stride, Layer, NetworkBuilder, Options};

pub const INCEPTION_V4: LibraryNetwork = LibraryNetwork {
    name: "inception_v4",
    scope: "InceptionV4",
    image_size: [299, 299],
    logits: "Logits/Logits/weights",
    aux_logits: Some("AuxLogits"),
    arg_scope_name: "inception_v4_arg_scope",
    arg_scope: inception::arg_scope,
    options: &[NUM_CLASSES, CREATE_AUX_LOGITS],
    build: Build::Images(build),
};

const LAYERS: &[Layer] = &[Layer::Conv2d, Layer::MaxPool2d, Layer::AvgPool2d];

fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        let (net, aux) =
            slim.reenter_scope(|slim| slim.arg_scope(LAYERS, &[Stride(1), SAME], |slim| base(slim, images)));
        slim.arg_scope(LAYERS, &[Stride(1), SAME], |slim| {
            if options.flag("create_aux_logits") && options.num_classes() > 0 {
                let scopes = ["AvgPool_1a_5x5", "Conv2d_2a", "Aux_logits"];
                whole_image_aux_logits(slim, aux, scopes, options);
            }
            slim.variable_scope("Logits", |slim| logits(slim, net, options))
        })
    })
}

/// Builds everything from the images to `Mixed_7d`. Also returns `Mixed_6h`, which the auxiliary classifier reads.
fn base(slim: &mut NetworkBuilder<'_>, images: TensorRef) -> (TensorRef, TensorRef) {
    let mut net = stem(slim, images);
    for scope in ["Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_5e"] {
        net = inception_a(slim, net, scope);
    }
    net = reduction_a(slim, net);
    for scope in ["Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_6f", "Mixed_6g", "Mixed_6h"] {
        net = inception_b(slim, net, scope);
    }
    let mixed_6h = net;
    net = reduction_b(slim, net);
    for scope in ["Mixed_7b", "Mixed_7c", "Mixed_7d"] {
        net = inception_c(slim, net, scope);
    }
    (net, mixed_6h)
}

fn stem(slim: &mut NetworkBuilder<'_>, images: TensorRef) -> TensorRef {
    let reduced = [Stride(2), VALID];
    let net = conv_end_point(slim, images, 32, 3, "Conv2d_1a_3x3", &reduced);
    let net = conv_end_point(slim, net, 32, 3, "Conv2d_2a_3x3", &[VALID]);
    let net = conv_end_point(slim, net, 64, 3, "Conv2d_2b_3x3", &[]);
    let branches = [
        vec![max_pool([3, 3], "MaxPool_0a_3x3").with(&reduced)],
        vec![conv(96, [3, 3], "Conv2d_0a_3x3").with(&reduced)],
    ];
    let net = mixed(slim, "Mixed_3a", net, branches);
    let branches = [
        vec![conv(64, [1, 1], "Conv2d_0a_1x1"), conv(96, [3, 3], "Conv2d_1a_3x3").with(&[VALID])],
        vec![
            conv(64, [1, 1], "Conv2d_0a_1x1"),
            conv(64, [1, 7], "Conv2d_0b_1x7"),
            conv(64, [7, 1], "Conv2d_0c_7x1"),
            conv(96, [3, 3], "Conv2d_1a_3x3").with(&[VALID]),
        ],
    ];
    let net = mixed(slim, "Mixed_4a", net, branches);
    let branches = [
        vec![conv(192, [3, 3], "Conv2d_1a_3x3").with(&reduced)],
        vec![max_pool([3, 3], "MaxPool_1a_3x3").with(&reduced)],
    ];
    mixed(slim, "Mixed_5a", net, branches)
}

fn inception_a(slim: &mut NetworkBuilder<'_>, net: TensorRef, scope: &str) -> TensorRef {
    let branches = [
        vec![conv(96, [1, 1], "Conv2d_0a_1x1")],
        vec![conv(64, [1, 1], "Conv2d_0a_1x1"), conv(96, [3, 3], "Conv2d_0b_3x3")],
        vec![
            conv(64, [1, 1], "Conv2d_0a_1x1"),
            conv(96, [3, 3], "Conv2d_0b_3x3"),
            conv(96, [3, 3], "Conv2d_0c_3x3"),
        ],
        vec![avg_pool([3, 3], "AvgPool_0a_3x3"), conv(96, [1, 1], "Conv2d_0b_1x1")],
    ];
    mixed(slim, scope, net, branches)
}

fn reduction_a(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    let reduced = [Stride(2), VALID];
    let branches = [
        vec![conv(384, [3, 3], "Conv2d_1a_3x3").with(&reduced)],
        vec![
            conv(192, [1, 1], "Conv2d_0a_1x1"),
            conv(224, [3, 3], "Conv2d_0b_3x3"),
            conv(256, [3, 3], "Conv2d_1a_3x3").with(&reduced),
        ],
        vec![max_pool([3, 3], "MaxPool_1a_3x3").with(&reduced)],
    ];
    mixed(slim, "Mixed_6a", net, branches)
}

fn inception_b(slim: &mut NetworkBuilder<'_>, net: TensorRef, scope: &str) -> TensorRef {
    let branches = [
        vec![conv(384, [1, 1], "Conv2d_0a_1x1")],
        vec![
            conv(192, [1, 1], "Conv2d_0a_1x1"),
            conv(224, [1, 7], "Conv2d_0b_1x7"),
            conv(256, [7, 1], "Conv2d_0c_7x1"),
        ],
        vec![
            conv(192, [1, 1], "Conv2d_0a_1x1"),
            conv(192, [7, 1], "Conv2d_0b_7x1"),
            conv(224, [1, 7], "Conv2d_0c_1x7"),
            conv(224, [7, 1], "Conv2d_0d_7x1"),
            conv(256, [1, 7], "Conv2d_0e_1x7"),
        ],
        vec![avg_pool([3, 3], "AvgPool_0a_3x3"), conv(128, [1, 1], "Conv2d_0b_1x1")],
    ];
    mixed(slim, scope, net, branches)
}

fn reduction_b(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    let reduced = [Stride(2), VALID];
    let branches = [
        vec![conv(192, [1, 1], "Conv2d_0a_1x1"), conv(192, [3, 3], "Conv2d_1a_3x3").with(&reduced)],
        vec![
            conv(256, [1, 1], "Conv2d_0a_1x1"),
            conv(256, [1, 7], "Conv2d_0b_1x7"),
            conv(320, [7, 1], "Conv2d_0c_7x1"),
            conv(320, [3, 3], "Conv2d_1a_3x3").with(&reduced),
        ],
        vec![max_pool([3, 3], "MaxPool_1a_3x3").with(&reduced)],
    ];
    mixed(slim, "Mixed_7a", net, branches)
}

fn inception_c(slim: &mut NetworkBuilder<'_>, net: TensorRef, scope: &str) -> TensorRef {
    let branches = [
        vec![conv(256, [1, 1], "Conv2d_0a_1x1")],
        vec![
            conv(384, [1, 1], "Conv2d_0a_1x1"),
            Step::Fork(vec![conv(256, [1, 3], "Conv2d_0b_1x3"), conv(256, [3, 1], "Conv2d_0c_3x1")]),
        ],
        vec![
            conv(384, [1, 1], "Conv2d_0a_1x1"),
            conv(448, [3, 1], "Conv2d_0b_3x1"),
            conv(512, [1, 3], "Conv2d_0c_1x3"),
            Step::Fork(vec![conv(256, [1, 3], "Conv2d_0d_1x3"), conv(256, [3, 1], "Conv2d_0e_3x1")]),
        ],
        vec![avg_pool([3, 3], "AvgPool_0a_3x3"), conv(256, [1, 1], "Conv2d_0b_1x1")],
    ];
    mixed(slim, scope, net, branches)
}

fn logits(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    let net = whole_image_pool(slim, net, "AvgPool_1a");
    if options.num_classes() == 0 {
        return net;
    }
    let net = slim.dropout(net, "Dropout_1b");
    let net = slim.flatten(net, "PreLogitsFlatten");
    let net = slim.end_point("PreLogitsFlatten", net);
    let net = slim.fully_connected(net, options.num_classes(), "Logits", &[NO_ACTIVATION]);
    slim.end_point("Logits", net);
    let predictions = slim.plain_softmax(net, "Predictions");
    slim.end_point("Predictions", predictions);
    net
}
