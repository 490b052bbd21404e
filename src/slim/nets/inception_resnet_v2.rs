//! Inception-ResNet v2 (<https://arxiv.org/abs/1602.07261>).
//!
//! Source: `research/slim/nets/inception_resnet_v2.py`.

use std::borrow::Cow;

use super::inception::{
    self, Step, avg_pool, branches, conv, conv_end_point, max_pool, max_pool_end_point, mixed,
    whole_image_aux_logits, whole_image_pool,
};
use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::Value;
use crate::slim::arg_scope::{NO_ACTIVATION, NO_NORMALIZER, SAME, VALID};
use crate::slim::options::{CREATE_AUX_LOGITS, NUM_CLASSES, OptionSource, OptionSpec};
use crate::slim::{Arg, Arg::Stride, Layer, NetworkBuilder, Options};

pub const INCEPTION_RESNET_V2: LibraryNetwork = LibraryNetwork {
    name: "inception_resnet_v2",
    scope: "InceptionResnetV2",
    image_size: [299, 299],
    logits: "Logits/Logits/weights",
    aux_logits: Some("AuxLogits"),
    arg_scope_name: "inception_resnet_v2_arg_scope",
    arg_scope: inception::arg_scope,
    options: &[NUM_CLASSES, CREATE_AUX_LOGITS, ALIGN_FEATURE_MAPS],
    build: Build::Images(build),
};

const ALIGN_FEATURE_MAPS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("align_feature_maps"),
    default: Value::Flag(false),
    source: OptionSource::User,
    help: "whether all layers pad (SAME); otherwise layers that shrink the image do not (VALID)",
};

const LAYERS: &[Layer] = &[Layer::Conv2d, Layer::MaxPool2d, Layer::AvgPool2d];

fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        let (net, aux) = slim.reenter_scope(|slim| {
            slim.arg_scope(LAYERS, &[Stride(1), SAME], |slim| base(slim, images, options))
        });
        if options.flag("create_aux_logits") && options.num_classes() > 0 {
            whole_image_aux_logits(slim, aux, ["Conv2d_1a_3x3", "Conv2d_2a_5x5", "Logits"], options);
        }
        slim.variable_scope("Logits", |slim| logits(slim, net, options))
    })
}

