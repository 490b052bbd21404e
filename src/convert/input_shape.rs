//! The shapes of inputs that the user sets: of single inputs, and of all images.

use crate::error::{Error, Result};
use crate::graph::Shape;
use crate::setting::{Setting, SettingValue};
use crate::suggestion::suggesting_and_listing;

/// The shape of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputShape {
    /// The name of the tensor, where `node` is short for `node:0`, or a key of the signature.
    pub tensor: String,
    /// Its shape.
    pub shape: Shape,
}

impl InputShape {
    /// Reads `NAME=DIMS`. `-1` is an axis of any length.
    ///
    /// # Errors
    /// If the text is not of that form.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |problem: &str| {
            Error::new(Setting::Shape.to(text), problem)
                .advice("write it as NAME=1,224,224,3; -1 is any length")
        };
        let (tensor, dims) = text.split_once('=').ok_or_else(|| wrong("it is not of the form NAME=DIMS"))?;
        let dims = dims.trim_matches(['[', ']']);
        let dims = dims.split([',', 'x']).map(str::trim).filter(|dim| !dim.is_empty());
        let dims: Option<Vec<Option<usize>>> = dims
            .map(|dim| if matches!(dim, "-1" | "?") { Some(None) } else { dim.parse().ok().map(Some) })
            .collect();
        let shape = Shape::new(dims.ok_or_else(|| wrong("its lengths are not numbers"))?);
        Ok(Self { tensor: tensor.to_owned(), shape })
    }

    /// The name of the tensor's node.
    pub(super) fn node(&self) -> &str {
        self.node_and_port().0
    }

    /// Which of the node's outputs the tensor is.
    pub(super) fn port(&self) -> usize {
        self.node_and_port().1
    }

    fn node_and_port(&self) -> (&str, usize) {
        let split = self.tensor.rsplit_once(':').and_then(|(node, port)| Some((node, port.parse().ok()?)));
        split.unwrap_or((&self.tensor, 0))
    }

    /// The setting with this shape.
    pub(super) fn setting(&self) -> SettingValue {
        Setting::Shape.to(format!("{}={}", self.tensor, dims_text(self.shape.dims().unwrap_or_default())))
    }

    /// The error if no input has this name.
    pub(super) fn no_such_input<'k>(&self, inputs: impl Iterator<Item = &'k str>) -> Error {
        let error = Error::new(self.setting(), "the model has no such input");
        suggesting_and_listing(error, self.node(), "its inputs", inputs)
    }
}

/// Sets the height and width of images, where the graph leaves them open.
///
/// # Errors
/// If the graph has another height or width.
pub(super) fn set_image_size(
    name: &str,
    dims: &mut [Option<usize>],
    (height, width): (usize, usize),
) -> Result<()> {
    let shape = Shape::new(dims.to_vec());
    let [batch, rows, columns, channels] = dims else { return Ok(()) };
    rows.get_or_insert(height);
    columns.get_or_insert(width);
    if (*rows, *columns) == (Some(height), Some(width)) {
        return Ok(());
    }
    let other = dims_text(&[*batch, Some(height), Some(width), *channels]);
    let setting = Setting::ImageSize.to(format!("{height}x{width}"));
    Err(Error::new(setting, format!("the graph's input {name} is {shape}")).advice(format!(
        "if the network takes images of any size, give {}",
        Setting::Shape.to(format!("{name}={other}"))
    )))
}

/// The lengths as [`InputShape::parse`] reads them.
pub(super) fn dims_text(dims: &[Option<usize>]) -> String {
    let dims = dims.iter().map(|dim| dim.map_or("-1".to_owned(), |length| length.to_string()));
    dims.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_read_in_any_of_its_forms() {
        for text in ["a:1=1,-1,3", "a:1=[1, ?, 3]", "a:1=1x-1x3"] {
            let given = InputShape::parse(text).unwrap();
            assert_eq!((given.node(), given.port()), ("a", 1), "{text}");
            assert_eq!(given.setting(), Setting::Shape.to("a:1=1,-1,3"));
        }
        let said = |text: &str| InputShape::parse(text).unwrap_err().to_string();
        assert!(said("a").contains("it is not of the form NAME=DIMS"));
        assert!(said("a=1,b").contains("its lengths are not numbers"));
    }
}
