//! TensorFlow's functions that networks call in addition to slim's layers. Each builds the same nodes under the same
//! names as TensorFlow.

use super::NetworkBuilder;
use crate::graph::{Attr, TensorRef};
use crate::tensor::{Constant, DType};

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

    /// `tf.add(a, b)` under a name
    pub fn sum_as(&mut self, name: &str, a: TensorRef, b: TensorRef) -> TensorRef {
        self.op(name, "AddV2", &[a, b], [])
    }

    /// `tf.multiply(a, b)`
    pub fn multiply(&mut self, a: TensorRef, b: TensorRef) -> TensorRef {
        self.op("Mul", "Mul", &[a, b], [])
    }

    /// `tf.clip_by_value`
    pub fn clip_by_value(&mut self, net: TensorRef, least: f32, most: f32) -> TensorRef {
        self.op_scope("clip_by_value", |slim, name| {
            let most = ("y", Constant::from_f32(vec![], &[most]));
            let net = slim.op_with_constant("Minimum", "Minimum", &[net], most, []);
            let least = slim.constant("y", Constant::from_f32(vec![], &[least]));
            slim.named_op(name, "Maximum", &[net, least], [])
        })
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

    /// `tf.keras.layers.Reshape`: keeps the batch, and gives each of its elements this shape.
    pub fn keras_reshape(&mut self, net: TensorRef, shape: &[usize]) -> TensorRef {
        self.name_scope("reshape", |slim| {
            let dims = slim.op("Shape", "Shape", &[net], []);
            let bound = |index| Constant::from_i32(vec![1], &[index]);
            let bounds = [("stack", 0), ("stack_1", 1), ("stack_2", 1)]
                .map(|(name, index)| slim.constant(&format!("strided_slice/{name}"), bound(index)));
            let inputs = [dims, bounds[0], bounds[1], bounds[2]];
            let batch =
                slim.op("strided_slice", "StridedSlice", &inputs, [("shrink_axis_mask", Attr::Int(1))]);
            let mut lengths = vec![batch];
            for (axis, &length) in (1..).zip(shape) {
                let length = Constant::from_i32(vec![], &[length as i32]);
                lengths.push(slim.constant(&format!("Reshape/shape/{axis}"), length));
            }
            let shape = slim.op("Reshape/shape", "Pack", &lengths, [("N", Attr::Int(lengths.len() as i64))]);
            slim.op("Reshape", "Reshape", &[net, shape], [])
        })
    }

    /// `tf.expand_dims`
    pub fn expand_dims(&mut self, net: TensorRef, axis: i32) -> TensorRef {
        let axis = ("dim", Constant::from_i32(vec![], &[axis]));
        self.op_with_constant("ExpandDims", "ExpandDims", &[net], axis, [])
    }

    /// `tf.squeeze`
    pub fn squeeze(&mut self, net: TensorRef, axes: &[i64], name: &str) -> TensorRef {
        self.op(name, "Squeeze", &[net], [("squeeze_dims", Attr::Ints(axes.to_vec()))])
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

    /// `tf.shape(net)[index]` as an element, where a negative index counts from the end.
    pub fn length(&mut self, net: TensorRef, index: i32) -> TensorRef {
        let shape = self.op("Shape", "Shape", &[net], []);
        self.part_of_vector(shape, [index, index + 1], true)
    }

    /// `tf.shape(net)[1:3]`: the height and width of images.
    pub fn spatial_shape(&mut self, net: TensorRef) -> TensorRef {
        let shape = self.op("Shape", "Shape", &[net], []);
        self.part_of_vector(shape, [1, 3], false)
    }

    /// `net[begin:end]`, or `net[begin]`
    fn part_of_vector(&mut self, net: TensorRef, [begin, end]: [i32; 2], is_element: bool) -> TensorRef {
        self.op_scope("strided_slice", |slim, name| {
            let mut vector = |name, value| slim.constant(name, Constant::from_i32(vec![1], &[value]));
            let inputs = [net, vector("stack", begin), vector("stack_1", end), vector("stack_2", 1)];
            let attrs = [("shrink_axis_mask", Attr::Int(i64::from(is_element)))];
            slim.named_op(name, "StridedSlice", &inputs, attrs)
        })
    }

    /// `tf.argmax(net, axis, output_type=dtype)`
    pub fn arg_max(&mut self, net: TensorRef, axis: i32, dtype: DType, name: &str) -> TensorRef {
        let axis = ("dimension", Constant::from_i32(vec![], &[axis]));
        self.op_with_constant(name, "ArgMax", &[net], axis, [("output_type", Attr::Type(dtype))])
    }

    /// `tf.cast(net, dtype)`
    pub fn cast(&mut self, net: TensorRef, dtype: DType) -> TensorRef {
        self.cast_as("Cast", net, dtype)
    }

    /// `tf.cast(net, dtype, name)`
    pub fn cast_as(&mut self, name: &str, net: TensorRef, dtype: DType) -> TensorRef {
        let from = self.dtype(net);
        self.op(name, "Cast", &[net], [("SrcT", Attr::Type(from)), ("DstT", Attr::Type(dtype))])
    }

    /// A reduction such as `tf.reduce_sum(net, axes, keepdims=keep)`, where `axes` are a scalar or a vector.
    pub fn reduced_along(&mut self, op: &str, net: TensorRef, axes: Constant, keep: bool) -> TensorRef {
        let keep = [("keep_dims", Attr::Bool(keep))];
        self.op_with_constant(op, op, &[net], ("reduction_indices", axes), keep)
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
    pub(super) fn plus(&mut self, net: TensorRef, y: f32) -> TensorRef {
        self.op_with_constant("add", "AddV2", &[net], ("y", Constant::from_f32(vec![], &[y])), [])
    }

    /// `net * y`
    pub(super) fn times(&mut self, net: TensorRef, y: f32) -> TensorRef {
        self.op_with_constant("mul", "Mul", &[net], ("y", Constant::from_f32(vec![], &[y])), [])
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
