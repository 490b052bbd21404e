"""Makes rare_ops.zip: graphs of one op each that few graphs have, among them old versions and names of ops."""

import numpy as np

from . import cases
from .edges import fed
from .tensorflow1 import tf

f16, f32, f64 = np.float16, np.float32, np.float64
i8, i32, i64, u8 = np.int8, np.int32, np.int64, np.uint8


def u64(values):
    return np.array(values, np.uint64)


nan, inf = np.nan, np.inf
rng = np.random.RandomState(4)
rows = f32(rng.randn(3, 6))
image = f32(rng.randn(2, 7, 6, 3))
square = f32(rng.randn(2, 3, 3))

corners = f32([[[0.1, 0.1, 0.8, 0.9], [0.5, -0.4, 1.3, 0.5], [0.6, 0.6, 0.2, 0.9], [-2, 0, -1, 1]], [[0, 0, 1, 1], [0.3, 0.3, 0.3, 0.3], [0.2, 0.5, 0.9, 0.7], [0.2, 0.4, 0.9, 0.6]]])
projections = f32([[1, 0.2, -0.7, 0.1, 1.1, 0.4, 0, 0], [0.8, -0.3, 9.3, 0.2, 0.7, -12.1, 0.01, 0.02]])
overlaps = f32((lambda values: values + values.T)(rng.rand(6, 6)) / 2)
many = f32(np.concatenate([rng.rand(12, 2), rng.rand(12, 2) + 0.2], 1))


