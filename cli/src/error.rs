//! What a command ends with when it does not end well.

use std::{fmt, io};

/// Why a command stopped before its work was done: one line for the person, and the exit code.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The work could not be done: exit code 1.
    Failed(String),
    /// The command was used wrongly: exit code 2, as clap does for what it finds itself.
    Usage(String),
    /// The reader of our output went away. Nothing is wrong, and nothing more can be said: exit code 0.
    OutputClosed,
}

impl CliError {
    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self::Failed(message.to_string())
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::Usage(message.to_string())
    }

    /// A failure to write to standard output.
    pub(crate) fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Failed(format!("standard output: {error}")),
        }
    }

    /// The exit code of the process.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::OutputClosed => 0,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(message) | Self::Usage(message) => f.write_str(message),
            Self::OutputClosed => f.write_str("the output was closed"),
        }
    }
}

/// What every command returns.
pub(crate) type Outcome = Result<(), CliError>;
