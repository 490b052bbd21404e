//! Values that are combined with those at indices, for sets in which ScatterND only replaces them.
//!
//! Source: `reduction` of ScatterND in <https://onnx.ai/onnx/operators/onnx__ScatterND.html>: `add` and `mul` since set 16, `max` and
//! `min` since set 18.

use super::writer::{Writer, info};
use crate::error::Result;
use crate::onnx::{Attribute, Graph};
use crate::tensor::{Constant, DType};

/// A loop that combines one value after the other, because several may have the same index. Their order is that of TensorFlow.
pub(super) fn combine(w: &mut Writer<'_, '_, '_>, operator: &'static str) -> Result<()> {
    let (data, indices, updates) = (w.input(0), w.input(1), w.input(2));
    let dtype = w.dtype(&data)?;
    let first = || vec![("axis", Attribute::Int(0))];
    let (zero, one, minus_one, end) = (w.ints(&[0]), w.ints(&[1]), w.ints(&[-1]), w.ints(&[i64::MAX]));
    // The axes of the indices become one: a row for each update.
    let shape = w.op("Shape", &[&indices])?;
    let depth = w.part(&shape, &minus_one, &end)?;
    let rows_shape = w.op_with("Concat", &[&minus_one, &depth], first())?;
    let rows = w.op("Reshape", &[&indices, &rows_shape])?;
    let shape = w.op("Shape", &[&rows])?;
    let count = w.part(&shape, &zero, &one)?;
    let data_shape = w.op("Shape", &[&data])?;
    let inner = w.part(&data_shape, &depth, &end)?;
    let values_shape = w.op_with("Concat", &[&count, &inner], first())?;
    let values = w.reshape(&updates, &values_shape)?;
    let scalar = w.ints(&[]);
    let trips = w.op("Reshape", &[&count, &scalar])?;
    let goes_on = w.constant("true", Constant::scalar(DType::Bool, 1.0));

    let named =
        ["trip", "goes_on", "before", "still_goes_on", "number", "row", "value", "old", "new", "after"];
    let [trip, condition, before, again, number, row, value, old, new, after] =
        named.map(|what| w.name(what));
    let mut nodes = vec![
        w.unnamed("Identity", &[&condition], vec![again.clone()], vec![]),
        w.unnamed("Unsqueeze", &[&trip, &zero], vec![number.clone()], vec![]),
        w.unnamed("Gather", &[&rows, &number], vec![row.clone()], first()),
        w.unnamed("Gather", &[&values, &number], vec![value.clone()], first()),
        w.unnamed("GatherND", &[&before, &row], vec![old.clone()], vec![]),
    ];
    nodes.push(w.unnamed(operator, &[&old, &value], vec![new.clone()], vec![]));
    nodes.push(w.unnamed("ScatterND", &[&before, &row, &new], vec![after.clone()], vec![]));
    let scalar_info =
        |name: &str, dtype| crate::onnx::TensorInfo { shape: Some(vec![]), ..info(name, dtype) };
    let body = Graph {
        name: w.name("body"),
        inputs: vec![
            scalar_info(&trip, DType::Int64),
            scalar_info(&condition, DType::Bool),
            info(&before, dtype),
        ],
        outputs: vec![scalar_info(&again, DType::Bool), info(&after, dtype)],
        nodes,
    };
    w.emit("Loop", &[&trips, &goes_on, &data], vec![("body", Attribute::Graph(body))])
}
