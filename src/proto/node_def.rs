//! A node of a GraphDef. prost would keep its attributes in a BTreeMap, whose smallest part has room for eleven attributes and takes
//! some 600 bytes. A graph has many nodes, and most have one or two attributes: here they are a list in the order of their names.
//!
//! Source: `tensorflow/core/framework/node_def.proto`, and for maps <https://protobuf.dev/programming-guides/encoding/#maps>.

use std::collections::BTreeMap;

use prost::DecodeError;
use prost::bytes::{Buf, BufMut};
use prost::encoding::{
    DecodeContext, WireType, encode_key, encode_varint, encoded_len_varint, key_len, message, skip_field,
    string,
};

use super::{AttrValue, FullTypeDef};

const NAME: u32 = 1;
const OP: u32 = 2;
const INPUT: u32 = 3;
const DEVICE: u32 = 4;
const ATTR: u32 = 5;
const DEBUG_INFO: u32 = 6;
const TYPE: u32 = 7;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeDef {
    pub name: String,
    pub op: String,
    pub input: Vec<String>,
    pub device: String,
    pub attr: AttrMap,
    /// Few nodes have what only debuggers and compilers read.
    pub experimental_debug_info: Option<Box<ExperimentalDebugInfo>>,
    pub experimental_type: Option<Box<FullTypeDef>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ExperimentalDebugInfo {
    #[prost(string, repeated, tag = "1")]
    pub original_node_names: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub original_func_names: Vec<String>,
}

/// An attribute as a map has it in a message.
#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AttrValue>,
}

