//! `convert --report`: the content of a report, that it runs no script but its own, and that it is written completely or
//! not at all. `scripts/check_report.sh` opens the pages in a browser.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::checkpoint_writer::{Values, Variable};
use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{convert, fails, tf2onnx_rs};
use crate::support::onnx::Model;
use crate::support::repository::{example, fixture};
use crate::support::zoo::Case;

/// What is reported of a conversion, as a page and as data.
fn reports(input: &Path, options: &[&str]) -> (TempDir, String, Value) {
    let folder = TempDir::new().unwrap();
    let [html, json] = ["report.html", "report.json"].map(|name| folder.path().join(name));
    let both = format!("{},{}", html.display(), json.display());
    let done = convert(input, &folder.path().join("model.onnx"), &[&["--report", &both], options].concat());
    assert!(done.stdout.ends_with(&format!("report {}\nreport {}\n", html.display(), json.display())));
    let page = fs::read_to_string(html).unwrap();
    let data = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    (folder, page, data)
}

fn tiny_with(change: impl FnOnce(&mut Vec<Variable>)) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let mut variables = filled(&Case::load("inception_v3_tiny"));
    change(&mut variables);
    let checkpoint = write(folder.path(), &variables, Format::V2);
    (folder, checkpoint)
}

fn list<'a>(data: &'a Value, key: &str) -> &'a [Value] {
    data[key].as_array().map(Vec::as_slice).unwrap_or_else(|| panic!("{key} is a list"))
}

fn named<'a>(list: &'a [Value], key: &str, name: &str) -> &'a Value {
    list.iter().find(|item| item[key] == name).unwrap_or_else(|| panic!("{name} is listed"))
}

/// A graph in text form, in which somebody chose the names.
fn hostile_graph(folder: &Path, name: &str) -> PathBuf {
    let dims = |dims: &[i64]| dims.iter().map(|dim| format!(" dim {{ size: {dim} }}")).collect::<String>();
    let dtype = "attr { key: \"dtype\" value { type: DT_FLOAT } }";
    let kind = "attr { key: \"T\" value { type: DT_FLOAT } }";
    let values: String = (0..12).map(|value| format!(" float_val: {value}")).collect();
    let text = format!(
        r#"node {{ name: "x" op: "Placeholder" {dtype} attr {{ key: "shape" value {{ shape {{{} }} }} }} }}
        node {{ name: "{name}/weights" op: "Const" {dtype}
          attr {{ key: "value" value {{ tensor {{ dtype: DT_FLOAT tensor_shape {{{} }}{values} }} }} }} }}
        node {{ name: "{name}/MatMul" op: "MatMul" input: "x" input: "{name}/weights" {kind} }}
        node {{ name: "{name}/Relu" op: "Relu" input: "{name}/MatMul" {kind} }}
        node {{ name: "{name}2" op: "Tanh" input: "{name}/Relu" {kind} }}
        "#,
        dims(&[-1, 4]),
        dims(&[4, 3]),
    );
    let path = folder.join("graph.pbtxt");
    fs::write(&path, text).unwrap();
    path
}

/// A graph that was built to be trained, with its checkpoint.
fn training_graph() -> (TempDir, PathBuf) {
    let (folder, source) = (TempDir::new().unwrap(), fixture("batchnorm/fused_noscale_training_graph"));
    for name in ["model.ckpt.index", "model.ckpt.data-00000-of-00001"] {
        fs::copy(source.join(name), folder.path().join(name)).unwrap();
    }
    let mut meta = fs::File::create(folder.path().join("model.ckpt.meta")).unwrap();
    let zipped = fs::File::open(source.join("model.ckpt.meta.gz")).unwrap();
    std::io::copy(&mut flate2::read::GzDecoder::new(zipped), &mut meta).unwrap();
    let checkpoint = folder.path().join("model.ckpt");
    (folder, checkpoint)
}

const TRAINED: &str = "output:0";

const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'&amp;]]>--><!--";

