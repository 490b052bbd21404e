//! Progress bars of a batch, on a terminal: one for all inputs, and one for each running conversion.

use std::path::Path;
use std::sync::Once;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::color::harmless;

/// The bars of a run.
#[derive(Debug)]
pub struct Display {
    bars: MultiProgress,
    all: ProgressBar,
}

/// The bar of one input. It is removed when the input is done.
#[derive(Debug)]
pub struct JobBar {
    bar: ProgressBar,
    /// The bar gets its length when writing starts.
    writes: Once,
}

impl Display {
    /// Bars for this many inputs. They are hidden if `quiet`, or if standard error is not a terminal.
    pub fn new(quiet: bool, inputs: usize) -> Self {
        let target =
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
        let bars = MultiProgress::with_draw_target(target);
        let all = bars.add(ProgressBar::new(inputs as u64));
        all.set_style(style("[{bar:32}] {pos}/{len} {msg}"));
        all.tick();
        Self { bars, all }
    }

    /// The bar of an input whose conversion starts.
    pub fn job(&self, input: &Path) -> JobBar {
        let bar = self.bars.add(ProgressBar::new(0));
        bar.set_style(style("reading {wide_msg}"));
        bar.set_message(harmless(&input.display().to_string()).into_owned());
        JobBar { bar, writes: Once::new() }
    }

    /// Counts an input that is done; `failed` have failed so far.
    pub fn done(&self, failed: usize) {
        self.all.inc(1);
        if failed > 0 {
            self.all.set_message(format!("{failed} failed"));
        }
    }

    /// Hides the bars while `action` prints something.
    pub fn suspend<T>(&self, action: impl FnOnce() -> T) -> T {
        self.bars.suspend(action)
    }

    /// Removes the bars.
    pub fn finish(&self) {
        self.all.finish_and_clear();
    }
}

impl JobBar {
    /// `done` of `total` bytes of the model are written.
    pub fn advance(&self, done: u64, total: u64) {
        self.writes.call_once(|| {
            self.bar.set_length(total);
            self.bar.set_style(style("[{bar:32}] {decimal_bytes}/{decimal_total_bytes} {wide_msg}"));
        });
        self.bar.set_position(done);
    }
}

impl Drop for JobBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}
