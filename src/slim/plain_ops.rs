//! TensorFlow's functions that networks call in addition to slim's layers. Each builds the same nodes under the same
//! names as TensorFlow.

use super::NetworkBuilder;
use crate::graph::{Attr, TensorRef};
use crate::tensor::Constant;

/// The arguments of `tf.nn.local_response_normalization`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalResponseNormalization {
    /// The number of channels on each side that are summed.
    pub depth_radius: usize,
    /// Added to the weighted sum.
    pub bias: f32,
    /// Weight of the sum. It is not divided by the number of summed channels.
    pub alpha: f32,
    /// Exponent of the result.
    pub beta: f32,
}

impl NetworkBuilder<'_> {
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

    /// Zeros after the last rows and columns of images.
    pub fn padded_at_end(&mut self, net: TensorRef, [rows, columns]: [usize; 2]) -> TensorRef {
        let paddings = Constant::from_i32(vec![4, 2], &[0, 0, 0, rows as i32, 0, columns as i32, 0, 0]);
        self.op_with_constant("Pad", "Pad", &[net], ("paddings", paddings), [])
    }

    /// `tf.reshape`; the length -1 is computed from the others.
    pub fn reshape(&mut self, net: TensorRef, dims: &[i32]) -> TensorRef {
        let shape = ("shape", Constant::from_i32(vec![dims.len()], dims));
        self.op_with_constant("Reshape", "Reshape", &[net], shape, [])
    }

    /// `tf.nn.l2_normalize`: scales to length 1 along an axis, unless the square of the length is below `epsilon`.
    pub fn l2_normalize(&mut self, net: TensorRef, axis: usize, epsilon: f32, name: &str) -> TensorRef {
        let square = self.op(&format!("{name}/Square"), "Square", &[net], []);
        let axis = ("reduction_indices", Constant::from_i32(vec![], &[axis as i32]));
        let keep = [("keep_dims", Attr::Bool(true))];
        let sum = self.op_with_constant(&format!("{name}/Sum"), "Sum", &[square], axis, keep);
        let least = ("y", Constant::from_f32(vec![], &[epsilon]));
        let sum = self.op_with_constant(&format!("{name}/Maximum"), "Maximum", &[sum], least, []);
        let scale = self.op(&format!("{name}/Rsqrt"), "Rsqrt", &[sum], []);
        self.op(name, "Mul", &[net, scale], [])
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

    /// `a * b`
    pub fn product(&mut self, a: TensorRef, b: TensorRef) -> TensorRef {
        self.op("mul", "Mul", &[a, b], [])
    }

    /// `tf.identity`
    pub fn identity(&mut self, net: TensorRef, name: &str) -> TensorRef {
        self.op(name, "Identity", &[net], [])
    }

    /// `net + y`
    fn plus(&mut self, net: TensorRef, y: f32) -> TensorRef {
        self.op_with_constant("add", "AddV2", &[net], ("y", Constant::from_f32(vec![], &[y])), [])
    }

    /// `net * y`
    fn times(&mut self, net: TensorRef, y: f32) -> TensorRef {
        self.op_with_constant("mul", "Mul", &[net], ("y", Constant::from_f32(vec![], &[y])), [])
    }

    /// `net * relu6(net + 3) / 6`
    pub(super) fn hard_swish(&mut self, net: TensorRef, scope: &str) -> TensorRef {
        self.name_scope(scope, |slim| {
            let shifted = slim.plus(net, 3.0);
            let gate = slim.op("Relu6", "Relu6", &[shifted], []);
            let gated = slim.product(net, gate);
            slim.times(gated, 1.0 / 6.0)
        })
    }

    /// `relu6(net + 3) * 0.16667`: slim rounds 1/6 to this.
    pub(super) fn hard_sigmoid(&mut self, net: TensorRef) -> TensorRef {
        let shifted = self.plus(net, 3.0);
        let gate = self.op("Relu6", "Relu6", &[shifted], []);
        self.times(gate, 0.16667)
    }

    /// `_fixed_padding`: the padding of a window of size `kernel` under `SAME` at stride 1, whatever its stride is.
    pub fn fixed_padding(&mut self, net: TensorRef, kernel: usize, rate: usize) -> TensorRef {
        let total = (kernel - 1) * rate;
        self.spatial_pad(net, total / 2, total - total / 2)
    }

    /// `net[:, rows:, columns:, :]`
    pub fn cropped_at_start(&mut self, net: TensorRef, [rows, columns]: [usize; 2]) -> TensorRef {
        let begin = Constant::from_i32(vec![4], &[0, rows as i32, columns as i32, 0]);
        let begin = self.constant("strided_slice/stack", begin);
        let end = self.constant("strided_slice/stack_1", Constant::from_i32(vec![4], &[0; 4]));
        let strides = self.constant("strided_slice/stack_2", Constant::from_i32(vec![4], &[1; 4]));
        // The bits of the masks are the axes that begin at their first element, or end at their last one.
        let attrs = [("begin_mask", Attr::Int(0b1001)), ("end_mask", Attr::Int(0b1111))];
        self.op("strided_slice", "StridedSlice", &[net, begin, end, strides], attrs)
    }

    /// `tf.reduce_mean(net, [1, 2])`
    pub fn mean_over_image(&mut self, net: TensorRef, name: &str) -> TensorRef {
        let axes = ("reduction_indices", Constant::from_i32(vec![2], &[1, 2]));
        self.op_with_constant(name, "Mean", &[net], axes, [])
    }

    /// `tf.nn.avg_pool` without padding.
    pub fn plain_avg_pool(
        &mut self,
        net: TensorRef,
        [height, width]: [usize; 2],
        stride: usize,
    ) -> TensorRef {
        let stride = stride as i64;
        let attrs = [
            ("ksize", Attr::Ints(vec![1, height as i64, width as i64, 1])),
            ("strides", Attr::Ints(vec![1, stride, stride, 1])),
            ("padding", "VALID".into()),
        ];
        self.op("AvgPool", "AvgPool", &[net], attrs)
    }
}
