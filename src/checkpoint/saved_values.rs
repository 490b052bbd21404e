//! Reads the values of a slice in V1: one field of a `TensorProto`, which depends on the type of the elements.
//!
//! Source: `tensorflow/core/util/saved_tensor_slice_util.h` and `framework/tensor.proto`. Numbers are usually packed into
//! one field, but protobuf also allows single numbers and several packed fields. Unlike elsewhere in TensorFlow, the last
//! value is not repeated for the rest: all values are stored.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::borrow::Cow;
use std::ops::Range;

use super::wire::{Damage, Fields, Value, varint};
use crate::tensor::DType;

const TENSOR_CONTENT: u64 = 4;
const STRING_VAL: u64 = 8;

/// The encoding of numbers in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    /// As in memory, little-endian.
    Raw,
    /// As varints.
    Varints,
}

/// The field of `TensorProto` for this type, the encoding of its numbers, and the count of numbers for each element.
fn field(dtype: DType) -> Option<(u64, Coding, usize)> {
    Some(match dtype {
        DType::Float32 => (5, Coding::Raw, 1),
        DType::Float64 => (6, Coding::Raw, 1),
        DType::Int32 | DType::Int16 | DType::Int8 | DType::UInt16 | DType::UInt8 => (7, Coding::Varints, 1),
        DType::QInt32 | DType::QInt16 | DType::QInt8 | DType::QUInt16 | DType::QUInt8 => {
            (7, Coding::Varints, 1)
        }
        DType::Complex64 => (9, Coding::Raw, 2),
        DType::Int64 => (10, Coding::Varints, 1),
        DType::Bool => (11, Coding::Varints, 1),
        DType::Complex128 => (12, Coding::Raw, 2),
        DType::Float16 | DType::BFloat16 => (13, Coding::Varints, 1),
        DType::UInt32 => (16, Coding::Varints, 1),
        DType::UInt64 => (17, Coding::Varints, 1),
        DType::String | DType::Resource | DType::Variant | DType::Unknown => return None,
    })
}

/// The minimum number of bytes of an element of this type.
pub(super) fn min_bytes(dtype: DType) -> usize {
    match (field(dtype), dtype.size()) {
        (Some((_, Coding::Raw, _)), Some(size)) => size,
        // A string has a tag and a length.
        _ if dtype == DType::String => 2,
        _ => 1,
    }
}

/// The `count` elements of a `TensorProto`, little-endian. Borrowed if the message contains these bytes as they are.
pub(super) fn numbers(message: &[u8], dtype: DType, count: usize) -> Result<Cow<'_, [u8]>, Damage> {
    let (Some((number, coding, per_element)), Some(size)) = (field(dtype), dtype.size()) else {
        return Err(format!("elements of type {dtype} are not numbers"));
    };
    let mut packs = Packs { message, number, coding, width: size.checked_div(per_element).unwrap_or(size) };
    let (mut number_count, mut last, mut several) = packs.summary()?;
    if number_count == 0 {
        // TensorFlow does not write this, but a `TensorProto` may store its elements this way too.
        packs = Packs { number: TENSOR_CONTENT, coding: Coding::Raw, ..packs };
        (number_count, last, several) = packs.summary()?;
    }
    if number_count != count.saturating_mul(per_element) {
        let found = number_count.checked_div(per_element).unwrap_or(number_count);
        return Err(format!("it has {found} elements, not {count}"));
    }
    if packs.coding == Coding::Raw && !several {
        return Ok(Cow::Borrowed(message.get(last).unwrap_or_default()));
    }
    let mut out = Vec::with_capacity(number_count.saturating_mul(packs.width));
    packs.for_each(|pack| packs.decode(pack, dtype, &mut out))?;
    Ok(Cow::Owned(out))
}

/// The numbers in a field of a message. Each packed field, and each single number, is a range.
struct Packs<'a> {
    message: &'a [u8],
    number: u64,
    coding: Coding,
    /// Bytes of a number in memory.
    width: usize,
}

