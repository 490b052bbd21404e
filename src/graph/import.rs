//! A graph from TensorFlow's own description of it, a GraphDef.
//!
//! Source: `tensorflow/core/framework/{graph,node_def,attr_value}.proto`.

use hashbrown::HashMap;

use super::branches::{ON_BRANCH, Output, pivots};
use super::fused::{add_fused, is_fused};
use super::table_contents::contents;
use super::tensor_proto::constant;
use super::validate::Nodes;
use super::{Attr, Attrs, Graph, Inference, Library, NodeId, Shape, TensorRef, TensorType};
use crate::error::{Error, Result};
use crate::proto::{AttrValue, GraphDef, NodeDef, TensorShapeProto, attr_value};
use crate::setting::Setting;
use crate::tensor::{Constant, DType};

/// What is known of a graph beyond its definition, and which part of it is wanted.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// The nodes that are wanted, with what they read; all nodes where there are none.
    pub roots: Vec<String>,
    /// Nodes that are constants instead.
    pub values: HashMap<String, Constant>,
    /// Shapes of placeholders that are known better.
    pub shapes: HashMap<String, Shape>,
    /// Placeholders with a default that are what reads them decides: `true` where the default is their value.
    pub defaults: HashMap<String, bool>,
    /// Nodes that become placeholders, with the types of their outputs. Their inputs are not imported.
    pub cuts: HashMap<String, Vec<TensorType>>,
}

impl Part {
    /// Whether a node is imported without what it reads.
    fn is_source(&self, node: &NodeDef) -> bool {
        self.values.contains_key(&node.name)
            || self.cuts.contains_key(&node.name)
            || self.defaults.get(&node.name).is_some_and(|is_default| !is_default)
    }
}

/// Builds the graph that `definition` describes. Control inputs are left out: they order side effects, and
/// inference has none. Those that assign a node to a branch become inputs (see [`super::branches`]).
///
/// # Errors
/// Where a node reads one that does not exist, nodes read each other in a cycle, or an attribute does not make
/// sense.
pub fn import(definition: &GraphDef, infer: Inference) -> Result<Graph> {
    import_part(definition, &Part::default(), infer)
}

