//! The layered drawing of one scope: the rows of its parts, their order in the rows, and the routes of edges between them.
//!
//! The method is that of Sugiyama, Tagawa and Toda (<https://doi.org/10.1109/TSMC.1981.4308636>): rows by longest paths,
//! long edges with a point in every row between, rows ordered by the means of their neighbours. Coordinates depend on which
//! scopes are open, and are computed later (`coordinates`, and the page's script).

use hashbrown::HashMap;
use serde::Serialize;

/// An edge over more rows than this is a straight line, without a route between the boxes.
const LONGEST_ROUTE: usize = 48;

/// How often rows are sorted by the rows above and below them.
const SWEEPS: usize = 6;

/// The rows of a scope, and the routes of its edges through them.
///
/// Its items are numbered: first the parts of the scope, then the points where edges enter and leave it, then the points
/// that long edges go through.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Arrangement {
    /// How many of the items are parts.
    parts: usize,
    /// The point where edges from outside enter.
    entry: Option<usize>,
    /// The point where edges to the outside leave.
    exit: Option<usize>,
    /// The items of each row, from left to right. Rows are from top to bottom.
    rows: Vec<Vec<usize>>,
    /// The items along each edge. An edge upwards closes a cycle between scopes.
    edges: Vec<Vec<usize>>,
}

impl Arrangement {
    /// Arranges this number of parts, in the order of the graph. `between` has the edges inside of the scope, from the part that
    /// is read to the part that reads it. `entered` has the parts that read from outside, `left` those that are read from outside.
    pub fn new(parts: usize, between: Vec<[usize; 2]>, entered: Vec<usize>, left: Vec<usize>) -> Self {
        let mut count = parts;
        let mut point = |wanted: bool| {
            wanted.then(|| {
                count += 1;
                count - 1
            })
        };
        let (entry, exit) = (point(!entered.is_empty()), point(!left.is_empty()));
        let mut row = rows_of(parts, &between, &entered);
        let bottom = row.iter().max().map_or(0, |row| row + 1);
        row.resize(count, 0);
        if let Some(exit) = exit {
            row[exit] = bottom;
        }
        let mut arrangement = Self { parts, entry, exit, rows: vec![vec![]; bottom + 1], edges: vec![] };
        for (item, &row) in row.iter().enumerate() {
            arrangement.rows[row].push(item);
        }
        let entering = entered.iter().filter_map(|&part| Some([entry?, part]));
        let leaving = left.iter().filter_map(|&part| Some([part, exit?]));
        // The points that edges from one item share.
        let mut routes: HashMap<(usize, bool), Vec<usize>> = HashMap::new();
        for [from, to] in entering.chain(between).chain(leaving) {
            let (upper, lower, is_back) =
                if row[from] <= row[to] { (from, to, false) } else { (to, from, true) };
            let mut edge = vec![upper];
            if row[lower] - row[upper] <= LONGEST_ROUTE {
                let route = routes.entry((upper, is_back)).or_default();
                for between in row[upper] + 1..row[lower] {
                    let step = between - row[upper] - 1;
                    if route.len() == step {
                        route.push(row.len());
                        arrangement.rows[between].push(row.len());
                        row.push(between);
                    }
                    edge.push(route[step]);
                }
            }
            edge.push(lower);
            if is_back {
                edge.reverse();
            }
            arrangement.edges.push(edge);
        }
        arrangement.rows.retain(|row| !row.is_empty());
        arrangement.order(row.len());
        arrangement
    }

    /// The rows from top to bottom, each from left to right.
    pub fn rows(&self) -> &[Vec<usize>] {
        &self.rows
    }

    /// The items along each edge.
    pub fn edges(&self) -> &[Vec<usize>] {
        &self.edges
    }

    /// The point where edges from outside enter.
    pub fn entry(&self) -> Option<usize> {
        self.entry
    }

    /// The point where edges to the outside leave.
    pub fn exit(&self) -> Option<usize> {
        self.exit
    }

    /// The number of items that are parts of the scope.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// The number of items.
    pub fn items(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }

    /// The items above and below each item that are connected to it.
    pub fn neighbours(&self) -> [Vec<Vec<usize>>; 2] {
        let mut row = vec![0; self.items()];
        for (index, items) in self.rows.iter().enumerate() {
            items.iter().for_each(|&item| row[item] = index);
        }
        let [mut above, mut below] = [vec![vec![]; row.len()], vec![vec![]; row.len()]];
        for step in self.edges.iter().flat_map(|edge| edge.windows(2)) {
            let (upper, lower) =
                if row[step[0]] <= row[step[1]] { (step[0], step[1]) } else { (step[1], step[0]) };
            // Edges share the first points of their routes.
            if !above[lower].contains(&upper) {
                above[lower].push(upper);
                below[upper].push(lower);
            }
        }
        [above, below]
    }

