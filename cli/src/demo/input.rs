//! What the demo produces: the lines of a file, or generated records.

use crate::{args::Demo, error::CliError, lines::Lines};

/// A source of records.
pub(super) enum Input {
    File { lines: Lines, name: String },
    Generated { next: u64, records: u64, value: Vec<u8>, size: usize },
}

impl Input {
    pub(super) fn open(args: &Demo) -> Result<Self, CliError> {
        if let Some(path) = &args.file {
            let lines = Lines::new(std::slice::from_ref(path), b"\n".to_vec(), 1 << 20)?;
            return Ok(Self::File { lines, name: path.display().to_string() });
        }
        let size = args.size as usize;
        Ok(Self::Generated { next: 0, records: args.records, value: Vec::with_capacity(size), size })
    }

    /// What is produced, in words.
    pub(super) fn description(&self) -> String {
        match self {
            Self::File { name, .. } => format!("the lines of {name}"),
            Self::Generated { records, size, .. } => format!("{records} records of {size} bytes"),
        }
    }

    /// How many records there are, if that is known.
    pub(super) const fn records(&self) -> Option<u64> {
        match self {
            Self::File { .. } => None,
            Self::Generated { records, .. } => Some(*records),
        }
    }

    /// The next value.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, CliError> {
        match self {
            Self::File { lines, .. } => lines.next(),
            Self::Generated { next, records, value, size } => {
                if next == records {
                    return Ok(None);
                }
                *next += 1;
                generate(*next, *size, value);
                Ok(Some(value))
            }
        }
    }
}

/// A line of text that looks like an event: half of it differs from record to record.
pub(super) fn generate(number: u64, size: usize, value: &mut Vec<u8>) {
    value.clear();
    let mut bits = number;
    value.extend_from_slice(format!("event={number:012} ").as_bytes());
    while value.len() < size {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        value.extend_from_slice(format!("id={bits:016x} user=demo ").as_bytes());
    }
    value.truncate(size);
}
