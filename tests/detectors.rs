//! Detectors of the Object Detection API, rebuilt from their variables and `pipeline.config`, compared with what the API builds and
//! TensorFlow computes. `scripts/check_detectors.py` runs all cases in ONNX Runtime.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tempfile::TempDir;
use tf2onnx_rs::model_config::ModelConfig;
use tf2onnx_rs::slim::recognize::Overrides;
use tf2onnx_rs::slim::{BuiltNetwork, Recognition, Variables, recognize_and_build};

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, write};
use crate::support::command::{Done, convert, fails, tf2onnx_rs};
use crate::support::fill;
use crate::support::npy;
use crate::support::onnx::{Model, execute, relative_error};
use crate::support::op_cases::{Files, of_archive};

#[derive(Deserialize)]
struct Case {
    input: Vec<usize>,
    /// Name, shape and gain.
    variables: Vec<(String, Vec<usize>, f64)>,
}

fn cases() -> BTreeMap<String, Files> {
    of_archive("detectors/cases.zip")
}

fn case(files: &Files) -> Case {
    serde_json::from_slice(&files["case.json"]).unwrap()
}

fn variables(case: &Case) -> Variables {
    case.variables.iter().map(|(name, shape, _)| (name.clone(), shape.clone())).collect()
}

fn rebuilt(files: &Files) -> Result<(Recognition, BuiltNetwork), String> {
    let text = std::str::from_utf8(&files["pipeline.config"]).unwrap();
    let config =
        ModelConfig::of_text(Path::new("pipeline.config"), text).map_err(|error| error.to_string())?;
    let variables = variables(&case(files));
    let overrides = Overrides { config: Some(Arc::new(config)), ..Overrides::default() };
    let recognized = recognize_and_build(&variables, overrides).map_err(|error| error.to_string())?;
    let image = recognized.recognition.network.default_images(3);
    recognized.build(&image, &variables).map_err(|error| error.to_string())
}

