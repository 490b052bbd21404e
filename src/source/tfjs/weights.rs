//! The weights of a model: one group after the other, each in files that continue one another (shards). A weight can begin in one
//! file and end in the next.
//!
//! A weight that is stored as it is, in one file, is a part of the mapped file. Others are read when the model is opened: weights
//! in several files, quantized ones, and those of another type than the constant.
//!
//! Sources: `tfjs-converter/python/tensorflowjs/write_weights.py`; `decodeWeight` in `tfjs-core/src/io/io_utils.ts`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use prost::bytes::Bytes;
use serde::Deserialize;

use super::elements::{self, Quantization};
use crate::error::{Error, Result};
use crate::file_state::FileState;
use crate::mapped::MappedFile;
use crate::proto::attr_value::Value;
use crate::proto::tensor_shape_proto::Dim;
use crate::proto::{NodeDef, TensorProto, TensorShapeProto};
use crate::tensor::{DType, element_count};

/// Weights whose bytes follow one another, and the files that contain them.
#[derive(Debug, Clone, Deserialize)]
pub struct Group {
    /// The names of these files.
    pub paths: Vec<String>,
    weights: Vec<Weight>,
}

/// A weight in the manifest.
#[derive(Debug, Clone, Deserialize)]
struct Weight {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    quantization: Option<Quantization>,
}

/// The weights of a model in their files.
pub struct Stored {
    /// The file with the manifest.
    manifest: PathBuf,
    /// The states of the files when they were opened.
    shards: Vec<FileState>,
    weights: HashMap<String, StoredWeight>,
}

/// A weight as it is stored.
struct StoredWeight {
    weight: Weight,
    bytes: Bytes,
}

/// The number of bytes that hold the length of a text.
const LENGTH_BYTES: usize = 4;

impl Stored {
    /// Opens the files of a manifest.
    ///
    /// # Errors
    /// If one of them is missing or too short.
    pub fn open(manifest: &Path, groups: &[Group]) -> Result<Self> {
        let mut stored = Self { manifest: manifest.to_owned(), shards: vec![], weights: HashMap::new() };
        for group in groups {
            stored.add(group)?;
        }
        Ok(stored)
    }

    fn add(&mut self, group: &Group) -> Result<()> {
        let mut parts = vec![];
        for name in &group.paths {
            let path = self.shard_path(name)?;
            let file = MappedFile::open(&path).map_err(|error| self.unreadable(&path, error))?;
            self.shards.push(file.state().clone());
            parts.push(Bytes::from_owner(file));
        }
        let mut joined = Joined { parts, offset: 0 };
        for weight in &group.weights {
            let short = || self.too_short(group, &joined.parts, weight);
            let length = match weight.stored_size().map_err(|problem| self.wrong(weight, problem))? {
                Some(size) => element_count(&weight.shape).and_then(|count| count.checked_mul(size)),
                None => Some(joined.length_of_texts(&weight.shape).ok_or_else(short)?),
            };
            let bytes = length.and_then(|length| joined.part(joined.offset, length)).ok_or_else(short)?;
            joined.offset = joined.offset.saturating_add(bytes.len());
            self.weights.insert(weight.name.clone(), StoredWeight { weight: weight.clone(), bytes });
        }
        Ok(())
    }

    /// The path of a file that the manifest names.
    fn shard_path(&self, name: &str) -> Result<PathBuf> {
        let is_inside =
            Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !is_inside {
            let problem = format!("its weights are in \"{name}\", outside of its folder");
            return Err(Error::file(&self.manifest, problem)
                .advice("put the files with the weights beside it, and their names into \"paths\""));
        }
        Ok(self.manifest.with_file_name("").join(name))
    }

    fn unreadable(&self, path: &Path, error: Error) -> Error {
        if path.exists() {
            return error;
        }
        let problem = "the file does not exist, and it has weights of the model";
        Error::file(path, problem)
            .advice(format!("put it beside {}, or give an archive with both", self.manifest.display()))
    }

    fn too_short(&self, group: &Group, parts: &[Bytes], weight: &Weight) -> Error {
        // All shards but the last one have the same length.
        let first = parts.first().map_or(0, Bytes::len);
        let cut = parts.iter().position(|part| part.len() < first).unwrap_or(parts.len().saturating_sub(1));
        let problem = format!("the end of the weights is missing: \"{}\" is not complete", weight.name);
        let name = group.paths.get(cut).map_or("", String::as_str);
        Error::file(self.manifest.with_file_name("").join(name), problem).advice("download it again")
    }

    fn wrong(&self, weight: &Weight, problem: impl std::fmt::Display) -> Error {
        Error::new(format!("weight \"{}\"", weight.name), problem).within(self.manifest.display())
    }

