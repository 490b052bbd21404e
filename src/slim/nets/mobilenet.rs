//! The parts that MobileNet v2, v3 and EdgeTPU share: the networks are tables of convolutions and inverted bottlenecks.
//!
//! Sources: `research/slim/nets/mobilenet/mobilenet.py` and `conv_blocks.py`.

use std::borrow::Cow;

use crate::error::Error;
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_ACTIVATION, NO_NORMALIZER, SAME, VALID};
use crate::slim::options::{
    DEPTH_MULTIPLIER, FINEGRAIN_CLASSIFICATION_MODE, MIN_DEPTH, OUTPUT_STRIDE, OptionSource, OptionSpec,
    make_divisible,
};
use crate::slim::{Activation, Arg, ArgScope, Layer, NetworkBuilder, Normalizer, Options, UNNAMED, Value};

/// Whether the padding is independent of the size of the images.
pub const USE_EXPLICIT_PADDING: OptionSpec = OptionSpec {
    name: Cow::Borrowed("use_explicit_padding"),
    default: Value::Flag(false),
    source: OptionSource::User,
    help: "whether layers pad explicitly, the same for every image size, instead of with SAME",
};
/// The minimum number of channels, with any multiplier.
pub const LEAST_DEPTH: OptionSpec = OptionSpec { default: Value::Count(8), ..MIN_DEPTH };

/// The option for the depth multiplier, with the default of a variant.
pub const fn under_multiplier(depth_multiplier: f64) -> OptionSpec {
    OptionSpec { default: Value::Number(depth_multiplier), ..DEPTH_MULTIPLIER }
}

/// `mobilenet.training_scope`
pub fn training_scope() -> ArgScope {
    ArgScope::new()
        .nested(
            &[Layer::Conv2d, Layer::FullyConnected, Layer::SeparableConv2d],
            &[Arg::NormalizerFn(Some(Normalizer::BatchNorm))],
        )
        .nested(&[Layer::BatchNorm], &[Arg::Decay(0.997)])
}

/// A network as a table.
pub struct Definition {
    /// The activation of convolutions, unless their row has another one.
    pub activation: Activation,
    /// The rows, in the order from the images to the classifier.
    pub ops: Cow<'static, [Op]>,
    /// Whether `finegrain_classification_mode` exempts the last row from any multiplier, or only from one
    /// below 1.
    pub exempts_from_any_multiplier: bool,
    /// Whether explicit padding is before the depthwise convolution, not before the whole block.
    pub pads_inside_blocks: bool,
}

/// A row of the table.
#[derive(Clone, Copy)]
pub struct Op {
    kind: Kind,
    outputs: usize,
    kernel: usize,
    stride: usize,
    activation: Option<Activation>,
}

#[derive(Clone, Copy)]
enum Kind {
    /// `slim.conv2d`
    Conv { normalized: bool },
    /// `conv_blocks.expanded_conv`
    Bottleneck(Bottleneck),
    /// `mobilenet_v3.reduce_to_1x1`: the mean over the whole features.
    Reduce,
}

/// An inverted bottleneck: a convolution that expands, a depthwise one, and one that projects.
#[derive(Clone, Copy)]
struct Bottleneck {
    /// Channels inside, as a multiple of the input channels, and the number that they are rounded to a multiple of.
    expansion: f64,
    divisible_by: usize,
    squeeze_excite: bool,
    residual: bool,
    /// The kernel of an expansion that replaces the depthwise convolution.
    fused: Option<usize>,
}

/// A convolution of `kernel` by `kernel`.
pub const fn conv(outputs: usize, kernel: usize) -> Op {
    Op { kind: Kind::Conv { normalized: true }, outputs, kernel, stride: 1, activation: None }
}

/// A pointwise convolution with biases instead of batch norm.
pub const fn biased_conv(outputs: usize) -> Op {
    Op { kind: Kind::Conv { normalized: false }, ..conv(outputs, 1) }
}

/// A bottleneck around a depthwise convolution of `kernel` by `kernel`.
pub const fn bottleneck(expansion: f64, outputs: usize, kernel: usize) -> Op {
    let block = Bottleneck { expansion, divisible_by: 8, squeeze_excite: false, residual: true, fused: None };
    Op { kind: Kind::Bottleneck(block), ..conv(outputs, kernel) }
}

/// A bottleneck whose expansion is a full convolution of `kernel` by `kernel`, without a depthwise one.
pub const fn fused_bottleneck(expansion: f64, outputs: usize, kernel: usize) -> Op {
    let row = bottleneck(expansion, outputs, 1);
    row.with(Bottleneck { fused: Some(kernel), ..row.block() })
}

/// The mean over the whole features.
pub const REDUCE: Op = Op { kind: Kind::Reduce, ..conv(0, 7) };

