//! Lists of tensors, as the arrays of their stacked elements.
//!
//! TensorFlow's lists may be reserved before the shape of their elements is known. The elements of such a list are zeros here,
//! with length 1 along each axis whose length is not known, and scalars if not even the rank is known. The first write gives
//! them its shape. TensorFlow also has lists with elements of several shapes; they are not evaluated.
//!
//! Source: the descriptions of the ops in `tensorflow/core/api_def/base_api`, and `tensorflow/core/kernels/list_kernels.h`.

use ndarray::{ArrayD, Axis, Slice};

use crate::graph::Node;
use crate::ops::array::eval::basic::{joined, lengths, picked, reshaped};
use crate::tensor::{DType, Tensor, element_count, same_type};

/// Applies an expression, which is an `Option`, to two arrays of the same type. `None` for tensors of two types.
macro_rules! of_one_type {
    ($tensors:expr, ($a:ident, $b:ident) => $result:expr) => {
        match $tensors {
            (Tensor::Float32($a), Tensor::Float32($b)) => $result.map(Tensor::Float32),
            (Tensor::Float64($a), Tensor::Float64($b)) => $result.map(Tensor::Float64),
            (Tensor::Int32($a), Tensor::Int32($b)) => $result.map(Tensor::Int32),
            (Tensor::Int64($a), Tensor::Int64($b)) => $result.map(Tensor::Int64),
            (Tensor::UInt8($a), Tensor::UInt8($b)) => $result.map(Tensor::UInt8),
            (Tensor::Bool($a), Tensor::Bool($b)) => $result.map(Tensor::Bool),
            _ => None,
        }
    };
}

/// An element of a type whose default is what TensorFlow fills unwritten elements with.
trait Element: Clone + Default + PartialEq {}

impl<T: Clone + Default + PartialEq> Element for T {}

/// The most elements that the tensors of a list have together.
const MAX_ELEMENTS: usize = 1 << 30;

fn zeros<T: Element>(shape: &[usize]) -> Option<ArrayD<T>> {
    element_count(shape).filter(|&count| count <= MAX_ELEMENTS).map(|_| ArrayD::default(shape))
}

/// The elements of an array along its first axis from `start` on, up to `end`.
fn part<T: Element>(list: &ArrayD<T>, start: usize, end: usize) -> ArrayD<T> {
    list.slice_axis(Axis(0), Slice::from(start..end)).to_owned()
}

/// A list cut off, or with zeros after its end.
fn resized<T: Element>(list: &ArrayD<T>, count: usize) -> Option<ArrayD<T>> {
    let length = list.len_of(Axis(0));
    if count <= length {
        return Some(part(list, 0, count));
    }
    let more = zeros(&[&[count - length], &list.shape()[1..]].concat())?;
    joined(0, &[list.view(), more.view()])
}

/// A list whose elements have this shape. Only zeros get another shape than they have.
fn with_elements<T: Element>(list: &ArrayD<T>, element: &[usize]) -> Option<ArrayD<T>> {
    let shape = list.shape();
    if shape[1..] == *element {
        return Some(list.clone());
    }
    let is_stretched = |(&from, &to): (&usize, &usize)| from == to || from == 1;
    let fits = shape.len() == 1
        || shape.len() == element.len() + 1 && shape[1..].iter().zip(element).all(is_stretched);
    let is_unwritten = list.iter().all(|value| *value == T::default());
    if fits && is_unwritten { zeros(&[&shape[..1], element].concat()) } else { None }
}

/// A list with other elements at some indices. It grows as far as the indices need.
fn written<T: Element>(list: &ArrayD<T>, indices: &[usize], elements: &ArrayD<T>) -> Option<ArrayD<T>> {
    if elements.shape().first() != Some(&indices.len()) {
        return None;
    }
    let needed = indices.iter().max().map_or(0, |index| index + 1);
    let list = with_elements(list, &elements.shape()[1..])?;
    let mut list = resized(&list, needed.max(list.len_of(Axis(0))))?;
    for (&index, element) in indices.iter().zip(elements.outer_iter()) {
        list.index_axis_mut(Axis(0), index).assign(&element);
    }
    Some(list)
}

/// The one number that an input is.
fn count(input: &Tensor) -> Option<usize> {
    usize::try_from(input.integer()?).ok()
}

fn length(list: &Tensor) -> Option<usize> {
    list.shape().first().copied()
}

/// A tensor as a list of one element.
fn list_of_one(item: &Tensor) -> Option<Tensor> {
    reshaped(item, &[&[1], item.shape()].concat())
}

/// A list of zeros of this type.
fn zeros_of(dtype: DType, shape: &[usize]) -> Option<Tensor> {
    Tensor::Bool(zeros(shape)?).converted(dtype)
}

