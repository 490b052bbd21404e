//! What is known of TensorFlow's ops: their rows, in the folder of each family.
//!
//! A row names the function that infers the types of an op's outputs (`shape`), the check of its inputs (`check`), the function that
//! writes it as ONNX (`lower`), how it treats complex numbers (`complex`), those that evaluate it (`fold` for constants, `eval` for whole graphs), and whether it may compute in
//! float16. Evaluation is written independently of lowering, because it judges lowering. TensorFlow's own definition of an op, with
//! its inputs, attributes and their types, is in [`crate::graph::op_definition`].
//!
//! Ops with the same rules, such as the versions of an op, share a row. A function that serves several rows gets what differs between
//! them as an argument from the row, and does not look at the name of the op.

mod array;
mod bits;
mod checks;
mod complex;
mod control;
mod image;
mod indices;
pub(crate) mod infer;
mod linalg;
mod lists;
mod lowering;
mod math;
mod matrix;
mod missing;
mod nn;
mod quantize;
mod random;
mod recurrent;
mod reduce;
mod refused;
mod search;
mod signal;
mod sparse;
mod special;
mod strings;
mod update;
mod xla;

use std::sync::LazyLock;

use hashbrown::HashMap;

pub use array::eval::order::is_tied;
pub use infer::output_types;
use infer::{InferenceFunction, Inputs};
pub use lowering::lower;
pub use missing::missing_ops;
pub use strings::lower::text::{JOINS_TEXTS, has_digits_of_runtime};

use crate::error::Result;
use crate::graph::{Graph, Library, Limits, Node, own_ops};
use crate::lower::Handler;
use crate::proto::FunctionDefLibrary;
use crate::tensor::Tensor;

/// Refuses a node whose inputs its op does not accept, and names the input and its mistake.
type Check = fn(&Inputs<'_>, &Node) -> Result<()>;

/// Computes one node from its inputs; `None` for inputs that it is not evaluated for.
pub type Evaluator = fn(&Node, &[&Tensor]) -> Option<Vec<Tensor>>;

/// Counts the elements that a node makes of its inputs, at least; `None` if there are more than can be counted.
type ElementCount = fn(&[&Tensor]) -> Option<usize>;

/// How a node that reads or computes complex numbers is written.
#[derive(Clone, Copy)]
enum Complex {
    /// It is not.
    Refused,
    /// As for real numbers, once for each part.
    ByParts,
    /// As a node of real numbers: its function knows both.
    Alike,
    /// By a function of its own.
    By(Handler),
}

/// The row of a TensorFlow op.
#[derive(Clone, Copy)]
pub struct Op {
    /// TensorFlow's name of the op.
    pub name: &'static str,
    /// The other ops that its row describes.
    also: &'static [&'static str],
    shape: Option<InferenceFunction>,
    check: Option<Check>,
    lower: Option<Handler>,
    complex: Complex,
    /// The reason why it is not written as ONNX.
    not_lowered: &'static str,
    /// What to do without it, if nothing can stand for it in ONNX.
    pub instead: &'static str,
    /// The ONNX operators that it becomes, the most important one first. Empty if it leaves no node.
    pub onnx: &'static [&'static str],
    /// The first operator set that has these operators as they are used.
    pub since: i64,
    /// A part that is not converted, or a difference from TensorFlow.
    pub note: &'static str,
    /// The inputs, by TensorFlow's name of them, that must be known before the model runs, each with the reason. All others may be
    /// computed by the model.
    pub constants: &'static [(&'static str, &'static str)],
    fold: Option<Evaluator>,
    eval: Option<Evaluator>,
    makes: Option<ElementCount>,
    /// Whether it may compute in float16. Ops that multiply, add, compare or move elements lose no more digits than their inputs
    /// have lost already. Ops that choose, search, resize or sum up stay in float32.
    pub float16: bool,
}

/// An op without any rules yet.
const fn op(name: &'static str) -> Op {
    let since = *crate::lower::OPSETS.start();
    let (shape, check, lower, fold, eval, makes) = (None, None, None, None, None, None);
    Op {
        name,
        also: &[],
        shape,
        check,
        lower,
        complex: Complex::Refused,
        not_lowered: "",
        instead: "",
        onnx: &[],
        since,
        note: "",
        constants: &[],
        fold,
        eval,
        makes,
        float16: false,
    }
}

