//! Conditionals, loops and calls.
//!
//! Sources: `tf.cond`, `tf.switch_case`, `tf.while_loop` in TensorFlow's API documentation; If and Loop in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{Attr, NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Value};
use crate::lower::function::{CallArgument, closed};
use crate::onnx::{self, Attribute, TensorInfo, onnx_dtype};
use crate::tensor::{Constant, DType};

/// Adds the nodes of the called function to the other nodes.
pub fn call(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let call_arguments = cx.call_arguments(&node.inputs)?;
    let results = cx.inline(node, "call", node.function("f")?, &call_arguments)?;
    cx.set_outputs(node, results);
    Ok(())
}

/// Two branches, which read their arguments from the graph around them. If the condition is known, only one of them is
/// written.
pub fn conditional(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let branches = [node.function("then_branch")?, node.function("else_branch")?];
    let condition = cx.input_of(node, 0)?;
    let call_arguments = cx.call_arguments(node.inputs.get(1..).unwrap_or_default())?;
    if let Some(known) = cx.constant(condition).and_then(known_boolean) {
        let taken = if known { branches[0] } else { branches[1] };
        let results = cx.inline(node, "taken", taken, &call_arguments)?;
        cx.set_outputs(node, results);
        return Ok(());
    }
    let condition = as_boolean(cx, node, condition)?;
    let then = cx.branch(node, "then", branches[0], &call_arguments)?;
    let other = cx.branch(node, "else", branches[1], &call_arguments)?;
    emit_if(cx, node, condition, then, other);
    Ok(())
}

fn emit_if(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    condition: String,
    then: onnx::Graph,
    other: onnx::Graph,
) {
    let ports: Vec<usize> = (0..then.outputs.len()).collect();
    if ports.is_empty() {
        return;
    }
    let outputs = cx.outputs_named(node, &ports);
    let attributes = vec![("then_branch", Attribute::Graph(then)), ("else_branch", Attribute::Graph(other))];
    cx.node(&node.name, "If", vec![condition], outputs, attributes);
}

/// Several branches, as nested conditionals. The last branch is also for indices without a branch.
pub fn case(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let Some(Attr::Functions(branches)) = node.attrs.get("branches") else {
        return Err(node.error("it has no branches"));
    };
    let index = cx.input_of(node, 0)?;
    let call_arguments = cx.call_arguments(node.inputs.get(1..).unwrap_or_default())?;
    let Some((last, first)) = branches.split_last() else { return Err(node.error("it has no branches")) };
    let known = cx.known_integers(node, 0)?;
    if first.is_empty() || known.is_some() {
        let taken = known.and_then(|known| usize::try_from(*known.first()?).ok());
        let taken = taken.and_then(|index| branches.get(index)).unwrap_or(last);
        let results = cx.inline(node, "taken", taken, &call_arguments)?;
        cx.set_outputs(node, results);
        return Ok(());
    }
    let index = cx.in_tensorflow_layout(index)?;
    let mut conditions = vec![];
    for branch_index in 0..first.len() {
        let branch_index = i32::try_from(branch_index).map_err(|_| node.error("it has too many branches"))?;
        let constant = Constant::from_i32(vec![], &[branch_index]);
        let branch_index = cx.initializer(&format!("{}/branch", node.name), constant, &[conditions.len()]);
        conditions.push(cx.step(node, "is_branch", "Equal", vec![index.clone(), branch_index], vec![]));
    }
    let mut rest = cx.branch(node, "default", last, &call_arguments)?;
    for (branch_index, (branch, condition)) in first.iter().zip(conditions).enumerate().rev() {
        let then = cx.branch(node, &format!("branch_{branch_index}"), branch, &call_arguments)?;
        if branch_index == 0 {
            emit_if(cx, node, condition, then, rest);
            return Ok(());
        }
        let name = cx.unique_name(&format!("{}/else", node.name));
        let outputs: Vec<TensorInfo> = rest
            .outputs
            .iter()
            .map(|output| TensorInfo { name: cx.unique_name(&format!("{name}/result")), ..output.clone() })
            .collect();
        let inner = onnx::Node {
            name: name.clone(),
            op: "If".into(),
            domain: "",
            inputs: vec![condition],
            outputs: outputs.iter().map(|output| output.name.clone()).collect(),
            attributes: vec![
                ("then_branch".into(), Attribute::Graph(then)),
                ("else_branch".into(), Attribute::Graph(rest)),
            ],
        };
        rest = closed(name, vec![], outputs, vec![inner]);
    }
    Ok(())
}

