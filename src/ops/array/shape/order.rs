//! Ops that read, write, sort and look for elements (`tensorflow/core/ops/{array,math,nn,data_flow}_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::Parameter;
use crate::ops::infer::{Inputs, declared_type, one};
use crate::tensor::DType;

pub fn gather(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (data, indices) = (inputs.tensor_type(0)?, inputs.shape(1)?);
    let batch = node.int("batch_dims", 0);
    let (Some(dims), Some(positions)) = (data.shape.dims(), indices.dims()) else {
        return one(data.dtype, Shape::UNKNOWN);
    };
    let axis = if node.inputs.len() > 2 { inputs.axis(2, dims.len())? } else { Some(0) };
    let batch = if batch < 0 { batch + positions.len() as i64 } else { batch };
    let batch = usize::try_from(batch).ok().filter(|&batch| batch <= positions.len());
    let (Some(axis), Some(batch)) = (axis, batch) else {
        return one(data.dtype, Shape::UNKNOWN);
    };
    if dims.is_empty() {
        return Err(node.error("it gathers from a scalar"));
    }
    one(data.dtype, Shape::new([&dims[..axis], &positions[batch..], &dims[axis + 1..]].concat()))
}

pub fn gather_nd(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (data, indices) = (inputs.tensor_type(0)?, inputs.shape(1)?);
    let batch = usize::try_from(node.int("batch_dims", 0)).unwrap_or(0);
    let shape = match (data.shape.dims(), indices.dims()) {
        (Some(dims), Some([positions @ .., Some(depth)])) if batch + depth <= dims.len() => {
            Shape::new([positions, &dims[batch + depth..]].concat())
        }
        _ => Shape::UNKNOWN,
    };
    one(data.dtype, shape)
}

pub fn one_hot(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(2)?;
    let Some(dims) = inputs.shape(0)?.dims() else { return one(dtype, Shape::UNKNOWN) };
    let depth = match inputs.integers(1)?.as_deref() {
        Some(&[depth]) => usize::try_from(depth).ok(),
        _ => None,
    };
    let mut dims = dims.to_vec();
    let axis = match node.int("axis", -1) {
        -1 => dims.len(),
        axis => usize::try_from(axis).ok().filter(|&axis| axis <= dims.len()).unwrap_or(dims.len()),
    };
    dims.insert(axis, depth);
    one(dtype, Shape::new(dims))
}

pub fn scatter_nd(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    one(inputs.dtype(1)?, inputs.described_shape(2)?)
}

pub fn dynamic_stitch(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let half = node.inputs.len() / 2;
    let data = inputs.tensor_type(half)?;
    let shape = match (data.shape.dims(), inputs.shape(0)?.rank()) {
        (Some(dims), Some(rank)) if rank <= dims.len() => Shape::new([&[None], &dims[rank..]].concat()),
        _ => Shape::UNKNOWN,
    };
    one(data.dtype, shape)
}

pub fn dynamic_partition(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let data = inputs.tensor_type(0)?;
    let shape = match (data.shape.dims(), inputs.shape(1)?.rank()) {
        (Some(dims), Some(rank)) if rank <= dims.len() => Shape::new([&[None], &dims[rank..]].concat()),
        _ => Shape::UNKNOWN,
    };
    let count = usize::try_from(node.int("num_partitions", 1)).unwrap_or(1).min(1 << 16);
    Ok(vec![TensorType::new(data.dtype, shape); count])
}

pub fn transpose(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let Some(dims) = input.shape.dims() else {
        let rank = inputs.shape(1)?.dim(0);
        return one(input.dtype, rank.map_or(Shape::UNKNOWN, Shape::of_rank));
    };
    let Some(perm) = inputs.integers(1)? else { return one(input.dtype, Shape::of_rank(dims.len())) };
    if perm.len() != dims.len() {
        return Err(node.error(format!("{} axes for a tensor of shape {}", perm.len(), input.shape)));
    }
    let moved: Result<Vec<Option<usize>>> =
        perm.iter().map(|&axis| inputs.checked_axis(axis, dims.len()).map(|axis| dims[axis])).collect();
    one(input.dtype, Shape::new(moved?))
}

pub fn positions(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    one(DType::Int64, Shape::new(vec![None, inputs.shape(0)?.rank()]))
}

pub fn unique(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let index = declared_type(node, "out_idx", DType::Int32);
    Ok(vec![
        TensorType::new(input.dtype, Shape::new(vec![None])),
        TensorType::new(index, input.shape.clone()),
    ])
}

pub fn unique_with_counts(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let mut types = unique(inputs, node)?;
    types.push(TensorType::new(declared_type(node, "out_idx", DType::Int32), Shape::new(vec![None])));
    Ok(types)
}

pub fn top_k(inputs: &Inputs<'_>, node: &Node, k: Parameter) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let k = match k {
        Parameter::Attribute => usize::try_from(node.int("k", 1)).ok(),
        Parameter::Input(index) => match inputs.integers(index)?.as_deref() {
            Some(&[k]) => usize::try_from(k).ok(),
            _ => None,
        },
    };
    let shape = match input.shape.dims() {
        Some([rest @ .., _]) => Shape::new([rest, &[k]].concat()),
        _ => Shape::UNKNOWN,
    };
    let indices = node.dtype("index_type").unwrap_or(DType::Int32);
    Ok(vec![TensorType::new(input.dtype, shape.clone()), TensorType::new(indices, shape)])
}

pub fn list_diff(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let index = node.dtype("out_idx").unwrap_or(DType::Int32);
    let open = Shape::new(vec![None]);
    Ok(vec![TensorType::new(inputs.dtype(0)?, open.clone()), TensorType::new(index, open)])
}

/// The counts of all numbers together.
pub fn bincount(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    one(inputs.dtype(2)?, Shape::new(vec![bins(inputs)?]))
}

/// The counts of the numbers of a vector, or of each row of a matrix.
pub fn dense_bincount(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let bins = bins(inputs)?;
    let shape = match inputs.shape(0)?.dims() {
        Some([rows, _]) => Shape::new(vec![*rows, bins]),
        Some(_) => Shape::new(vec![bins]),
        None => Shape::UNKNOWN,
    };
    one(inputs.dtype(2)?, shape)
}

fn bins(inputs: &Inputs<'_>) -> Result<Option<usize>> {
    Ok(match inputs.integers(1)?.as_deref() {
        Some(&[size]) => usize::try_from(size).ok(),
        _ => None,
    })
}
