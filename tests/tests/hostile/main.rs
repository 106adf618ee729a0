//! Hostile peers: whatever is at the port, every adapter and every command of the tool ends by itself in time, with
//! one error that names the cause, and takes little memory.

use libtest_mimic::{Arguments, Trial};

mod adapters;
mod ambushes;
mod commands;
mod memory;

fn main() -> std::process::ExitCode {
    let mut arguments = Arguments::from_args();
    // What these tests do is wait until time is up.
    arguments.test_threads.get_or_insert(8);
    let trials: Vec<Trial> = adapters::trials().chain(ambushes::trials()).chain(commands::trials()).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
