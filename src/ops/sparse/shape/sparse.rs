//! Sparse tensors: indices, values and the shape of the dense tensor (`tensorflow/core/ops/{sparse,set,ctc}_ops.cc`).

use crate::error::Result;
use crate::graph::{MAX_RANK, Node, Shape, TensorType};
use crate::ops::infer::Inputs;
use crate::tensor::DType;

/// A sparse tensor of any number of values.
fn sparse(dtype: DType, rank: Option<usize>) -> Vec<TensorType> {
    vec![
        TensorType::new(DType::Int64, Shape::new(vec![None, rank])),
        TensorType::new(dtype, Shape::new(vec![None])),
        TensorType::new(DType::Int64, Shape::new(vec![rank])),
    ]
}

pub fn reshape(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let (count, rank) = (inputs.shape(0)?.dim(0), inputs.shape(2)?.dim(0));
    Ok(vec![
        TensorType::new(DType::Int64, Shape::new(vec![count, rank])),
        TensorType::new(DType::Int64, Shape::new(vec![rank])),
    ])
}

pub fn fill_empty_rows(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let (indices, values) = (inputs.shape(0)?, inputs.tensor_type(1)?);
    let rank = indices.dim(1).or(inputs.shape(2)?.dim(0));
    let rows = inputs.described_shape(2)?.dim(0);
    Ok(vec![
        TensorType::new(DType::Int64, Shape::new(vec![None, rank])),
        TensorType::new(values.dtype, Shape::new(vec![None])),
        TensorType::new(DType::Bool, Shape::new(vec![rows])),
        TensorType::new(DType::Int64, Shape::new(vec![indices.dim(0).or(values.shape.dim(0))])),
    ])
}

pub fn set_operation(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (a, b) = (inputs.tensor_type(0)?, inputs.shape(1)?);
    if let (Some(a), Some(b)) = (a.shape.rank(), b.rank())
        && (a != b || a < 2)
    {
        return Err(node.error(format!("it takes sets of rank {a} and {b}")));
    }
    Ok(sparse(a.dtype, a.shape.rank().or(b.rank())))
}

pub fn greedy_decoder(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let logits = inputs.tensor_type(0)?;
    if logits.shape.rank().is_some_and(|rank| rank != 3) {
        return Err(node.error(format!("its input has the shape {}", logits.shape)));
    }
    let batch = logits.shape.dim(1).or(inputs.shape(1)?.dim(0));
    let mut outputs = sparse(DType::Int64, Some(2));
    outputs.push(TensorType::new(logits.dtype, Shape::new(vec![batch, Some(1)])));
    Ok(outputs)
}

/// Several sparse tensors of sequences, those of each sort of part together, and a number for each sequence.
pub fn beam_search_decoder(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let logits = inputs.tensor_type(0)?;
    if logits.shape.rank().is_some_and(|rank| rank != 3) {
        return Err(node.error(format!("its input has the shape {}", logits.shape)));
    }
    let batch = logits.shape.dim(1).or(inputs.shape(1)?.dim(0));
    let paths = usize::try_from(node.int("top_paths", 1)).unwrap_or(1).clamp(1, 1 << 16);
    let of_path = sparse(DType::Int64, Some(2));
    let mut outputs: Vec<TensorType> = of_path.into_iter().flat_map(|output| vec![output; paths]).collect();
    outputs.push(TensorType::new(logits.dtype, Shape::new(vec![batch, Some(paths)])));
    Ok(outputs)
}

/// A number for each group of both sparse tensors, whose last axis has the sequences.
pub fn edit_distance(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let [a, b] = [inputs.described_shape(2)?, inputs.described_shape(5)?];
    let rank = a.rank().or(b.rank()).or(rank_of(inputs, 0, 2)?).or(rank_of(inputs, 3, 5)?);
    let groups = rank.map_or(Shape::UNKNOWN, |rank| {
        let length = |axis: usize| a.dim(axis).zip(b.dim(axis)).map(|(a, b)| a.max(b));
        Shape::new((0..rank.saturating_sub(1)).map(length).collect())
    });
    Ok(vec![TensorType::new(DType::Float32, groups)])
}

/// The number of axes, from the indices or the shape.
fn rank_of(inputs: &Inputs<'_>, indices: usize, shape: usize) -> Result<Option<usize>> {
    let rank = inputs.shape(indices)?.dim(1).or(inputs.shape(shape)?.dim(0));
    Ok(rank.filter(|&rank| rank <= MAX_RANK))
}

pub fn reorder(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![inputs.tensor_type(0)?.clone(), inputs.tensor_type(1)?.clone()])
}

