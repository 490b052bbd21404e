//! Checks of the ops that compute with numbers (see [`crate::ops::checks`]).

use crate::error::Result;
use crate::graph::Node;
use crate::ops::checks::same_shapes;
use crate::ops::infer::Inputs;

pub fn clip(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    for index in [1, 2] {
        let (shape, bound) = (inputs.shape(0)?, inputs.shape(index)?);
        if bound.rank() != Some(0) && !shape.is_compatible_with(bound) {
            return Err(node.error(format!("its bound of shape {bound} is not for the shape {shape}")));
        }
    }
    Ok(())
}

/// The condition has the shape of the two alternatives, or is a scalar, or a vector with a boolean for each row.
pub fn select(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    same_shapes(inputs, node, 1)?;
    let (condition, chosen) = (inputs.shape(0)?, inputs.shape(1)?);
    let fits = match (condition.rank(), chosen.rank()) {
        (Some(1), Some(rank)) if rank > 1 => {
            condition.dim(0).zip(chosen.dim(0)).is_none_or(|(condition, rows)| condition == rows)
        }
        (Some(0), _) => true,
        _ => condition.is_compatible_with(chosen),
    };
    if fits {
        Ok(())
    } else {
        Err(node.error(format!("a condition of shape {condition} does not choose from the shape {chosen}")))
    }
}
