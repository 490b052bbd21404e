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

/// A frozen graph with a table of this name, without the op that filled it.
fn write_frozen(folder: &Path, name: &str, types: [&str; 2]) -> std::path::PathBuf {
    let attribute = |key: &str, value: &str| format!("attr {{ key: \"{key}\" value {{ {value} }} }} ");
    let table = attribute("key_dtype", &format!("type: {}", types[0]))
        + &attribute("value_dtype", &format!("type: {}", types[1]))
        + &attribute("shared_name", &format!("s: \"{name}\""));
    let missing = match types[1] {
        "DT_STRING" => "string_val: \"?\"",
        _ => "int64_val: -1",
    };
    let missing = format!("tensor {{ dtype: {} tensor_shape {{ }} {missing} }}", types[1]);
    let missing = attribute("dtype", &format!("type: {}", types[1])) + &attribute("value", &missing);
    let given =
        attribute("dtype", &format!("type: {}", types[0])) + &attribute("shape", "shape { dim { size: 1 } }");
    let find =
        attribute("Tin", &format!("type: {}", types[0])) + &attribute("Tout", &format!("type: {}", types[1]));
    let text = format!(
        "node {{ name: \"table\" op: \"HashTableV2\" {table} }}
         node {{ name: \"missing\" op: \"Const\" {missing} }}
         node {{ name: \"x\" op: \"Placeholder\" {given} }}
         node {{ name: \"found\" op: \"LookupTableFindV2\" input: \"table\" input: \"x\" input: \"missing\" {find} }}"
    );
    let graph = folder.join("graph.pbtxt");
    fs::write(&graph, text).unwrap();
    graph
}

#[test]
fn the_file_that_a_table_of_a_frozen_graph_is_named_after_fills_it() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("words_of_5.txt"), "apple\nplum\nlime\n").unwrap();
    let model = folder.path().join("model.onnx");
    let numbers = ["DT_STRING", "DT_INT64"];
    for (name, values) in [
        ("hash_table_words_of_5.txt_-2_-1", vec![0, 1, 2]),
        ("hash_table_/training/words_of_5.txt_2_-2_-1", vec![0, 1]),
        ("hash_table_words_of_5.txt_-2_-1_7", vec![7, 8, 9]),
        ("hash_table_words_of_5.txt_1_-2_-1_7", vec![7]),
    ] {
        convert(&write_frozen(folder.path(), name, numbers), &model, &[]);
        assert_eq!(entries(&model).1, values, "{name}");
        assert_eq!(entries(&model).0, words(&["apple", "plum", "lime"][..values.len()]), "{name}");
    }
    let inverted = write_frozen(folder.path(), "hash_table_words_of_5.txt_-1_-2", ["DT_INT64", "DT_STRING"]);
    convert(&inverted, &model, &[]);
    let encoder = Model::load(&model);
    let encoder = encoder.nodes("LabelEncoder")[0];
    let attribute = |name: &str| encoder.attribute.iter().find(|found| found.name == name).unwrap();
    assert_eq!(attribute("keys_int64s").ints, [0, 1, 2]);
    assert_eq!(attribute("values_strings").strings[2], b"lime");
    for name in ["hash_table_words_of_5.txt_0_1", "hash_table_other.txt_-2_-1", "table_7"] {
        let graph = write_frozen(folder.path(), name, numbers);
        let error = fails(&["convert", graph.to_str().unwrap(), model.to_str().unwrap()]);
        let advice = format!("put the file that its name \"{name}\" contains beside the graph");
        assert_eq!(error.contains(&advice), name.starts_with("hash_table_"), "{error}");
    }
}

#[test]
fn the_file_of_a_table_is_a_file_of_the_input() {
    let folder = TempDir::new().unwrap();
    let [file, model] = ["words.txt", "model.onnx"].map(|name| folder.path().join(name));
    fs::write(&file, "apple\nplum\n").unwrap();
    let graph = write_frozen(folder.path(), "hash_table_words.txt_-2_-1", ["DT_STRING", "DT_INT64"]);
    convert(&graph, &model, &["--provenance"]);
    let model = Model::load(&model);
    let names: Vec<&str> = model.metadata("source_sha256").unwrap().lines().map(|line| &line[66..]).collect();
    assert_eq!(names, ["graph.pbtxt", "words.txt"]);
    let error = fails(&["convert", graph.to_str().unwrap(), file.to_str().unwrap()]);
    assert!(error.contains("words.txt"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "apple\nplum\n");
}

#[test]
fn a_graph_reads_no_file_outside_of_its_folder() {
    let folder = TempDir::new().unwrap();
    let [secret, inside, model] = ["secret.txt", "model", "model.onnx"].map(|name| folder.path().join(name));
    fs::write(&secret, "a secret\n").unwrap();
    fs::create_dir_all(inside.join("assets")).unwrap();
    let refused = |graph: &Path| {
        let error = fails(&["convert", graph.to_str().unwrap(), model.to_str().unwrap()]);
        assert!(error.contains("the table's contents"), "{error}");
    };
    write_saved_model(&inside, "");
    let path = inside.join("saved_model.pbtxt");
    let graph = fs::read_to_string(&path).unwrap();
    let absolute = secret.to_str().unwrap();
    for (before, after) in [
        ("filename: \"vocabulary.txt\"", "filename: \"../../secret.txt\""),
        ("filename: \"vocabulary.txt\"", &format!("filename: \"{absolute}\"")),
        ("asset_file_def { tensor_info { name: \"file:0\" } filename: \"vocabulary.txt\" }", ""),
    ] {
        let changed = graph.replace(before, after).replace("/training/vocabulary.txt", absolute);
        assert_ne!(changed, graph);
        fs::write(&path, changed).unwrap();
        refused(&inside);
    }
    fs::remove_file(&path).unwrap();
    refused(&write_frozen(&inside, &format!("hash_table_{absolute}_-2_-1"), ["DT_STRING", "DT_INT64"]));
    // A copy beside the graph is meant for it.
    fs::copy(&secret, inside.join("secret.txt")).unwrap();
    let graph = write_frozen(&inside, &format!("hash_table_{absolute}_-2_-1"), ["DT_STRING", "DT_INT64"]);
    convert(&graph, &model, &[]);
    assert_eq!(entries(&model).0, words(&["a secret"]));
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
