//! MobileDet (<https://arxiv.org/abs/2004.14525>): backbones that were searched for on processors, for detection.
//!
//! Source: `research/object_detection/models/ssd_mobiledet_feature_extractor.py`.

use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_NORMALIZER, SAME, VALID};
use crate::slim::{Activation, Arg, ArgScope, Layer, NetworkBuilder, Normalizer, UNNAMED};

use super::mobiledet_rows::Row;

/// A backbone as a table.
pub struct MobileDet {
    pub activation: Activation,
    /// Whether its bottlenecks have squeeze-and-excite.
    pub squeeze_excite: bool,
    /// Channels of the first convolution.
    pub stem: usize,
    pub rows: &'static [Row],
}

/// The kind of a block.
#[derive(Debug, Clone, Copy)]
pub enum Block {
    /// A depthwise convolution without expansion.
    NoExpansion,
    /// An inverted bottleneck with this expansion.
    Bottleneck(usize),
    /// An expansion by a full convolution, without a depthwise one.
    Fused(usize),
    /// Compression, a convolution, expansion; the ratios of the channels inside to those of input and output.
    Tucker(f64, f64),
}

/// `_scale_filters`: a multiple of 8.
fn scaled(filters: f64, multiplier: f64) -> usize {
    let rounded = (filters * multiplier / 8.0 + 0.5) as usize;
    (8 * rounded).max(8)
}

/// Builds the backbone. Its end points are `C1` to `C5`.
pub fn backbone(slim: &mut NetworkBuilder<'_>, images: TensorRef, backbone: &MobileDet, multiplier: f64) {
    let batch_norm = [Arg::Epsilon(0.01), Arg::Decay(0.99), Arg::Center(true), Arg::Scale(true)];
    let normalizer = Arg::NormalizerFn(Some(Normalizer::BatchNorm));
    let activation = Arg::ActivationFn(Some(backbone.activation));
    let scope = ArgScope::new()
        .nested(&[Layer::BatchNorm], &batch_norm)
        .nested(&[Layer::Conv2d, Layer::SeparableConv2d], &[normalizer, activation, SAME]);
    slim.arg_scopes(&scope, |slim| {
        let depth = |filters: usize| scaled(filters as f64, multiplier);
        let stem = depth(backbone.stem);
        let mut net = slim.conv2d(images, stem, 3, UNNAMED, &[Arg::Stride(2)]);
        for row in backbone.rows {
            net = block(slim, net, row, depth(row.outputs), backbone);
            if let Some(name) = row.end_point {
                slim.end_point(name, net);
            }
        }
    });
}

fn block(
    slim: &mut NetworkBuilder<'_>,
    shortcut: TensorRef,
    row: &Row,
    outputs: usize,
    backbone: &MobileDet,
) -> TensorRef {
    let (stride, linear) = (Arg::Stride(row.stride), Arg::ActivationFn(Some(Activation::Identity)));
    let scope = match row.block {
        Block::NoExpansion => "IBNNoExpansion",
        Block::Bottleneck(_) => "IBN",
        Block::Fused(_) => "FusedConv",
        Block::Tucker(..) => "TuckerConv",
    };
    slim.default_scope(scope, |slim| {
        let channels = slim.channels(shortcut);
        let mut net = shortcut;
        match row.block {
            Block::NoExpansion => net = slim.depthwise_conv2d(net, row.kernel, UNNAMED, &[stride]),
            Block::Bottleneck(expansion) => {
                net = slim.conv2d(net, channels * expansion, 1, UNNAMED, &[]);
                net = slim.depthwise_conv2d(net, row.kernel, UNNAMED, &[stride]);
            }
            Block::Fused(expansion) => {
                net = slim.conv2d(net, channels * expansion, row.kernel, UNNAMED, &[stride]);
            }
            Block::Tucker(of_input, of_output) => {
                net = slim.conv2d(net, scaled(channels as f64, of_input), 1, UNNAMED, &[]);
                net = slim.conv2d(net, scaled(outputs as f64, of_output), row.kernel, UNNAMED, &[stride]);
            }
        }
        if backbone.squeeze_excite {
            net = squeeze_excite(slim, net, backbone.activation);
        }
        net = slim.conv2d(net, outputs, 1, UNNAMED, &[linear]);
        if row.residual { slim.sum(net, shortcut) } else { net }
    })
}

fn squeeze_excite(slim: &mut NetworkBuilder<'_>, net: TensorRef, activation: Activation) -> TensorRef {
    let channels = slim.channels(net);
    slim.default_scope("SqueezeExcite", |slim| {
        let size = slim.height_and_width(net).unwrap_or([1, 1]);
        let mut gate = slim.avg_pool2d(net, size, "AvgPool2D", &[Arg::Stride(1), VALID]);
        for (depth, activation) in
            [(scaled(channels as f64, 0.25), activation), (channels, Activation::Sigmoid)]
        {
            gate =
                slim.conv2d(gate, depth, 1, UNNAMED, &[NO_NORMALIZER, Arg::ActivationFn(Some(activation))]);
        }
        slim.product(gate, net)
    })
}
