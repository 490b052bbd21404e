//! The process that a temporary file belongs to. It is in the file's name, so that the files of killed processes can be told from
//! those of living ones without a lock: on the filesystems of clusters, locking can hang.

use std::fmt;
use std::sync::OnceLock;

/// A process: in text, `0a1b2c3d-4711-987654`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    /// The machine, as far as numbers of processes mean the same on it.
    machine: u32,
    process: u32,
    /// The time at which it began, since numbers are used again; 0 if the system does not tell.
    start: u64,
}

impl Owner {
    /// This process. A process that was forked is another one than its parent.
    pub(super) fn this_process() -> Self {
        static MACHINE: OnceLock<u32> = OnceLock::new();
        let process = std::process::id();
        let machine = *MACHINE.get_or_init(system::machine);
        Self { machine, process, start: system::state(process).map_or(0, |state| state.start) }
    }

    /// The process in a text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (machine, rest) = text.split_once('-')?;
        let (process, start) = rest.split_once('-')?;
        let owner = Self {
            machine: u32::from_str_radix(machine, 16).ok()?,
            process: process.parse().ok()?,
            start: start.parse().ok()?,
        };
        // Only what this program wrote: not `+1`, and no other length.
        (owner.to_string() == text).then_some(owner)
    }

    /// Whether the process has ended; `None` if that is not known, as for processes of another machine.
    pub(super) fn has_ended(self) -> Option<bool> {
        if self.machine != Self::this_process().machine {
            return None;
        }
        if !system::exists(self.process)? {
            return Some(true);
        }
        // A process that cannot be looked at may be that of another user.
        let state = system::state(self.process);
        Some(state.is_some_and(|state| state.has_ended || (self.start != 0 && state.start != self.start)))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}-{}", self.machine, self.process, self.start)
    }
}

/// The state of a process.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
struct State {
    start: u64,
    /// Whether it has ended, and its parent has not noticed yet.
    has_ended: bool,
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;

    use super::State;
    pub(super) use super::unix::exists;

    /// The running kernel and the namespace of processes, which is another one in each container.
    pub(super) fn machine() -> u32 {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        crc32c::crc32c_append(crc32c::crc32c(boot.as_bytes()), namespace.as_os_str().as_encoded_bytes())
    }

    /// Source: `/proc/pid/stat` in `proc_pid_stat(5)`.
    pub(super) fn state(process: u32) -> Option<State> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The second field is the name of the program in parentheses, which may contain both spaces and parentheses.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let has_ended = matches!(fields.next()?, "Z" | "X" | "x");
        // The state is field 3, the start field 22.
        Some(State { start: fields.nth(18)?.parse().ok()?, has_ended })
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod system {
    use super::State;
    pub(super) use super::unix::exists;

    pub(super) fn machine() -> u32 {
        let mut name = [0_u8; 256];
        // SAFETY: the system writes at most so many bytes.
        unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
        crc32c::crc32c(&name)
    }

    /// There is no simple way to ask: a number that is used again counts as the same process.
    pub(super) fn state(_: u32) -> Option<State> {
        None
    }
}

#[cfg(not(unix))]
mod system {
    use super::State;

    pub(super) fn machine() -> u32 {
        crc32c::crc32c(std::env::var_os("COMPUTERNAME").unwrap_or_default().as_encoded_bytes())
    }

    /// Not known: files count as abandoned only after some time.
    pub(super) fn exists(_: u32) -> Option<bool> {
        None
    }

    pub(super) fn state(_: u32) -> Option<State> {
        None
    }
}

#[cfg(unix)]
mod unix {
    /// Whether there is a process of this number.
    pub(super) fn exists(process: u32) -> Option<bool> {
        let process = libc::pid_t::try_from(process).ok().filter(|&process| process > 0)?;
        // SAFETY: the signal 0 is not sent. The call only checks whether another one could be.
        let found = unsafe { libc::kill(process, 0) } == 0;
        Some(found || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_same_after_it_was_text() {
        let owner = Owner::this_process();
        assert_eq!(Owner::parse(&owner.to_string()), Some(owner));
        for other in ["", "0a1b2c3d", "0a1b2c3d-1", "0a1b2c3d-1-", "a-1-1", "0a1b2c3d-+1-1", "0A1B2C3D-1-1"] {
            assert_eq!(Owner::parse(other), None, "{other}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_ended_is_told_from_a_living_one() {
        let owner = Owner::this_process();
        assert_eq!(owner.has_ended(), Some(false));
        // Its number was that of another process before.
        assert_eq!(Owner { start: owner.start + 1, ..owner }.has_ended(), Some(true));
        assert_eq!(Owner { machine: owner.machine ^ 1, ..owner }.has_ended(), None);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let of_child =
            Owner { process: child.id(), start: system::state(child.id()).unwrap().start, ..owner };
        assert_eq!(of_child.has_ended(), Some(false));
        child.kill().unwrap();
        // Until the parent asks for its status, the process is still listed.
        while !system::state(child.id()).unwrap().has_ended {
            std::thread::yield_now();
        }
        assert_eq!(of_child.has_ended(), Some(true));
        child.wait().unwrap();
        assert_eq!(of_child.has_ended(), Some(true));
    }
}
