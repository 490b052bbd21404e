//! A value for each tensor of a graph, at the position of the tensor: no names and no numbers are hashed to find it.

use super::{Graph, TensorRef};

/// A value for each tensor of a graph.
#[derive(Debug, Clone, Default)]
pub struct TensorMap<T> {
    /// For each node, the position of the value of its first output; and the number of all values.
    starts: Vec<usize>,
    values: Vec<T>,
}

impl<T: Clone> TensorMap<T> {
    /// The same value for all tensors of a graph.
    pub fn new(graph: &Graph, value: T) -> Self {
        let mut starts = Vec::with_capacity(graph.len().saturating_add(1));
        starts.push(0);
        let counts = graph.nodes().map(|(_, node)| node.outputs.len());
        starts.extend(counts.scan(0, |end: &mut usize, count| {
            *end = end.saturating_add(count);
            Some(*end)
        }));
        let values = vec![value; starts.last().copied().unwrap_or(0)];
        Self { starts, values }
    }
}

impl<T> TensorMap<T> {
    /// The value of a tensor; `None` if the graph does not have the tensor.
    pub fn get(&self, tensor: TensorRef) -> Option<&T> {
        self.values.get(self.position(tensor)?)
    }

    /// The value of a tensor, mutable.
    pub fn get_mut(&mut self, tensor: TensorRef) -> Option<&mut T> {
        let position = self.position(tensor)?;
        self.values.get_mut(position)
    }

    /// Gives a tensor of the graph another value.
    pub fn set(&mut self, tensor: TensorRef, value: T) {
        if let Some(known) = self.get_mut(tensor) {
            *known = value;
        }
    }

    /// The values of all tensors, mutable.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.values.iter_mut()
    }

    /// Other values for the same tensors.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> TensorMap<U> {
        TensorMap { starts: self.starts, values: self.values.into_iter().map(change).collect() }
    }

    fn position(&self, tensor: TensorRef) -> Option<usize> {
        let index = tensor.node.index();
        let position = self.starts.get(index)?.checked_add(tensor.port)?;
        (position < *self.starts.get(index.checked_add(1)?)?).then_some(position)
    }
}

impl<T: Clone> TensorMap<Option<T>> {
    /// The values of some tensors of a graph.
    pub fn of(graph: &Graph, values: impl IntoIterator<Item = (TensorRef, T)>) -> Self {
        let mut all = Self::new(graph, None);
        values.into_iter().for_each(|(tensor, value)| all.set(tensor, Some(value)));
        all
    }
}

impl<T> std::ops::Index<TensorRef> for TensorMap<T> {
    type Output = T;

    /// The value of a tensor of the graph.
    ///
    /// # Panics
    /// If the graph does not have the tensor.
    fn index(&self, tensor: TensorRef) -> &T {
        self.get(tensor).expect("a tensor of the graph")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attrs, Shape, TensorType};
    use crate::tensor::DType;

    #[test]
    fn each_tensor_has_a_value_of_its_own() {
        let outputs = |_: &Graph, node: &crate::graph::Node| {
            Ok(vec![TensorType::new(DType::Float32, Shape::scalar()); node.name.len()])
        };
        let mut graph = Graph::new(outputs);
        let ids = ["two", "", "a"].map(|name| graph.add(name, "Op", vec![], Attrs::new()).unwrap());
        let tensor = |index: usize, port| TensorRef { node: ids[index], port };
        let mut map = TensorMap::new(&graph, 0);
        *map.get_mut(tensor(0, 2)).unwrap() = 5;
        *map.get_mut(tensor(2, 0)).unwrap() = 7;
        assert_eq!((map[tensor(0, 2)], map[tensor(2, 0)], map[tensor(0, 0)]), (5, 7, 0));
        for missing in [tensor(0, 3), tensor(1, 0), tensor(2, 1), tensor(0, usize::MAX)] {
            assert_eq!(map.get(missing), None);
        }
        assert_eq!(map.map(|number| number * 2)[tensor(2, 0)], 14);
    }
}
