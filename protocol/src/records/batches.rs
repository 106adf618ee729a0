use super::batch::Batch;
use super::error::Corrupt;

/// Walks over the batches in a buffer, reading headers only.
///
/// A batch that is cut short ends the walk, as does an error. [`position`](Self::position) says where.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    buffer: &'a [u8],
    position: usize,
    failed: bool,
}

impl<'a> Batches<'a> {
    /// Starts at the front of a buffer.
    #[inline]
    pub fn new(buffer: &'a [u8]) -> Self {
        Self::from_position(buffer, 0)
    }

    /// Starts within a buffer, where an earlier walk stopped.
    #[inline]
    pub fn from_position(buffer: &'a [u8], position: usize) -> Self {
        Self { buffer, position, failed: false }
    }

    /// Where the next batch starts in the buffer, in bytes.
    #[inline]
    pub fn position(&self) -> usize {
        self.position
    }

    /// How many bytes are left; after the walk these are the part of a batch that was cut short.
    #[inline]
    pub fn rest_len(&self) -> usize {
        self.buffer.len().saturating_sub(self.position)
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, Corrupt>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match Batch::parse_at(self.buffer, self.position) {
            Ok(None) => None,
            Ok(Some(batch)) => {
                self.position += batch.len();
                Some(Ok(batch))
            }
            Err(corrupt) => {
                self.failed = true;
                Some(Err(corrupt))
            }
        }
    }
}

impl core::iter::FusedIterator for Batches<'_> {}
