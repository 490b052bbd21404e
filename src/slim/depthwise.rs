//! `slim.separable_conv2d` without the pointwise convolution: a depthwise convolution alone.
//!
//! Source: `separable_convolution2d` in `tf_slim/layers/layers.py`, where `num_outputs` is `None`.

use super::arg_scope::ConvArgs;
use super::layers::convolution_attrs;
use super::{Arg, Kernel, Layer, NetworkBuilder};
use crate::graph::TensorRef;

impl NetworkBuilder<'_> {
    /// `slim.separable_conv2d(net, None, kernel, depth_multiplier=1)`: one filter for each channel.
    pub fn depthwise_conv2d(
        &mut self,
        net: TensorRef,
        kernel: impl Into<Kernel>,
        scope: &str,
        args: &[Arg],
    ) -> TensorRef {
        let args = self.scope.arguments(Layer::SeparableConv2d, args);
        let Some(args) = self.resolved(ConvArgs::resolve(&args)) else { return net };
        let Kernel([height, width]) = kernel.into();
        self.layer_scope(scope, "SeparableConv2d", |slim| {
            let channels = slim.channels(net);
            let weights = slim.variable("depthwise_weights", &[height, width, channels, 1]);
            let name = ["depthwise", "DepthwiseConv2dNative"];
            let net = if args.rate > 1 {
                slim.atrous(name, [net, weights], [height, width], args.rate, &args.padding)
            } else {
                slim.op(name[0], name[1], &[net, weights], convolution_attrs(&args))
            };
            slim.normalized_and_activated(net, channels, &args)
        })
    }
}
