//! Object-based checkpoints (`tf.train.Checkpoint`): their keys are paths of Python attributes, and a graph of objects
//! maps the keys to variables.
//!
//! Source: `tensorflow/core/protobuf/trackable_object_graph.proto` and
//! `tensorflow/python/checkpoint/checkpoint.py`.

use std::collections::BTreeMap;

use prost::Message;

use super::Checkpoint;
use crate::error::{Error, Result};
use crate::proto::TrackableObjectGraph;
use crate::tensor::ElementSource;

/// The key of the serialized graph of objects.
const OBJECT_GRAPH: &str = "_CHECKPOINTABLE_OBJECT_GRAPH";

impl Checkpoint {
    /// Whether its keys are paths of Python attributes, not names of variables.
    pub fn is_object_based(&self) -> bool {
        self.get(OBJECT_GRAPH).is_some()
    }

    /// The graph of objects; `None` if the checkpoint is not object-based.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn object_graph(&self) -> Result<Option<TrackableObjectGraph>> {
        let Some(stored) = self.get(OBJECT_GRAPH) else { return Ok(None) };
        let damaged = || Error::file(self.path(), "its graph of objects is damaged");
        let strings = stored.strings()?;
        let [graph] = &strings[..] else { return Err(damaged()) };
        TrackableObjectGraph::decode(&graph[..]).map(Some).map_err(|_| damaged())
    }

    /// The names that variables had in the program that saved them, by the keys of their values in this checkpoint. Empty
    /// if the checkpoint is not object-based: then its keys are the names.
    ///
    /// # Errors
    /// If the graph of objects cannot be read.
    pub fn object_names(&self) -> Result<BTreeMap<String, String>> {
        let Some(graph) = self.object_graph()? else { return Ok(BTreeMap::new()) };
        let attributes = graph.nodes.into_iter().flat_map(|object| object.attributes);
        let named = attributes.filter(|attribute| !attribute.full_name.is_empty());
        Ok(named.map(|attribute| (attribute.checkpoint_key, attribute.full_name)).collect())
    }
}
