//! What functions of two numbers compute, which ops of XLA combine elements with.

use crate::error::Result;
use crate::graph::{NodeRef, Shape, TensorRef, TensorType};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Value};
use crate::lower::function::{BuiltFunction, CallArgument};
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

/// How deep the results of a function are written as text.
const DEPTH: usize = 6;

/// The results of a function of numbers of these types as text: `Less($0,$1)` compares its arguments. What is deeper than most is `?`.
///
/// # Errors
/// If there is no such function.
pub fn expressions(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    attribute: &str,
    dtypes: &[DType],
) -> Result<Vec<String>> {
    let built = of_numbers(cx, node, attribute, dtypes)?;
    Ok(built.results.iter().map(|&result| expression(&built, result, DEPTH)).collect())
}

fn expression(built: &BuiltFunction, tensor: TensorRef, depth: usize) -> String {
    if let Some(argument) = built.argument(tensor) {
        return format!("${argument}");
    }
    let origin = built.graph().node(built.graph().origin(tensor).node);
    if depth == 0 {
        return "?".to_owned();
    }
    let inputs: Vec<String> =
        origin.inputs.iter().map(|&input| expression(built, input, depth - 1)).collect();
    format!("{}({})", origin.op, inputs.join(","))
}

/// A function of numbers of these types.
fn of_numbers(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    attribute: &str,
    dtypes: &[DType],
) -> Result<BuiltFunction> {
    let argument = |&dtype: &DType| CallArgument {
        value: Value::Computed { name: String::new(), layout: Layout::tensorflow(0) },
        known: TensorType::new(dtype, Shape::scalar()),
    };
    let arguments: Vec<CallArgument> = dtypes.iter().map(argument).collect();
    cx.build_function(node, attribute, node.function(attribute)?, &arguments)
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
    let found = expressions(cx, node, attribute, &[dtype, dtype])?;
    let combination = match &found[..] {
        [result] => match result.as_str() {
            "$1" => Some(Combination::Second),
            "Add($0,$1)" | "Add($1,$0)" | "AddV2($0,$1)" | "AddV2($1,$0)" => Some(Combination::Add),
            "Mul($0,$1)" | "Mul($1,$0)" => Some(Combination::Multiply),
            "Maximum($0,$1)" | "Maximum($1,$0)" => Some(Combination::Max),
            "Minimum($0,$1)" | "Minimum($1,$0)" => Some(Combination::Min),
            "LogicalAnd($0,$1)" | "LogicalAnd($1,$0)" => Some(Combination::And),
            "LogicalOr($0,$1)" | "LogicalOr($1,$0)" => Some(Combination::Or),
            _ => None,
        },
        _ => None,
    };
    combination.ok_or_else(|| {
        node.error(format!("its function `{attribute}` is none of those that ONNX combines elements by"))
            .unsupported()
            .advice("sum, multiply, or choose the largest or the smallest of elements")
    })
}
