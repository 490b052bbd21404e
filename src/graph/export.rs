//! Nodes as TensorFlow's messages: the inverse of [`import`](super::import).
//!
//! The attributes that a node of this graph leaves to its inputs (`T`, `N`, `Tshape` …) are added as its op defines them.
//! Attributes that have the op's default are left out, as `strip_default_attrs` does: then older versions of TensorFlow, which
//! do not know some of these attributes, read the graph too.
//!
//! Source: `tensorflow/core/framework/{node_def,attr_value,tensor}.proto`, `StripDefaultAttributes` in
//! `tensorflow/core/framework/graph_def_util.cc`.

use std::collections::BTreeMap;

use super::branches::ON_BRANCH;
use super::op_definition::{Argument, AttributeDefinition, ElementType, Form, OpDefinition};
use super::own_ops;
use super::{Attr, Attrs, Graph, Node, Shape};
use crate::error::{Error, Result};
use crate::proto::attr_value::{ListValue, Value};
use crate::proto::tensor_shape_proto::Dim;
use crate::proto::{AttrValue, NameAttrList, NodeDef, TensorProto, TensorShapeProto};
use crate::tensor::{Constant, DType};

/// A node as TensorFlow's message.
///
/// # Errors
/// If TensorFlow does not have its op, an attribute is not known, or a constant cannot be read.
pub fn node_def(graph: &Graph, node: &Node) -> Result<NodeDef> {
    if node.op == ON_BRANCH {
        let problem =
            "it is on a branch of a conditional of TensorFlow 1, and only its ONNX form can be written";
        return Err(node.error(problem).advice("freeze the graph with TensorFlow"));
    }
    if own_ops::ALL.contains(&node.op.as_str()) {
        return Err(node.error("TensorFlow has no such op"));
    }
    let mut attrs = match OpDefinition::find(&node.op) {
        Some(definition) => complete(graph, node, definition)?,
        // An op of a library that is loaded into TensorFlow: its attributes came with the graph.
        None => node.attrs.clone(),
    };
    if node.inputs.first().is_some_and(|input| graph.node(input.node).op == "VariableV2")
        && node.op == "Identity"
    {
        let variable = &graph.node(node.inputs[0].node).name;
        attrs.insert("_class", Attr::Strings(vec![format!("loc:@{variable}").into_bytes()]));
    }
    let attr = attrs.iter().map(|(name, attr)| Ok((name.to_owned(), attr_value(attr)?)));
    Ok(NodeDef {
        name: node.name.clone(),
        op: node.op.clone(),
        input: node.inputs.iter().map(|&input| input_name(graph, input)).collect(),
        attr: attr.collect::<Result<_>>().map_err(|error| node.error(error))?,
        ..NodeDef::default()
    })
}

/// The name of a tensor among the inputs of a node: the first output of a node has the name of the node.
fn input_name(graph: &Graph, input: super::TensorRef) -> String {
    match input.port {
        0 => graph.node(input.node).name.clone(),
        _ => graph.tensor_name(input),
    }
}

/// The attributes that the definition of the op requires, and those that have another value than its default.
fn complete(graph: &Graph, node: &Node, definition: OpDefinition) -> Result<Attrs> {
    let mut attrs = node.attrs.clone();
    let inputs: Vec<DType> = node.inputs.iter().map(|&input| graph.tensor_type(input).dtype).collect();
    let outputs: Vec<DType> = node.outputs.iter().map(|output| output.dtype).collect();
    for attr in of_arguments(node, definition, definition.inputs(), &inputs) {
        add_missing(&mut attrs, attr);
    }
    for attr in of_arguments(node, definition, definition.outputs(), &outputs) {
        add_missing(&mut attrs, attr);
    }
    // Where a graph is cut, a placeholder has all outputs of the op that it replaces, and its attributes list their types.
    if node.op == "Placeholder" {
        let Some((output, others)) = node.outputs.split_first() else {
            return Err(node.error("it has no output"));
        };
        if !others.is_empty() && reads_others(graph, &node.name) {
            let problem = "the graph reads several of its outputs, and TensorFlow's placeholders have one";
            return Err(node.error(problem).advice("freeze the graph with TensorFlow"));
        }
        attrs.remove("output_types");
        attrs.remove("output_shapes");
        add_missing(&mut attrs, ("shape", Attr::Shape(output.shape.clone())));
    }
    for attribute in definition.attributes() {
        match attrs.get(attribute.name) {
            None if attribute.default.is_none() => {
                return Err(node.error(format!("its attribute {} is not known", attribute.name)));
            }
            Some(attr) if is_default(attr, attribute) => drop(attrs.remove(attribute.name)),
            _ => {}
        }
    }
    Ok(attrs)
}

/// Whether a node reads an output of the node of this name that is not its first one.
fn reads_others(graph: &Graph, name: &str) -> bool {
    let Some(id) = graph.find(name) else { return false };
    graph.nodes().flat_map(|(_, reader)| &reader.inputs).any(|input| input.node == id && input.port > 0)
}

