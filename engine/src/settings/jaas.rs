//! Java's way to write credentials: `some.LoginModule required username="alice" password="..";`

use klamm_core::sasl::Secret;

/// The options of a login module, by name.
///
/// # Errors
/// What is wrong with the text, without repeating it.
pub(super) fn options(text: &str) -> Result<Vec<(String, Secret)>, &'static str> {
    let text = text.trim();
    let text = text.strip_suffix(';').ok_or("it has to end with a semicolon")?;
    let mut rest = text.trim_start();
    let mut words = 0;
    let mut options = Vec::new();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else {
            // The module, and whether it is required.
            words += 1;
            rest = after;
            continue;
        };
        let (value, after) = value_of(value.trim_start())?;
        options.push((word.to_owned(), value));
        rest = after.trim_start();
    }
    if words == 2 { Ok(options) } else { Err("it has to begin with a login module and \"required\"") }
}

/// A value, quoted or not, and what follows it.
fn value_of(text: &str) -> Result<(Secret, &str), &'static str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Ok((Secret::from(&text[..end]), &text[end..]));
    };
    let mut value = Vec::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        let c = match c {
            '"' => return Ok((Secret::new(value), &quoted[at + 1..])),
            '\\' => characters.next().ok_or("a backslash has nothing behind it")?.1,
            other => other,
        };
        value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Err("a quotation mark is not closed")
}
