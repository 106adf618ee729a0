//! How long a block is when it is decompressed, from a walk over its sequences.
//!
//! A frame does not say it, and the most that a block may hold (up to 4 MiB) is far more than small batches do: zeroing
//! that much for each would cost more than decompressing.

/// Bytes of a match that its token leaves out.
const MIN_MATCH: usize = 4;
/// A length in a token that goes on in the bytes after it.
const CONTINUED: usize = 15;

/// The length of a block when it is decompressed; `None` if its sequences are cut short, or come to more than `most`.
///
/// Where matches refer to is not looked at.
pub(super) fn decompressed_len(block: &[u8], most: usize) -> Option<usize> {
    let (mut rest, mut len) = (block, 0_usize);
    loop {
        let (token, after) = rest.split_first()?;
        rest = after;
        let literals = length(usize::from(token >> 4), &mut rest)?;
        len = len.checked_add(literals)?;
        rest = rest.get(literals..)?;
        if len > most {
            return None;
        }
        if rest.is_empty() {
            return Some(len);
        }
        rest = rest.get(2..)?;
        let matched = length(usize::from(token & 0xf), &mut rest)?;
        len = len.checked_add(matched)?.checked_add(MIN_MATCH)?;
    }
}

/// A length: what the token has of it, and the bytes that it goes on in.
fn length(start: usize, rest: &mut &[u8]) -> Option<usize> {
    let mut len = start;
    if start == CONTINUED {
        loop {
            let (more, after) = rest.split_first()?;
            *rest = after;
            len = len.checked_add(usize::from(*more))?;
            if *more != u8::MAX {
                break;
            }
        }
    }
    Some(len)
}
