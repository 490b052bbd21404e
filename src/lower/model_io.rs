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
        let name = self.unique_name(self.graph.tensor_name(tensor));
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
        if let Some(Value::Computed { name, layout }) = self.known(tensor) {
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
        if !renamed.is_empty() {
            self.model.rename_values(&renamed);
        }
        // From here on, only the nodes count.
        (self.values, self.uses) = Default::default();
        (self.producers, self.transposed) = Default::default();
        self.drop_unread();
        self.finish_nodes()?;
        let are_read = self.drop_unread();
        retain(&mut self.model.initializers, are_read);
        self.charge_repeated()?;
        Ok(self.model)
    }

    /// Charges constants of which the graph only has a few elements, and the model all of them.
    fn charge_repeated(&self) -> Result<()> {
        let repeated = self.model.initializers.iter().filter(|initializer| initializer.value.is_repeated());
        let budget = self.graph.library().budget();
        for Initializer { name, value } in repeated {
            let bytes = value.byte_len().unwrap_or(usize::MAX);
            budget.charge_constants(format_args!("constant \"{name}\""), bytes)?;
        }
        Ok(())
    }

    /// Removes nodes that no other node reads, such as a Shape whose only reader was not needed. Returns which initializers are read.
    fn drop_unread(&mut self) -> Vec<bool> {
        let Model { nodes, outputs, initializers, .. } = &mut self.model;
        let mut read: HashSet<&str> = outputs.iter().map(|info| info.name.as_str()).collect();
        let are_read = read_nodes(nodes, &mut read);
        let is_read = |initializer: &Initializer| read.contains(initializer.name.as_str());
        let initializers = initializers.iter().map(is_read).collect();
        drop(read);
        retain(nodes, are_read);
        initializers
    }
}

/// Which nodes have outputs that are read, by `read` or by another of these nodes. Adds what they read to `read`.
pub(super) fn read_nodes<'n>(nodes: &'n [onnx::Node], read: &mut HashSet<&'n str>) -> Vec<bool> {
    let mut are_read = vec![false; nodes.len()];
    for (node, is_read) in nodes.iter().zip(&mut are_read).rev() {
        *is_read = node.outputs.iter().any(|output| read.contains(output.as_str()));
        if *is_read {
            // An optional input that is left out has no name.
            node.visit_reads(&mut |name| {
                if !name.is_empty() {
                    read.insert(name);
                }
            });
        }
    }
    are_read
}

/// Keeps the elements that are marked.
pub(super) fn retain<T>(all: &mut Vec<T>, marks: Vec<bool>) {
    let mut marks = marks.into_iter();
    all.retain(|_| marks.next() == Some(true));
}
