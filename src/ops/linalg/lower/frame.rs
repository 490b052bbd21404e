//! What the ops of this family have in common: their inputs as values of a formula, and the numbers of rows and columns.

use super::number::Number;
use crate::error::Result;
use crate::graph::{NodeRef, Shape, TensorRef};
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

/// The name of real numbers, or of real parts, and that of imaginary parts.
type Names = (String, Option<String>);

/// Writes an op as a formula of its first `count` inputs, and the results as its outputs.
pub fn matrices(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    (count, precision): (usize, Precision),
    compute: &dyn for<'f> Fn(&'f Formula<'_, '_, '_>, &[Number<'f>]) -> Vec<Number<'f>>,
) -> Result<()> {
    let own = cx.dtype(cx.input_of(node, 0)?);
    let dtype = match own.part() {
        part if !part.is_float() => {
            return Err(node.error(format!("of matrices of {own} it is not computed")));
        }
        DType::Float64 => DType::Float64,
        _ if precision == Precision::Double => DType::Float64,
        _ => DType::Float32,
    };
    let names: Result<Vec<Names>> = (0..count).map(|index| input_names(cx, node, index, dtype)).collect();
    let mut names = names?;
    let mut rank = cx.shape(cx.input_of(node, 0)?).rank();
    // The axes before the matrices become one where nobody knows how many there are: of no matrices, ONNX Runtime does not reduce an
    // axis that is counted from the last one.
    let mut batch = None;
    if let (None, [input]) = (rank, &mut names[..]) {
        for name in [Some(&mut input.0), input.1.as_mut()].into_iter().flatten() {
            let (matrices, lengths) = joined_batches(&mut Steps { cx: &mut *cx, node }, name);
            *name = matrices;
            batch = Some(lengths);
        }
        rank = Some(3);
    }
    let outputs = || (0..node.outputs.len()).map(|port| node.output(port));
    let are_complex: Vec<bool> = outputs().map(|output| cx.dtype(output).is_complex()).collect();
    let formula = Formula::new(Steps { cx, node }, dtype).of_rank(rank);
    let inputs: Vec<Number<'_>> = names.into_iter().map(|names| named(&formula, names)).collect();
    let results = compute(&formula, &inputs).into_iter().zip(are_complex);
    let results: Vec<Names> = results
        .map(|(result, is_complex)| (result.real.name.clone(), is_complex.then(|| result.imaginary().name)))
        .collect();
    drop(inputs);
    let Steps { cx, node } = formula.into_steps();
    for (output, names) in outputs().zip(results) {
        // An output that is not computed is a vector, whatever the rank of the others.
        let batch = batch.as_ref().filter(|_| *cx.shape(output) != Shape::known(&[0]));
        set_output(cx, node, output, names, dtype, batch);
    }
    Ok(())
}

/// The names of an input in the type of a computation.
fn input_names(cx: &mut Lowering<'_>, node: NodeRef<'_>, index: usize, dtype: DType) -> Result<Names> {
    let input = cx.input_of(node, index)?;
    let own = cx.dtype(input);
    let cast =
        |cx: &mut Lowering<'_>, name| if own.part() == dtype { name } else { cx.cast(node, name, dtype) };
    if own.is_complex() {
        let [real, imaginary] = cx.parts(node, input)?;
        return Ok((cast(cx, real), Some(cast(cx, imaginary))));
    }
    let name = cx.in_tensorflow_layout(input)?;
    Ok((cast(cx, name), None))
}

fn named<'f>(f: &'f Formula<'_, '_, '_>, (real, imaginary): Names) -> Number<'f> {
    Number { real: f.value(real), imaginary: imaginary.map(|name| f.value(name)) }
}

/// Records results of a type as an output, with the axes that were joined.
fn set_output(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    output: TensorRef,
    (real, imaginary): Names,
    dtype: DType,
    batch: Option<&String>,
) {
    let part = cx.dtype(output).part();
    let is_same = onnx_dtype(part) == onnx_dtype(dtype);
    let whole = |cx: &mut Lowering<'_>, name: String| match batch {
        Some(batch) => with_batches(&mut Steps { cx, node }, &name, batch),
        None => name,
    };
    let real = whole(cx, real);
    if let Some(imaginary) = imaginary {
        let parts = [real, whole(cx, imaginary)];
        let parts = if is_same { parts } else { parts.map(|name| cx.cast(node, name, part)) };
        return cx.set_parts(node, output, parts);
    }
    let layout = Layout::tensorflow_of(cx.shape(output));
    if is_same {
        cx.emit(output, "Identity", vec![real], layout, vec![]);
    } else {
        cx.emit_cast(output, real, layout);
    }
}

/// The numbers of rows and columns of a node's matrices, if they are known before the model runs.
///
/// # Errors
/// If it has no input.
pub fn known_size(cx: &Lowering<'_>, node: NodeRef<'_>) -> Result<Option<(usize, usize)>> {
    let shape = cx.shape(cx.input_of(node, 0)?);
    let length = |back: usize| shape.rank().and_then(|rank| shape.dim(rank.checked_sub(back)?));
    Ok(length(2).zip(length(1)))
}

/// A row of zeros in the type of matrices with these columns.
///
/// A sum of the rows would have the same shape, but of no elements ONNX Runtime makes no row.
pub fn zero_row<'f>(f: &'f Formula<'_, '_, '_>, matrices: &Value<'f>) -> Value<'f> {
    let shape = matrices.op("Shape", &[]);
    let batch = shape.slice(0, &f.vector(&[0]), &f.vector(&[-2]));
    let columns = shape.slice(0, &f.vector(&[-1]), &f.vector(&[i64::MAX]));
    f.number(0.0).op("Expand", &[&batch.along("Concat", 0, &[&f.vector(&[1]), &columns])])
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
