//! Boxes chosen among overlapping ones by their scores.
//!
//! Sources: `tf.image.non_max_suppression*` and `tf.image.combined_non_max_suppression` in TensorFlow's API
//! documentation, `tensorflow/core/kernels/image/non_max_suppression_op.cc` for what these leave open;
//! NonMaxSuppression, TopK and ScatterND in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::Parameter;
use crate::tensor::{Constant, DType};

/// ONNX has batches and classes, one of each here, and returns them with each chosen box.
pub fn non_max_suppression(cx: &mut Lowering<'_>, node: NodeRef<'_>, overlap: Parameter) -> Result<()> {
    let [boxes, scores, limit] = [0, 1, 2].map(|index| cx.input_of(node, index));
    let scores_input = scores?;
    if let Some(&sigma) = node.inputs.get(5) {
        let sigma = cx.constant(sigma).map(Constant::to_f32s).transpose()?.flatten();
        if sigma.is_none_or(|sigma| sigma.iter().any(|&sigma| sigma != 0.0)) {
            return super::greedy::soft(cx, node);
        }
    }
    let (boxes, scores) = (cx.in_tensorflow_layout(boxes?)?, cx.in_tensorflow_layout(scores_input)?);
    let limit_input = limit?;
    let is_scalar = cx.shape(limit_input).rank() == Some(0);
    let limit = cx.in_tensorflow_layout(limit_input)?;
    let overlap = match overlap {
        Parameter::Attribute => {
            let threshold = node.float("iou_threshold", 0.5);
            cx.scalar(node, "iou_threshold", DType::Float32, threshold.into())
        }
        Parameter::Input(index) => cx.in_tensorflow_layout(cx.input_of(node, index)?)?,
    };
    let threshold = match node.inputs.get(4) {
        Some(&threshold) => Some(cx.in_tensorflow_layout(threshold)?),
        None => None,
    };
    let mut steps = Steps { cx, node };
    let (flat, first, both) = (steps.ints(&[-1]), steps.ints(&[0]), steps.ints(&[0, 1]));
    let all_boxes = steps.cast(&boxes, DType::Float32);
    let all_boxes = steps.op("Unsqueeze", &[&all_boxes, &first]);
    let all_scores = steps.cast(&scores, DType::Float32);
    let all_scores = steps.op("Unsqueeze", &[&all_scores, &both]);
    let mut limit = steps.cast(&limit, DType::Int64);
    if !is_scalar {
        limit = steps.op("Reshape", &[&limit, &flat]);
    }
    let overlap = steps.cast(&overlap, DType::Float32);
    let overlap = steps.op("Reshape", &[&overlap, &flat]);
    let mut inputs = vec![all_boxes, all_scores, limit.clone(), overlap];
    if let Some(threshold) = threshold {
        let threshold = steps.cast(&threshold, DType::Float32);
        inputs.push(steps.op("Reshape", &[&threshold, &flat]));
    }
    let chosen = steps.cx.step(node, "chosen", "NonMaxSuppression", inputs, vec![]);
    let two = steps.int(2);
    let mut positions = steps.op_with("Gather", &[&chosen, &two], "axis", 1);
    let count = steps.op("Shape", &[&positions]);
    // Version 5 has the scores of the chosen boxes as its second output of three.
    let is_scored = node.outputs.len() == 3;
    let mut values = is_scored.then(|| steps.op_with("Gather", &[&scores, &positions], "axis", 0));
    if node.bool("pad_to_max_output_size", false) {
        let missing = steps.op("Sub", &[&limit, &count]);
        let pads = steps.op_with("Concat", &[&first, &missing], "axis", 0);
        positions = steps.op("Pad", &[&positions, &pads]);
        values = values.map(|values| steps.op("Pad", &[&values, &pads]));
    }
    let scalar = steps.ints(&[]);
    let count = steps.op("Reshape", &[&count, &scalar]);
    let vector = Layout::tensorflow(1);
    cx.emit_cast(node, positions, vector.clone());
    if let Some(values) = values {
        cx.emit_cast(node.output(1), values, vector);
    }
    if node.outputs.len() > 1 {
        let port = if is_scored { 2 } else { 1 };
        cx.emit_cast(node.output(port), count, Layout::tensorflow(0));
    }
    Ok(())
}

