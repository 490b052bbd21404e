//! Checks of the ops that move and make tensors (see [`crate::ops::checks`]).

use crate::error::Result;
use crate::graph::{Attr, Node};
use crate::ops::Parameter;
use crate::ops::array::Blocks;
use crate::ops::checks::{known_lengths, not_below, vector};
use crate::ops::infer::Inputs;
use crate::tensor::{Constant, for_each_number};

/// The masks of a slice have a bit for each of its begins, and there are fewer of them.
///
/// Source: `ValidateStridedSliceOp` in `tensorflow/core/util/strided_slice_op.cc`.
const MAX_SLICED: usize = 32;

pub fn reshape(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    vector(inputs, 1, "shape")?;
    let lengths = known_lengths(inputs, 1);
    if lengths.iter().filter(|&&length| length == -1).count() > 1 {
        return Err(node.error(format!("only one length of its shape {lengths:?} can be -1")));
    }
    not_below(node, "shape", &lengths, -1)
}

pub fn scatter_nd(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    not_below(node, "shape", &known_lengths(inputs, 2), 0)
}

pub fn broadcast_to(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    vector(inputs, 1, "shape")?;
    not_below(node, "shape", &known_lengths(inputs, 1), 0)?;
    broadcasts_to(inputs, node)
}

fn broadcasts_to(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let (shape, target) = (inputs.shape(0)?, inputs.described_shape(1)?);
    let (Some(dims), Some(wanted)) = (shape.dims(), target.dims()) else { return Ok(()) };
    let fits = |(dim, wanted): (&Option<usize>, &Option<usize>)| {
        dim.is_none() || *dim == Some(1) || wanted.is_none() || dim == wanted
    };
    let is_same = wanted.len() >= dims.len() && dims.iter().rev().zip(wanted.iter().rev()).all(fits);
    if is_same {
        Ok(())
    } else {
        Err(node.error(format!("the shape {shape} does not broadcast to {target}")))
    }
}

pub fn permutation(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let Some(axes) = inputs.integers(1)? else { return Ok(()) };
    let rank = axes.len();
    // TensorFlow lets axes that are counted from the end pass, and then reads beyond its arrays.
    if let Some(axis) = axes.iter().find(|&&axis| axis < 0) {
        return Err(node.error(format!("its axis {axis} is below 0, for which TensorFlow defines no result")));
    }
    let mut positions: Vec<usize> =
        axes.iter().map(|&axis| inputs.checked_axis(axis, rank)).collect::<Result<_>>()?;
    positions.sort_unstable();
    positions.dedup();
    if positions.len() == rank {
        Ok(())
    } else {
        Err(node.error(format!("{axes:?} is not an order of axes")))
    }
}

pub fn tile(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    not_below(node, "multiples", &inputs.integers(1)?.unwrap_or_default(), 0)
}

pub fn slice(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let (begin, size) = (inputs.integers(1)?.unwrap_or_default(), inputs.integers(2)?.unwrap_or_default());
    not_below(node, "begin", &begin, 0)?;
    not_below(node, "size", &size, -1)?;
    let Some(dims) = inputs.shape(0)?.dims() else { return Ok(()) };
    for (index, name) in [(1, "begin"), (2, "size")] {
        if let Some(count) = inputs.shape(index)?.dim(0).filter(|&count| count != dims.len()) {
            let shape = inputs.shape(0)?;
            return Err(node.error(format!("its {name} has {count} numbers for the shape {shape}")));
        }
    }
    for (axis, (&dim, &begin)) in dims.iter().zip(&begin).enumerate() {
        let Some(length) = dim.and_then(|dim| i64::try_from(dim).ok()) else { continue };
        if begin > length {
            return Err(node.error(format!("it begins at {begin} of axis {axis}, whose length is {length}")));
        }
    }
    Ok(())
}

pub fn split(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let shape = inputs.shape(1)?;
    let Some(rank) = shape.rank() else { return Ok(()) };
    let Some(axis) = inputs.axis(0, rank)? else { return Ok(()) };
    let parts = usize::try_from(node.int("num_split", 1)).unwrap_or(0);
    match shape.dim(axis) {
        Some(length) if parts == 0 || !length.is_multiple_of(parts) => {
            Err(node.error(format!("axis {axis} of the shape {shape} does not divide into {parts} parts")))
        }
        _ => Ok(()),
    }
}

pub fn split_sizes(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let (shape, parts) = (inputs.shape(0)?, node.int("num_split", 1));
    let Some(sizes) = inputs.integers(1)? else { return Ok(()) };
    not_below(node, "size_splits", &sizes, -1)?;
    if i64::try_from(sizes.len()) != Ok(parts) || sizes.iter().filter(|&&size| size == -1).count() > 1 {
        return Err(node.error(format!("its size_splits {sizes:?} are not the lengths of {parts} parts")));
    }
    let Some(rank) = shape.rank() else { return Ok(()) };
    let Some(axis) = inputs.axis(2, rank)? else { return Ok(()) };
    let sum = sizes.iter().filter(|&&size| size != -1).try_fold(0i64, |sum, &size| sum.checked_add(size));
    let Some(length) = shape.dim(axis).and_then(|length| i64::try_from(length).ok()) else { return Ok(()) };
    let fits = sum.is_some_and(|sum| if sizes.contains(&-1) { sum <= length } else { sum == length });
    if fits {
        Ok(())
    } else {
        Err(node.error(format!("parts of {sizes:?} do not make axis {axis} of the shape {shape}")))
    }
}

