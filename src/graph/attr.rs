//! Attributes of nodes, and the readers for those that many ops share.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::borrow::Cow;
use std::sync::Arc;

use super::{Node, Shape};
use crate::error::Result;
use crate::tensor::{Constant, DType};

/// The value of an attribute.
#[derive(Debug, Clone)]
pub enum Attr {
    /// An integer.
    Int(i64),
    /// A number.
    Float(f32),
    /// A boolean.
    Bool(bool),
    /// A string; TensorFlow's strings are bytes.
    Bytes(Vec<u8>),
    /// An element type.
    Type(DType),
    /// A shape.
    Shape(Shape),
    /// A tensor.
    Tensor(Constant),
    /// The name of a function of the graph's library.
    Function(String),
    /// The names of functions of the graph's library.
    Functions(Vec<String>),
    /// Integers.
    Ints(Vec<i64>),
    /// Numbers.
    Floats(Vec<f32>),
    /// Booleans.
    Bools(Vec<bool>),
    /// Strings.
    Strings(Vec<Vec<u8>>),
    /// Element types.
    Types(Vec<DType>),
    /// Shapes.
    Shapes(Vec<Shape>),
}

impl From<&str> for Attr {
    fn from(value: &str) -> Self {
        Self::Bytes(value.as_bytes().to_vec())
    }
}

/// The attributes of a node, by name. They are few, and cheap to clone: nodes are copied from graph to graph. Many nodes
/// have none.
#[derive(Debug, Clone, Default)]
pub struct Attrs(Option<Arc<Vec<Named>>>);

type Named = (Cow<'static, str>, Attr);

impl Attrs {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// These attributes, which have different names.
    pub fn of(mut attrs: Vec<(Cow<'static, str>, Attr)>) -> Self {
        attrs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Self((!attrs.is_empty()).then(|| Arc::new(attrs)))
    }

    /// The attribute of this name.
    pub fn get(&self, name: &str) -> Option<&Attr> {
        self.list().iter().find(|(known, _)| known == name).map(|(_, attr)| attr)
    }

    /// Adds an attribute, or replaces the one of the same name.
    pub fn insert(&mut self, name: impl Into<Cow<'static, str>>, attr: Attr) {
        let (name, list) = (name.into(), Arc::make_mut(self.0.get_or_insert_default()));
        match list.binary_search_by(|(known, _)| known.cmp(&name)) {
            Ok(index) => list.get_mut(index).into_iter().for_each(|(_, known)| known.clone_from(&attr)),
            Err(index) => list.insert(index, (name, attr)),
        }
    }

    /// Removes an attribute.
    pub fn remove(&mut self, name: &str) -> Option<Attr> {
        let index = self.list().iter().position(|(known, _)| known == name)?;
        Some(Arc::make_mut(self.0.as_mut()?).remove(index).1)
    }

    /// All attributes, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Attr)> {
        self.list().iter().map(|(name, attr)| (&**name, attr))
    }

    /// The values of all attributes.
    pub fn values(&self) -> impl Iterator<Item = &Attr> {
        self.list().iter().map(|(_, attr)| attr)
    }

    fn list(&self) -> &[Named] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl<K: Into<Cow<'static, str>>> Extend<(K, Attr)> for Attrs {
    fn extend<I: IntoIterator<Item = (K, Attr)>>(&mut self, attrs: I) {
        let attrs = attrs.into_iter();
        let (least, _) = attrs.size_hint();
        if least > 0 {
            // Most nodes have one or two, for which a list that grows makes room for four.
            Arc::make_mut(self.0.get_or_insert_default()).reserve_exact(least);
        }
        attrs.for_each(|(name, attr)| self.insert(name, attr));
    }
}

impl<K: Into<Cow<'static, str>>> FromIterator<(K, Attr)> for Attrs {
    fn from_iter<I: IntoIterator<Item = (K, Attr)>>(attrs: I) -> Self {
        let mut all = Self::new();
        all.extend(attrs);
        all
    }
}

impl<K: Into<Cow<'static, str>>, const N: usize> From<[(K, Attr); N]> for Attrs {
    fn from(attrs: [(K, Attr); N]) -> Self {
        attrs.into_iter().collect()
    }
}

/// How a window op treats the border of its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Padding {
    /// As much as the output needs to have `ceil(input / stride)` positions, the odd one at the end.
    Same,
    /// None.
    Valid,
    /// Before and after each spatial axis.
    Explicit(Vec<(usize, usize)>),
}

/// Where a window op finds the channels of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFormat {
    /// `NHWC`, `NDHWC`: TensorFlow's default.
    ChannelsLast,
    /// `NCHW`, `NCDHW`.
    ChannelsFirst,
}

impl DataFormat {
    /// The channel axis of a tensor of this rank.
    pub fn channel_axis(self, rank: usize) -> usize {
        match self {
            Self::ChannelsLast => rank.saturating_sub(1),
            Self::ChannelsFirst => 1,
        }
    }

    /// The first spatial axis.
    pub fn first_spatial_axis(self) -> usize {
        match self {
            Self::ChannelsLast => 1,
            Self::ChannelsFirst => 2,
        }
    }

