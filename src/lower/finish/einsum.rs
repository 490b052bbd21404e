//! Einsum by the operators of sets before the one that has it: each term in turn is multiplied with what the terms before it make.
//!
//! The letters of a term name axes. An ellipsis stands for any number of axes, which broadcast: meanwhile they are one axis, named `.`.
//!
//! Source: Einsum in <https://onnx.ai/onnx/operators/>.

use super::error;
use super::shapes::zero;
use super::writer::{Writer, text_attribute};
use crate::error::Result;
use crate::onnx::{Attribute, Node};

const ELLIPSIS: char = '.';

/// A value whose axes have names.
struct Term {
    value: String,
    /// Each of them once.
    axes: Vec<char>,
    /// The lengths of the axes that the ellipsis stands for; a vector.
    broadcast: Option<String>,
}

/// The names of the axes of the inputs, and of the result.
struct Equation {
    terms: Vec<Vec<char>>,
    result: Vec<char>,
}

impl Equation {
    fn of(node: &Node) -> Option<Self> {
        let equation = text_attribute(node, "equation")?.replace("...", ".");
        let (terms, result) = equation.split_once("->")?;
        let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect();
        Some(Self { terms: terms.split(',').map(letters).collect(), result: letters(result) })
    }
}

/// Whether ONNX Runtime fails where ONNX and TensorFlow have a result: for two ellipses that stand for axes of different lengths, and for a
/// result with an axis twice.
pub(super) fn fails(node: &Node) -> bool {
    Equation::of(node).is_some_and(|Equation { terms, result }| {
        let ellipses = terms.iter().filter(|term| term.contains(&ELLIPSIS)).count();
        ellipses > 1 || !repeated(&result).is_empty()
    })
}

/// The places of the axes that have the name of one before them.
fn repeated(axes: &[char]) -> Vec<usize> {
    (0..axes.len()).filter(|&place| axes[..place].contains(&axes[place])).collect()
}

/// The first axis with the name of the one at a place.
fn first_of_its_name(axes: &[char], place: usize) -> usize {
    axes.iter().position(|axis| *axis == axes[place]).unwrap_or(place)
}

pub(super) fn einsum(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let equation = Equation::of(&w.node).filter(|Equation { terms, result }| {
        terms.len() == w.node.inputs.len() && result.contains(&ELLIPSIS) == terms.concat().contains(&ELLIPSIS)
    });
    let Some(Equation { terms, result }) = equation else {
        return Err(error(&w.node, "its equation does not name the axes of its inputs and of its result"));
    };
    let mut product: Option<Term> = None;
    for (index, axes) in terms.iter().enumerate() {
        let value = w.input(index);
        let term = read(w, value, axes)?;
        // What later terms and the result need.
        let needed = [terms[index + 1..].concat(), result.clone()].concat();
        product = Some(match product {
            None => term,
            Some(before) => multiplied(w, before, term, &needed)?,
        });
    }
    match product {
        Some(product) => write(w, product, &result),
        None => Err(error(&w.node, "it has no inputs")),
    }
}

/// An input, with the axes of an ellipsis as one, and the diagonal of axes that have the same name.
fn read(w: &mut Writer<'_, '_, '_>, value: String, axes: &[char]) -> Result<Term> {
    let mut term = Term { value, axes: axes.to_vec(), broadcast: None };
    if let Some(before) = axes.iter().position(|&axis| axis == ELLIPSIS) {
        let behind = axes.len() - before - 1;
        let [front, middle, back] = sides(w, &term.value, before, behind)?;
        let count = length(w, &middle)?;
        let shape = w.op_with("Concat", &[&front, &count, &back], axis(0))?;
        term.value = w.reshape(&term.value, &shape)?;
        term.broadcast = Some(middle);
    }
    for place in repeated(axes).into_iter().rev() {
        let first = first_of_its_name(axes, place);
        let is_on_diagonal = diagonal(w, &term.value, [first, place], term.axes.len())?;
        let zero = zero_like(w, &term.value)?;
        let value = w.op("Where", &[&is_on_diagonal, &term.value, &zero])?;
        term.value = sum(w, &value, &[place])?;
        term.axes.remove(place);
    }
    Ok(term)
}

