//! Boxes that are chosen one after the other, by given overlaps or with scores that fall by the overlap with chosen boxes.
//!
//! Sources: `tf.image.non_max_suppression_with_scores` and `tf.raw_ops.NonMaxSuppressionWithOverlaps` in TensorFlow's API documentation,
//! and `DoNonMaxSuppressionOp` in `tensorflow/core/kernels/image/non_max_suppression_op.cc`; Loop in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::tensor::DType;

const FLOAT: DType = DType::Float32;

/// Chooses the best box again and again, and lowers the scores of the others by `lowered`, which gets the scores and the index of the
/// chosen box. Returns the chosen indices and their scores. A score of minus infinity is that of a box that cannot be chosen.
fn choose(
    steps: &mut Steps<'_, '_, '_>,
    (scores, threshold, limit): (&String, &String, &String),
    lowered: impl FnOnce(&mut Steps<'_, '_, '_>, &String, &String) -> Result<String>,
) -> Result<[String; 2]> {
    let nothing = steps.number(FLOAT, f64::NEG_INFINITY);
    let kept = |steps: &mut Steps<'_, '_, '_>, scores: &String| {
        let is_kept = steps.op("Greater", &[scores, threshold]);
        steps.op("Where", &[&is_kept, scores, &nothing])
    };
    let scores = kept(steps, scores);
    let count = steps.length(&scores, 0);
    let count = steps.op("Min", &[&count, limit]);
    let (none, first) = (steps.ints(&[0]), steps.ints(&[0]));
    let count = steps.op("Max", &[&count, &none]);
    let count = steps.op("Squeeze", &[&count, &first]);
    let no_indices = steps.ints(&[]);
    let no_scores = steps.cast(&no_indices, FLOAT);
    let no_indices = steps.op("Identity", &[&no_indices]);
    let state = [(scores, FLOAT), (no_indices, DType::Int64), (no_scores, FLOAT)];
    let [_, indices, values] = steps.repeat(&count, state, |steps, _, [scores, indices, values]| {
        let best = steps.op_with("ArgMax", &[scores], "axis", 0);
        let score = steps.op_with("Gather", &[scores, &best], "axis", 0);
        let is_any = steps.op("Greater", &[&score, &nothing]);
        let number = steps.cast(&is_any, DType::Int64);
        let (chosen, value) =
            (steps.op("Slice", &[&best, &first, &number]), steps.op("Slice", &[&score, &first, &number]));
        let indices = steps.op_with("Concat", &[indices, &chosen], "axis", 0);
        let values = steps.op_with("Concat", &[values, &value], "axis", 0);
        let others = lowered(steps, scores, &best)?;
        let others = kept(steps, &others);
        let count = steps.length(scores, 0);
        let numbers = steps.positions(&count);
        let is_best = steps.op("Equal", &[&numbers, &best]);
        Ok([steps.op("Where", &[&is_best, &nothing, &others]), indices, values])
    })?;
    Ok([indices, values])
}

/// Boxes whose overlap with a better one is above the threshold are not chosen.
pub fn with_overlaps(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let mut steps = Steps { cx, node };
    let (overlaps, scores) = (steps.input(0)?, steps.input(1)?);
    let (limit, overlap, threshold) = (steps.integers(2)?, steps.input(3)?, steps.input(4)?);
    let [indices, _] = choose(&mut steps, (&scores, &threshold, &limit), |steps, scores, best| {
        let nothing = steps.number(FLOAT, f64::NEG_INFINITY);
        let of_best = steps.op_with("Gather", &[&overlaps, best], "axis", 1);
        let column = steps.ints(&[1]);
        let of_best = steps.op("Squeeze", &[&of_best, &column]);
        let is_out = steps.op("Greater", &[&of_best, &overlap]);
        Ok(steps.op("Where", &[&is_out, &nothing, scores]))
    })?;
    steps.set_output(0, indices, DType::Int64);
    Ok(())
}

