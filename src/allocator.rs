//! Where the memory of the program comes from: small blocks from mimalloc, which is faster for the many parts of a graph; large ones from
//! the system, which grows the elements of a tensor without copying them.

use std::alloc::{GlobalAlloc, Layout, System};

use mimalloc::MiMalloc;

/// From this size on, a block is the system's: glibc gives blocks of this size pages of their own (`M_MMAP_THRESHOLD` of `mallopt(3)`).
const LARGE: usize = 128 << 10;

/// Allocates each block with the allocator for its size.
pub struct BySize;

// Calls of these functions are everywhere: copies of them would make the program larger by a tenth. Each calls its two allocators by their
// types, which tells the compiler that they do not unwind.
//
// SAFETY: the size of a block says which allocator it came from, and callers give the size that they asked for.
unsafe impl GlobalAlloc for BySize {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: what the caller ensures is what the allocator asks for.
        unsafe { if layout.size() < LARGE { MiMalloc.alloc(layout) } else { System.alloc(layout) } }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: what the caller ensures is what the allocator asks for.
        unsafe {
            if layout.size() < LARGE { MiMalloc.alloc_zeroed(layout) } else { System.alloc_zeroed(layout) }
        }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block has the size that it was allocated with, so it came from this allocator.
        unsafe {
            if layout.size() < LARGE {
                MiMalloc.dealloc(block, layout)
            } else {
                System.dealloc(block, layout)
            }
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match (layout.size() < LARGE, size < LARGE) {
            // SAFETY: the block came from this allocator, and its new size is one of this allocator's.
            (true, true) => return unsafe { MiMalloc.realloc(block, layout, size) },
            // SAFETY: as above.
            (false, false) => return unsafe { System.realloc(block, layout, size) },
            (true, false) | (false, true) => {}
        }
        // SAFETY: the caller ensures that the new size is not zero and allowed for this alignment.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both blocks have as many bytes, and a new block overlaps no other; the old one is not used anymore.
            unsafe {
                std::ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_bytes_when_their_size_needs_another_allocator() {
        let layout = |size| Layout::from_size_align(size, 64).unwrap();
        let sizes = [1, 100, LARGE - 1, LARGE, 3 * LARGE, 2 * LARGE, LARGE - 1, LARGE + 1, 10];
        // SAFETY: every block is used with the layout that it was last given, and not after it was freed.
        unsafe {
            let (mut block, mut size) = (BySize.alloc_zeroed(layout(1)), 1);
            for next in sizes {
                let kept = size.min(next);
                std::slice::from_raw_parts_mut(block, size).fill(size.to_le_bytes()[0] | 1);
                block = BySize.realloc(block, layout(size), next);
                assert_eq!(block.align_offset(64), 0, "{next}");
                let expected = vec![size.to_le_bytes()[0] | 1; kept];
                assert_eq!(std::slice::from_raw_parts(block, kept), expected, "from {size} to {next}");
                size = next;
            }
            BySize.dealloc(block, layout(size));
        }
        for size in [10, LARGE] {
            // SAFETY: as above.
            unsafe {
                let block = BySize.alloc_zeroed(layout(size));
                assert!(std::slice::from_raw_parts(block, size).iter().all(|&byte| byte == 0));
                BySize.dealloc(block, layout(size));
            }
        }
    }
}
