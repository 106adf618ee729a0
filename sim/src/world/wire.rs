//! Sockets and the two links between their ends.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use klamm_core::Instant;

use crate::{
    Draws,
    cluster::ConnectionId,
    observe::{ClientId, Side},
};

/// How many bytes of an opening tell the length of a frame.
const LENGTH: usize = 4;

/// What travels.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    Data(Bytes),
    /// The sender will send no more.
    End,
    /// The connection is broken.
    Reset,
}

#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) arrives: Instant,
    pub(super) payload: Payload,
}

/// One direction of a connection. Bytes keep their order.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) node: u32,
    pub(super) draws: Draws,
    queue: VecDeque<Segment>,
    /// Bytes in the queue.
    bytes: usize,
    /// When the last segment arrives, or the link is free again.
    last: Instant,
    /// How many bytes may still arrive before the connection is reset.
    pub(super) reset_after: Option<u64>,
    /// How many bytes arrive as they were sent before a bit of one does not.
    pub(super) flip_after: Option<u64>,
    /// Since when the network has let nothing pass that was there to pass.
    pub(super) stuck_since: Option<Instant>,
    /// What is sent from now on vanishes.
    pub(super) black_hole: bool,
}

impl Link {
    pub(super) const fn new(node: u32, draws: Draws) -> Self {
        Self {
            node,
            draws,
            queue: VecDeque::new(),
            bytes: 0,
            last: Instant::ZERO,
            reset_after: None,
            flip_after: None,
            stuck_since: None,
            black_hole: false,
        }
    }

    pub(super) fn push(&mut self, arrives: Instant, payload: Payload) {
        let arrives = arrives.max(self.last);
        self.last = arrives;
        if let Payload::Data(bytes) = &payload {
            self.bytes += bytes.len();
        }
        self.queue.push_back(Segment { arrives, payload });
    }

    /// When the first segment arrives.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.queue.front().map(|segment| segment.arrives)
    }

    /// The first segment, if it has arrived.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Payload> {
        if self.next_at()? > now {
            return None;
        }
        let segment = self.queue.pop_front()?;
        if let Payload::Data(bytes) = &segment.payload {
            self.bytes -= bytes.len();
        }
        Some(segment.payload)
    }

    /// Whether the first segment is bytes.
    pub(super) fn begins_with_data(&self) -> bool {
        matches!(self.queue.front(), Some(Segment { payload: Payload::Data(_), .. }))
    }

    /// What is under way arrives at this instant at the latest.
    pub(super) fn hasten(&mut self, at: Instant) {
        self.last = self.last.min(at);
        for segment in &mut self.queue {
            segment.arrives = segment.arrives.min(at);
        }
    }

    /// The bytes, in which a bit is flipped if it is their turn.
    pub(super) fn flip(&mut self, bytes: Bytes) -> Bytes {
        let Some(left) = self.flip_after else { return bytes };
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if left >= len {
            self.flip_after = Some(left - len);
            return bytes;
        }
        self.flip_after = None;
        let mut flipped = bytes.to_vec();
        if let Some(byte) = usize::try_from(left).ok().and_then(|index| flipped.get_mut(index)) {
            *byte ^= 1 << self.draws.below(8);
        }
        flipped.into()
    }

    /// Forgets what is under way.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.bytes = 0;
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the link is free for what is sent next.
    pub(super) const fn free_at(&self) -> Instant {
        self.last
    }
}

/// How a connection ended, as one end sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The peer said so.
    Closed,
    /// The peer, or the network, broke it.
    Reset,
    /// The peer did not confirm for too long.
    TimedOut,
}

/// A connection between a client and a broker.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) id: ConnectionId,
    pub(super) client: ClientId,
    pub(super) broker: i32,
    /// The node of the client's task.
    pub(super) owner: u32,
    pub(super) up: Link,
    pub(super) down: Link,
    pub(super) near: NearEnd,
    pub(super) far: FarEnd,
    /// Who ended it first.
    pub(super) closed_by: Option<Side>,
}

/// The client's end.
#[derive(Debug, Default)]
pub(super) struct NearEnd {
    pub(super) is_closed: bool,
    /// The client has more to write than the network takes.
    pub(super) wants_room: bool,
    /// What has arrived and was not read.
    arrived: VecDeque<Bytes>,
    bytes: usize,
    pub(super) end: Option<End>,
    /// For observers: the frame that is being read.
    pub(super) frames: Frames,
    /// For observers: the frame that is being written.
    pub(super) sent: Frames,
}

/// The broker's end.
#[derive(Debug, Default)]
pub(super) struct FarEnd {
    pub(super) is_closed: bool,
    pub(super) frames: Frames,
}

impl NearEnd {
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        self.arrived.push_back(bytes);
    }

    /// Takes at most so many bytes, of one piece.
    pub(super) fn take(&mut self, room: usize) -> Option<Bytes> {
        let front = self.arrived.front_mut()?;
        let taken = if front.len() <= room { self.arrived.pop_front()? } else { front.split_to(room) };
        self.bytes -= taken.len();
        Some(taken)
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_readable(&self) -> bool {
        self.bytes > 0 || self.end.is_some()
    }

    /// The connection broke: what was not read is gone.
    pub(super) fn break_off(&mut self, end: End) {
        self.arrived.clear();
        self.bytes = 0;
        self.end = Some(end);
    }
}

/// Frames out of a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Frames {
    partial: BytesMut,
    whole: Bytes,
}

impl Frames {
    /// Whether a frame has begun that is not whole yet.
    pub(super) fn has_part(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Bytes came. Take all frames out before the next ones come.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if self.partial.is_empty() {
            self.whole = bytes;
        } else {
            self.partial.extend_from_slice(&bytes);
            if frame_len(&self.partial).is_some_and(|len| self.partial.len() >= len) {
                self.whole = self.partial.split().freeze();
            }
        }
    }

    /// The next frame, without its length.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        match frame_len(&self.whole) {
            Some(len) if self.whole.len() >= len => {
                let mut frame = self.whole.split_to(len);
                frame.advance(LENGTH.min(len));
                Some(frame)
            }
            _ => {
                if !self.whole.is_empty() {
                    self.partial.extend_from_slice(&self.whole);
                    self.whole = Bytes::new();
                }
                None
            }
        }
    }
}

/// The length of the first frame with its length, if it is known.
fn frame_len(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(..LENGTH)?.try_into().ok().map(i32::from_be_bytes)?;
    // Of a negative length the cluster is told as of an empty frame: it cannot read it, and closes the connection.
    Some(LENGTH + usize::try_from(length).unwrap_or(0))
}
