//! A library that lets one call of the system fail, to be loaded into the program before all others (`LD_PRELOAD`).
//!
//! It is compiled by the tests that use it, and not a part of them. `FAULT_CALL` names the call, `FAULT_NUMBER` says which one of
//! this name fails, the first one being 1, and `FAULT_ERROR` how: with this error number, or, if it is 0, by doing only a part of
//! what was asked for. When it happens, the file `FAULT_LOG` is created.
#![allow(clippy::missing_safety_doc)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn getenv(name: *const c_char) -> *const c_char;
    fn atoi(text: *const c_char) -> c_int;
    fn __errno_location() -> *mut c_int;
    fn sysconf(name: c_int) -> isize;
}

/// The next library that has a function.
const NEXT: *mut c_void = -1isize as *mut c_void;
const SC_PAGESIZE: c_int = 30;
const MAP_FIXED: c_int = 0x10;
const O_CREAT: c_int = 0o100;
const STANDARD_ERROR: c_int = 2;

static CALLS: AtomicUsize = AtomicUsize::new(0);
/// Whether the program has begun: what the system's own libraries read before is not of interest.
static HAS_BEGUN: AtomicBool = AtomicBool::new(false);

/// A function of the system's library.
macro_rules! real {
    ($name:ident, fn($($type:ty),*) -> $returned:ty) => {{
        static ADDRESS: AtomicUsize = AtomicUsize::new(0);
        let mut address = ADDRESS.load(SeqCst);
        if address == 0 {
            address = dlsym(NEXT, concat!(stringify!($name), "\0").as_ptr().cast()) as usize;
            ADDRESS.store(address, SeqCst);
        }
        std::mem::transmute::<usize, unsafe extern "C" fn($($type),*) -> $returned>(address)
    }};
}

fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: the name is a string, and so is the value, which nothing changes.
    unsafe {
        let value = getenv(name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value))
    }
}

fn number(name: &CStr) -> c_int {
    // SAFETY: the value is a string.
    variable(name).map_or(0, |value| unsafe { atoi(value.as_ptr()) })
}

/// The error of this call, if it is the one that fails.
fn fault(call: &CStr) -> Option<c_int> {
    if variable(c"FAULT_CALL") != Some(call) || !HAS_BEGUN.load(SeqCst) {
        return None;
    }
    if CALLS.fetch_add(1, SeqCst) + 1 != number(c"FAULT_NUMBER") as usize {
        return None;
    }
    if let Some(log) = variable(c"FAULT_LOG") {
        // SAFETY: the path is a string.
        unsafe { real!(open64, fn(*const c_char, c_int, c_int) -> c_int)(log.as_ptr(), O_CREAT, 0o666) };
    }
    Some(number(c"FAULT_ERROR"))
}

fn failed<T: From<i8>>(error: c_int) -> T {
    // SAFETY: the address is that of the thread's own number.
    unsafe { *__errno_location() = error };
    T::from(-1)
}

/// A function that fails as a whole.
macro_rules! failing {
    ($call:literal: $($name:ident($($argument:ident: $type:ty),*) -> $returned:ty),* $(,)?) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> $returned {
            match fault($call) {
                Some(error) => failed(error),
                None => unsafe { real!($name, fn($($type),*) -> $returned)($($argument),*) },
            }
        }
    )*};
}

failing!(c"open": open(path: *const c_char, flags: c_int, mode: c_int) -> c_int,
    open64(path: *const c_char, flags: c_int, mode: c_int) -> c_int);
failing!(c"rename": rename(from: *const c_char, to: *const c_char) -> c_int);
failing!(c"link": link(from: *const c_char, to: *const c_char) -> c_int,
    linkat(a: c_int, from: *const c_char, b: c_int, to: *const c_char, flags: c_int) -> c_int);
