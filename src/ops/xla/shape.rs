//! Types and shapes of the ops of XLA (`tensorflow/compiler/tf2xla/ops/xla_ops.cc`).

use super::dimensions;
use super::lower::product::Roles;
use super::slices::Slices;
use super::windows::{Convolution, Edges, Window};
use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::checks;
use crate::ops::infer::{Inputs, one};

/// As many outputs as inputs, of the same types.
pub fn like_inputs(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    (0..node.inputs.len()).map(|index| inputs.tensor_type(index).cloned()).collect()
}

/// Refuses a slice that is longer than the tensor that it is a part of.
fn check_fits(node: &Node, slice: &Shape, whole: &Shape) -> Result<()> {
    let (Some(sizes), Some(lengths)) = (slice.dims(), whole.dims()) else { return Ok(()) };
    let is_longer = |(size, length): (&Option<usize>, &Option<usize>)| size > length && length.is_some();
    if sizes.len() != lengths.len() || sizes.iter().zip(lengths).any(is_longer) {
        return Err(node.error(format!("a slice of shape {slice} does not fit into one of shape {whole}")));
    }
    Ok(())
}

/// The sizes of the slice are an input.
pub fn dynamic_slice(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let mut shape = inputs.described_shape(2)?;
    if shape.rank().is_none() {
        let rank = input.shape.rank().or(inputs.shape(1)?.dim(0));
        shape = rank.map_or(Shape::UNKNOWN, Shape::of_rank);
    }
    check_fits(node, &shape, &input.shape)?;
    one(input.dtype, shape)
}

/// The shape of the input, into which the update fits.
pub fn dynamic_update_slice(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (input, update) = (inputs.tensor_type(0)?, inputs.shape(1)?);
    check_fits(node, update, &input.shape)?;
    let rank = update.rank().or(inputs.shape(2)?.dim(0));
    let shape = match (input.shape.rank(), rank) {
        (None, Some(rank)) => Shape::of_rank(rank),
        _ => input.shape.clone(),
    };
    one(input.dtype, shape)
}

/// The batch axes, then the axes of each factor that are not summed along.
pub fn dot(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (lhs, rhs) = (inputs.tensor_type(0)?, inputs.tensor_type(1)?);
    let dtype = node.dtype("preferred_element_type").unwrap_or(lhs.dtype);
    let (Some(left), Some(right)) = (lhs.shape.dims(), rhs.shape.dims()) else {
        return one(dtype, Shape::UNKNOWN);
    };
    let roles = Roles::of(node, [left.len(), right.len()])?;
    let pairs = |[a, b]: &[Vec<usize>; 2]| -> Vec<[Option<usize>; 2]> {
        a.iter().zip(b).map(|(&a, &b)| [left[a], right[b]]).collect()
    };
    let (batch, summed) = (pairs(&roles.batch), pairs(&roles.summed));
    let differ = |pair: &[Option<usize>; 2]| matches!(pair, [Some(a), Some(b)] if a != b);
    if batch.iter().chain(&summed).any(differ) {
        return Err(
            node.error(format!("tensors of shapes {} and {} have no such product", lhs.shape, rhs.shape))
        );
    }
    let mut dims: Vec<Option<usize>> = batch.iter().map(|[a, b]| a.or(*b)).collect();
    dims.extend(roles.free(0, left.len()).map(|axis| left[axis]));
    dims.extend(roles.free(1, right.len()).map(|axis| right[axis]));
    one(dtype, Shape::new(dims))
}

/// The elements that are added to each axis are inputs.
pub fn pad(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let numbers = [inputs.integers(2)?, inputs.integers(3)?, inputs.integers(4)?];
    let [Some(low), Some(high), Some(interior)] = &numbers else {
        let rank = input.shape.rank().or(inputs.shape(2)?.dim(0));
        return one(input.dtype, rank.map_or(Shape::UNKNOWN, Shape::of_rank));
    };
    let edges = Edges::of(node, [low, high, interior])?;
    if input.shape.rank().is_some_and(|rank| rank != edges.len()) {
        return Err(node.error(format!("its paddings are {}, for the shape {}", edges.len(), input.shape)));
    }
    let mut dims = vec![];
    for (axis, edges) in edges.into_iter().enumerate() {
        let known = input.shape.dim(axis);
        let length = known.and_then(|length| edges.length(length));
        if known.is_some() && length.is_none() {
            return Err(node.error(format!("it cuts more of axis {axis} than the shape {} has", input.shape)));
        }
        dims.push(length);
    }
    one(input.dtype, Shape::new(dims))
}

/// The input with fewer axes gets axes of length 1, so that both have the same rank.
pub fn broadcast_helper(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let types = [inputs.tensor_type(0)?.clone(), inputs.tensor_type(1)?.clone()];
    let dims = inputs.integers(2)?;
    if dims.as_ref().is_some_and(Vec::is_empty) {
        return Ok(types.to_vec());
    }
    let (Some(left), Some(right)) = (types[0].shape.rank(), types[1].shape.rank()) else {
        return Ok(types.iter().map(|known| TensorType::new(known.dtype, Shape::UNKNOWN)).collect());
    };
    let rank = left.max(right);
    let broadcast = |known: &TensorType| {
        let (Some(lengths), Some(dims)) = (known.shape.dims(), &dims) else {
            return Ok(TensorType::new(known.dtype, Shape::UNKNOWN));
        };
        if lengths.len() == rank {
            return Ok(known.clone());
        }
        let axes = dimensions::axes(node, dims, rank)?;
        if axes.len() != lengths.len() || !axes.is_sorted() {
            let problem =
                format!("its broadcast_dims {dims:?} are not the axes of the shape {}", known.shape);
            return Err(node.error(problem));
        }
        let mut dims = vec![Some(1); rank];
        axes.iter().zip(lengths).for_each(|(&axis, &length)| dims[axis] = length);
        Ok(TensorType::new(known.dtype, Shape::new(dims)))
    };
    types.iter().map(broadcast).collect()
}

