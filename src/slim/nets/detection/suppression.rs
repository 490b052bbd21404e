//! `batch_multiclass_non_max_suppression`: the choice among overlapping boxes, for all images and classes at once.
//!
//! The original maps over the images, and has an op for each class. Here one `CombinedNonMaxSuppression` without a limit to its total
//! chooses the boxes, which ONNX has an operator for. What follows is as in the original: boxes are clipped to the window, those
//! without an area get a score of -1, and the best ones are taken. In both, equal scores are in the order of the classes and then
//! of the anchors.
//!
//! Source: `research/object_detection/core/post_processing.py`.

use super::post_processing::{Suppression, SuppressionKind};
use crate::graph::TensorRef;
use crate::slim::NetworkBuilder;
use crate::tensor::{Constant, DType};

/// What is chosen from: boxes `[images, anchors, classes or 1, 4]`, scores `[images, anchors, classes]`, and the height and width of
/// the window, which begins at 0.
#[derive(Debug, Clone, Copy)]
pub struct Candidates {
    pub boxes: TensorRef,
    pub scores: TensorRef,
    pub window: [f32; 2],
}

/// The chosen boxes of each image.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    /// `[images, boxes, 4]`
    pub boxes: TensorRef,
    /// `[images, boxes]`
    pub scores: TensorRef,
    /// `[images, boxes]`, from 0, as floats.
    pub classes: TensorRef,
    /// `[images]`
    pub count: TensorRef,
    /// The anchors of the boxes, which `CombinedNonMaxSuppression` does not return.
    pub anchors: Option<Anchors>,
}

/// Where the chosen boxes come from.
#[derive(Debug, Clone, Copy)]
pub struct Anchors {
    /// `[images, boxes]`, as integers.
    indices: TensorRef,
    /// `[images, boxes]`: whether there is a box. The fields of rows without one are zeros; `None` if they are those of `indices`.
    is_valid: Option<TensorRef>,
    /// Rows to append.
    missing: usize,
}

/// Boxes of each image with their scores and classes.
#[derive(Clone, Copy)]
struct Rows {
    boxes: TensorRef,
    scores: TensorRef,
    classes: TensorRef,
}

/// The greatest coordinate whose squares are finite.
const GREATEST: f32 = 1e18;

/// Chooses boxes.
///
/// Of boxes that overflow, the overlap is not a number: TensorFlow suppresses such boxes, and ONNX Runtime does not. If they are
/// large instead, both suppress them.
pub fn choose(
    slim: &mut NetworkBuilder<'_>,
    mut candidates: Candidates,
    suppression: &Suppression,
) -> Chosen {
    candidates.boxes = slim.clip_by_value(candidates.boxes, -GREATEST, GREATEST);
    let scope = match suppression.kind {
        SuppressionKind::Combined => "CombinedNonMaxSuppression",
        _ => "BatchMultiClassNonMaxSuppression",
    };
    slim.name_scope(scope, |slim| match suppression.kind {
        SuppressionKind::PerClass => per_class(slim, candidates, suppression),
        SuppressionKind::ClassAgnostic => class_agnostic(slim, candidates, suppression),
        SuppressionKind::Combined => combined(slim, candidates, suppression),
    })
}

fn per_class(slim: &mut NetworkBuilder<'_>, candidates: Candidates, suppression: &Suppression) -> Chosen {
    let classes = slim.channels(candidates.scores);
    let limit = rows_of(slim, candidates, suppression.max_detections_per_class, suppression);
    let [boxes, scores, of_rows, count] = slim.combined_non_max_suppression(
        candidates.boxes,
        candidates.scores,
        [limit, classes * limit],
        [suppression.iou_threshold, suppression.score_threshold],
    );
    let mut rows = Rows { boxes, scores, classes: of_rows };
    if suppression.use_static_shapes {
        let is_chosen = is_before(slim, classes * limit, count);
        let classes = padded_classes(slim, of_rows, is_chosen, count, [classes, limit]);
        rows = padded_rows(slim, candidates.boxes, Rows { classes, ..rows }, is_chosen);
    }
    best_in_window(slim, candidates, rows, suppression)
}

