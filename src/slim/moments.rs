//! `tf.nn.moments`, and the normalizations of groups of channels and of filters that are made of it.
//!
//! Source: `tensorflow/python/ops/nn_impl.py`; `bit_tf2/normalization.py` and `bit_tf2/models.py` of
//! github.com/google-research/big_transfer.

use super::NetworkBuilder;
use super::layers_3d::BatchNormParts;
use super::shape_ops::Operand;
use crate::error::Error;
use crate::graph::{Attr, TensorRef};
use crate::tensor::Constant;

use Operand::Tensor;

impl NetworkBuilder<'_> {
    /// `tf.nn.moments(net, axes, keepdims=True)`: mean and variance.
    pub(super) fn kept_moments(&mut self, net: TensorRef, axes: &[i32]) -> [TensorRef; 2] {
        self.name_scope("moments", |slim| {
            let mean = slim.kept_mean(net, "mean", axes);
            let fixed = slim.op("StopGradient", "StopGradient", &[mean], []);
            let square = slim.op("SquaredDifference", "SquaredDifference", &[net, fixed], []);
            [mean, slim.kept_mean(square, "variance", axes)]
        })
    }

    /// `tf.reduce_mean(net, axes, keepdims=True)`
    pub(super) fn kept_mean(&mut self, net: TensorRef, name: &str, axes: &[i32]) -> TensorRef {
        let axes = Operand::Constant("reduction_indices", Constant::from_i32(vec![axes.len()], axes));
        self.op_of(name, "Mean", &[Tensor(net), axes], [("keep_dims", Attr::Bool(true))])
    }

    /// `GroupNormalization`: normalizes groups of the channels of images, and scales each channel.
    pub fn group_normalization(
        &mut self,
        net: TensorRef,
        groups: usize,
        epsilon: f32,
        name: &str,
    ) -> TensorRef {
        self.variable_scope(name, |slim| {
            let channels = slim.channels(net);
            if !channels.is_multiple_of(groups) {
                slim.fail(Error::new(
                    slim.current_scope(),
                    format!("{channels} channels cannot be divided into {groups} groups"),
                ));
            }
            let gamma = slim.variable("gamma", &[channels]);
            let beta = slim.variable("beta", &[channels]);
            let group = [groups as i32, (channels / groups) as i32];
            let shape = slim.op("Shape", "Shape", &[net], []);
            let outer = slim.strided_slice(shape, [0], [-1], [("begin_mask", Attr::Int(1))]);
            let operands = [
                Tensor(outer),
                Operand::Constant("values_1", Constant::from_i32(vec![2], &group)),
                Operand::Constant("axis", Constant::from_i32(vec![], &[-1])),
            ];
            let grouped = slim.op_of("concat", "ConcatV2", &operands, []);
            let net = slim.op("Reshape", "Reshape", &[net, grouped], []);
            let [mean, variance] = slim.kept_moments(net, &[1, 2, 4]);
            let beta = slim.reshape(beta, &group);
            let gamma = slim.reshape(gamma, &group);
            let parts = BatchNormParts { gamma: Some(gamma), beta: Some(beta), mean, variance };
            let net = slim.unfused_batch_norm("batchnorm", net, &parts, epsilon);
            slim.op("Reshape", "Reshape", &[net, shape], [])
        })
    }

    /// Filters with mean 0 and variance 1 each (<https://arxiv.org/abs/1903.10520>).
    pub fn standardized(&mut self, filters: TensorRef) -> TensorRef {
        let [mean, variance] = self.kept_moments(filters, &[0, 1, 2]);
        let centered = self.op("sub", "Sub", &[filters, mean], []);
        let variance = self.plus(variance, 1e-10);
        let deviation = self.op("Sqrt", "Sqrt", &[variance], []);
        self.op("truediv", "RealDiv", &[centered, deviation], [])
    }
}
