//! Models that TensorFlow 2 saved (`scripts/make_fixtures/keras.py`): converted, run and compared with
//! what TensorFlow computed.

use std::path::PathBuf;

use rten_tensor::Tensor;
use rten_tensor::prelude::*;
use tempfile::TempDir;

use crate::support::command::{convert, fails};
use crate::support::npy;
use crate::support::onnx::{Model, execute, execute_all, relative_error};
use crate::support::repository;

fn fixture(name: &str) -> PathBuf {
    repository::fixture("graphs/keras").join(name)
}

#[test]
fn the_variables_of_a_saved_model_are_found_by_the_names_of_their_objects() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    convert(&fixture("saved_model"), &output, &["--verify"]);
    let images = npy::read(&fixture("input.npy"));
    let outputs = execute(&output, &[2, 12, 10, 3], images);
    let error = relative_error(&outputs[0].1, &npy::read(&fixture("logits.npy")));
    assert!(error <= 2e-5, "{error}");
    assert_eq!(Model::load(&output).nodes("BatchNormalization").len(), 1);
}

#[test]
fn an_object_based_checkpoint_needs_its_saved_model() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let error =
        fails(&["convert", fixture("checkpoint/model.ckpt").to_str().unwrap(), output.to_str().unwrap()]);
    assert!(error.contains("saved by Keras or by tf.train.Checkpoint: give the SavedModel"), "{error}");
    assert!(!output.exists());
}

#[test]
fn the_variables_of_a_saved_model_become_float16() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    convert(&fixture("saved_model"), &output, &["--float16", "--verify"]);
    let images = npy::read(&fixture("input.npy"));
    let outputs = execute(&output, &[2, 12, 10, 3], images);
    let error = relative_error(&outputs[0].1, &npy::read(&fixture("logits.npy")));
    assert!(error <= 1e-2, "{error}");
    let model = Model::load(&output);
    let is_float16 =
        |name: &str| model.proto().graph.initializer.iter().any(|i| i.name == name && i.data_type == 10);
    let convolution = model.nodes("Conv")[0];
    assert!(is_float16(&convolution.input[1]), "{:?}", convolution.input);
}

#[test]
fn layer_normalization_normalizes_each_row_by_itself() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let done = convert(&fixture("layer_norm"), &output, &["--verify"]);
    assert!(done.stdout.contains("as layer normalization does"), "{}", done.stdout);
    let outputs = execute(&output, &[2, 9, 6], npy::read(&fixture("rows.npy")));
    let error = relative_error(&outputs[0].1, &npy::read(&fixture("normalized.npy")));
    assert!(error <= 2e-5, "{error}");
}

#[test]
fn an_embedding_takes_rows_of_its_variable() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    for (options, tolerance) in [(&["--verify"][..], 0.0), (&["--float16"], 1e-3)] {
        convert(&fixture("embedding"), &output, options);
        let outputs = execute(&output, &[2, 5], npy::read(&fixture("words.npy")));
        let error = relative_error(&outputs[0].1, &npy::read(&fixture("embedded.npy")));
        assert!(error <= tolerance, "{options:?}: {error}");
    }
}

#[test]
fn a_signature_s_keys_are_names_of_its_tensors() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let options = ["--shape", "images=2,12,10,3", "--outputs-as-nchw", "pool"];
    let input = fixture("saved_model");
    let error =
        fails(&[&["convert", input.to_str().unwrap(), output.to_str().unwrap()], &options[..]].concat());
    assert!(error.contains("--outputs-as-nchw pool: the model will not have this output"), "{error}");
    for signature in [&[][..], &["--signature", "serve"]] {
        let renamed = [
            "--shape",
            "images=2,12,10,3",
            "--rename-outputs",
            "output_0=logits",
            "--rename-inputs",
            "images=x",
        ];
        let done = convert(&input, &output, &[&renamed, signature].concat());
        assert!(done.stdout.contains("images is serv"), "{}", done.stdout);
        let images = npy::read(&fixture("input.npy"));
        let outputs = execute(&output, &[2, 12, 10, 3], images);
        assert!(relative_error(&outputs[0].1, &npy::read(&fixture("logits.npy"))) <= 2e-5);
        let model = Model::load(&output);
        assert_eq!(model.inputs()[0], ("x".to_owned(), "2,12,10,3".to_owned()));
        assert_eq!(model.outputs()[0].0, "logits");
    }
    let asked = ["--outputs", "output_0", "--inputs", "images", "--batch-size", "2"];
    let done = convert(&input, &output, &asked);
    assert!(done.stdout.contains("outputs output_0 "), "{}", done.stdout);
    let error =
        fails(&["convert", input.to_str().unwrap(), output.to_str().unwrap(), "--outputs", "output_1"]);
    assert!(error.contains("did you mean \"output_0\"?"), "{error}");
    let error =
        fails(&["convert", input.to_str().unwrap(), output.to_str().unwrap(), "--shape", "image=1,2"]);
    assert!(error.contains("its input is serving_default_images"), "{error}");
    let option = ["--network-option", "num_classes=3"];
    let error =
        fails(&[&["convert", input.to_str().unwrap(), output.to_str().unwrap()], &option[..]].concat());
    assert!(error.contains("leave out --network-option, and the graph that comes with it"), "{error}");
}

