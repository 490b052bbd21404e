//! Ops that call functions: calls, conditionals and loops of TensorFlow 2.
//!
//! Sources: the ops' definitions in `tensorflow/core/ops/functional_ops.cc`, and `tensorflow/core/kernels/functional_ops.cc`.

use std::sync::Arc;

use hashbrown::HashMap;

use super::run::{Leaves, run_whole};
use crate::error::{Error, Result};
use crate::graph::{Attr, Graph, Node, Shape, TensorType};
use crate::tensor::Tensor;

/// The most iterations of a loop.
const MAX_ITERATIONS: usize = 1 << 16;

/// Whether an op calls functions, and is evaluated here.
pub(super) fn calls(op: &str) -> bool {
    matches!(
        op,
        "PartitionedCall"
            | "StatefulPartitionedCall"
            | "If"
            | "StatelessIf"
            | "Case"
            | "StatelessCase"
            | "While"
            | "StatelessWhile"
    )
}

/// The results of a node that calls functions of the graph's library.
///
/// # Errors
/// If a function is missing, cannot be evaluated, or has a node for which `leaves` is true, or a loop does not end.
pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    inputs: &[Arc<Tensor>],
    leaves: &Leaves,
) -> Result<Vec<Tensor>> {
    let call = |graph: &Graph, node: &Node, function: &str, inputs: &[Arc<Tensor>]| {
        call(graph, node, function, inputs, leaves)
    };
    let first = || inputs.first().ok_or_else(|| node.error("it has no inputs"));
    let arguments = inputs.get(1..).unwrap_or_default();
    match node.op.as_str() {
        "PartitionedCall" | "StatefulPartitionedCall" => call(graph, node, node.function("f")?, inputs),
        "If" | "StatelessIf" => {
            let branch = if is_true(first()?) { "then_branch" } else { "else_branch" };
            call(graph, node, node.function(branch)?, arguments)
        }
        "Case" | "StatelessCase" => {
            let Some(Attr::Functions(branches)) = node.attrs.get("branches") else {
                return Err(node.error("it has no branches"));
            };
            let index = first()?.integer().and_then(|index| usize::try_from(index).ok());
            // An index out of range selects the last branch.
            let branch = index.and_then(|index| branches.get(index)).or(branches.last());
            call(graph, node, branch.ok_or_else(|| node.error("it has no branches"))?, arguments)
        }
        _ => {
            let (condition, body) = (node.function("cond")?, node.function("body")?);
            let mut values = inputs.to_vec();
            for _ in 0..MAX_ITERATIONS {
                let goes_on = call(graph, node, condition, &values)?;
                let goes_on = goes_on.first().ok_or_else(|| node.error("its condition computes nothing"))?;
                if !is_true(goes_on) {
                    return Ok(values.iter().map(|value| Tensor::clone(value)).collect());
                }
                values = call(graph, node, body, &values)?.into_iter().map(Arc::new).collect();
            }
            Err(node.error(format!("it does not end within {MAX_ITERATIONS} iterations")))
        }
    }
}

/// Whether a condition holds: a scalar by its value, another tensor if it has elements.
fn is_true(tensor: &Tensor) -> bool {
    let numbers = tensor.numbers();
    match tensor.shape() {
        [] => numbers.iter().any(|&number| number != 0.0),
        _ => !numbers.is_empty(),
    }
}

