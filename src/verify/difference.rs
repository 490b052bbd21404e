//! The difference between the outputs of a model and the expected outputs.

use ndarray::{ArrayD, Axis};
use serde::Serialize;

use super::{Named, find};
use crate::suggestion::first_of;
use crate::tensor::Tensor;

/// The difference between an output and the expected output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The output's name.
    pub name: String,
    /// The name of the expected output, if it is another.
    pub expected_name: Option<String>,
    /// Its shape; `None` if the model does not have it.
    pub shape: Option<Vec<usize>>,
    /// The largest difference; infinite if one has a NaN or an infinity where the other does not.
    pub max_difference: f64,
    /// The element with the largest difference: an index along each axis. `None` if there is no difference.
    pub at: Option<Vec<usize>>,
    /// The mean difference over all elements.
    pub mean_difference: f64,
    /// The largest expected value, without its sign.
    pub largest_expected: f64,
    /// The largest difference, divided by that.
    pub relative: f64,
    /// For rows of scores: how many have their largest score at the same index.
    pub top1: Option<Top1>,
    /// Whether the difference is within the tolerance.
    pub ok: bool,
    /// Why they cannot be compared.
    pub problem: Option<String>,
}

/// Rows of scores whose largest score is at the expected index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Top1 {
    /// How many agree.
    pub agree: usize,
    /// How many there are.
    pub rows: usize,
}

/// How many outputs a sentence lists.
const LISTED: usize = 8;

/// Compares the outputs of a model with the expected ones. The model has to have each of them. If no names agree and there
/// are as many outputs as expected, they are compared in order.
pub fn compare_all(outputs: &[Named], expected: &[Named], tolerance: f64) -> Vec<Difference> {
    let by_name = expected.iter().any(|(name, _)| find(outputs, name).is_some());
    let by_position = !by_name && outputs.len() == expected.len();
    let compared = |(position, (name, tensor)): (usize, &Named)| {
        let output = if by_position { outputs.get(position) } else { find(outputs, name) };
        match output {
            Some((output, got)) => {
                let expected_name = by_position.then(|| name.clone());
                Difference { expected_name, ..compare(output, got, tensor, tolerance) }
            }
            None => {
                let names: Vec<String> = outputs.iter().map(|(output, _)| output.clone()).collect();
                let problem = format!("the model has no such output; it has {}", first_of(&names, LISTED));
                Difference::incomparable(name, None, problem)
            }
        }
    };
    expected.iter().enumerate().map(compared).collect()
}

/// Compares an output with the expected one. The tolerance is relative to the largest expected value.
pub fn compare(name: &str, got: &Tensor, expected: &Tensor, tolerance: f64) -> Difference {
    if got.shape() != expected.shape() {
        let problem = format!("its shape is {:?} instead of {:?}", got.shape(), expected.shape());
        return Difference::incomparable(name, Some(got.shape().to_vec()), problem);
    }
    let (got, expected) = (got.numbers(), expected.numbers());
    let mut largest_expected = 0.0_f64;
    let (mut max_difference, mut at, mut sum) = (0.0_f64, None, 0.0_f64);
    for (index, (&got, &expected)) in got.iter().zip(&expected).enumerate() {
        if expected.is_finite() {
            largest_expected = largest_expected.max(expected.abs());
        }
        let difference = match (got - expected).abs() {
            _ if got == expected || got.is_nan() && expected.is_nan() => 0.0,
            difference if difference.is_nan() => f64::INFINITY,
            difference => difference,
        };
        sum += difference;
        if difference > max_difference {
            (max_difference, at) = (difference, Some(index));
        }
    }
    let relative = if max_difference == 0.0 { 0.0 } else { max_difference / largest_expected };
    Difference {
        name: name.to_owned(),
        expected_name: None,
        shape: Some(got.shape().to_vec()),
        max_difference,
        at: at.map(|index| indices(got.shape(), index)),
        mean_difference: sum / got.len().max(1) as f64,
        largest_expected,
        relative,
        top1: top1(&got, &expected),
        ok: relative <= tolerance,
        problem: None,
    }
}

impl Difference {
    fn incomparable(name: &str, shape: Option<Vec<usize>>, problem: String) -> Self {
        Self {
            name: name.to_owned(),
            expected_name: None,
            shape,
            max_difference: f64::INFINITY,
            at: None,
            mean_difference: f64::INFINITY,
            largest_expected: f64::NAN,
            relative: f64::INFINITY,
            top1: None,
            ok: false,
            problem: Some(problem),
        }
    }
}

