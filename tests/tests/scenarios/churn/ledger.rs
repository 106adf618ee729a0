//! What was acknowledged, and who read it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use klamm_tests::Outcome;

/// How far producing may be ahead of reading, so that what is asked of an event is that all partitions are read on.
const AHEAD: usize = 2_000;

/// Shared by the one who produces, those who listen to members, and the one who makes things happen.
#[derive(Clone)]
pub(super) struct Ledger(Arc<(Mutex<Books>, Condvar)>);

#[derive(Default)]
struct Books {
    partitions: Vec<Partition>,
    read: usize,
    stopped: bool,
    /// How often a broker died or came back.
    outages: u32,
    /// Records that were read again, by who read them before, where no broker died or came back in between.
    again: BTreeMap<u32, usize>,
    again_after_outages: usize,
    nonsense: Option<String>,
}

#[derive(Default)]
struct Partition {
    acknowledged: usize,
    /// By offset: who read it last, and after how many outages.
    readers: Vec<Option<(u32, u32)>>,
    read: usize,
}

impl Ledger {
    pub(super) fn new(partitions: usize) -> Self {
        let partitions = (0..partitions).map(|_| Partition::default()).collect();
        Self(Arc::new((Mutex::new(Books { partitions, ..Books::default() }), Condvar::new())))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this holds; false if it does not in time.
    fn until(&self, patience: Duration, holds: impl Fn(&Books) -> bool) -> bool {
        let (books, changed) = (self.books(), &self.0.1);
        let waited = changed.wait_timeout_while(books, patience, |books| !holds(books));
        waited.is_ok_and(|(_, timeout)| !timeout.timed_out())
    }

    /// Waits until another record may be produced; false if none is wanted any more.
    pub(super) fn may_produce(&self, number: usize) -> bool {
        let (books, changed) = (self.books(), &self.0.1);
        let may = |books: &mut Books| !books.stopped && number >= books.read + AHEAD;
        let books = changed.wait_while(books, may).unwrap_or_else(PoisonError::into_inner);
        !books.stopped
    }

    /// Nothing more is to be produced.
    pub(super) fn stop(&self) {
        self.books().stopped = true;
        self.0.1.notify_all();
    }

    pub(super) fn acknowledged(&self, partition: usize) {
        self.books().partitions[partition].acknowledged += 1;
    }

    /// A broker died or came back.
    pub(super) fn outage(&self) {
        self.books().outages += 1;
    }

    /// Enters lines of a member: partition, offset and value.
    pub(super) fn enter(&self, member: u32, lines: &[u8]) {
        let mut books = self.books();
        for line in lines.split(|byte| *byte == b'\n') {
            let text = String::from_utf8_lossy(line);
            if books.enter(member, &text).is_none() && books.nonsense.is_none() {
                books.nonsense = Some(format!("{text:?} by member {member}"));
            }
        }
        drop(books);
        self.0.1.notify_all();
    }

    /// Waits until each partition gave so many records that were not read before.
    pub(super) fn progress(&self, records: usize, patience: Duration) -> bool {
        let before: Vec<usize> = self.books().partitions.iter().map(|each| each.read).collect();
        self.until(patience, |books| {
            books.partitions.iter().zip(&before).all(|(each, before)| each.read >= before + records)
        })
    }

    /// Waits until everything that was acknowledged is read.
    pub(super) fn until_all_read(&self, patience: Duration) -> bool {
        self.until(patience, |books| books.partitions.iter().all(|each| each.read >= each.acknowledged))
    }

    /// How far the partitions are.
    pub(super) fn describe(&self) -> String {
        let books = self.books();
        let each = |(at, each): (usize, &Partition)| format!("{at}: {}/{}", each.read, each.acknowledged);
        books.partitions.iter().enumerate().map(each).collect::<Vec<_>>().join(", ")
    }

    /// Nothing is lost, and nothing was read again for no reason.
    pub(super) fn verify(&self, excused: &BTreeSet<u32>) -> Outcome<()> {
        let books = self.books();
        if let Some(nonsense) = &books.nonsense {
            return Err(format!("a member wrote {nonsense}").into());
        }
        for (at, partition) in books.partitions.iter().enumerate() {
            if partition.readers.len() != partition.acknowledged || partition.read != partition.acknowledged {
                let (read, there) = (partition.read, partition.acknowledged);
                return Err(format!("partition {at}: {read} of {there} records were read").into());
            }
        }
        let for_no_reason = books.again.iter().find(|(member, _)| !excused.contains(member));
        if let Some((member, records)) = for_no_reason {
            return Err(format!("{records} records of member {member} were read again for no reason").into());
        }
        Ok(())
    }
}

impl Books {
    fn enter(&mut self, member: u32, line: &str) -> Option<()> {
        let mut numbers = line.split(' ').map(|number| number.parse::<usize>().ok());
        let (partition, offset, value) = (numbers.next()??, numbers.next()??, numbers.next()??);
        if value != offset {
            return None;
        }
        let outages = self.outages;
        let partition = self.partitions.get_mut(partition)?;
        if partition.readers.len() <= offset {
            partition.readers.resize(offset + 1, None);
        }
        match partition.readers[offset].replace((member, outages)) {
            None => {
                partition.read += 1;
                self.read += 1;
            }
            Some((_, earlier)) if earlier != outages => self.again_after_outages += 1,
            Some((before, _)) => *self.again.entry(before).or_default() += 1,
        }
        Some(())
    }
}
