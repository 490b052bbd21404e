//! Ops that read from places in a tensor, and write to them.
//!
//! Sources: `tf.gather`, `tf.gather_nd`, `tf.one_hot`, `tf.scatter_nd`, `tf.tensor_scatter_nd_*` and
//! `tf.dynamic_stitch` in TensorFlow's API documentation; Gather, GatherND, OneHot and ScatterND in
//! <https://onnx.ai/onnx/operators/>.

use super::Layout;
use super::context::Lowering;
use super::support::{Op, op};
use crate::error::Result;
use crate::graph::{Node, NodeId, TensorRef};
use crate::onnx::{Attribute, Attributes};
use crate::tensor::DType;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("DynamicPartition", dynamic_partition, "Equal, NonZero, Gather"),
    op("DynamicStitch", dynamic_stitch, "Concat, ScatterND"),
    op("Gather", gather, "Gather"),
    op("GatherNd", gather_nd, "GatherND"),
    op("ResourceGatherNd", gather_nd, "GatherND"),
    op("ResourceGather", gather, "Gather"),
    op("GatherV2", gather, "Gather, GatherND"),
    op("OneHot", one_hot, "OneHot"),
    op("ParallelDynamicStitch", dynamic_stitch, "Concat, ScatterND"),
    op("ScatterNd", scatter_nd, "Expand, ScatterND").note("below opset 16 only places that are known and named once"),
    op("TensorScatterAdd", tensor_scatter, "ScatterND").since(16),
    op("TensorScatterMax", tensor_scatter, "ScatterND").since(18),
    op("TensorScatterMin", tensor_scatter, "ScatterND").since(18),
    op("TensorScatterSub", tensor_scatter, "Neg, ScatterND").since(16),
    op("TensorScatterUpdate", tensor_scatter, "ScatterND"),
];

/// Adds a Transpose unless it would change nothing.
fn transposed(cx: &mut Lowering<'_>, node: &Node, what: &str, name: String, perm: &[usize]) -> String {
    if perm.is_sorted() {
        return name;
    }
    let perm = perm.iter().map(|&axis| axis as i64).collect();
    cx.step(node, what, "Transpose", vec![name], vec![("perm", Attribute::Ints(perm))])
}

fn gather(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let (data, indices) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let axis = match node.inputs.get(2) {
        None => 0,
        Some(_) => match cx.integers(node, 2, "axis")?[..] {
            [axis] => axis,
            _ => return Err(node.error("its axis is not one number")),
        },
    };
    let batch_dims = node.int("batch_dims", 0);
    let (name, places) = (cx.in_tensorflow_layout(data)?, cx.in_tensorflow_layout(indices)?);
    let layout = Layout::tensorflow_of(cx.shape(id.into()));
    if batch_dims == 0 {
        cx.emit((id, node), "Gather", vec![name, places], layout, vec![("axis", Attribute::Int(axis))]);
        return Ok(());
    }
    // With batch axes: the axis goes behind them, and each index names a place on it.
    let (rank, places_rank) = (cx.rank(node, data)?, cx.rank(node, indices)?);
    let axis = axis.rem_euclid(rank.max(1) as i64) as usize;
    let batch = batch_dims.rem_euclid(places_rank.max(1) as i64 + 1) as usize;
    if batch > axis || batch > places_rank {
        return Err(node.error("its batch axes do not come before its axis"));
    }
    let between: Vec<usize> = (batch..axis).collect();
    let perm: Vec<usize> =
        (0..batch).chain([axis]).chain(between.iter().copied()).chain(axis + 1..rank).collect();
    let moved = transposed(cx, node, "moved", name, &perm);
    let places = cx.cast(node, places, DType::Int64);
    let last = cx.vector(node, "last", &[-1]);
    let places = cx.step(node, "places", "Unsqueeze", vec![places, last], vec![]);
    let attributes = vec![("batch_dims", Attribute::Int(batch as i64))];
    if between.is_empty() {
        cx.emit((id, node), "GatherND", vec![moved, places], layout, attributes);
        return Ok(());
    }
    let gathered = cx.step(node, "gathered", "GatherND", vec![moved, places], attributes);
    // What came from the indices goes back to where the axis was.
    let from_places = places_rank - batch;
    let back: Vec<usize> = (0..batch)
        .chain(batch + from_places..batch + from_places + between.len())
        .chain(batch..batch + from_places)
        .chain(batch + from_places + between.len()..rank - 1 + from_places)
        .collect();
    let back = back.iter().map(|&axis| axis as i64).collect();
    cx.emit((id, node), "Transpose", vec![gathered], layout, vec![("perm", Attribute::Ints(back))]);
    Ok(())
}

