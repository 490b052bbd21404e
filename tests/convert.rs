//! `tf2onnx-rs convert` on checkpoints without a graph: the models are run and compared with what
//! TensorFlow computed from the same variables and image.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{Done, convert, fails, tf2onnx_rs};
use crate::support::fill;
use crate::support::onnx::{Model, execute, relative_error};
use crate::support::zoo::Case;

/// The largest error allowed, relative to the largest logit.
const TOLERANCE: f32 = 2e-5;

/// A case converted in a folder of its own.
struct Converted {
    folder: TempDir,
    done: Done,
}

impl Converted {
    fn new(variables: &[Variable], format: Format, options: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let checkpoint = write(folder.path(), variables, format);
        let done = convert(&checkpoint, &folder.path().join("model.onnx"), options);
        Self { folder, done }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("model.onnx")
    }

    fn model(&self) -> Model {
        Model::load(&self.path())
    }

    /// The outputs for the image that TensorFlow was given.
    fn run(&self, case: &Case) -> Vec<(Vec<usize>, Vec<f32>)> {
        let shape = image_shape(case);
        execute(&self.path(), &shape, fill::image(&shape))
    }
}

fn image_shape(case: &Case) -> Vec<usize> {
    case.input.shape.iter().map(|dim| dim.unwrap_or(case.input.batch)).collect()
}

fn size_option(case: &Case) -> String {
    let [height, width] = case.image_size();
    format!("--image-size={height}x{width}")
}

fn tiny() -> (Case, Vec<Variable>) {
    let case = Case::load("inception_v3_tiny");
    let variables = filled(&case);
    (case, variables)
}

fn assert_computes_tensorflows_logits(name: &str, format: Format) {
    let case = Case::load(name);
    let mut options: Vec<String> = case
        .network_options()
        .iter()
        .map(|option| format!("--network-option={}={}", option.name, option.value))
        .collect();
    // The size of a spectrogram is that of the network.
    if case.input.shape.len() > 3 {
        options.push(size_option(&case));
    }
    options.push(format!("--outputs={}", case.output));
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let converted = Converted::new(&filled(&case), format, &options);
    let outputs = converted.run(&case);
    let error = relative_error(&outputs[0].1, &case.logits());
    assert!(error <= TOLERANCE, "{name} {format:?}: relative error {error}");
}

#[test]
fn inception_v1_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("inception_v1", Format::V1);
}

#[test]
fn inception_v2_at_half_depth_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("inception_v2_half", Format::V2);
}

#[test]
fn inception_v3_computes_what_tensorflow_computes_from_both_formats() {
    assert_computes_tensorflows_logits("inception_v3_tiny", Format::V1);
    assert_computes_tensorflows_logits("inception_v3_tiny", Format::V2);
}

#[test]
fn inception_v3_on_small_images_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("inception_v3_quarter", Format::V2);
}

#[test]
fn inception_v3_without_classes_computes_tensorflows_features() {
    assert_computes_tensorflows_logits("inception_v3_features", Format::V1);
}

#[test]
fn inception_v4_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("inception_v4", Format::V2);
}

#[test]
fn inception_resnet_v2_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("inception_resnet_v2", Format::V1);
}

#[test]
fn mobilenet_v1_at_quarter_depth_computes_what_tensorflow_computes_from_both_formats() {
    assert_computes_tensorflows_logits("mobilenet_v1_025", Format::V1);
    assert_computes_tensorflows_logits("mobilenet_v1_025", Format::V2);
}

#[test]
fn mobilenet_v2_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("mobilenet_v2_035", Format::V2);
}

#[test]
fn mobilenet_v3_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("mobilenet_v3_small", Format::V2);
    assert_computes_tensorflows_logits("mobilenet_v3_small_minimalistic", Format::V1);
}

#[test]
fn deeplab_computes_what_tensorflow_computes_on_each_kind_of_backbone() {
    assert_computes_tensorflows_logits("deeplab_mobilenet_v2_half", Format::V2);
    assert_computes_tensorflows_logits("deeplab_mobilenet_v3_small_seg", Format::V2);
    assert_computes_tensorflows_logits("deeplab_resnet_v1_18_beta", Format::V1);
}

