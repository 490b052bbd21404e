//! Ops that join, cut and reshape arrays.

use ndarray::{ArrayD, ArrayViewD, Axis, Slice};

use crate::graph::Node;
use crate::graph::axis::axis_from_front;
use crate::graph::slice::StridedSlice;
use crate::ops::array::AxisInput;
use crate::tensor::DType;
use crate::tensor::Tensor;
use crate::tensor::{element_count, same_type};

pub fn lengths(tensor: &Tensor) -> Option<Vec<usize>> {
    tensor.integers()?.into_iter().map(|length| usize::try_from(length).ok()).collect()
}

fn out_type(node: &Node) -> DType {
    node.dtype("out_type").unwrap_or(DType::Int32)
}

pub fn shape(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let dims: Vec<i64> = inputs.first()?.shape().iter().map(|&dim| dim as i64).collect();
    Some(vec![Tensor::from_integers(out_type(node), &[dims.len()], &dims)?])
}

pub fn size(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let count: usize = inputs.first()?.shape().iter().product();
    Some(vec![Tensor::from_integers(out_type(node), &[], &[count as i64])?])
}

pub fn rank(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    Some(vec![Tensor::from_integers(DType::Int32, &[], &[inputs.first()?.shape().len() as i64])?])
}

pub fn reshaped(tensor: &Tensor, shape: &[usize]) -> Option<Tensor> {
    Some(same_type!(tensor, array => array.to_shape(shape).ok()?.to_owned()))
}

pub fn reshape(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, target] = inputs else { return None };
    let count: usize = input.shape().iter().product();
    let target = target.integers()?;
    let known = target.iter().filter(|&&n| n != -1).map(|&n| usize::try_from(n).ok());
    let known = known.collect::<Option<Vec<usize>>>()?.into_iter().product::<usize>();
    let dim = |&n: &i64| match n {
        -1 => count.checked_div(known),
        n => usize::try_from(n).ok(),
    };
    Some(vec![reshaped(input, &target.iter().map(dim).collect::<Option<Vec<usize>>>()?)?])
}

pub fn expand_dims(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, axis] = inputs else { return None };
    let mut shape = input.shape().to_vec();
    shape.insert(axis_from_front(axis.integer()?, shape.len() + 1)?, 1);
    Some(vec![reshaped(input, &shape)?])
}

pub fn squeeze(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let input = inputs.first()?;
    let shape = input.shape();
    let named =
        if node.ints("squeeze_dims").is_empty() { node.ints("axis") } else { node.ints("squeeze_dims") };
    let named =
        named.iter().map(|&axis| axis_from_front(axis, shape.len())).collect::<Option<Vec<usize>>>()?;
    let goes = |axis: usize| if named.is_empty() { shape[axis] == 1 } else { named.contains(&axis) };
    let kept: Vec<usize> = (0..shape.len()).filter(|&axis| !goes(axis)).map(|axis| shape[axis]).collect();
    Some(vec![reshaped(input, &kept)?])
}