    fn order(&mut self, items: usize) {
        let [above, below] = self.neighbours();
        let mut position = vec![0.0; items];
        let number = |row: &[usize], position: &mut Vec<f64>| {
            row.iter().enumerate().for_each(|(index, &item)| position[item] = index as f64);
        };
        self.rows.iter().for_each(|row| number(row, &mut position));
        for sweep in 0..SWEEPS {
            let neighbours = if sweep % 2 == 0 { &above } else { &below };
            let mut order: Vec<usize> = (0..self.rows.len()).collect();
            if sweep % 2 == 1 {
                order.reverse();
            }
            for index in order {
                let row = &mut self.rows[index];
                let mean = |item: usize, position: &[f64]| match &neighbours[item][..] {
                    [] => position[item],
                    near => near.iter().map(|&near| position[near]).sum::<f64>() / near.len() as f64,
                };
                let mut means: Vec<(f64, usize)> =
                    row.iter().map(|&item| (mean(item, &position), item)).collect();
                means.sort_by(|(a, _), (b, _)| a.total_cmp(b));
                *row = means.into_iter().map(|(_, item)| item).collect();
                number(row, &mut position);
            }
        }
    }

    /// The edges between parts.
    #[cfg(test)]
    pub fn between(&self) -> Vec<[usize; 2]> {
        let ends = self.edges.iter().map(|edge| [edge[0], edge[edge.len() - 1]]);
        ends.filter(|ends| ends.iter().all(|&end| end < self.parts)).collect()
    }

    /// The parts that edges from outside lead to.
    #[cfg(test)]
    pub fn entered(&self) -> Vec<usize> {
        self.edges
            .iter()
            .filter(|edge| Some(edge[0]) == self.entry)
            .map(|edge| edge[edge.len() - 1])
            .collect()
    }

    /// The parts that edges to the outside come from.
    #[cfg(test)]
    pub fn left(&self) -> Vec<usize> {
        let leaving = self.edges.iter().filter(|edge| edge.last().copied() == self.exit);
        leaving.map(|edge| edge[0]).collect()
    }
}

/// The row of each part: below all parts that it reads. A part that reads nothing is right above its first reader.
fn rows_of(parts: usize, between: &[[usize; 2]], entered: &[usize]) -> Vec<usize> {
    let mut later: Vec<Vec<usize>> = vec![vec![]; parts];
    let mut has_earlier = vec![false; parts];
    for &[from, to] in between {
        // Two scopes may read each other: the first one in the graph is above.
        let (first, second) = (from.min(to), from.max(to));
        later[first].push(second);
        has_earlier[second] = true;
    }
    let top = usize::from(!entered.is_empty());
    let mut row = vec![top; parts];
    entered.iter().for_each(|&part| has_earlier[part] = true);
    for part in 0..parts {
        for &next in &later[part] {
            row[next] = row[next].max(row[part] + 1);
        }
    }
    for part in (0..parts).rev() {
        if let (false, Some(next)) = (has_earlier[part], later[part].iter().map(|&next| row[next]).min()) {
            row[part] = next.saturating_sub(1);
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_below_what_they_read_and_long_edges_go_through_every_row() {
        // A residual unit: 0 → 1 → 2, and 0 → 2 beside it.
        let arranged = Arrangement::new(3, vec![[0, 1], [1, 2], [0, 2]], vec![], vec![]);
        assert_eq!(arranged.rows().iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(arranged.edges(), [vec![0, 1], vec![1, 2], vec![0, 3, 2]]);
    }

    #[test]
    fn an_input_is_right_above_its_first_reader() {
        let arranged = Arrangement::new(4, vec![[0, 1], [1, 3], [2, 3]], vec![], vec![]);
        assert_eq!(arranged.rows()[1].len(), 2);
        assert!(arranged.rows()[1].contains(&2));
    }

    #[test]
    fn scopes_that_read_each_other_are_drawn_with_an_edge_upwards() {
        let arranged = Arrangement::new(2, vec![[0, 1], [1, 0]], vec![], vec![]);
        assert_eq!(arranged.rows(), [vec![0], vec![1]]);
        assert_eq!(arranged.edges(), [vec![0, 1], vec![1, 0]]);
    }

    #[test]
    fn rows_are_ordered_so_that_edges_do_not_cross() {
        // 0 → 5 and 2 → 3 would cross in the order of the graph.
        let arranged = Arrangement::new(6, vec![[0, 5], [1, 4], [2, 3]], vec![], vec![]);
        let [upper, lower] = arranged.rows() else { panic!("two rows") };
        let reader = |item: &usize| 5 - item;
        assert_eq!(&upper.iter().map(reader).collect::<Vec<_>>(), lower);
    }

    #[test]
    fn entry_and_exit_are_above_and_below_everything() {
        let arranged = Arrangement::new(2, vec![[0, 1]], vec![0], vec![1]);
        assert_eq!((arranged.entry(), arranged.exit()), (Some(2), Some(3)));
        assert_eq!(arranged.rows(), [vec![2], vec![0], vec![1], vec![3]]);
        assert_eq!(Arrangement::new(0, vec![], vec![], vec![]).items(), 0);
    }
}
