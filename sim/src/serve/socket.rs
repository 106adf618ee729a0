//! One client's socket: frames in, segments out.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};

use bytes::{Buf, Bytes};
use mio::net::TcpStream;

use super::stream::Stream;

/// The largest request (`socket.request.max.bytes`).
const MAX_FRAME: usize = 100 << 20;
/// What is read without knowing how long the next frame is.
const READ_AHEAD: usize = 16 << 10;
/// What is allocated at once for a frame of which little has come.
const MAX_TRUST: usize = 2 << 20;
/// Pieces of output in one call of the operating system.
const MAX_SLICES: usize = 64;

/// What reading gave.
pub(crate) enum Read1 {
    Frame(Bytes),
    /// Nothing more for now.
    Blocked,
    /// The client has gone, or sends nonsense.
    Closed,
}

pub(crate) struct Socket {
    /// The index of the broker that it leads to.
    pub(crate) broker: usize,
    stream: Stream,
    /// Bytes read and not handed out: those from `start` on.
    buffer: Vec<u8>,
    start: usize,
    output: VecDeque<Bytes>,
    /// There may be something to read.
    pub(crate) may_read: bool,
    /// Close when everything has been sent.
    pub(crate) is_closing: bool,
}

impl Socket {
    pub(crate) const fn new(broker: usize, stream: Stream) -> Self {
        let output = VecDeque::new();
        Self { broker, stream, buffer: Vec::new(), start: 0, output, may_read: true, is_closing: false }
    }

    pub(crate) const fn stream_mut(&mut self) -> &mut TcpStream {
        self.stream.tcp_mut()
    }

    pub(crate) fn push(&mut self, segments: Vec<Bytes>) {
        self.output.extend(segments);
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty() || self.stream.has_unwritten()
    }

    /// Sends as much as the client takes.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            let slices: Vec<IoSlice<'_>> =
                self.output.iter().take(MAX_SLICES).map(|segment| IoSlice::new(segment)).collect();
            match self.stream.write_vectored(&slices) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match self.stream.flush() {
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    fn sent(&mut self, mut count: usize) {
        while let Some(first) = self.output.front_mut() {
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.output.pop_front();
        }
    }

    /// The next frame, without its length.
    pub(crate) fn read(&mut self) -> Read1 {
        loop {
            let unread = self.buffer.len() - self.start;
            let length = self.buffer.get(self.start..self.start + 4).and_then(|bytes| bytes.first_chunk());
            let missing = match length.map(|bytes| i32::from_be_bytes(*bytes)) {
                None => None,
                Some(length) => match usize::try_from(length) {
                    Ok(length) if length <= MAX_FRAME => Some((length + 4).saturating_sub(unread)),
                    _ => return Read1::Closed,
                },
            };
            if missing == Some(0) {
                return Read1::Frame(
                    self.take_frame(length.map_or(0, |bytes| u32::from_be_bytes(*bytes) as usize)),
                );
            }
            if !self.may_read {
                return Read1::Blocked;
            }
            self.compact();
            if let Err(outcome) = self.fill(missing.unwrap_or(READ_AHEAD)) {
                return outcome;
            }
        }
    }

    /// Hands out a frame of `length` bytes that has come completely.
    fn take_frame(&mut self, length: usize) -> Bytes {
        let end = self.start + 4 + length;
        if end == self.buffer.len() && length > READ_AHEAD {
            let whole = Bytes::from(std::mem::take(&mut self.buffer));
            let frame = whole.slice(self.start + 4..);
            self.start = 0;
            return frame;
        }
        let frame = Bytes::copy_from_slice(&self.buffer[self.start + 4..end]);
        self.start = end;
        frame
    }

    /// Forgets what was handed out.
    fn compact(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }

    /// Reads up to `wanted` bytes more. An error is how the reading ends.
    fn fill(&mut self, wanted: usize) -> Result<(), Read1> {
        let trusted = wanted.min(self.buffer.len().max(MAX_TRUST));
        self.buffer.reserve_exact(trusted);
        match (&mut self.stream).take(trusted as u64).read_to_end(&mut self.buffer) {
            Ok(count) if count < trusted => Err(Read1::Closed),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.may_read = false;
                Ok(())
            }
            Err(_) => Err(Read1::Closed),
        }
    }
}
