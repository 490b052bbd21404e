//! slim's `arg_scope`: nested defaults for the arguments of layers. Checkpoints do not contain them.
//!
//! Source: `tf_slim/ops/arg_scope.py`, and the signatures of the layers in `tf_slim/layers/layers.py`.

use crate::graph::Padding;

/// A layer function of slim that uses defaults from an arg_scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the variants are the functions' own names
pub enum Layer {
    Conv2d,
    Conv3d,
    SeparableConv2d,
    Conv2dTranspose,
    FullyConnected,
    BatchNorm,
    MaxPool2d,
    MaxPool3d,
    AvgPool2d,
    AvgPool3d,
}

/// The values of `activation_fn`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)] // the variants are the functions' own names
pub enum Activation {
    Relu,
    Relu6,
    /// `tf.nn.leaky_relu` with this `alpha`.
    LeakyRelu(f32),
    /// A ReLU whose slope for negative numbers is a variable of this name, with an element for each channel.
    PRelu(&'static str),
    Elu,
    Tanh,
    Sigmoid,
    Identity,
    /// `tf.nn.swish`
    Swish,
    /// `tf.clip_by_value(x, -6, 6)`, the bounded activation of DeepLab's Xception.
    Clip,
    /// `mobilenet_v3.hard_swish`: `x * relu6(x + 3) / 6`.
    HardSwish,
    /// The same under the name that it has in MobileDet.
    Swish6,
    /// The gate of MobileNet v3's squeeze-and-excite: `relu6(x + 3) * 0.16667`.
    HardSigmoid,
}

/// The values of `normalizer_fn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalizer {
    /// `slim.batch_norm`
    BatchNorm,
}

/// A keyword argument of a layer, under slim's name.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg {
    /// `stride`, the same along both axes.
    Stride(usize),
    /// `stride` of a volume: frames, rows, columns.
    Stride3d([usize; 3]),
    /// `padding`
    Padding(Padding),
    /// `rate`: dilation, the same along both axes.
    Rate(usize),
    /// `biases_initializer`: whether a layer without a normalizer has biases.
    BiasesInitializer(bool),
    /// `outputs_collections`: whether the layer's output is an end point with the name of its scope.
    OutputsCollections(bool),
    /// `activation_fn`
    ActivationFn(Option<Activation>),
    /// `normalizer_fn`
    NormalizerFn(Option<Normalizer>),
    /// `normalizer_params`
    NormalizerParams(Vec<Arg>),
    /// `decay` of the moving averages, used in training only.
    Decay(f32),
    /// `epsilon`, added to the variance.
    Epsilon(f32),
    /// `center`: whether there is a beta.
    Center(bool),
    /// `scale`: whether there is a gamma.
    Scale(bool),
    /// `fused`: whether the batch norm is a single op.
    Fused(bool),
}

/// `padding='SAME'`
pub const SAME: Arg = Arg::Padding(Padding::Same);
/// `padding='VALID'`
pub const VALID: Arg = Arg::Padding(Padding::Valid);
/// `activation_fn=None`
pub const NO_ACTIVATION: Arg = Arg::ActivationFn(None);
/// `normalizer_fn=None`
pub const NO_NORMALIZER: Arg = Arg::NormalizerFn(None);

/// `biases_initializer=None`
pub const NO_BIASES: Arg = Arg::BiasesInitializer(false);

/// `outputs_collections=…`: the output of every layer is an end point.
pub const COLLECTED: Arg = Arg::OutputsCollections(true);

/// Defaults for the arguments of layers. The innermost default for an argument wins.
#[derive(Debug, Clone, Default)]
pub struct ArgScope {
    defaults: Vec<(Layer, Arg)>,
}

impl ArgScope {
    /// A scope without defaults, so that slim's own defaults apply.
    pub fn new() -> Self {
        Self::default()
    }

    /// This scope with a nested scope, in which `args` are the defaults of `layers`.
    #[must_use]
    pub fn nested(mut self, layers: &[Layer], args: &[Arg]) -> Self {
        self.enter(layers, args);
        self
    }

    /// Enters a nested scope, in which `args` are the defaults of `layers`. Returns the depth for [`ArgScope::leave`].
    pub fn enter(&mut self, layers: &[Layer], args: &[Arg]) -> usize {
        let depth = self.defaults.len();
        for &layer in layers {
            self.defaults.extend(args.iter().map(|arg| (layer, arg.clone())));
        }
        depth
    }

    /// Enters a nested scope with all defaults of another one. Returns the depth for [`ArgScope::leave`].
    pub fn enter_all(&mut self, other: &Self) -> usize {
        let depth = self.defaults.len();
        self.defaults.extend_from_slice(&other.defaults);
        depth
    }

    /// Leaves the scope that [`ArgScope::enter`] entered.
    pub fn leave(&mut self, depth: usize) {
        self.defaults.truncate(depth);
    }

    /// The arguments of a call, in the order of increasing precedence: the scopes' from the outside in, then the call's
    /// own.
    pub fn arguments(&self, layer: Layer, call_arguments: &[Arg]) -> Vec<Arg> {
        let defaults = self.defaults.iter().filter(|(known, _)| *known == layer).map(|(_, arg)| arg);
        defaults.chain(call_arguments).cloned().collect()
    }
}