/// An input in TensorFlow's order, cast to int64.
fn as_int64(cx: &mut Lowering<'_>, node: &Node, tensor: TensorRef) -> Result<String> {
    let name = cx.in_tensorflow_layout(tensor)?;
    Ok(if cx.dtype(tensor) == DType::Int64 { name } else { cx.cast(node, name, DType::Int64) })
}

fn gather_nd(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let data = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let indices = as_int64(cx, node, cx.input_of(node, 1)?)?;
    let layout = Layout::tensorflow_of(cx.shape(id.into()));
    let batch = node.int("batch_dims", 0);
    cx.emit((id, node), "GatherND", vec![data, indices], layout, vec![("batch_dims", Attribute::Int(batch))]);
    Ok(())
}

/// The result of a OneHot of indices, a depth (a vector) and values along an axis. ONNX Runtime refuses the depth 0: unless it
/// is `known` to be greater, one is added, and what comes of it cut off.
pub fn one_hot_of(
    cx: &mut Lowering<'_>,
    node: &Node,
    [indices, depth, values]: [String; 3],
    known: Option<i64>,
    attributes: Attributes,
) -> String {
    if known.is_some_and(|depth| depth > 0) {
        return cx.step(node, "hot", "OneHot", vec![indices, depth, values], attributes);
    }
    let axis = attributes.iter().find_map(|(name, value)| match value {
        Attribute::Int(axis) if *name == "axis" => Some(*axis),
        _ => None,
    });
    let one = cx.vector(node, "more", &[1]);
    let more = cx.step(node, "deeper", "Add", vec![depth.clone(), one], vec![]);
    let hot = cx.step(node, "hot", "OneHot", vec![indices, more, values], attributes);
    let (from, axis) = (cx.vector(node, "from", &[0]), cx.vector(node, "depth_axis", &[axis.unwrap_or(-1)]));
    cx.step(node, "cut", "Slice", vec![hot, from, depth, axis], vec![])
}