/// Whether a constant counts as true; `None` if its elements cannot be read.
fn known_boolean(condition: &Constant) -> Option<bool> {
    condition.bytes().ok().map(|bytes| bytes.iter().any(|&byte| byte != 0))
}

/// A condition as a bool.
fn as_boolean(cx: &mut Lowering<'_>, node: NodeRef<'_>, condition: TensorRef) -> Result<String> {
    let name = cx.in_tensorflow_layout(condition)?;
    match cx.dtype(condition) {
        DType::Bool => Ok(name),
        DType::String => Err(node.error("its condition is a string")),
        _ => Ok(cx.cast(node, name, DType::Bool)),
    }
}

/// A loop. TensorFlow evaluates the condition before each iteration. In ONNX, the condition of the first iteration is an
/// input, and that of the next one is the first output of the body; so it is written before the loop and at the end of the
/// body. Tensors that the body does not change are read from the graph around the loop.
pub fn while_loop(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (condition, body) = (node.function("cond")?, node.function("body")?);
    let invariants = cx.graph.library().invariants(body)?;
    if invariants.len() != node.inputs.len() || node.outputs.len() != node.inputs.len() {
        return Err(node.error("its body takes another number of tensors"));
    }
    let carried: Vec<usize> = (0..invariants.len()).filter(|&index| !invariants[index]).collect();
    let before = cx.call_arguments(&node.inputs)?;
    let first = cx.inline(node, "first", condition, &before)?;
    let first = scalar(cx, node, first)?;
    let mut inputs = vec![String::new(), first];
    for &index in &carried {
        inputs.push(cx.in_tensorflow_layout(node.inputs[index])?);
    }
    let iteration = cx.unique_name(&format!("{}/body/iteration", node.name));
    let goes_on = cx.unique_name(&format!("{}/body/goes_on", node.name));
    let mut infos = vec![
        TensorInfo { name: iteration, dtype: DType::Int64, shape: Some(vec![]) },
        TensorInfo { name: goes_on, dtype: DType::Bool, shape: Some(vec![]) },
    ];
    let mut call_arguments = before;
    for &index in &carried {
        let known = node.outputs[index].clone();
        if onnx_dtype(known.dtype).is_none() {
            return Err(node.error(format!("ONNX has no tensors of {}, which it carries", known.dtype)));
        }
        let name = cx.unique_name(&format!("{}/body/carried_{index}", node.name));
        infos.push(TensorInfo { name: name.clone(), dtype: known.dtype, shape: None });
        let layout = Layout::tensorflow_of(&known.shape);
        call_arguments[index] = CallArgument { value: Value::Computed { name, layout }, known };
    }
    let built = cx.build_function(node, "body", body, &call_arguments)?;
    let mut nested = cx.nested(node, &built, &call_arguments)?;
    nested.run()?;
    let after: Vec<TensorRef> =
        carried.iter().filter_map(|&index| built.results.get(index).copied()).collect();
    for (&index, result) in carried.iter().zip(nested.call_arguments(&after)?) {
        call_arguments[index].value = result.value;
    }
    let again = nested.inline(node, "again", condition, &call_arguments)?;
    let again = scalar(&mut nested, node, again)?;
    let again = nested.step(node, "again", "Identity", vec![again], vec![]);
    let mut outputs = vec![TensorInfo { name: again, dtype: DType::Bool, shape: Some(vec![]) }];
    outputs.extend(nested.graph_outputs(node, &after)?);
    let nodes = cx.rejoin(nested);
    let graph = closed(format!("{}/body", node.name), infos, outputs, nodes);
    for index in (0..invariants.len()).filter(|&index| invariants[index]) {
        cx.alias(node.output(index), node.inputs[index])?;
    }
    if !carried.is_empty() {
        let outputs = cx.outputs_named(node, &carried);
        cx.node(&node.name, "Loop", inputs, outputs, vec![("body", Attribute::Graph(graph))]);
    }
    Ok(())
}

/// The one result of a condition.
fn scalar(cx: &mut Lowering<'_>, node: NodeRef<'_>, results: Vec<Value>) -> Result<String> {
    match <[Value; 1]>::try_from(results) {
        Ok([value]) => Ok(cx.scalar_name(value)),
        Err(_) => Err(node.error("its condition is not one tensor")),
    }
}
