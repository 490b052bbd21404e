use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use prost::Message;

use super::*;
use crate::proto::tensor_shape_proto::Dim;
use crate::proto::{AttrValue, TensorProto, TensorShapeProto};

/// The outputs that are inferred of a graph that scripts/make_fixtures/infer_outputs.py has made.
fn outputs_of(name: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/infer_outputs");
    let file = std::fs::File::open(folder.join(format!("{name}.pb.gz"))).unwrap();
    let mut bytes = vec![];
    GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    infer_outputs(&GraphDef::decode(&*bytes).unwrap())
}

#[test]
fn the_results_of_trained_networks_are_outputs_and_their_losses_are_not() {
    let graphs: [(&str, &[&str]); 22] = [
        ("mnist_softmax", &["add:0", "Softmax:0"]),
        ("mnist_with_summaries", &["layer2/activation:0"]),
        ("embedding_classifier", &["logits:0", "probabilities:0"]),
        ("retrain", &["final_retrain_ops/Wx_plus_b/add:0", "final_result:0"]),
        ("a2c", &["model/pi/BiasAdd:0", "model/strided_slice:0"]),
        ("keras", &["dense/BiasAdd:0", "dense/Softmax:0"]),
        (
            "estimator",
            &["dense/BiasAdd:0", "head/predictions/probabilities:0", "head/predictions/class_ids:0"],
        ),
        ("autoencoder", &["decoded:0"]),
        ("triplet", &["embeddings:0"]),
        ("regression", &["Add:0"]),
        ("word2vec", &["embed/Identity:0"]),
        ("text_cnn", &["output/scores:0", "output/predictions:0"]),
        ("dqn", &["q/BiasAdd:0", "best:0"]),
        ("guarded", &["CheckNumerics:0", "scores:0"]),
        ("ctc", &["logits:0", "CTCGreedyDecoder:0", "CTCGreedyDecoder:1", "CTCGreedyDecoder:2", "Cast:0"]),
        (
            "beam_search",
            &[
                "logits:0",
                "CTCBeamSearchDecoder:0",
                "CTCBeamSearchDecoder:1",
                "CTCBeamSearchDecoder:2",
                "CTCBeamSearchDecoder:3",
                "CTCBeamSearchDecoder:4",
                "CTCBeamSearchDecoder:5",
                "Cast:0",
            ],
        ),
        ("language_model", &["logits/BiasAdd:0"]),
        ("segmentation", &["score/BiasAdd:0", "prediction:0"]),
        ("bert", &["loss/BiasAdd:0", "loss/Softmax:0", "loss/LogSoftmax:0"]),
        ("conditional_gan", &["discriminator/fake:0"]),
        ("queues", &["softmax_linear:0"]),
        ("sequences", &["rnn/transpose_1:0", "scores:0"]),
    ];
    let mut wrong = vec![];
    for (name, expected) in graphs {
        let found = outputs_of(name);
        if found != expected {
            wrong.push(format!("{name}: {found:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn node(name: &str, op: &str, inputs: &[&str]) -> NodeDef {
    let input = inputs.iter().map(|&input| input.to_owned()).collect();
    NodeDef { name: name.to_owned(), op: op.to_owned(), input, ..NodeDef::default() }
}

fn feed(name: &str, dtype: DataType) -> NodeDef {
    let dtype = AttrValue { value: Some(Value::Type(dtype as i32)) };
    NodeDef { attr: [("dtype".to_owned(), dtype)].into(), ..node(name, "Placeholder", &[]) }
}

#[test]
fn the_network_reads_what_a_queue_returns() {
    let nodes = vec![
        node("files", "FIFOQueueV2", &[]),
        node("file", "QueueDequeueV2", &["files"]),
        node("image", "Relu", &["file"]),
        node("shown", "ImageSummary", &["image"]),
        node("queue", "FIFOQueueV2", &[]),
        node("enqueue", "QueueEnqueueV2", &["queue", "image"]),
        node("batch", "QueueDequeueManyV2", &["queue"]),
        node("net", "Relu", &["batch"]),
        node("softmax_cross_entropy_loss_1/Reshape", "Reshape", &["net"]),
        node("loss", "SoftmaxCrossEntropyWithLogits", &["softmax_cross_entropy_loss_1/Reshape"]),
        node("zero_fraction/Sub", "Sub", &["net"]),
        node("sparsity", "ScalarSummary", &["zero_fraction/Sub"]),
    ];
    let graph = GraphDef { node: nodes, ..GraphDef::default() };
    assert_eq!(infer_outputs(&graph), ["net:0"]);
}

#[test]
fn what_only_training_reads_is_an_output_and_its_own_results_are_not() {
    let nodes = vec![
        feed("images", DataType::DtFloat),
        feed("labels", DataType::DtInt64),
        node("net", "Relu", &["images"]),
        node("probabilities", "Softmax", &["net"]),
        node("loss", "SparseSoftmaxCrossEntropyWithLogits", &["net", "labels"]),
        node("total", "Mean", &["loss"]),
        node("best", "ArgMax", &["net"]),
        node("hits", "Equal", &["best", "labels"]),
        node("accuracy", "Mean", &["hits"]),
        node("gradients/net", "ReluGrad", &["net", "total"]),
        node("seen", "HistogramSummary", &["net"]),
        node("distance", "Sub", &["net", "images"]),
        node("average", "AssignSub", &["images", "distance"]),
    ];
    let graph = GraphDef { node: nodes, ..GraphDef::default() };
    assert_eq!(infer_outputs(&graph), ["net:0", "probabilities:0"]);
}

fn constant(name: &str, rank: usize) -> NodeDef {
    let dim = Dim { size: 2, ..Dim::default() };
    let tensor_shape = Some(TensorShapeProto { dim: vec![dim; rank], ..TensorShapeProto::default() });
    let tensor = TensorProto { dtype: DataType::DtFloat as i32, tensor_shape, ..TensorProto::default() };
    let value = AttrValue { value: Some(Value::Tensor(tensor.into())) };
    NodeDef { attr: [("value".to_owned(), value)].into(), ..node(name, "Const", &[]) }
}

#[test]
fn the_last_nodes_of_a_frozen_graph_are_its_outputs() {
    let nodes = vec![
        feed("image", DataType::DtFloat),
        feed("sizes", DataType::DtInt32),
        constant("weight", 2),
        node("net", "MatMul", &["image", "weight"]),
        node("boxes", "Mul", &["net", "sizes"]),
    ];
    // An input that no weight is applied to is not a label in a frozen graph.
    let graph = GraphDef { node: nodes, ..GraphDef::default() };
    assert_eq!(infer_outputs(&graph), ["boxes:0"]);
}

#[test]
fn the_number_of_chosen_boxes_is_an_output_and_that_of_all_boxes_is_not() {
    let nodes = vec![
        feed("image", DataType::DtFloat),
        constant("weight", 2),
        node("boxes", "MatMul", &["image", "weight"]),
        node("all", "Shape", &["boxes"]),
        node("chosen", "NonMaxSuppressionV3", &["boxes", "boxes"]),
        node("number", "Shape", &["chosen"]),
        node("detections", "GatherV2", &["boxes", "chosen"]),
    ];
    let graph = GraphDef { node: nodes, ..GraphDef::default() };
    assert_eq!(infer_outputs(&graph), ["number:0", "detections:0"]);
}

#[test]
fn the_logits_by_which_boxes_are_chosen_are_not_an_output() {
    let nodes = vec![
        feed("image", DataType::DtFloat),
        constant("weight", 2),
        node("logits", "MatMul", &["image", "weight"]),
        node("scores", "Softmax", &["logits"]),
        node("raw_detection_scores", "Identity", &["scores"]),
        node("chosen", "NonMaxSuppressionV3", &["image", "scores"]),
        node("detection_scores", "GatherV2", &["scores", "chosen"]),
    ];
    let graph = GraphDef { node: nodes, ..GraphDef::default() };
    assert_eq!(infer_outputs(&graph), ["raw_detection_scores:0", "detection_scores:0"]);
}

#[test]
fn the_output_of_a_frozen_graph_with_only_a_loss_is_the_loss() {
    let nodes = vec![
        feed("labels", DataType::DtInt32),
        constant("table", 2),
        node("loss", "SoftmaxCrossEntropyWithLogits", &["table", "labels"]),
        node("mean", "Neg", &["loss"]),
        feed("x", DataType::DtFloat),
    ];
    let graph = GraphDef { node: nodes, ..GraphDef::default() };
    assert!(infer_outputs(&graph).is_empty());
}

#[test]
fn candidates_begin_with_the_likeliest() {
    let nodes = vec![
        feed("x", DataType::DtFloat),
        constant("weight", 2),
        node("hidden", "MatMul", &["x", "weight"]),
        node("logits", "MatMul", &["hidden", "weight"]),
        node("scores", "Softmax", &["logits"]),
        node("shape", "Shape", &["scores"]),
        node("loss", "L2Loss", &["logits"]),
    ];
    let graph = GraphDef { node: nodes, ..GraphDef::default() };
    assert_eq!(candidates(&graph), ["scores:0", "logits:0", "hidden:0", "loss:0"]);
}

#[test]
fn what_nothing_reads_inside_of_a_loop_is_not_an_output() {
    let loop_of = |frame: &str, input: &str| {
        let named = |name: &str| format!("{frame}/{name}");
        [
            node(&named("enter"), "Enter", &[input]),
            node(&named("merge"), "Merge", &[&named("enter"), &named("next")]),
            node(&named("less"), "Less", &[&named("merge"), &named("merge")]),
            node(&named("condition"), "LoopCond", &[&named("less")]),
            node(&named("switch"), "Switch", &[&named("merge"), &named("condition")]),
            node(&named("exit"), "Exit", &[&named("switch")]),
            node(&named("unread"), "All", &[&format!("{frame}/switch:1")]),
        ]
    };
    let nodes = [
        &[node("x", "Placeholder", &[])][..],
        &loop_of("outer", "x"),
        &[node("outer/next", "NextIteration", &["inner/exit"])],
        &loop_of("inner", "outer/switch:1"),
        &[node("inner/next", "NextIteration", &["inner/switch:1"])],
        &[node("beside", "Relu", &["inner/exit"]), node("y", "Relu", &["outer/exit"])],
    ];
    let definition = GraphDef { node: nodes.concat(), ..GraphDef::default() };
    assert_eq!(infer_outputs(&definition), ["y:0"]);
}

#[test]
fn a_node_that_reads_itself_is_not_followed_forever() {
    let node = vec![
        node("x", "Placeholder", &[]),
        node("cycle", "Identity", &["cycle"]),
        node("y", "Identity", &["cycle"]),
        node("z", "Relu", &["x"]),
    ];
    let found = infer_outputs(&GraphDef { node, ..GraphDef::default() });
    assert!(found.contains(&"z:0".to_owned()), "{found:?}");
}