#[test]
fn deeplab_has_the_classes_of_pixels_as_an_output() {
    let case = Case::load("deeplab_mobilenet_v2_half");
    let options = ["--image-size=65", "--network-option=output_stride=8"];
    let converted = Converted::new(&filled(&case), Format::V2, &options);
    let names: Vec<String> = converted.model().outputs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["logits", "SemanticPredictions"]);
}

#[test]
fn deeplab_takes_images_of_any_size() {
    for name in ["deeplab_mobilenet_v2_half", "deeplab_xception_41"] {
        let case = Case::load(name);
        let options = case.network_options().into_iter();
        let mut options: Vec<String> =
            options.map(|option| format!("--network-option={}={}", option.name, option.value)).collect();
        options.push(format!("--outputs={}", case.output));
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let open = Converted::new(&filled(&case), Format::V2, &options);
        assert_eq!(open.model().inputs()[0].1, "batch,?,?,3");
        let error = relative_error(&open.run(&case)[0].1, &case.logits());
        assert!(error <= TOLERANCE, "{name}: relative error {error}");
    }
}

#[test]
fn atrous_rates_that_no_one_knows_are_asked_for() {
    let case = Case::load("deeplab_mobilenet_v2_decoder");
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &filled(&case), Format::V2);
    let output = folder.path().join("model.onnx");
    let arguments = ["convert", checkpoint.to_str().unwrap(), output.to_str().unwrap()];
    let error = fails(&arguments);
    assert!(
        error.contains("no checkpoint holds the rates") && error.contains("atrous_rates=6,12,18"),
        "{error}"
    );
}

#[test]
fn delf_computes_tensorflows_attention_for_images_of_any_size() {
    let case = Case::load("delf");
    let open = Converted::new(&filled(&case), Format::V2, &[]);
    assert_eq!(open.model().inputs()[0].1, "batch,?,?,3");
    assert!(relative_error(&open.run(&case)[0].1, &case.logits()) <= TOLERANCE);
}

#[test]
fn east_computes_tensorflows_geometry_for_images_of_any_size() {
    let case = Case::load("east");
    let open = Converted::new(&filled(&case), Format::V2, &[]);
    assert_eq!(open.model().inputs()[0].1, "batch,?,?,3");
    let names: Vec<String> = open.model().outputs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["F_score", "F_geometry"]);
    assert!(relative_error(&open.run(&case)[1].1, &case.logits()) <= TOLERANCE);
    assert_computes_tensorflows_logits("east", Format::V1);
}

#[test]
fn bit_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("bit_26", Format::V2);
    assert_computes_tensorflows_logits("bit_50", Format::V2);
    assert_computes_tensorflows_logits("bit_26_half", Format::V1);
}

#[test]
fn densenet_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("densenet121", Format::V2);
    assert_computes_tensorflows_logits("densenet169", Format::V1);
}

#[test]
fn efficientnet_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("efficientnet-b0", Format::V2);
    assert_computes_tensorflows_logits("efficientnet-lite0", Format::V1);
    assert_computes_tensorflows_logits("efficientnet-edgetpu-S", Format::V2);
}

#[test]
fn mnasnet_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("mnasnet-a1", Format::V2);
    assert_computes_tensorflows_logits("mnasnet-b1", Format::V1);
}

#[test]
fn mobilefacenet_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("mobilefacenet", Format::V2);
}

#[test]
fn yamnet_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("yamnet", Format::V2);
}

#[test]
fn simclr_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("simclr_18", Format::V2);
    assert_computes_tensorflows_logits("simclr_50_pretrained", Format::V1);
    assert_computes_tensorflows_logits("simclr_18_squeezed", Format::V1);
    assert_computes_tensorflows_logits("simclr_50_selective_cifar", Format::V2);
}

#[test]
fn nasnet_computes_what_tensorflow_computes() {
    assert_computes_tensorflows_logits("nasnet_cifar", Format::V2);
}

