//! Runs the command-line tool under test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::Outcome;

/// What a run of the tool left.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub output: Vec<u8>,
    /// What it wrote to standard error.
    pub errors: String,
    /// How long it took.
    pub took: Duration,
}

impl Ran {
    /// The output of a run that must have gone well.
    ///
    /// # Errors
    /// When it did not; the error has what the tool said.
    pub fn succeeded(self) -> Outcome<Vec<u8>> {
        if self.code == Some(0) {
            Ok(self.output)
        } else {
            Err(format!("klamm ended with {:?}: {}", self.code, self.errors.trim()).into())
        }
    }
}

/// Runs `klamm` with these arguments and this standard input, with at most `memory_mib` of address space when it is
/// given.
///
/// # Errors
/// When it cannot be started.
pub fn klamm(arguments: &[&str], input: &[u8], memory_mib: Option<u32>) -> Outcome<Ran> {
    let program = path()?;
    let mut command = match memory_mib {
        None => Command::new(program),
        Some(mib) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", "ulimit -v \"$1\"; shift; exec \"$@\"", "sh"]);
            shell.arg((u64::from(mib) * 1024).to_string()).arg(program);
            shell
        }
    };
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    let input = input.to_vec();
    // From a thread of its own: the tool may write before it has read all.
    let feeder = std::thread::spawn(move || {
        // A tool that ends early closes the pipe; its exit code tells.
        drop(stdin.write_all(&input));
    });
    let output = child.wait_with_output()?;
    feeder.join().map_err(|_| "the thread that feeds klamm panicked")?;
    Ok(Ran {
        code: output.status.code(),
        output: output.stdout,
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        took: began.elapsed(),
    })
}

/// Runs `klamm` with these arguments, sends it a signal by name once it has written so many lines, and waits for its end.
///
/// # Errors
/// When it cannot be started or signalled.
pub fn klamm_until(arguments: &[&str], lines: usize, signal: &str) -> Outcome<Ran> {
    let mut command = Command::new(path()?);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn()?;
    let mut reader = BufReader::new(child.stdout.take().ok_or("no standard output")?);
    let mut output = Vec::new();
    for _ in 0..lines {
        if reader.read_until(b'\n', &mut output)? == 0 {
            break;
        }
    }
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status()?;
    if !sent.success() {
        return Err("the signal could not be sent".into());
    }
    reader.read_to_end(&mut output)?;
    let ended = child.wait_with_output()?;
    Ok(Ran {
        code: ended.status.code(),
        output,
        errors: String::from_utf8_lossy(&ended.stderr).into_owned(),
        took: began.elapsed(),
    })
}

/// Runs `klamm` with these arguments, and kills it (SIGKILL) when `until` returns.
///
/// # Errors
/// When it cannot be started, or what `until` says.
pub fn klamm_killed(arguments: &[&str], until: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let mut command = Command::new(path()?);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let outcome = until();
    child.kill()?;
    child.wait()?;
    outcome
}

/// The tool: what `KLAMM_BIN` names, or else built now, in the profile of the tests themselves.
///
/// # Errors
/// When it does not build.
pub fn path() -> Outcome<&'static Path> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(path) = std::env::var_os("KLAMM_BIN") {
            return Ok(path.into());
        }
        build().map_err(|error| error.to_string())
    })
    .as_deref()
    .map_err(|error| error.clone().into())
}

fn build() -> Outcome<PathBuf> {
    // Tests are in <profile>/deps, programs in <profile>.
    let tests = std::env::current_exe()?;
    let profile = tests.parent().and_then(Path::parent).ok_or("no folder above the tests")?;
    let target = profile.parent().ok_or("no folder above the profile")?;
    let release = profile.ends_with("release");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--workspace", "--bin", "klamm", "--target-dir"]).arg(target);
    command.args(release.then_some("--release")).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("klamm does not build: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(profile.join("klamm"))
}