#[test]
fn a_softmax_that_is_spelled_out_is_one() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let done = convert(&fixture("spelled_softmax"), &output, &["--softmax", "--batch-size", "2"]);
    assert!(done.stdout.contains("note: --softmax adds nothing, since"), "{}", done.stdout);
    let rows = npy::read(&fixture("rows.npy"));
    let outputs = execute(&output, &[2, 9, 6], rows.clone());
    assert!(relative_error(&outputs[0].1, &npy::read(&fixture("shares.npy"))) <= 1e-6);
    convert(&fixture("spelled_softmax"), &output, &["--no-softmax", "--batch-size", "2"]);
    assert_eq!(Model::load(&output).inputs()[0].0, "scores");
    assert_eq!(Model::load(&output).outputs()[0].0, "serving_default_scores:0");
    assert_eq!(execute(&output, &[2, 9, 6], rows.clone())[0].1, rows);
    let done = convert(&fixture("saved_model"), &output, &["--no-softmax"]);
    assert!(done.stdout.contains("note: --no-softmax leaves nothing out"), "{}", done.stdout);
    let done = convert(&fixture("saved_model"), &output, &["--softmax"]);
    assert!(done.stdout.contains("seems to be the logits; a softmax was added to it"), "{}", done.stdout);
}

#[test]
fn variables_of_one_name_are_distinguished_and_inputs_keep_their_order() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    let rows = npy::read(&fixture("rows.npy"));
    let (a, b) = rows.split_at(9 * 6);
    let expected = npy::read(&fixture("difference.npy"));
    for (options, scale) in [(&[][..], Some(2.0)), (&["--freeze", "scale=2", "--batch-size", "9"], None)] {
        convert(&fixture("difference"), &output, options);
        let mut names = vec!["a", "b"];
        let mut feeds = vec![(vec![9, 6], a.to_vec()), (vec![9, 6], b.to_vec())];
        if let Some(scale) = scale {
            names.push("scale");
            feeds.push((vec![], vec![scale]));
        }
        let inputs = Model::load(&output).inputs();
        assert_eq!(inputs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
        let outputs = execute_all(&output, &feeds);
        assert!(relative_error(&outputs[0].1, &expected) <= 1e-6);
    }
    let input = fixture("difference");
    let twice = ["--freeze", "scale=2", "--freeze", "scale=3"];
    let error =
        fails(&[&["convert", input.to_str().unwrap(), output.to_str().unwrap()], &twice[..]].concat());
    assert!(error.contains("has two values"), "{error}");
}

#[test]
fn a_filter_with_another_axis_in_front_is_still_a_weight() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    convert(&fixture("separable_series"), &output, &["--verify"]);
    let outputs = execute(&output, &[2, 9, 6], npy::read(&fixture("rows.npy")));
    assert!(relative_error(&outputs[0].1, &npy::read(&fixture("separated.npy"))) <= 2e-6);
    assert!(Model::load(&output).nodes("Conv").iter().all(|node| node.input[1].contains("kernel")));
}

#[test]
fn tensors_in_a_function_can_be_outputs_and_inputs() {
    let folder = TempDir::new().unwrap();
    let (whole, part) = (folder.path().join("whole.onnx"), folder.path().join("part.onnx"));
    let inner = "StatefulPartitionedCall_1/StatefulPartitionedCall/sequential/norm/FusedBatchNormV3:0";
    convert(&fixture("saved_model"), &whole, &[]);
    let names: Vec<String> =
        Model::load(&whole).proto().graph.node.iter().flat_map(|node| node.output.clone()).collect();
    assert!(names.iter().any(|name| name == inner), "{names:?}");
    convert(&fixture("saved_model"), &part, &["--outputs", inner]);
    assert_eq!(Model::load(&part).outputs()[0], (inner.to_owned(), "batch,10,8,4".to_owned()));
    let features = execute(&part, &[2, 12, 10, 3], npy::read(&fixture("input.npy")));
    convert(&fixture("saved_model"), &part, &["--inputs", inner]);
    assert_eq!(Model::load(&part).inputs()[0].0, inner);
    let outputs = execute(&part, &[2, 10, 8, 4], features[0].1.clone());
    assert!(relative_error(&outputs[0].1, &npy::read(&fixture("logits.npy"))) <= 2e-5);
}

#[test]
fn a_table_has_the_contents_that_a_function_gives_it() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("model.onnx");
    convert(&fixture("lookup"), &output, &[]);
    let model = Model::load(&output);
    let table = model.nodes("LabelEncoder")[0];
    let list = |name: &str| table.attribute.iter().find(|attribute| attribute.name == name).unwrap();
    assert_eq!(list("keys_strings").strings, [b"stop".to_vec(), b"go".to_vec(), b"wait".to_vec()]);
    assert_eq!(list("values_int64s").ints, [1, 2, 3]);
    convert(&fixture("lookup"), &output, &["--outputs", "discretization", "--batch-size", "2"]);
    let model = rten::ModelOptions::with_all_ops().load_file(&output).unwrap();
    let numbers = vec![-0.6_f32, -0.5, 0.1, 0.25, 0.3, 0.2, -0.1, 9.0];
    let numbers = Tensor::from_data(&[2, 4], numbers);
    let outputs =
        model.run(vec![(model.input_ids()[0], numbers.view().into())], model.output_ids(), None).unwrap();
    let buckets: Tensor<i32> = outputs.into_iter().next().unwrap().try_into().unwrap();
    assert_eq!(buckets.to_vec(), [0, 1, 2, 3, 3, 2, 1, 3]);
}
