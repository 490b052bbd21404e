//! Loops.
//!
//! Sources: `tf.while_loop` in TensorFlow's API documentation; Loop in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Value};
use crate::lower::function::{CallArgument, closed};
use crate::onnx::{Attribute, TensorInfo, onnx_dtype};
use crate::tensor::DType;

/// A loop. TensorFlow evaluates the condition before each iteration, ONNX takes it for the first one and as the first
/// output of the body: it is written before the loop and at the end of the body. What comes out of the body as it went
/// in is read from around the loop.
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
