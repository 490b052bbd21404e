//! Every network of the library is compared, node by node, with the graph that TF-Slim built for the same variables.

use std::collections::{BTreeMap, BTreeSet};

use tf2onnx_rs::graph::{Attr, Graph, Node, NodeId, Shape, TensorRef};
use tf2onnx_rs::slim::recognize::Overrides;
use tf2onnx_rs::slim::{BuiltNetwork, ImageShape, Recognition, build, find_network, recognize};

use crate::support::zoo::{self, Case};

fn recognized(case: &Case) -> Result<Recognition, String> {
    let options = case.network_options();
    recognize(&case.variables(), Overrides { options: &options, ..Overrides::default() })
        .map_err(|error| error.to_string())
}

fn built(case: &Case) -> Result<BuiltNetwork, String> {
    let Recognition { network, prefix, options, channels, .. } = recognized(case)?;
    let [height, width] = case.image_size();
    let image = ImageShape { batch: None, height, width, channels };
    build(&network, &prefix, &options, &image, &case.variables()).map_err(|error| error.to_string())
}

/// Runs a check on every case of a network that the library has and reports all that fail.
fn for_every_case(check: impl Fn(&Case) -> Result<(), String>) {
    let cases = zoo::case_names().into_iter().map(|name| Case::load(&name));
    let known: Vec<Case> = cases.filter(|case| find_network(&case.network).is_some()).collect();
    assert!(!known.is_empty());
    let failures: Vec<String> = known
        .iter()
        .filter_map(|case| check(case).err().map(|problem| format!("{}: {problem}", case.name)))
        .collect();
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), known.len(), failures.join("\n"));
}

fn ensure(holds: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}

#[test]
fn every_case_is_recognized_by_its_variables_alone() {
    for_every_case(|case| {
        let recognition = recognized(case)?;
        let Recognition { network, found, expected, options, .. } = &recognition;
        // slim has two names for `mobilenet_v1` with a depth_multiplier of 0.5.
        let named = find_network(&case.network).expect("the library has the case's network");
        let is_named = network.name == case.network
            || (!case.kwargs.is_empty() && named.variants().any(|variant| variant.name == network.name));
        ensure(is_named, || format!("recognized as {}", network.name))?;
        ensure(found == expected, || format!("{found} of {expected} variables found"))?;
        ensure(options.num_classes() == case.num_classes, || format!("{} classes", options.num_classes()))
    });
}

#[test]
fn every_variable_is_used_once_and_none_is_invented() {
    for_every_case(|case| {
        let built = built(case)?;
        let built: Vec<(String, Vec<usize>)> =
            built.variables().map(|(name, shape)| (name.to_owned(), shape)).collect();
        let used: BTreeMap<String, Vec<usize>> = built.iter().cloned().collect();
        ensure(used.len() == built.len(), || "a variable is built twice".to_owned())?;
        let mut stored = case.variables();
        stored.remove("global_step");
        let unlike = |a: &BTreeMap<String, Vec<usize>>, b: &BTreeMap<String, Vec<usize>>| {
            let unlike = a.iter().filter(|(name, shape)| b.get(*name) != Some(*shape));
            unlike.take(5).map(|(name, shape)| format!("{name} {shape:?}")).collect::<Vec<_>>().join(", ")
        };
        ensure(used == stored, || {
            format!("\n  built: {}\n  stored: {}", unlike(&used, &stored), unlike(&stored, &used))
        })
    });
}

#[test]
fn end_points_have_slims_names_tensors_and_shapes() {
    for_every_case(|case| {
        let built = built(case)?;
        for (end_point, expected) in &case.end_points {
            let tensor = built.end_point(end_point).ok_or_else(|| format!("no end point {end_point}"))?;
            let name = built.graph.tensor_name(tensor);
            ensure(name == expected.tensor, || format!("{end_point} is {name}, not {}", expected.tensor))?;
            let shape = built.graph.shape(tensor);
            let fits = shape.is_compatible_with(&Shape::known(&expected.shape));
            ensure(fits, || format!("{end_point} has shape {shape}, not {:?}", expected.shape))?;
        }
        Ok(())
    });
}

/// A node as far as its result depends on it: op, inputs, and attributes that are not TensorFlow's defaults.
fn described(graph: &Graph, node: &Node) -> String {
    let inputs: Vec<String> = node
        .inputs
        .iter()
        .map(|&input| variable(graph, input).unwrap_or_else(|| graph.tensor_name(input)))
        .collect();
    let attrs: Vec<String> = node
        .attrs
        .iter()
        .filter_map(|(name, value)| match (name, value) {
            ("strides" | "ksize" | "dilations" | "squeeze_dims" | "axis", Attr::Ints(values)) => {
                (values.iter().any(|&value| value != 1)).then(|| format!("{name}={values:?}"))
            }
            ("padding", Attr::Bytes(text)) => Some(format!("padding={}", String::from_utf8_lossy(text))),
            ("epsilon", Attr::Float(epsilon)) => Some(format!("epsilon={epsilon}")),
            ("is_training" | "keep_dims" | "transpose_a" | "transpose_b", Attr::Bool(true)) => {
                Some(name.to_owned())
            }
            ("value", Attr::Tensor(value)) => {
                let elements = value.bytes().expect("a constant can be read");
                let value_of_all: BTreeSet<&[u8]> =
                    elements.chunks(value.dtype().size().expect("a number")).collect();
                Some(format!("{} {:?} {value_of_all:?}", value.dtype(), value.shape()))
            }
            _ => None,
        })
        .collect();
    format!("{} {} ({}) {}", node.name, node.op, inputs.join(", "), attrs.join(" "))
}

/// The name of the variable that a tensor reads. TensorFlow 1 reads variables by Identity, and TensorFlow 2 by ReadVariableOp.
fn variable(graph: &Graph, tensor: TensorRef) -> Option<String> {
    let node = graph.node(tensor.node);
    let read = node.inputs.first().filter(|_| ["Identity", "ReadVariableOp"].contains(&node.op.as_str()))?;
    let variable = graph.node(read.node);
    variable.is_variable().then(|| variable.name.clone())
}

#[test]
fn the_graph_is_the_one_that_slim_builds() {
    for_every_case(|case| {
        let built = built(case)?;
        let names: Vec<&String> =
            [Some(&case.output), case.predictions.as_ref()].into_iter().flatten().collect();
        let ours = nodes_for(&built.graph, &names)?;
        let slims = nodes_for(&case.graph(), &names)?;
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
            a.difference(b).take(5).cloned().collect::<Vec<_>>().join("\n    ")
        };
        ensure(ours == slims, || {
            format!("\n  built:\n    {}\n  slim:\n    {}", only(&ours, &slims), only(&slims, &ours))
        })
    });
}

/// The nodes that these tensors need.
pub fn nodes_for(graph: &Graph, tensors: &[&String]) -> Result<BTreeSet<String>, String> {
    let find = |name: &&String| graph.find_tensor(name).ok_or_else(|| format!("no tensor {name}"));
    let tensors: Vec<TensorRef> = tensors.iter().map(find).collect::<Result<_, _>>()?;
    let (graph, _) = graph.clone().pruned_to(&tensors);
    let computes =
        |&(id, node): &(NodeId, &Node)| !node.is_variable() && variable(&graph, id.into()).is_none();
    Ok(graph.nodes().filter(computes).map(|(_, node)| described(&graph, node)).collect())
}