fn call(
    graph: &Graph,
    node: &Node,
    function: &str,
    inputs: &[Arc<Tensor>],
    leaves: &Leaves,
) -> Result<Vec<Tensor>> {
    let types: Vec<TensorType> =
        inputs.iter().map(|input| TensorType::new(input.dtype(), Shape::known(input.shape()))).collect();
    let within = |error: Error| error.within(format!("{} \"{}\"", node.op, node.name));
    let (body, arguments, results) = graph.library().graph(function, &types).map_err(within)?;
    let named = arguments.iter().map(|&argument| body.tensor_name(argument));
    let feeds: HashMap<String, Tensor> =
        named.zip(inputs).map(|(name, input)| (name, Tensor::clone(input))).collect();
    run_whole(&body, &feeds, &results, &|_, _| (), leaves).map_err(within)
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, arr0};

    use super::*;
    use crate::graph::function::Function;
    use crate::graph::{Attrs, TensorRef};
    use crate::tensor::{Constant, DType};

    fn function(build: impl FnOnce(&mut Graph, TensorRef) -> TensorRef) -> Function {
        let mut graph = crate::ops::new_graph();
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::UNKNOWN))];
        let argument = graph.add("x", "Placeholder", vec![], attrs.into()).unwrap().into();
        let result = build(&mut graph, argument);
        Function { graph, arguments: vec![argument], results: vec![result] }
    }

    fn number(graph: &mut Graph, name: &str, value: f32) -> TensorRef {
        let value = Attr::Tensor(Constant::from_f32(vec![], &[value]));
        graph.add(name, "Const", vec![], [("value", value)].into()).unwrap().into()
    }

    fn apply(op: &'static str, value: f32) -> Function {
        function(|graph, x| {
            let value = number(graph, "value", value);
            graph.add("result", op, vec![x, value], Attrs::new()).unwrap().into()
        })
    }

    /// What a node of this op with these functions and this condition computes from a number.
    fn computed(op: &str, functions: &[(&str, Function)], condition: Option<Tensor>, x: f32) -> Result<f64> {
        let mut library = crate::ops::new_graph().library().clone();
        let mut attrs = Attrs::new();
        let mut names = vec![];
        for (attr, function) in functions {
            let name = library.define(attr, function.clone());
            attrs.insert((*attr).to_owned(), Attr::Function(name.clone()));
            names.push(name);
        }
        attrs.insert("branches".to_owned(), Attr::Functions(names));
        let graph = Graph::with_library(library);
        let node = Node { name: "n".to_owned(), op: op.to_owned(), inputs: vec![], attrs, outputs: vec![] };
        let x = Tensor::Float32(arr0(x).into_dyn());
        let inputs: Vec<Arc<Tensor>> = condition.into_iter().chain([x]).map(Arc::new).collect();
        Ok(evaluate(&graph, &node, &inputs, &|_, _, _| false)?[0].numbers().sum())
    }

    #[test]
    fn a_branch_is_taken_by_a_boolean_an_index_or_a_tensor_with_elements() {
        let two = || [("then_branch", apply("Mul", 2.0)), ("else_branch", apply("Mul", 3.0))];
        let flag = |flag: bool| Some(Tensor::Bool(arr0(flag).into_dyn()));
        assert_eq!(computed("If", &two(), flag(true), 5.0), Ok(10.0));
        assert_eq!(computed("StatelessIf", &two(), flag(false), 5.0), Ok(15.0));
        let empty = Tensor::Float32(ArrayD::zeros(vec![0]));
        assert_eq!(computed("If", &two(), Some(empty), 5.0), Ok(15.0));
        let zeros = Tensor::Float32(ArrayD::zeros(vec![2]));
        assert_eq!(computed("If", &two(), Some(zeros), 5.0), Ok(10.0));
        let index = |index: i32| Some(Tensor::Int32(arr0(index).into_dyn()));
        assert_eq!(computed("Case", &two(), index(0), 5.0), Ok(10.0));
        assert_eq!(computed("Case", &two(), index(1), 5.0), Ok(15.0));
        assert_eq!(computed("Case", &two(), index(7), 5.0), Ok(15.0));
        assert_eq!(computed("Case", &two(), index(-1), 5.0), Ok(15.0));
    }

    #[test]
    fn a_loop_runs_while_its_condition_holds() {
        let functions = [("cond", apply("Less", 100.0)), ("body", apply("Mul", 3.0))];
        assert_eq!(computed("While", &functions, None, 2.0), Ok(162.0));
        assert_eq!(computed("StatelessWhile", &functions, None, 200.0), Ok(200.0));
    }

    #[test]
    fn what_a_function_cannot_evaluate_is_an_error_of_the_call() {
        let unknown =
            function(|graph, x| graph.add("hue", "AdjustHue", vec![x, x], Attrs::new()).unwrap().into());
        let error = computed("PartitionedCall", &[("f", unknown)], None, 1.0).unwrap_err().to_string();
        assert!(error.contains("PartitionedCall \"n\"") && error.contains("AdjustHue"), "{error}");
    }
}
