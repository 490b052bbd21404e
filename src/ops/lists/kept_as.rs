//! Whether the elements of a list are kept as parts of one tensor, which may have different lengths, or stacked, which takes equal ones.
//!
//! Most lists are stacked sooner or later, so that their elements have one shape also where it is not known. A list is kept as parts if
//! all that reads it can read parts, and the lengths of its elements are not known to be equal.

use hashbrown::HashSet;

use crate::graph::passed_tensors::PassedTensors;
use crate::graph::{TensorRef, TensorType};
use crate::lower::context::Lowering;
use crate::ops::lists::shape::is_written;

/// Ops that read elements of any lengths from the list that is their first input.
const READING: &[&str] = &["TensorListConcat", "TensorListConcatV2", "TensorListGetItem", "TensorListLength"];

/// If a new list is to be kept as parts: the type that it has with elements.
pub fn with_parts(cx: &mut Lowering<'_>, list: TensorRef) -> Option<TensorType> {
    let graph = cx.graph;
    let (mut open, mut seen) = (vec![list], HashSet::new());
    let (mut written, mut is_joined, mut are_read) = (None, false, false);
    while let Some(list) = open.pop() {
        if !seen.insert(list) {
            continue;
        }
        // What a function returns is read somewhere else.
        if cx.is_output(list) {
            return None;
        }
        let readers: Vec<_> = cx.readers(list).collect();
        for (id, reader) in readers {
            let passed =
                cx.passed_lists.get_or_insert_with(|| PassedTensors::new(graph.library(), same_list));
            let places = reader.inputs.iter().enumerate().filter(|&(_, &input)| input == list);
            for (index, _) in places {
                let uses = passed.uses(reader, index).ok()?;
                for (op, input) in uses.ops {
                    let reads = input == 0 && READING.contains(&op);
                    if !reads && same_list(op, input).is_empty() {
                        return None;
                    }
                    is_joined |= op.starts_with("TensorListConcat");
                    are_read |= matches!(op, "TensorListGetItem" | "TensorListPopBack");
                }
                open.extend(uses.results.into_iter().map(|port| TensorRef { node: id, port }));
            }
        }
        let known = graph.tensor_type(list);
        let is_open = known.shape.rank().is_none_or(|rank| rank > 1) && known.shape.dim(1).is_none();
        if is_open && (is_written(graph, list) || is_of_a_function(cx, list)) {
            written = Some(known.clone());
        }
    }
    // The elements may be scalars where their rank is not known, and these have no parts. Only joined elements have an axis.
    let written: TensorType = written?;
    let are_parts = is_joined || are_read && written.shape.rank().is_some();
    are_parts.then_some(written)
}

/// The outputs of a `_SwitchN`, each for a branch. Those of more branches are not followed.
const OF_BRANCHES: [usize; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// The outputs of an op that are the list that is its input, maybe with another element.
fn same_list(op: &str, input: usize) -> &'static [usize] {
    match (op, input) {
        ("Identity" | "TensorListPopBack" | "TensorListPushBack" | "TensorListSetItem", 0) => &[0],
        // Conditionals in functions, as TensorFlow 1 and Grappler write them.
        ("Switch" | "RefSwitch", 0) => &[0, 1],
        ("_SwitchN", 0) => &OF_BRANCHES,
        ("Merge", _) => &[0],
        _ => &[],
    }
}

/// Whether functions make a list, which they may have written.
fn is_of_a_function(cx: &Lowering<'_>, list: TensorRef) -> bool {
    cx.producer(list).called_functions().next().is_some()
}
