//! Parts of mapped files that cannot be read: another process made the file shorter, or the disk is broken.
//!
//! The system reports that with a signal, SIGBUS, which ends the process by default. Here, the rest of the map becomes zeros, and a
//! flag says that what was read is not what the file contains. The signal is handled only for maps that are watched: all others are
//! left to the handler that was there before, which may be that of a program that calls the library.

use std::ops::Range;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};

/// A map that is watched, until this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    entry: &'static Entry,
    has_failed: Arc<AtomicBool>,
}

/// An entry of the list of watched maps, which the signal handler reads: without locks, at any time. Entries are used again and
/// never freed.
#[derive(Debug)]
struct Entry {
    /// Odd while the other fields change.
    version: AtomicUsize,
    start: AtomicUsize,
    /// 0 if the entry is not used.
    end: AtomicUsize,
    has_failed: AtomicPtr<AtomicBool>,
    next: AtomicPtr<Entry>,
}

static ENTRIES: AtomicPtr<Entry> = AtomicPtr::new(null_mut());
/// The entries that are not used.
static SPARE: Mutex<Vec<&'static Entry>> = Mutex::new(vec![]);
/// The handler that was there before.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();
static PAGE_BYTES: AtomicUsize = AtomicUsize::new(4096);

impl Watch {
    /// Watches the addresses of a map. `has_failed` becomes true if a part of it cannot be read.
    pub(super) fn new(map: Range<usize>, has_failed: Arc<AtomicBool>) -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(install);
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let entry = spare.unwrap_or_else(Entry::add);
        entry.set(map, Arc::as_ptr(&has_failed).cast_mut());
        Self { entry, has_failed }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.entry.set(0..0, null_mut());
        SPARE.lock().unwrap_or_else(PoisonError::into_inner).push(self.entry);
        // From here on, the handler does not use the flag.
        let _ = &self.has_failed;
    }
}

impl Entry {
    /// A new entry of the list.
    fn add() -> &'static Self {
        let entry: &'static Self = Box::leak(Box::new(Self {
            version: AtomicUsize::new(0),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            has_failed: AtomicPtr::new(null_mut()),
            next: AtomicPtr::new(null_mut()),
        }));
        let _ = ENTRIES.fetch_update(SeqCst, SeqCst, |first| {
            entry.next.store(first, SeqCst);
            Some(std::ptr::from_ref(entry).cast_mut())
        });
        entry
    }

    fn set(&self, map: Range<usize>, has_failed: *mut AtomicBool) {
        self.version.fetch_add(1, SeqCst);
        self.start.store(map.start, SeqCst);
        self.end.store(map.end, SeqCst);
        self.has_failed.store(has_failed, SeqCst);
        self.version.fetch_add(1, SeqCst);
    }

    /// The end of the map and its flag, if it contains an address. A map that changes meanwhile is another one, because the one that
    /// is being read stays.
    fn map_with(&self, address: usize) -> Option<(usize, *mut AtomicBool)> {
        let version = self.version.load(SeqCst);
        let (start, end) = (self.start.load(SeqCst), self.end.load(SeqCst));
        let has_failed = self.has_failed.load(SeqCst);
        let is_consistent = version.is_multiple_of(2) && self.version.load(SeqCst) == version;
        (is_consistent && (start..end).contains(&address)).then_some((end, has_failed))
    }
}

/// Handles SIGBUS from now on.
fn install() {
    // SAFETY: the structures are plain numbers, for which zeros are valid. The handler only does what a signal handler may do.
    unsafe {
        if let Ok(bytes) = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)) {
            PAGE_BYTES.store(bytes, SeqCst);
        }
        let mut previous: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, std::ptr::null(), &mut previous) != 0 {
            return;
        }
        PREVIOUS.get_or_init(|| previous);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as extern "C" fn(_, _, _) as usize;
        // On the thread's stack for signals, if it has one, as the handler that was there before may need it.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &action, null_mut());
    }
}

extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system passes a valid structure. The list and its entries are never freed, and the flag of a watched map is kept
    // by its watch.
    unsafe {
        // A number above zero says that the processor could not read an address. Others say which process has sent the signal.
        if (*info).si_code <= 0 || !replace((*info).si_addr() as usize) {
            pass_on(signal, info, context);
        }
    }
}

/// Puts zeros in the place of the map with this address, from the page with the address to the end. Whether there is such a map.
///
/// # Safety
/// Only for an address that cannot be read.
unsafe fn replace(address: usize) -> bool {
    let mut next = ENTRIES.load(SeqCst);
    // SAFETY: entries are never freed.
    while let Some(entry) = unsafe { next.as_ref() } {
        if let Some((end, has_failed)) = entry.map_with(address) {
            let page = address - address % PAGE_BYTES.load(SeqCst);
            // SAFETY: the pages belong to the watched map, which nothing writes to. The flag lives as long as the watch.
            return unsafe {
                // Before the zeros are there, so that nobody reads them without the flag.
                (*has_failed).store(true, SeqCst);
                let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED;
                libc::mmap(page as *mut _, end - page, libc::PROT_READ, flags, -1, 0) != libc::MAP_FAILED
            };
        }
        next = entry.next.load(SeqCst);
    }
    false
}

/// Does what would have been done without this handler.
///
/// # Safety
/// Only in a signal handler, with its arguments.
unsafe fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let previous = PREVIOUS.get();
    let handler = previous.map_or(libc::SIG_DFL, |previous| previous.sa_sigaction);
    let has_info = previous.is_some_and(|previous| previous.sa_flags & libc::SA_SIGINFO != 0);
    // SAFETY: the address is that of a handler of the one or the other form, as the flag says.
    unsafe {
        match handler {
            // A signal that another process sends can be ignored; a fault cannot.
            libc::SIG_IGN if (*info).si_code <= 0 => {}
            libc::SIG_DFL | libc::SIG_IGN => {
                libc::signal(signal, libc::SIG_DFL);
                // It arrives when the handler returns.
                libc::raise(signal);
            }
            handler if has_info => {
                type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
                std::mem::transmute::<usize, Handler>(handler)(signal, info, context);
            }
            handler => std::mem::transmute::<usize, extern "C" fn(libc::c_int)>(handler)(signal),
        }
    }
}
