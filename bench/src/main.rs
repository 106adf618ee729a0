//! `klamm-bench SCENARIO --flag value ..`: Klamm (the tokio adapter) as one program of a comparison of clients.
//!
//! Prints one line of JSON; see `bench/README.md` for the contract.

mod scenarios;

use std::{error::Error, io::Write, process::ExitCode};

use klamm_bench::contract::{Flags, Scenario};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if that fails.
            drop(writeln!(std::io::stderr(), "klamm-bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let name = args.next().ok_or("usage: klamm-bench SCENARIO --flag value ..")?;
    let flags = Flags::parse(args)?;
    let mut stdout = std::io::stdout();
    let Ok(scenario) = name.parse::<Scenario>() else {
        let version = env!("CARGO_PKG_VERSION");
        let line = serde_json::json!({"peer": "klamm", "version": version, "scenario": name,
            "unsupported": "not implemented"});
        return Ok(writeln!(stdout, "{line}")?);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // In a task, as in a service: what the runtime's own threads wake runs where it was woken, without a thread switch.
    let measured = runtime.spawn(async move {
        let line = match scenario {
            Scenario::Produce => scenarios::produce(&flags).await,
            Scenario::ProduceLatency => scenarios::produce_latency(&flags).await,
            Scenario::Consume => scenarios::consume(&flags).await,
            Scenario::EndToEndLatency => scenarios::end_to_end_latency(&flags).await,
            Scenario::ConsumeGroup => scenarios::consume_group(&flags).await,
            Scenario::Rebalance => scenarios::rebalance(&flags).await,
            Scenario::Idle => scenarios::idle(&flags).await,
            Scenario::Transactions => scenarios::transactions(&flags).await,
        };
        line.map_err(|error| error.to_string())
    });
    let line = runtime.block_on(measured)??;
    Ok(writeln!(stdout, "{line}")?)
}
