//! A graph as an ONNX model, by the rows of its ops.

use super::missing::refuse_missing;
use super::quantize::weights::has_quantized_weights;
use super::{Complex, Op, find, supported};
use crate::error::Result;
use crate::graph::op_definition::{Form, OpDefinition};
use crate::graph::{Graph, NodeRef, TensorRef};
use crate::lower::context::{LowerOptions, Lowering};
use crate::lower::{Quantization, Rules, Simplify, custom};
use crate::onnx::Model;
use crate::setting::Setting;

/// Writes a graph without variables as an ONNX model that computes `outputs`. Functions that nodes call are simplified before they
/// are written.
///
/// # Errors
/// If the graph has ops that cannot be converted; all of them are named.
pub fn lower(
    graph: &Graph,
    outputs: &[TensorRef],
    options: &LowerOptions,
    simplify: Simplify,
) -> Result<Model> {
    if !options.keep_going {
        refuse_missing(graph, &options.custom_ops)?;
    }
    let mut lowering = Lowering::new(graph, outputs, options, Rules { lower_node, simplify });
    lowering.is_quantized = match options.quantization {
        Quantization::Auto => has_quantized_weights(graph)?,
        Quantization::Qdq => true,
        Quantization::Float => false,
    };
    lowering.run()?;
    lowering.finish()
}

/// Writes the ONNX nodes of a node.
///
/// # Errors
/// If its op cannot be converted, or not with this operator set.
fn lower_node(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let row = supported(&node.op).and_then(|op| Some((op, op.lower?)));
    if let Some(domain) = cx.custom_domain(&node.op, row.is_some()) {
        return custom::custom(cx, node, domain);
    }
    let Some((op, handler)) = row else {
        let why = find(&node.op).map_or("this op cannot be converted", |op| op.not_lowered);
        return Err(node.error(why).unsupported());
    };
    if cx.opset() < op.since {
        return Err(node
            .error(format!("ONNX has it from operator set {} on", op.since))
            .unsupported()
            .advice(format!("choose {} or later", Setting::Opset.to(op.since))));
    }
    if cx.is_empty(node) {
        cx.set_empty(node);
        return Ok(());
    }
    check_constants(cx, node, op)?;
    if cx.has_complex(node) {
        return match op.complex {
            Complex::Refused => {
                Err(node.error("it is converted for real numbers, and not for complex ones").unsupported())
            }
            Complex::ByParts => cx.by_parts(node, handler),
            Complex::Alike => handler(cx, node),
            Complex::By(of_complex) => of_complex(cx, node),
        };
    }
    handler(cx, node).map_err(|error| node.reading(error))?;
    cx.check_layouts(node)
}

/// Refuses an input that must be known before the model runs, but is not.
fn check_constants(cx: &Lowering<'_>, node: NodeRef<'_>, op: &Op) -> Result<()> {
    for &(name, why) in op.constants {
        let Some(definition) = OpDefinition::find(op.name) else { continue };
        // Inputs before it that are lists would move its index.
        let index = definition
            .inputs()
            .take_while(|input| matches!(input.form, Form::One(_)))
            .position(|input| input.name == name);
        let Some(&input) = index.and_then(|index| node.inputs.get(index)) else { continue };
        if cx.constant(input).is_none() {
            let tensor = cx.graph.tensor_name(input);
            return Err(node
                .error(format!("its input `{name}`, {tensor}, is not known before the model runs: {why}"))
                .unsupported()
                .advice(cx.value_advice(input)));
        }
    }
    Ok(())
}
