//! Ops that take images apart into blocks and repeat them (`tensorflow/core/ops/array_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::Inputs;

/// Repeats a tensor along each axis.
pub fn tile(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let (Some(dims), Some(multiples)) = (input.shape.dims(), inputs.integers(1)?) else {
        let shape = input.shape.rank().map_or(Shape::UNKNOWN, Shape::of_rank);
        return Ok(vec![TensorType::new(input.dtype, shape)]);
    };
    if multiples.len() != dims.len() {
        return Err(node.error(format!(
            "{} multiples for a tensor of shape {}",
            multiples.len(),
            input.shape
        )));
    }
    let tiled = dims.iter().zip(multiples).map(|(dim, multiple)| {
        let multiple = usize::try_from(multiple).ok()?;
        dim.and_then(|length| length.checked_mul(multiple))
    });
    Ok(vec![TensorType::new(input.dtype, Shape::new(tiled.collect()))])
}

/// Pads images and takes them apart into the coarse images of every `block`-th pixel, side by side in the batch.
pub fn space_to_batch(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    blocks(inputs, node, |length, block, [before, after]| {
        let padded = length.checked_add(before)?.checked_add(after)?;
        padded.is_multiple_of(block).then(|| padded / block)
    })
}

/// Puts images together again that were taken apart, and crops them.
pub fn batch_to_space(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    blocks(inputs, node, |length, block, [before, after]| {
        length.checked_mul(block)?.checked_sub(before)?.checked_sub(after)
    })
}

/// `resized` is the new length of an axis of this length, by its block and its borders.
fn blocks(
    inputs: &Inputs<'_>,
    node: &Node,
    resized: impl Fn(usize, usize, [usize; 2]) -> Option<usize>,
) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let Some(dims) = input.shape.dims() else { return Ok(vec![input.clone()]) };
    let open = || Ok(vec![TensorType::new(input.dtype, Shape::of_rank(dims.len()))]);
    let (Some(block), Some(borders)) = (inputs.integers(1)?, inputs.integers(2)?) else { return open() };
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
    dims[0] = dims[0].zip(count).and_then(|(batch, count)| match node.op.as_str() {
        "SpaceToBatchND" => batch.checked_mul(count),
        _ => batch.is_multiple_of(count).then(|| batch / count),
    });
    Ok(vec![TensorType::new(input.dtype, Shape::new(dims))])
}
