//! The runtime in a process of its own. A damaged model can make it allocate without end, or compute without end: then the process
//! ends, and the program that started it says so.
//!
//! The process is the same program, started with [`CHILD`] as its first argument. It ends when its standard input does, so that it
//! never outlives the program that started it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::executable::Input;
use super::limits::{Limits, physical_memory};
use super::runtime::{Runtime, USE_ONNX_RUNTIME, cannot};
use super::{Named, message};
use crate::error::{Error, Result};
use crate::interruption;
use crate::tensor::Tensor;

/// The first argument of a process that runs a model. Then follow the memory that it may use, and the path of the model.
pub const CHILD: &str = "run-model";

/// The command that starts such a process.
static COMMAND: OnceLock<Vec<OsString>> = OnceLock::new();

/// Models run in processes that this command starts, with [`CHILD`] and what follows it as further arguments: it calls
/// [`serve`] with these. Without it, they run in the process of the caller, as the library cannot start another program.
pub fn run_models_with(command: Vec<OsString>) {
    // The first one counts.
    let _ = COMMAND.set(command);
}

/// How often interruptions are looked for.
const INTERVAL: Duration = Duration::from_millis(50);
/// The most bytes of what a process says about its end.
const SAID_BYTES: u64 = 4096;

/// What a process says when it has loaded its model.
#[derive(Serialize, Deserialize)]
pub(super) struct Loaded {
    pub(super) inputs: Result<Vec<Input>, Failure>,
    pub(super) outputs: Vec<String>,
}

/// A request to run the model, with this much memory.
#[derive(Serialize, Deserialize)]
struct Run {
    memory: u64,
}

/// What a process may use for a task.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    /// The bytes that it may allocate.
    memory: u64,
    /// How long it may take.
    seconds: u64,
}

impl Allowance {
    fn of(limits: &Limits, model: u64, inputs: u64) -> Self {
        Self { memory: limits.memory(model, inputs), seconds: limits.seconds(model, inputs) }
    }
}

/// The answer: the outputs are beside it.
#[derive(Serialize, Deserialize)]
enum Answer {
    Loaded(Loaded),
    Done,
    Failed(Failure),
}

/// An error on its way to another process.
#[derive(Serialize, Deserialize)]
pub(super) struct Failure {
    subject: String,
    problem: String,
    advice: Option<String>,
}

impl Failure {
    fn of(error: &Error) -> Self {
        Self {
            subject: error.subject().to_owned(),
            problem: error.problem().to_owned(),
            advice: error.advised().map(str::to_owned),
        }
    }

    pub(super) fn error(self) -> Error {
        let error = Error::new(self.subject, self.problem);
        match self.advice {
            Some(advice) => error.advice(advice),
            None => error,
        }
    }
}

type Received = io::Result<(Answer, Vec<Named>)>;

/// A process that has loaded a model.
pub(super) struct Process {
    path: PathBuf,
    /// The size of the model and its weights.
    bytes: u64,
    limits: Limits,
    running: Mutex<Running>,
}

struct Running {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<Received>,
    /// What it writes to standard error.
    said: Option<JoinHandle<Vec<u8>>>,
}

impl Process {
    /// Starts a process that loads a model; `None` if this program has no command for it.
    pub(super) fn load(path: &Path, bytes: u64, limits: &Limits) -> Result<Option<(Self, Loaded)>> {
        let Some(command) = COMMAND.get() else { return Ok(None) };
        let allowance = Allowance::of(limits, bytes, 0);
        let mut running = Running::start(command, allowance.memory, path).map_err(|error| {
            Error::file(path, format!("no process can be started that runs it: {error}")).caused_by(&error)
        })?;
        let answer = running.answer(path, "load", (limits, allowance))?;
        let process = Self { path: path.to_owned(), bytes, limits: *limits, running: Mutex::new(running) };
        match answer {
            (Answer::Loaded(loaded), _) => Ok(Some((process, loaded))),
            (Answer::Failed(failure), _) => Err(failure.error()),
            (Answer::Done, _) => Err(process.unexpected()),
        }
    }

