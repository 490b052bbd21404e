//! The coordinates of the boxes in a picture, which depend on the open scopes.
//!
//! The page's script computes the same when a scope is opened or closed (`html/script.js`); `scripts/check_report.sh`
//! compares the two.

use hashbrown::HashSet;

use super::{Arrangement, Part, Picture};

/// Space between boxes of a row.
const GAP: f64 = 16.0;
/// Space between rows, for the edges.
const ROW_GAP: f64 = 26.0;
/// Space between the frame of an open scope and its parts.
const PADDING: f64 = 14.0;
/// The height of the head of an open scope.
pub const HEAD: f64 = 26.0;
/// The height of a box.
pub const BOX_HEIGHT: f64 = 40.0;
/// The width of a character of a label, in a monospaced font.
const CHARACTER: f64 = 6.7;
/// The longest label of a box.
pub const LABEL: usize = 26;
/// Space for the sign before the label of a scope.
pub const SIGN: f64 = 13.0;
/// Boxes that are shown at first.
const SHOWN: usize = 48;
/// How often boxes are moved towards the boxes that they are connected to.
const SWEEPS: usize = 10;
/// The weight of straight long edges, compared to boxes below the middle of what they read.
const STRAIGHT: f64 = 4.0;

/// An open scope, with the coordinates of everything in it.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Its width without its padding.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// The horizontal center of each item.
    pub x: Vec<f64>,
    /// The upper edge of each item.
    pub top: Vec<f64>,
    /// The size of each item.
    pub sizes: Vec<[f64; 2]>,
    /// The upper and lower edge of each item's row.
    pub rows: Vec<[f64; 2]>,
    /// The open scopes in it, each with the index of its part.
    pub open: Vec<(usize, Placed)>,
    /// Where edges enter and leave it.
    entry_and_exit: [Option<f64>; 2],
}

/// The width of a box with these lines.
pub fn box_width(lines: [&str; 2]) -> f64 {
    let characters = lines.map(|line| line.chars().count().min(LABEL)).into_iter().max().unwrap_or(0);
    (characters as f64 * CHARACTER + 26.0).max(76.0)
}

/// The scopes that are open at first: level by level, while the picture is small.
pub fn open_at_first(picture: &Picture) -> HashSet<usize> {
    let mut open = HashSet::from([0]);
    let mut level = vec![0];
    let mut shown = picture.scopes[0].parts.len();
    loop {
        let parts = level.iter().flat_map(|&scope: &usize| &picture.scopes[scope].parts);
        let next: Vec<usize> = parts
            .filter_map(|part| match part {
                Part::Scope(inner) => Some(*inner),
                Part::Layer(_) => None,
            })
            .collect();
        shown += next.iter().map(|&scope| picture.scopes[scope].parts.len()).sum::<usize>();
        if next.is_empty() || shown > SHOWN {
            return open;
        }
        open.extend(&next);
        level = next;
    }
}

/// Computes the coordinates in an open scope. `lines` returns the text in the box of a part.
pub fn place(
    picture: &Picture,
    scope: usize,
    is_open: &HashSet<usize>,
    lines: &dyn Fn(Part) -> [String; 2],
) -> Placed {
    let Some(scope) = picture.scopes.get(scope) else {
        return arrange(&Arrangement::default(), vec![], vec![]);
    };
    let arrangement = &scope.arrangement;
    let mut sizes = vec![[0.0, 0.0]; arrangement.items()];
    let mut open = vec![];
    for (index, &part) in scope.parts.iter().enumerate() {
        let lines_of = lines(part);
        let width = box_width([&lines_of[0], &lines_of[1]]);
        sizes[index] = match part {
            Part::Scope(inner) if is_open.contains(&inner) => {
                let placed = place(picture, inner, is_open, lines);
                let head = box_width([&lines_of[0], ""]) + SIGN;
                let size = [(placed.width + 2.0 * PADDING).max(head), placed.height + HEAD + 2.0 * PADDING];
                open.push((index, placed));
                size
            }
            Part::Scope(_) => [width + SIGN, BOX_HEIGHT],
            Part::Layer(_) => [width, BOX_HEIGHT],
        };
    }
    arrange(arrangement, sizes, open)
}

