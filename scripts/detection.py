"""Builds object detectors as TensorFlow's Object Detection API exports them, with weights that need no training.

An SSD (Liu et al., 2016) and a detector of two stages with masks (Faster R-CNN, Ren et al., 2015; Mask R-CNN, He et al., 2017). What
surrounds the network is that of exported graphs: images of uint8 and of any size, tf.map_fn around resizing and around the choice of
boxes, one non-maximum suppression per class, Assert, and outputs of a fixed length that are padded with zeros. The networks are small.
"""

import numpy as np
import tensorflow.compat.v1 as tf

import fill

SCALES = (10.0, 10.0, 5.0, 5.0)
OUTPUTS = ["detection_boxes", "detection_scores", "detection_classes", "num_detections"]


def ssd(size=64, classes=3, depth=4, chosen=20, suppress=tf.image.non_max_suppression_with_scores):
    """A detector of one stage. Each cell of two feature maps has a box in each of three sizes."""
    images, resized = preprocessed(size)
    feature_maps = features(resized, depth, [2, 2, 2, 2, 2])[-2:]
    encodings, scores, anchors = [], [], []
    for index, feature_map in enumerate(feature_maps):
        encodings.append(predicted(feature_map, 3, 4, f"BoxPredictor_{index}/BoxEncodingPredictor"))
        scores.append(predicted(feature_map, 3, classes + 1, f"BoxPredictor_{index}/ClassPredictor"))
        anchors.append(grid(int(feature_map.shape[1]), [0.1 * (index + 1), 0.2 * (index + 1), 0.3 * (index + 1)]))
    encodings, scores = tf.concat(encodings, 1, name="concat"), tf.concat(scores, 1, name="concat_1")
    with tf.name_scope("Postprocessor"):
        boxes = tf.map_fn(lambda each: decoded(each, np.concatenate(anchors)), encodings)
        scores = tf.sigmoid(scores, name="convert_scores")
        results = detections(boxes[:, :, None], tf.slice(scores, [0, 0, 1], [-1, -1, -1]), chosen, suppress, scores)
    return images, outputs(results) + [tf.identity(boxes, "raw_detection_boxes"), tf.identity(scores, "raw_detection_scores")]


def two_stages(size=64, classes=3, depth=4, proposals=12, suppress=tf.image.non_max_suppression):
    """A detector that first proposes boxes, then looks at the features in each, and finds a mask in each box that it chooses."""
    images, resized = preprocessed(size)
    feature_map = features(resized, depth, [2, 2, 2])[-1]
    encodings = predicted(feature_map, 3, 4, "FirstStageBoxPredictor/BoxEncodingPredictor")
    objectness = tf.nn.softmax(predicted(feature_map, 3, 2, "FirstStageBoxPredictor/ClassPredictor"))
    anchors = grid(int(feature_map.shape[1]), [0.2, 0.35, 0.5])
    boxes = tf.map_fn(lambda each: decoded(each, anchors), encodings)
    # The border of the image is outside of the window: whether a crop ends at the border itself depends on rounding.
    window = (0.02, 0.02, 0.97, 0.97)
    proposed, _, _, count, _ = detections(boxes[:, :, None], objectness[:, :, 1:], proposals, suppress, window=window)
    crops = cropped(feature_map, proposed, 6)
    pooled = tf.nn.max_pool2d(crops, 2, 2, "SAME")
    flat = tf.reduce_mean(convolved(pooled, depth * 2, 1, "SecondStageFeatureExtractor"), [1, 2])
    batch = tf.shape(resized)[0]
    refined = tf.reshape(connected(flat, classes * 4, "BoxEncodingPredictor"), [batch, -1, classes, 4])
    logits = tf.reshape(connected(flat, classes + 1, "ClassPredictor"), [batch, -1, classes + 1])
    with tf.name_scope("SecondStagePostprocessor"):
        scores = tf.nn.softmax(logits)
        repeated = tf.tile(proposed[:, :, None], [1, 1, classes, 1])
        boxes = tf.reshape(decoded(tf.reshape(refined, [-1, 4]), tf.reshape(repeated, [-1, 4])), [batch, -1, classes, 4])
        results = detections(boxes, scores[:, :, 1:], proposals, suppress, count=count, window=window)
    masks = tf.sigmoid(convolved(cropped(feature_map, results[0], 4), classes, 1, "MaskPredictor", activation=None))
    rows = tf.range(tf.size(results[2])) * classes + tf.cast(tf.reshape(results[2], [-1]), tf.int32)
    masks = tf.reshape(tf.transpose(masks, [0, 3, 1, 2]), [-1, 4, 4])
    masks = tf.reshape(tf.gather(masks, rows), [batch, -1, 4, 4])
    return images, outputs(results) + [tf.identity(masks, "detection_masks")]


