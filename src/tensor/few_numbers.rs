//! Reads constants of few numbers, such as shapes, axes and scales.

use super::{Constant, DType};
use crate::error::{Error, Result};

/// The most numbers that are read of a constant that repeats an element: a shape, a list of axes or the scale of channels has fewer, and
/// of others a graph lists each.
const MOST_REPEATED: usize = 1 << 16;

/// The subject of an error about a constant that does not know which one it is.
pub const A_CONSTANT: &str = "constant";

impl Constant {
    /// The elements of a small int32 or int64 tensor, such as a shape or an axis; `None` for other types.
    ///
    /// # Errors
    /// If the source cannot be read, or repeats an element so often that no op has a use for all of them.
    pub fn to_i64s(&self) -> Result<Option<Vec<i64>>> {
        if !matches!(self.dtype, DType::Int32 | DType::Int64) {
            return Ok(None);
        }
        self.check_repeated()?;
        let bytes = self.bytes()?;
        Ok(Some(match self.dtype {
            DType::Int32 => bytes
                .chunks_exact(4)
                .map(|b| i64::from(i32::from_le_bytes(b.try_into().expect("4 bytes"))))
                .collect(),
            _ => bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().expect("8 bytes"))).collect(),
        }))
    }

    fn check_repeated(&self) -> Result<()> {
        if self.is_repeated() && self.len() > MOST_REPEATED {
            let count = self.len();
            let problem =
                format!("it repeats an element to {count} numbers, and the most is {MOST_REPEATED}");
            return Err(Error::new(A_CONSTANT, problem));
        }
        Ok(())
    }

    /// The elements of a float32 tensor; `None` for other types.
    ///
    /// # Errors
    /// Those of [`Constant::to_i64s`].
    pub fn to_f32s(&self) -> Result<Option<Vec<f32>>> {
        if self.dtype != DType::Float32 {
            return Ok(None);
        }
        self.check_repeated()?;
        let bytes = self.bytes()?;
        Ok(Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes"))).collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tensor::Fill;

    #[test]
    fn integers_that_repeat_without_measure_are_not_read() {
        let zeros = |count: usize| {
            let fill = Arc::new(Fill::uniform(vec![0; 4], count));
            Constant::new(DType::Int32, vec![count], fill).to_i64s()
        };
        assert_eq!(zeros(1 << 16).unwrap().unwrap().len(), 1 << 16);
        assert!(zeros(1 << 40).unwrap_err().to_string().contains("repeats an element to"));
    }
}
