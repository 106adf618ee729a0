//! Looking on at the client while a command works: `--trace`, `--stats`, `--metrics-file`.
//!
//! Whoever looks on does so on a thread of its own, which [`finish`] ends when the command is done.

mod stats;
mod trace;

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};

use klamm_blocking::{EventOptions, Kafka, KafkaBuilder};

use crate::args::Cluster;

/// How many messages wait to be written at most; more are dropped and counted.
const KEPT: usize = 100_000;

/// The threads that look on, and how to end them.
static THREADS: Mutex<Vec<(Sender<()>, JoinHandle<()>)>> = Mutex::new(Vec::new());

/// Has the client tell what `--trace` wants to see, from its first attempt to connect on.
pub(crate) fn begin(builder: KafkaBuilder, cluster: &Cluster) -> KafkaBuilder {
    let Some(trace) = cluster.trace else { return builder };
    let (builder, events) = builder.events(EventOptions::default().with_messages().with_capacity(KEPT));
    spawn(move |stop| trace::run(trace, events, &stop));
    builder
}

/// Counts on behalf of `--stats` and `--metrics-file`.
pub(crate) fn count(kafka: &Kafka, cluster: &Cluster) {
    let (kafka, file) = (kafka.clone(), cluster.metrics_file.clone());
    let every = cluster.stats.map(Duration::from_secs_f64);
    if every.is_some() || file.is_some() {
        spawn(move |stop| stats::run(&kafka, every, file.as_deref(), &stop));
    }
}

fn spawn(work: impl FnOnce(mpsc::Receiver<()>) + Send + 'static) {
    let (stop, stopped) = mpsc::channel();
    // Without a thread nothing is shown, which is no reason not to work.
    if let Ok(thread) = std::thread::Builder::new().name("klamm-watch".to_owned()).spawn(|| work(stopped)) {
        THREADS.lock().unwrap_or_else(PoisonError::into_inner).push((stop, thread));
    }
}

/// The command is done: what was not shown yet is, and the files are written.
pub(crate) fn finish() {
    let threads = std::mem::take(&mut *THREADS.lock().unwrap_or_else(PoisonError::into_inner));
    for (stop, thread) in threads {
        drop(stop);
        // A thread that panicked has said so itself.
        drop(thread.join());
    }
}
