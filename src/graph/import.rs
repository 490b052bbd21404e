//! A graph from TensorFlow's own description of it, a GraphDef.
//!
//! Source: `tensorflow/core/framework/graph.proto`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use hashbrown::HashMap;

use super::branches::{ON_BRANCH, Output, pivots};
use super::composed::{self, add_composed};
use super::frames::call_loops;
use super::fused::{add_fused, is_fused};
use super::node_def::{attributes, data_inputs, declared_shape};
use super::table_contents::contents;
use super::validate::Nodes;
use super::{Attr, Attrs, Graph, Inference, Library, Limits, NodeId, Shape, TensorRef, TensorType, own_ops};
use crate::error::{Error, Result};
use crate::proto::{FunctionDefLibrary, GraphDef, NodeDef};
use crate::tensor::{Constant, DType};

/// The part of a graph to import, and what is known in addition to its definition.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// The nodes to import, together with the nodes that they need. If the list is empty, all nodes are imported.
    pub roots: Vec<String>,
    /// Nodes that are constants instead.
    pub values: HashMap<String, Constant>,
    /// Shapes of placeholders, in place of those that they declare.
    pub shapes: HashMap<String, Shape>,
    /// For placeholders with a default, whether they have the default (`true`) or are inputs.
    pub defaults: HashMap<String, bool>,
    /// Nodes that become placeholders, with the types of their outputs. Their inputs are not imported.
    pub cuts: HashMap<String, Vec<TensorType>>,
    /// The most that the conversion makes of the graph.
    pub limits: Limits,
}

impl Part {
    /// Whether a node is imported without its inputs.
    pub(super) fn is_source(&self, node: &NodeDef) -> bool {
        self.values.contains_key(&node.name)
            || self.cuts.contains_key(&node.name)
            || self.defaults.get(&node.name).is_some_and(|is_default| !is_default)
    }
}

/// Builds the graph that `definition` describes. Control inputs are left out: they order side effects, and
/// inference has none. Those that assign a node to a branch become inputs (see [`super::branches`]).
///
/// # Errors
/// If a node reads one that does not exist, nodes read each other in a cycle, or an attribute does not make
/// sense.
pub fn import(definition: &GraphDef, infer: Inference) -> Result<Graph> {
    import_part(definition, &Part::default(), infer)
}

/// Builds the part of the graph of `definition` that the roots of `part` need.
///
/// # Errors
/// As for [`import`]; the nodes that the roots do not need are ignored.
pub fn import_part(definition: &GraphDef, part: &Part, infer: Inference) -> Result<Graph> {
    refuse_own_ops(definition)?;
    let without_loops = call_loops(definition, part)?;
    let definition = without_loops.as_ref().unwrap_or(definition);
    let functions = definition.library.as_ref();
    let library = Library::new(functions.unwrap_or(&FunctionDefLibrary::default()), infer, part.limits);
    let mut nodes = Nodes::of_graph(definition)?;
    let starts: Vec<usize> = match &part.roots[..] {
        [] => (0..definition.node.len()).collect(),
        roots => roots.iter().filter_map(|root| nodes.index(root)).collect(),
    };
    let pivots = pivots(&nodes, &starts, &|node| part.is_source(node))?;
    let order = in_order(&nodes, &starts, part, &pivots)?;
    // An op that TensorFlow does not define is assumed to have the outputs that other nodes read.
    let mut ordered = order.iter().filter_map(|&index| definition.node.get(index));
    let unknown = match ordered.all(|node| nodes.defines(&node.op)) {
        true => HashMap::new(),
        false => nodes.types_of_unknown_ops(&definition.node),
    };
    let mut importing = Importing {
        definition,
        part,
        nodes,
        unknown,
        pivots,
        graph: Graph::with_library(library),
        on_branch: HashMap::new(),
    };
    for index in order {
        importing.add(index)?;
    }
    Ok(importing.graph)
}

/// Refuses ops that only the program itself adds to graphs.
fn refuse_own_ops(definition: &GraphDef) -> Result<()> {
    let functions = definition.library.iter().flat_map(|library| &library.function);
    let mut nodes = definition.node.iter().chain(functions.flat_map(|function| &function.node_def));
    match nodes.find(|node| own_ops::ALL.contains(&node.op.as_str())) {
        Some(node) => {
            Err(Error::new(format!("\"{}\"", node.name), format!("TensorFlow has no op {}", node.op)))
        }
        None => Ok(()),
    }
}

/// A graph that is being imported.
struct Importing<'a> {
    definition: &'a GraphDef,
    part: &'a Part,
    nodes: Nodes<'a>,
    /// The known outputs of ops that TensorFlow does not define.
    unknown: HashMap<&'a str, Vec<Option<DType>>>,
    pivots: HashMap<usize, Vec<Output>>,
    graph: Graph,
    /// For tensors that only a control edge assigns to a branch, the tensors that their readers read instead.
    on_branch: HashMap<TensorRef, TensorRef>,
}