failing!(c"mkdir": mkdir(path: *const c_char, mode: u32) -> c_int);
failing!(c"fallocate": fallocate64(file: c_int, mode: c_int, offset: i64, length: i64) -> c_int);
failing!(c"ftruncate": ftruncate64(file: c_int, length: i64) -> c_int);
failing!(c"fchmod": fchmod(file: c_int, mode: u32) -> c_int);
failing!(c"lseek": lseek64(file: c_int, offset: i64, from: c_int) -> i64);

/// Closes the file in any case, as the system does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(file: c_int) -> c_int {
    let closed = unsafe { real!(close, fn(c_int) -> c_int)(file) };
    fault(c"close").map_or(closed, failed)
}

/// A function that reads or writes a number of bytes.
macro_rules! partial {
    ($call:literal: $($name:ident($file:ident, $buffer:ident, $count:ident $(, $argument:ident: $type:ty)*)),* $(,)?) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($file: c_int, $buffer: *mut c_void, $count: usize $(, $argument: $type)*) -> isize {
            // An error that cannot be printed is of no use.
            let fault = if $file == STANDARD_ERROR { None } else { fault($call) };
            match fault {
                None => unsafe { real!($name, fn(c_int, *mut c_void, usize $(, $type)*) -> isize)($file, $buffer, $count $(, $argument)*) },
                Some(0) => unsafe { real!($name, fn(c_int, *mut c_void, usize $(, $type)*) -> isize)($file, $buffer, $count.div_ceil(3) $(, $argument)*) },
                Some(error) => failed(error),
            }
        }
    )*};
}

partial!(c"read": read(file, buffer, count), pread64(file, buffer, count, offset: i64));
partial!(c"write": write(file, buffer, count), pwrite64(file, buffer, count, offset: i64));

#[unsafe(no_mangle)]
pub unsafe extern "C" fn copy_file_range(
    from: c_int,
    from_offset: *mut i64,
    to: c_int,
    to_offset: *mut i64,
    count: usize,
    flags: u32,
) -> isize {
    match fault(c"copy") {
        Some(error) if error != 0 => failed(error),
        partly => unsafe {
            let count = if partly.is_some() { count.min(100) } else { count };
            real!(copy_file_range, fn(c_int, *mut i64, c_int, *mut i64, usize, u32) -> isize)(
                from,
                from_offset,
                to,
                to_offset,
                count,
                flags,
            )
        },
    }
}

/// Without an error number, the file is mapped, and its end cannot be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap64(
    at: *mut c_void,
    length: usize,
    access: c_int,
    flags: c_int,
    file: c_int,
    offset: i64,
) -> *mut c_void {
    unsafe {
        type Map = unsafe extern "C" fn(*mut c_void, usize, c_int, c_int, c_int, i64) -> *mut c_void;
        let map: Map = real!(mmap64, fn(*mut c_void, usize, c_int, c_int, c_int, i64) -> *mut c_void);
        let fault = if file < 0 { None } else { fault(c"mmap") };
        match fault {
            None => map(at, length, access, flags, file, offset),
            Some(0) => {
                let page = sysconf(SC_PAGESIZE) as usize;
                let mapped = map(at, length, access, flags, file, offset);
                // Nothing is behind the end of a file.
                let readable = length / 3 / page * page;
                let rest = length - readable;
                let behind = (length.div_ceil(page) * page) as i64 + offset;
                map(mapped.byte_add(readable), rest, access, flags | MAP_FIXED, file, behind);
                mapped
            }
            Some(error) => {
                *__errno_location() = error;
                usize::MAX as *mut c_void
            }
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap(
    at: *mut c_void,
    length: usize,
    access: c_int,
    flags: c_int,
    file: c_int,
    offset: i64,
) -> *mut c_void {
    unsafe { mmap64(at, length, access, flags, file, offset) }
}

/// The program begins when its own code begins: then the dynamic linker has read all libraries.
#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = {
    extern "C" fn begin() {
        HAS_BEGUN.store(true, SeqCst);
    }
    begin
};
