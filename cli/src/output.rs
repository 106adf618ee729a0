//! Standard output: buffered, and quiet about a reader that went away.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::error::CliError;

/// Standard output with a buffer, which is flushed by hand: at the end, and whenever a person might wait.
pub(crate) struct Output {
    writer: BufWriter<Stdout>,
    is_terminal: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Self { writer: BufWriter::with_capacity(1 << 16, stdout), is_terminal }
    }

    /// Writes through `write`.
    ///
    /// # Errors
    /// [`CliError::OutputClosed`] if the reader went away, otherwise what the system says.
    pub(crate) fn with(
        &mut self,
        write: impl FnOnce(&mut BufWriter<Stdout>) -> io::Result<()>,
    ) -> Result<(), CliError> {
        write(&mut self.writer).map_err(|error| CliError::output(&error))
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, line: impl std::fmt::Display) -> Result<(), CliError> {
        self.with(|out| writeln!(out, "{line}"))
    }

    /// Hands everything to the reader.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        self.with(Write::flush)
    }

    /// Whether a person reads it.
    pub(crate) const fn is_terminal(&self) -> bool {
        self.is_terminal
    }
}

/// A table without lines: columns of text, numbers to the right.
pub(crate) fn table(columns: &[(&str, Align)]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|(name, _)| *name));
    for (column, (_, align)) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        column.set_cell_alignment(match align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
    }
    table
}

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Align {
    Left,
    Right,
}
