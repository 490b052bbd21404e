//! Ops that take images apart into blocks and repeat them (`tensorflow/core/ops/array_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::Parameter;
use crate::ops::array::Blocks;
use crate::ops::infer::{Inputs, one};

/// Repeats a tensor along each axis.
pub fn tile(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    // Some of them may be known before the others.
    let multiples = inputs.described_shape(1)?;
    let (Some(dims), Some(multiples)) = (input.shape.dims(), multiples.dims()) else {
        let rank = input.shape.rank().or(multiples.rank());
        return Ok(vec![TensorType::new(input.dtype, rank.map_or(Shape::UNKNOWN, Shape::of_rank))]);
    };
    if multiples.len() != dims.len() {
        return Err(node.error(format!(
            "{} multiples for a tensor of shape {}",
            multiples.len(),
            input.shape
        )));
    }
    let tiled = dims.iter().zip(multiples).map(|(dim, multiple)| (*dim)?.checked_mul((*multiple)?));
    Ok(vec![TensorType::new(input.dtype, Shape::new(tiled.collect()))])
}

/// Pads images and takes them apart into the coarse images of every `block`-th pixel, side by side in the batch.
pub fn space_to_batch(inputs: &Inputs<'_>, node: &Node, block: Parameter) -> Result<Vec<TensorType>> {
    let coarse = |length: usize, block: usize, [before, after]: [usize; 2]| {
        let padded = length.checked_add(before)?.checked_add(after)?;
        padded.is_multiple_of(block).then(|| padded / block)
    };
    blocks(inputs, (node, block), coarse, usize::checked_mul)
}

/// Puts images together again that were taken apart, and crops them.
pub fn batch_to_space(inputs: &Inputs<'_>, node: &Node, block: Parameter) -> Result<Vec<TensorType>> {
    let fine = |length: usize, block: usize, [before, after]: [usize; 2]| {
        length.checked_mul(block)?.checked_sub(before)?.checked_sub(after)
    };
    blocks(inputs, (node, block), fine, |batch, count| batch.is_multiple_of(count).then(|| batch / count))
}

/// `resized` is the new length of an axis, by its length, its block and its borders; `batch` is the new length of the batch, by its
/// length and the number of pixels of a block.
fn blocks(
    inputs: &Inputs<'_>,
    (node, block): (&Node, Parameter),
    resized: impl Fn(usize, usize, [usize; 2]) -> Option<usize>,
    batch: impl Fn(usize, usize) -> Option<usize>,
) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let Some(dims) = input.shape.dims() else { return Ok(vec![input.clone()]) };
    let open = || Ok(vec![TensorType::new(input.dtype, Shape::of_rank(dims.len()))]);
    let (block, borders) = match block {
        Parameter::Attribute => (Some(vec![node.int("block_size", 1); 2]), inputs.integers(1)?),
        Parameter::Input(index) => (inputs.integers(index)?, inputs.integers(index + 1)?),
    };
    let (Some(block), Some(borders)) = (block, borders) else { return open() };
    let block: Option<Vec<usize>> =
        block.iter().map(|&n| usize::try_from(n).ok().filter(|&n| n > 0)).collect();
    let borders: Option<Vec<usize>> = borders.iter().map(|&n| usize::try_from(n).ok()).collect();
    let (Some(block), Some(borders)) = (block, borders) else {
        return Err(node.error("its blocks and borders are not counts"));
    };
    let (borders, []) = borders.as_chunks::<2>() else { return Err(node.error("its borders are not pairs")) };
    if borders.len() != block.len() || block.len() >= dims.len() {
        return Err(node.error("its blocks do not fit its borders or its input"));
    }
    let mut dims = dims.to_vec();
    for (axis, (&block, &border)) in block.iter().zip(borders).enumerate() {
        if let Some(length) = dims[axis + 1] {
            let problem =
                || node.error(format!("blocks of {block} do not fit an input of shape {}", input.shape));
            dims[axis + 1] = Some(resized(length, block, border).ok_or_else(problem)?);
        }
    }
    let count: Option<usize> = block.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    dims[0] = dims[0].zip(count).and_then(|(length, count)| batch(length, count));
    Ok(vec![TensorType::new(input.dtype, Shape::new(dims))])
}

/// The pixels of each block become channels, or channels become the pixels of a block.
pub fn depth_and_space(inputs: &Inputs<'_>, node: &Node, blocks: Blocks) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let block = usize::try_from(node.int("block_size", 1)).ok().filter(|&block| block > 0 && block < 1 << 15);
    let Some(block) = block else { return Err(node.error("its block_size is not a count")) };
    let Some(dims) = input.shape.dims().filter(|dims| dims.len() == 4) else {
        return one(input.dtype, Shape::of_rank(4));
    };
    let format = node.data_format();
    let channel = format.channel_axis(4);
    let scaled = dims.iter().enumerate().map(|(axis, dim)| {
        let dim = (*dim)?;
        match blocks {
            _ if axis == 0 => Some(dim),
            Blocks::SpaceToDepth if axis == channel => dim.checked_mul(block * block),
            Blocks::SpaceToDepth => Some(dim / block),
            Blocks::DepthToSpace if axis == channel => Some(dim / (block * block)),
            Blocks::DepthToSpace => dim.checked_mul(block),
        }
    });
    one(input.dtype, Shape::new(scaled.collect()))
}
