//! Many seeds, on all processors.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use klamm_sim::plan::{Plan, Profile};
use klamm_sim::run::{Report, run_seed};
use nix::sys::signal::{SigSet, Signal};

use super::args::Run;
use super::{failure_line, summary::Summary, write_file};
use crate::error::{CliError, Outcome};
use crate::output::Output;

/// Whether Ctrl-C was pressed.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C was pressed.
pub(super) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// From now on the first Ctrl-C asks to come to an end, and the second ends the process. To be called before there
/// are other threads.
pub(super) fn watch_interrupts() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    // Where signals cannot be blocked they end the process as ever.
    if signals.thread_block().is_err() {
        return;
    }
    let watcher = std::thread::Builder::new().name("interrupts".to_owned());
    let watching = watcher.spawn(move || {
        while signals.wait().is_ok() {
            if INTERRUPTED.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        }
    });
    drop(watching);
}

/// A line on the terminal that says how far the work is; nothing where standard error is no terminal.
pub(super) struct Bar(ProgressBar);

impl Bar {
    fn of(total: u64) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(5);
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) =
            ProgressStyle::with_template("[{bar:30}] {pos}/{len} seeds, {per_sec}, {eta} left {msg}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }

    pub(super) fn spinner(doing: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(doing);
        Self(bar)
    }

    pub(super) fn say(&self, message: String) {
        self.0.set_message(message);
        self.0.tick();
    }

    /// Prints a line without disturbing the bar.
    fn line(&self, line: &str) {
        self.0.suspend(|| {
            // Nobody is left to tell if standard error is gone too.
            let _told = writeln!(std::io::stderr(), "{line}").is_ok();
        });
    }

    pub(super) fn finish(self) {
        self.0.finish_and_clear();
    }
}

/// A seed that was run.
struct Done {
    plan: Plan,
    report: Report,
    took: Duration,
}

pub(super) fn run(args: &Run) -> Outcome {
    watch_interrupts();
    let mut output = Output::new();
    let mut all = Summary::new(args.seeds.end - args.seeds.start);
    for profile in args.profile.iter().copied().take_while(|_| !is_interrupted()) {
        let began = Instant::now();
        let summary = run_profile(args, profile, args.max_failures.saturating_sub(all.failed()))?;
        summary.print(&mut output, profile, began.elapsed())?;
        output.flush()?;
        all.merge(&summary);
        if all.failed() >= args.max_failures {
            break;
        }
    }
    let missing = all.missing();
    all.print_probes(&mut output, args.profile.len(), args.probes)?;
    all.print_violated(&mut output)?;
    output.flush()?;
    match all.failed() {
        0 if is_interrupted() => Err(CliError::failed("interrupted")),
        0 if args.all_probes && !missing.is_empty() => {
            Err(CliError::failed(format!("no run reached {}", missing.join(", "))))
        }
        0 => Ok(()),
        failed => Err(CliError::failed(format!("{failed} of {} runs failed", all.seeds()))),
    }
}

/// Runs the seeds of one kind of plans until so many have failed.
fn run_profile(args: &Run, profile: Profile, max_failures: u64) -> Result<Summary, CliError> {
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = args.jobs.map_or(all, usize::from);
    let next = AtomicU64::new(args.seeds.start);
    let stopped = AtomicBool::new(false);
    let total = args.seeds.end - args.seeds.start;
    let mut summary = Summary::new(total);
    let bar = Bar::of(total);
    let (sender, receiver) = mpsc::channel();
    let collected = std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (sender, stopped) = (sender.clone(), &stopped);
            let next = &next;
            let seeds = move || next_seed(next, args).filter(|_| !stopped.load(Ordering::Relaxed));
            scope.spawn(move || work(profile, seeds, &sender));
        }
        drop(sender);
        let collected = receiver.iter().try_for_each(|done| {
            bar.0.inc(1);
            summary.add(profile, done.plan.seed, &done.report, done.took);
            if done.report.violations.is_empty() {
                return Ok(());
            }
            if summary.failed() >= max_failures {
                stopped.store(true, Ordering::Relaxed);
            }
            let line = keep_failure(args, profile, &done)?;
            bar.line(&line);
            Ok(())
        });
        stopped.store(true, Ordering::Relaxed);
        collected
    });
    bar.finish();
    collected.map(|()| summary)
}

/// The next seed that nobody has taken.
fn next_seed(next: &AtomicU64, args: &Run) -> Option<u64> {
    let seed = next.fetch_add(1, Ordering::Relaxed);
    (seed < args.seeds.end && !is_interrupted()).then_some(seed)
}

/// Runs seeds as long as there are any and somebody wants to know.
fn work(profile: Profile, seeds: impl Fn() -> Option<u64>, sender: &mpsc::Sender<Done>) {
    while let Some(seed) = seeds() {
        let began = Instant::now();
        let (plan, report) = run_seed(profile, seed);
        if sender.send(Done { plan, report, took: began.elapsed() }).is_err() {
            return;
        }
    }
}

/// Writes the plan of a failing run, and says how to replay it.
fn keep_failure(args: &Run, profile: Profile, done: &Done) -> Result<String, CliError> {
    let directory = &args.failures;
    std::fs::create_dir_all(directory)
        .map_err(|error| CliError::failed(format!("{}: {error}", directory.display())))?;
    let file = directory.join(format!("{profile}-{}.plan", done.plan.seed));
    write_file(&file, &done.plan.to_string())?;
    let first = done.report.violations.first();
    Ok(first.map_or_else(String::new, |violation| {
        failure_line(&done.plan, violation, &file.display().to_string())
    }))
}