/// Builds the part of the graph that `definition` describes which the roots of `part` need.
///
/// # Errors
/// As for [`import`]; the nodes that the roots do not need are ignored.
pub fn import_part(definition: &GraphDef, part: &Part, infer: Inference) -> Result<Graph> {
    let library = definition.library.as_ref();
    let library = library.map_or_else(|| Library::empty(infer), |functions| Library::new(functions, infer));
    let mut nodes = Nodes::of_graph(definition)?;
    let starts: Vec<usize> = match &part.roots[..] {
        [] => (0..definition.node.len()).collect(),
        roots => roots.iter().filter_map(|root| nodes.index(root)).collect(),
    };
    let pivots = pivots(&nodes, &starts, &|node| part.is_source(node))?;
    let order = in_order(&nodes, &starts, part, &pivots)?;
    // An op that TensorFlow does not define has the outputs that other nodes read.
    let unknown = match order.iter().all(|&index| nodes.defines(&definition.node[index].op)) {
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

/// A graph that is being imported.
struct Importing<'a> {
    definition: &'a GraphDef,
    part: &'a Part,
    nodes: Nodes<'a>,
    /// The known outputs of ops that TensorFlow does not define.
    unknown: HashMap<&'a str, Vec<Option<DType>>>,
    pivots: HashMap<usize, Vec<Output>>,
    graph: Graph,
    /// What the readers of a tensor read instead, where only a control edge assigns the tensor to a branch.
    on_branch: HashMap<TensorRef, TensorRef>,
}

impl Importing<'_> {
    /// Adds a node after its inputs.
    fn add(&mut self, index: usize) -> Result<()> {
        let definition = self.definition;
        let node = &definition.node[index];
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
        let inputs: Result<Vec<TensorRef>> = reads
            .into_iter()
            .map(|(input, port)| {
                let id = graph.find(input).ok_or_else(|| missing_input(node, input))?;
                let tensor = TensorRef { node: id, port };
                Ok(self.on_branch.get(&tensor).copied().unwrap_or(tensor))
            })
            .collect();
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
                Some(TensorRef { node: self.graph.find(&self.definition.node[switch].name)?, port })
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
    let known = |dtype: &Option<DType>| TensorType::new(dtype.unwrap_or(DType::Unknown), Shape::UNKNOWN);
    let outputs: Vec<TensorType> = outputs.iter().map(known).collect();
    graph.add_with_outputs(name, &definition.op, inputs, attributes(definition)?, &outputs)
}

/// The element type that a placeholder or variable declares.
pub fn declared_type(node: &NodeDef) -> Option<DType> {
    match node.attr.get("dtype")?.value.as_ref()? {
        attr_value::Value::Type(number) => dtype(*number).ok(),
        _ => None,
    }
}

/// The shape that a placeholder or variable declares.
pub fn declared_shape(node: &NodeDef) -> Option<Shape> {
    match node.attr.get("shape")?.value.as_ref()? {
        attr_value::Value::Shape(proto) => Some(shape(proto)),
        _ => None,
    }
}

/// An attribute of a node.
///
/// # Errors
/// Where its value is invalid.
pub fn attribute_of(node: &NodeDef, name: &str) -> Result<Option<Attr>> {
    node.attr.get(name).map_or(Ok(None), attribute)
}

/// The value of a `Const` node.
///
/// # Errors
/// Where it has no value, or an invalid one.
pub fn constant_of(node: &NodeDef) -> Result<Constant> {
    match node.attr.get("value").and_then(|value| value.value.as_ref()) {
        Some(attr_value::Value::Tensor(proto)) => constant(proto),
        _ => Err(Error::new("value", "it has none")),
    }
}

/// The attributes of a node, those of TensorFlow's own use left out.
fn attributes(node: &NodeDef) -> Result<Attrs> {
    let mut attrs = Attrs::new();
    for (name, value) in node.attr.iter().filter(|(name, _)| !name.starts_with('_')) {
        let value = attribute(value)
            .map_err(|error| error.within(format!("{} \"{}\", attribute {name}", node.op, node.name)))?;
        attrs.extend(value.map(|value| (name.clone(), value)));
    }
    Ok(attrs)
}

fn missing_input(node: &NodeDef, input: &str) -> Error {
    Error::new(
        format!("{} \"{}\"", node.op, node.name),
        format!("it reads \"{input}\", which is not in the graph"),
    )
}

/// The names and ports of the tensors that a node reads.
pub fn data_inputs(node: &NodeDef) -> impl Iterator<Item = (&str, usize)> {
    node.input.iter().filter(|input| !input.starts_with('^')).map(|input| match input.rsplit_once(':') {
        Some((name, port)) => port.parse().map_or((input.as_str(), 0), |port| (name, port)),
        None => (input.as_str(), 0),
    })
}

/// How many nodes are followed from a tensor to where it comes from: a damaged graph may have a cycle.
const MAX_IDENTITIES: usize = 1 << 12;

/// The tensor that a tensor is forwarded from by `Identity` nodes: the name of its node, and the port. `find` has the nodes by
/// their names.
pub fn past_identities<'a>(
    mut tensor: (&'a str, usize),
    find: impl Fn(&str) -> Option<&'a NodeDef>,
) -> (&'a str, usize) {
    for _ in 0..MAX_IDENTITIES {
        let node = find(tensor.0).filter(|node| node.op == "Identity");
        match node.and_then(|node| data_inputs(node).next()) {
            Some(input) => tensor = input,
            None => break,
        }
    }
    tensor
}

/// The indices of the nodes, each after those it reads. Nodes that are in order stay in their order.
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
        // A stack of our own: a graph can be deeper than the program's.
        let mut stack = vec![start];
        while let Some(&index) = stack.last() {
            let node = &nodes.all()[index];
            if state[index] == State::Done {
                stack.pop();
                continue;
            }
            let is_source = part.is_source(node);
            if !is_source && matches!(node.op.as_str(), "Enter" | "RefEnter" | "Exit" | "RefExit") {
                return Err(loop_of_tensorflow_1(node));
            }
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

/// The error for a loop that is a cycle of nodes, which control flow v2 replaced by functions.
///
/// Source: `tensorflow/core/ops/control_flow_ops.cc`.
fn loop_of_tensorflow_1(node: &NodeDef) -> Error {
    let problem = "it is part of a loop of TensorFlow 1, as tf.while_loop, dynamic_rnn and map_fn build it, which is not \
                   converted";
    Error::new(format!("{} \"{}\"", node.op, node.name), problem).advice(format!(
        "build the graph again after tf.compat.v1.enable_control_flow_v2(), whose loops are converted, or convert what \
         lies before or after the loop, with {} or {}",
        Setting::Outputs,
        Setting::Inputs
    ))
}

/// The value of an attribute; `None` where it has none.
fn attribute(value: &AttrValue) -> Result<Option<Attr>> {
    use attr_value::Value;
    let Some(value) = &value.value else { return Ok(None) };
    Ok(Some(match value {
        Value::S(bytes) => Attr::Bytes(bytes.clone()),
        Value::I(value) => Attr::Int(*value),
        Value::F(value) => Attr::Float(*value),
        Value::B(value) => Attr::Bool(*value),
        Value::Type(number) => Attr::Type(dtype(*number)?),
        Value::Shape(proto) => Attr::Shape(shape(proto)),
        Value::Tensor(proto) => Attr::Tensor(constant(proto)?),
        Value::Func(function) => Attr::Function(function.name.clone()),
        Value::Placeholder(_) => return Ok(None),
        Value::List(list) => {
            if !list.s.is_empty() {
                Attr::Strings(list.s.clone())
            } else if !list.f.is_empty() {
                Attr::Floats(list.f.clone())
            } else if !list.b.is_empty() {
                Attr::Bools(list.b.clone())
            } else if !list.r#type.is_empty() {
                Attr::Types(list.r#type.iter().map(|&number| dtype(number)).collect::<Result<_>>()?)
            } else if !list.shape.is_empty() {
                Attr::Shapes(list.shape.iter().map(shape).collect())
            } else if !list.func.is_empty() {
                Attr::Functions(list.func.iter().map(|function| function.name.clone()).collect())
            } else {
                Attr::Ints(list.i.clone())
            }
        }
    }))
}

pub(super) fn dtype(number: i32) -> Result<DType> {
    DType::from_proto(number)
        .ok_or_else(|| Error::new("type", format!("TensorFlow has no type number {number}")))
}

/// A shape from its message.
pub fn shape(proto: &TensorShapeProto) -> Shape {
    if proto.unknown_rank {
        return Shape::UNKNOWN;
    }
    Shape::new(proto.dim.iter().map(|dim| usize::try_from(dim.size).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::DataType;

    fn node(name: &str, op: &str, inputs: &[&str]) -> NodeDef {
        let input = inputs.iter().map(|&input| input.to_owned()).collect();
        NodeDef { name: name.to_owned(), op: op.to_owned(), input, ..NodeDef::default() }
    }

    fn placeholder(name: &str) -> NodeDef {
        let dtype = AttrValue { value: Some(attr_value::Value::Type(DataType::DtFloat as i32)) };
        NodeDef { attr: [("dtype".to_owned(), dtype)].into(), ..node(name, "Placeholder", &[]) }
    }

    #[test]
    fn nodes_may_come_in_any_order() {
        let nodes = vec![node("b", "Relu", &["a:0", "^c"]), placeholder("a"), node("c", "NoOp", &[])];
        let graph =
            import(&GraphDef { node: nodes, ..GraphDef::default() }, crate::ops::output_types).unwrap();
        let names: Vec<&str> = graph.nodes().map(|(_, node)| node.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
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