/// An index below zero is no index to TensorFlow, and one counted from the end to ONNX.
fn one_hot(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let [indices, depth, on, off] = [0, 1, 2, 3].map(|index| cx.input_of(node, index));
    let (indices, on, off) = (as_int64(cx, node, indices?)?, on?, off?);
    let known_depth = cx.known_integers(node, 1)?.and_then(|depth| depth.first().copied());
    let depth = as_int64(cx, node, depth?)?;
    let flat = cx.vector(node, "flat", &[-1]);
    let depth = cx.step(node, "depth", "Reshape", vec![depth, flat.clone()], vec![]);
    let zero = cx.scalar(node, "zero", DType::Int64, 0.0);
    let is_none = cx.step(node, "is_none", "Less", vec![indices.clone(), zero], vec![]);
    let scalar = cx.vector(node, "scalar", &[]);
    let far = cx.scalar(node, "far", DType::Int64, f64::from(1 << 30) * f64::from(1 << 30));
    let outside = cx.step(node, "outside", "Reshape", vec![far, scalar], vec![]);
    let indices = cx.step(node, "indices", "Where", vec![is_none, outside, indices], vec![]);
    // ONNX Runtime has these types of values.
    let dtype = cx.dtype(id.into());
    let computed = match dtype {
        DType::Float32 | DType::Int64 => dtype,
        DType::Float64 | DType::Float16 => DType::Float32,
        _ => DType::Int64,
    };
    let mut values = vec![];
    for tensor in [off, on] {
        let name = cx.in_tensorflow_layout(tensor)?;
        let name = if dtype == computed { name } else { cx.cast(node, name, computed) };
        values.push(cx.step(node, "value", "Reshape", vec![name, flat.clone()], vec![]));
    }
    let values = cx.step(node, "values", "Concat", values, vec![("axis", Attribute::Int(0))]);
    let layout = Layout::tensorflow_of(cx.shape(id.into()));
    // ONNX has no single index: one is made a vector, and the axis goes again.
    let is_single = cx.shape(node.inputs[0]).rank() == Some(0);
    let (indices, axis) = if is_single {
        (cx.step(node, "vector", "Reshape", vec![indices, flat], vec![]), -1)
    } else {
        (indices, node.int("axis", -1))
    };
    let inputs = [indices, depth, values];
    let attributes = vec![("axis", Attribute::Int(axis))];
    if dtype == computed && !is_single && known_depth.is_some_and(|depth| depth > 0) {
        cx.emit((id, node), "OneHot", inputs.to_vec(), layout, attributes);
        return Ok(());
    }
    let mut hot = one_hot_of(cx, node, inputs, known_depth, attributes);
    if is_single {
        let first = cx.vector(node, "first", &[0]);
        hot = cx.step(node, "squeezed", "Squeeze", vec![hot, first], vec![]);
    }
    cx.emit_cast((id.into(), node), hot, layout);
    Ok(())
}

/// What is written to one place several times adds up.
fn scatter_nd(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let indices = as_int64(cx, node, cx.input_of(node, 0)?)?;
    let updates = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let shape = as_int64(cx, node, cx.input_of(node, 2)?)?;
    let zero = cx.scalar(node, "zero", cx.dtype(id.into()), 0.0);
    let zeros = cx.step(node, "zeros", "Expand", vec![zero, shape], vec![]);
    let mut attributes = vec![];
    if cx.opset() >= 16 {
        attributes.push(("reduction", Attribute::Text("add".to_owned())));
    } else if !names_places_once(cx, node)? {
        return Err(node
            .error("a place may be written to several times, which ONNX adds up from operator set 16 on")
            .advice("choose --opset 16 or later"));
    }
    let layout = Layout::tensorflow_of(cx.shape(id.into()));
    cx.emit((id, node), "ScatterND", vec![zeros, indices, updates], layout, attributes);
    Ok(())
}

/// Whether the places that a scattering writes to are known, and each is named once.
fn names_places_once(cx: &Lowering<'_>, node: &Node) -> Result<bool> {
    let Some(places) = cx.known_integers(node, 0)? else { return Ok(false) };
    let depth = cx.shape(cx.input_of(node, 0)?).dims().and_then(|dims| dims.last().copied().flatten());
    let mut rows: Vec<&[i64]> = places.chunks(depth.unwrap_or(1).max(1)).collect();
    let count = rows.len();
    rows.sort_unstable();
    rows.dedup();
    Ok(rows.len() == count && depth != Some(0))
}

fn tensor_scatter(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let data = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let indices = as_int64(cx, node, cx.input_of(node, 1)?)?;
    let mut updates = cx.in_tensorflow_layout(cx.input_of(node, 2)?)?;
    let reduction = match node.op.as_str() {
        "TensorScatterAdd" | "TensorScatterSub" => Some("add"),
        "TensorScatterMax" => Some("max"),
        "TensorScatterMin" => Some("min"),
        _ => None,
    };
    if node.op == "TensorScatterSub" {
        updates = cx.step(node, "negated", "Neg", vec![updates], vec![]);
    }
    let attributes =
        reduction.map(|reduction| ("reduction", Attribute::Text(reduction.to_owned()))).into_iter().collect();
    let layout = Layout::tensorflow_of(cx.shape(id.into()));
    cx.emit((id, node), "ScatterND", vec![data, indices, updates], layout, attributes);
    Ok(())
}