pub fn convolution(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (images, filter) = (inputs.tensor_type(0)?, inputs.shape(1)?);
    let dtype = node.dtype("preferred_element_type").unwrap_or(images.dtype);
    let Some(rank) = images.shape.rank().or(filter.rank()) else { return one(dtype, Shape::UNKNOWN) };
    let numbers = [inputs.integers(2)?, inputs.integers(3)?, inputs.integers(4)?, inputs.integers(5)?];
    let [Some(strides), Some(pads), Some(base), Some(dilations)] = &numbers else {
        return one(dtype, Shape::of_rank(rank));
    };
    let convolution = Convolution::of(node, rank, [strides, pads, base, dilations])?;
    checks::rank(inputs, 0, "lhs", rank)?;
    checks::rank(inputs, 1, "rhs", rank)?;
    let batches = usize::try_from(node.int("batch_group_count", 1)).unwrap_or(0);
    let batch = images.shape.dim(convolution.images[0]).and_then(|length| length.checked_div(batches));
    let mut dims = vec![None; rank];
    dims[convolution.result[0]] = batch;
    dims[convolution.result[1]] = filter.dim(convolution.filter[0]);
    for (index, window) in convolution.windows.iter().enumerate() {
        let axis = index + 2;
        let length = images.shape.dim(convolution.images[axis]);
        let sizes = length.zip(filter.dim(convolution.filter[axis]));
        dims[convolution.result[axis]] = sizes.and_then(|(length, size)| window.positions(size, length));
    }
    one(dtype, Shape::new(dims))
}

/// The axes of the indices, and among them those of a slice, whose sizes are an input.
pub fn gather(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (operand, indices) = (inputs.tensor_type(0)?, inputs.shape(1)?);
    let sizes = inputs.described_shape(2)?;
    check_fits(node, &sizes, &operand.shape)?;
    let Some(lengths) = indices.dims() else { return one(operand.dtype, Shape::UNKNOWN) };
    let slices = Slices::gathered(node, lengths.len())?;
    for whole in [&operand.shape, &sizes] {
        slices.check_ranks(node, whole, &Shape::UNKNOWN)?;
    }
    let places = (0..slices.rank()).filter_map(|axis| Some((slices.place(axis)?, sizes.dim(axis))));
    let of_indices = slices.index_axes().into_iter().map(|axis| lengths[axis]);
    let mut dims: Vec<(usize, Option<usize>)> =
        places.chain(slices.batch.iter().copied().zip(of_indices)).collect();
    dims.sort_unstable_by_key(|&(place, _)| place);
    one(operand.dtype, Shape::new(dims.into_iter().map(|(_, length)| length).collect()))
}

/// The shape of the operand.
pub fn scatter(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (operand, updates) = (inputs.tensor_type(0)?, inputs.shape(2)?);
    let Some(indices_rank) = inputs.shape(1)?.rank() else {
        return one(operand.dtype, operand.shape.clone());
    };
    let slices = Slices::scattered(node, indices_rank)?;
    slices.check_ranks(node, &operand.shape, updates)?;
    let is_known = operand.shape.rank().is_some();
    one(operand.dtype, if is_known { operand.shape.clone() } else { Shape::of_rank(slices.rank()) })
}

/// The tensors that are sorted, without the axis that they are sorted along.
pub fn sorted(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    (0..node.inputs.len().saturating_sub(1)).map(|index| inputs.tensor_type(index).cloned()).collect()
}

/// Each tensor without the axes that it is reduced along.
pub fn reduce(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let without_axes = |index: usize| {
        let input = inputs.tensor_type(index)?;
        let Some(dims) = input.shape.dims() else { return Ok(TensorType::new(input.dtype, Shape::UNKNOWN)) };
        let axes = dimensions::axes(node, node.ints("dimensions_to_reduce"), dims.len())?;
        let left = dimensions::others(&axes, dims.len()).map(|axis| dims[axis]).collect();
        Ok(TensorType::new(input.dtype, Shape::new(left)))
    };
    (0..node.inputs.len() / 2).map(without_axes).collect()
}

pub fn reduce_window(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let mut numbers = vec![];
    for index in 2..7 {
        numbers.extend(inputs.integers(index)?);
    }
    let [sizes, strides, base, dilations, pads] = &numbers[..] else {
        return one(input.dtype, input.shape.rank().map_or(Shape::UNKNOWN, Shape::of_rank));
    };
    checks::rank(inputs, 0, "input", sizes.len())?;
    let windows = Window::all(node, sizes.len(), [strides, pads, base, dilations])?;
    let position = |(axis, (window, &size)): (usize, (Window, &i64))| {
        window.positions(usize::try_from(size).ok()?, input.shape.dim(axis)?)
    };
    one(input.dtype, Shape::new(windows.into_iter().zip(sizes).enumerate().map(position).collect()))
}
