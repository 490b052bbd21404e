//! The weighted sums that the gates of a cell are computed from.

use super::columns::{Body, Columns};
use crate::graph::TensorRef;
use crate::tensor::Constant;

/// A sum of matrix products, constants and other values.
#[derive(Debug, Default)]
pub struct Sum {
    pub products: Vec<Product>,
    pub constants: Vec<Constant>,
    pub others: Vec<Columns>,
}

/// A tensor times a constant matrix.
#[derive(Debug, Clone)]
pub struct Product {
    pub of: TensorRef,
    /// The matrix: a row for each column of the tensor.
    pub weights: Constant,
}

impl Sum {
    /// What is added up to these columns.
    pub fn of(body: &Body<'_>, columns: Columns) -> Option<Self> {
        let count = columns.count;
        let mut sum = Self::default();
        let mut open = vec![columns];
        while let Some(columns) = open.pop() {
            let columns = body.computed(columns);
            if let Some(constant) = body.constant(columns) {
                sum.constants.push(vector(&constant, count)?);
            } else if columns.count != count {
                return None;
            } else if let Some([a, b]) = body.operands(columns, &["Add", "AddV2", "BiasAdd"]) {
                open.extend([b, a]);
            } else if let Some(products) = products(body, columns) {
                sum.products.extend(products);
            } else {
                sum.others.push(columns);
            }
        }
        Some(sum)
    }
}

/// A constant that is added to all rows, as a vector of `count` numbers.
pub fn vector(constant: &Constant, count: usize) -> Option<Constant> {
    match constant.len() {
        same if same == count && constant.shape().last() == Some(&count) => constant.reshaped(&[count]).ok(),
        1 => Some(Constant::filled(vec![count], *constant.to_f32s().ok()??.first()?)),
        _ => None,
    }
}

/// The products that a matrix product consists of: one for each of the tensors that are concatenated before it.
fn products(body: &Body<'_>, columns: Columns) -> Option<Vec<Product>> {
    let node = body.node(columns.tensor);
    let &[of, weights] = &node.inputs[..] else { return None };
    if node.op != "MatMul" || node.bool("transpose_a", false) || node.bool("transpose_b", false) {
        return None;
    }
    let weights = body.constant(Columns { tensor: weights, ..columns })?;
    let &[rows, count] = weights.shape() else { return None };
    let mut products = vec![];
    let mut first = 0;
    for of in concatenated(body, of) {
        let width = body.width(of)?;
        products.push(Product { of, weights: weights.slice(&[first, 0], &[width, count])? });
        first += width;
    }
    (first == rows).then_some(products)
}

/// The tensors whose columns follow each other in a tensor of rank 2.
fn concatenated(body: &Body<'_>, tensor: TensorRef) -> Vec<TensorRef> {
    let tensor = body.origin(tensor);
    let node = body.node(tensor);
    let axis = || {
        let (&axis, parts) = node.inputs.split_last()?;
        let axis = body.function.graph().constant(body.origin(axis))?.to_i64s().ok()??;
        (axis == [1] || axis == [-1]).then(|| parts.iter().map(|&part| body.origin(part)).collect())
    };
    if node.op == "ConcatV2" { axis().unwrap_or_else(|| vec![tensor]) } else { vec![tensor] }
}
