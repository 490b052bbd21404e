//! TensorFlow's own functions that networks call beside slim's layers: each draws the node that TensorFlow
//! draws, under the name TensorFlow gives it.

use super::Drawing;
use crate::graph::{Attr, TensorRef};
use crate::tensor::Constant;

/// The arguments of `tf.nn.local_response_normalization`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalResponseNormalization {
    /// Channels to either side that are summed up.
    pub depth_radius: usize,
    /// Added to the weighted sum.
    pub bias: f32,
    /// Weight of the sum, not divided by the number of channels summed up.
    pub alpha: f32,
    /// Exponent of the result.
    pub beta: f32,
}

impl Drawing<'_> {
    /// `a + b`
    pub fn sum(&mut self, a: TensorRef, b: TensorRef) -> TensorRef {
        self.op("add", "AddV2", &[a, b], [])
    }

    /// `tf.multiply(a, b)`
    pub fn multiply(&mut self, a: TensorRef, b: TensorRef) -> TensorRef {
        self.op("Mul", "Mul", &[a, b], [])
    }

    /// `tf.nn.sigmoid`
    pub fn sigmoid(&mut self, net: TensorRef) -> TensorRef {
        self.op("Sigmoid", "Sigmoid", &[net], [])
    }

    /// `tf.tile`: repeats the tensor along each axis.
    pub fn tile(&mut self, net: TensorRef, multiples: &[usize]) -> TensorRef {
        let multiples: Vec<i32> = multiples.iter().map(|&multiple| multiple as i32).collect();
        let multiples = ("multiples", Constant::from_i32(vec![multiples.len()], &multiples));
        self.op_with_constant("Tile", "Tile", &[net], multiples, [])
    }

    /// `tf.pad` of the rows and columns of images with zeros.
    pub fn spatial_pad(&mut self, net: TensorRef, before: usize, after: usize) -> TensorRef {
        let (before, after) = (before as i32, after as i32);
        let paddings = Constant::from_i32(vec![4, 2], &[0, 0, before, after, before, after, 0, 0]);
        self.op_with_constant("Pad", "Pad", &[net], ("paddings", paddings), [])
    }

    /// `tf.reduce_mean(net, axis)`
    pub fn mean(&mut self, net: TensorRef, axis: usize) -> TensorRef {
        let axis = ("reduction_indices", Constant::from_i32(vec![], &[axis as i32]));
        self.op_with_constant("Mean", "Mean", &[net], axis, [])
    }

    /// `tf.nn.local_response_normalization`
    pub fn local_response_normalization(
        &mut self,
        net: TensorRef,
        name: &str,
        args: LocalResponseNormalization,
    ) -> TensorRef {
        let attrs = [
            ("depth_radius", Attr::Int(args.depth_radius as i64)),
            ("bias", Attr::Float(args.bias)),
            ("alpha", Attr::Float(args.alpha)),
            ("beta", Attr::Float(args.beta)),
        ];
        self.op(name, "LRN", &[net], attrs)
    }
}
