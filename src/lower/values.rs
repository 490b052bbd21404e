//! The values of tensors in the model: their names, and the layouts in which they are stored.

use super::Layout;
use super::context::{Lowering, Rows, Value};
use crate::error::{Error, Result};
use crate::graph::{DataFormat, NodeRef, TensorRef};
use crate::onnx::{self, Attribute};
use crate::tensor::{Constant, DType};

impl Lowering<'_> {
    /// The value of a tensor, if it has one yet.
    pub(super) fn known(&self, tensor: TensorRef) -> Option<&Value> {
        self.values.get(tensor)?.as_ref()
    }

    pub(super) fn value(&self, tensor: TensorRef) -> Result<&Value> {
        self.known(tensor).ok_or_else(|| {
            Error::new(self.graph.tensor_name(tensor), "nothing computes this output of its op in inference")
        })
    }

    /// The name of a tensor's value, and the layout in which it is stored.
    pub fn stored(&mut self, tensor: TensorRef) -> Result<(String, Layout)> {
        match self.value(tensor)?.clone() {
            Value::Computed { name, layout } => Ok((name, layout)),
            Value::Constant { constant, .. } => {
                let layout = Layout::tensorflow(constant.shape().len());
                Ok((self.in_layout(tensor, &layout)?, layout))
            }
            Value::Rows(_) | Value::Optional(_) => Err(self.no_tensor(tensor)),
        }
    }

    /// The rows of a list of tensors of different lengths; `None` for all other values.
    pub fn rows(&self, tensor: TensorRef) -> Option<&Rows> {
        match self.known(tensor) {
            Some(Value::Rows(rows)) => Some(rows),
            _ => None,
        }
    }

    /// The values that an optional may hold; `None` for all other values.
    pub fn optional(&self, tensor: TensorRef) -> Option<&[(String, DType)]> {
        match self.known(tensor) {
            Some(Value::Optional(values)) => Some(values),
            _ => None,
        }
    }

    pub(super) fn no_tensor(&self, tensor: TensorRef) -> Error {
        let is_optional = self.optional(tensor).is_some();
        let what = if is_optional { "an optional" } else { "a list of tensors of different lengths" };
        let node = self.graph.node(tensor.node);
        node.error(format!("it is {what}, which is no tensor in ONNX"))
            .advice("choose an output that is computed from it")
    }

    /// The layout in which a tensor is stored; `None` for a constant, which can have any layout.
    pub fn layout(&self, tensor: TensorRef) -> Option<&Layout> {
        match self.known(tensor) {
            Some(Value::Computed { layout, .. }) => Some(layout),
            _ => None,
        }
    }

    /// The name of a tensor's value in TensorFlow's order of axes.
    pub fn in_tensorflow_layout(&mut self, tensor: TensorRef) -> Result<String> {
        let rank = match self.value(tensor)? {
            Value::Computed { layout, .. } => layout.axes().len(),
            Value::Constant { constant, .. } => constant.shape().len(),
            Value::Rows(_) | Value::Optional(_) => return Err(self.no_tensor(tensor)),
        };
        self.in_layout(tensor, &Layout::tensorflow(rank))
    }

    /// The name of a tensor's value in this layout. Adds a Transpose if the value does not have the layout yet.
    pub fn in_layout(&mut self, tensor: TensorRef, target: &Layout) -> Result<String> {
        let (name, layout) = match self.value(tensor)?.clone() {
            Value::Constant { mut name, constant } => {
                if constant.shape().len() != target.axes().len() {
                    let node = self.graph.node(tensor.node);
                    let (rank, needed) = (constant.shape().len(), target.axes().len());
                    return Err(node.error(format!("it has {rank} axes where {needed} are needed")));
                }
                // The name of an output is kept for the output itself.
                if self.is_output.contains(&tensor)
                    && *target != self.output_layout(tensor, target.axes().len())
                {
                    name.push_str("/moved");
                }
                return Ok(self.initializer(&name, constant.permuted(target.axes())?, target.axes()));
            }
            Value::Computed { name, layout } => (name, layout),
            Value::Rows(_) | Value::Optional(_) => return Err(self.no_tensor(tensor)),
        };
        // A tensor of unknown rank is stored in TensorFlow's order. If an op takes tensors of one rank alone, it has that rank.
        let layout = match self.shape(tensor).rank() {
            None => Layout::tensorflow(target.axes().len()),
            Some(_) => layout,
        };
        if layout == *target {
            return Ok(name);
        }
        if layout.axes().len() != target.axes().len() {
            let node = self.graph.node(tensor.node);
            return Err(match self.shape(tensor).rank() {
                None => {
                    let full = self.graph.tensor_name(tensor);
                    node.error(format!("the rank of {full} is not known")).advice(self.shape_advice(tensor))
                }
                Some(rank) => {
                    node.error(format!("it has {rank} axes where {} are needed", target.axes().len()))
                }
            });
        }
        let key = (name.clone(), layout.permutation_to(target));
        if let Some(transposed) = self.transposed.get(&key) {
            return Ok(transposed.clone());
        }
        let full = self.graph.tensor_name(tensor);
        let output = if target.is_tensorflow() && !self.names.contains(&full) {
            self.names.insert(full.clone());
            full
        } else {
            self.unique_name(format!("{full}/{}", if target.is_tensorflow() { "nhwc" } else { "nchw" }))
        };
        let node = format!("{}/transpose", self.graph.node(tensor.node).name);
        match self.reshape_target(tensor, &layout, target) {
            Some(dims) => {
                let dims = Constant::from_i64(vec![dims.len()], &dims);
                let shape = self.initializer(&format!("{output}/shape"), dims, &[]);
                self.node(&node, "Reshape", vec![name, shape], vec![output.clone()], vec![]);
            }
            None => {
                let perm = layout.permutation_to(target).into_iter().map(|axis| axis as i64).collect();
                let attributes = vec![("perm", Attribute::Ints(perm))];
                self.node(&node, "Transpose", vec![name], vec![output.clone()], attributes);
            }
        }
        self.transposed.insert(key, output.clone());
        Ok(output)
    }

    /// The shape of a tensor in the layout `target`, where a Reshape is enough to get there: no element moves, and
    /// at most one length is open.
    fn reshape_target(&self, tensor: TensorRef, layout: &Layout, target: &Layout) -> Option<Vec<i64>> {
        let shape = self.shape(tensor);
        let dims = shape.dims()?;
        let is_enough = layout.has_element_order_of(target, shape)
            && dims.iter().filter(|dim| dim.is_none()).count() <= 1
            && !dims.contains(&Some(0));
        let dim = |&axis: &usize| shape.dim(axis).map_or(-1, |length| length as i64);
        is_enough.then(|| target.axes().iter().map(dim).collect())
    }

    /// The name for a tensor stored in `layout`: TensorFlow's name, unless an output in another layout needs it.
    pub fn output_name(&mut self, tensor: TensorRef, layout: &Layout) -> String {
        let name = self.graph.tensor_name(tensor);
        if self.is_output.contains(&tensor) && *layout != self.output_layout(tensor, layout.axes().len()) {
            return self.unique_name(format!("{name}/nchw"));
        }
        self.unique_name(name)
    }

    pub(super) fn output_layout(&self, tensor: TensorRef, rank: usize) -> Layout {
        if self.options.outputs_as_nchw.contains(&tensor) {
            Layout::channels_first(rank)
        } else {
            Layout::tensorflow(rank)
        }
    }

    /// A name like this one that is not used in the model.
    pub fn unique_name(&mut self, name: impl Into<String>) -> String {
        self.names.unique(name)
    }

    /// Records the value of a tensor. Where its rank is known, a layout that moves no axis has this rank.
    pub fn set(&mut self, tensor: TensorRef, mut value: Value) {
        if let (Value::Computed { layout, .. }, Some(rank)) = (&mut value, self.shape(tensor).rank())
            && !self.dtype(tensor).is_complex()
            && let Some(of_rank) = layout.with_rank(rank)
        {
            *layout = of_rank;
        }
        self.values.set(tensor, Some(value));
    }

    /// Records that a tensor is the same as another one.
    ///
    /// # Errors
    /// If that one has no value.
    pub fn alias(&mut self, tensor: TensorRef, same_as: TensorRef) -> Result<()> {
        let value = self.value(same_as)?.clone();
        self.set(tensor, value);
        if let Some(flattened) = self.flattened.get(&same_as).cloned() {
            self.flattened.insert(tensor, flattened);
        }
        Ok(())
    }

    /// Records that a tensor has the elements of another one, as they are stored; its axes are in `layout`.
    ///
    /// # Errors
    /// If that one has no value.
    pub fn alias_in_layout(&mut self, tensor: TensorRef, same_as: TensorRef, layout: Layout) -> Result<()> {
        let (name, _) = self.stored(same_as)?;
        self.set(tensor, Value::Computed { name, layout });
        Ok(())
    }

    /// Records a constant under TensorFlow's name.
    pub fn set_constant(&mut self, tensor: TensorRef, constant: Constant) {
        let name = self.graph.tensor_name(tensor);
        self.set(tensor, Value::Constant { name, constant });
    }

    /// If the input is a constant, records it in the shape of the node's output, under the name of the constant, and returns
    /// true. Keras adds an axis to weights in this way.
    pub fn reshape_constant(&mut self, node: NodeRef<'_>, input: TensorRef) -> bool {
        let Some(Value::Constant { name, constant }) = self.known(input) else { return false };
        let dims = self.shape(node.into()).fully_known();
        let Some(constant) = dims.and_then(|dims| constant.reshaped(&dims).ok()) else { return false };
        let reshaped = Value::Constant { name: name.clone(), constant };
        self.set(node.into(), reshaped);
        true
    }

    /// Where a tensor comes from before it was cast: a runtime moves casts.
    pub fn before_casts(&self, tensor: TensorRef) -> TensorRef {
        let mut before = tensor;
        while self.producer(before).op == "Cast"
            && let Some(&input) = self.producer(before).inputs.first()
        {
            before = self.origin(input);
        }
        before
    }

    /// The node of the model that computes a tensor, if no other node reads the tensor: then it may be changed to
    /// compute more.
    pub fn sole_producer(&mut self, tensor: TensorRef) -> Option<&mut onnx::Node> {
        if self.uses.get(tensor) != Some(&1) || self.is_output.contains(&tensor) {
            return None;
        }
        let Some(Value::Computed { name, .. }) = self.known(tensor) else { return None };
        // An alias has the name of a tensor that others may read.
        if *name != self.graph.tensor_name(tensor) {
            return None;
        }
        self.producers.get(name).map(|&index| &mut self.model.nodes[index])
    }

    /// Makes the [sole producer](Self::sole_producer) of `from` compute `to` instead. The node that is being lowered is the only one that
    /// reads `from`, so no other node has to be renamed.
    ///
    /// # Errors
    /// If `from` has no value.
    pub fn rename_output(&mut self, from: TensorRef, to: TensorRef) -> Result<()> {
        let Value::Computed { name, layout } = self.value(from)?.clone() else { return self.alias(to, from) };
        let new_name = self.output_name(to, &layout);
        self.rename_producer(&name, &new_name);
        self.set(to, Value::Computed { name: new_name, layout });
        Ok(())
    }

    /// Gives an output of a node another name, and returns the index of the node.
    fn rename_producer(&mut self, from: &str, to: &str) -> Option<usize> {
        let index = self.producers.remove(from)?;
        self.producers.insert(to.to_owned(), index);
        for output in self.model.nodes[index].outputs.iter_mut().filter(|output| *output == from) {
            to.clone_into(output);
        }
        Some(index)
    }

    /// Gives a value another name, everywhere.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let Some(index) = self.rename_producer(from, to) else { return };
        for node in &mut self.model.nodes[index + 1..] {
            node.rename_reads(from, to);
        }
        if let Some(cast) = self.as_int64.remove(from) {
            self.as_int64.insert(to.to_owned(), cast);
        }
        for cast in self.as_int64.values_mut().filter(|cast| *cast == from) {
            to.clone_into(cast);
        }
        // Several tensors may have the same value.
        for value in self.values.values_mut().flatten() {
            let names = match value {
                Value::Computed { name, .. } => vec![name],
                Value::Constant { .. } => vec![],
                Value::Rows(Rows { values, splits }) => vec![values, splits],
                Value::Optional(values) => values.iter_mut().map(|(name, _)| name).collect(),
            };
            names.into_iter().filter(|name| *name == from).for_each(|name| to.clone_into(name));
        }
    }

    /// The layout in which a window op reads a tensor of this rank: its channels second.
    pub fn window_layout(format: DataFormat, rank: usize) -> Layout {
        match format {
            DataFormat::ChannelsLast => Layout::channels_first(rank),
            DataFormat::ChannelsFirst => Layout::tensorflow(rank),
        }
    }
}