#[test]
fn inputs_and_outputs_have_tensorflows_names_and_an_open_batch() {
    let (_, variables) = tiny();
    let model = Converted::new(&variables, Format::V2, &[]).model();
    let named = |name: &str, shape: &str| (name.to_owned(), shape.to_owned());
    assert_eq!(model.inputs(), [named("input:0", "batch,299,299,3")]);
    let logits = named("InceptionV3/Logits/SpatialSqueeze:0", "batch,11");
    let predictions = named("InceptionV3/Predictions/Reshape_1:0", "batch,11");
    assert_eq!(model.outputs(), [logits, predictions]);
    let fixed = Converted::new(&variables, Format::V2, &["--batch-size", "4"]).model();
    assert_eq!(fixed.inputs(), [named("input:0", "4,299,299,3")]);
}

#[test]
fn the_image_is_transposed_once_and_not_at_all_as_nchw() {
    let (case, variables) = tiny();
    let nhwc = Converted::new(&variables, Format::V2, &[]);
    assert_eq!(nhwc.model().nodes("Transpose").len(), 1);
    let nchw = Converted::new(&variables, Format::V2, &["--inputs-as-nchw", "input:0"]);
    assert_eq!(nchw.model().nodes("Transpose").len(), 0);
    assert_eq!(nchw.model().inputs()[0].1, "batch,3,299,299");

    let [n, h, w, c] = image_shape(&case)[..] else { panic!("an image has rank 4") };
    let image = fill::image(&[n, h, w, c]);
    let mut transposed = vec![];
    for (batch, channel) in (0..n).flat_map(|batch| (0..c).map(move |channel| (batch, channel))) {
        transposed.extend((0..h * w).map(|pixel| image[(batch * h * w + pixel) * c + channel]));
    }
    let outputs = execute(&nchw.path(), &[n, c, h, w], transposed);
    assert!(relative_error(&outputs[0].1, &case.logits()) <= TOLERANCE);
}

#[test]
fn an_end_point_is_an_output_in_either_order_of_axes() {
    let (case, variables) = tiny();
    let nhwc = Converted::new(&variables, Format::V2, &["--outputs", "Mixed_7c"]).run(&case);
    assert_eq!(nhwc[0].0, case.end_points["Mixed_7c"].shape);
    let tensor = &case.end_points["Mixed_7c"].tensor;
    let options = ["--outputs", "Mixed_7c,Logits", "--outputs-as-nchw", tensor];
    let nchw = Converted::new(&variables, Format::V2, &options);
    assert_eq!(nchw.model().outputs()[0].0, *tensor);
    let outputs = nchw.run(&case);
    let [n, h, w, c] = case.end_points["Mixed_7c"].shape[..] else { panic!("an end point has rank 4") };
    assert_eq!(outputs[0].0, [n, c, h, w]);
    assert_eq!(outputs[0].1[1], nhwc[0].1[c], "the second pixel of the first channel");
    assert!(relative_error(&outputs[1].1, &case.logits()) <= TOLERANCE);
}

#[test]
fn logits_with_spatial_axes_of_length_1_need_no_transpose() {
    let (case, variables) = tiny();
    let options = ["--network-option", "spatial_squeeze=false"];
    let converted = Converted::new(&variables, Format::V2, &options);
    assert_eq!(converted.model().nodes("Transpose").len(), 1, "that of the image");
    let outputs = converted.run(&case);
    assert_eq!(outputs[0].0, [2, 1, 1, 11]);
    assert!(relative_error(&outputs[0].1, &case.logits()) <= TOLERANCE);
}

#[test]
fn predictions_are_the_softmax_of_the_logits() {
    let (case, variables) = tiny();
    let outputs = Converted::new(&variables, Format::V1, &[]).run(&case);
    let classes = case.num_classes;
    let expected: Vec<f32> = case
        .logits()
        .chunks(classes)
        .flat_map(|row| {
            let total: f32 = row.iter().map(|logit| logit.exp()).sum();
            row.iter().map(move |logit| logit.exp() / total).collect::<Vec<_>>()
        })
        .collect();
    assert!(relative_error(&outputs[1].1, &expected) <= TOLERANCE);
}

