//! Ops that compute with numbers: element by element, alone or in pairs.

pub mod check;
pub mod eval;
pub mod lower;
pub mod shape;

use self::eval::elementwise::{Arithmetic, Comparison, Unary};
use self::lower::elementwise::{by_formula, or_formula};
use super::{Op, by_parts, checks, op};
use crate::graph::own_ops::{GELU, HARD_SWISH, PRELU, ROUND_TO_FLOAT16};
use crate::ops::complex::arithmetic::{self, both, each};
use crate::ops::complex::functions;
use crate::ops::complex::parts;
use crate::ops::infer::{like_first_input, one};
use crate::ops::special::lower::error::erf;
use crate::tensor::DType;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("Abs")
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Abs"])
        .fold(|_, inputs| eval::elementwise::unary(inputs, Unary::Abs))
        .float16(),
    op("Acos")
        .complex(|cx, node| each(cx, node, &functions::acos))
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, |x| x.acos()), &["Acos"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::acos)),
    op("Acosh")
        .complex(|cx, node| each(cx, node, &functions::acosh))
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, |x| x.acosh()), &["Acosh"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::acosh)),
    by_parts("Add")
        .also(&["AddV2"])
        .shape(shape::broadcast)
        .lower(lower::binary::add, &["Add", "StringConcat"])
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::Add))
        .float16(),
    by_parts("AddN")
        .also(&["AccumulateNV2"])
        .shape(shape::add_n)
        .check(|inputs, node| checks::same_shapes(inputs, node, 0))
        .lower(lower::binary::add_n, &["Add"])
        .eval(eval::functions::add_n)
        .float16(),
    op("ApproximateEqual")
        .shape(|inputs, _| one(DType::Bool, inputs.shape(0)?.clone()))
        .lower(lower::binary::approximate_equal, &["Sub", "Abs", "Less"]),
    op("Asin")
        .complex(|cx, node| each(cx, node, &functions::asin))
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, |x| x.asin()), &["Asin"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::asin)),
    op("Asinh")
        .complex(|cx, node| each(cx, node, &functions::asinh))
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, |x| x.asinh()), &["Asinh"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::asinh)),
    op("Atan")
        .complex(|cx, node| each(cx, node, &functions::atan))
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, |x| x.atan()), &["Atan"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::atan)),
    op("Atan2")
        .shape(shape::broadcast)
        .lower(
            lower::binary::atan2,
            &["Abs", "Reciprocal", "Less", "Div", "Equal", "Where", "Atan", "Sub", "Neg", "IsNaN"],
        )
        .eval(|_, inputs| eval::functions::both(inputs, f32::atan2)),
    op("Atanh")
        .complex(|cx, node| each(cx, node, &functions::atanh))
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, |x| x.atanh()), &["Atanh"])
        .note("ONNX Runtime computes infinity for infinity, not NaN")
        .eval(|_, inputs| eval::functions::each(inputs, f32::atanh)),
    op("BitwiseAnd")
        .shape(shape::broadcast)
        .lower(lower::binary::direct, &["BitwiseAnd"])
        .eval(|_, inputs| eval::functions::integers(inputs, |a, b, _| a & b)),
    op("BitwiseOr")
        .shape(shape::broadcast)
        .lower(lower::binary::direct, &["BitwiseOr"])
        .eval(|_, inputs| eval::functions::integers(inputs, |a, b, _| a | b)),
    op("BitwiseXor")
        .shape(shape::broadcast)
        .lower(lower::binary::direct, &["BitwiseXor"])
        .eval(|_, inputs| eval::functions::integers(inputs, |a, b, _| a ^ b)),
    op("Cast")
        .complex(parts::cast)
        .shape(shape::cast)
        .lower(lower::elementwise::cast, &["Cast"])
        .fold(eval::elementwise::cast),
    op("Ceil")
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Ceil"])
        .fold(|_, inputs| eval::elementwise::unary(inputs, Unary::Ceil)),
    op("ClipByValue")
        .shape(like_first_input)
        .check(check::clip)
        .lower(lower::elementwise::clip, &["Min", "Max", "Less", "Greater", "Where"])
        .eval(eval::functions::clip),
    op("Cos")
        .complex(|cx, node| each(cx, node, &functions::cos))
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, |x| x.cos()), &["Cos"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::cos)),
    op("Cosh")
        .complex(|cx, node| each(cx, node, &functions::cosh))
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, |x| x.cosh()), &["Cosh"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::cosh)),
    op("Div")
        .complex(|cx, node| both(cx, node, &|_, x, y| arithmetic::quotient(x, y)))
        .shape(shape::broadcast)
        .lower(lower::binary::direct, &["Div"])
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::Div)),
    op("DivNoNan")
        .complex(|cx, node| both(cx, node, &arithmetic::quotient_no_nan))
        .shape(shape::broadcast)
        .lower(lower::binary::div_no_nan, &["Div", "Equal", "Where"])
        .eval(|_, inputs| eval::functions::both(inputs, |a, b| if b == 0.0 { 0.0 } else { a / b })),
    op("Elu")
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, lower::elementwise::elu), &["Elu"])
        .eval(|_, inputs| eval::functions::each(inputs, |x| if x < 0.0 { x.exp_m1() } else { x }))
        .float16(),
    op("Equal")
        .complex(|cx, node| arithmetic::equal(cx, node, false))
        .shape(shape::compare)
        .lower(lower::binary::equal, &["Equal"])
        .fold(|_, inputs| eval::elementwise::comparison(inputs, Comparison::Equal)),
    op("Erf")
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, erf), &["Erf"])
        .note("ONNX Runtime computes 1 for NaN of float32"),
    op("Erfc")
        .shape(like_first_input)
        .lower(lower::elementwise::complement_of_erf, &["Exp", "Mul", "Add", "Where"]),
    op("Exp")
        .complex(|cx, node| each(cx, node, &functions::exp))
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Exp"])
        .fold(|_, inputs| eval::elementwise::unary(inputs, Unary::Exp)),
    op("Expm1")
        .complex(|cx, node| each(cx, node, &functions::exp_m1))
        .shape(like_first_input)
        .lower(|cx, node| by_formula(cx, node, |x| x.exp_m1()), &["Exp", "Sub", "Tanh", "Where"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::exp_m1)),
    op("Floor")
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Floor"])
        .fold(|_, inputs| eval::elementwise::unary(inputs, Unary::Floor)),
    op("FloorDiv")
        .shape(shape::broadcast)
        .lower(lower::binary::floor_div, &["Div", "Floor", "Mul", "Mod", "Sub"])
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::FloorDiv)),
    op("FloorMod")
        .shape(shape::broadcast)
        .lower(lower::binary::floor_mod, &["Mod", "Less", "Xor", "Add", "Equal", "Where"])
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::FloorMod)),
    op("Greater")
        .shape(shape::compare)
        .lower(lower::binary::direct, &["Greater"])
        .fold(|_, inputs| eval::elementwise::comparison(inputs, Comparison::Greater)),
    op("GreaterEqual")
        .shape(shape::compare)
        .lower(lower::binary::direct, &["GreaterOrEqual"])
        .fold(|_, inputs| eval::elementwise::comparison(inputs, Comparison::GreaterEqual)),
    op("Inv")
        .complex(|cx, node| each(cx, node, &arithmetic::reciprocal))
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Reciprocal"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::recip)),
    op("Invert")
        .shape(like_first_input)
        .lower(lower::binary::invert, &["BitwiseNot"])
        .eval(eval::functions::invert),
    op("IsFinite")
        .shape(shape::flags)
        .lower(lower::elementwise::is_finite, &["IsInf", "IsNaN", "Or", "Not"])
        .eval(|_, inputs| eval::functions::test(inputs, f32::is_finite)),
    op("IsInf")
        .shape(shape::flags)
        .lower(lower::elementwise::same, &["IsInf"])
        .eval(|_, inputs| eval::functions::test(inputs, f32::is_infinite)),
    op("IsNan")
        .shape(shape::flags)
        .lower(lower::elementwise::same, &["IsNaN"])
        .eval(|_, inputs| eval::functions::test(inputs, f32::is_nan)),
    op("LeakyRelu")
        .shape(like_first_input)
        .lower(lower::elementwise::leaky_relu, &["LeakyRelu"])
        .eval(|node, inputs| {
            let alpha = node.float("alpha", 0.2);
            eval::functions::each(inputs, move |x| if x < 0.0 { alpha * x } else { x })
        })
        .float16(),
    op("LeftShift")
        .shape(shape::broadcast)
        .lower(lower::shift::left, &["Where", "Gather", "Mul"])
        .eval(|_, inputs| eval::functions::integers(inputs, |a, b, last_bit| a << b.clamp(0, last_bit))),
    op("Less")
        .shape(shape::compare)
        .lower(lower::binary::direct, &["Less"])
        .fold(|_, inputs| eval::elementwise::comparison(inputs, Comparison::Less)),
    op("LessEqual")
        .shape(shape::compare)
        .lower(lower::binary::direct, &["LessOrEqual"])
        .fold(|_, inputs| eval::elementwise::comparison(inputs, Comparison::LessEqual)),
    op("Log")
        .complex(|cx, node| each(cx, node, &functions::log))
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Log"])
        .fold(|_, inputs| eval::elementwise::unary(inputs, Unary::Log)),
    op("Log1p")
        .complex(|cx, node| each(cx, node, &functions::ln_1p))
        .shape(like_first_input)
        .lower(|cx, node| by_formula(cx, node, |x| x.ln_1p()), &["Add", "Log", "Where"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::ln_1p)),
    op("LogicalAnd")
        .shape(shape::compare)
        .lower(lower::binary::direct, &["And"])
        .fold(|_, inputs| eval::elementwise::logic(inputs, |a, b| a && b)),
    op("LogicalNot")
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Not"])
        .fold(eval::elementwise::not),
    op("LogicalOr")
        .shape(shape::compare)
        .lower(lower::binary::direct, &["Or"])
        .fold(|_, inputs| eval::elementwise::logic(inputs, |a, b| a || b)),
    op("LogicalXor")
        .shape(shape::compare)
        .lower(lower::binary::direct, &["Xor"])
        .eval(|_, inputs| eval::elementwise::logic(inputs, |a, b| a != b)),
    op("Maximum")
        .shape(shape::broadcast)
        .lower(lower::binary::maximum, &["Max", "Greater", "Where"])
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::Maximum))
        .float16(),
    op("Minimum")
        .shape(shape::broadcast)
        .lower(lower::binary::minimum, &["Min", "Less", "Where"])
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::Minimum))
        .float16(),
    op("Mod")
        .also(&["TruncateMod"])
        .shape(shape::broadcast)
        .lower(lower::binary::truncate_mod, &["Mod", "Div", "Mul", "Sub"])
        .eval(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::TruncateMod)),
    op("Mul")
        .complex(|cx, node| both(cx, node, &|_, x, y| arithmetic::product(x, y)))
        .shape(shape::broadcast)
        .lower(lower::binary::direct, &["Mul"])
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::Mul))
        .float16(),
    op("MulNoNan")
        .complex(|cx, node| both(cx, node, &arithmetic::product_no_nan))
        .shape(shape::broadcast)
        .lower(lower::binary::mul_no_nan, &["Mul", "Equal", "Where"])
        .eval(|_, inputs| eval::functions::both(inputs, |a, b| if b == 0.0 { 0.0 } else { a * b })),
    by_parts("Neg")
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Neg"])
        .fold(|_, inputs| eval::elementwise::unary(inputs, Unary::Neg))
        .float16(),
    op("NotEqual")
        .complex(|cx, node| arithmetic::equal(cx, node, true))
        .shape(shape::compare)
        .lower(lower::binary::not_equal, &["Equal", "Not"])
        .fold(|_, inputs| eval::elementwise::comparison(inputs, Comparison::NotEqual)),
    op("Pow")
        .complex(|cx, node| both(cx, node, &functions::power))
        .shape(shape::broadcast)
        .lower(lower::binary::direct, &["Pow"])
        .note("ONNX Runtime computes powers of integers in float64")
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::Pow)),
    op("RealDiv")
        .complex(|cx, node| both(cx, node, &|_, x, y| arithmetic::quotient(x, y)))
        .shape(shape::broadcast)
        .lower(lower::binary::direct, &["Div"])
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::Div))
        .float16(),
    op("Reciprocal")
        .complex(|cx, node| each(cx, node, &arithmetic::reciprocal))
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Reciprocal"])
        .fold(|_, inputs| eval::elementwise::unary(inputs, Unary::Reciprocal)),
    op("Relu")
        .shape(like_first_input)
        .lower(lower::elementwise::relu, &["Relu", "Less", "Where"])
        .eval(|_, inputs| eval::functions::each(inputs, |x| if x < 0.0 { 0.0 } else { x }))
        .float16(),
    op("Relu6")
        .shape(like_first_input)
        .lower(lower::elementwise::relu6, &["Clip", "Less", "Greater", "Where"])
        .eval(|_, inputs| eval::functions::each(inputs, |x| x.clamp(0.0, 6.0)))
        .float16(),
    op("RightShift")
        .shape(shape::broadcast)
        .lower(lower::shift::right, &["Where", "Gather", "Mod", "Sub", "Div"])
        .eval(|_, inputs| eval::functions::integers(inputs, |a, b, last_bit| a >> b.clamp(0, last_bit))),
    op("Rint")
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Round"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::round_ties_even)),
    op("Round")
        .shape(like_first_input)
        .lower(lower::elementwise::round, &["Round"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::round_ties_even)),
    op("Rsqrt")
        .complex(|cx, node| each(cx, node, &functions::rsqrt))
        .shape(like_first_input)
        .lower(lower::elementwise::reciprocal_square_root, &["Sqrt", "Reciprocal"])
        .fold(|_, inputs| eval::elementwise::unary(inputs, Unary::Rsqrt)),
    by_parts("Select")
        .shape(shape::select_rows)
        .check(check::select)
        .lower(lower::binary::select_rows, &["Where", "Unsqueeze"])
        .note("ONNX Runtime treats -0 as 0")
        .fold(eval::elementwise::select_alike)
        .eval(eval::functions::select_rows),
    by_parts("SelectV2")
        .shape(shape::select)
        .lower(lower::binary::select, &["Where"])
        .note("ONNX Runtime treats -0 as 0")
        .fold(eval::elementwise::select),
    op("Selu")
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, lower::elementwise::selu), &["Selu"])
        .eval({
            |_, inputs| {
                eval::functions::each(inputs, |x| {
                    eval::functions::SELU_SCALE
                        * if x < 0.0 { eval::functions::SELU_ALPHA * x.exp_m1() } else { x }
                })
            }
        })
        .float16(),
    op("Sigmoid")
        .complex(|cx, node| each(cx, node, &functions::sigmoid))
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, lower::elementwise::sigmoid), &["Sigmoid"])
        .eval(|_, inputs| eval::functions::each(inputs, |x| 1.0 / (1.0 + (-x).exp())))
        .float16(),
    op("Sign")
        .complex(|cx, node| each(cx, node, &functions::sign))
        .shape(like_first_input)
        .lower(lower::elementwise::sign, &["Sign"])
        .fold(|_, inputs| eval::elementwise::unary(inputs, Unary::Sign)),
    op("Sin")
        .complex(|cx, node| each(cx, node, &functions::sin))
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Sin"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::sin)),
    op("Sinh")
        .complex(|cx, node| each(cx, node, &functions::sinh))
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, |x| x.sinh()), &["Sinh"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::sinh)),
    op("Softplus")
        .shape(like_first_input)
        .lower(lower::elementwise::softplus, &["Softplus"])
        .eval(|_, inputs| eval::functions::each(inputs, |x| x.max(0.0) + (-x.abs()).exp().ln_1p())),
    op("Softsign")
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, lower::elementwise::softsign), &["Softsign"])
        .eval(|_, inputs| eval::functions::each(inputs, |x| x / (1.0 + x.abs()))),
    op("Sqrt")
        .complex(|cx, node| each(cx, node, &functions::sqrt))
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Sqrt"])
        .fold(|_, inputs| eval::elementwise::unary(inputs, Unary::Sqrt)),
    op("Square")
        .complex(|cx, node| each(cx, node, &functions::square))
        .shape(like_first_input)
        .lower(lower::elementwise::square, &["Mul"])
        .fold(|_, inputs| eval::elementwise::unary(inputs, Unary::Square)),
    op("SquaredDifference")
        .complex(|cx, node| both(cx, node, &arithmetic::squared_difference))
        .shape(shape::broadcast)
        .lower(lower::binary::squared_difference, &["Sub", "Mul"])
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::SquaredDifference)),
    by_parts("Sub")
        .shape(shape::broadcast)
        .lower(lower::binary::direct, &["Sub"])
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::Sub))
        .float16(),
    op("Tan")
        .complex(|cx, node| each(cx, node, &functions::tan))
        .shape(like_first_input)
        .lower(|cx, node| or_formula(cx, node, |x| x.tan()), &["Tan"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::tan)),
    op("Tanh")
        .complex(|cx, node| each(cx, node, &functions::tanh))
        .shape(like_first_input)
        .lower(lower::elementwise::same, &["Tanh"])
        .eval(|_, inputs| eval::functions::each(inputs, f32::tanh))
        .float16(),
    op("TruncateDiv")
        .shape(shape::broadcast)
        .lower(lower::binary::truncate_div, &["Div", "Less", "Ceil", "Floor", "Where"])
        .fold(|_, inputs| eval::elementwise::arithmetic(inputs, Arithmetic::TruncateDiv)),
    op("Xdivy")
        .complex(|cx, node| both(cx, node, &functions::xdivy))
        .shape(shape::broadcast)
        .lower(lower::binary::xdivy, &["Div", "Equal", "Where"])
        .eval(|_, inputs| eval::functions::floats(inputs, eval::functions::xdivy, eval::functions::xdivy)),
    op("Xlogy")
        .complex(|cx, node| both(cx, node, &functions::xlogy))
        .shape(shape::broadcast)
        .lower(lower::binary::xlogy, &["Log", "Mul", "Equal", "Where"])
        .eval(|_, inputs| eval::functions::floats(inputs, eval::functions::xlogy, eval::functions::xlogy)),
    op(GELU).shape(like_first_input).lower(lower::elementwise::gelu, &["Gelu"]).since(20),
    op(HARD_SWISH).shape(like_first_input).lower(lower::elementwise::same, &["HardSwish"]).since(14),
    op(PRELU).shape(like_first_input).lower(lower::binary::direct, &["PRelu"]).float16(),
    op(ROUND_TO_FLOAT16)
        .shape(like_first_input)
        .not_lowered("it is only in graphs that are evaluated")
        .fold(eval::elementwise::round_to_float16),
];
