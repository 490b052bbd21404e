//! Ops that read and write a tensor at indices.
//!
//! Sources: `tf.gather`, `tf.gather_nd`, `tf.one_hot`, `tf.scatter_nd`, `tf.tensor_scatter_nd_*` and
//! `tf.dynamic_stitch` in TensorFlow's API documentation; Gather, GatherND, Equal and ScatterND in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::array::lower::around::{Around, int_vector, reshaped};
use crate::tensor::DType;

/// Adds a Transpose unless it would change nothing.
fn transposed(cx: &mut Lowering<'_>, node: NodeRef<'_>, what: &str, name: String, perm: &[usize]) -> String {
    if perm.is_sorted() {
        return name;
    }
    let perm = perm.iter().map(|&axis| axis as i64).collect();
    cx.step(node, what, "Transpose", vec![name], vec![("perm", Attribute::Ints(perm))])
}

pub fn gather(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (data, indices) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let axis = match node.inputs.get(2) {
        None => Some(0),
        Some(_) => match cx.known_integers(node, 2)?.as_deref() {
            Some(&[axis]) => Some(axis),
            Some(_) => return Err(node.error("its axis is not one number")),
            None => None,
        },
    };
    let batch_dims = node.int("batch_dims", 0);
    let ranks = cx.shape(data).rank().zip(cx.shape(indices).rank());
    let (Some(axis), true) = (axis, batch_dims == 0 || ranks.is_some()) else {
        return gather_open(cx, node, [data, indices], batch_dims);
    };
    let (name, positions) = (cx.in_tensorflow_layout(data)?, cx.in_tensorflow_layout(indices)?);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    if batch_dims == 0 {
        cx.emit(node, "Gather", vec![name, positions], layout, vec![("axis", Attribute::Int(axis))]);
        return Ok(());
    }
    // With batch axes: the axis goes behind them, and each index is a position on it.
    let (rank, indices_rank) = (cx.rank(node, data)?, cx.rank(node, indices)?);
    let axis = node.axis(axis, rank)?;
    let batch = if batch_dims < 0 { batch_dims.saturating_add(indices_rank as i64) } else { batch_dims };
    let batch = usize::try_from(batch).map_err(|_| node.error("it has more batch axes than its indices"))?;
    if batch == 0 {
        cx.emit(node, "Gather", vec![name, positions], layout, vec![("axis", Attribute::Int(axis as i64))]);
        return Ok(());
    }
    if batch > axis || batch > indices_rank {
        return Err(node.error("its batch axes do not come before its axis"));
    }
    let between: Vec<usize> = (batch..axis).collect();
    let perm: Vec<usize> =
        (0..batch).chain([axis]).chain(between.iter().copied()).chain(axis + 1..rank).collect();
    let moved = transposed(cx, node, "moved", name, &perm);
    let positions = cx.cast(node, positions, DType::Int64);
    let last = cx.vector(node, "last", &[-1]);
    let positions = cx.step(node, "places", "Unsqueeze", vec![positions, last], vec![]);
    let attributes = vec![("batch_dims", Attribute::Int(batch as i64))];
    if between.is_empty() {
        cx.emit(node, "GatherND", vec![moved, positions], layout, attributes);
        return Ok(());
    }
    let gathered = cx.step(node, "gathered", "GatherND", vec![moved, positions], attributes);
    // The axes of the indices go to the position of the axis.
    let from_positions = indices_rank - batch;
    let back: Vec<usize> = (0..batch)
        .chain(batch + from_positions..batch + from_positions + between.len())
        .chain(batch..batch + from_positions)
        .chain(batch + from_positions + between.len()..rank - 1 + from_positions)
        .collect();
    let back = back.iter().map(|&axis| axis as i64).collect();
    cx.emit(node, "Transpose", vec![gathered], layout, vec![("perm", Attribute::Ints(back))]);
    Ok(())
}

