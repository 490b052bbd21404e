//! The classifier of AlexNet, OverFeat and VGG in slim: fully connected layers as convolutions. The first one covers the
//! whole features, so that a larger image is classified at every position.
//!
//! Source: the ends of `alexnet.py`, `overfeat.py` and `vgg.py` in `research/slim/nets`.

use std::borrow::Cow;

use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_ACTIVATION, NO_NORMALIZER, SAME, VALID};
use crate::slim::options::{GLOBAL_POOL, NUM_CLASSES, SPATIAL_SQUEEZE};
use crate::slim::{Arg, ArgScope, Layer, NetworkBuilder, OptionSource, OptionSpec, Options, Value};

pub const OPTIONS: &[OptionSpec] = &[NUM_CLASSES, SPATIAL_SQUEEZE, GLOBAL_POOL];

/// The padding of VGG's `fc6`, which the caller can choose.
pub const FC_CONV_PADDING: OptionSpec = OptionSpec {
    name: Cow::Borrowed("fc_conv_padding"),
    default: Value::Choice("VALID", &["VALID", "SAME"]),
    source: OptionSource::User,
    help: "padding of fc6; SAME gives a prediction for every 32nd pixel of a larger image",
};

/// `alexnet_v2_arg_scope`, `overfeat_arg_scope` and `vgg_arg_scope`: convolutions with biases and ReLU, padded;
/// pooling without padding.
pub fn arg_scope() -> ArgScope {
    ArgScope::new().nested(&[Layer::Conv2d], &[SAME]).nested(&[Layer::MaxPool2d], &[VALID])
}

/// `fc6` over a window of `kernel` to `depth` channels, `fc7`, and `fc8` to the classes.
pub fn classifier(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    depth: usize,
    kernel: usize,
    options: &Options,
) -> TensorRef {
    let padding = if options.choice(&FC_CONV_PADDING.name) == "SAME" { SAME } else { VALID };
    let net = slim.conv2d(net, depth, kernel, "fc6", &[padding]);
    let net = slim.dropout(net, "dropout6");
    let mut net = slim.conv2d(net, 4096, 1, "fc7", &[]);
    if options.flag(&GLOBAL_POOL.name) {
        net = slim.spatial_mean(net, "global_pool");
        slim.end_point("global_pool", net);
    }
    if options.num_classes() == 0 {
        return net;
    }
    net = slim.dropout(net, "dropout7");
    let end: &[Arg] = &[NO_ACTIVATION, NO_NORMALIZER];
    net = slim.conv2d(net, options.num_classes(), 1, "fc8", end);
    if options.flag(&SPATIAL_SQUEEZE.name) {
        net = slim.spatial_squeeze(net, "fc8/squeezed");
    }
    slim.scoped_end_point("fc8", net)
}