# A name, the op, its inputs (arrays are constants) and attributes.
CASES = [
    # Ops that look for elements.
    ("in_top_k", "InTopK", dict(predictions=fed(f32([[1, 3, 2], [3, 3, 1], [nan, 1, 2], [1, 2, 3], [inf, 1, 0], [1, 2, 3]]), None, None), targets=fed(i32([2, 0, 1, 7, 1, -1]), None)), dict(k=2)),
    ("in_top_k_of_an_open_k", "InTopKV2", dict(predictions=fed(rows, 3, 6), targets=fed(i64([0, 3, 5]), None), k=fed(i64(3)))),
    ("lower_bound", "LowerBound", dict(sorted_inputs=fed(f32([[1, 2, 2, 5], [-inf, 0, 0, inf]]), 2, None), values=fed(f32([[0, 2, 9], [0, nan, inf]]), 2, None))),
    ("upper_bound", "UpperBound", dict(sorted_inputs=fed(f32([[1, 2, 2, 5], [-inf, 0, 0, inf]]), None, 4), values=fed(f32([[0, 2, 9], [0, nan, inf]]), None, 3)), dict(out_type="int64")),
    ("upper_bound_of_int64", "UpperBound", dict(sorted_inputs=fed(i64([[2**53, 2**53 + 1]])), values=fed(i64([[2**53, 2**53 + 1, 5]])))),
    ("lower_bound_of_bytes", "LowerBound", dict(sorted_inputs=fed(u8([[1, 200, 255]])), values=fed(u8([[200, 201]])))),
    ("nth_element", "NthElement", dict(input=fed(rows), n=fed(i32(2))), dict(reverse=False)),
    ("nth_element_from_the_greatest", "NthElement", dict(input=fed(i32([[5, 1, 4], [7, 7, -3]]), 2, None), n=i32(1)), dict(reverse=True)),
    ("nth_element_of_a_vector_of_halves", "NthElement", dict(input=fed(f16([5, 1, 4]), None), n=fed(i32(0))), dict(reverse=True)),
    ("histogram", "HistogramFixedWidth", dict(values=fed(f32([[-1, 0, 1.5], [2, 5, 15]]), None, None), value_range=f32([0, 5]), nbins=i32(5))),
    ("histogram_of_open_bins", "HistogramFixedWidth", dict(values=fed(f64([-1, 0, 0.3, 2, 5, 15, inf])), value_range=fed(f64([0, 5])), nbins=fed(i32(7))), dict(dtype="int64")),
    ("histogram_of_integers", "HistogramFixedWidth", dict(values=fed(i32([3, 4, 10, -2])), value_range=i32([0, 10]), nbins=i32(3))),
    ("histogram_of_nothing", "HistogramFixedWidth", dict(values=fed(np.zeros(0, f32), None), value_range=f32([0, 1]), nbins=i32(3))),
    ("approx_top_k", "ApproxTopK", dict(input=fed(rows, None, 6)), dict(k=3)),
    ("unique_rows", "UniqueV2", dict(x=fed(i32([[3, 1], [2, 2], [3, 1], [0, 9]]), None, 2), axis=i32([0]))),
    ("unique_columns", "UniqueWithCountsV2", dict(x=fed(f32([[3, 1, 3], [2, 2, 2]]), 2, None), axis=i64([-1])), dict(out_idx="int64")),
    ("unique_without_an_axis", "UniqueV2", dict(x=fed(i64([4, 4, -1, 2**40]), None), axis=np.zeros(0, i32))),
    ("unique_of_an_open_axis", "UniqueWithCountsV2", dict(x=fed(i8([4, 4, -1]), None), axis=fed(i64([0]), 1))),
    ("unique_along_an_open_axis", "UniqueV2", dict(x=fed(i32([[3, 1, 3], [2, 2, 2]])), axis=fed(i32([1]), 1))),
    # Old names, and ops that others replace.
    ("batch_matrix_diag", "BatchMatrixDiag", dict(diagonal=fed(rows, 3, 6))),
    ("batch_matrix_diag_part", "BatchMatrixDiagPart", dict(input=fed(square, 2, 3, 3))),
    ("batch_matrix_set_diag", "BatchMatrixSetDiag", dict(input=fed(square, 2, 3, 3), diagonal=fed(rows[:2, :3], 2, 3))),
    ("batch_matrix_band_part", "BatchMatrixBandPart", dict(input=fed(square), num_lower=i64(1), num_upper=i64(0))),
    ("batch_matrix_determinant", "BatchMatrixDeterminant", dict(input=fed(square, None, 3, 3))),
    ("batch_matrix_inverse", "BatchMatrixInverse", dict(input=fed(square, 2, 3, 3)), dict(adjoint=True)),
    ("space_to_batch", "SpaceToBatch", dict(input=fed(image, None, 7, None, 3), paddings=i32([[1, 0], [2, 0]])), dict(block_size=2)),
    ("batch_to_space", "BatchToSpace", dict(input=fed(f32(rng.randn(8, 3, 2, 2)), None, None, 2, 2), crops=i32([[1, 0], [0, 2]])), dict(block_size=2)),
    ("batch_to_space_of_open_crops", "BatchToSpace", dict(input=fed(f32(rng.randn(4, 3, 2, 2)), 4, 3, 2, 2), crops=fed(i64([[1, 0], [0, 2]]), 2, 2)), dict(block_size=2)),
    ("accumulate", "AccumulateNV2", dict(inputs=[fed(rows, 3, 6), fed(rows + 1, 3, 6)]), dict(shape=[3, 6])),
    ("parallel_concat", "ParallelConcat", dict(values=[fed(rows[:1], 1, 6), fed(rows[1:2], 1, 6), fed(rows[2:], 1, 6)]), dict(shape=[3, 6])),
    ("bias_add_v1", "BiasAddV1", dict(value=fed(rows, None, 6), bias=rows[0])),
    ("reverse_by_flags", "Reverse", dict(tensor=fed(image, None, 7, 6, 3), dims=np.array([False, True, False, True]))),
    ("reverse_by_open_flags", "Reverse", dict(tensor=fed(rows), dims=fed(np.array([True, False]), 2))),
    ("scatter_non_aliasing", "ScatterNdNonAliasingAdd", dict(input=fed(rows, 3, 6), indices=fed(i32([[1], [1], [0]]), 3, 1), updates=fed(rows, 3, 6))),
    # Diagonals, shapes and indices.
    ("tensor_diag", "Diag", dict(diagonal=fed(f32([[1, nan, inf], [4, 5, 6]]), 2, None))),
    ("tensor_diag_of_an_unknown_rank", "Diag", dict(diagonal=fed(i32([3, 4])))),
    ("tensor_diag_of_nothing", "Diag", dict(diagonal=fed(np.zeros((0, 2), f32), None, 2))),
    ("tensor_diag_part", "DiagPart", dict(input=fed(f32(rng.randn(2, 3, 2, 3)), 2, 3, None, 3))),
    ("tensor_diag_part_of_an_unknown_rank", "DiagPart", dict(input=fed(i64([[2**40, 1], [0, -4]])))),
    ("shape_n", "ShapeN", dict(input=[fed(rows, None, 6), fed(rows[0]), fed(image, 2, 7, 6, 3)])),
    ("concat_offset", "ConcatOffset", dict(concat_dim=fed(i32(1)), shape=[fed(i32([2, 3, 4]), 3), i32([2, 5, 4]), fed(i32([2, 0, 4]), None)])),
    ("concat_offset_of_a_negative_axis", "ConcatOffset", dict(concat_dim=i32(-3), shape=[fed(i32([2, 3, 4]), 3), fed(i32([7, 3, 4]), 3)])),
    ("broadcast_args", "BroadcastArgs", dict(s0=fed(i32([4, 1, 3]), 3), s1=fed(i32([5, 1]), None))),
    ("broadcast_args_to_zero", "BroadcastArgs", dict(s0=fed(i64([1]), None), s1=fed(i64([2, 0]), 2))),
    ("unravel_index", "UnravelIndex", dict(indices=fed(i32([22, 5, 7]), None), dims=i32([3, 4, 2]))),
    ("unravel_index_of_open_lengths", "UnravelIndex", dict(indices=fed(i64([22, 5, 7, 0]), 4), dims=fed(i64([3, 4, 2]), None))),
    ("unravel_one_index", "UnravelIndex", dict(indices=fed(i32(22)), dims=fed(i32([3, 4, 2]), 3))),
    ("data_format_dim_map", "DataFormatDimMap", dict(x=fed(i32([[0, 1, 2, 3], [-1, -2, -3, -4]]), None, 4))),
    ("data_format_dim_map_of_volumes", "DataFormatDimMap", dict(x=fed(i64([4, 1, -1]))), dict(src_format="NCDHW", dst_format="NDHWC")),
    ("data_format_vec_permute", "DataFormatVecPermute", dict(x=fed(i32([7, 4, 9, 3]), 4))),
    ("data_format_vec_permute_of_pairs", "DataFormatVecPermute", dict(x=fed(i64([[7, 4], [9, 3], [4, 5], [5, 1]]), 4, None)), dict(src_format="NCHW", dst_format="NHWC")),
    ("data_format_vec_permute_of_spatial_axes", "DataFormatVecPermute", dict(x=fed(i32([7, 4]), 2)), dict(src_format="NHWC", dst_format="HWNC")),
    # Rows that are changed, bits and the rest.
    ("inplace_update", "InplaceUpdate", dict(x=fed(rows, 3, 6), i=fed(i32([-1, 3]), 2), v=fed(rows[1:] * 2, 2, 6))),
    ("inplace_add", "InplaceAdd", dict(x=fed(rows, None, 6), i=fed(i32([1, 1, -3]), None), v=fed(rows, 3, 6))),
    ("inplace_sub", "InplaceSub", dict(x=fed(i32([[1, 2], [3, 4]]), 2, 2), i=i32([5]), v=fed(i32([[7, 8]]), 1, 2))),
    ("bitcast_to_unsigned", "Bitcast", dict(input=fed(i32([-1, 7, -(2**31)]), None)), dict(type=tf.uint32)),
    ("bitcast_to_signed_bytes", "Bitcast", dict(input=fed(u8([255, 7, 128]), None)), dict(type=tf.int8)),
    ("bitcast_to_bytes", "Bitcast", dict(input=fed(i32([[-1, 7], [-(2**31), 258]]), None, 2)), dict(type=tf.uint8)),
    ("bitcast_to_int32_pairs", "Bitcast", dict(input=fed(i64([-1, 2**40 + 7]), 2)), dict(type=tf.int32)),
    ("bitcast_of_bytes", "Bitcast", dict(input=fed(u8([[1, 2, 3, 255, 0, 0, 1, 128], [9, 0, 0, 0, 0, 0, 0, 0]]), None, 8)), dict(type=tf.int64)),
    ("bitcast_of_int16_pairs", "Bitcast", dict(input=fed(np.int16([[-1, -2], [3, 4]]), 2, 2)), dict(type=tf.uint32)),
    ("population_count", "PopulationCount", dict(x=fed(i32([[-1, 7, 0], [1 << 30, -(2**31), 5]]), None, 3))),
    ("population_count_of_int64", "PopulationCount", dict(x=fed(i64([-1, 2**62, -(2**63)])))),
    ("population_count_of_bytes", "PopulationCount", dict(x=fed(i8([-1, 7, -128]), 3))),
    ("population_count_of_uint16", "PopulationCount", dict(x=fed(np.uint16([65535, 7, 0]), 3))),
    ("approximate_equal", "ApproximateEqual", dict(x=fed(f32([1, 2, nan, inf]), 4), y=fed(f32([1.05, 2.2, nan, inf]), 4)), dict(tolerance=0.1)),
    ("to_bool_of_a_scalar", "ToBool", dict(input=fed(f32(0.1)))),
    ("to_bool_of_a_tensor", "ToBool", dict(input=fed(np.zeros((1, 1), f32), None, None))),
    ("to_bool_of_an_unknown_rank", "ToBool", dict(input=fed(np.zeros((1, 1), f32)))),
    ("to_bool_of_an_unknown_rank_without_elements", "ToBool", dict(input=fed(np.zeros((1, 0), f32)))),
    ("cumulative_logsumexp", "CumulativeLogsumexp", dict(x=fed(f32([[-900, 3, 5], [1, 1, 800]]), None, 3), axis=i32(1))),
    ("cumulative_logsumexp_backwards_along_an_open_axis", "CumulativeLogsumexp", dict(x=fed(f32(rng.randn(2, 3, 4))), axis=fed(i64(-2))), dict(reverse=True)),
    ("cumulative_logsumexp_without_itself", "CumulativeLogsumexp", dict(x=fed(f64(rng.randn(2, 3)), 2, 3), axis=fed(i32(0))), dict(exclusive=True)),
    ("cumulative_logsumexp_of_infinities", "CumulativeLogsumexp", dict(x=fed(f32([-inf, -inf, 2, inf, 1]), 5), axis=i32(0))),
    ("cumulative_logsumexp_of_float32_without_itself", "CumulativeLogsumexp", dict(x=fed(f32([1, 2]), 2), axis=i32(0)), dict(exclusive=True)),
    ("empty", "Empty", dict(shape=fed(i32([2, 0]), 2)), dict(dtype=tf.float32, init=True)),
    # Layers.
    ("max_pool_v2", "MaxPoolV2", dict(input=fed(image, None, 7, 6, 3), ksize=i32([1, 3, 2, 1]), strides=i32([1, 2, 2, 1])), dict(padding="SAME")),
    ("max_pool_v2_of_an_open_size", "MaxPoolV2", dict(input=fed(image, None, None, None, 3), ksize=i32([1, 2, 2, 1]), strides=i32([1, 1, 1, 1])), dict(padding="VALID")),
    ("conv", "Conv", dict(input=fed(image, None, 7, 6, 3), filter=f32(rng.randn(3, 2, 3, 4))), dict(strides=[1, 2, 1, 1], padding="SAME")),
    ("conv_of_volumes", "Conv", dict(input=fed(f32(rng.randn(1, 3, 4, 5, 2)), 1, 3, 4, 5, 2), filter=f32(rng.randn(2, 2, 2, 2, 3))), dict(strides=[1, 1, 1, 1, 1], padding="VALID")),
    ("transposed_conv_of_volumes_like_a_tensor", "Conv3DBackpropInput", dict(input=fed(np.zeros((1, 3, 4, 5, 2), f32), 1, 3, 4, 5, 2), filter=f32(rng.randn(2, 2, 2, 2, 3)), out_backprop=fed(f32(rng.randn(1, 2, 3, 4, 3)), 1, 2, 3, 4, 3)), dict(strides=[1, 1, 1, 1, 1], padding="VALID")),
    ("transposed_depthwise_conv", "DepthwiseConv2dNativeBackpropInput", dict(input_sizes=i32([2, 7, 6, 3]), filter=f32(rng.randn(3, 3, 3, 2)), out_backprop=fed(f32(rng.randn(2, 4, 3, 6)), 2, 4, 3, 6)), dict(strides=[1, 2, 2, 1], padding="SAME")),
    ("transposed_depthwise_conv_to_an_open_size", "DepthwiseConv2dNativeBackpropInput", dict(input_sizes=fed(i32([2, 7, 6, 3]), 4), filter=fed(f32(rng.randn(2, 3, 3, 1)), 2, 3, 3, 1), out_backprop=fed(f32(rng.randn(2, 6, 4, 3)), 2, 6, 4, 3)), dict(strides=[1, 1, 1, 1], padding="VALID")),
    ("dilation", "Dilation2D", dict(input=fed(image, None, 7, 6, 3), filter=f32(rng.randn(3, 2, 3))), dict(strides=[1, 2, 1, 1], rates=[1, 1, 2, 1], padding="SAME")),
    ("dilation_of_an_open_size", "Dilation2D", dict(input=fed(image, None, None, None, 3), filter=fed(f32(rng.randn(3, 2, 3)), 3, 2, 3)), dict(strides=[1, 2, 3, 1], rates=[1, 1, 1, 1], padding="SAME")),
    ("dilation_without_a_border", "Dilation2D", dict(input=fed(f32(np.where(image > 1, nan, image)), 2, 7, 6, 3), filter=f32(rng.randn(2, 2, 3))), dict(strides=[1, 1, 2, 1], rates=[1, 2, 2, 1], padding="VALID")),
    ("dilation_of_bytes", "Dilation2D", dict(input=fed(u8(rng.randint(0, 100, (1, 4, 4, 2))), 1, 4, 4, 2), filter=u8(rng.randint(0, 100, (2, 2, 2)))), dict(strides=[1, 1, 1, 1], rates=[1, 1, 1, 1], padding="SAME")),
    ("volume_patches", "ExtractVolumePatches", dict(input=fed(f32(rng.randn(1, 3, 4, 5, 2)), None, 3, 4, 5, 2)), dict(ksizes=[1, 2, 2, 3, 1], strides=[1, 1, 2, 2, 1], padding="VALID")),
    ("volume_patches_of_an_open_size", "ExtractVolumePatches", dict(input=fed(i32(rng.randint(0, 9, (2, 3, 4, 5, 1))), None, None, None, None, 1)), dict(ksizes=[1, 2, 3, 1, 1], strides=[1, 2, 3, 3, 1], padding="SAME")),
    ("fused_pad_conv", "FusedPadConv2D", dict(input=fed(image[:1], None, 7, 6, 3), paddings=i32([[0, 0], [2, 1], [1, 1], [0, 0]]), filter=f32(rng.randn(3, 2, 3, 4))), dict(mode="REFLECT", strides=[1, 1, 1, 1], padding="VALID")),
    ("fused_resize_and_pad_conv", "FusedResizeAndPadConv2D", dict(input=fed(image[:1], 1, 7, 6, 3), size=i32([9, 5]), paddings=i32([[0, 0], [1, 1], [0, 2], [0, 0]]), filter=f32(rng.randn(3, 2, 3, 4))), dict(mode="SYMMETRIC", strides=[1, 1, 1, 1], padding="VALID", resize_align_corners=True)),
    ("batch_norm_with_global_normalization", "BatchNormWithGlobalNormalization", dict(t=fed(image, None, 7, 6, 3), m=f32([1, 2, 3]), v=f32([1, 2, 3]), beta=f32([0, 1, 0]), gamma=f32([2, 3, 4])), dict(variance_epsilon=0.001, scale_after_normalization=True)),
    ("batch_norm_with_global_normalization_without_a_scale", "BatchNormWithGlobalNormalization", dict(t=fed(image, 2, None, 6, 3), m=f32([1, 2, 3]), v=f32([1, 2, 3]), beta=f32([0, 1, 0]), gamma=f32([2, 3, 4])), dict(variance_epsilon=0.001, scale_after_normalization=False)),
    ("sparse_matmul", "SparseMatMul", dict(a=fed(rows, 3, 6), b=fed(rows, 3, 6)), dict(transpose_a=True, a_is_sparse=True)),
    ("strided_slice_update", "TensorStridedSliceUpdate", dict(input=fed(rows, 3, 6), begin=i32([0, 1]), end=i32([3, -1]), strides=i32([2, 2]), value=fed(f32([[1, 2], [3, 4]]), 2, 2))),
    ("strided_slice_update_of_a_row", "TensorStridedSliceUpdate", dict(input=fed(rows, None, 6), begin=fed(i32([1]), 1), end=fed(i32([2]), 1), strides=i32([1]), value=fed(rows[0], 6)), dict(shrink_axis_mask=1)),
    ("adjust_contrast_v1", "AdjustContrast", dict(images=fed(u8(rng.randint(0, 255, (2, 4, 4, 3))), None, 4, 4, 3), contrast_factor=f32(1.5), min_value=f32(10), max_value=f32(200))),
    ("random_crop_of_the_whole", "RandomCrop", dict(image=fed(image[0], 7, None, 3), size=i64([7, 6]))),
    # Images and boxes.
    ("draw_bounding_boxes", "DrawBoundingBoxes", dict(images=fed(image, None, 7, 6, 3), boxes=fed(corners, None, 4, 4))),
    ("draw_bounding_boxes_in_gray", "DrawBoundingBoxes", dict(images=fed(image[..., :1], 2, None, None, 1), boxes=fed(corners, None, None, 4))),
    ("draw_no_bounding_boxes", "DrawBoundingBoxes", dict(images=fed(image, None, 7, 6, 3), boxes=fed(np.zeros((2, 0, 4), f32), None, None, 4))),
    ("draw_bounding_boxes_in_colors", "DrawBoundingBoxesV2", dict(images=fed(f16(image), 2, 7, 6, 3), boxes=fed(corners, 2, 4, 4), colors=fed(f32([[0.1, 0.2, 0.3], [5, 6, 7]]), 2, 3))),
    *[
        (f"glimpse{version}_{name}", "ExtractGlimpse" + version, dict(input=fed(image, None, None, 6, 3), size=fed(i32([4, 3]), 2), offsets=fed(offsets, None, 2)), dict(centered=centered, normalized=normalized, uniform_noise=False, noise="zero"))
        for version in ("", "V2")
        for name, centered, normalized, offsets in [
            ("centered_normalized", True, True, f32([[0.1, -0.3], [0.9, -1]])),
            ("normalized", False, True, f32([[0.1, 0.3], [0.9, -0.4]])),
            ("centered", True, False, f32([[1, -1.5], [5, -9]])),
            ("in_pixels", False, False, f32([[1, 2], [-3.5, 6]])),
        ]
    ],
    ("glimpse_without_noise_around_it", "ExtractGlimpse", dict(input=fed(image, 2, 7, 6, 3), size=i32([3, 3]), offsets=fed(f32([[0, 0], [0.1, 0.1]]), 2, 2)), dict()),
    *[
        (f"scale_and_translate_{kernel}", "ScaleAndTranslate", dict(images=fed(image, None, 7, None, 3), size=fed(i32([4, 9]), 2), scale=fed(f32([0.6, 1.4]), 2), translation=fed(f32([0.3, -1.2]), 2)), dict(kernel_type=kernel))
        for kernel in ("lanczos1", "lanczos3", "lanczos5", "gaussian", "box", "triangle", "keyscubic", "mitchellcubic")
    ],
    ("scale_and_translate_without_antialias", "ScaleAndTranslate", dict(images=fed(u8(rng.randint(0, 255, (1, 9, 8, 1))), 1, 9, 8, 1), size=i32([3, 6]), scale=f32([0.3, 0.5]), translation=f32([0, 1.5])), dict(kernel_type="triangle", antialias=False)),
    *[
        (f"projective_transform_{interpolation}_{mode}".lower(), "ImageProjectiveTransformV3", dict(images=fed(image, None, None, 6, 3), transforms=fed(projections, 2, 8), output_shape=fed(i32([8, 5]), 2), fill_value=fed(f32(7.5))), dict(interpolation=interpolation, fill_mode=mode))
        for interpolation in ("NEAREST", "BILINEAR")
        for mode in ("CONSTANT", "REFLECT", "WRAP", "NEAREST")
    ],
    ("projective_transform_of_bytes", "ImageProjectiveTransformV2", dict(images=fed(u8(rng.randint(0, 255, (2, 5, 4, 2))), 2, 5, 4, 2), transforms=projections[:1], output_shape=i32([5, 4])), dict(interpolation="BILINEAR")),
    ("projective_transform_of_doubles", "ImageProjectiveTransformV2", dict(images=fed(f64(rng.randn(2, 5, 4, 2)), 2, 5, 4, 2), transforms=projections[:1], output_shape=i32([5, 4])), dict(interpolation="BILINEAR")),
    ("non_max_suppression_with_overlaps", "NonMaxSuppressionWithOverlaps", dict(overlaps=fed(overlaps, None, 6), scores=fed(f32([0.5, 0.9, 0.9, 0.1, nan, 0.6]), 6), max_output_size=fed(i32(4)), overlap_threshold=fed(f32(0.5)), score_threshold=fed(f32(0.2)))),
    ("non_max_suppression_with_overlaps_of_nothing", "NonMaxSuppressionWithOverlaps", dict(overlaps=fed(np.zeros((0, 0), f32), None, None), scores=fed(np.zeros(0, f32), None), max_output_size=i32(4), overlap_threshold=f32(0.5), score_threshold=f32(-inf))),
    ("soft_non_max_suppression", "NonMaxSuppressionV5", dict(boxes=fed(many, None, 4), scores=fed(f32(rng.rand(12)), None), max_output_size=i32(9), iou_threshold=f32(0.7), score_threshold=f32(0.15), soft_nms_sigma=f32(0.3))),
    ("soft_non_max_suppression_padded", "NonMaxSuppressionV5", dict(boxes=fed(many, 12, 4), scores=fed(f32(rng.rand(12)), 12), max_output_size=fed(i32(15)), iou_threshold=f32(1), score_threshold=f32(0.05), soft_nms_sigma=f32(0.5)), dict(pad_to_max_output_size=True)),
    ("non_max_suppression_of_an_open_sigma", "NonMaxSuppressionV5", dict(boxes=fed(many, 12, 4), scores=fed(f32(rng.rand(12) - 0.3), 12), max_output_size=fed(i32(8)), iou_threshold=fed(f32(0.3)), score_threshold=fed(f32(-inf)), soft_nms_sigma=fed(f32(0)))),
    # Stateless random numbers, which are the same everywhere.
    *[
        (f"stateless_{op}_of_{dtype}".lower(), "StatelessRandom" + op if op != "TruncatedNormal" else "Stateless" + op, dict(shape=fed(i32([3, 7]), 2), seed=fed(i64([2**40 + 5, -3]), 2)), dict(dtype=dtype))
        for op in ("Uniform", "Normal", "TruncatedNormal")
        for dtype in ("float32", "float64", "float16")
    ],
    ("stateless_uniform_of_a_scalar", "StatelessRandomUniform", dict(shape=np.zeros(0, i32), seed=i32([1, 2]))),
    ("stateless_uniform_of_nothing", "StatelessRandomUniform", dict(shape=fed(i64([0, 3]), 2), seed=i32([1, 2]))),
    *[
        (f"stateless_integers_of_{dtype.__name__}", "StatelessRandomUniformInt", dict(shape=i32([9]), seed=fed(i32([-7, 12]), 2), minval=fed(dtype(-5)), maxval=fed(dtype(1000000))))
        for dtype in (i32, i64)
    ],
    *[
        (f"stateless_all_integers_of_{dtype}", "StatelessRandomUniformFullInt", dict(shape=i32([5, 2]), seed=fed(i32([-7, 12]), 2)), dict(dtype=dtype))
        for dtype in ("int32", "int64", "uint32", "uint64")
    ],
    ("stateless_key_and_counter", "StatelessRandomGetKeyCounter", dict(seed=fed(i64([-(2**62) + 1, 77]), 2))),
    ("stateless_key_counter_and_algorithm", "StatelessRandomGetKeyCounterAlg", dict(seed=fed(i32([3, 77]), 2))),
    *[
        (f"{name}_v2".lower(), f"Stateless{name}V2", dict(shape=fed(i32([3, 5]), 2), key=fed(u64([2**63 + 9]), 1), counter=fed(u64([2**64 - 1, 2**64 - 2]), 2), alg=i32(1), **bounds))
        for name, bounds in [
            ("RandomUniform", {}),
            ("RandomNormal", {}),
            ("TruncatedNormal", {}),
            ("RandomUniformFullInt", {}),
            ("RandomUniformInt", dict(minval=i32(-2), maxval=fed(i32(9)))),
        ]
    ],
    ("scatter_max_of_no_constants", "TensorScatterMax", dict(tensor=i64([[6, -5], [5, 7]]), indices=np.zeros((1, 0, 1), np.int32), updates=np.zeros((1, 0, 2), np.int64))),
    # Random boxes whose constraints leave one box only.
    ("distorted_box", "SampleDistortedBoundingBoxV2", dict(image_size=fed(i32([40, 40, 3]), None), bounding_boxes=fed(f32([[[0.25, 0.25, 0.75, 0.75], [0.1, 0.1, 0.1, 0.9]]]), 1, None, 4), min_object_covered=fed(f32(1))), dict(aspect_ratio_range=[1.0, 1.0], area_range=[0.25, 0.25], max_attempts=20000)),
    ("distorted_box_that_does_not_fit", "SampleDistortedBoundingBox", dict(image_size=fed(i64([37, 53, 3])), bounding_boxes=fed(f32([[[0.1, 0.1, 0.9, 0.9]]]), None, None, 4)), dict(min_object_covered=0.99, area_range=[0.05, 0.06], max_attempts=5)),
    ("distorted_box_of_no_objects", "SampleDistortedBoundingBox", dict(image_size=fed(u8([20, 30, 3])), bounding_boxes=fed(np.zeros((1, 0, 4), np.float32), 1, None, 4)), dict(aspect_ratio_range=[1.5, 1.5], area_range=[1.0, 1.0], use_image_if_no_bounding_boxes=True)),
]

