//! MobileFaceNet, which computes an embedding of a face (<https://arxiv.org/abs/1804.07573>).
//!
//! Source: `nets/MobileFaceNet.py` of github.com/sirius-ai/MobileFaceNet_TF; its `train_nets.py` builds the embeddings.

use std::borrow::Cow;

use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_ACTIVATION, SAME, VALID};
use crate::slim::options::GLOBAL_POOL;
use crate::slim::{
    Activation, Arg, Arg::Stride, ArgScope, Layer, NetworkBuilder, Normalizer, OptionSource, OptionSpec,
    Options, UNNAMED, Value,
};

pub const MOBILEFACENET: LibraryNetwork = LibraryNetwork {
    name: "mobilefacenet",
    scope: "MobileFaceNet",
    image_size: [112, 112],
    logits: "Logits/LinearConv1x1/weights",
    aux_logits: None,
    arg_scope_name: "mobilefacenet's arg_scope",
    arg_scope,
    options: &[BOTTLENECK_LAYER_SIZE, GLOBAL_POOL],
    build: Build::Images(mobilefacenet),
};

const BOTTLENECK_LAYER_SIZE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("bottleneck_layer_size"),
    default: Value::Count(128),
    source: OptionSource::ReadBy(|variables, root| {
        let weights = variables.get(&format!("{root}Logits/LinearConv1x1/weights"));
        Some(Value::Count(weights.and_then(|shape| shape.last()).copied().unwrap_or(0)))
    }),
    help: "length of the embeddings; with 0, the network ends before the bottleneck",
};

/// Batch norm with gamma and a PReLU after every layer.
fn arg_scope() -> ArgScope {
    let layers = [Layer::Conv2d, Layer::SeparableConv2d];
    let args = [
        Arg::ActivationFn(Some(Activation::PRelu("prelu_alphas"))),
        Arg::NormalizerFn(Some(Normalizer::BatchNorm)),
    ];
    ArgScope::new()
        .nested(&layers, &args)
        .nested(&[Layer::BatchNorm], &[Arg::Scale(true), Arg::Decay(0.995), Arg::Epsilon(2e-5)])
}

/// Blocks: the factor of the expansion, the stride of the first one, the number of channels, and the number of blocks.
const BLOCKS: [(usize, usize, usize, usize); 5] =
    [(2, 2, 64, 5), (4, 2, 128, 1), (2, 1, 128, 6), (4, 2, 128, 1), (2, 1, 128, 2)];

fn mobilefacenet(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let bottleneck = options.count(&BOTTLENECK_LAYER_SIZE.name);
    let net = slim.variable_scope(&options.scope, |slim| {
        let net = slim.reenter_scope(|slim| base(slim, images));
        slim.variable_scope("Logits", |slim| {
            let net = if options.flag(&GLOBAL_POOL.name) {
                let net = slim.spatial_mean(net, "global_pool");
                slim.end_point("global_pool", net)
            } else {
                let kernel = slim.reduced_kernel(net, [7, 7]);
                let net = slim.depthwise_conv2d(net, kernel, UNNAMED, &[NO_ACTIVATION, VALID]);
                let net = slim.conv2d(net, 512, 1, UNNAMED, &[NO_ACTIVATION, VALID]);
                slim.end_point("GDConv", net)
            };
            if bottleneck == 0 {
                return net;
            }
            let net = slim.conv2d(net, bottleneck, 1, "LinearConv1x1", &[NO_ACTIVATION]);
            let net = slim.spatial_squeeze(net, "SpatialSqueeze");
            slim.end_point("Logits", net)
        })
    });
    if bottleneck == 0 {
        return net;
    }
    let embeddings = slim.l2_normalize(net, 1, 1e-10, "embeddings");
    slim.end_point("embeddings", embeddings)
}

fn base(slim: &mut NetworkBuilder<'_>, images: TensorRef) -> TensorRef {
    slim.arg_scope(&[Layer::Conv2d, Layer::SeparableConv2d], &[SAME], |slim| {
        let net = slim.conv2d(images, 64, 3, "Conv2d_0", &[Stride(2)]);
        slim.end_point("Conv2d_0", net);
        let net = slim.depthwise_conv2d(net, 3, UNNAMED, &[]);
        let net = slim.conv2d(net, 64, 1, UNNAMED, &[NO_ACTIVATION]);
        let mut net = slim.end_point("DepthwiseConv", net);
        for (number, (ratio, stride, depth, repeats)) in (2..).zip(BLOCKS) {
            let end_point = format!("Conv2d_{number}_InvResBlock");
            // All blocks expand from the channels of the first one's input.
            let channels = slim.channels(net);
            for block in 0..repeats {
                let stride = if block == 0 { stride } else { 1 };
                net = slim.name_scope(&format!("{end_point}_{block}"), |slim| {
                    inverted_block(slim, net, channels * ratio, depth, stride)
                });
            }
            slim.end_point(&end_point, net);
        }
        let net = slim.conv2d(net, 512, 1, "Conv2d_7", &[]);
        slim.end_point("Conv2d_7", net)
    })
}

fn inverted_block(
    slim: &mut NetworkBuilder<'_>,
    inputs: TensorRef,
    expanded: usize,
    depth: usize,
    stride: usize,
) -> TensorRef {
    let net = slim.conv2d(inputs, expanded, 1, UNNAMED, &[]);
    let net = slim.depthwise_conv2d(net, 3, UNNAMED, &[Stride(stride)]);
    let net = slim.conv2d(net, depth, 1, UNNAMED, &[NO_ACTIVATION]);
    if stride == 2 {
        return net;
    }
    let shortcut = match slim.channels(inputs) == depth {
        true => inputs,
        false => slim.conv2d(inputs, depth, 1, UNNAMED, &[NO_ACTIVATION]),
    };
    slim.sum_as("Add", net, shortcut)
}
