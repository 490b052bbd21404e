//! Boxes of detectors: parts of tensors, and the choice among overlapping boxes.
//!
//! Sources: `research/object_detection/core/post_processing.py` and `box_list_ops.py`.

use super::NetworkBuilder;
use super::shape_ops::Operand;
use crate::graph::{Attr, TensorRef};
use crate::tensor::Constant;

impl NetworkBuilder<'_> {
    /// `tf.concat(tensors, axis)`
    pub fn concat_along(&mut self, axis: usize, tensors: &[TensorRef], name: &str) -> TensorRef {
        let axis = ("axis", Constant::from_i32(vec![], &[axis as i32]));
        self.op_with_constant(name, "ConcatV2", tensors, axis, [])
    }

    /// `tf.split(net, parts, axis)`: parts of the same length.
    pub fn split<const N: usize>(&mut self, net: TensorRef, axis: usize) -> [TensorRef; N] {
        let axis = Constant::from_i32(vec![], &[axis as i32]);
        let operands = [Operand::Constant("split_dim", axis), Operand::Tensor(net)];
        let first = self.op_of("split", "Split", &operands, [("num_split", Attr::Int(N as i64))]);
        std::array::from_fn(|part| self.output(first, part))
    }

    /// Another output of the op of `first`.
    pub fn output(&self, first: TensorRef, port: usize) -> TensorRef {
        if self.has_failed() { first } else { TensorRef { port, ..first } }
    }

    /// A binary op whose second argument is a constant.
    pub fn with_constant(&mut self, op: &str, net: TensorRef, constant: Constant) -> TensorRef {
        self.op_with_constant(op, op, &[net], ("y", constant), [])
    }

    /// A binary op whose second argument is a number.
    pub fn with_number(&mut self, op: &str, net: TensorRef, number: f32) -> TensorRef {
        self.with_constant(op, net, Constant::from_f32(vec![], &[number]))
    }

    /// `net[:, :, first:]`
    pub fn from_channel(&mut self, net: TensorRef, first: usize) -> TensorRef {
        let begin = self.constant("Slice/begin", Constant::from_i32(vec![3], &[0, 0, first as i32]));
        let size = self.constant("Slice/size", Constant::from_i32(vec![3], &[-1; 3]));
        self.op("Slice", "Slice", &[net, begin, size], [])
    }

    /// `tf.where(condition, net, otherwise)`
    pub fn where_else(&mut self, condition: TensorRef, net: TensorRef, otherwise: f32) -> TensorRef {
        let otherwise = ("e", Constant::from_f32(vec![], &[otherwise]));
        self.op_with_constant("SelectV2", "SelectV2", &[condition, net], otherwise, [])
    }

    /// The first rows of each image that `indices` name: `tf.gather(net, indices, batch_dims=1)`.
    pub fn gather_of_each(&mut self, net: TensorRef, indices: TensorRef) -> TensorRef {
        let axis = ("axis", Constant::from_i32(vec![], &[1]));
        let attrs = [("batch_dims", Attr::Int(1))];
        self.op_with_constant("GatherV2", "GatherV2", &[net, indices], axis, attrs)
    }

    /// Of each row and place in it, the element that `indices` names: `tf.gather(net, indices, batch_dims=2)`.
    pub fn gather_of_pairs(&mut self, net: TensorRef, indices: TensorRef) -> TensorRef {
        let axis = ("axis", Constant::from_i32(vec![], &[2]));
        let attrs = [("batch_dims", Attr::Int(2))];
        self.op_with_constant("GatherV2", "GatherV2", &[net, indices], axis, attrs)
    }

    /// `tf.nn.top_k(values, k)`: the greatest values of each row, and their indices. Of equal values, the first ones come first.
    pub fn top_k(&mut self, values: TensorRef, k: usize) -> [TensorRef; 2] {
        let k = ("k", Constant::from_i32(vec![], &[k as i32]));
        let first = self.op_with_constant("TopKV2", "TopKV2", &[values], k, [("sorted", Attr::Bool(true))]);
        [first, self.output(first, 1)]
    }

    /// `op` over one axis, such as `tf.reduce_sum(net, axis)`.
    pub fn reduced(&mut self, op: &str, net: TensorRef, axis: i32) -> TensorRef {
        let axis = ("reduction_indices", Constant::from_i32(vec![], &[axis]));
        self.op_with_constant(op, op, &[net], axis, [])
    }

    /// `tf.image.combined_non_max_suppression` of boxes `[images, boxes, classes or 1, 4]` and scores `[images, boxes, classes]`:
    /// boxes, scores and classes of the chosen boxes of each image, the best first, and their number.
    pub fn combined_non_max_suppression(
        &mut self,
        boxes: TensorRef,
        scores: TensorRef,
        [per_class, total]: [usize; 2],
        [iou_threshold, score_threshold]: [f32; 2],
    ) -> [TensorRef; 4] {
        const OP: &str = "CombinedNonMaxSuppression";
        let mut inputs = vec![boxes, scores];
        for (name, count) in [("max_output_size_per_class", per_class), ("max_total_size", total)] {
            let count = Constant::from_i32(vec![], &[i32::try_from(count).unwrap_or(i32::MAX)]);
            inputs.push(self.constant(&format!("{OP}/{name}"), count));
        }
        for (name, threshold) in [("iou_threshold", iou_threshold), ("score_threshold", score_threshold)] {
            let threshold = Constant::from_f32(vec![], &[threshold]);
            inputs.push(self.constant(&format!("{OP}/{name}"), threshold));
        }
        let attrs = [("clip_boxes", Attr::Bool(false)), ("pad_per_class", Attr::Bool(false))];
        let first = self.op(OP, OP, &inputs, attrs);
        std::array::from_fn(|port| self.output(first, port))
    }
}
