//! The choice of the paths of the next beam.

use super::paths::{Kept, Parents, Paths};
use super::{NEVER, Search};
use crate::lower::formula::Value;

impl<'f> Search<'f, '_, '_, '_> {
    /// Which paths are not made longer.
    ///
    /// TensorFlow takes the paths one by one, from the likeliest one on, and puts what they become by each label into the beam, which loses
    /// its least likely path for it. Once a path is lost, its parent tries to become that path, in vain, and TensorFlow forgets it:
    /// when its turn comes, it becomes nothing, likely as this may be.
    pub fn dropped(
        &self,
        longer: &Value<'f>,
        paths: &Paths<'f>,
        parents: &Parents<'f>,
        total: &Value<'f>,
    ) -> Value<'f> {
        let f = self.f;
        let bar = self.down(total);
        // How many paths are likelier than a path before its parent tries: those of the beam itself, …
        let kept = self.count(&self.across(total).greater(&bar), 2);
        // … those that its parent became by the labels before, …
        let siblings = self.rows(longer, &parents.index);
        let is_earlier = self.classes.less(self.down(&paths.last));
        let siblings = self.count(&siblings.greater(&bar).and(&is_earlier), 2);
        // … and those that became of the paths before the parent. More than the width of the beam make no difference.
        let [best, _] = self.best(longer);
        let best = best.op("Unsqueeze", &[&f.vector(&[1])]);
        let others = self.count(&best.greater(bar.op("Unsqueeze", &[&f.vector(&[3])])), 3);
        let others = self.slots.less(self.down(&parents.index)).choose(others, 0.0);
        let others_are = |is_dropped: &Value<'f>| {
            let counted = self.across(is_dropped).greater(0.0).choose(0.0, &others);
            counted.reduced("ReduceSum", 2).op("Squeeze", &[&f.vector(&[2])])
        };
        let sure = kept + siblings;
        let may = parents.exist.and(&self.is_before(parents));
        let is_impossible = total.is(NEVER);
        // A dropped path loses no other one. Whether it is dropped depends on the paths before it alone, so that all are known after
        // as many rounds as there are paths, and most often after two.
        let [dropped] = f.repeat(&f.integer(self.width), [&sure.zeros()], |_, [dropped]| {
            let is_lost = (others_are(&dropped) + &sure).at_least(self.width as f64).or(&is_impossible);
            let parent_tries = self.of(&dropped, &parents.index).is(0.0);
            let next = may.and(&is_lost).and(&parent_tries).cast(f.number_type());
            let changes = next.is(&dropped).not().any();
            ([next], Some(changes))
        });
        dropped.greater(0.0)
    }

    /// The greatest values of each path along its last axis, as many as a beam has paths, and their indices.
    fn best(&self, values: &Value<'f>) -> [Value<'f>; 2] {
        let count = self.class_count.op("Min", &[&self.f.vector(&[self.width])]);
        self.f.greatest(values, &count)
    }

    /// The rows of paths with these indices: `[batch, width, …]`.
    fn rows(&self, values: &Value<'f>, indices: &Value<'f>) -> Value<'f> {
        let f = self.f;
        let length = values.op("Shape", &[]).slice(0, &f.vector(&[2]), &f.vector(&[3]));
        let shape = f.vector(&[-1]).along("Concat", 0, &[&length]);
        let numbers = indices.op("Add", &[&self.paths_before]);
        values.op("Reshape", &[&shape]).along("Gather", 0, &[&numbers])
    }

    /// The next beam.
    pub fn likeliest(&self, paths: &Paths<'f>, kept: &Kept<'f>, longer: &Value<'f>) -> Paths<'f> {
        let f = self.f;
        let flat = |values: &Value<'f>| values.op("Reshape", &[&f.vector(&[0, -1])]);
        let [scores, labels] = self.best(longer);
        let label_count = labels.op("Shape", &[]).slice(0, &f.vector(&[2]), &f.vector(&[3]));
        let (scores, labels) = (flat(&scores), flat(&labels));
        // NaN is no order.
        let keys = kept.total.is_nan().choose(f64::from(f32::MIN), &kept.total);
        let keys = keys.along("Concat", 1, &[&scores]);
        let [_, chosen] = f.greatest(&keys, &f.vector(&[self.width]));
        let width = f.integer(self.width);
        let is_longer = chosen.at_least(&width);
        let at = is_longer.choose(chosen.op("Sub", &[&width]), f.integer(0));
        let source = is_longer.choose(at.op("Div", &[&label_count]), &chosen);
        let choose = |longer: Value<'f>, kept: &Value<'f>| is_longer.choose(longer, self.of(kept, &source));

        let last = choose(self.of(&labels, &at), &paths.last);
        let more = is_longer.choose(f.integer(1), f.integer(0));
        let length = self.of(&paths.length, &source).op("Add", &[&more]);
        let moved = self.rows(&paths.labels, &source);
        let columns = moved.op("Shape", &[]).slice(0, &f.vector(&[2]), &f.vector(&[3]));
        let columns = columns.op("Squeeze", &[&f.vector(&[0])]);
        let columns = f.integer(0).op("Range", &[&columns, &f.integer(1)]);
        let labels = columns.is(self.down(&length)).choose(self.down(&last), moved);
        Paths {
            by_label: choose(self.of(&scores, &at), &kept.by_label),
            by_blank: choose(is_longer.choose(NEVER, NEVER), &kept.by_blank),
            begins_with: self.begin_with(paths, &source, [&labels, &length, &last]),
            labels,
            length,
            last,
        }
    }

    /// Which of the new paths begin with which. Their sources do, and the last label of the beginning is in its place.
    fn begin_with(
        &self,
        paths: &Paths<'f>,
        source: &Value<'f>,
        [labels, length, last]: [&Value<'f>; 3],
    ) -> Value<'f> {
        let f = self.f;
        let width = f.integer(self.width);
        let rows = source.op("Add", &[&self.paths_before]).op("Mul", &[&width]);
        let at = self.down(&rows).op("Add", &[&self.across(source)]);
        let flat = paths.begins_with.op("Reshape", &[&f.vector(&[-1])]);
        let sources_do = flat.along("Gather", 0, &[&at]);
        let places = self.across(length).op("Expand", &[&f.vector(&[1, self.width, 1])]);
        let has_last = labels.along("GatherElements", 2, &[&places]).is(self.across(last));
        sources_do.and(&has_last)
    }
}
