//! Small graphs in text form: refused graphs with their errors, and the nodes that a layout needs.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::command::{convert, fails};
use crate::support::onnx::{Model, execute, execute_all};

/// A node of a graph in text form.
fn node(name: &str, op: &str, inputs: &[&str], attributes: &str) -> String {
    let inputs: String = inputs.iter().map(|input| format!(" input: \"{input}\"")).collect();
    format!("node {{ name: \"{name}\" op: \"{op}\"{inputs} {attributes} }}\n")
}

fn attribute(key: &str, value: &str) -> String {
    format!("attr {{ key: \"{key}\" value {{ {value} }} }} ")
}

fn float() -> String {
    attribute("T", "type: DT_FLOAT")
}

fn placeholder(name: &str, dims: &[i64]) -> String {
    let dims: String = dims.iter().map(|dim| format!(" dim {{ size: {dim} }}")).collect();
    node(
        name,
        "Placeholder",
        &[],
        &(attribute("dtype", "type: DT_FLOAT") + &attribute("shape", &format!("shape {{{dims} }}"))),
    )
}

/// A constant all of whose elements are one number.
fn constant(name: &str, dims: &[i64], value: f32) -> String {
    let dims: String = dims.iter().map(|dim| format!(" dim {{ size: {dim} }}")).collect();
    let tensor = format!("tensor {{ dtype: DT_FLOAT tensor_shape {{{dims} }} float_val: {value} }}");
    node(name, "Const", &[], &(attribute("dtype", "type: DT_FLOAT") + &attribute("value", &tensor)))
}

/// A graph in a folder of its own, and where its model goes.
fn graph(nodes: &[String]) -> (TempDir, PathBuf, PathBuf) {
    let folder = TempDir::new().unwrap();
    let paths = ["graph.pbtxt", "model.onnx"].map(|name| folder.path().join(name));
    fs::write(&paths[0], nodes.concat()).unwrap();
    let [graph, model] = paths;
    (folder, graph, model)
}

fn refused(nodes: &[String], options: &[&str]) -> String {
    let (_folder, graph, model) = graph(nodes);
    let paths = ["convert", graph.to_str().unwrap(), model.to_str().unwrap()];
    let error = fails(&[&paths, options].concat());
    assert!(!model.exists());
    error
}

#[test]
fn an_op_that_onnx_cannot_express_is_refused_with_the_reason_and_what_to_do_instead() {
    let nodes = [placeholder("image", &[1, 4]), node("sorted", "IsotonicRegression", &["image"], &float())];
    let error = refused(&nodes, &["--outputs", "sorted:0"]);
    assert!(
        error.contains(
            "IsotonicRegression (1 time: \"sorted\"; ONNX has no operator of its kind: end the model before it, and compute it \
             outside of the model)"
        ),
        "{error}"
    );
}

