//! Hash tables that a file fills, and ops that ONNX does not have.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::command::{convert, fails};
use crate::support::onnx::Model;

/// A SavedModel of TensorFlow 1 with a table from the words of a file to the numbers of their lines.
fn write_saved_model(folder: &Path, options: &str) {
    let attribute = |key: &str, value: &str| format!("attr {{ key: \"{key}\" value {{ {value} }} }} ");
    let types = attribute("key_dtype", "type: DT_STRING") + &attribute("value_dtype", "type: DT_INT64");
    let find = attribute("Tin", "type: DT_STRING") + &attribute("Tout", "type: DT_INT64");
    let constant = |dtype: &str, value: &str| {
        attribute("dtype", &format!("type: {dtype}"))
            + &attribute("value", &format!("tensor {{ dtype: {dtype} tensor_shape {{ }} {value} }}"))
    };
    let word = attribute("dtype", "type: DT_STRING") + &attribute("shape", "shape { dim { size: -1 } }");
    let node = |name: &str, op: &str, inputs: &[&str], attributes: &str| {
        let inputs: String = inputs.iter().map(|input| format!("input: \"{input}\" ")).collect();
        format!("node {{ name: \"{name}\" op: \"{op}\" {inputs}{attributes} }}\n")
    };
    let graph = [
        node("file", "Const", &[], &constant("DT_STRING", "string_val: \"/training/vocabulary.txt\"")),
        node("missing", "Const", &[], &constant("DT_INT64", "int64_val: -1")),
        node("table", "HashTableV2", &[], &types),
        node("fill", "InitializeTableFromTextFileV2", &["table", "file"], options),
        node("words", "Placeholder", &[], &word),
        node("found", "LookupTableFindV2", &["table", "words", "missing"], &find),
    ]
    .concat();
    let tensor = |name: &str, dtype: &str| format!("value {{ name: \"{name}\" dtype: {dtype} }}");
    let (words, found) = (tensor("words:0", "DT_STRING"), tensor("found:0", "DT_INT64"));
    let signature = format!("inputs {{ key: \"words\" {words} }} outputs {{ key: \"ids\" {found} }}");
    let saved_model = format!(
        "meta_graphs {{ meta_info_def {{ tags: \"serve\" }} graph_def {{ {graph} }}
         signature_def {{ key: \"serving_default\" value {{ {signature} }} }}
         asset_file_def {{ tensor_info {{ name: \"file:0\" }} filename: \"vocabulary.txt\" }} }}"
    );
    fs::write(folder.join("saved_model.pbtxt"), saved_model).unwrap();
}

fn write_asset(folder: &Path, text: &str) {
    fs::create_dir_all(folder.join("assets")).unwrap();
    fs::write(folder.join("assets/vocabulary.txt"), text).unwrap();
}

/// The keys and the values of the model's table.
fn entries(model: &Path) -> (Vec<String>, Vec<i64>) {
    let model = Model::load(model);
    let encoder = model.nodes("LabelEncoder")[0];
    let attribute = |name: &str| encoder.attribute.iter().find(|found| found.name == name).unwrap();
    let keys = &attribute("keys_strings").strings;
    let keys = keys.iter().map(|key| String::from_utf8(key.clone()).unwrap()).collect();
    (keys, attribute("values_int64s").ints.clone())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn the_lines_of_an_asset_file_are_a_tables_contents() {
    let folder = TempDir::new().unwrap();
    write_saved_model(folder.path(), "");
    write_asset(folder.path(), "apple\r\nred cherry\nplum");
    let model = folder.path().join("model.onnx");
    let done = convert(folder.path(), &model, &[]);
    assert_eq!(entries(&model), (words(&["apple", "red cherry", "plum"]), vec![0, 1, 2]));
    assert!(!done.stdout.contains("vocabulary.txt"), "{}", done.stdout);
}

#[test]
fn a_column_of_an_asset_file_may_be_the_keys() {
    let option = |key: &str, value: &str| format!("attr {{ key: \"{key}\" value {{ {value} }} }} ");
    let columns =
        option("key_index", "i: 1") + &option("value_index", "i: 0") + &option("delimiter", "s: \",\"");
    let folder = TempDir::new().unwrap();
    write_saved_model(folder.path(), &(columns + &option("vocab_size", "i: 2")));
    write_asset(folder.path(), "7,apple,green\n5,plum,blue\nnot,read\n");
    let model = folder.path().join("model.onnx");
    convert(folder.path(), &model, &[]);
    assert_eq!(entries(&model), (words(&["apple", "plum"]), vec![7, 5]));
    let error = |text: &str| {
        write_asset(folder.path(), text);
        fails(&["convert", folder.path().to_str().unwrap(), model.to_str().unwrap()])
    };
    assert!(error("7,apple\nfive,plum\n").contains("line 2 has no int64"));
    assert!(error("7,apple\n5\n").contains("line 2 has no column 1"));
    assert!(error("7,apple\n\n").contains("line 2 is empty"));
    assert!(error("7,apple\n").contains("has 1 lines, and the table \"table\" needs 2"));
}

#[test]
fn without_its_file_a_table_is_refused() {
    let folder = TempDir::new().unwrap();
    write_saved_model(folder.path(), "");
    let model = folder.path().join("model.onnx");
    let error = fails(&["convert", folder.path().to_str().unwrap(), model.to_str().unwrap()]);
    assert!(error.contains("HashTableV2 \"table\": the table's contents"), "{error}");
}

#[test]
fn an_op_that_onnx_cannot_express_is_refused_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let graph = folder.path().join("graph.pbtxt");
    let text = "node { name: \"x\" op: \"Placeholder\" attr { key: \"dtype\" value { type: DT_STRING } } }
                node { name: \"length\" op: \"StringLength\" input: \"x\" }";
    fs::write(&graph, text).unwrap();
    let model = folder.path().join("model.onnx");
    let error = fails(&["convert", graph.to_str().unwrap(), model.to_str().unwrap()]);
    assert!(
        error.contains("StringLength (1 time: \"length\"; ONNX has no operators for the characters"),
        "{error}"
    );
}
