//! Concatenations of concatenations: the input joins tensors that are joined again along the same axis; the output joins all of
//! them at once.

use hashbrown::{HashMap, HashSet};

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
    if !graph.has_op(&["ConcatV2"]) {
        return Ok((graph, Moved::default()));
    }
    let joined = joined_later(&graph, kept)?;
    if joined.is_empty() {
        return Ok((graph, Moved::default()));
    }
    rewrite(graph, |rewriting, node| {
        let read = &node.inputs;
        // The tensors of a chain of concatenations are collected at its end: to collect them at each of its nodes would take the
        // square of its length.
        if joined.contains(&rewriting.current_tensor(0)) || !read.iter().any(|read| joined.contains(read)) {
            return Ok(None);
        }
        let all = parts(rewriting.old, read, &joined);
        let inputs = all.iter().map(|&tensor| rewriting.moved(tensor)).collect();
        let mut attrs = node.attrs.clone();
        attrs.insert("N", Attr::Int(all.len() as i64 - 1));
        rewriting.add(node.name.clone(), &node.op, inputs, attrs).map(Some)
    })
}

/// The concatenations that only a concatenation along the same axis reads.
fn joined_later(graph: &Graph, kept: &[TensorRef]) -> Result<HashSet<TensorRef>> {
    let readers = graph.reader_counts();
    let kept: HashSet<TensorRef> = kept.iter().copied().collect();
    let is_only_read_here = |tensor: &TensorRef| readers[*tensor] == 1 && !kept.contains(tensor);
    let mut axes: HashMap<TensorRef, usize> = HashMap::new();
    let mut joined = HashSet::new();
    for (id, node) in graph.nodes() {
        let Some((parts, axis)) = concat(graph, node)? else { continue };
        let has_axis = |part: &&TensorRef| axes.get(*part) == Some(&axis);
        joined.extend(parts.iter().filter(has_axis).filter(|part| is_only_read_here(part)));
        axes.insert(id.into(), axis);
    }
    Ok(joined)
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

/// These tensors, each replaced by what it joins if it is one of `joined`.
fn parts(graph: &Graph, tensors: &[TensorRef], joined: &HashSet<TensorRef>) -> Vec<TensorRef> {
    let (mut all, mut open) = (vec![], tensors.to_vec());
    while let Some(tensor) = open.pop() {
        match graph.node(tensor.node).inputs.split_last().filter(|_| joined.contains(&tensor)) {
            Some((_, inner)) => open.extend(inner),
            None => all.push(tensor),
        }
    }
    all.reverse();
    all
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
    fn a_chain_of_concatenations_becomes_one_at_its_end() {
        let mut graph = crate::ops::new_graph();
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(&[2])))];
        let x = graph.add("x", "Placeholder", vec![], attrs.into()).unwrap().into();
        let value = Attr::Tensor(Constant::from_i32(vec![], &[0]));
        let axis = graph.add("axis", "Const", vec![], [("value", value)].into()).unwrap().into();
        let mut last: TensorRef = x;
        for name in ["first", "second", "third"] {
            last = graph.add(name, "ConcatV2", vec![last, x, axis], Attrs::new()).unwrap().into();
        }
        let (graph, moved) = join_concats(graph, &[last]).unwrap();
        let read = |name: &str| graph.node(graph.find(name).unwrap()).inputs.len();
        assert_eq!(["first", "second", "third"].map(read), [3, 3, 5]);
        assert_eq!(*graph.shape(moved.tensor(last).unwrap()), Shape::known(&[8]));
    }

    #[test]
    fn concatenations_along_another_axis_or_with_other_readers_stay() {
        assert_eq!(joined_by(0, false), ["a:0", "two:0", "a:0", "outer:0"]);
        assert_eq!(joined_by(1, true), ["a:0", "two:0", "a:0", "outer:0"]);
    }
}
