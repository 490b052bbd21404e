//! The paths of a beam, and how a time step changes them.

use super::{Moment, NEVER, Search, log_sum};
use crate::lower::formula::{Formula, Iteration, Value};
use crate::tensor::DType;

/// The paths of the beams, the likeliest ones first. A path that never occurs stands for no path.
pub struct Paths<'f> {
    /// The blank, the labels, and blanks behind them, int64: `[batch, width, time + 1]`.
    pub labels: Value<'f>,
    /// How many labels a path has, and the last one, which is the blank before there are any, int64: `[batch, width]`.
    pub length: Value<'f>,
    pub last: Value<'f>,
    /// The logarithms of the probabilities that the path ends with its last label, and with a blank: `[batch, width]`.
    pub by_label: Value<'f>,
    pub by_blank: Value<'f>,
    /// Whether a path begins with all labels of another one, or is it: `[batch, path, other]`.
    pub begins_with: Value<'f>,
}

/// The path of the beam that has all labels of a path but the last one.
pub struct Parents<'f> {
    /// The index of the parent, which is any index where there is none: `[batch, width]`.
    pub index: Value<'f>,
    pub exist: Value<'f>,
}

/// Paths that are no longer after a step.
pub struct Kept<'f> {
    pub by_label: Value<'f>,
    pub by_blank: Value<'f>,
    pub total: Value<'f>,
}

impl<'f> Paths<'f> {
    /// The path without labels, alone.
    pub fn first(search: &Search<'f, '_, '_, '_>, logits: &Value<'f>) -> Self {
        let f = search.f;
        let shape = logits.op("Shape", &[]);
        let (batch, time) = (
            shape.slice(0, &f.vector(&[1]), &f.vector(&[2])),
            shape.slice(0, &f.vector(&[0]), &f.vector(&[1])),
        );
        let (width, one) = (f.vector(&[search.width]), f.vector(&[1]));
        let beams = batch.along("Concat", 0, &[&width]);
        let is_first = search.slots.is(f.integer(0)).op("Expand", &[&beams]);
        let none = is_first.choose(NEVER, NEVER);
        let last = search.blank.op("Expand", &[&beams]);
        let labels = beams.along("Concat", 0, &[&time.op("Add", &[&one])]);
        Self {
            labels: search.blank.op("Expand", &[&labels]),
            length: is_first.choose(f.integer(0), f.integer(0)),
            last,
            by_label: none,
            by_blank: is_first.choose(0.0, NEVER),
            // Of paths that do not exist, anything is true.
            begins_with: search.across(&is_first).or(&search.down(&is_first)),
        }
    }

    /// The paths after so many steps.
    pub fn repeated(
        self,
        f: &'f Formula<'_, '_, '_>,
        steps: &Value<'f>,
        body: impl FnOnce(Iteration<'f>, Self) -> Self,
    ) -> Self {
        let number = f.number_type();
        let Self { labels, length, last, by_label, by_blank, begins_with } = &self;
        let state = [
            (labels, DType::Int64),
            (length, DType::Int64),
            (last, DType::Int64),
            (by_label, number),
            (by_blank, number),
            (begins_with, DType::Bool),
        ];
        Self::from(f.repeat_over(steps, state, |iteration, before| {
            let Self { labels, length, last, by_label, by_blank, begins_with } =
                body(iteration, Self::from(before));
            ([labels, length, last, by_label, by_blank, begins_with], None)
        }))
    }

    /// The logarithm of the probability of each path.
    pub fn total(&self) -> Value<'f> {
        log_sum(&self.by_blank, &self.by_label)
    }
}

impl<'f> From<[Value<'f>; 6]> for Paths<'f> {
    fn from([labels, length, last, by_label, by_blank, begins_with]: [Value<'f>; 6]) -> Self {
        Self { labels, length, last, by_label, by_blank, begins_with }
    }
}

