//! The Klamm command-line tool: produce, consume and administer Apache Kafka; run an embedded broker.
//!
//! Exit codes: 0 done, 1 the work could not be done, 2 the command was used wrongly. A reader of the output
//! that goes away (`klamm consume t | head`) is no failure.

mod args;
mod broker;
mod connect;
mod consume;
mod copy;
mod demo;
mod error;
mod escape;
mod format;
mod group;
mod lines;
mod output;
mod produce;
mod progress;
mod settings;
mod sim;
mod time;
mod topic;
mod txn;
mod watch;

use std::{io::Write, process::ExitCode};

use clap::Parser;

use args::{Cli, Command};
use error::CliError;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Broker(args) => broker::run(&args),
        Command::Topic(args) => topic::run(&args),
        Command::Group(args) => group::run(&args),
        Command::Produce(args) => produce::run(&args),
        Command::Consume(args) => consume::run(&args),
        Command::Copy(args) => copy::run(&args),
        Command::Txn(args) => txn::run(&args),
        Command::Config(args) => settings::run(&args),
        Command::Sim(args) => sim::run(&args),
    };
    watch::finish();
    match outcome {
        Ok(()) | Err(CliError::OutputClosed) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is gone too.
            let _told = writeln!(std::io::stderr(), "klamm: {error}").is_ok();
            ExitCode::from(error.exit_code())
        }
    }
}