/// Arrays one after the other along an axis; `None` if another axis has two lengths.
///
/// That of ndarray is compiled for each type to more than all other evaluators of arrays together.
pub fn joined<T: Clone + Default>(axis: usize, parts: &[ArrayViewD<'_, T>]) -> Option<ArrayD<T>> {
    let mut shape = parts.first()?.shape().to_vec();
    *shape.get_mut(axis)? = 0;
    for part in parts {
        let length = *part.shape().get(axis)?;
        let fits = |(other, (&a, &b)): (usize, (&usize, &usize))| other == axis || a == b;
        if part.ndim() != shape.len() || !shape.iter().zip(part.shape()).enumerate().all(fits) {
            return None;
        }
        shape[axis] = shape[axis].checked_add(length)?;
    }
    let elements = vec![T::default(); element_count(&shape)?];
    let mut result = ArrayD::from_shape_vec(shape, elements).ok()?;
    let mut start = 0;
    for part in parts {
        let end = start + part.len_of(Axis(axis));
        result.slice_axis_mut(Axis(axis), Slice::from(start..end)).assign(part);
        start = end;
    }
    Some(result)
}

/// The elements of a tensor with these indices along an axis.
///
/// That of ndarray is large for each type, too.
pub fn picked(tensor: &Tensor, axis: usize, indices: &[usize]) -> Tensor {
    fn of_array<T: Clone>(array: &ArrayD<T>, axis: usize, indices: &[usize]) -> ArrayD<T> {
        let length = array.len_of(Axis(axis));
        let (before, after) = array.shape().split_at(axis);
        let (outer, inner) = (before.iter().product::<usize>(), after[1..].iter().product::<usize>());
        let shape = [before, &[indices.len()], &after[1..]].concat();
        let in_order = array.as_standard_layout();
        let elements = in_order.as_slice().unwrap_or_default();
        let mut picked = Vec::with_capacity(outer * indices.len() * inner);
        for row in 0..outer {
            for &index in indices {
                assert!(index < length, "the axis has no element {index}");
                picked.extend_from_slice(&elements[(row * length + index) * inner..][..inner]);
            }
        }
        ArrayD::from_shape_vec(shape, picked).expect("there are as many elements as the shape has")
    }
    same_type!(tensor, array => of_array(array, axis, indices))
}

/// Tensors of one type, joined along an axis, which they have already or get before.
pub fn tensors_joined<'t>(inputs: &[&'t Tensor], axis: usize, is_new: bool) -> Option<Tensor> {
    macro_rules! of_type {
        ($kind:ident) => {{
            let view = |input: &&'t Tensor| match *input {
                Tensor::$kind(array) if is_new => {
                    (axis <= array.ndim()).then(|| array.view().insert_axis(Axis(axis)))
                }
                Tensor::$kind(array) => Some(array.view()),
                _ => None,
            };
            let views: Vec<ArrayViewD<'_, _>> = inputs.iter().map(view).collect::<Option<_>>()?;
            joined(axis, &views).map(Tensor::$kind)
        }};
    }
    match inputs.first()? {
        Tensor::Float32(_) => of_type!(Float32),
        Tensor::Float64(_) => of_type!(Float64),
        Tensor::Int32(_) => of_type!(Int32),
        Tensor::Int64(_) => of_type!(Int64),
        Tensor::UInt8(_) => of_type!(UInt8),
        Tensor::Bool(_) => of_type!(Bool),
    }
}

pub fn pack(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let axis = axis_from_front(node.int("axis", 0), inputs.first()?.shape().len() + 1)?;
    tensors_joined(inputs, axis, true).map(|joined| vec![joined])
}

pub fn unpack(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let input = inputs.first()?;
    let axis = axis_from_front(node.int("axis", 0), input.shape().len())?;
    let part = |index: usize| same_type!(input, array => array.index_axis(Axis(axis), index).to_owned());
    Some((0..input.shape()[axis]).map(part).collect())
}

pub fn concat(inputs: &[&Tensor], axis: AxisInput) -> Option<Vec<Tensor>> {
    let (axis, inputs) = match axis {
        AxisInput::First => inputs.split_first()?,
        AxisInput::Last => inputs.split_last()?,
    };
    let axis = axis_from_front(axis.integer()?, inputs.first()?.shape().len())?;
    tensors_joined(inputs, axis, false).map(|joined| vec![joined])
}

pub fn strided_slice(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, begin, end, strides] = inputs else { return None };
    let bounds = [&begin.integers()?[..], &end.integers()?, &strides.integers()?];
    let slice = StridedSlice::new(node, input.shape().len(), bounds).ok()?;
    let mut result = Tensor::clone(input);
    for axis in 0..input.shape().len() {
        let indices: Vec<usize> = slice.indices(axis, input.shape()[axis]).collect();
        if indices.iter().any(|&index| index >= input.shape()[axis]) {
            return None;
        }
        if !indices.iter().copied().eq(0..input.shape()[axis]) {
            result = picked(&result, axis, &indices);
        }
    }
    let dims: Vec<Option<usize>> = input.shape().iter().copied().map(Some).collect();
    Some(vec![reshaped(&result, &slice.shape(&dims).fully_known()?)?])
}

pub fn slice(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, begin, size] = inputs else { return None };
    let (begin, size) = (lengths(begin)?, size.integers()?);
    if begin.len() != input.shape().len() || size.len() != begin.len() {
        return None;
    }
    let mut result = Tensor::clone(input);
    for axis in 0..begin.len() {
        let length = input.shape()[axis];
        let end = if size[axis] == -1 { length } else { begin[axis] + usize::try_from(size[axis]).ok()? };
        if begin[axis] > end || end > length {
            return None;
        }
        let part = Slice::from(begin[axis]..end);
        result = same_type!(result, array => array.slice_axis(Axis(axis), part).to_owned());
    }
    Some(vec![result])
}

