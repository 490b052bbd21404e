//! Products of many complex numbers: of matrices, and of the elements along an axis.

use super::arithmetic::{Pair, both, formula, size};
use super::functions::argument;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::Value;
use crate::ops::Handler;

/// A matrix as a factor. An adjoint matrix is conjugated, and a transposed one is not.
fn factor<'f>([real, imaginary]: Pair<'f>, is_turned: bool, is_adjoint: bool) -> Pair<'f> {
    match is_turned {
        true if is_adjoint => [real.transposed(), -&imaginary.transposed()],
        true => [real.transposed(), imaginary.transposed()],
        false => [real, imaginary],
    }
}

/// Four products of real matrices. The attributes `flags` turn the factors, which are conjugated then if `is_adjoint`.
pub fn of_matrices(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    flags: [&str; 2],
    is_adjoint: bool,
) -> Result<()> {
    both(cx, node, &|_, a, b| {
        let [c, d] = factor(b, node.bool(flags[1], false), is_adjoint);
        let [a, b] = factor(a, node.bool(flags[0], false), is_adjoint);
        [a.matmul(&c) - b.matmul(&d), a.matmul(&d) + b.matmul(&c)]
    })
}

/// Four sums of products of real numbers; of one operand a sum for each part, by the handler for real numbers.
pub fn einsum(cx: &mut Lowering<'_>, node: NodeRef<'_>, real: Handler) -> Result<()> {
    if node.inputs.len() == 1 {
        return cx.by_parts(node, real);
    }
    let equation = node.text("equation").unwrap_or_default();
    both(cx, node, &|_, [a, b], [c, d]| {
        [
            a.einsum(equation, &[&c]) - b.einsum(equation, &[&d]),
            a.einsum(equation, &[&d]) + b.einsum(equation, &[&c]),
        ]
    })
}

/// A product of elements: the product of their sizes, which `product` writes, with the sum of their angles, which `sum` writes.
pub fn of_elements(cx: &mut Lowering<'_>, node: NodeRef<'_>, product: Handler, sum: Handler) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (parts, dtype) = (cx.parts(node, input)?, cx.dtype(input));
    let f = formula(cx, node, dtype);
    let number = parts.map(|part| f.value(part));
    let size = size(&number).name;
    let [a, b] = number;
    let polar = [size, argument(a, b).name];
    for (output, [size, angle]) in cx.with_parts(node, &[(input, polar)], [product, sum])? {
        let f = formula(cx, node, dtype);
        let (size, angle): (Value<'_>, Value<'_>) = (f.value(size), f.value(angle));
        let parts = [&size * angle.cos(), size * angle.sin()].map(|value| value.name);
        cx.set_parts(node, output, parts);
    }
    Ok(())
}
