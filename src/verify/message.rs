//! What two processes say to each other through a pipe: a head in JSON, and arrays as NumPy stores them.

use std::io::{self, ErrorKind, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Named;
use crate::error::{Error, Result};
use crate::npy;

/// Writes a message.
///
/// # Errors
/// If the pipe is closed.
pub(super) fn write(mut out: impl Write, head: &impl Serialize, arrays: &[Named]) -> io::Result<()> {
    let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
    write_part(&mut out, &serde_json::to_vec(&(head, names))?)?;
    for (_, tensor) in arrays {
        let mut bytes = vec![];
        let append = |part: &[u8]| -> Result<()> {
            bytes.extend_from_slice(part);
            Ok(())
        };
        npy::write(&tensor.to_constant(), append).map_err(io::Error::other)?;
        write_part(&mut out, &bytes)?;
    }
    out.flush()
}

fn write_part(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&(bytes.len() as u64).to_le_bytes())?;
    out.write_all(bytes)
}

/// Reads a message.
///
/// # Errors
/// If the pipe is closed, or there is something else in it.
pub(super) fn read<T: DeserializeOwned>(mut input: impl Read) -> io::Result<(T, Vec<Named>)> {
    let (head, names): (T, Vec<String>) = serde_json::from_slice(&read_part(&mut input)?)?;
    let mut arrays = vec![];
    for name in names {
        let bytes = read_part(&mut input)?;
        arrays.push((name, npy::read(&bytes).map_err(|error: Error| io::Error::other(error))?));
    }
    Ok((head, arrays))
}

fn read_part(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let mut bytes = vec![];
    // Grows with what arrives, whatever the length is.
    input.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let arrays = [
            ("x".to_owned(), Tensor::Float32(ArrayD::from_elem(vec![2, 0, 3], 1.0))),
            ("flags:0".to_owned(), Tensor::Bool(ArrayD::from_elem(vec![], true))),
            ("ids".to_owned(), Tensor::Int64(ArrayD::from_elem(vec![3], i64::MIN))),
        ];
        let mut bytes = vec![];
        write(&mut bytes, &"head", &arrays).unwrap();
        let (head, read_arrays): (String, _) = read(bytes.as_slice()).unwrap();
        assert_eq!((head.as_str(), read_arrays.as_slice()), ("head", arrays.as_slice()));
        for end in 0..bytes.len() {
            assert!(read::<String>(&bytes[..end]).is_err());
        }
    }
}
