//! Checks a model before a runtime gets it. Runtimes trust what they read: a damaged length becomes an allocation, and a node that
//! reads its own result never ends.
//!
//! Source: <https://onnx.ai/onnx/repo-docs/IR.html>.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use hashbrown::{HashMap, HashSet};

use super::elements::constant;
use super::file::OnnxFile;
use super::proto::tensor_proto::DataLocation;
use super::proto::tensor_shape_proto::dimension;
use super::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto, type_proto};
use crate::error::{Error, ErrorKind, Result};
use crate::tensor::element_count;

const DAMAGED: &str = "the file is damaged: download it again, or convert the model again";

/// The largest length in an attribute, such as that of a window: runtimes compute with 32 bits.
const MAX_LENGTH: i64 = i32::MAX as i64;

/// Checks a model: its tensors, the names that its nodes read and write, and lengths.
pub(super) fn check(file: &OnnxFile) -> Result<()> {
    for tensor in file.tensors() {
        tensor.value.as_ref().map_err(|error| match error.kind() {
            ErrorKind::Io => {
                let problem = format!("its weights cannot be read: {}", error.problem());
                let advice = "keep the file with the weights beside it, under its original name";
                Error::new(error.subject(), problem).advice(advice)
            }
            _ => error.clone(),
        })?;
    }
    check_graph(file.graph(), file.tensors().iter().map(|tensor| tensor.name.as_str()), None)
}

/// The names that the nodes of a graph can read: its own, and those of the graphs around it.
struct Names<'a, 'o> {
    own: HashSet<&'a str>,
    outer: Option<&'o Names<'a, 'o>>,
}

impl<'a> Names<'a, '_> {
    fn contain(&self, name: &str) -> bool {
        self.own.contains(name) || self.outer.is_some_and(|outer| outer.contain(name))
    }

    fn add(&mut self, name: &'a str) -> Result<()> {
        if self.own.insert(name) {
            return Ok(());
        }
        Err(Error::new(format!("tensor {name:?}"), "two tensors have this name").advice(DAMAGED))
    }
}

/// prost limits how deep graphs are nested.
fn check_graph<'a>(
    graph: &'a GraphProto,
    initializers: impl Iterator<Item = &'a str>,
    outer: Option<&Names<'a, '_>>,
) -> Result<()> {
    let mut names = Names { own: HashSet::new(), outer };
    for name in initializers {
        names.add(name)?;
    }
    names
        .own
        .extend(graph.sparse_initializer.iter().filter_map(|sparse| Some(&*sparse.values.as_ref()?.name)));
    let mut inputs = HashSet::new();
    for input in &graph.input {
        if !inputs.insert(input.name.as_str()) {
            return Err(
                Error::new(format!("input {:?}", input.name), "two inputs have this name").advice(DAMAGED)
            );
        }
        check_shape(input)?;
    }
    // An initializer of the same name is the default of an input.
    names.own.extend(inputs);
    for node in &graph.node {
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            names.add(output).map_err(|error| error.within(described(node)))?;
        }
    }
    for node in &graph.node {
        check_node(node, &names).map_err(|error| error.within(described(node)))?;
    }
    if let Some(output) = graph.output.iter().find(|output| !names.contain(&output.name)) {
        return Err(Error::new(format!("output {:?}", output.name), "nothing computes it").advice(DAMAGED));
    }
    match in_a_circle(graph) {
        Some(node) => Err(Error::new(described(node), "its inputs depend on its outputs").advice(DAMAGED)),
        None => Ok(()),
    }
}

fn described(node: &NodeProto) -> String {
    let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
    format!("node {:?} ({})", name.map(String::as_str).unwrap_or_default(), node.op_type.escape_debug())
}

