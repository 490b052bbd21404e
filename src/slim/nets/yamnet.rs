//! YAMNet: a MobileNet v1 that classifies sounds in patches of a spectrogram, with the names of Keras.
//!
//! Source: `research/audioset/yamnet/yamnet.py` and `params.py` of github.com/tensorflow/models.

use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_BIASES, SAME};
use crate::slim::options::{NUM_BANDS, NUM_CLASSES, NUM_FRAMES};
use crate::slim::{Arg, Arg::Stride, ArgScope, LayerName, NetworkBuilder, OptionSpec, Options, Value};

pub const YAMNET: LibraryNetwork = LibraryNetwork {
    name: "yamnet",
    // Its layers have names without a scope.
    scope: "",
    image_size: [96, 64],
    logits: "dense/kernel",
    aux_logits: None,
    arg_scope_name: "YAMNet's params",
    arg_scope: ArgScope::new,
    options: &[OptionSpec { default: Value::Count(521), ..NUM_CLASSES }, NUM_FRAMES, NUM_BANDS],
    build: Build::Images(yamnet),
};

/// The stride and the number of channels of each layer after the first one.
const SEPARABLE_LAYERS: [(usize, usize); 13] = [
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (2, 1024),
    (1, 1024),
];

fn yamnet(slim: &mut NetworkBuilder<'_>, patches: TensorRef, options: &Options) -> TensorRef {
    let (frames, bands) = (options.count(&NUM_FRAMES.name), options.count(&NUM_BANDS.name));
    let net = slim.keras_reshape(patches, &[frames, bands, 1]);
    let conv = [Stride(2), SAME, NO_BIASES];
    let net = slim.layers_conv2d(net, 32, 3, LayerName::Keras("layer1/conv"), &conv);
    let mut net = normalized(slim, net, "layer1/conv/bn", "layer1/relu");
    for (number, (stride, channels)) in (2..).zip(SEPARABLE_LAYERS) {
        let layer = format!("layer{number}/depthwise_conv");
        let args = [Stride(stride), SAME, NO_BIASES];
        net = slim.layers_depthwise_conv2d(net, 3, LayerName::Keras(&layer), &args);
        net = normalized(slim, net, &format!("{layer}/bn"), &format!("{layer}/relu"));
        let layer = format!("layer{number}/pointwise_conv");
        net = slim.layers_conv2d(net, channels, 1, LayerName::Keras(&layer), &[SAME, NO_BIASES]);
        net = normalized(slim, net, &format!("{layer}/bn"), &format!("{layer}/relu"));
    }
    let net = slim.name_scope("global_average_pooling2d", |slim| slim.mean_over_image(net, "Mean"));
    slim.end_point("embeddings", net);
    match options.num_classes() {
        0 => net,
        classes => {
            let logits = slim.layers_dense(net, classes, LayerName::Keras("dense"), &[]);
            let predictions = slim.name_scope("activation", |slim| slim.sigmoid(logits));
            slim.end_point("predictions", predictions);
            logits
        }
    }
}

fn normalized(slim: &mut NetworkBuilder<'_>, net: TensorRef, name: &str, relu: &str) -> TensorRef {
    let args = [Arg::Scale(false), Arg::Epsilon(1e-4)];
    let net = slim.layers_batch_normalization(net, LayerName::Keras(name), &args);
    slim.name_scope(relu, |slim| slim.relu(net))
}
