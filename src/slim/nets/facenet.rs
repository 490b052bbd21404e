//! The networks of FaceNet's best known implementation: Inception-ResNet v1 and v2 (<https://arxiv.org/abs/1602.07261>)
//! and SqueezeNet (<https://arxiv.org/abs/1602.07360>), which end in a bottleneck that is an embedding of a face.
//!
//! Source: `src/models/inception_resnet_v1.py`, `src/models/inception_resnet_v2.py` and `src/models/squeezenet.py` of github.com/davidsandberg/facenet;
//! its `src/train_softmax.py` builds the embeddings.

use std::borrow::Cow;

use super::inception::{Step, conv, conv_end_point, max_pool, max_pool_end_point, mixed};
use super::inception_resnet_v2::{self, residual};
use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_ACTIVATION, NO_NORMALIZER, SAME, VALID};
use crate::slim::{
    Arg, Arg::Stride, ArgScope, Layer, NetworkBuilder, Normalizer, OptionSource, OptionSpec, Options, Value,
    Variables,
};

pub const INCEPTION_RESNET_V1: LibraryNetwork = LibraryNetwork {
    name: "inception_resnet_v1",
    scope: "InceptionResnetV1",
    image_size: [160, 160],
    logits: "Bottleneck/weights",
    aux_logits: None,
    arg_scope_name: "FaceNet's arg_scope",
    arg_scope,
    options: &[BOTTLENECK_LAYER_SIZE],
    build: Build::Images(inception_resnet_v1),
};

/// slim's Inception-ResNet v2 up to the pooling, then a bottleneck. Without the bottleneck, it is slim's network.
pub const INCEPTION_RESNET_V2: LibraryNetwork = LibraryNetwork {
    name: "facenet_inception_resnet_v2",
    scope: "InceptionResnetV2",
    options: &[OptionSpec { source: OptionSource::ReadBy(read_bottleneck), ..BOTTLENECK_LAYER_SIZE }],
    build: Build::Images(inception_resnet_v2),
    ..INCEPTION_RESNET_V1
};

pub const SQUEEZENET: LibraryNetwork = LibraryNetwork {
    name: "squeezenet",
    scope: "squeezenet",
    build: Build::Images(squeezenet),
    ..INCEPTION_RESNET_V1
};

const BOTTLENECK_LAYER_SIZE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("bottleneck_layer_size"),
    default: Value::Count(128),
    source: OptionSource::ReadBy(|variables, root| {
        Some(read_bottleneck(variables, root).unwrap_or(Value::Count(0)))
    }),
    help: "length of the embeddings; with 0, the network ends before the bottleneck",
};

fn read_bottleneck(variables: &Variables, root: &str) -> Option<Value> {
    let weights = variables.get(&format!("{root}Bottleneck/weights"))?;
    weights.last().map(|&size| Value::Count(size))
}

/// Batch norm without gamma after every layer, including the bottleneck.
fn arg_scope() -> ArgScope {
    let batch_norm_params = vec![Arg::Decay(0.995), Arg::Epsilon(0.001)];
    ArgScope::new().nested(
        &[Layer::Conv2d, Layer::FullyConnected],
        &[Arg::NormalizerFn(Some(Normalizer::BatchNorm)), Arg::NormalizerParams(batch_norm_params)],
    )
}

fn inception_resnet_v1(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let layers = [Layer::Conv2d, Layer::MaxPool2d, Layer::AvgPool2d];
    let net = slim.variable_scope(&options.scope, |slim| {
        let net = slim.arg_scope(&layers, &[Stride(1), SAME], |slim| {
            let net = stem(slim, images);
            let net = slim.repeat(net, 5, "block35", |slim, net| residual(slim, net, block35(), Some(0.17)));
            let net = mixed(slim, "Mixed_6a", net, reduction_a());
            let net = slim.repeat(net, 10, "block17", |slim, net| residual(slim, net, block17(), Some(0.10)));
            let net = mixed(slim, "Mixed_7a", net, reduction_b());
            let net = slim.repeat(net, 5, "block8", |slim, net| residual(slim, net, block8(), Some(0.20)));
            let net = slim.default_scope("Block8", |slim| residual(slim, net, block8(), None));
            pooled(slim, net, [3, 3])
        });
        bottleneck(slim, net, options)
    });
    embeddings(slim, net, options).unwrap_or(net)
}

