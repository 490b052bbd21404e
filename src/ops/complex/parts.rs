//! Complex numbers of real ones, and real numbers of complex ones.

use super::arithmetic::{each, formula};
use super::functions::argument;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::complex::Parts;
use crate::lower::context::Lowering;
use crate::ops::Handler;

/// Between complex types, from real numbers, or to the real part.
pub fn cast(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (from, to) = (cx.dtype(input), cx.dtype(node.into()));
    let parts: Parts = if from.is_complex() {
        cx.parts(node, input)?
    } else {
        let name = cx.in_tensorflow_layout(input)?;
        let real = cx.cast(node, name, to.part());
        let f = formula(cx, node, to);
        let imaginary = f.value(real.clone()).zeros().name;
        [real, imaginary]
    };
    let parts = if from.is_complex() { parts.map(|part| cx.cast(node, part, to.part())) } else { parts };
    if to.is_complex() {
        cx.set_parts(node, node.into(), parts);
    } else {
        let layout = Layout::tensorflow_of(cx.shape(node.into()));
        let [real, _] = parts;
        cx.emit(node, "Identity", vec![real], layout, vec![]);
    }
    Ok(())
}

/// The transpose that `transpose` writes, with the other sign of the imaginary part.
pub fn conjugate_transpose(cx: &mut Lowering<'_>, node: NodeRef<'_>, transpose: Handler) -> Result<()> {
    cx.by_parts(node, transpose)?;
    let [real, imaginary] = cx.parts(node, node.into())?;
    let imaginary = cx.step(node, "negated", "Neg", vec![imaginary], vec![]);
    cx.set_parts(node, node.into(), [real, imaginary]);
    Ok(())
}

/// A complex number of two real ones, which broadcast.
pub fn complex(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [a, b] = [cx.input_of(node, 0)?, cx.input_of(node, 1)?];
    let parts = [cx.in_tensorflow_layout(a)?, cx.in_tensorflow_layout(b)?];
    let are_alike = cx.shape(a).fully_known().is_some() && cx.shape(a) == cx.shape(b);
    let parts = if are_alike {
        parts
    } else {
        let f = formula(cx, node, cx.dtype(a));
        let [real, imaginary] = parts.map(|part| f.value(part));
        [&real * (imaginary.zeros() + 1.0), imaginary * (real.zeros() + 1.0)].map(|value| value.name)
    };
    cx.set_parts(node, node.into(), parts);
    Ok(())
}

pub fn absolute(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let name = cx.in_tensorflow_layout(input)?;
    // The parts are behind the axes of the numbers.
    let axis = cx.shape(input).rank().map_or(-1, |rank| rank as i64);
    let (inputs, attributes) = cx.reduction(node, name, &[axis], false);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "ReduceL2", inputs, layout, attributes);
    Ok(())
}

/// The real part, with the index 0, or the imaginary part, with 1.
pub fn part(cx: &mut Lowering<'_>, node: NodeRef<'_>, index: usize) -> Result<()> {
    let parts = cx.parts(node, cx.input_of(node, 0)?)?;
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Identity", vec![parts[index].clone()], layout, vec![]);
    Ok(())
}

pub fn conjugate(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    each(cx, node, &|_, [real, imaginary]| [real, -&imaginary])
}

/// The angle of a complex number, from -π to π.
pub fn angle(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (parts, dtype) = (cx.parts(node, input)?, cx.dtype(input));
    let f = formula(cx, node, dtype);
    let [x, y] = parts.map(|part| f.value(part));
    let angle = argument(x, y).name;
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit_cast(node, angle, layout);
    Ok(())
}
