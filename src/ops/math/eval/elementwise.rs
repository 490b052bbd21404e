//! Ops that compute each element from the elements at the same position.

use half::f16;
use ndarray::ArrayD;

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

/// Computes each element from the element of `a` at the same position. `ArrayD::mapv` would contain a loop for each order of the
/// elements, which makes the program larger for every function.
pub fn map<T: Copy, U>(a: &ArrayD<T>, compute: impl FnMut(T) -> U) -> ArrayD<U> {
    let elements = a.as_standard_layout();
    let computed = elements.as_slice().unwrap_or_default().iter().copied().map(compute).collect();
    ArrayD::from_shape_vec(a.shape(), computed).expect("every element was computed")
}

/// Computes each element from those of `a` and `b`, which broadcast as in NumPy.
pub fn broadcast<T: Copy, U>(a: &ArrayD<T>, b: &ArrayD<T>, compute: impl Fn(T, T) -> U) -> Option<ArrayD<U>> {
    let shape = broadcast_shape(a.shape(), b.shape())?;
    let (a, b) = (a.broadcast(shape.clone())?, b.broadcast(shape.clone())?);
    let (a, b) = (a.as_standard_layout(), b.as_standard_layout());
    let pairs = a.as_slice()?.iter().zip(b.as_slice()?);
    ArrayD::from_shape_vec(shape, pairs.map(|(&a, &b)| compute(a, b)).collect()).ok()
}

/// Ops that compute a number of the same type from two numbers.
#[derive(Debug, Clone, Copy)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    TruncateDiv,
    FloorMod,
    TruncateMod,
    Maximum,
    Minimum,
    Pow,
    SquaredDifference,
}

pub fn arithmetic(inputs: &[&Tensor], op: Arithmetic) -> Option<Vec<Tensor>> {
    use Arithmetic::*;
    let [a, b] = inputs else { return None };
    macro_rules! floats {
        ($a:ident, $b:ident, $float:ty) => {{
            let compute: fn($float, $float) -> $float = match op {
                Add => |a, b| a + b,
                Sub => |a, b| a - b,
                Mul => |a, b| a * b,
                Div => |a, b| a / b,
                FloorDiv => |a, b| (a / b).floor(),
                TruncateDiv => |a, b| (a / b).trunc(),
                FloorMod => |a, b| match a % b {
                    rest if rest != 0.0 && (rest < 0.0) != (b < 0.0) => rest + b,
                    rest => rest,
                },
                TruncateMod => |a, b| a % b,
                Maximum => |a, b| if a.is_nan() || a > b { a } else { b },
                Minimum => |a, b| if a.is_nan() || a < b { a } else { b },
                Pow => <$float>::powf,
                SquaredDifference => |a, b| (a - b) * (a - b),
            };
            broadcast($a, $b, compute)?
        }};
    }
    macro_rules! integers {
        ($a:ident, $b:ident, $int:ty) => {{
            let divides = matches!(op, Div | FloorDiv | TruncateDiv | FloorMod | TruncateMod);
            if divides && $b.iter().any(|&b| b == 0 || b == -1) {
                return None;
            }
            let compute: fn($int, $int) -> $int = match op {
                Add => <$int>::wrapping_add,
                Sub => <$int>::wrapping_sub,
                Mul => <$int>::wrapping_mul,
                Div | TruncateDiv => |a, b| a / b,
                FloorDiv => |a, b| a / b - <$int>::from(a % b != 0 && (a < 0) != (b < 0)),
                FloorMod => |a, b| match a % b {
                    rest if rest != 0 && (rest < 0) != (b < 0) => rest + b,
                    rest => rest,
                },
                TruncateMod => |a, b| a % b,
                Maximum => <$int>::max,
                Minimum => <$int>::min,
                Pow => return None,
                SquaredDifference => |a, b| a.wrapping_sub(b).wrapping_mul(a.wrapping_sub(b)),
            };
            broadcast($a, $b, compute)?
        }};
    }
    Some(vec![match (a, b) {
        (Tensor::Float32(a), Tensor::Float32(b)) => Tensor::Float32(floats!(a, b, f32)),
        (Tensor::Float64(a), Tensor::Float64(b)) => Tensor::Float64(floats!(a, b, f64)),
        (Tensor::Int32(a), Tensor::Int32(b)) => Tensor::Int32(integers!(a, b, i32)),
        (Tensor::Int64(a), Tensor::Int64(b)) => Tensor::Int64(integers!(a, b, i64)),
        _ => return None,
    }])
}

/// Ops that compare two numbers.
#[derive(Debug, Clone, Copy)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

