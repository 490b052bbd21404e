//! Images taken apart into blocks: into the batch, and into the channels.
//!
//! Sources: `tf.space_to_batch`, `tf.batch_to_space`, `tf.nn.space_to_depth` and `tf.nn.depth_to_space` in TensorFlow's
//! API documentation.

use ndarray::{ArrayD, Axis, Slice};

use crate::graph::{DataFormat, Node};
use crate::ops::Parameter;
use crate::ops::array::Blocks;
use crate::ops::array::eval::basic::{lengths, reshaped};
use crate::tensor::Tensor;
use crate::tensor::same_type;

fn permuted(tensor: &Tensor, axes: &[usize]) -> Tensor {
    same_type!(tensor, array => array.view().permuted_axes(axes).as_standard_layout().into_owned())
}

/// The input, the blocks of each axis, and the borders.
fn arguments<'t>(
    node: &Node,
    inputs: &[&'t Tensor],
    block: Parameter,
) -> Option<(&'t Tensor, Vec<usize>, Vec<usize>)> {
    match (block, inputs) {
        (Parameter::Attribute, [input, borders]) => {
            let block = usize::try_from(node.int("block_size", 1)).ok()?;
            Some((input, vec![block; 2], lengths(borders)?))
        }
        (Parameter::Input(_), [input, block, borders]) => Some((input, lengths(block)?, lengths(borders)?)),
        _ => None,
    }
}

pub fn space_to_batch(node: &Node, inputs: &[&Tensor], block: Parameter) -> Option<Vec<Tensor>> {
    let (input, block, pads) = arguments(node, inputs, block)?;
    let (rank, count) = (input.shape().len(), block.len());
    if pads.len() != 2 * count || count + 1 > rank || block.contains(&0) {
        return None;
    }
    let amounts: Vec<i64> = [&[0, 0][..], &pads, &vec![0; 2 * (rank - 1 - count)]]
        .concat()
        .into_iter()
        .map(|pad| i64::try_from(pad).ok())
        .collect::<Option<_>>()?;
    let amounts = ArrayD::from_shape_vec(vec![rank, 2], amounts).ok()?;
    let padded = crate::ops::array::eval::padding::constant(input, &Tensor::Int64(amounts), None)?.pop()?;
    // Each axis becomes that of its blocks and that within a block, and the latter go to the front.
    let mut split = vec![padded.shape()[0]];
    for (length, block) in padded.shape()[1..].iter().zip(&block) {
        if length % block != 0 {
            return None;
        }
        split.extend([length / block, *block]);
    }
    split.extend(&padded.shape()[1 + count..]);
    let within = (0..count).map(|axis| 2 + 2 * axis);
    let outside = (0..count).map(|axis| 1 + 2 * axis);
    let axes: Vec<usize> = within.chain([0]).chain(outside).chain(1 + 2 * count..split.len()).collect();
    let moved = permuted(&reshaped(&padded, &split)?, &axes);
    let batch: usize = moved.shape()[..=count].iter().product();
    Some(vec![reshaped(&moved, &[&[batch], &moved.shape()[1 + count..]].concat())?])
}

pub fn batch_to_space(node: &Node, inputs: &[&Tensor], block: Parameter) -> Option<Vec<Tensor>> {
    let (input, block, crops) = arguments(node, inputs, block)?;
    let (shape, count) = (input.shape(), block.len());
    let blocks: usize = block.iter().product();
    if crops.len() != 2 * count || count + 1 > shape.len() || shape[0].checked_rem(blocks)? != 0 {
        return None;
    }
    let split = [&block[..], &[shape[0] / blocks], &shape[1..]].concat();
    let joined = (0..count).flat_map(|axis| [count + 1 + axis, axis]);
    let axes: Vec<usize> = [count].into_iter().chain(joined).chain(2 * count + 1..split.len()).collect();
    let moved = permuted(&reshaped(input, &split)?, &axes);
    let spatial = shape[1..].iter().zip(&block).map(|(length, block)| length * block);
    let whole: Vec<usize> =
        [shape[0] / blocks].into_iter().chain(spatial).chain(shape[1 + count..].iter().copied()).collect();
    let mut result = reshaped(&moved, &whole)?;
    for (axis, crop) in crops.as_chunks::<2>().0.iter().enumerate() {
        let kept = crop[0]..whole[1 + axis].checked_sub(crop[1])?;
        if kept.start > kept.end {
            return None;
        }
        result = same_type!(result, array => {
            array.slice_axis(Axis(1 + axis), Slice::from(kept)).as_standard_layout().into_owned()
        });
    }
    Some(vec![result])
}

/// The pixels of a block come one after the other, and with each its channels.
pub fn depth_and_space(node: &Node, inputs: &[&Tensor], blocks: Blocks) -> Option<Vec<Tensor>> {
    let [input] = inputs else { return None };
    let block = usize::try_from(node.int("block_size", 0)).ok().filter(|&block| block > 0)?;
    let is_first = node.data_format() == DataFormat::ChannelsFirst;
    let last = if is_first { permuted_to(input, &[0, 2, 3, 1])? } else { Tensor::clone(input) };
    let &[batch, height, width, channels] = last.shape() else { return None };
    let result = if blocks == Blocks::SpaceToDepth {
        if !height.is_multiple_of(block) || !width.is_multiple_of(block) {
            return None;
        }
        let (rows, columns) = (height / block, width / block);
        let split = reshaped(&last, &[batch, rows, block, columns, block, channels])?;
        reshaped(&permuted(&split, &[0, 1, 3, 2, 4, 5]), &[batch, rows, columns, block * block * channels])?
    } else {
        let each = channels / (block * block);
        if each * block * block != channels {
            return None;
        }
        let split = reshaped(&last, &[batch, height, width, block, block, each])?;
        reshaped(&permuted(&split, &[0, 1, 3, 2, 4, 5]), &[batch, height * block, width * block, each])?
    };
    Some(vec![if is_first { permuted_to(&result, &[0, 3, 1, 2])? } else { result }])
}

fn permuted_to(tensor: &Tensor, axes: &[usize]) -> Option<Tensor> {
    (tensor.shape().len() == axes.len()).then(|| permuted(tensor, axes))
}
