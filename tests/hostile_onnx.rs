//! ONNX models that are damaged or contain wrong values: each is described as far as possible or refused, without a panic.

use std::path::{Path, PathBuf};

use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::tensor_proto::DataLocation;
use onnx_protobuf::{
    AttributeProto, GraphProto, Message, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, ValueInfoProto,
};
use tempfile::TempDir;
use tf2onnx_rs::convert::ConvertOptions;
use tf2onnx_rs::inspect::{OnnxSummary, Parts, identify, inspect_tensors};
use tf2onnx_rs::source::OpenOptions;
use tf2onnx_rs::tensors_in_file::TensorFile;

use crate::support::command::{convert, fails};
use crate::support::repository::fixture;
use crate::support::settled;

/// Looks at everything that `inspect` looks at.
fn look_at(path: &Path) -> Result<usize, String> {
    let file = TensorFile::open(path, &OpenOptions::default()).map_err(|error| error.to_string())?;
    let tensors = file.tensors();
    identify(&file, &tensors, &ConvertOptions::default()).map_err(|error| error.to_string())?;
    if let TensorFile::Onnx(onnx) = &file {
        OnnxSummary::new(onnx);
    }
    let names = tensors.iter().map(|tensor| tensor.name.clone()).collect();
    Ok(inspect_tensors(tensors, &names, &Parts::of(&file), None, true, &|_| ()).len())
}

fn small_model(folder: &Path) -> PathBuf {
    let frozen = fixture("graphs/containers/frozen.pb");
    let model = folder.join("model.onnx");
    convert(&frozen, &model, &[]);
    model
}

#[test]
fn every_truncation_and_every_damaged_byte_has_a_result() {
    let folder = TempDir::new().unwrap();
    let path = small_model(folder.path());
    let model = std::fs::read(&path).unwrap();
    assert_eq!(look_at(&path), Ok(13));
    // A message may end after any of its fields: what counts is that it is looked at.
    let refused = (0..model.len()).filter(|&end| {
        settled::write(&path, &model[..end]);
        look_at(&path).is_err()
    });
    assert!(refused.count() > model.len() / 2);
    let mut damaged = model.clone();
    for place in 0..model.len() {
        for change in [0xff, 0x01] {
            damaged[place] ^= change;
            settled::write(&path, &damaged);
            let _ = look_at(&path);
            damaged[place] = model[place];
        }
    }
}

/// A model with one tensor whose elements are elsewhere.
fn with_external(folder: &Path, entries: &[(&str, &str)]) -> PathBuf {
    let entry = |(key, value): &(&str, &str)| StringStringEntryProto {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
        ..Default::default()
    };
    let tensor = TensorProto {
        name: "w".to_owned(),
        dims: vec![4],
        data_type: 1,
        external_data: entries.iter().map(entry).collect(),
        data_location: DataLocation::EXTERNAL.into(),
        ..Default::default()
    };
    with_tensor(folder, tensor)
}

fn with_tensor(folder: &Path, tensor: TensorProto) -> PathBuf {
    let graph = GraphProto { initializer: vec![tensor], ..Default::default() };
    let model = ModelProto { ir_version: 8, graph: Some(graph).into(), ..Default::default() };
    let path = folder.join("external.onnx");
    std::fs::write(&path, model.write_to_bytes().unwrap()).unwrap();
    path
}

#[test]
fn external_data_outside_of_the_folder_is_not_read() {
    let root = TempDir::new().unwrap();
    let folder = root.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    let secret = root.path().join("secret");
    std::fs::write(&secret, [0; 16]).unwrap();
    std::fs::write(folder.join("w.bin"), [0; 16]).unwrap();
    let out = root.path().join("w.npz");
    let extracted = |model: &Path| fails(&["extract", model.to_str().unwrap(), out.to_str().unwrap()]);
    for location in ["../secret", secret.to_str().unwrap(), "", "a/../../secret"] {
        let said = extracted(&with_external(&folder, &[("location", location)]));
        assert!(said.contains("is not below the model's folder"), "{location}: {said}");
    }
    for (offset, length) in
        [("8", "16"), ("17", "0"), ("18446744073709551615", "16"), ("-1", "16"), ("0", "x")]
    {
        let entries = [("location", "w.bin"), ("offset", offset), ("length", length)];
        extracted(&with_external(&folder, &entries));
    }
    // Less than the shape needs.
    extracted(&with_external(&folder, &[("location", "w.bin"), ("length", "12")]));
    assert_eq!(look_at(&with_external(&folder, &[("location", "w.bin")])), Ok(1));
    assert!(!out.exists());
}

#[test]
fn impossible_shapes_are_refused() {
    let folder = TempDir::new().unwrap();
    let tensor = |dims: &[i64]| TensorProto {
        name: "w".to_owned(),
        dims: dims.to_vec(),
        data_type: 1,
        raw_data: vec![0; 4],
        ..Default::default()
    };
    let path = with_tensor(folder.path(), tensor(&[-1]));
    assert!(look_at(&path).unwrap_err().contains("negative lengths"));
    // Too large for any machine, and too large for its bytes: listed, and said to be unreadable.
    for dims in [&[i64::MAX, i64::MAX][..], &[1 << 40]] {
        assert_eq!(look_at(&with_tensor(folder.path(), tensor(dims))), Ok(1));
    }
}

