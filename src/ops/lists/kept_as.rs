//! Whether the elements of a list are kept as parts of one tensor, which may have different lengths, or stacked, which takes equal ones.
//!
//! Most lists are stacked sooner or later, so that their elements have one shape also where it is not known. A list is kept as parts if
//! all that reads it can read parts, and the lengths of its elements are not known to be equal.

use hashbrown::HashSet;

use crate::graph::{Node, TensorRef, TensorType};
use crate::lower::context::Lowering;
use crate::ops::lists::shape::is_written;

/// Ops whose result is the list that is their first input, with another element.
const FORWARDING: &[&str] = &["Identity", "TensorListPushBack", "TensorListSetItem"];
/// Ops that read elements of any lengths from a list.
const READING: &[&str] = &["TensorListConcat", "TensorListConcatV2", "TensorListGetItem", "TensorListLength"];

/// If a new list is to be kept as parts: the type that it has with elements.
pub fn with_parts(cx: &mut Lowering<'_>, list: TensorRef) -> Option<TensorType> {
    let graph = cx.graph;
    let (mut open, mut seen, mut loops) = (vec![list], HashSet::new(), vec![]);
    let (mut written, mut is_joined, mut are_read) = (None, false, false);
    while let Some(list) = open.pop() {
        if !seen.insert(list) {
            continue;
        }
        // What a function returns is read somewhere else.
        if cx.is_output(list) {
            return None;
        }
        for (id, reader) in cx.readers(list) {
            let places = reader.inputs.iter().enumerate().filter(|&(_, &input)| input == list);
            for (index, _) in places {
                match reader.op.as_str() {
                    op if index == 0 && FORWARDING.contains(&op) => open.push(id.into()),
                    op if index == 0 && READING.contains(&op) => {
                        is_joined |= op.starts_with("TensorListConcat");
                        are_read |= op == "TensorListGetItem";
                    }
                    "TensorListPopBack" if index == 0 => {
                        open.push(id.into());
                        are_read = true;
                    }
                    "While" | "StatelessWhile" => {
                        open.push(TensorRef { node: id, port: index });
                        loops.push((reader, index));
                    }
                    _ => return None,
                }
            }
        }
        let known = graph.tensor_type(list);
        let is_open = known.shape.rank().is_none_or(|rank| rank > 1) && known.shape.dim(1).is_none();
        if is_open && (is_written(graph, list) || cx.producer(list).op.contains("While")) {
            written = Some(known.clone());
        }
    }
    let written = written?;
    for (node, index) in loops {
        are_read |= read_in_loop(cx, node, index)?;
    }
    // The elements may be scalars where their rank is not known, and these have no parts. Only joined elements have an axis.
    let are_parts = is_joined || are_read && written.shape.rank().is_some();
    are_parts.then_some(written)
}

/// Whether a loop reads elements of a list; `None` if it does anything with them that needs them stacked.
fn read_in_loop(cx: &mut Lowering<'_>, node: &Node, index: usize) -> Option<bool> {
    let mut are_read = false;
    for function in ["body", "cond"] {
        for op in cx.readers_in(node.function(function).ok()?).ok()?.ops_reading(index, FORWARDING) {
            are_read |= op != "TensorListLength";
            if !READING.contains(&op) {
                return None;
            }
        }
    }
    Some(are_read)
}
