//! Sets whose elements are the values of sparse tensors, and counts of values in rows.
//!
//! Each value has a group: its indices without the last one. Values are replaced by their ranks, which Unique finds for any type, and
//! sorted by rank and then by group. The elements of a set are then side by side and in order, and so are equal ones.
//!
//! Sources: `tf.sets`, `tf.math.bincount` and `tf.sparse.bincount` in TensorFlow's API documentation,
//! `tensorflow/core/kernels/{set_kernels,bincount_op}.cc`; Unique and TopK in <https://onnx.ai/onnx/operators/>.

use super::order::{flattened, inputs, sorting};
use super::sparse::{at_least_one, known_rank, strides};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::emit::{widened, zeros_are_lengths};
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::DType;

/// The elements of sets: the number of the group of each, and its value.
struct Elements {
    groups: String,
    values: String,
}

/// Where the lengths of the groups' axes are, and how many axes there are, where that is known.
pub(super) struct Groups {
    pub(super) shape: String,
    rank: Option<usize>,
}

impl Groups {
    /// All but the last axis of a shape.
    ///
    /// # Errors
    /// If the axis of the elements is the only one.
    pub(super) fn of(steps: &mut Steps<'_, '_, '_>, shape: &String, rank: Option<usize>) -> Result<Self> {
        if rank.is_some_and(|rank| rank < 2) {
            return Err(steps.node.error("its sparse tensors have one axis, and it takes two or more"));
        }
        Ok(Self { shape: steps.part(shape, 0, 0, -1), rank: rank.map(|rank| rank - 1) })
    }

    /// The number of the group of each index.
    pub(super) fn number(&self, steps: &mut Steps<'_, '_, '_>, indices: &String) -> String {
        let leading = steps.part(indices, 1, 0, -1);
        flattened(steps, &leading, &self.shape, self.rank)
    }

    /// How many groups there are, as a vector.
    pub(super) fn count(&self, steps: &mut Steps<'_, '_, '_>) -> String {
        steps.reduce("ReduceProd", &self.shape, &[0], true)
    }
}

/// Elements in the order of their groups, and of their values in each.
struct Sorted {
    groups: String,
    /// The position of each among the elements that were sorted.
    order: String,
    /// Whether it equals the one before.
    is_repeated: String,
}

fn gathered(steps: &mut Steps<'_, '_, '_>, value: &String, order: &String) -> String {
    steps.op_with("Gather", &[value, order], "axis", 0)
}

/// The element before each one; the first one has -1 before it.
fn before(steps: &mut Steps<'_, '_, '_>, value: &String) -> String {
    let nothing = steps.ints(&[-1]);
    let others = steps.op_with("Concat", &[&nothing, value], "axis", 0);
    let (from, count) = (steps.ints(&[0]), steps.op("Shape", &[value]));
    steps.op("Slice", &[&others, &from, &count])
}

/// Numbers in the order of texts, equal ones for equal texts.
pub(super) fn ranks_of_texts(steps: &mut Steps<'_, '_, '_>, texts: &str) -> String {
    let outputs = ("ranks", ["unique", "first", "ranks"]);
    let attributes = vec![("sorted", Attribute::Int(1))];
    let [_, _, ranks] =
        steps.cx.step_with_outputs(steps.node, outputs, "Unique", vec![texts.to_owned()], attributes);
    ranks
}

fn sorted(steps: &mut Steps<'_, '_, '_>, elements: &Elements, dtype: DType) -> Sorted {
    let ranks = match dtype {
        DType::String => ranks_of_texts(steps, &elements.values),
        _ => steps.cast(&elements.values, DType::Int64),
    };
    let by_rank = sorting(steps, &ranks);
    let groups = gathered(steps, &elements.groups, &by_rank);
    let by_group = sorting(steps, &groups);
    let order = gathered(steps, &by_rank, &by_group);
    let (groups, ranks) = (gathered(steps, &groups, &by_group), gathered(steps, &ranks, &order));
    let (group_before, rank_before) = (before(steps, &groups), before(steps, &ranks));
    let is_same_group = steps.op("Equal", &[&groups, &group_before]);
    let is_same_rank = steps.op("Equal", &[&ranks, &rank_before]);
    let is_repeated = steps.op("And", &[&is_same_group, &is_same_rank]);
    Sorted { groups, order, is_repeated }
}

