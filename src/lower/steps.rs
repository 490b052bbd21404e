//! Arithmetic spelled out in many nodes: a shorter way to write them.

use super::context::Lowering;
use crate::graph::NodeRef;
use crate::onnx::Attribute;
use crate::tensor::DType;

/// Adds nodes for one TensorFlow node. Values are named after their operators.
pub struct Steps<'c, 'g, 'n> {
    pub cx: &'c mut Lowering<'g>,
    pub node: NodeRef<'n>,
}

// Nearly all ops call these, most of them often: they are kept out of line.
impl Steps<'_, '_, '_> {
    /// Adds a node without attributes.
    #[inline(never)]
    pub fn op(&mut self, op: &'static str, inputs: &[&String]) -> String {
        let inputs = inputs.iter().map(|&name| name.clone()).collect();
        self.cx.step(self.node, &op.to_lowercase(), op, inputs, vec![])
    }

    /// Adds a node with one integer attribute.
    #[inline(never)]
    pub fn op_with(
        &mut self,
        op: &'static str,
        inputs: &[&String],
        attribute: &'static str,
        value: i64,
    ) -> String {
        let inputs = inputs.iter().map(|&name| name.clone()).collect();
        self.cx.step(self.node, &op.to_lowercase(), op, inputs, vec![(attribute, Attribute::Int(value))])
    }

    /// A constant number of a type.
    #[inline(never)]
    pub fn number(&mut self, dtype: DType, value: f64) -> String {
        self.cx.scalar(self.node, &format!("{}_{value}", dtype.name()), dtype, value)
    }

    /// A constant int64 number.
    #[inline(never)]
    pub fn int(&mut self, value: i64) -> String {
        let constant = crate::tensor::Constant::from_i64(vec![], &[value]);
        self.cx.initializer(&format!("{}/int_{value}", self.node.name), constant, &[])
    }

    /// A constant vector of one int64 number, as axes and bounds are given.
    #[inline(never)]
    pub fn ints(&mut self, values: &[i64]) -> String {
        let named: Vec<String> = values.iter().map(i64::to_string).collect();
        self.cx.vector(self.node, &format!("ints_{}", named.join("_")), values)
    }

    /// A reduction along axes.
    #[inline(never)]
    pub fn reduce(&mut self, op: &'static str, value: &str, axes: &[i64], keep: bool) -> String {
        let (inputs, attributes) = self.cx.reduction(self.node, value.to_owned(), axes, keep);
        self.cx.step(self.node, &op.to_lowercase(), op, inputs, attributes)
    }

    /// The last axis of an input, counted from the first one where its rank is known: of a tensor without elements, ONNX Runtime does
    /// not reduce an axis that is counted from the last one.
    pub fn last_axis(&self, input: usize) -> i64 {
        let input = self.node.inputs.get(input);
        let rank = input.and_then(|&input| self.cx.shape(input).rank());
        rank.map_or(-1, |rank| rank as i64 - 1)
    }

    /// A value cast to another type.
    #[inline(never)]
    pub fn cast(&mut self, value: &str, to: DType) -> String {
        self.cx.cast(self.node, value.to_owned(), to)
    }

    /// A value with its axes in another order.
    #[inline(never)]
    pub fn transpose(&mut self, value: &str, perm: &[i64]) -> String {
        let attributes = vec![("perm", Attribute::Ints(perm.to_vec()))];
        self.cx.step(self.node, "transpose", "Transpose", vec![value.to_owned()], attributes)
    }

    /// The `count` smallest elements of the last axis, int64 or int32, in ascending order, and their indices. Equal
    /// elements keep their order.
    pub fn ascending(&mut self, value: &str, count: &str) -> [String; 2] {
        let attributes =
            vec![("axis", Attribute::Int(-1)), ("largest", Attribute::Int(0)), ("sorted", Attribute::Int(1))];
        let inputs = vec![value.to_owned(), count.to_owned()];
        self.cx.step_with_outputs(self.node, ("sort", ["sorted", "order"]), "TopK", inputs, attributes)
    }

    /// The part of a value from one index up to another along an axis.
    #[inline(never)]
    pub fn part(&mut self, value: &String, axis: i64, from: i64, to: i64) -> String {
        let (from, to, axis) = (self.ints(&[from]), self.ints(&[to]), self.ints(&[axis]));
        self.op("Slice", &[value, &from, &to, &axis])
    }

    /// The length of an axis, as a vector.
    #[inline(never)]
    pub fn length(&mut self, value: &String, axis: i64) -> String {
        let shape = self.op("Shape", &[value]);
        // ONNX Runtime treats an element that Gather selects from a shape as a scalar, which TopK refuses.
        self.part(&shape, 0, axis, if axis == -1 { i64::MAX } else { axis + 1 })
    }

    /// The positions from 0 up to a count, which is a vector of one number.
    #[inline(never)]
    pub fn positions(&mut self, count: &String) -> String {
        let (first, step, none) = (self.int(0), self.int(1), self.ints(&[0]));
        let count = self.op("Squeeze", &[count, &none]);
        self.op("Range", &[&first, &count, &step])
    }
}
