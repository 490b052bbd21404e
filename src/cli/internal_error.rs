//! The last resort: a panic ends the command, or one conversion of many, with a sentence.
//!
//! Unwinding removes temporary files, as any other error does.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

/// What the last panic said, and where in the source it was. Threads pass panics on to the one that waits for them, but not where
/// they were.
static LAST: Mutex<Option<(String, String)>> = Mutex::new(None);

/// Lets panics print nothing: the error has the message.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(remember));
}

/// Runs work in which a panic is an error about `subject`.
///
/// # Errors
/// Those of the work, and a panic.
pub fn guarded<T>(subject: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
        let place = last.filter(|(said, _)| said == text).map(|(_, place)| format!(", {place}"));
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let problem = format!("internal error ({text}{})", place.unwrap_or_default());
        Err(Error::new(subject, problem).advice("please report it, if possible with the input"))
    })
}

fn remember(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
    let text = panic.payload_as_str().unwrap_or("no message").to_owned();
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = place.map(|place| (text, place));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message_and_its_place() {
        let failed = || -> Result<()> { panic!("index {} is\n  out of range", 7) };
        let said = guarded("a.ckpt", failed).unwrap_err().to_string();
        assert!(said.starts_with("a.ckpt: internal error (index 7 is out of range"), "{said}");
        assert!(said.ends_with("please report it, if possible with the input"), "{said}");
        assert_eq!(guarded("a.ckpt", || Ok(3)), Ok(3));
    }

    #[test]
    fn a_panic_of_another_thread_is_an_error_too() {
        let failed = || -> Result<()> {
            std::thread::scope(|scope| scope.spawn(|| panic!("there")).join())
                .map_err(|panic| std::panic::resume_unwind(panic))
        };
        assert!(guarded("a.pb", failed).unwrap_err().to_string().contains("(there"));
    }
}
