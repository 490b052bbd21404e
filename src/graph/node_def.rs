//! The parts of a node in a GraphDef: its inputs, its attributes, and the types, shapes and constants in them.
//!
//! Source: `tensorflow/core/framework/{node_def,attr_value,tensor_shape}.proto`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::borrow::Cow;

use hashbrown::HashMap;

use super::op_definition::OpDefinition;
use super::tensor_proto::constant;
use super::{Attr, Attrs, Shape};
use crate::error::{Error, Result};
use crate::proto::{AttrValue, FunctionDef, GraphDef, NodeDef, TensorShapeProto, attr_value};
use crate::tensor::{Constant, DType};

/// The names and ports of the tensors that a node reads.
pub fn data_inputs(node: &NodeDef) -> impl Iterator<Item = (&str, usize)> {
    node.input.iter().filter(|input| !input.starts_with('^')).map(|input| match input.rsplit_once(':') {
        Some((name, port)) => port.parse().map_or((input.as_str(), 0), |port| (name, port)),
        None => (input.as_str(), 0),
    })
}

/// The functions of a graph, by name.
pub fn functions(definition: &GraphDef) -> HashMap<&str, &FunctionDef> {
    let all = definition.library.iter().flat_map(|library| &library.function);
    all.filter_map(|function| Some((function.signature.as_ref()?.name.as_str(), function))).collect()
}

/// The most nodes that are followed from a tensor to its origin: a damaged graph may have a cycle.
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
/// If its value is invalid.
pub fn attribute_of(node: &NodeDef, name: &str) -> Result<Option<Attr>> {
    node.attr.get(name).map_or(Ok(None), attribute)
}

/// The value of a `Const` node.
///
/// # Errors
/// If it has no value, or an invalid one.
pub fn constant_of(node: &NodeDef) -> Result<Constant> {
    match node.attr.get("value").and_then(|value| value.value.as_ref()) {
        Some(attr_value::Value::Tensor(proto)) => constant(proto),
        _ => Err(Error::new("value", "it has none")),
    }
}

/// The attributes of a node, without those that only TensorFlow's runtime uses.
pub(super) fn attributes(node: &NodeDef) -> Result<Attrs> {
    // The names that TensorFlow defines need no memory of their own.
    let definition = OpDefinition::find(&node.op);
    let defined = |name: &str| definition.and_then(|definition| definition.attribute(name));
    let mut attrs = Vec::with_capacity(node.attr.len());
    for (name, value) in node.attr.iter().filter(|(name, _)| !name.starts_with('_')) {
        let value = attribute(value)
            .map_err(|error| error.within(format!("{} \"{}\", attribute {name}", node.op, node.name)))?;
        attrs.extend(value.map(|value| {
            let name =
                defined(name).map_or_else(|| Cow::Owned(name.clone()), |known| Cow::Borrowed(known.name));
            (name, value)
        }));
    }
    Ok(Attrs::of(attrs))
}

/// The value of an attribute; `None` if it has none.
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