fn arrange(arrangement: &Arrangement, sizes: Vec<[f64; 2]>, open: Vec<(usize, Placed)>) -> Placed {
    let [above, below] = arrangement.neighbours();
    let mut x = vec![0.0; sizes.len()];
    for row in arrangement.rows() {
        let mut right = 0.0;
        for &item in row {
            x[item] = right + sizes[item][0] / 2.0;
            right += sizes[item][0] + GAP;
        }
        // At first, all rows are centered.
        row.iter().for_each(|&item| x[item] -= (right - GAP) / 2.0);
    }
    for sweep in 0..SWEEPS {
        let downwards = sweep % 2 == 0;
        let is_last = sweep + 2 >= SWEEPS;
        let mut order: Vec<&Vec<usize>> = arrangement.rows().iter().collect();
        if !downwards {
            order.reverse();
        }
        for row in order {
            let targets = row.iter().map(|&item| {
                let (mut sum, mut weight) = (0.0, 0.0);
                for (neighbours, counts) in [(&above, downwards || is_last), (&below, !downwards || is_last)]
                {
                    for &near in neighbours[item].iter().filter(|_| counts) {
                        let is_route = item >= arrangement.parts() && near >= arrangement.parts();
                        let pull = if is_route { STRAIGHT } else { 1.0 };
                        sum += pull * x[near];
                        weight += pull;
                    }
                }
                if weight > 0.0 { (sum / weight, weight) } else { (x[item], 1.0) }
            });
            let targets: Vec<(f64, f64)> = targets.collect();
            fit(row, &targets, &sizes, &mut x);
        }
    }
    let edge =
        |side: f64| move |item: usize, x: &[f64], sizes: &[[f64; 2]]| x[item] + side * sizes[item][0] / 2.0;
    let left = (0..x.len()).map(|item| edge(-1.0)(item, &x, &sizes)).fold(f64::INFINITY, f64::min);
    let left = if left.is_finite() { left } else { 0.0 };
    x.iter_mut().for_each(|x| *x -= left);
    let width = (0..x.len()).map(|item| edge(1.0)(item, &x, &sizes)).fold(0.0, f64::max);
    let (mut top, mut rows) = (vec![0.0; x.len()], vec![[0.0, 0.0]; x.len()]);
    let mut y = 0.0;
    for (index, row) in arrangement.rows().iter().enumerate() {
        let height = row.iter().map(|&item| sizes[item][1]).fold(0.0, f64::max);
        y += if index > 0 { ROW_GAP } else { 0.0 };
        for &item in row {
            top[item] = y + (height - sizes[item][1]) / 2.0;
            rows[item] = [y, y + height];
        }
        y += height;
    }
    let entry_and_exit = [arrangement.entry(), arrangement.exit()].map(|point| point.map(|point| x[point]));
    Placed { width, height: y, x, top, sizes, rows, open, entry_and_exit }
}

/// Moves the boxes of a row towards their target positions, without changing their order or the space between them: the
/// smallest sum of weighted squared distances, by pooling neighbours that would overlap.
///
/// Source: the pool adjacent violators algorithm (<https://doi.org/10.1214/aoms/1177728423>).
fn fit(row: &[usize], targets: &[(f64, f64)], sizes: &[[f64; 2]], x: &mut [f64]) {
    // Pools of boxes that touch: the target of the first one, its weight, and the number of boxes.
    let mut pools: Vec<(f64, f64, usize)> = vec![];
    let mut offsets = vec![0.0; row.len()];
    for index in 0..row.len() {
        if index > 0 {
            let apart = (sizes[row[index - 1]][0] + sizes[row[index]][0]) / 2.0 + GAP;
            offsets[index] = offsets[index - 1] + apart;
        }
        let (target, weight) = targets[index];
        let mut pool = (target - offsets[index], weight, 1);
        while let Some(&(target, weight, count)) = pools.last()
            && target > pool.0
        {
            pools.pop();
            let sum = weight + pool.1;
            pool = ((target * weight + pool.0 * pool.1) / sum, sum, count + pool.2);
        }
        pools.push(pool);
    }
    let placed = pools.iter().flat_map(|&(start, _, count)| std::iter::repeat_n(start, count));
    for ((start, &item), offset) in placed.zip(row).zip(&offsets) {
        x[item] = start + offset;
    }
}

