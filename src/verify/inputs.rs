//! The inputs of a model that is run: given arrays, or random ones.

use fastrand::Rng;
use ndarray::ArrayD;

use super::arrays::is_name;
use super::{Element, Input, Named, find};
use crate::error::{Error, Result};
use crate::setting::Setting;
use crate::tensor::Tensor;
use crate::tensor::element_count;

/// The most elements of a random input whose shape is given.
const MAX_ELEMENTS: usize = 1 << 28;
/// The most elements of one whose shape is that of the model, which may be damaged: a clip of 64 images has half as many.
const MAX_USUAL_ELEMENTS: usize = 1 << 24;

/// Random inputs: floats from -1 to 1, the range of slim's images, and zeros and ones for integers and booleans, which are
/// valid labels, flags and indices.
#[derive(Debug, Clone, Default)]
pub struct RandomInputs {
    /// The same seed makes the same inputs.
    pub seed: u64,
    /// The shapes of inputs, by their names.
    pub shapes: Vec<(String, Vec<usize>)>,
}

/// Where the inputs of a model come from.
#[derive(Debug, Clone)]
pub enum InputSource {
    /// Given arrays.
    Given(Vec<Named>),
    /// Random arrays.
    Random(RandomInputs),
}

impl InputSource {
    /// An array for each input, under its name.
    ///
    /// # Errors
    /// If an array is missing, or the shape of a random one is not known.
    pub fn arrays(&self, inputs: &[Input]) -> Result<Vec<Named>> {
        let listed = || inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>().join(", ");
        let is_input = |name: &str| inputs.iter().any(|input| is_name(name, &input.name));
        let none = |name: &str| {
            Error::new(format!("\"{name}\""), "the model has no such input")
                .advice(format!("its inputs are {}", listed()))
        };
        match self {
            Self::Given(arrays) => {
                if let Some((name, _)) = arrays.iter().find(|(name, _)| !is_input(name)) {
                    return Err(none(name));
                }
                let array = |input: &Input| match find(arrays, &input.name) {
                    Some((_, tensor)) => Ok((input.name.clone(), tensor.clone())),
                    None => Err(Error::new(format!("input \"{}\"", input.name), "there is no array for it")),
                };
                inputs.iter().map(array).collect()
            }
            Self::Random(RandomInputs { seed, shapes }) => {
                if let Some((name, _)) = shapes.iter().find(|(name, _)| !is_input(name)) {
                    return Err(none(name));
                }
                let mut rng = Rng::with_seed(*seed);
                let make = |input: &Input| {
                    let given = shapes.iter().find(|(name, _)| is_name(name, &input.name));
                    let (shape, most) = match given {
                        Some((_, shape)) => (shape.clone(), MAX_ELEMENTS),
                        None => (input.usual_shape()?, MAX_USUAL_ELEMENTS),
                    };
                    Ok((input.name.clone(), input.random(&mut rng, &shape, most)?))
                };
                inputs.iter().map(make).collect()
            }
        }
    }
}

/// Reads the shape of a random input, as in `images=1,224,224,3`.
///
/// # Errors
/// If the text is not of that form, or an axis has no elements.
pub fn parse_shape(given: &str) -> Result<(String, Vec<usize>)> {
    let wrong = || {
        Error::new(Setting::Shape.to(given), "it is not of the form NAME=DIMS")
            .advice("write it as NAME=1,224,224,3")
    };
    let (name, dims) = given.rsplit_once('=').ok_or_else(wrong)?;
    let dims = dims.trim_matches(['[', ']']).split([',', 'x']).map(str::trim).filter(|dim| !dim.is_empty());
    let dims: Vec<i64> = dims.map(|dim| dim.parse().ok()).collect::<Option<_>>().ok_or_else(wrong)?;
    let length = |dim: i64| usize::try_from(dim).ok().filter(|&length| length > 0);
    let lengths = dims.into_iter().map(length).collect::<Option<_>>().ok_or_else(|| {
        Error::new(Setting::Shape.to(given), "each axis of a random input needs a length of at least 1")
            .advice("write it as NAME=1,224,224,3")
    })?;
    Ok((name.to_owned(), lengths))
}