pub fn one_hot(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    not_below(node, "depth", &inputs.integers(1)?.unwrap_or_default(), 0)?;
    let axis = node.int("axis", -1);
    match inputs.shape(0)?.rank() {
        Some(rank) if axis < -1 || axis > rank as i64 => {
            Err(node.error(format!("its axis {axis} is not between -1 and {rank}")))
        }
        _ => Ok(()),
    }
}

pub fn top_k(inputs: &Inputs<'_>, node: &Node, k: Parameter) -> Result<()> {
    let k = match k {
        Parameter::Attribute => Some(node.int("k", 0)),
        Parameter::Input(index) => inputs.integers(index)?.and_then(|k| k.first().copied()),
    };
    let (Some(k), shape) = (k, inputs.shape(0)?) else { return Ok(()) };
    not_below(node, "k", &[k], 0)?;
    match shape.last() {
        Some(length) if k > length as i64 => {
            Err(node.error(format!("it takes the greatest {k} of {length} elements")))
        }
        _ => Ok(()),
    }
}

pub fn range(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let mut numbers = vec![];
    for index in 0..3 {
        let Some(number) = inputs.constant(index).and_then(number) else { return Ok(()) };
        numbers.push(number);
    }
    let [start, limit, delta] = numbers[..] else { return Ok(()) };
    if delta == 0.0 || (delta > 0.0 && start > limit) || (delta < 0.0 && start < limit) {
        return Err(node.error(format!("steps of {delta} do not lead from {start} to {limit}")));
    }
    Ok(())
}

/// The value of a constant that has one element.
fn number(constant: &Constant) -> Option<f64> {
    let mut numbers = vec![];
    if constant.len() == 1 {
        for_each_number(constant.dtype(), &constant.bytes().ok()?, |number| numbers.push(number));
    }
    numbers.first().copied()
}

pub fn unpack(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let (shape, axis, count) = (inputs.shape(0)?, node.int("axis", 0), node.attrs.get("num"));
    let (Some(rank), Some(Attr::Int(count))) = (shape.rank(), count) else { return Ok(()) };
    match shape.dim(inputs.checked_axis(axis, rank)?) {
        Some(length) if length as i64 != *count => {
            Err(node.error(format!("it takes {count} parts of axis {axis} of the shape {shape}")))
        }
        _ => Ok(()),
    }
}

pub fn gather_nd(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let batch = usize::try_from(node.int("batch_dims", 0)).unwrap_or(0);
    match (inputs.shape(0)?.rank(), inputs.shape(1)?.last()) {
        (Some(rank), Some(depth)) if batch.saturating_add(depth) > rank => {
            Err(node.error(format!("its indices name {depth} axes of the shape {}", inputs.shape(0)?)))
        }
        _ => Ok(()),
    }
}

pub fn ensure_shape(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    match node.attrs.get("shape") {
        Some(Attr::Shape(shape)) if !inputs.shape(0)?.is_compatible_with(shape) => {
            Err(node.error(format!("its input has the shape {}, not {shape}", inputs.shape(0)?)))
        }
        _ => Ok(()),
    }
}

pub fn reverse_sequence(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let (input, lengths) = (inputs.shape(0)?, inputs.shape(1)?);
    let batch = usize::try_from(node.int("batch_dim", 0)).ok().and_then(|axis| input.dim(axis));
    match (batch, lengths.dim(0)) {
        (Some(batch), Some(count)) if batch != count => {
            Err(node.error(format!("it has {count} lengths for the {batch} sequences of the shape {input}")))
        }
        _ => Ok(()),
    }
}

/// DepthToSpace takes its blocks from the channels, SpaceToDepth from height and width.
pub fn blocks(inputs: &Inputs<'_>, node: &Node, blocks: Blocks) -> Result<()> {
    let shape = inputs.shape(0)?;
    let block = usize::try_from(node.int("block_size", 1)).unwrap_or(0).clamp(1, 1 << 15);
    let Some(dims) = shape.dims().filter(|dims| dims.len() == 4) else { return Ok(()) };
    let channel = node.data_format().channel_axis(4);
    let divides = |axis: usize| {
        let by = match blocks {
            _ if axis == 0 => 1,
            Blocks::DepthToSpace if axis == channel => block * block,
            Blocks::SpaceToDepth if axis != channel => block,
            Blocks::DepthToSpace | Blocks::SpaceToDepth => 1,
        };
        dims[axis].is_none_or(|length| length.is_multiple_of(by))
    };
    match (0..4).all(divides) {
        true => Ok(()),
        false => Err(node.error(format!("blocks of {block} do not fit the shape {shape}"))),
    }
}

pub fn strided_slice(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let mut lengths = vec![];
    for (index, name) in [(1, "begin"), (2, "end"), (3, "strides")] {
        vector(inputs, index, name)?;
        lengths.extend(inputs.shape(index)?.dim(0));
    }
    if lengths.iter().any(|&length| length >= MAX_SLICED || Some(&length) != lengths.first()) {
        return Err(node.error(format!("its begins, ends and strides are {lengths:?} numbers")));
    }
    match node.int("ellipsis_mask", 0) {
        mask if mask.count_ones() > 1 => Err(node.error("it has more than one ellipsis")),
        _ => Ok(()),
    }
}

pub fn lin_space(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    not_below(node, "num", &inputs.integers(2)?.unwrap_or_default(), 1)
}