/// How many elements each group has.
pub(super) fn counts(steps: &mut Steps<'_, '_, '_>, groups: &String, count: &String, dtype: DType) -> String {
    let (none, each) = (steps.number(dtype, 0.0), steps.number(dtype, 1.0));
    let shape = steps.op("Shape", &[groups]);
    let (none, each) = (steps.op("Expand", &[&none, count]), steps.op("Expand", &[&each, &shape]));
    let behind = steps.ints(&[1]);
    let indices = steps.op("Unsqueeze", &[groups, &behind]);
    let attributes = vec![("reduction", Attribute::Text("add".to_owned()))];
    steps.cx.step(steps.node, "counts", "ScatterND", vec![none, indices, each], attributes)
}

/// A type whose values have ranks.
fn check_type(node: NodeRef<'_>, dtype: DType) -> Result<()> {
    match dtype {
        DType::String | DType::Int64 => Ok(()),
        other if matches!(widened(other), DType::Int32) => Ok(()),
        other => Err(node.error(format!("it takes sets of {other}"))),
    }
}

/// The number of different elements of each set.
pub fn set_size(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let rank = known_rank(cx, node, [(0, 1), (2, 0)])?;
    let dtype = cx.dtype(cx.input_of(node, 1)?);
    check_type(node, dtype)?;
    let [indices, values, shape] = inputs(cx, node, 0)?;
    let mut steps = Steps { cx, node };
    let sets = Groups::of(&mut steps, &shape, rank)?;
    let groups = sets.number(&mut steps, &indices);
    let sorted = sorted(&mut steps, &Elements { groups, values }, dtype);
    let is_first = steps.op("Not", &[&sorted.is_repeated]);
    let groups = steps.op_with("Compress", &[&sorted.groups, &is_first], "axis", 0);
    let count = sets.count(&mut steps);
    let sizes = counts(&mut steps, &groups, &count, DType::Int32);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    let attributes = zeros_are_lengths();
    cx.emit(node, "Reshape", vec![sizes, sets.shape], layout, attributes);
    Ok(())
}

/// Where the first set of an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    Dense,
    Sparse,
}

/// Operations on sets, of which the second are sparse.
pub fn set_operation(cx: &mut Lowering<'_>, node: NodeRef<'_>, first: First) -> Result<()> {
    let second = if first == First::Dense { 1 } else { 3 };
    let rank = known_rank(cx, node, [(second, 1), (second + 2, 0)])?;
    let dtype = cx.dtype(node.output(1));
    check_type(node, dtype)?;
    let operation = node.text("set_operation").unwrap_or_default().to_lowercase();
    let [indices, values, shape] = inputs(cx, node, second)?;
    let given: Vec<String> = match first {
        First::Dense => inputs::<1>(cx, node, 0)?.into(),
        First::Sparse => inputs::<3>(cx, node, 0)?.into(),
    };
    let mut steps = Steps { cx, node };
    let sets = Groups::of(&mut steps, &shape, rank)?;
    let b = Elements { groups: sets.number(&mut steps, &indices), values };
    let a = match &given[..] {
        [indices, values, _] => Elements { groups: sets.number(&mut steps, indices), values: values.clone() },
        _ => of_dense(&mut steps, &given[0], &sets),
    };
    // The second set without the elements of the first.
    let (front, behind) = match operation.as_str() {
        "a-b" => (b, a),
        "b-a" | "intersection" | "union" => (a, b),
        _ => return Err(node.error(format!("it has an unknown set_operation, {operation}"))),
    };
    let front_count = steps.op("Shape", &[&front.groups]);
    let groups = steps.op_with("Concat", &[&front.groups, &behind.groups], "axis", 0);
    let values = steps.op_with("Concat", &[&front.values, &behind.values], "axis", 0);
    let all = Elements { groups, values };
    let sorted = sorted(&mut steps, &all, dtype);
    let is_first_of_its_kind = steps.op("Not", &[&sorted.is_repeated]);
    let is_in_front = steps.op("Less", &[&sorted.order, &front_count]);
    let is_behind = steps.op("Not", &[&is_in_front]);
    let kept = match operation.as_str() {
        "union" => is_first_of_its_kind,
        "intersection" => {
            let order_before = before(&mut steps, &sorted.order);
            let follows_front = steps.op("Less", &[&order_before, &front_count]);
            let passes = steps.op("And", &[&is_behind, &follows_front]);
            steps.op("And", &[&sorted.is_repeated, &passes])
        }
        _ => steps.op("And", &[&is_first_of_its_kind, &is_behind]),
    };
    let order = steps.op_with("Compress", &[&sorted.order, &kept], "axis", 0);
    let groups = steps.op_with("Compress", &[&sorted.groups, &kept], "axis", 0);
    let values = gathered(&mut steps, &all.values, &order);
    emit_sets(&mut steps, &sets, &groups, values);
    Ok(())
}

