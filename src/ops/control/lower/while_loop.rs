//! Loops.
//!
//! Sources: `tf.while_loop` in TensorFlow's API documentation; Loop in <https://onnx.ai/onnx/operators/>.

use hashbrown::HashSet;

use super::counted::{Loop, WrittenList};
use super::recurrent::recurrent;
use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Value};
use crate::lower::function::{CallArgument, closed};
use crate::lower::steps::Steps;
use crate::onnx::{self, Attribute, Dim, TensorInfo, onnx_dtype};
use crate::tensor::DType;

/// A loop.
///
/// TensorFlow evaluates the condition before each iteration; ONNX takes it for the first one and as the first output of the body,
/// and can be given the number of iterations instead. What no iteration changes is read from around the loop, what nothing needs is
/// left out, and a list that each iteration writes the next element of becomes a scan output.
pub fn while_loop(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (condition, body) = (node.function("cond")?, node.function("body")?);
    let invariants = cx.graph.library().invariants(body)?;
    if invariants.len() != node.inputs.len() || node.outputs.len() != node.inputs.len() {
        return Err(node.error("its body takes another number of tensors"));
    }
    for index in (0..invariants.len()).filter(|&index| invariants[index]) {
        cx.alias(node.output(index), node.inputs[index])?;
    }
    let changed: Vec<usize> = (0..invariants.len()).filter(|&index| !invariants[index]).collect();
    let before = cx.call_arguments(&node.inputs)?;
    let mut inside = before.clone();
    for &index in &changed {
        let known = node.outputs[index].clone();
        let name = cx.unique_name(&format!("{}/body/carried_{index}", node.name));
        let layout = Layout::tensorflow_of(&known.shape);
        inside[index] = CallArgument { value: Value::Computed { name, layout }, known };
    }
    let built = cx.build_function(node, "body", body, &inside)?;
    let built_condition = cx.build_function(node, "condition", condition, &inside)?;
    let this = Loop { node, body: &built, changed: &changed };
    let trips = this.trip_count(cx, &built_condition);
    if recurrent(cx, &this, trips.as_ref())? {
        return Ok(());
    }
    let lists = this.written_lists(cx, trips.as_ref());

    let mut results = built.results.clone();
    for list in &lists {
        results[list.variable] = list.element;
    }
    let read = match trips {
        Some(_) => HashSet::new(),
        None => built_condition.read_arguments().collect(),
    };
    let needed = this.needed(cx, &results, &read);
    let lists: Vec<&WrittenList> = lists.iter().filter(|list| needed.contains(&list.variable)).collect();
    let is_list = |index: &usize| lists.iter().any(|list| list.variable == *index);
    let carried: Vec<usize> = needed.iter().copied().filter(|index| !is_list(index)).collect();
    if needed.is_empty() {
        return Ok(());
    }

    let [count, first] = match &trips {
        Some(trips) => [trips.emit(cx, &this)?, cx.scalar(node, "true", DType::Bool, 1.0)],
        None => {
            let first = cx.inline(node, "first", condition, &before)?;
            [String::new(), scalar(cx, node, first)?]
        }
    };
    let mut inputs = vec![count, first];
    for &index in &carried {
        inputs.push(cx.in_tensorflow_layout(node.inputs[index])?);
    }
    let all: Vec<usize> = carried.iter().copied().chain(lists.iter().map(|list| list.variable)).collect();
    let after: Vec<TensorRef> = all.iter().filter_map(|&index| results.get(index).copied()).collect();
    let built = built.returning(&after);
    let mut nested = cx.nested(node, &built, &inside)?;
    let names =
        ["iteration", "goes_on"].map(|what| nested.unique_name(&format!("{}/body/{what}", node.name)));
    let [iteration, goes_on] = names;
    nested.run()?;
    let again = match trips {
        Some(_) => goes_on.clone(),
        None => {
            let mut next = inside.clone();
            for (&index, result) in carried.iter().zip(nested.call_arguments(&built.results)?) {
                next[index].value = result.value;
            }
            let again = nested.inline(node, "again", condition, &next)?;
            scalar(&mut nested, node, again)?
        }
    };
    let again = nested.step(node, "again", "Identity", vec![again], vec![]);
    let mut outputs = vec![TensorInfo { name: again, dtype: DType::Bool, shape: Some(vec![]) }];
    outputs.extend(nested.graph_outputs(node, &built.results)?);
    for (info, &result) in outputs.iter_mut().skip(1 + carried.len()).zip(&built.results[carried.len()..]) {
        // Runtimes need the shape of an element for a loop that never runs.
        info.shape = built
            .graph()
            .shape(result)
            .dims()
            .map(|dims| dims.iter().map(|dim| dim.map_or(Dim::Unknown, Dim::Known)).collect());
    }
    let nodes = cx.rejoin(nested);

    let mut infos = vec![
        TensorInfo { name: iteration, dtype: DType::Int64, shape: Some(vec![]) },
        TensorInfo { name: goes_on, dtype: DType::Bool, shape: Some(vec![]) },
    ];
    for &index in &carried {
        let CallArgument { value, known } = &inside[index];
        if onnx_dtype(known.dtype).is_none() {
            return Err(node.error(format!("ONNX has no tensors of {}, which it carries", known.dtype)));
        }
        if let Value::Computed { name, .. } = value {
            infos.push(TensorInfo { name: name.clone(), dtype: known.dtype, shape: None });
        }
    }
    let (before, nodes) = split_off_invariant(nodes, &infos, &outputs);
    before.into_iter().for_each(|node| cx.append(node));
    let graph = closed(format!("{}/body", node.name), infos, outputs, nodes);
    let mut names = cx.outputs_named(node, &carried);
    let written: Vec<String> = lists.iter().map(|list| written_name(cx, node, list)).collect();
    names.extend(written.iter().cloned());
    cx.node(&node.name, "Loop", inputs, names, vec![("body", Attribute::Graph(graph))]);
    for (list, name) in lists.into_iter().zip(written) {
        if !list.is_whole {
            fill_up(cx, node, list, name)?;
        }
    }
    Ok(())
}