#[test]
fn all_ops_that_cannot_be_converted_are_named_at_once_with_a_way_around_them() {
    let nodes = [
        placeholder("image", &[1, 4]),
        node("scaled", "Relu", &["image"], &float()),
        node("first", "FancyOp", &["scaled"], &float()),
        node("second", "FancyOp", &["first"], &float()),
        node("third", "OtherOp", &["scaled"], &float()),
        node("sum", "Add", &["second", "third"], &float()),
    ];
    let error = refused(&nodes, &["--outputs", "sum:0"]);
    for part in [
        "FancyOp (2 times: \"first\", \"second\")",
        "OtherOp (1 time: \"third\")",
        "stop before them with --outputs scaled:0",
        "--keep-going",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let (_folder, graph, model) = graph(&nodes);
    convert(&graph, &model, &["--outputs", "scaled:0"]);
    convert(&graph, &model, &["--outputs", "sum:0", "--keep-going"]);
    let model = Model::load(&model);
    let domains = |op| model.nodes(op).iter().map(|node| node.domain.clone()).collect::<Vec<_>>();
    assert_eq!(domains("FancyOp").len(), 2);
    assert!(domains("FancyOp").iter().chain(&domains("OtherOp")).all(|domain| !domain.is_empty()));
    let imported: Vec<&str> = model.proto().opset_import.iter().map(|set| set.domain.as_str()).collect();
    assert!(imported.contains(&domains("FancyOp")[0].as_str()), "{imported:?}");
}

#[test]
fn ops_that_read_the_files_are_started_after() {
    let nodes = [
        placeholder("file", &[1]),
        node("decoded", "FancyDecoder", &["file"], &attribute("T", "type: DT_FLOAT")),
        node("output", "Relu", &["decoded"], &float()),
    ];
    let error = refused(&nodes, &["--outputs", "output:0"]);
    assert!(error.contains("start after them with --inputs decoded:0"), "{error}");
    let (_folder, graph, model) = graph(&nodes);
    convert(&graph, &model, &["--outputs", "output:0", "--inputs", "decoded:0"]);
}

#[test]
fn a_graph_with_channels_second_has_no_transpose() {
    let window = attribute("strides", "list { i: 1 i: 1 i: 1 i: 1 }")
        + &attribute("padding", "s: \"SAME\"")
        + &attribute("data_format", "s: \"NCHW\"")
        + &float();
    let pool = window.clone() + &attribute("ksize", "list { i: 1 i: 1 i: 2 i: 2 }");
    let nodes = [
        placeholder("image", &[-1, 3, 8, 8]),
        constant("kernel", &[3, 3, 3, 4], 0.5),
        constant("bias", &[4], 1.0),
        node("conv", "Conv2D", &["image", "kernel"], &window),
        node("biased", "BiasAdd", &["conv", "bias"], &(attribute("data_format", "s: \"NCHW\"") + &float())),
        node("pool", "MaxPool", &["biased"], &pool),
    ];
    let (_folder, graph, model) = graph(&nodes);
    convert(&graph, &model, &[]);
    let model = Model::load(&model);
    assert_eq!(model.inputs(), [("image:0".to_owned(), "batch,3,8,8".to_owned())]);
    assert_eq!(model.nodes("Transpose").len(), 0);
    assert_eq!((model.nodes("Conv").len(), model.nodes("MaxPool").len()), (1, 1));
}

#[test]
fn a_batch_length_that_the_graph_depends_on_is_kept() {
    let integers = |name: &str, values: &[i64]| {
        let listed: String = values.iter().map(|value| format!(" int_val: {value}")).collect();
        let shape = format!("dim {{ size: {} }}", values.len());
        let tensor = format!("tensor {{ dtype: DT_INT32 tensor_shape {{ {shape} }}{listed} }}");
        node(name, "Const", &[], &(attribute("dtype", "type: DT_INT32") + &attribute("value", &tensor)))
    };
    let components = attribute("component_types", "list { type: DT_FLOAT }");
    let shapes = attribute("shapes", "list { shape { dim { size: 6 } } }");
    let queue = |target: &[i64]| {
        vec![
            node("queue", "FIFOQueueV2", &[], &(components.clone() + &shapes)),
            integers("n", &[2]),
            node("batch", "QueueDequeueManyV2", &["queue", "n"], &components),
            integers("target", target),
            node("pairs", "Reshape", &["batch", "target"], &float()),
            node("output", "Relu", &["pairs"], &float()),
        ]
    };
    let (_folder, path, model) = graph(&queue(&[4, 3]));
    let done = convert(&path, &model, &["--outputs", "output:0"]);
    assert_eq!(Model::load(&model).inputs()[0].1, "2,6");
    let note = "note: batch accepts only batches of 2: Reshape \"pairs\" is built for them";
    assert!(done.stdout.contains(note), "{}", done.stdout);
    let error = refused(&queue(&[4, 3]), &["--outputs", "output:0", "--batch-size", "1"]);
    assert!(error.contains("--batch-size 1: Reshape \"pairs\": it is built for batches of 2"), "{error}");
    let (_folder, path, model) = graph(&queue(&[2, 3, 2]));
    convert(&path, &model, &["--outputs", "output:0"]);
    let model = Model::load(&model);
    assert_eq!((model.inputs()[0].1.as_str(), model.outputs()[0].1.as_str()), ("batch,6", "batch,3,2"));
}

#[test]
fn loops_of_tensorflow_1_are_called_loops() {
    let frame = attribute("frame_name", "s: \"loop\"") + &float();
    let nodes = [
        placeholder("start", &[]),
        node("enter", "Enter", &["start"], &frame),
        node("merge", "Merge", &["enter", "next"], &(float() + &attribute("N", "i: 2"))),
        node("limit", "LoopCond", &["below"], ""),
        node("below", "Less", &["merge", "most"], &float()),
        constant("bound", &[], 3.0),
        node("most", "Enter", &["bound"], &frame),
        node("switch", "Switch", &["merge", "limit"], &float()),
        node("next", "NextIteration", &["switch:1"], &float()),
        node("exit", "Exit", &["switch"], &float()),
    ];
    let error = refused(&nodes, &["--outputs", "exit:0"]);
    assert!(error.contains("loop"), "{error}");
}

#[test]
fn the_asset_files_of_a_saved_model_are_named() {
    let folder = TempDir::new().unwrap();
    let graph = [placeholder("image", &[1, 4]), node("output", "Relu", &["image"], &float())].concat();
    let tensor = |name: &str| format!("value {{ name: \"{name}\" dtype: DT_FLOAT }}");
    let signature = format!(
        "inputs {{ key: \"x\" {} }} outputs {{ key: \"y\" {} }}",
        tensor("image:0"),
        tensor("output:0")
    );
    let saved_model = format!(
        "meta_graphs {{ meta_info_def {{ tags: \"serve\" }} graph_def {{ {graph} }}
         signature_def {{ key: \"serving_default\" value {{ {signature} }} }}
         asset_file_def {{ tensor_info {{ name: \"file:0\" }} filename: \"vocabulary.txt\" }} }}"
    );
    fs::write(folder.path().join("saved_model.pbtxt"), saved_model).unwrap();
    let done = convert(folder.path(), &folder.path().join("model.onnx"), &[]);
    assert!(done.stdout.contains("vocabulary.txt"), "{}", done.stdout);
    let done = convert(folder.path(), &folder.path().join("model.onnx"), &["--json"]);
    let summary: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(summary["assets"], serde_json::json!(["vocabulary.txt"]));
}

#[test]
fn halves_that_are_sorted_or_padded_are_not_cut_to_integers() {
    let half = attribute("T", "type: DT_HALF");
    let small = |name: &str, values: &str| {
        let count = values.split(',').count();
        let values: String = values.split(',').map(|value| format!(" int_val: {value}")).collect();
        let shape = if count == 1 { String::new() } else { "dim { size: 1 } dim { size: 2 }".to_owned() };
        let tensor = format!("tensor {{ dtype: DT_INT32 tensor_shape {{ {shape} }}{values} }}");
        node(name, "Const", &[], &(attribute("dtype", "type: DT_INT32") + &attribute("value", &tensor)))
    };
    let to_half = attribute("SrcT", "type: DT_FLOAT") + &attribute("DstT", "type: DT_HALF");
    let nodes = [
        placeholder("scores", &[4]),
        small("two", "2"),
        small("zero", "0"),
        small("pads", "1,1"),
        node("halves", "Cast", &["scores"], &to_half),
        node("best", "TopKV2", &["halves", "two"], &half),
        node("first", "ArgMax", &["halves", "zero"], &half),
        node("padded", "Pad", &["halves", "pads"], &half),
        node("distinct", "Unique", &["halves"], &half),
    ];
    for output in ["best:0", "first:0", "padded:0", "distinct:0"] {
        let (_folder, graph, model) = graph(&nodes);
        convert(&graph, &model, &["--outputs", output]);
        let casts = Model::load(&model);
        let targets: Vec<i64> = casts.nodes("Cast").iter().map(|cast| cast.attribute[0].i).collect();
        // float32 and float16, and the type of the indices that ArgMax and Unique return.
        let is_fraction = |target: &i64| [1, 10].contains(target);
        let reads_integers = casts
            .nodes("Cast")
            .iter()
            .any(|cast| !is_fraction(&cast.attribute[0].i) && cast.input[0].starts_with("halves"));
        assert!(!reads_integers, "{output}: {targets:?}");
    }
}

#[test]
fn without_a_likely_output_the_error_suggests_a_command() {
    let nodes = [
        placeholder("x", &[-1, 2]),
        constant("weight", &[2, 3], 1.0),
        node("losses/logits", "MatMul", &["x", "weight"], &float()),
        node("losses/softmax", "Softmax", &["losses/logits"], &float()),
        node("losses/Neg", "Neg", &["losses/softmax"], &float()),
    ];
    let error = refused(&nodes, &[]);
    assert!(
        error.contains("nothing in the graph looks like an output; name it: tf2onnx-rs convert "),
        "{error}"
    );
    let command = "graph.pbtxt model.onnx --outputs losses/softmax:0 (or losses/logits:0, losses/Neg:0)";
    assert!(error.contains(command), "{error}");
    let (_folder, graph, model) = graph(&nodes);
    convert(&graph, &model, &["--outputs", "losses/softmax:0"]);
}

/// Axes of one name have one length: ONNX Runtime plans its memory by that.
#[test]
fn only_tensors_that_depend_on_the_input_have_its_batch() {
    let types = float() + &attribute("out_idx", "type: DT_INT32");
    let nodes = [
        placeholder("x", &[-1]),
        node("same", "Relu", &["x"], &float()),
        node("chosen", "Unique", &["x"], &types),
        node("twice", "ConcatV2", &["x", "x", "axis"], &(float() + &attribute("N", "i: 2"))),
        node(
            "axis",
            "Const",
            &[],
            &(attribute("dtype", "type: DT_INT32")
                + &attribute("value", "tensor { dtype: DT_INT32 tensor_shape { } int_val: 0 }")),
        ),
    ];
    let (_folder, graph, model) = graph(&nodes);
    let outputs = ["same:0", "chosen:0", "chosen:1", "twice:0"];
    let done = convert(&graph, &model, &["--json", "--outputs", &outputs.join(",")]);
    let summary: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let first = |output: &serde_json::Value| output["shape"][0].as_str().map(str::to_owned);
    let first: Vec<Option<String>> = summary["outputs"].as_array().unwrap().iter().map(first).collect();
    let batch = Some("batch".to_owned());
    assert_eq!(first, [batch.clone(), None, batch, None]);
}

/// TF.js has this op where TensorFlow has none: below zero, numbers are multiplied by their channel's factor.
#[test]
fn from_opset_22_on_random_numbers_are_the_mask_of_a_dropout() {
    let shape = "tensor { dtype: DT_INT32 tensor_shape { dim { size: 1 } } int_val: 5 }";
    let shape = attribute("dtype", "type: DT_INT32") + &attribute("value", shape);
    let types = attribute("T", "type: DT_INT32") + &attribute("dtype", "type: DT_FLOAT");
    for (op, opset, operators) in [
        ("RandomUniform", "21", ["RandomUniformLike"].as_slice()),
        ("RandomUniform", "22", &["Dropout"]),
        ("RandomStandardNormal", "22", &["Dropout", "Cos"]),
    ] {
        let nodes = [node("shape", "Const", &[], &shape), node("random", op, &["shape"], &types)];
        let (_folder, graph, model) = graph(&nodes);
        convert(&graph, &model, &["--opset", opset]);
        let model = Model::load(&model);
        for operator in operators {
            assert_eq!(model.nodes(operator).len(), 1, "{op} {opset}: {operator}");
        }
        // ONNX Runtime removes a Dropout whose mask nothing reads.
        assert!(model.nodes("Dropout").iter().all(|dropout| dropout.output.len() == 2));
    }
}

#[test]
fn a_prelu_of_tfjs_scales_what_is_below_zero() {
    let nodes = [
        placeholder("x", &[1, 2, 2]),
        constant("alpha", &[2], 0.25),
        node("y", "Prelu", &["x", "alpha"], &float()),
    ];
    let (_folder, graph, model) = graph(&nodes);
    convert(&graph, &model, &["--verify"]);
    let outputs = execute(&model, &[1, 2, 2], vec![-4.0, 2.0, 0.0, -1.0]);
    assert_eq!(outputs[0].1, [-1.0, 2.0, 0.0, -0.25]);
}

/// The numbers of `y` for the numbers -2, -0.5, 0 and 1.5 at `x`.
fn computed(nodes: &[String], shape: &[i64]) -> Vec<f32> {
    let (_folder, graph, model) = graph(&[&[placeholder("x", shape)], nodes].concat());
    convert(&graph, &model, &["--verify"]);
    let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
    execute(&model, &shape, vec![-2.0, -0.5, 0.0, 1.5]).remove(0).1
}

fn is_near(values: &[f32], expected: &[f32]) -> bool {
    values.len() == expected.len() && values.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-6)
}

fn strings(values: &[&str]) -> String {
    let values: String = values.iter().map(|value| format!(" s: \"{value}\"")).collect();
    format!("list {{{values} }}")
}

/// What Grappler writes if TensorFlow computes with oneDNN. The expected numbers are those of `tf.nn.gelu`, `tf.nn.silu` and
/// `x * tf.tanh(tf.math.softplus(x))`.
#[test]
fn activations_that_grappler_fuses_compute_what_tensorflow_does() {
    let weights = [constant("weights", &[1, 1], 1.0), constant("bias", &[1], 0.0)];
    for (activation, expected) in [
        ("GeluExact", [-0.045_500_28, -0.154_268_77, 0.0, 1.399_789_3]),
        ("GeluApproximate", [-0.045_402_23, -0.154_286, 0.0, 1.399_571_5]),
        ("_MklSwish", [-0.238_405_84, -0.188_770_34, 0.0, 1.226_361_8]),
        ("_MklFusedMish", [-0.252_501_46, -0.220_743_78, 0.0, 1.403_378_2]),
    ] {
        let ops = attribute("fused_ops", &strings(&["BiasAdd", activation]));
        let fused = node("y", "_FusedMatMul", &["x", "weights", "bias"], &(float() + &ops));
        let values = computed(&[&weights[..], &[fused]].concat(), &[4, 1]);
        assert!(is_near(&values, &expected), "{activation}: {values:?}");
        if activation.starts_with('_') {
            let values = computed(&[node("y", activation, &["x"], &float())], &[4]);
            assert!(is_near(&values, &expected), "{activation} alone: {values:?}");
        }
    }
}

#[test]
fn products_that_grappler_fuses_are_read_as_their_ops() {
    let fused = |more: &str| {
        let ops = attribute("fused_ops", &strings(&["BiasAdd", "Relu"]));
        let strides = attribute("strides", "list { i: 1 i: 1 i: 1 i: 1 i: 1 }");
        let attributes = float() + &ops + &strides + &attribute("padding", "s: \"VALID\"") + more;
        [
            placeholder("x", &[1, 1, 2, 2, 1]),
            constant("weights", &[1, 1, 1, 1, 1], 2.0),
            constant("bias", &[1], -1.0),
            node("y", "_FusedConv3D", &["x", "weights", "bias"], &attributes),
        ]
    };
    // The runtime of the tests has no convolutions of volumes.
    let (_folder, graph, path) = graph(&fused(""));
    convert(&graph, &path, &[]);
    let model = Model::load(&path);
    assert_eq!((model.nodes("Conv").len(), model.nodes("Relu").len()), (1, 1));
    let error = refused(&fused(&attribute("padding_list", "list { i: 1 }")), &[]);
    assert!(error.contains("padding_list is not supported; freeze the graph before"), "{error}");
    let ops = attribute("fused_ops", &strings(&["Mul", "Add"]));
    let nodes = [
        constant("weights", &[1, 1, 1], 2.0),
        constant("scale", &[], 0.5),
        constant("added", &[4, 1, 1], 3.0),
        node("y", "_MklFusedBatchMatMulV2", &["x", "weights", "scale", "added"], &(float() + &ops)),
    ];
    assert_eq!(computed(&nodes, &[4, 1, 1]), [1.0, 2.5, 3.0, 4.5]);
}

#[test]
fn an_unknown_fusion_is_named() {
    let ops = attribute("fused_ops", &strings(&["BiasAdd", "Mish"]));
    let nodes = [
        placeholder("x", &[1, 2]),
        constant("weights", &[2, 2], 1.0),
        constant("bias", &[2], 1.0),
        node("y", "_FusedMatMul", &["x", "weights", "bias"], &(float() + &ops)),
    ];
    let error = refused(&nodes, &[]);
    assert!(error.contains("_FusedMatMul \"y\": it is fused with Mish"), "{error}");
}

/// The error of a graph with layers of cuDNN whose parameters are so many zeros.
fn refused_cudnn(count: i64, attributes: &str, output: &str) -> String {
    let nodes = [
        placeholder("x", &[-1, -1, 4]),
        placeholder("h", &[-1, -1, 3]),
        constant("c", &[], 0.0),
        constant("params", &[count], 0.0),
        node("rnn", "CudnnRNN", &["x", "h", "c", "params"], &(float() + attributes)),
    ];
    refused(&nodes, &["--outputs", output])
}

#[test]
fn layers_of_cudnn_that_onnx_does_not_compute_are_refused() {
    let gru = attribute("rnn_mode", "s: \"gru\"");
    let in_training = gru.clone() + &attribute("dropout", "f: 0.5");
    let problem = "it drops results between its layers, as in training";
    assert!(refused_cudnn(81, &in_training, "rnn:0").contains(problem));
    // A layer has 3 * 3 * (4 + 3) weights and 2 * 3 * 3 biases, and each further one 3 * 3 * (3 + 3) and as many.
    let problem = "its params have 152 elements, and not 153 (layers: 2, units: 3, input: 4)";
    let error = refused_cudnn(152, &gru, "rnn:0");
    assert!(error.contains(problem), "{error}");
    let error = refused_cudnn(81, &gru, "rnn:2");
    assert!(error.contains("only an LSTM has the output output_c"), "{error}");
    let error = refused_cudnn(81, &gru, "rnn:3");
    assert!(error.contains("its output 3 is for gradients"), "{error}");
    let skipping = gru + &attribute("input_mode", "s: \"skip_input\"");
    let error = refused_cudnn(81, &skipping, "rnn:0");
    assert!(error.contains("it adds its input to its units, and their numbers differ"), "{error}");
}

#[test]
fn the_parameters_of_cudnn_tell_how_many_layers_there_are() {
    let nodes = [
        placeholder("x", &[-1, -1, 4]),
        placeholder("h", &[-1, -1, 3]),
        constant("c", &[], 0.0),
        constant("params", &[81 + 72 + 72], 0.0),
        node(
            "rnn",
            "CudnnRNN",
            &["x", "h", "c", "params"],
            &(float() + &attribute("rnn_mode", "s: \"gru\"")),
        ),
    ];
    let (_folder, graph, model) = graph(&nodes);
    convert(&graph, &model, &["--outputs", "rnn:0,rnn:1"]);
    assert_eq!(Model::load(&model).nodes("GRU").len(), 3);
}

#[test]
fn a_check_on_a_branch_that_is_not_taken_is_not_noted() {
    let check = float() + &attribute("message", "s: \"not finite\"");
    let nodes = [
        placeholder("x", &[-1, 3]),
        node("is_training", "Placeholder", &[], &attribute("dtype", "type: DT_BOOL")),
        node("switch", "Switch", &["x", "is_training"], &float()),
        node("in_inference", "CheckNumerics", &["switch"], &check),
        node("in_training", "CheckNumerics", &["switch:1"], &check),
        node("y", "Merge", &["in_inference", "in_training"], &(float() + &attribute("N", "i: 2"))),
    ];
    let (_folder, graph, model) = graph(&nodes);
    let summary = convert(&graph, &model, &["--outputs", "y"]).stdout;
    assert!(summary.contains("note: 1 check (CheckNumerics) is left out: in_inference; ONNX"), "{summary}");
}

fn placeholder_of(name: &str, dtype: &str) -> String {
    let shape = attribute("shape", "shape { dim { size: -1 } dim { size: 3 } }");
    node(name, "Placeholder", &[], &(attribute("dtype", &format!("type: {dtype}")) + &shape))
}

#[test]
fn operators_get_casts_where_a_runtime_has_no_kernel_for_their_type() {
    let bytes = attribute("T", "type: DT_UINT8");
    let nodes = [
        placeholder_of("a", "DT_UINT8"),
        placeholder_of("b", "DT_UINT8"),
        node("sum", "AddV2", &["a", "b"], &bytes),
        node("twice", "AddV2", &["a", "a"], &bytes),
    ];
    // ONNX adds bytes from set 14 on.
    for (output, opset, casts) in [("sum:0", "13", 3), ("sum:0", "14", 0), ("twice:0", "13", 2)] {
        let (_folder, graph, model) = graph(&nodes);
        convert(&graph, &model, &["--outputs", output, "--opset", opset]);
        assert_eq!(Model::load(&model).nodes("Cast").len(), casts, "{output} {opset}");
    }
}

#[test]
fn a_type_that_no_operator_set_computes_is_refused_and_a_newer_set_is_named() {
    let axes = "tensor { dtype: DT_INT32 tensor_shape { dim { size: 1 } } int_val: 1 }";
    let axes =
        node("axes", "Const", &[], &(attribute("dtype", "type: DT_INT32") + &attribute("value", axes)));
    let unsigned = attribute("T", "type: DT_UINT64") + &attribute("Tidx", "type: DT_INT32");
    let mean = node("mean", "Mean", &["x", "axes"], &unsigned);
    let error = refused(&[placeholder_of("x", "DT_UINT64"), axes, mean], &["--outputs", "mean:0"]);
    assert!(
        error.contains("ReduceMean \"mean\"") && error.contains("does not compute it in uint64"),
        "{error}"
    );
    let halves = attribute("T", "type: DT_BFLOAT16");
    let nodes = [placeholder_of("x", "DT_BFLOAT16"), node("relu", "Relu", &["x"], &halves)];
    let error = refused(&nodes, &["--outputs", "relu:0", "--opset", "12"]);
    assert!(error.contains("choose --opset 13 or later"), "{error}");
    let nodes = [
        placeholder_of("x", "DT_STRING"),
        node("joined", "StringJoin", &["x", "x"], &attribute("N", "i: 2")),
    ];
    let error = refused(&nodes, &["--outputs", "joined:0", "--opset", "19"]);
    assert!(error.contains("choose --opset 20 or later"), "{error}");
}

#[test]
fn texts_of_numbers_whose_digits_the_runtime_chooses_are_warned_of() {
    let text =
        |options: &str| [placeholder("x", &[3]), node("text", "AsString", &["x"], &(float() + options))];
    let shortest = attribute("shortest", "b: true");
    let precision = attribute("precision", "i: 3");
    for (options, opset, warns, advises) in [
        ("", "19", true, true),
        ("", "20", false, false),
        (&*precision, "20", false, false),
        (&*shortest, "21", true, false),
    ] {
        let (_folder, graph, model) = graph(&text(options));
        let done = convert(&graph, &model, &["--outputs", "text:0", "--opset", opset]);
        let summary = done.stdout + &done.stderr;
        let warning = "warning: text writes real numbers with the digits that the runtime chooses";
        assert_eq!(summary.contains(warning), warns, "{options} {opset}: {summary}");
        assert_eq!(summary.contains("choose --opset 20 or later"), advises, "{options} {opset}: {summary}");
    }
}

/// A constant vector of int32.
fn integers(name: &str, values: &[i32]) -> String {
    let elements: String = values.iter().map(|value| format!(" int_val: {value}")).collect();
    let tensor =
        format!("tensor {{ dtype: DT_INT32 tensor_shape {{ dim {{ size: {} }} }}{elements} }}", values.len());
    node(name, "Const", &[], &(attribute("dtype", "type: DT_INT32") + &attribute("value", &tensor)))
}

/// The nodes of `rows`, how many rows `of` has, as graphs compute it.
fn row_count(of: &str) -> Vec<String> {
    let types = attribute("T", "type: DT_INT32") + &attribute("Index", "type: DT_INT32");
    vec![
        node("shape", "Shape", &[of], &(float() + &attribute("out_type", "type: DT_INT32"))),
        integers("first", &[0]),
        integers("second", &[1]),
        node(
            "rows",
            "StridedSlice",
            &["shape", "first", "second", "second"],
            &(types + &attribute("shrink_axis_mask", "i: 1")),
        ),
    ]
}

/// A slice of `x` of as many rows as `of` has, and one column.
fn slice_of_rows(of: &str, begin: [i32; 2]) -> Vec<String> {
    let mut nodes = vec![placeholder("x", &[-1, 3]), placeholder("other", &[-1, 3])];
    nodes.extend(row_count(of));
    nodes.extend([
        integers("begin", &begin),
        node(
            "one",
            "Const",
            &[],
            &(attribute("dtype", "type: DT_INT32")
                + &attribute("value", "tensor { dtype: DT_INT32 tensor_shape { } int_val: 1 }")),
        ),
        node("size", "Pack", &["rows", "one"], &(attribute("T", "type: DT_INT32") + &attribute("N", "i: 2"))),
        node("slice", "Slice", &["x", "begin", "size"], &(float() + &attribute("Index", "type: DT_INT32"))),
    ]);
    nodes
}

#[test]
fn a_slice_of_all_rows_is_a_slice_of_columns_with_known_bounds() {
    let (_folder, graph, model) = graph(&slice_of_rows("x", [0, 1]));
    convert(&graph, &model, &["--inputs", "x:0", "--outputs", "slice:0"]);
    let ops: Vec<String> = Model::load(&model)
        .proto()
        .graph
        .as_ref()
        .unwrap()
        .node
        .iter()
        .map(|node| node.op_type.clone())
        .collect();
    assert_eq!(ops, ["Slice"]);
    assert_eq!(execute(&model, &[2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), [(vec![2, 1], vec![2.0, 5.0])]);
}

#[test]
fn a_slice_of_as_many_rows_as_another_tensor_has_does_not_ask_whether_it_takes_the_rest() {
    let (_folder, graph, model) = graph(&slice_of_rows("other", [1, 2]));
    convert(&graph, &model, &["--inputs", "x:0,other:0", "--outputs", "slice:0"]);
    let loaded = Model::load(&model);
    assert!(loaded.nodes("Where").is_empty());
    let x = (vec![3, 3], (0..9).map(|x| x as f32).collect());
    assert_eq!(execute_all(&model, &[x.clone(), (vec![1, 3], vec![0.0; 3])]), [(vec![1, 1], vec![5.0])]);
    assert_eq!(execute_all(&model, &[x, (vec![0, 3], vec![])]), [(vec![0, 1], vec![])]);
}

#[test]
fn one_length_of_a_shape_becomes_a_vector_with_two_nodes() {
    let mut nodes = vec![placeholder("x", &[-1, 3])];
    nodes.extend(row_count("x"));
    nodes.extend([
        node("vector", "Pack", &["rows"], &(attribute("T", "type: DT_INT32") + &attribute("N", "i: 1"))),
        node(
            "output",
            "Cast",
            &["vector"],
            &(attribute("SrcT", "type: DT_INT32") + &attribute("DstT", "type: DT_FLOAT")),
        ),
    ]);
    let (_folder, graph, model) = graph(&nodes);
    convert(&graph, &model, &["--outputs", "output:0"]);
    let loaded = Model::load(&model);
    let counts = ["Gather", "Unsqueeze", "Slice", "Squeeze", "Concat"].map(|op| loaded.nodes(op).len());
    assert_eq!(counts, [1, 1, 0, 0, 0]);
    assert_eq!(execute(&model, &[2, 3], vec![0.0; 6]), [(vec![1], vec![2.0])]);
}

/// A graph that reduces a matrix by a function of two numbers, which is this op of both.
fn reduced_by(op: &str) -> [String; 4] {
    let input = |name: &str| format!("input_arg {{ name: \"{name}\" type: DT_FLOAT }} ");
    let signature = format!(
        "signature {{ name: \"f\" {} output_arg {{ name: \"r\" type: DT_FLOAT }} }}",
        input("a") + &input("b")
    );
    let body = format!("node_def {{ name: \"c\" op: \"{op}\" input: \"a\" input: \"b\" {} }}", float());
    let function = format!("function {{ {signature} {body} ret {{ key: \"r\" value: \"c:z:0\" }} }}");
    let attributes = [
        float(),
        attribute("reducer", "func { name: \"f\" }"),
        attribute("dimensions_to_reduce", "list { i: 1 }"),
    ];
    [
        format!("library {{ {function} }}\n"),
        placeholder("x", &[2, 3]),
        constant("first", &[], 0.0),
        node("reduced", "XlaReduce", &["x", "first"], &attributes.concat()),
    ]
}

#[test]
fn functions_of_xla_that_combine_elements_otherwise_than_onnx_are_refused() {
    let error = refused(&reduced_by("Sub"), &["--outputs", "reduced:0"]);
    assert!(
        error.contains("its function `reducer` is none of those that ONNX combines elements by"),
        "{error}"
    );
    let (_folder, graph, model) = graph(&reduced_by("Maximum"));
    convert(&graph, &model, &["--outputs", "reduced:0"]);
    assert_eq!(execute(&model, &[2, 3], vec![1.0, 2.0, 3.0, -4.0, -5.0, -6.0]), [(vec![2], vec![3.0, 0.0])]);
}

#[test]
fn dimension_numbers_that_are_damaged_or_do_not_fit_are_refused() {
    let product = |numbers: &str| {
        let text = |name: &str, value: &str| attribute(name, &format!("s: \"{value}\""));
        let attributes = float() + &text("dimension_numbers", numbers) + &text("precision_config", "");
        [
            placeholder("x", &[2, 3]),
            placeholder("y", &[3, 4]),
            node("product", "XlaDot", &["x", "y"], &attributes),
        ]
    };
    for (numbers, problem) in [
        (r"\377", "its dimension_numbers are no message of XLA"),
        (r"\n\001\005\022\001\000", "its dimension_numbers name axes [5] of a tensor of rank 2"),
        (r"\n\001\001", "its dimension_numbers do not name the same number of axes of both factors"),
        (r"\n\001\000\022\001\000", "tensors of shapes [2, 3] and [3, 4] have no such product"),
    ] {
        let error = refused(&product(numbers), &["--outputs", "product:0"]);
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn a_program_of_stablehlo_is_refused_with_the_option_of_jax_that_exports_ops() {
    let attributes = [
        attribute("version", "i: 4"),
        attribute("module", "s: \"\""),
        attribute("Tin", "list { type: DT_FLOAT }"),
        attribute("Tout", "list { type: DT_FLOAT }"),
        attribute("Sout", "list { shape { unknown_rank: true } }"),
    ];
    let nodes = [placeholder("x", &[2]), node("called", "XlaCallModule", &["x"], &attributes.concat())];
    let error = refused(&nodes, &["--outputs", "called:0"]);
    assert!(error.contains("native_serialization=False"), "{error}");
}