#[test]
fn files_that_are_not_models_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.onnx");
    for (bytes, problem) in [
        (&b""[..], "it is empty"),
        (b"\x08\x08", "is not an ONNX model"),
        (b"<html>", "it is a web page"),
        (&[0xff; 100], "is not an ONNX model"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let said = fails(&["inspect", path.to_str().unwrap()]);
        assert!(said.contains(problem), "{said}");
    }
}

fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    NodeProto { op_type: op.to_owned(), input: owned(inputs), output: owned(outputs), ..Default::default() }
}

fn values(names: &[&str]) -> Vec<ValueInfoProto> {
    names.iter().map(|&name| ValueInfoProto { name: name.to_owned(), ..Default::default() }).collect()
}

fn int64(name: &str, elements: &[i64]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: vec![elements.len() as i64],
        data_type: 7,
        int64_data: elements.to_vec(),
        ..Default::default()
    }
}

/// A model without inputs and with the output `y`.
fn with_nodes(path: &Path, nodes: Vec<NodeProto>, initializers: Vec<TensorProto>) {
    let graph =
        GraphProto { node: nodes, initializer: initializers, output: values(&["y"]), ..Default::default() };
    let opset = OperatorSetIdProto { version: 17, ..Default::default() };
    let model = ModelProto {
        ir_version: 8,
        graph: Some(graph).into(),
        opset_import: vec![opset],
        ..Default::default()
    };
    std::fs::write(path, model.write_to_bytes().unwrap()).unwrap();
}

/// A loop that never ends.
fn endless() -> (NodeProto, Vec<TensorProto>) {
    let body = GraphProto {
        node: vec![node("Identity", &["condition"], &["goes_on"]), node("Identity", &["value"], &["next"])],
        input: values(&["step", "condition", "value"]),
        output: values(&["goes_on", "next"]),
        ..Default::default()
    };
    let attribute = AttributeProto {
        name: "body".to_owned(),
        type_: AttributeType::GRAPH.into(),
        g: Some(body).into(),
        ..Default::default()
    };
    let mut node = node("Loop", &["most", "goes_on_first", "value_first"], &["y"]);
    node.attribute.push(attribute);
    let goes_on = TensorProto { data_type: 9, ..scalar("goes_on_first") };
    let most = TensorProto {
        int32_data: vec![],
        int64_data: vec![i64::from(i32::MAX)],
        data_type: 7,
        ..scalar("most")
    };
    (node, vec![most, goes_on, int64("value_first", &[1])])
}

fn scalar(name: &str) -> TensorProto {
    TensorProto { name: name.to_owned(), int32_data: vec![1], ..Default::default() }
}

#[test]
fn a_model_that_needs_more_memory_than_there_is_ends_only_its_process() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("huge.onnx");
    with_nodes(
        &path,
        vec![node("ConstantOfShape", &["shape"], &["y"])],
        vec![int64("shape", &[1 << 20, 1 << 20])],
    );
    let path = path.to_str().unwrap();
    let said = fails(&["verify", path, "--against", path]);
    assert!(said.contains("huge.onnx: the runtime rten cannot"), "{said}");
    assert!(said.contains("of memory at once") || !cfg!(target_os = "linux"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_limit_on_memory_is_that_of_the_option() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("large.onnx");
    with_nodes(
        &path,
        vec![node("ConstantOfShape", &["shape"], &["y"])],
        vec![int64("shape", &[100_000_000])],
    );
    let path = path.to_str().unwrap();
    let said = fails(&["verify", path, "--against", path, "--limit", "memory=200MB"]);
    assert!(said.contains("may have 0.2 GB; allow more with --limit memory="), "{said}");
}

#[test]
fn a_model_that_never_ends_is_stopped() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("endless.onnx");
    let (node, initializers) = endless();
    with_nodes(&path, vec![node], initializers);
    let path = path.to_str().unwrap();
    let said = fails(&["verify", path, "--against", path, "--limit", "seconds=1"]);
    assert!(said.contains("it within 1 s; give it longer with --limit seconds=10"), "{said}");
}

#[test]
fn a_model_that_contradicts_itself_is_refused_before_it_runs() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("circle.onnx");
    with_nodes(&path, vec![node("Neg", &["y"], &["z"]), node("Neg", &["z"], &["y"])], vec![]);
    let path = path.to_str().unwrap();
    let said = fails(&["verify", path, "--against", path]);
    assert!(said.contains("its inputs depend on its outputs; the file is damaged"), "{said}");
}

/// The process of a model never outlives the program, however that ends.
#[cfg(target_os = "linux")]
#[test]
fn no_process_is_left_when_the_program_is_killed() {
    use std::time::{Duration, Instant};

    use crate::support::command::binary;

    let folder = TempDir::new().unwrap();
    let path = folder.path().join("endless.onnx");
    let (node, initializers) = endless();
    with_nodes(&path, vec![node], initializers);
    let runs_it = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let command = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
        let path = path.to_str().unwrap().as_bytes();
        let is_model = |line: Vec<u8>| {
            let mut words = line.split(|&byte| byte == 0);
            words.any(|word| word == b"run-model") && words.any(|word| word == path)
        };
        processes.filter_map(command).any(is_model)
    };
    let until = |expected: bool| {
        let begun = Instant::now();
        while runs_it() != expected {
            assert!(begun.elapsed() < Duration::from_secs(60), "a model runs: {}", !expected);
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let mut program = binary()
        .arg("verify")
        .arg(&path)
        .arg("--against")
        .arg(&path)
        .args(["--limit", "seconds=600"])
        .spawn()
        .unwrap();
    until(true);
    program.kill().unwrap();
    program.wait().unwrap();
    until(false);
}
