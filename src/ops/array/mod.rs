//! Ops that make, cut, join, move and reshape tensors.

pub mod check;
pub mod eval;
pub mod lower;
pub mod shape;

use self::lower::diagonal::{LEFT, alignment};
use self::lower::gather::Scatter;
use self::lower::order::Counted;
use super::{Op, Parameter, by_parts, checks, op};
use crate::graph::{Shape, TensorType};
use crate::ops::complex::arithmetic::each;
use crate::ops::complex::functions;
use crate::ops::infer::{declared_type, like_first_input, one};
use crate::tensor::{DType, Tensor};

const INPUT: &str = "its outputs become inputs of the model";

const CONSTANT: &str = "it becomes a constant";

/// Where the axis is among the inputs of a concatenation.
#[derive(Debug, Clone, Copy)]
pub enum AxisInput {
    First,
    Last,
}

/// The parts of a split.
#[derive(Debug, Clone, Copy)]
pub enum Parts {
    /// `num_split` of the same size. The first input is the axis.
    Equal,
    /// Of the sizes that the second input holds. The third input is the axis.
    Given,
}

/// Where the pixels of a block go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    SpaceToDepth,
    DepthToSpace,
}

/// What ONNX Runtime's TopK does with a tensor whose other axes have no elements.
pub const SORTS_ROWS: &str = "without rows to sort, ONNX Runtime ends the process";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("BatchToSpace")
        .shape(|inputs, node| shape::blocks::batch_to_space(inputs, node, Parameter::Attribute))
        .lower(
            |cx, node| lower::blocks::batch_to_space(cx, node, Parameter::Attribute),
            &["Reshape", "Transpose", "Slice"],
        )
        .eval(|node, inputs| eval::blocks::batch_to_space(node, inputs, Parameter::Attribute))
        .float16(),
    by_parts("BatchToSpaceND")
        .shape(|inputs, node| shape::blocks::batch_to_space(inputs, node, Parameter::Input(1)))
        .lower(
            |cx, node| lower::blocks::batch_to_space(cx, node, Parameter::Input(1)),
            &["Reshape", "Transpose", "Slice"],
        )
        .eval(|node, inputs| eval::blocks::batch_to_space(node, inputs, Parameter::Input(1)))
        .float16(),
    op("Bincount").shape(shape::order::bincount).lower(
        |cx, node| lower::order::bincount(cx, node, Counted::All),
        &["Range", "Equal", "Mul", "ReduceSum"],
    ),
    by_parts("BroadcastTo")
        .shape(shape::make::broadcast_to)
        .check(check::broadcast_to)
        .lower(lower::fill::broadcast_to, &["Expand"])
        .fold(eval::making::broadcast_to)
        .makes(eval::making::broadcast_length),
    op("Bucketize")
        .shape(|inputs, _| one(DType::Int32, inputs.shape(0)?.clone()))
        .lower(lower::order::bucketize, &["Less", "Not", "ReduceSum"]),
    by_parts("CheckNumerics")
        .also(&["CheckNumericsV2", "PreventGradient", "ReadVariableOp"])
        .shape(like_first_input)
        .lower(lower::basic::identity, &[]),
    by_parts("Concat")
        .shape(|inputs, node| shape::basic::concat(inputs, node, AxisInput::First))
        .lower(|cx, node| lower::join::concat(cx, node, AxisInput::First), &["Concat"])
        .eval(|_, inputs| eval::basic::concat(inputs, AxisInput::First))
        .float16(),
    by_parts("ConcatV2")
        .shape(|inputs, node| shape::basic::concat(inputs, node, AxisInput::Last))
        .lower(|cx, node| lower::join::concat(cx, node, AxisInput::Last), &["Concat"])
        .fold(|_, inputs| eval::basic::concat(inputs, AxisInput::Last))
        .float16(),
    op("Const").complex_too().shape(shape::basic::constant).lower(lower::basic::constant, &[]),
    op("DenseBincount").shape(shape::order::dense_bincount).lower(
        |cx, node| lower::order::bincount(cx, node, Counted::Rows),
        &["Range", "Equal", "Mul", "ReduceSum"],
    ),
    by_parts("DepthToSpace")
        .shape(|inputs, node| shape::blocks::depth_and_space(inputs, node, Blocks::DepthToSpace))
        .check(|inputs, node| check::blocks(inputs, node, Blocks::DepthToSpace))
        .lower(lower::blocks::depth_and_space, &["DepthToSpace"])
        .eval(|node, inputs| eval::blocks::depth_and_space(node, inputs, Blocks::DepthToSpace))
        .float16(),
    by_parts("Diag")
        .shape(shape::diagonal::tensor_diag)
        .lower(lower::main_diagonal::diag, &["Equal", "Where"]),
    by_parts("DiagPart")
        .shape(shape::diagonal::tensor_diag_part)
        .lower(lower::main_diagonal::diag_part, &["Slice", "ReduceProd"]),
    by_parts("DynamicPartition")
        .shape(shape::order::dynamic_partition)
        .lower(lower::gather::dynamic_partition, &["Equal", "NonZero", "Gather"]),
    by_parts("DynamicStitch")
        .also(&["ParallelDynamicStitch"])
        .shape(shape::order::dynamic_stitch)
        .lower(lower::gather::dynamic_stitch, &["Concat", "ScatterND"]),
    op("Empty")
        .shape(|inputs, node| one(declared_type(node, "dtype", DType::Float32), inputs.described_shape(0)?))
        .check(checks::described_shape)
        .lower(lower::main_diagonal::empty, &["Expand"]),
    by_parts("EnsureShape")
        .shape(shape::make::ensure_shape)
        .check(check::ensure_shape)
        .lower(lower::basic::ensure_shape, &[]),
    by_parts("ExpandDims")
        .shape(shape::make::expand_dims)
        .lower(lower::join::expand_dims, &["Unsqueeze"])
        .fold(eval::basic::expand_dims)
        .float16(),
    by_parts("Fill")
        .shape(shape::make::fill)
        .check(checks::described_shape)
        .lower(lower::fill::fill, &["Expand"])
        .fold(eval::making::fill)
        .makes(eval::making::filled_length),
    by_parts("Gather")
        .also(&["ResourceGather"])
        .shape(shape::order::gather)
        .lower(lower::gather::gather, &["Gather"])
        .fold(eval::basic::gather)
        .float16(),
    by_parts("GatherNd")
        .also(&["ResourceGatherNd"])
        .shape(shape::order::gather_nd)
        .check(check::gather_nd)
        .lower(lower::gather::gather_nd, &["GatherND"])
        .eval(eval::basic::gather_nd),
    by_parts("GatherV2")
        .shape(shape::order::gather)
        .lower(lower::gather::gather, &["Gather", "GatherND"])
        .fold(eval::basic::gather)
        .float16(),
    by_parts("Identity")
        .also(&["Copy", "CopyHost", "DeepCopy", "GuaranteeConst", "Snapshot", "StopGradient"])
        .shape(like_first_input)
        .lower(lower::basic::identity, &[])
        .fold(|_, inputs| Some(vec![Tensor::clone(inputs.first()?)])),
    by_parts("IdentityN").shape(shape::basic::like_inputs).lower(lower::basic::identities, &[]),
    op("InvertPermutation")
        .shape(like_first_input)
        .lower(lower::order::invert_permutation, &["Range", "ScatterElements"])
        .fold(eval::basic::invert_permutation),
    op("IteratorGetNext").shape(shape::basic::declared).not_lowered(INPUT),
    op("LinSpace")
        .shape(shape::make::lin_space)
        .check(check::lin_space)
        .lower(lower::fill::lin_space, &["Range", "Mul", "Add"]),
    op("ListDiff")
        .shape(shape::order::list_diff)
        .lower(lower::order::list_diff, &["Equal", "ReduceMax", "NonZero", "Gather"]),
    by_parts("MatrixDiag")
        .also(&["BatchMatrixDiag", "MatrixDiagV2"])
        .shape(shape::diagonal::diag)
        .lower(|cx, node| lower::diagonal::diag(cx, node, LEFT), &["Gather", "Where"]),
    by_parts("MatrixDiagPart")
        .also(&["BatchMatrixDiagPart", "MatrixDiagPartV2"])
        .shape(shape::diagonal::diag_part)
        .lower(|cx, node| lower::diagonal::diag_part(cx, node, LEFT), &["Gather", "Where"]),
    by_parts("MatrixDiagPartV3")
        .shape(shape::diagonal::diag_part)
        .lower(|cx, node| lower::diagonal::diag_part(cx, node, alignment(node)), &["Gather", "Where"]),
    by_parts("MatrixDiagV3")
        .shape(shape::diagonal::diag)
        .lower(|cx, node| lower::diagonal::diag(cx, node, alignment(node)), &["Gather", "Where"]),
    by_parts("MatrixSetDiag")
        .also(&["BatchMatrixSetDiag", "MatrixSetDiagV2"])
        .shape(like_first_input)
        .lower(|cx, node| lower::diagonal::set_diag(cx, node, LEFT), &["Gather", "Where"]),
    by_parts("MatrixSetDiagV3")
        .shape(like_first_input)
        .lower(|cx, node| lower::diagonal::set_diag(cx, node, alignment(node)), &["Gather", "Where"]),
    by_parts("MirrorPad")
        .shape(shape::basic::pad)
        .lower(lower::extent::mirror_pad, &["Pad", "Slice", "Concat"])
        .eval(eval::padding::mirror)
        .float16(),
    op("OneHot")
        .shape(shape::order::one_hot)
        .check(check::one_hot)
        .lower(lower::gather::one_hot, &["Range", "Equal", "Where"])
        .eval(eval::order::one_hot),
    op("OnesLike")
        .complex(|cx, node| each(cx, node, &functions::ones))
        .shape(like_first_input)
        .lower(|cx, node| lower::fill::like(cx, node, 1.0), &["Shape", "Expand"])
        .fold(|_, inputs| eval::basic::like(inputs, true)),
    by_parts("Pack")
        .shape(shape::make::pack)
        .check(|inputs, node| checks::same_shapes(inputs, node, 0))
        .lower(lower::join::pack, &["Unsqueeze", "Concat"])
        .fold(eval::basic::pack)
        .float16(),
    by_parts("Pad")
        .shape(shape::basic::pad)
        .lower(lower::extent::pad, &["Pad"])
        .eval(|_, inputs| match inputs {
            [input, pads] => eval::padding::constant(input, pads, None),
            _ => None,
        })
        .float16(),
    by_parts("PadV2")
        .shape(shape::basic::pad)
        .lower(lower::extent::pad, &["Pad"])
        .eval(|_, inputs| match inputs {
            [input, pads, value] => eval::padding::constant(input, pads, Some(value)),
            _ => None,
        })
        .float16(),
    by_parts("ParallelConcat")
        .shape(shape::basic::parallel_concat)
        .lower(lower::main_diagonal::parallel_concat, &["Concat"]),
    op("Placeholder")
        .also(&["PlaceholderV2"])
        .complex_too()
        .shape(shape::basic::declared)
        .lower(lower::basic::placeholder, &[]),
    op("PlaceholderWithDefault")
        .complex_too()
        .shape(like_first_input)
        .lower(lower::basic::placeholder_with_default, &[]),
    by_parts("Print").shape(like_first_input).lower(lower::basic::identity, &[]).note("nothing is printed"),
    op("QueueDequeue").also(&["QueueDequeueV2"]).shape(shape::basic::dequeued_one).not_lowered(INPUT),
    op("QueueDequeueMany")
        .also(&["QueueDequeueManyV2", "QueueDequeueUpTo", "QueueDequeueUpToV2"])
        .shape(shape::basic::dequeued)
        .not_lowered(INPUT),
    op("Range")
        .shape(shape::make::range)
        .check(check::range)
        .lower(lower::fill::range, &["Range"])
        .fold(eval::making::range)
        .makes(eval::making::range_length),
    by_parts("Rank")
        .shape(|_, _| Ok(vec![TensorType::new(DType::Int32, Shape::scalar())]))
        .lower(lower::fill::rank, &["Shape", "Size"])
        .fold(eval::basic::rank),
    by_parts("Reshape")
        .shape(shape::basic::reshape)
        .check(check::reshape)
        .lower(lower::basic::reshape, &["Reshape"])
        .fold(eval::basic::reshape)
        .float16(),
    by_parts("Reverse").shape(like_first_input).lower(lower::main_diagonal::reverse, &["Where", "Slice"]),
    by_parts("ReverseSequence")
        .shape(like_first_input)
        .check(check::reverse_sequence)
        .lower(lower::order::reverse_sequence, &["ReverseSequence"])
        .eval(eval::order::reverse_sequence),
    by_parts("ReverseV2")
        .shape(like_first_input)
        .check(checks::distinct_axes)
        .lower(lower::order::reverse, &["Slice"])
        .fold(eval::basic::reverse),
    by_parts("Roll")
        .shape(like_first_input)
        .check(|inputs, _| checks::in_range(inputs, 2))
        .lower(lower::order::roll, &["Mod", "Slice", "Concat"])
        .eval(eval::order::roll),
    by_parts("ScatterNd")
        .shape(shape::order::scatter_nd)
        .check(check::scatter_nd)
        .lower(lower::gather::scatter_nd, &["Expand", "ScatterND"]),
    by_parts("Shape")
        .shape(shape::basic::shape)
        .lower(lower::basic::shape, &["Shape", "Gather", "Cast"])
        .fold(eval::basic::shape),
    by_parts("Size")
        .shape(|_, node| {
            Ok(vec![TensorType::new(node.dtype("out_type").unwrap_or(DType::Int32), Shape::scalar())])
        })
        .lower(lower::fill::size, &["Size"])
        .fold(eval::basic::size),
    by_parts("Slice")
        .shape(shape::make::slice)
        .check(check::slice)
        .lower(lower::slice::slice, &["Slice"])
        .fold(eval::basic::slice)
        .float16(),
    op("SpaceToBatch")
        .shape(|inputs, node| shape::blocks::space_to_batch(inputs, node, Parameter::Attribute))
        .lower(
            |cx, node| lower::blocks::space_to_batch(cx, node, Parameter::Attribute),
            &["Pad", "Reshape", "Transpose"],
        )
        .eval(|node, inputs| eval::blocks::space_to_batch(node, inputs, Parameter::Attribute))
        .float16(),
    by_parts("SpaceToBatchND")
        .shape(|inputs, node| shape::blocks::space_to_batch(inputs, node, Parameter::Input(1)))
        .lower(
            |cx, node| lower::blocks::space_to_batch(cx, node, Parameter::Input(1)),
            &["Pad", "Reshape", "Transpose"],
        )
        .eval(|node, inputs| eval::blocks::space_to_batch(node, inputs, Parameter::Input(1)))
        .float16(),
    by_parts("SpaceToDepth")
        .shape(|inputs, node| shape::blocks::depth_and_space(inputs, node, Blocks::SpaceToDepth))
        .check(|inputs, node| check::blocks(inputs, node, Blocks::SpaceToDepth))
        .lower(lower::blocks::depth_and_space, &["SpaceToDepth"])
        .eval(|node, inputs| eval::blocks::depth_and_space(node, inputs, Blocks::SpaceToDepth))
        .float16(),
    by_parts("Split")
        .shape(|inputs, node| shape::make::split(inputs, node, Parts::Equal))
        .check(check::split)
        .lower(|cx, node| lower::join::split(cx, node, Parts::Equal), &["Split"])
        .fold(eval::basic::split)
        .float16(),
    by_parts("SplitV")
        .shape(|inputs, node| shape::make::split(inputs, node, Parts::Given))
        .check(check::split_sizes)
        .lower(|cx, node| lower::join::split(cx, node, Parts::Given), &["Split"])
        .eval(eval::order::split)
        .float16(),
    by_parts("Squeeze")
        .shape(shape::basic::squeeze)
        .lower(lower::basic::squeeze, &["Squeeze"])
        .fold(eval::basic::squeeze)
        .float16(),
    by_parts("StridedSlice")
        .shape(shape::basic::strided_slice)
        .check(check::strided_slice)
        .lower(lower::slice::strided_slice, &["Slice", "Squeeze", "Unsqueeze"])
        .fold(eval::basic::strided_slice)
        .float16(),
    by_parts("TensorScatterAdd")
        .also(&["ScatterNdNonAliasingAdd"])
        .shape(like_first_input)
        .lower(|cx, node| lower::gather::tensor_scatter(cx, node, Scatter::Add), &["ScatterND"]),
    op("TensorScatterMax")
        .shape(like_first_input)
        .lower(|cx, node| lower::gather::tensor_scatter(cx, node, Scatter::Max), &["ScatterND"]),
    op("TensorScatterMin")
        .shape(like_first_input)
        .lower(|cx, node| lower::gather::tensor_scatter(cx, node, Scatter::Min), &["ScatterND"]),
    by_parts("TensorScatterSub")
        .shape(like_first_input)
        .lower(|cx, node| lower::gather::tensor_scatter(cx, node, Scatter::Sub), &["Neg", "ScatterND"]),
    by_parts("TensorScatterUpdate")
        .shape(like_first_input)
        .lower(|cx, node| lower::gather::tensor_scatter(cx, node, Scatter::Update), &["ScatterND"]),
    by_parts("Tile")
        .shape(shape::blocks::tile)
        .check(check::tile)
        .lower(lower::extent::tile, &["Tile"])
        .fold(eval::making::tile)
        .makes(eval::making::tiled_length)
        .float16(),
    op("ToBool")
        .shape(|_, _| one(DType::Bool, Shape::scalar()))
        .lower(lower::main_diagonal::to_bool, &["Cast", "Size", "Greater"]),
    op("TopK")
        .shape(|inputs, node| shape::order::top_k(inputs, node, Parameter::Attribute))
        .check(|inputs, node| check::top_k(inputs, node, Parameter::Attribute))
        .lower(|cx, node| lower::order::top_k(cx, node, Parameter::Attribute), &["TopK"])
        .eval(|node, inputs| eval::order::top(node, inputs, Parameter::Attribute))
        .note(SORTS_ROWS),
    op("TopKV2")
        .shape(|inputs, node| shape::order::top_k(inputs, node, Parameter::Input(1)))
        .check(|inputs, node| check::top_k(inputs, node, Parameter::Input(1)))
        .lower(|cx, node| lower::order::top_k(cx, node, Parameter::Input(1)), &["TopK"])
        .eval(|node, inputs| eval::order::top(node, inputs, Parameter::Input(1)))
        .note(SORTS_ROWS),
    by_parts("Transpose")
        .shape(shape::order::transpose)
        .check(check::permutation)
        .lower(lower::order::transpose, &["Transpose"])
        .fold(eval::basic::transpose)
        .float16(),
    op("Unique").shape(shape::order::unique).lower(lower::order::unique, &["Unique"]),
    op("UniqueWithCounts").shape(shape::order::unique_with_counts).lower(lower::order::unique, &["Unique"]),
    by_parts("Unpack")
        .shape(shape::make::unpack)
        .check(check::unpack)
        .lower(lower::join::unpack, &["Split", "Squeeze"])
        .fold(eval::basic::unpack)
        .float16(),
    op("VarHandleOp").also(&["Variable", "VariableV2"]).shape(shape::basic::declared).not_lowered(CONSTANT),
    op("Where")
        .shape(shape::order::positions)
        .lower(lower::order::positions, &["NonZero", "Transpose"])
        .eval(eval::order::positions),
    by_parts("ZerosLike")
        .shape(like_first_input)
        .lower(|cx, node| lower::fill::like(cx, node, 0.0), &["Shape", "Expand"])
        .fold(|_, inputs| eval::basic::like(inputs, false)),
];