impl Op {
    pub const fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// Sets the activation of the convolution, or of those inside the bottleneck.
    pub const fn activation(self, activation: Activation) -> Self {
        Self { activation: Some(activation), ..self }
    }

    /// The bottleneck with squeeze-and-excite before its projection.
    pub const fn squeezed(self) -> Self {
        self.with(Bottleneck { squeeze_excite: true, ..self.block() })
    }

    /// The bottleneck without its residual connection.
    pub const fn without_residual(self) -> Self {
        self.with(Bottleneck { residual: false, ..self.block() })
    }

    /// The bottleneck, with any number of channels inside.
    pub const fn unrounded(self) -> Self {
        self.with(Bottleneck { divisible_by: 1, ..self.block() })
    }

    /// The number of output channels.
    pub const fn depth(&self) -> usize {
        self.outputs
    }

    /// Whether the row is a bottleneck.
    pub const fn is_bottleneck(&self) -> bool {
        matches!(self.kind, Kind::Bottleneck(_))
    }

    /// The row with half of its output channels.
    pub const fn halved(self) -> Self {
        Self { outputs: self.outputs / 2, ..self }
    }

    const fn with(self, block: Bottleneck) -> Self {
        Self { kind: Kind::Bottleneck(block), ..self }
    }

    const fn block(self) -> Bottleneck {
        match self.kind {
            Kind::Bottleneck(block) => block,
            _ => panic!("the row is a bottleneck"),
        }
    }
}

/// The strides and rates of consecutive convolutions. Once the features have shrunk by `output_stride`, strides become
/// rates of the following convolutions.
pub struct AtrousStride {
    output_stride: usize,
    current: usize,
    rate: usize,
}

impl AtrousStride {
    pub fn new(options: &Options) -> Self {
        Self { output_stride: options.count(&OUTPUT_STRIDE.name), current: 1, rate: 1 }
    }

    /// The stride and rate of the next convolution, whose nominal stride is `stride`.
    pub fn next(&mut self, stride: usize) -> (usize, usize) {
        if self.current == self.output_stride {
            let rate = self.rate;
            self.rate *= stride;
            (1, rate)
        } else {
            self.current *= stride;
            (stride, 1)
        }
    }
}

/// `mobilenet.mobilenet`: the table, then the classifier.
pub fn mobilenet(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
    definition: &Definition,
) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        let net = slim.identity(images, "input");
        let net = layers(slim, net, options, definition);
        let net = slim.identity(net, "embedding");
        let net = slim.variable_scope("Logits", |slim| logits(slim, net, options));
        if options.num_classes() > 0 {
            slim.end_point("Logits", net);
            let predictions = slim.softmax(net, "Predictions");
            slim.end_point("Predictions", predictions);
        }
        net
    })
}

/// `mobilenet_base` in the open variable scope: the table alone.
pub fn mobilenet_base(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
    definition: &Definition,
) -> TensorRef {
    let net = slim.reenter_scope(|slim| slim.identity(images, "input"));
    layers(slim, net, options, definition)
}

/// The table under the defaults of its layers.
fn layers(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    options: &Options,
    definition: &Definition,
) -> TensorRef {
    slim.arg_scope(&[Layer::BatchNorm], &[Arg::Center(true), Arg::Scale(true)], |slim| {
        let padding = if options.flag(&USE_EXPLICIT_PADDING.name) { VALID } else { SAME };
        let convolutions = [Layer::Conv2d, Layer::SeparableConv2d];
        let activation = Arg::ActivationFn(Some(definition.activation));
        let normalizer = Arg::NormalizerFn(Some(Normalizer::BatchNorm));
        slim.arg_scope(&convolutions, &[activation, normalizer, padding], |slim| {
            base(slim, net, options, definition)
        })
    })
}

fn logits(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    let net = match slim.height_and_width(net) {
        Some(size) => slim.plain_avg_pool(net, size, 1),
        None => slim.spatial_mean(net, "Mean"),
    };
    slim.end_point("global_pool", net);
    if options.num_classes() == 0 {
        return net;
    }
    let net = slim.dropout(net, "Dropout");
    let net = slim.conv2d(net, options.num_classes(), 1, "Conv2d_1c_1x1", &[NO_ACTIVATION, NO_NORMALIZER]);
    let net = slim.spatial_squeeze(net, "Squeeze");
    slim.identity(net, "output")
}

