//! An axis that is known only when the model runs. ONNX has the axis of most operators as an attribute, so that the tensor is
//! reshaped first: all axes before this one become one, and so do all behind it. Then the axis is the second of three, whatever
//! the rank is.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::emit::zeros_are_lengths;
use crate::lower::steps::Steps;
use crate::tensor::DType;

/// An input that is one integer or several, as an int64 vector.
pub fn int_vector(cx: &mut Lowering<'_>, node: NodeRef<'_>, index: usize) -> Result<String> {
    if let Some(known) = cx.known_integers(node, index)? {
        return Ok(Steps { cx, node }.ints(&known));
    }
    let input = cx.input_of(node, index)?;
    let (is_vector, dtype) = (cx.shape(input).rank() == Some(1), cx.dtype(input));
    let mut name = cx.in_tensorflow_layout(input)?;
    let mut steps = Steps { cx, node };
    if dtype != DType::Int64 {
        name = steps.cast(&name, DType::Int64);
    }
    let flat = steps.ints(&[-1]);
    Ok(if is_vector { name } else { steps.op("Reshape", &[&name, &flat]) })
}

/// A tensor as three axes.
pub struct Around {
    /// The tensor, with the axis as the second of three.
    pub value: String,
    /// The lengths of the axes before the axis, as a vector.
    pub before: String,
    /// The length of the axis, as a vector of one number.
    pub length: String,
    /// The lengths of the axes behind the axis.
    pub behind: String,
}

impl Around {
    /// `axis` is a vector of one number, which may be counted from the end.
    pub fn new(steps: &mut Steps<'_, '_, '_>, value: &String, axis: &String) -> Self {
        let shape = steps.op("Shape", &[value]);
        let rank = steps.op("Shape", &[&shape]);
        let axis = steps.op("Mod", &[axis, &rank]);
        let (first, one, end) = (steps.ints(&[0]), steps.ints(&[1]), steps.ints(&[i64::MAX]));
        let next = steps.op("Add", &[&axis, &one]);
        let before = steps.op("Slice", &[&shape, &first, &axis, &first]);
        let length = steps.op("Slice", &[&shape, &axis, &next, &first]);
        let behind = steps.op("Slice", &[&shape, &next, &end, &first]);
        let [many, each] = [&before, &behind].map(|lengths| steps.reduce("ReduceProd", lengths, &[0], true));
        let three = steps.op_with("Concat", &[&many, &length, &each], "axis", 0);
        let value = reshaped(steps, value, &three);
        Self { value, before, length, behind }
    }

    /// Records a result for the three axes as `tensor`, which has the axes around the axis and, between them, axes of the lengths
    /// `middle`.
    pub fn emit(
        &self,
        steps: &mut Steps<'_, '_, '_>,
        tensor: impl Into<TensorRef>,
        value: String,
        middle: Option<&String>,
    ) {
        let tensor = tensor.into();
        let lengths: Vec<&String> =
            [Some(&self.before), middle, Some(&self.behind)].into_iter().flatten().collect();
        let shape = steps.op_with("Concat", &lengths, "axis", 0);
        let layout = Layout::tensorflow_of(steps.cx.shape(tensor));
        let attributes = zeros_are_lengths();
        steps.cx.emit(tensor, "Reshape", vec![value, shape], layout, attributes);
    }
}

/// A value in another shape, which has no -1.
pub fn reshaped(steps: &mut Steps<'_, '_, '_>, value: &str, shape: &str) -> String {
    steps.cx.reshaped(steps.node, "reshaped", value.to_owned(), shape.to_owned())
}

/// The shape of a vector along an axis of a value, counted from the front: -1, and 1 for each axis behind it. With it, the vector is
/// broadcast to the other axes.
pub fn vector_along(
    steps: &mut Steps<'_, '_, '_>,
    value: &String,
    axis: usize,
    rank: Option<usize>,
) -> String {
    if let Some(rank) = rank {
        let behind = rank.saturating_sub(axis + 1);
        return steps.ints(&[&[-1], &vec![1; behind][..]].concat());
    }
    let (shape, before) = (steps.op("Shape", &[value]), steps.ints(&[axis as i64 + 1]));
    let rank = steps.op("Shape", &[&shape]);
    let behind = steps.op("Sub", &[&rank, &before]);
    let (first, ones) = (steps.ints(&[-1]), ones(steps, &behind));
    steps.op_with("Concat", &[&first, &ones], "axis", 0)
}

/// As many ones as a vector of one number says.
pub fn ones(steps: &mut Steps<'_, '_, '_>, count: &String) -> String {
    let one = steps.int(1);
    steps.op("Expand", &[&one, count])
}

/// Matrices whose axes in front are joined to one, and the lengths of these axes.
pub fn joined_batches(steps: &mut Steps<'_, '_, '_>, matrices: &String) -> (String, String) {
    let shape = steps.op("Shape", &[matrices]);
    let (batches, sizes) = (steps.part(&shape, 0, 0, -2), steps.part(&shape, 0, -2, i64::MAX));
    let all = steps.reduce("ReduceProd", &batches, &[0], true);
    let target = steps.op_with("Concat", &[&all, &sizes], "axis", 0);
    (reshaped(steps, matrices, &target), batches)
}

/// The results of matrices whose axes in front were joined, with these axes.
pub fn with_batches(steps: &mut Steps<'_, '_, '_>, results: &String, batches: &String) -> String {
    let shape = steps.op("Shape", &[results]);
    let behind = steps.part(&shape, 0, 1, i64::MAX);
    let target = steps.op_with("Concat", &[batches, &behind], "axis", 0);
    reshaped(steps, results, &target)
}