impl Placed {
    /// The offset of the parts inside of an open scope.
    pub fn inset(&self, outer_width: f64) -> [f64; 2] {
        [(outer_width - self.width) / 2.0, HEAD + PADDING]
    }

    /// The points of an edge.
    pub fn route(&self, arrangement: &Arrangement, edge: &[usize]) -> Vec<[f64; 2]> {
        let [Some(&from), Some(&to)] = [edge.first(), edge.last()] else { return vec![] };
        let is_back = self.rows[from][0] > self.rows[to][0];
        let mut points = vec![];
        for (step, &item) in edge.iter().enumerate() {
            let sides = if item < arrangement.parts() {
                [self.top[item], self.top[item] + self.sizes[item][1]]
            } else if Some(item) == arrangement.entry() {
                [-PADDING; 2]
            } else if Some(item) == arrangement.exit() {
                [self.height + PADDING; 2]
            } else {
                self.rows[item]
            };
            // An edge is vertical beside higher boxes in its row.
            let row = if item < arrangement.parts() { self.rows[item] } else { sides };
            let (near, far) = if is_back { (1, 0) } else { (0, 1) };
            if step > 0 {
                let x = self.meets(item, near);
                points.extend([[x, row[near]], [x, sides[near]]]);
            }
            if step + 1 < edge.len() {
                let x = self.meets(item, far);
                points.extend([[x, sides[far]], [x, row[far]]]);
            }
        }
        points.dedup();
        points
    }

    /// Where edges meet an item, at its upper (0) or lower (1) side. At an open scope, this is where they go on inside.
    fn meets(&self, item: usize, side: usize) -> f64 {
        let open = self.open.iter().find(|(open, _)| *open == item);
        let inner = open.and_then(|(_, inner)| {
            let width = self.sizes[item][0];
            Some(inner.entry_and_exit[side]? + inner.inset(width)[0] - width / 2.0)
        });
        self.x[item] + inner.unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::scopes::tests::layer;

    fn lines(part: Part) -> [String; 2] {
        [format!("{part:?}"), String::new()]
    }

    #[test]
    fn boxes_of_a_row_do_not_overlap_and_a_chain_is_straight() {
        let layers = [
            layer("in", &[]),
            layer("a", &[0]),
            layer("b", &[0]),
            layer("c", &[0]),
            layer("out", &[1, 2, 3]),
            layer("end", &[4]),
        ];
        let picture = Picture::new(&layers);
        let placed = place(&picture, 0, &HashSet::from([0]), &lines);
        for row in picture.scopes[0].arrangement.rows() {
            for pair in row.windows(2) {
                let right = placed.x[pair[0]] + placed.sizes[pair[0]][0] / 2.0;
                let left = placed.x[pair[1]] - placed.sizes[pair[1]][0] / 2.0;
                assert!(left - right > GAP - 1e-6, "{row:?}");
            }
        }
        assert!((placed.x[4] - placed.x[5]).abs() < 1.0, "{:?}", placed.x);
        assert!((placed.x[0] - placed.x[2]).abs() < 1.0, "the middle branch is below the input");
    }

    #[test]
    fn an_open_scope_is_larger_than_what_is_in_it() {
        let layers = [layer("in", &[]), layer("s/a", &[0]), layer("s/b", &[1]), layer("out", &[2])];
        let picture = Picture::new(&layers);
        let closed = place(&picture, 0, &HashSet::from([0]), &lines);
        let opened = place(&picture, 0, &HashSet::from([0, 1]), &lines);
        assert!(opened.height > closed.height + 2.0 * BOX_HEIGHT);
        let (part, inner) = &opened.open[0];
        assert!(opened.sizes[*part][1] > inner.height);
        assert_eq!(open_at_first(&picture), HashSet::from([0, 1]));
    }

    #[test]
    fn an_empty_graph_has_an_empty_picture() {
        let picture = Picture::new(&[]);
        let placed = place(&picture, 0, &HashSet::from([0]), &lines);
        assert_eq!((placed.width, placed.height), (0.0, 0.0));
    }
}
