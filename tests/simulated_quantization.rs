//! Checkpoints of networks that were trained with simulated quantization, without their graph: what is rounded is what
//! `tf.contrib.quantize` of TensorFlow 1.15 rounds.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use tempfile::TempDir;
use tf2onnx_rs::graph::TensorRef;
use tf2onnx_rs::passes::quantize::quantize;
use tf2onnx_rs::slim::recognize::Overrides;
use tf2onnx_rs::slim::{ImageShape, Recognition, Variables, build, recognize};

use crate::support::checkpoint_writer::{Variable, write_v2};
use crate::support::command::{convert, fails, prints};
use crate::support::fill;
use crate::support::npy;
use crate::support::onnx::{Model, execute, relative_error};
use crate::support::repository::fixture;
use crate::support::zoo::Case;

/// A compressed file of the fixture.
fn unpacked(name: &str) -> Vec<u8> {
    let file = std::fs::File::open(fixture("simulated_quantization").join(name)).unwrap();
    let mut bytes = vec![];
    GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// For each network that TensorFlow changes, the scopes of the ranges, and the nodes whose outputs they belong to.
fn ranges() -> BTreeMap<String, BTreeMap<String, String>> {
    serde_json::from_slice(&unpacked("ranges.json.gz")).unwrap()
}

/// The variables of a network and of its ranges.
fn variables(case: &Case, scopes: &BTreeMap<String, String>) -> Variables {
    let ends = scopes.keys().flat_map(|scope| ["min", "max"].map(|end| (format!("{scope}/{end}"), vec![])));
    case.variables().into_iter().chain(ends).collect()
}

/// The nodes that are rounded, by the scopes of their ranges.
fn rounded(case: &Case, variables: &Variables) -> Result<BTreeMap<String, String>, String> {
    let options = case.network_options();
    let overrides = Overrides { options: &options, ..Overrides::default() };
    let Recognition { network, prefix, options, channels, .. } =
        recognize(variables, overrides).map_err(|error| error.to_string())?;
    let [height, width] = case.image_size();
    let image = ImageShape { batch: None, height, width, channels };
    let built = build(&network, &prefix, &options, &image, variables).map_err(|error| error.to_string())?;
    // The graphs of the fixtures have what the logits need.
    let of_logits = case.graph();
    let needed: Vec<TensorRef> =
        of_logits.nodes().filter_map(|(_, node)| built.graph.find(&node.name)).map(TensorRef::from).collect();
    let (graph, _) = built.graph.pruned_to(&needed);
    let (graph, ..) = quantize(graph, variables).map_err(|error| error.to_string())?;
    let nodes = graph.nodes().filter(|(_, node)| node.op == "FakeQuantWithMinMaxVars");
    let scope = |name: &str| name.rsplit_once('/').unwrap().0.to_owned();
    Ok(nodes.map(|(_, node)| (scope(&node.name), graph.node(node.inputs[0].node).name.clone())).collect())
}

#[test]
fn all_networks_are_rounded_where_tensorflow_rounds_them() {
    let ranges = ranges();

    let differs = ranges.iter().filter_map(|(name, expected)| {
        let case = Case::load(name);
        match rounded(&case, &variables(&case, expected)) {
            Ok(found) if found == *expected => None,
            Ok(found) => Some(format!(
                "{name}: {:?}",
                expected.iter().find(|(scope, node)| found.get(*scope) != Some(node))
            )),
            Err(error) => Some(format!("{name}: {error}")),
        }
    });
    let differs: Vec<String> = differs.collect();
    assert!(differs.is_empty(), "{} of {}:\n{}", differs.len(), ranges.len(), differs.join("\n"));
}

/// A checkpoint with the values of the fixture, and the graph that TensorFlow evaluated.
fn written(name: &str, folder: &TempDir) -> (Case, [PathBuf; 2]) {
    let case = Case::load(name);
    let ranges: BTreeMap<String, [f32; 2]> =
        serde_json::from_slice(&unpacked(&format!("{name}/ranges.json.gz"))).unwrap();
    let weights = case
        .variables
        .iter()
        .map(|(name, shape, _, gain)| Variable::float32(name, shape, fill::variable(name, shape, *gain)));
    let ends = ranges.iter().flat_map(|(scope, range)| {
        let end =
            move |(end, value): (&str, f32)| Variable::float32(&format!("{scope}/{end}"), &[], vec![value]);
        ["min", "max"].into_iter().zip(*range).map(end)
    });
    let checkpoint = folder.path().join("model.ckpt");
    write_v2(&checkpoint, &weights.chain(ends).collect::<Vec<_>>()).unwrap();
    let graph = folder.path().join("eval.pb");
    std::fs::write(&graph, unpacked(&format!("{name}/graph.pb.gz"))).unwrap();
    (case, [checkpoint, graph])
}

/// The operators of a model in its order.
fn operators(model: &Model) -> Vec<String> {
    model.proto().graph.node.iter().map(|node| node.op_type.clone()).collect()
}

#[test]
fn a_rebuilt_network_is_the_graph_that_tensorflow_evaluated() {
    for name in ["mobilenet_v1_025", "mobilenet_v2_half"] {
        let folder = TempDir::new().unwrap();
        let (case, [checkpoint, graph]) = written(name, &folder);
        let models = ["rebuilt.onnx", "imported.onnx"].map(|name| folder.path().join(name));
        let [height, width] = case.image_size();
        let size = format!("{height}x{width}");
        let outputs = ["--outputs", &case.output];
        convert(&checkpoint, &models[0], &[&outputs[..], &["--image-size", &size]].concat());
        convert(&checkpoint, &models[1], &[&outputs[..], &["--graph", graph.to_str().unwrap()]].concat());
        let [rebuilt, imported] = models.each_ref().map(|model| Model::load(model));
        assert_eq!(operators(&rebuilt), operators(&imported), "{name}");
    }
}

#[test]
fn a_rebuilt_network_computes_what_tensorflow_computes() {
    let folder = TempDir::new().unwrap();
    let (case, [checkpoint, _]) = written("mobilenet_v1_025", &folder);
    let shown = prints(&["inspect", checkpoint.to_str().unwrap()]);
    assert!(shown.contains("\nother: 112 tensors, 448 B, converted\n"), "{shown}");
    let model = folder.path().join("model.onnx");
    let [height, width] = case.image_size();
    let size = format!("{height}x{width}");
    convert(
        &checkpoint,
        &model,
        &["--outputs", &case.output, "--image-size", &size, "--quantization", "float"],
    );
    let shape = [case.input.batch, height, width, 3];
    let results = execute(&model, &shape, fill::image(&shape));
    let logits = npy::read(&fixture("simulated_quantization/mobilenet_v1_025/logits.npy"));
    let error = relative_error(&results[0].1, &logits);
    // The runtime adds in another order than TensorFlow, and a sum near the middle of two levels becomes the other one. In ONNX Runtime
    // the error is 1.1e-7.
    assert!(error < 0.02, "{error}");
}

#[test]
fn ranges_of_another_network_are_refused() {
    let folder = TempDir::new().unwrap();
    let case = Case::load("mobilenet_v1_025");
    let weights = case
        .variables
        .iter()
        .map(|(name, shape, _, gain)| Variable::float32(name, shape, fill::variable(name, shape, *gain)));
    let range =
        |end: &str| Variable::float32(&format!("MobilenetV1/Conv2d_0/act_quant/{end}"), &[], vec![1.0]);
    let checkpoint = folder.path().join("model.ckpt");
    write_v2(&checkpoint, &weights.chain(["min", "max"].map(range)).collect::<Vec<_>>()).unwrap();
    let model = folder.path().join("model.onnx");
    let error = fails(&["convert", checkpoint.to_str().unwrap(), model.to_str().unwrap()]);
    assert!(error.contains("tf.contrib.quantize"), "{error}");
    assert!(!model.exists());
}
