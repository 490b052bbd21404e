//! Hash tables whose contents are constants of the graph.
//!
//! Sources: `tf.lookup.StaticHashTable` in TensorFlow's API documentation; LabelEncoder in
//! <https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html>.

use crate::error::Result;
use crate::graph::{Attr, NodeRef};
use crate::lower::context::Lowering;
use crate::onnx::{self, Attribute, ML_DOMAIN, onnx_dtype};
use crate::setting::Setting;
use crate::tensor::{Constant, DType};

/// A table is looked up where it is read.
pub fn handle(_: &mut Lowering<'_>, _: NodeRef<'_>) -> Result<()> {
    Ok(())
}

/// Keys and values of the table that a node reads.
fn contents<'a>(cx: &Lowering<'a>, node: NodeRef<'_>) -> Result<(&'a Constant, &'a Constant)> {
    let table = cx.producer(cx.input_of(node, 0)?);
    match (table.attrs.get("keys"), table.attrs.get("values")) {
        (Some(Attr::Tensor(keys)), Some(Attr::Tensor(values))) if keys.len() == values.len() => {
            Ok((keys, values))
        }
        _ => Err(table
            .error("the table's contents are not a constant of the graph: they are in a file, or were removed when it was frozen")
            .advice(format!(
                "choose inputs after the lookup with {}, or convert a graph with its initializers",
                Setting::Inputs
            ))),
    }
}

pub fn size(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (keys, _) = contents(cx, node)?;
    cx.set_constant(node.into(), Constant::from_i64(vec![], &[keys.len() as i64]));
    Ok(())
}

/// A type that LabelEncoder knows, and the part of its attributes' names.
fn encoder_type(dtype: DType) -> Option<(DType, [&'static str; 3])> {
    Some(match dtype {
        DType::String => (dtype, ["keys_strings", "values_strings", "default_string"]),
        DType::Int32 | DType::Int64 => (DType::Int64, ["keys_int64s", "values_int64s", "default_int64"]),
        DType::Float32 => (dtype, ["keys_floats", "values_floats", "default_float"]),
        _ => return None,
    })
}

/// The elements of a constant as a list attribute.
fn list(constant: &Constant) -> Result<Option<Attribute>> {
    Ok(match constant.dtype() {
        DType::String => Some(Attribute::Texts(constant.strings()?)),
        DType::Float32 => constant.to_f32s()?.map(Attribute::Floats),
        _ => constant.to_i64s()?.map(Attribute::Ints),
    })
}

pub fn find(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (keys, values) = contents(cx, node)?;
    let input = cx.input_of(node, 1)?;
    let default = cx.input_of(node, 2)?;
    let default = match cx.constant(default).map(list).transpose()?.flatten() {
        Some(Attribute::Texts(texts)) => {
            texts.first().map(|text| Attribute::Text(String::from_utf8_lossy(text).into_owned()))
        }
        Some(Attribute::Ints(values)) => values.first().copied().map(Attribute::Int),
        Some(Attribute::Floats(values)) => values.first().copied().map(Attribute::Float),
        _ => None,
    };
    let default =
        default.ok_or_else(|| node.error("its default is not of a type that ONNX's tables have"))?;
    let types = encoder_type(keys.dtype()).zip(encoder_type(values.dtype()));
    let lists = list(keys)?.zip(list(values)?);
    let (Some(((key, key_names), (value, value_names))), Some((keys, values))) = (types, lists) else {
        let (keys, values) = (keys.dtype(), values.dtype());
        return Err(node.error(format!("ONNX has no tables from {keys} to {values}")));
    };
    let (mut name, layout) = cx.stored(input)?;
    if cx.dtype(input) != key {
        name = cx.cast(node, name, key);
    }
    let needs_cast = cx.dtype(node.into()) != value;
    let found = match needs_cast {
        true => cx.unique_name(&format!("{}/found", node.name)),
        false => cx.output_name(node.into(), &layout),
    };
    cx.push(onnx::Node {
        name: found.clone(),
        op: "LabelEncoder".into(),
        domain: ML_DOMAIN,
        inputs: vec![name],
        outputs: vec![found.clone()],
        attributes: vec![
            (key_names[0].into(), keys),
            (value_names[1].into(), values),
            (value_names[2].into(), default),
        ],
    });
    if needs_cast {
        let to = Attribute::Int(onnx_dtype(cx.dtype(node.into())).unwrap_or_default().into());
        cx.emit(node, "Cast", vec![found], layout, vec![("to", to)]);
    } else {
        cx.set(node.into(), crate::lower::context::Value::Computed { name: found, layout });
    }
    Ok(())
}
