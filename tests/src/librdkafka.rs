//! librdkafka, in its makers' own build: the wheel `confluent-kafka` for Python, installed once into a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::Outcome;

const PACKAGE: &str = "confluent-kafka";
const VERSION: &str = "2.16.1";

/// Why librdkafka cannot be had here, if it cannot.
#[must_use]
pub fn why_unavailable() -> Option<&'static str> {
    python().err()
}

/// Runs a program of `tests/python` with these arguments and returns what it wrote.
///
/// # Errors
/// When librdkafka cannot be had, or the program failed: with what it said.
pub fn run(program: &str, arguments: &[&str]) -> Outcome<Vec<u8>> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(program);
    let mut command = Command::new(python()?);
    checked(command.arg("-B").arg(program).args(arguments))
}

/// The interpreter that has the package.
fn python() -> Result<&'static Path, &'static str> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PYTHON
        .get_or_init(|| install().map_err(|error| format!("{PACKAGE} cannot be installed: {error}")))
        .as_deref()
        .map_err(String::as_str)
}

fn install() -> Outcome<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = cache.or_else(home).ok_or("there is no home folder")?;
    let folder = cache.join("klamm-tests").join(format!("{PACKAGE}-{VERSION}"));
    let python = folder.join("bin").join("python");
    if python.exists() && works(&python).is_ok() {
        return Ok(python);
    }
    checked(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let requirement = format!("{PACKAGE}=={VERSION}");
    let install =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
    checked(Command::new(&python).args(install).arg(requirement))?;
    works(&python)?;
    Ok(python)
}

fn works(python: &Path) -> Outcome<()> {
    checked(Command::new(python).args(["-c", "import confluent_kafka"])).map(drop)
}

fn checked(command: &mut Command) -> Outcome<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().last().unwrap_or("it did not say why").to_owned().into())
}
