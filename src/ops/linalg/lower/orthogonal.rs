//! Orthogonal factors, by Householder's reflections.
//!
//! Sources: `tf.linalg.qr` in TensorFlow's API documentation; Golub and Van Loan, "Matrix Computations", 5.1 and 5.2. The signs are those
//! of `makeHouseholder` in `Eigen/src/Householder/Householder.h`.

use super::frame::{Numbers, Precision, matrices, zeros};
use super::number::{Number, repeat};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Iteration, Value};
use crate::tensor::DType;

/// The orthogonal and the triangular factor, both with all rows. The diagonal of the triangular one is real.
pub fn householder<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Number<'f>) -> [Number<'f>; 2] {
    let (rows, columns) = (Numbers::of(f, &matrix.real, -2), Numbers::of(f, &matrix.real, -1));
    let least = if f.number_type() == DType::Float64 { f64::MIN_POSITIVE } else { f32::MIN_POSITIVE.into() };
    let count = rows.count.min(&columns.count);
    // The reflections turn the unit matrix beside the matrix into the adjoint orthogonal factor.
    let unit = zeros(f, &matrix.real, &[1]) + rows.unit(f);
    let both = matrix.beside(-1, &[&unit.into()]);
    let [both] = repeat(f, &count, [&both], |k, [both]| {
        let Iteration { number, index } = &k;
        let column = both.gathered(-1, index);
        let head = column.gathered(-2, index);
        let tail = column.only(&rows.down.greater(number));
        let square = tail.square().reduced("ReduceSum", -2);
        let norm = (head.square() + &square).sqrt();
        let norm = head.real.less(0.0).choose(&norm, -&norm);
        // A column that is 0 below the diagonal, and real on it, is left as it is.
        let is_done = square.at_most(least);
        let is_done = match &head.imaginary {
            Some(part) => is_done.and(&(part * part).at_most(least)),
            None => is_done,
        };
        let norm = Number::from(is_done.choose(1.0, norm));
        let scale = ((&norm - &head) / &norm).conjugate().only(&is_done.not());
        let one = f.number(1.0);
        let vector = Number::from(&one)
            .or(&rows.down.is(number), tail / Number::from(&one).or(&is_done, head - &norm));
        let product = (vector.conjugate() * &both).sum(-2);
        ([both - scale * vector * product], None)
    });
    let triangle = both.slice(-1, &f.vector(&[0]), &columns.length);
    let triangle = triangle.only(&columns.across.at_least(&rows.down));
    let orthogonal = both.slice(-1, &columns.length, &f.vector(&[i64::MAX])).adjoint();
    [orthogonal, triangle]
}

pub fn qr(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let is_full = node.bool("full_matrices", false);
    matrices(cx, node, (1, Precision::Own), &|f, inputs| {
        let [orthogonal, triangle] = householder(f, &inputs[0]);
        if is_full {
            return vec![orthogonal, triangle];
        }
        let (zero, count) = (f.vector(&[0]), shorter(f, &inputs[0]));
        vec![orthogonal.slice(-1, &zero, &count), triangle.slice(-2, &zero, &count)]
    })
}

/// The number of rows or of columns, whichever is less.
pub fn shorter<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Number<'f>) -> Value<'f> {
    let shape = matrix.real.op("Shape", &[]).slice(0, &f.vector(&[-2]), &f.vector(&[i64::MAX]));
    shape.reduced("ReduceMin", 0)
}
