//! Executing ONNX models with rten, in this process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ndarray::ArrayD;
use rten::{DataType, Dimension, LoadError, LoadErrorKind, Model, ModelOptions, NodeId, Value, ValueType};
use rten_tensor::prelude::*;

use super::Named;
use super::arrays::find;
use super::executable::{Element, Input};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// The advice for a model that rten does not execute.
pub(super) const USE_ONNX_RUNTIME: &str = "compare it with ONNX Runtime, as docs/verify.md describes";

/// A model that rten has loaded.
pub(super) struct Runtime {
    path: PathBuf,
    model: Model,
}

impl Runtime {
    /// Loads a model, with the weights in the file beside it, if it has one.
    ///
    /// # Errors
    /// If it has operators that rten does not know.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let model = Self::load_as(path, true)?;
        let loaded = Self { path: path.to_owned(), model };
        // Where rten computes an output while it loads the model, the output loses its name.
        if loaded.outputs().iter().all(|name| !name.is_empty()) {
            return Ok(loaded);
        }
        Ok(Self { model: Self::load_as(path, false)?, ..loaded })
    }

    fn load_as(path: &Path, is_optimized: bool) -> Result<Model> {
        let unreadable = |error: std::io::Error| Error::unreadable(path, &error);
        let mut options = ModelOptions::with_all_ops();
        options.enable_optimization(is_optimized);
        let loaded = if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
            std::fs::File::open(path).map_err(unreadable)?;
            guarded(|| options.load_file(path))
        } else {
            // rten opens only files with that extension; others are read here.
            let bytes = std::fs::read(path).map_err(unreadable)?;
            let beside = PathBuf::from(format!("{}.data", path.display()));
            if let Ok(weights) = std::fs::read(&beside) {
                options.external_data(&beside.file_name().unwrap_or_default().to_string_lossy(), weights);
            }
            guarded(|| options.load(bytes))
        };
        match loaded {
            Ok(Ok(model)) => Ok(model),
            Ok(Err(error)) => Err(unloadable(path, &error)),
            Err(panic) => Err(cannot(path, "load", &panic)),
        }
    }

    /// The inputs of the model.
    ///
    /// # Errors
    /// If an input is not a tensor.
    pub(super) fn inputs(&self) -> Result<Vec<Input>> {
        let input = |&id: &NodeId| {
            let info = self.model.node_info(id);
            let name = self.name(id);
            let element = match info.as_ref().and_then(|info| info.dtype()) {
                Some(ValueType::Tensor(DataType::Float)) | None => Element::Float,
                Some(ValueType::Tensor(DataType::Int32)) => Element::Integer,
                Some(ValueType::Tensor(DataType::UInt8)) => Element::UInt8,
                Some(ValueType::Tensor(DataType::Int8)) => Element::Int8,
                Some(other) => {
                    return Err(cannot(&self.path, "execute", &format!("its input {name} is {other}")));
                }
            };
            let dim = |dim: Dimension| match dim {
                Dimension::Fixed(length) => Some(length),
                Dimension::Symbolic(_) => None,
            };
            let shape = info.and_then(|info| info.shape());
            Ok(Input { name, element, shape: shape.map(|dims| dims.into_iter().map(dim).collect()) })
        };
        self.model.input_ids().iter().map(input).collect()
    }

    /// The names of the outputs.
    pub(super) fn outputs(&self) -> Vec<String> {
        self.model.output_ids().iter().map(|&id| self.name(id)).collect()
    }

    fn name(&self, id: NodeId) -> String {
        self.model.node_info(id).and_then(|info| info.name()).unwrap_or_default().to_owned()
    }

    /// Executes the model and returns its outputs.
    ///
    /// # Errors
    /// If an input is missing or has another type or shape, or the runtime cannot execute an operator.
    pub(super) fn run(&self, given: &[Named]) -> Result<Vec<Named>> {
        let mut values = vec![];
        for (input, &id) in self.inputs()?.iter().zip(self.model.input_ids()) {
            let within = |error: Error| error.within(self.path.display());
            let (_, tensor) = find(given, &input.name).ok_or_else(|| {
                within(Error::new(format!("input \"{}\"", input.name), "there is no array for it"))
            })?;
            values.push((id, input.value(tensor).map_err(within)?.into()));
        }
        let executed = guarded(|| self.model.run(values, self.model.output_ids(), None));
        let outputs = match executed {
            Ok(Ok(outputs)) => outputs,
            Ok(Err(error)) => return Err(cannot(&self.path, "execute", &error)),
            Err(panic) => return Err(cannot(&self.path, "execute", &panic)),
        };
        let named = self.outputs().into_iter().zip(outputs);
        named
            .map(|(name, value)| match tensor(value) {
                Some(tensor) => Ok((name, tensor)),
                None => Err(cannot(&self.path, "execute", &format!("its output {name} is not a tensor"))),
            })
            .collect()
    }
}

/// The panic hook belongs to the whole program: only one caller at a time may replace it.
static QUIET: Mutex<()> = Mutex::new(());

