//! Converting many inputs at a time.
//!
//! Each job is a thread that converts one input after the other. It has its share of the cores in a rayon pool of its own.
//! With a single pool, a thread that waits inside one conversion could start another: nothing would limit the number of
//! models in memory, and small models would wait for the weights of large ones.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use rayon::ThreadPoolBuilder;

use super::display::{Display, JobBar};
use super::inputs::Input;
use super::state::{Record, Stamp};
use crate::cli::convert::{Converted, Summary, convert_model};
use crate::cli::internal_error::guarded;
use crate::error::{Error, Result};
use crate::output::make_folder;
use crate::source::Source;

/// An input that is done.
#[derive(Debug)]
pub struct Finished<'a> {
    pub input: &'a Input,
    pub outcome: Result<Done>,
    pub seconds: f64,
}

/// The result of a conversion.
#[derive(Debug)]
pub struct Done {
    pub record: Record,
    /// The warnings about the model, without their severity.
    pub warnings: Vec<String>,
    /// The summary as text, if all summaries are printed.
    pub text: Option<String>,
}

/// The stack of a thread that converts. It is as large as the main thread's, on which `convert` runs, so that the same deep
/// graphs fit. Unused parts of it take no memory.
const STACK_BYTES: usize = 8 << 20;

/// How inputs are converted.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    pub out_dir: &'a Path,
    /// The number of conversions at a time.
    pub jobs: usize,
    /// Whether to start no more conversions after the first failure.
    pub fail_fast: bool,
    /// Whether to make summaries as text.
    pub verbose: bool,
}

impl Work<'_> {
    /// Converts the inputs, the largest first. Calls `finished` for each when it is done, on the calling thread.
    pub fn run<'a>(self, inputs: &[&'a Input], display: &Display, mut finished: impl FnMut(Finished<'a>)) {
        let mut queue: Vec<&'a Input> = inputs.to_vec();
        // If a large model came last, the other threads would be idle.
        queue.sort_by_key(|input| std::cmp::Reverse(input.bytes));
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (sender, results) = mpsc::channel();
        std::thread::scope(|scope| {
            let jobs = self.jobs.min(queue.len());
            for _ in 0..jobs {
                let (sender, queue, next, stop) = (sender.clone(), &queue, &next, &stop);
                scope.spawn(move || {
                    let threads = (cores() / jobs).max(1);
                    let pool = ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES).build();
                    while !stop.load(Ordering::Relaxed)
                        && let Some(input) = queue.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        let start = Instant::now();
                        let bar = display.job(&input.path);
                        let subject = input.path.display().to_string();
                        let outcome = guarded(&subject, || match &pool {
                            Ok(pool) => pool.install(|| self.convert(input, &bar)),
                            // If the system has no more threads, the job's own does the work.
                            Err(_) => self.convert(input, &bar),
                        });
                        drop(bar);
                        if outcome.is_err() && self.fail_fast {
                            stop.store(true, Ordering::Relaxed);
                        }
                        let seconds = start.elapsed().as_secs_f64();
                        if sender.send(Finished { input, outcome, seconds }).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            for result in results {
                finished(result);
            }
        });
    }

    fn convert(self, input: &Input, bar: &JobBar) -> Result<Done> {
        let start = Instant::now();
        let args = input.choices.to_args().map_err(|problem| Error::file(&input.path, problem))?;
        let source = Source::open(&input.path, &args.open_options())?;
        // Taken before the weights are read: a file that changes meanwhile counts as changed the next time.
        let sources = sources(input, &source);
        let output = self.out_dir.join(&input.output);
        if let Some(folder) = output.parent() {
            make_folder(folder)?;
        }
        let progress = |done, total| bar.advance(done, total);
        let (converted, pending) =
            convert_model(&source, start, &output, (&input.choices, &args), &progress)?;
        pending.persist()?;
        let Converted { conversion, written, verification, seconds, .. } = converted;
        let summary = Summary::new(&input.path, &output, &conversion, &written, seconds)
            .with_source(&source)
            .with_verification(verification.as_ref());
        let text = self.verbose.then(|| summary.text(&conversion, true));
        // Through text, since serde_json::to_value would turn an f32 epsilon of 0.001 into 0.0010000000474974513.
        let summary = serde_json::to_string(&summary).and_then(|text| serde_json::from_str(&text)).map_err(
            |error| Error::file(&input.path, format!("the summary cannot be written as JSON: {error}")),
        )?;
        let files: Vec<PathBuf> = std::iter::once(output).chain(written.external_data).collect();
        let warnings = conversion.notes.iter().filter(|note| note.is_warning());
        let warnings = warnings.map(|note| note.text.clone()).collect();
        Ok(Done { record: Record::new(input, sources, self.out_dir, &files, summary), warnings, text })
    }
}

/// The cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The files that determine the output.
fn sources(input: &Input, source: &Source) -> Vec<Stamp> {
    let mut files = source.files();
    if input.path.is_dir() {
        // This file names the latest checkpoint of the folder.
        files.push(input.path.join("checkpoint"));
    }
    files.extend(input.choices.files());
    files.iter().map(|file| Stamp::of(file)).collect()
}
