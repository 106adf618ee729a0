//! Tagged fields that this build does not know.

use std::fmt;

use bytes::Bytes;

/// A tagged field whose meaning is not known here (KIP-482).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTag {
    /// The field's number.
    pub tag: u32,
    /// The field's bytes as they were received.
    pub data: Bytes,
}

/// The tagged fields of a struct that this build does not know, ascending by tag. They survive a round trip.
///
/// One pointer wide, since nearly every struct has one and nearly all are empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UnknownTags {
    list: Option<Box<List>>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct List {
    tags: Vec<UnknownTag>,
}

impl UnknownTags {
    /// No tags.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: None }
    }

    /// The tags, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[UnknownTag] {
        self.list.as_ref().map_or(&[], |list| &list.tags)
    }

    /// How many tags there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_none()
    }

    /// Adds a tag in its place, after others of the same number.
    pub fn insert(&mut self, tag: u32, data: Bytes) {
        let tags = &mut self.list.get_or_insert_default().tags;
        let place = tags.partition_point(|each| each.tag <= tag);
        tags.insert(place, UnknownTag { tag, data });
    }
}

impl fmt::Debug for UnknownTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_slice(), f)
    }
}
