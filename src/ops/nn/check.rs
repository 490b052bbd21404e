//! Checks of the inputs of layers (see [`crate::ops::checks`]).

use crate::error::Result;
use crate::graph::{DataFormat, Node};
use crate::ops::checks::vector;
use crate::ops::infer::Inputs;

pub fn bias(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    vector(inputs, 1, "bias")?;
    let (shape, bias) = (inputs.shape(0)?, inputs.shape(1)?);
    let Some(rank) = shape.rank() else { return Ok(()) };
    let least = match node.data_format() {
        DataFormat::ChannelsLast => 2,
        DataFormat::ChannelsFirst => 3,
    };
    if rank < least {
        return Err(node.error(format!("its input of shape {shape} has fewer than {least} axes")));
    }
    match (shape.dim(node.data_format().channel_axis(rank)), bias.dim(0)) {
        (Some(channels), Some(length)) if channels != length => {
            Err(node.error(format!("its bias has {length} elements for {channels} channels")))
        }
        _ => Ok(()),
    }
}