fn check_node<'a>(node: &'a NodeProto, names: &Names<'a, '_>) -> Result<()> {
    let unknown = node.input.iter().find(|name| !name.is_empty() && !names.contain(name));
    if let Some(name) = unknown {
        let problem = "no input, initializer or node of the model has this name";
        return Err(Error::new(format!("input {name:?}"), problem).advice(DAMAGED));
    }
    for attribute in &node.attribute {
        let named = |error: Error| error.within(format!("attribute {:?}", attribute.name));
        if matches!(node.domain.as_str(), "" | "ai.onnx") {
            check_lengths(attribute).map_err(named)?;
        }
        if let Some(tensor) = &attribute.t {
            check_tensor(tensor).map_err(named)?;
        }
        for graph in attribute.g.iter().chain(&attribute.graphs) {
            graph.initializer.iter().try_for_each(check_tensor).map_err(named)?;
            let initializers = graph.initializer.iter().map(|tensor| tensor.name.as_str());
            check_graph(graph, initializers, Some(names)).map_err(named)?;
        }
    }
    Ok(())
}

/// Lengths and paddings of windows, which have the same names in all operators.
fn check_lengths(attribute: &AttributeProto) -> Result<()> {
    let possible = match attribute.name.as_str() {
        "kernel_shape" | "strides" | "dilations" => 1..=MAX_LENGTH,
        "pads" => -MAX_LENGTH..=MAX_LENGTH,
        _ => return Ok(()),
    };
    match attribute.ints.iter().find(|length| !possible.contains(*length)) {
        Some(length) => Err(Error::new(length, "it is no possible length").advice(DAMAGED)),
        None => Ok(()),
    }
}

/// A tensor that is not among the initializers of the model.
fn check_tensor(tensor: &TensorProto) -> Result<()> {
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    let named = |error: Error| error.within(format!("tensor {:?}", tensor.name)).advice(DAMAGED);
    let shape =
        shape.ok_or_else(|| named(Error::new("shape", format!("{:?} has negative lengths", tensor.dims))))?;
    if tensor.data_location() == DataLocation::External {
        return Ok(());
    }
    constant(tensor.clone(), shape, None).map(drop).map_err(named)
}

fn check_shape(value: &ValueInfoProto) -> Result<()> {
    let Some(type_proto::Value::TensorType(tensor)) = value.r#type.as_ref().and_then(|t| t.value.as_ref())
    else {
        return Ok(());
    };
    let dims = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let lengths = dims.filter_map(|dim| match dim.value {
        Some(dimension::Value::DimValue(length)) => Some(length),
        _ => None,
    });
    let lengths: Vec<i64> = lengths.collect();
    let known: Option<Vec<usize>> = lengths.iter().map(|&length| usize::try_from(length).ok()).collect();
    if known.and_then(|lengths| element_count(&lengths)).is_none() {
        let problem = format!("{lengths:?} are no possible lengths");
        return Err(Error::new(format!("input {:?}", value.name), problem).advice(DAMAGED));
    }
    Ok(())
}

/// A node whose inputs depend on its own outputs, if there is one. A node reads what the graphs inside of it read, too.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "indices are those of the nodes, and counts are those of their inputs"
)]
fn in_a_circle(graph: &GraphProto) -> Option<&NodeProto> {
    let outputs = graph
        .node
        .iter()
        .enumerate()
        .flat_map(|(at, node)| node.output.iter().map(move |name| (&**name, at)));
    let producers: HashMap<&str, usize> = outputs.filter(|(name, _)| !name.is_empty()).collect();
    let mut waits_for = vec![0usize; graph.node.len()];
    let mut readers: Vec<Vec<usize>> = vec![vec![]; graph.node.len()];
    for (at, node) in graph.node.iter().enumerate() {
        for_each_input(node, &mut |name| {
            if let Some(&producer) = producers.get(name) {
                waits_for[at] += 1;
                readers[producer].push(at);
            }
        });
    }
    let mut ready: Vec<usize> = (0..graph.node.len()).filter(|&at| waits_for[at] == 0).collect();
    let mut done = 0;
    while let Some(at) = ready.pop() {
        done += 1;
        for &reader in &readers[at] {
            waits_for[reader] -= 1;
            if waits_for[reader] == 0 {
                ready.push(reader);
            }
        }
    }
    let left = waits_for.iter().position(|&count| count > 0).filter(|_| done < graph.node.len());
    left.map(|at| &graph.node[at])
}