/// A number that may be known only when the model runs.
#[derive(Clone)]
struct Number {
    known: Option<i64>,
    /// It as an int64 vector.
    name: String,
}

impl Number {
    fn known(steps: &mut Steps<'_, '_, '_>, value: i64) -> Self {
        Self { known: Some(value), name: steps.ints(&[value]) }
    }

    /// The length of an axis.
    fn length(steps: &mut Steps<'_, '_, '_>, tensor: TensorRef, name: &String, axis: usize) -> Self {
        match steps.cx.shape(tensor).dim(axis) {
            Some(length) => Self::known(steps, length as i64),
            None => Self { known: None, name: steps.length(name, axis as i64) },
        }
    }

    /// The first number of an input.
    fn input(steps: &mut Steps<'_, '_, '_>, index: usize) -> Result<Self> {
        let known = steps.cx.known_integers(steps.node, index)?;
        match known.as_ref().and_then(|values| values.first()) {
            Some(&value) => Ok(Self::known(steps, value)),
            None => Ok(Self { known: None, name: steps.integers(index)? }),
        }
    }

    fn with(
        &self,
        steps: &mut Steps<'_, '_, '_>,
        other: &Self,
        op: &'static str,
        compute: fn(i64, i64) -> i64,
    ) -> Self {
        match self.known.zip(other.known) {
            Some((a, b)) => Self::known(steps, compute(a, b)),
            None => Self { known: None, name: steps.op(op, &[&self.name, &other.name]) },
        }
    }

    fn times(&self, steps: &mut Steps<'_, '_, '_>, other: &Self) -> Self {
        self.with(steps, other, "Mul", i64::saturating_mul)
    }

    fn or_less(&self, steps: &mut Steps<'_, '_, '_>, other: &Self) -> Self {
        self.with(steps, other, "Min", Ord::min)
    }
}

/// Numbers as one vector.
fn vector(steps: &mut Steps<'_, '_, '_>, numbers: &[&Number]) -> String {
    match numbers.iter().map(|number| number.known).collect::<Option<Vec<i64>>>() {
        Some(known) => steps.ints(&known),
        None => {
            let names: Vec<&String> = numbers.iter().map(|number| &number.name).collect();
            steps.op_with("Concat", &names, "axis", 0)
        }
    }
}

