//! Ctrl-C, and being asked to end: temporary files do not stay behind.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a signal is ending the program.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Removes temporary files when the user interrupts the program or the system asks it to end, and exits with the
/// status that shells give such an end: 130 or 143.
///
/// A hangup is left alone, so that `nohup` works. Where signals cannot be handled, they end the program as they do by
/// default.
#[cfg(unix)]
pub fn clean_up_on_signals() {
    use signal_hook::consts::{SIGINT, SIGTERM};

    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            IS_ENDING.store(true, Ordering::SeqCst);
            crate::temporary::remove_all();
            std::process::exit(128 + signal);
        }
    });
}

/// Elsewhere, Ctrl-C ends the program as it does by default.
#[cfg(not(unix))]
pub fn clean_up_on_signals() {}

/// Leaves the end of the program to a signal, if one is ending it: work whose files are being removed under it fails,
/// and that is nothing to report.
pub fn leave_to_signal() {
    while IS_ENDING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}