#[test]
fn layers_and_weights_are_those_of_the_network() {
    let case = Case::load("inception_v3_tiny");
    let (_folder, _, data) = reports(&example(), &[]);
    assert_eq!(data["report_version"], 1);
    let of_network: Vec<_> = case.variables.iter().filter(|(name, ..)| !name.contains("AuxLogits")).collect();
    let parameters: usize = of_network.iter().map(|(_, shape, ..)| shape.iter().product::<usize>()).sum();
    assert_eq!(data["totals"]["parameters"], parameters);
    let weights = list(&data, "weights");
    assert_eq!(weights.len(), of_network.len());
    for (name, shape, ..) in of_network {
        assert_eq!(named(weights, "name", name)["shape"], serde_json::json!(shape), "{name}");
    }
    // The end points are what TensorFlow computed, with their shapes.
    let layers = list(&data, "layers");
    let mut compared = 0;
    for (name, end_point) in case.end_points.iter().filter(|(name, _)| !name.contains("Aux")) {
        let node = end_point.tensor.trim_end_matches(":0");
        let Some(layer) = layers.iter().find(|layer| layer["name"] == node) else { continue };
        compared += 1;
        let lengths: Vec<Value> = layer["outputs"][0]["shape"].as_array().unwrap()[1..].to_vec();
        assert_eq!(serde_json::json!(lengths), serde_json::json!(end_point.shape[1..]), "{name}");
    }
    assert!(compared > 20, "{compared}");
    let shares: f64 = layers.iter().map(|layer| layer["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9);
}

#[test]
fn statistics_are_those_of_the_elements() {
    let variables = filled(&Case::load("inception_v3_tiny"));
    let weights = variables.iter().find(|variable| variable.name == "InceptionV3/Conv2d_1a_3x3/weights");
    let Some(Variable { values: Values::Float32(values), .. }) = weights else { panic!("it is float32") };
    let (_folder, checkpoint) = tiny_with(|_| {});
    let (_reports, _, data) = reports(&checkpoint, &[]);
    let weight = named(list(&data, "weights"), "name", "InceptionV3/Conv2d_1a_3x3/weights");
    let told = |key: &str| weight["statistics"][key].as_f64().unwrap();
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    assert!((told("mean") - mean).abs() < 1e-9);
    assert_eq!(told("min"), values.iter().copied().map(f64::from).fold(f64::INFINITY, f64::min));
    assert_eq!(told("max"), values.iter().copied().map(f64::from).fold(f64::NEG_INFINITY, f64::max));
    let counts = weight["histogram"]["counts"].as_array().unwrap();
    assert_eq!(counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), values.len() as u64);
}

#[test]
fn every_assumption_has_its_reason() {
    let (_folder, checkpoint) = tiny_with(|_| {});
    let (_reports, page, data) = reports(&checkpoint, &["--image-size=150", "--outputs=Mixed_6e"]);
    let assumptions = list(&data, "assumptions");
    let about = |about: &str| named(assumptions, "about", about);
    let reason = |about_what: &str| about(about_what)["reason"].as_str().unwrap().to_owned();
    assert_eq!(about("epsilon")["value"], "0.001");
    assert!(reason("epsilon").contains("inception_v3's arg_scope"));
    assert_eq!(about("image size")["value"], "150 × 150");
    assert!(reason("image size").contains("--image-size"));
    assert!(reason("outputs").contains("--outputs"));
    assert!(reason("num_classes").contains("read from the variables"));
    assert!(reason("spatial_squeeze").contains("slim's default"));
    let norms = list(&data, "batch_norms");
    assert_eq!(about("gamma")["items"].as_array().unwrap().len(), norms.len());
    assert!(norms.iter().all(|norm| norm["gamma"].is_null() && norm["variance"].is_u64()));
    assert!(assumptions.iter().all(|assumption| !assumption["reason"].as_str().unwrap().is_empty()));
    assert!(page.contains("1, not stored"));
}

#[test]
fn impossible_variances_are_warnings() {
    let (_folder, checkpoint) = tiny_with(|variables| {
        for variable in variables.iter_mut() {
            if variable.name == "InceptionV3/Conv2d_2a_3x3/BatchNorm/moving_variance" {
                *variable = Variable::float32(&variable.name, &[4], vec![f32::NAN, 0.0, -1.0, 1.0]);
            }
        }
    });
    let (_reports, page, data) = reports(&checkpoint, &[]);
    let warning = named(list(&data, "warnings"), "about", "InceptionV3/Conv2d_2a_3x3/BatchNorm");
    let text = warning["text"].as_str().unwrap();
    for said in ["1 of 4 variances not a number", "1 of 4 variances negative", "1 of 4 variances zero"] {
        assert!(text.contains(said), "{text}");
    }
    assert!(page.contains("<tr class=\"bad\">") && page.contains("id=\"warnings\""));
    let (_reports, page, data) = reports(&example(), &[]);
    assert!(list(&data, "warnings").is_empty() && !page.contains("id=\"warnings\""));
}

#[test]
fn a_training_graph_is_a_warning() {
    let (_folder, checkpoint) = training_graph();
    let (_reports, page, data) = reports(&checkpoint, &["--outputs", TRAINED]);
    let warnings = list(&data, "warnings");
    assert!(warnings.iter().any(|warning| warning["text"].as_str().unwrap().contains("built for training")));
    assert!(page.contains("built for training"));
    assert_eq!(data["source"]["network"], Value::Null);
}

#[test]
fn ops_that_are_kept_are_warnings() {
    let folder = TempDir::new().unwrap();
    let graph = hostile_graph(folder.path(), "net");
    fs::write(&graph, fs::read_to_string(&graph).unwrap().replace("op: \"Relu\"", "op: \"MyOp\"")).unwrap();
    let (_reports, _, data) = reports(&graph, &["--keep-going"]);
    let warning = named(list(&data, "warnings"), "about", "net/Relu");
    assert!(warning["text"].as_str().unwrap().contains("MyOp cannot be converted"), "{warning}");
}

#[test]
fn names_from_a_file_are_text_wherever_they_occur() {
    let folder = TempDir::new().unwrap();
    let (_reports, page, data) = reports(&hostile_graph(folder.path(), HOSTILE), &[]);
    assert!(list(&data, "layers").iter().any(|layer| layer["name"] == format!("{HOSTILE}/Relu")));
    for tag in ["<script>alert", "<img", "onerror=alert(2)>", "<!--"] {
        assert!(!page.contains(tag), "{tag}");
    }
    // The page's own script, and its data.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
}

#[test]
fn a_page_loads_nothing_and_says_so() {
    let (_reports, page, _) = reports(&fixture("graphs/containers/frozen.pb"), &[]);
    assert!(page.contains("content=\"default-src 'none'; style-src 'sha256-"));
    let links = page.replace("http://www.w3.org/2000/svg", "");
    for link in ["http:", "https:", "src=\"", "<link", "style=\"", "onclick"] {
        assert!(!links.contains(link), "{link}");
    }
}

#[test]
fn a_conversion_that_fails_leaves_reports_as_they_were() {
    let folder = TempDir::new().unwrap();
    let [old, new] = ["old.html", "new.json"].map(|name| folder.path().join(name));
    fs::write(&old, "before").unwrap();
    let reports = format!("{},{}", old.display(), new.display());
    let input = example();
    let output = folder.path().join("model.onnx");
    let [input, model] = [&input, &output].map(|path| path.to_str().unwrap());
    fails(&["convert", input, model, "--image-size", "20", "--report", &reports]);
    assert_eq!(fs::read_to_string(&old).unwrap(), "before");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing but what was there");
}

/// A limit on the length of files stands in for a disk that is full: the model fits it, and the page does not.
#[cfg(unix)]
#[test]
fn nothing_is_written_without_space_for_the_report() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("model.onnx"), "old").unwrap();
    let done = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tf2onnx-rs")])
        .arg("convert")
        .args([&fixture("graphs/keras/saved_model"), &path("model.onnx")])
        .args([std::ffi::OsStr::new("--report"), path("page.html").as_os_str()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("page.html: it cannot be written: File too large"), "{said}");
    assert_eq!(done.status.code(), Some(1));
    assert_eq!(std::fs::read(path("model.onnx")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else stays");
}

#[test]
fn nothing_is_converted_if_the_report_cannot_be_written() {
    let folder = TempDir::new().unwrap();
    let input = example();
    let model = folder.path().join("model.json");
    let [input, model] = [&input, &model].map(|path| path.to_str().unwrap());
    let missing = folder.path().join("missing/report.html");
    let error = fails(&["convert", input, model, "--report", missing.to_str().unwrap()]);
    assert!(error.contains("does not exist"), "{error}");
    let error = fails(&["convert", input, model, "--report", model]);
    assert!(error.contains("another output has this name"), "{error}");
    let done = tf2onnx_rs(["convert", input, model, "--report", "report.txt"]);
    assert_eq!(done.status, 2);
    assert!(done.stderr.contains("has to end in .html or .json"), "{}", done.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_report_changes_nothing_about_the_model() {
    let input = example();
    let (folder, ..) = reports(&input, &[]);
    let alone = TempDir::new().unwrap();
    convert(&input, &alone.path().join("model.onnx"), &[]);
    let [with, without] = [&folder, &alone].map(|folder| fs::read(folder.path().join("model.onnx")).unwrap());
    assert_eq!(with, without);
    assert_eq!(Model::load(&folder.path().join("model.onnx")).outputs().len(), 2);
}

/// For `scripts/check_report.sh`, which says where the pages go.
#[test]
#[ignore = "writes pages for scripts/check_report.sh"]
fn pages_for_browsers() {
    let pages = PathBuf::from(std::env::var_os("REPORT_PAGES").expect("REPORT_PAGES names a folder"));
    let folder = TempDir::new().unwrap();
    let page = |name: &str, input: &Path, options: &[&str]| {
        let report = pages.join(format!("{name}.html"));
        let report = ["--report", report.to_str().unwrap()];
        convert(input, &folder.path().join("model.onnx"), &[&report, options].concat());
    };
    page("inception_v3_tiny", &example(), &[]);
    page("user_graph", &fixture("graphs/containers/frozen.pb"), &[]);
    let (_of_training, checkpoint) = training_graph();
    page("training_graph", &checkpoint, &["--outputs", TRAINED]);
    page("hostile_names", &hostile_graph(folder.path(), HOSTILE), &[]);
    for name in ["mobilenet_v2_half", "resnet_v1_50", "nasnet_large"] {
        let of_case = TempDir::new().unwrap();
        let checkpoint = write(of_case.path(), &filled(&Case::load(name)), Format::V2);
        page(name, &checkpoint, &[]);
    }
}
