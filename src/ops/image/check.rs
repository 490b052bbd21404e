//! Checks of images and sizes (see [`crate::ops::checks`]).

use crate::error::Result;
use crate::graph::Node;
use crate::ops::checks::{known_lengths, not_below};
use crate::ops::infer::Inputs;

pub fn resize(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    not_below(node, "size", &known_lengths(inputs, 1), 1)?;
    match inputs.shape(1)?.fully_known().as_deref() {
        None | Some([2]) => Ok(()),
        _ => Err(node.error(format!("its size has the shape {}, not [2]", inputs.shape(1)?))),
    }
}
