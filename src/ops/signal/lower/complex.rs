//! Arithmetic with complex numbers, whose parts are two tensors.
//!
//! Sources: `tf.math` in TensorFlow's API documentation.

use std::f64::consts::PI;

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::complex::Parts;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Value};
use crate::lower::steps::Steps;
use crate::ops::array::lower::order::transpose;
use crate::tensor::DType;

type Handler = fn(&mut Lowering<'_>, NodeRef<'_>) -> Result<()>;

/// The ops that treat both parts alike: those that move elements, and sums of them.
const BY_PARTS: &[&str] = &[
    "Add",
    "AddN",
    "AddV2",
    "BatchToSpaceND",
    "BroadcastTo",
    "Concat",
    "ConcatV2",
    "Cumsum",
    "DepthToSpace",
    "DynamicPartition",
    "DynamicStitch",
    "EnsureShape",
    "ExpandDims",
    "Fill",
    "Gather",
    "GatherNd",
    "GatherV2",
    "Identity",
    "IdentityN",
    "MatrixBandPart",
    "MatrixDiag",
    "MatrixDiagPart",
    "Mean",
    "MirrorPad",
    "Neg",
    "Pack",
    "Pad",
    "Reshape",
    "ReverseV2",
    "Roll",
    "Select",
    "SelectV2",
    "Slice",
    "Snapshot",
    "SpaceToBatchND",
    "Split",
    "SplitV",
    "Squeeze",
    "StopGradient",
    "StridedSlice",
    "Sub",
    "Sum",
    "Tile",
    "Transpose",
    "Unpack",
    "Rank",
    "Shape",
    "ShapeN",
    "Size",
    "SpaceToDepth",
    "ZerosLike",
];

/// The ops of this family, and those that pass tensors on to functions.
const OWN: &[&str] = &[
    "Angle",
    "Case",
    "Complex",
    "ComplexAbs",
    "Conj",
    "Const",
    "If",
    "Imag",
    "PartitionedCall",
    "Placeholder",
    "PlaceholderWithDefault",
    "Real",
    "StatefulPartitionedCall",
    "StatelessCase",
    "StatelessIf",
    "StatelessWhile",
    "While",
];

/// Writes a node that reads or computes complex numbers.
pub fn lower(cx: &mut Lowering<'_>, node: NodeRef<'_>, real: Handler) -> Result<()> {
    let op = node.op.as_str();
    if OWN.contains(&op) || op.contains("FFT") {
        return real(cx, node);
    }
    if BY_PARTS.contains(&op) {
        return cx.by_parts(node, real);
    }
    match op {
        "BatchMatMul" | "BatchMatMulV2" | "BatchMatMulV3" => {
            matrix_product(cx, node, ["adj_x", "adj_y"], true)
        }
        "Cast" => cast(cx, node),
        "ConjugateTranspose" => conjugate_transpose(cx, node),
        "Div" | "RealDiv" => both(cx, node, |_, [a, b], [c, d]| quotient([a, b], [c, d])),
        "Einsum" if node.inputs.len() == 1 => cx.by_parts(node, real),
        "Einsum" => sum_of_products(cx, node),
        "Equal" | "NotEqual" => equal(cx, node),
        "Cos" => each(cx, node, |_, [a, b]| [a.cos() * b.cosh(), -&(a.sin() * b.sinh())]),
        "Cosh" => each(cx, node, |_, [a, b]| [a.cosh() * b.cos(), a.sinh() * b.sin()]),
        "Exp" => each(cx, node, |_, [a, b]| [a.exp() * b.cos(), a.exp() * b.sin()]),
        "Expm1" => each(cx, node, |_, [a, b]| [a.exp() * b.cos() - 1.0, a.exp() * b.sin()]),
        "Inv" | "Reciprocal" => each(cx, node, |f, [a, b]| quotient([f.number(1.0), f.number(0.0)], [a, b])),
        "Log" => each(cx, node, |_, [a, b]| logarithm(a, b)),
        "Log1p" => each(cx, node, |_, [a, b]| logarithm(a + 1.0, b)),
        "MatMul" => matrix_product(cx, node, ["transpose_a", "transpose_b"], false),
        "Mul" => both(cx, node, |_, [a, b], [c, d]| [&a * &c - &b * &d, a * d + b * c]),
        "OnesLike" => each(cx, node, |_, [a, b]| [a.zeros() + 1.0, b.zeros()]),
        "Pow" => both(cx, node, power),
        "Rsqrt" => each(cx, node, |f, [a, b]| quotient([f.number(1.0), f.number(0.0)], square_root(&a, &b))),
        "Sigmoid" => each(cx, node, |f, [a, b]| {
            let (size, turn) = ((-&a).exp(), -&b);
            quotient([f.number(1.0), f.number(0.0)], [&size * turn.cos() + 1.0, size * turn.sin()])
        }),
        "Sin" => each(cx, node, |_, [a, b]| [a.sin() * b.cosh(), a.cos() * b.sinh()]),
        "Sinh" => each(cx, node, |_, [a, b]| [a.sinh() * b.cos(), a.cosh() * b.sin()]),
        "Sqrt" => each(cx, node, |_, [a, b]| square_root(&a, &b)),
        "Square" => each(cx, node, |_, [a, b]| [&a * &a - &b * &b, a * b * 2.0]),
        "SquaredDifference" => both(cx, node, |_, [a, b], [c, d]| {
            let (real, imaginary) = (a - c, b - d);
            [&real * &real + &imaginary * &imaginary, real.zeros()]
        }),
        "Tan" => each(cx, node, |_, [a, b]| {
            let [real, imaginary] = tanh(-&b, a);
            [imaginary, -&real]
        }),
        "Tanh" => each(cx, node, |_, [a, b]| tanh(a, b)),
        _ => Err(node.error("it is converted for real numbers, and not for complex ones").unsupported()),
    }
}

