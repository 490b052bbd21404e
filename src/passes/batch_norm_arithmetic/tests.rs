use super::super::fold::simplify;
use super::super::fuse_batch_norm::fuse_batch_norms;
use super::*;
use crate::graph::{Attr, Attrs, Shape};

/// A graph of ops, each written as `NAME = Op INPUT INPUT`, over the input `x`, vectors of constants and numbers.
fn graph(shape: &[usize], lines: &[&str]) -> Graph {
    let mut graph = crate::ops::new_graph();
    let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(shape)))];
    graph.add("x", "Placeholder", vec![], attrs.into()).unwrap();
    let vector = |values: [f32; 2]| Constant::from_f32(vec![2], &values);
    let number = |value: f32| Constant::from_f32(vec![], &[value]);
    let constants = [
        ("gamma", vector([2.0, 3.0])),
        ("beta", vector([4.0, 5.0])),
        ("mean", vector([6.0, 7.0])),
        ("variance", vector([8.0, 9.0])),
        ("epsilon", number(0.25)),
        ("one", number(1.0)),
        ("half", number(0.5)),
        ("minus_half", number(-0.5)),
    ];
    let second = Constant::from_i32(vec![4], &[1, 2, 1, 1]);
    graph.add("second", "Const", vec![], [("value", Attr::Tensor(second))].into()).unwrap();
    for (name, value) in constants {
        graph.add(name, "Const", vec![], [("value", Attr::Tensor(value))].into()).unwrap();
    }
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let inputs = words[3..].iter().map(|name| graph.find(name).unwrap().into()).collect();
        graph.add(words[0], words[2], inputs, Attrs::new()).unwrap();
    }
    graph
}

fn simplified_and_fused(graph: Graph) -> Graph {
    let y = graph.find_tensor("y").unwrap();
    let (simple, _) = simplify(graph, &[y]).unwrap();
    fuse_batch_norms(simple).unwrap().0
}

/// The names of the inputs of the node that `y` becomes after constant folding, and its epsilon.
fn fused(graph: Graph) -> Option<(Vec<String>, f32)> {
    let graph = simplified_and_fused(graph);
    let node = graph.node(graph.find("y").unwrap());
    let is_fused = node.op == "FusedBatchNormV3";
    let parts = node.inputs.iter().map(|&input| graph.node(input.node).name.clone()).collect();
    is_fused.then(|| (parts, node.float("epsilon", 0.0)))
}

fn parts(names: &str) -> Option<(Vec<String>, f32)> {
    Some((names.split_whitespace().map(str::to_owned).collect(), 0.25))
}

const WIDENED: &str = "w = AddV2 variance epsilon";
const ALL: &str = "x gamma beta mean variance";

#[test]
fn every_spelling_of_constants_is_one_batch_norm() {
    let spellings: [&[&str]; 8] = [
        &[
            "r = Rsqrt w",
            "s = Mul r gamma",
            "a = Mul x s",
            "m = Mul mean s",
            "o = Sub beta m",
            "y = AddV2 a o",
        ],
        &["r = Rsqrt w", "s = Mul gamma r", "a = Mul s x", "m = Mul s mean", "o = Sub a m", "y = Add beta o"],
        &["c = Sub x mean", "r = Rsqrt w", "n = Mul c r", "g = Mul n gamma", "y = AddV2 g beta"],
        &["c = Sub x mean", "r = Sqrt w", "n = RealDiv c r", "g = Mul gamma n", "y = AddV2 beta g"],
        &["c = Sub x mean", "r = Sqrt w", "n = Mul gamma c", "g = RealDiv n r", "y = AddV2 g beta"],
        &["c = Sub x mean", "r = Sqrt w", "s = RealDiv gamma r", "n = Mul c s", "y = AddV2 n beta"],
        &["c = Sub x mean", "r = Pow w minus_half", "n = Mul r c", "g = Mul n gamma", "y = AddV2 g beta"],
        &[
            "c = Sub x mean",
            "q = Sqrt w",
            "r = RealDiv one q",
            "n = Mul r c",
            "g = Mul n gamma",
            "y = AddV2 g beta",
        ],
    ];
    for lines in spellings {
        for shape in [&[5, 2][..], &[1, 4, 2], &[1, 4, 4, 2], &[1, 3, 4, 4, 2]] {
            assert_eq!(fused(graph(shape, &[&[WIDENED], lines].concat())), parts(ALL), "{lines:?}");
        }
    }
}

