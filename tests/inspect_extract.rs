//! `tf2onnx-rs inspect` and `extract`.

use std::io::Read;

use tempfile::TempDir;

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{fails, tf2onnx_rs};
use crate::support::zoo::Case;

#[test]
fn inspect_shows_tensors_network_and_what_would_be_assumed() {
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &filled(&Case::load("inception_v3_tiny")), Format::V1);
    let done = tf2onnx_rs(["inspect", checkpoint.to_str().unwrap()]);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let rows: Vec<Vec<&str>> = done
        .stdout
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|c| !c.is_empty()).collect())
        .collect();
    let weights = ["InceptionV3/Conv2d_1a_3x3/weights", "float32", "[3, 3, 3, 4]", "432 B", "weights"];
    assert!(rows.iter().any(|row| *row == weights), "{}", done.stdout);
    let norm = ["InceptionV3/Conv2d_1a_3x3/BatchNorm", "4", "not stored: ones", "stored", "0.001"];
    assert!(rows.iter().any(|row| *row == norm), "{}", done.stdout);
    assert!(
        done.stdout
            .contains("network inception_v3 in InceptionV3: the file has 378 of its 378 variables (100 %)")
    );
    assert!(done.stdout.contains("unit scale synthesized for 94 (slim's scale=False)"));
}

#[test]
fn inspect_prints_the_same_as_json() {
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &filled(&Case::load("inception_v3_tiny")), Format::V2);
    let done = tf2onnx_rs(["inspect", "--json", checkpoint.to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_str(&done.stdout).expect("it is JSON");
    let tensor =
        json["tensors"].as_array().unwrap().iter().find(|t| t["name"] == "InceptionV3/Conv2d_1a_3x3/weights");
    let expected = serde_json::json!({
        "name": "InceptionV3/Conv2d_1a_3x3/weights", "dtype": "float32", "shape": [3, 3, 3, 4], "bytes": 432,
        "kind": "weights", "converted": true, "statistics": null
    });
    assert_eq!(tensor, Some(&expected));
    assert_eq!(json["network"]["name"], "inception_v3");
    assert_eq!(json["network"]["certainty"], 1.0);
    assert_eq!(
        json["batch_norms"].as_array().unwrap().len(),
        94,
        "those of the auxiliary classifier are not"
    );
    let norm = &json["batch_norms"][0];
    assert_eq!(norm["gamma"]["origin"], "synthesized");
    assert_eq!(norm["beta"]["variable"], "InceptionV3/Conv2d_1a_3x3/BatchNorm/beta");
    assert_eq!(norm["channels"], 4);
}

#[test]
fn batch_norms_of_an_unknown_network_are_found_by_name() {
    let folder = TempDir::new().unwrap();
    let vector = |name: &str| Variable::float32(name, &[2], vec![1.0, 2.0]);
    let variables = ["net/bn/beta", "net/bn/moving_mean", "net/bn/moving_variance"].map(vector);
    let checkpoint = write(folder.path(), &variables, Format::V2);
    let done = tf2onnx_rs(["inspect", "--json", checkpoint.to_str().unwrap()]);
    assert_eq!(done.status, 0, "that there is no network is an answer");
    let json: serde_json::Value = serde_json::from_str(&done.stdout).expect("it is JSON");
    assert!(json["network"].is_null());
    assert!(json["network_problem"].as_str().unwrap().contains("no network of the library"));
    let norm = &json["batch_norms"][0];
    assert_eq!((&norm["name"], &norm["gamma"]["origin"]), (&"net/bn".into(), &"synthesized".into()));
    assert!(norm["epsilon"].is_null(), "no checkpoint holds it");
}

#[test]
fn extract_writes_every_tensor_for_numpy() {
    let folder = TempDir::new().unwrap();
    let variables = [
        Variable::float32("scope/w", &[2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        Variable::int64_scalar("global_step", 7),
    ];
    let checkpoint = write(folder.path(), &variables, Format::V1);
    let npz = folder.path().join("out.npz");
    let done = tf2onnx_rs(["extract", checkpoint.to_str().unwrap(), npz.to_str().unwrap()]);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&npz).unwrap()).unwrap();
    assert_eq!(archive.len(), 2);
    let mut npy = vec![];
    archive.by_name("scope/w.npy").unwrap().read_to_end(&mut npy).unwrap();
    let (header, elements) = npy.split_at(128);
    assert!(
        String::from_utf8_lossy(header).contains("'descr': '<f4', 'fortran_order': False, 'shape': (2, 3,)")
    );
    assert_eq!(elements, [0.0f32, 1.0, 2.0, 3.0, 4.0, 5.0].map(f32::to_le_bytes).concat());
    let said =
        fails(&["extract", checkpoint.to_str().unwrap(), folder.path().join("out.csv").to_str().unwrap()]);
    assert!(said.contains(".npz"), "{said}");
}

#[test]
fn networks_lists_what_convert_knows() {
    let done = tf2onnx_rs(["networks", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&done.stdout).expect("it is JSON");
    let v3 = json.as_array().unwrap().iter().find(|network| network["name"] == "inception_v3").unwrap();
    assert_eq!((&v3["image_size"], &v3["arg_scope"]), (&299.into(), &"inception_v3_arg_scope".into()));
    assert!(tf2onnx_rs(["networks"]).stdout.contains("inception_resnet_v2"));
}

#[test]
fn inspect_reports_why_a_conversion_with_these_options_would_fail() {
    let network = "examples/inception_v3_tiny/inception_v3_tiny.ckpt";
    let findings = |options: &[&str]| {
        let done = tf2onnx_rs([&["inspect", network, "--json"], options].concat());
        assert_eq!(done.status, 0, "{options:?}: {}", done.stderr);
        let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        report["findings"].to_string()
    };
    assert!(!findings(&[]).contains("conversion_fails"));
    for options in [
        ["--outputs", "nope"],
        ["--image-size", "20"],
        ["--labels", "nothere.txt"],
        ["--rename-outputs", "a,b,c,d"],
        ["--inputs-as-nchw", "nope"],
    ] {
        let found = findings(&options);
        assert!(found.contains("convert would fail: "), "{options:?}: {found}");
    }
}

#[test]
fn extract_suggests_with_synthesized() {
    let network = "examples/inception_v3_tiny/inception_v3_tiny.ckpt";
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("w.npz").display().to_string();
    let said = fails(&["extract", network, &output, "--match", "*/gamma"]);
    assert!(
        said.contains(
            "no tensor matches; add --with-synthesized for parts of batch norms that are not stored"
        ),
        "{said}"
    );
    let said = fails(&["extract", network, &output, "--match", "nothing"]);
    assert!(said.contains("no tensor matches; tf2onnx-rs inspect lists its tensors"), "{said}");
}
