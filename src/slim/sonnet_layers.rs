//! Layers of Sonnet 1, whose variables are `w` and `b`, and whose batch norm keeps the axes that it averages.
//!
//! Source: `sonnet/python/modules/conv.py` and `batch_norm.py` of github.com/deepmind/sonnet, version 1.

use super::NetworkBuilder;
use super::layers_3d::{BatchNormParts, Kernel3d, per_axis};
use crate::graph::{Attr, TensorRef};

impl NetworkBuilder<'_> {
    /// `snt.Conv3D` with `SAME` padding.
    pub fn sonnet_conv3d(
        &mut self,
        net: TensorRef,
        output_channels: usize,
        kernel_shape: Kernel3d,
        stride: Kernel3d,
        use_bias: bool,
    ) -> TensorRef {
        self.variable_scope("conv_3d", |slim| {
            let [frames, height, width] = kernel_shape;
            let channels = slim.channels(net);
            let weights = slim.variable("w", &[frames, height, width, channels, output_channels]);
            let attrs = [("strides", per_axis(stride)), ("padding", "SAME".into())];
            let net = slim.op("convolution", "Conv3D", &[net, weights], attrs);
            if !use_bias {
                return net;
            }
            let bias = slim.variable("b", &[output_channels]);
            let bias = slim.reshape(bias, &[1, 1, 1, 1, output_channels as i32]);
            slim.sum(net, bias)
        })
    }

    /// `snt.BatchNorm` of a volume with the moving averages of training, without a scale.
    pub fn sonnet_batch_norm(&mut self, net: TensorRef) -> TensorRef {
        self.variable_scope("batch_norm", |slim| {
            let shape = [1, 1, 1, 1, slim.channels(net)];
            let mean = slim.variable("moving_mean", &shape);
            let variance = slim.variable("moving_variance", &shape);
            let mean = slim.identity(mean, "Identity");
            let variance = slim.identity(variance, "Identity");
            let beta = Some(slim.variable("beta", &shape));
            let parts = BatchNormParts { gamma: None, beta, mean, variance };
            slim.unfused_batch_norm("batch_norm", net, &parts, 1e-3)
        })
    }

    /// `tf.nn.max_pool3d` with `SAME` padding.
    pub fn plain_max_pool3d(
        &mut self,
        net: TensorRef,
        window: Kernel3d,
        stride: Kernel3d,
        name: &str,
    ) -> TensorRef {
        self.plain_pool3d("MaxPool3D", net, [window, stride], "SAME", name)
    }

    /// `tf.nn.avg_pool3d` without padding, at each place.
    pub fn plain_avg_pool3d(&mut self, net: TensorRef, window: Kernel3d, name: &str) -> TensorRef {
        self.plain_pool3d("AvgPool3D", net, [window, [1; 3]], "VALID", name)
    }

    fn plain_pool3d(
        &mut self,
        op: &str,
        net: TensorRef,
        [window, stride]: [Kernel3d; 2],
        padding: &'static str,
        name: &str,
    ) -> TensorRef {
        let attrs: [(&'static str, Attr); 3] =
            [("ksize", per_axis(window)), ("strides", per_axis(stride)), ("padding", padding.into())];
        self.op(name, op, &[net], attrs)
    }
}