# Ops that TensorFlow builds in old graphs alone, and the last version of these.
OLD = {
    "AdjustContrast": 1,
    "BatchMatrixBandPart": 8,
    "BatchMatrixDeterminant": 8,
    "BatchMatrixDiag": 8,
    "BatchMatrixDiagPart": 8,
    "BatchMatrixInverse": 8,
    "BatchMatrixSetDiag": 8,
    "BatchNormWithGlobalNormalization": 8,
    "Conv3DBackpropInput": 9,
    "RandomCrop": 7,
}


def old_op(op, inputs, attributes):
    """The outputs of an op in a graph that was built by an early version of TensorFlow."""
    outer = tf.get_default_graph().as_graph_def()
    outer.versions.producer = OLD[op]
    names = [tensor.name for tensor in inputs.values()]
    node = outer.node.add(op=op, name="output", input=[name.removesuffix(":0") for name in names])
    node.attr["T"].type = next(iter(inputs.values())).dtype.as_datatype_enum
    for name, value in attributes.items():
        attribute = node.attr[name]
        if isinstance(value, list):
            attribute.list.i.extend(value)
        else:
            setattr(attribute, {bool: "b", float: "f", str: "s"}[type(value)], value.encode() if isinstance(value, str) else value)
    return outer


def build(op, inputs, attributes=None):
    feeds = {}
    attributes = attributes or {}
    with tf.Graph().as_default() as graph:

        def tensor(value):
            if isinstance(value, list):
                return [tensor(item) for item in value]
            if not isinstance(value, tuple):
                return tf.constant(value)
            value, dims = np.asarray(value[0]), value[1] if np.ndim(value[0]) or value[1] else []
            placeholder = tf.placeholder(value.dtype, dims, f"input_{len(feeds)}")
            feeds[placeholder.name] = value
            return placeholder

        given = {name: tensor(value) for name, value in inputs.items()}
        definition = old_op(op, given, attributes) if op in OLD else None
        if definition is None:
            outputs = getattr(tf.raw_ops, op)(name="output", **given, **attributes)
            outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
            names = [output.name for output in outputs]
            definition = graph.as_graph_def()
    if op in OLD:
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(definition, name="")
        names = [output.name for output in graph.get_operation_by_name("output").outputs]
    with tf.Session(graph=graph) as session:
        # Some ops change their inputs where these are.
        results = session.run(names, {name: value.copy() for name, value in feeds.items()})
    return cases.case(definition, list(feeds), names, feeds.values(), results)


def make(folder, cases_named=()):
    chosen = [case for case in CASES if not cases_named or case[0] in cases_named]
    cases.write(folder / "rare_ops.zip", ((name, build(*description)) for name, *description in chosen))
