//! Products summed along axes.
//!
//! Sources: "DotGeneral" in <https://openxla.org/xla/operation_semantics>; Einsum in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{Node, NodeRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::onnx::{Attribute, Attributes};
use crate::ops::xla::dimensions::{self, others};
use crate::proto::xla::DotDimensionNumbers;
use crate::tensor::DType;

/// What the axes of both factors are for.
pub struct Roles {
    /// The axes that they share with the result, in pairs.
    pub batch: [Vec<usize>; 2],
    /// The axes that are summed along, in pairs.
    pub summed: [Vec<usize>; 2],
}

impl Roles {
    /// Those in the attribute of a node, whose inputs have these ranks.
    ///
    /// # Errors
    /// If an input does not have such axes.
    pub fn of(node: &Node, ranks: [usize; 2]) -> Result<Self> {
        let numbers: DotDimensionNumbers = dimensions::of(node)?;
        let left = [&numbers.lhs_batch_dimensions[..], &numbers.lhs_contracting_dimensions].concat();
        let right = [&numbers.rhs_batch_dimensions[..], &numbers.rhs_contracting_dimensions].concat();
        let (left, right) =
            (dimensions::axes(node, &left, ranks[0])?, dimensions::axes(node, &right, ranks[1])?);
        let batch = numbers.lhs_batch_dimensions.len();
        if numbers.rhs_batch_dimensions.len() != batch || left.len() != right.len() {
            return Err(
                node.error("its dimension_numbers do not name the same number of axes of both factors")
            );
        }
        let split = |axes: Vec<usize>| (axes[..batch].to_vec(), axes[batch..].to_vec());
        let (left, right) = (split(left), split(right));
        Ok(Self { batch: [left.0, right.0], summed: [left.1, right.1] })
    }

    /// The axes of a factor that only the result has.
    pub fn free(&self, factor: usize, rank: usize) -> impl Iterator<Item = usize> {
        let named = [&self.batch[factor][..], &self.summed[factor]].concat();
        others(&named, rank).collect::<Vec<_>>().into_iter()
    }
}

pub fn dot(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let factors = [cx.input_of(node, 0)?, cx.input_of(node, 1)?];
    let ranks = [cx.rank(node, factors[0])?, cx.rank(node, factors[1])?];
    let roles = Roles::of(&node, ranks)?;
    let letters: Vec<char> = ('a'..='z').chain('A'..='Z').collect();
    let mut letters = letters.into_iter();
    let mut terms = ranks.map(|rank| vec!['?'; rank]);
    let mut result = vec![];
    let too_many = || node.error("its factors have more axes than Einsum has letters").unsupported();
    for [left, right] in [&roles.batch, &roles.summed] {
        for (&left, &right) in left.iter().zip(right) {
            let letter = letters.next().ok_or_else(too_many)?;
            (terms[0][left], terms[1][right]) = (letter, letter);
        }
    }
    result.extend(roles.batch[0].iter().map(|&axis| terms[0][axis]));
    for factor in 0..2 {
        for axis in roles.free(factor, ranks[factor]) {
            let letter = letters.next().ok_or_else(too_many)?;
            terms[factor][axis] = letter;
            result.push(letter);
        }
    }
    let [left, right, result] = [&terms[0], &terms[1], &result].map(|term| term.iter().collect::<String>());
    let attributes = vec![("equation", Attribute::Text(format!("{left},{right}->{result}")))];
    let dtype = computed_dtype(cx, node);
    let [left, right] = factors.map(|factor| cx.in_type(node, factor, dtype));
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    emit_computed(cx, node, ("Einsum", attributes), vec![left?, right?], (dtype, layout));
    Ok(())
}

/// The type to multiply the first two inputs in: a product of bytes may be int32, and a narrower result is rounded at the end.
pub fn computed_dtype(cx: &Lowering<'_>, node: NodeRef<'_>) -> DType {
    let factors = node.inputs.iter().take(2).map(|&factor| cx.dtype(factor));
    let wanted = cx.dtype(node.into());
    [wanted].into_iter().chain(factors).max_by_key(|dtype| dtype.size()).unwrap_or(wanted)
}

/// Records the result of an operator that computes in a type.
pub fn emit_computed(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    (op, attributes): (&'static str, Attributes),
    inputs: Vec<String>,
    (dtype, layout): (DType, Layout),
) {
    if dtype == cx.dtype(node.into()) {
        cx.emit(node, op, inputs, layout, attributes);
    } else {
        let product = cx.step(node, "product", op, inputs, attributes);
        cx.emit_cast(node, product, layout);
    }
}
