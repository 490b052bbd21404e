//! Messages of TensorFlow in their JSON form.
//!
//! Converters of different ages write different spellings: names or numbers of enums, integers as numbers or text, bytes in
//! base64 or as lists of numbers, maps as objects or as lists of keys and values. All of them are read. Fields that a message does
//! not have are left out, such as the `resourceId` that TensorFlow.js adds to a TensorInfo.
//!
//! Sources: "ProtoJSON Format" in the documentation of protocol buffers; `getStringParam`, `getDtypeParam` and
//! `getTensorShapeParam` in `tfjs-converter/src/operations/operation_mapper.ts`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use prost::Message;
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};
use serde_json::Value as Json;

use super::decoded;
use crate::error::{Error, Result};
use crate::source::graph_file::message_descriptor;

/// The message of this name in JSON.
///
/// # Errors
/// If a field does not have a value of its type.
pub fn message<M: Message + Default>(name: &str, json: &Json) -> Result<M> {
    let unreadable = || Error::new(name, "it cannot be read");
    let descriptor = message_descriptor(name).ok_or_else(unreadable)?;
    let dynamic = dynamic(&descriptor, json).map_err(|Wrong { at, problem }| Error::new(at, problem))?;
    decoded(dynamic.encode_to_vec()).ok_or_else(unreadable)
}

/// A value of another type than its field, and the path of the field.
struct Wrong {
    at: String,
    problem: String,
}

impl Wrong {
    fn new(expected: &str, json: &Json) -> Self {
        let mut found = json.to_string();
        if let Some((end, _)) = found.char_indices().nth(MAX_QUOTED) {
            found.truncate(end);
            found.push('…');
        }
        Self { at: String::new(), problem: format!("expected {expected}, found {found}") }
    }

    fn within(mut self, outer: &str) -> Self {
        self.at = if self.at.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.at) };
        self
    }
}

/// The most characters of a value that an error quotes.
const MAX_QUOTED: usize = 40;

/// What is added to the number of a type for a reference to a value of the type (`types.proto`).
const REF_OFFSET: i32 = 100;

fn dynamic(descriptor: &MessageDescriptor, json: &Json) -> Result<DynamicMessage, Wrong> {
    let Json::Object(fields) = json else { return Err(Wrong::new("an object", json)) };
    let mut message = DynamicMessage::new(descriptor.clone());
    for (name, json) in fields.iter().filter(|(_, json)| !json.is_null()) {
        let field = descriptor.get_field_by_json_name(name).or_else(|| descriptor.get_field_by_name(name));
        let Some(field) = field else { continue };
        let value = field_value(&field, json).map_err(|wrong| {
            let owner = fields.get("name").and_then(Json::as_str);
            let at = owner.map_or_else(|| name.clone(), |owner| format!("\"{owner}\".{name}"));
            wrong.within(&at)
        })?;
        message
            .try_set_field(&field, value)
            .map_err(|error| Wrong { at: name.clone(), problem: error.to_string() })?;
    }
    Ok(message)
}

fn field_value(field: &FieldDescriptor, json: &Json) -> Result<Value, Wrong> {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { return Err(Wrong::new("a map", json)) };
        let (key_field, of) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        let pairs: Vec<(&str, &Json)> = match json {
            Json::Object(map) => map.iter().map(|(key, value)| (key.as_str(), value)).collect(),
            Json::Array(list) => list
                .iter()
                .map(|pair| Some((pair.get("key")?.as_str()?, pair.get("value")?)))
                .collect::<Option<_>>()
                .ok_or_else(|| Wrong::new("keys and values", json))?,
            _ => return Err(Wrong::new("an object", json)),
        };
        let pairs = pairs.into_iter().map(|(key, json)| {
            let value = single(&of, json).map_err(|wrong| wrong.within(key))?;
            Ok((map_key(&key_field, key)?, value))
        });
        return Ok(Value::Map(pairs.collect::<Result<_, Wrong>>()?));
    }
    if !field.is_list() {
        return single(field, json);
    }
    match json {
        Json::Array(list) => {
            Ok(Value::List(list.iter().map(|json| single(field, json)).collect::<Result<_, Wrong>>()?))
        }
        json => Ok(Value::List(vec![single(field, json)?])),
    }
}

/// The key of a map, which is text in JSON.
fn map_key(field: &FieldDescriptor, text: &str) -> Result<MapKey, Wrong> {
    let value = single(field, &Json::String(text.to_owned()))?;
    value.into_map_key().ok_or_else(|| Wrong::new("a key", &Json::String(text.to_owned())))
}

fn single(field: &FieldDescriptor, json: &Json) -> Result<Value, Wrong> {
    let integer = || integer(json).ok_or_else(|| Wrong::new("an integer", json));
    let out_of_range = || Wrong::new("a smaller integer", json);
    Ok(match field.kind() {
        Kind::Message(descriptor) => Value::Message(dynamic(&descriptor, json)?),
        Kind::Enum(descriptor) => Value::EnumNumber(enum_number(&descriptor, json)?),
        Kind::String => Value::String(json.as_str().ok_or_else(|| Wrong::new("text", json))?.to_owned()),
        Kind::Bytes => Value::Bytes(bytes(json).ok_or_else(|| Wrong::new("bytes in base64", json))?.into()),
        Kind::Bool => Value::Bool(boolean(json).ok_or_else(|| Wrong::new("true or false", json))?),
        Kind::Float => Value::F32(number(json).ok_or_else(|| Wrong::new("a number", json))? as f32),
        Kind::Double => Value::F64(number(json).ok_or_else(|| Wrong::new("a number", json))?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            Value::I32(i32::try_from(integer()?).map_err(|_| out_of_range())?)
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            Value::I64(i64::try_from(integer()?).map_err(|_| out_of_range())?)
        }
        Kind::Uint32 | Kind::Fixed32 => Value::U32(u32::try_from(integer()?).map_err(|_| out_of_range())?),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(u64::try_from(integer()?).map_err(|_| out_of_range())?),
    })
}

