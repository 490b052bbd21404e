//! What functions of two numbers compute, which ops of XLA combine elements with.

use crate::error::Result;
use crate::graph::{NodeRef, Shape, TensorType};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Value};
use crate::lower::function::CallArgument;
use crate::tensor::DType;

/// What a function makes of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combination {
    Second,
    Add,
    Multiply,
    Max,
    Min,
    And,
    Or,
}

/// The op that computes the result of a function of numbers of these types, with the indices of the arguments that it reads. The op is ""
/// where the result is an argument; `None` for everything else.
pub fn single_op(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    attribute: &str,
    dtypes: &[DType],
) -> Result<Option<(String, Vec<usize>)>> {
    let argument = |&dtype: &DType| CallArgument {
        value: Value::Computed { name: String::new(), layout: Layout::tensorflow(0) },
        known: TensorType::new(dtype, Shape::scalar()),
    };
    let arguments: Vec<CallArgument> = dtypes.iter().map(argument).collect();
    let built = cx.build_function(node, attribute, node.function(attribute)?, &arguments)?;
    let &[result] = &built.results[..] else { return Ok(None) };
    if let Some(argument) = built.argument(result) {
        return Ok(Some((String::new(), vec![argument])));
    }
    let origin = built.graph().node(built.graph().origin(result).node);
    let read: Option<Vec<usize>> = origin.inputs.iter().map(|&input| built.argument(input)).collect();
    Ok(read.map(|read| (origin.op.clone(), read)))
}

/// What a node's function makes of two numbers of a type.
///
/// # Errors
/// If it is nothing that ONNX combines elements by.
pub fn combination(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    attribute: &str,
    dtype: DType,
) -> Result<Combination> {
    let found = single_op(cx, node, attribute, &[dtype, dtype])?;
    let combination = found.and_then(|(op, mut read)| {
        read.sort_unstable();
        Some(match (op.as_str(), &read[..]) {
            ("", [1]) => Combination::Second,
            ("Add" | "AddV2", [0, 1]) => Combination::Add,
            ("Mul", [0, 1]) => Combination::Multiply,
            ("Maximum", [0, 1]) => Combination::Max,
            ("Minimum", [0, 1]) => Combination::Min,
            ("LogicalAnd", [0, 1]) => Combination::And,
            ("LogicalOr", [0, 1]) => Combination::Or,
            _ => return None,
        })
    });
    combination.ok_or_else(|| {
        node.error(format!("its function `{attribute}` is none of those that ONNX combines elements by"))
            .unsupported()
            .advice("sum, multiply, or choose the largest or the smallest of elements")
    })
}
