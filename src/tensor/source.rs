//! Where the elements of a constant come from.

use std::borrow::Cow;
use std::fmt;

use prost::bytes::Bytes;

use crate::error::{Error, Result};

/// Something that can hand out the elements of one tensor when it is asked to.
pub trait Source: fmt::Debug + Send + Sync {
    /// All elements in C order, little-endian. Borrowed where the bytes lie in a mapped file as they are.
    ///
    /// # Errors
    /// Where the file does not hold what its index promises (checksum, length), or the elements are strings.
    fn bytes(&self) -> Result<Cow<'_, [u8]>>;

    /// The elements of a string tensor in C order.
    ///
    /// # Errors
    /// As for [`Source::bytes`], or where the elements are not strings.
    fn strings(&self) -> Result<Vec<Vec<u8>>> {
        Err(Error::new("tensor", "its elements are not strings"))
    }

    /// Says that nobody is expected to ask for the elements again. They are there all the same.
    fn release(&self) {}
}

/// Elements given in the program or in a graph file.
#[derive(Debug, Clone)]
pub enum Inline {
    /// Elements of a type of fixed size, in C order, little-endian.
    Bytes(Bytes),
    /// Elements of a string tensor.
    Strings(Vec<Vec<u8>>),
}

impl Source for Inline {
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

/// One element, repeated.
#[derive(Debug, Clone)]
pub struct Fill {
    /// The element's bytes, little-endian.
    pub element: Vec<u8>,
    /// How often it is repeated.
    pub count: usize,
}

impl Source for Fill {
    fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        Ok(Cow::Owned(self.element.repeat(self.count)))
    }
}
