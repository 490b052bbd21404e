//! Boxes chosen among overlapping ones by their scores.
//!
//! Sources: `tf.image.non_max_suppression*` and `tf.image.combined_non_max_suppression` in TensorFlow's API
//! documentation, `tensorflow/core/kernels/image/non_max_suppression_op.cc` for what these leave open;
//! NonMaxSuppression, TopK and ScatterND in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
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

/// The first number of an input.
fn number(cx: &Lowering<'_>, node: NodeRef<'_>, index: usize, what: &str) -> Result<i64> {
    cx.integers(node, index, what)?
        .first()
        .copied()
        .ok_or_else(|| node.error(format!("its {what} is not one number")))
}

/// Suppression per image and class, and of each image the best boxes of all classes together, with zeros after the
/// last.
///
/// ONNX chooses boxes in one list over all images and classes. Their scores are put where they were, among scores
/// below all others, and the greatest of each image's scores are taken.
pub fn combined(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (boxes, scores) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let known = |tensor, axis: usize| cx.shape(tensor).dim(axis);
    let (Some(count), Some(classes), Some(per_class)) = (known(scores, 1), known(scores, 2), known(boxes, 2))
    else {
        return Err(node.error("how many boxes and classes there are is not known before the model runs"));
    };
    let limit = number(cx, node, 2, "number of boxes per class")?;
    let mut total = number(cx, node, 3, "number of boxes")?;
    if node.bool("pad_per_class", false) {
        total = total.min(limit.saturating_mul(classes as i64));
    }
    let (count, classes) = (count as i64, classes as i64);
    let has_own_boxes = per_class > 1;
    let taken = total.min(count.saturating_mul(classes));

    let boxes = cx.in_tensorflow_layout(boxes)?;
    let scores = cx.in_tensorflow_layout(scores)?;
    let thresholds = [4, 5].map(|index| cx.in_tensorflow_layout(cx.input_of(node, index)?));
    let [overlap, threshold] = thresholds;
    let mut steps = Steps { cx, node };
    let flat = steps.ints(&[-1]);
    let overlap = steps.op("Reshape", &[&overlap?, &flat]);
    let threshold = steps.op("Reshape", &[&threshold?, &flat]);
    // Boxes as [images, classes or 1, boxes, 4], scores as [images, classes, boxes].
    let boxes = steps.transpose(&boxes, &[0, 2, 1, 3]);
    let scores = steps.transpose(&scores, &[0, 2, 1]);
    // A class with boxes of its own is to ONNX an image of its own.
    let classes_of_image = if has_own_boxes { 1 } else { classes };
    let (boxes_shape, scores_shape) =
        (steps.ints(&[-1, count, 4]), steps.ints(&[-1, classes_of_image, count]));
    let suppressed_boxes = steps.op("Reshape", &[&boxes, &boxes_shape]);
    let suppressed_scores = steps.op("Reshape", &[&scores, &scores_shape]);
    let limit = steps.ints(&[limit]);
    let inputs = [&suppressed_boxes, &suppressed_scores, &limit, &overlap, &threshold];
    let chosen = steps.op("NonMaxSuppression", &inputs);
    let chosen_scores = steps.op("GatherND", &[&suppressed_scores, &chosen]);

    let lowest = steps.number(DType::Float32, f64::from(f32::MIN));
    let shape = steps.op("Shape", &[&suppressed_scores]);
    let unscored = steps.op("Expand", &[&lowest, &shape]);
    let scored = steps.op("ScatterND", &[&unscored, &chosen, &chosen_scores]);
    let row = steps.ints(&[-1, classes.saturating_mul(count)]);
    let scored = steps.op("Reshape", &[&scored, &row]);
    let taken_count = steps.ints(&[taken]);
    let outputs = ("top", ["best_scores", "best_places"]);
    let [best_scores, positions] =
        steps.cx.step_with_outputs(node, outputs, "TopK", vec![scored, taken_count], vec![]);

    let is_box = steps.op("Greater", &[&best_scores, &lowest]);
    let zero = steps.number(DType::Float32, 0.0);
    let divisor = steps.int(count);
    let class = steps.op("Div", &[&positions, &divisor]);
    let class = steps.cast(&class, DType::Float32);
    let class = steps.op("Where", &[&is_box, &class, &zero]);
    let values = steps.op("Where", &[&is_box, &best_scores, &zero]);
    let behind = steps.ints(&[-1]);
    let boxes_of_image =
        steps.ints(&[-1, if has_own_boxes { classes.saturating_mul(count) } else { count }, 4]);
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
    if taken < total {
        let missing = total - taken;
        let (of_boxes, of_rows) = (steps.ints(&[0, 0, 0, 0, missing, 0]), steps.ints(&[0, 0, 0, missing]));
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
