//! A constant as a recipe: a source of bytes, and the transformations that are applied when they are read.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use super::elements::Stored;
use super::levels::Quantization;
use super::scale::Scaling;
use super::slice::Slice;
use super::{DType, ElementSource, Elements, Fill, Permutation, check_length, element_count};
use crate::error::{Error, Result};

/// A tensor whose elements are known before the model runs, without being held in memory.
///
/// Its elements are computed in these steps: read the bytes of the source as a tensor of shape `view`, permute the axes
/// by `perm`, reshape to [`Constant::shape`], multiply by factors along an axis, and round to the levels of a quantization or to
/// float16. The last three are optional.
/// Graphs copy nodes with their constants, so copies share the recipe.
#[derive(Debug, Clone)]
pub struct Constant(Arc<Recipe>);

/// The steps of a constant.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The type of the source's elements.
    stored: DType,
    /// The type of the constant's elements.
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    source: Arc<dyn ElementSource>,
    view: Vec<usize>,
    perm: Vec<usize>,
    scaling: Option<Scaling>,
    pub(super) levels: Option<Quantization>,
}

impl Deref for Constant {
    type Target = Recipe;

    fn deref(&self) -> &Recipe {
        &self.0
    }
}

impl Constant {
    /// The elements of `source`, which has this type and shape.
    pub fn new(dtype: DType, shape: Vec<usize>, source: Arc<dyn ElementSource>) -> Self {
        let perm = (0..shape.len()).collect();
        let (view, scaling, levels) = (shape.clone(), None, None);
        Self(Arc::new(Recipe { stored: dtype, dtype, view, shape, source, perm, scaling, levels }))
    }