/// Operators that cannot fail where no iteration would have computed them.
const SAFE: &[&str] = &[
    "Add",
    "Cast",
    "Concat",
    "Gemm",
    "Identity",
    "MatMul",
    "Mul",
    "Neg",
    "Shape",
    "Sub",
    "Transpose",
    "Unsqueeze",
];

/// The nodes of a body that compute the same in each iteration, and the others.
fn split_off_invariant(
    nodes: Vec<onnx::Node>,
    inputs: &[TensorInfo],
    outputs: &[TensorInfo],
) -> (Vec<onnx::Node>, Vec<onnx::Node>) {
    let mut changing: HashSet<String> = inputs.iter().map(|info| info.name.clone()).collect();
    let (mut before, mut inside) = (vec![], vec![]);
    for node in nodes {
        let is_output = |name: &String| outputs.iter().any(|output| output.name == *name);
        let is_invariant = SAFE.contains(&&*node.op)
            && !node.inputs.iter().any(|input| changing.contains(input))
            && !node.outputs.iter().any(is_output);
        if is_invariant {
            before.push(node);
        } else {
            changing.extend(node.outputs.iter().cloned());
            inside.push(node);
        }
    }
    (before, inside)
}

/// The name of the elements that a loop writes to a list: the name of the list, if these are all.
fn written_name(cx: &mut Lowering<'_>, node: NodeRef<'_>, list: &WrittenList) -> String {
    match list.is_whole {
        true => cx.outputs_named(node, &[list.variable]).concat(),
        false => cx.unique_name(&format!("{}/written_{}", node.name, list.variable)),
    }
}

/// Adds zeros after the elements that a loop wrote, up to the number that was reserved.
fn fill_up(cx: &mut Lowering<'_>, node: NodeRef<'_>, list: &WrittenList, written: String) -> Result<()> {
    let output = node.output(list.variable);
    let rank = cx.rank(node, output)?;
    let reserved = cx.in_tensorflow_layout(list.reserved)?;
    let mut steps = Steps { cx, node };
    let one = steps.ints(&[1]);
    let reserved = steps.cast(&reserved, DType::Int64);
    let reserved = steps.op("Reshape", &[&reserved, &one]);
    let length = steps.length(&written, 0);
    let none = steps.ints(&[0]);
    let more = steps.op("Sub", &[&reserved, &length]);
    // A list that grows may be longer than what was reserved.
    let more = steps.op("Max", &[&more, &none]);
    let (before, after) = (steps.ints(&vec![0; rank]), steps.ints(&vec![0; rank.saturating_sub(1)]));
    let pads = steps.op_with("Concat", &[&before, &more, &after], "axis", 0);
    cx.emit(output, "Pad", vec![written, pads], Layout::tensorflow(rank), vec![]);
    Ok(())
}

/// The one result of a condition.
fn scalar(cx: &mut Lowering<'_>, node: NodeRef<'_>, results: Vec<Value>) -> Result<String> {
    match <[Value; 1]>::try_from(results) {
        Ok([value]) => Ok(cx.scalar_name(value)),
        Err(_) => Err(node.error("its condition is not one tensor")),
    }
}
