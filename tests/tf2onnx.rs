//! Commands of tf2onnx's README and its documentation, with another name of the program: they convert, and mean the same.

use std::fs::{self, File};
use std::path::Path;

use tempfile::TempDir;

use crate::support::command::{Done, binary};
use crate::support::onnx::Model;
use crate::support::repository::fixture;

/// Runs `convert` with a line of arguments in a folder of models, in which `OUT` is another folder.
fn run(out: &Path, line: &str) -> Done {
    let args = line.split_whitespace().map(|word| word.replace("OUT", out.to_str().unwrap()));
    let output = binary().arg("convert").args(args).current_dir(fixture("graphs/containers")).output();
    Done::new(output.unwrap())
}

/// The same, with success and the model that it writes.
fn model(out: &Path, line: &str) -> (Done, Model) {
    let done = run(out, line);
    assert_eq!(done.status, 0, "{line}: {}", done.stderr);
    (done, Model::load(&out.join("model.onnx")))
}

fn names(list: &[(String, String)]) -> Vec<&str> {
    list.iter().map(|(name, _)| name.as_str()).collect()
}

const LOGITS: &str = "Net/logits/BiasAdd:0";

#[test]
fn commands_of_the_readme_run_with_another_name() {
    let folder = TempDir::new().unwrap();
    for (line, inputs, outputs) in [
        ("--saved-model saved_model --output OUT/model.onnx", "images", &["logits", "probabilities"][..]),
        (
            "--saved-model saved_model --opset 18 --output OUT/model.onnx",
            "images",
            &["logits", "probabilities"],
        ),
        (
            "--saved-model saved_model --tag serve --signature_def serving_default --output OUT/model.onnx --use-graph-names",
            "input:0",
            &[LOGITS, "predictions:0"],
        ),
        (
            "--checkpoint model.ckpt.meta --output OUT/model.onnx --inputs input:0 --outputs Net/logits/BiasAdd:0",
            "input:0",
            &[LOGITS],
        ),
        (
            "--graphdef frozen.pb --output OUT/model.onnx --inputs input:0 --outputs Net/logits/BiasAdd:0",
            "input:0",
            &[LOGITS],
        ),
        (
            "--input frozen.pb --inputs input:0 --outputs predictions:0,Net/logits/BiasAdd:0 --output OUT/model.onnx --verbose -v",
            "input:0",
            &["predictions:0", LOGITS],
        ),
        (
            "--graphdef frozen.pb --inputs input:0 --outputs predictions:0 --rename-inputs x --rename-outputs y --output OUT/model.onnx",
            "x",
            &["y"],
        ),
        ("--tfjs ../../tfjs/net --output OUT/model.onnx", "images", &["Identity:0", "Identity_1:0"]),
        (
            "--saved-model saved_model --large_model --debug --output OUT/model.onnx",
            "images",
            &["logits", "probabilities"],
        ),
        (
            "--input frozen.pb --continue_on_error --target rs6 --fold_const --output OUT/model.onnx",
            "input:0",
            &[LOGITS, "predictions:0"],
        ),
    ] {
        let (_, model) = model(folder.path(), line);
        assert_eq!(names(&model.inputs()), [inputs], "{line}");
        assert_eq!(names(&model.outputs()), outputs, "{line}");
    }
}

#[test]
fn names_may_have_shapes() {
    let folder = TempDir::new().unwrap();
    for (inputs, shape) in [("input:0[4,12,10,3]", "4,12,10,3"), ("input[-1,12,10,3]", "batch,12,10,3")] {
        let line =
            format!("--graphdef frozen.pb --output OUT/model.onnx --outputs {LOGITS} --inputs {inputs}");
        assert_eq!(model(folder.path(), &line).1.inputs()[0].1, shape);
    }
    let line =
        "--graphdef frozen.pb --inputs input:0[1,12,10,3] --inputs-as-nchw input:0 --output OUT/model.onnx";
    assert_eq!(model(folder.path(), line).1.inputs()[0].1, "1,3,12,10");
    // The name of a tensor that TensorFlow makes of a key.
    let line = "--saved-model saved_model --inputs images:0[1,12,10,3] --inputs-as-nchw images:0 --outputs logits:0 --output OUT/model.onnx";
    let (_, keyed) = model(folder.path(), line);
    assert_eq!(keyed.inputs(), [("images:0".to_owned(), "1,3,12,10".to_owned())]);
    assert_eq!(names(&keyed.outputs()), ["logits:0"]);
    for wrong in ["input:0[1,12", "input:0[a]"] {
        let done = run(folder.path(), &format!("--graphdef frozen.pb --output OUT/m.onnx --inputs {wrong}"));
        assert_eq!(done.status, 1);
        assert!(done.stderr.contains("-1 is any length"), "{}", done.stderr);
    }
}

