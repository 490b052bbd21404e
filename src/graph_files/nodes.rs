//! Nodes that are added to a graph when it is written.

use crate::error::Result;
use crate::graph::Attr;
use crate::graph::export::{attr_value, empty_tensor_proto};
use crate::proto::attr_value::Value;
use crate::proto::{AttrValue, NodeDef, TensorProto};
use crate::tensor::DType;

/// A node of these inputs and attributes.
pub(super) fn node<const N: usize>(
    name: &str,
    op: &str,
    inputs: &[&str],
    attrs: [(&str, Attr); N],
) -> Result<NodeDef> {
    let attr = attrs.iter().map(|(name, attr)| Ok(((*name).to_owned(), attr_value(attr)?)));
    Ok(NodeDef {
        name: name.to_owned(),
        op: op.to_owned(),
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        attr: attr.collect::<Result<_>>()?,
        ..NodeDef::default()
    })
}

/// A `Const` node.
fn constant(name: &str, dtype: DType, tensor: TensorProto) -> Result<NodeDef> {
    let mut node = node(name, "Const", &[], [("dtype", Attr::Type(dtype))])?;
    node.attr.insert("value".to_owned(), AttrValue { value: Some(Value::Tensor(tensor.into())) });
    Ok(node)
}

/// A constant of texts: a list, or one without a list.
pub(super) fn strings(
    name: &str,
    shape: &[usize],
    texts: impl IntoIterator<Item = String>,
) -> Result<NodeDef> {
    let string_val = texts.into_iter().map(String::into_bytes).collect();
    let tensor = TensorProto { string_val, ..empty_tensor_proto(DType::String, shape) };
    constant(name, DType::String, tensor)
}

/// A constant whose elements are all 0, or all 1: the message has the last element once.
pub(super) fn filled(name: &str, dtype: DType, shape: &[usize], is_one: bool) -> Result<NodeDef> {
    let mut tensor = empty_tensor_proto(dtype, shape);
    let value = f32::from(u8::from(is_one));
    match dtype {
        DType::Float32 => tensor.float_val.push(value),
        DType::Float64 => tensor.double_val.push(value.into()),
        // Without any element, all are 0.
        _ if !is_one => {}
        DType::Float16 => tensor.half_val.push(half::f16::ONE.to_bits().into()),
        DType::BFloat16 => tensor.half_val.push(half::bf16::ONE.to_bits().into()),
        _ => {}
    }
    constant(name, dtype, tensor)
}
