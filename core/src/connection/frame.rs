//! Cutting received bytes into frames.

use bytes::{Buf, Bytes, BytesMut};

use crate::Misbehaved;

/// Small frames share buffers of this size.
const CHUNK: usize = 16 << 10;
/// A frame's claim to be longer than this is believed step by step, as its bytes arrive.
const GRANT: usize = (1 << 20) + PREFIX;
/// No message of authentication is longer.
const LONGEST_BARE: usize = 64 << 10;
/// Bytes of the length in front of a frame.
const PREFIX: usize = 4;

/// The received bytes that are not a whole frame yet.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    buffer: BytesMut,
    /// The buffer belongs to one large frame.
    exclusive: bool,
    /// Whether a whole frame has been cut.
    any: bool,
    max_frame_bytes: u32,
}

/// A length that no frame of Kafka has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadLength {
    pub(super) length: i32,
    pub(super) first: [u8; PREFIX],
    /// They are the first bytes that the peer sent.
    pub(super) greeting: bool,
}

impl Frames {
    pub(super) fn new(max_frame_bytes: u32) -> Self {
        Self { buffer: BytesMut::new(), exclusive: false, any: false, max_frame_bytes }
    }

    /// The buffer to read into, with room. The first bytes of a small frame may be followed by those of more; a
    /// large frame gets a buffer of its own size, so that its rest is read in place.
    pub(super) fn space(&mut self) -> &mut BytesMut {
        match self.claimed() {
            Ok(Some(total)) if total > CHUNK => self.grant(total),
            claimed => {
                let total = claimed.ok().flatten().unwrap_or(PREFIX);
                let needed = total.saturating_sub(self.buffer.len()).max(CHUNK / 16);
                if self.buffer.capacity() - self.buffer.len() < needed {
                    self.buffer.reserve(CHUNK - self.buffer.len().min(CHUNK / 2));
                }
            }
        }
        &mut self.buffer
    }

    /// Makes room for a frame that takes `total` bytes in all: at once if it is at most [`GRANT`], else by
    /// doubling whenever what was granted has arrived. The steps are such that the last ends at `total`, give
    /// or take the rounding.
    fn grant(&mut self, total: usize) {
        if !self.exclusive {
            let mut first = total;
            while first > GRANT {
                first = first.div_ceil(2);
            }
            let mut own = BytesMut::with_capacity(first.max(self.buffer.len()));
            own.extend_from_slice(&self.buffer);
            self.buffer = own;
            self.exclusive = true;
        }
        let (length, capacity) = (self.buffer.len(), self.buffer.capacity());
        if length == capacity && length < total {
            self.buffer.reserve(total.min(capacity * 2) - length);
        }
    }

    /// The bytes that the frame at the front takes with its prefix; none if the prefix is not complete.
    fn claimed(&self) -> Result<Option<usize>, BadLength> {
        let Some(first) = self.buffer.first_chunk::<PREFIX>() else { return Ok(None) };
        let length = i32::from_be_bytes(*first);
        let valid = u32::try_from(length).ok().filter(|length| (4..=self.max_frame_bytes).contains(length));
        match valid.and_then(|length| usize::try_from(length).ok()) {
            // No broker's first answer is as long as the first bytes of other protocols would mean.
            Some(length) if self.any || length < 0x1000_0000 => Ok(Some(PREFIX + length)),
            _ => Err(BadLength { length, first: *first, greeting: !self.any }),
        }
    }

    /// The correlation id of the frame at the front, as soon as it has arrived.
    pub(super) fn correlation(&self) -> Result<Option<i32>, BadLength> {
        if self.claimed()?.is_none() {
            return Ok(None);
        }
        let id = self.buffer.get(PREFIX..).and_then(|rest| rest.first_chunk::<4>());
        Ok(id.map(|id| i32::from_be_bytes(*id)))
    }

    /// Cuts the frame at the front, without its length, if all of it has arrived.
    pub(super) fn cut(&mut self) -> Option<Bytes> {
        let total = self.claimed().ok().flatten().filter(|total| *total <= self.buffer.len())?;
        let mut frame = self.buffer.split_to(total).freeze();
        if self.exclusive {
            // What follows must not keep the large buffer alive.
            self.buffer = BytesMut::from(&*self.buffer);
            self.exclusive = false;
        }
        self.any = true;
        frame.advance(PREFIX);
        Some(frame)
    }

    /// Cuts the message of authentication at the front, which may be empty and has no header, if all of it has arrived.
    pub(super) fn cut_bare(&mut self) -> Result<Option<Bytes>, Misbehaved> {
        let Some(first) = self.buffer.first_chunk::<PREFIX>() else { return Ok(None) };
        let length = i32::from_be_bytes(*first);
        match usize::try_from(length) {
            Ok(valid) if valid <= LONGEST_BARE => {
                if self.buffer.len() < PREFIX + valid {
                    return Ok(None);
                }
                let mut message = self.buffer.split_to(PREFIX + valid).freeze();
                message.advance(PREFIX);
                Ok(Some(message))
            }
            _ => Err(Misbehaved::FrameLength { length, first: *first }),
        }
    }

    /// Whether the peer ever sent a byte.
    pub(super) fn any_received(&self) -> bool {
        self.any || !self.buffer.is_empty()
    }

    /// Whether part of a frame has arrived.
    pub(super) fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Forgets all bytes and gives the memory back.
    pub(super) fn clear(&mut self) {
        self.buffer = BytesMut::new();
        self.exclusive = false;
    }
}