/// The elements of sets that are the rows of a dense tensor.
fn of_dense(steps: &mut Steps<'_, '_, '_>, dense: &String, sets: &Groups) -> Elements {
    let count = sets.count(steps);
    let numbers = steps.positions(&count);
    let behind = steps.ints(&[1]);
    let numbers = steps.op("Unsqueeze", &[&numbers, &behind]);
    let length = steps.length(dense, -1);
    let shape = steps.op_with("Concat", &[&count, &length], "axis", 0);
    let flat = steps.ints(&[-1]);
    let groups = steps.op("Expand", &[&numbers, &shape]);
    Elements { groups: steps.op("Reshape", &[&groups, &flat]), values: steps.op("Reshape", &[dense, &flat]) }
}

/// Emits sets whose elements are in order: the last index of an element is its position in its set.
fn emit_sets(steps: &mut Steps<'_, '_, '_>, sets: &Groups, groups: &String, values: String) {
    let count = sets.count(steps);
    let sizes = counts(steps, groups, &count, DType::Int64);
    let (axis, none) = (steps.int(0), steps.ints(&[0]));
    let ends = steps.op("CumSum", &[&sizes, &axis]);
    let starts = steps.op("Sub", &[&ends, &sizes]);
    let start = gathered(steps, &starts, groups);
    let all = steps.op("Shape", &[groups]);
    let numbers = steps.positions(&all);
    let position = steps.op("Sub", &[&numbers, &start]);
    let behind = steps.ints(&[1]);
    let position = steps.op("Unsqueeze", &[&position, &behind]);
    let column = steps.op("Unsqueeze", &[groups, &behind]);
    // Nor are groups divided by lengths of 0: there are no elements then.
    let lengths = at_least_one(steps, &sets.shape);
    let strides = strides(steps, &lengths, sets.rank);
    let leading = steps.op("Div", &[&column, &strides]);
    let leading = steps.op("Mod", &[&leading, &lengths]);
    let sizes = steps.op_with("Concat", &[&sizes, &none], "axis", 0);
    let longest = steps.reduce("ReduceMax", &sizes, &[0], true);
    let axis = |axis| vec![("axis", Attribute::Int(axis))];
    let (cx, node) = (&mut *steps.cx, steps.node);
    cx.emit(node, "Concat", vec![leading, position], Layout::tensorflow(2), axis(1));
    cx.emit(node.output(1), "Identity", vec![values], Layout::tensorflow(1), vec![]);
    let shape = node.output(2);
    cx.emit(shape, "Concat", vec![sets.shape.clone(), longest], Layout::tensorflow(1), axis(0));
}

/// Where the rows are whose values are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// The rows of a matrix, or a single one.
    Dense,
    Ragged,
    Sparse,
}

/// The row of each value of a ragged tensor, and how many rows there are, as a vector.
fn ragged_rows(steps: &mut Steps<'_, '_, '_>, splits: &String, values: &String) -> (String, String) {
    // The row of a value is the number of rows that end at its position or before it.
    let ends = steps.part(splits, 0, 1, i64::MAX);
    let (all, rows) = (steps.op("Shape", &[values]), steps.op("Shape", &[&ends]));
    let (one, none) = (steps.int(1), steps.ints(&[0]));
    let places = steps.op("Add", &[&all, &one]);
    let ended = counts(steps, &ends, &places, DType::Int64);
    let axis = steps.int(0);
    let row = steps.op("CumSum", &[&ended, &axis]);
    (steps.op("Slice", &[&row, &none, &all]), rows)
}

