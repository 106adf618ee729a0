//! The schemas as data.

use crate::MessageInfo;

/// The path of the field whose value starts at byte `offset` of `frame`.
pub(crate) fn locate(
    _info: &'static MessageInfo,
    _version: i16,
    _frame: &[u8],
    _start: usize,
    _offset: usize,
) -> String {
    String::new()
}