impl Importing<'_> {
    /// Adds a node after its inputs.
    fn add(&mut self, index: usize) -> Result<()> {
        let definition = self.definition;
        let Some(node) = definition.node.get(index) else { return Ok(()) };
        let (name, graph) = (node.name.as_str(), &mut self.graph);
        if let Some(value) = self.part.values.get(name) {
            graph.add(name, "Const", vec![], [("value", Attr::Tensor(value.clone()))].into())?;
            return Ok(());
        }
        if let Some(types) = self.part.cuts.get(name) {
            graph.add(name, "Placeholder", vec![], placeholder_attrs(types))?;
            return Ok(());
        }
        let reads: Vec<(&str, usize)> = data_inputs(node).collect();
        let checked = self.nodes.reads(node, &reads)?;
        self.nodes.check(node, &checked)?;
        let inputs = || {
            // The list stays as long as the graph: it has no room for more.
            let mut inputs = Vec::with_capacity(reads.len());
            for &(input, port) in &reads {
                let id = graph.find(input).ok_or_else(|| missing_input(node, input))?;
                let tensor = TensorRef { node: id, port };
                inputs.push(self.on_branch.get(&tensor).copied().unwrap_or(tensor));
            }
            Ok(inputs)
        };
        let inputs: Result<Vec<TensorRef>> = inputs();
        let outputs = self.unknown.get(name).map_or(&[][..], Vec::as_slice);
        let id = match (self.part.shapes.get(name), self.part.defaults.get(name)) {
            (None, None) if matches!(node.op.as_str(), "HashTable" | "HashTableV2") => {
                let mut attrs = attributes(node)?;
                let found = contents(self.definition, name);
                for (name, constant) in ["keys", "values"].into_iter().zip(found.into_iter().flatten()) {
                    attrs.extend(attributes(constant)?.remove("value").map(|value| (name.to_owned(), value)));
                }
                graph.add(name, &node.op, vec![], attrs)?
            }
            (None, None) if is_shape_unknown(self.definition, node) => {
                let mut attrs = attributes(node)?;
                attrs.insert("shape", Attr::Shape(Shape::UNKNOWN));
                graph.add(name, &node.op, vec![], attrs)?
            }
            (None, None) => add_node(graph, node, name, inputs?, outputs)?,
            (_, Some(true)) => graph.add(name, "Identity", inputs?, Attrs::new())?,
            (shape, ignored) => {
                let mut attrs = attributes(node)?;
                attrs.extend(shape.map(|shape| ("shape", Attr::Shape(shape.clone()))));
                let op = if ignored.is_some() { "Placeholder" } else { node.op.as_str() };
                let inputs = if ignored.is_some() { vec![] } else { inputs? };
                graph.add(name, op, inputs, attrs)?
            }
        };
        self.assign_to_branches(index, id)
    }

    /// Where control edges assign a node to branches, lets the readers of the node read an
    /// [`ON_BRANCH`](super::branches::ON_BRANCH) node.
    fn assign_to_branches(&mut self, index: usize, id: NodeId) -> Result<()> {
        let Some(pivots) = self.pivots.get(&index).filter(|_| !self.graph.node(id).is_variable()) else {
            return Ok(());
        };
        let pivots: Vec<TensorRef> = pivots
            .iter()
            .filter_map(|&(switch, port)| {
                Some(TensorRef { node: self.graph.find(&self.definition.node.get(switch)?.name)?, port })
            })
            .collect();
        for port in 0..self.graph.node(id).outputs.len() {
            let tensor = TensorRef { node: id, port };
            let name = format!("{}/on_branch_{port}", self.graph.node(id).name);
            let inputs = [&[tensor], &pivots[..]].concat();
            let on_branch = self.graph.add(name, ON_BRANCH, inputs, Attrs::new())?;
            self.on_branch.insert(tensor, on_branch.into());
        }
        Ok(())
    }
}

/// The last version of graphs in which the shape `{}` of a placeholder stands for an undeclared shape.
///
/// Source: the shape function of `Placeholder` in `tensorflow/core/ops/array_ops.cc`.
const LAST_WITHOUT_SCALARS: i32 = 21;

/// Whether a placeholder's shape is unknown, although it declares one.
fn is_shape_unknown(definition: &GraphDef, node: &NodeDef) -> bool {
    let producer = definition.versions.as_ref().map_or(0, |versions| versions.producer);
    node.op == "Placeholder"
        && producer <= LAST_WITHOUT_SCALARS
        && declared_shape(node).is_some_and(|shape| shape.rank() == Some(0))
}

/// The attributes of a placeholder with outputs of these types.
pub fn placeholder_attrs(types: &[TensorType]) -> Attrs {
    let (dtypes, shapes) = types.iter().map(|known| (known.dtype, known.shape.clone())).unzip();
    [("output_types", Attr::Types(dtypes)), ("output_shapes", Attr::Shapes(shapes))].into()
}