impl<'f> Search<'f, '_, '_, '_> {
    /// The beams after a time step.
    pub fn step(&self, moment: &Moment<'f>, paths: &Paths<'f>) -> Paths<'f> {
        let total = paths.total();
        let parents = self.parents(paths, &total);
        let kept = self.kept(moment, paths, &parents, &total);
        let longer = self.longer(moment, paths, &parents, &total);
        let is_dropped = self.dropped(&longer, paths, &parents, &kept.total);
        let longer = self.down(&is_dropped).choose(NEVER, longer);
        self.likeliest(paths, &kept, &longer)
    }

    /// Values of the paths with these indices.
    pub fn of(&self, values: &Value<'f>, indices: &Value<'f>) -> Value<'f> {
        values.along("GatherElements", 1, &[indices])
    }

    fn parents(&self, paths: &Paths<'f>, total: &Value<'f>) -> Parents<'f> {
        let one_more = self.across(&paths.length).op("Add", &[&self.f.integer(1)]);
        let is_path = total.greater(NEVER);
        let is_pair = self.down(&is_path).and(&self.across(&is_path));
        let is_parent = paths.begins_with.and(&self.down(&paths.length).is(&one_more)).and(&is_pair);
        let is_parent = is_parent.cast(self.f.number_type());
        let last = self.f.vector(&[2]);
        Parents {
            index: is_parent.greatest_index(2).op("Squeeze", &[&last]),
            exist: is_parent.reduced("ReduceMax", 2).op("Squeeze", &[&last]).greater(0.0),
        }
    }

    /// The paths as they are. Their parents become them by their last labels: of two equal labels only with a blank between them.
    fn kept(
        &self,
        moment: &Moment<'f>,
        paths: &Paths<'f>,
        parents: &Parents<'f>,
        total: &Value<'f>,
    ) -> Kept<'f> {
        let of_parents = |values: &Value<'f>| self.of(values, &parents.index);
        let is_doubled = paths.last.is(of_parents(&paths.last));
        let before = is_doubled.choose(of_parents(&paths.by_blank), of_parents(total));
        let label = self.of(&moment.labels, &paths.last);
        // TensorFlow takes the paths one by one, and leaves out a parent that cannot occur any more after this step.
        let blank_is_impossible = (&moment.blank - &moment.norm).is(NEVER);
        let is_gone = blank_is_impossible.and(&of_parents(&label).is(NEVER)).and(&self.is_before(parents));
        let before = parents.exist.and(&is_gone.not()).choose(before, NEVER);
        let by_label = log_sum(&paths.by_label, &before) + label;
        let by_blank = total + &moment.blank - &moment.norm;
        let by_label = moment.is_inside.choose(by_label, &paths.by_label);
        let by_blank = moment.is_inside.choose(by_blank, &paths.by_blank);
        Kept { total: log_sum(&by_blank, &by_label), by_label, by_blank }
    }

    /// Whether TensorFlow takes the parent of a path before the path.
    pub fn is_before(&self, parents: &Parents<'f>) -> Value<'f> {
        parents.index.less(&self.slots)
    }

    /// The paths with one more label: `[batch, width, classes]`.
    fn longer(
        &self,
        moment: &Moment<'f>,
        paths: &Paths<'f>,
        parents: &Parents<'f>,
        total: &Value<'f>,
    ) -> Value<'f> {
        let f = self.f;
        let is_doubled = self.classes.is(self.down(&paths.last));
        let before = is_doubled.choose(self.down(&paths.by_blank), self.down(total));
        let scores = self.across(&moment.labels) + before;
        // This leaves out NaN, too.
        let is_possible = scores.greater(NEVER).and(&self.down(&moment.is_inside));
        let scores = is_possible.choose(scores, NEVER);
        // Some are in the beam already. Where there is no parent, the blank is left out once more.
        let label = parents.exist.choose(&paths.last, &self.blank);
        let at = parents.index.op("Mul", &[&self.class_count]).op("Add", &[&label]);
        let never = parents.exist.choose(NEVER, NEVER);
        let flat = scores.op("Reshape", &[&f.vector(&[0, -1])]);
        let flat = flat.along("ScatterElements", 1, &[&at, &never]);
        flat.op("Reshape", &[&f.vector(&[0, self.width, -1])])
    }
}
