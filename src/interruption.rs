//! Stopping work from another thread, for programs that run longer than a conversion.
//!
//! The command ends as a whole when it is interrupted. A program that calls the library, such as Python, continues: the work has
//! to end by itself, as if it had failed, so that its temporary files are removed.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A switch that stops the work that runs under it.
#[derive(Debug, Clone, Default)]
pub struct Interruption(Arc<AtomicBool>);

thread_local! {
    /// The interruption of the work on this thread. It is not an argument of all functions between the one that starts the work
    /// and the loops that can stop.
    static CURRENT: RefCell<Interruption> = RefCell::default();

    /// When the work on this thread has to be done, and the error if it is not.
    static DEADLINE: RefCell<Option<(Instant, Error)>> = const { RefCell::new(None) };
}

impl Interruption {
    /// Stops the work soon, if it is still running.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Runs work that this interruption stops.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(self.clone());
        let result = work();
        CURRENT.replace(before);
        result
    }

    /// The interruption of the work on this thread, for the threads that it starts.
    pub fn current() -> Self {
        CURRENT.with_borrow(Self::clone)
    }

    /// Whether it stops the same work.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Ends the work with an error if it was interrupted.
    ///
    /// # Errors
    /// If it was.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(Error::new("conversion", "it was interrupted"));
        }
        Ok(())
    }
}

/// Runs work that ends with the error `late` if it is not done within this time.
pub fn run_within<T>(time: Duration, late: Error, work: impl FnOnce() -> T) -> T {
    // What is later than time can tell is never.
    let deadline = Instant::now().checked_add(time).map(|end| (end, late));
    let before = DEADLINE.replace(deadline);
    let result = work();
    DEADLINE.replace(before);
    result
}

/// Ends the work on this thread with an error if it was interrupted, or is late.
///
/// # Errors
/// If it was or is.
pub fn check() -> Result<()> {
    Interruption::current().check()?;
    DEADLINE.with_borrow(|deadline| match deadline {
        Some((end, late)) if Instant::now() > *end => Err(late.clone()),
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_work_that_runs_under_it_is_stopped() {
        let (one, other) = (Interruption::default(), Interruption::default());
        one.interrupt();
        assert!(check().is_ok());
        assert!(one.run(check).is_err());
        assert!(one.run(|| other.run(check)).is_ok(), "the innermost counts");
        assert!(one.run(|| std::thread::spawn(check).join().unwrap()).is_ok(), "threads take it along");
        assert!(check().is_ok());
    }

    #[test]
    fn late_work_is_stopped() {
        let late = Error::new("graph", "it takes too long");
        let run = |time| run_within(time, late.clone(), check);
        assert_eq!(run(Duration::MAX), Ok(()));
        let slow = || {
            std::thread::sleep(Duration::from_millis(1));
            check()
        };
        assert_eq!(run_within(Duration::ZERO, late.clone(), slow), Err(late));
        assert!(check().is_ok());
    }
}