impl Packs<'_> {
    fn for_each(&self, mut visit: impl FnMut(Range<usize>) -> Result<(), Damage>) -> Result<(), Damage> {
        for field in Fields::new(self.message) {
            match field? {
                (number, _) if number != self.number => {}
                (_, Value::Bytes(range)) if !range.is_empty() => visit(range)?,
                (_, Value::Bytes(_)) => {}
                (_, Value::Fixed(range)) if self.coding == Coding::Raw && range.len() == self.width => {
                    visit(range)?;
                }
                (_, Value::Varint(range)) if self.coding == Coding::Varints => visit(range)?,
                _ => return Err("its values do not have the encoding of its type".into()),
            }
        }
        Ok(())
    }

    /// The count of numbers, the last range of them, and whether there are other ranges.
    fn summary(&self) -> Result<(usize, Range<usize>, bool), Damage> {
        let (mut number_count, mut last, mut several) = (0usize, 0..0, false);
        self.for_each(|range| {
            let count = self.count(self.message.get(range.clone()).unwrap_or_default())?;
            number_count = number_count.saturating_add(count);
            several |= !last.is_empty();
            last = range;
            Ok(())
        })?;
        Ok((number_count, last, several))
    }

    fn count(&self, pack: &[u8]) -> Result<usize, Damage> {
        match self.coding {
            Coding::Raw if pack.len().is_multiple_of(self.width) => {
                Ok(pack.len().checked_div(self.width).unwrap_or(0))
            }
            // The last byte of a varint is the one below 0x80.
            Coding::Varints if pack.last().is_some_and(|&last| last < 0x80) => {
                Ok(pack.iter().filter(|&&byte| byte < 0x80).count())
            }
            _ => Err("its bytes are not a whole number of elements".into()),
        }
    }

    fn decode(&self, pack: Range<usize>, dtype: DType, out: &mut Vec<u8>) -> Result<(), Damage> {
        let (pack, mut position) = (self.message.get(pack).unwrap_or_default(), 0);
        if self.coding == Coding::Raw {
            out.extend_from_slice(pack);
            return Ok(());
        }
        while position < pack.len() {
            let value = varint(pack, &mut position).ok_or("one of its values has more than 64 bits")?;
            let value = if dtype == DType::Bool { u64::from(value != 0) } else { value };
            // Negative numbers are extended to 64 bits, so the low bytes are the number.
            out.extend(value.to_le_bytes().iter().take(self.width));
        }
        Ok(())
    }
}

/// The `count` strings of a `TensorProto`.
pub(super) fn strings(message: &[u8], count: usize) -> Result<Vec<Vec<u8>>, Damage> {
    let mut strings = vec![];
    for field in Fields::new(message) {
        if let (STRING_VAL, Value::Bytes(range)) = field? {
            strings.push(message.get(range).unwrap_or_default().to_vec());
        }
    }
    if strings.len() != count {
        return Err(format!("it has {} elements, not {count}", strings.len()));
    }
    Ok(strings)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::proto::TensorProto;

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn packed_floats_are_borrowed() {
        let message = TensorProto { float_val: vec![1.0, -2.5], ..Default::default() }.encode_to_vec();
        let values = numbers(&message, DType::Float32, 2).unwrap();
        assert!(matches!(&values, Cow::Borrowed(bytes) if *bytes == floats(&[1.0, -2.5])));
    }

    #[test]
    fn values_may_come_one_by_one_and_in_several_packs() {
        let pack = |value: f32| [&[0x2a, 4], &value.to_le_bytes()[..]].concat();
        let single = |value: f32| [&[0x2d], &value.to_le_bytes()[..]].concat();
        let message = [pack(1.0), single(2.0), vec![0x2a, 0], pack(3.0)].concat();
        assert_eq!(&numbers(&message, DType::Float32, 3).unwrap()[..], floats(&[1.0, 2.0, 3.0]));
        let message = [0x52, 2, 1, 2, 0x50, 3];
        let values = numbers(&message, DType::Int64, 3).unwrap();
        assert_eq!(&values[..], [1u64, 2, 3].map(u64::to_le_bytes).as_flattened());
    }

    #[test]
    fn varints_become_numbers_of_their_type() {
        let message = TensorProto { int_val: vec![-1, 127, -128], ..Default::default() }.encode_to_vec();
        assert_eq!(&numbers(&message, DType::Int8, 3).unwrap()[..], [0xff, 0x7f, 0x80]);
        assert_eq!(&numbers(&message, DType::Int16, 3).unwrap()[2..4], [0x7f, 0]);
        let message = TensorProto { half_val: vec![0x3c00], ..Default::default() }.encode_to_vec();
        assert_eq!(&numbers(&message, DType::Float16, 1).unwrap()[..], [0x00, 0x3c]);
        let message = TensorProto { bool_val: vec![true, false], ..Default::default() }.encode_to_vec();
        assert_eq!(&numbers(&message, DType::Bool, 2).unwrap()[..], [1, 0]);
        let message = TensorProto { scomplex_val: vec![1.0, 2.0], ..Default::default() }.encode_to_vec();
        assert_eq!(&numbers(&message, DType::Complex64, 1).unwrap()[..], floats(&[1.0, 2.0]));
        let tensor_content = floats(&[4.0]).into();
        let message = TensorProto { tensor_content, ..Default::default() }.encode_to_vec();
        assert_eq!(&numbers(&message, DType::Float32, 1).unwrap()[..], floats(&[4.0]));
    }

    #[test]
    fn the_number_of_values_has_to_match_the_shape() {
        let message = TensorProto { float_val: vec![1.0], ..Default::default() }.encode_to_vec();
        for count in [0, 2, usize::MAX] {
            assert!(numbers(&message, DType::Float32, count).unwrap_err().contains("1 elements"));
        }
        assert!(numbers(&[], DType::Float32, 0).unwrap().is_empty());
        assert!(numbers(&[0x2a, 3, 0, 0, 0], DType::Float32, 1).is_err());
        assert!(numbers(&[0x3a, 1, 0x80], DType::Int32, 1).is_err());
        assert!(numbers(&[0x28, 1], DType::Float32, 1).is_err());
        let message = TensorProto { string_val: vec![b"a".to_vec()], ..Default::default() }.encode_to_vec();
        assert_eq!(strings(&message, 1).unwrap(), [b"a"]);
        assert!(strings(&message, 2).is_err());
    }
}