#[test]
fn the_auxiliary_classifier_can_be_an_output() {
    let (_, variables) = tiny();
    let model = Converted::new(&variables, Format::V2, &["--outputs", "AuxLogits"]).model();
    assert_eq!(model.outputs()[0].0, "InceptionV3/AuxLogits/SpatialSqueeze:0");
    let weights = "InceptionV3/AuxLogits/Conv2d_1b_1x1/weights:0";
    assert!(model.initializer(weights).is_some());
    let plain = Converted::new(&variables, Format::V2, &[]).model();
    assert!(plain.initializer(weights).is_none(), "it is pruned otherwise");
}

#[test]
fn every_batch_norm_without_gamma_gets_a_unit_scale_and_the_summary_says_so() {
    let (_, variables) = tiny();
    let converted = Converted::new(&variables, Format::V2, &[]);
    let said = "94 batch norms: gamma stored for 0, unit scale synthesized for 94 (slim's scale=False); \
                epsilon 0.001 from inception_v3's arg_scope";
    assert!(converted.done.stdout.contains(said), "{}", converted.done.stdout);
    let model = converted.model();
    assert_eq!(model.metadata("batch_norms"), Some(said));
    let norms = model.nodes("BatchNormalization");
    assert_eq!(norms.len(), 94);
    for norm in norms {
        let scale = model.initializer(&norm.input[1]).expect("the scale is part of the model");
        assert!(!scale.is_empty() && scale.iter().all(|&scale| scale == 1.0));
        let epsilon = norm.attribute.iter().find(|attribute| attribute.name == "epsilon").map(|a| a.f);
        assert_eq!(epsilon, Some(0.001));
    }
}

#[test]
fn a_gamma_that_is_stored_is_used_whatever_the_arg_scope_says() {
    let (case, mut variables) = tiny();
    let gamma = "InceptionV3/Conv2d_1a_3x3/BatchNorm/gamma";
    variables.push(Variable::float32(gamma, &[4], vec![0.5; 4]));
    let converted = Converted::new(&variables, Format::V2, &[]);
    let stdout = &converted.done.stdout;
    assert!(stdout.contains("gamma stored for 1, unit scale synthesized for 93"), "{stdout}");
    assert!(
        stdout.contains(&format!("{gamma} is stored although inception_v3_arg_scope has none")),
        "{stdout}"
    );
    assert_eq!(converted.model().initializer(&format!("{gamma}:0")), Some(vec![0.5; 4]));
    assert!(relative_error(&converted.run(&case)[0].1, &case.logits()) > 1e-3, "and it has an effect");
}

#[test]
fn a_beta_that_is_not_stored_is_zero() {
    let (_, mut variables) = tiny();
    variables.retain(|variable| variable.name != "InceptionV3/Conv2d_1a_3x3/BatchNorm/beta");
    let stdout = Converted::new(&variables, Format::V2, &[]).done.stdout;
    assert!(stdout.contains("beta stored for 93, zeros synthesized for 1"), "{stdout}");
}

#[test]
fn a_prefix_and_the_leftovers_of_training_do_not_matter() {
    let (case, variables) = tiny();
    let mut leftovers = vec![Variable::int64_scalar("global_step", 1000)];
    for variable in &variables {
        let name = format!("tower_0/{}", variable.name);
        for slot in ["", "/RMSProp", "/RMSProp_1", "/ExponentialMovingAverage/unused"] {
            leftovers.push(Variable { name: format!("{name}{slot}"), ..variable.clone() });
        }
    }
    leftovers.push(Variable::float32("InceptionV3_is_no_scope/weights", &[1], vec![0.0]));
    let converted = Converted::new(&leftovers, Format::V2, &[]);
    assert_eq!(converted.model().outputs()[0].0, "tower_0/InceptionV3/Logits/SpatialSqueeze:0");
    assert!(relative_error(&converted.run(&case)[0].1, &case.logits()) <= TOLERANCE);
}

