//! The parts that Inception networks share: the arg_scope, and modules of parallel branches.
//!
//! Source: `research/slim/nets/inception_utils.py`.

use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_ACTIVATION, NO_NORMALIZER, SAME, VALID};
use crate::slim::{Activation, Arg, ArgScope, Kernel, Layer, NetworkBuilder, Normalizer, Options};

/// `inception_arg_scope`: batch norm without gamma after every convolution.
pub fn arg_scope() -> ArgScope {
    ArgScope::new().nested(
        &[Layer::Conv2d],
        &[
            Arg::ActivationFn(Some(Activation::Relu)),
            Arg::NormalizerFn(Some(Normalizer::BatchNorm)),
            Arg::NormalizerParams(vec![Arg::Decay(0.9997), Arg::Epsilon(0.001)]),
        ],
    )
}

/// One layer of a branch.
pub enum Step {
    Conv(usize, [usize; 2], &'static str, Vec<Arg>),
    MaxPool([usize; 2], &'static str, Vec<Arg>),
    AvgPool([usize; 2], &'static str),
    /// Parallel convolutions, joined along the channels.
    Fork(Vec<Step>),
}

/// A convolution of a branch, with the arg_scope's stride and padding.
pub fn conv(depth: usize, kernel: [usize; 2], scope: &'static str) -> Step {
    Step::Conv(depth, kernel, scope, vec![])
}

/// Average pooling in a branch, with the arg_scope's stride and padding.
pub fn avg_pool(kernel: [usize; 2], scope: &'static str) -> Step {
    Step::AvgPool(kernel, scope)
}

/// Maximum pooling in a branch, with the arg_scope's stride and padding.
pub fn max_pool(kernel: [usize; 2], scope: &'static str) -> Step {
    Step::MaxPool(kernel, scope, vec![])
}

impl Step {
    /// The layer with these arguments.
    pub fn with(mut self, own: &[Arg]) -> Self {
        if let Self::Conv(_, _, _, args) | Self::MaxPool(_, _, args) = &mut self {
            args.extend_from_slice(own);
        }
        self
    }

    fn build(&self, slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
        match self {
            Self::Conv(depth, kernel, scope, args) => slim.conv2d(net, *depth, Kernel(*kernel), scope, args),
            Self::MaxPool(kernel, scope, args) => slim.max_pool2d(net, Kernel(*kernel), scope, args),
            Self::AvgPool(kernel, scope) => slim.avg_pool2d(net, Kernel(*kernel), scope, &[]),
            Self::Fork(steps) => {
                let ends: Vec<TensorRef> = steps.iter().map(|step| step.build(slim, net)).collect();
                slim.concat(&ends)
            }
        }
    }
}

/// Branches `Branch_0`, `Branch_1`, … from one tensor, joined along the channels.
pub fn branches(slim: &mut NetworkBuilder<'_>, net: TensorRef, branches: &[Vec<Step>]) -> TensorRef {
    let ends: Vec<TensorRef> = branches
        .iter()
        .enumerate()
        .map(|(i, steps)| {
            let scope = format!("Branch_{i}");
            slim.variable_scope(&scope, |slim| steps.iter().fold(net, |net, step| step.build(slim, net)))
        })
        .collect();
    slim.concat(&ends)
}

/// An Inception module: branches in a scope. The output is an end point with the name of the scope.
pub fn mixed<const N: usize>(
    slim: &mut NetworkBuilder<'_>,
    scope: &str,
    net: TensorRef,
    steps: [Vec<Step>; N],
) -> TensorRef {
    let net = slim.variable_scope(scope, |slim| branches(slim, net, &steps));
    slim.end_point(scope, net)
}

/// A convolution whose output is an end point of the same name.
pub fn conv_end_point(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    depth: usize,
    kernel: usize,
    scope: &str,
    args: &[Arg],
) -> TensorRef {
    let net = slim.conv2d(net, depth, kernel, scope, args);
    slim.end_point(scope, net)
}

/// Maximum pooling whose output is an end point of the same name.
pub fn max_pool_end_point(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    kernel: usize,
    scope: &str,
    args: &[Arg],
) -> TensorRef {
    let net = slim.max_pool2d(net, kernel, scope, args);
    slim.end_point(scope, net)
}

/// The end of Inception v1 to v3: dropout, a pointwise convolution to the classes, and a squeeze of the spatial axes.
pub fn logits_conv(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    scope: &str,
    options: &Options,
) -> TensorRef {
    let net = slim.conv2d(net, options.num_classes(), 1, scope, &[NO_ACTIVATION, NO_NORMALIZER]);
    if options.flag("spatial_squeeze") { slim.spatial_squeeze(net, "SpatialSqueeze") } else { net }
}

/// The end of Inception v2 and v3: pooling with `window`, which is at most as large as `net`, and the classifier.
pub fn pooled_logits(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    window: [usize; 2],
    global_pool: &str,
    options: &Options,
) -> TensorRef {
    let net = slim.variable_scope("Logits", |slim| {
        let net = if options.flag("global_pool") {
            let net = slim.spatial_mean(net, global_pool);
            slim.end_point("global_pool", net)
        } else {
            let kernel = slim.reduced_kernel(net, window);
            let scope = format!("AvgPool_1a_{}x{}", kernel[0], kernel[1]);
            let net = slim.avg_pool2d(net, kernel, &scope, &[VALID]);
            slim.end_point("AvgPool_1a", net)
        };
        if options.num_classes() == 0 {
            return net;
        }
        let net = slim.dropout(net, "Dropout_1b");
        let net = slim.end_point("PreLogits", net);
        logits_conv(slim, net, "Conv2d_1c_1x1", options)
    });
    if options.num_classes() > 0 {
        slim.end_point("Logits", net);
        let predictions = slim.softmax(net, "Predictions");
        slim.end_point("Predictions", predictions);
    }
    net
}

/// The end of Inception v4 and Inception-ResNet v2 before the classifier: the mean over the whole image.
pub fn whole_image_pool(slim: &mut NetworkBuilder<'_>, net: TensorRef, scope: &str) -> TensorRef {
    let net = match slim.height_and_width(net) {
        Some(size) => slim.avg_pool2d(net, size, scope, &[VALID]),
        None => slim.spatial_mean(net, "global_pool"),
    };
    slim.end_point("global_pool", net)
}

/// The auxiliary classifier of Inception v4 and Inception-ResNet v2. `scopes` are the scopes of its pooling, of the
/// convolution over the whole features, and of its logits.
pub fn whole_image_aux_logits(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    [pool, conv, logits]: [&str; 3],
    options: &Options,
) {
    let net = slim.variable_scope("AuxLogits", |slim| {
        let net = slim.avg_pool2d(net, 5, pool, &[Arg::Stride(3), VALID]);
        let net = slim.conv2d(net, 128, 1, "Conv2d_1b_1x1", &[SAME]);
        let size = slim.height_and_width(net).unwrap_or([5, 5]);
        let net = slim.conv2d(net, 768, size, conv, &[VALID]);
        let net = slim.flatten(net, "Flatten");
        slim.fully_connected(net, options.num_classes(), logits, &[NO_ACTIVATION])
    });
    slim.end_point("AuxLogits", net);
}
