//! The tensors of a checkpoint, for NumPy.

use std::borrow::Cow;
use std::path::PathBuf;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use rayon::prelude::*;
use tf2onnx_rs::checkpoint::StoredTensor;
use tf2onnx_rs::cli::functions::in_shared_threads;
use tf2onnx_rs::npy;
use tf2onnx_rs::source::{OpenOptions, Source};
use tf2onnx_rs::tensor::{DType, ElementSource};

use crate::errors::of_error;
use crate::wording;

/// The bytes of a tensor from which it is read on several threads, and the bytes of each thread's part.
const LARGE_BYTES: usize = 1 << 20;
/// The bytes of a tensor from which other threads of Python run meanwhile.
const DETACHED_BYTES: usize = 64 << 10;

/// An open checkpoint.
#[pyclass(frozen, module = "tf2onnx_rs._native")]
pub struct Checkpoint {
    /// Keeps the temporary files of an archive, and knows what the user calls them.
    source: Option<Source>,
    tensors: tf2onnx_rs::Checkpoint,
}

/// What a tensor contains: numbers, or strings in C order.
#[derive(IntoPyObject)]
enum Contents<'py> {
    Numbers(Bound<'py, Elements>),
    Strings(Vec<Bound<'py, PyBytes>>),
}

#[pymethods]
impl Checkpoint {
    /// Opens a checkpoint, or the one of a SavedModel or an archive.
    #[new]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        wording::use_python();
        let open = || {
            // The graph beside a checkpoint is not read: it may be damaged, or too new.
            if let Ok(tensors) = tf2onnx_rs::Checkpoint::open(&path) {
                return Ok((None, tensors));
            }
            let source = Source::open(&path, &OpenOptions::default())?;
            let tensors = source.weights().map_err(|error| source.error(error))?.clone();
            Ok((Some(source), tensors))
        };
        let (source, tensors) = py.detach(open).map_err(|error| of_error(py, &error))?;
        Ok(Self { source, tensors })
    }

    /// The path: the V1 file, or the prefix of the V2 files.
    fn path(&self) -> PathBuf {
        let path = self.tensors.path();
        self.source.as_ref().map_or_else(|| path.to_owned(), |source| source.shown_path(path))
    }

    /// The version of the format: `V1` or `V2`.
    fn version(&self) -> String {
        self.tensors.version().to_string()
    }

    /// The names of the tensors, sorted.
    fn names(&self) -> Vec<&str> {
        self.tensors.tensors().map(StoredTensor::name).collect()
    }

    /// The type and the shape of a tensor; `None` if there is no such tensor.
    fn describe<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<(&str, Bound<'py, PyTuple>)>> {
        let Some(tensor) = self.tensors.get(name) else { return Ok(None) };
        Ok(Some((tensor.type_name(), PyTuple::new(py, tensor.shape())?)))
    }

    /// The elements of a tensor; `None` if there is no such tensor.
    fn read<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Contents<'py>>> {
        let Some(tensor) = self.tensors.get(name) else { return Ok(None) };
        let failed = |error| match &self.source {
            Some(source) => of_error(py, &source.error(error)),
            None => of_error(py, &error),
        };
        if tensor.dtype() == DType::String {
            let strings = py.detach(|| tensor.strings()).map_err(failed)?;
            let strings = strings.iter().map(|string| PyBytes::new(py, string));
            return Ok(Some(Contents::Strings(strings.collect())));
        }
        let elements = match tensor.element_size().unwrap_or(1) * tensor.shape().iter().product::<usize>() {
            LARGE_BYTES.. => py.detach(|| in_shared_threads(|| Elements::read(tensor))),
            DETACHED_BYTES.. => py.detach(|| Elements::read(tensor)),
            _ => Elements::read(tensor),
        };
        Ok(Some(Contents::Numbers(Bound::new(py, elements.map_err(failed)?)?)))
    }
}

/// The elements of a tensor, in the mapped file or in memory. NumPy makes an array of it, which keeps it.
#[pyclass(frozen, module = "tf2onnx_rs._native")]
pub struct Elements {
    /// Keeps the file mapped.
    tensor: StoredTensor,
    /// The elements, unless they are used where they are in the file.
    read: Option<Vec<u8>>,
    /// The address of the first element.
    address: usize,
}

impl Elements {
    fn read(tensor: &StoredTensor) -> tf2onnx_rs::error::Result<Self> {
        let size = tensor.element_size().unwrap_or(1);
        let (address, read) = match tensor.bits()? {
            Cow::Borrowed(bytes) => {
                let address = bytes.as_ptr() as usize;
                let is_aligned = address.is_multiple_of(size.min(align_of::<u64>()));
                let copy = (!is_aligned).then(|| copied(bytes));
                if copy.is_none() {
                    tensor.leave_mapped();
                }
                (address, copy)
            }
            Cow::Owned(bytes) => (0, Some(bytes)),
        };
        let address = read.as_ref().map_or(address, |read| read.as_ptr() as usize);
        Ok(Self { tensor: tensor.clone(), read, address })
    }
}

/// A copy. Most of the time is that of the system, which provides the memory page by page: threads share this.
fn copied(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() < LARGE_BYTES {
        return bytes.to_vec();
    }
    let mut copy = vec![0; bytes.len()];
    let parts = copy.par_chunks_mut(LARGE_BYTES).zip(bytes.par_chunks(LARGE_BYTES));
    parts.for_each(|(to, from)| to.copy_from_slice(from));
    copy
}

#[pymethods]
impl Elements {
    /// Whether the elements are in the mapped file.
    #[getter]
    fn is_mapped(&self) -> bool {
        self.read.is_none()
    }

    /// The name of the type in the package ml_dtypes, for a type that NumPy does not have. The array has its bits as integers.
    #[getter]
    fn extended(&self) -> Option<&'static str> {
        let is_numpys = self.tensor.dtype().size().is_some() && self.tensor.dtype() != DType::BFloat16;
        (!is_numpys).then(|| self.tensor.type_name())
    }

    /// NumPy's description of an array: <https://numpy.org/doc/stable/reference/arrays.interface.html>.
    #[getter(__array_interface__)]
    fn array_interface<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let interface = PyDict::new(py);
        interface.set_item(intern!(py, "version"), 3)?;
        interface.set_item(intern!(py, "shape"), PyTuple::new(py, self.tensor.shape())?)?;
        // Narrow types that only ml_dtypes has are bytes here.
        interface.set_item(intern!(py, "typestr"), npy::descr(self.tensor.dtype()).unwrap_or("|u1"))?;
        // It is read-only.
        interface.set_item(intern!(py, "data"), (self.address, true))?;
        Ok(interface)
    }
}