fn base(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
    definition: &Definition,
) -> TensorRef {
    let output_stride = options.count(&OUTPUT_STRIDE.name);
    if output_stride > 1 && output_stride % 2 == 1 {
        slim.fail(Error::new(&OUTPUT_STRIDE.name, "MobileNet supports 1 or an even number"));
    }
    let explicit = options.flag(&USE_EXPLICIT_PADDING.name);
    let mut strides = AtrousStride::new(options);
    let mut net = images;
    for (layer, op) in (1..).zip(&*definition.ops) {
        let is_last = layer == definition.ops.len();
        let outputs =
            if is_last && keeps_depth(options, definition) { op.outputs } else { options.depth(op.outputs) };
        let (stride, rate) = strides.next(op.stride);
        let pads_inside = definition.pads_inside_blocks && matches!(op.kind, Kind::Bottleneck(_));
        if explicit && !pads_inside && !matches!(op.kind, Kind::Reduce) {
            net = slim.fixed_padding(net, op.kernel, rate);
        }
        let name = format!("layer_{layer}");
        net = match op.kind {
            Kind::Conv { normalized } => {
                let rate = if op.kernel == 1 { 1 } else { rate };
                let mut args = vec![Arg::Stride(stride), Arg::Rate(rate)];
                args.extend(op.activation.map(|activation| Arg::ActivationFn(Some(activation))));
                args.extend((!normalized).then_some(NO_NORMALIZER));
                slim.conv2d(net, outputs, op.kernel, UNNAMED, &args)
            }
            Kind::Bottleneck(block) => {
                let inner = op.activation.map(|activation| Arg::ActivationFn(Some(activation)));
                let padding = if explicit && pads_inside { VALID } else { SAME };
                let row = Op { outputs, ..*op };
                slim.arg_scope(&[Layer::Conv2d, Layer::SeparableConv2d], inner.as_slice(), |slim| {
                    slim.default_scope("expanded_conv", |slim| {
                        expanded_conv(slim, net, &row, &block, (stride, rate, padding), &name)
                    })
                })
            }
            Kind::Reduce => reduce_to_1x1(slim, net, op.kernel),
        };
        slim.end_point(&name, net);
    }
    net
}

/// Whether the last row keeps its channels with this multiplier.
fn keeps_depth(options: &Options, definition: &Definition) -> bool {
    options.flag(&FINEGRAIN_CLASSIFICATION_MODE.name)
        && (definition.exempts_from_any_multiplier || options.number(&DEPTH_MULTIPLIER.name) < 1.0)
}

/// An inverted bottleneck. `name` is the name of its row in the end points.
fn expanded_conv(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    row: &Op,
    block: &Bottleneck,
    (stride, rate, padding): (usize, usize, Arg),
    name: &str,
) -> TensorRef {
    let input = slim.identity(net, "input");
    let channels = slim.channels(input);
    let inside = make_divisible(channels as f64 * block.expansion, block.divisible_by, block.divisible_by);
    let mut net = input;
    if inside > channels {
        net = match block.fused {
            // The stride belongs to the expansion and never becomes a rate.
            Some(kernel) => slim.conv2d(net, inside, kernel, "expand", &[Arg::Stride(row.stride)]),
            None => slim.conv2d(net, inside, 1, "expand", &[]),
        };
        net = slim.identity(net, "expansion_output");
        slim.end_point(&format!("{name}/expansion_output"), net);
    }
    if block.fused.is_none() {
        if padding == VALID {
            net = slim.fixed_padding(net, row.kernel, rate);
        }
        let args = [Arg::Stride(stride), Arg::Rate(rate), padding];
        net = slim.depthwise_conv2d(net, row.kernel, "depthwise", &args);
        net = slim.identity(net, "depthwise_output");
        slim.end_point(&format!("{name}/depthwise_output"), net);
    }
    if block.squeeze_excite {
        net = slim.variable_scope("squeeze_excite", |slim| squeeze_excite(slim, net));
    }
    let linear = Arg::ActivationFn(Some(Activation::Identity));
    net = slim.conv2d(net, row.outputs, 1, "project", &[linear]);
    if block.residual && stride == 1 && row.outputs == channels {
        net = slim.sum(net, input);
    }
    let net = slim.identity(net, "output");
    slim.end_point(&format!("{name}/output"), net)
}

/// `conv_blocks.squeeze_excite` with the arguments of MobileNet v3.
fn squeeze_excite(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    const SQUEEZE_FACTOR: f64 = 4.0;
    let channels = slim.channels(net);
    let squeezed = make_divisible(channels as f64 / SQUEEZE_FACTOR, 8, 8);
    let mut gate = slim.spatial_mean(net, "Mean");
    for (depth, activation) in [(squeezed, Activation::Relu), (channels, Activation::HardSigmoid)] {
        let args = [NO_NORMALIZER, Arg::ActivationFn(Some(activation))];
        gate = slim.conv2d(gate, depth, 1, UNNAMED, &args);
    }
    slim.product(net, gate)
}

/// The mean over a square image, or over windows of `default` by `default`.
fn reduce_to_1x1(slim: &mut NetworkBuilder<'_>, net: TensorRef, default: usize) -> TensorRef {
    let size = match slim.height_and_width(net) {
        Some([height, width]) if height == width => height,
        _ => default,
    };
    slim.avg_pool2d(net, size, "AvgPool2D", &[Arg::Stride(1), VALID])
}
