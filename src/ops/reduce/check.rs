//! Checks of the inputs of segment ops (see [`crate::ops::checks`]).

use crate::error::Result;
use crate::graph::Node;
use crate::ops::checks::not_below;
use crate::ops::infer::Inputs;

pub fn segments(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    not_below(node, "num_segments", &inputs.integers(2)?.unwrap_or_default(), 0)
}
