//! Optionals: the values that a branch of a conditional keeps for the conditional of its gradient, and none from the other branches.
//!
//! TensorFlow pairs what the branches keep by its position, so that one optional may be of different types. In the model, it is a value
//! of each type that any branch keeps there; all of them but the kept one are empty.
//!
//! Sources: `_make_intermediates_match` in `tensorflow/python/ops/cond_v2.py`; `tensorflow/core/ops/optional_ops.cc`.

use crate::error::Result;
use crate::graph::{Attr, Node, NodeRef, Shape, TensorType};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Value};
use crate::lower::function::{Branch, Form};
use crate::onnx;
use crate::ops::infer::Inputs;
use crate::tensor::{Constant, DType, Tensor};

/// The type of an optional: what it holds is declared where it is read.
#[expect(clippy::unnecessary_wraps, reason = "it is a function of a row")]
pub fn optional_type(_: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![TensorType::new(DType::Variant, Shape::UNKNOWN)])
}

/// The types that an op declares of the values that it reads.
pub fn declared_types(_: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    match (node.attrs.get("output_types"), node.attrs.get("output_shapes")) {
        (Some(Attr::Types(types)), Some(Attr::Shapes(shapes))) if types.len() == shapes.len() => {
            let declared = types.iter().zip(shapes);
            Ok(declared.map(|(&dtype, shape)| TensorType::new(dtype, shape.clone())).collect())
        }
        _ => Err(node.error("its output_shapes are not as many as its output_types")),
    }
}

pub fn none(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    cx.set(node.into(), Value::Optional(vec![]));
    Ok(())
}

pub fn from_value(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let &[value] = &node.inputs[..] else {
        return Err(node.error("it holds several tensors, which is not converted").unsupported());
    };
    // The optional of a conditional in a branch is kept in another one, and is this one in the model.
    if cx.optional(value).is_some() {
        return cx.alias(node.into(), value);
    }
    if matches!(node.attrs.get("Toutput_types"), Some(Attr::Types(types)) if types.contains(&DType::Variant))
    {
        return Err(node.error("it holds a list of tensors, which is not converted").unsupported());
    }
    let (name, dtype) = (cx.in_tensorflow_layout(value)?, cx.dtype(value));
    cx.set(node.into(), Value::Optional(vec![(name, dtype)]));
    Ok(())
}

pub fn get_value(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (optional, value) = (cx.input_of(node, 0)?, node.output(0));
    let dtype = cx.dtype(value);
    if dtype == DType::Variant {
        return cx.alias(value, optional);
    }
    let parts = cx.optional(optional).unwrap_or_default();
    let Some((name, _)) = parts.iter().find(|(_, part)| *part == dtype).cloned() else {
        return Err(
            node.error(format!("it reads a value of {dtype}, and no branch puts one into its optional"))
        );
    };
    let layout = Layout::tensorflow_of(cx.shape(value));
    cx.set(value, Value::Computed { name, layout });
    Ok(())
}

/// What the results of branches are in the model. An optional gets a value, perhaps an empty one, of each type that any branch puts into
/// it.
///
/// # Errors
/// If a result is a list of tensors in one branch, and of another kind in another one.
pub fn joined(cx: &mut Lowering<'_>, node: NodeRef<'_>, branches: &mut [Branch]) -> Result<Vec<Form>> {
    let Some((first, rest)) = branches.split_first() else { return Ok(vec![]) };
    let mut all = first.results.clone();
    for branch in rest {
        for (index, (known, form)) in all.iter_mut().zip(&branch.results).enumerate() {
            match (known, form) {
                (Form::Optional(types), Form::Optional(more)) => {
                    let new: Vec<DType> =
                        more.iter().copied().filter(|dtype| !types.contains(dtype)).collect();
                    types.extend(new);
                }
                (known, form) if *known != *form => {
                    let problem = "is a list of tensors of different lengths in one branch, and of equal ones in another";
                    return Err(node.error(format!("its result {index} {problem}")));
                }
                _ => {}
            }
        }
    }
    for branch in branches {
        complete(cx, node, branch, &all);
    }
    Ok(all)
}

/// Adds the values that a branch does not keep to its outputs.
fn complete(cx: &mut Lowering<'_>, node: NodeRef<'_>, branch: &mut Branch, all: &[Form]) {
    if branch.results == *all {
        return;
    }
    let onnx::Graph { nodes, outputs, .. } = &mut branch.graph;
    let mut before = std::mem::take(outputs).into_iter();
    for (own, form) in branch.results.iter().zip(all) {
        let mut kept: Vec<onnx::TensorInfo> = before.by_ref().take(own.count()).collect();
        let Form::Optional(types) = form else {
            outputs.append(&mut kept);
            continue;
        };
        for &dtype in types {
            if let Some(index) = kept.iter().position(|output| output.dtype == dtype) {
                outputs.push(kept.swap_remove(index));
                continue;
            }
            let none =
                cx.initializer(&format!("{}/none/{dtype}", node.name), Constant::empty(dtype, vec![0]), &[]);
            let name = cx.unique_name(format!("{}/none", node.name));
            nodes.push(onnx::Node {
                name: name.clone(),
                op: "Identity".into(),
                domain: "".into(),
                inputs: vec![none],
                outputs: vec![name.clone()],
                attributes: vec![],
            });
            outputs.push(onnx::TensorInfo { name, dtype, shape: None });
        }
    }
}

/// The value that an optional holds, or of which it is made.
pub fn value(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let &[value] = inputs else { return None };
    Some(vec![value.clone()])
}

/// Nothing. No branch that is taken reads it.
#[expect(clippy::unnecessary_wraps, reason = "it is a function of a row")]
pub fn nothing(_: &Node, _: &[&Tensor]) -> Option<Vec<Tensor>> {
    Some(vec![Tensor::Float32(ndarray::ArrayD::default(vec![0]))])
}
