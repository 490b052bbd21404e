//! Hash tables whose contents are constants of the graph.
//!
//! Sources: `tf.lookup.StaticHashTable` in TensorFlow's API documentation; LabelEncoder in
//! <https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html>.

use crate::error::{Error, Result};
use crate::graph::{Attr, Node, NodeRef};
use crate::lower::context::{Lowering, Value};
use crate::onnx::{self, Attribute, ML_DOMAIN};
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
        _ => Err(without_contents(table)),
    }
}

fn without_contents(table: &Node) -> Error {
    let named = table.text("shared_name").filter(|name| name.starts_with("hash_table_"));
    let beside =
        named.map(|name| format!("put the file that its name \"{name}\" contains beside the graph, "));
    table
        .error(
            "the table's contents are not a constant of the graph: they are in a file, or were removed when it was frozen",
        )
        .advice(format!(
            "{}choose inputs after the lookup with {}, or convert a graph with its initializers",
            beside.unwrap_or_default(),
            Setting::Inputs
        ))
}

pub fn size(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (keys, _) = contents(cx, node)?;
    cx.set_constant(node.into(), Constant::from_i64(vec![], &[keys.len() as i64]));
    Ok(())
}

/// A type of LabelEncoder with the names of its attributes.
type EncoderType = (DType, [&'static str; 3]);

/// A type that LabelEncoder knows, and the part of its attributes' names.
fn encoder_type(dtype: DType) -> Option<EncoderType> {
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

/// The one element of a constant as an attribute.
fn only(constant: &Constant) -> Result<Option<Attribute>> {
    Ok(match list(constant)? {
        Some(Attribute::Texts(texts)) => {
            texts.first().map(|text| Attribute::Text(String::from_utf8_lossy(text).into_owned()))
        }
        Some(Attribute::Ints(values)) => values.first().copied().map(Attribute::Int),
        Some(Attribute::Floats(values)) => values.first().copied().map(Attribute::Float),
        _ => None,
    })
}

/// LabelEncoder maps keys to values, and other inputs to a default that is an attribute. If the default is known only when the
/// model runs, or the values are of another type, it maps keys to the positions of their values.
pub fn find(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (keys, values) = contents(cx, node)?;
    let (input, default) = (cx.input_of(node, 1)?, cx.input_of(node, 2)?);
    let Some((of_keys, keys)) = encoder_type(keys.dtype()).zip(list(keys)?) else {
        return Err(node.error(format!("ONNX has no tables with keys of {}", keys.dtype())));
    };
    let given = cx.constant(default).map(only).transpose()?.flatten();
    let direct = encoder_type(values.dtype()).zip(list(values)?).zip(given);
    let (mut name, layout) = cx.stored(input)?;
    if cx.dtype(input) != of_keys.0 {
        name = cx.cast(node, name, of_keys.0);
    }
    if let Some(((of_values, list), given)) = direct {
        let needs_cast = cx.dtype(node.into()) != of_values.0;
        let found = match needs_cast {
            true => cx.unique_name(format!("{}/found", node.name)),
            false => cx.output_name(node.into(), &layout),
        };
        encode(cx, [name, found.clone()], (of_keys, keys), (of_values, list, given));
        if needs_cast {
            cx.emit_cast(node, found, layout);
        } else {
            cx.set(node.into(), Value::Computed { name: found, layout });
        }
        return Ok(());
    }
    let Some(positions) = encoder_type(DType::Int64) else { return Ok(()) };
    // The default is behind the values.
    let default = cx.in_tensorflow_layout(default)?;
    let all = cx.initializer(&format!("{}/values", node.name), values.clone(), &[]);
    let one = cx.vector(node, "one", &[1]);
    let last = cx.step(node, "default", "Reshape", vec![default, one], vec![]);
    let all = cx.step(node, "values", "Concat", vec![all, last], vec![("axis", Attribute::Int(0))]);
    let end = values.len() as i64;
    let to = (positions, Attribute::Ints((0..end).collect()), Attribute::Int(end));
    let position = cx.unique_name(format!("{}/position", node.name));
    encode(cx, [name, position.clone()], (of_keys, keys), to);
    cx.emit(node, "Gather", vec![all, position], layout, vec![]);
    Ok(())
}

/// Adds a LabelEncoder with this input and output.
fn encode(
    cx: &mut Lowering<'_>,
    [input, output]: [String; 2],
    ((_, key_names), keys): (EncoderType, Attribute),
    ((_, value_names), values, default): (EncoderType, Attribute, Attribute),
) {
    cx.push(onnx::Node {
        name: output.clone(),
        op: "LabelEncoder".into(),
        domain: ML_DOMAIN.into(),
        inputs: vec![input],
        outputs: vec![output],
        attributes: vec![
            (key_names[0].into(), keys),
            (value_names[1].into(), values),
            (value_names[2].into(), default),
        ],
    });
}
