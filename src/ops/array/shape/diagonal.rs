//! Ops on diagonals of matrices (`tensorflow/core/ops/array_ops.cc`).

use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::ops::infer::{Inputs, one};

/// The number of diagonals, from the input that names the first and the last.
fn diagonals(inputs: &Inputs<'_>, index: usize) -> Result<Option<(i64, i64)>> {
    if inputs.node.inputs.len() <= index {
        return Ok(Some((0, 0)));
    }
    Ok(match inputs.integers(index)?.as_deref() {
        Some(&[only]) => Some((only, only)),
        Some(&[lower, upper]) => Some((lower, upper)),
        _ => None,
    })
}

/// The number of rows or columns that an input gives: `Some(None)` if it is left open on purpose, and `None` if only the model knows.
fn given_size(inputs: &Inputs<'_>, index: usize) -> Result<Option<Option<usize>>> {
    if inputs.node.inputs.len() <= index {
        return Ok(Some(None));
    }
    let known = inputs.integers(index)?;
    Ok(known.map(|size| size.first().and_then(|&size| usize::try_from(size).ok())))
}

pub fn diag(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let (Some(dims), Some((lower, upper))) = (input.shape.dims(), diagonals(inputs, 1)?) else {
        return one(input.dtype, open_rank(inputs, 1)?);
    };
    let batch = dims.len().saturating_sub(if lower == upper { 1 } else { 2 });
    let offset = |k: i64| usize::try_from(k.max(0)).unwrap_or(0);
    let longest = input.shape.last();
    let rows = longest.map(|longest| longest + offset(-upper));
    let columns = longest.map(|longest| longest + offset(lower));
    let both = rows.zip(columns).map(|(rows, columns)| rows.max(columns));
    let given = [given_size(inputs, 2)?, given_size(inputs, 3)?];
    // Without a given size, the axis is as short as the diagonals allow, and without both, the matrices are square.
    let [rows, columns] =
        [(rows, 0), (columns, 1)].map(|(least, axis)| match [given[axis], given[1 - axis]] {
            [Some(Some(size)), _] => Some(size),
            [Some(None), Some(Some(_))] => least,
            [Some(None), Some(None)] => both,
            [Some(None), None] => least.filter(|_| least == both),
            [None, _] => None,
        });
    one(input.dtype, Shape::new([&dims[..batch], &[rows, columns]].concat()))
}

pub fn diag_part(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let (Some([batch @ .., rows, columns]), Some((lower, upper))) =
        (input.shape.dims(), diagonals(inputs, 1)?)
    else {
        return one(input.dtype, open_rank(inputs, -1)?);
    };
    let longest = rows.zip(*columns).and_then(|(rows, columns)| {
        let longest = (rows as i64 + upper.min(0)).min(columns as i64 - lower.max(0));
        usize::try_from(longest).ok()
    });
    let count = usize::try_from(upper - lower + 1).ok();
    let dims = match lower == upper {
        true => [batch, &[longest]].concat(),
        false => [batch, &[count, longest]].concat(),
    };
    one(input.dtype, Shape::new(dims))
}

/// The axes of the input, twice.
pub fn tensor_diag(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    one(input.dtype, input.shape.dims().map_or(Shape::UNKNOWN, |dims| Shape::new([dims, dims].concat())))
}

/// The first half of the axes of the input.
pub fn tensor_diag_part(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let Some(dims) = input.shape.dims() else { return one(input.dtype, Shape::UNKNOWN) };
    let (first, second) = dims.split_at(dims.len() / 2);
    if first.len() != second.len()
        || first.iter().zip(second).any(|(a, b)| a.zip(*b).is_some_and(|(a, b)| a != b))
    {
        return Err(
            node.error(format!("its input of shape {} does not have axes that come twice", input.shape))
        );
    }
    one(input.dtype, Shape::new(first.iter().zip(second).map(|(a, b)| a.or(*b)).collect()))
}

/// The rank of a result that has so many axes more than the input if there is one diagonal.
fn open_rank(inputs: &Inputs<'_>, more: i64) -> Result<Shape> {
    // The first versions know the main diagonal alone.
    let diagonals = match inputs.node.inputs.len() {
        0 | 1 => Some(vec![]),
        _ => inputs.shape(1)?.fully_known(),
    };
    // Two numbers may be the same diagonal.
    if !matches!(diagonals.as_deref(), Some([] | [1])) {
        return Ok(Shape::UNKNOWN);
    }
    let rank = inputs.shape(0)?.rank().and_then(|rank| i64::try_from(rank).ok());
    let rank = rank.map(|rank| rank + more);
    Ok(rank.and_then(|rank| usize::try_from(rank).ok()).map_or(Shape::UNKNOWN, Shape::of_rank))
}

#[cfg(test)]
mod tests {
    use crate::graph::{Attr, Attrs, Shape, TensorRef};
    use crate::tensor::{Constant, DType};

    #[test]
    fn matrices_whose_height_is_an_input_have_an_open_height() {
        let mut graph = crate::ops::new_graph();
        let mut add = |name: &str, op: &str, value: Attr| {
            let what = if op == "Const" { "value" } else { "shape" };
            let attrs = Attrs::from([("dtype", Attr::Type(DType::Int32)), (what, value)]);
            TensorRef::from(graph.add(name, op, vec![], attrs).unwrap())
        };
        let number = |value| Attr::Tensor(Constant::scalar(DType::Int32, value));
        let diagonal = add("diagonal", "Placeholder", Attr::Shape(Shape::known(&[2, 5])));
        let given = add("given", "Placeholder", Attr::Shape(Shape::scalar()));
        let (zero, least) = (add("zero", "Const", number(0.0)), add("least", "Const", number(-1.0)));
        let mut dims = |name: &str, rows, columns| {
            let inputs = vec![diagonal, zero, rows, columns, zero];
            let node = graph.add(name, "MatrixDiagV2", inputs, Attrs::new()).unwrap();
            graph.node(node).outputs[0].shape.dims().unwrap().to_vec()
        };
        assert_eq!(dims("square", least, least), [Some(2), Some(5), Some(5)]);
        assert_eq!(dims("high", given, least), [Some(2), None, Some(5)]);
        assert_eq!(dims("wide", least, given), [Some(2), Some(5), None]);
    }

    #[test]
    fn matrices_of_diagonals_of_unknown_rank_have_an_unknown_shape() {
        let mut graph = crate::ops::new_graph();
        let attrs = Attrs::from([("dtype", Attr::Type(DType::Float32))]);
        let input = graph.add("input", "Placeholder", vec![], attrs).unwrap();
        for op in ["MatrixDiag", "MatrixDiagPart"] {
            let node = graph.add(op, op, vec![input.into()], Attrs::new()).unwrap();
            assert_eq!(graph.node(node).outputs[0].shape.rank(), None);
        }
    }
}
