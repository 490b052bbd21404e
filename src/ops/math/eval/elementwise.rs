//! Ops that compute each element from the elements at the same position.

use half::f16;
use ndarray::{ArrayD, ArrayViewD, Zip};

use crate::graph::Node;
use crate::tensor::DType;
use crate::tensor::Tensor;

/// The shape that two shapes broadcast to.
pub fn broadcast_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank)
        .map(|axis| match (dim(a, axis), dim(b, axis)) {
            (1, n) | (n, 1) => Some(n),
            (a, b) => (a == b).then_some(a),
        })
        .collect()
}

pub fn broadcast<T: Clone, U>(
    a: &ArrayD<T>,
    b: &ArrayD<T>,
    compute: impl Fn(T, T) -> U,
) -> Option<ArrayD<U>> {
    let shape = broadcast_shape(a.shape(), b.shape())?;
    let (a, b): (ArrayViewD<'_, T>, ArrayViewD<'_, T>) = (a.broadcast(shape.clone())?, b.broadcast(shape)?);
    Some(Zip::from(&a).and(&b).map_collect(|a, b| compute(a.clone(), b.clone())))
}

pub fn arithmetic(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [a, b] = inputs else { return None };
    let op = node.op.as_str();
    macro_rules! floats {
        ($a:ident, $b:ident) => {
            broadcast($a, $b, |a, b| match op {
                "Add" | "AddV2" => a + b,
                "Sub" => a - b,
                "Mul" => a * b,
                "Div" | "RealDiv" => a / b,
                "FloorDiv" => (a / b).floor(),
                "TruncateDiv" => (a / b).trunc(),
                "FloorMod" => match a % b {
                    rest if rest != 0.0 && (rest < 0.0) != (b < 0.0) => rest + b,
                    rest => rest,
                },
                "Maximum" => {
                    if a.is_nan() || a > b {
                        a
                    } else {
                        b
                    }
                }
                "Minimum" => {
                    if a.is_nan() || a < b {
                        a
                    } else {
                        b
                    }
                }
                "Pow" => a.powf(b),
                _ => (a - b) * (a - b),
            })?
        };
    }
    macro_rules! integers {
        ($a:ident, $b:ident, $int:ty) => {{
            let divides = matches!(op, "Div" | "RealDiv" | "FloorDiv" | "TruncateDiv" | "FloorMod");
            if divides && $b.iter().any(|&b| b == 0 || b == -1) || op == "Pow" {
                return None;
            }
            broadcast($a, $b, |a, b| match op {
                "Add" | "AddV2" => a.wrapping_add(b),
                "Sub" => a.wrapping_sub(b),
                "Mul" => a.wrapping_mul(b),
                "Div" | "RealDiv" | "TruncateDiv" => a / b,
                "FloorDiv" => a / b - <$int>::from(a % b != 0 && (a < 0) != (b < 0)),
                "FloorMod" => match a % b {
                    rest if rest != 0 && (rest < 0) != (b < 0) => rest + b,
                    rest => rest,
                },
                "Maximum" => a.max(b),
                "Minimum" => a.min(b),
                _ => a.wrapping_sub(b).wrapping_mul(a.wrapping_sub(b)),
            })?
        }};
    }
    Some(vec![match (a, b) {
        (Tensor::Float32(a), Tensor::Float32(b)) => Tensor::Float32(floats!(a, b)),
        (Tensor::Float64(a), Tensor::Float64(b)) => Tensor::Float64(floats!(a, b)),
        (Tensor::Int32(a), Tensor::Int32(b)) => Tensor::Int32(integers!(a, b, i32)),
        (Tensor::Int64(a), Tensor::Int64(b)) => Tensor::Int64(integers!(a, b, i64)),
        _ => return None,
    }])
}

pub fn comparison(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    fn compare<T: PartialOrd + Clone>(op: &str, a: &ArrayD<T>, b: &ArrayD<T>) -> Option<ArrayD<bool>> {
        broadcast(a, b, |a, b| match op {
            "Equal" => a == b,
            "NotEqual" => a != b,
            "Less" => a < b,
            "LessEqual" => a <= b,
            "Greater" => a > b,
            _ => a >= b,
        })
    }
    let op = node.op.as_str();
    let result = match inputs {
        [Tensor::Float32(a), Tensor::Float32(b)] => compare(op, a, b),
        [Tensor::Float64(a), Tensor::Float64(b)] => compare(op, a, b),
        [Tensor::Int32(a), Tensor::Int32(b)] => compare(op, a, b),
        [Tensor::Int64(a), Tensor::Int64(b)] => compare(op, a, b),
        [Tensor::UInt8(a), Tensor::UInt8(b)] => compare(op, a, b),
        [Tensor::Bool(a), Tensor::Bool(b)] => compare(op, a, b),
        _ => None,
    };
    Some(vec![Tensor::Bool(result?)])
}

pub fn logic(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Bool(a), Tensor::Bool(b)] = inputs else { return None };
    let is_and = node.op == "LogicalAnd";
    Some(vec![Tensor::Bool(broadcast(a, b, |a, b| if is_and { a && b } else { a || b })?)])
}

pub fn not(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Bool(a)] = inputs else { return None };
    Some(vec![Tensor::Bool(a.mapv(|a| !a))])
}