/// The arguments of a convolution or fully connected layer.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvArgs {
    /// The stride of the window.
    pub stride: usize,
    /// The padding at the border.
    pub padding: Padding,
    /// The dilation.
    pub rate: usize,
    /// Whether a layer without a normalizer has biases.
    pub biases: bool,
    /// Whether the output is an end point.
    pub is_collected: bool,
    /// The activation function, if any.
    pub activation_fn: Option<Activation>,
    /// The normalizer, if any. A layer with a normalizer has no biases.
    pub normalizer_fn: Option<Normalizer>,
    /// Arguments for the normalizer.
    pub normalizer_params: Vec<Arg>,
}

impl ConvArgs {
    /// slim's defaults for `conv2d`, `separable_conv2d` and `fully_connected`, overridden by `args`.
    ///
    /// # Errors
    /// The first argument that these layers do not have.
    pub fn resolve(args: &[Arg]) -> Result<Self, Arg> {
        let mut resolved = Self {
            stride: 1,
            padding: Padding::Same,
            rate: 1,
            biases: true,
            is_collected: false,
            activation_fn: Some(Activation::Relu),
            normalizer_fn: None,
            normalizer_params: vec![],
        };
        for arg in args {
            match arg {
                Arg::Stride(stride) => resolved.stride = *stride,
                Arg::Padding(padding) => resolved.padding = padding.clone(),
                Arg::Rate(rate) => resolved.rate = *rate,
                Arg::BiasesInitializer(biases) => resolved.biases = *biases,
                Arg::OutputsCollections(is_collected) => resolved.is_collected = *is_collected,
                Arg::ActivationFn(activation) => resolved.activation_fn = *activation,
                Arg::NormalizerFn(normalizer) => resolved.normalizer_fn = *normalizer,
                Arg::NormalizerParams(params) => resolved.normalizer_params.clone_from(params),
                other => return Err(other.clone()),
            }
        }
        Ok(resolved)
    }
}

/// The arguments of a pooling layer.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolArgs {
    /// The stride of the window.
    pub stride: usize,
    /// The padding at the border.
    pub padding: Padding,
    /// Whether the output is an end point.
    pub is_collected: bool,
}

impl PoolArgs {
    /// slim's defaults for `max_pool2d` and `avg_pool2d`, overridden by `args`.
    ///
    /// # Errors
    /// The first argument that these layers do not have.
    pub fn resolve(args: &[Arg]) -> Result<Self, Arg> {
        let mut resolved = Self { stride: 2, padding: Padding::Valid, is_collected: false };
        for arg in args {
            match arg {
                Arg::Stride(stride) => resolved.stride = *stride,
                Arg::Padding(padding) => resolved.padding = padding.clone(),
                Arg::OutputsCollections(is_collected) => resolved.is_collected = *is_collected,
                other => return Err(other.clone()),
            }
        }
        Ok(resolved)
    }
}

/// The arguments of `batch_norm`.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNormArgs {
    /// Decay of the moving averages.
    pub decay: f32,
    /// Whether the scope has a beta.
    pub center: bool,
    /// Whether the scope has a gamma.
    pub scale: bool,
    /// The number that is added to the variance.
    pub epsilon: f32,
    /// Whether it is a single op.
    pub fused: bool,
    /// The activation function, if any.
    pub activation_fn: Option<Activation>,
}

impl BatchNormArgs {
    /// slim's defaults for `batch_norm`, overridden by `args`. Many checkpoints hold no gamma because `scale` is false by
    /// default.
    ///
    /// # Errors
    /// The first argument that `batch_norm` does not have.
    pub fn resolve(args: &[Arg]) -> Result<Self, Arg> {
        let mut resolved = Self {
            decay: 0.999,
            center: true,
            scale: false,
            epsilon: 0.001,
            fused: true,
            activation_fn: None,
        };
        for arg in args {
            match arg {
                Arg::Decay(decay) => resolved.decay = *decay,
                Arg::Center(center) => resolved.center = *center,
                Arg::Scale(scale) => resolved.scale = *scale,
                Arg::Epsilon(epsilon) => resolved.epsilon = *epsilon,
                Arg::Fused(fused) => resolved.fused = *fused,
                Arg::ActivationFn(activation) => resolved.activation_fn = *activation,
                other => return Err(other.clone()),
            }
        }
        Ok(resolved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_scope_wins_and_the_call_wins_over_it() {
        let mut scope = ArgScope::new().nested(&[Layer::Conv2d], &[Arg::Stride(2), SAME]);
        let depth = scope.enter(&[Layer::Conv2d, Layer::MaxPool2d], &[VALID]);
        let args = ConvArgs::resolve(&scope.arguments(Layer::Conv2d, &[Arg::Stride(3)])).unwrap();
        assert_eq!((args.stride, args.padding), (3, Padding::Valid));
        scope.leave(depth);
        let args = ConvArgs::resolve(&scope.arguments(Layer::Conv2d, &[])).unwrap();
        assert_eq!((args.stride, args.padding), (2, Padding::Same));
    }

    #[test]
    fn batch_norm_has_slims_defaults() {
        let args = BatchNormArgs::resolve(&[]).unwrap();
        assert_eq!((args.decay, args.center, args.scale, args.epsilon), (0.999, true, false, 0.001));
    }

    #[test]
    fn an_argument_of_another_layer_is_refused() {
        assert_eq!(PoolArgs::resolve(&[Arg::Rate(2)]), Err(Arg::Rate(2)));
    }
}
