//! Sources of the elements of constants.

use std::borrow::Cow;
use std::fmt;

use prost::bytes::Bytes;

use super::Fill;
use crate::error::{Error, Result};

/// A source of the elements of one tensor, which reads them on demand.
pub trait ElementSource: fmt::Debug + Send + Sync {
    /// All elements in C order, little-endian. Borrowed if a mapped file contains these bytes as they are.
    ///
    /// # Errors
    /// If the file does not match its index (checksum, length), or the elements are strings.
    fn bytes(&self) -> Result<Cow<'_, [u8]>>;

    /// The elements of a string tensor in C order.
    ///
    /// # Errors
    /// As for [`ElementSource::bytes`], or if the elements are not strings.
    fn strings(&self) -> Result<Vec<Vec<u8>>> {
        Err(Error::new("tensor", "its elements are not strings"))
    }

    /// The elements, if they are made where they are read.
    fn made(&self) -> Option<&dyn Made> {
        None
    }

    /// The elements, if the last of them is repeated.
    fn repeated(&self) -> Option<&Fill> {
        None
    }

    /// Whether a few elements stand for all of these.
    fn is_repeated(&self) -> bool {
        self.repeated().is_some()
    }

    /// Announces that the elements will probably not be read again. They can still be read.
    fn release(&self) {}
}

/// Elements that are not in memory, but made from less, block by block.
pub trait Made: fmt::Debug + Send + Sync {
    /// Bytes of all elements.
    fn byte_len(&self) -> usize;

    /// Fills `out` with the elements from this index on.
    fn fill_from(&self, start: usize, out: &mut [u8]);
}

/// The bytes of all elements.
pub(super) fn all(made: &dyn Made) -> Result<Vec<u8>> {
    let (mut bytes, length) = (vec![], made.byte_len());
    bytes
        .try_reserve_exact(length)
        .map_err(|_| Error::new("tensor", format!("its {length} bytes do not fit into memory")))?;
    bytes.resize(length, 0);
    made.fill_from(0, &mut bytes);
    Ok(bytes)
}

/// Elements in memory: from the program, or from a graph file.
#[derive(Debug, Clone)]
pub enum Inline {
    /// Elements of a type of fixed size, in C order, little-endian.
    Bytes(Bytes),
    /// Elements of a string tensor.
    Strings(Vec<Vec<u8>>),
}

impl ElementSource for Inline {
    fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::Strings(_) => Err(Error::new("tensor", "its elements are strings")),
        }
    }

    fn strings(&self) -> Result<Vec<Vec<u8>>> {
        match self {
            Self::Strings(strings) => Ok(strings.clone()),
            Self::Bytes(_) => Err(Error::new("tensor", "its elements are not strings")),
        }
    }
}