fn integer(json: &Json) -> Option<i128> {
    match json {
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), ..) => Some(value.into()),
            (_, Some(value), _) => Some(value.into()),
            (.., Some(value)) if value.fract() == 0.0 && value.abs() < 2f64.powi(63) => Some(value as i128),
            _ => None,
        },
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn number(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok(),
        },
        _ => None,
    }
}

fn boolean(json: &Json) -> Option<bool> {
    match json {
        Json::Bool(value) => Some(*value),
        Json::Number(number) => Some(number.as_i64()? != 0),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn bytes(json: &Json) -> Option<Vec<u8>> {
    match json {
        Json::String(text) => {
            let text = text.trim_end_matches('=');
            STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()
        }
        Json::Array(list) => list.iter().map(|json| u8::try_from(json.as_u64()?).ok()).collect(),
        // A Buffer of Node.js.
        Json::Object(buffer) => bytes(buffer.get("data").filter(|data| data.is_array())?),
        _ => None,
    }
}

fn enum_number(descriptor: &EnumDescriptor, json: &Json) -> Result<i32, Wrong> {
    let unknown = || Wrong::new(&format!("a {}", descriptor.name()), json);
    let Json::String(name) = json else {
        return integer(json).and_then(|number| i32::try_from(number).ok()).ok_or_else(unknown);
    };
    if let Some(value) = descriptor.get_value_by_name(name) {
        return Ok(value.number());
    }
    let referred = name.strip_suffix("_REF").and_then(|name| descriptor.get_value_by_name(name));
    referred.and_then(|value| value.number().checked_add(REF_OFFSET)).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::attr_value::Value as Attr;
    use crate::proto::{GraphDef, NodeDef};

    fn node(json: &str) -> Result<NodeDef> {
        let graph = format!(r#"{{"node": [{json}]}}"#);
        let mut graph: GraphDef = message("GraphDef", &serde_json::from_str(&graph).unwrap())?;
        Ok(graph.node.remove(0))
    }

    #[test]
    fn all_spellings_of_a_node_are_the_same_node() {
        let expected = node(
            r#"{"name": "x", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}, "data_format": {"s": "TkhXQw=="},
                "shape": {"shape": {"dim": [{"size": "-1"}, {"size": "3"}]}}, "T": {"type": "DT_INT32_REF"}}}"#,
        )
        .unwrap();
        assert_eq!(expected.attr["data_format"].value, Some(Attr::S(b"NHWC".to_vec())));
        assert_eq!(expected.attr["dtype"].value, Some(Attr::Type(1)));
        let other = node(
            r#"{"name": "x", "op": "Placeholder", "device": null, "unheard_of": 1, "attr": [
                {"key": "dtype", "value": {"type": 1}}, {"key": "data_format", "value": {"s": [78, 72, 87, 67]}},
                {"key": "shape", "value": {"shape": {"dim": [{"size": -1}, {"size": 3.0}]}}},
                {"key": "T", "value": {"type": 103}}]}"#,
        );
        assert_eq!(expected, other.unwrap());
    }

    #[test]
    fn a_shape_may_have_an_unknown_rank() {
        for spelling in ["unknownRank", "unknown_rank"] {
            let json = format!(
                r#"{{"name": "x", "op": "y", "attr": {{"s": {{"shape": {{"{spelling}": true}}}}}}}}"#
            );
            let Some(Attr::Shape(shape)) = node(&json).unwrap().attr["s"].value.clone() else { panic!() };
            assert!(shape.unknown_rank);
        }
    }

    #[test]
    fn a_wrong_value_is_named_with_its_path() {
        let error = node(r#"{"name": "x", "op": "y", "attr": {"T": {"type": "DT_FLOTE"}}}"#).unwrap_err();
        let expected = "node.\"x\".attr.T.type: expected a DataType, found \"DT_FLOTE\"";
        assert_eq!(error.to_string(), expected);
        node(r#"{"name": "x", "op": "y", "attr": {"N": {"i": "9223372036854775808"}}}"#).unwrap_err();
        node(r#"{"name": "x", "op": "y", "attr": {"s": {"s": "%%%"}}}"#).unwrap_err();
        node(r#"{"name": 1}"#).unwrap_err();
    }

    #[test]
    fn numbers_that_json_does_not_have_are_text() {
        for (text, is_right) in
            [("\"NaN\"", f32::is_nan as fn(f32) -> bool), ("\"-Infinity\"", |x| x < f32::MIN)]
        {
            let node =
                node(&format!(r#"{{"name": "x", "op": "y", "attr": {{"f": {{"f": {text}}}}}}}"#)).unwrap();
            let Some(Attr::F(value)) = node.attr["f"].value else { panic!() };
            assert!(is_right(value));
        }
    }
}