def preprocessed(size):
    """The images, and the same as float32 of one size in the range from -1 to 1."""
    images = tf.placeholder(tf.uint8, [None, None, None, 3], name="image_tensor")

    def resize(image):
        return tf.image.resize_images(image, [size, size]), tf.stack([size, size, 3])

    with tf.name_scope("Preprocessor"):
        resized, _ = tf.map_fn(resize, tf.cast(images, tf.float32), dtype=(tf.float32, tf.int32))
        return images, tf.subtract(resized * (2.0 / 255.0), 1.0, name="sub")


def features(images, depth, strides):
    """The results of convolutions, of which the first three increase the depth."""
    results = [images]
    for index, stride in enumerate(strides):
        results.append(convolved(results[-1], depth << min(index, 2), stride, f"FeatureExtractor/Conv_{index}"))
    return results[1:]


def weights(name, shape, gain=1.0):
    return tf.constant(fill.variable(f"{name}/weights", shape, gain), name=f"{name}/weights")


def convolved(x, depth, stride, name, activation=tf.nn.relu6, gain=1.0):
    kernel = weights(name, [3, 3, int(x.shape[-1]), depth], gain)
    result = tf.nn.conv2d(x, kernel, stride, "SAME", name=f"{name}/Conv2D")
    return activation(result) if activation else result


def connected(x, depth, name):
    return tf.matmul(x, weights(name, [int(x.shape[-1]), depth]), name=f"{name}/MatMul")


def predicted(feature_map, boxes, numbers, name):
    """`numbers` for each of the boxes of each cell: [batch, boxes, numbers]."""
    result = convolved(feature_map, boxes * numbers, 1, name, activation=None, gain=0.7)
    return tf.reshape(result, [tf.shape(result)[0], -1, numbers])


def grid(cells, sizes):
    """Boxes around the centre of each cell: [cells * cells * sizes, 4]."""
    centres = (np.arange(cells) + 0.5) / cells
    y, x, half = np.meshgrid(centres, centres, np.array(sizes) / 2, indexing="ij")
    return np.stack([y - half, x - half, y + half, x + half], -1).reshape(-1, 4).astype(np.float32)


def decoded(encodings, anchors):
    """Boxes from their offsets and sizes relative to anchors, equation 2 of Faster R-CNN."""
    ymin, xmin, ymax, xmax = tf.unstack(tf.transpose(anchors))
    heights, widths = ymax - ymin, xmax - xmin
    ty, tx, th, tw = (part / scale for part, scale in zip(tf.unstack(tf.transpose(encodings)), SCALES))
    y, x = ty * heights + (ymin + heights / 2.0), tx * widths + (xmin + widths / 2.0)
    h, w = tf.exp(th) * heights, tf.exp(tw) * widths
    return tf.transpose(tf.stack([y - h / 2.0, x - w / 2.0, y + h / 2.0, x + w / 2.0]))


def cropped(feature_map, boxes, size):
    """The features inside of each box, resized: [batch * boxes, size, size, depth]."""
    images = tf.tile(tf.range(tf.shape(boxes)[0])[:, None], [1, tf.shape(boxes)[1]])
    return tf.image.crop_and_resize(feature_map, tf.reshape(boxes, [-1, 4]), tf.reshape(images, [-1]), [size, size])


