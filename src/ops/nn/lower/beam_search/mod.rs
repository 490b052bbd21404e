//! The beam search of connectionist temporal classification: the likeliest sequences of labels. With blanks between them, and each label
//! for one step or several, many sequences of classes are the same sequence of labels.
//!
//! A beam has the likeliest paths of each sequence of the batch so far, the likeliest one first. A time step leaves a path as it is, by
//! the blank or by its last label once more, or makes it longer by one label; the likeliest of the old and the longer paths are the next
//! beam.
//!
//! Sources: `CTCBeamSearchDecoder` in TensorFlow's API documentation, `tensorflow/core/kernels/ctc_decoder_ops.cc` and
//! `tensorflow/core/util/ctc/ctc_beam_search.h`, `ctc_beam_entry.h` and `ctc_loss_util.h`, whose order of sums this follows so that
//! probabilities are rounded alike; TopK, GatherElements and ScatterElements in <https://onnx.ai/onnx/operators/>.

mod choice;
mod paths;

use self::paths::Paths;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Iteration, Value};
use crate::lower::inputs_and_loops::computed_type;
use crate::lower::steps::Steps;
use crate::ops::sparse::lower::sets::repeated;
use crate::ops::sparse::lower::sparse::emit_kept;
use crate::tensor::DType;

/// The logarithm of the probability of what cannot be.
const NEVER: f64 = f64::NEG_INFINITY;

pub fn beam_search_decoder(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let logits = cx.input_of(node, 0)?;
    if cx.shape(logits).rank().is_some_and(|rank| rank != 3) {
        return Err(node.error("its input does not have three axes: time, batch and classes"));
    }
    let (width, count) = (node.int("beam_width", 1), node.int("top_paths", 1));
    if !(1..=width).contains(&count) {
        return Err(node.error(format!("it returns {count} paths of a beam of {width}")));
    }
    let dtype = computed_type(cx.dtype(logits));
    let mut steps = Steps { cx, node };
    let (logits, lengths) = (steps.input_as(0, dtype)?, steps.input_as(1, DType::Int64)?);
    let formula = Formula::new(steps, dtype);
    let found = {
        let (logits, lengths) = (formula.value(logits), formula.value(lengths));
        let search = Search::new(&formula, &logits, width);
        let paths = search.searched(&logits, &lengths);
        let total = paths.total();
        [paths.labels, paths.length, total].map(|value| value.name)
    };
    let mut steps = formula.into_steps();
    emit(&mut steps, found, count as usize, node.bool("merge_repeated", true));
    Ok(())
}

/// Emits the first paths of the beam as sparse tensors, and the logarithms of their probabilities.
fn emit(steps: &mut Steps<'_, '_, '_>, [labels, lengths, total]: [String; 3], count: usize, merges: bool) {
    let dtype = computed_type(steps.cx.dtype(steps.node.output(3 * count)));
    let never = steps.number(dtype, NEVER);
    let labels = steps.part(&labels, 2, 1, i64::MAX);
    let time = steps.length(&labels, 2);
    let (moments, path_axis) = (steps.positions(&time), steps.ints(&[1]));
    for path in 0..count {
        let one = |steps: &mut Steps<'_, '_, '_>, value: &String| {
            steps.part(value, 1, path as i64, path as i64 + 1)
        };
        let (labels, lengths, total) = (one(steps, &labels), one(steps, &lengths), one(steps, &total));
        let labels = steps.op("Squeeze", &[&labels, &path_axis]);
        let is_label = steps.op("Less", &[&moments, &lengths]);
        // TensorFlow stops where the beam has fewer paths. Here the others are empty, and never occur.
        let is_none = steps.op("Equal", &[&total, &never]);
        let is_path = steps.op("Not", &[&is_none]);
        let mut kept = steps.op("And", &[&is_label, &is_path]);
        if merges {
            let is_repeated = repeated(steps, &labels);
            let is_new = steps.op("Not", &[&is_repeated]);
            kept = steps.op("And", &[&kept, &is_new]);
        }
        emit_kept(steps, &kept, &labels, Some(2), [path, count + path, 2 * count + path]);
    }
    let total = steps.part(&total, 1, 0, count as i64);
    steps.set_output(3 * count, total, dtype);
}

