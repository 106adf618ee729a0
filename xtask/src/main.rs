//! Developer commands: schema import and code generation.
//!
//! - `cargo xtask schemas`: reads the message schemas out of the official `kafka-clients` jars (through Maven) and
//!   writes `protocol/schema/`.
//! - `cargo xtask generate`: writes `protocol/src/messages/` from `protocol/schema/`.
//! - `cargo xtask assignors`: has the Java client's assignors assign to random groups, and writes what they make of them to
//!   `core/tests/vectors/assignors.json`.

mod assignors;
mod generate;
mod import;
mod jar;
mod merge;
#[path = "../../protocol/src/schema"]
#[expect(unreachable_pub, reason = "shared with the protocol crate, where it is public")]
mod schema {
    pub(crate) mod model;
    pub(crate) mod names;
    pub(crate) mod parse;
}
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use crate::schema::model::Schema;

/// File contents by file name.
type Files = BTreeMap<String, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["schemas"] => write_schemas(),
        ["generate"] => write_messages(),
        ["assignors"] => assignors::write(),
        _ => Err("usage: cargo xtask schemas | generate | assignors".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command-line tool")]
fn report(text: &str) {
    eprintln!("xtask: {text}");
}

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}

fn schema_folder() -> PathBuf {
    root().join("protocol/schema")
}

fn messages_folder() -> PathBuf {
    root().join("protocol/src/messages")
}

fn write_schemas() -> Result<(), Box<dyn Error>> {
    let [old, new] = jar::both(jar::Fetch::IfMissing)?;
    let files = schema_files(&import::jar(&old)?, &import::jar(&new)?)?;
    replace_files(&schema_folder(), &files)
}

/// The schema files that two jars give.
fn schema_files(old: &[Schema], new: &[Schema]) -> Result<Files, Box<dyn Error>> {
    let merged = merge::merge(old, new)?;
    Ok(merged.iter().map(|schema| (format!("{}.txt", schema.name), schema.to_string())).collect())
}

fn write_messages() -> Result<(), Box<dyn Error>> {
    let files = generate::files(&read_schemas()?)?;
    let folder = messages_folder();
    replace_files(&folder, &files)?;
    generate::format(&folder)
}

/// All checked-in schemas.
fn read_schemas() -> Result<Vec<Schema>, Box<dyn Error>> {
    let files = read_files(&schema_folder())?;
    let parse = |(name, text): (&String, &String)| {
        schema::parse::parse(text).map_err(|error| format!("{name}: {error}").into())
    };
    files.iter().map(parse).collect()
}

/// The files of a folder.
fn read_files(folder: &Path) -> Result<Files, Box<dyn Error>> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path())?);
    }
    Ok(files)
}

/// Makes a folder hold exactly these files.
fn replace_files(folder: &Path, files: &Files) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    for name in read_files(folder)?.keys().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(folder.join(name))?;
    }
    for (name, text) in files {
        fs::write(folder.join(name), text)?;
    }
    report(&format!("{}: {} files", folder.display(), files.len()));
    Ok(())
}
