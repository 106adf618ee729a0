//! Records out of files: split at a delimiter, without ever holding more than one record.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use crate::error::CliError;

/// Reads delimited records from one source after another.
pub(crate) struct Lines {
    sources: std::vec::IntoIter<PathBuf>,
    current: Option<Source>,
    delimiter: Vec<u8>,
    record: Vec<u8>,
    bytes_max: u64,
}

struct Source {
    name: String,
    reader: Box<dyn BufRead>,
    records: u64,
}

impl Lines {
    /// Reads `files` one after another; `-`, or no file at all, is standard input. A record of more than `bytes_max`
    /// is refused while it is read, so that a file without delimiters does not fill the memory.
    pub(crate) fn new(files: &[PathBuf], delimiter: Vec<u8>, bytes_max: u64) -> Result<Self, CliError> {
        if delimiter.is_empty() {
            return Err(CliError::usage("--delimiter must not be empty: try '\\n'"));
        }
        let files = if files.is_empty() { vec![PathBuf::from("-")] } else { files.to_vec() };
        if let Some(missing) = files.iter().find(|file| !is_standard_input(file) && !file.exists()) {
            return Err(CliError::usage(format!("{}: there is no such file", missing.display())));
        }
        if let Some(directory) = files.iter().find(|file| file.is_dir()) {
            return Err(CliError::usage(format!("{}: this is a directory, not a file", directory.display())));
        }
        Ok(Self { sources: files.into_iter(), current: None, delimiter, record: Vec::new(), bytes_max })
    }

    /// The next record without its delimiter, or `None` after the last source's end.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, CliError> {
        loop {
            let Some(source) = &mut self.current else {
                let Some(path) = self.sources.next() else { return Ok(None) };
                self.current = Some(Source::open(&path)?);
                continue;
            };
            self.record.clear();
            let read = source.read_record(&self.delimiter, self.bytes_max, &mut self.record)?;
            if read == 0 {
                self.current = None;
                continue;
            }
            if self.record.ends_with(&self.delimiter) {
                self.record.truncate(self.record.len() - self.delimiter.len());
            }
            return Ok(Some(&self.record));
        }
    }
}

impl Source {
    fn open(path: &Path) -> Result<Self, CliError> {
        if is_standard_input(path) {
            let reader = Box::new(BufReader::with_capacity(1 << 18, io::stdin()));
            return Ok(Self { name: "standard input".to_owned(), reader, records: 0 });
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| CliError::failed(format!("{name}: {error}")))?;
        Ok(Self { name, reader: Box::new(BufReader::with_capacity(1 << 18, file)), records: 0 })
    }

    /// Appends one record with its delimiter to `record`; returns the bytes read, 0 at the end.
    fn read_record(
        &mut self,
        delimiter: &[u8],
        bytes_max: u64,
        record: &mut Vec<u8>,
    ) -> Result<u64, CliError> {
        let last = delimiter.last().copied().unwrap_or(b'\n');
        let mut total = 0;
        loop {
            let room = bytes_max + delimiter.len() as u64 - total;
            let read = io::Read::take(&mut self.reader, room)
                .read_until(last, record)
                .map_err(|error| CliError::failed(format!("{}: {error}", self.name)))?;
            total += read as u64;
            let delimited = record.ends_with(delimiter);
            if read > 0 && !delimited {
                continue;
            }
            let content = if delimited { total - delimiter.len() as u64 } else { total };
            if content > bytes_max {
                return Err(CliError::failed(format!(
                    "{}: record {} is longer than {bytes_max} bytes: is the delimiter right? If so, raise \
                     --max-request-size",
                    self.name,
                    self.records + 1,
                )));
            }
            self.records += u64::from(total > 0);
            return Ok(total);
        }
    }
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// Splits a line into key and value at the first `separator`; without one the whole line is the value.
pub(crate) fn split_key<'a>(line: &'a [u8], separator: &[u8]) -> (Option<&'a [u8]>, &'a [u8]) {
    match line.windows(separator.len()).position(|window| window == separator) {
        Some(at) => (line.get(..at), line.get(at + separator.len()..).unwrap_or_default()),
        None => (None, line),
    }
}

#[cfg(test)]
mod tests;
