//! Object detectors: their interface is inferred, and each map over images is one loop. `tests/ops.rs` compares what they compute.

use std::fs;

use tempfile::TempDir;

use crate::support::command::convert;
use crate::support::onnx::Model;
use crate::support::op_cases::of_archive;

/// The summary of converting a detector without options, and its model.
fn converted(name: &str) -> (String, Model) {
    let folder = TempDir::new().unwrap();
    let (graph, model) = (folder.path().join("graph.pb"), folder.path().join("model.onnx"));
    fs::write(&graph, &of_archive("detection.zip")[name]["graph.pb"]).unwrap();
    let summary = convert(&graph, &model, &[]).stdout;
    (summary, Model::load(&model))
}

#[test]
fn inputs_and_outputs_of_a_detector_need_no_names() {
    let (summary, model) = converted("ssd.0");
    assert!(summary.contains("\ninputs image_tensor:0 uint8 [batch, ?, ?, 3]\n"), "{summary}");
    // The generator adds an Identity behind each output: it has the name of the output in the API.
    let outputs = model.proto().graph.output.len();
    assert_eq!(outputs, 7, "{summary}");
}

#[test]
fn each_map_over_images_is_one_loop() {
    // Resizing and choosing boxes; in two stages also decoding, and choosing once more.
    for (name, loops) in [("ssd.0", 3), ("ssd_in_functions.0", 3), ("two_stages.0", 4)] {
        assert_eq!(converted(name).1.nodes("Loop").len(), loops, "{name}");
    }
}

#[test]
fn the_softmax_that_chooses_boxes_adds_no_output() {
    let (summary, model) = converted("two_stages.0");
    assert_eq!(model.proto().graph.output.len(), 6, "{summary}");
}