/// The root with a real part that is not negative.
fn square_root<'f>(a: &Value<'f>, b: &Value<'f>) -> [Value<'f>; 2] {
    let larger = ((a.abs() + (a * a + b * b).sqrt()) * 0.5).sqrt();
    let is_zero = larger.is(0.0);
    let smaller = is_zero.choose(0.0, b.abs() * 0.5 / is_zero.choose(1.0, &larger));
    let is_left = a.less(0.0);
    let (real, size) = (is_left.choose(&smaller, &larger), is_left.choose(&larger, &smaller));
    let imaginary = b.less(0.0).choose(-&size, size);
    [real, imaginary]
}

/// tanh(a + bi), by the hyperbolic tangent of one part and the tangent of the other.
fn tanh<'f>(a: Value<'f>, b: Value<'f>) -> [Value<'f>; 2] {
    let (tanh, tan) = (a.tanh(), b.tan());
    let (square, slope) = (&tanh * &tanh, &tan * &tan);
    let divisor = &square * &slope + 1.0;
    [tanh * (slope + 1.0) / &divisor, tan * (1.0 - square) / divisor]
}

/// The logarithm of the size, and the angle.
fn logarithm<'f>(a: Value<'f>, b: Value<'f>) -> [Value<'f>; 2] {
    let (width, height) = (a.abs(), b.abs());
    let largest = width.max(&height);
    let ratio = largest.is(0.0).choose(0.0, width.min(&height) / &largest);
    let size = largest.log() + (&ratio * &ratio + 1.0).log() * 0.5;
    [size, argument(a, b)]
}

/// The first number to the power of the second one. Zero stays zero, unless the power is zero.
fn power<'f>(f: &'f Formula<'_, '_, '_>, [a, b]: [Value<'f>; 2], [c, d]: [Value<'f>; 2]) -> [Value<'f>; 2] {
    let is_zero = a.is(0.0).and(&b.is(0.0));
    let of_zero = c.is(0.0).and(&d.is(0.0)).choose(1.0, 0.0);
    let [size, angle] = logarithm(is_zero.choose(1.0, a), b);
    let (exponent, turn) = (&c * &size - &d * &angle, c * angle + d * size);
    let length = exponent.exp();
    let none = f.number(0.0);
    [is_zero.choose(of_zero, &length * turn.cos()), is_zero.choose(none, length * turn.sin())]
}

/// (a + bi) / (c + di).
fn quotient<'f>([a, b]: [Value<'f>; 2], [c, d]: [Value<'f>; 2]) -> [Value<'f>; 2] {
    let size = &c * &c + &d * &d;
    [(&a * &c + &b * &d) / &size, (b * c - a * d) / size]
}

fn formula<'c, 'g, 'n>(cx: &'c mut Lowering<'g>, node: NodeRef<'n>, dtype: DType) -> Formula<'c, 'g, 'n> {
    Formula::new(Steps { cx, node }, dtype.part())
}