/// The product of two terms, summed along all axes that are not needed any more.
fn multiplied(w: &mut Writer<'_, '_, '_>, a: Term, b: Term, needed: &[char]) -> Result<Term> {
    let a = reduced(w, a, &[&b.axes, needed].concat())?;
    let b = reduced(w, b, &[&a.axes, needed].concat())?;
    let letters = |term: &Term, is_in_other: bool, other: &Term, is_needed: Option<bool>| -> Vec<char> {
        let letters = term.axes.iter().copied().filter(|letter| *letter != ELLIPSIS);
        letters
            .filter(|letter| other.axes.contains(letter) == is_in_other)
            .filter(|letter| is_needed.is_none_or(|is_needed| needed.contains(letter) == is_needed))
            .collect()
    };
    let batch = letters(&a, true, &b, Some(true));
    let inner = letters(&a, true, &b, Some(false));
    let (rows, columns) = (letters(&a, false, &b, None), letters(&b, false, &a, None));
    let (left, rows_length) = matrices(w, &a, &batch, &rows, &inner)?;
    let (right, columns_length) = matrices(w, &b, &batch, &inner, &columns)?;
    let value = w.op("MatMul", &[&left, &right])?;
    let is_broadcast = a.broadcast.is_some() || b.broadcast.is_some();
    let axes = [&batch[..], &rows, &columns].concat();
    if !is_broadcast && rows.len() == 1 && columns.len() == 1 {
        return Ok(Term { value, axes, broadcast: None });
    }
    let (row_lengths, column_lengths) = (rows_length.0, columns_length.1);
    let [front, batch_lengths, _] = last(w, &value, batch.len(), 2)?;
    let first = if is_broadcast { length(w, &front)? } else { w.ints(&[]) };
    let shape = w.op_with("Concat", &[&first, &batch_lengths, &row_lengths, &column_lengths], axis(0))?;
    let value = w.reshape(&value, &shape)?;
    let axes = if is_broadcast { [&[ELLIPSIS][..], &axes].concat() } else { axes };
    Ok(Term { value, axes, broadcast: is_broadcast.then_some(front) })
}

/// Matrices whose rows and columns are all elements along some axes, and the lengths of these axes.
fn matrices(
    w: &mut Writer<'_, '_, '_>,
    term: &Term,
    batch: &[char],
    rows: &[char],
    columns: &[char],
) -> Result<(String, (String, String))> {
    let first: &[char] = if term.broadcast.is_some() { &[ELLIPSIS] } else { &[] };
    let value = ordered(w, term, &[first, batch, rows, columns].concat())?;
    let [front, row_lengths, column_lengths] = last(w, &value, rows.len(), columns.len())?;
    let lengths = (row_lengths, column_lengths);
    if term.broadcast.is_none() && rows.len() == 1 && columns.len() == 1 {
        return Ok((value, lengths));
    }
    let sizes = [length(w, &lengths.0)?, length(w, &lengths.1)?];
    let mut parts = vec![];
    let batch_lengths;
    match &term.broadcast {
        Some(broadcast) => {
            batch_lengths = slice(w, &front, 1, i64::MAX)?;
            parts.extend([broadcast, &batch_lengths]);
        }
        None => parts.push(&front),
    }
    parts.extend(&sizes);
    let shape = w.op_with("Concat", &parts, axis(0))?;
    Ok((w.reshape(&value, &shape)?, lengths))
}

/// The result: its axes in their order, and those of the ellipsis as they were. Where axes have the same name, all but their diagonal is 0.
fn write(w: &mut Writer<'_, '_, '_>, term: Term, result: &[char]) -> Result<()> {
    let term = reduced(w, term, result)?;
    let repeated = repeated(result);
    let places = (0..result.len()).filter(|place| !repeated.contains(place));
    let letters: Vec<char> = places.map(|place| result[place]).collect();
    if letters.iter().any(|letter| !term.axes.contains(letter)) {
        return Err(error(&w.node, "its equation names axes of the result that no input has"));
    }
    let mut value = ordered(w, &term, &letters)?;
    for (rank, place) in (letters.len() + 1..).zip(repeated) {
        let first = first_of_its_name(result, place);
        let is_on_diagonal = diagonal(w, &value, [first, place], rank)?;
        let (zero, axes) = (zero_like(w, &value)?, w.ints(&[place as i64]));
        value = w.op("Unsqueeze", &[&value, &axes])?;
        value = w.op("Where", &[&is_on_diagonal, &value, &zero])?;
    }
    let (Some(broadcast), Some(before)) =
        (&term.broadcast, result.iter().position(|&letter| letter == ELLIPSIS))
    else {
        return w.emit("Identity", &[&value], vec![]);
    };
    let [front, _, back] = sides(w, &value, before, result.len() - before - 1)?;
    let shape = w.op_with("Concat", &[&front, broadcast, &back], axis(0))?;
    w.emit("Reshape", &[&value, &shape], vec![("allowzero", Attribute::Int(1))])
}

