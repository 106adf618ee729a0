//! The embedded broker: whatever a client sends, it answers, refuses or closes, and goes on serving others.
//!
//! Input: Kafka's release (1 byte, counted through those there are), then frames with their lengths.

use bytes::{Buf as _, Bytes};
use klamm_core::{Instant, WallTime};
use klamm_sim::Release;
use klamm_sim::cluster::{Cluster, ClusterConfig, ConnectionId, Output};

use crate::allocation::measure;

/// An empty cluster and what it takes to answer about it.
const ALLOWED: usize = 8 << 20;

/// Sends the frames to a broker, then a well-formed request from someone else.
///
/// # Panics
/// When the broker does, or no longer answers, or takes too much memory.
pub fn run(input: &[u8]) {
    let &[release, ref frames @ ..] = input else { return };
    let count = Release::all().count();
    let Some(release) = Release::all().nth(usize::from(release) % count) else { return };
    let ((), cost) = measure(|| serve(release, Bytes::copy_from_slice(frames)));
    assert!(cost.peak <= ALLOWED + 400 * input.len(), "{cost:?} for {} bytes", input.len());
}

fn serve(release: Release, mut frames: Bytes) {
    let mut config = ClusterConfig::default();
    config.release = release;
    let mut cluster = Cluster::new(config);
    cluster.set_wall_time(WallTime(1_700_000_000_000));
    let (hostile, honest) = (ConnectionId(1), ConnectionId(2));
    let mut now = Instant::from_millis(1);
    cluster.handle_opened(hostile, 1);
    let mut closed = false;
    while frames.remaining() >= 4 && !closed {
        let length = usize::try_from(frames.get_u32()).unwrap_or(usize::MAX).min(frames.remaining());
        cluster.handle_request(now, hostile, frames.split_to(length));
        closed = answers(&mut cluster, hostile).is_none();
        for _ in 0..3 {
            let Some(due) = cluster.poll_timeout() else { break };
            now = due.max(now);
            cluster.handle_timeout(now);
            closed |= answers(&mut cluster, hostile).is_none();
        }
    }
    cluster.handle_closed(hostile);
    cluster.handle_opened(honest, 1);
    // ApiVersions, version 0.
    cluster.handle_request(now, honest, Bytes::from_static(&[0, 18, 0, 0, 0, 0, 0, 9, 255, 255]));
    assert_eq!(answers(&mut cluster, honest), Some(1), "the broker no longer answers");
}

/// How many answers a connection got; none if it was closed.
fn answers(cluster: &mut Cluster, connection: ConnectionId) -> Option<usize> {
    let mut answers = Some(0);
    while let Some(output) = cluster.poll_output() {
        match output {
            Output::Response { connection: to, .. } if to == connection => {
                answers = answers.map(|count| count + 1)
            }
            Output::Close { connection: which } if which == connection => answers = None,
            other => panic!("an answer to nobody: {other:?}"),
        }
    }
    answers
}