/// An op without any rules yet that takes complex numbers and treats their parts alike: it moves elements, or adds them.
const fn by_parts(name: &'static str) -> Op {
    Op { complex: Complex::ByParts, ..op(name) }
}

/// Where an op has a parameter: one version as an attribute, another version as an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parameter {
    Attribute,
    Input(usize),
}

impl Op {
    /// Other ops with the same rules: later versions, and names for other uses.
    const fn also(self, names: &'static [&'static str]) -> Self {
        Self { also: names, ..self }
    }

    /// Sets the function that infers the types of its outputs.
    const fn shape(self, infer: InferenceFunction) -> Self {
        Self { shape: Some(infer), ..self }
    }

    /// Sets the check of its inputs, in addition to the inference of shapes.
    const fn check(self, check: Check) -> Self {
        Self { check: Some(check), ..self }
    }

    /// Sets the function that writes it as ONNX, and the operators that this function uses.
    const fn lower(self, handler: Handler, onnx: &'static [&'static str]) -> Self {
        Self { lower: Some(handler), onnx, ..self }
    }

    /// Lets it take complex numbers, which its function knows.
    const fn complex_too(self) -> Self {
        Self { complex: Complex::Alike, ..self }
    }

    /// Sets the function that writes it for complex numbers.
    const fn complex(self, handler: Handler) -> Self {
        Self { complex: Complex::By(handler), ..self }
    }

    /// Sets the reason why it is not written as ONNX.
    const fn not_lowered(self, why: &'static str) -> Self {
        Self { not_lowered: why, ..self }
    }

    /// Sets the reason why ONNX cannot say what it does, and what to do instead.
    const fn refused(self, why: &'static str, instead: &'static str) -> Self {
        Self { not_lowered: why, instead, ..self }
    }

    /// Sets the first operator set that has its operators.
    const fn since(self, opset: i64) -> Self {
        Self { since: opset, ..self }
    }

    /// Sets the note in the table of supported ops.
    const fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    /// Sets the inputs that must be known before the model runs, and the reasons.
    const fn constants(self, inputs: &'static [(&'static str, &'static str)]) -> Self {
        Self { constants: inputs, ..self }
    }

    /// Sets the function that computes its outputs, also for constants during a conversion, such as shapes and masks.
    const fn fold(self, evaluator: Evaluator) -> Self {
        Self { fold: Some(evaluator), ..self }
    }

    /// Sets the function that computes its outputs for the comparison with the model.
    const fn eval(self, evaluator: Evaluator) -> Self {
        Self { eval: Some(evaluator), ..self }
    }

    /// How many elements it makes, for an op that makes many of few.
    const fn makes(self, count: ElementCount) -> Self {
        Self { makes: Some(count), ..self }
    }

    /// Lets it compute in float16.
    const fn float16(self) -> Self {
        Self { float16: true, ..self }
    }

    /// The names of the ops that the row describes.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.also.iter().copied())
    }

    /// The reason why it is not written as ONNX; empty if it is.
    pub fn reason(&self) -> &'static str {
        self.not_lowered
    }

    /// The function that computes it from constants.
    pub fn folder(&self) -> Option<Evaluator> {
        self.fold
    }

    /// The functions that compute it, each for other inputs.
    pub fn evaluators(&self) -> impl Iterator<Item = Evaluator> {
        self.fold.into_iter().chain(self.eval)
    }
}

/// The rows of all families.
const FAMILIES: &[&[Op]] = &[
    array::OPS,
    bits::OPS,
    control::OPS,
    image::OPS,
    indices::OPS,
    linalg::OPS,
    lists::OPS,
    math::OPS,
    matrix::OPS,
    nn::OPS,
    quantize::OPS,
    random::OPS,
    recurrent::OPS,
    reduce::OPS,
    refused::OPS,
    search::OPS,
    complex::OPS,
    signal::OPS,
    sparse::OPS,
    special::OPS,
    strings::OPS,
    update::OPS,
    xla::OPS,
];

