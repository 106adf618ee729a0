//! The command-line tool, or another program, while it runs: a process that can be listened to and killed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::Outcome;
use crate::program;

/// A run of a program that goes on. Killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    process: Child,
    listeners: Vec<JoinHandle<()>>,
    errors: Arc<Mutex<Vec<String>>>,
}

impl Running {
    /// Starts `klamm` with these arguments. `heard` gets its output, as far as lines are whole: one or more at a time, with
    /// the newlines between them.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(arguments: &[&str], heard: impl FnMut(&[u8]) + Send + 'static) -> Outcome<Self> {
        let mut command = Command::new(program::path()?);
        command.args(arguments);
        Self::start_command(command, heard)
    }

    /// The same with any program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_command(mut command: Command, heard: impl FnMut(&[u8]) + Send + 'static) -> Outcome<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = command.spawn()?;
        let errors = Arc::new(Mutex::new(Vec::new()));
        let mut running = Self { process, listeners: Vec::new(), errors };
        let output = running.process.stdout.take().ok_or("no standard output")?;
        let said = running.process.stderr.take().ok_or("no standard error")?;
        running.listeners.push(std::thread::spawn(move || listen(output, heard)));
        let errors = Arc::clone(&running.errors);
        running.listeners.push(std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                errors.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        }));
        Ok(running)
    }

    /// The lines that it wrote to standard error so far.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends it a signal by name, waits until it is gone and all that it wrote was heard.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn end(&mut self, signal: &str) -> Outcome<ExitStatus> {
        self.signal(signal)?;
        let status = self.process.wait()?;
        for listener in self.listeners.drain(..) {
            listener.join().map_err(|_| "a listening thread panicked")?;
        }
        Ok(status)
    }

    /// Sends it a signal by name.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn signal(&self, signal: &str) -> Outcome<()> {
        let id = self.process.id().to_string();
        if !Command::new("kill").args([&format!("-{signal}"), &id]).status()?.success() {
            return Err(format!("it cannot be signalled; it said: {:?}", self.errors()).into());
        }
        Ok(())
    }

    /// Whether it has ended by itself.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn has_ended(&mut self) -> Outcome<bool> {
        Ok(self.process.try_wait()?.is_some())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn listen(output: impl Read, mut heard: impl FnMut(&[u8])) {
    let mut reader = BufReader::with_capacity(1 << 16, output);
    let mut started = Vec::new();
    loop {
        let Ok(bytes) = reader.fill_buf() else { return };
        let read = bytes.len();
        if read == 0 {
            return;
        }
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => {
                started.extend_from_slice(&bytes[..end]);
                heard(&started);
                started.clear();
                started.extend_from_slice(&bytes[end + 1..]);
            }
            None => started.extend_from_slice(bytes),
        }
        reader.consume(read);
    }
}