fn class_agnostic(
    slim: &mut NetworkBuilder<'_>,
    candidates: Candidates,
    suppression: &Suppression,
) -> Chosen {
    let classes = slim.arg_max(candidates.scores, 2, DType::Int32, "ArgMax");
    let scores = slim.reduced("Max", candidates.scores, 2);
    let mut boxes = candidates.boxes;
    if slim.shape(boxes).dim(2) != Some(1) {
        boxes = slim.gather_of_pairs(boxes, classes);
        boxes = slim.expand_dims(boxes, 2);
    }
    let limit = rows_of(slim, candidates, suppression.max_total_detections, suppression);
    let of_one_class = slim.expand_dims(scores, 2);
    let [chosen, chosen_scores, no_classes, count] = slim.combined_non_max_suppression(
        boxes,
        of_one_class,
        [limit; 2],
        [suppression.iou_threshold, suppression.score_threshold],
    );
    let mut rows = Rows { boxes: chosen, scores: chosen_scores, classes: no_classes };
    if suppression.use_static_shapes {
        let is_chosen = is_before(slim, limit, count);
        rows = padded_rows(slim, boxes, rows, is_chosen);
    }
    let scores = slim.expand_dims(scores, 1);
    let order = ("perm", Constant::from_i32(vec![4], &[0, 2, 1, 3]));
    let all_boxes = slim.op_with_constant("transpose", "Transpose", &[boxes], order, []);
    let indices = places_of(slim, rows, all_boxes, scores);
    let classes = slim.gather_of_each(classes, indices);
    let classes = slim.cast(classes, DType::Float32);
    best_in_window(slim, candidates, Rows { classes, ..rows }, suppression)
}

fn combined(slim: &mut NetworkBuilder<'_>, candidates: Candidates, suppression: &Suppression) -> Chosen {
    let classes = slim.channels(candidates.scores);
    let (per_class, mut total) = (suppression.max_detections_per_class, suppression.max_total_detections);
    if suppression.use_static_shapes {
        total = total.min(per_class * classes);
    }
    let [boxes, scores, classes, count] = slim.combined_non_max_suppression(
        candidates.boxes,
        candidates.scores,
        [per_class, total],
        [suppression.iou_threshold, suppression.score_threshold],
    );
    // `_clip_boxes` keeps boxes that begin after the window, unlike the clipping of other suppressions.
    let [least, greatest] = slim.split(boxes, 2);
    let least = slim.with_number("Maximum", least, 0.0);
    let greatest = slim.with_constant("Minimum", greatest, Constant::from_f32(vec![2], &candidates.window));
    let boxes = slim.concat_along(2, &[least, greatest], "stack");
    Chosen { boxes, scores, classes, count, anchors: None }
}

/// The number of boxes that one choice returns: with static shapes the limit, otherwise no more than there are anchors.
fn rows_of(
    slim: &NetworkBuilder<'_>,
    candidates: Candidates,
    limit: usize,
    suppression: &Suppression,
) -> usize {
    let anchors = slim.shape(candidates.scores).dim(1).unwrap_or(limit);
    if suppression.use_static_shapes { limit } else { limit.min(anchors) }
}

/// `_clip_window_prune_boxes`, and the best rows of what is left.
fn best_in_window(
    slim: &mut NetworkBuilder<'_>,
    candidates: Candidates,
    rows: Rows,
    suppression: &Suppression,
) -> Chosen {
    let clipped = in_window(slim, rows.boxes, candidates.window);
    let [least, greatest] = slim.split(clipped, 2);
    let sizes = slim.op("sub", "Sub", &[greatest, least], []);
    let areas = slim.reduced("Prod", sizes, 2);
    let has_area = slim.with_number("Greater", areas, 0.0);
    let scores = slim.where_else(has_area, rows.scores, -1.0);
    let available = slim.shape(scores).dim(1).unwrap_or(0);
    let taken = suppression.max_total_detections.min(available);
    let [scores, order] = slim.top_k(scores, taken);
    let is_valid = slim.with_number("GreaterEqual", scores, 0.0);
    let number = slim.cast(is_valid, DType::Int32);
    let count = slim.reduced("Sum", number, 1);
    let [boxes, classes] = [clipped, rows.classes].map(|field| slim.gather_of_each(field, order));
    let before = [rows.boxes, rows.scores].map(|field| slim.gather_of_each(field, order));
    let indices = anchors_of(slim, candidates, Rows { boxes: before[0], scores: before[1], classes });
    if suppression.use_static_shapes {
        let anchors = Some(Anchors { indices, is_valid: None, missing: 0 });
        return Chosen { boxes, scores, classes, count, anchors };
    }
    let missing = suppression.max_total_detections - taken;
    let anchors = Some(Anchors { indices, is_valid: Some(is_valid), missing });
    let fields = [(boxes, true), (scores, false), (classes, false)];
    let [boxes, scores, classes] = fields.map(|(field, is_box)| {
        let field = only_valid(slim, field, is_valid, is_box);
        appended(slim, field, missing)
    });
    Chosen { boxes, scores, classes, count, anchors }
}