/// What all time steps read.
struct Search<'f, 'c, 'g, 'n> {
    f: &'f Formula<'c, 'g, 'n>,
    /// How many paths a beam has.
    width: i64,
    /// The number of classes, and of the last one, the blank: int64 vectors of one element.
    class_count: Value<'f>,
    blank: Value<'f>,
    /// The numbers of the classes, and of the paths of a beam.
    classes: Value<'f>,
    slots: Value<'f>,
    /// Before how many paths the beam of each sequence is in the list of all paths: `[batch, 1]`.
    paths_before: Value<'f>,
}

/// One time step of all sequences.
struct Moment<'f> {
    /// The logarithm of the probability of each label, [`NEVER`] of the blank: `[batch, classes]`.
    labels: Value<'f>,
    /// The blank, not normalized, and what normalizes it: `[batch, 1]`.
    blank: Value<'f>,
    norm: Value<'f>,
    /// Whether the sequence has this step: `[batch, 1]`.
    is_inside: Value<'f>,
}

impl<'f, 'c, 'g, 'n> Search<'f, 'c, 'g, 'n> {
    fn new(f: &'f Formula<'c, 'g, 'n>, logits: &Value<'f>, width: i64) -> Self {
        let shape = logits.op("Shape", &[]);
        let length = |axis: i64| shape.slice(0, &f.vector(&[axis]), &f.vector(&[axis + 1]));
        let numbers = |count: &Value<'f>| {
            let count = count.op("Squeeze", &[&f.vector(&[0])]);
            f.integer(0).op("Range", &[&count, &f.integer(1)])
        };
        let class_count = length(2);
        let slots = f.integer(0).op("Range", &[&f.integer(width), &f.integer(1)]);
        let sequences = numbers(&length(1)).op("Unsqueeze", &[&f.vector(&[1])]);
        Self {
            f,
            width,
            blank: class_count.op("Sub", &[&f.integer(1)]),
            classes: numbers(&class_count),
            class_count,
            slots,
            paths_before: sequences.op("Mul", &[&f.integer(width)]),
        }
    }

    /// Values of paths, `[batch, width]`, beside others along a new axis.
    fn across(&self, value: &Value<'f>) -> Value<'f> {
        value.op("Unsqueeze", &[&self.f.vector(&[1])])
    }

    fn down(&self, value: &Value<'f>) -> Value<'f> {
        value.op("Unsqueeze", &[&self.f.vector(&[2])])
    }

    /// How often it is true along an axis, which is the last one.
    fn count(&self, is_true: &Value<'f>, axis: i64) -> Value<'f> {
        let sum = is_true.cast(self.f.number_type()).reduced("ReduceSum", axis);
        sum.op("Squeeze", &[&self.f.vector(&[axis])])
    }

    /// The beams after the last step of each sequence.
    fn searched(&self, logits: &Value<'f>, lengths: &Value<'f>) -> Paths<'f> {
        let f = self.f;
        let greatest = logits.reduced("ReduceMax", 2);
        let exponentials = (logits - &greatest).exp();
        // A sum from the first class to the last one: near certainty, the order of the addends makes a difference.
        let (last, end) = (f.vector(&[-1]), f.vector(&[i64::MAX]));
        let sum = exponentials.op("CumSum", &[&f.integer(2)]).slice(2, &last, &end);
        let norms = greatest + sum.log();
        let labels = self.classes.is(&self.blank).choose(NEVER, logits - &norms);
        let blanks = logits.slice(2, &last, &end);
        let ends = lengths.op("Unsqueeze", &[&f.vector(&[1])]);
        let steps = lengths.op("ReduceMax", &[]).op("Reshape", &[&f.vector(&[])]);
        Paths::first(self, logits).repeated(f, &steps, |Iteration { index, .. }, paths| {
            let now =
                |values: &Value<'f>| values.along("Gather", 0, &[&index]).op("Squeeze", &[&f.vector(&[0])]);
            let is_inside = index.less(&ends);
            let moment = Moment { labels: now(&labels), blank: now(&blanks), norm: now(&norms), is_inside };
            self.step(&moment, &paths)
        })
    }
}

/// The logarithm of the sum of two probabilities, given by their logarithms.
fn log_sum<'f>(a: &Value<'f>, b: &Value<'f>) -> Value<'f> {
    // TensorFlow's functions are those of float32, whatever the type.
    let rounded = |value: Value<'f>| match value.dtype() {
        DType::Float32 => value,
        dtype => value.cast(DType::Float32).cast(dtype),
    };
    let (large, small) = (a.max(b), a.min(b));
    let ratio = rounded(rounded(&small - &large).exp());
    small.is(NEVER).choose(&large, &large + rounded(ratio.ln_1p()))
}
