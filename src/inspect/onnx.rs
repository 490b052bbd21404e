//! The metadata of an ONNX model.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::onnx::OnnxFile;

/// The metadata of an ONNX model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnnxSummary {
    /// The version of the file's format.
    pub ir_version: i64,
    /// The version of the default operator set; `None` if the model uses none of its operators.
    pub opset: Option<i64>,
    /// The versions of all operator sets, by domain; the default one has an empty name.
    pub opsets: BTreeMap<String, i64>,
    /// The program that wrote it.
    pub producer_name: String,
    /// The version of that program.
    pub producer_version: String,
    /// Other metadata.
    pub metadata: BTreeMap<String, String>,
    /// The files beside it that hold weights.
    pub external_data: Vec<External>,
}

/// A file beside a model that holds weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct External {
    /// Its path relative to the model's folder.
    pub location: String,
    /// The number of tensors in it.
    pub tensors: usize,
    /// Its size; `None` if it is missing or cannot be read.
    pub bytes: Option<u64>,
}

impl OnnxSummary {
    /// The metadata of a model.
    pub fn new(file: &OnnxFile) -> Self {
        let model = file.model();
        let opsets: BTreeMap<String, i64> = model
            .opset_import
            .iter()
            .map(|opset| {
                // Both names mean the default set.
                let domain = if opset.domain == "ai.onnx" { "" } else { opset.domain.as_str() };
                (domain.to_owned(), opset.version)
            })
            .collect();
        let metadata = model.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone()));
        let external = file.external().iter().map(|file| External {
            location: file.location.clone(),
            tensors: file.tensors,
            bytes: file.bytes,
        });
        Self {
            ir_version: model.ir_version,
            opset: opsets.get("").copied(),
            opsets,
            producer_name: model.producer_name.clone(),
            producer_version: model.producer_version.clone(),
            metadata: metadata.collect(),
            external_data: external.collect(),
        }
    }
}