/// Whole slices along one axis, without batch axes.
pub fn gather(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let (input, indices) = (inputs.first()?, inputs.get(1)?);
    if node.int("batch_dims", 0) != 0 {
        return None;
    }
    let axis = inputs.get(2).map_or(Some(0), |axis| axis.integer())?;
    let axis = axis_from_front(axis, input.shape().len())?;
    let positions = lengths(indices)?;
    if positions.iter().any(|&position| position >= input.shape()[axis]) {
        return None;
    }
    let gathered = picked(input, axis, &positions);
    let shape = [&input.shape()[..axis], indices.shape(), &input.shape()[axis + 1..]].concat();
    Some(vec![reshaped(&gathered, &shape)?])
}

pub fn transpose(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, perm] = inputs else { return None };
    let perm = lengths(perm)?;
    let mut sorted = perm.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..input.shape().len()) {
        return None;
    }
    Some(vec![same_type!(input, array => {
        array.view().permuted_axes(perm).as_standard_layout().into_owned()
    })])
}

/// The parts at indices that each name an element of the first axes.
pub fn gather_nd(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, indices] = inputs else { return None };
    let (depth, positions) = indices.shape().split_last()?;
    if node.int("batch_dims", 0) != 0 || *depth > input.shape().len() {
        return None;
    }
    let (named, rest) = input.shape().split_at(*depth);
    let count: usize = positions.iter().product();
    let row_of = |index: &[i64]| {
        let mut pairs = named.iter().zip(index);
        pairs.try_fold(0, |row, (&length, &index)| {
            let index = usize::try_from(index).ok().filter(|&index| index < length)?;
            Some(row * length + index)
        })
    };
    let all = indices.integers()?;
    let rows: Vec<usize> =
        (0..count).map(|position| row_of(&all[position * depth..][..*depth])).collect::<Option<_>>()?;
    let by_rows = reshaped(input, &[named.iter().product(), rest.iter().product()])?;
    let taken = picked(&by_rows, 0, &rows);
    Some(vec![reshaped(&taken, &[positions, rest].concat())?])
}

/// Ones, or zeros, of the type and shape of the input.
pub fn like(inputs: &[&Tensor], one: bool) -> Option<Vec<Tensor>> {
    Some(vec![match inputs.first()? {
        Tensor::Float32(a) => Tensor::Float32(ArrayD::from_elem(a.raw_dim(), f32::from(u8::from(one)))),
        Tensor::Float64(a) => Tensor::Float64(ArrayD::from_elem(a.raw_dim(), f64::from(u8::from(one)))),
        Tensor::Int32(a) => Tensor::Int32(ArrayD::from_elem(a.raw_dim(), one.into())),
        Tensor::Int64(a) => Tensor::Int64(ArrayD::from_elem(a.raw_dim(), one.into())),
        Tensor::UInt8(a) => Tensor::UInt8(ArrayD::from_elem(a.raw_dim(), one.into())),
        Tensor::Bool(a) => Tensor::Bool(ArrayD::from_elem(a.raw_dim(), one)),
    }])
}

pub fn invert_permutation(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let input = inputs.first()?;
    let mut inverse = vec![-1; input.shape().iter().product()];
    for (position, target) in lengths(input)?.into_iter().enumerate() {
        // A repeated index is not a permutation, and TensorFlow reports an error.
        let free = inverse.get_mut(target).filter(|position| **position < 0)?;
        *free = position as i64;
    }
    Some(vec![Tensor::from_integers(input.dtype(), input.shape(), &inverse)?])
}

pub fn reverse(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [input, axes] = inputs else { return None };
    let mut result = Tensor::clone(input);
    for axis in axes.integers()? {
        let axis = axis_from_front(axis, input.shape().len())?;
        result = same_type!(result, array => {
            let mut array: ArrayD<_> = array;
            array.invert_axis(Axis(axis));
            array.as_standard_layout().into_owned()
        });
    }
    Some(vec![result])
}

pub fn split(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [axis, input] = inputs else { return None };
    let axis = axis_from_front(axis.integer()?, input.shape().len())?;
    let parts = usize::try_from(node.int("num_split", 0)).ok().filter(|&parts| parts > 0)?;
    let length = input.shape()[axis];
    if !length.is_multiple_of(parts) {
        return None;
    }
    let each = length / parts;
    let part = |index: usize| {
        let part = Slice::from(index * each..(index + 1) * each);
        same_type!(input, array => array.slice_axis(Axis(axis), part).to_owned())
    };
    Some((0..parts).map(part).collect())
}
