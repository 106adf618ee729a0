//! The name of the place where decoding failed.

use std::fmt::Write;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::names::snake_case;
use super::{Step, Value, Visitor, parse, walk};
use crate::MessageInfo;
use crate::wire::Reader;

/// The path of the value that starts at byte `offset` of a message.
///
/// Costs nothing until decoding fails and the place is asked for, and then one walk up to the failure.
pub(crate) fn locate(info: &'static MessageInfo, version: i16, message: &Bytes, offset: usize) -> String {
    let Ok(schema) = parse(info.schema) else { return String::new() };
    let mut reader = Reader::new(message.clone());
    let mut finder = Finder { offset, path: String::new(), ends: Vec::new(), found: None };
    match walk(&schema, version, &mut reader, &mut finder) {
        ControlFlow::Continue(()) => finder.found.unwrap_or_default(),
        ControlFlow::Break(()) => finder.found.unwrap_or(finder.path),
    }
}

/// Follows the walk until it is past the offset, or until the bytes make no sense to the walk either.
struct Finder {
    offset: usize,
    path: String,
    /// The lengths of the path before each step.
    ends: Vec<usize>,
    /// The innermost place that starts at the offset.
    found: Option<String>,
}

impl Visitor for Finder {
    fn enter(&mut self, step: Step<'_>, offset: usize) -> ControlFlow<()> {
        if offset > self.offset {
            return ControlFlow::Break(());
        }
        self.ends.push(self.path.len());
        match step {
            Step::Field(name) => {
                if !self.path.is_empty() {
                    self.path.push('.');
                }
                self.path.push_str(&snake_case(name));
            }
            Step::Index(index) => _ = write!(self.path, "[{index}]"),
            Step::UnknownTag(tag) => _ = write!(self.path, ".tag{tag}"),
        }
        if offset == self.offset {
            self.found = Some(self.path.clone());
        }
        ControlFlow::Continue(())
    }

    fn value(&mut self, _value: Value) {}

    fn leave(&mut self) {
        self.path.truncate(self.ends.pop().unwrap_or(0));
    }
}
