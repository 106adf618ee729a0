//! The members: processes that run `klamm consume --group`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{GROUP, LOOK_AROUND, SESSION_TIMEOUT, TOPIC, ledger::Ledger};
use crate::error::{CliError, Outcome};

/// How many there are, the one that is killed included.
pub(super) const MEMBERS: usize = 4;

/// What a member calls itself.
pub(super) fn client_id(number: usize) -> String {
    format!("member-{number}")
}

/// One member, and the thread that listens to it. Killed when it is dropped.
pub(super) struct Member {
    number: usize,
    process: Child,
    listener: Option<JoinHandle<()>>,
}

impl Member {
    pub(super) fn start(
        number: usize,
        bootstrap: &str,
        timeout: f64,
        ledger: &Ledger,
    ) -> Result<Self, CliError> {
        let program = std::env::current_exe().map_err(CliError::failed)?;
        let mut process = Command::new(program)
            .args(["consume", TOPIC, "--group", GROUP, "--from-beginning", "--format", "%p %o %v\\n"])
            .args(["--bootstrap", bootstrap, "--client-id", &client_id(number)])
            .args(["--session-timeout", &SESSION_TIMEOUT.as_secs().to_string()])
            .args(["--timeout", &timeout.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| CliError::failed(format!("member {number} does not start: {error}")))?;
        let output = process.stdout.take();
        let mut member = Self { number, process, listener: None };
        let output =
            output.ok_or_else(|| CliError::failed(format!("member {number} has no standard output")))?;
        let (ledger, name) = (ledger.clone(), u8::try_from(number).unwrap_or(u8::MAX));
        member.listener = Some(std::thread::spawn(move || listen(output, name, &ledger)));
        Ok(member)
    }

    /// Kills it, and hears the last of it.
    pub(super) fn kill(&mut self) -> Outcome {
        self.process.kill().map_err(CliError::failed)?;
        self.process.wait().map_err(CliError::failed)?;
        self.hear_out()
    }

    /// Asks it to end, and waits for that.
    pub(super) fn leave(mut self, patience: Duration) -> Outcome {
        if self.process.try_wait().map_err(CliError::failed)?.is_some() {
            return self.hear_out();
        }
        let id = i32::try_from(self.process.id()).map_err(CliError::failed)?;
        kill(Pid::from_raw(id), Signal::SIGTERM).map_err(CliError::failed)?;
        let deadline = Instant::now() + patience;
        loop {
            match self.process.try_wait().map_err(CliError::failed)? {
                Some(status) if status.success() => return self.hear_out(),
                Some(status) => {
                    return Err(CliError::failed(format!("member {} ended with {status}", self.number)));
                }
                None if Instant::now() > deadline => {
                    return Err(CliError::failed(format!("member {} does not end", self.number)));
                }
                None => std::thread::sleep(LOOK_AROUND),
            }
        }
    }

    fn hear_out(&mut self) -> Outcome {
        match self.listener.take().map(JoinHandle::join) {
            Some(Err(_panic)) => Err(CliError::failed("a listening thread panicked")),
            _ => Ok(()),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            // It may end by itself meanwhile.
            drop(self.process.kill());
            drop(self.process.wait());
        }
    }
}

/// Enters what a member writes, as far as the lines are whole, until it writes no more.
fn listen(output: ChildStdout, member: u8, ledger: &Ledger) {
    let mut reader = BufReader::with_capacity(1 << 16, output);
    let mut started = Vec::new();
    loop {
        let Ok(bytes) = reader.fill_buf() else { return };
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
            let read = bytes.len();
            if read == 0 {
                return;
            }
            started.extend_from_slice(bytes);
            reader.consume(read);
            continue;
        };
        started.extend_from_slice(&bytes[..end]);
        reader.consume(end + 1);
        ledger.enter(member, &started);
        started.clear();
    }
}
