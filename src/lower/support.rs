//! Which TensorFlow ops can be converted, and what becomes of them.

use hashbrown::HashMap;
use std::sync::OnceLock;

use super::FAMILIES;
use super::context::Lowering;
use crate::error::Result;
use crate::graph::{Node, NodeId};

/// A TensorFlow op as ONNX: reads its inputs from the context and records what stands for its outputs.
pub type Handler = fn(&mut Lowering<'_>, NodeId, &Node) -> Result<()>;

/// A TensorFlow op that can be converted.
#[derive(Clone, Copy)]
pub struct Op {
    /// TensorFlow's name of it.
    pub name: &'static str,
    handler: Handler,
    /// The ONNX operators it becomes, separated by commas; empty where it leaves no node.
    pub onnx: &'static str,
    /// The least operator set that has them as they are used.
    pub since: i64,
    /// What is not converted of it, or how it differs.
    pub note: &'static str,
}

/// An op, its handler, and the ONNX operators that the handler writes.
pub const fn op(name: &'static str, handler: Handler, onnx: &'static str) -> Op {
    Op { name, handler, onnx, since: *super::OPSETS.start(), note: "" }
}

impl Op {
    /// The same op, which needs at least this operator set.
    pub const fn since(self, opset: i64) -> Self {
        Self { since: opset, ..self }
    }

    /// The same op with a note for the table of supported ops.
    pub const fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }
}

/// All ops that can be converted, by name.
pub fn supported_ops() -> impl Iterator<Item = &'static Op> {
    FAMILIES.iter().copied().flatten()
}

/// The op of this name, if it can be converted.
pub fn supported(op: &str) -> Option<&'static Op> {
    static OPS: OnceLock<HashMap<&str, &'static Op>> = OnceLock::new();
    let ops = OPS.get_or_init(|| supported_ops().map(|op| (op.name, op)).collect());
    ops.get(op).copied()
}

/// Writes what stands for a node.
///
/// # Errors
/// Where its op cannot be converted, or not with this operator set.
pub fn lower_node(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    match supported(&node.op) {
        Some(op) if cx.opset() < op.since => Err(node
            .error(format!("ONNX has it from operator set {} on", op.since))
            .advice(format!("choose --opset {} or later", op.since))),
        Some(_) if cx.is_empty(id, node) => {
            cx.set_empty(id, node);
            Ok(())
        }
        Some(op) => {
            (op.handler)(cx, id, node)?;
            cx.check_layouts(id, node)
        }
        None if cx.keeps_going() => super::custom::custom(cx, id, node),
        None => Err(node.error("this op cannot be converted")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_op_is_listed_twice() {
        let mut names: Vec<&str> = supported_ops().map(|op| op.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
