//! What the Java client's assignors make of random groups.

use std::error::Error;
use std::fs;
use std::process::Command;

use crate::{jar, report, root};

/// Writes the vectors that core's assignors are compared with.
pub(crate) fn write() -> Result<(), Box<dyn Error>> {
    let path = root().join("core/tests/vectors/assignors.json");
    fs::write(&path, make()?)?;
    report(&path.display().to_string());
    Ok(())
}

/// Runs `core/tests/java/Assignors.java`, which makes the same groups each time.
pub(crate) fn make() -> Result<Vec<u8>, Box<dyn Error>> {
    let program = root().join("core/tests/java/Assignors.java");
    let output = Command::new("java").args(["-cp", &jar::class_path()?]).arg(program).output()?;
    if !output.status.success() {
        return Err(format!("java: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(output.stdout)
}
