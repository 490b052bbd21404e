//! `tf2onnx-rs batch`
//!
//! `inputs` finds the inputs: paths, folders, a `list`, or a `manifest` with options. `names` gives the outputs their names.
//! `shard` chooses the inputs of this process, and `state` knows which of them are done. `work` converts them. `report`,
//! `failures` and `display` show the results.

mod display;
mod failures;
mod inputs;
mod list;
mod manifest;
mod names;
mod report;
mod shard;
mod state;
mod work;

use std::path::{Path, PathBuf};
use std::time::Instant;

use glob::Pattern;

use self::display::Display;
use self::failures::Failures;
use self::inputs::{Input, Inputs, Search};
use self::report::{BatchReport, Line, Status};
use self::shard::Shard;
use self::state::{Done, StateFile};
use self::work::{Finished, Work};
use super::convert::choices::Choices;
use super::{interrupt, output};
use crate::error::{Error, Result};
use crate::output::{make_folder, refuse_overwriting, refuse_same_path, resolved_path};
use crate::temporary::remove_abandoned;

/// Converts many models into a folder.
///
/// The run goes on after a failure. The exit status is 1 if any input failed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  tf2onnx-rs batch checkpoints/ --out-dir onnx
  tf2onnx-rs batch 'runs/*/model.ckpt-5000.index' --out-dir onnx --opset 15 --resume
  find /data -name '*.ckpt' | tf2onnx-rs batch - --out-dir onnx --report done.jsonl
  tf2onnx-rs batch --manifest models.toml --out-dir onnx --jobs 4
  tf2onnx-rs batch checkpoints/ --out-dir onnx --resume --shard 2/8")]
pub struct Args {
    /// Inputs of `convert`, folders to search for them, patterns in quotes, or - for a list of paths on standard input, one
    /// on each line (lines that begin with # are comments)
    #[arg(value_name = "INPUT", required_unless_present = "manifest")]
    named: Vec<PathBuf>,
    /// The folder for the models; it is created if it does not exist
    #[arg(long, value_name = "DIR")]
    out_dir: PathBuf,
    /// A file that lists models, with the names of their outputs and options for each
    #[arg(long, value_name = "FILE.toml")]
    manifest: Option<PathBuf>,
    /// Outputs keep the subfolders of their inputs below this folder
    #[arg(long, value_name = "DIR")]
    relative_to: Option<PathBuf>,
    /// Leave out what matches in folders and patterns: a name, or a path relative to the folder (repeatable)
    #[arg(long, value_name = "PATTERN", value_parser = Pattern::new)]
    exclude: Vec<Pattern>,
    /// Convert the checkpoints of all steps in a training folder, not only the latest
    #[arg(long)]
    all_checkpoints: bool,
    /// The number of models to convert at a time [default: the number of cores]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<usize>,
    /// Skip inputs that were converted before and have not changed since
    #[arg(long)]
    resume: bool,
    /// Start no more conversions after the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Print what would be converted, and convert nothing
    #[arg(long)]
    dry_run: bool,
    /// Convert only shard K of N [default: the task of a Slurm array or a Kubernetes Indexed Job]
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// The number of shards, if the cluster does not set it
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "shard")]
    shards: Option<usize>,
    /// Convert all inputs, even in a task of a cluster
    #[arg(long, conflicts_with_all = ["shard", "shards"])]
    no_shard: bool,
    /// Write a line of JSON for each input when it is done; a dry run writes none
    #[arg(long, value_name = "FILE.jsonl", value_parser = report::destination)]
    report: Option<PathBuf>,
    /// Print the lines of the report
    #[arg(long)]
    json: bool,
    /// Print only failures
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Print the whole summary of each conversion
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    choices: Choices,
}

