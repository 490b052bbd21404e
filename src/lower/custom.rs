//! Ops that are written as they are in a domain of their own, for a runtime that knows them.

use super::Layout;
use super::context::{Lowering, Value};
use crate::error::Result;
use crate::graph::{Attr, NodeRef};
use crate::onnx::{self, Attribute, onnx_dtype};

/// Writes a node of TensorFlow's op with its outputs and attributes. Types become ONNX's numbers of types, booleans become
/// integers, and shapes become lists of lengths; other attributes are left out.
pub fn custom(cx: &mut Lowering<'_>, node: NodeRef<'_>, domain: &str) -> Result<()> {
    let mut inputs = vec![];
    for &input in &node.inputs {
        inputs.push(cx.in_tensorflow_layout(input)?);
    }
    let mut outputs = vec![];
    for port in 0..node.outputs.len() {
        let tensor = node.output(port);
        let layout = Layout::tensorflow_of(cx.shape(tensor));
        let name = cx.output_name(tensor, &layout);
        cx.set(tensor, Value::Computed { name: name.clone(), layout });
        outputs.push(name);
    }
    let attributes =
        node.attrs.iter().filter_map(|(name, attr)| Some((name.to_owned().into(), attribute(attr)?)));
    cx.push(onnx::Node {
        name: node.name.clone(),
        op: node.op.clone().into(),
        domain: domain.to_owned().into(),
        inputs,
        outputs,
        attributes: attributes.collect(),
    });
    Ok(())
}

fn attribute(attr: &Attr) -> Option<Attribute> {
    let number = |dtype: crate::tensor::DType| onnx_dtype(dtype).map(i64::from);
    Some(match attr {
        Attr::Int(value) => Attribute::Int(*value),
        Attr::Float(value) => Attribute::Float(*value),
        Attr::Bool(value) => Attribute::Int((*value).into()),
        Attr::Bytes(text) => Attribute::Text(String::from_utf8_lossy(text).into_owned()),
        Attr::Type(dtype) => Attribute::Int(number(*dtype)?),
        Attr::Shape(shape) => {
            let lengths = shape.dims()?.iter();
            Attribute::Ints(lengths.map(|dim| dim.map_or(-1, |length| length as i64)).collect())
        }
        Attr::Tensor(tensor) => {
            onnx_dtype(tensor.dtype())?;
            Attribute::Tensor(tensor.clone())
        }
        Attr::Function(name) => Attribute::Text(name.clone()),
        Attr::Functions(names) => {
            Attribute::Texts(names.iter().map(|name| name.as_bytes().to_vec()).collect())
        }
        Attr::Ints(values) => Attribute::Ints(values.clone()),
        Attr::Floats(values) => Attribute::Floats(values.clone()),
        Attr::Bools(values) => Attribute::Ints(values.iter().map(|&value| value.into()).collect()),
        Attr::Strings(values) => Attribute::Texts(values.clone()),
        Attr::Types(dtypes) => {
            Attribute::Ints(dtypes.iter().map(|&dtype| number(dtype)).collect::<Option<_>>()?)
        }
        Attr::Shapes(_) => return None,
    })
}