    /// Executes the model.
    pub(super) fn run(&self, given: &[Named]) -> Result<Vec<Named>> {
        let allowance = Allowance::of(&self.limits, self.bytes, bytes_of(given));
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // If the process has ended, it cannot be written to, and the answer says why.
        let _ = message::write(&running.requests, &Run { memory: allowance.memory }, given);
        match running.answer(&self.path, "execute", (&self.limits, allowance))? {
            (Answer::Done, outputs) => Ok(outputs),
            (Answer::Failed(failure), _) => Err(failure.error()),
            (Answer::Loaded(_), _) => Err(self.unexpected()),
        }
    }

    fn unexpected(&self) -> Error {
        cannot(&self.path, "execute", &"its process answers something else than it was asked")
    }
}

fn bytes_of(arrays: &[Named]) -> u64 {
    let elements = |tensor: &Tensor| tensor.shape().iter().product::<usize>();
    let bytes = |tensor: &Tensor| elements(tensor) * tensor.dtype().size().unwrap_or(1);
    arrays.iter().map(|(_, tensor)| bytes(tensor) as u64).sum()
}

impl Running {
    fn start(command: &[OsString], memory: u64, path: &Path) -> io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments).args([CHILD, &memory.to_string()]).arg(path);
        // Its last words are one line.
        command.env("RUST_BACKTRACE", "0");
        // The limit on memory would count the arenas that mimalloc reserves before they are used.
        command.env("MIMALLOC_DISALLOW_ARENA_ALLOC", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // Ctrl-C is for the program that started it, which ends it.
            command.process_group(0);
        }
        let mut child = command.spawn()?;
        let (Some(requests), Some(out), Some(err)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let said = std::thread::Builder::new().spawn(move || beginning_of(err))?;
        Ok(Self { child, requests, answers: answers(out)?, said: Some(said) })
    }

    /// Waits for the answer to a request.
    fn answer(
        &mut self,
        path: &Path,
        what: &str,
        limited: (&Limits, Allowance),
    ) -> Result<(Answer, Vec<Named>)> {
        let begun = Instant::now();
        let most = Duration::from_secs(limited.1.seconds);
        loop {
            interruption::check()?;
            let left = most.saturating_sub(begun.elapsed());
            match self.answers.recv_timeout(left.min(INTERVAL)) {
                Ok(Ok(answer)) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if !left.is_zero() => {}
                Err(RecvTimeoutError::Timeout) => return Err(too_slow(path, what, limited)),
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.end(path, what, limited));
                }
            }
        }
    }

    /// The error for a process that has ended.
    fn end(&mut self, path: &Path, what: &str, limited: (&Limits, Allowance)) -> Error {
        let _ = self.child.kill();
        let status = self.child.wait();
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        // Where a panic was comes before what it was.
        let is_said = |line: &&str| !line.is_empty() && !line.contains(" panicked at ");
        let said = said.lines().map(str::trim).find(is_said);
        if let Some(asked) = said.and_then(allocation) {
            return beyond(path, what, asked, limited);
        }
        let status = status.as_ref().map_or_else(io::Error::to_string, ExitStatus::to_string);
        cannot(path, what, &format!("its process ended: {}", said.unwrap_or(&status)))
    }
}