/// A term summed along the axes that are not needed.
fn reduced(w: &mut Writer<'_, '_, '_>, term: Term, needed: &[char]) -> Result<Term> {
    let is_needed = |place: &usize| term.axes[*place] == ELLIPSIS || needed.contains(&term.axes[*place]);
    let (kept, dropped): (Vec<usize>, Vec<usize>) = (0..term.axes.len()).partition(is_needed);
    if dropped.is_empty() {
        return Ok(term);
    }
    let value = sum(w, &term.value, &dropped)?;
    Ok(Term { value, axes: kept.into_iter().map(|place| term.axes[place]).collect(), ..term })
}

/// The value of a term with its axes in another order.
fn ordered(w: &mut Writer<'_, '_, '_>, term: &Term, order: &[char]) -> Result<String> {
    if term.axes == order {
        return Ok(term.value.clone());
    }
    let places = order.iter().filter_map(|letter| term.axes.iter().position(|axis| axis == letter));
    let perm = places.map(|place| place as i64).collect();
    w.op_with("Transpose", &[&term.value], vec![("perm", Attribute::Ints(perm))])
}

fn sum(w: &mut Writer<'_, '_, '_>, value: &String, places: &[usize]) -> Result<String> {
    let axes: Vec<i64> = places.iter().map(|&place| place as i64).collect();
    let axes = w.ints(&axes);
    w.op_with("ReduceSum", &[value, &axes], vec![("keepdims", Attribute::Int(0))])
}

/// Whether the positions along two axes are the same, in a shape that broadcasts to that of a value of this rank.
fn diagonal(w: &mut Writer<'_, '_, '_>, value: &String, places: [usize; 2], rank: usize) -> Result<String> {
    let (first, one, place) = (w.int(0), w.int(1), w.int(places[0] as i64));
    let shape = w.op("Shape", &[value])?;
    let length = w.op("Gather", &[&shape, &place])?;
    let positions = w.op("Range", &[&first, &length, &one])?;
    let mut along = |place: usize| {
        let behind: Vec<i64> = (1..(rank - place) as i64).collect();
        if behind.is_empty() {
            return Ok(positions.clone());
        }
        let behind = w.ints(&behind);
        w.op("Unsqueeze", &[&positions, &behind])
    };
    let [rows, columns] = [along(places[0])?, along(places[1])?];
    w.op("Equal", &[&rows, &columns])
}

fn zero_like(w: &mut Writer<'_, '_, '_>, value: &str) -> Result<String> {
    let dtype = w.dtype(value)?;
    Ok(zero(w, dtype))
}

/// The lengths of so many axes in front of others, of the others, and of so many behind them.
fn sides(w: &mut Writer<'_, '_, '_>, value: &String, before: usize, behind: usize) -> Result<[String; 3]> {
    let [front, _, back] = last(w, value, 0, behind)?;
    Ok([slice(w, &front, 0, before as i64)?, slice(w, &front, before as i64, i64::MAX)?, back])
}

/// The lengths of the first axes of a value, and those of so many in the middle and so many at the end.
fn last(w: &mut Writer<'_, '_, '_>, value: &String, middle: usize, end: usize) -> Result<[String; 3]> {
    let shape = w.op("Shape", &[value])?;
    let places =
        [(middle + end) as i64, end as i64, 0].map(|count| if count == 0 { i64::MAX } else { -count });
    Ok([
        slice(w, &shape, 0, places[0])?,
        slice(w, &shape, places[0], places[1])?,
        slice(w, &shape, places[1], places[2])?,
    ])
}

/// The elements of a vector from one position up to another.
fn slice(w: &mut Writer<'_, '_, '_>, vector: &String, from: i64, to: i64) -> Result<String> {
    let (from, to) = (w.ints(&[from]), w.ints(&[to]));
    w.part(vector, &from, &to)
}

/// The number of elements of a shape, as a vector.
fn length(w: &mut Writer<'_, '_, '_>, shape: &String) -> Result<String> {
    let axes = w.ints(&[0]);
    w.op_with("ReduceProd", &[shape, &axes], vec![("keepdims", Attribute::Int(1))])
}

fn axis(axis: i64) -> Vec<(&'static str, Attribute)> {
    vec![("axis", Attribute::Int(axis))]
}
