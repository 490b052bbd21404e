"""Makes runtime_arguments.zip: graphs of one op each, whose axes, sizes, shapes, strides, paddings, filters or bounds are known only when
the model runs, or whose inputs have no rank until then.
"""

import numpy as np

from . import cases
from .edges import build, fed, image, none, rows

f32, i32, i64, u8 = np.float32, np.int32, np.int64, np.uint8
cube = np.arange(2 * 3 * 4, dtype=f32).reshape(2, 3, 4) % 7
two = np.stack([cube[0], cube[1]])
quad = np.arange(2 * 4 * 4, dtype=f32).reshape(2, 4, 4)
corners = np.array([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [0, 10.1, 1, 11.1], [0, 100, 1, 101]], f32)
boxes, scores = corners[None, :, None], np.array([[0.9, 0.75, 0.6, 0.95, 0.5, 0.3], [0.2, 0.7, 0.65, 0, 0.8, 0.4]], f32).T[None]
filters = (np.arange(3 * 3 * 3 * 2, dtype=f32) % 5 - 2).reshape(3, 3, 3, 2)



# A name, the op, its inputs (arrays are constants) and attributes.
CASES = [
    ("concat_axis", "ConcatV2", dict(values=[fed(cube, 2, 3, 4), fed(cube[:, :1], 2, None, 4)], axis=fed(i32(-2)))),
    ("concat_first_axis", "Concat", dict(concat_dim=fed(i32(0)), values=[fed(rows, None, 5), fed(rows)])),
    ("split_axis", "Split", dict(axis=fed(i32(-1)), value=fed(cube, 2, 3, 4)), dict(num_split=2)),
    ("split_axis_of_unknown_rank", "Split", dict(axis=i32(-1), value=fed(cube)), dict(num_split=2)),
    ("split_sizes_and_axis", "SplitV", dict(value=fed(cube), size_splits=fed(i64([1, -1]), 2), axis=fed(i32(1))), dict(num_split=2)),
    ("gather_axis", "GatherV2", dict(params=fed(cube, 2, 3, 4), indices=fed(i32([[2, 0], [1, 1]]), 2, 2), axis=fed(i32(1)))),
    ("gather_axis_behind_batch", "GatherV2", dict(params=fed(cube), indices=fed(i64([[2, 0], [1, 1]]), 2, 2), axis=fed(i32(2))), dict(batch_dims=1)),
    ("gather_batch_of_unknown_rank", "GatherV2", dict(params=fed(cube), indices=fed(i32([[2, 0], [1, 1]])), axis=i32(1)), dict(batch_dims=-1)),
    ("transpose_perm", "Transpose", dict(x=fed(cube, 2, 3, 4), perm=fed(i32([2, 0, 1]), 3))),
    ("transpose_perm_of_unknown_rank", "Transpose", dict(x=fed(cube), perm=fed(i64([1, 2, 0])))),
    ("transpose_nothing", "Transpose", dict(x=fed(none((2, 0, 3), f32)), perm=fed(i32([2, 1, 0]), 3))),
    ("transpose_a_number", "Transpose", dict(x=fed(f32(3)), perm=fed(none(0, i32), None))),
    ("roll_axes", "Roll", dict(input=fed(cube, 2, 3, 4), shift=fed(i32([1, 5, -2]), 3), axis=fed(i32([0, -1, -1]), 3))),
    ("roll_axis_of_unknown_rank", "Roll", dict(input=fed(cube), shift=i32(-1), axis=fed(i32(1)))),
    ("reverse_axes", "ReverseV2", dict(tensor=fed(cube, 2, 3, 4), axis=fed(i32([-1, 0]), None))),
    ("reverse_axes_of_unknown_rank", "ReverseV2", dict(tensor=fed(cube), axis=i32([-1, 0]))),
    ("reverse_sequence_of_unknown_rank", "ReverseSequence", dict(input=fed(cube), seq_lengths=fed(i32([4, 0, 2]), 3)), dict(seq_dim=2, batch_dim=1)),
    ("expand_dims_axis", "ExpandDims", dict(input=fed(rows), axis=fed(i64(-2)))),
    ("expand_dims_axis_as_vector", "ExpandDims", dict(input=fed(rows, 2, 5), axis=fed(i32([1]), 1))),
    ("squeeze_axes_of_unknown_rank", "Squeeze", dict(input=fed(rows[:, :, None])), dict(axis=[-1])),
    ("pad_of_unknown_rank", "Pad", dict(input=fed(rows), paddings=i32([[1, 0], [2, 1]]))),
    ("mirror_pad_reflect", "MirrorPad", dict(input=fed(rows, 2, 5), paddings=fed(i32([[1, 0], [2, 4]]), 2, 2)), dict(mode="REFLECT")),
    ("mirror_pad_symmetric", "MirrorPad", dict(input=fed(rows, 2, 5), paddings=fed(i64([[2, 1], [0, 3]]), 2, 2)), dict(mode="SYMMETRIC")),
    ("mirror_pad_of_unknown_rank", "MirrorPad", dict(input=fed(rows), paddings=i32([[2, 1], [0, 3]])), dict(mode="SYMMETRIC")),
    ("slice_of_unknown_rank", "Slice", dict(input=fed(rows), begin=i32([0, 1]), size=i32([-1, 3]))),
    ("tile_of_unknown_rank", "Tile", dict(input=fed(rows), multiples=i32([2, 1]))),
    ("strides", "StridedSlice", dict(input=fed(cube, 2, 3, 4), begin=fed(i32([0, -1, 5]), 3), end=fed(i32([9, 0, -9]), 3), strides=fed(i32([1, -1, -2]), 3))),
    ("strides_and_masks", "StridedSlice", dict(input=fed(cube, 2, 3, 4), begin=i32([1, 0, 7, 7]), end=i32([0, 0, 7, 2]), strides=fed(i32([1, 1, -1, 2]), 4)), dict(begin_mask=4, end_mask=4, new_axis_mask=2, shrink_axis_mask=1, ellipsis_mask=0)),
    ("strides_behind_an_ellipsis", "StridedSlice", dict(input=fed(cube), begin=fed(i64([0, -1]), 2), end=fed(i64([0, 0]), 2), strides=fed(i64([1, -1]), 2)), dict(ellipsis_mask=1, begin_mask=0, end_mask=0, new_axis_mask=0, shrink_axis_mask=0)),
    ("strides_backward_from_before_the_front", "StridedSlice", dict(input=fed(rows[0], None), begin=fed(i32([-9]), 1), end=fed(i32([-20]), 1), strides=fed(i32([-1]), 1))),
    ("strides_of_nothing", "StridedSlice", dict(input=fed(none(0, f32), None), begin=fed(i32([0]), 1), end=fed(i32([3]), 1), strides=fed(i32([-1]), 1))),
    ("slice_of_known_bounds_of_unknown_rank", "StridedSlice", dict(input=fed(cube), begin=i32([0, 1]), end=i32([2, 3]), strides=i32([1, 2])), dict(begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0)),
    ("arg_max_axis", "ArgMax", dict(input=fed(cube, 2, 3, 4), dimension=fed(i32(-2))), dict(output_type="int32")),
    ("arg_min_axis_of_bytes", "ArgMin", dict(input=fed(u8([[3, 1], [0, 7]])), dimension=fed(i64(0))), dict(output_type="int64")),
    ("cumprod_axis", "Cumprod", dict(x=fed(cube, 2, 3, 4), axis=fed(i32(-2))), dict(exclusive=True, reverse=False)),
    ("cumprod_of_unknown_rank", "Cumprod", dict(x=fed(cube), axis=i32(0)), dict(exclusive=False, reverse=True)),
    ("cumsum_of_unknown_rank", "Cumsum", dict(x=fed(cube), axis=fed(i32(-1))), dict(exclusive=True, reverse=True)),
    ("one_hot_axis_of_unknown_rank", "OneHot", dict(indices=fed(i32([[0, 2], [1, 9]])), depth=fed(i32(3)), on_value=f32(1), off_value=f32(0)), dict(axis=1)),
    ("dynamic_partition_of_rows_and_columns", "DynamicPartition", dict(data=fed(cube, 2, 3, 4), partitions=fed(i32([[0, 1, 1], [0, 0, 1]]), 2, 3)), dict(num_partitions=2)),
    ("dynamic_partition_of_unknown_rank", "DynamicPartition", dict(data=fed(rows), partitions=fed(i32([1, 0]))), dict(num_partitions=3)),
    ("dynamic_stitch_of_unknown_rank", "DynamicStitch", dict(indices=[fed(i32([[1, 0]])), fed(i32(2))], data=[fed(rows[None]), fed(rows[0])])),
    ("unsorted_segment_of_unknown_rank", "UnsortedSegmentSum", dict(data=fed(cube), segment_ids=fed(i32([[0, 2, 0], [1, -1, 2]])), num_segments=fed(i32(4)))),
    ("dense_bincount_of_unknown_rank", "DenseBincount", dict(input=fed(i32([[0, 1, 1], [4, 2, 2]])), size=fed(i32(3)), weights=none(0, f32)), dict(binary_output=False)),
    ("band_part_bounds", "MatrixBandPart", dict(input=fed(quad, 2, 4, 4), num_lower=fed(i64(1)), num_upper=fed(i64(0)))),
    ("band_part_without_bounds_of_bytes", "MatrixBandPart", dict(input=fed(np.ones((3, 4), bool)), num_lower=fed(i32(-1)), num_upper=fed(i32(1)))),
    ("diag_part_of_open_matrices", "MatrixDiagPart", dict(input=fed(quad, None, None, None))),
    ("diag_part_of_one_diagonal_twice", "MatrixDiagPartV3", dict(input=fed(quad, 2, 4, 4), k=fed(i32([1, 1]), 2), padding_value=f32(9)), dict(align="RIGHT_LEFT")),
    ("diag_part_of_several", "MatrixDiagPartV3", dict(input=fed(quad), k=fed(i32([-1, 2]), 2), padding_value=fed(f32(9))), dict(align="LEFT_RIGHT")),
    ("diag_part_of_a_number_of_unknown_rank", "MatrixDiagPartV3", dict(input=fed(quad, 2, 4, 4), k=fed(i32(-2)), padding_value=f32(9)), dict(align="RIGHT_LEFT")),
    ("diag_of_open_length", "MatrixDiag", dict(diagonal=fed(rows))),
    ("diag_of_one_diagonal_twice", "MatrixDiagV3", dict(diagonal=fed(rows, 2, 5), k=fed(i32([-1, -1]), 2), num_rows=i32(-1), num_cols=i32(-1), padding_value=f32(7)), dict(align="RIGHT_LEFT")),
    ("diag_of_given_columns", "MatrixDiagV3", dict(diagonal=fed(rows[:, :3]), k=fed(i32([0, 1]), None), num_rows=fed(i32(3)), num_cols=fed(i32(4)), padding_value=fed(f32(7))), dict(align="LEFT_LEFT")),
    ("set_diag_of_open_matrices", "MatrixSetDiag", dict(input=fed(quad, None, None, None), diagonal=fed(rows[:, :4]))),
    ("set_diag_of_one_diagonal_twice", "MatrixSetDiagV3", dict(input=fed(quad, 2, 4, 4), diagonal=fed(rows[:, :3], 2, 3), k=fed(i32([1, 1]), 2)), dict(align="RIGHT_LEFT")),
    ("space_to_batch_blocks", "SpaceToBatchND", dict(input=fed(image, 2, 7, 5, 3), block_shape=fed(i32([2, 3]), 2), paddings=fed(i32([[1, 0], [0, 1]]), 2, 2))),
    ("space_to_batch_of_unknown_rank", "SpaceToBatchND", dict(input=fed(image), block_shape=i32([2]), paddings=i32([[0, 1]]))),
    ("batch_to_space_blocks", "BatchToSpaceND", dict(input=fed(quad[:, :, :, None], 2, 4, 4, 1), block_shape=fed(i64([1, 2]), 2), crops=fed(i64([[1, 0], [0, 3]]), 2, 2))),
    ("batch_to_space_of_unknown_rank", "BatchToSpaceND", dict(input=fed(quad), block_shape=i32([2]), crops=i32([[0, 0]]))),
    ("select_rows_of_unknown_rank", "Select", dict(condition=fed(np.array([True, False]), 2), x=fed(two[:, :2, :2]), y=fed(-two[:, :2, :2]))),
    ("select_rows_by_a_condition_of_unknown_rank", "Select", dict(condition=fed(np.array([True, False])), x=fed(rows, 2, 5), y=fed(-rows, 2, 5))),
    ("select_rows_of_booleans", "Select", dict(condition=fed(np.array([True, False]), 2), x=fed(rows > 3, 2, 5), y=fed(rows < 3, 2, 5))),
    ("matmul_of_transposed_matrices_of_unknown_rank", "BatchMatMulV2", dict(x=fed(cube), y=fed(cube)), dict(adj_x=False, adj_y=True)),
    ("bias", "BiasAdd", dict(value=fed(image, None, 7, 5, 3), bias=fed(f32([1, -1, 2]), 3))),
    ("bias_of_unknown_rank", "BiasAdd", dict(value=fed(rows), bias=f32([1, -1, 2, 0, 5]))),
    ("depthwise_filter", "DepthwiseConv2dNative", dict(input=fed(image, 2, 7, 5, 3), filter=fed(filters, 3, 3, 3, 2)), dict(strides=[1, 1, 1, 1], padding="SAME")),
    ("dilated_conv_of_an_open_filter", "Conv2D", dict(input=fed(image, None, None, None, 3), filter=fed(filters)), dict(strides=[1, 1, 1, 1], dilations=[1, 2, 2, 1], padding="SAME")),
    ("conv_with_strides_of_an_open_filter", "Conv2D", dict(input=fed(image, 2, 7, 5, 3), filter=fed(filters, None, None, 3, 2)), dict(strides=[1, 3, 2, 1], padding="SAME")),
    ("depthwise_with_gaps_of_open_images", "DepthwiseConv2dNative", dict(input=fed(image, None, None, None, 3), filter=filters[:2, :2]), dict(strides=[1, 4, 4, 1], padding="SAME")),
    ("diag_of_more_diagonals_than_the_matrices_have", "MatrixDiagV3", dict(diagonal=fed(rows[:, :2].repeat(2, 0), 4, 2), k=i32([-1, 2]), num_rows=i32(-1), num_cols=i32(-1), padding_value=f32(0)), dict(align="LEFT_LEFT")),
    ("sparse_to_dense_of_unknown_rank", "SparseToDense", dict(sparse_indices=fed(i32([[0, 1], [1, 2]])), output_shape=fed(i32([2, 3]), 2), sparse_values=fed(f32([5, 6])), default_value=fed(f32(-1)))),
    ("conv_of_unknown_rank", "Conv2D", dict(input=fed(image), filter=fed(filters, 3, 3, 3, 2)), dict(strides=[1, 1, 1, 1], padding="VALID")),
    ("max_pool_of_unknown_rank", "MaxPool", dict(input=fed(image)), dict(ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID")),
    ("local_response_of_unknown_rank", "LRN", dict(input=fed(image))),
    ("resize_area_of_an_open_size", "ResizeArea", dict(images=fed(image, None, None, None, 3), size=fed(i32([3, 8]), 2))),
    ("resize_area_with_corners", "ResizeArea", dict(images=fed(image), size=fed(i32([4, 2]), 2)), dict(align_corners=True)),
    ("fake_quant_bounds", "FakeQuantWithMinMaxVars", dict(inputs=fed(f32([-9, -0.3, 0, 0.123, 2.5, 7]), 6), min=fed(f32(-1.1)), max=fed(f32(2.7)))),
    ("fake_quant_bounds_of_nothing", "FakeQuantWithMinMaxVars", dict(inputs=fed(f32([-9, 0.3]), 2), min=fed(f32(0)), max=fed(f32(0)))),
    ("fake_quant_known_bounds_of_nothing", "FakeQuantWithMinMaxVars", dict(inputs=fed(f32([-9, 0.3]), 2), min=f32(0), max=f32(0))),
    ("fake_quant_bounds_of_channels", "FakeQuantWithMinMaxVarsPerChannel", dict(inputs=fed(rows / 7 - 0.5), min=fed(f32([-1, 0, 0.5, -3, -1]), 5), max=fed(f32([1, 6, 1, -1, 0.25]), 5)), dict(num_bits=4)),
    ("quantize_bits", "QuantizeAndDequantizeV3", dict(input=fed(rows / 7 - 0.5), input_min=fed(f32(-1)), input_max=fed(f32(1)), num_bits=fed(i32(5))), dict(range_given=True)),
    ("quantize_numbers_below_zero_without_signs", "QuantizeAndDequantizeV2", dict(input=fed(rows / 7 - 0.5, 2, 5), input_min=f32(0), input_max=f32(0)), dict(range_given=False, signed_input=False)),
    ("quantize_only_numbers_below_zero_without_signs", "QuantizeAndDequantizeV2", dict(input=fed(f32([[-0.25, -3], [-0.5, -1e-3]]), 2, 2), input_min=f32(0), input_max=f32(0)), dict(range_given=False, signed_input=False)),
    ("quantize_parts_below_zero_without_signs", "QuantizeAndDequantizeV4", dict(input=fed(f32([[-0.25, -3], [-0.5, 2]]), 2, 2), input_min=f32([0, 0]), input_max=f32([0, 0])), dict(range_given=False, signed_input=False, axis=0)),
    ("quantize_parts_of_open_range", "QuantizeAndDequantizeV4", dict(input=fed(rows / 7 - 0.5, 2, 5), input_min=f32([0, 0]), input_max=f32([0, 0])), dict(range_given=False, signed_input=False, axis=0, narrow_range=True)),
    ("quantize_bits_of_open_range", "QuantizeAndDequantizeV3", dict(input=fed(rows / 7, 2, 5), input_min=f32(0), input_max=f32(0), num_bits=fed(i32(6))), dict(range_given=False, signed_input=False)),
    ("patches_of_open_channels", "ExtractImagePatches", dict(images=fed(image, None, None, None, None)), dict(ksizes=[1, 3, 2, 1], strides=[1, 2, 1, 1], rates=[1, 1, 2, 1], padding="SAME")),
    ("patches_of_unknown_rank", "ExtractImagePatches", dict(images=fed(image)), dict(ksizes=[1, 2, 2, 1], strides=[1, 3, 2, 1], rates=[1, 1, 1, 1], padding="VALID")),
    ("patches_with_infinities", "ExtractImagePatches", dict(images=fed(np.where(image == image[0, 0, 0, 0], np.inf, image).astype(f32), 2, 7, 5, 3)), dict(ksizes=[1, 2, 3, 1], strides=[1, 2, 2, 1], rates=[1, 1, 1, 1], padding="SAME")),
    ("patches_of_large_integers", "ExtractImagePatches", dict(images=fed(i32(2**30) + i32(image * 8), 2, 7, 5, 3)), dict(ksizes=[1, 2, 2, 1], strides=[1, 2, 2, 1], rates=[1, 2, 1, 1], padding="VALID")),
    ("depthwise_of_open_channels", "DepthwiseConv2dNative", dict(input=fed(image), filter=fed(filters)), dict(strides=[1, 2, 2, 1], padding="SAME")),
    ("depthwise_of_open_channels_with_dilation", "DepthwiseConv2dNative", dict(input=fed(image), filter=fed(filters)), dict(strides=[1, 1, 1, 1], dilations=[1, 2, 2, 1], padding="EXPLICIT", explicit_paddings=[0, 0, 1, 2, 2, 1, 0, 0])),
    ("dilation_of_an_open_filter", "Dilation2D", dict(input=fed(image), filter=fed(filters[..., 0])), dict(strides=[1, 2, 1, 1], rates=[1, 1, 2, 1], padding="SAME")),
    ("dilation_of_an_open_filter_of_bytes", "Dilation2D", dict(input=fed(u8(image * 9 + 99)), filter=fed(u8(filters[..., 0] + 2))), dict(strides=[1, 1, 1, 1], rates=[1, 1, 1, 1], padding="VALID")),
    ("max_pool_windows", "MaxPoolV2", dict(input=fed(image, 2, 7, 5, 3), ksize=fed(i32([1, 3, 2, 1]), 4), strides=fed(i32([1, 2, 1, 1]), 4)), dict(padding="SAME")),
    ("max_pool_windows_of_unknown_rank", "MaxPoolV2", dict(input=fed(-1 - image), ksize=fed(i32([1, 3, 2, 1])), strides=fed(i32([1, 2, 3, 1]))), dict(padding="VALID")),
    ("max_pool_with_places_of_open_images", "MaxPoolWithArgmax", dict(input=fed(image, None, None, None, None)), dict(ksize=[1, 3, 2, 1], strides=[1, 2, 2, 1], padding="SAME", include_batch_in_index=True)),
    ("max_pool_with_places_of_unknown_rank", "MaxPoolWithArgmax", dict(input=fed(image)), dict(ksize=[1, 2, 2, 1], strides=[1, 2, 1, 1], padding="VALID", Targmax="int32")),
    ("transposed_conv_of_an_open_filter", "Conv2DBackpropInput", dict(input_sizes=fed(i32([2, 14, 9, 3]), 4), filter=fed(filters), out_backprop=fed(image[..., :2])), dict(strides=[1, 2, 2, 1], padding="SAME")),
    ("transposed_conv_of_an_open_filter_and_known_sizes", "Conv2DBackpropInput", dict(input_sizes=i32([2, 15, 11, 3]), filter=fed(filters, None, None, 3, 2), out_backprop=fed(image[..., :2], 2, 7, 5, 2)), dict(strides=[1, 2, 2, 1], padding="VALID")),
    ("greedy_decoder_of_unknown_rank", "CTCGreedyDecoder", dict(inputs=fed(cube), sequence_length=fed(i32([2, 1, 2]), 3)), dict(merge_repeated=True)),
    ("cross_product_of_unknown_rank", "Cross", dict(a=fed(cube[..., :3]), b=fed(cube[..., 1:]))),
    ("cross_product_of_integers", "Cross", dict(a=fed(i32([[1, 2, 3], [4, 5, 6]]), 2, 3), b=fed(i32([[7, 1, 0], [2, 2, 9]]), 2, 3))),
    ("combined_suppression_limits", "CombinedNonMaxSuppression", dict(boxes=fed(boxes), scores=fed(scores), max_output_size_per_class=fed(i32(2)), max_total_size=fed(i32(3)), iou_threshold=f32(0.5), score_threshold=f32(0.1)), dict(pad_per_class=False, clip_boxes=True)),
    ("combined_suppression_of_more_boxes_than_there_are", "CombinedNonMaxSuppression", dict(boxes=fed(boxes.repeat(2, 2), None, None, 2, 4), scores=fed(scores), max_output_size_per_class=fed(i32(4)), max_total_size=fed(i32(20)), iou_threshold=fed(f32(0.5)), score_threshold=fed(f32(0.1))), dict(pad_per_class=False, clip_boxes=False)),
    ("combined_suppression_padded_by_class", "CombinedNonMaxSuppression", dict(boxes=fed(boxes, 1, None, 1, 4), scores=fed(scores, 1, None, None), max_output_size_per_class=fed(i32(1)), max_total_size=i32(20), iou_threshold=f32(0.5), score_threshold=f32(0)), dict(pad_per_class=True, clip_boxes=True)),
    ("soft_suppression_beyond_the_threshold", "NonMaxSuppressionV5", dict(boxes=fed(boxes[0, :, 0]), scores=fed(scores[0, :, 0]), max_output_size=fed(i32(5)), iou_threshold=fed(f32(0.3)), score_threshold=f32(0.01), soft_nms_sigma=fed(f32(0.5))), dict(pad_to_max_output_size=False)),
    ("scattered_strings", "ScatterNd", dict(indices=fed(i32([[2], [0]])), updates=fed(np.array(["a", "b"], object)), shape=fed(i32([4]), 1))),
    ("zeros_like_strings", "ZerosLike", dict(x=fed(np.array(["a", "b"], object)))),
] + [
    (f"{op.lower()}_axes", op, dict(input=fed(values, *dims), axis=fed(i32([-1, 0]), 2)), dict(keep_dims=keep))
    for op, values, dims, keep in (
        ("Max", cube - 3, (2, 3, 4), False), ("Min", cube, (), True), ("Prod", cube / 4 + 0.5, (2, None, 4), True),
        ("Mean", cube, (2, 3, 4), False), ("EuclideanNorm", cube, (), False), ("All", cube > 0, (2, 3, 4), True), ("Any", cube > 5, (), False),
    )
]


def make(folder):
    cases.write(folder / "runtime_arguments.zip", ((name, build(*description)) for name, *description in CASES))
