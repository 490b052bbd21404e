//! What the ops of this family have in common: their inputs as values of a formula, and the numbers of rows and columns.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Value};
use crate::lower::steps::Steps;
use crate::onnx::onnx_dtype;
use crate::ops::array::lower::around::{joined_batches, with_batches};
use crate::tensor::DType;

/// The precision of a computation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// That of the inputs, and float32 for shorter types.
    Own,
    /// float64.
    Double,
}

/// Writes an op as a formula of its first `count` inputs, and the results as its outputs.
pub fn matrices(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    (count, precision): (usize, Precision),
    compute: &dyn for<'f> Fn(&'f Formula<'_, '_, '_>, &[Value<'f>]) -> Vec<Value<'f>>,
) -> Result<()> {
    let own = cx.dtype(cx.input_of(node, 0)?);
    let dtype = match own {
        _ if !own.is_float() => return Err(node.error(format!("of matrices of {own} it is not computed"))),
        DType::Float64 => DType::Float64,
        _ if precision == Precision::Double => DType::Float64,
        _ => DType::Float32,
    };
    let mut names = vec![];
    for index in 0..count {
        let input = cx.input_of(node, index)?;
        let name = cx.in_tensorflow_layout(input)?;
        names.push(if cx.dtype(input) == dtype { name } else { cx.cast(node, name, dtype) });
    }
    let mut rank = cx.shape(cx.input_of(node, 0)?).rank();
    // The axes before the matrices become one where nobody knows how many there are: of no matrices, ONNX Runtime does not reduce an
    // axis that is counted from the last one.
    let mut batch = None;
    if let (None, [name]) = (rank, &mut names[..]) {
        let (matrices, lengths) = joined_batches(&mut Steps { cx: &mut *cx, node }, name);
        *name = matrices;
        (batch, rank) = (Some(lengths), Some(3));
    }
    let formula = Formula::new(Steps { cx, node }, dtype).of_rank(rank);
    let inputs: Vec<Value<'_>> = names.into_iter().map(|name| formula.value(name)).collect();
    let results: Vec<String> = compute(&formula, &inputs).into_iter().map(|value| value.name).collect();
    drop(inputs);
    let Steps { cx, node } = formula.into_steps();
    for (port, mut name) in results.into_iter().enumerate() {
        if let Some(batch) = &batch {
            name = with_batches(&mut Steps { cx: &mut *cx, node }, &name, batch);
        }
        let output = node.output(port);
        let layout = Layout::tensorflow_of(cx.shape(output));
        if onnx_dtype(cx.dtype(output)) == onnx_dtype(dtype) {
            cx.emit(output, "Identity", vec![name], layout, vec![]);
        } else {
            cx.emit_cast(output, name, layout);
        }
    }
    Ok(())
}

/// The numbers of rows and columns of a node's matrices.
///
/// # Errors
/// If they are not known before the model runs.
pub fn known_size(cx: &Lowering<'_>, node: NodeRef<'_>) -> Result<(usize, usize)> {
    let input = cx.input_of(node, 0)?;
    let shape = cx.shape(input);
    let length = |back: usize| shape.rank().and_then(|rank| shape.dim(rank.checked_sub(back)?));
    length(2).zip(length(1)).ok_or_else(|| {
        let error = node.error("the numbers of rows and columns of its matrix are not known");
        error.advice(cx.shape_advice(input))
    })
}

/// Zeros in the shape of some matrices, but for the last axes, which have these lengths.
///
/// A sum would have the same shape, but of no elements ONNX Runtime leaves the axis as it is.
pub fn zeros<'f>(f: &'f Formula<'_, '_, '_>, matrices: &Value<'f>, lengths: &[i64]) -> Value<'f> {
    let end = f.vector(&[-(lengths.len() as i64)]);
    let shape = matrices.op("Shape", &[]).slice(0, &f.vector(&[0]), &end);
    f.number(0.0).op("Expand", &[&shape.along("Concat", 0, &[&f.vector(lengths)])])
}

/// The numbers of the rows or columns of a matrix.
pub struct Numbers<'f> {
    /// How many there are, an int64 vector of one element.
    pub length: Value<'f>,
    /// The same as a scalar.
    pub count: Value<'f>,
    /// The numbers from 0 on, as a row.
    pub across: Value<'f>,
    /// The same, as a column.
    pub down: Value<'f>,
}

impl<'f> Numbers<'f> {
    /// The numbers of an axis.
    pub fn of(f: &'f Formula<'_, '_, '_>, value: &Value<'f>, axis: i64) -> Self {
        let shape = value.op("Shape", &[]);
        let end = if axis == -1 { i64::MAX } else { axis + 1 };
        let length = shape.slice(0, &f.vector(&[axis]), &f.vector(&[end]));
        let count = length.op("Squeeze", &[&f.vector(&[0])]);
        let across = f.integer(0).op("Range", &[&count, &f.integer(1)]).cast(f.number_type());
        let down = across.op("Unsqueeze", &[&f.vector(&[-1])]);
        Self { length, count, across, down }
    }

    /// The unit matrix.
    pub fn unit(&self, f: &Formula<'_, '_, '_>) -> Value<'f> {
        self.down.is(&self.across).cast(f.number_type())
    }
}
