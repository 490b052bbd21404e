//! A LeNet for handwritten digits.
//!
//! Source: `research/slim/nets/lenet.py`.

use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::NO_ACTIVATION;
use crate::slim::options::NUM_CLASSES;
use crate::slim::{ArgScope, NetworkBuilder, Options};

pub const LENET: LibraryNetwork = LibraryNetwork {
    name: "lenet",
    scope: "LeNet",
    image_size: [28, 28],
    logits: "fc4/weights",
    aux_logits: None,
    arg_scope_name: "lenet_arg_scope",
    // Its arg_scope sets slim's defaults.
    arg_scope: ArgScope::new,
    options: &[NUM_CLASSES],
    build: Build::Images(build),
};

fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let net = slim.variable_scope(&options.scope, |slim| {
        let net = slim.conv2d(images, 32, 5, "conv1", &[]);
        slim.end_point("conv1", net);
        let net = slim.max_pool2d(net, 2, "pool1", &[]);
        slim.end_point("pool1", net);
        let net = slim.conv2d(net, 64, 5, "conv2", &[]);
        slim.end_point("conv2", net);
        let net = slim.max_pool2d(net, 2, "pool2", &[]);
        slim.end_point("pool2", net);
        let net = slim.flatten(net, "Flatten");
        slim.end_point("Flatten", net);
        let net = slim.fully_connected(net, 1024, "fc3", &[]);
        slim.end_point("fc3", net);
        if options.num_classes() == 0 {
            return net;
        }
        let net = slim.dropout(net, "dropout3");
        slim.end_point("dropout3", net);
        let net = slim.fully_connected(net, options.num_classes(), "fc4", &[NO_ACTIVATION]);
        slim.end_point("Logits", net)
    });
    if options.num_classes() > 0 {
        let predictions = slim.softmax(net, "Predictions");
        slim.end_point("Predictions", predictions);
    }
    net
}
