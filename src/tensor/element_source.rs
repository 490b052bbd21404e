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

    /// The elements, if the last of them is repeated.
    fn repeated(&self) -> Option<&Fill> {
        None
    }

    /// Announces that the elements will probably not be read again. They can still be read.
    fn release(&self) {}
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
