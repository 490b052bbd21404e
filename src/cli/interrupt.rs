//! Signals that end the program: Ctrl-C, SIGTERM, and a terminal that closes. Temporary files are removed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether a signal is ending the program.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

type Text = Box<dyn Fn() -> String + Send>;

/// The text to print when a signal ends the program.
static TEXT: Mutex<Option<Text>> = Mutex::new(None);

/// Prints this text on standard error if a signal ends the program.
pub fn print_on_signal(text: impl Fn() -> String + Send + 'static) {
    *TEXT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(text));
}

/// Removes temporary files when the user interrupts the program, the system asks it to end or its terminal closes, and
/// exits with the status that shells use for that: 130, 143 or 129. A file beyond the limit of `ulimit -f` is an error when it
/// is written, and does not end the program.
///
/// A hangup that is ignored when the program starts, as under `nohup`, stays ignored. If signals cannot be handled, they end
/// the program as they do by default.
#[cfg(unix)]
pub fn clean_up_on_signals() {
    use std::sync::Arc;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

    // With a handler, the signal does not end the program, and the write returns an error.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    let mut handled = vec![SIGINT, SIGTERM];
    handled.extend((!hangup_is_ignored()).then_some(SIGHUP));
    let Ok(mut signals) = signal_hook::iterator::Signals::new(handled) else { return };
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // Conversions whose temporary files are removed fail, too: they are not a part of the text.
            let text = TEXT.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|text| text());
            IS_ENDING.store(true, Ordering::SeqCst);
            crate::temporary::remove_all();
            if let Some(text) = text {
                super::output::warn(&text);
            }
            std::process::exit(128 + signal);
        }
    });
}

/// Whether hangups were ignored when the program started; true if the system does not report it.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The mask has a bit for each signal. The lowest one is SIGHUP.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 == 1)
}

/// Elsewhere, Ctrl-C ends the program as it does by default.
#[cfg(not(unix))]
pub fn clean_up_on_signals() {}

/// Waits if a signal is ending the program: then work fails because its files are removed, which is not worth reporting.
pub fn leave_to_signal() {
    while IS_ENDING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}
