//! Lists of tensors.

pub mod lower;
pub mod shape;

use super::{Op, op};

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("EmptyTensorList").shape(shape::empty).lower(lower::empty, &["Expand"]),
    op("TensorArrayGatherV2")
        .also(&["TensorArrayGatherV3"])
        .shape(shape::gather_array)
        .not_lowered("the loops that fill arrays are not converted"),
    op("TensorListConcat")
        .also(&["TensorListConcatV2"])
        .shape(shape::concat)
        .lower(lower::concat, &["Reshape"])
        .note("elements of one shape"),
    op("TensorListElementShape")
        .shape(shape::element_shape_of)
        .lower(lower::element_shape, &["Shape", "Slice", "Cast"]),
    op("TensorListFromTensor").shape(shape::from_tensor).lower(lower::alias, &[]),
    op("TensorListGather").shape(shape::gather).lower(lower::gather, &["Gather"]),
    op("TensorListGetItem").shape(shape::get_item).lower(lower::gather, &["Gather"]),
    op("TensorListLength").shape(shape::length).lower(lower::length, &["Shape", "Gather", "Cast"]),
    op("TensorListPopBack").shape(shape::pop_back).lower(lower::pop_back, &["Gather", "Slice"]),
    op("TensorListPushBack").shape(shape::push_back).lower(lower::push_back, &["Unsqueeze", "Concat"]),
    op("TensorListReserve").shape(shape::reserve).lower(lower::reserve, &["Expand"]),
    op("TensorListResize").shape(shape::resize).lower(lower::resize, &["Slice", "Pad"]),
    op("TensorListScatter")
        .also(&["TensorListScatterV2"])
        .shape(shape::scatter)
        .lower(lower::scatter, &["ScatterND"]),
    op("TensorListScatterIntoExistingList")
        .shape(shape::scatter_into)
        .lower(lower::scatter_into, &["ScatterND"]),
    op("TensorListSetItem").shape(shape::set_item).lower(lower::set_item, &["ScatterND", "Where"]),
    op("TensorListStack").shape(shape::stack).lower(lower::alias, &[]),
];
