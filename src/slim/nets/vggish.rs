//! VGGish: embeddings of sounds, from their spectrograms (<https://arxiv.org/abs/1609.09430>).
//!
//! Source: `research/audioset/vggish/vggish_slim.py` and `vggish_params.py` of github.com/tensorflow/models.

use std::borrow::Cow;

use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_ACTIVATION, SAME};
use crate::slim::options::{NUM_BANDS, NUM_FRAMES};
use crate::slim::{Arg, ArgScope, Layer, NetworkBuilder, OptionSource, OptionSpec, Options, Value};

pub const VGGISH: LibraryNetwork = LibraryNetwork {
    name: "vggish",
    scope: "vggish",
    image_size: [96, 96],
    logits: "fc2/weights",
    aux_logits: None,
    arg_scope_name: "VGGish's arg_scope",
    arg_scope,
    options: &[NUM_FRAMES, NUM_BANDS, EMBEDDING_SIZE, RELU_EMBEDDING],
    build: Build::Images(build),
};

/// `fc2` had slim's ReLU in older versions and has `activation_fn=None` today, so that the tensor of the same name holds
/// the values before the activation.
const RELU_EMBEDDING: OptionSpec = OptionSpec {
    name: Cow::Borrowed("relu_embedding"),
    default: Value::Flag(false),
    source: OptionSource::Definition(
        "the current one in tensorflow/models (research/audioset) has no ReLU after fc2, an earlier one has",
    ),
    help: "whether there is a ReLU after fc2, as in earlier definitions",
};

const EMBEDDING_SIZE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("embedding_size"),
    default: Value::Count(128),
    source: OptionSource::ReadBy(|variables, root| {
        let weights = variables.get(&format!("{root}fc2/weights"))?;
        weights.last().map(|&size| Value::Count(size))
    }),
    help: "length of the embeddings",
};

/// Convolutions and pooling with padding.
fn arg_scope() -> ArgScope {
    ArgScope::new().nested(&[Layer::Conv2d, Layer::MaxPool2d], &[SAME])
}

fn build(slim: &mut NetworkBuilder<'_>, spectrograms: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        let [frames, bands] = [NUM_FRAMES, NUM_BANDS].map(|spec| options.count(&spec.name));
        let net = slim.reshape(spectrograms, &[-1, frames as i32, bands as i32, 1]);
        let net = slim.conv2d(net, 64, 3, "conv1", &[]);
        let net = slim.max_pool2d(net, 2, "pool1", &[]);
        let net = slim.conv2d(net, 128, 3, "conv2", &[]);
        let net = slim.max_pool2d(net, 2, "pool2", &[]);
        let net = twice(slim, net, "conv3", |slim, net, scope| slim.conv2d(net, 256, 3, scope, &[]));
        let net = slim.max_pool2d(net, 2, "pool3", &[]);
        let net = twice(slim, net, "conv4", |slim, net, scope| slim.conv2d(net, 512, 3, scope, &[]));
        let net = slim.max_pool2d(net, 2, "pool4", &[]);
        let net = slim.flatten(net, "Flatten");
        let net = twice(slim, net, "fc1", |slim, net, scope| slim.fully_connected(net, 4096, scope, &[]));
        let activation: &[Arg] = if options.flag(&RELU_EMBEDDING.name) { &[] } else { &[NO_ACTIVATION] };
        let net = slim.fully_connected(net, options.count(&EMBEDDING_SIZE.name), "fc2", activation);
        let net = slim.identity(net, "embedding");
        slim.end_point("embedding", net)
    })
}

/// `slim.repeat(net, 2, layer, scope=scope)`
fn twice(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    scope: &str,
    layer: impl Fn(&mut NetworkBuilder<'_>, TensorRef, &str) -> TensorRef,
) -> TensorRef {
    slim.variable_scope(scope, |slim| {
        let net = layer(slim, net, &format!("{scope}_1"));
        layer(slim, net, &format!("{scope}_2"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slim::{Network, Variables, build};

    #[test]
    fn both_public_definitions_can_be_chosen() {
        let network = Network::from(&VGGISH);
        for (relu, before_the_embedding) in [("false", "BiasAdd"), ("true", "Relu")] {
            let mut options = Options::defaults(&network.options, &network.scope);
            options.set_from_text(&RELU_EMBEDDING.name, relu).unwrap();
            let built = build(&network, "", &options, &network.default_images(3), &Variables::new()).unwrap();
            let embedding = built.graph.node(built.output.node);
            assert_eq!(built.graph.node(embedding.inputs[0].node).op, before_the_embedding);
        }
    }
}
