//! The inverse of matrices, by Gauss-Jordan elimination with the largest pivot of each column.
//!
//! No determinants are made: those of ordinary matrices leave the range of float32, and ONNX Runtime has Det for float32
//! alone.
//!
//! Sources: `MatrixInverse` in `tensorflow/core/ops/linalg_ops.cc`; ArgMax and Loop in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::function::closed;
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, TensorInfo};
use crate::ops::array::lower::around::{joined_batches, with_batches};
use crate::tensor::{Constant, DType};

/// The largest matrices whose elimination is spelled out. It is a loop for others.
const SPELLED_OUT: usize = 4;

/// The state of an elimination: the matrices, each beside the matrix that began as the unit matrix, and the rows
/// that had no pivot yet.
#[derive(Clone)]
struct State {
    matrices: String,
    is_left: String,
}

/// The values that stay the same during an elimination.
struct Elimination {
    dtype: DType,
    /// The numbers of the rows, as a column.
    rows: String,
}

impl Elimination {
    /// Eliminates a column: subtracts a multiple of the pivot row, which has the largest element there, from all other rows.
    fn column(&self, steps: &mut Steps<'_, '_, '_>, state: &State, index: &String) -> State {
        let State { matrices, is_left } = state;
        let (none, less_than_any) = (steps.number(self.dtype, 0.0), steps.number(self.dtype, -1.0));
        let column = steps.op_with("Gather", &[matrices, index], "axis", -1);
        let sizes = steps.op("Abs", &[&column]);
        let sizes = steps.op("Where", &[is_left, &sizes, &less_than_any]);
        let pivot = steps.op_with("ArgMax", &[&sizes], "axis", -2);
        let is_pivot = steps.op("Equal", &[&self.rows, &pivot]);
        let is_other = steps.op("Not", &[&is_pivot]);
        let row = steps.op("Where", &[&is_pivot, matrices, &none]);
        let row = steps.reduce("ReduceSum", &row, &[-2], true);
        let pivot = steps.op_with("Gather", &[&row, index], "axis", -1);
        let row = steps.op("Div", &[&row, &pivot]);
        let product = steps.op("Mul", &[&column, &row]);
        let others = steps.op("Sub", &[matrices, &product]);
        State {
            matrices: steps.op("Where", &[&is_pivot, &row, &others]),
            is_left: steps.op("And", &[is_left, &is_other]),
        }
    }

    /// A loop over all columns.
    fn columns(&self, steps: &mut Steps<'_, '_, '_>, state: &State, count: &String) -> State {
        let node = steps.node;
        let scalar = steps.ints(&[0]);
        let count = steps.op("Squeeze", &[count, &scalar]);
        let yes = steps.number(DType::Bool, 1.0);
        let mut named = |what: &str, dtype, shape| {
            let name = steps.cx.unique_name(format!("{}/body/{what}", node.name));
            TensorInfo { name, dtype, shape }
        };
        let given = vec![
            named("column", DType::Int64, Some(vec![])),
            named("goes_on", DType::Bool, Some(vec![])),
            named("matrices", self.dtype, None),
            named("is_left", DType::Bool, None),
        ];
        let start = steps.cx.model.nodes.len();
        let index = steps.op("Unsqueeze", &[&given[0].name, &scalar]);
        let before = State { matrices: given[2].name.clone(), is_left: given[3].name.clone() };
        let result = self.column(steps, &before, &index);
        let goes_on = steps.op("Identity", &[&given[1].name]);
        let mut outputs = vec![TensorInfo { name: goes_on, dtype: DType::Bool, shape: Some(vec![]) }];
        for (name, info) in [result.matrices, result.is_left].into_iter().zip(given.iter().skip(2)) {
            outputs.push(TensorInfo { name, ..info.clone() });
        }
        let nodes = steps.cx.model.nodes.split_off(start);
        let body = closed(format!("{}/body", node.name), given, outputs, nodes);
        let after = ["matrices", "is_left"].map(|what| steps.cx.unique_name(format!("{}/{what}", node.name)));
        let inputs = vec![count, yes, state.matrices.clone(), state.is_left.clone()];
        let attributes = vec![("body", Attribute::Graph(body))];
        steps.cx.node(&format!("{}/columns", node.name), "Loop", inputs, after.to_vec(), attributes);
        let [matrices, is_left] = after;
        State { matrices, is_left }
    }
}