/// Several tensors interleaved: the rows of each go where its indices say; of several for one place the last counts.
fn dynamic_stitch(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let (indices, data) = node.inputs.split_at(node.inputs.len() / 2);
    let axis = || vec![("axis", Attribute::Int(0))];
    let flat = cx.vector(node, "flat", &[-1]);
    let (mut places, mut rows) = (vec![], vec![]);
    for (&index, &part) in indices.iter().zip(data) {
        let name = as_int64(cx, node, index)?;
        places.push(cx.step(node, "places", "Reshape", vec![name, flat.clone()], vec![]));
        let index_rank = cx.rank(node, index)?;
        let name = cx.in_tensorflow_layout(part)?;
        // The axes of the indices become one.
        let shape = cx.step(node, "shape", "Shape", vec![name.clone()], vec![]);
        let from = cx.vector(node, &format!("from_{index_rank}"), &[index_rank as i64]);
        let to = cx.vector(node, "to", &[i64::MAX]);
        let rest = cx.step(node, "rest", "Slice", vec![shape, from, to], vec![]);
        let shape = cx.step(node, "rows_shape", "Concat", vec![flat.clone(), rest], axis());
        rows.push(cx.step(node, "rows", "Reshape", vec![name, shape], vec![]));
    }
    let places = cx.step(node, "all_places", "Concat", places, axis());
    let rows = cx.step(node, "all_rows", "Concat", rows, axis());
    let keep = vec![("keepdims", Attribute::Int(1))];
    let last = cx.step(node, "last", "ReduceMax", vec![places.clone()], keep);
    let one = cx.scalar(node, "one", DType::Int64, 1.0);
    let count = cx.step(node, "count", "Add", vec![last, one], vec![]);
    let shape = cx.step(node, "row_shape", "Shape", vec![rows.clone()], vec![]);
    let (from, to) = (cx.vector(node, "from_1", &[1]), cx.vector(node, "to", &[i64::MAX]));
    let rest = cx.step(node, "row_rest", "Slice", vec![shape, from, to], vec![]);
    let shape = cx.step(node, "result_shape", "Concat", vec![count, rest], axis());
    let zero = cx.scalar(node, "zero", cx.dtype(id.into()), 0.0);
    let zeros = cx.step(node, "zeros", "Expand", vec![zero, shape], vec![]);
    let behind = cx.vector(node, "behind", &[-1]);
    let places = cx.step(node, "indices", "Unsqueeze", vec![places, behind], vec![]);
    let layout = Layout::tensorflow_of(cx.shape(id.into()));
    cx.emit((id, node), "ScatterND", vec![zeros, places, rows], layout, vec![]);
    Ok(())
}

/// For each number of a partition the rows that carry it.
fn dynamic_partition(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let (data, partitions) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    if cx.rank(node, partitions)? != 1 {
        return Err(node.error("its partitions are not a vector"));
    }
    let (data, partitions) = (cx.in_tensorflow_layout(data)?, as_int64(cx, node, partitions)?);
    let flat = cx.vector(node, "flat", &[-1]);
    for port in 0..node.outputs.len() {
        let tensor = TensorRef { node: id, port };
        let number = cx.scalar(node, &format!("number_{port}"), DType::Int64, port as f64);
        let is_in = cx.step(node, "is_in", "Equal", vec![partitions.clone(), number], vec![]);
        let places = cx.step(node, "places", "NonZero", vec![is_in], vec![]);
        let places = cx.step(node, "rows", "Reshape", vec![places, flat.clone()], vec![]);
        let layout = Layout::tensorflow_of(cx.shape(tensor));
        let inputs = vec![data.clone(), places];
        cx.emit_port((tensor, node), "Gather", inputs, layout, vec![("axis", Attribute::Int(0))]);
    }
    Ok(())
}
