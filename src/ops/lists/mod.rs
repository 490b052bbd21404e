//! Lists of tensors.

pub mod elements;
pub mod eval;
pub mod kept_as;
pub mod lower;
pub mod parts;
pub mod reserve;
pub mod rows;
pub mod shape;

use super::{Op, op};

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("EmptyTensorList").shape(shape::empty).lower(reserve::empty, &["Expand"]).eval(eval::empty),
    op("RaggedTensorFromVariant")
        .shape(shape::from_variant)
        .lower(rows::from_variant, &["Cast"])
        .note("one ragged axis"),
    op("RaggedTensorToVariant")
        .shape(shape::to_variant)
        .lower(rows::to_variant, &["Cast"])
        .note("the rows of a tensor with one ragged axis, and tensors as such rows"),
    op("TensorArrayGatherV2")
        .also(&["TensorArrayGatherV3"])
        .shape(shape::gather_array)
        .not_lowered("the loops that fill arrays are not converted"),
    op("TensorListConcat")
        .also(&["TensorListConcatV2"])
        .shape(shape::concat)
        .lower(parts::concat, &["Reshape"])
        .eval(eval::concat)
        .note("where the list is also stacked or gathered, elements of one length that is known"),
    op("TensorListElementShape")
        .shape(shape::element_shape_of)
        .lower(lower::element_shape, &["Shape", "Slice", "Cast"])
        .eval(eval::element_shape),
    op("TensorListFromTensor").shape(shape::from_tensor).lower(lower::alias, &[]).eval(eval::from_tensor),
    op("TensorListGather")
        .shape(shape::gather)
        .lower(lower::gather, &["Gather", "CumSum", "NonZero"])
        .eval(eval::gather),
    op("TensorListGetItem")
        .shape(shape::get_item)
        .lower(lower::get_item, &["Gather", "Slice"])
        .eval(eval::get_item),
    op("TensorListLength")
        .shape(shape::length)
        .lower(lower::length, &["Shape", "Gather", "Cast"])
        .eval(eval::list_length),
    op("TensorListPopBack")
        .shape(shape::pop_back)
        .lower(lower::pop_back, &["Gather", "Slice"])
        .eval(eval::pop_back),
    op("TensorListPushBack")
        .shape(shape::push_back)
        .lower(lower::push_back, &["Unsqueeze", "Concat"])
        .eval(eval::push_back),
    op("TensorListReserve").shape(shape::reserve).lower(reserve::reserve, &["Expand"]).eval(eval::reserve),
    op("TensorListResize").shape(shape::resize).lower(lower::resize, &["Slice", "Pad"]).eval(eval::resize),
    op("TensorListScatter")
        .also(&["TensorListScatterV2"])
        .shape(shape::scatter)
        .lower(lower::scatter, &["ScatterND"])
        .eval(eval::scatter),
    op("TensorListScatterIntoExistingList")
        .shape(shape::scatter_into)
        .lower(lower::scatter_into, &["ScatterND"])
        .eval(eval::scatter_into),
    op("TensorListSetItem")
        .shape(shape::set_item)
        .lower(lower::set_item, &["ScatterND", "Where", "Concat"])
        .eval(eval::set_item),
    op("TensorListSplit")
        .shape(shape::split)
        .lower(parts::split, &["Shape", "Slice", "Concat", "Reshape"])
        .eval(eval::split),
    op("TensorListStack").shape(shape::stack).lower(lower::alias, &[]).eval(eval::stack),
];
