//! The module `tf2onnx_rs._native`: the functions of the library in the types of Python. The classes of the package, which its
//! users see, are written in Python.

mod checkpoint;
mod errors;
mod functions;
mod wording;
mod work;

use pyo3::prelude::*;

/// The native part of `tf2onnx_rs`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<checkpoint::Checkpoint>()?;
    module.add_class::<checkpoint::Elements>()?;
    module.add_function(wrap_pyfunction!(functions::main, module)?)?;
    module.add_function(wrap_pyfunction!(functions::parameters, module)?)?;
    module.add_function(wrap_pyfunction!(functions::did_you_mean, module)?)?;
    module.add_function(wrap_pyfunction!(functions::convert, module)?)?;
    module.add_function(wrap_pyfunction!(functions::inspect, module)?)?;
    module.add_function(wrap_pyfunction!(functions::networks, module)?)?;
    module.add_function(wrap_pyfunction!(functions::verify, module)?)?;
    module.add_function(wrap_pyfunction!(functions::run_models_with, module)?)?;
    module.add_function(wrap_pyfunction!(functions::run_model, module)?)?;
    module.add_function(wrap_pyfunction!(work::remove_temporary_files, module)?)?;
    Ok(())
}
