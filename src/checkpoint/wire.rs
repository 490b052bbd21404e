//! Iterates over the fields of a protobuf message without decoding it.
//!
//! In a V1 checkpoint, a message can contain a weight of hundreds of megabytes. Only tags and lengths are read here, and
//! the weight remains a range of the mapped file.
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::ops::Range;

/// The description of damage in a message or a block. The caller adds the file and the tensor.
pub(super) type Damage = String;

/// The maximum length of a varint: 64 bits, seven in each byte.
const MAX_VARINT_BYTES: usize = 10;

/// Reads the varint at `*position`, and moves the position behind it.
pub(super) fn varint(bytes: &[u8], position: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for (i, &byte) in bytes.get(*position..)?.iter().take(MAX_VARINT_BYTES).enumerate() {
        let bits = u64::from(byte & 0x7f);
        // Only one bit of the tenth byte is used.
        if i == MAX_VARINT_BYTES - 1 && bits > 1 {
            return None;
        }
        value |= bits << i.saturating_mul(7);
        if byte < 0x80 {
            *position = position.checked_add(i)?.checked_add(1)?;
            return Some(value);
        }
    }
    None
}

/// The little-endian number at `position`.
pub(super) fn fixed32(bytes: &[u8], position: usize) -> Option<u32> {
    let bytes = bytes.get(position..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

/// The range of a field's value in its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Varint(Range<usize>),
    /// Four or eight bytes.
    Fixed(Range<usize>),
    /// A string, a message within the message, or packed numbers.
    Bytes(Range<usize>),
}

/// The fields of a message, from first to last.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    message: &'a [u8],
    position: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { message, position: 0 }
    }

    fn range(&mut self, length: u64) -> Option<Range<usize>> {
        let end = self.position.checked_add(usize::try_from(length).ok()?)?;
        if end > self.message.len() {
            return None;
        }
        let range = self.position..end;
        self.position = end;
        Some(range)
    }

    fn field(&mut self) -> Option<(u64, Value)> {
        let tag = varint(self.message, &mut self.position)?;
        let value = match tag & 7 {
            0 => {
                let start = self.position;
                varint(self.message, &mut self.position)?;
                Value::Varint(start..self.position)
            }
            1 => Value::Fixed(self.range(8)?),
            2 => {
                let length = varint(self.message, &mut self.position)?;
                Value::Bytes(self.range(length)?)
            }
            5 => Value::Fixed(self.range(4)?),
            // TensorFlow has no groups.
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

impl Iterator for Fields<'_> {
    type Item = Result<(u64, Value), Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.message.len() {
            return None;
        }
        let start = self.position;
        let field = self.field();
        if field.is_none() {
            self.position = self.message.len();
        }
        Some(field.ok_or_else(|| format!("a message is damaged at byte {start}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_fields_without_decoding_them() {
        let message = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 2, 3, 4];
        let fields: Vec<_> = Fields::new(&message).collect::<Result<_, _>>().unwrap();
        let expected = [(1, Value::Varint(1..3)), (2, Value::Bytes(5..7)), (3, Value::Fixed(8..12))];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_length_beyond_the_message_is_an_error_and_ends_the_iteration() {
        for message in [&[0x12, 0x03, b'h', b'i'][..], &[0x12, 0xff, 0xff], &[0x1d, 1], &[0x0b]] {
            let mut fields = Fields::new(message);
            assert!(fields.next().unwrap().is_err());
            assert!(fields.next().is_none());
        }
        let huge = [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert!(Fields::new(&huge).next().unwrap().is_err());
    }

    #[test]
    fn a_varint_has_at_most_ten_bytes() {
        let mut position = 0;
        let minus_one = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(varint(&minus_one, &mut position), Some(u64::MAX));
        assert_eq!(position, 10);
        assert_eq!(varint(&[0x80; 11], &mut 0), None);
        assert_eq!(varint(&[0xff; 10], &mut 0), None);
        assert_eq!(varint(&[], &mut 0), None);
    }
}
