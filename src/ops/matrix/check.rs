//! Checks of the factors of products (see [`crate::ops::checks`]).

use crate::error::Result;
use crate::graph::{Node, Shape};
use crate::ops::infer::Inputs;

pub fn batch_matmul(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    let inner = |shape: &Shape, is_first: bool| {
        let dims = shape.dims()?;
        dims.len().checked_sub(if is_first { 2 } else { 1 }).and_then(|axis| dims[axis])
    };
    match (inner(a, node.bool("adj_x", false)), inner(b, !node.bool("adj_y", false))) {
        (Some(columns), Some(rows)) if columns != rows => {
            Err(node.error(format!("matrices of shapes {a} and {b} cannot be multiplied")))
        }
        _ => Ok(()),
    }
}
