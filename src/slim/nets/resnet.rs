//! The parts that residual networks share: blocks of bottleneck units, up to an output stride, and the classifier.
//!
//! Source: `research/slim/nets/resnet_utils.py`, and what is common to `resnet_v1.py` and `resnet_v2.py`.

use std::borrow::Cow;

use crate::error::Error;
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_ACTIVATION, NO_NORMALIZER, SAME, VALID};
use crate::slim::options::{NUM_CLASSES, OUTPUT_STRIDE, SPATIAL_SQUEEZE};
use crate::slim::{
    Activation, Arg, ArgScope, Layer, NetworkBuilder, Normalizer, OptionSource, OptionSpec, Options, Value,
    Variables,
};

pub const OPTIONS: &[OptionSpec] =
    &[NUM_CLASSES, GLOBAL_POOL, OUTPUT_STRIDE, SPATIAL_SQUEEZE, INCLUDE_ROOT_BLOCK];

/// Residual networks use global pooling by default. Without it, they predict for every position of the image.
pub const GLOBAL_POOL: OptionSpec =
    OptionSpec { default: Value::Flag(true), ..crate::slim::options::GLOBAL_POOL };

pub const INCLUDE_ROOT_BLOCK: OptionSpec = OptionSpec {
    name: Cow::Borrowed("include_root_block"),
    default: Value::Flag(true),
    source: OptionSource::ReadBy(has_root_block),
    help: "whether the network begins with a convolution and pooling before its blocks",
};

fn has_root_block(variables: &Variables, root: &str) -> Option<Value> {
    Some(Value::Flag(variables.contains_key(&format!("{root}conv1/weights"))))
}

/// `resnet_arg_scope`: batch norm with gamma and a small epsilon, after a convolution and alone.
pub fn arg_scope() -> ArgScope {
    let batch_norm_params = [Arg::Decay(0.997), Arg::Epsilon(1e-5), Arg::Scale(true)];
    ArgScope::new()
        .nested(
            &[Layer::Conv2d],
            &[
                Arg::ActivationFn(Some(Activation::Relu)),
                Arg::NormalizerFn(Some(Normalizer::BatchNorm)),
                Arg::NormalizerParams(batch_norm_params.to_vec()),
            ],
        )
        .nested(&[Layer::BatchNorm], &batch_norm_params)
        .nested(&[Layer::MaxPool2d], &[SAME])
}

/// A bottleneck unit: a pointwise convolution to its base depth, a 3x3 convolution with this stride and rate, and a
/// pointwise convolution to four times the base depth.
#[derive(Debug, Clone, Copy)]
pub struct Unit {
    pub base_depth: usize,
    pub stride: usize,
    pub rate: usize,
}

impl Unit {
    /// The depth of the unit's output.
    pub fn depth(self) -> usize {
        4 * self.base_depth
    }
}

/// The units of a block in its scope. The last one has the block's stride.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub base_depth: usize,
    pub num_units: usize,
    pub stride: usize,
}

/// The four blocks of a residual network. Residual networks differ in the number of units of each block.
pub fn blocks(units: [usize; 4], depth: impl Fn(usize) -> usize) -> [Block; 4] {
    let block = |base_depth, num_units, stride| Block { base_depth: depth(base_depth), num_units, stride };
    [block(64, units[0], 2), block(128, units[1], 2), block(256, units[2], 2), block(512, units[3], 1)]
}

