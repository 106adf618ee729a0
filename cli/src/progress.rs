//! Progress on long work, on standard error, only when a person is there to see it.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line on the terminal that counts records; nothing where standard error is no terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    records: u64,
}

impl Progress {
    /// Starts counting; `total` records are expected, if that is known.
    pub(crate) fn start(doing: &'static str, total: Option<u64>) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(5)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(total, target).with_message(doing);
        let template = match total {
            Some(_) => "{msg} [{bar:30}] {pos}/{len} records, {per_sec}, {eta} left",
            None => "{spinner} {msg} {pos} records, {per_sec}, {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, records: 0 }
    }

    /// Counts one record; the line is redrawn at most every few thousand.
    pub(crate) fn add(&mut self) {
        self.records += 1;
        if self.records.is_multiple_of(4096) {
            self.bar.set_position(self.records);
        }
    }

    /// Records counted so far.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Writes a line to standard error, above this one.
    pub(crate) fn say(&self, line: &str) {
        // Nothing can be said if standard error is gone.
        self.bar.suspend(|| drop(writeln!(std::io::stderr(), "klamm: {line}")));
    }

    /// Takes the line off the screen.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