    /// Gives a constant its elements.
    ///
    /// # Errors
    /// If they are not in the manifest, or are of another type.
    pub fn fill(&self, node: &mut NodeDef) -> Result<()> {
        if !is_without_elements(node) {
            return Ok(());
        }
        let subject = format!("Const \"{}\"", node.name);
        let Some(Value::Tensor(tensor)) = node.attr.get_mut("value").and_then(|value| value.value.as_mut())
        else {
            return Ok(());
        };
        let Some(stored) = self.weights.get(&node.name) else {
            let error = Error::new(subject, "the weights manifest does not have its elements");
            return Err(error
                .within(self.manifest.display())
                .advice("convert the model to TensorFlow.js again"));
        };
        stored.fill(tensor).map_err(|problem| self.wrong(&stored.weight, problem))
    }

    /// The files with the weights.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.shards.iter().map(|shard| shard.path().to_owned()).collect()
    }

    /// The states of these files when they were opened.
    pub fn states(&self) -> &[FileState] {
        &self.shards
    }
}

/// Whether a node is a constant whose elements are in another file.
pub fn is_without_elements(node: &NodeDef) -> bool {
    let tensor = match node.attr.get("value").and_then(|value| value.value.as_ref()) {
        Some(Value::Tensor(tensor)) if node.op == "Const" => tensor,
        _ => return false,
    };
    let has_elements =
        tensor.tensor_shape.as_ref().is_none_or(|shape| shape.dim.iter().all(|dim| dim.size != 0));
    let without = TensorProto {
        dtype: tensor.dtype,
        tensor_shape: tensor.tensor_shape.clone(),
        ..TensorProto::default()
    };
    let version = TensorProto { version_number: tensor.version_number, ..without };
    has_elements && **tensor == version
}

/// The files of a group, one after the other.
struct Joined {
    parts: Vec<Bytes>,
    /// Where the next weight begins.
    offset: usize,
}

impl Joined {
    /// A part of the bytes, copied only if it is in several files.
    fn part(&self, start: usize, length: usize) -> Option<Bytes> {
        let (mut start, mut copied) = (start, vec![]);
        for part in &self.parts {
            let Some(here) = part.len().checked_sub(start).filter(|&here| here > 0 || length == 0) else {
                start = start.saturating_sub(part.len());
                continue;
            };
            let missing = length.saturating_sub(copied.len());
            if copied.is_empty() && missing <= here {
                return Some(part.slice(start..start.checked_add(missing)?));
            }
            copied.extend_from_slice(part.get(start..)?.get(..missing.min(here))?);
            start = 0;
            if copied.len() == length {
                return Some(copied.into());
            }
        }
        (length == 0).then(Bytes::new)
    }

    /// The length of texts, each with its own length before it.
    fn length_of_texts(&self, shape: &[usize]) -> Option<usize> {
        let mut end = self.offset;
        for _ in 0..element_count(shape)? {
            let length = self.part(end, LENGTH_BYTES)?;
            let length = u32::from_le_bytes(length.as_ref().try_into().ok()?);
            end = end.checked_add(LENGTH_BYTES)?.checked_add(length as usize)?;
        }
        end.checked_sub(self.offset)
    }
}

impl Weight {
    /// The number of bytes of a stored element; `None` for texts, each of which has its own length.
    fn stored_size(&self) -> Result<Option<usize>, String> {
        let stored = self.quantization.as_ref().map_or(&self.dtype, |quantization| &quantization.dtype);
        Ok(Some(match stored.as_str() {
            "string" => return Ok(None),
            "bool" | "uint8" | "int8" => 1,
            "float16" | "uint16" | "int16" => 2,
            "float32" | "int32" => 4,
            "complex64" => 8,
            other => return Err(format!("\"{other}\" is not a type that TensorFlow.js stores")),
        }))
    }
}

impl StoredWeight {
    /// Gives a tensor these elements, in the tensor's type.
    fn fill(&self, tensor: &mut TensorProto) -> Result<(), String> {
        let wanted = DType::from_proto(tensor.dtype).ok_or("its constant has an unknown type")?;
        let dims = self.weight.shape.iter().map(|&size| Dim { size: size as i64, name: String::new() });
        tensor.tensor_shape = Some(TensorShapeProto { dim: dims.collect(), unknown_rank: false });
        if self.weight.dtype == "string" {
            if wanted != DType::String {
                return Err(format!("it is text, and its constant is {wanted}"));
            }
            tensor.string_val = self.texts();
            return Ok(());
        }
        let stored = DType::from_name(&self.weight.dtype)
            .ok_or_else(|| format!("\"{}\" is not a type that TensorFlow.js stores", self.weight.dtype))?;
        tensor.tensor_content = match &self.weight.quantization {
            None if stored == wanted => self.bytes.clone(),
            quantization => elements::converted(&self.bytes, stored, wanted, quantization.as_ref())?,
        };
        Ok(())
    }