/// Along an axis that an input names when the model runs, or with batch axes of tensors of unknown rank.
fn gather_open(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    [data, indices]: [TensorRef; 2],
    batch_dims: i64,
) -> Result<()> {
    let (name, positions) = (cx.in_tensorflow_layout(data)?, cx.in_type(node, indices, DType::Int64)?);
    let axis = if node.inputs.len() > 2 { int_vector(cx, node, 2)? } else { cx.vector(node, "axis", &[0]) };
    let mut steps = Steps { cx, node };
    let around = Around::new(&mut steps, &name, &axis);
    let lengths = steps.op("Shape", &[&positions]);
    if batch_dims == 0 {
        let gathered = steps.op_with("Gather", &[&around.value, &positions], "axis", 1);
        around.emit(&mut steps, node, gathered, Some(&lengths));
        return Ok(());
    }
    // Four axes: the batch, the axes between it and the axis, the axis, and those behind it. With the axis second, each index is a
    // position on it.
    let (first, end) = (steps.ints(&[0]), steps.ints(&[i64::MAX]));
    let batch = steps.ints(&[batch_dims]);
    let batch_lengths = steps.op("Slice", &[&lengths, &first, &batch, &first]);
    let picked_lengths = steps.op("Slice", &[&lengths, &batch, &end, &first]);
    let batch = steps.op("Shape", &[&batch_lengths]);
    let between = steps.op("Slice", &[&around.before, &batch, &end, &first]);
    let [batch, picked, before, behind] = [&batch_lengths, &picked_lengths, &between, &around.behind]
        .map(|lengths| steps.reduce("ReduceProd", lengths, &[0], true));
    let four = steps.op_with("Concat", &[&batch, &before, &around.length, &behind], "axis", 0);
    let values = reshaped(&mut steps, &around.value, &four);
    let values = steps.transpose(&values, &[0, 2, 1, 3]);
    let one = steps.ints(&[1]);
    let places = steps.op_with("Concat", &[&batch, &picked, &one], "axis", 0);
    let places = reshaped(&mut steps, &positions, &places);
    let gathered = steps.op_with("GatherND", &[&values, &places], "batch_dims", 1);
    let gathered = steps.transpose(&gathered, &[0, 2, 1, 3]);
    around.emit(&mut steps, node, gathered, Some(&picked_lengths));
    Ok(())
}

pub fn gather_nd(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let data = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let indices = cx.in_type(node, cx.input_of(node, 1)?, DType::Int64)?;
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    let batch = node.int("batch_dims", 0);
    cx.emit(node, "GatherND", vec![data, indices], layout, vec![("batch_dims", Attribute::Int(batch))]);
    Ok(())
}

/// Compares indices with all numbers below a depth, which is a vector of one number, along a new axis; `None` is the last
/// axis. An index out of range equals none of them.
///
/// ONNX's OneHot counts negative indices from the end, and ONNX Runtime's aborts the process where there are no indices and
/// refuses the depth 0.
pub fn hot(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    [indices, depth]: [String; 2],
    (axis, rank): (Option<i64>, usize),
) -> String {
    let none = cx.vector(node, "first", &[0]);
    let depth = cx.step(node, "depth", "Squeeze", vec![depth, none], vec![]);
    let (zero, one) = (cx.scalar(node, "zero", DType::Int64, 0.0), cx.scalar(node, "one", DType::Int64, 1.0));
    let mut numbers = cx.step(node, "numbers", "Range", vec![zero, depth, one], vec![]);
    let behind = axis.map_or(0, |axis| rank as i64 - axis);
    if behind > 0 {
        let axes: Vec<i64> = (1..=behind).collect();
        let axes = cx.vector(node, "behind", &axes);
        numbers = cx.step(node, "spread", "Unsqueeze", vec![numbers, axes], vec![]);
    }
    let axis = cx.vector(node, "new", &[axis.unwrap_or(-1)]);
    let indices = cx.step(node, "indices", "Unsqueeze", vec![indices, axis], vec![]);
    cx.step(node, "is_hot", "Equal", vec![indices, numbers], vec![])
}

/// The numbers below a known depth are an initializer, unless there are more than this.
const MAX_KNOWN_DEPTH: i64 = 4096;

/// One value where an index equals the position along the new axis, another elsewhere.
pub fn one_hot(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [indices_input, depth, on, off] = [0, 1, 2, 3].map(|index| cx.input_of(node, index));
    let (indices_input, on, off) = (indices_input?, on?, off?);
    let indices = cx.in_type(node, indices_input, DType::Int64)?;
    let axis = Some(node.int("axis", -1)).filter(|&axis| axis != -1);
    let is_hot = match cx.known_integers(node, 1)?.as_deref() {
        Some(&[depth]) if axis.is_none() && (0..=MAX_KNOWN_DEPTH).contains(&depth) => {
            let numbers = cx.vector(node, "numbers", &(0..depth).collect::<Vec<_>>());
            let mut steps = Steps { cx, node };
            let last = steps.ints(&[-1]);
            let indices = steps.op("Unsqueeze", &[&indices, &last]);
            steps.op("Equal", &[&indices, &numbers])
        }
        _ => {
            let depth = cx.in_type(node, depth?, DType::Int64)?;
            hot_below(cx, node, [indices, depth], axis, cx.shape(indices_input).rank())
        }
    };
    let [on, off] = [on, off].map(|tensor| cx.in_tensorflow_layout(tensor));
    let (on, off) = (on?, off?);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Where", vec![is_hot, on, off], layout, vec![]);
    Ok(())
}

