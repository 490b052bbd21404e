//! The Levenshtein distance of the sequences of two sparse tensors.
//!
//! The distances of all beginnings of two sequences are a table, which is filled by its diagonals: a distance depends on its neighbors on
//! the two diagonals before its own alone, so that a whole diagonal, and that of each group, is one step.
//!
//! Sources: `tf.edit_distance` in TensorFlow's API documentation, `tensorflow/core/kernels/edit_distance_op.cc` and
//! `tensorflow/core/lib/gtl/edit_distance.h`; Loop and GatherElements in <https://onnx.ai/onnx/operators/>.

use super::groups::{Groups, counts, ranks_of_texts};
use super::order::inputs;
use super::sparse::known_rank;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::emit::zeros_are_lengths;
use crate::lower::formula::{Formula, Iteration, Value};
use crate::lower::inputs_and_loops::computed_type;
use crate::lower::steps::Steps;
use crate::tensor::DType;

/// More than any distance.
const FAR: f64 = 1e9;

/// The sequences of all groups.
struct Sequences<'f> {
    values: Value<'f>,
    /// The index of the first value of each, and their numbers: `[groups, 1]`.
    start: Value<'f>,
    length: Value<'f>,
}

impl<'f> Sequences<'f> {
    /// Sequences of these lengths, one behind the other.
    fn new(f: &'f Formula<'_, '_, '_>, values: &str, lengths: &str) -> Self {
        let lengths = f.value(lengths);
        let start = lengths.op("CumSum", &[&f.integer(0)]).op("Sub", &[&lengths]);
        let [start, length] = [start, lengths].map(|value| value.op("Unsqueeze", &[&f.vector(&[1])]));
        Self { values: f.value(values), start, length }
    }
}

pub fn edit_distance(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let rank = known_rank(cx, node, [(0, 1), (2, 0)])?.or(known_rank(cx, node, [(3, 1), (5, 0)])?);
    let dtype = cx.dtype(cx.input_of(node, 1)?);
    let [hypotheses, truths] = [inputs::<3>(cx, node, 0)?, inputs::<3>(cx, node, 3)?];
    let mut steps = Steps { cx, node };
    let is_longer = steps.op("Greater", &[&hypotheses[2], &truths[2]]);
    let shape = steps.op("Where", &[&is_longer, &hypotheses[2], &truths[2]]);
    let groups = Groups::of(&mut steps, &shape, rank)?;
    let count = groups.count(&mut steps);
    let values = comparable(&mut steps, [&hypotheses[1], &truths[1]], dtype);
    let lengths = [hypotheses, truths].map(|[indices, ..]| {
        let numbers = groups.number(&mut steps, &indices);
        counts(&mut steps, &numbers, &count, DType::Int64)
    });
    let f = Formula::new(steps, DType::Float32);
    let distances = {
        let [hypotheses, truths] = [0, 1].map(|side| Sequences::new(&f, &values[side], &lengths[side]));
        let distances = table(&f, &hypotheses, &truths);
        let distances = match node.bool("normalize", true) {
            // Without a truth, TensorFlow's distance is infinite.
            true => distances.is(0.0).choose(0.0, &distances / truths.length.cast(DType::Float32)),
            false => distances,
        };
        distances.name
    };
    let steps = f.into_steps();
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    steps.cx.emit(node, "Reshape", vec![distances, groups.shape], layout, zeros_are_lengths());
    Ok(())
}

/// The values of both sides in a type whose elements ONNX Runtime compares: texts by their ranks.
fn comparable(steps: &mut Steps<'_, '_, '_>, values: [&String; 2], dtype: DType) -> [String; 2] {
    if dtype != DType::String {
        return values.map(|values| steps.cast(values, computed_type(dtype)));
    }
    let all = steps.op_with("Concat", &values, "axis", 0);
    let all = ranks_of_texts(steps, &all);
    let count = steps.op("Shape", &[values[0]]);
    let (first, end) = (steps.ints(&[0]), steps.ints(&[i64::MAX]));
    [steps.op("Slice", &[&all, &first, &count]), steps.op("Slice", &[&all, &count, &end])]
}

/// The distance of the sequences of each group: `[groups, 1]`.
fn table<'f>(f: &'f Formula<'_, '_, '_>, a: &Sequences<'f>, b: &Sequences<'f>) -> Value<'f> {
    let none = f.vector(&[0]);
    let longest = |sequences: &Sequences<'f>| {
        let lengths = sequences.length.op("Reshape", &[&f.vector(&[-1])]);
        lengths.along("Concat", 0, &[&none]).op("ReduceMax", &[]).op("Reshape", &[&f.vector(&[])])
    };
    let numbers = |count: &Value<'f>| f.integer(0).op("Range", &[count, &f.integer(1)]);
    // Values at these indices; any value at one that does not exist.
    let at = |sequences: &Sequences<'f>, index: &Value<'f>| {
        let count = sequences.values.op("Shape", &[]);
        let exists = index.at_least(f.integer(0)).and(&index.less(&count));
        sequences.values.along("Gather", 0, &[&exists.choose(index, f.integer(0))])
    };
    let (height, width) = (longest(a), longest(b));
    let rows = numbers(&height);
    let values = at(a, &a.start.op("Add", &[&rows]));
    // A diagonal has an element for each beginning of the first sequences, the empty one included.
    let diagonal = numbers(&height.op("Add", &[&f.integer(1)]));
    let origin = diagonal.is(f.integer(0)).choose(0.0, FAR);
    let ones = a.start.is(&a.start);
    let first = ones.choose(origin, FAR);
    let far = ones.choose(FAR, FAR);
    let number = a.length.op("Add", &[&b.length]);
    let both = height.op("Min", &[&width]).greater(f.integer(0));
    let steps = both.choose(height.op("Add", &[&width]), f.integer(0));
    let initial = [&first, &first.is_nan().choose(FAR, FAR), &number.cast(DType::Float32)];
    let [.., distances] = f.repeat(&steps, initial, |Iteration { index, .. }, [last, before, distances]| {
        // The second value of each pair on this diagonal.
        let column = index.op("Sub", &[&f.integer(1)]).op("Sub", &[&rows]);
        let other = at(b, &b.start.op("Add", &[&column]));
        let replaced = values.is(other).choose(0.0, 1.0);
        let but_last = |value: &Value<'f>| value.slice(1, &f.vector(&[0]), &f.vector(&[-1]));
        let below = (but_last(&last) + 1.0).min(but_last(&before) + replaced);
        let next = (&last + 1.0).min(far.along("Concat", 1, &[&below]));
        let is_end = number.is(index.op("Add", &[&f.integer(1)]));
        let distance = next.along("GatherElements", 1, &[&a.length]);
        let distances = is_end.choose(distance, distances);
        ([next, last, distances], None)
    });
    distances
}
