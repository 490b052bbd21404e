//! `tf2onnx-rs ops` prints the table in `docs/ops.md`.

use crate::support::command::tf2onnx_rs;
use crate::support::repository::repository;

#[test]
fn the_table_in_the_documentation_is_current() {
    let written = std::fs::read_to_string(repository("docs/ops.md")).unwrap();
    let printed = tf2onnx_rs(["ops", "--markdown"]).stdout;
    assert!(written == printed, "docs/ops.md is not current: cargo run -- ops --markdown > docs/ops.md");
}

#[test]
fn json_lists_the_same_ops() {
    let json: serde_json::Value = serde_json::from_str(&tf2onnx_rs(["ops", "--json"]).stdout).unwrap();
    let ops = json.as_array().unwrap();
    let conv = ops.iter().find(|op| op["name"] == "Conv2D").unwrap();
    assert_eq!(conv["onnx"], serde_json::json!(["Conv"]));
    assert!(ops.windows(2).all(|pair| pair[0]["name"].as_str() < pair[1]["name"].as_str()), "sorted by name");
}
