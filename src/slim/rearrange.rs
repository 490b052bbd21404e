//! Layers that make images larger or smaller without pooling: transposed convolution, and blocks of pixels as channels.
//!
//! Source: `convolution2d_transpose` in `tf_slim/layers/layers.py`, `Conv2DTranspose` of Keras 2.15, and `tf.nn.space_to_depth`.

use super::arg_scope::ConvArgs;
use super::layers::padding_attr;
use super::{Arg, Kernel, Layer, NetworkBuilder};
use crate::error::Error;
use crate::graph::{Attr, Padding, TensorRef};
use crate::setting::Setting;
use crate::tensor::Constant;

impl NetworkBuilder<'_> {
    /// `slim.conv2d_transpose`: the filter has the channels of the result before those of its input.
    pub fn conv2d_transpose(
        &mut self,
        net: TensorRef,
        num_outputs: usize,
        kernel: impl Into<Kernel>,
        scope: &str,
        args: &[Arg],
    ) -> TensorRef {
        let args = self.scope.arguments(Layer::Conv2dTranspose, args);
        let Some(args) = self.resolved(ConvArgs::resolve(&args)) else { return net };
        let Kernel(kernel) = kernel.into();
        self.layer_scope(scope, "Conv2d_transpose", |slim| {
            let channels = slim.channels(net);
            let weights = slim.variable("weights", &[kernel[0], kernel[1], num_outputs, channels]);
            let net = slim.transposed(net, weights, num_outputs, kernel, &args);
            slim.normalized_and_activated(net, num_outputs, &args)
        })
    }

    fn transposed(
        &mut self,
        net: TensorRef,
        weights: TensorRef,
        num_outputs: usize,
        kernel: [usize; 2],
        args: &ConvArgs,
    ) -> TensorRef {
        let Some(size) = self.height_and_width(net) else {
            let problem = "a transposed convolution needs images of known size";
            self.fail(
                Error::new("image size", problem).advice(format!("give one with {}", Setting::ImageSize)),
            );
            return net;
        };
        let batch = self.length(net, 0);
        // Without padding, the parts of windows beyond the stride are outside of the enlarged image.
        let enlarged = |axis: usize| match args.padding {
            Padding::Same => size[axis] * args.stride,
            _ => size[axis] * args.stride + kernel[axis].saturating_sub(args.stride),
        };
        let shape = self.op_scope("stack", |slim, name| {
            let mut length =
                |name, value: usize| slim.constant(name, Constant::from_i32(vec![], &[value as i32]));
            let lengths = [length("1", enlarged(0)), length("2", enlarged(1)), length("3", num_outputs)];
            let inputs = [batch, lengths[0], lengths[1], lengths[2]];
            slim.named_op(name, "Pack", &inputs, [("axis", Attr::Int(0))])
        });
        let stride = args.stride as i64;
        let attrs =
            [("strides", Attr::Ints(vec![1, stride, stride, 1])), ("padding", padding_attr(&args.padding))];
        self.op("conv2d_transpose", "Conv2DBackpropInput", &[shape, weights, net], attrs)
    }

    /// `tf.nn.space_to_depth`: blocks of pixels become channels.
    pub fn space_to_depth(&mut self, net: TensorRef, block: usize) -> TensorRef {
        self.op("SpaceToDepth", "SpaceToDepth", &[net], [("block_size", Attr::Int(block as i64))])
    }

    /// `tf.nn.depth_to_space`: channels become blocks of pixels.
    pub fn depth_to_space(&mut self, net: TensorRef, block: usize) -> TensorRef {
        self.op("DepthToSpace", "DepthToSpace", &[net], [("block_size", Attr::Int(block as i64))])
    }
}
