//! Strings, and tables that are looked up.

pub mod lower;
pub mod shape;

use super::{Op, op};
use crate::ops::infer::like_first_input;

const OF_CONSTANTS: &str = "the table's contents are constants of the graph";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("AsString")
        .shape(shape::as_string)
        .lower(lower::text::as_string, &["Cast", "Where"])
        .note("the runtime decides about the digits of real numbers"),
    op("HashTable")
        .also(&["HashTableV2"])
        .shape(shape::table)
        .lower(lower::tables::handle, &[])
        .note(OF_CONSTANTS),
    op("LookupTableFind")
        .also(&["LookupTableFindV2"])
        .shape(shape::find)
        .lower(lower::tables::find, &["LabelEncoder"])
        .note(OF_CONSTANTS)
        .constants(&[("default_value", "it is an attribute of ONNX's LabelEncoder")]),
    op("LookupTableSize")
        .also(&["LookupTableSizeV2"])
        .shape(shape::size)
        .lower(lower::tables::size, &[])
        .note(OF_CONSTANTS),
    op("RegexFullMatch")
        .also(&["StaticRegexFullMatch"])
        .shape(shape::matches)
        .lower(lower::text::regex_full_match, &["RegexFullMatch"])
        .constants(&[("pattern", "it is the attribute `pattern` of ONNX's RegexFullMatch")])
        .since(20),
    op("StringJoin").shape(shape::join).lower(lower::text::join, &["StringConcat"]).since(20),
    op("StringLower").shape(like_first_input).lower(lower::text::lower, &["StringNormalizer"]),
    op("StringSplitV2")
        .shape(shape::split)
        .lower(lower::text::split, &["StringSplit", "NonZero", "GatherND"])
        .constants(&[("sep", "it is the attribute `delimiter` of ONNX's StringSplit")])
        .since(20),
    op("StringToNumber").shape(shape::to_number).lower(lower::text::to_number, &["Cast"]),
    op("StringUpper").shape(like_first_input).lower(lower::text::upper, &["StringNormalizer"]),
];