/// The corners of boxes, which may be given in any order, and their areas: `[count, 1]` each.
fn corners(steps: &mut Steps<'_, '_, '_>, boxes: &String) -> [String; 5] {
    let side = |steps: &mut Steps<'_, '_, '_>, op: &'static str, a: i64| {
        let (a, b) = (steps.part(boxes, 1, a, a + 1), steps.part(boxes, 1, a + 2, a + 3));
        steps.op(op, &[&a, &b])
    };
    let (top, left) = (side(steps, "Min", 0), side(steps, "Min", 1));
    let (bottom, right) = (side(steps, "Max", 0), side(steps, "Max", 1));
    let (height, width) = (steps.op("Sub", &[&bottom, &top]), steps.op("Sub", &[&right, &left]));
    let area = steps.op("Mul", &[&height, &width]);
    [top, left, bottom, right, area]
}

/// The scores of boxes fall with their overlap with a chosen one. Where the sigma is zero, boxes that overlap it by more than the threshold
/// are out; else there is no threshold.
pub fn soft(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let mut steps = Steps { cx, node };
    let (boxes, scores) = (steps.input_as(0, FLOAT)?, steps.input_as(1, FLOAT)?);
    let limit = steps.integers(2)?;
    let [overlap, threshold, sigma] = [3, 4, 5].map(|index| steps.input_as(index, FLOAT));
    let (overlap, threshold, sigma) = (overlap?, threshold?, sigma?);
    let (zero, nothing) = (steps.number(FLOAT, 0.0), steps.number(FLOAT, f64::NEG_INFINITY));
    let half = steps.number(FLOAT, -0.5);
    let is_soft = steps.op("Greater", &[&sigma, &zero]);
    let scale = steps.op("Div", &[&half, &sigma]);
    let scale = steps.op("Where", &[&is_soft, &scale, &zero]);
    let is_hard = steps.op("Not", &[&is_soft]);
    let all = corners(&mut steps, &boxes);
    let [indices, values] = choose(&mut steps, (&scores, &threshold, &limit), |steps, scores, best| {
        let [top, left, bottom, right, area] =
            all.each_ref().map(|values| steps.op_with("Gather", &[values, best], "axis", 0));
        let mut shared = |starts: [&String; 2], ends: [&String; 2]| {
            let (start, end) = (steps.op("Max", &starts), steps.op("Min", &ends));
            let length = steps.op("Sub", &[&end, &start]);
            steps.op("Max", &[&length, &zero])
        };
        let height = shared([&all[0], &top], [&all[2], &bottom]);
        let width = shared([&all[1], &left], [&all[3], &right]);
        let shared = steps.op("Mul", &[&height, &width]);
        let both = steps.op("Add", &[&all[4], &area]);
        let both = steps.op("Sub", &[&both, &shared]);
        let share = steps.op("Div", &[&shared, &both]);
        let least = steps.op("Min", &[&all[4], &area]);
        let is_box = steps.op("Greater", &[&least, &zero]);
        let share = steps.op("Where", &[&is_box, &share, &zero]);
        let column = steps.ints(&[1]);
        let share = steps.op("Squeeze", &[&share, &column]);
        let square = steps.op("Mul", &[&share, &share]);
        let exponent = steps.op("Mul", &[&scale, &square]);
        let weight = steps.op("Exp", &[&exponent]);
        let lowered = steps.op("Mul", &[scores, &weight]);
        let is_beyond = steps.op("Greater", &[&share, &overlap]);
        let is_out = steps.op("And", &[&is_beyond, &is_hard]);
        Ok(steps.op("Where", &[&is_out, &nothing, &lowered]))
    })?;
    let count = steps.op("Shape", &[&indices]);
    let (mut indices, mut values) = (indices, values);
    if node.bool("pad_to_max_output_size", false) {
        let none = steps.ints(&[0]);
        let missing = steps.op("Sub", &[&limit, &count]);
        let pads = steps.op_with("Concat", &[&none, &missing], "axis", 0);
        [indices, values] = [indices, values].map(|value| steps.op("Pad", &[&value, &pads]));
    }
    let empty = steps.ints(&[]);
    let count = steps.op("Reshape", &[&count, &empty]);
    steps.set_output(0, indices, DType::Int64);
    steps.set_output(1, values, FLOAT);
    steps.set_output(2, count, DType::Int64);
    Ok(())
}