fn add_missing(attrs: &mut Attrs, (name, attr): (&'static str, Attr)) {
    if attrs.get(name).is_none() && !matches!(attr, Attr::Type(DType::Unknown)) {
        attrs.insert(name, attr);
    }
}

/// The attributes that the numbers and types of a node's inputs or outputs tell.
fn of_arguments(
    node: &Node,
    definition: OpDefinition,
    arguments: impl Iterator<Item = Argument> + Clone,
    types: &[DType],
) -> Vec<(&'static str, Attr)> {
    let mut told = vec![];
    let mut rest = types;
    let all: Vec<Argument> = arguments.collect();
    let counted = |argument: &Argument| match argument.form {
        // A list has as many tensors as remain: its attribute may be what is looked for.
        Form::Number(name, _) | Form::Types(name) if node.attrs.get(name).is_none() => None,
        _ => definition.count(*argument, node),
    };
    for (index, argument) in all.iter().enumerate() {
        let after: usize = all[index + 1..].iter().filter_map(counted).sum();
        let lists = all[index..].iter().filter(|argument| counted(argument).is_none()).count().max(1);
        let remaining = rest.len().saturating_sub(after) / lists;
        let count = counted(argument).unwrap_or(remaining).min(rest.len());
        let (own, others) = rest.split_at(count);
        rest = others;
        let first = own.first().copied();
        match argument.form {
            Form::One(ElementType::Attribute(name)) => {
                told.extend(first.map(|first| (name, Attr::Type(first))))
            }
            Form::One(ElementType::Fixed(_)) => {}
            Form::Number(name, element) => {
                told.push((name, Attr::Int(count as i64)));
                if let (ElementType::Attribute(name), Some(first)) = (element, first) {
                    told.push((name, Attr::Type(first)));
                }
            }
            Form::Types(name) => told.push((name, Attr::Types(own.to_vec()))),
        }
    }
    told
}

/// Whether an attribute has the default of its definition.
fn is_default(attr: &Attr, definition: AttributeDefinition) -> bool {
    let Some(default) = definition.default.filter(|&default| default != "?") else { return false };
    match attr {
        Attr::Int(value) => default.parse() == Ok(*value),
        Attr::Float(value) => default.parse() == Ok(*value),
        Attr::Bool(value) => default.parse() == Ok(*value),
        Attr::Bytes(value) => default.as_bytes() == value,
        Attr::Type(value) => default == value.name(),
        Attr::Ints(values) => {
            let listed: Vec<String> = values.iter().map(i64::to_string).collect();
            default == format!("[{}]", listed.join(","))
        }
        _ => false,
    }
}

/// The value of an attribute as TensorFlow's message.
///
/// # Errors
/// If a tensor cannot be read.
pub fn attr_value(attr: &Attr) -> Result<AttrValue> {
    let list = |list: ListValue| Value::List(list.into());
    let types = |types: &[DType]| types.iter().map(|dtype| dtype.to_proto() as i32).collect();
    let function = |name: &String| NameAttrList { name: name.clone(), attr: BTreeMap::new() };
    let value = match attr {
        Attr::Int(value) => Value::I(*value),
        Attr::Float(value) => Value::F(*value),
        Attr::Bool(value) => Value::B(*value),
        Attr::Bytes(value) => Value::S(value.clone()),
        Attr::Type(dtype) => Value::Type(dtype.to_proto() as i32),
        Attr::Shape(shape) => Value::Shape(shape_proto(shape)),
        Attr::Tensor(constant) => Value::Tensor(tensor_proto(constant)?.into()),
        Attr::Function(name) => Value::Func(function(name).into()),
        Attr::Functions(names) => {
            list(ListValue { func: names.iter().map(function).collect(), ..ListValue::default() })
        }
        Attr::Ints(values) => list(ListValue { i: values.clone(), ..ListValue::default() }),
        Attr::Floats(values) => list(ListValue { f: values.clone(), ..ListValue::default() }),
        Attr::Bools(values) => list(ListValue { b: values.clone(), ..ListValue::default() }),
        Attr::Strings(values) => list(ListValue { s: values.clone(), ..ListValue::default() }),
        Attr::Types(values) => list(ListValue { r#type: types(values), ..ListValue::default() }),
        Attr::Shapes(shapes) => {
            list(ListValue { shape: shapes.iter().map(shape_proto).collect(), ..ListValue::default() })
        }
    };
    Ok(AttrValue { value: Some(value) })
}

/// A shape as TensorFlow's message.
pub fn shape_proto(shape: &Shape) -> TensorShapeProto {
    let Some(dims) = shape.dims() else {
        return TensorShapeProto { dim: vec![], unknown_rank: true };
    };
    let dim = |dim: &Option<usize>| Dim { size: dim.map_or(-1, |length| length as i64), name: String::new() };
    TensorShapeProto { dim: dims.iter().map(dim).collect(), unknown_rank: false }
}

/// The message of a tensor without its elements.
pub fn empty_tensor_proto(dtype: DType, shape: &[usize]) -> TensorProto {
    TensorProto {
        dtype: dtype.to_proto() as i32,
        tensor_shape: Some(shape_proto(&Shape::known(shape))),
        ..TensorProto::default()
    }
}

/// A tensor as TensorFlow's message: a single number is listed, so that it can be read in text form, other elements are bytes.
fn tensor_proto(constant: &Constant) -> Result<TensorProto> {
    let (dtype, shape) = (constant.dtype(), constant.shape());
    let proto = empty_tensor_proto(dtype, shape);
    if dtype == DType::String {
        return Ok(TensorProto { string_val: constant.strings()?, ..proto });
    }
    if dtype.size().is_none() {
        return Err(Error::new("tensor", format!("a {dtype} cannot be a constant")));
    }
    let bytes = constant.bytes()?;
    Ok(match (dtype, &bytes[..]) {
        (DType::Float32, &[a, b, c, d]) => {
            TensorProto { float_val: vec![f32::from_le_bytes([a, b, c, d])], ..proto }
        }
        (DType::Int32, &[a, b, c, d]) => {
            TensorProto { int_val: vec![i32::from_le_bytes([a, b, c, d])], ..proto }
        }
        (DType::Bool, &[value]) => TensorProto { bool_val: vec![value != 0], ..proto },
        _ => TensorProto { tensor_content: bytes.into_owned().into(), ..proto },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::TensorRef;
    use crate::graph::import::import;
    use crate::proto::GraphDef;

    fn placeholder(graph: &mut Graph, name: &str, shape: &[usize]) -> TensorRef {
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(shape)))];
        graph.add(name, "Placeholder", vec![], attrs.into()).unwrap().into()
    }

    fn exported(graph: &Graph, name: &str) -> NodeDef {
        node_def(graph, graph.node(graph.find(name).unwrap())).unwrap()
    }

    fn names(node: &NodeDef) -> Vec<&str> {
        node.attr.keys().map(String::as_str).collect()
    }

    #[test]
    fn types_and_numbers_of_inputs_become_attributes_and_defaults_are_left_out() {
        let mut graph = crate::ops::new_graph();
        let [a, b] = ["a", "b"].map(|name| placeholder(&mut graph, name, &[2, 3]));
        let axis = [("value", Attr::Tensor(Constant::from_i32(vec![], &[1])))];
        let axis = graph.add("axis", "Const", vec![], axis.into()).unwrap().into();
        let concat = graph.add("concat", "ConcatV2", vec![a, b, axis], Attrs::new()).unwrap().into();
        let attrs = [("transpose_a", Attr::Bool(false)), ("transpose_b", Attr::Bool(true))];
        graph.add("product", "MatMul", vec![concat, concat], attrs.into()).unwrap();
        let concat = exported(&graph, "concat");
        assert_eq!(concat.input, ["a", "b", "axis"]);
        assert_eq!(names(&concat), ["N", "T"]);
        assert_eq!(concat.attr["N"].value, Some(Value::I(2)));
        assert_eq!(names(&exported(&graph, "product")), ["T", "transpose_b"]);
        assert_eq!(names(&exported(&graph, "axis")), ["dtype", "value"]);
    }

    #[test]
    fn an_exported_graph_is_imported_as_it_was() {
        let mut graph = crate::ops::new_graph();
        let x = placeholder(&mut graph, "x", &[1, 8]);
        let attrs = [("num_split", Attr::Int(2))];
        let axis = [("value", Attr::Tensor(Constant::from_i32(vec![], &[1])))];
        let axis = graph.add("axis", "Const", vec![], axis.into()).unwrap().into();
        let split = graph.add("split", "Split", vec![axis, x], attrs.into()).unwrap();
        graph.add("y", "Relu", vec![TensorRef { node: split, port: 1 }], Attrs::new()).unwrap();
        let node = graph.nodes().map(|(_, node)| node_def(&graph, node).unwrap()).collect();
        let again = import(&GraphDef { node, ..GraphDef::default() }, crate::ops::output_types).unwrap();
        let described = |graph: &Graph| -> Vec<String> {
            let node = |(_, node): (_, &Node)| format!("{} {:?} {:?}", node.name, node.inputs, node.outputs);
            graph.nodes().map(node).collect()
        };
        assert_eq!(described(&again), described(&graph));
    }

    #[test]
    fn ops_of_the_program_itself_are_refused() {
        let mut graph = crate::ops::new_graph();
        let x = placeholder(&mut graph, "x", &[1]);
        graph.add("y", own_ops::HARD_SWISH, vec![x], Attrs::new()).unwrap();
        let error = node_def(&graph, graph.node(graph.find("y").unwrap())).unwrap_err().to_string();
        assert!(error.contains("TensorFlow has no such op"), "{error}");
    }
}
