//! The streaming writer: the model goes to the file in one pass, each weight from its checkpoint through at most
//! one transpose.
//!
//! A ModelProto is a sequence of fields, and its graph a field that contains the initializers as fields. All
//! lengths follow from the shapes, so the small messages are encoded first and the elements are streamed
//! between them (<https://protobuf.dev/programming-guides/encoding/>).

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use onnx_protobuf::Message;
use rayon::prelude::*;

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

/// Writes the model to `path`, or leaves what is there as it is. `progress` is told the bytes written so far and
/// those of the whole file.
///
/// # Errors
/// Where the target cannot be written, a weight cannot be read, or the model is too large for one file.
pub fn write_model(model: &Model, path: &Path, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<WriteReport> {
    let plan = Plan::new(model)?;
    let output = OutputFile::create(path)?;
    let written = AtomicU64::new(0);
    // Every piece has its place in the file from the start, so that the cores need not wait for each other.
    let write = |at: u64, bytes: &[u8]| {
        output.write_at(at, bytes)?;
        let before = written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        progress(before + bytes.len() as u64, plan.total);
        Ok(())
    };
    plan.stretches.par_iter().with_max_len(1).try_for_each(|stretch| stretch.write(&write))?;
    output.persist()?;
    Ok(WriteReport { bytes: plan.total })
}

/// The file as it will be, every length known.
struct Plan<'a> {
    stretches: Vec<Stretch<'a>>,
    total: u64,
}

/// A part of the file that one core writes.
struct Stretch<'a> {
    /// Where it begins.
    at: u64,
    /// What is written before the elements of the first initializer: the head of the file, or nothing.
    head: Vec<u8>,
    /// The heads of initializers' fields, and whose elements follow them.
    initializers: Vec<(Vec<u8>, &'a Initializer)>,
    bytes: u64,
}

/// Small initializers are written together until they make so many bytes, and large ones, which have a stretch of their
/// own, in pieces of so many: what a core works on stays in its second-level cache.
const PIECE_BYTES: usize = 1 << 20;

impl<'a> Plan<'a> {
    fn new(model: &'a Model) -> Result<Self> {
        let (model_message, graph_message) = model.messages()?;
        let encoded = |message: protobuf::Result<Vec<u8>>| {
            message.map_err(|error| Error::new("ONNX model", format!("it cannot be encoded: {error}")))
        };
        let mut head = encoded(model_message.write_to_bytes())?;
        let graph = encoded(graph_message.write_to_bytes())?;
        let mut fields = vec![];
        let mut graph_length = graph.len() as u64;
        for initializer in &model.initializers {
            let tensor = encoded(initializer.message().write_to_bytes())?;
            let (field, elements) = initializer_head(initializer, tensor)?;
            graph_length += field.len() as u64 + elements;
            fields.push((field, initializer, elements));
        }
        push_length_delimited(&mut head, MODEL_GRAPH, graph_length);
        let total = head.len() as u64 + graph_length;
        if total > MAX_MESSAGE {
            let problem =
                format!("it would have {total} bytes, and a file of ONNX has at most {MAX_MESSAGE}");
            return Err(Error::new("ONNX model", problem));
        }
        head.extend(graph);
        let bytes = head.len() as u64;
        let mut stretches = vec![Stretch { at: 0, head, initializers: vec![], bytes }];
        for (field, initializer, elements) in fields {
            let last = stretches.last_mut().expect("there is a first stretch");
            let bytes = field.len() as u64 + elements;
            if last.bytes + bytes > PIECE_BYTES as u64 {
                let at = last.at + last.bytes;
                stretches.push(Stretch { at, head: vec![], initializers: vec![(field, initializer)], bytes });
            } else {
                last.initializers.push((field, initializer));
                last.bytes += bytes;
            }
        }
        Ok(Self { stretches, total })
    }
}

/// Writes bytes at a place in the file.
type WriteAt<'a> = dyn Fn(u64, &[u8]) -> Result<()> + Sync + 'a;

thread_local! {
    /// What a core is about to write. It is kept from one piece to the next: new memory would cost more than filling it.
    static PIECE: RefCell<Vec<u8>> = const { RefCell::new(vec![]) };
}

impl Stretch<'_> {
    /// Small initializers are gathered and written at once, large ones piece by piece.
    fn write(&self, write: &WriteAt<'_>) -> Result<()> {
        if let [(field, initializer)] = &self.initializers[..]
            && self.bytes > PIECE_BYTES as u64
        {
            write(self.at, field)?;
            return write_large(initializer, self.at + field.len() as u64, write);
        }
        let mut gathered = PIECE.take();
        gathered.clear();
        gathered.extend_from_slice(&self.head);
        for (field, initializer) in &self.initializers {
            gathered.extend(field);
            if initializer.value.dtype() != DType::String {
                let elements = initializer.value.open()?;
                let start = gathered.len();
                gathered.resize(start + elements.len(), 0);
                elements.copy_to(&mut gathered[start..])?;
            }
        }
        let written = write(self.at, &gathered);
        PIECE.set(gathered);
        written
    }
}

/// Writes the elements of a large initializer, by all cores that have nothing else to do.
fn write_large(initializer: &Initializer, at: u64, write: &WriteAt<'_>) -> Result<()> {
    let elements = initializer.value.open()?;
    if let Some(bytes) = elements.in_order() {
        let pieces = bytes.par_chunks(PIECE_BYTES).enumerate();
        return pieces.try_for_each(|(index, piece)| write(at + (index * PIECE_BYTES) as u64, piece));
    }
    elements.blocks(PIECE_BYTES).par_iter().with_max_len(1).try_for_each(|block| {
        let mut piece = PIECE.take();
        let written = elements.fill(block, &mut piece).and_then(|rows| {
            let places = (at + rows.place as u64..).step_by(rows.distance);
            places.zip(piece.chunks(rows.bytes)).try_for_each(|(place, row)| write(place, row))
        });
        PIECE.set(piece);
        written
    })
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
