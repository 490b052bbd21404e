//! What handlers share: the values computed so far, and the model they write to.

use std::collections::{HashMap, HashSet};

use super::Layout;
use super::flatten::Flattened;
use crate::error::{Error, Result};
use crate::graph::{DataFormat, Graph, Node, NodeId, Shape, TensorRef};
use crate::onnx::{self, Attribute, Dim, Initializer, Model, TensorInfo, onnx_dtype};
use crate::tensor::{Constant, DType};

/// What is to be said about the ONNX model.
#[derive(Debug, Clone)]
pub struct LowerOptions {
    /// The operator set to write.
    pub opset: i64,
    /// Inputs that are declared with their channels second.
    pub inputs_as_nchw: Vec<TensorRef>,
    /// Outputs that are delivered with their channels second.
    pub outputs_as_nchw: Vec<TensorRef>,
}

/// What stands for a tensor of the graph.
#[derive(Debug, Clone)]
pub enum Value {
    /// A value that the model computes, or an input.
    Computed { name: String, layout: Layout },
    /// A tensor that is known; it becomes an initializer when somebody asks for it.
    Constant { name: String, constant: Constant },
}

/// A graph being lowered.
pub struct Lowering<'a> {
    graph: &'a Graph,
    options: &'a LowerOptions,
    outputs: &'a [TensorRef],
    is_output: HashSet<TensorRef>,
    uses: HashMap<TensorRef, usize>,
    values: HashMap<TensorRef, Value>,
    /// What was made of a value in another layout, by the value's name.
    transposed: HashMap<(String, Layout), String>,
    /// Initializers made of a constant, by its name, order of axes and shape.
    initializers: HashMap<(String, Vec<usize>), String>,
    names: HashSet<String>,
    /// Which node of the model computes a value.
    producers: HashMap<String, usize>,
    /// Images that were flattened in another order than TensorFlow's, for matrix products alone.
    pub flattened: HashMap<TensorRef, Flattened>,
    model: Model,
}

impl<'a> Lowering<'a> {
    pub fn new(graph: &'a Graph, outputs: &'a [TensorRef], options: &'a LowerOptions) -> Self {
        let mut uses: HashMap<TensorRef, usize> = HashMap::new();
        let inputs = graph.nodes().flat_map(|(_, node)| node.inputs.iter().copied());
        for tensor in inputs.chain(outputs.iter().copied()) {
            *uses.entry(tensor).or_insert(0) += 1;
        }
        Self {
            graph,
            options,
            outputs,
            is_output: outputs.iter().copied().collect(),
            uses,
            values: HashMap::new(),
            transposed: HashMap::new(),
            initializers: HashMap::new(),
            names: HashSet::new(),
            producers: HashMap::new(),
            flattened: HashMap::new(),
            model: Model { opset: options.opset, ..Model::default() },
        }
    }

    pub fn opset(&self) -> i64 {
        self.options.opset
    }