/// Builds everything from the images to the end of the last block.
pub fn base(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    blocks: &[Block],
    root_args: &[Arg],
    unit: fn(&mut NetworkBuilder<'_>, TensorRef, Unit) -> TensorRef,
    options: &Options,
) -> TensorRef {
    let mut output_stride = options.count("output_stride");
    let mut net = images;
    if options.flag("include_root_block") {
        if !output_stride.is_multiple_of(ROOT_STRIDE) {
            slim.fail(unreachable_stride().advice("it has to be a multiple of 4"));
        }
        output_stride /= ROOT_STRIDE;
        net = root(slim, net, root_args);
    }
    stack_blocks_dense(slim, net, blocks, unit, output_stride, options.flag("store_non_strided_activations"))
}

/// The convolution and the pooling before the blocks.
pub fn root(slim: &mut NetworkBuilder<'_>, images: TensorRef, args: &[Arg]) -> TensorRef {
    let net = slim.arg_scope(&[Layer::Conv2d], args, |slim| conv2d_same(slim, images, 64, 7, 2, 1, "conv1"));
    slim.max_pool2d(net, 3, "pool1", &[Arg::Stride(2)])
}

/// The stride of the convolution and the pooling before the blocks.
const ROOT_STRIDE: usize = 4;

fn unreachable_stride() -> Error {
    Error::new("output_stride", "the blocks cannot reach it")
}

/// Builds the blocks. Once the features have shrunk by `output_stride` (0: never), strides become rates.
pub fn stack_blocks_dense(
    slim: &mut NetworkBuilder<'_>,
    mut net: TensorRef,
    blocks: &[Block],
    build_unit: fn(&mut NetworkBuilder<'_>, TensorRef, Unit) -> TensorRef,
    output_stride: usize,
    store_non_strided_activations: bool,
) -> TensorRef {
    let (mut current_stride, mut rate) = (1, 1);
    for (block, number) in blocks.iter().zip(1..) {
        net = slim.variable_scope(&format!("block{number}"), |slim| {
            for i in 1..=block.num_units {
                let stride =
                    if i == block.num_units && !store_non_strided_activations { block.stride } else { 1 };
                let is_reached = current_stride == output_stride;
                let unit = if is_reached {
                    Unit { base_depth: block.base_depth, stride: 1, rate }
                } else {
                    Unit { base_depth: block.base_depth, stride, rate: 1 }
                };
                net = slim.variable_scope(&format!("unit_{i}"), |slim| build_unit(slim, net, unit));
                *(if is_reached { &mut rate } else { &mut current_stride }) *= stride;
            }
            slim.scoped_end_point("", net);
            if !store_non_strided_activations {
                return net;
            }
            if current_stride == output_stride {
                rate *= block.stride;
                return net;
            }
            current_stride *= block.stride;
            subsample(slim, net, block.stride, "MaxPool2D")
        });
    }
    if output_stride > 0 && current_stride != output_stride {
        let reached = unreachable_stride().advice("choose 4, 8, 16 or 32, or leave it out");
        slim.fail(reached);
    }
    net
}

/// Takes every `factor`-th row and column.
pub fn subsample(slim: &mut NetworkBuilder<'_>, net: TensorRef, factor: usize, scope: &str) -> TensorRef {
    if factor == 1 { net } else { slim.max_pool2d(net, 1, scope, &[Arg::Stride(factor)]) }
}

/// A convolution whose padding does not depend on the size of the image: with a stride it begins at the same
/// pixel as without.
pub fn conv2d_same(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    depth: usize,
    kernel: usize,
    stride: usize,
    rate: usize,
    scope: &str,
) -> TensorRef {
    if stride == 1 {
        return slim.conv2d(net, depth, kernel, scope, &[Arg::Rate(rate), SAME]);
    }
    let total = (kernel - 1) * rate;
    let net = slim.spatial_pad(net, total / 2, total - total / 2);
    slim.conv2d(net, depth, kernel, scope, &[Arg::Stride(stride), Arg::Rate(rate), VALID])
}

/// The end of a residual network: the mean over the image, and the classifier.
pub fn logits(slim: &mut NetworkBuilder<'_>, mut net: TensorRef, options: &Options) -> TensorRef {
    if options.flag("global_pool") {
        net = slim.spatial_mean(net, "pool5");
        slim.end_point("global_pool", net);
    }
    if options.num_classes() == 0 {
        return net;
    }
    net = slim.conv2d(net, options.num_classes(), 1, "logits", &[NO_ACTIVATION, NO_NORMALIZER]);
    if options.flag("spatial_squeeze") {
        net = slim.spatial_squeeze(net, "SpatialSqueeze");
        slim.scoped_end_point("spatial_squeeze", net);
    }
    let predictions = slim.softmax(net, "predictions");
    slim.end_point("predictions", predictions);
    net
}