pub fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let (shard, variable) = args.shard()?;
    let found = args.find()?;
    let sizes: Vec<u64> = found.inputs.iter().map(|input| input.bytes).collect();
    let own: Vec<&Input> = shard.of_inputs(&sizes).into_iter().map(|index| &found.inputs[index]).collect();
    if !args.quiet {
        found.notes.iter().for_each(|note| output::warn(&format!("note: {note}")));
        if shard.is_part() || variable.is_some() {
            let by = variable.map(|variable| format!(" (from {variable})")).unwrap_or_default();
            let of = output::count(found.inputs.len(), "input");
            output::warn(&format!("shard {}/{}{by}: {} of {of}", shard.number, shard.of, own.len()));
        }
    }
    let done = if args.resume { Some(Done::read(&args.out_dir)?) } else { None };
    let mut run = Run {
        args,
        shard,
        report: None,
        counts: Counts::default(),
        failures: Failures::default(),
        output_error: None,
    };
    if args.dry_run {
        for input in own {
            run.skip_or(input, done.as_ref(), |run, input| run.print(&run.line(Status::Planned, input)));
        }
        return run.end(&found, start);
    }
    let report = args.report.as_deref().map(|path| BatchReport::path_for(path, shard));
    report.iter().try_for_each(|report| args.keep_others(report, &found.inputs))?;
    make_folder(&args.out_dir)?;
    let state = StateFile::open(&args.out_dir, shard)?;
    run.report = report.map(BatchReport::create).transpose()?;
    // Also where all inputs are up to date.
    let folders = own.iter().filter_map(|input| Some(args.out_dir.join(input.output.parent()?)));
    folders.for_each(|folder| remove_abandoned(&folder));
    let mut left = vec![];
    for input in own {
        run.skip_or(input, done.as_ref(), |_, input| left.push(input));
    }
    let failures = run.failures.clone();
    interrupt::print_on_signal(move || failures.interrupted());
    let jobs = args.jobs.unwrap_or_else(work::cores);
    let work = Work { out_dir: &args.out_dir, jobs, fail_fast: args.fail_fast, verbose: args.verbose };
    let display = Display::new(args.quiet, left.len());
    work.run(&left, &display, |finished| {
        display.suspend(|| run.finished(finished, &state));
        display.done(run.failures.count());
    });
    display.finish();
    run.counts.not_begun = left.len() - run.counts.converted - run.failures.count();
    run.end(&found, start)
}

impl Args {
    /// The shard of this process, and the environment variable that sets it.
    fn shard(&self) -> Result<(Shard, Option<&'static str>)> {
        if let Some(shard) = self.shard {
            return Ok((shard, None));
        }
        if self.no_shard {
            return Ok((Shard::WHOLE, None));
        }
        let variable = |name: &str| std::env::var(name).ok();
        let found = shard::from_environment(variable, self.shards)?;
        Ok(found.map_or((Shard::WHOLE, None), |(shard, variable)| (shard, Some(variable))))
    }

    fn find(&self) -> Result<Inputs> {
        let entries = self.manifest.as_deref().map(|path| manifest::read(path, &self.choices)).transpose()?;
        let search = Search {
            relative_to: self.relative_to.clone(),
            all_checkpoints: self.all_checkpoints,
            exclude: self.exclude.clone(),
            out_dir: self.out_dir.clone(),
        };
        inputs::find(&search, &self.named, entries.unwrap_or_default(), &self.choices)
    }
}

impl Args {
    /// Checks that the report does not overwrite an input, an output or a state file.
    ///
    /// # Errors
    /// If it would.
    fn keep_others(&self, report: &Path, inputs: &[Input]) -> Result<()> {
        let files = inputs.iter().flat_map(|input| input.files.iter().cloned().chain(input.choices.files()));
        refuse_overwriting(report, files.chain(self.manifest.clone()))?;
        refuse_same_path(report, inputs.iter().map(|input| self.out_dir.join(&input.output)))?;
        if report.parent().map(resolved_path) == Some(resolved_path(&self.out_dir)) && state::is_state(report)
        {
            return Err(Error::file(report, "it is the state file of --resume")
                .advice("choose another name for --report"));
        }
        Ok(())
    }
}

/// The numbers of inputs by their results, without the failed ones.
#[derive(Debug, Default)]
struct Counts {
    converted: usize,
    skipped: usize,
    planned: usize,
    not_begun: usize,
}

/// A run that goes on.
struct Run<'a> {
    args: &'a Args,
    shard: Shard,
    report: Option<BatchReport>,
    counts: Counts,
    failures: Failures,
    /// The first error when a result was printed or stored. The run goes on.
    output_error: Option<Error>,
}

