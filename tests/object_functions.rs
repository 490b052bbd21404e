//! SavedModels without signatures, whose objects have functions (`scripts/make_fixtures/functions.py`): converted, run and compared
//! with what TensorFlow computed.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::command::{convert, fails, prints};
use crate::support::npy;
use crate::support::onnx::{Model, execute, execute_all, relative_error};
use crate::support::repository;

fn fixture(name: &str) -> PathBuf {
    repository::fixture("graphs/functions").join(name)
}

fn path(name: &str) -> String {
    fixture(name).to_str().unwrap().to_owned()
}

/// Converts a function of `several`, and compares its outputs with files.
fn check(options: &[&str], files: [&str; 2]) {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    convert(&fixture("several"), &output, &[options, &["--verify"]].concat());
    let outputs = execute(&output, &[4, 6], npy::read(&fixture("rows.npy")));
    assert_eq!(outputs.len(), 2);
    for ((_, output), file) in outputs.iter().zip(files) {
        let error = relative_error(output, &npy::read(&fixture(file)));
        assert!(error <= 2e-5, "{options:?} {file}: {error}");
    }
}

#[test]
fn a_function_is_chosen_by_its_name_and_number() {
    check(&["--signature", "__call__:0"], ["bounded_0.npy", "scaled_0.npy"]);
    check(&["--signature", "__call__:1"], ["bounded_1.npy", "scaled_1.npy"]);
    check(&["--concrete_function", "1"], ["bounded_1.npy", "scaled_1.npy"]);
    check(&["--signature", "parts"], ["first_part.npy", "second_part.npy"]);
    check(&["--signature", "parts:0"], ["first_part.npy", "second_part.npy"]);
    check(&["--signature", "__call__:0", "--outputs", "scaled,bounded"], ["scaled_0.npy", "bounded_0.npy"]);
}

#[test]
fn its_inputs_and_outputs_have_the_names_of_the_python_function() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    for (function, inputs, outputs) in [
        ("__call__:0", "rows", &["bounded", "scaled"][..]),
        ("parts", "rows", &["Identity:0", "Identity_1:0"]),
    ] {
        convert(&fixture("several"), &output, &["--signature", function]);
        let model = Model::load(&output);
        let names = |tensors: Vec<(String, String)>| -> Vec<String> {
            tensors.into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(model.inputs()), [inputs]);
        assert_eq!(names(model.outputs()), outputs);
    }
}

#[test]
fn the_only_function_needs_no_choice() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let done = convert(&fixture("only"), &output, &["--verify"]);
    assert!(
        done.stdout.contains("the model has no signature; its function score is converted"),
        "{}",
        done.stdout
    );
    let rows = (vec![4, 6], npy::read(&fixture("rows.npy")));
    let outputs = execute_all(&output, &[rows, (vec![], vec![2.0])]);
    let error = relative_error(&outputs[0].1, &npy::read(&fixture("score.npy")));
    assert!(error <= 2e-5, "{error}");
}

#[test]
fn a_function_reads_tables_and_files() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    convert(&fixture("several"), &output, &["--signature", "find"]);
    let table = Model::load(&output).nodes("LabelEncoder")[0].clone();
    let list = |name: &str| table.attribute.iter().find(|attribute| attribute.name == name).unwrap().clone();
    assert_eq!(list("keys_int64s").ints, [1, 2]);
    assert_eq!(list("values_floats").floats, [10.0, 20.0]);
    convert(&fixture("several"), &output, &["--signature", "index"]);
    let table = Model::load(&output).nodes("LabelEncoder")[0].clone();
    let words = table.attribute.iter().find(|attribute| attribute.name == "keys_strings").unwrap();
    assert_eq!(words.strings, [b"stop".to_vec(), b"go".to_vec(), b"wait".to_vec()]);
}

#[test]
fn of_several_functions_one_has_to_be_chosen() {
    let error = fails(&["convert", &path("several"), "model.onnx"]);
    let choice = "choose one with --signature: __call__:0 (training=False), __call__:1 (training=True), find, index, parts";
    assert!(error.contains(choice), "{error}");
    let error = fails(&["convert", &path("several"), "model.onnx", "--signature", "__call__:2"]);
    assert!(error.contains("it has no signature \"__call__:2\""), "{error}");
}

#[test]
fn inspect_lists_the_functions() {
    let text = prints(&["inspect", &path("several")]);
    let line = "function __call__:1 (training=True): rows float32 [?, 6] → bounded float32 [?, 3], scaled float32 [?, 3]";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("function index: words string [?] → Identity:0 int64 [?]"), "{text}");
}

#[test]
fn a_saved_model_of_tensorflow_2_may_be_in_text_form() {
    let folder = TempDir::new().unwrap();
    std::fs::copy(fixture("only.pbtxt"), folder.path().join("saved_model.pbtxt")).unwrap();
    let variables = folder.path().join("variables");
    std::fs::create_dir(&variables).unwrap();
    for file in ["variables.index", "variables.data-00000-of-00001"] {
        std::fs::copy(fixture("only/variables").join(file), variables.join(file)).unwrap();
    }
    let [text, binary] = ["text.onnx", "binary.onnx"].map(|name| folder.path().join(name));
    convert(folder.path(), &text, &["--signature", "score"]);
    convert(&fixture("only"), &binary, &["--signature", "score"]);
    let [text, binary] = [text, binary].map(|path| Model::load(&path).proto().graph.clone());
    assert_eq!(text.node, binary.node);
    assert_eq!(text.initializer, binary.initializer);
}
