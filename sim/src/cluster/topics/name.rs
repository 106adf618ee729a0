//! Which names a topic may have.

/// The longest name.
const MAX_LEN: usize = 249;

/// Checks a topic's name. The error is the text that a broker answers.
pub(crate) fn check(name: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() {
        Err("Topic name is invalid: the empty string is not allowed".to_owned())
    } else if matches!(name, "." | "..") {
        Err(format!("Topic name is invalid: '{name}' is not allowed"))
    } else if name.len() > MAX_LEN {
        Err(format!(
            "Topic name is invalid: the length of '{name}' is longer than the max allowed length {MAX_LEN}"
        ))
    } else if !name.bytes().all(legal) {
        Err(format!(
            "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', \
             '_' and '-'"
        ))
    } else {
        Ok(())
    }
}

/// Whether two names are the same in the names of metrics, where a period is written as an underscore.
pub(crate) fn collide(one: &str, other: &str) -> bool {
    let folded = |byte| if byte == b'.' { b'_' } else { byte };
    one.bytes().map(folded).eq(other.bytes().map(folded))
}
