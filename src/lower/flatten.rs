//! Flattening images before a matrix product without a Transpose: TensorFlow flattens rows, columns and channels
//! in this order, the image is stored with its channels first, and so the rows of the matrix are put into that
//! order instead.

use super::Layout;
use super::context::Lowering;
use crate::error::Result;
use crate::graph::{Node, NodeId, NodeRef, TensorRef};
use crate::tensor::Constant;

/// An image that was flattened as it is stored.
#[derive(Debug, Clone)]
pub struct Flattened {
    /// The lengths of TensorFlow's axes, the batch left out.
    dims: Vec<usize>,
    /// The order in which these axes were flattened.
    order: Vec<usize>,
}

impl Flattened {
    /// The rows of a matrix in the order in which the image was flattened.
    ///
    /// # Errors
    /// If it has another number of rows.
    pub fn reordered(&self, matrix: &Constant) -> Result<Constant> {
        let columns = matrix.shape().get(1).copied().unwrap_or(0);
        let rows_apart = [&self.dims[..], &[columns]].concat();
        let perm = [&self.order[..], &[self.dims.len()]].concat();
        matrix.reshaped(&rows_apart)?.permuted(&perm)?.reshaped(matrix.shape())
    }
}

/// Whether a Reshape only feeds products with constant matrices and may flatten its input as it is stored.
pub fn flattened(cx: &Lowering<'_>, node: NodeRef<'_>, layout: &Layout) -> Option<Flattened> {
    let dims: Option<Vec<usize>> = cx.shape(node.inputs[0]).dims()?.iter().skip(1).copied().collect();
    let dims = dims?;
    let features: usize = dims.iter().product();
    let axes = layout.axes();
    let is_flat = cx.shape(node.into()).rank() == Some(2) && cx.shape(node.into()).dim(1) == Some(features);
    if !is_flat || axes.first() != Some(&0) {
        return None;
    }
    is_only_multiplied(cx, node.into())
        .then(|| Flattened { dims, order: axes[1..].iter().map(|axis| axis - 1).collect() })
}

/// Whether all readers of a matrix are products with constant matrices, also through Identity nodes.
fn is_only_multiplied(cx: &Lowering<'_>, tensor: TensorRef) -> bool {
    let is_product = |(id, reader): (NodeId, &Node)| match reader.op.as_str() {
        "Identity" => is_only_multiplied(cx, id.into()),
        "MatMul" => {
            reader.inputs[0] == tensor
                && reader.inputs[1] != tensor
                && !reader.bool("transpose_a", false)
                && !reader.bool("transpose_b", false)
                && is_constant(cx, reader.inputs[1])
        }
        _ => false,
    };
    !cx.is_output(tensor) && cx.readers(tensor).all(is_product)
}

/// Whether a tensor is a constant of the graph, or one that an Identity forwards.
fn is_constant(cx: &Lowering<'_>, tensor: TensorRef) -> bool {
    let node = cx.producer(tensor);
    match node.op.as_str() {
        "Const" => true,
        "Identity" => is_constant(cx, node.inputs[0]),
        _ => false,
    }
}

/// The matrix that a flattened image is multiplied with.
pub fn matrix_for(cx: &mut Lowering<'_>, image: TensorRef, matrix: TensorRef) -> Result<String> {
    match (cx.flattened.get(&image).cloned(), cx.constant(matrix).cloned()) {
        (Some(flattened), Some(constant)) => {
            cx.derived_initializer(matrix, flattened.reordered(&constant)?, &flattened.order)
        }
        _ => cx.in_tensorflow_layout(matrix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_the_matrix_follow_the_channels() {
        // One row of two pixels with three channels, times a matrix of one column.
        let matrix = Constant::from_i32(vec![6, 1], &[11, 12, 13, 21, 22, 23]);
        let flattened = Flattened { dims: vec![1, 2, 3], order: vec![2, 0, 1] };
        let rows = flattened.reordered(&matrix).unwrap().to_i64s().unwrap().unwrap();
        assert_eq!(rows, [11, 21, 12, 22, 13, 23]);
    }
}
