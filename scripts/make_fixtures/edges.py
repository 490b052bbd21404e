"""Makes edges.zip: graphs of one op each, with arguments that are known at run time only and are negative, beyond an axis, empty or
large. Each was once converted wrongly, as scripts/fuzz_ops found.
"""

import numpy as np

from . import cases
from .tensorflow1 import tf

f32, i32, i64, u8 = np.float32, np.int32, np.int64, np.uint8
rows = np.arange(10, dtype=f32).reshape(2, 5)
image = np.arange(2 * 7 * 5 * 3, dtype=f32).reshape(2, 7, 5, 3) % 11
none = np.zeros


channels = np.float32([3, -1, 0, 7, -2, -5, 1, 1]).repeat(4)[np.arange(32) * 5 % 32].reshape(2, 2, 2, 4)


def spread(*dims):
    """Numbers of which no two are the same."""
    return np.linspace(-1, 1, int(np.prod(dims)), dtype=f32).reshape(dims)


def lstm(given, x):
    """The inputs of a cell of two units that reads three numbers, for a batch of two."""
    state = dict(cs_prev=given(spread(2, 2)), h_prev=given(-spread(2, 2)))
    weights = dict(w=given(spread(5, 8)), b=given(spread(8)), wci=spread(2), wcf=-spread(2), wco=f32([1, 0.5]))
    return dict(x=given(x), **state, **weights)


def fed(value, *dims):
    """An input whose shape is known to be `dims`, or not even its rank is."""
    return value, list(dims) if dims else None


