//! The streaming writer: the model goes to the file in one pass, each weight from its checkpoint through at most
//! one transpose.
//!
//! A ModelProto is a sequence of fields, and its graph a field that contains the initializers as fields. All
//! lengths follow from the shapes, so the small messages are encoded first and the elements are streamed
//! between them (<https://protobuf.dev/programming-guides/encoding/>).

use std::io::{BufWriter, Write};
use std::path::Path;

use onnx_protobuf::Message;

use super::{Initializer, Model};
use crate::error::{Error, Result};
use crate::output::OutputFile;
use crate::tensor::DType;

/// Field numbers of `onnx.proto`.
const MODEL_GRAPH: u32 = 7;
const GRAPH_INITIALIZER: u32 = 5;
const TENSOR_STRING_DATA: u32 = 6;
const TENSOR_RAW_DATA: u32 = 9;

/// A protobuf message may not be longer; ONNX keeps larger weights in files of their own.
const MAX_MESSAGE: u64 = i32::MAX as u64;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteReport {
    /// Bytes of the file.
    pub bytes: u64,
}

/// Writes the model to `path`, or leaves what is there as it is. `progress` is told the bytes written so far and those of the whole file.
///
/// # Errors
/// Where the target cannot be written, a weight cannot be read, or the model is too large for one file.
pub fn write_model(model: &Model, path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<WriteReport> {
    let plan = Plan::new(model)?;
    let output = OutputFile::create(path)?;
    let mut file = BufWriter::with_capacity(64 * 1024, output.file());
    let mut written = 0;
    plan.write(&mut |bytes| {
        file.write_all(bytes).map_err(|error| output.error(&error))?;
        written += bytes.len() as u64;
        progress(written, plan.total);
        Ok(())
    })?;
    file.flush().map_err(|error| output.error(&error))?;
    drop(file);
    output.persist()?;
    Ok(WriteReport { bytes: plan.total })
}

/// The file as it will be, every length known.
struct Plan<'a> {
    /// The model's fields but its graph, the head of the graph, and the graph's fields but its initializers.
    head: Vec<u8>,
    initializers: Vec<(Vec<u8>, &'a Initializer)>,
    total: u64,
}

impl<'a> Plan<'a> {
    fn new(model: &'a Model) -> Result<Self> {
        let (model_message, graph_message) = model.messages();
        let encoded = |message: protobuf::Result<Vec<u8>>| {
            message.map_err(|error| Error::new("ONNX model", format!("it cannot be encoded: {error}")))
        };
        let mut head = encoded(model_message.write_to_bytes())?;
        let graph = encoded(graph_message.write_to_bytes())?;
        let mut initializers = vec![];
        let mut graph_length = graph.len() as u64;
        for initializer in &model.initializers {
            let tensor = encoded(initializer.message().write_to_bytes())?;
            let (field, elements) = initializer_head(initializer, tensor)?;
            graph_length += field.len() as u64 + elements;
            initializers.push((field, initializer));
        }
        push_length_delimited(&mut head, MODEL_GRAPH, graph_length);
        let total = head.len() as u64 + graph_length;
        head.extend(graph);
        if total > MAX_MESSAGE {
            return Err(Error::new(
                "ONNX model",
                format!("it would have {total} bytes, and a file of ONNX 2 GiB"),
            ));
        }
        Ok(Self { head, initializers, total })
    }

    fn write(&self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        sink(&self.head)?;
        for (field, initializer) in &self.initializers {
            sink(field)?;
            if initializer.value.dtype() != DType::String {
                initializer.value.write_to(sink)?;
            }
        }
        Ok(())
    }
}

/// The head of an initializer's field, up to its elements, and the bytes that these will have.
fn initializer_head(initializer: &Initializer, mut tensor: Vec<u8>) -> Result<(Vec<u8>, u64)> {
    let mut elements = 0;
    if initializer.value.dtype() == DType::String {
        // Strings are few and small: they go into the head.
        for string in initializer.value.strings()? {
            push_length_delimited(&mut tensor, TENSOR_STRING_DATA, string.len() as u64);
            tensor.extend(string);
        }
    } else {
        elements = initializer.value.byte_len().ok_or_else(|| {
            Error::new(format!("tensor \"{}\"", initializer.name), "its size does not fit this machine")
        })? as u64;
        push_length_delimited(&mut tensor, TENSOR_RAW_DATA, elements);
    }
    let mut field = vec![];
    push_length_delimited(&mut field, GRAPH_INITIALIZER, tensor.len() as u64 + elements);
    field.extend(tensor);
    Ok((field, elements))
}

/// The tag of a field of bytes, and its length.
fn push_length_delimited(out: &mut Vec<u8>, field: u32, length: u64) {
    push_varint(out, u64::from(field << 3 | 2));
    push_varint(out, length);
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
