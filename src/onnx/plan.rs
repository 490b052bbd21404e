//! Plans the files of a model: the offset and length of everything, before the first byte is written.
//!
//! A ModelProto is a sequence of fields. One field is the graph, and the graph contains the initializers as fields. All
//! lengths follow from the shapes, so the plan encodes the small messages and computes the offsets of the elements
//! between them (<https://protobuf.dev/programming-guides/encoding/>), or in a file beside the model
//! (<https://onnx.ai/onnx/repo-docs/ExternalData.html>).

use onnx_protobuf::tensor_proto::DataLocation;
use onnx_protobuf::{Message, NodeProto, StringStringEntryProto, TensorProto};

use super::model::fill_message;
use super::{Initializer, Model};
use crate::error::{Error, Result};
use crate::tensor::DType;

/// Field numbers of `onnx.proto`.
const MODEL_GRAPH: u32 = 7;
const GRAPH_NODE: u32 = 1;
const GRAPH_INITIALIZER: u32 = 5;
const TENSOR_STRING_DATA: u32 = 6;
const TENSOR_RAW_DATA: u32 = 9;

/// The maximum length of a protobuf message.
const MAX_MESSAGE: u64 = i32::MAX as u64;

/// The alignment of elements in a file beside the model: a page, so that runtimes can map them.
const ALIGNMENT: u64 = 4096;

/// Smaller initializers, such as shapes and axes, always stay in the model's own file.
const MIN_EXTERNAL_BYTES: u64 = 1024;

/// The most bytes of small initializers that are written together, and of one chunk of a large one. Chunks of this size
/// stay in the second-level cache.
pub(super) const CHUNK_BYTES: usize = 1 << 20;

/// The model's own file, and the file with its weights, if they are in a file beside it.
pub(super) struct Plan<'a> {
    pub(super) model: PlannedFile<'a>,
    pub(super) external: Option<PlannedFile<'a>>,
}

/// The segments of a file, and its length.
#[derive(Default)]
pub(super) struct PlannedFile<'a> {
    pub(super) segments: Vec<Segment<'a>>,
    pub(super) total: u64,
}

/// A part of a file that is one task for the threads.
pub(super) struct Segment<'a> {
    /// Its offset in the file.
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) content: Content<'a>,
}

