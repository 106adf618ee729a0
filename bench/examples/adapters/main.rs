//! `adapters ADAPTER SCENARIO --flag value ..`: the adapters beside each other, each as its users would have it.
//!
//! ADAPTER is `tokio`, `smol`, `async-std` or `blocking`. SCENARIO is `produce`, `produce-latency` (one record after the
//! other) or `consume`, with the flags and the line of JSON of the comparison of clients (`bench/README.md`), or `clients`:
//! `--clients N` clients in one process, connected to all brokers, what they cost in memory, and what they do in
//! `--duration-s S` idle seconds.

mod asynchronous;
mod blocking;
mod process;

use std::{error::Error, io::Write, process::ExitCode};

use klamm_bench::contract::{Flags, Payload, Scenario};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What is measured.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Scenario(Scenario),
    Clients,
}

fn main() -> ExitCode {
    match run() {
        Ok(line) => {
            drop(writeln!(std::io::stdout(), "{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Nobody is left to tell if that fails.
            drop(writeln!(std::io::stderr(), "adapters: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<String> {
    let usage = "usage: adapters tokio|smol|async-std|blocking produce|produce-latency|consume|clients --flag value ..";
    let mut args = std::env::args().skip(1);
    let (adapter, name) = (args.next().ok_or(usage)?, args.next().ok_or(usage)?);
    let flags = Flags::parse(args)?;
    let what =
        if name == "clients" { What::Clients } else { What::Scenario(name.parse().map_err(|_| usage)?) };
    match adapter.as_str() {
        "tokio" => asynchronous::tokio(what, flags),
        "smol" => asynchronous::smol(what, flags),
        "async-std" => asynchronous::async_std(what, flags),
        "blocking" => blocking::run(what, &flags),
        _ => Err(usage.into()),
    }
}

fn bootstrap(flags: &Flags) -> Vec<String> {
    flags.text("bootstrap", "localhost:9092").split(',').map(str::to_owned).collect()
}

fn payload(flags: &Flags) -> Outcome<Payload> {
    Ok(Payload::new(flags.number("size", 1000)?, flags.number("partitions", 1)?)?)
}

/// Where records are read from.
fn assignment(flags: &Flags) -> Outcome<Vec<(String, i32, klamm_tokio::StartAt)>> {
    let topic = flags.text("topic", "");
    let partitions = 0..flags.number("partitions", 1)?;
    Ok(partitions.map(|partition| (topic.to_owned(), partition, klamm_tokio::StartAt::Earliest)).collect())
}

/// A record, as the contract has it; its value is in `value`.
fn record<'a>(
    topic: &'a str,
    payload: &Payload,
    key: &'a [u8],
    value: &'a [u8],
    number: u64,
) -> klamm_tokio::Record<'a> {
    klamm_tokio::Record::to(topic).partition(payload.partition(number)).key(key).value(value)
}