impl Anchors {
    /// A field of the anchors, `[images, anchors, …]`, for the chosen boxes.
    pub fn field(&self, slim: &mut NetworkBuilder<'_>, field: TensorRef) -> TensorRef {
        let chosen = slim.gather_of_each(field, self.indices);
        self.of_rows(slim, chosen)
    }

    /// The indices of the anchors, for the chosen boxes.
    pub fn indices(&self, slim: &mut NetworkBuilder<'_>) -> TensorRef {
        let indices = slim.cast(self.indices, DType::Float32);
        let indices = self.of_rows(slim, indices);
        slim.cast(indices, DType::Int32)
    }

    fn of_rows(&self, slim: &mut NetworkBuilder<'_>, mut chosen: TensorRef) -> TensorRef {
        if let Some(is_valid) = self.is_valid {
            let has_axis = slim.shape(chosen).rank() == Some(3);
            chosen = only_valid(slim, chosen, is_valid, has_axis);
        }
        appended(slim, chosen, self.missing)
    }
}

/// Zeros in place of rows without a box.
fn only_valid(
    slim: &mut NetworkBuilder<'_>,
    field: TensorRef,
    is_valid: TensorRef,
    has_axis: bool,
) -> TensorRef {
    let is_valid = if has_axis { slim.expand_dims(is_valid, 2) } else { is_valid };
    slim.where_else(is_valid, field, 0.0)
}

/// The field with rows of zeros after its last one.
fn appended(slim: &mut NetworkBuilder<'_>, field: TensorRef, missing: usize) -> TensorRef {
    if missing == 0 {
        return field;
    }
    let rank = slim.shape(field).rank().unwrap_or(2);
    let mut paddings = vec![0; 2 * rank];
    paddings[3] = missing as i32;
    let paddings = Constant::from_i32(vec![rank, 2], &paddings);
    slim.op_with_constant("Pad", "Pad", &[field], ("paddings", paddings), [])
}

/// Boxes clipped to the window.
pub fn in_window(slim: &mut NetworkBuilder<'_>, boxes: TensorRef, [height, width]: [f32; 2]) -> TensorRef {
    if height == width {
        return slim.clip_by_value(boxes, 0.0, height);
    }
    let greatest = Constant::from_f32(vec![4], &[height, width, height, width]);
    let boxes = slim.with_constant("Minimum", boxes, greatest);
    slim.with_number("Maximum", boxes, 0.0)
}

/// `[images, rows]`: whether a row is among the first `count`.
pub fn is_before(slim: &mut NetworkBuilder<'_>, rows: usize, count: TensorRef) -> TensorRef {
    let rows: Vec<i32> = (0..rows as i32).collect();
    let rows = slim.constant("range", Constant::from_i32(vec![1, rows.len()], &rows));
    let count = slim.expand_dims(count, 1);
    slim.op("Less", "Less", &[rows, count], [])
}

/// With static shapes, rows that are not chosen hold the first box with a score of -1.
fn padded_rows(slim: &mut NetworkBuilder<'_>, boxes: TensorRef, rows: Rows, is_chosen: TensorRef) -> Rows {
    let axis = Constant::from_i32(vec![], &[1]);
    let zero = slim.constant("indices", Constant::from_i32(vec![], &[0]));
    // `[images, classes or 1, 4]`
    let mut first = slim.op_with_constant("GatherV2", "GatherV2", &[boxes, zero], ("axis", axis), []);
    if slim.shape(first).dim(1) != Some(1) {
        let class = slim.cast(rows.classes, DType::Int32);
        first = slim.gather_of_each(first, class);
    }
    let is_chosen_box = slim.expand_dims(is_chosen, 2);
    Rows {
        boxes: slim.op("SelectV2", "SelectV2", &[is_chosen_box, rows.boxes, first], []),
        scores: slim.where_else(is_chosen, rows.scores, -1.0),
        classes: rows.classes,
    }
}

