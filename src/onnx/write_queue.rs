//! The queue of chunks that are ready to be written to a file.
//!
//! Only one thread at a time writes to the file: on most filesystems, Linux locks a file for every write, and a second
//! writer would wait. A thread that finds another one writing leaves its chunk in the queue and continues with its next
//! chunk.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::error::Result;
use crate::tensor::{BlockLayout, Buffer};

/// The most bytes of all buffers together. Long writes are faster: ext4 takes four times as long for the same bytes in
/// writes of 16 KB as in writes of 256 KB. This is also the most memory that a conversion uses for weights.
pub(super) const BUFFER_BYTES: usize = 32 << 20;

/// The number of buffers: one for each thread to fill, one that is being written, and one that is ready.
pub(super) fn buffer_count() -> usize {
    rayon::current_num_threads() + 2
}

/// A part of the file that is ready to be written.
pub(super) struct Chunk {
    /// The offset in the file that `layout` is relative to.
    pub(super) offset: u64,
    pub(super) layout: BlockLayout,
    pub(super) buffer: Buffer,
}

/// Writes bytes at an offset in the file.
type WriteAt<'a> = dyn Fn(u64, &[u8]) -> Result<()> + Sync + 'a;

pub(super) struct WriteQueue<'a> {
    write: &'a WriteAt<'a>,
    /// Held by the thread that writes.
    writing: Mutex<()>,
    ready: Mutex<VecDeque<Chunk>>,
    spare: Mutex<Vec<Buffer>>,
}

impl<'a> WriteQueue<'a> {
    pub(super) fn new(write: &'a WriteAt<'a>) -> Self {
        let spare = Mutex::new((0..buffer_count()).map(|_| Buffer::default()).collect());
        Self { write, writing: Mutex::new(()), ready: Mutex::default(), spare }
    }

    /// A buffer for a chunk. If all are in use, waits until chunks are written.
    ///
    /// # Errors
    /// If a chunk cannot be written.
    pub(super) fn buffer(&self) -> Result<Buffer> {
        if let Some(buffer) = lock(&self.spare).pop() {
            return Ok(buffer);
        }
        self.write_ready(&lock(&self.writing))?;
        self.try_write()?;
        Ok(lock(&self.spare).pop().unwrap_or_default())
    }

    /// Adds a chunk, which this thread writes, or the one that is writing already.
    ///
    /// # Errors
    /// If this chunk or another one cannot be written.
    pub(super) fn push(&self, chunk: Chunk) -> Result<()> {
        lock(&self.ready).push_back(chunk);
        self.try_write()
    }

    /// Writes the ready chunks, unless another thread is writing. Checks again after the lock is released: otherwise a
    /// chunk would stay in the queue that another thread added while this one was about to release the lock.
    fn try_write(&self) -> Result<()> {
        while !lock(&self.ready).is_empty() {
            match self.writing.try_lock() {
                Ok(writing) => self.write_ready(&writing)?,
                Err(TryLockError::Poisoned(poisoned)) => self.write_ready(&poisoned.into_inner())?,
                Err(TryLockError::WouldBlock) => break,
            }
        }
        Ok(())
    }

    /// Writes bytes that are not in a buffer of the queue, and waits until they are written.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(super) fn write_now(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let writing = lock(&self.writing);
        self.write_ready(&writing)?;
        (self.write)(offset, bytes)?;
        drop(writing);
        self.try_write()
    }

    /// Writes all ready chunks. The caller holds the lock.
    fn write_ready(&self, _writing: &MutexGuard<'_, ()>) -> Result<()> {
        loop {
            let Some(Chunk { offset, layout, buffer }) = lock(&self.ready).pop_front() else { return Ok(()) };
            let offsets = (offset + layout.offset as u64..).step_by(layout.stride);
            let rows = buffer.bytes(layout.length).chunks(layout.row_length);
            offsets.zip(rows).try_for_each(|(offset, row)| (self.write)(offset, row))?;
            lock(&self.spare).push(buffer);
        }
    }
}

/// Locks a mutex that may be poisoned: a panic leaves the data of these mutexes consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rayon::prelude::*;

    use super::*;
    use crate::error::Error;

    /// A chunk of two rows of two bytes, which begin `stride` bytes apart.
    fn chunk(queue: &WriteQueue<'_>, number: u8, stride: usize) -> Result<Chunk> {
        let mut buffer = queue.buffer()?;
        buffer.bytes_mut(4).copy_from_slice(&[number; 4]);
        let layout = BlockLayout { length: 4, offset: 0, row_length: 2, stride };
        Ok(Chunk { offset: 2 * u64::from(number), layout, buffer })
    }

    #[test]
    fn every_chunk_is_written_once_at_its_offset() {
        let file = Mutex::new([0; 400]);
        let write = |offset: u64, bytes: &[u8]| {
            // Other threads add chunks meanwhile.
            std::thread::sleep(Duration::from_micros(50));
            for (byte, &new) in lock(&file)[offset as usize..].iter_mut().zip(bytes) {
                assert_eq!(std::mem::replace(byte, new), 0, "the first write at {offset}");
            }
            Ok(())
        };
        let queue = WriteQueue::new(&write);
        let push = |number| chunk(&queue, number, 200).and_then(|chunk| queue.push(chunk));
        (1..100_u8).into_par_iter().try_for_each(push).unwrap();
        let written = *lock(&file);
        for number in 1..100 {
            for row in [0, 200] {
                assert_eq!(written[2 * usize::from(number) + row..][..2], [number; 2]);
            }
        }
    }

    #[test]
    fn a_chunk_that_is_added_during_a_direct_write_is_written_too() {
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (push, was_pushed) = std::sync::mpsc::channel();
        let (was_pushed, written) = (Mutex::new(was_pushed), Mutex::new(vec![]));
        let write = |offset: u64, _: &[u8]| {
            if offset == 100 {
                begun.send(()).unwrap();
                lock(&was_pushed).recv().unwrap();
            }
            lock(&written).push(offset);
            Ok(())
        };
        let write: &WriteAt<'_> = &write;
        let queue = WriteQueue::new(write);
        std::thread::scope(|scope| {
            let direct = scope.spawn(|| queue.write_now(100, b"large"));
            has_begun.recv().unwrap();
            queue.push(chunk(&queue, 1, 2).unwrap()).unwrap();
            push.send(()).unwrap();
            direct.join().unwrap().unwrap();
        });
        assert_eq!(*lock(&written), [100, 2, 4]);
    }

    #[test]
    fn a_failed_write_is_reported() {
        let write =
            |offset: u64, _: &[u8]| if offset == 20 { Err(Error::new("disk", "it is full")) } else { Ok(()) };
        let queue = WriteQueue::new(&write);
        let pushed = (0..100_u8).into_par_iter().try_for_each(|number| queue.push(chunk(&queue, number, 2)?));
        assert!(pushed.unwrap_err().to_string().contains("it is full"));
    }
}
