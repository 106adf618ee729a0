//! The format language of `klamm consume -f`.

use std::io::{self, Write};

use crate::{error::CliError, escape::unescape};

/// One record, as the output sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// Number of the record in the output, from 0.
    pub(crate) number: u64,
}

/// A parsed format: writing a record walks it without parsing again.
#[derive(Debug)]
pub(crate) struct Format {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Key,
    Value,
    KeyLength,
    ValueLength,
    Headers,
    HeaderCount,
    Timestamp,
    Number,
}

impl Format {
    /// Parses `text`.
    ///
    /// # Errors
    /// Names the unknown letter and the known ones.
    pub(crate) fn parse(text: &str) -> Result<Self, CliError> {
        let mut parts = Vec::new();
        let mut pieces = text.split('%');
        let first = pieces.next().unwrap_or_default();
        push_literal(&mut parts, first)?;
        while let Some(piece) = pieces.next() {
            let Some(letter) = piece.chars().next() else {
                // "%%": the empty piece between the signs stands for one of them.
                parts.push(Part::Literal(b"%".to_vec()));
                match pieces.next() {
                    Some(after) => push_literal(&mut parts, after)?,
                    None => return Err(CliError::usage(format!("the format {text:?} ends in a lone %"))),
                }
                continue;
            };
            parts.push(part(letter).ok_or_else(|| unknown(text, letter))?);
            push_literal(&mut parts, piece.get(letter.len_utf8()..).unwrap_or_default())?;
        }
        Ok(Self { parts })
    }

    /// Writes `record` to `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn write(&self, out: &mut impl Write, record: &Shown<'_>) -> io::Result<()> {
        for part in &self.parts {
            match part {
                Part::Literal(bytes) => out.write_all(bytes)?,
                Part::Topic => out.write_all(record.topic.as_bytes())?,
                Part::Partition => write!(out, "{}", record.partition)?,
                Part::Offset => write!(out, "{}", record.offset)?,
                Part::Key => out.write_all(record.key.unwrap_or_default())?,
                Part::Value => out.write_all(record.value.unwrap_or_default())?,
                Part::KeyLength => write_length(out, record.key)?,
                Part::ValueLength => write_length(out, record.value)?,
                Part::Headers => write_headers(out, record.headers)?,
                Part::HeaderCount => write!(out, "{}", record.headers.len())?,
                Part::Timestamp => write!(out, "{}", record.timestamp_ms)?,
                Part::Number => write!(out, "{}", record.number)?,
            }
        }
        Ok(())
    }
}

fn part(letter: char) -> Option<Part> {
    Some(match letter {
        't' => Part::Topic,
        'p' => Part::Partition,
        'o' => Part::Offset,
        'k' => Part::Key,
        'v' | 's' => Part::Value,
        'K' => Part::KeyLength,
        'V' | 'S' => Part::ValueLength,
        'h' => Part::Headers,
        'H' => Part::HeaderCount,
        'T' => Part::Timestamp,
        'i' => Part::Number,
        _ => return None,
    })
}

fn unknown(text: &str, letter: char) -> CliError {
    CliError::usage(format!(
        "the format {text:?} has an unknown %{letter}: known are %t %p %o %k %v %s %K %V %S %h %H %T %i %%"
    ))
}

fn push_literal(parts: &mut Vec<Part>, text: &str) -> Result<(), CliError> {
    if !text.is_empty() {
        parts.push(Part::Literal(unescape(text)?));
    }
    Ok(())
}

fn write_length(out: &mut impl Write, bytes: Option<&[u8]>) -> io::Result<()> {
    match bytes {
        Some(bytes) => write!(out, "{}", bytes.len()),
        None => out.write_all(b"-1"),
    }
}

fn write_headers(out: &mut impl Write, headers: &[(&str, Option<&[u8]>)]) -> io::Result<()> {
    for (index, (name, value)) in headers.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        out.write_all(name.as_bytes())?;
        if let Some(value) = value {
            out.write_all(b"=")?;
            out.write_all(value)?;
        }
    }
    Ok(())
}

/// Writes `record` as one line of JSON.
///
/// Keys, values and header values that are UTF-8 appear as strings, null as null, and other bytes as
/// `{"base64": ".."}`, so that nothing is lost.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write_json(out: &mut impl Write, record: &Shown<'_>) -> io::Result<()> {
    write!(out, "{{\"topic\":")?;
    write_json_text(out, record.topic)?;
    write!(out, ",\"partition\":{},\"offset\":{}", record.partition, record.offset)?;
    write!(out, ",\"timestamp\":{},\"key\":", record.timestamp_ms)?;
    write_json_bytes(out, record.key)?;
    out.write_all(b",\"value\":")?;
    write_json_bytes(out, record.value)?;
    out.write_all(b",\"headers\":[")?;
    for (index, (name, value)) in record.headers.iter().enumerate() {
        out.write_all(if index > 0 { b",[" } else { b"[" })?;
        write_json_text(out, name)?;
        out.write_all(b",")?;
        write_json_bytes(out, *value)?;
        out.write_all(b"]")?;
    }
    out.write_all(b"]}\n")
}

fn write_json_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(io::Error::from)
}

fn write_json_bytes(out: &mut impl Write, bytes: Option<&[u8]>) -> io::Result<()> {
    let Some(bytes) = bytes else { return out.write_all(b"null") };
    match std::str::from_utf8(bytes) {
        Ok(text) => write_json_text(out, text),
        Err(_) => write!(out, "{{\"base64\":\"{}\"}}", base64(bytes)),
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests;
