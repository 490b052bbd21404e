//! Casts around operators that ONNX Runtime, or the operator set, does not have for a type.

use super::{Finish, error};
use crate::error::{Error, Result};
use crate::lower::OPSETS;
use crate::onnx::operators::{RUNTIME, ValueType, operator};
use crate::onnx::{Attribute, Node, onnx_dtype};
use crate::setting::Setting;
use crate::tensor::DType;

/// What an operator makes of its elements, which decides in what types it computes the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It moves them, or compares them for equality.
    Moves,
    /// It chooses among them by their order.
    Orders,
    /// It adds and multiplies them. Integers wrap around, and the lower bits do not depend on the higher ones.
    Sums,
    Computes,
}

impl Use {
    fn of(node: &Node) -> Self {
        match &*node.op {
            _ if has_reduction(node) => Self::Sums,
            "Unique" if is_unsorted(node) => Self::Moves,
            "Compress" | "Concat" | "DepthToSpace" | "Equal" | "Expand" | "Gather" | "GatherND"
            | "Identity" | "Pad" | "Reshape" | "ReverseSequence" | "ScatterElements" | "ScatterND"
            | "Shape" | "Size" | "Slice" | "SpaceToDepth" | "Split" | "Squeeze" | "Tile" | "Transpose"
            | "Trilu" | "Unsqueeze" | "Where" => Self::Moves,
            "ArgMax" | "ArgMin" | "Clip" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Max"
            | "MaxPool" | "Min" | "NonZero" | "ReduceMax" | "ReduceMin" | "Relu" | "TopK" | "Unique" => {
                Self::Orders
            }
            "Add" | "CumSum" | "Einsum" | "MatMul" | "Mul" | "Neg" | "ReduceSum" | "ReduceProd"
            | "ReduceSumSquare" | "Sub" => Self::Sums,
            _ => Self::Computes,
        }
    }

    /// The types that a type can be cast to so that the result, cast back, is the same; the smallest ones first.
    fn wider(self, dtype: DType) -> Vec<DType> {
        use DType::{Bool, Float32, Float64, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64};
        let integers: &[DType] = match dtype {
            Bool => &[UInt8, Int32, Int64],
            Int8 | UInt8 | Int16 | UInt16 => &[Int32, Int64],
            Int32 | UInt32 => &[Int64],
            UInt64 if matches!(self, Self::Moves | Self::Sums) => &[Int64],
            Int64 if matches!(self, Self::Moves | Self::Sums) => &[UInt64],
            _ => &[],
        };
        let floats: &[DType] = match dtype {
            DType::Float16 | DType::BFloat16 => &[Float32, Float64],
            Float32 => &[Float64],
            // Sums and products of integers may be beyond the range in which floats are exact.
            Bool | Int8 | UInt8 | Int16 | UInt16 if matches!(self, Self::Moves | Self::Orders) => {
                &[Float32, Float64]
            }
            Int32 | UInt32 if matches!(self, Self::Moves | Self::Orders) => &[Float64],
            _ => &[],
        };
        // ONNX Runtime's ReduceMax compares the lower halves of int64 as if they had a sign of their own.
        if self == Self::Orders && dtype == UInt32 {
            return [floats, integers].concat();
        }
        [integers, floats].concat()
    }
}

/// Whether the elements stay in the order in which they first occur.
fn is_unsorted(node: &Node) -> bool {
    node.attributes.iter().any(|(name, value)| name == "sorted" && matches!(value, Attribute::Int(0)))
}

/// Whether a node combines what it writes to one place.
fn has_reduction(node: &Node) -> bool {
    node.attributes.iter().any(|(name, _)| name == "reduction")
}

/// Whether ONNX Runtime computes a node in a type. `kernels` are the types that it has a kernel for.
fn computes(node: &Node, kernels: &[DType], dtype: DType) -> bool {
    // The kernel that writes to places refuses to combine 16-bit floats while the model runs.
    let refuses = has_reduction(node) && matches!(dtype, DType::Float16 | DType::BFloat16);
    kernels.contains(&dtype) && !refuses
}

/// A type parameter that stands for another type than in TensorFlow's graph.
struct Widened {
    parameter: &'static str,
    from: DType,
    to: DType,
}