fn inception_resnet_v2(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let layers = [Layer::Conv2d, Layer::MaxPool2d, Layer::AvgPool2d];
    let net = slim.variable_scope(&options.scope, |slim| {
        let net = slim.arg_scope(&layers, &[Stride(1), SAME], |slim| {
            let (net, _) = inception_resnet_v2::base(slim, images, options);
            pooled(slim, net, [3, 3])
        });
        bottleneck(slim, net, options)
    });
    // The network function ends in the bottleneck.
    embeddings(slim, net, options);
    net
}

/// The mean over the whole image. `size` is its height and width if they are not known.
fn pooled(slim: &mut NetworkBuilder<'_>, net: TensorRef, size: [usize; 2]) -> TensorRef {
    slim.variable_scope("Logits", |slim| {
        slim.end_point("PrePool", net);
        let size = slim.height_and_width(net).unwrap_or(size);
        let net = slim.avg_pool2d(net, size, "AvgPool_1a_8x8", &[VALID]);
        let net = slim.flatten(net, "Flatten");
        let net = slim.dropout(net, "Dropout");
        slim.end_point("PreLogitsFlatten", net)
    })
}

fn stem(slim: &mut NetworkBuilder<'_>, images: TensorRef) -> TensorRef {
    let net = conv_end_point(slim, images, 32, 3, "Conv2d_1a_3x3", &[Stride(2), VALID]);
    let net = conv_end_point(slim, net, 32, 3, "Conv2d_2a_3x3", &[VALID]);
    let net = conv_end_point(slim, net, 64, 3, "Conv2d_2b_3x3", &[]);
    let net = max_pool_end_point(slim, net, 3, "MaxPool_3a_3x3", &[Stride(2), VALID]);
    let net = conv_end_point(slim, net, 80, 1, "Conv2d_3b_1x1", &[VALID]);
    let net = conv_end_point(slim, net, 192, 3, "Conv2d_4a_3x3", &[VALID]);
    conv_end_point(slim, net, 256, 3, "Conv2d_4b_3x3", &[Stride(2), VALID])
}

fn block35() -> Vec<Vec<Step>> {
    vec![
        vec![conv(32, [1, 1], "Conv2d_1x1")],
        vec![conv(32, [1, 1], "Conv2d_0a_1x1"), conv(32, [3, 3], "Conv2d_0b_3x3")],
        vec![
            conv(32, [1, 1], "Conv2d_0a_1x1"),
            conv(32, [3, 3], "Conv2d_0b_3x3"),
            conv(32, [3, 3], "Conv2d_0c_3x3"),
        ],
    ]
}

fn block17() -> Vec<Vec<Step>> {
    vec![
        vec![conv(128, [1, 1], "Conv2d_1x1")],
        vec![
            conv(128, [1, 1], "Conv2d_0a_1x1"),
            conv(128, [1, 7], "Conv2d_0b_1x7"),
            conv(128, [7, 1], "Conv2d_0c_7x1"),
        ],
    ]
}

fn block8() -> Vec<Vec<Step>> {
    vec![
        vec![conv(192, [1, 1], "Conv2d_1x1")],
        vec![
            conv(192, [1, 1], "Conv2d_0a_1x1"),
            conv(192, [1, 3], "Conv2d_0b_1x3"),
            conv(192, [3, 1], "Conv2d_0c_3x1"),
        ],
    ]
}

const REDUCED: [Arg; 2] = [Stride(2), VALID];

fn reduction_a() -> [Vec<Step>; 3] {
    [
        vec![conv(384, [3, 3], "Conv2d_1a_3x3").with(&REDUCED)],
        vec![
            conv(192, [1, 1], "Conv2d_0a_1x1"),
            conv(192, [3, 3], "Conv2d_0b_3x3"),
            conv(256, [3, 3], "Conv2d_1a_3x3").with(&REDUCED),
        ],
        vec![max_pool([3, 3], "MaxPool_1a_3x3").with(&REDUCED)],
    ]
}

fn reduction_b() -> [Vec<Step>; 4] {
    [
        vec![conv(256, [1, 1], "Conv2d_0a_1x1"), conv(384, [3, 3], "Conv2d_1a_3x3").with(&REDUCED)],
        vec![conv(256, [1, 1], "Conv2d_0a_1x1"), conv(256, [3, 3], "Conv2d_1a_3x3").with(&REDUCED)],
        vec![
            conv(256, [1, 1], "Conv2d_0a_1x1"),
            conv(256, [3, 3], "Conv2d_0b_3x3"),
            conv(256, [3, 3], "Conv2d_1a_3x3").with(&REDUCED),
        ],
        vec![max_pool([3, 3], "MaxPool_1a_3x3").with(&REDUCED)],
    ]
}

