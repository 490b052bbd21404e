//! What is seen while many inputs are converted: a bar for all of them and one for each that is running, on a terminal
//! only.

use std::path::Path;
use std::sync::Once;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bars of a run.
#[derive(Debug)]
pub struct Display {
    bars: MultiProgress,
    all: ProgressBar,
}

/// The bar of one input, which goes when the input is done.
#[derive(Debug)]
pub struct JobBar {
    bar: ProgressBar,
    /// Before it is known how much is to be written, there is nothing to draw.
    writes: Once,
}

impl Display {
    /// Bars for so many inputs. Hidden where `quiet`, and where standard error is no terminal.
    pub fn new(quiet: bool, inputs: usize) -> Self {
        let target =
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
        let bars = MultiProgress::with_draw_target(target);
        let all = bars.add(ProgressBar::new(inputs as u64));
        all.set_style(style("[{bar:32}] {pos}/{len} {msg}"));
        all.tick();
        Self { bars, all }
    }

    /// The bar of an input that is begun.
    pub fn job(&self, input: &Path) -> JobBar {
        let bar = self.bars.add(ProgressBar::new(0));
        bar.set_style(style("reading {wide_msg}"));
        bar.set_message(input.display().to_string());
        JobBar { bar, writes: Once::new() }
    }

    /// One input is done; `failed` have failed so far.
    pub fn done(&self, failed: usize) {
        self.all.inc(1);
        if failed > 0 {
            self.all.set_message(format!("{failed} failed"));
        }
    }

    /// Does something, such as printing, while no bar is on the screen.
    pub fn aside<T>(&self, action: impl FnOnce() -> T) -> T {
        self.bars.suspend(action)
    }

    /// Removes the bars.
    pub fn finish(&self) {
        self.all.finish_and_clear();
    }
}

impl JobBar {
    /// So many bytes of a model are written, of so many.
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