impl Finish<'_, '_> {
    /// Adds a node, with casts around it if it needs them.
    pub(super) fn with_casts(&mut self, mut node: Node) -> Result<()> {
        let widened = self.widened(&node)?;
        let operator = if widened.is_empty() { None } else { self.operator(&node) };
        let Some(operator) = operator else {
            self.append(node);
            return Ok(());
        };
        let find = |value: Option<ValueType>| {
            widened.iter().find(|widened| value == Some(ValueType::Parameter(widened.parameter)))
        };
        let mut cast: Vec<(String, String)> = vec![];
        for (index, input) in node.inputs.iter_mut().enumerate() {
            let Some(widened) = find(operator.input(index)).filter(|_| !input.is_empty()) else { continue };
            if let Some((_, known)) = cast.iter().find(|(name, _)| name == input) {
                known.clone_into(input);
                continue;
            }
            let name = self.cx.unique_name(format!("{input}/{}", widened.to));
            self.cast(input.clone(), name.clone(), widened.to);
            cast.push((std::mem::replace(input, name.clone()), name));
        }
        let mut back = vec![];
        for (index, output) in node.outputs.iter_mut().enumerate() {
            let Some(widened) = find(operator.output(index)).filter(|_| !output.is_empty()) else { continue };
            let name = self.cx.unique_name(format!("{output}/{}", widened.to));
            back.push((name.clone(), std::mem::replace(output, name), widened.from));
        }
        self.append(node);
        for (from, to, dtype) in back {
            self.cast(from, to, dtype);
        }
        Ok(())
    }

    fn cast(&mut self, from: String, to: String, dtype: DType) {
        let attributes = vec![("to".into(), Attribute::Int(onnx_dtype(dtype).unwrap_or_default().into()))];
        let name = self.cx.unique_node_name(&to);
        self.append(Node {
            name,
            op: "Cast".into(),
            domain: "".into(),
            inputs: vec![from],
            outputs: vec![to],
            attributes,
        });
    }

    /// The type parameters that have to stand for other types.
    fn widened(&self, node: &Node) -> Result<Vec<Widened>> {
        let mut widened = vec![];
        let Some(operator) = self.operator(node) else { return Ok(widened) };
        for (parameter, kernels) in operator.kernels() {
            let Some(from) = self.parameter(operator, node, parameter) else { continue };
            // Without any kernel, the model is for other runtimes.
            if kernels.is_empty() || computes(node, kernels, from) {
                continue;
            }
            let mut wider = Use::of(node).wider(from).into_iter();
            let Some(to) = wider.find(|&to| computes(node, kernels, to)) else {
                return Err(self.no_kernel(node, parameter, from));
            };
            if ![from, to].iter().all(|&dtype| is_cast(self.opset(), dtype)) {
                return Err(self.no_kernel(node, parameter, from));
            }
            widened.push(Widened { parameter, from, to });
        }
        Ok(widened)
    }

    /// The error for a type that a node cannot compute in, with the operator set that has it.
    fn no_kernel(&self, node: &Node, parameter: &str, dtype: DType) -> Error {
        let has = |opset: &i64| {
            let kernels = operator(&node.op, *opset).into_iter().flat_map(|operator| operator.kernels());
            let mut kernels = kernels.filter(|(name, _)| *name == parameter);
            kernels.any(|(_, kernels)| {
                let mut wider = Use::of(node).wider(dtype).into_iter();
                let is_wider = wider.any(|to| kernels.contains(&to) && is_cast(*opset, dtype));
                kernels.contains(&dtype) || is_wider
            })
        };
        match (self.opset() + 1..=*OPSETS.end()).find(has) {
            Some(opset) => error(node, format!("operator set {} does not have it for {dtype}", self.opset()))
                .advice(format!("choose {} or later", Setting::Opset.to(opset))),
            None => error(node, format!("{RUNTIME} does not compute it in {dtype}"))
                .advice("let the graph compute it in another type, such as float32 or int32"),
        }
    }
}

/// Whether an operator set casts elements of a type.
fn is_cast(opset: i64, dtype: DType) -> bool {
    let kernels = operator("Cast", opset).into_iter().flat_map(|operator| operator.kernels());
    kernels.into_iter().any(|(_, types)| types.contains(&dtype))
}