impl prost::Message for NodeDef {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        for (tag, text) in [(NAME, &self.name), (OP, &self.op)] {
            encode_text(tag, text, buf);
        }
        string::encode_repeated(INPUT, &self.input, buf);
        encode_text(DEVICE, &self.device, buf);
        for (name, value) in self.attr.iter() {
            encode_key(ATTR, WireType::LengthDelimited, buf);
            encode_varint(entry_len(name, value) as u64, buf);
            encode_text(1, name, buf);
            if *value != AttrValue::default() {
                message::encode(2, value, buf);
            }
        }
        self.experimental_debug_info.iter().for_each(|info| message::encode(DEBUG_INFO, &**info, buf));
        self.experimental_type.iter().for_each(|of| message::encode(TYPE, &**of, buf));
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        let (merged, field) = match tag {
            NAME => (string::merge(wire_type, &mut self.name, buf, ctx), "name"),
            OP => (string::merge(wire_type, &mut self.op, buf, ctx), "op"),
            INPUT => (string::merge_repeated(wire_type, &mut self.input, buf, ctx), "input"),
            DEVICE => (string::merge(wire_type, &mut self.device, buf, ctx), "device"),
            ATTR => {
                let mut entry = Entry::default();
                let merged = message::merge(wire_type, &mut entry, buf, ctx);
                self.attr.insert(entry.key, entry.value.unwrap_or_default());
                (merged, "attr")
            }
            DEBUG_INFO => {
                let info = self.experimental_debug_info.get_or_insert_default();
                (message::merge(wire_type, &mut **info, buf, ctx), "experimental_debug_info")
            }
            TYPE => {
                let of = self.experimental_type.get_or_insert_default();
                (message::merge(wire_type, &mut **of, buf, ctx), "experimental_type")
            }
            _ => return skip_field(wire_type, tag, buf, ctx),
        };
        merged.map_err(|mut error| {
            error.push("NodeDef", field);
            error
        })
    }

    fn encoded_len(&self) -> usize {
        let texts = text_len(NAME, &self.name) + text_len(OP, &self.op) + text_len(DEVICE, &self.device);
        let attributes = self.attr.iter().map(|(name, value)| {
            let length = entry_len(name, value);
            key_len(ATTR) + encoded_len_varint(length as u64) + length
        });
        let info = self.experimental_debug_info.iter().map(|info| message::encoded_len(DEBUG_INFO, &**info));
        let of = self.experimental_type.iter().map(|of| message::encoded_len(TYPE, &**of));
        let inputs = string::encoded_len_repeated(INPUT, &self.input);
        texts + inputs + attributes.chain(info).chain(of).sum::<usize>()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

fn encode_text(tag: u32, text: &String, buf: &mut impl BufMut) {
    if !text.is_empty() {
        string::encode(tag, text, buf);
    }
}

fn text_len(tag: u32, text: &String) -> usize {
    if text.is_empty() { 0 } else { string::encoded_len(tag, text) }
}

fn entry_len(name: &String, value: &AttrValue) -> usize {
    let value = (*value != AttrValue::default()).then(|| message::encoded_len(2, value));
    text_len(1, name) + value.unwrap_or(0)
}

/// Attributes in the order of their names, each of which is there once.
#[derive(Debug, Clone, Default)]
pub struct AttrMap {
    few: Vec<(String, AttrValue)>,
    /// All of them, once there are more than a node of TensorFlow has.
    many: Option<Box<BTreeMap<String, AttrValue>>>,
}

/// The most attributes in a list. Each is put between the others, which would take long for the attributes of a damaged node.
const FEW: usize = 64;

impl AttrMap {
    pub fn get(&self, name: &str) -> Option<&AttrValue> {
        match &self.many {
            Some(many) => many.get(name),
            None => self.few.get(self.find(name).ok()?).map(|(_, value)| value),
        }
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut AttrValue> {
        let index = self.find(name);
        match &mut self.many {
            Some(many) => many.get_mut(name),
            None => self.few.get_mut(index.ok()?).map(|(_, value)| value),
        }
    }

    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Adds an attribute, or replaces the one of the same name, as the last of a message counts.
    pub fn insert(&mut self, name: String, value: AttrValue) {
        if let Some(many) = &mut self.many {
            many.insert(name, value);
            return;
        }
        match self.find(&name) {
            Ok(index) => self.few[index].1 = value,
            Err(_) if self.few.len() == FEW => {
                let all = std::mem::take(&mut self.few).into_iter().chain([(name, value)]);
                self.many = Some(Box::new(all.collect()));
            }
            Err(index) => {
                // A list that grows by itself would make room for four.
                if self.few.len() < 4 {
                    self.few.reserve_exact(1);
                }
                self.few.insert(index, (name, value));
            }
        }
    }

    pub fn remove(&mut self, name: &str) -> Option<AttrValue> {
        match &mut self.many {
            Some(many) => many.remove(name),
            None => Some(self.few.remove(self.find(name).ok()?).1),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &AttrValue)> {
        let few = self.few.iter().map(|(name, value)| (name, value));
        few.chain(self.many.iter().flat_map(|many| many.iter()))
    }

    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.iter().map(|(name, _)| name)
    }

    pub fn values(&self) -> impl Iterator<Item = &AttrValue> {
        self.iter().map(|(_, value)| value)
    }

    pub fn len(&self) -> usize {
        self.few.len() + self.many.as_ref().map_or(0, |many| many.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.few.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }
}

impl PartialEq for AttrMap {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl IntoIterator for AttrMap {
    type Item = (String, AttrValue);
    type IntoIter = std::iter::Chain<
        std::vec::IntoIter<(String, AttrValue)>,
        std::collections::btree_map::IntoIter<String, AttrValue>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.few.into_iter().chain(self.many.map(|many| *many).unwrap_or_default())
    }
}

impl Extend<(String, AttrValue)> for AttrMap {
    fn extend<I: IntoIterator<Item = (String, AttrValue)>>(&mut self, attributes: I) {
        attributes.into_iter().for_each(|(name, value)| self.insert(name, value));
    }
}

impl FromIterator<(String, AttrValue)> for AttrMap {
    fn from_iter<I: IntoIterator<Item = (String, AttrValue)>>(attributes: I) -> Self {
        let mut all = Self::default();
        all.extend(attributes);
        all
    }
}

impl<const N: usize> From<[(String, AttrValue); N]> for AttrMap {
    fn from(attributes: [(String, AttrValue); N]) -> Self {
        attributes.into_iter().collect()
    }
}

impl std::ops::Index<&str> for AttrMap {
    type Output = AttrValue;

    /// # Panics
    /// If there is no attribute of this name.
    fn index(&self, name: &str) -> &AttrValue {
        self.get(name).expect("an attribute of this name")
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::attr_value::Value;
    use super::*;

    fn int(number: i64) -> AttrValue {
        AttrValue { value: Some(Value::I(number)) }
    }

    #[test]
    fn a_node_is_read_as_it_was_written() {
        let node = NodeDef {
            name: "a".to_owned(),
            op: "Op".to_owned(),
            input: vec!["x".to_owned(), String::new(), "^y".to_owned()],
            device: "/cpu:0".to_owned(),
            attr: [("b".to_owned(), int(2)), ("a".to_owned(), AttrValue::default())].into(),
            experimental_debug_info: Some(Box::new(ExperimentalDebugInfo {
                original_node_names: vec!["n".to_owned()],
                ..ExperimentalDebugInfo::default()
            })),
            experimental_type: Some(Box::new(FullTypeDef { type_id: 100, ..FullTypeDef::default() })),
        };
        let bytes = node.encode_to_vec();
        assert_eq!(bytes.len(), node.encoded_len());
        assert_eq!(NodeDef::decode(&bytes[..]).unwrap(), node);
        // The attribute without a value has its name alone.
        let attributes = b"\x2a\x03\x0a\x01a\x2a\x07\x0a\x01b\x12\x02\x18\x02";
        assert!(bytes.windows(attributes.len()).any(|part| part == attributes));
    }

    #[test]
    fn the_last_of_several_attributes_of_a_name_counts_and_all_are_in_the_order_of_their_names() {
        let [first, second] = [("b", 1), ("a", 3)].map(|(name, number)| NodeDef {
            attr: [(name.to_owned(), int(number)), ("c".to_owned(), int(number))].into(),
            ..NodeDef::default()
        });
        let bytes = [first.encode_to_vec(), second.encode_to_vec()].concat();
        let attr = NodeDef::decode(&bytes[..]).unwrap().attr;
        let named: Vec<(&str, &AttrValue)> =
            attr.iter().map(|(name, value)| (name.as_str(), value)).collect();
        assert_eq!(named, [("a", &int(3)), ("b", &int(1)), ("c", &int(3))]);
    }

    #[test]
    fn attributes_are_found_however_many_there_are() {
        let names: Vec<String> = (0..3 * FEW).rev().map(|number| format!("{number:04}")).collect();
        let mut all = AttrMap::default();
        for (index, name) in names.iter().enumerate() {
            all.insert(name.clone(), int(0));
            all.insert(name.clone(), int(1));
            assert_eq!(all.len(), index + 1);
            assert_eq!(all.get(name), Some(&int(1)));
        }
        assert!(all.keys().eq(names.iter().rev()) && all.values().all(|value| *value == int(1)));
        *all.get_mut(&names[0]).unwrap() = int(2);
        assert_eq!(all.remove(&names[0]), Some(int(2)));
        for name in &names[FEW..] {
            all.remove(name);
        }
        let few: AttrMap = names[1..FEW].iter().map(|name| (name.clone(), int(1))).collect();
        assert_eq!(all, few);
        assert!(all.into_iter().eq(few));
    }

    #[test]
    fn damaged_nodes_are_refused_by_the_name_of_the_field() {
        let said = NodeDef::decode(&b"\x2a\x05\x0a\x01a"[..]).unwrap_err().to_string();
        assert!(said.contains("NodeDef.attr"), "{said}");
    }
}
