//! DELF: local features of landmarks, each with an attention score (<https://arxiv.org/abs/1612.06321>).
//!
//! Source: `research/delf/delf/python/delf_v1.py` of github.com/tensorflow/models, before it was written for TensorFlow 2.

use std::borrow::Cow;

use super::resnet_v1::bottleneck;
use super::{Build, LibraryNetwork, resnet};
use crate::graph::{Attr, TensorRef};
use crate::slim::arg_scope::{COLLECTED, NO_ACTIVATION, NO_NORMALIZER};
use crate::slim::options::NUM_CLASSES;
use crate::slim::{Layer, NetworkBuilder, OptionSource, OptionSpec, Options, Value};

pub const DELF: LibraryNetwork = LibraryNetwork {
    name: "delf",
    // The attention is beside the scope of the backbone.
    scope: "",
    // It is applied to images of several sizes.
    image_size: [0, 0],
    logits: "attention_block/attention/compute/conv2/weights",
    aux_logits: None,
    arg_scope_name: "resnet_arg_scope",
    arg_scope: resnet::arg_scope,
    options: &[CLASSES, TARGET_LAYER, KERNEL, NORMALIZED],
    build: Build::Images(build),
};

/// The classes of landmarks, for training: exported models end before them.
const CLASSES: OptionSpec = OptionSpec {
    default: Value::Count(0),
    source: OptionSource::ReadBy(|variables, root| {
        let weights = variables.get(&format!("{root}attention_block/logits/weights"));
        Some(Value::Count(weights.and_then(|shape| shape.last()).copied().unwrap_or(0)))
    }),
    help: "number of classes of training; with 0, the network ends at the attention",
    ..NUM_CLASSES
};

const TARGET_LAYER: OptionSpec = OptionSpec {
    name: Cow::Borrowed("target_layer_type"),
    default: Value::Choice(BLOCK3, LAYERS),
    source: OptionSource::ReadBy(|variables, root| {
        let name = format!("{root}{SCOPE}/block4/unit_1/bottleneck_v1/conv1/weights");
        let layer = if variables.contains_key(&name) { BLOCK4 } else { BLOCK3 };
        Some(Value::Choice(layer, LAYERS))
    }),
    help: "the layer of the backbone whose features are used",
};

const SCOPE: &str = "resnet_v1_50";
const BLOCK3: &str = "resnet_v1_50/block3";
const BLOCK4: &str = "resnet_v1_50/block4";
const LAYERS: &[&str] = &[BLOCK3, BLOCK4];

const KERNEL: OptionSpec = OptionSpec {
    name: Cow::Borrowed("kernel"),
    default: Value::Count(1),
    source: OptionSource::ReadBy(|variables, root| {
        let weights = variables.get(&format!("{root}attention_block/attention/compute/conv1/weights"))?;
        weights.first().map(|&size| Value::Count(size))
    }),
    help: "kernel of the convolutions of the attention",
};

const NORMALIZED: OptionSpec = OptionSpec {
    name: Cow::Borrowed("use_l2_normalized_feature"),
    default: Value::Flag(true),
    source: OptionSource::User,
    help: "whether the attention weights normalized features; the attention itself does not depend on it",
};

/// The attention and the features that it belongs to, of which applications choose the ones with the highest scores.
fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let blocks = resnet::blocks([3, 4, 6, 3], |depth| depth);
    let used = if options.choice("target_layer_type") == BLOCK4 { &blocks[..] } else { &blocks[..3] };
    let features = slim.variable_scope(SCOPE, |slim| {
        slim.arg_scope(&[Layer::Conv2d], &[COLLECTED], |slim| {
            let net = resnet::root(slim, images, &[]);
            resnet::stack_blocks_dense(slim, net, used, bottleneck, 0, false)
        })
    });
    let kernel = options.count("kernel");
    let (pooled, score, attention) = slim.variable_scope("attention_block", |slim| {
        let map = if options.flag("use_l2_normalized_feature") {
            slim.l2_normalize(features, 3, 1e-12, "l2_normalize")
        } else {
            features
        };
        slim.end_point("attention_feature_map", map);
        slim.variable_scope("attention", |slim| {
            let score = slim.variable_scope("compute", |slim| {
                let net = slim.conv2d(features, 512, kernel, "conv1", &[]);
                slim.conv2d(net, 1, kernel, "conv2", &[NO_ACTIVATION, NO_NORMALIZER])
            });
            slim.variable_scope("merge", |slim| {
                let (pooled, attention) = slim.variable_scope("softplus_attention", |slim| {
                    let attention = slim.op("Softplus", "Softplus", &[score], []);
                    let weighted = slim.multiply(map, attention);
                    (slim.mean_over_image(weighted, "Mean"), attention)
                });
                let pooled = slim.expand_dims(pooled, 1);
                (slim.expand_dims(pooled, 2), score, attention)
            })
        })
    });
    slim.end_point("prelogits", pooled);
    slim.end_point("attention_score", score);
    slim.model_output("attention_prob", attention);
    slim.model_output("features", features);
    if options.num_classes() > 0 {
        logits(slim, pooled, options.num_classes());
    }
    attention
}

/// The classes that the network is trained with.
fn logits(slim: &mut NetworkBuilder<'_>, net: TensorRef, classes: usize) {
    let logits = slim.variable_scope("attention_block", |slim| {
        let net = slim.conv2d(net, classes, 1, "logits", &[NO_ACTIVATION, NO_NORMALIZER]);
        slim.op("spatial_squeeze", "Squeeze", &[net], [("squeeze_dims", Attr::Ints(vec![1, 2]))])
    });
    slim.end_point("Logits", logits);
}
