//! Who read what.

use std::{
    fmt,
    hash::{DefaultHasher, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::load::Produced;
use crate::error::CliError;

/// What all members read; shared by the threads that listen to them.
#[derive(Clone)]
pub(super) struct Ledger {
    read: Arc<Mutex<Read>>,
}

struct Read {
    /// By partition and offset: the member that read it first, or 0.
    first: Vec<Vec<u8>>,
    /// Records, without repetitions.
    records: u64,
    checksum: u64,
    /// By member who read it first.
    repeated: [u64; 256],
    /// What a member said that makes no sense.
    nonsense: Option<String>,
}

/// What was found when all was read.
pub(super) struct Verified {
    records: u64,
    checksum: u64,
    repeated: u64,
    killed: u8,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, checksum, repeated, killed } = self;
        write!(
            f,
            "{records} records, checksum {checksum:016x}, every one read; {repeated} of them twice: those that member \
             {killed} read, but was killed before it committed them"
        )
    }
}

pub(super) fn hash(value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(value);
    hasher.finish()
}

impl Ledger {
    pub(super) fn new(partitions: i32) -> Self {
        let read = Read {
            first: vec![Vec::new(); partitions.unsigned_abs() as usize],
            records: 0,
            checksum: 0,
            repeated: [0; 256],
            nonsense: None,
        };
        Self { read: Arc::new(Mutex::new(read)) }
    }

    fn lock(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that were read, without repetitions.
    pub(super) fn records(&self) -> u64 {
        self.lock().records
    }

    /// Enters lines of a member: partition, offset and value, with a space between.
    pub(super) fn enter(&self, member: u8, lines: &[u8]) {
        let mut read = self.lock();
        for line in lines.split(|byte| *byte == b'\n') {
            if read.enter(member, line).is_none() && read.nonsense.is_none() {
                read.nonsense = Some(String::from_utf8_lossy(line).into_owned());
            }
        }
    }

    /// Every record is there, and what is there more than once was first read by the member that was killed.
    pub(super) fn verify(&self, produced: &Produced, killed: u8) -> Result<Verified, CliError> {
        let read = self.lock();
        let failed = |what: String| Err(CliError::failed(format!("verification failed: {what}")));
        if let Some(line) = &read.nonsense {
            return failed(format!("a member wrote {line:?}"));
        }
        for (partition, (first, produced)) in read.first.iter().zip(&produced.partitions).enumerate() {
            if let Some(lost) = first.iter().position(|member| *member == 0) {
                return failed(format!("partition {partition}: nobody read offset {lost}"));
            }
            if first.len() as u64 != *produced {
                return failed(format!(
                    "partition {partition}: {} of {produced} records were read",
                    first.len()
                ));
            }
        }
        if read.checksum != produced.checksum {
            return failed("what was read is not what was produced".into());
        }
        let repeated: u64 = read.repeated.iter().sum();
        if repeated != read.repeated[usize::from(killed)] {
            return failed("records of members that live were read twice".into());
        }
        Ok(Verified { records: read.records, checksum: read.checksum, repeated, killed })
    }
}

impl Read {
    fn enter(&mut self, member: u8, line: &[u8]) -> Option<()> {
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse::<usize>().ok();
        let (partition, offset) = (number()?, number()?);
        let value = parts.next()?;
        let first = self.first.get_mut(partition)?;
        if first.len() <= offset {
            first.resize(offset + 1, 0);
        }
        match first[offset] {
            0 => {
                first[offset] = member;
                self.records += 1;
                self.checksum = self.checksum.wrapping_add(hash(value));
            }
            earlier => self.repeated[usize::from(earlier)] += 1,
        }
        Some(())
    }
}
