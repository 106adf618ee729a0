//! Texts as they travel in URLs.

/// Appends `text` with `%XX` in place of what is neither a letter nor a digit nor one of `kept`.
pub(crate) fn percent(text: &str, kept: &[u8], into: &mut String) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.extend(['%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

/// What needs no `%XX` anywhere in a URL (RFC 3986, section 2.3).
pub(crate) const UNRESERVED: &[u8] = b"-._~";
