//! A short list of 32-bit integers.

use std::fmt;
use std::ops::Deref;

const INLINE: usize = 3;

/// An array of `int32`: replica sets, partition numbers.
///
/// Up to three values are kept inline, so that a partition's replica lists usually cost no allocation.
#[derive(Clone)]
pub struct Ints {
    values: Values,
}

#[derive(Clone)]
enum Values {
    Inline { len: u8, values: [i32; INLINE] },
    Heap(Box<[i32]>),
}

impl Ints {
    /// The empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self::inline(0, [0; INLINE])
    }

    const fn inline(len: u8, values: [i32; INLINE]) -> Self {
        Self { values: Values::Inline { len, values } }
    }

    /// A list of exactly `count` values; missing ones are zero.
    pub(crate) fn from_exact(count: usize, from: impl Iterator<Item = i32>) -> Self {
        if count > INLINE {
            return Self { values: Values::Heap(from.take(count).collect()) };
        }
        let mut values = [0; INLINE];
        for (value, each) in values.iter_mut().zip(from) {
            *value = each;
        }
        Self::inline(count as u8, values)
    }

    /// The values.
    #[must_use]
    pub fn as_slice(&self) -> &[i32] {
        match &self.values {
            Values::Inline { len, values } => &values[..usize::from(*len).min(INLINE)],
            Values::Heap(values) => values,
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
        if list.len() > INLINE {
            return Self { values: Values::Heap(list.into()) };
        }
        let mut values = [0; INLINE];
        values[..list.len()].copy_from_slice(list);
        Self::inline(list.len() as u8, values)
    }
}

impl From<Vec<i32>> for Ints {
    fn from(list: Vec<i32>) -> Self {
        if list.len() > INLINE {
            return Self { values: Values::Heap(list.into_boxed_slice()) };
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