/// With static shapes, the classes of rows that are not chosen: each class fills its rows up to its limit, one class after the other.
fn padded_classes(
    slim: &mut NetworkBuilder<'_>,
    of_rows: TensorRef,
    is_chosen: TensorRef,
    count: TensorRef,
    [classes, limit]: [usize; 2],
) -> TensorRef {
    let chosen_class = slim.where_else(is_chosen, of_rows, -1.0);
    let chosen_class = slim.expand_dims(chosen_class, 2);
    let all: Vec<f32> = (0..classes).map(|class| class as f32).collect();
    let is_class = slim.with_constant("Equal", chosen_class, Constant::from_f32(vec![1, 1, classes], &all));
    let is_class = slim.cast(is_class, DType::Float32);
    let chosen_of_class = slim.reduced("Sum", is_class, 1);
    let limit_constant = slim.constant("limit", Constant::from_f32(vec![], &[limit as f32]));
    let missing = slim.op("sub", "Sub", &[limit_constant, chosen_of_class], []);
    let axis = ("axis", Constant::from_i32(vec![], &[1]));
    let ends = slim.op_with_constant("Cumsum", "Cumsum", &[missing], axis, []);
    let ends = slim.expand_dims(ends, 1);
    let rows: Vec<f32> = (0..classes * limit).map(|row| row as f32).collect();
    let rows = slim.constant("rows", Constant::from_f32(vec![1, classes * limit], &rows));
    let count = slim.cast(count, DType::Float32);
    let count = slim.expand_dims(count, 1);
    let place = slim.op("sub", "Sub", &[rows, count], []);
    let place = slim.expand_dims(place, 2);
    let is_past = slim.op("GreaterEqual", "GreaterEqual", &[place, ends], []);
    let is_past = slim.cast(is_past, DType::Float32);
    let padded = slim.reduced("Sum", is_past, 2);
    slim.op("SelectV2", "SelectV2", &[is_chosen, of_rows, padded], [])
}

/// The anchors of rows.
fn anchors_of(slim: &mut NetworkBuilder<'_>, candidates: Candidates, rows: Rows) -> TensorRef {
    let class = slim.cast(rows.classes, DType::Int32);
    let order = ("perm", Constant::from_i32(vec![4], &[0, 2, 1, 3]));
    let mut boxes = slim.op_with_constant("transpose", "Transpose", &[candidates.boxes], order, []);
    if slim.shape(boxes).dim(1) != Some(1) {
        boxes = slim.gather_of_each(boxes, class);
    }
    let order = ("perm", Constant::from_i32(vec![3], &[0, 2, 1]));
    let scores = slim.op_with_constant("transpose", "Transpose", &[candidates.scores], order, []);
    let scores = slim.gather_of_each(scores, class);
    places_of(slim, rows, boxes, scores)
}

/// The first anchors that have the boxes and the scores of the rows: boxes `[images, rows or 1, anchors, 4]`, scores
/// `[images, rows or 1, anchors]`. They are the anchors of the rows, because a box suppresses equal ones after it. A row whose score no
/// anchor has gets the first anchor.
fn places_of(slim: &mut NetworkBuilder<'_>, rows: Rows, boxes: TensorRef, scores: TensorRef) -> TensorRef {
    let row_boxes = slim.expand_dims(rows.boxes, 2);
    let is_box = slim.op("Equal", "Equal", &[row_boxes, boxes], []);
    let is_box = slim.reduced("All", is_box, 3);
    let row_scores = slim.expand_dims(rows.scores, 2);
    let is_score = slim.op("Equal", "Equal", &[row_scores, scores], []);
    let is_anchor = slim.op("LogicalAnd", "LogicalAnd", &[is_box, is_score], []);
    let is_anchor = slim.cast(is_anchor, DType::Float32);
    slim.arg_max(is_anchor, 2, DType::Int32, "ArgMax")
}