/// The tiny network in training: the weights elsewhere than their averages, which are what TensorFlow computed
/// with.
fn in_training() -> (Case, Vec<Variable>) {
    let (case, mut variables) = tiny();
    let averages: Vec<Variable> = variables
        .iter()
        .filter(|variable| !variable.name.contains("/moving_"))
        .map(|variable| Variable {
            name: format!("{}/ExponentialMovingAverage", variable.name),
            ..variable.clone()
        })
        .collect();
    for variable in variables.iter_mut().filter(|variable| !variable.name.contains("/moving_")) {
        let elements = variable.shape.iter().product();
        *variable = Variable::float32(&variable.name, &variable.shape, vec![0.125; elements]);
    }
    variables.extend(averages);
    (case, variables)
}

#[test]
fn a_complete_set_of_moving_averages_is_taken_and_the_summary_says_so() {
    let (case, variables) = in_training();
    let converted = Converted::new(&variables, Format::V2, &[]);
    assert!(relative_error(&converted.run(&case)[0].1, &case.logits()) <= TOLERANCE);
    let stdout = &converted.done.stdout;
    assert!(stdout.contains("moving averages used instead of all 190 trained variables"), "{stdout}");
    let json = Converted::new(&variables, Format::V2, &["--json", "--moving-averages=on"]).done.stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(json["moving_averages"]["used"], true);
    let converted = Converted::new(&variables, Format::V2, &["--moving-averages=off"]);
    assert!(relative_error(&converted.run(&case)[0].1, &case.logits()) > 0.1);
}

#[test]
fn an_incomplete_set_of_moving_averages_is_ignored_or_refused() {
    let (_, mut variables) = in_training();
    let missing = "InceptionV3/Mixed_6e/Branch_0/Conv2d_0a_1x1/weights";
    variables.retain(|variable| variable.name != format!("{missing}/ExponentialMovingAverage"));
    let stdout = Converted::new(&variables, Format::V2, &[]).done.stdout;
    assert!(stdout.contains(&format!("1 of 190 trained variables have none, the first being {missing}")));
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &variables, Format::V2);
    let output = folder.path().join("model.onnx");
    let paths = [checkpoint.to_str().unwrap(), output.to_str().unwrap()];
    let error = fails(&["convert", paths[0], paths[1], "--moving-averages", "on"]);
    assert!(error.contains("1 of 190 moving averages are missing") && error.contains(missing), "{error}");
}

#[test]
fn a_network_under_a_scope_of_another_name_is_found() {
    let (case, mut variables) = tiny();
    for variable in &mut variables {
        variable.name = variable.name.replace("InceptionV3/", "experiment/Mine/");
    }
    let converted = Converted::new(&variables, Format::V2, &[]);
    assert_eq!(converted.model().outputs()[0].0, "experiment/Mine/Logits/SpatialSqueeze:0");
    assert!(relative_error(&converted.run(&case)[0].1, &case.logits()) <= TOLERANCE);
}

#[test]
fn the_summary_as_json_has_what_scripts_need() {
    let (_, variables) = tiny();
    let converted = Converted::new(&variables, Format::V2, &["--json"]);
    let summary: serde_json::Value = serde_json::from_str(&converted.done.stdout).expect("it is JSON");
    assert_eq!(summary["network"], "inception_v3");
    assert_eq!(summary["options"]["num_classes"], 11);
    assert_eq!(summary["options"]["depth_multiplier"], 0.1);
    assert_eq!(summary["options"]["min_depth"], 4);
    assert_eq!(summary["outputs"][0]["name"], "InceptionV3/Logits/SpatialSqueeze:0");
    assert_eq!(summary["outputs"][0]["shape"], serde_json::json!(["batch", 11]));
    assert_eq!(summary["batch_norms"]["gamma_synthesized"], 94);
    assert_eq!(summary["bytes"], std::fs::metadata(converted.path()).unwrap().len());
}

#[test]
fn quiet_is_quiet_and_a_pipe_gets_no_progress_bar() {
    let (_, variables) = tiny();
    let quiet = Converted::new(&variables, Format::V2, &["--quiet"]).done;
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert_eq!(Converted::new(&variables, Format::V2, &[]).done.stderr, "");
    let verbose = Converted::new(&variables, Format::V2, &["--verbose"]).done.stdout;
    assert!(verbose.contains("InceptionV3/Conv2d_1a_3x3/BatchNorm: unit scale, epsilon 0.001"), "{verbose}");
}