fn for_each_input<'a>(node: &'a NodeProto, visit: &mut dyn FnMut(&'a str)) {
    node.input.iter().for_each(|name| visit(name));
    for attribute in &node.attribute {
        for graph in attribute.g.iter().chain(&attribute.graphs) {
            graph.output.iter().for_each(|output| visit(&output.name));
            graph.node.iter().for_each(|node| for_each_input(node, visit));
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::proto::ModelProto;
    use super::*;

    fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        NodeProto {
            op_type: op.to_owned(),
            input: owned(inputs),
            output: owned(outputs),
            ..Default::default()
        }
    }

    fn value(name: &str) -> ValueInfoProto {
        ValueInfoProto { name: name.to_owned(), r#type: None }
    }

    /// The problem of a graph with the input `x`, the initializer `w` and the output `y`.
    fn problem(nodes: Vec<NodeProto>) -> String {
        let w =
            TensorProto { name: "w".to_owned(), data_type: 1, float_data: vec![1.0], ..Default::default() };
        let graph = GraphProto {
            node: nodes,
            input: vec![value("x")],
            output: vec![value("y")],
            initializer: vec![w],
            ..Default::default()
        };
        let model = ModelProto { ir_version: 8, graph: Some(graph), ..Default::default() };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), model.encode_to_vec()).unwrap();
        match OnnxFile::open(file.path()).unwrap().check() {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    fn with(mut node: NodeProto, attribute: AttributeProto) -> NodeProto {
        node.attribute.push(attribute);
        node
    }

    #[test]
    fn nodes_in_any_order_are_right_and_circles_are_wrong() {
        assert_eq!(problem(vec![node("Neg", &["a"], &["y"]), node("Add", &["x", "w"], &["a"])]), "");
        let circle =
            vec![node("Add", &["x", "b"], &["a"]), node("Neg", &["a"], &["b"]), node("Neg", &["a"], &["y"])];
        assert!(problem(circle).contains("node \"a\" (Add): its inputs depend on its outputs"));
    }

    #[test]
    fn names_are_unique_and_known() {
        let says = |nodes, part: &str| {
            let problem = problem(nodes);
            assert!(problem.contains(part), "{problem}");
        };
        says(vec![node("Neg", &["x"], &["y"]), node("Neg", &["x"], &["y"])], "two tensors have this name");
        says(vec![node("Neg", &["z"], &["y"])], "no input, initializer or node of the model has this name");
        says(vec![node("Neg", &["x"], &["a"])], "output \"y\": nothing computes it");
    }

    #[test]
    fn a_graph_inside_of_a_node_reads_what_is_around_it() {
        let inner = |reads: &str| GraphProto {
            node: vec![node("Neg", &[reads], &["inside"])],
            output: vec![value("inside")],
            ..Default::default()
        };
        let of = |reads: &str| AttributeProto { g: Some(inner(reads)), ..Default::default() };
        assert_eq!(problem(vec![with(node("If", &["x"], &["y"]), of("w"))]), "");
        assert!(problem(vec![with(node("If", &["x"], &["y"]), of("z"))]).contains("(Neg)"));
        assert!(problem(vec![with(node("If", &["x"], &["y"]), of("y"))]).contains("its inputs depend"));
    }

    #[test]
    fn lengths_and_constants_are_possible() {
        let ints = |name: &str, ints: &[i64]| AttributeProto {
            name: name.to_owned(),
            ints: ints.to_vec(),
            ..Default::default()
        };
        let conv = |attribute| problem(vec![with(node("Conv", &["x", "w"], &["y"]), attribute)]);
        assert_eq!(conv(ints("strides", &[2, 2])), "");
        assert!(
            conv(ints("strides", &[0, 2])).contains("attribute \"strides\": 0: it is no possible length")
        );
        assert!(conv(ints("kernel_shape", &[1 << 40])).contains("no possible length"));
        let tensor =
            TensorProto { dims: vec![1 << 40], data_type: 1, float_data: vec![1.0], ..Default::default() };
        let constant = AttributeProto { t: Some(tensor), ..Default::default() };
        assert!(problem(vec![with(node("Constant", &[], &["y"]), constant)]).contains("cannot have 4 bytes"));
    }
}