/// The lengths of a described shape of elements, 1 where they are not known. A scalar -1 stands for a shape of any rank.
fn described(shape: &Tensor) -> Option<Vec<usize>> {
    let lengths = shape.integers()?;
    match shape.shape() {
        [] => Some(vec![]),
        _ => lengths
            .into_iter()
            .map(|length| if length == -1 { Some(1) } else { usize::try_from(length).ok() })
            .collect(),
    }
}

/// The list with elements of the shape that the reader describes, which unwritten elements take.
fn as_read(list: &Tensor, described: &Tensor) -> Option<Tensor> {
    if list.shape().is_empty() {
        return None;
    }
    match lengths(described).filter(|_| !described.shape().is_empty()) {
        Some(element) => Some(same_type!(list, list => with_elements(list, &element)?)),
        None => Some(list.clone()),
    }
}

pub fn reserve(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [element, number] = inputs else { return None };
    let shape = [vec![count(number)?], described(element)?].concat();
    Some(vec![zeros_of(node.dtype("element_dtype")?, &shape)?])
}

pub fn empty(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let shape = [vec![0], described(inputs.first()?)?].concat();
    Some(vec![zeros_of(node.dtype("element_dtype")?, &shape)?])
}

pub fn from_tensor(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let tensor = *inputs.first()?;
    (!tensor.shape().is_empty()).then(|| vec![tensor.clone()])
}

pub fn set_item(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [list, index, item] = inputs else { return None };
    let (length, index) = (length(list)?, count(index)?);
    if index >= length && !node.bool("resize_if_index_out_of_bounds", false) {
        return None;
    }
    let item = list_of_one(item)?;
    Some(vec![of_one_type!((*list, &item), (list, item) => written(list, &[index], item))?])
}

pub fn get_item(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [list, index, element] = inputs else { return None };
    let (list, index) = (as_read(list, element)?, count(index)?);
    if index >= length(&list)? {
        return None;
    }
    Some(vec![same_type!(&list, list => list.index_axis(Axis(0), index).to_owned())])
}

pub fn stack(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [list, element] = inputs else { return None };
    let list = as_read(list, element)?;
    let declared = usize::try_from(node.int("num_elements", -1)).ok();
    declared.is_none_or(|declared| length(&list) == Some(declared)).then(|| vec![list])
}

pub fn gather(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [list, indices, element] = inputs else { return None };
    let (list, indices) = (as_read(list, element)?, lengths(indices)?);
    let length = length(&list)?;
    if indices.iter().any(|&index| index >= length) {
        return None;
    }
    Some(vec![picked(&list, 0, &indices)])
}

pub fn scatter(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [elements, indices, _, number @ ..] = inputs else { return None };
    let indices = lengths(indices)?;
    let declared = match number {
        [] => 0,
        [number] => usize::try_from(number.integer()?.max(0)).ok()?,
        _ => return None,
    };
    let list = zeros_of(elements.dtype(), &[&[declared], elements.shape().get(1..)?].concat())?;
    if declared > 0 && indices.iter().any(|&index| index >= declared) {
        return None;
    }
    Some(vec![of_one_type!((&list, *elements), (list, elements) => written(list, &indices, elements))?])
}

pub fn scatter_into(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [list, elements, indices] = inputs else { return None };
    let indices = lengths(indices)?;
    length(list)?;
    Some(vec![of_one_type!((*list, *elements), (list, elements) => written(list, &indices, elements))?])
}

pub fn concat(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let list = *inputs.first()?;
    let &[length, rows, ref rest @ ..] = list.shape() else { return None };
    let joined = reshaped(list, &[&[length * rows], rest].concat())?;
    let lengths = vec![i64::try_from(rows).ok()?; length];
    Some(vec![joined, Tensor::from_integers(DType::Int64, &[length], &lengths)?])
}

pub fn split(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [tensor, _, parts] = inputs else { return None };
    let parts = lengths(parts)?;
    let (&rows, rest) = tensor.shape().split_first()?;
    let length = parts.first().copied().unwrap_or(0);
    let fits = parts.iter().all(|&part| part == length) && parts.len().checked_mul(length)? == rows;
    fits.then(|| reshaped(tensor, &[&[parts.len(), length], rest].concat())).flatten().map(|list| vec![list])
}

pub fn push_back(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [list, item] = inputs else { return None };
    let (index, item) = (length(list)?, list_of_one(item)?);
    Some(vec![of_one_type!((*list, &item), (list, item) => written(list, &[index], item))?])
}

pub fn pop_back(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [list, element] = inputs else { return None };
    let list = as_read(list, element)?;
    let last = length(&list)?.checked_sub(1)?;
    let rest = same_type!(&list, list => part(list, 0, last));
    Some(vec![rest, same_type!(list, list => list.index_axis_move(Axis(0), last))])
}

