//! Convolution, pooling and normalization (`tensorflow/core/ops/nn_ops.cc`).

use crate::error::Result;
use crate::graph::window::Window;
use crate::graph::{Attr, Node, Padding, Shape, TensorType};
use crate::ops::checks;
use crate::ops::infer::Inputs;
use crate::ops::nn::SizeOf;
use crate::setting::Setting;
use crate::tensor::DType;

/// Convolution of images, which have rank 4, or of volumes, which have rank 5; the filter is spatial axes, input channels, output
/// channels.
pub fn convolution(inputs: &Inputs<'_>, node: &Node, rank: usize) -> Result<Vec<TensorType>> {
    checks::rank(inputs, 1, "filter", rank)?;
    let (input, filter) = (inputs.shape(0)?, inputs.shape(1)?);
    let channels = input.dim(node.data_format().channel_axis(rank));
    // More input channels than the filter has: a grouped convolution.
    if let (Some(input_channels), Some(filter_channels)) = (channels, filter.dim(rank - 2))
        && (filter_channels == 0 || input_channels % filter_channels != 0)
    {
        return Err(node.error(format!("a filter of shape {filter} does not fit an input of shape {input}")));
    }
    let sizes: Vec<Option<usize>> = (0..rank - 2).map(|axis| filter.dim(axis)).collect();
    windowed(inputs, node, rank, &sizes, filter.last())
}

/// Depthwise convolution; the filter is spatial axes, input channels, channel multiplier.
pub fn depthwise_convolution(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    checks::rank(inputs, 1, "filter", 4)?;
    let filter = inputs.shape(1)?;
    let parts = filter.dim(2).zip(filter.dim(3));
    let channels = parts.and_then(|(channels, multiplier)| channels.checked_mul(multiplier));
    windowed(inputs, node, 4, &[filter.dim(0), filter.dim(1)], channels)
}

pub fn pooling(inputs: &Inputs<'_>, node: &Node, rank: usize) -> Result<Vec<TensorType>> {
    let sizes: Vec<Option<usize>> = node.spatial_sizes("ksize", rank)?.into_iter().map(Some).collect();
    let channels = inputs.shape(0)?.dim(node.data_format().channel_axis(rank));
    windowed(inputs, node, rank, &sizes, channels)
}

/// How many channels each become one, if max pooling puts channels together instead of pixels.
pub fn pooled_channels(node: &Node) -> Option<usize> {
    let axis = node.data_format().channel_axis(4);
    let [sizes, strides] = ["ksize", "strides"].map(|name| node.ints(name));
    let size = sizes.get(axis).copied().filter(|&size| size > 1 && sizes.len() == 4)?;
    let are_next_to_each_other =
        sizes == strides && sizes.iter().enumerate().all(|(at, &size)| at == axis || size == 1);
    are_next_to_each_other.then(|| usize::try_from(size).ok())?
}

pub fn max_pooling(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let Some(size) = pooled_channels(node) else { return pooling(inputs, node, 4) };
    checks::rank(inputs, 0, "input", 4)?;
    let input = inputs.tensor_type(0)?;
    let mut dims: Vec<Option<usize>> = (0..4).map(|axis| input.shape.dim(axis)).collect();
    let axis = node.data_format().channel_axis(4);
    if let Some(channels) = dims[axis].filter(|channels| channels % size != 0) {
        return Err(node.error(format!("{channels} channels are no whole number of {size}")));
    }
    dims[axis] = dims[axis].map(|channels| channels / size);
    Ok(vec![TensorType::new(input.dtype, Shape::new(dims))])
}

/// The result of sliding windows of `sizes` over the spatial axes of the first input.
fn windowed(
    inputs: &Inputs<'_>,
    node: &Node,
    rank: usize,
    sizes: &[Option<usize>],
    channels: Option<usize>,
) -> Result<Vec<TensorType>> {
    let input = inputs.shape(0)?;
    let dtype = inputs.dtype(0)?;
    checks::rank(inputs, 0, "input", rank)?;
    let format = node.data_format();
    let (strides, dilations) = (node.spatial_sizes("strides", rank)?, node.spatial_sizes("dilations", rank)?);
    let padding = node.padding()?;
    let mut dims = vec![None; rank];
    dims[0] = input.dim(0);
    dims[format.channel_axis(rank)] = channels;
    for (axis, &size) in sizes.iter().enumerate() {
        let spatial_axis = format.first_spatial_axis() + axis;
        let (Some(size), Some(length)) = (size, input.dim(spatial_axis)) else { continue };
        let window = Window { size, stride: strides[axis], dilation: dilations[axis] };
        let Some(positions) = window.positions(length, &padding, axis) else {
            return Err(node
                .error(format!("a window of {} does not fit an input of shape {input}", window.extent()))
                .advice(format!("choose a larger image with {}", Setting::ImageSize)));
        };
        dims[spatial_axis] = Some(positions);
    }
    Ok(vec![TensorType::new(dtype, Shape::new(dims))])
}

