//! The attributes of nodes, checked against the definitions of their ops.
//!
//! Source: `ValidateAttrValue` and `AttrValueHasType` in `tensorflow/core/framework/op_def_util.cc` and `attr_value_util.cc`.

use std::borrow::Cow;

use super::{error, refused};
use crate::error::{Result, shortened};
use crate::graph::op_definition::{Argument, AttributeDefinition, Form, OpDefinition};
use crate::proto::attr_value::ListValue;
use crate::proto::{AttrValue, NodeDef, attr_value};
use crate::tensor::DType;

/// Checks that a node has all attributes without a default.
pub(super) fn check_missing(node: &NodeDef, definition: OpDefinition) -> Result<()> {
    let is_set = |name: &str| node.attr.get(name).is_some_and(|attribute| attribute.value.is_some());
    let mut needed = definition.attributes().filter(|attribute| attribute.default.is_none());
    match needed.find(|attribute| !is_set(attribute.name)) {
        Some(AttributeDefinition { name, kind, .. }) => {
            Err(refused(error(node, format!("it has no attribute {name}, and the op takes a {kind}"))))
        }
        None => Ok(()),
    }
}

/// Checks that the attributes of a node are of the right kind, and have allowed values.
pub(super) fn check_attributes(node: &NodeDef, definition: OpDefinition) -> Result<()> {
    use attr_value::Value;
    for attribute in definition.attributes() {
        let Some(AttrValue { value: Some(value) }) = node.attr.get(attribute.name) else { continue };
        let kind = match value {
            Value::S(_) => "string",
            Value::I(_) => "int",
            Value::F(_) => "float",
            Value::B(_) => "bool",
            Value::Type(_) => "type",
            Value::Shape(_) => "shape",
            Value::Tensor(_) => "tensor",
            Value::Func(_) => "func",
            Value::List(list) if attribute.kind.starts_with("list(") => {
                of_other_kind(list, attribute.kind).unwrap_or(attribute.kind)
            }
            Value::List(_) => "list",
            Value::Placeholder(_) => continue,
        };
        if kind != attribute.kind {
            let problem = format!(
                "its attribute {} is a {kind}, and the op takes a {}",
                attribute.name, attribute.kind
            );
            return Err(refused(error(node, problem)));
        }
        let of_type = |number: &i32| DType::from_proto(*number).map(|dtype| Cow::Borrowed(dtype.name()));
        let values: Vec<Cow<'_, str>> = match value {
            _ if attribute.allowed.is_none() => vec![],
            Value::Type(number) => of_type(number).into_iter().collect(),
            Value::S(text) => vec![String::from_utf8_lossy(text)],
            Value::List(list) if attribute.kind == "list(type)" => {
                list.r#type.iter().filter_map(of_type).collect()
            }
            _ => vec![],
        };
        if let Some(value) = values.iter().find(|value| !attribute.allows(value)) {
            let allowed = attribute.allowed.unwrap_or_default().replace(',', ", ");
            let (name, value) = (attribute.name, shortened(value));
            let problem = format!("its attribute {name} is {value}, and the op takes {allowed}");
            return Err(refused(error(node, problem)));
        }
        let number = match value {
            Value::I(number) => Some(*number),
            Value::List(list) => i64::try_from(length(list)).ok(),
            _ => None,
        };
        // The number of tensors of a list is an attribute too.
        let counts = definition.inputs().chain(definition.outputs());
        let is_count =
            |argument: Argument| matches!(argument.form, Form::Number(name, _) if name == attribute.name);
        let least = attribute.minimum.or_else(|| number.and(counts.into_iter().any(is_count).then_some(0)));
        if let (Some(number), Some(least)) = (number, least)
            && number < least
        {
            let what = if matches!(value, Value::List(_)) { "has the length" } else { "is" };
            let problem =
                format!("its attribute {} {what} {number}, and the op takes {least} or more", attribute.name);
            return Err(refused(error(node, problem)));
        }
        let shapes = match value {
            Value::Shape(shape) => std::slice::from_ref(shape),
            Value::List(list) => &list.shape,
            _ => &[],
        };
        if let Some(dim) = shapes.iter().flat_map(|shape| &shape.dim).find(|dim| dim.size < -1) {
            let problem = format!("its attribute {} has an axis of length {}", attribute.name, dim.size);
            return Err(refused(error(node, problem)));
        }
    }
    Ok(())
}

/// The kind of a list that has elements of another kind than the op takes.
fn of_other_kind(list: &ListValue, kind: &str) -> Option<&'static str> {
    let lists = [
        ("list(string)", list.s.len()),
        ("list(int)", list.i.len()),
        ("list(float)", list.f.len()),
        ("list(bool)", list.b.len()),
        ("list(type)", list.r#type.len()),
        ("list(shape)", list.shape.len()),
        ("list(tensor)", list.tensor.len()),
        ("list(func)", list.func.len()),
    ];
    lists.into_iter().find(|&(of, length)| length > 0 && of != kind).map(|(of, _)| of)
}

/// The number of elements of a list.
fn length(list: &ListValue) -> usize {
    let numbers = [list.i.len(), list.f.len(), list.b.len(), list.r#type.len()];
    let others = [list.s.len(), list.shape.len(), list.tensor.len(), list.func.len()];
    numbers.into_iter().chain(others).max().unwrap_or(0)
}

/// Checks that a constant's value is of the constant's type.
///
/// Source: `ConstantOp` in `tensorflow/core/kernels/constant_op.cc`.
pub(super) fn check_value(node: &NodeDef) -> Result<()> {
    let attribute = |name: &str| node.attr.get(name).and_then(|attr| attr.value.as_ref());
    if let (Some(attr_value::Value::Type(dtype)), Some(attr_value::Value::Tensor(value))) =
        (attribute("dtype"), attribute("value"))
        && let (Some(dtype), Some(of_value)) = (DType::from_proto(*dtype), DType::from_proto(value.dtype))
        && node.op == "Const"
        && dtype != of_value
    {
        return Err(refused(error(node, format!("its dtype is {dtype}, and its value is {of_value}"))));
    }
    Ok(())
}
