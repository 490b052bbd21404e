//! The tensors of a checkpoint.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::slices::{Slice, check_counts, check_disjoint};
use super::{v1, v2};
use crate::error::{Error, Result};
use crate::tensor::{Constant, DType, ElementSource, element_count};

/// A tensor of a checkpoint: its name, type and shape, and the location of its elements. It is cheap to clone, and keeps
/// the checkpoint's files open.
///
/// The first read verifies the checksum. A partitioned variable is one tensor; reading it joins its slices.
#[derive(Debug, Clone)]
pub struct StoredTensor(Arc<Stored>);

#[derive(Debug)]
struct Stored {
    name: String,
    type_number: i32,
    dtype: DType,
    shape: Vec<usize>,
    /// The path of the checkpoint, for errors.
    checkpoint: Arc<Path>,
    slices: Vec<StoredSlice>,
}

/// A slice of a tensor, and the location of its elements.
#[derive(Debug)]
pub(super) struct StoredSlice {
    pub(super) slice: Slice,
    pub(super) values: Values,
}

/// The location of the elements of a slice.
#[derive(Debug)]
pub(super) enum Values {
    V1(v1::SavedSlice),
    V2(v2::BundleRange),
}

impl Values {
    fn bytes(&self, dtype: DType, count: usize) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::V1(slice) => slice.bytes(dtype, count),
            Self::V2(range) => range.bytes(),
        }
    }

    fn strings(&self, count: usize) -> Result<Vec<Vec<u8>>> {
        match self {
            Self::V1(slice) => slice.strings(count),
            Self::V2(range) => range.strings(count),
        }
    }

    fn release(&self) {
        match self {
            Self::V1(slice) => slice.release(),
            Self::V2(range) => range.release(),
        }
    }

    fn leave(&self) {
        match self {
            Self::V1(slice) => slice.leave(),
            Self::V2(range) => range.leave(),
        }
    }

    /// Whether the range of the file can contain `count` elements.
    fn can_hold(&self, dtype: DType, count: usize) -> bool {
        match self {
            Self::V1(slice) => slice.can_hold(dtype, count),
            Self::V2(range) => range.can_hold(dtype, count),
        }
    }
}

/// Types that are not converted, by their numbers in TensorFlow's protos. In memory and in a checkpoint, each of their elements is
/// a byte. Their names are those of the package ml_dtypes, too.
///
/// Source: `tensorflow/core/framework/types.proto` and `types.h`.
const BYTE_TYPES: [(i32, &str); 7] = [
    (24, "float8_e5m2"),
    (25, "float8_e4m3fn"),
    (26, "float8_e4m3fnuz"),
    (27, "float8_e4m3b11fnuz"),
    (28, "float8_e5m2fnuz"),
    (29, "int4"),
    (30, "uint4"),
];

impl StoredTensor {
    /// Checks that the checkpoint has enough bytes for the shape, so that callers can allocate memory for the shape: it
    /// needs at most a small multiple of the size of the file.
    pub(super) fn new(
        name: String,
        type_number: i32,
        shape: Vec<usize>,
        checkpoint: &Arc<Path>,
        slices: Vec<StoredSlice>,
    ) -> Result<Self> {
        // Unknown types become `Variant`, which cannot be read either.
        let dtype = DType::from_proto(type_number).unwrap_or(DType::Variant);
        let stored = Stored { name, type_number, dtype, shape, checkpoint: checkpoint.clone(), slices };
        if stored.is_readable() {
            stored.check_sizes().map_err(|damage| stored.error(damage))?;
        }
        Ok(Self(Arc::new(stored)))
    }

    /// Its name in the checkpoint.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The type of its elements. Unknown types are [`DType::Variant`], which cannot be read.
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// TensorFlow's name of the type of its elements, also of a type that cannot be converted.
    pub fn type_name(&self) -> &'static str {
        self.0.byte_type().unwrap_or(self.0.dtype.name())
    }

    /// All elements in C order, little-endian, also those of a type that cannot be converted. They are numbers.
    ///
    /// # Errors
    /// As for [`ElementSource::bytes`].
    pub fn bits(&self) -> Result<Cow<'_, [u8]>> {
        self.0.bits()
    }

    /// Leaves the mapped files to a program that reads elements at any time, by their addresses. From now on, the system ends the
    /// program if one of the files becomes shorter, as it does with any mapped file, instead of showing zeros.
    pub fn leave_mapped(&self) {
        self.0.slices.iter().for_each(|stored| stored.values.leave());
    }

    /// The bytes of an element; `None` if they have no fixed size.
    pub fn element_size(&self) -> Option<usize> {
        self.0.read_as().size()
    }

    /// The number of its elements along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    /// The tensor as a constant, whose elements are read on demand.
    pub fn constant(&self) -> Constant {
        Constant::new(self.0.dtype, self.0.shape.clone(), self.0.clone())
    }
}