/// All ops by name, also those that share a row.
static OPS: LazyLock<HashMap<&str, Op>> = LazyLock::new(|| {
    let rows = FAMILIES.iter().copied().flatten();
    rows.flat_map(|row| row.names().map(|name| (name, Op { name, ..*row }))).collect()
});

/// All ops that can be converted, in no particular order.
pub fn supported_ops() -> impl Iterator<Item = &'static Op> {
    OPS.values().filter(|op| op.lower.is_some() && !own_ops::ALL.contains(&op.name))
}

/// All ops that ONNX cannot express, in no particular order.
pub fn refused_ops() -> impl Iterator<Item = &'static Op> {
    OPS.values().filter(|op| !op.instead.is_empty())
}

/// The row of the op of this name.
pub fn find(op: &str) -> Option<&'static Op> {
    OPS.get(op)
}

/// The op of this name, if it can be converted.
pub fn supported(op: &str) -> Option<&'static Op> {
    find(op).filter(|op| op.lower.is_some())
}

/// How many elements a node makes at least, if its op makes many of few inputs.
pub fn elements_made(node: &Node, inputs: &[&Tensor]) -> Option<usize> {
    let count = find(&node.op)?.makes?;
    Some(count(inputs).unwrap_or(usize::MAX))
}

/// The ONNX operator that does the work of a node's op.
pub fn operator(node: &Node) -> &'static str {
    find(&node.op).and_then(|op| op.onnx.first().copied()).unwrap_or_default()
}

/// An empty graph that infers types as TensorFlow does.
pub fn new_graph() -> Graph {
    Graph::new(output_types)
}

/// An empty graph of a conversion that makes no more than `limits`.
pub fn new_graph_within(limits: Limits) -> Graph {
    Graph::with_library(Library::new(&FunctionDefLibrary::default(), output_types, limits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::op_definition::OpDefinition;

    #[test]
    fn no_op_is_listed_twice() {
        let mut names: Vec<&str> = FAMILIES.iter().copied().flatten().flat_map(Op::names).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_row_is_whole() {
        for op in FAMILIES.iter().copied().flatten() {
            assert!(op.shape.is_some(), "{} does not say what its outputs are", op.name);
            assert_ne!(
                op.lower.is_some(),
                !op.not_lowered.is_empty(),
                "{} is lowered, or says why not",
                op.name
            );
        }
    }

    #[test]
    fn rows_begin_with_the_first_operator_set_that_has_their_operators() {
        for op in FAMILIES.iter().copied().flatten() {
            // The others may be for a part of its inputs.
            let main = op.onnx.first().filter(|name| !crate::lower::REPLACED.contains(name));
            let Some(name) = main else { continue };
            let first = crate::onnx::operators::first_opset(name).unwrap_or(op.since);
            assert!(op.since >= first, "{} becomes {name}, which ONNX has from {first} on", op.name);
        }
    }

    #[test]
    fn rows_have_the_names_of_tensorflows_registry() {
        let names = FAMILIES.iter().copied().flatten().flat_map(Op::names);
        let unknown: Vec<&str> =
            names.filter(|name| !own_ops::ALL.contains(name) && OpDefinition::find(name).is_none()).collect();
        // The first is made while a graph is built, the other is TF.js's own.
        assert_eq!(unknown, ["_SwitchN", "LogicalXor"]);
        assert!(unknown.into_iter().all(|op| OpDefinition::find_unlisted(op).is_some()));
    }

    #[test]
    fn inputs_that_must_be_known_are_those_of_the_definitions() {
        for op in OPS.values() {
            for (name, _) in op.constants {
                // Other versions of the op may have it as an attribute.
                let has = |op: &str| {
                    OpDefinition::find(op).is_some_and(|op| op.inputs().any(|input| input.name == *name))
                };
                assert!(
                    FAMILIES.iter().copied().flatten().any(|row| row.names().any(has)),
                    "{} {name}",
                    op.name
                );
            }
        }
    }

    #[test]
    fn rows_are_in_the_order_of_their_names() {
        for family in FAMILIES {
            let names = family.iter().map(|op| op.name).filter(|name| !own_ops::ALL.contains(name));
            assert!(names.map(str::to_lowercase).is_sorted(), "{}", family[0].name);
            assert!(family.iter().all(|op| op.also.is_sorted()), "{}", family[0].name);
        }
    }
}
