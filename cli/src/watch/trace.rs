//! Requests and answers as a dissector shows them.

use std::{
    io::Write,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use klamm_blocking::{ClientEvent, Events, Peer, WireContent, WireMessage};

use crate::args::Trace;

/// How long a message may wait to be shown.
const DELAY: Duration = Duration::from_millis(20);

pub(super) fn run(trace: Trace, mut events: Events, stop: &Receiver<()>) {
    let mut first = None;
    loop {
        let over = !matches!(stop.recv_timeout(DELAY), Err(RecvTimeoutError::Timeout));
        let mut text = String::new();
        while let Some(event) = events.try_next() {
            if let ClientEvent::Message { peer, message } = &event {
                let since = message.at.since(*first.get_or_insert(message.at));
                text.push_str(&headline(since, peer, message));
                if trace == Trace::Fields {
                    text.push_str(&fields(message));
                }
            } else if let Some(line) = other(&event) {
                text.push_str(&line);
            }
        }
        match events.take_dropped() {
            0 => {}
            dropped => {
                text.push_str(&format!("  .. {dropped} messages were not shown, they came too fast\n"))
            }
        }
        // Nothing can be shown if standard error is gone.
        let _gone = std::io::stderr().lock().write_all(text.as_bytes()).is_err();
        if over {
            return;
        }
    }
}

/// Time, connection, direction, API, version, correlation id, size and latency.
pub(super) fn headline(since: Duration, peer: &Peer, message: &WireMessage) -> String {
    let (arrow, latency) = match &message.content {
        WireContent::Request(_) => ('>', String::new()),
        WireContent::Response { latency, .. } => ('<', format!("  {:.3} ms", latency.as_secs_f64() * 1e3)),
    };
    format!(
        "{:10.6}  {peer} c{} {arrow} {} v{}  id {:08x}  {} bytes{latency}\n",
        since.as_secs_f64(),
        peer.connection.0,
        message.api,
        message.version,
        message.correlation_id,
        message.bytes,
    )
}

/// What it says, a field a line; what is empty is left out.
pub(super) fn fields(message: &WireMessage) -> String {
    let text = match &message.content {
        WireContent::Request(request) => format!("{request:#?}"),
        WireContent::Response { response, .. } => format!("{response:#?}"),
    };
    let mut shown = String::new();
    for line in text.lines().filter(|line| !matches!(line.trim(), "unknown_tags: [],")) {
        shown.push_str("            ");
        shown.push_str(line);
        shown.push('\n');
    }
    shown
}

/// What else happened on connections.
fn other(event: &ClientEvent) -> Option<String> {
    match event {
        ClientEvent::Disconnected { peer, reason, lost } => {
            Some(format!("            {peer} c{}: {reason} ({lost} requests lost)\n", peer.connection.0))
        }
        ClientEvent::RequestFailed { peer, error } => {
            Some(format!("            {peer} c{}: {error}\n", peer.connection.0))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
