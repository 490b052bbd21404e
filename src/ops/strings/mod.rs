//! Strings, and tables that are looked up.

pub mod lower;
mod pattern;
pub mod shape;

use super::{Op, op};
use crate::ops::infer::{by_definition, like_first_input};
use crate::ops::reduce::shape::unsorted_segment;

const OF_CONSTANTS: &str = "the table's contents are constants of the graph";

const CHARACTERS: &str = "ONNX has no operators for the characters of a string";

const HASH: &str = "ONNX has no hash function";

/// What is done without ops of strings.
pub const PREPARE: &str = "compute its result before the model runs, and let the model begin there";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("AsString")
        .shape(shape::as_string)
        .lower(lower::text::as_string, &["Cast", "Where"])
        .note("real numbers below operator set 20, with `shortest`, and from 2^63 on have the digits that the runtime writes"),
    op("DecodeBase64").shape(by_definition).refused(CHARACTERS, PREPARE),
    op("EncodeBase64").shape(by_definition).refused(CHARACTERS, PREPARE),
    op("HashTable")
        .also(&["HashTableV2"])
        .shape(shape::table)
        .lower(lower::tables::handle, &[])
        .note(OF_CONSTANTS),
    op("LookupTableExport")
        .also(&["LookupTableExportV2"])
        .shape(by_definition)
        .refused("TensorFlow does not define the order of a table's entries", PREPARE),
    op("LookupTableFind")
        .also(&["LookupTableFindV2"])
        .shape(shape::find)
        .lower(lower::tables::find, &["LabelEncoder"])
        .note(OF_CONSTANTS),
    op("LookupTableSize")
        .also(&["LookupTableSizeV2"])
        .shape(shape::size)
        .lower(lower::tables::size, &[])
        .note(OF_CONSTANTS),
    op("ReduceJoin")
        .shape(shape::reduce_join)
        .lower(lower::join::reduce_join, &["Slice", "StringConcat", "Loop"])
        .since(20),
    op("RegexFullMatch")
        .also(&["StaticRegexFullMatch"])
        .shape(shape::matches)
        .lower(lower::text::regex_full_match, &["RegexFullMatch"])
        .constants(&[("pattern", "it is the attribute `pattern` of ONNX's RegexFullMatch")])
        .since(20),
    op("RegexReplace")
        .also(&["StaticRegexReplace"])
        .shape(like_first_input)
        .lower(lower::replace::regex_replace, &["StringSplit", "StringConcat", "Loop"])
        .constants(&[
            ("pattern", "it is the attribute `delimiter` of ONNX's StringSplit"),
            ("rewrite", "the model depends on whether it is empty"),
        ])
        .since(20)
        .note("patterns of one text or one set of characters"),
    op("StringFormat").shape(by_definition).refused("ONNX does not write tensors as text", PREPARE),
    op("StringJoin").shape(shape::join).lower(lower::text::join, &["StringConcat"]).since(20),
    op("StringLength").shape(by_definition).refused(CHARACTERS, PREPARE),
    op("StringLower").shape(like_first_input).lower(lower::text::lower, &["StringNormalizer"]),
    op("StringNGrams")
        .shape(by_definition)
        .refused("TfIdfVectorizer counts n-grams, but does not return them", PREPARE),
    op("StringSplit")
        .shape(shape::split)
        .lower(lower::text::split_at_delimiter, &["StringSplit", "Equal", "CumSum", "NonZero", "GatherND"])
        .constants(&[("delimiter", "it is the attribute `delimiter` of ONNX's StringSplit")])
        .since(20)
        .note("delimiters of one character"),
    op("StringSplitV2")
        .shape(shape::split)
        .lower(lower::text::split, &["StringSplit", "Max", "NonZero", "GatherND"])
        .constants(&[("sep", "it is the attribute `delimiter` of ONNX's StringSplit")])
        .since(20),
    op("StringStrip").shape(by_definition).refused(CHARACTERS, PREPARE),
    op("StringToHashBucket")
        .also(&["StringToHashBucketFast", "StringToHashBucketStrong"])
        .shape(by_definition)
        .refused(HASH, PREPARE),
    op("StringToNumber").shape(shape::to_number).lower(lower::text::to_number, &["Cast"]),
    op("StringUpper").shape(like_first_input).lower(lower::text::upper, &["StringNormalizer"]),
    op("Substr").shape(by_definition).refused(CHARACTERS, PREPARE),
    op("UnicodeDecode")
        .also(&["UnicodeDecodeWithOffsets", "UnicodeEncode", "UnicodeScript", "UnicodeTranscode"])
        .shape(by_definition)
        .refused(CHARACTERS, PREPARE),
    op("UnsortedSegmentJoin")
        .shape(unsorted_segment)
        .lower(lower::join_segments::unsorted_segment_join, &["Equal", "Where", "StringConcat", "Loop"])
        .since(20),
];