pub fn list_length(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let length = i64::try_from(length(inputs.first()?)?).ok()?;
    Some(vec![Tensor::from_integers(DType::Int32, &[], &[length])?])
}

pub fn element_shape(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let element: Vec<i64> = inputs.first()?.shape().get(1..)?.iter().map(|&length| length as i64).collect();
    let dtype = node.dtype("shape_type").unwrap_or(DType::Int32);
    Some(vec![Tensor::from_integers(dtype, &[element.len()], &element)?])
}

pub fn resize(_: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [list, size] = inputs else { return None };
    let size = count(size)?;
    length(list)?;
    Some(vec![same_type!(list, list => resized(list, size)?)])
}

#[cfg(test)]
mod tests {
    use ndarray::{arr0, arr1, arr2};

    use super::*;
    use crate::graph::{Attr, Attrs};

    fn node(attrs: Attrs) -> Node {
        Node { name: "list".to_owned(), op: String::new(), inputs: vec![], attrs, outputs: vec![] }
    }

    fn integer(value: i32) -> Tensor {
        Tensor::Int32(arr0(value).into_dyn())
    }

    fn row(values: &[f32]) -> Tensor {
        Tensor::Float32(arr1(values).into_dyn())
    }

    fn rows<const N: usize>(values: &[[f32; N]]) -> Tensor {
        Tensor::Float32(arr2(values).into_dyn())
    }

    /// Three elements of floats, whose shape is this.
    fn reserved(shape: &Tensor) -> Tensor {
        let node = node([("element_dtype", Attr::Type(DType::Float32))].into());
        reserve(&node, &[shape, &integer(3)]).unwrap().remove(0)
    }

    fn set(list: &Tensor, index: i32, item: &Tensor, grows: bool) -> Option<Tensor> {
        let node = node([("resize_if_index_out_of_bounds", Attr::Bool(grows))].into());
        Some(set_item(&node, &[list, &integer(index), item])?.remove(0))
    }

    #[test]
    fn the_first_write_gives_all_elements_their_shape() {
        for shape in [integer(-1), Tensor::Int32(arr1(&[-1]).into_dyn())] {
            let list = set(&reserved(&shape), 1, &row(&[1.0, 2.0]), false).unwrap();
            assert_eq!(list, rows(&[[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]]));
            assert_eq!(set(&list, 0, &row(&[1.0, 2.0, 3.0]), false), None, "all elements have one shape");
        }
    }

    #[test]
    fn a_list_grows_if_the_op_may_resize_it() {
        let list = reserved(&Tensor::Int32(arr1(&[1]).into_dyn()));
        assert_eq!(set(&list, 4, &row(&[1.0]), false), None);
        let grown = set(&list, 4, &row(&[1.0]), true).unwrap();
        assert_eq!(grown, rows(&[[0.0], [0.0], [0.0], [0.0], [1.0]]));
        assert_eq!(set(&list, i32::MAX, &row(&[1.0; 8]), true), None, "the list would be too large");
        let indices = Tensor::Int32(arr1(&[3, 0]).into_dyn());
        let scattered =
            scatter_into(&node(Attrs::new()), &[&list, &rows(&[[1.0], [2.0]]), &indices]).unwrap();
        assert_eq!(scattered, [rows(&[[2.0], [0.0], [0.0], [1.0]])]);
    }

    #[test]
    fn elements_that_are_not_written_have_the_shape_that_their_reader_describes() {
        let (list, shape) = (reserved(&integer(-1)), Tensor::Int32(arr1(&[2]).into_dyn()));
        let item = get_item(&node(Attrs::new()), &[&list, &integer(2), &shape]).unwrap();
        assert_eq!(item, [row(&[0.0, 0.0])]);
        let stacked = stack(&node(Attrs::new()), &[&list, &shape]).unwrap();
        assert_eq!(stacked, [rows(&[[0.0; 2]; 3])]);
        assert_eq!(get_item(&node(Attrs::new()), &[&list, &integer(3), &shape]), None);
    }

    #[test]
    fn the_last_element_is_removed_and_elements_are_joined() {
        let (list, any) = (rows(&[[1.0, 2.0], [3.0, 4.0]]), integer(-1));
        let popped = pop_back(&node(Attrs::new()), &[&list, &any]).unwrap();
        assert_eq!(popped, [rows(&[[1.0, 2.0]]), row(&[3.0, 4.0])]);
        let pushed = push_back(&node(Attrs::new()), &[&popped[0], &popped[1]]).unwrap();
        assert_eq!(pushed[0], list);
        let joined = concat(&node(Attrs::new()), &[&list]).unwrap();
        assert_eq!(joined, [row(&[1.0, 2.0, 3.0, 4.0]), Tensor::Int64(arr1(&[2, 2]).into_dyn())]);
    }
}
