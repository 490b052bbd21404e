//! ONNX's operators: the types of their inputs and outputs, and the types that ONNX Runtime computes them in.
//!
//! `operators.txt` has a line for each form of an operator; `scripts/check_kernels.py` writes it. The forms are those of the operator
//! schemas, <https://github.com/onnx/onnx/blob/main/docs/Changelog.md>.

use std::sync::LazyLock;

use hashbrown::HashMap;

use crate::tensor::DType;

const TABLE: &str = include_str!("operators.txt");

/// The version of ONNX Runtime that was asked for its kernels.
pub const RUNTIME: &str = "ONNX Runtime 1.26";

/// A form of an operator, which it has from one operator set on.
#[derive(Debug)]
pub struct Operator {
    since: i64,
    inputs: Vec<ValueType>,
    outputs: Vec<ValueType>,
    kernels: Vec<(&'static str, Vec<DType>)>,
}

/// The type of an input or output of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// Always this type.
    Fixed(DType),
    /// The type that this parameter stands for.
    Parameter(&'static str),
}

static OPERATORS: LazyLock<HashMap<&str, Vec<Operator>>> = LazyLock::new(|| {
    let mut operators: HashMap<&str, Vec<Operator>> = HashMap::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let (name, operator) = parse(line).expect("each line of the table is the form of an operator");
        operators.entry(name).or_default().push(operator);
    }
    operators
});

/// Reads `Name 13: T int64 -> T; T = float32 int64`. A star is behind an input or output that there may be many of.
fn parse(line: &'static str) -> Option<(&'static str, Operator)> {
    let (head, form) = line.split_once(": ")?;
    let (name, since) = head.split_once(' ')?;
    let mut parts = form.split("; ");
    let (inputs, outputs) = parts.next()?.split_once("->")?;
    let types = |text: &'static str| text.split_whitespace().map(value_type).collect();
    let kernels = parts.map(|part| {
        let (parameter, types) = part.split_once(" =")?;
        Some((parameter, types.split_whitespace().filter_map(DType::from_name).collect()))
    });
    let kernels = kernels.collect::<Option<_>>()?;
    Some((
        name,
        Operator { since: since.parse().ok()?, inputs: types(inputs), outputs: types(outputs), kernels },
    ))
}

fn value_type(text: &'static str) -> ValueType {
    let name = text.trim_end_matches('*');
    DType::from_name(name).map_or(ValueType::Parameter(name), ValueType::Fixed)
}

/// The form of an operator in an operator set. `None` if the set has no such operator, or the program writes none.
pub fn operator(name: &str, opset: i64) -> Option<&'static Operator> {
    OPERATORS.get(name)?.iter().rfind(|operator| operator.since <= opset)
}

/// The first operator set from 11 on that has an operator.
pub fn first_opset(name: &str) -> Option<i64> {
    OPERATORS.get(name)?.first().map(|operator| operator.since)
}

impl Operator {
    /// The type of an input. The last one stands for all others.
    pub fn input(&self, index: usize) -> Option<ValueType> {
        self.inputs.get(index).or(self.inputs.last()).copied()
    }

    /// The type of an output. The last one stands for all others.
    pub fn output(&self, index: usize) -> Option<ValueType> {
        self.outputs.get(index).or(self.outputs.last()).copied()
    }

    /// The types that ONNX Runtime computes it in, for each type parameter of its inputs that may be several types.
    pub fn kernels(&self) -> impl Iterator<Item = (&'static str, &[DType])> {
        self.kernels.iter().map(|(parameter, types)| (*parameter, &types[..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_has_the_form_of_its_operator_set() {
        let sum = |opset| operator("ReduceSum", opset).unwrap();
        assert_eq!((sum(12).inputs.len(), sum(13).inputs.len()), (1, 2));
        assert_eq!(sum(13).input(1), Some(ValueType::Fixed(DType::Int64)));
        assert_eq!(operator("Add", 13).unwrap().output(0), Some(ValueType::Parameter("T")));
        let types =
            |opset| operator("Add", opset).unwrap().kernels().next().unwrap().1.contains(&DType::Int8);
        assert_eq!((types(13), types(14), types(28)), (false, true, true));
        assert!(operator("Einsum", 11).is_none() && operator("NoSuchOperator", 18).is_none());
        assert_eq!((first_opset("Einsum"), first_opset("Add")), (Some(12), Some(11)));
    }

    #[test]
    fn the_table_names_the_runtime() {
        assert!(TABLE.contains(&format!("# {RUNTIME}")));
    }
}