/// Adds the node that `definition` describes under a name of its own. `outputs` are the types that are known of its
/// outputs where TensorFlow does not define its op.
pub(super) fn add_node(
    graph: &mut Graph,
    definition: &NodeDef,
    name: &str,
    inputs: Vec<TensorRef>,
    outputs: &[Option<DType>],
) -> Result<NodeId> {
    if is_fused(&definition.op) {
        return add_fused(graph, &definition.op, name, inputs, &attributes(definition)?);
    }
    if let Some(row) = composed::find(&definition.op) {
        return add_composed(graph, row, name, &inputs, attributes(definition)?);
    }
    let known = |dtype: &Option<DType>| TensorType::new(dtype.unwrap_or(DType::Unknown), Shape::UNKNOWN);
    let outputs: Vec<TensorType> = outputs.iter().map(known).collect();
    graph.add_with_outputs(name, &definition.op, inputs, attributes(definition)?, &outputs)
}

fn missing_input(node: &NodeDef, input: &str) -> Error {
    Error::new(
        format!("{} \"{}\"", node.op, node.name),
        format!("it reads \"{input}\", which is not in the graph"),
    )
}

/// The indices of the nodes, each after those it reads. Nodes that are in order stay in their order.
#[expect(
    clippy::indexing_slicing,
    reason = "indices of nodes come from `Nodes`, and `state` is as long as its list"
)]
fn in_order(
    nodes: &Nodes<'_>,
    starts: &[usize],
    part: &Part,
    pivots: &HashMap<usize, Vec<Output>>,
) -> Result<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut state = vec![State::New; nodes.all().len()];
    let mut order = Vec::with_capacity(nodes.all().len());
    for &start in starts {
        // An explicit stack: a graph can be deeper than the program's stack.
        let mut stack = vec![start];
        while let Some(&index) = stack.last() {
            let node = &nodes.all()[index];
            if state[index] == State::Done {
                stack.pop();
                continue;
            }
            let is_source = part.is_source(node);
            state[index] = State::Open;
            let mut is_ready = true;
            let read = data_inputs(node).map(|(name, _)| name);
            let switches = pivots.get(&index).into_iter().flatten();
            let read = read.chain(switches.map(|&(switch, _)| nodes.all()[switch].name.as_str()));
            for name in read.filter(|_| !is_source) {
                let input = nodes.index(name).ok_or_else(|| missing_input(node, name))?;
                match state[input] {
                    State::Done => {}
                    State::New => {
                        is_ready = false;
                        stack.push(input);
                    }
                    State::Open => {
                        return Err(Error::new(
                            format!("{} \"{}\"", node.op, node.name),
                            format!("it is part of a loop through \"{name}\""),
                        ));
                    }
                }
            }
            if is_ready {
                state[index] = State::Done;
                order.push(index);
                stack.pop();
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{AttrValue, DataType, attr_value};

    fn node(name: &str, op: &str, inputs: &[&str]) -> NodeDef {
        let input = inputs.iter().map(|&input| input.to_owned()).collect();
        NodeDef { name: name.to_owned(), op: op.to_owned(), input, ..NodeDef::default() }
    }

    fn relu(name: &str, inputs: &[&str]) -> NodeDef {
        let dtype = AttrValue { value: Some(attr_value::Value::Type(DataType::DtFloat as i32)) };
        NodeDef { attr: [("T".to_owned(), dtype)].into(), ..node(name, "Relu", inputs) }
    }

    fn placeholder(name: &str) -> NodeDef {
        let dtype = AttrValue { value: Some(attr_value::Value::Type(DataType::DtFloat as i32)) };
        NodeDef { attr: [("dtype".to_owned(), dtype)].into(), ..node(name, "Placeholder", &[]) }
    }

    #[test]
    fn nodes_may_come_in_any_order() {
        let nodes = vec![relu("b", &["a:0", "^c"]), placeholder("a"), node("c", "NoOp", &[])];
        let graph =
            import(&GraphDef { node: nodes, ..GraphDef::default() }, crate::ops::output_types).unwrap();
        let names: Vec<&str> = graph.nodes().map(|(_, node)| node.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn a_file_cannot_have_the_programs_own_ops() {
        let nodes = own_ops::ALL.map(|op| GraphDef { node: vec![node("a", op, &[])], ..GraphDef::default() });
        for graph in nodes {
            let said = import(&graph, crate::ops::output_types).unwrap_err().to_string();
            assert!(said.contains("TensorFlow has no op"), "{said}");
        }
    }

    #[test]
    fn a_circle_and_a_missing_input_are_errors() {
        for nodes in
            [vec![node("a", "Relu", &["b"]), node("b", "Relu", &["a"])], vec![node("a", "Relu", &["x"])]]
        {
            assert!(
                import(&GraphDef { node: nodes, ..GraphDef::default() }, crate::ops::output_types).is_err()
            );
        }
    }
}
