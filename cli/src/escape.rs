//! Backslash escapes in delimiters and formats.

use crate::error::CliError;

/// The bytes that `text` stands for: `\n \r \t \0 \\` and `\xHH` are single bytes, all else is itself.
///
/// # Errors
/// An escape that is not one of these is refused, with the position and the valid ones.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, CliError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (value, used) = match rest {
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [b'0', ..] => (0, 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', high, low, ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => return Err(bad_escape(text, rest)),
            },
            _ => return Err(bad_escape(text, rest)),
        };
        out.push(value);
        rest = rest.get(used..).unwrap_or_default();
    }
    Ok(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn bad_escape(text: &str, rest: &[u8]) -> CliError {
    let at = text.len() - rest.len();
    CliError::usage(format!(
        "{text:?} has an unknown escape at character {at}: \\n \\r \\t \\0 \\\\ and \\xHH are known"
    ))
}