    /// The constant with another recipe.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Recipe)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    fn with_shape(&self, shape: &[usize]) -> Self {
        self.clone().with(|recipe| recipe.shape = shape.to_vec())
    }

    fn with_dtype(&self, dtype: DType) -> Self {
        self.clone().with(|recipe| recipe.dtype = dtype)
    }

    /// A complex tensor as one of real numbers, with the real and the imaginary part along a new last axis. Others stay as they are.
    pub fn with_parts(self) -> Self {
        if !self.dtype.is_complex() {
            return self;
        }
        let Ok(bytes) = self.bytes().map(Cow::into_owned) else { return self };
        let shape = [self.shape(), &[2]].concat();
        Self::of_bytes(self.dtype.part(), shape, bytes)
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of elements along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        element_count(&self.shape).unwrap_or(0)
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of bytes of all elements; `None` for types without a fixed size.
    pub fn byte_len(&self) -> Option<usize> {
        self.dtype.size()?.checked_mul(element_count(&self.shape)?)
    }

    fn is_permuted(&self) -> bool {
        // Moving axes of length 1 leaves the order of the elements as it is.
        !self.perm.iter().filter(|&&axis| self.view.get(axis) != Some(&1)).is_sorted()
    }

    /// The tensor with its axes permuted: axis `i` of the result is axis `perm[i]` of this tensor.
    ///
    /// # Errors
    /// If `perm` is not a permutation of the axes.
    pub fn permuted(&self, perm: &[usize]) -> Result<Self> {
        let mut axes = perm.to_vec();
        axes.sort_unstable();
        if axes.into_iter().ne(0..self.shape.len()) {
            let problem = format!("its shape is {:?}, and {perm:?} does not name each axis once", self.shape);
            return Err(Error::new("constant", problem));
        }
        let shape = in_order(&self.shape, perm);
        if let Some(levels) = &self.levels {
            let levels = Some(levels.permuted(perm, &shape));
            let permuted = self.clone().with(|recipe| recipe.levels = None).permuted(perm)?;
            return Ok(permuted.with(|recipe| recipe.levels = levels));
        }
        if self.scaling.is_none() && self.in_any_order().is_none() && !self.is_permuted() {
            return Ok(self.clone().with(|recipe| {
                (recipe.view, recipe.perm) = (std::mem::replace(&mut recipe.shape, shape), perm.to_vec());
            }));
        }
        if self.in_any_order().is_some() {
            return Ok(self.clone().with(|recipe| {
                (recipe.view, recipe.perm) = (shape.clone(), (0..perm.len()).collect());
                recipe.shape = shape;
            }));
        }
        if self.scaling.is_none() && in_order(&self.view, &self.perm) == self.shape {
            let perm = in_order(&self.perm, perm);
            return Ok(self.clone().with(|recipe| (recipe.perm, recipe.shape) = (perm, shape)));
        }
        // One recipe cannot permute, reshape or scale, and permute again: the inner recipe becomes the source.
        Ok(self.as_source().with(|recipe| (recipe.perm, recipe.shape) = (perm.to_vec(), shape)))
    }

    /// The tensor reshaped, with its elements in the same order.
    ///
    /// # Errors
    /// If the new shape has another number of elements.
    pub fn reshaped(&self, shape: &[usize]) -> Result<Self> {
        if element_count(shape) != element_count(&self.shape) {
            let problem =
                format!("its shape is {:?}, and {shape:?} has another number of elements", self.shape);
            return Err(Error::new("constant", problem));
        }
        let levels = self.levels.as_ref().map(|levels| levels.reshaped(shape));
        if let Some(None) = levels {
            return Ok(self.as_numbers().with_shape(shape));
        }
        Ok(self.with_shape(shape).with(|recipe| recipe.levels = levels.flatten()))
    }

    /// The same tensor, with this recipe as its source. Rounding stays the last step.
    fn as_source(&self) -> Self {
        let exact = self.with_dtype(self.stored);
        Self::new(self.stored, self.shape.clone(), Arc::new(Derived(exact))).with_dtype(self.dtype)
    }

    /// The same numbers, and no longer the integers that they were rounded to.
    #[must_use]
    pub fn as_numbers(&self) -> Self {
        Self::new(self.dtype, self.shape.clone(), Arc::new(Derived(self.clone())))
    }

    /// Whether the elements are stored as float32, so that they can be scaled and rounded.
    pub fn is_stored_as_float32(&self) -> bool {
        self.stored == DType::Float32 && self.levels.is_none()
    }

    /// A float32 tensor multiplied by factors along an axis. Rounding follows the multiplication.
    ///
    /// # Errors
    /// If the number of factors is not the length of the axis, or the elements are not stored as float32.
    pub fn scaled(&self, axis: usize, factors: Arc<[f32]>) -> Result<Self> {
        let count = factors.len();
        let scaling = Scaling::new(factors, &self.shape, axis).filter(|_| self.is_stored_as_float32());
        let Some(scaling) = scaling else {
            let problem = format!("{count} factors do not scale axis {axis} of its shape {:?}", self.shape);
            return Err(Error::new("constant", problem));
        };
        let unscaled = if self.scaling.is_none() { self.clone() } else { self.as_source() };
        Ok(unscaled.with(|recipe| recipe.scaling = Some(scaling)))
    }

    /// A float32 tensor rounded to float16.
    ///
    /// # Panics
    /// If the elements are not stored as float32.
    #[must_use]
    pub fn to_float16(&self) -> Self {
        assert!(self.is_stored_as_float32(), "only float32 is rounded");
        self.with_dtype(DType::Float16)
    }

    /// A float16 tensor before rounding; `None` if it is not stored as float32.
    pub fn before_rounding(&self) -> Option<Self> {
        self.is_stored_as_float32().then(|| self.with_dtype(DType::Float32))
    }

    /// The slice that begins at `start` and has `lengths`; `None` if it is not inside the tensor.
    pub fn slice(&self, start: &[usize], lengths: &[usize]) -> Option<Self> {
        let bounds = start.iter().zip(lengths).zip(&self.shape);
        let fits = |((start, length), whole): ((&usize, &usize), &usize)| {
            start.checked_add(*length).is_some_and(|end| end <= *whole)
        };
        let is_inside =
            start.len() == self.shape.len() && lengths.len() == start.len() && bounds.into_iter().all(fits);
        if let Some(same) = self.in_any_order().filter(|_| is_inside) {
            let element = same.source.repeated()?.element.clone();
            let fill = Fill::uniform(element, element_count(lengths)?);
            return Some(Self::new(self.stored, lengths.to_vec(), Arc::new(fill)).with_dtype(self.dtype));
        }
        is_inside.then(|| {
            let slice = Slice { whole: self.clone(), start: start.to_vec(), lengths: lengths.to_vec() };
            Self::new(self.dtype, lengths.to_vec(), Arc::new(slice))
        })
    }

    /// Whether the elements come from the same source in the same way.
    pub fn has_recipe_of(&self, other: &Self) -> bool {
        let is_plain = |constant: &Self| constant.scaling.is_none() && constant.levels.is_none();
        Arc::ptr_eq(&self.source, &other.source)
            && (self.stored, self.dtype) == (other.stored, other.dtype)
            && (&self.shape, &self.view, &self.perm) == (&other.shape, &other.view, &other.perm)
            && is_plain(self)
            && is_plain(other)
    }

    /// This tensor, if its elements are all the same, and are read as such.
    fn in_any_order(&self) -> Option<&Self> {
        let is_uniform = self.source.repeated().is_some_and(Fill::is_uniform);
        (is_uniform && self.scaling.is_none() && self.levels.is_none()).then_some(self)
    }

    /// Whether a few elements stand for all of these.
    pub fn is_repeated(&self) -> bool {
        self.source.is_repeated()
    }

    /// Whether all elements of a float32 tensor are this number.
    pub fn has_only(&self, value: f32) -> bool {
        let is_value = |chunk: &[u8]| {
            chunk.as_chunks::<4>().0.iter().all(|&element| f32::from_le_bytes(element) == value)
        };
        if self.dtype == DType::Float32
            && let Some(fill) = self.in_any_order().and_then(|same| same.source.repeated())
        {
            return self.is_empty() || is_value(&fill.element);
        }
        let elements = (self.dtype == DType::Float32).then(|| self.open().ok()).flatten();
        let chunks = elements.and_then(|elements| elements.map_chunks(is_value).ok());
        chunks.is_some_and(|chunks| chunks.into_iter().all(|is_value| is_value))
    }

    /// Opens the source, verifies it, and returns the elements with their transformations.
    ///
    /// # Errors
    /// If the source cannot be read, holds strings, or does not have the length that the shape requires.
    pub fn open(&self) -> Result<Elements<'_>> {
        let size =
            self.stored.size().ok_or_else(|| Error::new("tensor", "its elements have no fixed size"))?;
        let stored = match self.source.made() {
            Some(made) => Stored::Made(made),
            None => Stored::Bytes(self.source.bytes()?),
        };
        check_length(stored.len(), size, &self.view)?;
        Ok(Elements {
            stored,
            size,
            order: Permutation::new(size, &self.view, &self.perm),
            is_permuted: self.is_permuted(),
            scaling: self.scaling.as_ref(),
            levels: self.levels.as_ref(),
            written: self.dtype,
            is_rounded: self.dtype != self.stored,
        })
    }

    /// Announces that the elements will probably not be read again.
    pub fn release(&self) {
        self.source.release();
    }

    /// The bytes of all elements, in C order, little-endian.
    ///
    /// # Errors
    /// Those of [`Constant::open`].
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        let elements = self.open()?;
        if elements.unchanged().is_some()
            && let Stored::Bytes(bytes) = elements.stored
        {
            return Ok(bytes);
        }
        let mut out = vec![];
        let needed = elements.buffer_length();
        out.try_reserve_exact(needed)
            .map_err(|_| Error::new("tensor", format!("its {needed} bytes do not fit into memory")))?;
        out.resize(needed, 0);
        let length = elements.fill_all(&mut out)?;
        out.truncate(length);
        Ok(Cow::Owned(out))
    }

    /// The elements of a string tensor, in C order.
    ///
    /// # Errors
    /// If the source cannot be read, or does not hold strings.
    pub fn strings(&self) -> Result<Vec<Vec<u8>>> {
        let strings = self.source.strings()?;
        if !self.is_permuted() {
            return Ok(strings);
        }
        let indices: Vec<i64> = (0..strings.len() as i64).collect();
        let order = Self::from_i64(self.view.clone(), &indices);
        let order = order.with(|recipe| recipe.perm.clone_from(&self.perm));
        let order = order.to_i64s()?.unwrap_or_default();
        Ok(order.into_iter().filter_map(|index| strings.get(index as usize).cloned()).collect())
    }
}

