//! Running work without the interpreter's lock. The work runs on a thread of its own, and the thread that called waits: it notices
//! Ctrl-C and reports progress.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tf2onnx_rs::cli::functions::{self, Failure, STACK_BYTES};
use tf2onnx_rs::interruption::Interruption;

use crate::errors::exception;
use crate::wording;

/// How long the caller waits before it looks for signals and progress.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long it waits for interrupted work to end. Work that takes longer to notice ends by itself later.
const GRACE: Duration = Duration::from_millis(500);

/// How many calls are at work on threads.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// The bytes that are written so far, and the bytes of all files.
#[derive(Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Records how much is done.
    pub fn set(&self, done: u64, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        // Threads report in any order.
        self.done.fetch_max(done, Ordering::Relaxed);
    }
}

/// Passes progress on to a function of the caller.
struct Reporter {
    progress: Arc<Progress>,
    callable: Option<Py<PyAny>>,
    reported: u64,
}

impl Reporter {
    fn report(&mut self, py: Python<'_>) -> PyResult<()> {
        let Some(callable) = &self.callable else { return Ok(()) };
        let (done, total) =
            (self.progress.done.load(Ordering::Relaxed), self.progress.total.load(Ordering::Relaxed));
        if done != self.reported {
            self.reported = done;
            callable.call1(py, (done, total))?;
        }
        Ok(())
    }
}

/// Counts work that is running.
struct Running;

impl Running {
    fn begin() -> Self {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs work, and returns its result. `callable` is called with the progress, on the thread of the caller.
///
/// # Errors
/// That of the work, and the exception of a signal or of `callable`, which end it.
pub fn run<T: Send + 'static>(
    py: Python<'_>,
    callable: Option<Py<PyAny>>,
    work: impl FnOnce(&Progress) -> Result<T, Failure> + Send + 'static,
) -> PyResult<T> {
    wording::use_python();
    let (sender, receiver) = mpsc::channel();
    let interruption = Interruption::default();
    let mut reporter = Reporter { progress: Arc::default(), callable, reported: 0 };
    let (of_work, progress) = (interruption.clone(), reporter.progress.clone());
    let running = Running::begin();
    let thread = std::thread::Builder::new().name("tf2onnx_rs".to_owned()).stack_size(STACK_BYTES);
    thread
        .spawn(move || {
            let result = functions::in_own_threads(&of_work, || work(&progress));
            drop(running);
            // Nobody waits for work that was interrupted.
            let _ = sender.send(result);
        })
        .map_err(|error| PyRuntimeError::new_err(format!("no thread can be started: {error}")))?;
    // A receiver alone cannot be used where the lock of the interpreter is released.
    let receiver = Mutex::new(receiver);
    let wait = |time| receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(time);
    loop {
        match py.detach(|| wait(INTERVAL)) {
            Ok(Ok(result)) => return reporter.report(py).map(|()| result),
            Ok(Err(failure)) => return Err(exception(py, &failure)),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err(
                    "the work ended unexpectedly, which is a mistake in tf2onnx_rs: report it with the input",
                ));
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(stopped) = py.check_signals().and_then(|()| reporter.report(py)) {
                    interruption.interrupt();
                    if py.detach(|| wait(GRACE)).is_err() {
                        functions::remove_temporary_files_of(&interruption);
                    }
                    return Err(stopped);
                }
            }
        }
    }
}

/// Removes the temporary files of work that has not ended when the interpreter does: that of a thread in the background. No call can follow.
#[pyfunction]
pub fn remove_temporary_files() {
    if RUNNING.load(Ordering::SeqCst) > 0 {
        functions::remove_temporary_files();
    }
}
