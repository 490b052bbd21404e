//! Conditionals and calls.
//!
//! Sources: `tf.cond`, `tf.switch_case` in TensorFlow's API documentation; If in
//! <https://onnx.ai/onnx/operators/>.

mod counted;
mod recurrent;
mod while_loop;

pub use recurrent::is_zero;
pub use while_loop::while_loop;

use crate::error::Result;
use crate::graph::{Attr, NodeRef, TensorRef};
use crate::lower::context::Lowering;
use crate::lower::function::{Form, closed};
use crate::onnx::{self, Attribute, TensorInfo};
use crate::ops::control::optionals::joined;
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
    let mut branches = [then, cx.branch(node, "else", branches[1], &call_arguments)?];
    let results = joined(cx, node, &mut branches)?;
    let [then, other] = branches.map(|branch| branch.graph);
    emit_if(cx, node, condition, &results, [then, other]);
    Ok(())
}

fn emit_if(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    condition: String,
    results: &[Form],
    [then, other]: [onnx::Graph; 2],
) {
    if results.is_empty() {
        return;
    }
    let mut outputs = vec![];
    for (port, form) in results.iter().enumerate() {
        outputs.extend(cx.output_named(node.output(port), form));
    }
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
    let mut written = vec![cx.branch(node, "default", last, &call_arguments)?];
    for (branch_index, branch) in first.iter().enumerate().rev() {
        written.push(cx.branch(node, &format!("branch_{branch_index}"), branch, &call_arguments)?);
    }
    let results = joined(cx, node, &mut written)?;
    let mut graphs = written.into_iter().map(|branch| branch.graph);
    let Some(mut rest) = graphs.next() else { return Ok(()) };
    for ((branch_index, condition), then) in conditions.into_iter().enumerate().rev().zip(graphs) {
        if branch_index == 0 {
            emit_if(cx, node, condition, &results, [then, rest]);
            return Ok(());
        }
        let name = cx.unique_name(format!("{}/else", node.name));
        let outputs: Vec<TensorInfo> = rest
            .outputs
            .iter()
            .map(|output| TensorInfo { name: cx.unique_name(format!("{name}/result")), ..output.clone() })
            .collect();
        let inner = onnx::Node {
            name: name.clone(),
            op: "If".into(),
            domain: "".into(),
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