/// Calls the runtime, which panics on some models. A panic becomes an error with its message.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    let _quiet = QUIET.lock();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let done = catch_unwind(AssertUnwindSafe(call));
    std::panic::set_hook(hook);
    done.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("it panicked").lines().next().unwrap_or_default().to_owned()
    })
}

fn unloadable(path: &Path, error: &LoadError) -> Error {
    match error.kind() {
        LoadErrorKind::ParseError | LoadErrorKind::UnknownFileType => {
            Error::file(path, format!("it is not an ONNX model: {error}"))
        }
        LoadErrorKind::ExternalDataError => Error::file(path, format!("its weights cannot be read: {error}"))
            .advice("keep the file with the weights beside it, under its original name"),
        _ => cannot(path, "load", error),
    }
}

/// The error for a model that rten cannot load or execute. The reason may have names of the model in it, which need not be text.
pub(super) fn cannot(path: &Path, what: &str, why: &dyn std::fmt::Display) -> Error {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let why: String = why.to_string().chars().map(shown).collect();
    Error::file(path, format!("the runtime rten cannot {what} it: {why}")).advice(USE_ONNX_RUNTIME)
}

impl Input {
    /// A tensor in the runtime's type.
    fn value(&self, tensor: &Tensor) -> Result<Value> {
        let subject = || format!("input \"{}\"", self.name);
        let fits = |shape: &[Option<usize>]| {
            shape.len() == tensor.shape().len()
                && shape.iter().zip(tensor.shape()).all(|(dim, length)| dim.is_none_or(|dim| dim == *length))
        };
        if let Some(shape) = self.shape.as_ref().filter(|shape| !fits(shape)) {
            let dims: Vec<String> =
                shape.iter().map(|dim| dim.map_or("?".to_owned(), |dim| dim.to_string())).collect();
            let problem = format!(
                "the array has the shape {:?}, and the input has [{}]",
                tensor.shape(),
                dims.join(", ")
            );
            return Err(Error::new(subject(), problem));
        }
        fn of<T, V: From<rten_tensor::Tensor<T>>>(shape: &[usize], elements: Vec<T>) -> V {
            rten_tensor::Tensor::from_data(shape, elements).into()
        }
        let shape = tensor.shape();
        let too_large =
            || Error::new(subject(), "the runtime has integers of 32 bits, and some of these are larger");
        let integers = || -> Result<Vec<i32>> {
            match tensor {
                Tensor::Bool(array) => Ok(array.iter().map(|&flag| flag.into()).collect()),
                Tensor::UInt8(array) => Ok(array.iter().map(|&element| element.into()).collect()),
                _ => {
                    let integers = tensor.integers().unwrap_or_default().into_iter();
                    integers.map(|element| i32::try_from(element).map_err(|_| too_large())).collect()
                }
            }
        };
        let small = |element: i32| i8::try_from(element).map_err(|_| too_large());
        Ok(match (self.element, tensor) {
            (Element::Float, Tensor::Float32(array)) => of(shape, array.iter().copied().collect()),
            (Element::Float, Tensor::Float64(array)) => of(shape, array.iter().map(|&x| x as f32).collect()),
            (Element::UInt8, Tensor::UInt8(array)) => of(shape, array.iter().copied().collect()),
            (Element::Integer, Tensor::Int32(_) | Tensor::Int64(_) | Tensor::Bool(_) | Tensor::UInt8(_)) => {
                of(shape, integers()?)
            }
            (Element::Int8, Tensor::Int32(_)) => {
                of(shape, integers()?.into_iter().map(small).collect::<Result<Vec<i8>>>()?)
            }
            (element, _) => {
                let wanted = match element {
                    Element::Float => "floats",
                    Element::Integer => "integers or booleans",
                    Element::UInt8 => "uint8",
                    Element::Int8 => "int8",
                };
                let problem = format!(
                    "the array has elements of type {}, and the model takes {wanted}",
                    tensor.dtype()
                );
                return Err(Error::new(subject(), problem));
            }
        })
    }
}

/// A result of the runtime; `None` if it is not a tensor of numbers.
fn tensor(value: Value) -> Option<Tensor> {
    fn array<T: Clone>(tensor: &rten_tensor::Tensor<T>) -> Option<ArrayD<T>> {
        ArrayD::from_shape_vec(tensor.shape().to_vec(), tensor.to_vec()).ok()
    }
    Some(match value {
        Value::FloatTensor(tensor) => Tensor::Float32(array(&tensor)?),
        Value::Int32Tensor(tensor) => Tensor::Int32(array(&tensor)?),
        Value::UInt8Tensor(tensor) => Tensor::UInt8(array(&tensor)?),
        Value::Int8Tensor(tensor) => Tensor::Int32(array(&tensor)?.mapv(i32::from)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_whatever_the_model_has_in_its_names() {
        let error = cannot(Path::new("m.onnx"), "load", &"in node \"a\nb\tc\"").to_string();
        assert!(error.contains(r#"in node "a\nb\tc""#) && error.lines().count() == 1, "{error}");
    }
}