#[test]
fn every_operator_set_from_11_to_28_is_written_and_no_other() {
    let (case, variables) = tiny();
    for opset in 11..=28 {
        let converted = Converted::new(&variables, Format::V2, &["--opset", &opset.to_string()]);
        assert_eq!(converted.model().proto().opset_import[0].version, opset);
        if opset == 11 || opset == 28 {
            assert!(relative_error(&converted.run(&case)[0].1, &case.logits()) <= TOLERANCE);
        }
    }
    for opset in ["10", "29", "latest"] {
        assert_eq!(tf2onnx_rs(["convert", "a.ckpt", "a.onnx", "--opset", opset]).status, 2);
    }
}

#[test]
fn all_missing_or_misshapen_variables_are_named_at_once() {
    let (_, mut variables) = tiny();
    variables.retain(|variable| !variable.name.starts_with("InceptionV3/Mixed_6b/Branch_0/"));
    let biases =
        variables.iter_mut().find(|variable| variable.name.ends_with("Conv2d_1c_1x1/biases")).unwrap();
    *biases = Variable::float32(&biases.name, &[12], vec![0.0; 12]);
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &variables, Format::V2);
    let output = folder.path().join("model.onnx");
    let said = fails(&["convert", checkpoint.to_str().unwrap(), output.to_str().unwrap()]);
    for part in ["weights", "BatchNorm/beta", "BatchNorm/moving_mean", "BatchNorm/moving_variance"] {
        assert!(said.contains(&format!("InceptionV3/Mixed_6b/Branch_0/Conv2d_0a_1x1/{part}")), "{said}");
    }
    assert!(said.contains("Conv2d_1c_1x1/biases is [12] instead of [11]"), "{said}");
    assert!(!output.exists());
}

#[test]
fn external_data_is_in_a_second_file() {
    let (_, variables) = tiny();
    let within = Converted::new(&variables, Format::V2, &[]);
    let beside = Converted::new(&variables, Format::V1, &["--external-data"]);
    let (whole, model) = (within.model(), beside.model());
    let data = std::fs::read(beside.path().with_extension("onnx.data")).unwrap();
    let mut moved = 0;
    for tensor in &model.proto().graph.initializer {
        let entry =
            |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let Some(location) = entry("location") else {
            assert!(tensor.raw_data.len() < 1024, "{}", tensor.name);
            continue;
        };
        assert_eq!(location, "model.onnx.data");
        let [offset, length] = ["offset", "length"].map(|key| entry(key).unwrap().parse::<usize>().unwrap());
        assert_eq!(offset % 4096, 0, "{}", tensor.name);
        let inline = whole.proto().graph.initializer.iter().find(|other| other.name == tensor.name).unwrap();
        assert!(inline.raw_data == data[offset..offset + length], "{}", tensor.name);
        moved += 1;
    }
    assert!(moved > 50, "{moved}");
    assert!(beside.done.stdout.contains("model.onnx.data"), "{}", beside.done.stdout);
}

#[test]
fn folded_batch_norms_compute_the_same() {
    for name in ["inception_v3_tiny", "mobilenet_v1_025"] {
        let case = Case::load(name);
        let options = [&*size_option(&case), "--fold-batch-norm"];
        let converted = Converted::new(&filled(&case), Format::V2, &options);
        assert_eq!(converted.model().nodes("BatchNormalization").len(), 0, "{name}");
        let (_, logits) = converted.run(&case).swap_remove(0);
        assert!(relative_error(&logits, &case.logits()) <= TOLERANCE, "{name}");
        assert!(
            converted.done.stdout.contains("batch norms folded into convolutions"),
            "{}",
            converted.done.stdout
        );
    }
    // ResNet v2 normalizes before its convolutions: what follows a sum or a pool stays.
    let case = Case::load("resnet_v2_50_features");
    let converted = Converted::new(&filled(&case), Format::V2, &["--fold-batch-norm", "--quiet"]);
    let norms = converted.model().nodes("BatchNormalization").len();
    assert!((1..49).contains(&norms), "{norms}");
}