/// Compares indices, which may have an unknown rank, with all numbers below a depth.
fn hot_below(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    [indices, depth]: [String; 2],
    axis: Option<i64>,
    rank: Option<usize>,
) -> String {
    let flat = cx.vector(node, "flat", &[-1]);
    let depth = cx.step(node, "count", "Reshape", vec![depth, flat], vec![]);
    match (axis, rank) {
        (None, _) => hot(cx, node, [indices, depth], (None, 0)),
        (axis, Some(rank)) => hot(cx, node, [indices, depth], (axis, rank)),
        (Some(axis), None) => {
            // The numbers get as many axes as there are behind the new one.
            let mut steps = Steps { cx, node };
            let (shape, axis, one) = (steps.op("Shape", &[&indices]), steps.ints(&[axis]), steps.ints(&[1]));
            let rank = steps.op("Shape", &[&shape]);
            let behind = steps.op("Sub", &[&rank, &axis]);
            let ones = steps.op("Expand", &[&one, &behind]);
            let shape = steps.op_with("Concat", &[&depth, &ones], "axis", 0);
            let numbers = steps.positions(&depth);
            let numbers = reshaped(&mut steps, &numbers, &shape);
            let indices = steps.op("Unsqueeze", &[&indices, &axis]);
            steps.op("Equal", &[&indices, &numbers])
        }
    }
}

/// Values that are written to the same index add up.
pub fn scatter_nd(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let indices = cx.in_type(node, cx.input_of(node, 0)?, DType::Int64)?;
    let updates = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let shape = cx.in_type(node, cx.input_of(node, 2)?, DType::Int64)?;
    let zero = cx.scalar(node, "zero", cx.dtype(node.into()), 0.0);
    let zeros = cx.step(node, "zeros", "Expand", vec![zero, shape], vec![]);
    let mut attributes = vec![];
    if cx.opset() >= 16 || !has_unique_positions(cx, node)? {
        attributes.push(("reduction", Attribute::Text("add".to_owned())));
    }
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "ScatterND", vec![zeros, indices, updates], layout, attributes);
    Ok(())
}

/// Whether the indices that a scatter op writes to are known and unique.
fn has_unique_positions(cx: &Lowering<'_>, node: NodeRef<'_>) -> Result<bool> {
    let Some(positions) = cx.known_integers(node, 0)? else { return Ok(false) };
    let depth = cx.shape(cx.input_of(node, 0)?).dims().and_then(|dims| dims.last().copied().flatten());
    let mut rows: Vec<&[i64]> = positions.chunks(depth.unwrap_or(1).max(1)).collect();
    let count = rows.len();
    rows.sort_unstable();
    rows.dedup();
    Ok(rows.len() == count && depth != Some(0))
}

/// How an update is combined with the value at its index.
#[derive(Debug, Clone, Copy)]
pub enum Scatter {
    Update,
    Add,
    Sub,
    Max,
    Min,
}

pub fn tensor_scatter(cx: &mut Lowering<'_>, node: NodeRef<'_>, scatter: Scatter) -> Result<()> {
    // Below set 16 the updates are counted by a Reshape, for which 0 is no length.
    if cx.shape(cx.input_of(node, 2)?).element_count() == Some(0) {
        return cx.alias(node.into(), cx.input_of(node, 0)?);
    }
    let data = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let indices = cx.in_type(node, cx.input_of(node, 1)?, DType::Int64)?;
    let mut updates = cx.in_tensorflow_layout(cx.input_of(node, 2)?)?;
    let reduction = match scatter {
        Scatter::Update => None,
        Scatter::Add => Some("add"),
        Scatter::Sub => {
            updates = cx.step(node, "negated", "Neg", vec![updates], vec![]);
            Some("add")
        }
        Scatter::Max => Some("max"),
        Scatter::Min => Some("min"),
    };
    let attributes =
        reduction.map(|reduction| ("reduction", Attribute::Text(reduction.to_owned()))).into_iter().collect();
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "ScatterND", vec![data, indices, updates], layout, attributes);
    Ok(())
}

