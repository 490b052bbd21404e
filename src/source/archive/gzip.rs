//! Decompresses gzip to its end, and not without end.
//!
//! Source: [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952).

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

use super::kind::MAGIC_OF_GZIP;
use crate::packed::Growth;

/// The bytes that are read from the archive at once.
const BUFFER_BYTES: usize = 64 << 10;

/// What is compressed in one or more members, one after the other. The checksum and the length at the end of each member are
/// compared, and nothing else may follow the last one but zeros.
pub(super) struct Decompressed<R: Read> {
    state: State<BufReader<Counted<R>>>,
    growth: Growth,
    unpacked: u64,
}

enum State<R> {
    Member(Box<GzDecoder<R>>),
    Between(R),
    End,
}

/// Counts the bytes that are read.
struct Counted<R> {
    reader: R,
    count: Cell<u64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.count.set(self.count.get().saturating_add(count as u64));
        Ok(count)
    }
}

impl<R: Read> Decompressed<R> {
    /// Reads an archive. `growth` says how much larger the contents may be.
    pub(super) fn of(reader: R, growth: Growth) -> Self {
        let reader = BufReader::with_capacity(BUFFER_BYTES, Counted { reader, count: Cell::new(0) });
        Self { state: State::Between(reader), growth, unpacked: 0 }
    }

    fn check(&mut self, count: usize) -> io::Result<()> {
        self.unpacked = self.unpacked.saturating_add(count as u64);
        let read = match &self.state {
            State::Member(decoder) => decoder.get_ref().get_ref().count.get(),
            _ => return Ok(()),
        };
        self.growth.check(read, self.unpacked).map_err(io::Error::other)
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::End) {
                State::Member(mut decoder) => match decoder.read(buffer) {
                    Ok(0) => self.state = State::Between(decoder.into_inner()),
                    read => {
                        self.state = State::Member(decoder);
                        self.check(*read.as_ref().unwrap_or(&0))?;
                        return read;
                    }
                },
                State::Between(mut reader) => {
                    let head = reader.fill_buf()?;
                    // At the very beginning, the decoder says what is wrong with it.
                    if !head.is_empty() && (self.unpacked == 0 || head.first() == MAGIC_OF_GZIP.first()) {
                        self.state = State::Member(Box::new(GzDecoder::new(reader)));
                        continue;
                    }
                    return only_zeros(reader).map(|()| 0);
                }
                State::End => return Ok(0),
            }
        }
    }
}

/// Programs that write whole blocks fill the last one with zeros.
fn only_zeros(mut reader: impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.iter().any(|&byte| byte != 0) {
            return Err(io::Error::other("other data follow its end"));
        }
        let count = buffer.len();
        if count == 0 {
            return Ok(());
        }
        reader.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decompressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut contents = vec![];
        Decompressed::of(bytes, Growth::of_file(bytes.len() as u64)).read_to_end(&mut contents)?;
        Ok(contents)
    }

    #[test]
    fn members_follow_each_other_and_zeros_follow_them() {
        let one = compressed(b"one");
        assert_eq!(decompressed(&one).unwrap(), b"one");
        let both = [one.clone(), compressed(b" two")].concat();
        assert_eq!(decompressed(&both).unwrap(), b"one two");
        assert_eq!(decompressed(&[both, vec![0; 1000]].concat()).unwrap(), b"one two");
        let followed = decompressed(&[one, b"and more".to_vec()].concat()).unwrap_err();
        assert!(followed.to_string().contains("other data follow its end"), "{followed}");
    }

    #[test]
    fn the_checksum_and_the_length_are_compared_and_the_end_must_be_there() {
        let whole = compressed(&[7; 5000]);
        for place in whole.len() - 8..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            assert!(decompressed(&damaged).is_err(), "{place}");
        }
        for end in 1..whole.len() {
            assert!(decompressed(&whole[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_grows_without_measure_is_an_error() {
        let bomb = compressed(&vec![0; 100 << 20]);
        let error = decompressed(&bomb).unwrap_err();
        assert!(error.to_string().contains("times its size"), "{error}");
    }
}