/// Suppression per image and class, and of each image the best boxes of all classes together, with zeros after the
/// last.
///
/// ONNX chooses boxes in one list over all images and classes. Their scores are put where they were, among scores
/// below all others, and the greatest of each image's scores are taken.
pub fn combined(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (boxes, scores) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    // One box for all classes, or one for each of them.
    let has_own_boxes = cx.shape(boxes).dim(2) != Some(1);
    let has_open_boxes = cx.shape(boxes).dim(2).is_none();
    let (boxes_name, scores_name) = (cx.in_tensorflow_layout(boxes)?, cx.in_tensorflow_layout(scores)?);
    let thresholds = [4, 5].map(|index| cx.in_tensorflow_layout(cx.input_of(node, index)?));
    let [overlap, threshold] = thresholds;
    let mut steps = Steps { cx, node };
    let count = Number::length(&mut steps, scores, &scores_name, 1);
    let classes = Number::length(&mut steps, scores, &scores_name, 2);
    let limit = Number::input(&mut steps, 2)?;
    let mut total = Number::input(&mut steps, 3)?;
    if node.bool("pad_per_class", false) {
        let of_classes = limit.times(&mut steps, &classes);
        total = total.or_less(&mut steps, &of_classes);
    }
    let places = count.times(&mut steps, &classes);
    let taken = total.or_less(&mut steps, &places);
    let [each, one, four] = [-1, 1, 4].map(|value| Number::known(&mut steps, value));
    let (mut boxes, scores) = (boxes_name, scores_name);
    if has_open_boxes {
        let shape = vector(&mut steps, &[&one, &one, &classes, &one]);
        boxes = steps.op("Expand", &[&boxes, &shape]);
    }
    let flat = steps.ints(&[-1]);
    let overlap = steps.op("Reshape", &[&overlap?, &flat]);
    let threshold = steps.op("Reshape", &[&threshold?, &flat]);
    // Boxes as [images, classes or 1, boxes, 4], scores as [images, classes, boxes].
    let boxes = steps.transpose(&boxes, &[0, 2, 1, 3]);
    let scores = steps.transpose(&scores, &[0, 2, 1]);
    // A class with boxes of its own is to ONNX an image of its own.
    let classes_of_image = if has_own_boxes { &one } else { &classes };
    let boxes_shape = vector(&mut steps, &[&each, &count, &four]);
    let scores_shape = vector(&mut steps, &[&each, classes_of_image, &count]);
    let suppressed_boxes = steps.op("Reshape", &[&boxes, &boxes_shape]);
    let suppressed_scores = steps.op("Reshape", &[&scores, &scores_shape]);
    let inputs = [&suppressed_boxes, &suppressed_scores, &limit.name, &overlap, &threshold];
    let chosen = steps.op("NonMaxSuppression", &inputs);
    let chosen_scores = steps.op("GatherND", &[&suppressed_scores, &chosen]);

    let lowest = steps.number(DType::Float32, f64::from(f32::MIN));
    let shape = steps.op("Shape", &[&suppressed_scores]);
    let unscored = steps.op("Expand", &[&lowest, &shape]);
    let scored = steps.op("ScatterND", &[&unscored, &chosen, &chosen_scores]);
    let row = vector(&mut steps, &[&each, &places]);
    let scored = steps.op("Reshape", &[&scored, &row]);
    let outputs = ("top", ["best_scores", "best_places"]);
    let [best_scores, positions] =
        steps.cx.step_with_outputs(node, outputs, "TopK", vec![scored, taken.name.clone()], vec![]);

    let is_box = steps.op("Greater", &[&best_scores, &lowest]);
    let zero = steps.number(DType::Float32, 0.0);
    let divisor = count.name.clone();
    let class = steps.op("Div", &[&positions, &divisor]);
    let class = steps.cast(&class, DType::Float32);
    let class = steps.op("Where", &[&is_box, &class, &zero]);
    let values = steps.op("Where", &[&is_box, &best_scores, &zero]);
    let behind = steps.ints(&[-1]);
    let boxes_of_image = if has_own_boxes { &places } else { &count };
    let boxes_of_image = vector(&mut steps, &[&each, boxes_of_image, &four]);
    let boxes = steps.op("Reshape", &[&boxes, &boxes_of_image]);
    let position = if has_own_boxes { positions } else { steps.op("Mod", &[&positions, &divisor]) };
    let position = steps.op("Unsqueeze", &[&position, &behind]);
    let mut best = steps.op_with("GatherND", &[&boxes, &position], "batch_dims", 1);
    if node.bool("clip_boxes", true) {
        let one = steps.number(DType::Float32, 1.0);
        best = steps.op("Clip", &[&best, &zero, &one]);
    }
    let is_coordinate = steps.op("Unsqueeze", &[&is_box, &behind]);
    let mut best = steps.op("Where", &[&is_coordinate, &best, &zero]);
    let (mut values, mut class) = (values, class);
    let missing = total.with(&mut steps, &taken, "Sub", i64::saturating_sub);
    if missing.known != Some(0) {
        let none = Number::known(&mut steps, 0);
        let of_boxes = vector(&mut steps, &[&none, &none, &none, &none, &missing, &none]);
        let of_rows = vector(&mut steps, &[&none, &none, &none, &missing]);
        best = steps.op("Pad", &[&best, &of_boxes]);
        [values, class] = [values, class].map(|row| steps.op("Pad", &[&row, &of_rows]));
    }
    let is_box = steps.cast(&is_box, DType::Int64);
    let valid = steps.reduce("ReduceSum", &is_box, &[1], false);
    for (port, value) in [best, values, class, valid].into_iter().enumerate() {
        let tensor = node.output(port);
        let layout = Layout::tensorflow_of(cx.shape(tensor));
        cx.emit_cast(tensor, value, layout);
    }
    Ok(())
}
