//! Inspecting tensors: the kind and the statistics of each, and the totals of each kind.

use hashbrown::HashSet;
use rayon::prelude::*;
use serde::Serialize;

use super::{Kind, Parts, kind_of};
use crate::error::Error;
use crate::tensor::Statistics;
use crate::tensors_in_file::NamedTensor;

/// A tensor that was inspected.
#[derive(Debug)]
pub struct Inspected {
    /// The tensor.
    pub tensor: NamedTensor,
    /// Its kind.
    pub kind: Kind,
    /// Whether a conversion reads it; `None` if that is not known.
    pub converted: Option<bool>,
    /// Whether it holds the variances of a batch norm.
    pub is_variance: bool,
    /// Statistics of its elements, if it was read and holds numbers.
    pub statistics: Option<Statistics>,
    /// Why it cannot be read.
    pub problem: Option<Error>,
}

/// Tensors up to this size are always read.
const SMALL_BYTES: usize = 64 << 10;

/// Inspects tensors. Large ones are read only `with_statistics`, the variances of batch norms always. `names` are those of all
/// tensors in the file, and `read` those of the tensors that a conversion reads, if they are known. `progress` is called with
/// the bytes of each tensor that was read.
pub fn inspect_tensors(
    tensors: Vec<NamedTensor>,
    names: &HashSet<String>,
    parts: &Parts,
    read: Option<&HashSet<String>>,
    with_statistics: bool,
    progress: &(dyn Fn(u64) + Sync),
) -> Vec<Inspected> {
    tensors
        .into_par_iter()
        .with_max_len(1)
        .map(|tensor| {
            let NamedTensor { name, dtype, shape, value, .. } = &tensor;
            let kind = kind_of(name, *dtype, shape.len(), &|name| parts.all.contains(name), &|name| {
                names.contains(name)
            });
            let is_variance = parts.variances.contains(name) || is_called_variance(name);
            let bytes = tensor.byte_len();
            let is_read = with_statistics || is_variance || bytes.is_some_and(|bytes| bytes <= SMALL_BYTES);
            let found = match value {
                Ok(value) if is_read => Statistics::of(value),
                Ok(_) => Ok(None),
                Err(error) => Err(error.clone()),
            };
            if is_read {
                progress(bytes.unwrap_or(0) as u64);
            }
            let (statistics, problem) = match found {
                Ok(statistics) => (statistics, None),
                Err(error) => (None, Some(error)),
            };
            let converted = read.map(|read| read.contains(name));
            Inspected { kind, converted, is_variance, statistics, problem, tensor }
        })
        .collect()
}

fn is_called_variance(name: &str) -> bool {
    let name = name.strip_suffix(":0").unwrap_or(name);
    let role = name.rsplit('/').next().unwrap_or_default();
    matches!(role, "moving_variance" | "running_var")
}

/// The totals of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kinds {
    /// The kind.
    pub kind: Kind,
    /// The number of tensors.
    pub tensors: usize,
    /// The bytes of those with a fixed size.
    pub bytes: u64,
    /// The number of them that a conversion reads; `None` if that is not known.
    pub converted: Option<usize>,
}

/// The totals of each kind that occurs.
pub fn kinds(tensors: &[Inspected]) -> Vec<Kinds> {
    let of_kind = |kind| {
        let tensors: Vec<&Inspected> = tensors.iter().filter(|inspected| inspected.kind == kind).collect();
        let bytes = tensors.iter().filter_map(|inspected| inspected.tensor.byte_len());
        let converted = tensors.iter().map(|inspected| inspected.converted.map(usize::from)).sum();
        Kinds { kind, tensors: tensors.len(), bytes: bytes.map(|bytes| bytes as u64).sum(), converted }
    };
    Kind::ALL.into_iter().map(of_kind).filter(|kinds| kinds.tensors > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Constant;

    fn inspected(with_statistics: bool) -> Vec<Inspected> {
        let large = Constant::filled(vec![1 << 15], 2.0);
        let tensors = vec![
            NamedTensor::new("net/weights", large.clone()),
            NamedTensor::new("net/weights/Momentum", large.clone()),
            NamedTensor::new("net/BatchNorm/moving_variance", large),
            NamedTensor::new("net/biases", Constant::filled(vec![2], 0.5)),
        ];
        let read = ["net/weights", "net/BatchNorm/moving_variance", "net/biases"].map(str::to_owned);
        let read = HashSet::from(read);
        let names = tensors.iter().map(|tensor| tensor.name.clone()).collect();
        inspect_tensors(tensors, &names, &Parts::default(), Some(&read), with_statistics, &|_| ())
    }

    #[test]
    fn small_tensors_and_variances_are_always_read() {
        let read = |tensors: Vec<Inspected>| -> Vec<bool> {
            tensors.iter().map(|inspected| inspected.statistics.is_some()).collect()
        };
        assert_eq!(read(inspected(false)), [false, false, true, true]);
        assert_eq!(read(inspected(true)), [true; 4]);
    }

    #[test]
    fn tensors_of_each_kind_are_counted() {
        let found = kinds(&inspected(false));
        let weights = Kinds { kind: Kind::Weights, tensors: 2, bytes: (4 << 15) + 8, converted: Some(2) };
        let optimizer = Kinds { kind: Kind::Optimizer, tensors: 1, bytes: 4 << 15, converted: Some(0) };
        assert_eq!(found.len(), 3);
        assert_eq!((&found[0], &found[2]), (&weights, &optimizer));
    }
}
