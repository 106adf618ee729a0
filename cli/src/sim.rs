//! `klamm sim`.

pub(crate) mod args;
mod fleet;
mod summary;

use std::io::{Read, Write};
use std::path::Path;

use klamm_sim::check::{Invariant, Violation};
use klamm_sim::plan::{Plan, Profile};
use klamm_sim::run::{Kept, Options, Report, Timeline, minimise, run as run_plan, run_thoroughly};

use crate::{
    error::{CliError, Outcome},
    output::Output,
    sim::args::{Explain, Minimise, Replay, Sim, Target},
};

/// Lines before a failure that explain it.
const BEFORE: u64 = 60;
/// Lines after it.
const AFTER: u64 = 5;

pub(crate) fn run(command: &Sim) -> Outcome {
    match command {
        Sim::Run(args) => fleet::run(args),
        Sim::Replay(args) => replay(args),
        Sim::Minimise(args) => smaller(args),
        Sim::Explain(args) => explain(args),
        Sim::Plan(args) => {
            let (plan, _) = target(&args.target)?;
            print(&plan.to_string())
        }
    }
}

fn print(text: &str) -> Outcome {
    let mut output = Output::new();
    output.with(|out| out.write_all(text.as_bytes()))?;
    output.flush()
}

/// The plan that is meant, and what to call it on a command line.
fn target(target: &Target) -> Result<(Plan, String), CliError> {
    let Target { plan: name, profile } = target;
    if let Ok(seed) = name.parse::<u64>() {
        return Ok((Plan::generate(*profile, seed), format!("{seed} --profile {profile}")));
    }
    let text = if name == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| CliError::failed(format!("standard input: {error}")))?;
        text
    } else {
        std::fs::read_to_string(name).map_err(|error| CliError::failed(format!("{name}: {error}")))?
    };
    let plan = text.parse().map_err(|error| CliError::failed(format!("{name}: {error}")))?;
    Ok((plan, name.clone()))
}

/// One line with all that is needed to replay a failure.
fn failure_line(plan: &Plan, violation: &Violation, replay: &str) -> String {
    format!(
        "FAILED: version {}, profile {}, seed {}, invariant {}, event {}: {}; replay: klamm sim replay {replay}",
        env!("CARGO_PKG_VERSION"),
        plan.profile.map_or("none", Profile::word),
        plan.seed,
        violation.invariant,
        violation.event,
        violation.what.replace('\n', " "),
    )
}

fn replay(args: &Replay) -> Outcome {
    let (plan, name) = target(&args.target)?;
    let report = run_thoroughly(&plan);
    let mut output = Output::new();
    for note in &report.notes {
        output.line(format_args!("note: {note}"))?;
    }
    for violation in &report.violations {
        output.line(format_args!("violated {violation}"))?;
    }
    output.line(in_short(&report))?;
    output.flush()?;
    match report.violations.first() {
        None => Ok(()),
        Some(violation) => Err(CliError::failed(failure_line(&plan, violation, &name))),
    }
}

/// What came of a run, in a line.
fn in_short(report: &Report) -> String {
    format!(
        "trace hash {:016x}, {} events, {:.3} simulated seconds, {} records accepted, {} written, {} failed, \
         {} delivered",
        report.trace_hash,
        report.events,
        report.simulated.as_secs_f64(),
        report.counts.accepted,
        report.counts.written,
        report.counts.failed,
        report.counts.delivered,
    )
}

fn first_violated(plan: &Plan) -> Result<Invariant, CliError> {
    let report = run_plan(plan, Options::default());
    report
        .invariant()
        .ok_or_else(|| CliError::failed("nothing fails in this plan: there is nothing to minimise"))
}

fn smaller(args: &Minimise) -> Outcome {
    let (plan, _) = target(&args.target)?;
    let invariant = args.invariant.map_or_else(|| first_violated(&plan), Ok)?;
    let progress = fleet::Bar::spinner("minimising");
    let told = |best: &Plan, runs| {
        progress.say(format!("{} items after {runs} runs", best.items()));
        !fleet::is_interrupted()
    };
    fleet::watch_interrupts();
    let found = minimise(&plan, invariant, told);
    progress.finish();
    let Some(found) = found else {
        return Err(CliError::failed(format!("invariant {invariant} holds in this plan")));
    };
    let text = format!(
        "# Violates {}: {}\n# Minimised from {} items to {} in {} runs.\n{}",
        invariant,
        found.violation.what.replace('\n', " "),
        plan.items(),
        found.plan.items(),
        found.runs,
        found.plan
    );
    // The format's version is the first line of what is no comment.
    match &args.output {
        Some(file) => write_file(file, &text),
        None => print(&text),
    }
}

fn write_file(file: &Path, text: &str) -> Outcome {
    std::fs::write(file, text).map_err(|error| CliError::failed(format!("{}: {error}", file.display())))
}

fn explain(args: &Explain) -> Outcome {
    let (plan, _) = target(&args.target)?;
    let report = run_plan(&plan, Options::default());
    let failure = report.violations.first();
    let around = failure.filter(|failure| failure.event > 0 && !args.all && args.last.is_none());
    let kept = Kept {
        events: around
            .filter(|_| args.entity.is_empty())
            .map(|failure| failure.event.saturating_sub(BEFORE)..=failure.event + AFTER),
        entities: args.entity.clone(),
        last: args.last.or_else(|| around.map(|_| usize::try_from(BEFORE).unwrap_or(60))),
    };
    let kept = match around {
        Some(failure) if !args.entity.is_empty() => Kept { events: Some(0..=failure.event + AFTER), ..kept },
        Some(_) => Kept { last: None, ..kept },
        None => kept,
    };
    let timeline = Timeline::new(&plan, kept);
    let mut options = Options::default();
    options.observers.push(Box::new(timeline.clone()));
    let _same = run_plan(&plan, options);
    let mut output = Output::new();
    for line in timeline.lines() {
        output.line(&line)?;
        for violation in report.violations.iter().filter(|violation| violation.event == line.event) {
            output.line(format_args!("        >>> violated {violation}"))?;
        }
    }
    for violation in report.violations.iter().filter(|violation| violation.event == 0) {
        output.line(format_args!("at the end: violated {violation}"))?;
    }
    output.line(in_short(&report))?;
    output.flush()
}