# A name, the op, its inputs (arrays are constants) and attributes.
CASES = [
    ("roll_longer_than_the_axis", "Roll", dict(input=fed(rows, 2, None), shift=fed(i32([7, -12]), 2), axis=i32([1, 1]))),
    ("roll_of_a_known_shift_along_an_open_axis", "Roll", dict(input=fed(rows, None, None), shift=i32(-7), axis=i32(1))),
    ("left_shift_beyond_the_width", "LeftShift", dict(x=fed(i32([5, -3, 1]), 3), y=fed(i32([40, -2, 31]), 3))),
    ("right_shift_beyond_the_width", "RightShift", dict(x=fed(i32([5, -3, 1 << 30]), 3), y=fed(i32([40, 33, -1]), 3))),
    ("right_shift_of_int64", "RightShift", dict(x=fed(i64([-(2**63), 2**62, -1]), 3), y=fed(i64([63, 70, 1]), 3))),
    ("atan2_of_signed_zeros", "Atan2", dict(y=fed(f32([1, -1, 0, -0.0, 0, 2]), 6), x=fed(f32([-0.0, -0.0, -0.0, -1, 0, np.inf]), 6))),
    ("sign_of_nan_in_float16", "Sign", dict(x=fed(np.float16([np.nan, -2, -0.0, 3]), 4))),
    ("floor_mod_by_infinity", "FloorMod", dict(x=fed(f32([-0.75, 5.5, -7]), 3), y=fed(f32([np.inf, -3, 2]), 3))),
    ("floor_div_of_int8", "FloorDiv", dict(x=fed(np.int8([-7, 7, -8]), 3), y=fed(np.int8([2, -2, 4]), 3))),
    ("maximum_beyond_int32", "Maximum", dict(x=fed(i64([2**31, -(2**40)]), 2), y=fed(i64([8, 8]), 2))),
    ("minimum_beyond_int32", "Minimum", dict(x=fed(i64([2**31, -(2**40)]), 2), y=fed(i64([8, 8]), 2))),
    ("relu_of_large_int64", "Relu", dict(features=fed(i64([2**31, -5]), 2))),
    ("relu_of_bytes", "Relu", dict(features=fed(u8([0, 200]), 2))),
    ("one_hot_outside_of_the_depth", "OneHot", dict(indices=fed(i64([-1, 0, 2, 5]), None), depth=fed(i32(3)), on_value=f32(1), off_value=f32(0)), dict(axis=-1)),
    ("one_hot_of_no_depth", "OneHot", dict(indices=fed(i32([0, 1]), 2), depth=fed(i32(0)), on_value=f32(1), off_value=f32(0)), dict(axis=0)),
    ("one_hot_of_no_indices", "OneHot", dict(indices=fed(none(0, i32), None), depth=i32(3), on_value=i32(4), off_value=i32(2)), dict(axis=-1)),
    ("bincount_of_open_weights", "Bincount", dict(arr=fed(i32([1, 1, 4]), None), size=fed(i32(3)), weights=fed(none(0, f32), None))),
    ("dense_bincount_by_occurrence", "DenseBincount", dict(input=fed(i32([[1, 1, 0], [2, 7, 2]]), 2, 3), size=fed(i32(3)), weights=fed(f32([[0, 0, 1], [0, 1, 0]]), 2, 3)), dict(binary_output=True)),
    ("floor_div_of_large_int32", "FloorDiv", dict(x=fed(i32([2**31 - 1, -(2**31), 1, -(2**31)]), 4), y=fed(i32([-7, 3, -(2**31), -7]), 4))),
    ("floor_div_of_large_int8", "FloorDiv", dict(x=fed(np.int8([127, -128, 1, -128]), 4), y=fed(np.int8([-7, 3, -128, -7]), 4))),
    ("truncate_mod_beyond_2_to_53", "TruncateMod", dict(x=fed(i64([2**63 - 1, -(2**63), 2**53 + 1]), 3), y=fed(i64([-7, 3, 2**53]), 3))),
    ("truncate_div_of_fractions", "TruncateDiv", dict(x=fed(f32([1.5, -1.5, 7, np.nan, -np.inf]), 5), y=fed(f32([2.5, 2.5, -2, 1, 2]), 5))),
    ("lower_bound_of_large_uint64", "LowerBound", dict(sorted_inputs=fed(np.uint64([[1, 2**63, 2**64 - 1]]), 1, 3), values=fed(np.uint64([[2**63 + 1, 0]]), 1, 2))),
    ("softplus_of_large_float16", "Softplus", dict(features=fed(np.float16([12, 30000, -12]), 3))),
    ("bucketize_nan", "Bucketize", dict(input=fed(f32([np.nan, -1, 3]), 3)), dict(boundaries=[0.0, 2.0])),
    ("bucketize_by_nothing", "Bucketize", dict(input=fed(f32([1, 2]), None)), dict(boundaries=[])),
    ("reverse_sequence_of_length_0", "ReverseSequence", dict(input=fed(rows, None, 5), seq_lengths=fed(i64([0, 3]), None)), dict(seq_dim=1, batch_dim=0)),
    ("euclidean_norm_along_no_axis", "EuclideanNorm", dict(input=fed(f32([-2, 3]), 2), axis=fed(none(0, i32), None)), dict(keep_dims=False)),
    ("any_of_nothing", "Any", dict(input=fed(none((2, 0), bool), 2, None), axis=i32([1])), dict(keep_dims=False)),
    ("all_of_nothing", "All", dict(input=fed(none((2, 0), bool), 2, None), axis=i32([1])), dict(keep_dims=False)),
    ("sum_of_nothing_along_no_axis", "Sum", dict(input=fed(none((2, 0), f32), None, None), axis=fed(none(0, i32), None)), dict(keep_dims=False)),
    ("max_of_nothing_along_no_axis", "Max", dict(input=fed(none((0, 3), f32)), axis=fed(none(0, i32), None)), dict(keep_dims=True)),
    ("mean_along_axes_apart", "Mean", dict(input=fed(np.linspace(0.25, 2, 720, dtype=f32).reshape(2, 3, 4, 5, 6), 2, None, 4, 5, 6), axis=i32([1, 2, 4])), dict(keep_dims=False)),
    ("sum_along_axes_apart", "Sum", dict(input=fed(np.linspace(0.25, 2, 720, dtype=f32).reshape(2, 3, 4, 5, 6), 2, 3, 4, 5, 6), axis=i32([4, 0, 2])), dict(keep_dims=False)),
    ("sum_along_axes_apart_that_are_kept", "Sum", dict(input=fed(np.linspace(0.25, 2, 720, dtype=f32).reshape(2, 3, 4, 5, 6), 2, 3, 4, None, 6), axis=i32([1, 3])), dict(keep_dims=True)),
    ("mean_of_nothing", "Mean", dict(input=fed(none((2, 0), f32), 2, 0), axis=i32([1])), dict(keep_dims=False)),
    ("max_of_nothing", "Max", dict(input=fed(none((2, 0), i32), 2, 0), axis=i32([-1])), dict(keep_dims=True)),
    ("arg_max_beyond_2_to_53", "ArgMax", dict(input=fed(i64([2**53, 2**53 + 1]), 2), dimension=i32(0)), dict(output_type="int64")),
    ("matrix_band_part_of_two_bounds", "MatrixBandPart", dict(input=fed(np.ones((2, 4, 3), f32), 2, 4, 3), num_lower=i64(3), num_upper=i64(1))),
    ("segment_sum_of_no_rows", "SegmentSum", dict(data=fed(none((0, 3), f32), None, 3), segment_ids=fed(none(0, i32), None))),
    ("unsorted_segment_sum_of_empty_rows", "UnsortedSegmentSum", dict(data=fed(none((1, 3, 0), f32), 1, 3, None), segment_ids=fed(i32([[2, 1, 2]]), 1, 3), num_segments=fed(i32(4)))),
    ("gather_of_negative_batch_axes", "GatherV2", dict(params=fed(image[:, :2, :2, 0], 2, 2, 2), indices=fed(i32([0, 1, 1]), 3), axis=i32(2)), dict(batch_dims=-1)),
    ("split_what_is_left", "SplitV", dict(value=fed(rows, 2, None), size_splits=fed(i32([1, -1, 2]), 3), axis=i32(1)), dict(num_split=3)),
    ("slice_backwards_from_before_the_front", "StridedSlice", dict(input=fed(rows, 2, 5), begin=fed(i32([0, -9]), 2), end=fed(i32([2, -20]), 2), strides=i32([1, -1]))),
    ("slice_backwards_to_the_greatest_int32", "StridedSlice", dict(input=fed(rows, 2, 5), begin=fed(i32([0, 3]), 2), end=fed(i32([2, 2**31 - 1]), 2), strides=i32([1, -1]))),
    ("slice_of_an_open_axis_backwards_to_the_greatest_int32", "StridedSlice", dict(input=fed(rows, None, 5), begin=i32([0, 1]), end=i32([2**31 - 1, 3]), strides=i32([-2, 1])), dict(begin_mask=1)),
    ("reshape_nothing_to_zeros", "Reshape", dict(tensor=fed(none((0, 4), f32), None, 4), shape=fed(i32([2, 0, 5]), 3))),
    ("transposed_convolution_same_of_an_open_size", "Conv2DBackpropInput", dict(input_sizes=fed(i32([2, 7, 6, 1]), 4), filter=rows[:, :3].reshape(2, 3, 1, 1), out_backprop=fed(image[:, :3, :3, :1], 2, None, None, 1)), dict(strides=[1, 3, 2, 1], padding="SAME")),
    ("transposed_convolution_valid_of_an_open_size", "Conv2DBackpropInput", dict(input_sizes=fed(i32([2, 8, 8, 1]), 4), filter=rows[:, :3].reshape(2, 3, 1, 1), out_backprop=fed(image[:, :7, :3, :1], 2, None, None, 1)), dict(strides=[1, 1, 2, 1], padding="VALID")),
    ("max_pool_of_single_pixels_of_an_open_size", "MaxPool", dict(input=fed(image, 2, None, None, 3)), dict(ksize=[1, 1, 1, 1], strides=[1, 3, 3, 1], padding="SAME")),
    ("fake_quant_half_way", "FakeQuantWithMinMaxArgs", dict(inputs=fed(f32([0.5, 0.25, 0.125, -3, 9]), 5)), dict(min=0.0, max=1.0)),
    ("resize_bicubic_of_an_open_size", "ResizeBicubic", dict(images=fed(image, None, None, None, 3), size=fed(i32([4, 9]), 2)), dict(half_pixel_centers=True)),
    ("resize_bicubic_with_edges_repeated", "ResizeBicubic", dict(images=fed(image, None, 7, 5, 3), size=i32([9, 4])), dict(align_corners=True)),
    ("conv_transposed_to_a_size_of_unknown_length", "Conv2DBackpropInput", dict(input_sizes=fed(i32([2, 7, 6, 1]), None), filter=rows[:, :3].reshape(2, 3, 1, 1), out_backprop=fed(image[:, :3, :3, :1], 2, 3, 3, 1)), dict(strides=[1, 3, 2, 1], padding="SAME")),
    ("slice_of_no_axes", "Slice", dict(input=fed(f32(3)), begin=fed(none(0, i32), 0), size=none(0, i32))),
    ("sum_along_axes_from_the_end_of_an_unknown_rank", "Sum", dict(input=fed(none((2, 0, 3), f32)), axis=i32([-2, 0])), dict(keep_dims=True)),
    ("dense_bincount_of_no_columns", "DenseBincount", dict(input=fed(none((3, 0), i32), None, None), size=i32(3), weights=fed(none(0, f32), None)), dict(binary_output=False)),
    ("resize_to_a_size_of_unknown_length", "ResizeBilinear", dict(images=fed(image, None, 7, 5, 3), size=fed(i32([3, 4]), None))),
    ("sum_with_a_tensor_of_unknown_rank", "AddN", dict(inputs=[fed(rows), fed(rows, None, 5)])),
    ("sign_beyond_int32", "Sign", dict(x=fed(i64([2**31, -(2**31) - 1, 2**63 - 1, -(2**63), 0]), 5))),
    ("floor_div_of_uint32", "FloorDiv", dict(x=fed(np.uint32([2**32 - 1, 7, 2**31]), 3), y=fed(np.uint32([2, 3, 2**31 + 1]), 3))),
    ("mean_beyond_int32", "Mean", dict(input=fed(i32([[2**31 - 1, 2**31 - 1, 5], [-(2**31), -7, 2]]), None, 3), axis=i32([1])), dict(keep_dims=False)),
    ("max_pool_beyond_int32", "MaxPoolV2", dict(input=fed(i64([2**31, 8, 2**40, -(2**33)]).reshape(1, 2, 2, 1), 1, 2, 2, 1), ksize=fed(i32([1, 1, 2, 1]), 4), strides=fed(i32([1, 1, 1, 1]), 4)), dict(padding="VALID")),
    ("dilation_of_large_uint32", "Dilation2D", dict(input=fed(np.uint32([2**31, 8, 2**31 + 9, 3]).reshape(1, 2, 2, 1), 1, 2, 2, 1), filter=fed(np.uint32([[[1], [5]]]), None, None, 1)), dict(strides=[1, 1, 1, 1], rates=[1, 1, 1, 1], padding="SAME")),
    ("sparse_max_of_large_uint64", "SparseReduceMax", dict(input_indices=i64([[0, 0], [0, 1], [1, 2]]), input_values=fed(np.uint64([2**63 + 1, 5, 7]), 3), input_shape=i64([2, 3]), reduction_axes=i32([1]))),
    ("triangular_solve_with_zeros_on_the_diagonal", "MatrixTriangularSolve", dict(matrix=fed(f32([[[1, 0], [2, 0]], [[0, 0], [2, 1]]]), 2, 2, 2), rhs=fed(f32([[[1], [3]], [[1], [3]]]), 2, 2, 1))),
    ("einsum_of_ellipses_that_broadcast", "Einsum", dict(inputs=[fed(image[:, :1, :, :2], 2, 1, 5, 2), fed(image[0, :, :4, :2].transpose(0, 2, 1))]), dict(equation="...ab,...bc->...ca")),
    ("einsum_of_ellipses_of_two_ranks", "Einsum", dict(inputs=[fed(rows), fed(rows[0])]), dict(equation="a...,...->...a")),
    ("einsum_with_a_diagonal_as_result", "Einsum", dict(inputs=[fed(rows, None, None)]), dict(equation="ab->bab")),
    ("einsum_of_a_diagonal", "Einsum", dict(inputs=[fed(image[:, :5], 2, None, None, 3), fed(rows, 2, 5)]), dict(equation="abbc,ad->dc")),
    ("einsum_of_axes_together", "Einsum", dict(inputs=[fed(image, 2, 7, 5, 3), fed(image[1:, :4], None, None, 5, 3)]), dict(equation="abcd,efcd->fbea")),
    ("einsum_of_nothing", "Einsum", dict(inputs=[fed(none((2, 0), f32), 2, None), fed(none((0, 3), f32), None, 3)]), dict(equation="ab,bc->ca")),
    ("diagonals_of_no_matrices", "MatrixDiagPartV2", dict(input=fed(none((0, 4, 3), f32), None, 4, 3), k=i32([-1, 1]), padding_value=f32(0))),
    ("sparse_tensor_of_ragged_matrices", "RaggedTensorToSparse", dict(rt_nested_splits=[fed(i64([0, 2, 2, 5]), None)], rt_dense_values=fed(rows.reshape(5, 2), None, None))),
    ("sparse_tensor_of_ragged_rows_of_nothing", "RaggedTensorToSparse", dict(rt_nested_splits=[i64([0, 1])], rt_dense_values=fed(none((1, 0, 2), i32), 1, None, 2))),
    ("max_pool_of_channels", "MaxPool", dict(input=fed(channels, None, 2, 2, 4)), dict(ksize=[1, 1, 1, 2], strides=[1, 1, 1, 2], padding="SAME")),
    ("max_pool_of_channels_by_inputs", "MaxPoolV2", dict(input=fed(channels), ksize=i32([1, 1, 1, 2]), strides=i32([1, 1, 1, 2])), dict(padding="VALID")),
    ("max_pool_of_open_channels", "MaxPoolV2", dict(input=fed(channels, 2, 2, 2, 4), ksize=fed(i32([1, 1, 1, 4]), 4), strides=fed(i32([1, 1, 1, 4]), 4)), dict(padding="SAME")),
    ("places_of_zeros_among_bytes", "MaxPoolWithArgmax", dict(input=fed(u8([0, 0, 3, 0, 0, 0, 0, 9]).reshape(1, 4, 1, 2), 1, 4, 1, 2)), dict(ksize=[1, 2, 1, 1], strides=[1, 2, 1, 1], padding="VALID")),
    ("resized_and_padded_float16", "FusedResizeAndPadConv2D", dict(input=fed(np.float16([1, 2, 3, 4]).reshape(1, 2, 2, 1), 1, 2, 2, 1), size=i32([4, 4]), paddings=i32([[0, 0], [1, 1], [1, 0], [0, 0]]), filter=np.float16([1, -1]).reshape(2, 1, 1, 1)), dict(mode="REFLECT", strides=[1, 1, 1, 1], padding="VALID")),
    ("block_lstm_of_no_steps", "BlockLSTM", dict(seq_len_max=fed(i64(0)), **lstm(fed, x=none((0, 2, 3), f32))), dict(cell_clip=3.0, forget_bias=1.0)),
    ("block_lstm_of_open_units", "BlockLSTMV2", dict(seq_len_max=i64(2), **lstm(fed, x=spread(2, 2, 3))), dict(cell_clip=0.0, use_peephole=True)),
    ("lstm_cell_of_open_units", "LSTMBlockCell", lstm(fed, x=spread(2, 3)), dict(cell_clip=0.5, forget_bias=0.0)),
    ("boxes_in_open_colors", "DrawBoundingBoxesV2", dict(images=fed(none((1, 4, 4, 3), f32)), boxes=f32([[[0, 0, 0.7, 0.7], [0.3, 0.3, 1, 1]]]), colors=fed(f32([[0.25, 0.5, 0.75, 1]]))), {}),
    ("boxes_in_no_colors", "DrawBoundingBoxesV2", dict(images=fed(none((1, 4, 4, 1), f32)), boxes=f32([[[0, 0, 0.7, 0.7], [0.3, 0.3, 1, 1]]]), colors=fed(none((0, 1), f32))), {}),
    ("permuted_open_lengths", "DataFormatVecPermute", dict(x=fed(i32([7, 5, 3, 2]), None)), dict(src_format="NHWC", dst_format="NCHW")),
    ("permuted_open_spatial_lengths", "DataFormatVecPermute", dict(x=fed(i64([[1, 2], [3, 4], [5, 6]]))), dict(src_format="NDHWC", dst_format="CWHDN")),
    ("cepstrum_at_the_end_of_a_filter", "Mfcc", dict(spectrogram=fed(spread(2, 1, 17) + 2, 2, 1, 17), sample_rate=fed(i32(16000))), dict(lower_frequency_limit=300.0, upper_frequency_limit=2000.0, filterbank_channel_count=15, dct_coefficient_count=4)),
    ("transposed_depthwise_by_an_open_filter", "DepthwiseConv2dNativeBackpropInput", dict(input_sizes=i32([1, 5, 5, 2]), filter=fed(spread(2, 3, 2, 2), None, None, 2, None), out_backprop=fed(spread(1, 3, 3, 4))), dict(strides=[1, 2, 2, 1], padding="SAME")),
    ("rank_that_is_ensured", "EnsureShape", dict(input=fed(image)), dict(shape=[2, 7, None, 3])),
    ("sum_of_bytes", "AddN", dict(inputs=[fed(u8([250, 3]), 2), fed(u8([10, 4]), 2)])),
]


def build(op, inputs, attributes=None):
    feeds = {}
    with tf.Graph().as_default() as graph, tf.Session() as session:

        def tensor(value):
            if isinstance(value, list):
                return [tensor(item) for item in value]
            if not isinstance(value, tuple):
                return tf.constant(value)
            value, dims = np.asarray(value[0]), value[1] if value[0].ndim or value[1] is not None else []
            placeholder = tf.placeholder(value.dtype, dims, f"input_{len(feeds)}")
            feeds[placeholder.name] = value
            return placeholder

        given = {name: tensor(value) for name, value in inputs.items()}
        outputs = getattr(tf.raw_ops, op)(name="output", **given, **(attributes or {}))
        outputs = tf.nest.flatten(outputs)
        results = session.run(outputs, feeds)
    return cases.case(graph.as_graph_def(), list(feeds), [output.name for output in outputs], feeds.values(), results)


def make(folder):
    cases.write(folder / "edges.zip", ((name, build(*description)) for name, *description in CASES))
