//! Messages in protobuf's text form. Maps are in the order of their keys, so that the same message is always the same text.
//!
//! Source: <https://protobuf.dev/reference/protobuf/textformat-spec/>.

use std::fmt::Write;

use prost::Message;
use prost_reflect::{DynamicMessage, Kind, MapKey, Value};

use crate::error::{Error, Result};
use crate::source::message_descriptor;

/// A message of TensorFlow as text.
///
/// # Errors
/// If the program does not know the message.
pub(super) fn of(name: &str, message: &impl Message) -> Result<String> {
    let unknown = || Error::new(name, "it cannot be written as text");
    let descriptor = message_descriptor(name).ok_or_else(unknown)?;
    let dynamic = DynamicMessage::decode(descriptor, &message.encode_to_vec()[..]).map_err(|_| unknown())?;
    let mut text = String::new();
    write_message(&mut text, &dynamic, 0);
    Ok(text)
}

fn write_message(text: &mut String, message: &DynamicMessage, depth: usize) {
    for (field, value) in message.fields() {
        let (name, kind) = (field.name(), field.kind());
        match value {
            Value::List(values) => {
                values.iter().for_each(|value| write_field(text, name, value, &kind, depth));
            }
            Value::Map(entries) => {
                let Kind::Message(entry) = &kind else { continue };
                let (key_kind, value_kind) =
                    (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
                let mut sorted: Vec<(&MapKey, &Value)> = entries.iter().collect();
                sorted
                    .sort_unstable_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
                for (key, value) in sorted {
                    open(text, name, depth);
                    write_field(text, "key", &Value::from(key.clone()), &key_kind, depth + 1);
                    write_field(text, "value", value, &value_kind, depth + 1);
                    close(text, depth);
                }
            }
            value => write_field(text, name, value, &kind, depth),
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn open(text: &mut String, name: &str, depth: usize) {
    indent(text, depth);
    text.push_str(name);
    text.push_str(" {\n");
}

fn close(text: &mut String, depth: usize) {
    indent(text, depth);
    text.push_str("}\n");
}

fn write_field(text: &mut String, name: &str, value: &Value, kind: &Kind, depth: usize) {
    if let Value::Message(message) = value {
        open(text, name, depth);
        write_message(text, message, depth + 1);
        return close(text, depth);
    }
    indent(text, depth);
    text.push_str(name);
    text.push_str(": ");
    // Writing to a string does not fail.
    let _ = match value {
        Value::Bool(value) => write!(text, "{value}"),
        Value::I32(value) => write!(text, "{value}"),
        Value::I64(value) => write!(text, "{value}"),
        Value::U32(value) => write!(text, "{value}"),
        Value::U64(value) => write!(text, "{value}"),
        Value::F32(value) => write!(text, "{}", number(*value, value.is_nan(), value.is_infinite())),
        Value::F64(value) => write!(text, "{}", number(*value, value.is_nan(), value.is_infinite())),
        Value::String(value) => write!(text, "\"{}\"", escaped(value.as_bytes())),
        Value::Bytes(value) => write!(text, "\"{}\"", escaped(value)),
        Value::EnumNumber(number) => {
            let names = kind.as_enum().and_then(|names| names.get_value(*number));
            match names {
                Some(known) => write!(text, "{}", known.name()),
                None => write!(text, "{number}"),
            }
        }
        // These are written above.
        Value::Message(_) | Value::List(_) | Value::Map(_) => Ok(()),
    };
    text.push('\n');
}

/// A number as the shortest text that reads back as the same number.
fn number<T: std::fmt::Display + std::fmt::LowerExp + PartialOrd + Default>(
    value: T,
    is_nan: bool,
    is_infinite: bool,
) -> String {
    match (is_nan, is_infinite) {
        (true, _) => "nan".to_owned(),
        (_, true) => if value < T::default() { "-inf" } else { "inf" }.to_owned(),
        _ => {
            let (plain, scientific) = (value.to_string(), format!("{value:e}"));
            if plain.len() <= scientific.len() { plain } else { scientific }
        }
    }
}

/// Bytes as in a string of C, those that are not printable as three octal digits.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'"' => text.push_str("\\\""),
            b'\'' => text.push_str("\\'"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\{byte:03o}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::attr_value::Value as Attr;
    use crate::proto::{AttrValue, DataType, GraphDef, NodeDef, TensorProto};

    #[test]
    fn text_is_read_as_the_same_message() {
        let tensor = TensorProto {
            dtype: DataType::DtFloat as i32,
            tensor_content: vec![0, 1, b'"', b'\\', b'\'', b'\n', 0xff, b'a'].into(),
            float_val: vec![0.1, -1e-30, f32::INFINITY, f32::NEG_INFINITY, 3.0],
            string_val: vec![b"x y".to_vec(), vec![]],
            ..TensorProto::default()
        };
        let attr = [("value", Attr::Tensor(tensor.into())), ("T", Attr::Type(DataType::DtHalf as i32))];
        let attr = attr.map(|(name, value)| (name.to_owned(), AttrValue { value: Some(value) }));
        let node =
            NodeDef { name: "a".to_owned(), op: "Const".to_owned(), attr: attr.into(), ..Default::default() };
        let graph = GraphDef { node: vec![node], ..GraphDef::default() };
        let text = of("GraphDef", &graph).unwrap();
        assert!(text.contains("float_val: -1e-30\n") && text.contains("type: DT_HALF\n"), "{text}");
        let descriptor = message_descriptor("GraphDef").unwrap();
        let again = DynamicMessage::parse_text_format(descriptor, &text).unwrap();
        assert_eq!(again.transcode_to::<GraphDef>().unwrap(), graph);
    }
}