def detections(boxes, scores, chosen, suppress, fields=None, count=None, window=(0.0, 0.0, 1.0, 1.0)):
    """The boxes with the best scores in each image, padded to `chosen`: boxes, scores, classes, how many they are, and their fields.

    The boxes are [batch, boxes, 1 or classes, 4]. `count` is how many of them are used in each image.
    """
    batch, total = tf.shape(scores)[0], tf.shape(scores)[1]
    with tf.name_scope("BatchMultiClassNonMaxSuppression"):
        count = tf.fill([batch], total) if count is None else count
        fields = scores if fields is None else fields

        def choose(arguments):
            boxes, scores, fields, count = arguments
            boxes, scores, fields = boxes[:count], scores[:count], fields[:count]
            return best(boxes, scores, fields, chosen, suppress, window)

        types = (tf.float32, tf.float32, tf.float32, tf.int32, tf.float32)
        return tf.map_fn(choose, (boxes, scores, fields, count), dtype=types, back_prop=False)


def best(boxes, scores, fields, chosen, suppress, window):
    """The best boxes of one image."""
    found = []
    classes, class_boxes = int(scores.shape[1]), tf.unstack(boxes, axis=1)
    for index, class_boxes in enumerate(class_boxes if len(class_boxes) == classes else class_boxes * classes):
        class_scores = tf.reshape(tf.slice(scores, [0, index], tf.stack([tf.shape(scores)[0], 1])), [-1])
        limit = tf.minimum(chosen, tf.shape(class_boxes)[0])
        indices = suppress(class_boxes, class_scores, limit, iou_threshold=0.6, score_threshold=0.3)
        indices, selected = indices if isinstance(indices, tuple) else (indices, tf.gather(class_scores, indices))
        # Each class has `limit` boxes: those that are not chosen have the score -1.
        valid = tf.shape(indices)[0]
        indices = tf.concat([indices, tf.zeros([limit - valid], tf.int32)], 0)
        selected = tf.concat([selected, tf.zeros([limit - valid])], 0)
        selected = tf.where(tf.less(tf.range(limit), valid), selected, -tf.ones([limit]))
        found.append((tf.gather(class_boxes, indices), selected, tf.zeros_like(selected) + index, tf.gather(fields, indices)))
    result = ordered([tf.concat(parts, 0) for parts in zip(*found)])
    boxes = clipped(result[0], window)
    areas = tf.reduce_prod(boxes[:, 2:] - boxes[:, :2], 1)
    # A box without an area is outside of the window.
    inside = tf.cast(tf.reshape(tf.where(tf.greater(areas, 0.0)), [-1]), tf.int32)
    result = ordered([tf.gather(part, inside) for part in (boxes, *result[1:])])
    count = tf.reduce_sum(tf.cast(tf.greater_equal(result[1], 0.0), tf.int32))
    limit = tf.minimum(chosen, tf.shape(result[0])[0])
    count = tf.where(limit > count, count, limit)
    boxes, scores, classes, fields = (padded(tf.gather(part, tf.range(count)), chosen) for part in result)
    return boxes, scores, classes, count, fields


def ordered(parts):
    """Boxes, scores, classes and fields by descending score."""
    scores = parts[1]
    sizes = [tf.shape(parts[0])[0], tf.size(scores)]
    with tf.control_dependencies([tf.Assert(tf.equal(*sizes), ["number of boxes and of scores", *sizes])]):
        _, indices = tf.nn.top_k(scores, sizes[0], sorted=True)
    return [tf.gather(part, indices) for part in parts]


def clipped(boxes, window):
    top, left, bottom, right = window
    ymin, xmin, ymax, xmax = tf.split(boxes, 4, axis=1)
    y = [tf.maximum(tf.minimum(y, bottom), top) for y in (ymin, ymax)]
    x = [tf.maximum(tf.minimum(x, right), left) for x in (xmin, xmax)]
    return tf.concat([y[0], x[0], y[1], x[1]], 1)


def padded(x, length):
    """The first rows of a tensor, and zeros after them, `length` in all."""
    rest = [[0, length - tf.shape(x)[0]]] + [[0, 0]] * (len(x.shape) - 1)
    result = tf.pad(x, rest)
    result.set_shape([length, *x.shape[1:]])
    return result


def outputs(results):
    """The results under the names of exported graphs. Classes begin with 1."""
    boxes, scores, classes, count, fields = results
    tensors = [boxes, scores, classes + 1.0, tf.cast(count, tf.float32), fields]
    return [tf.identity(tensor, name) for tensor, name in zip(tensors, OUTPUTS + ["detection_multiclass_scores"])]