/// The content of a segment.
pub(super) enum Content<'a> {
    /// Encoded messages, each followed by the elements of an initializer, if any: together about [`CHUNK_BYTES`].
    Gathered(Vec<(Vec<u8>, Option<&'a Initializer>)>),
    /// The elements of one initializer, which have more bytes than [`CHUNK_BYTES`].
    Large(&'a Initializer),
}

impl<'a> Plan<'a> {
    /// Plans the files. The weights go to the file `location` beside the model if `is_external`, or if the message would
    /// be too long with them.
    pub(super) fn new(model: &'a Model, location: &str, is_external: bool) -> Result<Self> {
        let (model_message, graph_message) = model.messages();
        let mut head = encoded(model_message.write_to_bytes())?;
        // One node after the other: the messages of all of them would need as much memory as the model.
        let (mut graph, mut message) = (vec![], NodeProto::default());
        for node in &model.nodes {
            fill_message(&mut message, node)?;
            push_tag(&mut graph, GRAPH_NODE);
            encoded(message.write_length_delimited_to_vec(&mut graph))?;
        }
        graph.extend(encoded(graph_message.write_to_bytes())?);
        let elements = model.initializers.iter().map(element_bytes).collect::<Result<Vec<u64>>>()?;
        let in_message = head.len() as u64 + graph.len() as u64 + elements.iter().sum::<u64>();
        // Names and shapes are small in comparison: a tenth of a percent is enough for them.
        let is_external = is_external || in_message > MAX_MESSAGE - MAX_MESSAGE / 1000;

        let mut external = PlannedFile::default();
        let mut fields = vec![];
        let mut graph_length = graph.len() as u64;
        for (initializer, elements) in model.initializers.iter().zip(elements) {
            let mut tensor = initializer.message();
            let is_beside = is_external && elements >= MIN_EXTERNAL_BYTES;
            if is_beside {
                let padding = vec![0; (external.total.next_multiple_of(ALIGNMENT) - external.total) as usize];
                set_external(&mut tensor, location, external.total + padding.len() as u64, elements);
                external.push(padding, Some(initializer), elements);
            }
            let tensor = encoded(tensor.write_to_bytes())?;
            let elements = if is_beside { 0 } else { elements };
            let field = initializer_head(initializer, tensor, (!is_beside).then_some(elements))?;
            graph_length += field.len() as u64 + elements;
            // Strings are part of the message.
            let follows = !is_beside && initializer.value.dtype() != DType::String;
            fields.push((field, follows.then_some(initializer), elements));
        }
        push_length_delimited(&mut head, MODEL_GRAPH, graph_length);
        if head.len() as u64 + graph_length > MAX_MESSAGE {
            let problem = format!(
                "it would have {graph_length} bytes, and an ONNX file can have at most {MAX_MESSAGE}"
            );
            return Err(Error::new("ONNX model", problem));
        }
        head.extend(graph);
        let mut file = PlannedFile::default();
        file.push(head, None, 0);
        for (field, initializer, elements) in fields {
            file.push(field, initializer, elements);
        }
        Ok(Self { model: file, external: (!external.segments.is_empty()).then_some(external) })
    }

    /// Bytes of all files.
    pub(super) fn total(&self) -> u64 {
        self.model.total + self.external.as_ref().map_or(0, |external| external.total)
    }
}

impl<'a> PlannedFile<'a> {
    /// Adds an encoded message, and the elements that follow it.
    fn push(&mut self, message: Vec<u8>, initializer: Option<&'a Initializer>, elements: u64) {
        match initializer {
            Some(large) if elements > CHUNK_BYTES as u64 => {
                self.gather(message, None, 0);
                self.segments.push(Segment {
                    offset: self.total,
                    bytes: elements,
                    content: Content::Large(large),
                });
                self.total += elements;
            }
            small => self.gather(message, small, elements),
        }
    }

    fn gather(&mut self, message: Vec<u8>, initializer: Option<&'a Initializer>, elements: u64) {
        let bytes = message.len() as u64 + elements;
        if bytes == 0 {
            // Empty padding.
            return;
        }
        match self.segments.last_mut() {
            Some(Segment { bytes: gathered, content: Content::Gathered(parts), .. })
                if *gathered + bytes <= CHUNK_BYTES as u64 =>
            {
                *gathered += bytes;
                parts.push((message, initializer));
            }
            _ => {
                let content = Content::Gathered(vec![(message, initializer)]);
                self.segments.push(Segment { offset: self.total, bytes, content });
            }
        }
        self.total += bytes;
    }
}

/// Records in an initializer's message where its elements are in the file beside the model.
fn set_external(tensor: &mut TensorProto, location: &str, offset: u64, length: u64) {
    let entries =
        [("location", location.to_owned()), ("offset", offset.to_string()), ("length", length.to_string())];
    let entry = |(key, value): (&str, String)| StringStringEntryProto {
        key: key.to_owned(),
        value,
        ..Default::default()
    };
    tensor.external_data = entries.into_iter().map(entry).collect();
    tensor.data_location = DataLocation::EXTERNAL.into();
}

/// The number of bytes of an initializer's elements; 0 for strings, which are part of the message.
fn element_bytes(initializer: &Initializer) -> Result<u64> {
    if initializer.value.dtype() == DType::String {
        return Ok(0);
    }
    let bytes = initializer.value.byte_len().ok_or_else(|| {
        Error::new(format!("tensor \"{}\"", initializer.name), "it is too large for this machine")
    })?;
    Ok(bytes as u64)
}

/// The beginning of an initializer's field: everything before its elements. `elements` is the number of bytes that follow.
fn initializer_head(
    initializer: &Initializer,
    mut tensor: Vec<u8>,
    elements: Option<u64>,
) -> Result<Vec<u8>> {
    if initializer.value.dtype() == DType::String {
        // Strings are few and small, so they are encoded here.
        for string in initializer.value.strings()? {
            push_length_delimited(&mut tensor, TENSOR_STRING_DATA, string.len() as u64);
            tensor.extend(string);
        }
    } else if let Some(elements) = elements {
        push_length_delimited(&mut tensor, TENSOR_RAW_DATA, elements);
    }
    let mut field = vec![];
    push_length_delimited(&mut field, GRAPH_INITIALIZER, tensor.len() as u64 + elements.unwrap_or(0));
    field.extend(tensor);
    Ok(field)
}

fn encoded<T>(message: protobuf::Result<T>) -> Result<T> {
    message.map_err(|error| Error::new("ONNX model", format!("it cannot be encoded: {error}")))
}

/// Appends the tag and the length of a field of bytes.
fn push_length_delimited(out: &mut Vec<u8>, field: u32, length: u64) {
    push_tag(out, field);
    push_varint(out, length);
}

fn push_tag(out: &mut Vec<u8>, field: u32) {
    push_varint(out, u64::from(field << 3 | 2));
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tensor::{Constant, Inline};

    #[test]
    fn large_weights_beside_the_model_need_no_padding_if_they_end_at_a_page() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("model.onnx");
        let large = vec![1.5_f32; CHUNK_BYTES / 2];
        let initializers = ["a", "b"].map(|name| Initializer {
            name: name.to_owned(),
            value: Constant::from_f32(vec![2, CHUNK_BYTES / 4], &large).permuted(&[1, 0]).unwrap(),
        });
        let model = Model { opset: 17, initializers: initializers.into(), ..Model::default() };
        let options = super::super::WriteOptions { external_data: true };
        let written = super::super::write_model(&model, &path, &options, &|_, _| ()).unwrap();
        let beside = std::fs::read(written.external_data.unwrap()).unwrap();
        assert_eq!(beside.len(), 4 * CHUNK_BYTES);
        assert!(beside.as_chunks::<4>().0.iter().all(|element| f32::from_le_bytes(*element) == 1.5));
    }

    #[test]
    fn no_elements_follow_the_message_of_a_string_tensor() {
        let strings = vec![vec![b'x'; CHUNK_BYTES], vec![b'y'; 10]];
        let value = Constant::new(DType::String, vec![2], Arc::new(Inline::Strings(strings)));
        let initializers = vec![Initializer { name: "words".to_owned(), value }];
        let model = Model { opset: 17, initializers, ..Model::default() };
        let path = tempfile::TempDir::new().unwrap().path().with_extension("onnx");
        let written = super::super::write_model(&model, &path, &Default::default(), &|_, _| ());
        let bytes = std::fs::read(&path);
        let _ = std::fs::remove_file(&path);
        assert_eq!(written.unwrap().bytes, bytes.unwrap().len() as u64);
    }
}
