//! `tf2onnx-rs networks`.

use crate::support::command::{fails, prints};
use crate::support::repository::repository;

#[test]
fn one_network_is_shown_with_its_end_points() {
    let text = prints(&["networks", "inception_v3"]);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(words.join(" ").contains(" Mixed_6e [?, 17, 17, 768] "), "{text}");
    assert!(text.contains("InceptionV3/Predictions/Reshape_1:0"), "{text}");
    let options = ["--image-size", "203x331", "--network-option", "depth_multiplier=0.5", "--json"];
    let json = prints(&[&["networks", "inception-v3"][..], &options].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let points = json["end_points"].as_array().unwrap();
    let point = points.iter().find(|point| point["name"] == "Mixed_6e").unwrap();
    assert_eq!(point["tensor"], "InceptionV3/InceptionV3/Mixed_6e/concat:0");
    assert_eq!(point["shape"], serde_json::json!([null, 11, 19, 384]));
    assert_eq!(json["name"], "inception_v3");
    let described = repository("examples/networks/plain_cnn.toml");
    assert!(prints(&["networks", described.to_str().unwrap()]).contains("end point"));
    assert!(fails(&["networks", "inceptoin_v3"]).contains("did you mean \"inception_v3\""));
    assert!(
        fails(&["networks", "lenet", "--network-option", "classes=3"])
            .contains("did you mean \"num_classes\"?")
    );
}

#[test]
fn every_network_can_be_shown() {
    let all: serde_json::Value = serde_json::from_str(&prints(&["networks", "--json"])).unwrap();
    for network in all.as_array().unwrap() {
        let name = network["name"].as_str().unwrap();
        assert!(prints(&["networks", name]).contains("\n end point"), "{name}");
    }
}
