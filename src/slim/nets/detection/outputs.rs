//! The outputs of a detector, under the names of the exported model.
//!
//! Source: `add_output_tensor_nodes` in `research/object_detection/exporter.py`.

use super::suppression::Chosen;
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
