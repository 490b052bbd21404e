//! A GraphDef in parts: bytes, and the elements of large constants, which are read when they are written.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>, `tensorflow/core/framework/{graph,node_def,attr_value,tensor}.proto`.

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::CHUNK_BYTES;
use super::definition::library;
use crate::convert::TensorFlowGraph;
use crate::error::{Error, Result};
use crate::graph::export::{attr_value, empty_tensor_proto, node_def};
use crate::graph::{Attr, Graph, Node};
use crate::proto::{GraphDef, NodeDef};
use crate::tensor::Constant;

/// The bytes from which the elements of a constant are read only when they are written.
const LARGE: usize = 1 << 10;

/// The numbers of fields.
mod field {
    pub const NODE_OF_GRAPH: u32 = 1;
    pub const ATTR_OF_NODE: u32 = 5;
    pub const KEY_OF_ENTRY: u32 = 1;
    pub const VALUE_OF_ENTRY: u32 = 2;
    pub const TENSOR_OF_ATTR: u32 = 8;
    pub const CONTENT_OF_TENSOR: u32 = 4;
}

/// A part of a message.
pub(super) struct Part<'g> {
    bytes: Vec<u8>,
    /// A constant whose elements follow the bytes, and their length.
    elements: Option<(&'g Constant, usize)>,
}

impl Part<'_> {
    /// The number of its bytes.
    pub fn len(&self) -> u64 {
        (self.bytes.len() + self.elements.map_or(0, |(_, length)| length)) as u64
    }

    /// Writes it. `progress` is called with the bytes of elements that were written.
    ///
    /// # Errors
    /// If elements cannot be read or written.
    pub fn write(
        &self,
        write: &mut impl FnMut(&[u8]) -> Result<()>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        write(&self.bytes)?;
        let Some((constant, _)) = self.elements else { return Ok(()) };
        constant.open()?.for_each_chunk(CHUNK_BYTES, |bytes| {
            progress(bytes.len() as u64);
            write(bytes)
        })?;
        constant.release();
        Ok(())
    }
}

/// The parts of the message of `graph`, which was made from that of `model`.
///
/// # Errors
/// If TensorFlow has no op for a node, or a small constant cannot be read.
pub(super) fn parts<'g>(model: &TensorFlowGraph, graph: &'g Graph) -> Result<Vec<Part<'g>>> {
    let mut parts = vec![];
    for (_, node) in graph.nodes() {
        let large = node.constant().and_then(|constant| Some((constant, constant.byte_len()?)));
        parts.push(match large.filter(|(_, length)| *length >= LARGE) {
            Some((constant, length)) => {
                Part { bytes: before_elements(node, constant, length)?, elements: Some((constant, length)) }
            }
            None => {
                let node = vec![node_def(graph, node)?];
                Part { bytes: GraphDef { node, ..GraphDef::default() }.encode_to_vec(), elements: None }
            }
        });
    }
    let rest =
        GraphDef { library: library(graph)?, versions: Some(model.versions.clone()), ..GraphDef::default() };
    parts.push(Part { bytes: rest.encode_to_vec(), elements: None });
    Ok(parts)
}

/// The bytes of a constant's node in a GraphDef before its elements. Everything that contains the elements ends with them, so only
/// the lengths of these messages have to be computed.
fn before_elements(node: &Node, constant: &Constant, length: usize) -> Result<Vec<u8>> {
    let dtype = attr_value(&Attr::Type(constant.dtype()))?;
    let rest = NodeDef {
        name: node.name.clone(),
        op: node.op.clone(),
        attr: [("dtype".to_owned(), dtype)].into(),
        ..NodeDef::default()
    };
    let mut key = vec![];
    prost::encoding::string::encode(field::KEY_OF_ENTRY, &"value".to_owned(), &mut key);
    let outer = [
        (field::CONTENT_OF_TENSOR, empty_tensor_proto(constant.dtype(), constant.shape()).encode_to_vec()),
        (field::TENSOR_OF_ATTR, vec![]),
        (field::VALUE_OF_ENTRY, key),
        (field::ATTR_OF_NODE, rest.encode_to_vec()),
        (field::NODE_OF_GRAPH, vec![]),
    ];
    // From the innermost message to the outermost: `bytes` and the elements are the value of the field `number` of the message
    // that begins with `before`.
    let mut bytes = vec![];
    for (number, mut before) in outer {
        let value =
            u64::try_from(bytes.len() + length).map_err(|_| Error::new(&*node.name, "it is too large"))?;
        encode_key(number, WireType::LengthDelimited, &mut before);
        encode_varint(value, &mut before);
        before.append(&mut bytes);
        bytes = before;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph_files::freeze::frozen;
    use crate::graph_files::test_model::model;
    use crate::proto::attr_value::Value;

    #[test]
    fn the_parts_are_the_message() {
        let model = model("VariableV2");
        let graph = frozen(&model).unwrap();
        let parts = parts(&model, &graph).unwrap();
        let (mut bytes, mut elements) = (vec![], 0);
        for part in &parts {
            let mut write = |written: &[u8]| {
                bytes.extend(written);
                Ok(())
            };
            part.write(&mut write, &mut |count| elements += count).unwrap();
        }
        assert_eq!(bytes.len() as u64, parts.iter().map(Part::len).sum::<u64>());
        assert_eq!(elements, 600 * 4);
        let read = GraphDef::decode(&bytes[..]).unwrap();
        let names: Vec<&str> = read.node.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["x", "net/w", "net/w/read", "y"]);
        assert_eq!(read.versions.as_ref().unwrap().producer, 134);
        let Some(Value::Tensor(tensor)) = &read.node[1].attr["value"].value else { panic!("no tensor") };
        assert_eq!(tensor.tensor_content, model.variables[0].value.bytes().unwrap().into_owned());
        // As a message that is written at once.
        assert_eq!(read, crate::graph_files::definition::graph_def(&model, &graph).unwrap());
    }
}