impl Input {
    /// Its shape, with a batch of one.
    fn usual_shape(&self) -> Result<Vec<usize>> {
        let advice =
            |dims: &str| format!("give it with {}", Setting::Shape.to(format!("\"{}={dims}\"", self.name)));
        let open =
            |shape: &str| Error::new(format!("input \"{}\"", self.name), format!("its shape is {shape}"));
        let Some(dims) = &self.shape else { return Err(open("not known").advice(advice("1,224,224,3"))) };
        let length = |(axis, dim): (usize, &Option<usize>)| dim.or((axis == 0).then_some(1));
        dims.iter().enumerate().map(length).collect::<Option<_>>().ok_or_else(|| {
            let dims: Vec<String> =
                dims.iter().map(|dim| dim.map_or("?".to_owned(), |dim| dim.to_string())).collect();
            open(&format!("open in more than the batch, [{}]", dims.join(", ")))
                .advice(advice(&dims.join(",").replace('?', "N")))
        })
    }

    fn random(&self, rng: &mut Rng, shape: &[usize], most: usize) -> Result<Tensor> {
        let count = element_count(shape).filter(|&count| count <= most).ok_or_else(|| {
            Error::new(
                format!("input \"{}\"", self.name),
                format!("{shape:?} is too large for a random input"),
            )
            .advice(format!("give an array, or a shape with {}", Setting::Shape))
        })?;
        fn array<T>(shape: &[usize], count: usize, make: impl FnMut() -> T) -> Option<ArrayD<T>> {
            ArrayD::from_shape_vec(shape, std::iter::repeat_with(make).take(count).collect()).ok()
        }
        match self.element {
            Element::Float => array(shape, count, || rng.f32() * 2.0 - 1.0).map(Tensor::Float32),
            Element::UInt8 => array(shape, count, || rng.u8(..)).map(Tensor::UInt8),
            Element::Integer | Element::Int8 => array(shape, count, || rng.i32(0..2)).map(Tensor::Int32),
        }
        .ok_or_else(|| Error::new(format!("input \"{}\"", self.name), format!("{shape:?} is not a shape")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(shape: Option<Vec<Option<usize>>>) -> Input {
        Input { name: "images:0".to_owned(), element: Element::Float, shape }
    }

    fn random(seed: u64, shapes: &[&str], input: Input) -> Result<Vec<Named>> {
        let shapes = shapes.iter().map(|shape| parse_shape(shape)).collect::<Result<_>>()?;
        InputSource::Random(RandomInputs { seed, shapes }).arrays(&[input])
    }

    #[test]
    fn the_same_seed_makes_the_same_input_and_another_seed_another() {
        let make = |seed| random(seed, &[], input(Some(vec![None, Some(40)]))).unwrap();
        assert_eq!(make(3), make(3));
        assert_ne!(make(3), make(4));
        let (_, tensor) = &make(3)[0];
        assert_eq!(tensor.shape(), [1, 40]);
        assert!(tensor.numbers().iter().all(|x| (-1.0..1.0).contains(x)));
    }

    #[test]
    fn lengths_that_are_open_besides_the_batch_have_to_be_given() {
        let open = || input(Some(vec![None, None, None, Some(3)]));
        let error = random(0, &[], open()).unwrap_err().to_string();
        assert!(error.contains("shapes \"images:0=N,N,N,3\""), "{error}");
        let given = random(0, &["images=2,8,8,3"], open()).unwrap();
        assert_eq!(given[0].1.shape(), [2, 8, 8, 3]);
        assert!(random(0, &["image=1,8,8,3"], open()).is_err());
        assert!(random(0, &["images"], open()).is_err());
        for shape in ["images=0,8,8,3", "images=-1,8,8,3"] {
            let error = random(0, &[shape], open()).unwrap_err().to_string();
            assert!(error.contains("needs a length of at least 1"), "{error}");
        }
    }
}