/// The error for a model that does not end in time.
fn too_slow(path: &Path, what: &str, (limits, Allowance { seconds, .. }): (&Limits, Allowance)) -> Error {
    let problem = format!("the runtime rten did not {what} it within {seconds} s");
    let advice = format!("give it longer with {}, or {USE_ONNX_RUNTIME}", limits.longer(seconds));
    Error::file(path, problem).advice(advice)
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Receives answers until the process ends.
fn answers(mut out: ChildStdout) -> io::Result<Receiver<Received>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new().spawn(move || {
        loop {
            let answer = message::read(&mut out);
            let is_last = answer.is_err();
            if sender.send(answer).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// Reads all of a pipe, and keeps its beginning.
fn beginning_of(mut pipe: ChildStderr) -> Vec<u8> {
    let mut beginning = vec![];
    let read = (&mut pipe).take(SAID_BYTES).read_to_end(&mut beginning);
    let _ = read.and_then(|_| io::copy(&mut pipe, &mut io::sink()));
    beginning
}

/// How much the process asked for, if its last words are those of Rust's allocator (`std::alloc::handle_alloc_error`).
fn allocation(said: &str) -> Option<u64> {
    said.strip_prefix("memory allocation of ")?.split(' ').next()?.parse().ok()
}

/// The error for a model that needs more memory than it may have.
fn beyond(
    path: &Path,
    what: &str,
    asked: u64,
    (limits, Allowance { memory, .. }): (&Limits, Allowance),
) -> Error {
    let asks = format!("it asks for {} of memory at once", gigabytes(asked));
    match physical_memory().filter(|physical| *physical < asked) {
        Some(physical) => {
            cannot(path, what, &format!("{asks}, and this machine has {}", gigabytes(physical)))
        }
        None => {
            let advice = format!(
                "allow more with {}, or {USE_ONNX_RUNTIME}",
                limits.larger(memory.saturating_add(asked))
            );
            cannot(path, what, &format!("{asks}, and may have {}", gigabytes(memory))).advice(advice)
        }
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// Runs the model for the process that started this one, until that closes standard input. `arguments` are those that follow
/// [`CHILD`]. Returns the exit status.
pub fn serve(arguments: &[OsString]) -> u8 {
    let [memory, path] = arguments else { return 2 };
    let Some(memory) = memory.to_str().and_then(|memory| memory.parse().ok()) else { return 2 };
    limit_memory(memory);
    end_first_where_memory_is_short();
    let requests = requests();
    let answer = |answer: Answer, outputs: &[Named]| message::write(io::stdout().lock(), &answer, outputs);
    let runtime = match Runtime::load(Path::new(path)) {
        Ok(runtime) => runtime,
        Err(error) => return u8::from(answer(Answer::Failed(Failure::of(&error)), &[]).is_err()),
    };
    let loaded =
        Loaded { inputs: runtime.inputs().map_err(|error| Failure::of(&error)), outputs: runtime.outputs() };
    if answer(Answer::Loaded(loaded), &[]).is_err() {
        return 1;
    }
    for (Run { memory }, inputs) in requests {
        limit_memory(memory);
        let answered = match runtime.run(&inputs) {
            Ok(outputs) => answer(Answer::Done, &outputs),
            Err(error) => answer(Answer::Failed(Failure::of(&error)), &[]),
        };
        if answered.is_err() {
            return 1;
        }
    }
    0
}

/// Receives requests on a thread, which ends this process with its standard input, also while a model runs.
fn requests() -> Receiver<(Run, Vec<Named>)> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Ok(request) = message::read(&mut input) {
            if sender.send(request).is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    receiver
}

/// Allocations beyond this limit fail. It does not count mapped files, nor addresses that are only reserved. A process that ends so
/// leaves no file with its memory behind.
///
/// If the system does not set the limit, the process ends when the memory of the machine does.
#[cfg(target_os = "linux")]
fn limit_memory(bytes: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    for (resource, limit) in [(Resource::Data, bytes), (Resource::Core, 0)] {
        let Rlimit { maximum, .. } = getrlimit(resource);
        let current = Some(maximum.map_or(limit, |maximum| maximum.min(limit)));
        let _ = setrlimit(resource, Rlimit { current, maximum });
    }
}

#[cfg(not(target_os = "linux"))]
fn limit_memory(_: u64) {}

/// Where memory runs out, the system is to end this process and not the one that started it (`proc_pid_oom_score_adj(5)`).
fn end_first_where_memory_is_short() {
    let file = std::fs::File::options().write(true).open("/proc/self/oom_score_adj");
    let _ = file.and_then(|mut file| file.write_all(b"1000"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_parts_on_the_way() {
        for error in [Error::new("input \"x\"", "has no array").advice("give one"), Error::file("a", "b")] {
            assert_eq!(Failure::of(&error).error(), error);
        }
    }

    #[test]
    fn last_words_of_the_allocator_are_understood() {
        assert_eq!(allocation("memory allocation of 8796093022208 bytes failed"), Some(8_796_093_022_208));
        assert_eq!(allocation("thread 'main' has overflowed its stack"), None);
    }
}