/// A function of one complex number.
pub fn each(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    compute: impl for<'f> Fn(&'f Formula<'_, '_, '_>, [Value<'f>; 2]) -> [Value<'f>; 2],
) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (parts, dtype) = (cx.parts(node, input)?, cx.dtype(input));
    let f = formula(cx, node, dtype);
    let results = compute(&f, parts.map(|part| f.value(part))).map(|value| value.name);
    cx.set_parts(node, node.into(), results);
    Ok(())
}

/// A function of two complex numbers.
fn both(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    compute: impl for<'f> Fn(&'f Formula<'_, '_, '_>, [Value<'f>; 2], [Value<'f>; 2]) -> [Value<'f>; 2],
) -> Result<()> {
    let [a, b] = [cx.input_of(node, 0)?, cx.input_of(node, 1)?];
    let (first, second, dtype) = (cx.parts(node, a)?, cx.parts(node, b)?, cx.dtype(a));
    let f = formula(cx, node, dtype);
    let results = compute(&f, first.map(|part| f.value(part)), second.map(|part| f.value(part)));
    let results = results.map(|value| value.name);
    cx.set_parts(node, node.into(), results);
    Ok(())
}

/// Whether both parts are equal.
fn equal(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [a, b] = [cx.input_of(node, 0)?, cx.input_of(node, 1)?];
    let (first, second) = (cx.parts(node, a)?, cx.parts(node, b)?);
    let mut steps = Steps { cx, node };
    let real = steps.op("Equal", &[&first[0], &second[0]]);
    let imaginary = steps.op("Equal", &[&first[1], &second[1]]);
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    if node.op == "Equal" {
        cx.emit(node, "And", vec![real, imaginary], layout, vec![]);
    } else {
        let are_equal = steps.op("And", &[&real, &imaginary]);
        cx.emit(node, "Not", vec![are_equal], layout, vec![]);
    }
    Ok(())
}

/// Between complex types, from real numbers, or to the real part.
fn cast(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
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

fn conjugate_transpose(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    cx.by_parts(node, transpose)?;
    let [real, imaginary] = cx.parts(node, node.into())?;
    let imaginary = cx.step(node, "negated", "Neg", vec![imaginary], vec![]);
    cx.set_parts(node, node.into(), [real, imaginary]);
    Ok(())
}

/// A matrix as a factor. An adjoint matrix is conjugated, and a transposed one is not.
fn factor<'f>([real, imaginary]: [Value<'f>; 2], is_turned: bool, is_adjoint: bool) -> [Value<'f>; 2] {
    match is_turned {
        true if is_adjoint => [real.transposed(), -&imaginary.transposed()],
        true => [real.transposed(), imaginary.transposed()],
        false => [real, imaginary],
    }
}

/// Four products of real matrices.
fn matrix_product(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    flags: [&str; 2],
    is_adjoint: bool,
) -> Result<()> {
    both(cx, node, |_, a, b| {
        let [c, d] = factor(b, node.bool(flags[1], false), is_adjoint);
        let [a, b] = factor(a, node.bool(flags[0], false), is_adjoint);
        [a.matmul(&c) - b.matmul(&d), a.matmul(&d) + b.matmul(&c)]
    })
}

/// Four sums of products of real numbers.
fn sum_of_products(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let equation = node.text("equation").unwrap_or_default();
    both(cx, node, |_, [a, b], [c, d]| {
        [
            a.einsum(equation, &[&c]) - b.einsum(equation, &[&d]),
            a.einsum(equation, &[&d]) + b.einsum(equation, &[&c]),
        ]
    })
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
    each(cx, node, |_, [real, imaginary]| [real, -&imaginary])
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

/// The angle of x + yi.
fn argument<'f>(x: Value<'f>, y: Value<'f>) -> Value<'f> {
    let (width, height) = (x.abs(), y.abs());
    let largest = width.max(&height);
    let ratio = width.min(&height) / &largest;
    let ratio =
        width.is(&height).choose(largest.is(0.0).choose(0.0, 1.0), largest.is(0.0).choose(0.0, ratio));
    let slope = ratio.atan();
    let slope = height.greater(&width).choose(PI / 2.0 - &slope, slope);
    let is_negative = |value: &Value<'f>| value.less(0.0).or(&value.is(0.0).and(&(1.0 / value).less(0.0)));
    let slope = is_negative(&x).choose(PI - &slope, slope);
    let angle = is_negative(&y).choose(-&slope, slope);
    x.is_nan().or(&y.is_nan()).choose(f64::NAN, angle)
}