impl Run<'_> {
    fn line(&self, status: Status, input: &Input) -> Line {
        Line::new(status, &input.path, Some(self.args.out_dir.join(&input.output)), self.shard)
    }

    /// Skips an input that is up to date, or passes it to `otherwise`.
    fn skip_or<'i>(
        &mut self,
        input: &'i Input,
        done: Option<&Done>,
        otherwise: impl FnOnce(&mut Self, &'i Input),
    ) {
        match done.and_then(|done| done.up_to_date(input)) {
            Some(record) => {
                self.counts.skipped += 1;
                let line = self.line(Status::Skipped, input).with_summary(&record.summary);
                self.print(&line);
            }
            None => {
                self.counts.planned += 1;
                otherwise(self, input);
            }
        }
    }

    fn finished(&mut self, finished: Finished<'_>, state: &StateFile) {
        let Finished { input, outcome, seconds } = finished;
        match outcome {
            Ok(done) => {
                self.counts.converted += 1;
                let stored = state.append(&done.record);
                self.keep_error(stored);
                let line = self.line(Status::Converted, input).with_summary(&done.record.summary);
                let line = line.with_seconds(seconds);
                match done.text.filter(|_| !self.args.json) {
                    Some(text) => {
                        let printed = output::print(&(text + "\n"));
                        self.keep_error(printed);
                        self.report(&line);
                    }
                    None => {
                        self.print(&line);
                        if !self.args.json && !self.args.quiet {
                            for warning in done.warnings {
                                output::warn(&format!("warning: {}: {warning}", input.path.display()));
                            }
                        }
                    }
                }
            }
            Err(error) => {
                self.failed(self.line(Status::Failed, input).with_seconds(seconds), &input.path, &error)
            }
        }
    }

    fn failed(&mut self, line: Line, path: &Path, error: &Error) {
        self.print(&line.with_error(error));
        self.failures.add(path, error);
    }

    /// Prints a line and adds it to the report.
    fn print(&mut self, line: &Line) {
        let text = match (self.args.json, self.args.quiet) {
            (true, _) => report::json(line).map(Some),
            (_, true) => Ok(None),
            _ => Ok(line.text().map(|text| text + "\n")),
        };
        let printed = text.and_then(|text| text.map_or(Ok(()), |text| output::print(&text)));
        self.keep_error(printed);
        self.report(line);
    }

    fn report(&mut self, line: &Line) {
        let reported = self.report.as_mut().map_or(Ok(()), |report| report.add(line));
        self.keep_error(reported);
    }

    fn keep_error(&mut self, done: Result<()>) {
        if let Err(error) = done {
            self.output_error.get_or_insert(error);
        }
    }

    /// Prints the counts and the failures; an error if anything failed.
    fn end(mut self, found: &Inputs, start: Instant) -> Result<()> {
        // What cannot be read is in no shard: the first one reports it.
        if self.shard.number == 1 {
            for (path, error) in &found.unreadable {
                let line = Line::new(Status::Failed, path, None, self.shard);
                self.failed(line, path, error);
            }
        }
        let Counts { converted, skipped, planned, not_begun } = self.counts;
        let failed = self.failures.count();
        let parts = if self.args.dry_run {
            [(planned, "to convert"), (skipped, "up to date"), (failed, "unreadable"), (0, "")]
        } else {
            [
                (converted, "converted"),
                (skipped, "up to date"),
                (failed, "failed"),
                (not_begun, "not started"),
            ]
        };
        let counts: Vec<String> = parts
            .iter()
            .enumerate()
            .filter(|(index, (count, _))| *index == 0 || *count > 0)
            .map(|(_, (count, what))| format!("{count} {what}"))
            .collect();
        if !self.args.json && !self.args.quiet {
            let time = format!(" in {:.2} s", start.elapsed().as_secs_f64());
            let time = if self.args.dry_run { "" } else { &time };
            output::print(&format!("{}{time}\n", counts.join(", ")))?;
        }
        if let Some(error) = self.output_error {
            return Err(error);
        }
        if failed == 0 {
            return Ok(());
        }
        output::warn(self.failures.table().trim_end());
        let of = failed + converted + skipped + not_begun + if self.args.dry_run { planned } else { 0 };
        Err(Error::new("batch", format!("{failed} of {} could not be converted", output::count(of, "input"))))
    }
}

/// No machine has more cores than this.
const MAX_JOBS: usize = 1024;

fn jobs(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MAX_JOBS).contains(number));
    number.ok_or_else(|| format!("expected a number from 1 to {MAX_JOBS}"))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "expected a number of at least 1".to_owned())
}
