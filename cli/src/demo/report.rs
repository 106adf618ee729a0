//! The demo's table.

use super::work::Tally;
use crate::{
    error::Outcome,
    output::{Align, Output, table},
};

/// One row.
pub(super) struct Phase<'a> {
    name: &'static str,
    tally: &'a Tally,
}

impl<'a> Phase<'a> {
    pub(super) const fn new(name: &'static str, tally: &'a Tally) -> Self {
        Self { name, tally }
    }
}

pub(super) fn print(output: &mut Output, phases: &[Phase<'_>]) -> Outcome {
    let mut rows = table(&[
        ("", Align::Left),
        ("RECORDS", Align::Right),
        ("BYTES", Align::Right),
        ("SECONDS", Align::Right),
        ("RECORDS/S", Align::Right),
        ("CPU S/M RECORDS", Align::Right),
    ]);
    for Phase { name, tally } in phases {
        let seconds = tally.wall.as_secs_f64();
        let millions = tally.records as f64 / 1e6;
        rows.add_row([
            (*name).to_owned(),
            tally.records.to_string(),
            tally.bytes.to_string(),
            format!("{seconds:.2}"),
            format!("{:.0}", tally.records as f64 / seconds),
            format!("{:.2}", tally.cpu.as_secs_f64() / millions),
        ]);
    }
    output.line(rows.trim_fmt())?;
    output.line("(CPU is that of client and brokers together: they share this process)")
}