/// Builds everything from the images to `Conv2d_7b_1x1`. Also returns `PreAuxLogits`.
pub fn base(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> (TensorRef, TensorRef) {
    let padding = if options.flag("align_feature_maps") { SAME } else { VALID };
    let pre_aux_logits = first_modules(slim, images, &padding, 2);
    (last_modules(slim, pre_aux_logits, padding), pre_aux_logits)
}

/// Builds everything from the images to `PreAuxLogits`, where `Mixed_6a` has this stride. Without it, the blocks after it are atrous.
pub fn first_modules(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    padding: &Arg,
    stride: usize,
) -> TensorRef {
    let net = stem(slim, images, padding);
    let net = mixed_5b(slim, net);
    let net = slim.repeat(net, 10, "block35", |slim, net| residual(slim, net, block35(), Some(0.17)));
    let net = mixed_6a(slim, net, &[Stride(stride), padding.clone()]);
    let net = slim.arg_scope(&[Layer::Conv2d], &[Arg::Rate(if stride == 1 { 2 } else { 1 })], |slim| {
        slim.repeat(net, 20, "block17", |slim, net| residual(slim, net, block17(), Some(0.10)))
    });
    slim.end_point("PreAuxLogits", net)
}

/// The modules from `PreAuxLogits` to `Conv2d_7b_1x1`.
pub fn last_modules(slim: &mut NetworkBuilder<'_>, net: TensorRef, padding: Arg) -> TensorRef {
    let net = mixed_7a(slim, net, &[Stride(2), padding]);
    let net = slim.repeat(net, 9, "block8", |slim, net| residual(slim, net, block8(), Some(0.20)));
    let net = slim.default_scope("Block8", |slim| residual(slim, net, block8(), None));
    conv_end_point(slim, net, 1536, 1, "Conv2d_7b_1x1", &[])
}

fn stem(slim: &mut NetworkBuilder<'_>, images: TensorRef, padding: &Arg) -> TensorRef {
    let reduced = [Stride(2), padding.clone()];
    let padding = std::slice::from_ref(padding);
    let net = conv_end_point(slim, images, 32, 3, "Conv2d_1a_3x3", &reduced);
    let net = conv_end_point(slim, net, 32, 3, "Conv2d_2a_3x3", padding);
    let net = conv_end_point(slim, net, 64, 3, "Conv2d_2b_3x3", &[]);
    let net = max_pool_end_point(slim, net, 3, "MaxPool_3a_3x3", &reduced);
    let net = conv_end_point(slim, net, 80, 1, "Conv2d_3b_1x1", padding);
    let net = conv_end_point(slim, net, 192, 3, "Conv2d_4a_3x3", padding);
    max_pool_end_point(slim, net, 3, "MaxPool_5a_3x3", &reduced)
}

fn mixed_5b(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    let branches = [
        vec![conv(96, [1, 1], "Conv2d_1x1")],
        vec![conv(48, [1, 1], "Conv2d_0a_1x1"), conv(64, [5, 5], "Conv2d_0b_5x5")],
        vec![
            conv(64, [1, 1], "Conv2d_0a_1x1"),
            conv(96, [3, 3], "Conv2d_0b_3x3"),
            conv(96, [3, 3], "Conv2d_0c_3x3"),
        ],
        vec![avg_pool([3, 3], "AvgPool_0a_3x3"), conv(64, [1, 1], "Conv2d_0b_1x1")],
    ];
    mixed(slim, "Mixed_5b", net, branches)
}

fn mixed_6a(slim: &mut NetworkBuilder<'_>, net: TensorRef, reduced: &[Arg]) -> TensorRef {
    let branches = [
        vec![conv(384, [3, 3], "Conv2d_1a_3x3").with(reduced)],
        vec![
            conv(256, [1, 1], "Conv2d_0a_1x1"),
            conv(256, [3, 3], "Conv2d_0b_3x3"),
            conv(384, [3, 3], "Conv2d_1a_3x3").with(reduced),
        ],
        vec![max_pool([3, 3], "MaxPool_1a_3x3").with(reduced)],
    ];
    mixed(slim, "Mixed_6a", net, branches)
}

fn mixed_7a(slim: &mut NetworkBuilder<'_>, net: TensorRef, reduced: &[Arg]) -> TensorRef {
    let branches = [
        vec![conv(256, [1, 1], "Conv2d_0a_1x1"), conv(384, [3, 3], "Conv2d_1a_3x3").with(reduced)],
        vec![conv(256, [1, 1], "Conv2d_0a_1x1"), conv(288, [3, 3], "Conv2d_1a_3x3").with(reduced)],
        vec![
            conv(256, [1, 1], "Conv2d_0a_1x1"),
            conv(288, [3, 3], "Conv2d_0b_3x3"),
            conv(320, [3, 3], "Conv2d_1a_3x3").with(reduced),
        ],
        vec![max_pool([3, 3], "MaxPool_1a_3x3").with(reduced)],
    ];
    mixed(slim, "Mixed_7a", net, branches)
}

fn block35() -> Vec<Vec<Step>> {
    vec![
        vec![conv(32, [1, 1], "Conv2d_1x1")],
        vec![conv(32, [1, 1], "Conv2d_0a_1x1"), conv(32, [3, 3], "Conv2d_0b_3x3")],
        vec![
            conv(32, [1, 1], "Conv2d_0a_1x1"),
            conv(48, [3, 3], "Conv2d_0b_3x3"),
            conv(64, [3, 3], "Conv2d_0c_3x3"),
        ],
    ]
}

fn block17() -> Vec<Vec<Step>> {
    vec![
        vec![conv(192, [1, 1], "Conv2d_1x1")],
        vec![
            conv(128, [1, 1], "Conv2d_0a_1x1"),
            conv(160, [1, 7], "Conv2d_0b_1x7"),
            conv(192, [7, 1], "Conv2d_0c_7x1"),
        ],
    ]
}

fn block8() -> Vec<Vec<Step>> {
    vec![
        vec![conv(192, [1, 1], "Conv2d_1x1")],
        vec![
            conv(192, [1, 1], "Conv2d_0a_1x1"),
            conv(224, [1, 3], "Conv2d_0b_1x3"),
            conv(256, [3, 1], "Conv2d_0c_3x1"),
        ],
    ]
}

/// A residual block: branches, and a linear projection to the channels of `net`, scaled and added. A block without a scale
/// is the last one of the network: scaled by 1, without activation.
pub fn residual(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    steps: Vec<Vec<Step>>,
    scale: Option<f32>,
) -> TensorRef {
    let mixed = branches(slim, net, &steps);
    let channels = slim.channels(net);
    let up = slim.conv2d(mixed, channels, 1, "Conv2d_1x1", &[NO_NORMALIZER, NO_ACTIVATION]);
    let net = slim.add_scaled(net, scale.unwrap_or(1.0), up);
    if scale.is_some() { slim.relu(net) } else { net }
}

fn logits(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    let net = whole_image_pool(slim, net, "AvgPool_1a_8x8");
    if options.num_classes() == 0 {
        return net;
    }
    let net = slim.flatten(net, "Flatten");
    let net = slim.dropout(net, "Dropout");
    let net = slim.end_point("PreLogitsFlatten", net);
    let net = slim.fully_connected(net, options.num_classes(), "Logits", &[NO_ACTIVATION]);
    slim.end_point("Logits", net);
    let predictions = slim.plain_softmax(net, "Predictions");
    slim.end_point("Predictions", predictions);
    net
}
