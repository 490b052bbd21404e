//! Diagonals of matrices: read, made into matrices, and set.
//!
//! Sources: `tf.linalg.diag`, `tf.linalg.diag_part` and `tf.linalg.set_diag` in TensorFlow's API documentation. Which
//! element goes where follows from the shapes alone, so that each op is one Gather from the flattened matrices or
//! diagonals, and a choice between its elements and the padding.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::onnx::Attribute;
use crate::tensor::{Constant, DType, element_count};

/// Diagonals from `lower` to `upper` of matrices of a size.
#[derive(Debug, Clone, Copy)]
pub struct Band {
    rows: usize,
    columns: usize,
    lower: i64,
    upper: i64,
    /// Whether diagonals above the main one, and those below, begin at the left.
    left: [bool; 2],
}

impl Band {
    fn new(
        node: NodeRef<'_>,
        (rows, columns): (usize, usize),
        diagonals: &[i64],
        left: [bool; 2],
    ) -> Result<Self> {
        let (lower, upper) = match *diagonals {
            [only] => (only, only),
            [lower, upper] if lower <= upper => (lower, upper),
            _ => return Err(node.error("its diagonals are not one number or a range")),
        };
        if rows.max(columns) > 1 << 12 {
            return Err(node.error(format!("its matrices of {rows} x {columns} are too large")));
        }
        Ok(Self { rows, columns, lower, upper, left })
    }

    /// Refuses diagonals that the matrices do not have.
    fn of_matrices(self, node: NodeRef<'_>) -> Result<Self> {
        let Self { rows, columns, lower, upper, .. } = self;
        let is_inside = |k: i64| k > -(rows as i64) && k < columns as i64 || k == 0;
        if !is_inside(lower) || !is_inside(upper) {
            return Err(node
                .error(format!("matrices of {rows} x {columns} have no diagonals from {lower} to {upper}")));
        }
        Ok(self)
    }

    fn count(&self) -> usize {
        (self.upper - self.lower + 1) as usize
    }

    fn length_of(&self, k: i64) -> i64 {
        (self.rows as i64 + k.min(0)).min(self.columns as i64 - k.max(0))
    }

    /// The length of the longest of the diagonals.
    fn longest(&self) -> usize {
        let longest = (self.rows as i64 + self.upper.min(0)).min(self.columns as i64 - self.lower.max(0));
        longest.max(0) as usize
    }

    /// The last axes of the tensor that has the diagonals as rows. A single one has no axis that counts the diagonals.
    fn shape(&self) -> Vec<usize> {
        if self.count() == 1 { vec![self.longest()] } else { vec![self.count(), self.longest()] }
    }

    /// How many positions a diagonal is moved to the right where it is shorter than the longest.
    fn offset(&self, k: i64) -> i64 {
        let [above, below] = self.left;
        if (k >= 0 && above) || (k <= 0 && below) { 0 } else { self.longest() as i64 - self.length_of(k) }
    }

    /// The index in the flattened matrix of a position of the flattened diagonals, where there is one.
    fn in_matrix(self, position: usize) -> Option<usize> {
        let k = self.upper - (position / self.longest()) as i64;
        let at = (position % self.longest()) as i64 - self.offset(k);
        let (row, column) = (at + (-k).max(0), at + k.max(0));
        let is_inside = at >= 0 && row < self.rows as i64 && column < self.columns as i64;
        is_inside.then(|| row as usize * self.columns + column as usize)
    }

    /// The index in the flattened diagonals of a position of the flattened matrix, where there is one.
    fn in_diagonals(self, position: usize) -> Option<usize> {
        let (row, column) = (position / self.columns, position % self.columns);
        let k = column as i64 - row as i64;
        let at = || row.min(column) as i64 + self.offset(k);
        (self.lower..=self.upper)
            .contains(&k)
            .then(|| (self.upper - k) as usize * self.longest() + at() as usize)
    }
}

/// All diagonals begin at the left, as in the ops without the attribute `align`.
pub const LEFT: [bool; 2] = [true, true];

/// Whether diagonals above the main one, and those below, begin at the left by the attribute `align`.
pub fn alignment(node: NodeRef<'_>) -> [bool; 2] {
    match node.text("align") {
        Some("LEFT_LEFT") => LEFT,
        Some("LEFT_RIGHT") => [true, false],
        Some("RIGHT_RIGHT") => [false, false],
        // RIGHT_LEFT, which is TensorFlow's default.
        _ => [false, true],
    }
}

