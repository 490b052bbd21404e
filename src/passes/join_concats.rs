//! Concatenations of concatenations: the input joins tensors that are joined again along the same axis; the output joins all of
//! them at once.

use hashbrown::HashSet;

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::axis::axis_from_front;
use crate::graph::{Attr, Graph, Moved, Node, TensorRef};
use crate::tensor::Constant;

/// Joins each concatenation with the ones that only it reads. Tensors in `kept` stay.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn join_concats(graph: Graph, kept: &[TensorRef]) -> Result<(Graph, Moved)> {
    let readers = graph.reader_counts();
    let kept: HashSet<TensorRef> = kept.iter().copied().collect();
    let is_only_read_here = |tensor: TensorRef| readers.get(&tensor) == Some(&1) && !kept.contains(&tensor);
    rewrite(graph, |rewriting, node| {
        let old = rewriting.old;
        let Some((parts, axis)) = concat(old, node)? else { return Ok(None) };
        let joined = joined(old, parts, axis, &is_only_read_here)?;
        if joined.len() == parts.len() {
            return Ok(None);
        }
        let last = node.inputs.last();
        let inputs = joined.iter().chain(last).map(|&tensor| rewriting.moved(tensor)).collect();
        let mut attrs = node.attrs.clone();
        attrs.insert("N", Attr::Int(joined.len() as i64));
        rewriting.add(node.name.clone(), &node.op, inputs, attrs).map(Some)
    })
}

/// The tensors that a node joins, and the axis, counted from the first one.
fn concat<'g>(graph: &Graph, node: &'g Node) -> Result<Option<(&'g [TensorRef], usize)>> {
    let ("ConcatV2", Some((&axis, parts))) = (node.op.as_str(), node.inputs.split_last()) else {
        return Ok(None);
    };
    let (Some(axis), Some(rank)) = (graph.constant(axis), node.outputs[0].shape.rank()) else {
        return Ok(None);
    };
    let axis = Constant::to_i64s(axis)?.and_then(|axis| axis.first().copied());
    Ok(axis.and_then(|axis| Some((parts, axis_from_front(axis, rank)?))))
}

/// These tensors, each replaced by its parts if it is a concatenation along the same axis.
fn joined(
    graph: &Graph,
    parts: &[TensorRef],
    axis: usize,
    is_only_read_here: &impl Fn(TensorRef) -> bool,
) -> Result<Vec<TensorRef>> {
    let (mut all, mut open) = (vec![], parts.to_vec());
    while let Some(part) = open.pop() {
        match concat(graph, graph.node(part.node))? {
            Some((inner, inner_axis)) if inner_axis == axis && is_only_read_here(part) => open.extend(inner),
            _ => all.push(part),
        }
    }
    all.reverse();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attrs, Shape};
    use crate::tensor::DType;

    /// What `concat(a, concat(b, c) along inner_axis, a)` along the last axis joins. Another node reads the inner result if
    /// `is_read`.
    fn joined_by(inner_axis: i32, is_read: bool) -> Vec<String> {
        let mut graph = crate::ops::new_graph();
        let mut add = |name: &str, op: &str, inputs: &[TensorRef], attrs: Attrs| -> TensorRef {
            graph.add(name, op, inputs.to_vec(), attrs).unwrap().into()
        };
        let attrs =
            [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::new(vec![None, None])))];
        let [a, b, c] = ["a", "b", "c"].map(|name| add(name, "Placeholder", &[], attrs.clone().into()));
        let [inner, outer] = [("inner", inner_axis), ("outer", -1)].map(|(name, axis)| {
            let value = Attr::Tensor(Constant::from_i32(vec![], &[axis]));
            add(name, "Const", &[], [("value", value)].into())
        });
        let two = add("two", "ConcatV2", &[b, c, inner], Attrs::new());
        if is_read {
            add("read", "Relu", &[two], Attrs::new());
        }
        let four = add("four", "ConcatV2", &[a, two, a, outer], Attrs::new());
        let (graph, _) = join_concats(graph, &[four]).unwrap();
        let out = graph.node(graph.find("four").unwrap());
        out.inputs.iter().map(|&input| graph.tensor_name(input)).collect()
    }

    #[test]
    fn concatenations_along_the_same_axis_become_one() {
        assert_eq!(joined_by(1, false), ["a:0", "b:0", "c:0", "a:0", "outer:0"]);
    }

    #[test]
    fn concatenations_along_another_axis_or_with_other_readers_stay() {
        assert_eq!(joined_by(0, false), ["a:0", "two:0", "a:0", "outer:0"]);
        assert_eq!(joined_by(1, true), ["a:0", "two:0", "a:0", "outer:0"]);
    }
}