pub fn concat(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let count = node.inputs.len() / 3;
    Ok(sparse(inputs.dtype(count)?, rank_of(inputs, 0, 2 * count)?))
}

pub fn slice(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(sparse(inputs.dtype(1)?, rank_of(inputs, 0, 2)?))
}

pub fn split(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let parts = usize::try_from(node.int("num_split", 1)).unwrap_or(1).clamp(1, 1 << 16);
    let of_part = sparse(inputs.dtype(2)?, rank_of(inputs, 1, 3)?);
    Ok(of_part.into_iter().flat_map(|output| vec![output; parts]).collect())
}

/// Values at the indices of the first sparse tensor.
pub fn like_values(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let (values, count) = (inputs.tensor_type(1)?, inputs.shape(0)?.dim(0));
    Ok(vec![TensorType::new(values.dtype, Shape::new(vec![values.shape.dim(0).or(count)]))])
}

pub fn like_dense(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![inputs.tensor_type(3)?.clone()])
}

pub fn matrix_product(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let b = inputs.tensor_type(3)?;
    let height = inputs.described_shape(2)?.dim(usize::from(node.bool("adjoint_a", false)));
    let width = b.shape.dim(usize::from(!node.bool("adjoint_b", false)));
    Ok(vec![TensorType::new(b.dtype, Shape::new(vec![height, width]))])
}

pub fn reduce(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(1)?;
    let rank = rank_of(inputs, 0, 2)?;
    let (Some(rank), Some(axes)) = (rank, inputs.integers(3)?) else {
        if let Some(rank) = rank.filter(|_| node.bool("keep_dims", false)) {
            return Ok(vec![TensorType::new(dtype, Shape::of_rank(rank))]);
        }
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let mut is_reduced = vec![false; rank];
    for axis in axes {
        is_reduced[inputs.checked_axis(axis, rank)?] = true;
    }
    let (shape, keeps) = (inputs.described_shape(2)?, node.bool("keep_dims", false));
    let length = |axis: usize| match (is_reduced[axis], keeps) {
        (false, _) => Some(shape.dim(axis)),
        (true, true) => Some(Some(1)),
        (true, false) => None,
    };
    Ok(vec![TensorType::new(dtype, Shape::new((0..rank).filter_map(length).collect()))])
}

/// The same as a sparse tensor.
pub fn reduce_to_sparse(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dense = reduce(inputs, node)?;
    Ok(sparse(inputs.dtype(1)?, dense.first().and_then(|dense| dense.shape.rank())))
}

/// How often each value occurs, as a sparse tensor. The last input has the weights.
pub fn counts(inputs: &Inputs<'_>, rank: Option<usize>) -> Result<Vec<TensorType>> {
    let weights = inputs.node.inputs.len().saturating_sub(1);
    Ok(sparse(inputs.dtype(weights)?, rank))
}

pub fn counts_of_sparse(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    counts(inputs, rank_of(inputs, 0, 2)?)
}

/// A sparse tensor with the indices of two.
pub fn sum(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(sparse(inputs.dtype(1)?, rank_of(inputs, 0, 2)?))
}

/// The indices and values of a sparse tensor with the indices of two.
pub fn union(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let mut outputs = sum(inputs, node)?;
    outputs.truncate(2);
    Ok(outputs)
}

/// Sets, of which the second are sparse and begin at an input.
pub fn set_operation_of(inputs: &Inputs<'_>, second: usize) -> Result<Vec<TensorType>> {
    Ok(sparse(inputs.dtype(second + 1)?, rank_of(inputs, second, second + 2)?))
}

pub fn set_size(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let sets = match inputs.described_shape(2)?.dims() {
        Some([leading @ .., _]) => Shape::new(leading.to_vec()),
        _ => rank_of(inputs, 0, 2)?.map_or(Shape::UNKNOWN, |rank| Shape::of_rank(rank.saturating_sub(1))),
    };
    Ok(vec![TensorType::new(DType::Int32, sets)])
}

/// Counts of as many numbers as an input says, in each row.
pub fn bincount(inputs: &Inputs<'_>, rank: Option<usize>, size: usize) -> Result<Vec<TensorType>> {
    let width = inputs.constant(size).map(crate::tensor::Constant::to_i64s).transpose()?.flatten();
    let width = width.and_then(|width| usize::try_from(*width.first()?).ok());
    let shape = match rank {
        Some(1) => Shape::new(vec![width]),
        Some(2) => Shape::new(vec![None, width]),
        _ => Shape::UNKNOWN,
    };
    Ok(vec![TensorType::new(inputs.dtype(size + 1)?, shape)])
}

pub fn bincount_of_sparse(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    bincount(inputs, rank_of(inputs, 0, 2)?, 3)
}