#[test]
fn channels_may_be_the_second_axis() {
    let reshaped: Vec<String> = ["mean", "variance", "gamma", "beta"]
        .iter()
        .map(|part| format!("{part}_b = Reshape {part} second"))
        .collect();
    let lines: Vec<&str> = reshaped.iter().map(String::as_str).collect();
    let spelled = [
        "w = AddV2 variance_b epsilon",
        "r = Rsqrt w",
        "s = Mul r gamma_b",
        "a = Mul x s",
        "m = Mul mean_b s",
        "o = Sub beta_b m",
        "y = AddV2 a o",
    ];
    let lines = [&lines[..], &spelled].concat();
    let fused = |shape: &[usize]| {
        let graph = simplified_and_fused(graph(shape, &lines));
        let node = graph.node(graph.find("y").unwrap()).clone();
        let is_fused = node.op == "FusedBatchNormV3" && node.data_format() == DataFormat::ChannelsFirst;
        is_fused.then(|| graph.constant(node.inputs[1]).unwrap().to_f32s().unwrap().unwrap())
    };
    assert_eq!(fused(&[5, 2, 4, 4]), Some(vec![2.0, 3.0]));
    assert_eq!(fused(&[5, 1, 4, 4]), None);
}

#[test]
fn gamma_and_beta_may_be_missing() {
    let no_beta = ["c = Sub x mean", "r = Rsqrt w", "n = Mul c r", "y = Mul n gamma"];
    let no_gamma = ["c = Sub x mean", "r = Sqrt w", "n = RealDiv c r", "y = AddV2 n beta"];
    let unit = ["c = Sub x mean", "r = Rsqrt w", "s = Mul one r", "y = Mul c s"];
    let neither = ["r = Rsqrt w", "a = Mul x r", "n = Neg mean", "m = Mul n r", "y = AddV2 a m"];
    let subtracted = ["r = Rsqrt w", "a = Mul x r", "m = Mul mean r", "y = Sub a m"];
    for (lines, names) in [
        (&no_beta[..], "x gamma y/beta mean variance"),
        (&no_gamma, "x y/gamma beta mean variance"),
        (&unit, "x y/gamma y/beta mean variance"),
        (&neither, "x y/gamma y/beta mean variance"),
        (&subtracted, "x y/gamma y/beta mean variance"),
    ] {
        assert_eq!(fused(graph(&[1, 4, 4, 2], &[&[WIDENED], lines].concat())), parts(names), "{lines:?}");
    }
}

#[test]
fn what_only_resembles_a_batch_norm_is_none() {
    let mean_scaled_otherwise =
        ["r = Rsqrt w", "a = Mul x r", "m = Mul mean gamma", "o = Sub beta m", "y = AddV2 a o"];
    let root_twice = ["c = Sub x mean", "r = Rsqrt w", "n = Mul c r", "y = Mul n r"];
    let multiplied_by_the_root = ["c = Sub x mean", "r = Sqrt w", "y = Mul c r"];
    let negated = ["c = Sub mean x", "r = Rsqrt w", "y = Mul c r"];
    let squared = ["c = Sub x mean", "r = Pow w half", "y = Mul c r"];
    for lines in [&mean_scaled_otherwise[..], &multiplied_by_the_root, &negated, &squared] {
        assert_eq!(fused(graph(&[1, 4, 4, 2], &[&[WIDENED], lines].concat())), None, "{lines:?}");
    }
    // The first root is that of a batch norm, and the second is not its gamma.
    assert_eq!(fused(graph(&[1, 4, 4, 2], &[&[WIDENED], &root_twice[..]].concat())), None);
    // Broadcasting one channel changes the shape.
    let repeated = ["c = Sub x mean", "r = Rsqrt w", "y = Mul c r"];
    assert_eq!(fused(graph(&[4, 4, 1], &[&[WIDENED], &repeated[..]].concat())), None);
}
