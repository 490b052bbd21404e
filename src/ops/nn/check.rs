//! Checks of the inputs of layers (see [`crate::ops::checks`]).

use crate::error::Result;
use crate::graph::Node;
use crate::ops::checks::vector;
use crate::ops::infer::Inputs;

pub fn bias(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    vector(inputs, 1, "bias")?;
    let (shape, bias) = (inputs.shape(0)?, inputs.shape(1)?);
    let Some(rank) = shape.rank().filter(|&rank| rank >= 2) else { return Ok(()) };
    match (shape.dim(node.data_format().channel_axis(rank)), bias.dim(0)) {
        (Some(channels), Some(length)) if channels != length => {
            Err(node.error(format!("its bias has {length} elements for {channels} channels")))
        }
        _ => Ok(()),
    }
}
