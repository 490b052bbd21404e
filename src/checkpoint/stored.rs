//! A tensor of a checkpoint.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use super::slices::{Slice, check_counts, check_disjoint};
use super::{v1, v2};
use crate::error::{Error, Result};
use crate::tensor::{Constant, DType, ElementSource, element_count};

/// A tensor of a checkpoint: its name, type and shape, and where its elements are. Cheap to clone, and keeps
/// the checkpoint's files open as long as it lives.
///
/// Reading it compares what is read with its checksum, the first time. A partitioned variable is one tensor
/// here; its slices are joined when it is read.
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
    pieces: Vec<Piece>,
}

/// A slice of a tensor, and where its elements are.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) slice: Slice,
    pub(super) values: Values,
}

/// Where the elements of a slice are.
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

    /// Whether the range of the file that is said to hold `count` elements can hold them.
    fn can_hold(&self, dtype: DType, count: usize) -> bool {
        match self {
            Self::V1(slice) => slice.can_hold(dtype, count),
            Self::V2(range) => range.can_hold(dtype, count),
        }
    }
}

impl StoredTensor {
    /// A tensor whose shape is justified by the bytes that the checkpoint has for it: nobody who trusts the
    /// shape can be made to allocate more than a small multiple of the file.
    pub(super) fn new(
        name: String,
        type_number: i32,
        shape: Vec<usize>,
        checkpoint: &Arc<Path>,
        pieces: Vec<Piece>,
    ) -> Result<Self> {
        // Types without a variant are listed as one that nothing can read either.
        let dtype = DType::from_proto(type_number).unwrap_or(DType::Variant);
        let stored = Stored { name, type_number, dtype, shape, checkpoint: checkpoint.clone(), pieces };
        if !stored.is_opaque() {
            stored.check_sizes().map_err(|damage| stored.error(damage))?;
        }
        Ok(Self(Arc::new(stored)))
    }

    /// Its name, as the checkpoint has it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The type of its elements. Types that are not known here are listed as [`DType::Variant`], which
    /// cannot be read.
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// The number of its elements along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    /// The tensor as a constant, whose elements are read when somebody asks for them.
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

    /// Whether its elements are neither numbers nor strings.
    fn is_opaque(&self) -> bool {
        self.dtype != DType::String && self.dtype.size().is_none()
    }

    fn check_sizes(&self) -> Result<(), String> {
        check_counts(&self.shape, self.pieces.iter().map(|piece| &piece.slice))?;
        for Piece { slice, values } in &self.pieces {
            if !values.can_hold(self.dtype, slice.count()) {
                let shape = slice.shape();
                return Err(format!(
                    "the bytes it has in the file do not hold shape {shape:?} of {}",
                    self.dtype
                ));
            }
        }
        Ok(())
    }

    fn check_readable(&self) -> Result<()> {
        if self.is_opaque() {
            let what = match DType::from_proto(self.type_number) {
                Some(dtype) => format!("elements of type {dtype} cannot be read"),
                None => format!("its type has the unknown number {}", self.type_number),
            };
            return Err(self.error(what).advice("no network of variables needs it, so leave it out"));
        }
        let slices: Vec<&Slice> = self.pieces.iter().map(|piece| &piece.slice).collect();
        check_disjoint(&slices).map_err(|damage| self.error(damage))
    }

    fn piece_bytes<'a>(&'a self, piece: &'a Piece) -> Result<Cow<'a, [u8]>> {
        piece.values.bytes(self.dtype, piece.slice.count()).map_err(|error| self.of_piece(error))
    }

    fn of_piece(&self, error: Error) -> Error {
        error.within(format_args!("tensor {:?}", self.name))
    }
}

impl ElementSource for Stored {
    fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        self.check_readable()?;
        let size = self.dtype.size().ok_or_else(|| self.error("its elements are strings"))?;
        if let [piece] = &self.pieces[..] {
            return self.piece_bytes(piece);
        }
        let mut joined = vec![0; element_count(&self.shape).unwrap_or(0) * size];
        for piece in &self.pieces {
            let bytes = self.piece_bytes(piece)?;
            piece.slice.for_each_run(&self.shape, |to, from, run| {
                joined[to * size..][..run * size].copy_from_slice(&bytes[from * size..][..run * size]);
            });
        }
        Ok(Cow::Owned(joined))
    }

    fn strings(&self) -> Result<Vec<Vec<u8>>> {
        self.check_readable()?;
        if self.dtype != DType::String {
            return Err(self.error("its elements are not strings"));
        }
        let mut joined = vec![vec![]; element_count(&self.shape).unwrap_or(0)];
        for Piece { slice, values } in &self.pieces {
            let mut strings = values.strings(slice.count()).map_err(|error| self.of_piece(error))?;
            slice.for_each_run(&self.shape, |to, from, run| {
                joined[to..to + run].swap_with_slice(&mut strings[from..from + run]);
            });
        }
        Ok(joined)
    }

    fn release(&self) {
        self.pieces.iter().for_each(|piece| piece.values.release());
    }
}
