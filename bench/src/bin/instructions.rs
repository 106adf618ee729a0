//! Counts the instructions that a record or a batch costs, and compares them with the committed gates.
//!
//! The program runs itself under valgrind's cachegrind, each case with two numbers of rounds: the difference
//! is free of start-up and preparation, and the same on every machine of one architecture and compiler.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use std::process::{Command, ExitCode};

use klamm_bench::instructions::{CASES, Case, Gates, Verdict};

const GATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");
const FEW_ROUNDS: usize = 2;
const MANY_ROUNDS: usize = 6;
const USAGE: &str = "usage: klamm-instructions [check|update] | run CASE ROUNDS";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["run", name, rounds] => run(name, rounds),
        [] | ["check"] => check(),
        ["update"] => update(),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("klamm-instructions: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(name: &str, rounds: &str) -> Result<ExitCode, String> {
    let case = CASES.iter().find(|case| case.name == name).ok_or_else(|| format!("no case {name}"))?;
    (case.run)(rounds.parse().map_err(|_| USAGE.to_owned())?);
    Ok(ExitCode::SUCCESS)
}

fn valgrind_is_there() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The instructions of a whole run of this program.
fn total(case: &Case, rounds: usize) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(program)
        .args(["run", case.name, &rounds.to_string()])
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{} fails:\n{report}", case.name));
    }
    let count = report
        .lines()
        .find_map(|line| line.split_once("I refs:").or_else(|| line.split_once("I   refs:")))
        .map(|(_, count)| count.replace(',', ""))
        .and_then(|count| count.trim().parse().ok());
    count.ok_or_else(|| format!("{}: no count in valgrind's report:\n{report}", case.name))
}

/// The instructions that one unit of a case costs.
fn measure(case: &Case) -> Result<f64, String> {
    let difference = total(case, MANY_ROUNDS)?.saturating_sub(total(case, FEW_ROUNDS)?);
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    Ok(difference as f64 / ((MANY_ROUNDS - FEW_ROUNDS) * case.units) as f64)
}

fn check() -> Result<ExitCode, String> {
    if !valgrind_is_there() {
        println!("skipped: valgrind is not installed");
        return Ok(ExitCode::SUCCESS);
    }
    let text = std::fs::read_to_string(GATES).map_err(|error| format!("{GATES}: {error}"))?;
    let gates = Gates::parse(&text)?;
    let mut failed = gates.stale().inspect(|name| println!("{name}: a gate without a case")).count();
    println!("{:<32} {:>12} {:>12}", "instructions a unit", "count", "gate");
    for case in CASES {
        let count = measure(case)?;
        let note = match gates.judge(case.name, count) {
            Verdict::Kept => "",
            Verdict::Better => "better: lower the gate with `update`",
            Verdict::Worse => "WORSE",
            Verdict::Unknown => "NO GATE",
        };
        failed += usize::from(matches!(gates.judge(case.name, count), Verdict::Worse | Verdict::Unknown));
        let gate = gates.get(case.name).unwrap_or_default();
        println!("{:<32} {count:>12.1} {gate:>12.1} {note}", case.name);
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn update() -> Result<ExitCode, String> {
    let mut text = String::from(
        "# Instructions a record (or a batch, where the name says so), counted by `klamm-instructions`.\n\
         # Written by `klamm-instructions update`; see README.md.\n",
    );
    for case in CASES {
        let line = format!("{:<32} {:>10.1}\n", case.name, measure(case)?);
        print!("{line}");
        text.push_str(&line);
    }
    std::fs::write(GATES, text).map_err(|error| format!("{GATES}: {error}"))?;
    Ok(ExitCode::SUCCESS)
}