/// Fused batch norm: the normalized tensor, then `statistics` that only training reads.
pub fn batch_norm(inputs: &Inputs<'_>, node: &Node, statistics: usize) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    // Volumes have formats of their own.
    let volumes = if node.text("data_format").is_some_and(|format| format.len() == 5) { 5 } else { 4 };
    let rank = input.shape.rank().unwrap_or(volumes);
    // Images and volumes in TensorFlow; layers of networks that are built here may normalize vectors.
    if rank < 2 {
        return Err(node.error(format!("its input of shape {} has no channels", input.shape)));
    }
    let channels = input.shape.dim(node.data_format().channel_axis(rank));
    for (index, what) in [(1, "scale"), (2, "offset"), (3, "mean"), (4, "variance")] {
        checks::rank(inputs, index, what, 1)?;
        let length = inputs.shape(index)?.dim(0);
        if let (Some(length), Some(channels)) = (length, channels)
            && length != channels
            && length != 0
        {
            return Err(node.error(format!("its {what} has {length} elements for {channels} channels")));
        }
    }
    let shape = if input.shape.rank().is_some() { input.shape.clone() } else { Shape::of_rank(rank) };
    let mut types = vec![TensorType::new(input.dtype, shape)];
    types.resize(1 + statistics, TensorType::new(inputs.dtype(1)?, Shape::new(vec![channels])));
    Ok(types)
}

/// Images, which have four axes.
pub fn local_response_normalization(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    checks::rank(inputs, 0, "input", 4)?;
    let input = inputs.tensor_type(0)?;
    let shape = if input.shape.rank().is_some() { input.shape.clone() } else { Shape::of_rank(4) };
    Ok(vec![TensorType::new(input.dtype, shape)])
}

/// The sizes of the result are an input: all of them, or those of its spatial axes alone.
pub fn transposed_convolution(
    inputs: &Inputs<'_>,
    node: &Node,
    rank: usize,
    size_of: SizeOf,
) -> Result<Vec<TensorType>> {
    checks::rank(inputs, 1, "filter", rank)?;
    checks::rank(inputs, 2, "input", rank)?;
    let format = node.data_format();
    let (channels, first) = (format.channel_axis(rank), format.first_spatial_axis());
    let described = match size_of {
        SizeOf::Vector => inputs.described_shape(0)?,
        SizeOf::Tensor => inputs.shape(0)?.clone(),
    };
    let mut dims = vec![None; rank];
    match described.dims() {
        Some(described) if described.len() == rank => dims.copy_from_slice(described),
        Some(described) if described.len() == rank - 2 => {
            dims[first..first + rank - 2].copy_from_slice(described);
        }
        Some(described) => {
            let error = format!("its sizes are {} numbers, for a result of {rank} axes", described.len());
            return Err(node.error(error));
        }
        None => {}
    }
    dims[0] = dims[0].or(inputs.shape(2)?.dim(0));
    dims[channels] = dims[channels].or(inputs.shape(1)?.dim(rank - 2));
    Ok(vec![TensorType::new(inputs.dtype(2)?, Shape::new(dims))])
}

pub fn max_pool_with_argmax(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let pooled = pooling(inputs, node, 4)?.swap_remove(0);
    let positions = TensorType::new(node.dtype("Targmax").unwrap_or(DType::Int64), pooled.shape.clone());
    Ok(vec![pooled, positions])
}

pub fn extract_patches(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    checks::rank(inputs, 0, "input", 4)?;
    let input = inputs.tensor_type(0)?;
    let [sizes, strides, rates] = ["ksizes", "strides", "rates"].map(|name| node.spatial_sizes(name, 4));
    let (sizes, strides, rates) = (sizes?, strides?, rates?);
    let padding = if node.text("padding") == Some("SAME") { Padding::Same } else { Padding::Valid };
    let positions = |axis: usize| {
        let window = Window { size: sizes[axis], stride: strides[axis], dilation: rates[axis] };
        input.shape.dim(axis + 1).and_then(|length| window.positions(length, &padding, axis))
    };
    let depth = input.shape.dim(3).and_then(|channels| channels.checked_mul(sizes[0])?.checked_mul(sizes[1]));
    let shape = Shape::new(vec![input.shape.dim(0), positions(0), positions(1), depth]);
    Ok(vec![TensorType::new(input.dtype, shape)])
}

pub fn cross_entropy(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    Ok(vec![TensorType::new(input.dtype, Shape::new(vec![input.shape.dim(0)])), input.clone()])
}

/// The channels of each window of a volume, one after the other.
pub fn volume_patches(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let sizes = node.spatial_sizes("ksizes", 5)?;
    let channels = inputs.shape(0)?.dim(4);
    let depth = sizes.iter().try_fold(channels.unwrap_or(0), |product, &size| product.checked_mul(size));
    let sizes: Vec<Option<usize>> = sizes.into_iter().map(Some).collect();
    windowed(inputs, node, 5, &sizes, channels.and(depth))
}

pub fn dilation(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    checks::rank(inputs, 1, "filter", 3)?;
    let filter = inputs.shape(1)?;
    let mut dilated = node.clone();
    dilated.attrs.insert("dilations", Attr::Ints(node.ints("rates").to_vec()));
    windowed(inputs, &dilated, 4, &[filter.dim(0), filter.dim(1)], inputs.shape(0)?.dim(3).or(filter.dim(2)))
}
