//! Hostile peers: whatever is at the port, every adapter and every command of the tool ends by itself in time, with
//! one error that names the cause, and takes little memory.

use libtest_mimic::{Arguments, Trial};

mod adapters;
mod commands;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = adapters::trials().chain(commands::trials()).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
