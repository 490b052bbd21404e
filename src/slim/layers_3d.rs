//! slim's layers for volumes, `[batch, frames, rows, columns, channels]`, and batch norm as separate ops, which these
//! layers use.
//!
//! Source: `conv3d`, `max_pool3d`, `avg_pool3d` and `batch_norm` in `tf_slim/layers/layers.py`;
//! `batch_normalization` in `tensorflow/python/ops/nn_impl.py`.

use super::arg_scope::{ConvArgs, PoolArgs};
use super::layers::padding_attr;
use super::{Arg, Layer, NetworkBuilder};
use crate::graph::{Attr, TensorRef};
use crate::tensor::Constant;

/// The lengths of a window along frames, rows and columns.
pub type Kernel3d = [usize; 3];

/// The inputs of a batch norm.
pub(super) struct BatchNormParts {
    pub gamma: Option<TensorRef>,
    pub beta: Option<TensorRef>,
    pub mean: TensorRef,
    pub variance: TensorRef,
}

impl NetworkBuilder<'_> {
    /// `slim.conv3d`: convolution, then batch norm or biases, then activation.
    pub fn conv3d(
        &mut self,
        net: TensorRef,
        num_outputs: usize,
        kernel: Kernel3d,
        scope: &str,
        args: &[Arg],
    ) -> TensorRef {
        let (stride, args) = strides(self.scope.arguments(Layer::Conv3d, args), 1);
        let Some(args) = self.resolved(ConvArgs::resolve(&args)) else { return net };
        self.variable_scope(scope, |slim| {
            let [frames, height, width] = kernel;
            let channels = slim.channels(net);
            let weights = slim.variable("weights", &[frames, height, width, channels, num_outputs]);
            let attrs = [("strides", per_axis(stride)), ("padding", padding_attr(&args.padding))];
            let net = slim.op("Conv3D", "Conv3D", &[net, weights], attrs);
            slim.normalized_and_activated(net, num_outputs, &args)
        })
    }

    /// `slim.max_pool3d`
    pub fn max_pool3d(&mut self, net: TensorRef, kernel: Kernel3d, scope: &str, args: &[Arg]) -> TensorRef {
        self.pool3d(Layer::MaxPool3d, "MaxPool3D", net, kernel, scope, args)
    }

    /// `slim.avg_pool3d`
    pub fn avg_pool3d(&mut self, net: TensorRef, kernel: Kernel3d, scope: &str, args: &[Arg]) -> TensorRef {
        self.pool3d(Layer::AvgPool3d, "AvgPool3D", net, kernel, scope, args)
    }

    fn pool3d(
        &mut self,
        layer: Layer,
        op: &str,
        net: TensorRef,
        kernel: Kernel3d,
        scope: &str,
        args: &[Arg],
    ) -> TensorRef {
        let (stride, args) = strides(self.scope.arguments(layer, args), 2);
        let Some(args) = self.resolved(PoolArgs::resolve(&args)) else { return net };
        let attrs = [
            ("ksize", per_axis(kernel)),
            ("strides", per_axis(stride)),
            ("padding", padding_attr(&args.padding)),
        ];
        self.name_scope(scope, |slim| slim.op(op, op, &[net], attrs))
    }

    /// The frames, rows and columns of a volume, if all are known.
    pub fn volume(&self, net: TensorRef) -> Option<Kernel3d> {
        let shape = self.shape(net);
        Some([shape.dim(1)?, shape.dim(2)?, shape.dim(3)?])
    }

    /// `tf.nn.batch_normalization`: `x * scale + (beta - mean * scale)` with `scale = gamma / sqrt(variance + epsilon)`.
    pub(super) fn unfused_batch_norm(
        &mut self,
        name: &str,
        net: TensorRef,
        parts: &BatchNormParts,
        epsilon: f32,
    ) -> TensorRef {
        self.name_scope(name, |slim| {
            let epsilon = ("y", Constant::from_f32(vec![], &[epsilon]));
            let variance = slim.op_with_constant("add", "AddV2", &[parts.variance], epsilon, []);
            let mut scale = slim.op("Rsqrt", "Rsqrt", &[variance], []);
            if let Some(gamma) = parts.gamma {
                scale = slim.op("mul", "Mul", &[scale, gamma], []);
            }
            let scaled = slim.op("mul", "Mul", &[net, scale], []);
            let offset = match parts.beta {
                Some(beta) => {
                    let mean = slim.op("mul", "Mul", &[parts.mean, scale], []);
                    slim.op("sub", "Sub", &[beta, mean], [])
                }
                None => {
                    let negative = slim.op("Neg", "Neg", &[parts.mean], []);
                    slim.op("mul", "Mul", &[negative, scale], [])
                }
            };
            slim.op("add", "AddV2", &[scaled, offset], [])
        })
    }
}

/// Returns the stride along each axis, and the other arguments.
fn strides(args: Vec<Arg>, default: usize) -> (Kernel3d, Vec<Arg>) {
    let mut stride = [default; 3];
    let mut rest = vec![];
    for arg in args {
        match arg {
            Arg::Stride(same) => stride = [same; 3],
            Arg::Stride3d(strides) => stride = strides,
            other => rest.push(other),
        }
    }
    (stride, rest)
}

pub(super) fn per_axis([frames, rows, columns]: Kernel3d) -> Attr {
    Attr::Ints(vec![1, frames as i64, rows as i64, columns as i64, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stride_wins() {
        let (stride, rest) = strides(vec![Arg::Stride(1), Arg::Rate(1), Arg::Stride3d([1, 2, 2])], 2);
        assert_eq!((stride, rest), ([1, 2, 2], vec![Arg::Rate(1)]));
    }
}