    fn texts(&self) -> Vec<Vec<u8>> {
        let (mut texts, mut rest) = (vec![], &self.bytes[..]);
        while let Some((length, after)) = rest.split_first_chunk::<LENGTH_BYTES>() {
            let (text, after) = after.split_at(after.len().min(u32::from_le_bytes(*length) as usize));
            texts.push(text.to_vec());
            rest = after;
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::AttrValue;

    /// The elements of constants whose weights are in shards of `length` bytes.
    fn filled(
        manifest: &str,
        bytes: &[u8],
        length: usize,
        constants: &[(&str, DType)],
    ) -> Result<Vec<TensorProto>> {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = vec![];
        for (index, shard) in bytes.chunks(length).enumerate() {
            paths.push(format!("shard{index}"));
            std::fs::write(folder.path().join(&paths[index]), shard).unwrap();
        }
        let weights = serde_json::from_str(manifest).unwrap();
        let stored = Stored::open(&folder.path().join("model.json"), &[Group { paths, weights }])?;
        let tensor = |&(name, dtype): &(&str, DType)| {
            let number = (1..24).find(|&number| DType::from_proto(number) == Some(dtype)).unwrap();
            let shape =
                Some(TensorShapeProto { dim: vec![Dim { size: 1, ..Dim::default() }], unknown_rank: false });
            let tensor = TensorProto { dtype: number, tensor_shape: shape, ..TensorProto::default() };
            let value = AttrValue { value: Some(Value::Tensor(tensor.into())) };
            let attr = [("value".to_owned(), value)].into();
            let mut node =
                NodeDef { name: name.to_owned(), op: "Const".to_owned(), attr, ..NodeDef::default() };
            stored.fill(&mut node)?;
            match node.attr.remove("value").and_then(|value| value.value) {
                Some(Value::Tensor(tensor)) => Ok(*tensor),
                _ => unreachable!(),
            }
        };
        constants.iter().map(tensor).collect()
    }

    #[test]
    fn weights_may_begin_in_one_shard_and_end_in_another() {
        let manifest = r#"[{"name": "t", "shape": [2], "dtype": "string"}, {"name": "none", "shape": [0], "dtype": "float32"},
            {"name": "i", "shape": [2], "dtype": "int32"}, {"name": "b", "shape": [], "dtype": "bool"}]"#;
        let bytes = [&[1, 0, 0, 0, b'x', 3, 0, 0, 0][..], b"abc", &[7, 0, 0, 0], &[0xff; 4], &[1]].concat();
        for length in 1..=bytes.len() {
            let constants =
                [("t", DType::String), ("i", DType::Int64), ("b", DType::Bool), ("none", DType::Float32)];
            let tensors = filled(manifest, &bytes, length, &constants).unwrap();
            assert_eq!(tensors[0].string_val, [b"x".to_vec(), b"abc".to_vec()]);
            assert_eq!(tensors[1].tensor_content, [7i64.to_le_bytes(), (-1i64).to_le_bytes()].concat());
            assert_eq!(tensors[2].tensor_content, [1u8][..]);
        }
        for end in [3, 8, 11, 15] {
            let error = filled(manifest, &bytes[..end], 4, &[]).unwrap_err().to_string();
            assert!(error.contains("the end of the weights is missing"), "{end}: {error}");
        }
    }

    #[test]
    fn quantized_weights_are_restored_as_javascript_does() {
        let manifest = r#"[{"name": "f", "shape": [2], "dtype": "float32", "quantization": {"dtype": "uint8", "min": -0.1, "scale": 0.1}},
            {"name": "i", "shape": [2], "dtype": "int32", "quantization": {"dtype": "uint16", "min": -2.5, "scale": 1}},
            {"name": "h", "shape": [1], "dtype": "float32", "quantization": {"dtype": "float16"}}]"#;
        let bytes = [0, 3, 0, 0, 1, 1, 0, 0x3e];
        let constants = [("f", DType::Float32), ("i", DType::Int32), ("h", DType::Float32)];
        let tensors = filled(manifest, &bytes, 100, &constants).unwrap();
        let floats = [(-0.1f64) as f32, (3.0 * 0.1 - 0.1) as f32].map(f32::to_le_bytes).concat();
        assert_eq!(tensors[0].tensor_content, floats);
        // Math.round(-2.5) is -2, and Math.round(254.5) is 255.
        assert_eq!(tensors[1].tensor_content, [-2i32, 255].map(i32::to_le_bytes).concat());
        assert_eq!(tensors[2].tensor_content, 1.5f32.to_le_bytes()[..]);
    }

    #[test]
    fn weights_of_another_kind_than_their_constant_are_refused() {
        for (dtype, bytes, constant) in [
            ("int32", &[0, 1, 0, 0][..], DType::Bool),
            ("float32", &[0, 0, 0x20, 0x40], DType::Int32),
            ("complex64", &[0; 8], DType::Float32),
            ("bool", &[1], DType::String),
        ] {
            let manifest = format!(r#"[{{"name": "w", "shape": [1], "dtype": "{dtype}"}}]"#);
            let error = filled(&manifest, bytes, 100, &[("w", constant)]).unwrap_err().to_string();
            assert!(error.contains("and its constant is"), "{error}");
        }
    }
}