/// The elements of tensors whose last axes were made one: `source` is the index of the element for each position of the result, and
/// `otherwise` is where there is none. `otherwise` broadcasts to the positions.
fn picked(
    cx: &mut Lowering<'_>,
    (tensor, node): (TensorRef, NodeRef<'_>),
    flat: String,
    (shape, source): (&[usize], impl Fn(usize) -> Option<usize> + Copy + Send + Sync + 'static),
    otherwise: String,
) -> Result<()> {
    let count = element_count(shape).unwrap_or(0);
    cx.charge(node, shape, DType::Int64)?;
    let has_gaps = (0..count).any(|position| source(position).is_none());
    let index = move |position| source(position).unwrap_or(0) as i64;
    let indices =
        Constant::computed(DType::Int64, shape.to_vec(), move |position| index(position).to_le_bytes());
    let indices = cx.initializer(&format!("{}/places", node.name), indices, &[]);
    let attributes = vec![("axis", Attribute::Int(-1))];
    let layout = Layout::tensorflow_of(cx.shape(tensor));
    if !has_gaps {
        cx.emit(tensor, "Gather", vec![flat, indices], layout, attributes);
        return Ok(());
    }
    cx.charge(node, shape, DType::Bool)?;
    let gathered = cx.step(node, "gathered", "Gather", vec![flat, indices], attributes);
    let is_there = Constant::computed(DType::Bool, shape.to_vec(), move |position| {
        [u8::from(source(position).is_some())]
    });
    let mask = cx.initializer(&format!("{}/is_there", node.name), is_there, &[]);
    cx.emit(tensor, "Where", vec![mask, gathered, otherwise], layout, vec![]);
    Ok(())
}

/// A tensor whose last axes, of these lengths, are made one.
fn flattened(cx: &mut Lowering<'_>, node: NodeRef<'_>, name: String, rank: usize, last: &[usize]) -> String {
    if last.len() == 1 {
        return name;
    }
    // -1 would leave the length open where a tensor has no elements.
    let length = element_count(last).map_or(-1, |count| count as i64);
    let shape: Vec<i64> = vec![0; rank.saturating_sub(last.len())].into_iter().chain([length]).collect();
    let shape = cx.vector(node, "flat", &shape);
    cx.step(node, "flattened", "Reshape", vec![name, shape], vec![])
}

/// The rank, and the number of rows and columns, of matrices that have no open length.
fn matrix_size(cx: &Lowering<'_>, tensor: TensorRef) -> Option<(usize, usize, usize)> {
    match cx.shape(tensor).dims()? {
        dims @ &[.., Some(rows), Some(columns)] => Some((dims.len(), rows, columns)),
        _ => None,
    }
}

pub fn diag_part(cx: &mut Lowering<'_>, node: NodeRef<'_>, left: [bool; 2]) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let diagonals = if node.inputs.len() > 1 { cx.known_integers(node, 1)? } else { Some(vec![0]) };
    let (Some(diagonals), Some((rank, rows, columns))) = (diagonals, matrix_size(cx, input)) else {
        return crate::ops::array::lower::open_diagonal::diag_part(cx, node, left);
    };
    let band = Band::new(node, (rows, columns), &diagonals, left)?.of_matrices(node)?;
    let padding = match node.inputs.get(2) {
        Some(&padding) => cx.in_tensorflow_layout(padding)?,
        None => cx.scalar(node, "padding", cx.dtype(input), 0.0),
    };
    let name = cx.in_tensorflow_layout(input)?;
    let flat = flattened(cx, node, name, rank, &[rows, columns]);
    picked(cx, (node.into(), node), flat, (&band.shape(), move |position| band.in_matrix(position)), padding)
}

/// The size of the matrices that diagonals are made into: as small as they fit, unless it is given.
fn made_size(
    cx: &Lowering<'_>,
    node: NodeRef<'_>,
    diagonals: &[i64],
    longest: usize,
) -> Result<(usize, usize)> {
    let given = |index: usize| -> Result<Option<usize>> {
        if node.inputs.len() <= index {
            return Ok(None);
        }
        Ok(cx.integers(node, index, "size")?.first().and_then(|&size| usize::try_from(size).ok()))
    };
    let (lower, upper) = (diagonals.first().copied().unwrap_or(0), diagonals.last().copied().unwrap_or(0));
    let at_least_rows = longest + usize::try_from(-upper.min(0)).unwrap_or(0);
    let at_least_columns = longest + usize::try_from(lower.max(0)).unwrap_or(0);
    Ok(match (given(2)?, given(3)?) {
        (Some(rows), Some(columns)) => (rows, columns),
        (Some(rows), None) => (rows, at_least_columns),
        (None, Some(columns)) => (at_least_rows, columns),
        (None, None) => (at_least_rows.max(at_least_columns), at_least_rows.max(at_least_columns)),
    })
}

pub fn diag(cx: &mut Lowering<'_>, node: NodeRef<'_>, left: [bool; 2]) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let mut is_known = true;
    for index in 1..node.inputs.len().min(4) {
        is_known &= cx.known_integers(node, index)?.is_some();
    }
    let (true, Some(rank), Some(longest)) = (is_known, cx.shape(input).rank(), cx.shape(input).last()) else {
        return crate::ops::array::lower::open_diagonal::diag(cx, node, left);
    };
    let diagonals = if node.inputs.len() > 1 { cx.integers(node, 1, "diagonals")? } else { vec![0] };
    let (rows, columns) = made_size(cx, node, &diagonals, longest)?;
    let band = Band::new(node, (rows, columns), &diagonals, left)?;
    let padding = match node.inputs.get(4) {
        Some(&padding) => cx.in_tensorflow_layout(padding)?,
        None => cx.scalar(node, "padding", cx.dtype(input), 0.0),
    };
    let name = cx.in_tensorflow_layout(input)?;
    let flat = flattened(cx, node, name, rank, &band.shape());
    picked(
        cx,
        (node.into(), node),
        flat,
        (&[rows, columns], move |position| band.in_diagonals(position)),
        padding,
    )
}

pub fn set_diag(cx: &mut Lowering<'_>, node: NodeRef<'_>, left: [bool; 2]) -> Result<()> {
    let (input, diagonal) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let diagonals = if node.inputs.len() > 2 { cx.known_integers(node, 2)? } else { Some(vec![0]) };
    let (Some(diagonals), Some((_, rows, columns)), Some(rank)) =
        (diagonals, matrix_size(cx, input), cx.shape(diagonal).rank())
    else {
        return crate::ops::array::lower::open_diagonal::set_diag(cx, node, left);
    };
    let band = Band::new(node, (rows, columns), &diagonals, left)?.of_matrices(node)?;
    let name = cx.in_tensorflow_layout(diagonal)?;
    let flat = flattened(cx, node, name, rank, &band.shape());
    let matrices = cx.in_tensorflow_layout(input)?;
    picked(
        cx,
        (node.into(), node),
        flat,
        (&[rows, columns], move |position| band.in_diagonals(position)),
        matrices,
    )
}