#[test]
fn every_detector_has_the_variables_of_the_api() {
    let mut failures = vec![];
    for (name, files) in cases() {
        let problem = match rebuilt(&files) {
            Ok((recognition, built)) => {
                let stored = variables(&case(&files));
                let used: Variables =
                    built.variables().map(|(name, shape)| (name.to_owned(), shape)).collect();
                let size = built.graph.shape(built.inputs[0]).clone();
                let expected = case(&files).input;
                if used != stored {
                    let unlike = stored.iter().find(|(name, shape)| used.get(*name) != Some(*shape));
                    format!("{}: {unlike:?} is not built", recognition.network.name)
                } else if [size.dim(1), size.dim(2)] != [Some(expected[1]), Some(expected[2])] {
                    format!("images of {size:?}")
                } else {
                    continue;
                }
            }
            Err(error) => error,
        };
        failures.push(format!("{name}: {problem}"));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A case as files, and its model.
struct Converted {
    folder: TempDir,
    case: Case,
    files: Files,
}

impl Converted {
    fn new(name: &str) -> Self {
        let files = cases().remove(name).unwrap();
        let case = case(&files);
        let folder = TempDir::new().unwrap();
        let fill = |(name, shape, gain): &(String, Vec<usize>, f64)| {
            Variable::float32(name, shape, fill::variable(name, shape, *gain))
        };
        let filled: Vec<Variable> = case.variables.iter().map(fill).collect();
        write(folder.path(), &filled, Format::V2);
        fs::write(folder.path().join("pipeline.config"), &files["pipeline.config"]).unwrap();
        Self { folder, case, files }
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("model.onnx")
    }

    fn convert(&self, options: &[&str]) -> Done {
        convert(&self.folder.path().join("model.ckpt"), &self.model(), options)
    }

    /// The largest error of one output.
    fn error(&self, output: &str) -> f32 {
        self.convert(&["--outputs", output]);
        let shape = &self.case.input;
        let (got_shape, mut got) = execute(&self.model(), shape, fill::image(shape)).remove(0);
        let expected = npy::parse(&self.files[&format!("{output}.npy")]).unwrap();
        if output == "raw_predictions" {
            // The fixture has every fifth row.
            let columns = got_shape[2];
            got = got.chunks(columns).step_by(5).flatten().copied().collect();
        } else {
            assert_eq!(got_shape, expected.shape);
        }
        let expected: Vec<f32> = expected.values.iter().map(|&value| value as f32).collect();
        relative_error(&got, &expected)
    }
}

#[test]
fn a_detector_predicts_and_chooses_what_tensorflow_does() {
    // The choice of boxes is compared in ONNX Runtime, by the script.
    for (name, outputs) in [
        ("softmax", &["raw_predictions", "detections", "detection_multiclass_scores"][..]),
        ("squares", &["raw_predictions"]),
        ("mean_and_stddev", &["raw_predictions"]),
    ] {
        let converted = Converted::new(name);
        for output in outputs {
            let error = converted.error(output);
            assert!(error <= 2e-5, "{name}: {output}: {error}");
        }
    }
}

#[test]
fn the_outputs_are_those_of_the_api() {
    let converted = Converted::new("grids");
    converted.convert(&[]);
    let model = Model::load(&converted.model());
    let names =
        |values: Vec<(String, String)>| -> Vec<String> { values.into_iter().map(|(name, _)| name).collect() };
    assert_eq!(names(model.inputs()), ["input"]);
    let outputs = [
        "detection_boxes",
        "detection_scores",
        "detection_classes",
        "num_detections",
        "raw_detection_boxes",
        "raw_detection_scores",
    ];
    assert_eq!(names(model.outputs()), outputs);
    assert_eq!(model.nodes("NonMaxSuppression").len(), 1, "one for all images and classes");
}

#[test]
fn without_its_configuration_a_detector_asks_for_it_once_and_shows_a_template() {
    let converted = Converted::new("grids");
    let config = converted.folder.path().join("pipeline.config");
    fs::remove_file(&config).unwrap();
    let checkpoint = converted.folder.path().join("model.ckpt");
    let model = converted.model();
    let refused = || {
        let done = tf2onnx_rs(["convert", checkpoint.to_str().unwrap(), model.to_str().unwrap()]);
        assert_eq!(done.status, 1, "{}", done.stdout);
        done.stderr
    };
    let said = refused();
    assert!(said.contains("--config"), "{said}");
    assert!(said.contains("3 classes"), "{said}");
    let template = &said[said.find("model {").unwrap()..];
    // The template is a configuration, whose anchors have to be corrected.
    fs::write(&config, template).unwrap();
    let said = refused();
    assert!(said.contains("anchor"), "{said}");
}

#[test]
fn a_file_that_does_not_describe_the_detector_is_named() {
    let converted = Converted::new("grids");
    let folder = converted.folder.path();
    let checkpoint = folder.join("model.ckpt");
    fs::remove_file(folder.join("pipeline.config")).unwrap();
    for (file, text, said) in [
        ("bert_config.json", "{}", "bert_config.json: it is empty, and has nothing instead of model.ssd"),
        ("pipeline.config", "", "pipeline.config: it is empty, and has nothing instead of model.ssd"),
        ("pipeline.config", "model { }", "pipeline.config: it has model instead of model.ssd"),
        ("pipeline.config", "train_config { }", "pipeline.config: it has train_config instead of model.ssd"),
        (
            "pipeline.config",
            "model { faster_rcnn { } }",
            "pipeline.config: it has model.faster_rcnn instead of model.ssd",
        ),
        ("pipeline.config", "model { ssd { num_classes: 3 } }", "model.ssd.image_resizer in "),
    ] {
        fs::write(folder.join(file), text).unwrap();
        let done = tf2onnx_rs(["convert", checkpoint.to_str().unwrap(), converted.model().to_str().unwrap()]);
        assert!(done.status == 1 && done.stderr.contains(said), "{text}: {}", done.stderr);
    }
}

#[test]
fn numbers_that_describe_too_much_are_refused() {
    let changes = [
        ("grids", "height: 128", "height: 1000000000", "--limit constants="),
        (
            "pyramid_with_explicit_padding",
            "before_predictor: 2",
            "before_predictor: 99999999",
            "--limit nodes=",
        ),
        ("pyramid_with_explicit_padding", "per_octave: 2", "per_octave: 99999", "scales_per_octave in "),
        ("pyramid_with_explicit_padding", "max_level: 7", "max_level: 99999", "max_level in "),
    ];
    for (name, from, to, problem) in changes {
        let detector = Converted::new(name);
        let path = detector.folder.path().join("pipeline.config");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(from, to)).unwrap();
        let checkpoint = detector.folder.path().join("model.ckpt");
        let error = fails(&["convert", checkpoint.to_str().unwrap(), detector.model().to_str().unwrap()]);
        assert!(error.contains(problem), "{name} {to}: {error}");
    }
}

#[test]
fn fields_that_are_not_converted_are_named() {
    let converted = Converted::new("grids");
    let config = converted.folder.path().join("pipeline.config");
    let text = String::from_utf8(converted.files["pipeline.config"].clone()).unwrap();
    let checkpoint = converted.folder.path().join("model.ckpt");
    for (field, inside) in [
        ("soft_nms_sigma: 0.5", "iou_threshold: 0.6"),
        ("mask_head_config { }", "num_classes: 3"),
        ("group_norm { }", "activation: RELU_6"),
    ] {
        fs::write(&config, text.replace(inside, &format!("{inside} {field}"))).unwrap();
        let done = tf2onnx_rs(["convert", checkpoint.to_str().unwrap(), converted.model().to_str().unwrap()]);
        let name = field.split([':', ' ']).next().unwrap();
        assert!(done.status == 1 && done.stderr.contains(name), "{field}: {}", done.stderr);
    }
}