/// A recipe as the source of another.
#[derive(Debug)]
struct Derived(Constant);

impl ElementSource for Derived {
    fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        self.0.bytes()
    }

    fn strings(&self) -> Result<Vec<Vec<u8>>> {
        self.0.strings()
    }

    fn is_repeated(&self) -> bool {
        self.0.is_repeated()
    }

    fn release(&self) {
        self.0.release();
    }
}

/// What belongs to the axes of a tensor, in the order of `axes`, which are some of them.
fn in_order(of: &[usize], axes: &[usize]) -> Vec<usize> {
    axes.iter().filter_map(|&axis| of.get(axis).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(shape: &[usize]) -> Constant {
        let count = element_count(shape).unwrap() as i32;
        Constant::from_i32(shape.to_vec(), &(0..count).collect::<Vec<_>>())
    }

    #[test]
    fn two_permutations_are_joined() {
        let there_and_back = counting(&[2, 3, 4]).permuted(&[2, 0, 1]).unwrap().permuted(&[1, 2, 0]).unwrap();
        assert_eq!(there_and_back.shape(), [2, 3, 4]);
        assert!(!there_and_back.is_permuted());
        assert_eq!(there_and_back.to_i64s().unwrap().unwrap(), (0..24).collect::<Vec<_>>());
    }

    #[test]
    fn a_permutation_of_a_reshaped_permutation_keeps_the_elements_where_they_belong() {
        let transposed = counting(&[2, 3])
            .permuted(&[1, 0])
            .unwrap()
            .reshaped(&[2, 3])
            .unwrap()
            .permuted(&[1, 0])
            .unwrap();
        assert_eq!(transposed.to_i64s().unwrap().unwrap(), [0, 4, 3, 2, 1, 5]);
    }

    #[test]
    fn chunks_contain_all_elements_in_order() {
        let stored = counting(&[3, 3, 5, 70]);
        for constant in [
            stored.clone(),
            stored.permuted(&[3, 2, 0, 1]).unwrap(),
            counting(&[0, 4]).permuted(&[1, 0]).unwrap(),
        ] {
            for bytes in [1, 500, 1 << 20] {
                let mut joined = vec![];
                let written = constant.open().unwrap().for_each_chunk(bytes, |chunk| {
                    joined.extend_from_slice(chunk);
                    Ok(())
                });
                written.unwrap();
                assert!(joined == *constant.bytes().unwrap(), "{:?} by {bytes}", constant.shape());
            }
        }
    }

    #[test]
    fn moving_axes_of_length_one_moves_no_element() {
        let pointwise = counting(&[1, 1, 3, 1]).permuted(&[3, 2, 0, 1]).unwrap();
        assert_eq!(pointwise.shape(), [1, 3, 1, 1]);
        assert!(!pointwise.is_permuted());
    }
}
