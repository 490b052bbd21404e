//! A small network for CIFAR-10, with normalization across neighbouring channels.
//!
//! Source: `research/slim/nets/cifarnet.py`.

use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::NO_ACTIVATION;
use crate::slim::options::NUM_CLASSES;
use crate::slim::{ArgScope, LocalResponseNormalization, NetworkBuilder, Options};

pub const CIFARNET: LibraryNetwork = LibraryNetwork {
    name: "cifarnet",
    scope: "CifarNet",
    image_size: [32, 32],
    logits: "logits/weights",
    aux_logits: None,
    arg_scope_name: "cifarnet_arg_scope",
    // Its arg_scope sets slim's defaults.
    arg_scope: ArgScope::new,
    options: &[NUM_CLASSES],
    build: Build::Images(build),
};

const LRN: LocalResponseNormalization =
    LocalResponseNormalization { depth_radius: 4, bias: 1.0, alpha: 0.001 / 9.0, beta: 0.75 };

fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        let net = slim.conv2d(images, 64, 5, "conv1", &[]);
        slim.end_point("conv1", net);
        let net = slim.max_pool2d(net, 2, "pool1", &[]);
        slim.end_point("pool1", net);
        let net = slim.local_response_normalization(net, "norm1", LRN);
        let net = slim.conv2d(net, 64, 5, "conv2", &[]);
        slim.end_point("conv2", net);
        let net = slim.local_response_normalization(net, "norm2", LRN);
        let net = slim.max_pool2d(net, 2, "pool2", &[]);
        slim.end_point("pool2", net);
        let net = slim.flatten(net, "Flatten");
        slim.end_point("Flatten", net);
        let net = slim.fully_connected(net, 384, "fc3", &[]);
        slim.end_point("fc3", net);
        let net = slim.dropout(net, "dropout3");
        let net = slim.fully_connected(net, 192, "fc4", &[]);
        slim.end_point("fc4", net);
        if options.num_classes() == 0 {
            return net;
        }
        let net = slim.fully_connected(net, options.num_classes(), "logits", &[NO_ACTIVATION]);
        slim.end_point("Logits", net);
        let predictions = slim.softmax(net, "Predictions");
        slim.end_point("Predictions", predictions);
        net
    })
}