/// How often each number occurs in each row, or the sum of its weights. Numbers of the size and above are left out.
pub fn bincount(cx: &mut Lowering<'_>, node: NodeRef<'_>, rows: Rows) -> Result<()> {
    let is_sparse = rows == Rows::Sparse;
    let first = if is_sparse { 3 } else { 2 };
    let rank = if is_sparse { known_rank(cx, node, [(0, 1), (2, 0)])? } else { Some(2) };
    if let Some(rank @ 3..) = rank {
        return Err(node.error(format!("it counts in sparse tensors of up to 2 axes, not {rank}")));
    }
    let [place, values] = inputs(cx, node, 0)?;
    let [size, weights] = inputs(cx, node, first)?;
    let dtype = cx.dtype(node.into());
    let mut steps = Steps { cx, node };
    let (values, size) = (steps.cast(&values, DType::Int64), steps.cast(&size, DType::Int64));
    let (flat, none, behind) = (steps.ints(&[-1]), steps.ints(&[0]), steps.ints(&[1]));
    let size = steps.op("Reshape", &[&size, &flat]);
    let (row, count) = if is_sparse {
        let [shape] = inputs(steps.cx, node, 2)?;
        (steps.part(&place, 1, 0, -1), steps.part(&shape, 0, 0, -1))
    } else {
        let (row, count) = ragged_rows(&mut steps, &place, &values);
        (steps.op("Unsqueeze", &[&row, &behind]), count)
    };
    // Numbers that are left out go to an additional column, which is cut off.
    let is_counted = steps.op("Less", &[&values, &size]);
    let column = steps.op("Where", &[&is_counted, &values, &size]);
    let column = steps.op("Unsqueeze", &[&column, &behind]);
    let one = steps.int(1);
    let width = steps.op("Add", &[&size, &one]);
    let (indices, shape) = if rank == Some(1) {
        (column, width)
    } else {
        (
            steps.op_with("Concat", &[&row, &column], "axis", 1),
            steps.op_with("Concat", &[&count, &width], "axis", 0),
        )
    };
    let zero = steps.number(dtype, 0.0);
    let start = steps.op("Expand", &[&zero, &shape]);
    let each = steps.number(dtype, 1.0);
    let all = steps.op("Shape", &[&values]);
    let ones = steps.op("Expand", &[&each, &all]);
    let is_binary = node.bool("binary_output", false);
    let each = if is_binary {
        ones
    } else {
        // Without weights, each value counts as 1. The vector is as long as the values then.
        let given = steps.op_with("Concat", &[&weights, &ones], "axis", 0);
        steps.op("Slice", &[&given, &none, &all])
    };
    let reduction = if is_binary { "none" } else { "add" };
    let attributes = vec![("reduction", Attribute::Text(reduction.to_owned()))];
    let counted = steps.cx.step(node, "counted", "ScatterND", vec![start, indices, each], attributes);
    let axis = steps.ints(&[rank.map_or(-1, |rank| rank as i64 - 1)]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Slice", vec![counted, none, size, axis], layout, vec![]);
    Ok(())
}

/// How often each number occurs in each row, or the sum of its weights, as a sparse tensor with the numbers that occur. Numbers below 0,
/// and those of the maximum and above, are left out.
pub fn sparse_counts(cx: &mut Lowering<'_>, node: NodeRef<'_>, rows: Rows) -> Result<()> {
    let given: Vec<String> = match rows {
        Rows::Dense => inputs::<2>(cx, node, 0)?.into(),
        Rows::Ragged => inputs::<3>(cx, node, 0)?.into(),
        Rows::Sparse => inputs::<4>(cx, node, 0)?.into(),
    };
    let rank = match rows {
        Rows::Dense => cx.shape(cx.input_of(node, 0)?).rank(),
        Rows::Ragged => Some(2),
        Rows::Sparse => known_rank(cx, node, [(0, 1), (2, 0)])?,
    };
    if let Some(rank @ (0 | 3..)) = rank {
        return Err(node.error(format!("it counts in tensors of 1 or 2 axes, not {rank}")));
    }
    let dtype = cx.dtype(node.output(1));
    let (least, most) = (node.int("minlength", -1), node.int("maxlength", -1));
    let is_binary = node.bool("binary_output", false);
    let mut steps = Steps { cx, node };
    let (flat, none, behind) = (steps.ints(&[-1]), steps.ints(&[0]), steps.ints(&[1]));
    let values = &given[usize::from(rows != Rows::Dense)];
    let numbers = steps.cast(values, DType::Int64);
    let numbers = steps.op("Reshape", &[&numbers, &flat]);
    let all = steps.op("Shape", &[&numbers]);
    let (row, count) = match rows {
        Rows::Ragged => ragged_rows(&mut steps, &given[0], &numbers),
        _ if rank == Some(1) => (steps.op("Expand", &[&none, &all]), none.clone()),
        Rows::Sparse => {
            // There is one row if numbers have only one index.
            let row = steps.part(&given[0], 1, 0, -1);
            (steps.reduce("ReduceSum", &row, &[1], false), steps.part(&given[2], 0, 0, -1))
        }
        Rows::Dense => {
            let shape = steps.op("Shape", &[values]);
            let (count, length) = (steps.part(&shape, 0, 0, -1), steps.part(&shape, 0, -1, i64::MAX));
            let rows = steps.reduce("ReduceProd", &count, &[0], true);
            let row = steps.positions(&rows);
            let row = steps.op("Unsqueeze", &[&row, &behind]);
            let shape = steps.op_with("Concat", &[&rows, &length], "axis", 0);
            let row = steps.op("Expand", &[&row, &shape]);
            (steps.op("Reshape", &[&row, &flat]), count)
        }
    };
    let zero = steps.int(0);
    let mut is_counted = steps.op("GreaterOrEqual", &[&numbers, &zero]);
    if most > 0 {
        let most = steps.int(most);
        let is_below = steps.op("Less", &[&numbers, &most]);
        is_counted = steps.op("And", &[&is_counted, &is_below]);
    }
    let mut counted = |value: &String| steps.op_with("Compress", &[value, &is_counted], "axis", 0);
    let elements = Elements { groups: counted(&row), values: counted(&numbers) };
    let sorted = sorted(&mut steps, &elements, DType::Int64);
    let numbers = gathered(&mut steps, &elements.values, &sorted.order);
    let is_first = steps.op("Not", &[&sorted.is_repeated]);
    let ones = steps.cast(&is_first, DType::Int64);
    let (axis, one) = (steps.int(0), steps.int(1));
    let runs = steps.op("CumSum", &[&ones, &axis]);
    let runs = steps.op("Sub", &[&runs, &one]);
    let run = steps.op("Unsqueeze", &[&runs, &behind]);
    let length = steps.reduce("ReduceSum", &ones, &[0], true);
    let (no, each) = (steps.number(dtype, 0.0), steps.number(dtype, 1.0));
    let sums = if is_binary {
        steps.op("Expand", &[&each, &length])
    } else {
        // Without weights, each number counts as 1.
        let (ones, weights) = (steps.op("Expand", &[&each, &all]), given.last().cloned().unwrap_or_default());
        let weights = steps.op("Reshape", &[&weights, &flat]);
        let weights = steps.op_with("Concat", &[&weights, &ones], "axis", 0);
        let weights = steps.op("Slice", &[&weights, &none, &all]);
        let weights = steps.op_with("Compress", &[&weights, &is_counted], "axis", 0);
        let weights = gathered(&mut steps, &weights, &sorted.order);
        let start = steps.op("Expand", &[&no, &length]);
        let attributes = vec![("reduction", Attribute::Text("add".to_owned()))];
        steps.cx.step(node, "sums", "ScatterND", vec![start, run, weights], attributes)
    };
    let size = if most > 0 {
        steps.ints(&[most])
    } else {
        let nothing = steps.ints(&[-1]);
        let all = steps.op_with("Concat", &[&elements.values, &nothing], "axis", 0);
        let greatest = steps.reduce("ReduceMax", &all, &[0], true);
        let size = steps.op("Add", &[&greatest, &one]);
        let least = steps.ints(&[least]);
        steps.op("Max", &[&size, &least])
    };
    let numbers = steps.op_with("Compress", &[&numbers, &is_first], "axis", 0);
    let mut indices = steps.op("Unsqueeze", &[&numbers, &behind]);
    let mut shape = size;
    if rank != Some(1) {
        let row = steps.op_with("Compress", &[&sorted.groups, &is_first], "axis", 0);
        let mut row = steps.op("Unsqueeze", &[&row, &behind]);
        if rank.is_none() {
            // Numbers without rows have no index of one.
            let columns = steps.op("Shape", &[&count]);
            row = steps.op("Slice", &[&row, &none, &columns, &behind]);
        }
        indices = steps.op_with("Concat", &[&row, &indices], "axis", 1);
        shape = steps.op_with("Concat", &[&count, &shape], "axis", 0);
    }
    cx.emit(node, "Identity", vec![indices], Layout::tensorflow(2), vec![]);
    cx.emit(node.output(1), "Identity", vec![sums], Layout::tensorflow(1), vec![]);
    cx.emit(node.output(2), "Identity", vec![shape], Layout::tensorflow(1), vec![]);
    Ok(())
}
