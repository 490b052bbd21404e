//! The outputs of a detector, under the names of the exported model.
//!
//! Source: `add_output_tensor_nodes` in `research/object_detection/exporter.py`.

use super::suppression::Chosen;
use crate::graph::TensorRef;
use crate::slim::NetworkBuilder;
use crate::tensor::DType;

/// The chosen boxes as outputs, and side by side as the end point `detections`.
pub fn detections(slim: &mut NetworkBuilder<'_>, chosen: &Chosen) {
    let [scores, classes] = [chosen.scores, chosen.classes].map(|field| slim.expand_dims(field, 2));
    let all = slim.concat_along(2, &[chosen.boxes, scores, classes], "detections");
    slim.end_point("detections", all);
    // Labels are counted from 1: 0 is the background.
    let labels = slim.with_number("AddV2", chosen.classes, 1.0);
    let count = slim.cast(chosen.count, DType::Float32);
    let outputs = [
        ("detection_boxes", chosen.boxes),
        ("detection_scores", chosen.scores),
        ("detection_classes", labels),
        ("num_detections", count),
    ];
    for (name, tensor) in outputs {
        let tensor = slim.identity(tensor, name);
        slim.model_output(name, tensor);
    }
}

/// All boxes and scores as outputs, before boxes are chosen.
pub fn raw(slim: &mut NetworkBuilder<'_>, boxes: TensorRef, scores: TensorRef) {
    for (name, tensor) in [("raw_detection_boxes", boxes), ("raw_detection_scores", scores)] {
        let tensor = slim.identity(tensor, name);
        slim.model_output(name, tensor);
    }
}

/// The anchors of the chosen boxes, and the scores of all classes, as end points.
pub fn of_anchors(slim: &mut NetworkBuilder<'_>, chosen: &Chosen, scores: TensorRef) {
    let Some(anchors) = chosen.anchors else { return };
    let scores = anchors.field(slim, scores);
    let indices = anchors.indices(slim);
    for (name, tensor) in [("detection_multiclass_scores", scores), ("detection_anchor_indices", indices)] {
        let tensor = slim.identity(tensor, name);
        slim.end_point(name, tensor);
    }
}