/// The index along each axis of the element at an index in C order.
fn indices(shape: &[usize], mut index: usize) -> Vec<usize> {
    let mut indices = vec![0; shape.len()];
    for (along_axis, length) in indices.iter_mut().zip(shape).rev() {
        *along_axis = index % length;
        index /= length;
    }
    indices
}

/// The agreement of the largest scores. Only matrices with several columns are scores.
fn top1(got: &ArrayD<f64>, expected: &ArrayD<f64>) -> Option<Top1> {
    let &[rows, columns] = got.shape() else { return None };
    if rows == 0 || columns < 2 {
        return None;
    }
    let largest = |array: &ArrayD<f64>, row: usize| {
        let row = array.index_axis(Axis(0), row);
        row.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(index, _)| index)
    };
    let agree = (0..rows).filter(|&row| largest(got, row) == largest(expected, row)).count();
    Some(Top1 { agree, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(shape: &[usize], values: &[f32]) -> Tensor {
        Tensor::Float32(ArrayD::from_shape_vec(shape, values.to_vec()).unwrap())
    }

    fn compared(got: &[f32], expected: &[f32]) -> Difference {
        compare("x:0", &floats(&[got.len()], got), &floats(&[expected.len()], expected), 0.01)
    }

    #[test]
    fn the_largest_difference_is_relative_to_the_largest_expected_value() {
        let got = floats(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.5, -10.0]);
        let expected = floats(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, -10.0]);
        let difference = compare("x:0", &got, &expected, 0.06);
        assert_eq!((difference.max_difference, difference.at.as_deref()), (0.5, Some(&[1, 1][..])));
        assert_eq!((difference.relative, difference.ok), (0.05, true));
        assert!((difference.mean_difference - 0.5 / 6.0).abs() < 1e-12);
        assert_eq!(difference.top1, Some(Top1 { agree: 2, rows: 2 }));
        assert!(!compare("x:0", &got, &expected, 0.04).ok);
    }

    #[test]
    fn nan_and_infinity_have_to_be_expected() {
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        assert!(compared(&[nan, infinity, -infinity, 1.0], &[nan, infinity, -infinity, 1.0]).ok);
        for (got, expected) in
            [(nan, 1.0), (1.0, nan), (infinity, -infinity), (infinity, 1.0), (1.0, infinity), (nan, infinity)]
        {
            let difference = compared(&[1.0, got], &[1.0, expected]);
            assert!(!difference.ok && difference.max_difference.is_infinite(), "{got} for {expected}");
        }
    }

    #[test]
    fn only_zeros_match_zeros() {
        assert!(compared(&[0.0, -0.0], &[0.0, 0.0]).ok);
        assert!(!compared(&[0.0, 1e-30], &[0.0, 0.0]).ok);
    }

    #[test]
    fn another_shape_and_a_missing_output_are_beyond_every_tolerance() {
        let one = floats(&[1], &[1.0]);
        let shape = compare("x:0", &one, &floats(&[1, 1], &[1.0]), f64::INFINITY);
        assert_eq!((shape.ok, shape.problem.as_deref()), (false, Some("its shape is [1] instead of [1, 1]")));
        let named = |name: &str| (name.to_owned(), one.clone());
        let missing = compare_all(&[named("a:0")], &[named("a"), named("b")], f64::INFINITY);
        assert_eq!(missing.iter().map(|difference| difference.ok).collect::<Vec<_>>(), [true, false]);
        assert_eq!(missing[1].problem.as_deref(), Some("the model has no such output; it has a:0"));
    }

    #[test]
    fn outputs_of_other_names_are_compared_in_their_order() {
        let named = |name: &str, value: f32| (name.to_owned(), floats(&[1], &[value]));
        let outputs = [named("a:0", 1.0), named("b:0", 2.0)];
        let compared = compare_all(&outputs, &[named("x", 1.0), named("y", 2.0)], 0.0);
        assert!(compared.iter().all(|difference| difference.ok));
        assert_eq!(compared[1].expected_name.as_deref(), Some("y"));
        let by_name = compare_all(&outputs, &[named("b", 1.0), named("a", 2.0)], 0.0);
        assert!(by_name.iter().all(|difference| !difference.ok && difference.expected_name.is_none()));
    }
}
