//! slim's layers. Each builds the same nodes under the same names as slim.
//!
//! Source: `tf_slim/layers/layers.py`. All layers are built for inference (`is_training=False`).

use super::arg_scope::{BatchNormArgs, ConvArgs, PoolArgs};
use super::layers_3d::BatchNormParts;
use super::shape_ops::Operand;
use super::{Arg, Kernel, Layer, NetworkBuilder, Normalizer};
use crate::error::Error;
use crate::graph::{Attr, Padding, TensorRef};
use crate::setting::Setting;
use crate::tensor::{Constant, DType};

/// A layer for which the arg_scope and the checkpoint disagree about a variable. The network follows the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeDisagreement {
    /// The variable, with its scopes.
    pub variable: String,
    /// Whether the checkpoint holds it.
    pub stored: bool,
}

/// The spatial axes of `NHWC` images: rows and columns.
const SPATIAL: [i64; 2] = [1, 2];

impl NetworkBuilder<'_> {
    /// `slim.conv2d`: convolution, then batch norm or biases, then activation.
    pub fn conv2d(
        &mut self,
        net: TensorRef,
        num_outputs: usize,
        kernel: impl Into<Kernel>,
        scope: &str,
        args: &[Arg],
    ) -> TensorRef {
        let args = self.scope.arguments(Layer::Conv2d, args);
        let Some(args) = self.resolved(ConvArgs::resolve(&args)) else { return net };
        let Kernel([height, width]) = kernel.into();
        self.layer_scope(scope, "Conv", |slim| {
            let channels = slim.channels(net);
            let weights = slim.variable("weights", &[height, width, channels, num_outputs]);
            let net = if args.rate > 1 {
                slim.atrous(["Conv2D"; 2], [net, weights], [height, width], args.rate, &args.padding)
            } else {
                slim.op("Conv2D", "Conv2D", &[net, weights], convolution_attrs(&args))
            };
            slim.normalized_and_activated(net, num_outputs, &args)
        })
    }

    /// `slim.separable_conv2d`: a depthwise convolution with `depth_multiplier` filters for each channel, then a pointwise
    /// one.
    pub fn separable_conv2d(
        &mut self,
        net: TensorRef,
        num_outputs: usize,
        kernel: impl Into<Kernel>,
        depth_multiplier: usize,
        scope: &str,
        args: &[Arg],
    ) -> TensorRef {
        let args = self.scope.arguments(Layer::SeparableConv2d, args);
        let Some(args) = self.resolved(ConvArgs::resolve(&args)) else { return net };
        let Kernel([height, width]) = kernel.into();
        self.variable_scope(scope, |slim| {
            let channels = slim.channels(net);
            let depthwise = slim.variable("depthwise_weights", &[height, width, channels, depth_multiplier]);
            let pointwise =
                slim.variable("pointwise_weights", &[1, 1, channels * depth_multiplier, num_outputs]);
            let attrs = convolution_attrs(&args);
            let net =
                slim.op("separable_conv2d/depthwise", "DepthwiseConv2dNative", &[net, depthwise], attrs);
            let attrs = [("strides", Attr::Ints(vec![1; 4])), ("padding", "VALID".into())];
            let net = slim.op("separable_conv2d", "Conv2D", &[net, pointwise], attrs);
            slim.normalized_and_activated(net, num_outputs, &args)
        })
    }

    /// `slim.fully_connected` of a `[batch, features]` tensor.
    pub fn fully_connected(
        &mut self,
        net: TensorRef,
        num_outputs: usize,
        scope: &str,
        args: &[Arg],
    ) -> TensorRef {
        let args = self.scope.arguments(Layer::FullyConnected, args);
        let Some(args) = self.resolved(ConvArgs::resolve(&args)) else { return net };
        self.variable_scope(scope, |slim| {
            let features = slim.channels(net);
            let weights = slim.variable("weights", &[features, num_outputs]);
            let net = slim.op("MatMul", "MatMul", &[net, weights], []);
            slim.normalized_and_activated(net, num_outputs, &args)
        })
    }

    /// The end of every layer with weights: a normalizer or biases, then the activation.
    pub(super) fn normalized_and_activated(
        &mut self,
        net: TensorRef,
        channels: usize,
        args: &ConvArgs,
    ) -> TensorRef {
        let net = match args.normalizer_fn {
            Some(Normalizer::BatchNorm) => self.batch_norm(net, &args.normalizer_params),
            None if !args.biases => net,
            None => {
                let biases = self.variable("biases", &[channels]);
                self.op("BiasAdd", "BiasAdd", &[net, biases], [])
            }
        };
        let net = self.activated(net, args.activation_fn);
        if args.is_collected { self.scoped_end_point("", net) } else { net }
    }

    /// `slim.batch_norm` with the moving averages of training.
    ///
    /// The checkpoint decides whether there are a gamma and a beta. If one is not stored, slim uses a constant: ones for
    /// gamma, zeros for beta.
    pub fn batch_norm(&mut self, net: TensorRef, args: &[Arg]) -> TensorRef {
        self.batch_norm_in("BatchNorm", net, args)
    }

    /// `slim.batch_norm` in a scope of another name.
    pub fn batch_norm_in(&mut self, scope: &str, net: TensorRef, args: &[Arg]) -> TensorRef {
        let args = self.scope.arguments(Layer::BatchNorm, args);
        let Some(args) = self.resolved(BatchNormArgs::resolve(&args)) else { return net };
        self.variable_scope(scope, |slim| {
            let shape = [slim.channels(net)];
            let has_gamma = slim.holds("gamma", args.scale);
            let has_beta = slim.holds("beta", args.center);
            // slim's order: gamma, beta, moving averages; then the constants.
            let gamma = has_gamma.then(|| slim.variable("gamma", &shape));
            let beta = has_beta.then(|| slim.variable("beta", &shape));
            let mean = slim.variable("moving_mean", &shape);
            let variance = slim.variable("moving_variance", &shape);
            if !args.fused {
                let parts = BatchNormParts { gamma, beta, mean, variance };
                // slim has used the name "batchnorm" for nodes of training already.
                let net = slim.unfused_batch_norm("batchnorm_1", net, &parts, args.epsilon);
                return slim.activated(net, args.activation_fn);
            }
            let gamma =
                gamma.unwrap_or_else(|| slim.constant("Const", Constant::filled(shape.to_vec(), 1.0)));
            let beta = beta.unwrap_or_else(|| slim.constant("Const", Constant::filled(shape.to_vec(), 0.0)));
            let net = slim.op(
                "FusedBatchNormV3",
                "FusedBatchNormV3",
                &[net, gamma, beta, mean, variance],
                [("epsilon", Attr::Float(args.epsilon)), ("is_training", Attr::Bool(false))],
            );
            slim.activated(net, args.activation_fn)
        })
    }

    /// Whether the checkpoint holds a variable of the open scope. Records a disagreement with the arg_scope.
    pub(super) fn holds(&mut self, name: &str, expected: bool) -> bool {
        let variable = self.variable_name(name);
        let stored = self.variables.contains_key(&variable);
        // If the checkpoint holds no variable of the batch norm, the arg_scope decides, and the conversion reports the
        // missing variables.
        if !stored && !self.variables.contains_key(&self.variable_name("moving_mean")) {
            return expected;
        }
        if stored != expected {
            self.disagreements.push(ScopeDisagreement { variable, stored });
        }
        stored
    }

    /// `slim.max_pool2d`
    pub fn max_pool2d(
        &mut self,
        net: TensorRef,
        kernel: impl Into<Kernel>,
        scope: &str,
        args: &[Arg],
    ) -> TensorRef {
        self.pool2d(Layer::MaxPool2d, "MaxPool", net, kernel.into(), scope, args)
    }

    /// `slim.avg_pool2d`
    pub fn avg_pool2d(
        &mut self,
        net: TensorRef,
        kernel: impl Into<Kernel>,
        scope: &str,
        args: &[Arg],
    ) -> TensorRef {
        self.pool2d(Layer::AvgPool2d, "AvgPool", net, kernel.into(), scope, args)
    }

    fn pool2d(
        &mut self,
        layer: Layer,
        op: &str,
        net: TensorRef,
        Kernel([height, width]): Kernel,
        scope: &str,
        args: &[Arg],
    ) -> TensorRef {
        let args = self.scope.arguments(layer, args);
        let Some(args) = self.resolved(PoolArgs::resolve(&args)) else { return net };
        let stride = args.stride as i64;
        let attrs = [
            ("ksize", Attr::Ints(vec![1, height as i64, width as i64, 1])),
            ("strides", Attr::Ints(vec![1, stride, stride, 1])),
            ("padding", padding_attr(&args.padding)),
        ];
        let net = self.name_scope(scope, |slim| slim.op(op, op, &[net], attrs));
        if args.is_collected { self.scoped_end_point(scope, net) } else { net }
    }

    /// `slim.dropout`, which does nothing in inference.
    pub fn dropout(&mut self, net: TensorRef, scope: &str) -> TensorRef {
        self.name_scope(scope, |slim| slim.op("Identity", "Identity", &[net], []))
    }

    /// `slim.one_hot_encoding`
    pub fn one_hot_encoding(&mut self, labels: TensorRef, num_classes: usize) -> TensorRef {
        self.name_scope("OneHotEncoding", |slim| {
            let labels = match slim.dtype(labels) {
                DType::Int32 => slim.cast_as("ToInt64", labels, DType::Int64),
                _ => labels,
            };
            let number = |value| Constant::from_f32(vec![], &[value]);
            let operands = [
                Operand::Tensor(labels),
                Operand::Constant("depth", Constant::from_i32(vec![], &[num_classes as i32])),
                Operand::Constant("Const", number(1.0)),
                Operand::Constant("Const_1", number(0.0)),
            ];
            slim.op_of("one_hot", "OneHot", &operands, [])
        })
    }

    /// `slim.flatten`: everything but the batch becomes one axis.
    pub fn flatten(&mut self, net: TensorRef, scope: &str) -> TensorRef {
        let dims = self.shape(net).dims().unwrap_or_default().iter().skip(1);
        let Some(features) = dims.copied().try_fold(1, |product, dim| Some(product * dim?)) else {
            let problem = "a fully connected layer needs images of known size";
            self.fail(
                Error::new("image size", problem).advice(format!("give one with {}", Setting::ImageSize)),
            );
            return net;
        };
        self.name_scope(scope, |slim| {
            slim.name_scope("flatten", |slim| {
                let shape = slim.constant("Const", Constant::from_i32(vec![2], &[-1, features as i32]));
                slim.op("Reshape", "Reshape", &[net, shape], [])
            })
        })
    }

    /// `slim.softmax` over the last axis: flattens to two axes and back.
    pub fn softmax(&mut self, logits: TensorRef, scope: &str) -> TensorRef {
        let classes = self.channels(logits);
        self.name_scope(scope, |slim| {
            let rows = Constant::from_i32(vec![2], &[-1, classes as i32]);
            let net = slim.op_with_constant("Reshape", "Reshape", &[logits], ("shape", rows), []);
            let net = slim.op("Softmax", "Softmax", &[net], []);
            let shape = slim.op("Shape", "Shape", &[logits], []);
            slim.op("Reshape", "Reshape", &[net, shape], [])
        })
    }

    /// `tf.nn.softmax`
    pub fn plain_softmax(&mut self, logits: TensorRef, name: &str) -> TensorRef {
        self.op(name, "Softmax", &[logits], [])
    }

    /// `tf.squeeze(net, [1, 2])`
    pub fn spatial_squeeze(&mut self, net: TensorRef, name: &str) -> TensorRef {
        if let Some([height, width]) = self.height_and_width(net)
            && (height, width) != (1, 1)
        {
            let problem = format!("it leaves {height}x{width} logits, not one for the whole image");
            self.fail(Error::new("image size", problem).advice(format!(
                "choose another {}, or {} or spatial_squeeze=false",
                Setting::ImageSize,
                Setting::NetworkOption.to("global_pool=true")
            )));
            return net;
        }
        self.op(name, "Squeeze", &[net], [("squeeze_dims", Attr::Ints(SPATIAL.to_vec()))])
    }

    /// `tf.reduce_mean(net, [1, 2], keepdims=True)`
    pub fn spatial_mean(&mut self, net: TensorRef, name: &str) -> TensorRef {
        let axes = [SPATIAL[0] as i32, SPATIAL[1] as i32];
        let axes = ("reduction_indices", Constant::from_i32(vec![2], &axes));
        self.op_with_constant(name, "Mean", &[net], axes, [("keep_dims", Attr::Bool(true))])
    }

    /// `tf.concat` along the channels.
    pub fn concat(&mut self, branches: &[TensorRef]) -> TensorRef {
        if let [branch] = branches {
            return self.name_scope("concat", |slim| slim.identity(*branch, "concat"));
        }
        let rank = branches.first().and_then(|&net| self.shape(net).rank()).unwrap_or(4);
        let axis = ("axis", Constant::from_i32(vec![], &[rank as i32 - 1]));
        self.op_with_constant("concat", "ConcatV2", branches, axis, [])
    }

    /// `net + scale * residual`
    pub fn add_scaled(&mut self, net: TensorRef, scale: f32, residual: TensorRef) -> TensorRef {
        let factor = ("y", Constant::from_f32(vec![], &[scale]));
        let scaled = self.op_with_constant("mul", "Mul", &[residual], factor, []);
        self.op("add", "AddV2", &[net, scaled], [])
    }

    /// The size of the kernel, reduced to that of `net` if `net` is smaller: slim's `_reduced_kernel_size_for_small_input`.
    pub fn reduced_kernel(&self, net: TensorRef, kernel: [usize; 2]) -> [usize; 2] {
        match self.height_and_width(net) {
            Some([height, width]) => [kernel[0].min(height), kernel[1].min(width)],
            None => kernel,
        }
    }

    pub(super) fn resolved<T>(&mut self, args: Result<T, Arg>) -> Option<T> {
        match args {
            Ok(args) => Some(args),
            Err(arg) => {
                self.fail(Error::new(self.current_scope(), format!("the layer has no argument {arg:?}")));
                None
            }
        }
    }
}

pub(super) fn convolution_attrs(args: &ConvArgs) -> [(&'static str, Attr); 3] {
    let (stride, rate) = (args.stride as i64, args.rate as i64);
    [
        ("strides", Attr::Ints(vec![1, stride, stride, 1])),
        ("dilations", Attr::Ints(vec![1, rate, rate, 1])),
        ("padding", padding_attr(&args.padding)),
    ]
}

pub(super) fn padding_attr(padding: &Padding) -> Attr {
    match padding {
        Padding::Same => "SAME".into(),
        _ => "VALID".into(),
    }
}