pub fn comparison(inputs: &[&Tensor], op: Comparison) -> Option<Vec<Tensor>> {
    fn compare<T: PartialOrd + Copy>(op: Comparison, a: &ArrayD<T>, b: &ArrayD<T>) -> Option<ArrayD<bool>> {
        broadcast(a, b, |a, b| match op {
            Comparison::Equal => a == b,
            Comparison::NotEqual => a != b,
            Comparison::Less => a < b,
            Comparison::LessEqual => a <= b,
            Comparison::Greater => a > b,
            Comparison::GreaterEqual => a >= b,
        })
    }
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

pub fn logic(inputs: &[&Tensor], compute: impl Fn(bool, bool) -> bool) -> Option<Vec<Tensor>> {
    let [Tensor::Bool(a), Tensor::Bool(b)] = inputs else { return None };
    Some(vec![Tensor::Bool(broadcast(a, b, compute)?)])
}

pub fn not(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Bool(a)] = inputs else { return None };
    Some(vec![Tensor::Bool(map(a, |a| !a))])
}

/// Ops that compute a number of the same type from one number.
#[derive(Debug, Clone, Copy)]
pub enum Unary {
    Neg,
    Abs,
    Sqrt,
    Rsqrt,
    Exp,
    Log,
    Square,
    Floor,
    Ceil,
    Reciprocal,
    Sign,
}

pub fn unary(inputs: &[&Tensor], op: Unary) -> Option<Vec<Tensor>> {
    use Unary::*;
    macro_rules! float {
        ($a:ident) => {
            map($a, |a| match op {
                Neg => -a,
                Abs => a.abs(),
                Sqrt => a.sqrt(),
                Rsqrt => a.sqrt().recip(),
                Exp => a.exp(),
                Log => a.ln(),
                Square => a * a,
                Floor => a.floor(),
                Ceil => a.ceil(),
                Reciprocal => a.recip(),
                // Of both zeros it is 0.
                Sign if a == 0.0 => 0.0,
                Sign => a.signum(),
            })
        };
    }
    macro_rules! integer {
        ($a:ident) => {
            match op {
                Neg => map($a, |a| a.wrapping_neg()),
                Abs => map($a, |a| a.wrapping_abs()),
                Square => map($a, |a| a.wrapping_mul(a)),
                Sign => map($a, |a| a.signum()),
                Sqrt | Rsqrt | Exp | Log | Floor | Ceil | Reciprocal => return None,
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
    Some(vec![Tensor::Float32(map(input, |number| f16::from_f32(within(number)).to_f32()))])
}

/// Numbers lose their fraction and wrap around, as in C, where the results for NaN and for numbers outside the range of the
/// type are undefined.
pub fn cast(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    macro_rules! to {
        ($a:ident, $zero:expr) => {
            match node.dtype("DstT")? {
                DType::Float32 => Tensor::Float32(map($a, |a| a as f32)),
                DType::Float64 => Tensor::Float64(map($a, |a| a as f64)),
                DType::Int32 => Tensor::Int32(map($a, |a| a as i32)),
                DType::Int64 => Tensor::Int64(map($a, |a| a as i64)),
                DType::UInt8 => Tensor::UInt8(map($a, |a| a as u8)),
                DType::Bool => Tensor::Bool(map($a, |a| a != $zero)),
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
            let a = &map(a, u8::from);
            to!(a, 0)
        }
        _ => return None,
    }])
}

/// `Select` with one condition, or one for each element, which means the same as in `SelectV2`.
pub fn select_alike(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [condition, chosen, _] = inputs else { return None };
    let is_alike = condition.shape().is_empty() || condition.shape() == chosen.shape();
    is_alike.then(|| select(node, inputs)).flatten()
}

/// `SelectV2`, which broadcasts as NumPy does.
pub fn select(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    fn choose<T: Copy>(condition: &ArrayD<bool>, a: &ArrayD<T>, b: &ArrayD<T>) -> Option<ArrayD<T>> {
        let shape = broadcast_shape(&broadcast_shape(a.shape(), b.shape())?, condition.shape())?;
        let (a, b) = (a.broadcast(shape.clone())?, b.broadcast(shape.clone())?);
        let condition = condition.broadcast(shape.clone())?;
        let (a, b, condition) =
            (a.as_standard_layout(), b.as_standard_layout(), condition.as_standard_layout());
        let pairs = a.as_slice()?.iter().zip(b.as_slice()?);
        let chosen = condition.as_slice()?.iter().zip(pairs).map(|(&c, (&a, &b))| if c { a } else { b });
        ArrayD::from_shape_vec(shape, chosen.collect()).ok()
    }
    let [Tensor::Bool(condition), a, b] = inputs else { return None };
    Some(vec![match (a, b) {
        (Tensor::Float32(a), Tensor::Float32(b)) => Tensor::Float32(choose(condition, a, b)?),
        (Tensor::Float64(a), Tensor::Float64(b)) => Tensor::Float64(choose(condition, a, b)?),
        (Tensor::Int32(a), Tensor::Int32(b)) => Tensor::Int32(choose(condition, a, b)?),
        (Tensor::Int64(a), Tensor::Int64(b)) => Tensor::Int64(choose(condition, a, b)?),
        (Tensor::Bool(a), Tensor::Bool(b)) => Tensor::Bool(choose(condition, a, b)?),
        _ => return None,
    }])
}