    /// Of one number per axis (`strides`, `dilations`, `ksize`), those of the spatial axes.
    pub fn spatial<T: Copy>(self, per_axis: &[T]) -> Vec<T> {
        let first = self.first_spatial_axis();
        let spatial_rank = per_axis.len().saturating_sub(2);
        per_axis.iter().copied().skip(first).take(spatial_rank).collect()
    }

    /// Of one number per axis, whether those of the batch and of the channels are `expected`.
    fn has_others<T: PartialEq>(self, per_axis: &[T], expected: &T) -> bool {
        let others = [0, self.channel_axis(per_axis.len())];
        others.iter().all(|&axis| per_axis.get(axis).is_none_or(|value| value == expected))
    }
}

impl Node {
    /// An integer attribute, or TensorFlow's default for it.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        match self.attrs.get(name) {
            Some(Attr::Int(value)) => *value,
            _ => default,
        }
    }

    /// A number attribute, or TensorFlow's default for it.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        match self.attrs.get(name) {
            Some(Attr::Float(value)) => *value,
            _ => default,
        }
    }

    /// A boolean attribute, or TensorFlow's default for it.
    pub fn bool(&self, name: &str, default: bool) -> bool {
        match self.attrs.get(name) {
            Some(Attr::Bool(value)) => *value,
            _ => default,
        }
    }

    /// A text attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.attrs.get(name) {
            Some(Attr::Bytes(value)) => std::str::from_utf8(value).ok(),
            _ => None,
        }
    }

    /// An element type attribute.
    pub fn dtype(&self, name: &str) -> Option<DType> {
        match self.attrs.get(name) {
            Some(Attr::Type(value)) => Some(*value),
            _ => None,
        }
    }

    /// The function of the graph's library that an attribute names.
    ///
    /// # Errors
    /// If the attribute does not name a function.
    pub fn function(&self, name: &str) -> Result<&str> {
        match self.attrs.get(name) {
            Some(Attr::Function(function)) => Ok(function),
            _ => Err(self.error(format!("its {name} is not a function"))),
        }
    }

    /// A list of integers; empty if the attribute is absent.
    pub fn ints(&self, name: &str) -> &[i64] {
        match self.attrs.get(name) {
            Some(Attr::Ints(values)) => values,
            _ => &[],
        }
    }

    /// `data_format`: channels last unless it says otherwise.
    pub fn data_format(&self) -> DataFormat {
        match self.text("data_format") {
            Some(format) if format.starts_with("NC") => DataFormat::ChannelsFirst,
            _ => DataFormat::ChannelsLast,
        }
    }

    /// The spatial part of a list with one positive number per axis, such as `strides`; all 1 if absent.
    ///
    /// # Errors
    /// If the list is not one positive number per axis of a tensor of `rank`. TensorFlow's kernels read 32 bits of them, and refuse more:
    /// `GetNodeAttr` in `tensorflow/core/framework/node_def_util.cc`. If it is not 1 for the batch and the channels, which only max
    /// pooling puts together (`tensorflow/core/kernels/pooling_ops_common.cc`).
    pub fn spatial_sizes(&self, name: &str, rank: usize) -> Result<Vec<usize>> {
        let values = self.ints(name);
        if values.is_empty() {
            return Ok(vec![1; rank.saturating_sub(2)]);
        }
        let size = |&value: &i64| usize::try_from(i32::try_from(value).ok()?).ok().filter(|&size| size > 0);
        let sizes: Option<Vec<usize>> = values.iter().map(size).collect();
        match sizes {
            Some(sizes) if sizes.len() == rank => {
                if !self.data_format().has_others(&sizes, &1) {
                    let error = format!("its {name} {values:?} are not 1 for the batch and the channels");
                    return Err(self.error(error).unsupported());
                }
                Ok(self.data_format().spatial(&sizes))
            }
            _ => Err(self.error(format!("its {name} {values:?} are not {rank} positive numbers of 32 bits"))),
        }
    }

    /// `padding`, with `explicit_paddings` where it is `EXPLICIT`.
    ///
    /// # Errors
    /// If TensorFlow does not document this padding.
    pub fn padding(&self) -> Result<Padding> {
        match self.text("padding") {
            Some("SAME") => Ok(Padding::Same),
            Some("VALID") => Ok(Padding::Valid),
            Some("EXPLICIT") => {
                let sizes: Option<Vec<usize>> =
                    self.ints("explicit_paddings").iter().map(|&pad| usize::try_from(pad).ok()).collect();
                let (pairs, []) = sizes.as_deref().unwrap_or(&[0]).as_chunks::<2>() else {
                    return Err(self.error("its explicit_paddings are not pairs of counts"));
                };
                let pairs: Vec<(usize, usize)> =
                    pairs.iter().map(|&[before, after]| (before, after)).collect();
                if !self.data_format().has_others(&pairs, &(0, 0)) {
                    return Err(self.error("its explicit_paddings pad the batch or the channels"));
                }
                Ok(Padding::Explicit(self.data_format().spatial(&pairs)))
            }
            other => Err(self.error(format!("its padding is {}", other.unwrap_or("missing")))),
        }
    }
}
