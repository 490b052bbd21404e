//! The inputs and outputs of a model, and which of its nodes stay when both are known.

use hashbrown::{HashMap, HashSet};

use super::Layout;
use super::context::{Lowering, Value};
use crate::error::{Error, Result};
use crate::graph::TensorRef;
use crate::onnx::{self, Dim, Initializer, Model, TensorInfo, onnx_dtype};
use crate::tensor::{Constant, DType};

impl Lowering<'_> {
    /// Declares an input of the model.
    pub fn input(&mut self, tensor: TensorRef) {
        let name = self.unique_name(&self.graph.tensor_name(tensor));
        let is_complex = self.dtype(tensor).is_complex();
        let rank = self.shape(tensor).rank().filter(|_| !is_complex).unwrap_or(0);
        let layout = if self.options.inputs_as_nchw.contains(&tensor) {
            Layout::channels_first(rank)
        } else {
            Layout::tensorflow(rank)
        };
        let info = self.tensor_info(name.clone(), tensor, &layout);
        self.model.inputs.push(info);
        self.set(tensor, Value::Computed { name, layout });
    }

    /// Gives an input its default value, for runs that do not feed it.
    ///
    /// # Errors
    /// If the default has another rank than the input.
    pub fn default_of_input(&mut self, tensor: TensorRef, default: Constant) -> Result<()> {
        if let Some(Value::Computed { name, layout }) = self.values.get(&tensor) {
            let value = default.permuted(layout.axes())?;
            self.model.initializers.push(Initializer { name: name.clone(), value });
        }
        Ok(())
    }

    fn tensor_info(&self, name: String, tensor: TensorRef, layout: &Layout) -> TensorInfo {
        let dtype = self.dtype(tensor);
        let dims = self.shape(tensor).dims().map(Dim::of_axes);
        let shape = match dtype.is_complex() {
            true => dims.map(|dims| [dims, vec![Dim::Known(2)]].concat()),
            false => dims.map(|dims| layout.stored(&dims)),
        };
        TensorInfo { name, dtype: dtype.part(), shape }
    }

    /// Declares the outputs and returns the model.
    pub fn finish(mut self) -> Result<Model> {
        let outputs = self.outputs;
        let wanted: HashSet<String> = outputs.iter().map(|&tensor| self.graph.tensor_name(tensor)).collect();
        // Nodes are renamed at the end: to walk all of them for each output would take the square of their count.
        let mut renamed: HashMap<String, String> = HashMap::new();
        for &tensor in outputs {
            let (_, stored) = self.stored(tensor)?;
            let layout = self.output_layout(tensor, stored.axes().len());
            let value = self.in_layout(tensor, &layout)?;
            let name = self.graph.tensor_name(tensor);
            if value != name {
                // The name of a value that is an input or output itself stays.
                let is_free = !renamed.contains_key(&value) && !wanted.contains(&value);
                if is_free && self.producers.contains_key(&value) {
                    renamed.insert(value, name.clone());
                } else {
                    self.node(&name, "Identity", vec![value], vec![name.clone()], vec![]);
                }
            }
            let dtype = self.dtype(tensor);
            if dtype == DType::Unknown {
                let problem =
                    "its type is not known: neither the node that computes it nor its readers give one";
                return Err(Error::new(name, problem).advice("choose outputs that are computed from it"));
            }
            if onnx_dtype(dtype).is_none() {
                let error = Error::new(name, format!("operators of ONNX do not output tensors of {dtype}"));
                return Err(error.advice("choose outputs that are computed from it"));
            }
            let info = self.tensor_info(name, tensor, &layout);
            self.model.outputs.push(info);
        }
        self.model.rename_values(&renamed);
        self.drop_unread();
        self.finish_nodes()?;
        let read = self.drop_unread();
        self.model.initializers.retain(|initializer| read.contains(&initializer.name));
        Ok(self.model)
    }

    /// Removes nodes that no other node reads, such as a Shape whose only reader was not needed. Returns the names that are read.
    fn drop_unread(&mut self) -> HashSet<String> {
        let mut read: HashSet<String> = self.model.outputs.iter().map(|info| info.name.clone()).collect();
        let nodes = std::mem::take(&mut self.model.nodes);
        self.model.nodes = read_nodes(nodes, &mut read);
        read
    }
}

/// The nodes whose outputs are read, by `read` or by another of them. Adds what they read to `read`.
pub(super) fn read_nodes(nodes: Vec<onnx::Node>, read: &mut HashSet<String>) -> Vec<onnx::Node> {
    let mut kept = vec![];
    for node in nodes.into_iter().rev() {
        if node.outputs.iter().any(|output| read.contains(output)) {
            node.visit_reads(&mut |name| {
                // An optional input that is left out has no name.
                if !name.is_empty() {
                    read.insert(name.to_owned());
                }
            });
            kept.push(node);
        }
    }
    kept.reverse();
    kept
}
