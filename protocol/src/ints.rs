//! A short list of 32-bit integers.

use std::fmt;
use std::ops::Deref;

/// An array of `int32`: replica sets, partition numbers.
///
/// Up to three values are kept inline, so that a partition's replica lists usually cost no allocation.
#[derive(Clone)]
pub struct Ints {
    // Plain fields rather than an enum: an enum is written in overlapping pieces, which stalls its first reading.
    values: [i32; Self::INLINE],
    len: u32,
    heap: Option<Box<Heap>>,
}

#[derive(Clone)]
struct Heap {
    values: Vec<i32>,
}

impl Ints {
    /// How many values are kept inline.
    pub(crate) const INLINE: usize = 3;

    /// The empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self::inline(0, [0; Self::INLINE])
    }

    /// The first `len` of these values.
    pub(crate) const fn inline(len: u32, values: [i32; Self::INLINE]) -> Self {
        Self { values, len, heap: None }
    }

    /// The values.
    #[must_use]
    pub fn as_slice(&self) -> &[i32] {
        match &self.heap {
            Some(heap) => &heap.values,
            None => self.values.get(..self.len as usize).unwrap_or_default(),
        }
    }
}

impl Default for Ints {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Ints {
    type Target = [i32];

    fn deref(&self) -> &[i32] {
        self.as_slice()
    }
}

impl From<&[i32]> for Ints {
    fn from(list: &[i32]) -> Self {
        if list.len() > Self::INLINE {
            return Self::from(Vec::from(list));
        }
        let mut values = [0; Self::INLINE];
        values[..list.len()].copy_from_slice(list);
        Self::inline(list.len() as u32, values)
    }
}

impl From<Vec<i32>> for Ints {
    fn from(list: Vec<i32>) -> Self {
        if list.len() > Self::INLINE {
            return Self { heap: Some(Box::new(Heap { values: list })), ..Self::new() };
        }
        Self::from(list.as_slice())
    }
}

impl<const N: usize> From<[i32; N]> for Ints {
    fn from(list: [i32; N]) -> Self {
        Self::from(list.as_slice())
    }
}

impl FromIterator<i32> for Ints {
    fn from_iter<I: IntoIterator<Item = i32>>(list: I) -> Self {
        Self::from(Vec::from_iter(list))
    }
}

impl<'a> IntoIterator for &'a Ints {
    type Item = &'a i32;
    type IntoIter = std::slice::Iter<'a, i32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Ints {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Ints {}

impl PartialEq<[i32]> for Ints {
    fn eq(&self, other: &[i32]) -> bool {
        self.as_slice() == other
    }
}

impl<const N: usize> PartialEq<[i32; N]> for Ints {
    fn eq(&self, other: &[i32; N]) -> bool {
        self.as_slice() == other
    }
}

impl fmt::Debug for Ints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_slice(), f)
    }
}
