//! Progress bars.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar in bytes, on standard error. It is hidden if `quiet`, or if standard error is not a terminal.
pub fn byte_bar(quiet: bool, what: &str) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
    let style = ProgressStyle::with_template("{msg} [{bar:32}] {decimal_bytes}/{decimal_total_bytes}")
        .expect("the template is a valid one");
    ProgressBar::with_draw_target(Some(0), target)
        .with_style(style.progress_chars("=> "))
        .with_message(what.to_owned())
}
