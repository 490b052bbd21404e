//! The types of functions' results, so that a function that is called again is not built again to infer them.
//!
//! Functions call functions: without this, ten functions that call the next one ten times each would be built 10¹⁰ times.

use std::sync::{Mutex, PoisonError};

use hashbrown::HashMap;

use super::{Argument, Shape, TensorType};
use crate::tensor::DType;

/// Larger constants are only compared by where they are stored.
const MOST_COMPARED: usize = 64;

/// The most calls with arguments of the same types whose constants differ.
const MOST_CALLS: usize = 16;

/// A function's name, and the types of its call arguments.
type Key = (String, Vec<TensorKey>);

type TensorKey = (DType, Shape);

/// A call: its arguments, and the types of its results.
type Call = (Vec<Argument>, Vec<TensorType>);

/// The types of the results of functions for their call arguments.
#[derive(Debug, Default)]
pub struct Inferred(Mutex<HashMap<Key, Vec<Call>>>);

impl Inferred {
    /// The types of the results of a function that was called with these arguments before.
    pub fn get(&self, function: &str, arguments: &[Argument]) -> Option<Vec<TensorType>> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = calls.get(&key(function, arguments))?;
        let is_same = |(others, _): &&Call| arguments.iter().zip(others).all(|(a, b)| are_same(a, b));
        known.iter().find(is_same).map(|(_, types)| types.clone())
    }

    /// Records the types of the results of a function that was called with these arguments.
    pub fn insert(&self, function: &str, arguments: &[Argument], types: &[TensorType]) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = calls.entry(key(function, arguments)).or_default();
        if known.len() == MOST_CALLS {
            known.remove(0);
        }
        known.push((arguments.to_vec(), types.to_vec()));
    }
}

fn key(function: &str, arguments: &[Argument]) -> Key {
    let of = |argument: &Argument| match argument {
        Argument::Known(constant) => (constant.dtype(), Shape::known(constant.shape())),
        Argument::Open(known) => (known.dtype, known.shape.clone()),
    };
    (function.to_owned(), arguments.iter().map(of).collect())
}

/// Whether two arguments of the same type are the same constant, or both are no constants.
fn are_same(a: &Argument, b: &Argument) -> bool {
    match (a, b) {
        (Argument::Open(_), Argument::Open(_)) => true,
        (Argument::Known(a), Argument::Known(b)) => {
            a.has_recipe_of(b)
                || (a.len() <= MOST_COMPARED && matches!((a.bytes(), b.bytes()), (Ok(a), Ok(b)) if a == b))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Constant;

    #[test]
    fn a_call_is_known_by_its_types_and_constants() {
        let (inferred, types) = (Inferred::default(), [TensorType::new(DType::Float32, Shape::known(&[2]))]);
        let open = |length| [Argument::Open(TensorType::new(DType::Int32, Shape::known(&[length])))];
        let known = |value| [Argument::Known(Constant::from_i32(vec![1], &[value]))];
        inferred.insert("f", &open(1), &types);
        inferred.insert("f", &known(7), &types);
        assert_eq!(inferred.get("f", &open(1)).as_deref(), Some(&types[..]));
        assert_eq!(inferred.get("f", &known(7)).as_deref(), Some(&types[..]));
        for (function, arguments) in [("g", open(1)), ("f", open(2)), ("f", known(8))] {
            assert_eq!(inferred.get(function, &arguments), None);
        }
    }
}
