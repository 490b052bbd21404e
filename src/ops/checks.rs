//! Checks of the shapes and constants of ops' inputs, as far as these are known before the model runs: those that several
//! families share.
//!
//! Source: the shape functions in `tensorflow/core/ops/*.cc` and `tensorflow/core/framework/common_shape_fns.cc`, and,
//! for values that no input makes valid, the kernels in `tensorflow/core/kernels/*_op.cc`. What inference functions refuse
//! is not repeated in checks.

use super::infer::Inputs;
use crate::error::Result;
use crate::graph::Node;
use crate::graph::partial::{self, Length};

/// The lengths of an input that are known.
pub fn known_lengths(inputs: &Inputs<'_>, index: usize) -> Vec<i64> {
    let lengths = inputs.node.inputs.get(index).and_then(|&input| partial::integers(inputs.graph, input));
    lengths.unwrap_or_default().into_iter().filter_map(Length::value).collect()
}

pub fn not_below(node: &Node, name: &str, values: &[i64], least: i64) -> Result<()> {
    match values.iter().find(|&&value| value < least) {
        Some(value) => Err(node.error(format!("its {name} has {value}, and the op takes {least} or more"))),
        None => Ok(()),
    }
}

/// Refuses an input that must have this rank, but has another one.
pub fn rank(inputs: &Inputs<'_>, index: usize, name: &str, rank: usize) -> Result<()> {
    let shape = inputs.shape(index)?;
    match shape.rank() {
        Some(other) if other != rank => {
            Err(inputs.node.error(format!("its {name} of shape {shape} does not have rank {rank}")))
        }
        _ => Ok(()),
    }
}

/// Refuses an input that must be a vector, but has another rank.
pub fn vector(inputs: &Inputs<'_>, index: usize, name: &str) -> Result<()> {
    let shape = inputs.shape(index)?;
    match shape.rank() {
        None | Some(1) => Ok(()),
        Some(_) => Err(inputs.node.error(format!("its {name} is not a vector, but has the shape {shape}"))),
    }
}

/// Refuses axes that the first input does not have.
pub fn in_range(inputs: &Inputs<'_>, index: usize) -> Result<()> {
    let (Some(rank), Some(axes)) = (inputs.shape(0)?.rank(), inputs.integers(index)?) else { return Ok(()) };
    axes.iter().try_for_each(|&axis| inputs.checked_axis(axis, rank).map(|_| ()))
}

pub fn same_shapes(inputs: &Inputs<'_>, node: &Node, first: usize) -> Result<()> {
    for index in first + 1..node.inputs.len() {
        for other in first..index {
            let (a, b) = (inputs.shape(other)?, inputs.shape(index)?);
            if !a.is_compatible_with(b) {
                return Err(node.error(format!("its inputs have the shapes {a} and {b}")));
            }
            // Long lists are compared with their first alone.
            if node.inputs.len() > 64 {
                break;
            }
        }
    }
    Ok(())
}

/// The shape that the first input describes.
pub fn described_shape(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    vector(inputs, 0, "shape")?;
    not_below(node, "shape", &known_lengths(inputs, 0), 0)
}

/// Refuses axes that do not exist, or are named twice.
pub fn distinct_axes(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let (Some(rank), Some(axes)) = (inputs.shape(0)?.rank(), inputs.integers(1)?) else { return Ok(()) };
    let mut positions: Vec<usize> =
        axes.iter().map(|&axis| inputs.checked_axis(axis, rank)).collect::<Result<_>>()?;
    positions.sort_unstable();
    match positions.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(node.error(format!("it names axis {} more than once", pair[0]))),
        None => Ok(()),
    }
}
