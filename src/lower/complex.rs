//! Complex numbers. ONNX has no operators for complex tensors: one is two real tensors, the real and the imaginary part.
//!
//! Where they have to be one tensor, as an input or output of the model or of a function, it has one more axis, the last, of length 2.

use super::context::{Lowering, Value};
use super::{Handler, Layout};
use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType};

/// The names of the real and the imaginary part, in TensorFlow's order of axes.
pub type Parts = [String; 2];

impl Lowering<'_> {
    /// Whether a node reads or computes complex numbers.
    pub fn has_complex(&self, node: NodeRef<'_>) -> bool {
        let outputs = (0..node.outputs.len()).map(|port| node.output(port));
        node.inputs.iter().copied().chain(outputs).any(|tensor| self.dtype(tensor).is_complex())
    }

    /// The parts of a complex tensor.
    ///
    /// # Errors
    /// If it has no value.
    pub fn parts(&mut self, node: NodeRef<'_>, tensor: TensorRef) -> Result<Parts> {
        if let Some(parts) = self.complex.get(&tensor) {
            return Ok(parts.clone());
        }
        if let Value::Constant { name, constant } = self.value(tensor)?.clone() {
            let dtype = constant.dtype().part();
            let bytes = constant.bytes()?;
            let size = dtype.size().unwrap_or(4);
            return Ok([0, 1].map(|part| {
                let elements = bytes.chunks_exact(2 * size).flat_map(|pair| &pair[part * size..][..size]);
                let elements: Vec<u8> = elements.copied().collect();
                let what = if part == 0 { "real" } else { "imaginary" };
                let constant = Constant::of_bytes(dtype, constant.shape().to_vec(), elements);
                self.initializer(&format!("{name}/{what}"), constant, &[])
            }));
        }
        let (joined, _) = self.stored(tensor)?;
        let parts = [0, 1].map(|part| {
            let index = self.scalar(node, &format!("part_{part}"), DType::Int64, part.into());
            let axis = vec![("axis", Attribute::Int(-1))];
            self.step(node, "part", "Gather", vec![joined.clone(), index], axis)
        });
        self.complex.insert(tensor, parts.clone());
        Ok(parts)
    }

    /// Records the parts of a complex tensor, and the node that joins them: it is dropped if nothing reads it.
    pub fn set_parts(&mut self, node: NodeRef<'_>, tensor: TensorRef, parts: Parts) {
        let parts = parts.map(|part| self.moved_away(tensor, part));
        let behind = self.vector(node, "behind", &[-1]);
        let columns = parts.clone().map(|part| {
            let inputs = vec![part, behind.clone()];
            self.step(node, "part", "Unsqueeze", inputs, vec![])
        });
        let axis = vec![("axis", Attribute::Int(-1))];
        let name = self.step(node, "complex", "Concat", columns.to_vec(), axis);
        // Its axes are never moved.
        self.set(tensor, Value::Computed { name, layout: Layout::tensorflow(0) });
        self.complex.insert(tensor, parts);
    }

    /// Gives a part another name if it has the name of the tensor itself.
    fn moved_away(&mut self, tensor: TensorRef, part: String) -> String {
        let name = self.graph.tensor_name(tensor);
        if part != name || !self.producers.contains_key(&name) {
            return part;
        }
        let other = self.unique_name(format!("{name}/part"));
        self.rename(&name, &other);
        for transposed in self.transposed.values_mut().filter(|transposed| **transposed == name) {
            transposed.clone_from(&other);
        }
        for known in self.complex.values_mut().flatten().filter(|known| **known == name) {
            known.clone_from(&other);
        }
        self.names.remove(&name);
        other
    }

    /// Writes a node that treats both parts alike: as for real numbers, once for each part.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn by_parts(&mut self, node: NodeRef<'_>, lower: Handler) -> Result<()> {
        let mut inputs: Vec<(TensorRef, Parts)> = vec![];
        for &input in &node.inputs {
            if self.dtype(input).is_complex() && inputs.iter().all(|(known, _)| *known != input) {
                inputs.push((input, self.parts(node, input)?));
            }
        }
        for (output, parts) in self.with_parts(node, &inputs, [lower, lower])? {
            self.set_parts(node, output, parts);
        }
        Ok(())
    }

    /// Writes a node twice for real numbers, each time with one of two parts of its complex inputs. Returns the results that stand for
    /// its complex outputs.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn with_parts(
        &mut self,
        node: NodeRef<'_>,
        inputs: &[(TensorRef, Parts)],
        handlers: [Handler; 2],
    ) -> Result<Vec<(TensorRef, Parts)>> {
        let outputs: Vec<TensorRef> = (0..node.outputs.len()).map(|port| node.output(port)).collect();
        let complex: Vec<bool> = outputs.iter().map(|&output| self.dtype(output).is_complex()).collect();
        let saved: Vec<Option<Value>> = inputs.iter().map(|(input, _)| self.known(*input).cloned()).collect();
        let mut results = vec![vec![]; outputs.len()];
        // What is no complex number, such as a shape, is the same for both parts.
        let times = if complex.contains(&true) { 2 } else { 1 };
        for (part, lower) in handlers.into_iter().enumerate().take(times) {
            for (input, parts) in inputs {
                let layout = Layout::tensorflow_of(self.shape(*input));
                self.set(*input, Value::Computed { name: parts[part].clone(), layout });
            }
            self.is_part = true;
            let written = lower(self, node);
            self.is_part = false;
            written?;
            for ((&output, results), _) in
                outputs.iter().zip(&mut results).zip(&complex).filter(|(_, is)| **is)
            {
                if self.known(output).is_some() {
                    let name = self.in_tensorflow_layout(output)?;
                    results.push(self.moved_away(output, name));
                }
            }
        }
        for ((input, _), value) in inputs.iter().zip(saved) {
            self.values.set(*input, value);
        }
        let parts = outputs.into_iter().zip(results);
        Ok(parts.filter_map(|(output, results)| Some((output, Parts::try_from(results).ok()?))).collect())
    }
}