    pub fn shape(&self, tensor: TensorRef) -> &'a Shape {
        self.graph.shape(tensor)
    }

    pub fn dtype(&self, tensor: TensorRef) -> DType {
        self.graph.tensor_type(tensor).dtype
    }

    /// The rank of a tensor.
    ///
    /// # Errors
    /// Where it is not known before the model runs.
    pub fn rank(&self, node: &Node, tensor: TensorRef) -> Result<usize> {
        self.shape(tensor).rank().ok_or_else(|| {
            let name = self.graph.tensor_name(tensor);
            node.error(format!("the rank of its input {name} is not known")).advice("give it with --shape")
        })
    }

    /// The value of a tensor that is known before the model runs.
    pub fn constant(&self, tensor: TensorRef) -> Option<&Constant> {
        match self.values.get(&tensor) {
            Some(Value::Constant { constant, .. }) => Some(constant),
            _ => None,
        }
    }

    /// The node that computes a tensor.
    pub fn producer(&self, tensor: TensorRef) -> &'a Node {
        self.graph.node(tensor.node)
    }

    /// The nodes that read a tensor.
    pub fn readers(&self, tensor: TensorRef) -> impl Iterator<Item = &'a Node> {
        self.graph.nodes().map(|(_, node)| node).filter(move |node| node.inputs.contains(&tensor))
    }

    /// Whether the model delivers a tensor.
    pub fn is_output(&self, tensor: TensorRef) -> bool {
        self.is_output.contains(&tensor)
    }

    fn value(&self, tensor: TensorRef) -> Result<&Value> {
        self.values.get(&tensor).ok_or_else(|| {
            Error::new(self.graph.tensor_name(tensor), "nothing computes this output of its op in inference")
        })
    }

    /// The name of what stands for a tensor, in the layout it is stored in.
    pub fn stored(&mut self, tensor: TensorRef) -> Result<(String, Layout)> {
        match self.value(tensor)?.clone() {
            Value::Computed { name, layout } => Ok((name, layout)),
            Value::Constant { constant, .. } => {
                let layout = Layout::tensorflow(constant.shape().len());
                Ok((self.in_layout(tensor, &layout)?, layout))
            }
        }
    }

    /// The layout a tensor is stored in; `None` for a constant, which has any.
    pub fn layout(&self, tensor: TensorRef) -> Option<&Layout> {
        match self.values.get(&tensor) {
            Some(Value::Computed { layout, .. }) => Some(layout),
            _ => None,
        }
    }

    /// The name of what stands for a tensor in TensorFlow's order of axes.
    pub fn in_tensorflow_layout(&mut self, tensor: TensorRef) -> Result<String> {
        let rank = match self.value(tensor)? {
            Value::Computed { layout, .. } => layout.axes().len(),
            Value::Constant { constant, .. } => constant.shape().len(),
        };
        self.in_layout(tensor, &Layout::tensorflow(rank))
    }

    /// The name of what stands for a tensor in this layout; transposes it where nobody has yet.
    pub fn in_layout(&mut self, tensor: TensorRef, target: &Layout) -> Result<String> {
        let (name, layout) = match self.value(tensor)?.clone() {
            Value::Constant { name, constant } => {
                return Ok(self.initializer(&name, constant.permuted(target.axes()), target.axes()));
            }
            Value::Computed { name, layout } => (name, layout),
        };
        if layout == *target {
            return Ok(name);
        }
        let key = (name.clone(), target.clone());
        if let Some(transposed) = self.transposed.get(&key) {
            return Ok(transposed.clone());
        }
        let full = self.graph.tensor_name(tensor);
        let output = if target.is_tensorflow() && !self.names.contains(&full) {
            self.names.insert(full.clone());
            full
        } else {
            self.unique_name(&format!("{full}/{}", if target.is_tensorflow() { "nhwc" } else { "nchw" }))
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
        let dim = |&axis: &usize| dims[axis].map_or(-1, |length| length as i64);
        is_enough.then(|| target.axes().iter().map(dim).collect())
    }

    /// The name of the initializer for a constant. `variant` tells apart what is made of one constant.
    pub fn initializer(&mut self, name: &str, value: Constant, variant: &[usize]) -> String {
        let variant: Vec<usize> = variant.iter().chain(value.shape()).copied().collect();
        let key = (name.to_owned(), variant);
        if let Some(initializer) = self.initializers.get(&key) {
            return initializer.clone();
        }
        let name = self.unique_name(name);
        self.initializers.insert(key, name.clone());
        self.model.initializers.push(Initializer { name: name.clone(), value });
        name
    }

    /// The initializer for a constant tensor of the graph that was made into `value`.
    ///
    /// # Errors
    /// Where the tensor is none of the graph's constants.
    pub fn derived_initializer(
        &mut self,
        tensor: TensorRef,
        value: Constant,
        variant: &[usize],
    ) -> Result<String> {
        match self.value(tensor)?.clone() {
            Value::Constant { name, .. } => Ok(self.initializer(&name, value, variant)),
            Value::Computed { name, .. } => Err(Error::new(name, "it is not a constant")),
        }
    }

    /// Adds a node to the model.
    pub fn node(
        &mut self,
        name: &str,
        op: &'static str,
        inputs: Vec<String>,
        outputs: Vec<String>,
        attributes: Vec<(&'static str, Attribute)>,
    ) {
        for output in &outputs {
            self.producers.insert(output.clone(), self.model.nodes.len());
        }
        self.model.nodes.push(onnx::Node { name: name.to_owned(), op, inputs, outputs, attributes });
    }

    /// Adds the node that computes the first output of a TensorFlow node, stored in `layout`.
    pub fn emit(
        &mut self,
        (id, node): (NodeId, &Node),
        op: &'static str,
        inputs: Vec<String>,
        layout: Layout,
        attributes: Vec<(&'static str, Attribute)>,
    ) {
        let name = self.output_name(id.into(), &layout);
        self.node(&node.name, op, inputs, vec![name.clone()], attributes);
        self.set(id.into(), Value::Computed { name, layout });
    }

    /// The name for a tensor stored in `layout`: TensorFlow's, unless that one has to be kept for an output in
    /// another layout.
    fn output_name(&mut self, tensor: TensorRef, layout: &Layout) -> String {
        let name = self.graph.tensor_name(tensor);
        if self.is_output.contains(&tensor) && *layout != self.output_layout(tensor, layout.axes().len()) {
            return self.unique_name(&format!("{name}/nchw"));
        }
        self.unique_name(&name)
    }

    fn output_layout(&self, tensor: TensorRef, rank: usize) -> Layout {
        if self.options.outputs_as_nchw.contains(&tensor) {
            Layout::channels_first(rank)
        } else {
            Layout::tensorflow(rank)
        }
    }

    /// A name that nothing in the model has yet.
    pub fn unique_name(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        let mut number = 1;
        while !self.names.insert(unique.clone()) {
            unique = format!("{name}/{number}");
            number += 1;
        }
        unique
    }

    /// Records what stands for a tensor.
    pub fn set(&mut self, tensor: TensorRef, value: Value) {
        self.values.insert(tensor, value);
    }

    /// Records that a tensor is the same as another one.
    ///
    /// # Errors
    /// Where nothing stands for that one.
    pub fn alias(&mut self, tensor: TensorRef, same_as: TensorRef) -> Result<()> {
        let value = self.value(same_as)?.clone();
        self.values.insert(tensor, value);
        Ok(())
    }

    /// Records a constant under TensorFlow's name.
    pub fn set_constant(&mut self, tensor: TensorRef, constant: Constant) {
        let name = self.graph.tensor_name(tensor);
        self.set(tensor, Value::Constant { name, constant });
    }

    /// Declares an input of the model.
    pub fn input(&mut self, tensor: TensorRef) {
        let name = self.unique_name(&self.graph.tensor_name(tensor));
        let rank = self.shape(tensor).rank().unwrap_or(0);
        let layout = if self.options.inputs_as_nchw.contains(&tensor) {
            Layout::channels_first(rank)
        } else {
            Layout::tensorflow(rank)
        };
        let info = self.tensor_info(name.clone(), tensor, &layout);
        self.model.inputs.push(info);
        self.set(tensor, Value::Computed { name, layout });
    }

    fn tensor_info(&self, name: String, tensor: TensorRef, layout: &Layout) -> TensorInfo {
        let dims = self.shape(tensor).dims().map(|dims| {
            let named = dims.iter().enumerate().map(|(axis, dim)| match dim {
                Some(length) => Dim::Known(*length),
                // What is open in front is the batch, the same for all inputs and outputs.
                None if axis == 0 => Dim::Named("batch".to_owned()),
                None => Dim::Unknown,
            });
            layout.stored(&named.collect::<Vec<Dim>>())
        });
        TensorInfo { name, dtype: self.dtype(tensor), shape: dims }
    }

    /// The node of the model that computes a tensor, where nothing else reads that tensor: it may be changed
    /// to compute more.
    pub fn sole_producer(&mut self, tensor: TensorRef) -> Option<&mut onnx::Node> {
        if self.uses.get(&tensor) != Some(&1) || self.is_output.contains(&tensor) {
            return None;
        }
        let Some(Value::Computed { name, .. }) = self.values.get(&tensor) else { return None };
        // An alias has the name of a tensor that others may read.
        if *name != self.graph.tensor_name(tensor) {
            return None;
        }
        self.producers.get(name).map(|&index| &mut self.model.nodes[index])
    }

    /// Lets the node that computes `from` compute `to` instead.
    ///
    /// # Errors
    /// Where nothing stands for `from`.
    pub fn rename_output(&mut self, from: TensorRef, to: TensorRef) -> Result<()> {
        let Value::Computed { name, layout } = self.value(from)?.clone() else { return self.alias(to, from) };
        let new_name = self.output_name(to, &layout);
        self.rename(&name, &new_name);
        self.set(to, Value::Computed { name: new_name, layout });
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) {
        let Some(index) = self.producers.remove(from) else { return };
        self.producers.insert(to.to_owned(), index);
        for output in &mut self.model.nodes[index].outputs {
            if output == from {
                to.clone_into(output);
            }
        }
        for input in self.model.nodes[index + 1..].iter_mut().flat_map(|node| &mut node.inputs) {
            if input == from {
                to.clone_into(input);
            }
        }
    }

    /// The layout in which a window op reads a tensor of this rank: its channels second.
    pub fn window_layout(format: DataFormat, rank: usize) -> Layout {
        match format {
            DataFormat::ChannelsLast => Layout::channels_first(rank),
            DataFormat::ChannelsFirst => Layout::tensorflow(rank),
        }
    }

    /// Declares the outputs and hands out the model.
    pub fn finish(mut self) -> Result<Model> {
        let outputs = self.outputs;
        for &tensor in outputs {
            let (_, stored) = self.stored(tensor)?;
            let layout = self.output_layout(tensor, stored.axes().len());
            let value = self.in_layout(tensor, &layout)?;
            let name = self.graph.tensor_name(tensor);
            if value != name {
                self.deliver(&value, &name);
            }
            if onnx_dtype(self.dtype(tensor)).is_none() {
                return Err(Error::new(name, format!("ONNX has no tensors of {}", self.dtype(tensor))));
            }
            let info = self.tensor_info(name, tensor, &layout);
            self.model.outputs.push(info);
        }
        self.drop_unread();
        Ok(self.model)
    }

    /// Drops what nobody reads: a Shape, say, whose only reader turned out to change nothing.
    fn drop_unread(&mut self) {
        let mut read: HashSet<String> = self.model.outputs.iter().map(|info| info.name.clone()).collect();
        let mut nodes = vec![];
        for node in std::mem::take(&mut self.model.nodes).into_iter().rev() {
            if node.outputs.iter().any(|output| read.contains(output)) {
                read.extend(node.inputs.iter().cloned());
                nodes.push(node);
            }
        }
        nodes.reverse();
        self.model.nodes = nodes;
        self.model.initializers.retain(|initializer| read.contains(&initializer.name));
    }

    /// Gives a value the name of an output: by renaming it, unless it is known under its name outside.
    fn deliver(&mut self, value: &str, name: &str) {
        let is_outside = |infos: &[TensorInfo]| infos.iter().any(|info| info.name == value);
        let is_wanted = self.outputs.iter().any(|&tensor| self.graph.tensor_name(tensor) == value);
        if self.producers.contains_key(value) && !is_outside(&self.model.outputs) && !is_wanted {
            self.rename(value, name);
        } else {
            let inputs = vec![value.to_owned()];
            self.node(name, "Identity", inputs, vec![name.to_owned()], vec![]);
        }
    }
}
