//! Orthogonal factors, by Householder's reflections.
//!
//! Sources: `tf.linalg.qr` in TensorFlow's API documentation; Golub and Van Loan, "Matrix Computations", 5.1 and 5.2. The signs are those
//! of `makeHouseholder` in `Eigen/src/Householder/Householder.h`.

use super::frame::{Numbers, Precision, matrices, zeros};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Iteration, Value};
use crate::tensor::DType;

/// The orthogonal and the triangular factor, both with all rows.
pub fn householder<'f>(f: &'f Formula<'_, '_, '_>, matrix: &Value<'f>) -> [Value<'f>; 2] {
    let (rows, columns) = (Numbers::of(f, matrix, -2), Numbers::of(f, matrix, -1));
    let least = if f.number_type() == DType::Float64 { f64::MIN_POSITIVE } else { f32::MIN_POSITIVE.into() };
    let count = rows.count.min(&columns.count);
    // The reflections turn the unit matrix beside the matrix into the transposed orthogonal factor.
    let unit = zeros(f, matrix, &[1]) + rows.unit(f);
    let both = matrix.along("Concat", -1, &[&unit]);
    let [both] = f.repeat(&count, [&both], |k, [both]| {
        let Iteration { number, index } = &k;
        let column = both.along("Gather", -1, &[index]);
        let head = column.along("Gather", -2, &[index]);
        let tail = rows.down.greater(number).choose(column, 0.0);
        let square = (&tail * &tail).reduced("ReduceSum", -2);
        let norm = (&head * &head + &square).sqrt();
        let norm = head.less(0.0).choose(&norm, -&norm);
        // A column that is 0 below the diagonal is left as it is.
        let is_done = square.at_most(least);
        let norm = is_done.choose(1.0, norm);
        let scale = is_done.choose(0.0, (&norm - &head) / &norm);
        let vector = rows.down.is(number).choose(1.0, tail / is_done.choose(1.0, head - &norm));
        let product = (&vector * &both).reduced("ReduceSum", -2);
        ([both - scale * vector * product], None)
    });
    let triangle = both.slice(-1, &f.vector(&[0]), &columns.length);
    let triangle = columns.across.at_least(&rows.down).choose(triangle, 0.0);
    let orthogonal = both.slice(-1, &columns.length, &f.vector(&[i64::MAX])).transposed();
    [orthogonal, triangle]
}

pub fn qr(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let is_full = node.bool("full_matrices", false);
    matrices(cx, node, (1, Precision::Own), &|f, inputs| {
        let [orthogonal, triangle] = householder(f, &inputs[0]);
        if is_full {
            return vec![orthogonal, triangle];
        }
        let shape = inputs[0].op("Shape", &[]).slice(0, &f.vector(&[-2]), &f.vector(&[i64::MAX]));
        let count = shape.reduced("ReduceMin", 0);
        let zero = f.vector(&[0]);
        vec![orthogonal.slice(-1, &zero, &count), triangle.slice(-2, &zero, &count)]
    })
}