/// Interleaves several tensors: the rows of each are written to its indices. If several rows have one index, the last counts.
pub fn dynamic_stitch(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (indices, data) = node.inputs.split_at(node.inputs.len() / 2);
    let axis = || vec![("axis", Attribute::Int(0))];
    let flat = cx.vector(node, "flat", &[-1]);
    let (mut positions, mut rows) = (vec![], vec![]);
    for (&index, &part) in indices.iter().zip(data) {
        let name = cx.in_type(node, index, DType::Int64)?;
        positions.push(cx.step(node, "places", "Reshape", vec![name.clone(), flat.clone()], vec![]));
        let part = cx.in_tensorflow_layout(part)?;
        // The axes of the indices become one.
        let from = rank_vector(cx, node, index, &name);
        let name = part;
        let shape = cx.step(node, "shape", "Shape", vec![name.clone()], vec![]);
        let to = cx.vector(node, "to", &[i64::MAX]);
        let rest = cx.step(node, "rest", "Slice", vec![shape, from, to], vec![]);
        let shape = cx.step(node, "rows_shape", "Concat", vec![flat.clone(), rest], axis());
        rows.push(cx.step(node, "rows", "Reshape", vec![name, shape], vec![]));
    }
    let positions = cx.step(node, "all_places", "Concat", positions, axis());
    let rows = cx.step(node, "all_rows", "Concat", rows, axis());
    let keep = vec![("keepdims", Attribute::Int(1))];
    let last = cx.step(node, "last", "ReduceMax", vec![positions.clone()], keep);
    let one = cx.scalar(node, "one", DType::Int64, 1.0);
    let count = cx.step(node, "count", "Add", vec![last, one], vec![]);
    let shape = cx.step(node, "row_shape", "Shape", vec![rows.clone()], vec![]);
    let (from, to) = (cx.vector(node, "from_1", &[1]), cx.vector(node, "to", &[i64::MAX]));
    let rest = cx.step(node, "row_rest", "Slice", vec![shape, from, to], vec![]);
    let shape = cx.step(node, "result_shape", "Concat", vec![count, rest], axis());
    let zero = cx.scalar(node, "zero", cx.dtype(node.into()), 0.0);
    let zeros = cx.step(node, "zeros", "Expand", vec![zero, shape], vec![]);
    let behind = cx.vector(node, "behind", &[-1]);
    let positions = cx.step(node, "indices", "Unsqueeze", vec![positions, behind], vec![]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "ScatterND", vec![zeros, positions, rows], layout, vec![]);
    Ok(())
}

/// The rank of a tensor, as a vector of one number.
pub fn rank_vector(cx: &mut Lowering<'_>, node: NodeRef<'_>, tensor: TensorRef, name: &str) -> String {
    match cx.shape(tensor).rank() {
        Some(rank) => Steps { cx, node }.ints(&[rank as i64]),
        None => {
            let shape = cx.step(node, "shape", "Shape", vec![name.to_owned()], vec![]);
            cx.step(node, "rank", "Shape", vec![shape], vec![])
        }
    }
}

/// For each number of a partition the rows that carry it.
pub fn dynamic_partition(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (data, partitions) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let is_vector = cx.shape(partitions).rank() == Some(1);
    let (mut data, mut numbers) =
        (cx.in_tensorflow_layout(data)?, cx.in_type(node, partitions, DType::Int64)?);
    if !is_vector {
        // The axes of the partitions become one.
        let rank = rank_vector(cx, node, partitions, &numbers);
        let mut steps = Steps { cx, node };
        let (all, first, end) = (steps.ints(&[-1]), steps.ints(&[0]), steps.ints(&[i64::MAX]));
        let shape = steps.op("Shape", &[&data]);
        let rest = steps.op("Slice", &[&shape, &rank, &end, &first]);
        numbers = steps.op("Reshape", &[&numbers, &all]);
        let count = steps.op("Shape", &[&numbers]);
        let shape = steps.op_with("Concat", &[&count, &rest], "axis", 0);
        data = reshaped(&mut steps, &data, &shape);
    }
    let partitions = numbers;
    let flat = cx.vector(node, "flat", &[-1]);
    for port in 0..node.outputs.len() {
        let tensor = node.output(port);
        let number = cx.scalar(node, &format!("number_{port}"), DType::Int64, port as f64);
        let is_in = cx.step(node, "is_in", "Equal", vec![partitions.clone(), number], vec![]);
        let positions = cx.step(node, "places", "NonZero", vec![is_in], vec![]);
        let positions = cx.step(node, "rows", "Reshape", vec![positions, flat.clone()], vec![]);
        let layout = Layout::tensorflow_of(cx.shape(tensor));
        let inputs = vec![data.clone(), positions];
        cx.emit(tensor, "Gather", inputs, layout, vec![("axis", Attribute::Int(0))]);
    }
    Ok(())
}