/// Beside a matrix on its way to the unit matrix, the unit matrix becomes the inverse. Rows are not exchanged: in the end
/// the left half is a permutation, which puts them into their order.
pub fn inverse(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (rank, dtype) = (cx.shape(input).rank(), cx.dtype(input));
    if let Some(0 | 1) = rank {
        return Err(node.error("its input is not a matrix"));
    }
    let computed = match dtype {
        DType::Float32 | DType::Float64 => dtype,
        _ if dtype.is_float() => DType::Float32,
        _ => return Err(node.error(format!("matrices of {dtype} are not inverted"))),
    };
    let length = |back| rank.and_then(|rank| cx.shape(input).dim(rank - back));
    let known = length(1).or(length(2));
    let mut name = cx.in_tensorflow_layout(input)?;
    let mut steps = Steps { cx, node };
    if dtype != computed {
        name = steps.cast(&name, computed);
    }
    let mut batches = None;
    if rank.is_none() {
        let (matrices, lengths) = joined_batches(&mut steps, &name);
        (name, batches) = (matrices, Some(lengths));
    }
    let rank = rank.unwrap_or(3) as i64;
    let count = match known {
        Some(known) => steps.ints(&[known as i64]),
        None => steps.length(&name, -1),
    };
    let numbers = match known {
        Some(known) => {
            let numbers: Vec<i64> = (0..known as i64).collect();
            let numbers = Constant::from_i64(vec![known], &numbers);
            steps.cx.initializer(&format!("{}/places", node.name), numbers, &[])
        }
        None => steps.positions(&count),
    };
    let behind = steps.ints(&[1]);
    let rows = steps.op("Unsqueeze", &[&numbers, &behind]);
    let unit = steps.op("Equal", &[&rows, &numbers]);
    let unit = steps.cast(&unit, computed);
    let shape = steps.op("Shape", &[&name]);
    let unit = steps.op("Expand", &[&unit, &shape]);
    let first = steps.part(&name, -1, 0, 1);
    let first = steps.op("Shape", &[&first]);
    let yes = steps.number(DType::Bool, 1.0);
    let is_left = steps.op("Expand", &[&yes, &first]);
    let matrices = steps.op_with("Concat", &[&name, &unit], "axis", -1);
    let mut state = State { matrices, is_left };
    let elimination = Elimination { dtype: computed, rows };
    match known {
        Some(known @ ..=SPELLED_OUT) => {
            for index in 0..known {
                let index = steps.ints(&[index as i64]);
                state = elimination.column(&mut steps, &state, &index);
            }
        }
        _ => state = elimination.columns(&mut steps, &state, &count),
    }
    let (zero, axis, end) = (steps.ints(&[0]), steps.ints(&[-1]), steps.ints(&[i64::MAX]));
    let order = steps.op("Slice", &[&state.matrices, &zero, &count, &axis]);
    let result = steps.op("Slice", &[&state.matrices, &count, &end, &axis]);
    let swapped: Vec<i64> = (0..rank - 2).chain([rank - 1, rank - 2]).collect();
    // The inverse of the transposed matrix is the transposed inverse.
    let factors = if node.bool("adjoint", false) {
        vec![steps.transpose(&result, &swapped), order]
    } else {
        vec![steps.transpose(&order, &swapped), result]
    };
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    if batches.is_none() && dtype == computed {
        cx.emit(node, "MatMul", factors, layout, vec![]);
        return Ok(());
    }
    let mut inverse = steps.op("MatMul", &[&factors[0], &factors[1]]);
    if let Some(batches) = batches {
        inverse = with_batches(&mut steps, &inverse, &batches);
    }
    cx.emit_cast(node, inverse, layout);
    Ok(())
}
