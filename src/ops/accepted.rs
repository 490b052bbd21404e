//! Shapes and constants that an op does not take, as far as they are known before the model runs.
//!
//! Source: the shape functions in `tensorflow/core/ops/*.cc` and `tensorflow/core/framework/common_shape_fns.cc`, and,
//! for values that no input makes valid, the kernels in `tensorflow/core/kernels/*_op.cc`. What other inference functions
//! refuse is not repeated here.

use super::infer::Inputs;
use crate::error::Result;
use crate::graph::partial::{self, Length};
use crate::graph::{Attr, Node, Shape};
use crate::tensor::{Constant, for_each_number};

/// Refuses a node whose inputs its op does not take.
///
/// # Errors
/// Where it does not: what is wrong about which input.
pub fn check(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let wrong = |problem: String| Err(node.error(problem));
    match node.op.as_str() {
        "Reshape" => {
            vector(inputs, 1, "shape")?;
            let lengths = known_lengths(inputs, 1);
            if lengths.iter().filter(|&&length| length == -1).count() > 1 {
                return wrong(format!("only one length of its shape {lengths:?} can be -1"));
            }
            not_below(node, "shape", &lengths, -1)
        }
        "Fill" | "RandomUniform" | "RandomStandardNormal" | "RandomUniformInt" | "TruncatedNormal" => {
            vector(inputs, 0, "shape")?;
            not_below(node, "shape", &known_lengths(inputs, 0), 0)
        }
        "ScatterNd" => not_below(node, "shape", &known_lengths(inputs, 2), 0),
        "BroadcastTo" => {
            vector(inputs, 1, "shape")?;
            not_below(node, "shape", &known_lengths(inputs, 1), 0)?;
            broadcasts_to(inputs, node)
        }
        "Transpose" | "ConjugateTranspose" => permutation(inputs, node),
        "Tile" => not_below(node, "multiples", &inputs.integers(1)?.unwrap_or_default(), 0),
        "Slice" => slice(inputs, node),
        "Mean" | "Sum" | "Max" | "Min" | "Prod" | "All" | "Any" | "EuclideanNorm" | "ReverseV2" => {
            distinct_axes(inputs, node)
        }
        "Cumsum" | "Cumprod" | "CumulativeLogsumexp" => in_range(inputs, 1),
        "Roll" => in_range(inputs, 2),
        "Split" => split(inputs, node),
        "SplitV" => split_sizes(inputs, node),
        "OneHot" => {
            not_below(node, "depth", &inputs.integers(1)?.unwrap_or_default(), 0)?;
            let axis = node.int("axis", -1);
            match inputs.shape(0)?.rank() {
                Some(rank) if axis < -1 || axis > rank as i64 => {
                    wrong(format!("its axis {axis} is not between -1 and {rank}"))
                }
                _ => Ok(()),
            }
        }
        "TopK" | "TopKV2" => top_k(inputs, node),
        "UnsortedSegmentSum" | "UnsortedSegmentMax" | "UnsortedSegmentMin" | "UnsortedSegmentProd" => {
            not_below(node, "num_segments", &inputs.integers(2)?.unwrap_or_default(), 0)
        }
        "Range" => range(inputs, node),
        "LinSpace" => not_below(node, "num", &inputs.integers(2)?.unwrap_or_default(), 1),
        "ResizeBilinear" | "ResizeBicubic" | "ResizeArea" | "ResizeNearestNeighbor" => {
            not_below(node, "size", &known_lengths(inputs, 1), 1)?;
            match inputs.shape(1)?.fully_known().as_deref() {
                None | Some([2]) => Ok(()),
                _ => wrong(format!("its size has the shape {}, not [2]", inputs.shape(1)?)),
            }
        }
        "ClipByValue" => {
            for index in [1, 2] {
                let (shape, bound) = (inputs.shape(0)?, inputs.shape(index)?);
                if bound.rank() != Some(0) && !shape.is_compatible_with(bound) {
                    return wrong(format!("its bound of shape {bound} is not for the shape {shape}"));
                }
            }
            Ok(())
        }
        "Pack" | "AddN" => same_shapes(inputs, node, 0),
        "Select" => select(inputs, node),
        "Unpack" => {
            let (shape, axis, count) = (inputs.shape(0)?, node.int("axis", 0), node.attrs.get("num"));
            let (Some(rank), Some(Attr::Int(count))) = (shape.rank(), count) else { return Ok(()) };
            match shape.dim(inputs.checked_axis(axis, rank)?) {
                Some(length) if length as i64 != *count => {
                    wrong(format!("it takes {count} parts of axis {axis} of the shape {shape}"))
                }
                _ => Ok(()),
            }
        }
        "BiasAdd" => bias(inputs, node),
        "BatchMatMul" | "BatchMatMulV2" | "BatchMatMulV3" => batch_matmul(inputs, node),
        "GatherNd" | "ResourceGatherNd" => {
            let batch = usize::try_from(node.int("batch_dims", 0)).unwrap_or(0);
            match (inputs.shape(0)?.rank(), inputs.shape(1)?.last()) {
                (Some(rank), Some(depth)) if batch.saturating_add(depth) > rank => {
                    wrong(format!("its indices name {depth} axes of the shape {}", inputs.shape(0)?))
                }
                _ => Ok(()),
            }
        }
        "EnsureShape" => match node.attrs.get("shape") {
            Some(Attr::Shape(shape)) if !inputs.shape(0)?.is_compatible_with(shape) => {
                wrong(format!("its input has the shape {}, not {shape}", inputs.shape(0)?))
            }
            _ => Ok(()),
        },
        "ReverseSequence" => {
            let (input, lengths) = (inputs.shape(0)?, inputs.shape(1)?);
            let batch = usize::try_from(node.int("batch_dim", 0)).ok().and_then(|axis| input.dim(axis));
            match (batch, lengths.dim(0)) {
                (Some(batch), Some(count)) if batch != count => {
                    wrong(format!("it has {count} lengths for the {batch} sequences of the shape {input}"))
                }
                _ => Ok(()),
            }
        }
        "DepthToSpace" | "SpaceToDepth" => blocks(inputs, node),
        "StridedSlice" => match node.int("ellipsis_mask", 0) {
            mask if mask.count_ones() > 1 => wrong("it has more than one ellipsis".to_owned()),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Those lengths of an input that are known.
fn known_lengths(inputs: &Inputs<'_>, index: usize) -> Vec<i64> {
    let lengths = inputs.node.inputs.get(index).and_then(|&input| partial::integers(inputs.graph, input));
    lengths.unwrap_or_default().into_iter().filter_map(Length::value).collect()
}

fn not_below(node: &Node, name: &str, values: &[i64], least: i64) -> Result<()> {
    match values.iter().find(|&&value| value < least) {
        Some(value) => Err(node.error(format!("its {name} has {value}, and the op takes {least} or more"))),
        None => Ok(()),
    }
}

/// Refuses an input that is to be a vector and has another rank.
fn vector(inputs: &Inputs<'_>, index: usize, name: &str) -> Result<()> {
    let shape = inputs.shape(index)?;
    match shape.rank() {
        None | Some(1) => Ok(()),
        Some(_) => Err(inputs.node.error(format!("its {name} is not a vector, but has the shape {shape}"))),
    }
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

fn permutation(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let Some(axes) = inputs.integers(1)? else { return Ok(()) };
    let rank = axes.len();
    // TensorFlow lets axes that are counted from the end pass, and then reads beyond its arrays.
    if let Some(axis) = axes.iter().find(|&&axis| axis < 0) {
        return Err(node.error(format!("its axis {axis} is below 0, for which TensorFlow defines no result")));
    }
    let mut places: Vec<usize> =
        axes.iter().map(|&axis| inputs.checked_axis(axis, rank)).collect::<Result<_>>()?;
    places.sort_unstable();
    places.dedup();
    if places.len() == rank { Ok(()) } else { Err(node.error(format!("{axes:?} is not an order of axes"))) }
}

fn slice(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
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

/// Refuses axes that do not exist, or are named twice.
fn distinct_axes(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let (Some(rank), Some(axes)) = (inputs.shape(0)?.rank(), inputs.integers(1)?) else { return Ok(()) };
    let mut places: Vec<usize> =
        axes.iter().map(|&axis| inputs.checked_axis(axis, rank)).collect::<Result<_>>()?;
    places.sort_unstable();
    match places.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(node.error(format!("it names axis {} more than once", pair[0]))),
        None => Ok(()),
    }
}

/// Refuses axes that the first input does not have.
fn in_range(inputs: &Inputs<'_>, index: usize) -> Result<()> {
    let (Some(rank), Some(axes)) = (inputs.shape(0)?.rank(), inputs.integers(index)?) else { return Ok(()) };
    axes.iter().try_for_each(|&axis| inputs.checked_axis(axis, rank).map(|_| ()))
}

fn split(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
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

fn split_sizes(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let (shape, parts) = (inputs.shape(0)?, node.int("num_split", 1));
    let Some(sizes) = inputs.integers(1)? else { return Ok(()) };
    not_below(node, "size_splits", &sizes, -1)?;
    if i64::try_from(sizes.len()) != Ok(parts) || sizes.iter().filter(|&&size| size == -1).count() > 1 {
        return Err(node.error(format!("its size_splits {sizes:?} do not say the lengths of {parts} parts")));
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

fn top_k(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let k = match node.op.as_str() {
        "TopK" => Some(node.int("k", 0)),
        _ => inputs.integers(1)?.and_then(|k| k.first().copied()),
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

fn range(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
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

fn same_shapes(inputs: &Inputs<'_>, node: &Node, first: usize) -> Result<()> {
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

/// The condition has the shape of what is chosen from, or is a scalar, or a vector of one truth value for each row.
fn select(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    same_shapes(inputs, node, 1)?;
    let (condition, chosen) = (inputs.shape(0)?, inputs.shape(1)?);
    let fits = match (condition.rank(), chosen.rank()) {
        (Some(1), Some(rank)) if rank > 1 => {
            condition.dim(0).zip(chosen.dim(0)).is_none_or(|(condition, rows)| condition == rows)
        }
        (Some(0), _) => true,
        _ => condition.is_compatible_with(chosen),
    };
    if fits {
        Ok(())
    } else {
        Err(node.error(format!("a condition of shape {condition} does not choose from the shape {chosen}")))
    }
}

fn bias(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    vector(inputs, 1, "bias")?;
    let (shape, bias) = (inputs.shape(0)?, inputs.shape(1)?);
    let Some(rank) = shape.rank().filter(|&rank| rank >= 2) else { return Ok(()) };
    match (shape.dim(node.data_format().channel_axis(rank)), bias.dim(0)) {
        (Some(channels), Some(length)) if channels != length => {
            Err(node.error(format!("its bias has {length} elements for {channels} channels")))
        }
        _ => Ok(()),
    }
}

fn batch_matmul(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    let inner = |shape: &Shape, is_first: bool| {
        let dims = shape.dims()?;
        dims.len().checked_sub(if is_first { 2 } else { 1 }).and_then(|axis| dims[axis])
    };
    match (inner(a, node.bool("adj_x", false)), inner(b, !node.bool("adj_y", false))) {
        (Some(columns), Some(rows)) if columns != rows => {
            Err(node.error(format!("matrices of shapes {a} and {b} cannot be multiplied")))
        }
        _ => Ok(()),
    }
}

fn blocks(inputs: &Inputs<'_>, node: &Node) -> Result<()> {
    let shape = inputs.shape(0)?;
    let block = usize::try_from(node.int("block_size", 1)).unwrap_or(0).clamp(1, 1 << 15);
    let Some(dims) = shape.dims().filter(|dims| dims.len() == 4) else { return Ok(()) };
    let channel = node.data_format().channel_axis(4);
    // DepthToSpace takes its blocks from the channels, SpaceToDepth from height and width.
    let divides = |axis: usize| {
        let by = match (node.op == "DepthToSpace", axis == channel) {
            _ if axis == 0 => 1,
            (true, true) => block * block,
            (false, false) => block,
            _ => 1,
        };
        dims[axis].is_none_or(|length| length.is_multiple_of(by))
    };
    match (0..4).all(divides) {
        true => Ok(()),
        false => Err(node.error(format!("blocks of {block} do not fit the shape {shape}"))),
    }
}