impl ElementSource for StoredTensor {
    fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        self.0.bytes()
    }

    fn strings(&self) -> Result<Vec<Vec<u8>>> {
        self.0.strings()
    }

    fn release(&self) {
        self.0.release();
    }
}

impl Stored {
    fn error(&self, problem: impl std::fmt::Display) -> Error {
        Error::new(format_args!("tensor {:?}", self.name), problem).within(self.checkpoint.display())
    }

    /// The name of its type, if that is one of [`BYTE_TYPES`].
    fn byte_type(&self) -> Option<&'static str> {
        BYTE_TYPES.iter().find(|(number, _)| *number == self.type_number).map(|(_, name)| *name)
    }

    /// The type that its elements are read as.
    fn read_as(&self) -> DType {
        if self.byte_type().is_some() { DType::UInt8 } else { self.dtype }
    }

    /// Whether its elements are numbers or strings.
    fn is_readable(&self) -> bool {
        self.dtype == DType::String || self.read_as().size().is_some()
    }

    fn check_sizes(&self) -> Result<(), String> {
        check_counts(&self.shape, self.slices.iter().map(|stored| &stored.slice))?;
        for StoredSlice { slice, values } in &self.slices {
            if !values.can_hold(self.read_as(), slice.count()) {
                let shape = slice.shape();
                return Err(format!("its bytes in the file do not hold shape {shape:?} of {}", self.dtype));
            }
        }
        Ok(())
    }

    fn check_readable(&self) -> Result<()> {
        if !self.is_readable() {
            let what = match DType::from_proto(self.type_number) {
                Some(dtype) => format!("elements of type {dtype} cannot be read"),
                None => format!("its type has the unknown number {}", self.type_number),
            };
            return Err(self.error(what).advice("networks do not need such tensors: leave it out"));
        }
        let slices: Vec<&Slice> = self.slices.iter().map(|stored| &stored.slice).collect();
        check_disjoint(&slices).map_err(|damage| self.error(damage))
    }

    fn slice_bytes<'a>(&'a self, stored: &'a StoredSlice) -> Result<Cow<'a, [u8]>> {
        stored.values.bytes(self.read_as(), stored.slice.count()).map_err(|error| self.in_tensor(error))
    }

    fn in_tensor(&self, error: Error) -> Error {
        error.within(format_args!("tensor {:?}", self.name))
    }
}

impl Stored {
    fn bits(&self) -> Result<Cow<'_, [u8]>> {
        self.check_readable()?;
        let size = self.read_as().size().ok_or_else(|| self.error("its elements are strings"))?;
        if let [stored] = &self.slices[..] {
            return self.slice_bytes(stored);
        }
        let mut joined =
            vec![0; element_count(&self.shape).and_then(|count| count.checked_mul(size)).unwrap_or(0)];
        for stored in &self.slices {
            let bytes = self.slice_bytes(stored)?;
            let mut is_inside = true;
            stored.slice.for_each_run(&self.shape, |to, from, run| {
                let (part, whole) = (run_of(from, run, size), run_of(to, run, size));
                match (bytes.get(part), joined.get_mut(whole)) {
                    (Some(part), Some(whole)) => whole.copy_from_slice(part),
                    _ => is_inside = false,
                }
            });
            if !is_inside {
                return Err(self.error(OUTSIDE));
            }
        }
        Ok(Cow::Owned(joined))
    }
}

/// The problem of a slice that has other elements than it said when the checkpoint was opened.
const OUTSIDE: &str = "a slice of it does not fit its shape";

/// The bytes of a run of elements of this size.
fn run_of(first: usize, count: usize, size: usize) -> Range<usize> {
    let start = first.saturating_mul(size);
    start..start.saturating_add(count.saturating_mul(size))
}

impl ElementSource for Stored {
    fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        match self.byte_type() {
            Some(name) => {
                let error = self.error(format_args!("elements of type {name} cannot be converted"));
                Err(error.advice("networks do not need such tensors: leave it out"))
            }
            None => self.bits(),
        }
    }

    fn strings(&self) -> Result<Vec<Vec<u8>>> {
        self.check_readable()?;
        if self.dtype != DType::String {
            return Err(self.error("its elements are not strings"));
        }
        let mut joined = vec![vec![]; element_count(&self.shape).unwrap_or(0)];
        for StoredSlice { slice, values } in &self.slices {
            let mut strings = values.strings(slice.count()).map_err(|error| self.in_tensor(error))?;
            let mut is_inside = true;
            slice.for_each_run(&self.shape, |to, from, run| {
                let (part, whole) = (run_of(from, run, 1), run_of(to, run, 1));
                match (strings.get_mut(part), joined.get_mut(whole)) {
                    (Some(part), Some(whole)) => whole.swap_with_slice(part),
                    _ => is_inside = false,
                }
            });
            if !is_inside {
                return Err(self.error(OUTSIDE));
            }
        }
        Ok(joined)
    }

    fn release(&self) {
        self.slices.iter().for_each(|stored| stored.values.release());
    }
}
