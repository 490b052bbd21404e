//! Shapes as TensorFlow knows them before a model runs: some lengths open, or not even the rank known.

use std::fmt;

/// The shape of a tensor, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Option<Vec<Option<usize>>>);

impl Shape {
    /// A shape of unknown rank.
    pub const UNKNOWN: Shape = Shape(None);

    /// A shape of known rank; `None` is an axis of open length.
    pub fn new(dims: Vec<Option<usize>>) -> Self {
        Self(Some(dims))
    }

    /// A shape with every length known.
    pub fn known(dims: &[usize]) -> Self {
        Self(Some(dims.iter().copied().map(Some).collect()))
    }

    /// The shape of a scalar.
    pub fn scalar() -> Self {
        Self::known(&[])
    }

    /// A shape of this rank whose lengths are all open.
    pub fn of_rank(rank: usize) -> Self {
        Self(Some(vec![None; rank]))
    }

    /// The number of axes.
    pub fn rank(&self) -> Option<usize> {
        self.0.as_ref().map(Vec::len)
    }

    /// The lengths of the axes, if the rank is known.
    pub fn dims(&self) -> Option<&[Option<usize>]> {
        self.0.as_deref()
    }

    /// The length of one axis, if it is known.
    pub fn dim(&self, axis: usize) -> Option<usize> {
        self.0.as_ref()?.get(axis).copied().flatten()
    }

    /// The length of the last axis, if it is known.
    pub fn last(&self) -> Option<usize> {
        self.0.as_ref()?.last().copied().flatten()
    }

    /// All lengths, if all are known.
    pub fn fully_known(&self) -> Option<Vec<usize>> {
        self.0.as_ref()?.iter().copied().collect()
    }

    /// The shape that two tensors of these shapes broadcast to, as in NumPy; `None` if they do not broadcast.
    pub fn broadcast_with(&self, other: &Shape) -> Option<Shape> {
        let (Some(a), Some(b)) = (self.dims(), other.dims()) else { return Some(Self::UNKNOWN) };
        let rank = a.len().max(b.len());
        let aligned = |dims: &[Option<usize>], axis: usize| {
            (axis + dims.len()).checked_sub(rank).map_or(Some(1), |axis| dims[axis])
        };
        let dims = (0..rank).map(|axis| match (aligned(a, axis), aligned(b, axis)) {
            (Some(1), other) | (other, Some(1)) => Some(other),
            (Some(a), Some(b)) => (a == b).then_some(Some(a)),
            (Some(n), None) | (None, Some(n)) => Some(Some(n)),
            (None, None) => Some(None),
        });
        dims.collect::<Option<Vec<_>>>().map(Self::new)
    }

    /// The shape of a tensor that has one of the two shapes, as far as both agree.
    pub fn union(&self, other: &Shape) -> Shape {
        match (self.dims(), other.dims()) {
            (Some(a), Some(b)) if a.len() == b.len() => {
                Self::new(a.iter().zip(b).map(|(a, b)| if a == b { *a } else { None }).collect())
            }
            _ => Self::UNKNOWN,
        }
    }

    /// Whether a tensor could have both shapes.
    pub fn is_compatible_with(&self, other: &Shape) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_none() || b.is_none() || a == b)
            }
            _ => true,
        }
    }
}

impl fmt::Display for Shape {
    /// As in `[?, 299, 299, 3]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(dims) = &self.0 else { return f.write_str("[unknown rank]") };
        let dims: Vec<String> =
            dims.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |n| n.to_string())).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}
