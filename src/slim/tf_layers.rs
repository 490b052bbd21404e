//! Layers of `tf.layers` and Keras, whose variables have other names than those of slim: `kernel`, `bias`, `depthwise_kernel`.
//!
//! Their arguments are those of slim's layers, with the defaults of TensorFlow: no padding, biases, no activation.
//!
//! Source: `keras/legacy_tf_layers/base.py`, `keras/layers/convolutional/`, `keras/layers/normalization/batch_normalization.py` and
//! `keras/layers/core/dense.py` of Keras 2.15.

use super::arg_scope::{BatchNormArgs, ConvArgs, NO_ACTIVATION, PoolArgs, VALID};
use super::layers::{convolution_attrs, padding_attr};
use super::layers_3d::BatchNormParts;
use super::{Arg, Kernel, NetworkBuilder};
use crate::graph::{Attr, TensorRef};
use crate::tensor::Constant;

/// The name of a layer, and where its variables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerName<'a> {
    /// A layer of `tf.layers` with the name of its kind: in each scope, the first one is `conv2d`, the second one `conv2d_1`.
    Numbered(&'a str),
    /// A layer of `tf.layers` with a name of its own.
    Named(&'a str),
    /// A layer of Keras. Its variables are in the name scope of its ops. Keras numbers the layers of a whole program, in the order in
    /// which they are made, so the name includes the number.
    Keras(&'a str),
}

impl NetworkBuilder<'_> {
    /// Builds in the scope of a layer.
    fn in_layer<T>(&mut self, name: LayerName<'_>, build: impl FnOnce(&mut Self) -> T) -> T {
        match name {
            LayerName::Numbered(kind) => self.default_scope(kind, build),
            LayerName::Named(name) => self.variable_scope(name, build),
            LayerName::Keras(name) => self.keras_scope(name, build),
        }
    }

    /// `tf.layers.Conv2D`, `tf.keras.layers.Conv2D`
    pub fn layers_conv2d(
        &mut self,
        net: TensorRef,
        filters: usize,
        kernel: impl Into<Kernel>,
        name: LayerName<'_>,
        args: &[Arg],
    ) -> TensorRef {
        let Some(args) = self.layer_args(args) else { return net };
        let Kernel([height, width]) = kernel.into();
        self.in_layer(name, |slim| {
            let channels = slim.channels(net);
            let kernel = slim.variable("kernel", &[height, width, channels, filters]);
            let net = slim.op("Conv2D", "Conv2D", &[net, kernel], convolution_attrs(&args));
            slim.biased_and_activated(net, filters, &args)
        })
    }

    /// `tf.keras.layers.DepthwiseConv2D` with one filter for each channel.
    pub fn layers_depthwise_conv2d(
        &mut self,
        net: TensorRef,
        kernel: impl Into<Kernel>,
        name: LayerName<'_>,
        args: &[Arg],
    ) -> TensorRef {
        let Some(args) = self.layer_args(args) else { return net };
        let Kernel([height, width]) = kernel.into();
        self.in_layer(name, |slim| {
            let channels = slim.channels(net);
            let kernel = slim.variable("depthwise_kernel", &[height, width, channels, 1]);
            let attrs = convolution_attrs(&args);
            let net = slim.op("depthwise", "DepthwiseConv2dNative", &[net, kernel], attrs);
            slim.biased_and_activated(net, channels, &args)
        })
    }

    /// `tf.layers.Dense`, `tf.keras.layers.Dense` of a `[batch, features]` tensor.
    pub fn layers_dense(
        &mut self,
        net: TensorRef,
        units: usize,
        name: LayerName<'_>,
        args: &[Arg],
    ) -> TensorRef {
        let Some(args) = self.layer_args(args) else { return net };
        self.in_layer(name, |slim| {
            let features = slim.channels(net);
            let kernel = slim.variable("kernel", &[features, units]);
            let net = slim.op("MatMul", "MatMul", &[net, kernel], []);
            slim.biased_and_activated(net, units, &args)
        })
    }

    /// `tf.layers.BatchNormalization`, `tf.keras.layers.BatchNormalization` with the moving averages of training. By default there
    /// is a gamma; the checkpoint decides.
    pub fn layers_batch_normalization(
        &mut self,
        net: TensorRef,
        name: LayerName<'_>,
        args: &[Arg],
    ) -> TensorRef {
        let args = [&[Arg::Scale(true)], args].concat();
        let Some(args) = self.resolved(BatchNormArgs::resolve(&args)) else { return net };
        self.in_layer(name, |slim| {
            let shape = [slim.channels(net)];
            let gamma = slim.holds("gamma", args.scale).then(|| slim.variable("gamma", &shape));
            let beta = slim.holds("beta", args.center).then(|| slim.variable("beta", &shape));
            let mean = slim.variable("moving_mean", &shape);
            let variance = slim.variable("moving_variance", &shape);
            let net = if args.fused {
                let filled = |value: f32| Constant::filled(shape.to_vec(), value);
                let gamma = gamma.unwrap_or_else(|| slim.constant("Const", filled(1.0)));
                let beta = beta.unwrap_or_else(|| slim.constant("Const", filled(0.0)));
                slim.op(
                    "FusedBatchNormV3",
                    "FusedBatchNormV3",
                    &[net, gamma, beta, mean, variance],
                    [("epsilon", Attr::Float(args.epsilon)), ("is_training", Attr::Bool(false))],
                )
            } else {
                let parts = BatchNormParts { gamma, beta, mean, variance };
                slim.unfused_batch_norm("batchnorm", net, &parts, args.epsilon)
            };
            slim.activated(net, args.activation_fn)
        })
    }

    /// `tf.layers.max_pooling2d`, in a name scope of its kind.
    pub fn layers_max_pooling2d(&mut self, net: TensorRef, size: usize, args: &[Arg]) -> TensorRef {
        self.layers_pooling2d("max_pooling2d", "MaxPool", net, size, args)
    }

    /// `tf.layers.average_pooling2d`, in a name scope of its kind.
    pub fn layers_average_pooling2d(&mut self, net: TensorRef, size: usize, args: &[Arg]) -> TensorRef {
        self.layers_pooling2d("average_pooling2d", "AvgPool", net, size, args)
    }

    fn layers_pooling2d(
        &mut self,
        kind: &str,
        op: &str,
        net: TensorRef,
        size: usize,
        args: &[Arg],
    ) -> TensorRef {
        let Some(args) = self.resolved(PoolArgs::resolve(args)) else { return net };
        let (size, stride) = (size as i64, args.stride as i64);
        let attrs = [
            ("ksize", Attr::Ints(vec![1, size, size, 1])),
            ("strides", Attr::Ints(vec![1, stride, stride, 1])),
            ("padding", padding_attr(&args.padding)),
        ];
        self.name_scope(kind, |slim| slim.op(op, op, &[net], attrs))
    }

    /// The arguments of a layer that has no normalizer.
    fn layer_args(&mut self, args: &[Arg]) -> Option<ConvArgs> {
        self.resolved(ConvArgs::resolve(&[&[VALID, NO_ACTIVATION], args].concat()))
    }

    fn biased_and_activated(&mut self, net: TensorRef, channels: usize, args: &ConvArgs) -> TensorRef {
        let net = if args.biases {
            let bias = self.variable("bias", &[channels]);
            self.op("BiasAdd", "BiasAdd", &[net, bias], [])
        } else {
            net
        };
        self.activated(net, args.activation_fn)
    }
}