pub fn unary(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let op = node.op.as_str();
    macro_rules! float {
        ($a:ident) => {
            $a.mapv(|a| match op {
                "Neg" => -a,
                "Abs" => a.abs(),
                "Sqrt" => a.sqrt(),
                "Rsqrt" => a.sqrt().recip(),
                "Exp" => a.exp(),
                "Log" => a.ln(),
                "Square" => a * a,
                "Floor" => a.floor(),
                "Ceil" => a.ceil(),
                "Reciprocal" => a.recip(),
                // Of both zeros it is 0.
                _ if a == 0.0 => 0.0,
                _ => a.signum(),
            })
        };
    }
    macro_rules! integer {
        ($a:ident) => {
            match op {
                "Neg" => $a.mapv(|a| a.wrapping_neg()),
                "Abs" => $a.mapv(|a| a.wrapping_abs()),
                "Square" => $a.mapv(|a| a.wrapping_mul(a)),
                "Sign" => $a.mapv(|a| a.signum()),
                _ => return None,
            }
        };
    }
    Some(vec![match inputs {
        [Tensor::Float32(a)] => Tensor::Float32(float!(a)),
        [Tensor::Float64(a)] => Tensor::Float64(float!(a)),
        [Tensor::Int32(a)] => Tensor::Int32(integer!(a)),
        [Tensor::Int64(a)] => Tensor::Int64(integer!(a)),
        _ => return None,
    }])
}

pub fn round_to_float16(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(input)] = inputs else { return None };
    let largest = f16::MAX.to_f32();
    let clamps = node.bool("clamp", false);
    let within = |number: f32| match number.is_finite() && clamps {
        true => number.clamp(-largest, largest),
        false => number,
    };
    Some(vec![Tensor::Float32(input.mapv(|number| f16::from_f32(within(number)).to_f32()))])
}

/// Numbers lose their fraction and wrap around, as in C, where the results for NaN and for numbers outside the range of the
/// type are undefined.
pub fn cast(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    macro_rules! to {
        ($a:ident, $zero:expr) => {
            match node.dtype("DstT")? {
                DType::Float32 => Tensor::Float32($a.mapv(|a| a as f32)),
                DType::Float64 => Tensor::Float64($a.mapv(|a| a as f64)),
                DType::Int32 => Tensor::Int32($a.mapv(|a| a as i32)),
                DType::Int64 => Tensor::Int64($a.mapv(|a| a as i64)),
                DType::UInt8 => Tensor::UInt8($a.mapv(|a| a as u8)),
                DType::Bool => Tensor::Bool($a.mapv(|a| a != $zero)),
                _ => return None,
            }
        };
    }
    let (least, greatest) = match node.dtype("DstT")? {
        DType::Int32 => (f64::from(i32::MIN) - 1.0, f64::from(i32::MAX) + 1.0),
        DType::Int64 => ((i64::MIN as f64).next_down(), i64::MAX as f64),
        DType::UInt8 => (-1.0, 256.0),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    };
    let is_open = |a: f64| least.is_finite() && !(a > least && a < greatest);
    Some(vec![match inputs {
        [Tensor::Float32(a)] if a.iter().any(|&a| is_open(f64::from(a))) => return None,
        [Tensor::Float64(a)] if a.iter().any(|&a| is_open(a)) => return None,
        [Tensor::Float32(a)] => to!(a, 0.0),
        [Tensor::Float64(a)] => to!(a, 0.0),
        [Tensor::Int32(a)] => to!(a, 0),
        [Tensor::Int64(a)] => to!(a, 0),
        [Tensor::UInt8(a)] => to!(a, 0),
        [Tensor::Bool(a)] => {
            let a = a.mapv(u8::from);
            to!(a, 0)
        }
        _ => return None,
    }])
}

/// `Select` broadcasts a vector of conditions along the first axis, `SelectV2` as NumPy does. One condition of
/// its own, or one for each element, means the same to both.
pub fn select(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    fn choose<T: Clone>(condition: &ArrayD<bool>, a: &ArrayD<T>, b: &ArrayD<T>) -> Option<ArrayD<T>> {
        let shape = broadcast_shape(&broadcast_shape(a.shape(), b.shape())?, condition.shape())?;
        let (a, b) = (a.broadcast(shape.clone())?, b.broadcast(shape.clone())?);
        let condition = condition.broadcast(shape)?;
        Some(
            Zip::from(&condition)
                .and(&a)
                .and(&b)
                .map_collect(|&c, a, b| if c { a.clone() } else { b.clone() }),
        )
    }
    let [Tensor::Bool(condition), a, b] = inputs else { return None };
    let is_plain = condition.ndim() == 0 || condition.shape() == a.shape();
    if node.op == "Select" && !is_plain {
        return None;
    }
    Some(vec![match (a, b) {
        (Tensor::Float32(a), Tensor::Float32(b)) => Tensor::Float32(choose(condition, a, b)?),
        (Tensor::Float64(a), Tensor::Float64(b)) => Tensor::Float64(choose(condition, a, b)?),
        (Tensor::Int32(a), Tensor::Int32(b)) => Tensor::Int32(choose(condition, a, b)?),
        (Tensor::Int64(a), Tensor::Int64(b)) => Tensor::Int64(choose(condition, a, b)?),
        (Tensor::Bool(a), Tensor::Bool(b)) => Tensor::Bool(choose(condition, a, b)?),
        _ => return None,
    }])
}