fn squeezenet(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let net = slim.variable_scope(&options.scope, |slim| {
        let net = slim.conv2d(images, 96, 7, "conv1", &[Stride(2)]);
        let net = slim.max_pool2d(net, 3, "maxpool1", &[]);
        let net = fire_module(slim, net, 16, "fire2");
        let net = fire_module(slim, net, 16, "fire3");
        let net = fire_module(slim, net, 32, "fire4");
        let net = slim.max_pool2d(net, 2, "maxpool4", &[]);
        let net = fire_module(slim, net, 32, "fire5");
        let net = fire_module(slim, net, 48, "fire6");
        let net = fire_module(slim, net, 48, "fire7");
        let net = fire_module(slim, net, 64, "fire8");
        let net = slim.max_pool2d(net, 3, "maxpool8", &[]);
        let net = fire_module(slim, net, 64, "fire9");
        let net = slim.dropout(net, "Dropout");
        let net = slim.conv2d(net, 1000, 1, "conv10", &[NO_ACTIVATION, NO_NORMALIZER]);
        let size = slim.height_and_width(net).unwrap_or([9, 9]);
        let net = slim.avg_pool2d(net, size, "avgpool10", &[]);
        let net = slim.spatial_squeeze(net, "logits");
        bottleneck(slim, net, options)
    });
    embeddings(slim, net, options).unwrap_or(net)
}

/// Squeezes to `squeeze_depth` channels, then expands with two convolutions, each to four times as many channels.
fn fire_module(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    squeeze_depth: usize,
    scope: &str,
) -> TensorRef {
    slim.variable_scope(scope, |slim| {
        let net = slim.conv2d(net, squeeze_depth, 1, "squeeze", &[]);
        let expanded = slim.variable_scope("expand", |slim| {
            [("1x1", 1), ("3x3", 3)]
                .map(|(scope, kernel)| slim.conv2d(net, 4 * squeeze_depth, kernel, scope, &[]))
        });
        slim.concat(&expanded)
    })
}

fn bottleneck(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    match options.count(&BOTTLENECK_LAYER_SIZE.name) {
        0 => net,
        size => {
            let net = slim.fully_connected(net, size, "Bottleneck", &[NO_ACTIVATION]);
            slim.end_point("Bottleneck", net)
        }
    }
}

/// The embeddings that faces are compared by: the bottleneck, scaled to length 1.
fn embeddings(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> Option<TensorRef> {
    (options.count(&BOTTLENECK_LAYER_SIZE.name) > 0).then(|| {
        let embeddings = slim.l2_normalize(net, 1, 1e-10, "embeddings");
        slim.end_point("embeddings", embeddings)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slim::{Network, Overrides, build, find_network, recognize};

    fn variables_of(network: &Network) -> Variables {
        let options = Options::defaults(&network.options, &network.scope);
        let built = build(network, "", &options, &network.default_images(3), &Variables::new()).unwrap();
        built.variables().map(|(name, shape)| (name.to_owned(), shape)).collect()
    }

    #[test]
    fn the_bottleneck_tells_facenets_inception_resnet_v2_from_slims() {
        let mut variables = variables_of(&Network::from(&INCEPTION_RESNET_V2));
        let recognized =
            |variables: &Variables| recognize(variables, Overrides::default()).unwrap().network.name.clone();
        assert_eq!(recognized(&variables), "facenet_inception_resnet_v2");
        variables.retain(|name, _| !name.contains("Bottleneck"));
        assert_eq!(recognized(&variables), "inception_resnet_v2");
        let slims = variables_of(find_network("inception_resnet_v2").unwrap());
        assert_eq!(recognized(&slims), "inception_resnet_v2");
    }

    #[test]
    fn the_embeddings_are_what_the_bottleneck_is_scaled_to() {
        for network in [&INCEPTION_RESNET_V1, &INCEPTION_RESNET_V2, &SQUEEZENET].map(Network::from) {
            let options = Options::defaults(&network.options, &network.scope);
            let built = build(&network, "", &options, &network.default_images(3), &Variables::new()).unwrap();
            let ends = ["embeddings", "Bottleneck"].map(|name| built.end_point(name).unwrap());
            assert!(ends.contains(&built.output), "{}", network.name);
            assert_eq!(built.graph.tensor_name(ends[0]), "embeddings:0");
        }
    }
}