#[test]
fn custom_ops_have_their_domains() {
    let folder = TempDir::new().unwrap();
    let line = "--graphdef frozen.pb --output OUT/model.onnx --custom-ops Relu:my.domain,MaxPool --extra_opset my.domain:3";
    let (_, model) = model(folder.path(), line);
    let relu = model.nodes("Relu");
    assert!(!relu.is_empty() && relu.iter().all(|node| node.domain == "my.domain"));
    assert_eq!(model.nodes("MaxPool")[0].domain, "ai.onnx.converters.tensorflow");
    let version = |domain: &str| {
        model.proto().opset_import.iter().find(|set| set.domain == domain).map(|set| set.version)
    };
    assert_eq!(version("my.domain"), Some(3));
    assert_eq!(version("ai.onnx.converters.tensorflow"), Some(1));
    for wrong in ["--custom-ops :x", "--extra_opset my.domain", "--extra_opset my.domain:0", "--target rs9"] {
        assert_eq!(run(folder.path(), &format!("frozen.pb OUT/m.onnx {wrong}")).status, 2, "{wrong}");
    }
}

#[test]
fn a_large_model_is_an_archive_if_it_is_called_one() {
    let folder = TempDir::new().unwrap();
    let done = run(folder.path(), "--saved-model saved_model --large_model --output OUT/model.zip");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let files: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["model.zip"]);
    let mut archive = zip::ZipArchive::new(File::open(folder.path().join("model.zip")).unwrap()).unwrap();
    archive.extract(folder.path()).unwrap();
    let model = Model::load(&folder.path().join("__MODEL_PROTO.onnx"));
    let stored = model.proto().graph.initializer.iter().flat_map(|tensor| &tensor.external_data);
    let location = stored.into_iter().find(|entry| entry.key == "location").unwrap();
    assert!(folder.path().join(&location.value).is_file());
    let done = run(folder.path(), "--saved-model saved_model --large_model --output OUT/model.onnx");
    assert!(done.stdout.contains("note: --large_model: the weights are in"), "{}", done.stdout);
    assert!(folder.path().join("model.onnx.data").is_file());
}

#[test]
fn the_frozen_graph_is_written_too() {
    let folder = TempDir::new().unwrap();
    let line = "--checkpoint model.ckpt.meta --outputs predictions:0 --output OUT/first.onnx --output_frozen_graph OUT/frozen.pb";
    assert_eq!(run(folder.path(), line).status, 0);
    let (_, model) = model(folder.path(), "--graphdef OUT/frozen.pb --output OUT/model.onnx");
    assert!(names(&model.outputs()).contains(&"predictions:0"));
    assert_eq!(model.nodes("BatchNormalization").len(), 2);
}

#[test]
fn what_has_no_effect_is_said_and_what_is_not_supported_is_refused() {
    let folder = TempDir::new().unwrap();
    let line = "frozen.pb OUT/model.onnx --target rs5,nhwc --load_op_libraries a.so --fold_const";
    let (done, _) = model(folder.path(), line);
    for option in ["--target", "--load_op_libraries", "--fold_const"] {
        assert!(done.stdout.contains(&format!("note: {option} has no effect: ")), "{}", done.stdout);
    }
    for (line, advice) in [
        (
            "--saved-model saved_model --concrete_function 0 --output OUT/m.onnx",
            "it has no signature \"__call__:0\"",
        ),
        ("--input frozen.pb --dequantize --output OUT/m.onnx", "give the SavedModel or checkpoint"),
        ("--saved-model saved_model", "give it with --output"),
        ("--saved-model saved_model frozen.pb OUT/m.onnx", "two inputs, saved_model and frozen.pb"),
    ] {
        let done = run(folder.path(), line);
        assert_eq!(done.status, 1, "{line}");
        assert!(done.stderr.contains(advice), "{}", done.stderr);
    }
    assert_eq!(run(folder.path(), "--saved-model saved_model OUT/positional.onnx").status, 0);
    assert_eq!(run(folder.path(), "saved_model --output OUT/option.onnx").status, 0);
}
