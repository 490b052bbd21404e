//! Constants as initializers of the model, each written once for all its readers.

use super::context::{Lowering, Rows, Value};
use crate::error::{Error, Result};
use crate::graph::{NodeRef, TensorRef};
use crate::onnx::{Attribute, Initializer};
use crate::tensor::{Constant, DType, Quantized};

impl Lowering<'_> {
    /// The name of the initializer for a constant. `variant` distinguishes initializers that are made from one constant.
    /// Different constants with the same name have different initializers.
    ///
    /// A complex constant becomes one of real numbers with a last axis of length 2.
    pub fn initializer(&mut self, name: &str, value: Constant, variant: &[usize]) -> String {
        let value = value.with_parts();
        let variant: Vec<usize> = variant.iter().chain(value.shape()).copied().collect();
        let key = (name.to_owned(), variant);
        if let Some(quantized) =
            value.quantized().filter(|quantized| self.writes_qdq(quantized.axis.is_some()))
        {
            return self.dequantized(name, key, quantized);
        }
        let known = self.initializers.get(&key).into_iter().flatten();
        let mut known = known.filter_map(|&index| self.model.initializers.get(index));
        if let Some(known) = known.find(|known| is_same(&known.value, &value)) {
            return known.name.clone();
        }
        let name = self.unique_name(name);
        self.initializers.entry(key).or_default().push(self.model.initializers.len());
        self.model.initializers.push(Initializer { name: name.clone(), value });
        name
    }

    /// The initializer that all nodes share for a constant of this type and shape that an op needs. Its name says
    /// all that its elements depend on, so that it is made and charged only once.
    ///
    /// # Errors
    /// If the limit of computed constants is exceeded.
    pub fn shared_initializer(
        &mut self,
        node: NodeRef<'_>,
        name: &str,
        (dtype, shape): (DType, &[usize]),
        make: impl FnOnce() -> Constant,
    ) -> Result<String> {
        let key = (format!("{name}_{dtype}"), shape.to_vec());
        if let Some(known) = self.shared_initializers.get(&key) {
            return Ok(known.clone());
        }
        self.charge(node, shape, dtype)?;
        let written = self.initializer(&key.0, make(), &[]);
        self.shared_initializers.insert(key, written.clone());
        Ok(written)
    }

    /// The constant of the initializer of this name.
    pub(super) fn constant_named(&mut self, name: &str) -> Option<&Constant> {
        // No two initializers have the same name.
        let all = &self.model.initializers;
        for (index, initializer) in all.iter().enumerate().skip(self.named_initializers.len()) {
            self.named_initializers.insert(initializer.name.clone(), index);
        }
        self.named_initializers.get(name).and_then(|&index| all.get(index)).map(|found| &found.value)
    }

    /// Charges a constant of this shape that a node's op needs, before it is made.
    ///
    /// # Errors
    /// If the limit of computed constants is exceeded.
    pub fn charge(&self, node: NodeRef<'_>, shape: &[usize], dtype: DType) -> Result<()> {
        let sizes = shape.iter().copied().chain([dtype.size().unwrap_or(1)]);
        let bytes = sizes.fold(1, usize::saturating_mul);
        self.graph.library().budget().charge_constants(node.error("").subject(), bytes)
    }

    /// A quantized constant: its integers are the initializer, and a node computes its numbers.
    fn dequantized(&mut self, name: &str, key: (String, Vec<usize>), quantized: Quantized) -> String {
        if let Some(known) = self.dequantized.get(&key) {
            return known.clone();
        }
        let output = self.unique_name(name);
        let Quantized { integers, scale, zero_point, axis } = quantized;
        let parts = [("quantized", integers), ("scale", scale), ("zero_point", zero_point)];
        let inputs = parts.map(|(part, value)| self.initializer(&format!("{output}/{part}"), value, &[]));
        let axis = axis.map(|axis| ("axis", Attribute::Int(axis as i64)));
        let attributes = axis.into_iter().collect();
        self.node(&output, "DequantizeLinear", inputs.to_vec(), vec![output.clone()], attributes);
        self.dequantized.insert(key, output.clone());
        output
    }

    /// The initializer for a constant tensor of the graph that was made into `value`.
    ///
    /// # Errors
    /// If the tensor is not a constant of the graph.
    pub fn derived_initializer(
        &mut self,
        tensor: TensorRef,
        value: Constant,
        variant: &[usize],
    ) -> Result<String> {
        match self.value(tensor)?.clone() {
            Value::Constant { name, .. } => Ok(self.initializer(&name, value, variant)),
            Value::Computed { name, .. } | Value::Rows(Rows { values: name, .. }) => {
                Err(Error::new(name, "it is not a constant"))
            }
            Value::Optional(_) => Err(self.no_tensor(tensor)),
        }
    }
}

/// Constants with more elements are weights, which their names distinguish.
const MOST_COMPARED: usize = 1 << 10;

/// Whether two constants of the same name and shape are the same one.
fn is_same(a: &Constant, b: &Constant) -> bool {
    let are_equal = || match a.dtype() {
        DType::String => a.strings().ok() == b.strings().ok(),
        _ => a.bytes().ok() == b.bytes().ok(),
    };
    a.dtype() == b.dtype() && (a.len() > MOST_COMPARED || are_equal())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::graph::Moved;
    use crate::lower::Rules;

    use crate::lower::{LowerOptions, Quantization};
    use crate::tensor::Inline;

    #[test]
    fn different_constants_of_one_name_are_different_initializers() {
        let graph = crate::ops::new_graph();
        let options = LowerOptions {
            opset: 17,
            inputs_as_nchw: vec![],
            outputs_as_nchw: vec![],
            keep_going: false,
            custom_ops: vec![],
            fold_batch_norm: false,
            quantization: Quantization::Auto,
        };
        let rules = Rules { lower_node: |_, _| Ok(()), simplify: |graph, _| Ok((graph, Moved::default())) };
        let mut cx = Lowering::new(&graph, &[], &options, rules);
        let mut name = |value: i64| cx.initializer("index", Constant::from_i64(vec![1], &[value]), &[]);
        let (zero, one, again) = (name(0), name(1), name(0));
        assert_eq!((zero == one, zero == again), (false, true));
        let text = |text: &str| {
            let strings = Inline::Strings(vec![text.into()]);
            Constant::new(DType::String, vec![1], Arc::new(strings))
        };
        assert_ne!(cx.initializer("label", text("a"), &[]), cx.initializer("label", text("b"), &[]));
    }
}
